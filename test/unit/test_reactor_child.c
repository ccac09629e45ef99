#include "child_help.h"
#include <stdio.h>
#include <stdlib.h>

/* Children run in real time: these tests wait for what happens, never for a while to be long enough. */

static void output_comes_to_its_end(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    /* 3 MB on stdout and some on stderr, and an exit at once: nothing may be lost. */
    kid_start(&kid, rig, "head -c 3000000 /dev/zero | tr '\\0' x; echo done; echo words >&2; exit 7");
    assert_int_equal(px_children_alive(rig->loop), 1);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.out.n, 3000005);
    assert_string_equal(kid.out.p + 3000000, "done\n");
    assert_string_equal(kid.err.p, "words\n");
    assert_int_equal(kid.status, 7);
    assert_false(kid.signalled);
    kid_finish(&kid);
}

static void nothing_runs_inside_start(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    int inheritable = inheritable_fds();
    kid_start(&kid, rig, "echo a");
    assert_int_equal(kid.out.n, 0);
    assert_true(px_child_pid(kid.child) > 0);
    assert_int_equal(inheritable_fds(), inheritable);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.exits, 1);
    assert_string_equal(kid.out.p, "a\n");
    kid_finish(&kid);
}

static void signal_is_told(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "kill -USR1 $$");
    UNTIL(rig->loop, kid.exits);
    assert_true(kid.signalled);
    assert_int_equal(kid.status, SIGUSR1);
    kid_finish(&kid);
}

static void clean_surroundings(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    sigset_t usr2, before;
    setenv("PX_TEST_LEAK", "a secret", 1);
    int leak = fcntl(0, F_DUPFD, 50); /* not close-on-exec, like curl's */
    assert_true(leak >= 50);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    sigprocmask(SIG_BLOCK, &usr2, &before);
    signal(SIGHUP, SIG_IGN);
    const char *const argv[] = {
        "/bin/sh", "-c",
        "ls /proc/self/fd | tr '\\n' ' '; /usr/bin/env; pwd; ps() { cut -d' ' -f5 /proc/self/stat; }; "
        "[ \"$(ps)\" = $$ ] && echo own group; cat; echo end",
        NULL};
    const struct px_child_spec spec = {.name = "test", .argv = argv, .cwd = "/usr"};
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
    assert_int_equal(px_child_write(kid.child, PX_LIT("x")), -EPIPE); /* it has no stdin */
    UNTIL(rig->loop, kid.exits);
    /* ls has opened the folder as 3; 0, 1 and 2 are all it was given. */
    assert_int_equal(strncmp(kid.out.p, "0 1 2 3 PWD=/usr\n", 16), 0);
    assert_null(strstr(kid.out.p, "PX_TEST_LEAK"));
    assert_non_null(strstr(kid.out.p, "\n/usr\n"));
    assert_non_null(strstr(kid.out.p, "own group\n"));
    assert_non_null(strstr(kid.out.p, "\nend\n")); /* cat saw an empty stdin */
    kid_finish(&kid);

    /* Not through a shell, which would set some of these right. */
    const char *const grep[] = {"/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", NULL};
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &(struct px_child_spec){.name = "test", .argv = grep}, NULL), 0);
    UNTIL(rig->loop, kid.exits);
    assert_non_null(strstr(kid.out.p, "SigBlk:\t0000000000000000\n"));
    const char *ignored =
        strstr(kid.out.p, "SigIgn:\t"); /* but for two that are the C library's own, 32 and 33 */
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~0x180000000ull, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGHUP, SIG_DFL);
    unsetenv("PX_TEST_LEAK");
    close(leak);
    kid_finish(&kid);
}

