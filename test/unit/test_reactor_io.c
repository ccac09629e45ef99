#include "reactor_help.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rig rig;

static int set_up(void **state) {
    (void)state;
    rig_open(&rig, true);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_close(&rig);
    return 0;
}

/* One end of a socket pair that is watched, and what to do when it is ready. */
struct end {
    struct px_io *io;
    int fd, other;
    unsigned calls;
    uint32_t events;
    void (*act)(struct end *end);
    struct end *victim;
};

static void on_ready(void *user, uint32_t events) {
    struct end *end = user;
    end->calls++;
    end->events = events;
    if (end->act)
        end->act(end);
}

static void open_pair(struct end *end) {
    int fds[2];
    *end = (struct end){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    end->fd = fds[0];
    end->other = fds[1];
}

static void watch(struct end *end, uint32_t events) {
    open_pair(end);
    assert_int_equal(px_io_start(rig.loop, end->fd, events, "end", on_ready, end, &end->io, NULL), 0);
}

static void poke(const struct end *end) {
    assert_int_equal(write(end->other, "x", 1), 1);
}

static void turn(void) {
    assert_int_equal(px_loop_turn(rig.loop, 0), 0);
}

static void finish(struct end *end) {
    px_io_stop(&end->io);
    if (end->fd >= 0)
        close(end->fd);
    if (end->other >= 0)
        close(end->other);
}

static void level_triggered(void **state) {
    struct end end;
    char c;
    (void)state;
    watch(&end, EPOLLIN);
    turn();
    assert_int_equal(end.calls, 0);
    poke(&end);
    turn();
    turn();
    assert_int_equal(end.calls, 2); /* for as long as it is ready */
    assert_int_equal(end.events, EPOLLIN);
    assert_int_equal(read(end.fd, &c, 1), 1);
    turn();
    assert_int_equal(end.calls, 2);
    finish(&end);
    px_io_stop(&end.io);
}

static void what_is_wanted(void **state) {
    struct end end;
    (void)state;
    watch(&end, 0);
    poke(&end);
    turn();
    assert_int_equal(end.calls, 0);
    assert_int_equal(px_io_want(end.io, EPOLLIN | EPOLLOUT), 0);
    assert_int_equal(px_io_want(end.io, EPOLLIN | EPOLLOUT), 0);
    turn();
    assert_int_equal(end.calls, 1);
    assert_int_equal(end.events, EPOLLIN | EPOLLOUT);
    assert_int_equal(px_io_want(end.io, EPOLLOUT), 0);
    turn();
    assert_int_equal(end.events, EPOLLOUT);
    assert_int_equal(px_io_want(end.io, 0), 0);
    turn();
    assert_int_equal(end.calls, 2);
    close(end.other); /* a hang-up comes unasked */
    end.other = -1;
    turn();
    assert_int_equal(end.calls, 3);
    assert_int_equal(end.events, EPOLLHUP);
    finish(&end);
}

static void want_nothing(struct end *end) {
    assert_int_equal(px_io_want(end->victim->io, 0), 0);
}

/* Two are ready in one turn; the first to be called takes back what the other wanted. */
static void mask_is_checked_again(void **state) {
    struct end a, b;
    (void)state;
    watch(&a, EPOLLIN);
    watch(&b, EPOLLIN);
    a.victim = &b;
    b.victim = &a;
    a.act = b.act = want_nothing;
    poke(&a);
    poke(&b);
    turn();
    assert_int_equal(a.calls + b.calls, 1);
    finish(&a);
    finish(&b);
}

static void stop_victim(struct end *end) {
    px_io_stop(&end->victim->io);
}

static void stopped_by_another(void **state) {
    struct end a, b;
    (void)state;
    watch(&a, EPOLLIN);
    watch(&b, EPOLLIN);
    a.victim = &b;
    b.victim = &a;
    a.act = b.act = stop_victim;
    poke(&a);
    poke(&b);
    turn();
    assert_int_equal(a.calls + b.calls, 1);
    finish(&a);
    finish(&b);
}

static void stop_self(struct end *end) {
    px_io_stop(&end->io);
    assert_null(end->io);
}

static void stopped_in_its_own_callback(void **state) {
    struct end end;
    (void)state;
    watch(&end, EPOLLIN);
    end.act = stop_self;
    poke(&end);
    turn();
    turn();
    assert_int_equal(end.calls, 1);
    finish(&end);
}

/* The victim's descriptor is closed and its number reused and watched, while its event waits to be given out. */
static struct end newcomer;
static bool stop_first;

static void replace_victim(struct end *end) {
    struct end *victim = end->victim;
    int number = victim->fd;
    if (stop_first)
        px_io_stop(&victim->io);
    close(number);
    victim->fd = -1;
    open_pair(&newcomer);
    if (newcomer.fd != number) {
        assert_int_equal(dup2(newcomer.fd, number), number);
        close(newcomer.fd);
        newcomer.fd = number;
    }
    assert_int_equal(px_io_start(rig.loop, number, EPOLLIN, "new", on_ready, &newcomer, &newcomer.io, NULL),
                     0);
    px_io_stop(&victim->io); /* late: it must not end the newcomer's watch */
    end->act = NULL;
    victim->act = NULL;
}

static void number_reused_in_the_same_turn(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct end a, b;
        stop_first = i == 0;
        watch(&a, EPOLLIN);
        watch(&b, EPOLLIN);
        a.victim = &b;
        b.victim = &a;
        a.act = b.act = replace_victim;
        poke(&a);
        poke(&b);
        turn();
        assert_int_equal(a.calls + b.calls, 1);
        assert_int_equal(newcomer.calls, 0); /* the stale event is not its own */
        poke(&newcomer);
        turn();
        assert_int_equal(newcomer.calls, 1); /* and it is still watched */
        finish(&newcomer);
        finish(&a);
        finish(&b);
    }
}

