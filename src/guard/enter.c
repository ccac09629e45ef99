/* In and out. */
#include "base/random.h"
#include "base/redact.h"
#include "guard/private.h"
#include <errno.h>

static void cancel(struct px_op *op);
static const struct px_op_kind kind = {"guard/pass", cancel};

/* At once, with the reason. */
static int refused(struct px_guard *guard, const struct px_guard_pass *pass, enum px_guard_verdict verdict,
                   const struct px_limiter *at, uint64_t until, uint64_t now, struct px_guard_answer *ret) {
    guard->refused[verdict]++;
    px_guard_say(guard, verdict, &pass->to, pass->cost, at, until, now, ret);
    return -EAGAIN;
}

static int wait_or_not(struct px_guard *guard, struct px_scope *scope, const struct px_guard_ask *ask,
                       struct px_label *label, struct px_guard_pass *pass, uint64_t now,
                       struct px_guard_answer *ret_answer) {
    const struct px_upstream *up = pass->to.upstream;
    uint64_t due = PX_MAX(now, pass->not_before_ns), limit = px_pass_limit(guard, pass);
    struct px_limiter *at;
    if (!label) /* what the first of its kind is told holds for those that wait, too */
        label = px_guard_label_made(guard, ask->label);
    if (px_breaker_ask(&up->breaker, up->limits, now) == PX_BREAKER_REFUSES) {
        uint64_t until = px_breaker_until(&up->breaker, up->limits, now);
        if (!until || due < until)
            return refused(guard, pass, PX_GUARD_OPEN, NULL, until, now, ret_answer);
    }
    const struct px_lane *lane = guard->waiting ? px_guard_lane(guard, ask, &pass->to, label) : NULL;
    uint64_t ahead = lane ? lane->cost_in - lane->cost_out : 0;
    uint64_t until = px_guard_estimate(guard, &pass->to, lane, ahead, pass->cost, now, &at);
    if (px_pass_too_late(guard, pass, PX_MAX(until, due)) || limit <= now) {
        at = until > due ? at : NULL;
        return refused(guard, pass, at || due > now ? PX_GUARD_RATE : PX_GUARD_BUSY, at,
                       at || due > now ? PX_MAX(until, due) : 0, now, ret_answer);
    }
    bool full = guard->waiting >= guard->limits.queue;
    if (full && !(guard->limits.queue &&
                  px_crowd_yields(&guard->crowd, px_map_get(&guard->principals, ask->principal))))
        return refused(guard, pass, PX_GUARD_QUEUE_FULL, NULL, at ? until : 0, now, ret_answer);
    int r = px_guard_wait(guard, scope, ask, label, pass, now);
    if (!r && full && pass->lane)
        px_guard_make_room(guard, now);
    return r;
}

static bool others_wait(struct px_guard *guard, const struct px_guard_targets *to) {
    struct px_limiter *all[6];
    size_t n = guard->waiting ? px_guard_limiters(guard, to, all) : 0;
    while (n--)
        if (all[n]->n_lanes)
            return true;
    return false;
}

int px_guard_enter(struct px_guard *guard, struct px_scope *scope, const struct px_guard_ask *ask,
                   const struct px_guard_sink *sink, void *user, struct px_guard_pass *pass,
                   struct px_guard_answer *ret_answer) {
    uint64_t now = px_loop_now(guard->loop);
    *pass = (struct px_guard_pass){.op.kind = &kind,
                                   .guard = guard,
                                   .sink = sink,
                                   .user = user,
                                   .entered_ns = now,
                                   .cost = ask->cost ? ask->cost : 1,
                                   .deadline_ns = ask->deadline_ns,
                                   .not_before_ns = ask->not_before_ns};
    int r = px_guard_upstream(guard, ask->upstream, &pass->to.upstream);
    if (!r)
        r = px_guard_group(guard, ask->group, &pass->to.group);
    if (r)
        return r;
    struct px_label *label = px_guard_label(guard, ask->label);
    px_guard_find_quotas(guard, label, ask->account, &pass->to);
    if (label)
        pass->cost = PX_MAX(pass->cost, label->cost);
    bool may = ask->not_before_ns <= now && (!ask->deadline_ns || ask->deadline_ns > now);
    if (!may || others_wait(guard, &pass->to) ||
        px_guard_check(guard, &pass->to, pass->cost, now).what != PX_HOLD_NOTHING)
        return wait_or_not(guard, scope, ask, label, pass, now, ret_answer);
    r = px_op_begin(&pass->op, &kind, scope);
    if (r)
        return r;
    guard->refs++;
    px_guard_take(guard, pass, now);
    return 1;
}