static void a_passed_descriptor_is_3(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "through 3\n", 10), 10);
    close(fds[1]);
    int high = fcntl(fds[0], F_DUPFD_CLOEXEC, 77);
    const char *const argv[] = {"/bin/sh", "-c", "cat <&3; ls /proc/self/fd | tr '\\n' ' '", NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    for (int i = 0; i < 2; i++) { /* also when it is 3 or close to it already, as the lowest free number is */
        struct px_child_spec spec = {
            .name = "test", .argv = argv, .envp = envp, .pass_fd = i ? fds[0] : high};
        kid_init(&kid, rig);
        assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
        UNTIL(rig->loop, kid.exits);
        assert_string_equal(kid.out.p, i ? "0 1 2 3 4 " : "through 3\n0 1 2 3 4 ");
        kid_finish(&kid);
    }
    close(fds[0]);
    close(high);
}

static void what_cannot_be_run_is_an_error(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    struct px_err err = {0};
    const char *const missing[] = {"/nowhere/at/all", NULL}, *const relative[] = {"sh", NULL};
    const char *const folder[] = {"/usr", NULL}, *const shell[] = {"/bin/sh", "-c", "exit 0", NULL};
    int fds = open_fds();
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &(struct px_child_spec){.name = "t", .argv = missing}, &err), -ENOENT);
    assert_string_equal(err.msg, "cannot run /nowhere/at/all in /: No such file or directory");
    assert_int_equal(kid_spec(&kid, &(struct px_child_spec){.name = "t", .argv = relative}, &err), -EINVAL);
    assert_int_equal(kid_spec(&kid, &(struct px_child_spec){.name = "t", .argv = folder}, &err), -EACCES);
    assert_int_equal(
        kid_spec(&kid, &(struct px_child_spec){.name = "t", .argv = shell, .cwd = "/none"}, &err), -ENOENT);
    assert_string_equal(err.msg, "cannot run /bin/sh in /none: No such file or directory");
    assert_null(kid.child);
    assert_int_equal(open_fds(), fds);
    assert_int_equal(px_children_alive(rig->loop), 0);
    struct px_scope *closed = NULL, *pinned;
    assert_int_equal(px_scope_open(rig->loop, NULL, "closed", 0, &closed), 0);
    pinned = closed;
    px_scope_pin(pinned);
    px_scope_close(&closed);
    assert_int_equal(px_child_start(rig->loop, pinned, &(struct px_child_spec){.name = "t", .argv = shell},
                                    kid_event, &kid, &kid.child, &err),
                     -ESHUTDOWN);
    px_scope_unpin(pinned);
    kid_finish(&kid);
}

/* ---- the stop ladder ---- */

static void stdin_closed_is_enough(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    const char *const argv[] = {"/bin/sh", "-c", "trap 'echo term' TERM; cat; echo bye", NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const struct px_child_spec spec = {
        .name = "t", .argv = argv, .envp = envp, .with_stdin = true, .grace_ns = 30 * PX_S};
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
    px_child_stop(kid.child);
    px_child_stop(kid.child);
    assert_int_equal(px_child_write(kid.child, PX_LIT("x")), -EPIPE);
    UNTIL(rig->loop, kid.exits);
    assert_string_equal(kid.out.p, "bye\n"); /* output goes on to its end, and nobody sent TERM */
    assert_int_equal(kid.status, 0);
    kid_finish(&kid);
}

static void then_term(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    const char *const argv[] = {"/bin/sh", "-c", "trap 'echo term; exit 3' TERM; echo up; sleep 1000 & wait",
                                NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const struct px_child_spec spec = {.name = "t", .argv = argv, .envp = envp, .grace_ns = PX_S / 2};
    kid_init(&kid, rig);
    assert_int_equal(kid_spec(&kid, &spec, NULL), 0);
    SAID(&kid, "up");
    px_child_stop(kid.child);
    UNTIL(rig->loop, kid.exits);
    assert_non_null(strstr(kid.out.p, "term\n"));
    assert_int_equal(kid.status, 3);
    kid_finish(&kid);
}

static void then_kill(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "trap '' TERM; echo up; while :; do sleep 0.01; done");
    SAID(&kid, "up");
    px_child_stop(kid.child);
    UNTIL(rig->loop, kid.exits);
    assert_true(kid.signalled);
    assert_int_equal(kid.status, SIGKILL);
    kid_finish(&kid);
}

static bool gone(pid_t pid) {
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* A process that init has to reap counts as gone. */
static bool gone_or_zombie(pid_t pid) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = 0;
    const char *after_name = strrchr(line, ')');
    return gone(pid) || (after_name && (after_name[2] == 'Z' || after_name[2] == 'X'));
}

static void group_does_not_outlive_it(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "sleep 1000 & echo $!; exit 0");
    UNTIL(rig->loop, kid.exits); /* though sleep holds the pipes open */
    pid_t grandchild = (pid_t)strtol(kid.out.p, NULL, 10);
    assert_true(grandchild > 1);
    UNTIL(rig->loop, gone_or_zombie(grandchild));
    kid_finish(&kid);
}

