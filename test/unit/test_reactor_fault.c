/* Every allocation and every system call of the reactor goes wrong once. */
#include "child_help.h"
#include "reactor/signal.h"
#include "support/fault.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Without the assertions of rig_open: any of it may fail. */
static int open_quietly(struct rig *rig, bool fake) {
    struct px_err err;
    struct px_loop_clock clock = fake_clock(&rig->clock);
    int r = px_loop_create(&(struct px_loop_opts){.clock = fake ? &clock : NULL}, &rig->loop, &err);
    if (!r)
        r = px_scope_open(rig->loop, NULL, "fault", 0, &rig->scope);
    return r;
}

static void close_quietly(struct rig *rig) {
    px_scope_close(&rig->scope);
    if (rig->loop)
        px_children_kill(rig->loop);
    px_loop_destroy(rig->loop);
}

/* ---- descriptors, timers, work, scopes ---- */

struct pair {
    struct px_loop *loop;
    struct px_io *io;
    int fds[2];
    unsigned got;
};

static void on_ready(void *user, uint32_t events) {
    struct pair *pair = user;
    char c;
    (void)events;
    fault_off(); /* how a reader copes is not the loop's business */
    pair->got += read(pair->fds[0], &c, 1) == 1;
    fault_on();
    px_loop_stop(pair->loop);
}

static void nothing(void *user) {
    (void)user;
}

static int loop_scenario(void *user) {
    struct rig rig = {0};
    struct pair pair = {.fds = {-1, -1}};
    struct px_timer timer;
    struct px_work work;
    struct px_hook hook = {.name = "hook", .fn = nothing};
    struct px_err err = {0};
    int r = open_quietly(&rig, user != NULL);
    if (!r) {
        fault_off();
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.fds), 0);
        assert_int_equal(write(pair.fds[1], "x", 1), 1);
        fault_on();
        pair.loop = rig.loop;
        px_hook_add(rig.loop, &hook);
        px_timer_init(&timer, rig.loop, "timer", nothing, NULL);
        px_timer_arm_in(&timer, 1);
        px_work_init(&work, "work", nothing, NULL);
        px_work_post(rig.loop, &work);
        r = px_scope_on_close(rig.scope, nothing, NULL);
        if (!r)
            r = px_io_start(rig.loop, pair.fds[0], 0, "io", on_ready, &pair, &pair.io, &err);
        if (!r)
            r = px_io_want(pair.io, EPOLLIN);
        if (!r)
            r = px_loop_run(rig.loop);
        assert_int_not_equal(r, -ENOSYS); /* a kernel without epoll_pwait2 will do */
        assert_true(r < 0 || pair.got == 1);
        px_io_stop(&pair.io);
        px_work_cancel(&work);
        px_timer_disarm(&timer);
        px_hook_remove(&hook);
        close(pair.fds[0]);
        close(pair.fds[1]);
    }
    close_quietly(&rig);
    return r;
}

static void loop_fails(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, loop_scenario, NULL) >= 9);
    assert_true(fault_sweep(FAULT_FAIL, loop_scenario, "a fake clock") >= 9);
}

static void loop_is_interrupted(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_INTERRUPT, loop_scenario, NULL) >= 2);
}

/* ---- signals ---- */

static void on_signal(void *user, int signal) {
    struct rig *rig = user;
    assert_int_equal(signal, SIGUSR1);
    px_loop_stop(rig->loop);
}

static int signal_scenario(void *user) {
    struct rig rig = {0};
    struct px_signals *signals = NULL;
    sigset_t before, after;
    (void)user;
    sigprocmask(SIG_BLOCK, NULL, &before);
    int r = open_quietly(&rig, false);
    if (!r)
        r = px_signals_start(rig.loop, (const int[]){SIGUSR1, 0}, on_signal, &rig, &signals, NULL);
    sigprocmask(SIG_BLOCK, NULL, &after);
    if (r) /* on failure as before */
        assert_int_equal(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
    if (!r) {
        raise(SIGUSR1);
        r = px_loop_run(rig.loop);
    }
    if (sigismember(&after, SIGUSR1)) { /* take what nobody read */
        struct timespec none = {0, 0};
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigtimedwait(&set, NULL, &none);
    }
    px_signals_stop(&signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close_quietly(&rig);
    return r;
}

static void signals_fail(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, signal_scenario, NULL) >= 8);
    fault_sweep(FAULT_INTERRUPT, signal_scenario, NULL);
}

/* ---- children ---- */

static int child_scenario(void *user) {
    struct rig rig = {0};
    struct kid kid;
    const char *script = user;
    kid_init(&kid, &rig);
    int r = open_quietly(&rig, false);
    if (!r)
        r = kid_try(&kid, script);
    if (!r)
        r = px_child_write(kid.child, PX_LIT("some words\n"));
    if (!r)
        r = px_child_write_urgent(kid.child, PX_LIT("urgent\n"));
    if (!r) {
        px_child_pause(kid.child, true);
        r = px_loop_turn(rig.loop, 0);
    }
    if (!r) {
        px_child_pause(kid.child, false);
        px_child_close_stdin(kid.child);
    }
    uint64_t give_up = px_clock_mono_ns() + 10 * PX_S;
    while (!r && !kid.exits) {
        assert_true(px_clock_mono_ns() < give_up);
        r = px_loop_turn(rig.loop, 10 * PX_MS);
    }
    /* A broken pipe end is closed, and then output is missing: the child's exit is what must not get lost. */
    bool whole = px_str_is(px_buf_view(&kid.out), "urgent\nsome words\n");
    close_quietly(&rig);
    kid_finish(&kid);
    return r ? r : whole ? 0 : -EIO;
}

static char cat[] = "cat";
static char slow[] = "sleep 0.02; cat";

static void child_fails(void **state) {
    (void)state;
    unsigned runs = fault_sweep(FAULT_FAIL, child_scenario, cat);
    assert_true(runs > 30);
    fault_sweep(FAULT_FAIL, child_scenario, slow);
}

static void child_is_interrupted(void **state) {
    (void)state;
    fault_sweep(FAULT_INTERRUPT, child_scenario, cat);
    fault_sweep(FAULT_SHORT, child_scenario, cat);
    fault_sweep(FAULT_SHORT, child_scenario, slow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_fails),  cmocka_unit_test(loop_is_interrupted),  cmocka_unit_test(signals_fail),
        cmocka_unit_test(child_fails), cmocka_unit_test(child_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