uint64_t px_guard_held_ms(struct px_guard *guard, const struct px_guard_ask *ask) {
    uint64_t now = guard ? px_loop_now(guard->loop) : 0, until = 0;
    struct px_guard_targets to = {0};
    struct px_limiter *at;
    if (!guard || px_guard_upstream(guard, ask->upstream, &to.upstream) ||
        px_guard_group(guard, ask->group, &to.group))
        return 0;
    px_guard_find_quotas(guard, px_guard_label(guard, ask->label), ask->account, &to);
    if (px_breaker_ask(&to.upstream->breaker, to.upstream->limits, now) == PX_BREAKER_REFUSES)
        until = px_breaker_until(&to.upstream->breaker, to.upstream->limits, now);
    until = PX_MAX(until, px_guard_estimate(guard, &to, NULL, 0, ask->cost ? ask->cost : 1, now, &at));
    return until > now ? (until - now) / PX_MS + ((until - now) % PX_MS != 0) : 0;
}

static void remember(struct px_guard *guard, px_str words, uint64_t now) {
    guard->failed++;
    if (!words.n)
        return;
    px_str_copy(guard->error, sizeof guard->error, words);
    px_redact_in_place_cut(guard->error, strlen(guard->error));
    guard->error_ns = now;
}

static void leave(struct px_guard_pass *pass, enum px_guard_outcome outcome, px_str words) {
    struct px_guard *guard = pass->guard;
    struct px_upstream *up = pass->to.upstream;
    struct px_limiter *all[6];
    size_t n = px_guard_limiters(guard, &pass->to, all);
    uint64_t now = px_loop_now(guard->loop);
    px_work_cancel(&pass->work);
    pass->state = PX_PASS_OUT;
    px_hist_add(&guard->took, now - pass->inside_ns);
    if (outcome == PX_GUARD_FAILED)
        remember(guard, words, now);
    for (size_t i = 0; i < n; i++)
        all[i]->in_flight--;
    for (int i = 0; i < 3; i++)
        if (pass->to.quotas[i])
            px_quota_leave(&pass->to.quotas[i]->q, pass->cost, pass->readings[i], outcome != PX_GUARD_NEUTRAL,
                           now);
    uint64_t random = outcome == PX_GUARD_FAILED ? px_random_next(&guard->guards->random) : 0;
    if (px_breaker_left(&up->breaker, up->limits, pass->probe, outcome, now, random))
        px_guard_look_again(guard);
    for (size_t i = 0; i < n && guard->waiting; i++)
        px_limiter_serve(all[i]);
    for (int i = 0; i < 3; i++)
        if (pass->to.quotas[i])
            pass->to.quotas[i]->uses--;
    px_guard_unref(&pass->guard);
}

void px_guard_leave(struct px_guard_pass *pass, enum px_guard_outcome outcome, px_str words) {
    if (pass->state != PX_PASS_INSIDE)
        return;
    px_op_done(&pass->op);
    leave(pass, outcome, words);
}

static void cancel(struct px_op *op) {
    struct px_guard_pass *pass = px_container_of(op, struct px_guard_pass, op);
    if (pass->state == PX_PASS_INSIDE) {
        leave(pass, PX_GUARD_NEUTRAL, px_str_of(NULL));
        return;
    }
    px_guard_unwait(pass);
    pass->state = PX_PASS_OUT;
    px_guard_unref(&pass->guard);
}