static void closed_before_it_is_stopped(void **state) {
    struct end old, end;
    (void)state;
    watch(&old, EPOLLIN);
    int number = old.fd;
    close(old.fd);
    close(old.other);
    open_pair(&end); /* takes the number, and is not watched by us */
    px_io_stop(&old.io);
    assert_true(end.fd == number || end.other == number);
    finish(&end);

    /* Its changes do not reach the new owner of the number either. */
    watch(&old, EPOLLIN);
    number = old.fd;
    close(old.fd);
    watch(&end, EPOLLIN);
    if (end.fd == number) {
        assert_int_equal(px_io_want(old.io, 0), -EBADF);
        poke(&end);
        turn();
        assert_int_equal(end.calls, 1);
    }
    assert_int_equal(end.fd, number);
    px_io_stop(&old.io);
    poke(&end);
    turn();
    assert_int_equal(end.calls, 2);
    close(old.other);
    finish(&end);
}

static void errors(void **state) {
    struct end end;
    struct px_io *second = NULL;
    struct px_err err = {0};
    (void)state;
    watch(&end, EPOLLIN);
    assert_int_equal(px_io_start(rig.loop, end.fd, EPOLLIN, "x", on_ready, &end, &second, &err), -EEXIST);
    assert_int_equal(px_io_start(rig.loop, -1, EPOLLIN, "x", on_ready, &end, &second, &err), -EBADF);
    assert_int_equal(px_io_start(rig.loop, 999, EPOLLIN, "x", on_ready, &end, &second, &err), -EBADF);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(px_io_start(rig.loop, file, EPOLLIN, "x", on_ready, &end, &second, &err), -EPERM);
    assert_string_equal(err.msg, "cannot watch a descriptor: epoll_ctl: Operation not permitted");
    close(file);
    assert_null(second);
    poke(&end); /* the failed ones did not disturb it */
    turn();
    assert_int_equal(end.calls, 1);
    finish(&end);
}

static void limit(void **state) {
    struct px_loop *loop;
    struct px_loop_opts opts = {.max_sources = 3};
    struct end ends[4];
    struct px_err err = {0};
    struct px_loop_stats stats;
    (void)state;
    assert_int_equal(px_loop_create(&opts, &loop, &err), 0);
    for (int i = 0; i < 4; i++) {
        open_pair(&ends[i]);
        int r = px_io_start(loop, ends[i].fd, EPOLLIN, "x", on_ready, &ends[i], &ends[i].io, &err);
        assert_int_equal(r, i < 3 ? 0 : -EMFILE);
    }
    assert_string_equal(err.msg, "all 3 watched descriptors are in use");
    px_loop_stats_get(loop, &stats);
    assert_int_equal(stats.sources, 3);
    px_io_stop(&ends[1].io);
    assert_int_equal(px_io_start(loop, ends[3].fd, EPOLLIN, "x", on_ready, &ends[3], &ends[3].io, &err), 0);
    for (int i = 0; i < 4; i++)
        finish(&ends[i]);
    px_loop_destroy(loop);
}

/* More are ready than one wait brings: each gets its turn, again and again. */
static void none_starves(void **state) {
    enum { N = 400 };
    struct end *ends = calloc(N, sizeof *ends);
    (void)state;
    for (size_t i = 0; i < N; i++) {
        watch(&ends[i], EPOLLIN);
        poke(&ends[i]);
    }
    for (int i = 0; i < 20; i++)
        turn();
    for (size_t i = 0; i < N; i++) {
        assert_true(ends[i].calls >= 5);
        finish(&ends[i]);
    }
    free(ends);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(level_triggered),
        T(what_is_wanted),
        T(mask_is_checked_again),
        T(stopped_by_another),
        T(stopped_in_its_own_callback),
        T(number_reused_in_the_same_turn),
        T(closed_before_it_is_stopped),
        T(errors),
        T(limit),
        T(none_starves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
