/* child_help.h: what a child said, collected. */
#ifndef PX_TEST_CHILD_HELP_H
#define PX_TEST_CHILD_HELP_H

#include "base/buf.h"
#include "reactor/child.h"
#include "reactor_help.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct kid {
    struct rig *rig;
    struct px_child *child;
    struct px_op *op;
    struct px_buf out, err;
    unsigned rooms, exits;
    int status;
    bool signalled, after_exit;
    /* What to do in the callback of this kind, once. */
    enum px_child_ev_kind act_on;
    void (*act)(struct kid *kid);
};

static inline void kid_event(void *user, const struct px_child_ev *ev) {
    struct kid *kid = user;
    kid->after_exit = kid->after_exit || kid->exits; /* nothing may follow it */
    if (ev->kind == PX_CHILD_OUT)
        px_buf_str(&kid->out, ev->data);
    else if (ev->kind == PX_CHILD_ERR)
        px_buf_str(&kid->err, ev->data);
    else if (ev->kind == PX_CHILD_ROOM)
        kid->rooms++;
    if (ev->kind == PX_CHILD_EXIT) {
        kid->exits++;
        kid->status = ev->status;
        kid->signalled = ev->signalled;
    }
    if (kid->act && ev->kind == kid->act_on)
        px_take (&kid->act)(kid);
    if (ev->kind == PX_CHILD_EXIT)
        kid->child = NULL, kid->op = NULL;
}

static inline void kid_init(struct kid *kid, struct rig *rig) {
    *kid = (struct kid){.rig = rig};
    px_buf_init(&kid->out, 8 << 20);
    px_buf_init(&kid->err, 8 << 20);
}

static inline int kid_spec(struct kid *kid, const struct px_child_spec *spec, struct px_err *err) {
    int r = px_child_start(kid->rig->loop, kid->rig->scope, spec, kid_event, kid, &kid->child, err);
    if (!r)
        kid->op = px_child_op(kid->child);
    return r;
}

/* Runs `script` in a shell, with a stdin. */
static inline int kid_try(struct kid *kid, const char *script) {
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const struct px_child_spec spec = {
        .name = "test", .argv = argv, .envp = envp, .with_stdin = true, .grace_ns = 30 * PX_MS};
    return kid_spec(kid, &spec, NULL);
}

static inline void kid_start(struct kid *kid, struct rig *rig, const char *script) {
    kid_init(kid, rig);
    assert_int_equal(kid_try(kid, script), 0);
}

static inline void kid_finish(struct kid *kid) {
    assert_false(kid->after_exit);
    px_buf_finish(&kid->out);
    px_buf_finish(&kid->err);
}

/* Until its output holds this. */
#define SAID(kid, text)                                                                                      \
    UNTIL((kid)->rig->loop, px_buf_view(&(kid)->out).n &&strstr(px_buf_view(&(kid)->out).p, text))

/* No process is left, not even a zombie. */
static inline void no_children(void) {
    siginfo_t info = {0};
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

static inline int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    rig_open(rig, false);
    *state = rig;
    return 0;
}

static inline int tear_down(void **state) {
    struct rig *rig = *state;
    assert_int_equal(px_children_alive(rig->loop), 0);
    rig_close(rig);
    no_children();
    free(rig);
    return 0;
}

/* Nothing is called back once it is cancelled, and nothing is left of it. */
static inline void is_over(struct kid *kid) {
    size_t out = kid->out.n, err = kid->err.n;
    unsigned exits = kid->exits;
    UNTIL(kid->rig->loop, px_children_alive(kid->rig->loop) == 0);
    let_pass(kid->rig->loop, 5 * PX_MS);
    assert_int_equal(kid->out.n, out);
    assert_int_equal(kid->err.n, err);
    assert_int_equal(kid->exits, exits);
    no_children();
    kid_finish(kid);
}

#endif
