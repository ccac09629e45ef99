/* What is held back, and what is written: output that pauses, input that a child does not take. */
#include "child_help.h"
#include <stdio.h>
#include <stdlib.h>

/* Children run in real time: these tests wait for what happens, never for a while to be long enough. */

/* ---- pausing ---- */

static uint64_t turns(const struct rig *rig) {
    struct px_loop_stats stats;
    px_loop_stats_get(rig->loop, &stats);
    return stats.callbacks;
}

static void pause_holds_out_back(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    /* It closes its stdout and lives on: a hang-up, which must not make a paused loop spin. */
    kid_start(&kid, rig, "echo a; exec >&-; echo b >&2; read x");
    px_child_pause(kid.child, true);
    UNTIL(rig->loop, kid.err.n); /* stderr comes all the same */
    uint64_t before = turns(rig);
    let_pass(rig->loop, 20 * PX_MS);
    assert_int_equal(turns(rig), before);
    assert_int_equal(kid.out.n, 0);
    px_child_pause(kid.child, false);
    px_child_pause(kid.child, false);
    SAID(&kid, "a\n");
    px_child_close_stdin(kid.child);
    UNTIL(rig->loop, kid.exits);
    kid_finish(&kid);
}

static void pause_holds_exit_back(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "head -c 60000 /dev/zero | tr '\\0' x; echo b >&2; exit 4");
    px_child_pause(kid.child, true);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)px_child_pid(kid.child), &info, WEXITED | WNOWAIT), 0);
    let_pass(rig->loop, 20 * PX_MS);
    assert_int_equal(kid.exits, 0);
    assert_int_equal(kid.out.n, 0);
    assert_string_equal(kid.err.p, "b\n");
    uint64_t before = turns(rig);
    let_pass(rig->loop, 20 * PX_MS);
    assert_int_equal(turns(rig), before);
    px_child_pause(kid.child, false);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.out.n, 60000);
    assert_int_equal(kid.status, 4);
    kid_finish(&kid);
}

static void hold(struct kid *kid) {
    px_child_pause(kid->child, true);
}

static void pause_inside_out(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "head -c 1000000 /dev/zero");
    kid.act_on = PX_CHILD_OUT;
    kid.act = hold;
    UNTIL(rig->loop, !kid.act);
    size_t n = kid.out.n;
    let_pass(rig->loop, 10 * PX_MS);
    assert_int_equal(kid.out.n, n);
    px_child_pause(kid.child, false);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.out.n, 1000000);
    kid_finish(&kid);
}

/* ---- writing ---- */

static void what_is_written_arrives(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "cat");
    assert_int_equal(px_child_write(kid.child, PX_LIT("one ")), 0);
    assert_int_equal(px_child_write(kid.child, PX_LIT("")), 0);
    assert_int_equal(px_child_write(kid.child, PX_LIT("two\n")), 0);
    assert_int_equal(px_child_write_urgent(kid.child, PX_LIT("zero ")), 0);
    SAID(&kid, "zero one two\n");
    assert_int_equal(px_child_write(kid.child, PX_LIT("three\n")), 0);
    px_child_close_stdin(kid.child); /* after what is queued */
    assert_int_equal(px_child_write(kid.child, PX_LIT("no")), -EPIPE);
    assert_int_equal(px_child_write_urgent(kid.child, PX_LIT("no")), -EPIPE);
    UNTIL(rig->loop, kid.exits);
    assert_string_equal(kid.out.p, "zero one two\nthree\n");
    assert_int_equal(kid.status, 0);
    kid_finish(&kid);
}

static void close_stdin_with_nothing_queued(void **state) {
    struct kid kid;
    kid_start(&kid, *state, "cat; exit 5");
    px_child_close_stdin(kid.child);
    px_child_close_stdin(kid.child);
    UNTIL(kid.rig->loop, kid.exits);
    assert_int_equal(kid.status, 5);
    kid_finish(&kid);
}

static void queue_is_bounded_and_says_room(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    const char *const argv[] = {"/bin/sh", "-c", "read x; exec wc -c", NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const struct px_child_spec spec = {
        .name = "t", .argv = argv, .envp = envp, .with_stdin = true, .write_cap = 300000};
    static char bytes[300001];
    struct px_child_spec deaf = spec;
    const char *const sleep_argv[] = {"/bin/sleep", "1000", NULL};
    deaf.argv = sleep_argv;
    deaf.grace_ns = PX_MS;
    memset(bytes, 'x', sizeof bytes);
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &deaf, NULL), 0);
    assert_int_equal(px_child_write(kid.child, px_str_n(bytes, 300001)), -EMSGSIZE);
    assert_int_equal(px_child_write(kid.child, px_str_n(bytes, 300000)), 0);
    assert_int_equal(px_child_write(kid.child, PX_LIT("y")), -EAGAIN);
    assert_int_equal(kid.rooms, 0);
    let_pass(rig->loop, 10 * PX_MS); /* the pipe takes some, the rest is more than half */
    assert_int_equal(kid.rooms, 0);
    assert_int_equal(px_child_write_urgent(kid.child, PX_LIT("\n")), 0); /* urgent ones are not refused */
    assert_int_equal(px_child_write(kid.child, px_str_n(bytes, 250000)), -EAGAIN);
    px_child_stop(kid.child); /* drops the rest */
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.rooms, 0);
    kid_finish(&kid);

    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
    bytes[0] = '\n';
    size_t sent = 0;
    for (int i = 0; i < 20; i++) { /* 6 MB through a queue of 0.3 */
        int r;
        while ((r = px_child_write(kid.child, px_str_n(bytes, 300000))) == -EAGAIN) {
            unsigned rooms = kid.rooms;
            UNTIL(rig->loop, kid.rooms > rooms);
        }
        assert_int_equal(r, 0);
        sent += 300000;
    }
    px_child_close_stdin(kid.child);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(strtol(kid.out.p, NULL, 10), sent - 1);
    kid_finish(&kid);
}