static void one_that_left_the_group_does_not_keep_us(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    /* It holds the pipe, and when the child is gone it writes into it for ever. */
    kid_start(&kid, rig,
              "P=$$ setsid sh -c 'echo $$; while kill -0 $P; do sleep 0.01; done; exec yes' 2>/dev/null & "
              "read x; echo last; exit 0");
    UNTIL(rig->loop, kid.out.n);
    pid_t grandchild = (pid_t)strtol(kid.out.p, NULL, 10);
    size_t n = kid.out.n;
    px_child_pause(kid.child, true);
    assert_int_equal(px_child_write(kid.child, PX_LIT("go\n")), 0);
    let_pass(rig->loop, 50 * PX_MS);
    assert_false(gone(grandchild));
    px_child_pause(kid.child, false);
    UNTIL(rig->loop, kid.exits);
    assert_int_equal(kid.out.n,
                     n + 5); /* what there was when the child exited, and nothing that came later */
    kill(grandchild, SIGKILL);
    kid_finish(&kid);
}

/* ---- cancelling ---- */

static void cancel(struct kid *kid) {
    px_op_cancel(&kid->op);
}

static void kill_all(struct kid *kid) {
    px_children_kill(kid->rig->loop);
}

static void close_scope(struct kid *kid) {
    px_scope_close(&kid->rig->scope);
}

static const char *const scripts[] = {"echo a; echo b >&2; cat; echo c", "exec yes", "exit 0",
                                      "trap '' TERM; echo a; while :; do sleep 0.01; done"};

static void cancelled_at_once(void **state) {
    struct kid kid;
    for (size_t i = 0; i < PX_COUNT(scripts); i++) {
        kid_start(&kid, *state, scripts[i]);
        px_op_cancel(&kid.op);
        assert_null(kid.op);
        px_op_cancel(&kid.op);
        assert_int_equal(px_children_alive(kid.rig->loop), 1); /* it counts until it is reaped */
        is_over(&kid);
        assert_int_equal(kid.exits, 0);
    }
}

static void cancelled_after_some_turns(void **state) {
    struct kid kid;
    for (size_t i = 0; i < PX_COUNT(scripts); i++) {
        for (int turns = 1; turns < 6; turns++) {
            kid_start(&kid, *state, scripts[i]);
            for (int t = 0; t < turns; t++)
                assert_int_equal(px_loop_turn(kid.rig->loop, PX_MS), 0);
            px_op_cancel(&kid.op);
            is_over(&kid);
        }
    }
}

static void cancelled_while_stopping(void **state) {
    struct kid kid;
    kid_start(&kid, *state, "trap '' TERM; echo up; while :; do sleep 0.01; done");
    SAID(&kid, "up");
    px_child_stop(kid.child);
    let_pass(kid.rig->loop, 40 * PX_MS); /* TERM was sent */
    px_op_cancel(&kid.op);
    is_over(&kid);
}

static void cancelled_after_its_exit_with_output_left(void **state) {
    struct kid kid;
    kid_start(&kid, *state, "echo a");
    px_child_pause(kid.child, true);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)px_child_pid(kid.child), &info, WEXITED | WNOWAIT), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(px_loop_turn(kid.rig->loop, 0), 0);
    assert_int_equal(kid.exits, 0);
    assert_int_equal(px_children_alive(kid.rig->loop), 1);
    px_op_cancel(&kid.op);
    assert_int_equal(px_children_alive(kid.rig->loop), 0);
    is_over(&kid);
}

