/* guard_help.h: a guard on a fake clock, and requests that write down what becomes of them. */
#ifndef PX_TEST_GUARD_HELP_H
#define PX_TEST_GUARD_HELP_H

#include "reactor_help.h"

#include "guard/guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guard_rig {
    struct rig rig;
    struct px_guards *guards;
    struct px_guard *guard;
    unsigned order; /* of answers */
};
struct req {
    struct px_guard_pass pass;
    struct guard_rig *g;
    struct px_guard_answer answer;
    int entered;       /* what enter said */
    unsigned answered; /* times */
    unsigned order;    /* which answer it was, from 1 */
    uint64_t answered_ns;
    unsigned notices;
    const char *noticed;
    uint64_t noticed_wait;
};

static inline struct px_limits plain_limits(void) {
    return (struct px_limits){
        .in_flight = 4,
        .queue = 8,
        .queue_ns = 60 * PX_S,
        .spacing_percent = 10,
        .retry = {3, 200 * PX_MS, 10 * PX_S, 20, 10, 60 * PX_S},
        .breaker = {true, 30 * PX_S, 20, 50, 3, 5 * PX_S, 300 * PX_S},
    };
}

static inline uint64_t now_of(struct guard_rig *g) {
    return px_loop_now(g->rig.loop);
}
static inline void guard_open(struct guard_rig *g, const struct px_limits *limits) {
    *g = (struct guard_rig){0};
    rig_open(&g->rig, true);
    g->rig.clock.now_ns = 1000 * PX_S;
    struct px_guards_opts opts = {.loop = g->rig.loop, .seed = 7};
    assert_int_equal(px_guards_create(&opts, &g->guards, NULL), 0);
    assert_int_equal(px_guard_get(g->guards, px_str_of("shop"), limits, &g->guard), 0);
}
static inline void guard_close(struct guard_rig *g) {
    px_scope_close(&g->rig.scope);
    assert_int_equal(px_loop_turn(g->rig.loop, 0), 0);
    px_guard_unref(&g->guard);
    px_guards_destroy(&g->guards);
    rig_close(&g->rig);
}

static void on_answered(void *user, const struct px_guard_answer *answer) {
    struct req *r = user;
    r->answer = *answer;
    r->answered++;
    r->order = ++r->g->order;
    r->answered_ns = now_of(r->g);
}
static void on_waiting(void *user, const char *what, uint64_t wait_ns) {
    struct req *r = user;
    r->notices++;
    r->noticed = what;
    r->noticed_wait = wait_ns;
}
static const struct px_guard_sink req_sink PX_UNUSED = {on_answered, on_waiting};
static const struct px_guard_sink req_quiet PX_UNUSED = {on_answered, NULL};

static inline struct px_guard_ask ask_of(const char *principal) {
    return (struct px_guard_ask){.upstream = px_str_of("api"), .principal = px_str_of(principal)};
}
static inline int enter(struct guard_rig *g, struct req *r, const struct px_guard_ask *ask) {
    *r = (struct req){.g = g};
    return r->entered = px_guard_enter(g->guard, g->rig.scope, ask, &req_quiet, r, &r->pass, &r->answer);
}
static inline void leave_ok(struct req *r) {
    px_guard_leave(&r->pass, PX_GUARD_OK, px_str_of(NULL));
}
static inline void leave_failed(struct req *r) {
    px_guard_leave(&r->pass, PX_GUARD_FAILED, px_str_of("no connection"));
}
/* What is posted now, and timers that are due. */
static inline void settle(struct guard_rig *g) {
    for (int i = 0; i < 4; i++)
        assert_int_equal(px_loop_turn(g->rig.loop, 0), 0);
}
/* So much time goes by, timer by timer. */
static inline void pass_time(struct guard_rig *g, uint64_t ns) {
    uint64_t end = g->rig.clock.now_ns + ns;
    settle(g);
    while (g->rig.clock.now_ns < end)
        assert_int_equal(px_loop_turn(g->rig.loop, end - g->rig.clock.now_ns), 0);
    settle(g);
}

static inline struct px_quota nothing_said(void) {
    return (struct px_quota){
        .limit = -1, .remaining = -1, .reset_ms = -1, .restore_milli = -1, .retry_after_ms = -1, .cost = -1};
}

#endif
