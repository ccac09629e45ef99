#include "reactor/signal.h"
#include "reactor_help.h"
#include <signal.h>
#include <unistd.h>

static struct rig rig;
static int got[8];
static size_t n_got;
static struct px_signals *signals;
static bool stop_in_callback;

static int set_up(void **state) {
    (void)state;
    n_got = 0;
    stop_in_callback = false;
    rig_open(&rig, false);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    px_signals_stop(&signals);
    rig_close(&rig);
    return 0;
}

static void on_signal(void *user, int signal) {
    assert_ptr_equal(user, &rig);
    got[n_got++] = signal;
    if (stop_in_callback)
        px_signals_stop(&signals);
}

static void start(void) {
    static const int list[] = {SIGUSR1, SIGTERM, SIGHUP, 0};
    assert_int_equal(px_signals_start(rig.loop, list, on_signal, &rig, &signals, NULL), 0);
}

static void signals_are_events(void **state) {
    (void)state;
    int inheritable = inheritable_fds();
    start();
    assert_int_equal(inheritable_fds(), inheritable);
    raise(SIGTERM);
    raise(SIGUSR1);
    raise(SIGUSR1); /* the kernel keeps one of a kind */
    assert_int_equal(n_got, 0);
    UNTIL(rig.loop, n_got == 2);
    assert_int_equal(got[0] + got[1], SIGTERM + SIGUSR1);
    raise(SIGHUP);
    UNTIL(rig.loop, n_got == 3);
    assert_int_equal(got[2], SIGHUP);
    let_pass(rig.loop, PX_MS);
    assert_int_equal(n_got, 3);
}

static void stopped_in_its_callback(void **state) {
    (void)state;
    start();
    stop_in_callback = true;
    raise(SIGTERM);
    raise(SIGUSR1);
    UNTIL(rig.loop, n_got == 1);
    assert_null(signals);
    let_pass(rig.loop, PX_MS);
    assert_int_equal(n_got, 1);
    raise(SIGHUP); /* they stay blocked: nobody dies of one that comes late */
    /* Whoever starts again gets what is waiting. */
    stop_in_callback = false;
    start();
    UNTIL(rig.loop, n_got == 3);
}

static void a_broken_pipe_is_an_error_only(void **state) {
    int fds[2];
    (void)state;
    start();
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    close(fds[1]);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(signals_are_events),
        T(stopped_in_its_callback),
        T(a_broken_pipe_is_an_error_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