/* Make the event of this kind happen, with something to do in its callback. */
static void in_callback(struct rig *rig, enum px_child_ev_kind kind, void (*act)(struct kid *)) {
    struct kid kid;
    kid_start(&kid, rig, "trap '' TERM; echo a; echo b >&2; read x; head -c 100000 >/dev/null");
    kid.act_on = kind;
    kid.act = act;
    static char much[1 << 20];
    memset(much, '\n', sizeof much);
    if (kind == PX_CHILD_ROOM) {
        assert_int_equal(px_child_write(kid.child, px_str_n(much, sizeof much)), 0);
        assert_int_equal(px_child_write(kid.child, px_str_n(much, sizeof much)), -EAGAIN);
    } else if (kind == PX_CHILD_EXIT) {
        assert_int_equal(px_child_write(kid.child, PX_LIT("x\n")), 0);
        px_child_close_stdin(kid.child);
    }
    UNTIL(rig->loop, !kid.act);
    is_over(&kid);
}

static void cancelled_in_its_own_callbacks(void **state) {
    struct rig *rig = *state;
    static void (*const acts[])(struct kid *) = {cancel, kill_all, close_scope};
    for (enum px_child_ev_kind kind = PX_CHILD_OUT; kind <= PX_CHILD_EXIT; kind++) {
        for (size_t i = 0; i < PX_COUNT(acts); i++) {
            in_callback(rig, kind, acts[i]);
            if (!rig->scope)
                assert_int_equal(px_scope_open(rig->loop, NULL, "again", 0, &rig->scope), 0);
        }
    }
}

/* The last output of a child that has exited comes from another place in the code than the rest. */
static void cancelled_in_the_last_output(void **state) {
    struct rig *rig = *state;
    static void (*const acts[])(struct kid *) = {cancel, kill_all, close_scope};
    for (size_t i = 0; i < 2 * PX_COUNT(acts); i++) {
        struct kid kid;
        kid_start(&kid, rig, "echo a; echo b >&2");
        siginfo_t info;
        px_child_pause(kid.child, true);
        kid.act_on = i % 2 ? PX_CHILD_OUT : PX_CHILD_ERR;
        kid.act = acts[i / 2];
        assert_int_equal(waitid(P_PID, (id_t)px_child_pid(kid.child), &info, WEXITED | WNOWAIT), 0);
        if (i % 2) {
            for (int t = 0; t < 3; t++)
                assert_int_equal(px_loop_turn(rig->loop, 0), 0);
            assert_int_equal(kid.out.n, 0);
            px_child_pause(kid.child, false);
        }
        UNTIL(rig->loop, !kid.act);
        is_over(&kid);
        assert_int_equal(kid.exits, 0);
        if (!rig->scope)
            assert_int_equal(px_scope_open(rig->loop, NULL, "again", 0, &rig->scope), 0);
    }
}

static void start_another(struct kid *kid) {
    struct kid *next = calloc(1, sizeof *next);
    assert_int_equal(px_children_alive(kid->rig->loop), 0); /* it counts no more, but is still there */
    assert_true(px_child_pid(kid->child) > 0);
    assert_int_equal(px_child_write(kid->child, PX_LIT("x")), -EPIPE);
    px_child_stop(kid->child);
    px_child_pause(kid->child, true);
    px_child_pause(kid->child, false);
    px_child_close_stdin(kid->child);
    px_op_cancel(&kid->op);
    kid_start(next, kid->rig, "echo next");
    kid->rig->clock.now_ns = (uint64_t)(uintptr_t)next;
}

static void exit_callback_may_start_the_next(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    kid_start(&kid, rig, "exit 0");
    kid.act_on = PX_CHILD_EXIT;
    kid.act = start_another;
    UNTIL(rig->loop, kid.exits);
    struct kid *next = (struct kid *)(uintptr_t)rig->clock.now_ns;
    UNTIL(rig->loop, next->exits);
    assert_string_equal(next->out.p, "next\n");
    kid_finish(next);
    kid_finish(&kid);
    free(next);
}