static void stdin_that_nobody_reads(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    static char much[1 << 20];
    kid_start(&kid, rig, "exec <&-; echo closed; while :; do sleep 0.01; done");
    SAID(&kid, "closed");
    uint64_t before = turns(rig);
    let_pass(rig->loop, 10 * PX_MS);
    assert_int_equal(turns(rig), before); /* told once, it does not spin */
    assert_int_equal(px_child_write(kid.child, PX_LIT("x")), -EPIPE);
    px_op_cancel(&kid.op);
    is_over(&kid);

    /* One that waits for room hears of it. */
    kid_start(&kid, rig, "sleep 0.05; exec <&-; echo closed; while :; do sleep 0.01; done");
    assert_int_equal(px_child_write(kid.child, px_str_n(much, sizeof much)), 0);
    assert_int_equal(px_child_write(kid.child, px_str_n(much, sizeof much)), -EAGAIN);
    UNTIL(rig->loop, kid.rooms);
    assert_int_equal(px_child_write(kid.child, PX_LIT("x")), -EPIPE);
    px_op_cancel(&kid.op);
    is_over(&kid);
}

static int told_fd;

static void write_when_told(struct kid *kid) {
    char c;
    assert_int_equal(read(told_fd, &c, 1), 1); /* it has closed its stdin by now */
    int r = px_child_write(kid->child, PX_LIT("x"));
    assert_true(r == 0 || r == -EPIPE);
}

/* Its stdin breaks between the loop's wait and our write: that must not kill us. */
static void stdin_that_breaks_while_we_write(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    told_fd = fds[0];
    const char *const argv[] = {"/bin/sh", "-c", "echo up; sleep 0.02; exec <&-; echo x >&3; sleep 0.05",
                                NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const struct px_child_spec spec = {
        .name = "t", .argv = argv, .envp = envp, .with_stdin = true, .pass_fd = fds[1]};
    kid_init(&kid, rig);
    kid.act_on = PX_CHILD_OUT;
    kid.act = write_when_told;
    assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
    UNTIL(rig->loop, kid.exits);
    assert_null(kid.act);
    assert_int_equal(kid.status, 0);
    close(fds[0]);
    close(fds[1]);
    kid_finish(&kid);
}

/* Pieces of known lengths, urgent ones put in while the pipe is full: each must come out whole. */
static void urgent_never_splits_a_piece(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    enum { PIECE = 1000, PIECES = 300 };
    static char piece[PIECE];
    kid_start(&kid, rig, "read x; cat");
    assert_int_equal(px_child_write(kid.child, PX_LIT("\n")), 0);
    unsigned normal = 0, urgent = 0;
    while (normal < PIECES) {
        memset(piece, 'a' + (int)(normal % 26), sizeof piece);
        piece[0] = '<';
        piece[PIECE - 1] = '>';
        assert_int_equal(px_child_write(kid.child, px_str_n(piece, sizeof piece)), 0);
        normal++;
        if (normal % 7 == 0) {
            char text[16];
            int n = snprintf(text, sizeof text, "[%05u]", urgent++);
            assert_int_equal(px_child_write_urgent(kid.child, px_str_n(text, (size_t)n)), 0);
        }
        if (normal % 5 == 0)
            assert_int_equal(px_loop_turn(rig->loop, 0), 0);
    }
    px_child_close_stdin(kid.child);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.out.n, PIECES * PIECE + urgent * 7);
    unsigned seen = 0, seen_urgent = 0;
    for (size_t at = 0; at < kid.out.n;) {
        const char *p = kid.out.p + at;
        if (*p == '[') {
            assert_int_equal(strtoul(p + 1, NULL, 10), seen_urgent++); /* in their own order */
            at += 7;
            continue;
        }
        assert_int_equal(*p, '<');
        for (size_t i = 1; i < PIECE - 1; i++)
            assert_int_equal(p[i], 'a' + (int)(seen % 26));
        assert_int_equal(p[PIECE - 1], '>');
        seen++;
        at += PIECE;
    }
    assert_int_equal(seen, PIECES);
    assert_int_equal(seen_urgent, urgent);
    kid_finish(&kid);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(pause_holds_out_back),
        T(pause_holds_exit_back),
        T(pause_inside_out),
        T(what_is_written_arrives),
        T(close_stdin_with_nothing_queued),
        T(queue_is_bounded_and_says_room),
        T(stdin_that_nobody_reads),
        T(stdin_that_breaks_while_we_write),
        T(urgent_never_splits_a_piece),
    };
    signal(SIGCHLD, SIG_IGN); /* as a careless parent leaves it: exit statuses would be lost */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
