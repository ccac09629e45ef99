/* What a service manager sees: datagrams, the watchdog's rhythm, passed sockets. */
#include "base/log.h"
#include "daemon/notify.h"
#include "reactor/loop.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fake_now;
static uint64_t now(void *ctx) {
    (void)ctx;
    return fake_now;
}
static void advance(void *ctx, uint64_t to_ns) {
    (void)ctx;
    fake_now = to_ns;
}
static const struct px_loop_clock fake = {now, advance, NULL};

/* An abstract socket of the test's own: the manager. */
static int manager(char name[32]) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(name, 32, "@px-notify-%d", (int)getpid());
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = 0;
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    return fd;
}

static void heard(int fd, const char *expected) {
    char text[256] = {0};
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    if (expected) {
        assert_true(n > 0);
        assert_string_equal(text, expected);
    } else {
        assert_int_equal(n, -1);
    }
}

static void datagrams_and_watchdog(void **state) {
    char name[32], pid[16];
    struct px_loop *loop;
    struct px_notify notify;
    (void)state;
    int fd = manager(name);
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &fake}, &loop, NULL), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    px_notify_init(&notify, loop);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    px_notify_send(&notify, "READY=1\nSTATUS=%d services", 3);
    heard(fd, "READY=1\nSTATUS=3 services");
    heard(fd, NULL);
    px_notify_watchdog(&notify);
    heard(fd, "WATCHDOG=1");
    uint64_t began = fake_now;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(px_loop_turn(loop, UINT64_MAX), 0);
        assert_true(fake_now - began == (unsigned)i * PX_S); /* half of what was asked for */
        heard(fd, "WATCHDOG=1");
    }
    px_notify_finish(&notify);
    px_loop_destroy(loop);
    close(fd);
}

static void without_a_manager_nothing_happens(void **state) {
    struct px_loop *loop;
    struct px_notify notify;
    struct px_loop_stats stats;
    (void)state;
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &fake}, &loop, NULL), 0);
    setenv("WATCHDOG_USEC", "2000000", 1);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    px_notify_init(&notify, loop);
    px_notify_send(&notify, "READY=1");
    px_notify_watchdog(&notify);
    px_loop_stats_get(loop, &stats);
    assert_int_equal(stats.timers, 0);
    px_notify_finish(&notify);
    px_loop_destroy(loop);
}

/* Descriptors from 3 on, as a manager passes them. The test runner may hold some: they are put back. */
struct passed {
    int kept[3];
};

static int listening(int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static int count;
    int fd = socket(AF_UNIX, type, 0);
    int n = snprintf(address.sun_path + 1, 64, "px-listen-%d-%d", (int)getpid(), count++);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int setup(void **state) {
    struct passed *p = calloc(1, sizeof *p);
    for (int i = 0; i < 3; i++)
        p->kept[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 20);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    struct passed *p = *state;
    for (int i = 0; i < 3; i++) {
        close(3 + i);
        if (p->kept[i] >= 0) {
            dup2(p->kept[i], 3 + i);
            close(p->kept[i]);
        }
    }
    free(p);
    return 0;
}

static void pass(int at, int type) {
    int fd = listening(type);
    if (fd != 3 + at) {
        assert_int_equal(dup2(fd, 3 + at), 3 + at);
        close(fd);
    }
}

static void announce(int pid, const char *n, const char *names) {
    char text[16];
    snprintf(text, sizeof text, "%d", pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", n, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
    else
        unsetenv("LISTEN_FDNAMES");
}

static const char *const planner = "planner";

static void the_named_socket_is_taken(void **state) {
    int fd = -1;
    (void)state;
    pass(0, SOCK_STREAM);
    pass(1, SOCK_STREAM);
    announce(getpid(), "2", "http:planner");
    assert_int_equal(px_listen_fds(&planner, 1, &fd, NULL), 0);
    assert_int_equal(fd, 4);
    assert_true(fcntl(4, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fcntl(3, F_GETFD), -1); /* the other one is closed */
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
}

static void two_sockets_go_where_they_belong(void **state) {
    static const char *const names[] = {"planner", "http"};
    int fds[2];
    (void)state;
    pass(0, SOCK_STREAM);
    pass(1, SOCK_STREAM);
    announce(getpid(), "2", "http:planner");
    assert_int_equal(px_listen_fds(names, 2, fds, NULL), 0);
    assert_int_equal(fds[0], 4);
    assert_int_equal(fds[1], 3);
    assert_true(fcntl(3, F_GETFD) & fcntl(4, F_GETFD) & FD_CLOEXEC);
    announce(getpid(), "1", "http"); /* a single one with a name is not the first name's */
    assert_int_equal(px_listen_fds(names, 2, fds, NULL), 0);
    assert_int_equal(fds[0], -1);
    assert_int_equal(fds[1], 3);
}

static void a_single_one_needs_no_name(void **state) {
    int fd = -1;
    (void)state;
    pass(0, SOCK_STREAM);
    announce(getpid(), "1", NULL);
    assert_int_equal(px_listen_fds(&planner, 1, &fd, NULL), 0);
    assert_int_equal(fd, 3);
    announce(getpid(), "1", "plexus-planner.socket");
    assert_int_equal(px_listen_fds(&planner, 1, &fd, NULL), 0);
    assert_int_equal(fd, 3);
    announce((int)getpid() + 1, "1", "planner"); /* meant for another process */
    assert_int_equal(px_listen_fds(&planner, 1, &fd, NULL), 0);
    assert_int_equal(fd, -1);
}

static void what_is_no_listening_socket_is_refused(void **state) {
    int fd = -1;
    struct px_err err = {0};
    (void)state;
    pass(0, SOCK_DGRAM);
    announce(getpid(), "1", "planner");
    assert_int_equal(px_listen_fds(&planner, 1, &fd, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "not a listening stream socket"));
    assert_int_equal(fd, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_and_watchdog),
        cmocka_unit_test(without_a_manager_nothing_happens),
        cmocka_unit_test_setup_teardown(the_named_socket_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sockets_go_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(a_single_one_needs_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_listening_socket_is_refused, setup, teardown),
    };
    px_log_set_level(PX_LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