static void scope_closes_with_several(void **state) {
    struct rig *rig = *state;
    struct kid kids[4];
    for (size_t i = 0; i < PX_COUNT(kids); i++)
        kid_start(&kids[i], rig, scripts[i]);
    assert_int_equal(px_loop_turn(rig->loop, PX_MS), 0);
    px_scope_close(&rig->scope);
    for (size_t i = 0; i < PX_COUNT(kids); i++)
        is_over(&kids[i]);
    assert_int_equal(px_scope_open(rig->loop, NULL, "again", 0, &rig->scope), 0);
}

/* ---- the end of the process ---- */

static void kill_reaps_all(void **state) {
    struct rig *rig = *state;
    struct kid kids[5];
    for (size_t i = 0; i < PX_COUNT(kids); i++)
        kid_start(&kids[i], rig, "trap '' TERM; sleep 1000 & wait");
    px_op_cancel(&kids[0].op); /* an orphan */
    px_child_stop(kids[1].child);
    px_children_kill(rig->loop);
    assert_int_equal(px_children_alive(rig->loop), 0);
    no_children();
    for (size_t i = 0; i < PX_COUNT(kids); i++)
        is_over(&kids[i]);
}

static void limit(void **state) {
    struct rig *rig = *state;
    struct kid *kids = calloc(PX_CHILDREN_MAX + 1, sizeof *kids);
    struct px_err err = {0};
    const char *const argv[] = {"/bin/cat", NULL};
    const struct px_child_spec spec = {.name = "t", .argv = argv, .with_stdin = true};
    for (size_t i = 0; i <= PX_CHILDREN_MAX; i++) {
        kid_init(&kids[i], rig);
        assert_int_equal(kid_spec(&kids[i], &spec, &err), i < PX_CHILDREN_MAX ? 0 : -EAGAIN);
    }
    assert_string_equal(err.msg, "256 children are alive already");
    px_op_cancel(&kids[0].op); /* an orphan counts */
    assert_int_equal(kid_spec(&kids[PX_CHILDREN_MAX], &spec, &err), -EAGAIN);
    UNTIL(rig->loop, px_children_alive(rig->loop) < PX_CHILDREN_MAX);
    assert_int_equal(kid_spec(&kids[PX_CHILDREN_MAX], &spec, &err), 0);
    px_scope_close(&rig->scope);
    UNTIL(rig->loop, px_children_alive(rig->loop) == 0);
    assert_int_equal(px_scope_open(rig->loop, NULL, "again", 0, &rig->scope), 0);
    for (size_t i = 0; i <= PX_CHILDREN_MAX; i++)
        kid_finish(&kids[i]);
    free(kids);
}

static void somebody_else_reaped_it(void **state) {
    struct rig *rig = *state;
    struct kid kid;
    siginfo_t info;
    kid_start(&kid, rig, "echo a; exit 3");
    assert_int_equal(waitid(P_PID, (id_t)px_child_pid(kid.child), &info, WEXITED), 0);
    UNTIL(rig->loop, kid.exits); /* and does not spin */
    assert_int_equal(kid.status, 255);
    assert_string_equal(kid.out.p, "a\n");
    kid_finish(&kid);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(output_comes_to_its_end),
        T(nothing_runs_inside_start),
        T(signal_is_told),
        T(clean_surroundings),
        T(a_passed_descriptor_is_3),
        T(what_cannot_be_run_is_an_error),
        T(stdin_closed_is_enough),
        T(then_term),
        T(then_kill),
        T(group_does_not_outlive_it),
        T(one_that_left_the_group_does_not_keep_us),
        T(cancelled_at_once),
        T(cancelled_after_some_turns),
        T(cancelled_while_stopping),
        T(cancelled_after_its_exit_with_output_left),
        T(cancelled_in_its_own_callbacks),
        T(cancelled_in_the_last_output),
        T(exit_callback_may_start_the_next),
        T(scope_closes_with_several),
        T(kill_reaps_all),
        T(limit),
        T(somebody_else_reaped_it),
    };
    signal(SIGCHLD, SIG_IGN); /* as a careless parent leaves it: exit statuses would be lost */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
