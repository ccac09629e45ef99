#include "guard/guard.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct px_guards {
    struct px_guards_opts opts;
};
struct px_guard {
    struct px_limits limits;
};

int px_limits_read(struct px_arena *arena, px_str plugin_json, px_str config_json, struct px_limits *ret,
                   struct px_err *err) {
    (void)arena, (void)plugin_json, (void)config_json, (void)err;
    *ret = (struct px_limits){.in_flight = 32};
    return 0;
}

int px_guards_create(const struct px_guards_opts *opts, struct px_guards **ret, struct px_err *err) {
    struct px_guards *guards = calloc(1, sizeof *guards);
    if (!guards)
        return px_err_set(err, -ENOMEM, "out of memory");
    guards->opts = *opts;
    *ret = guards;
    return 0;
}

void px_guards_destroy(struct px_guards **guards) {
    free(*guards);
    *guards = NULL;
}

int px_guard_get(struct px_guards *guards, px_str service, const struct px_limits *limits,
                 struct px_guard **ret) {
    (void)guards, (void)service;
    *ret = calloc(1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)->limits = *limits;
    return 0;
}

int px_guard_configure(struct px_guards *guards, px_str service, const struct px_limits *limits) {
    (void)guards, (void)service, (void)limits;
    return -ENOENT;
}

void px_guard_unref(struct px_guard **guard) {
    free(*guard);
    *guard = NULL;
}

const struct px_limits *px_guard_limits(const struct px_guard *guard) {
    return &guard->limits;
}

static void cancel(struct px_op *op) {
    (void)op;
}
static const struct px_op_kind kind = {"guard/pass", cancel};

int px_guard_enter(struct px_guard *guard, struct px_scope *scope, const struct px_guard_ask *ask,
                   const struct px_guard_sink *sink, void *user, struct px_guard_pass *pass,
                   struct px_guard_answer *ret_answer) {
    (void)ask, (void)ret_answer;
    pass->guard = guard;
    pass->sink = sink;
    pass->user = user;
    int r = px_op_begin(&pass->op, &kind, scope);
    if (r)
        return r;
    pass->state = PX_PASS_INSIDE;
    return 1;
}

void px_guard_leave(struct px_guard_pass *pass, enum px_guard_outcome outcome, px_str words) {
    (void)outcome, (void)words;
    px_op_done(&pass->op);
    pass->state = PX_PASS_OUT;
}

void px_guard_told(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_quota *quota) {
    (void)guard, (void)ask, (void)quota;
}

bool px_guard_retry(struct px_guard *guard, unsigned attempt, int64_t after_ms, uint64_t deadline_ns,
                    uint64_t *ret_at_ns) {
    (void)guard, (void)attempt, (void)after_ms, (void)deadline_ns;
    *ret_at_ns = 0;
    return false;
}

void px_guard_count_shared(struct px_guard *guard) {
    (void)guard;
}

int px_guard_breaker(struct px_guards *guards, px_str service, px_str upstream, enum px_breaker_order order) {
    (void)guards, (void)service, (void)upstream, (void)order;
    return -ENOENT;
}

void px_guard_status(const struct px_guards *guards, px_str service, struct px_jw *w) {
    (void)guards, (void)service, (void)w;
}

void px_guards_each(const struct px_guards *guards,
                    void (*fn)(void *ctx, const struct px_guard_stats *stats,
                               const struct px_guard_breaker_stats *breakers, size_t n_breakers),
                    void *ctx) {
    (void)guards, (void)fn, (void)ctx;
}
