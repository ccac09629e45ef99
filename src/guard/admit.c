/* May it go now; when could it; it goes. */
#include "guard/private.h"

size_t px_guard_limiters(struct px_guard *guard, const struct px_guard_targets *to,
                         struct px_limiter *ret[6]) {
    size_t n = 0;
    ret[n++] = &guard->at;
    ret[n++] = &to->upstream->at;
    if (to->group)
        ret[n++] = &to->group->at;
    for (int i = 0; i < 3; i++)
        if (to->quotas[i])
            ret[n++] = &to->quotas[i]->at;
    return n;
}

static uint64_t wait_at(const struct px_limiter *at, uint64_t cost, uint64_t ahead, uint64_t now) {
    if (at->kind == PX_OF_QUOTA) {
        const struct px_told *told = px_container_of(at, struct px_told, at);
        return px_quota_wait(&told->q, at->guard->limits.spacing_percent, cost, ahead, now);
    }
    uint64_t longest = 0;
    for (size_t i = 0; i < at->n_meters; i++) {
        uint64_t ns = px_meter_wait(&at->meters[i], cost, ahead, now);
        longest = PX_MAX(longest, ns);
    }
    return longest;
}

static bool is_full(const struct px_limiter *at, uint64_t cost, uint64_t now) {
    if (at->kind == PX_OF_QUOTA)
        return px_quota_full(&px_container_of(at, struct px_told, at)->q, cost, now);
    return at->places && at->in_flight >= at->places;
}

static struct px_hold open_hold(const struct px_upstream *up, uint64_t now) {
    return (struct px_hold){.what = PX_HOLD_OPEN,
                            .until_ns = px_breaker_until(&up->breaker, up->limits, now)};
}

struct px_hold px_guard_check(struct px_guard *guard, const struct px_guard_targets *to, uint64_t cost,
                              uint64_t now) {
    struct px_hold hold = {0};
    struct px_limiter *all[6];
    size_t n = px_guard_limiters(guard, to, all);
    uint64_t longest = 0;
    if (px_breaker_ask(&to->upstream->breaker, to->upstream->limits, now) == PX_BREAKER_REFUSES)
        return open_hold(to->upstream, now);
    for (size_t i = 0; i < n; i++) {
        uint64_t ns = wait_at(all[i], cost, 0, now);
        if (ns > longest) {
            longest = ns;
            hold = (struct px_hold){PX_HOLD_UNTIL, all[i], px_ns_add(now, ns)};
        }
    }
    for (size_t i = 0; i < n && !hold.what; i++)
        if (is_full(all[i], cost, now))
            hold = (struct px_hold){.what = PX_HOLD_PLACE, .at = all[i]};
    return hold;
}

static uint64_t queued_cost(const struct px_lane *lane) {
    return lane->cost_in - lane->cost_out;
}

/* Of those that wait here, the ones whose turn comes before that of a request with `own` before it in its lane: round by round. */
static uint64_t ahead_at(const struct px_limiter *at, const struct px_lane *lane, uint64_t own,
                         uint64_t cost) {
    uint64_t ahead = own;
    int looks = 64;
    PX_LIST_EACH (node, &at->parked) {
        const struct px_lane *other = px_list_entry(node, struct px_lane, parked);
        if (!looks--)
            break;
        if (other != lane)
            ahead += PX_MIN(queued_cost(other), own + cost);
    }
    return ahead;
}

uint64_t px_guard_estimate(struct px_guard *guard, const struct px_guard_targets *to,
                           const struct px_lane *lane, uint64_t ahead, uint64_t cost, uint64_t now,
                           struct px_limiter **ret_at) {
    struct px_limiter *all[6];
    size_t n = px_guard_limiters(guard, to, all);
    uint64_t longest = 0;
    *ret_at = NULL;
    for (size_t i = 0; i < n; i++) {
        uint64_t before = all[i]->n_lanes ? ahead_at(all[i], lane, ahead, cost) : ahead;
        uint64_t ns = wait_at(all[i], cost, before, now);
        if (ns > longest) {
            longest = ns;
            *ret_at = all[i];
        }
    }
    return px_ns_add(now, longest);
}

void px_guard_take(struct px_guard *guard, struct px_guard_pass *pass, uint64_t now) {
    struct px_limiter *all[6];
    size_t n = px_guard_limiters(guard, &pass->to, all);
    pass->state = PX_PASS_INSIDE;
    pass->inside_ns = now;
    pass->probe = px_breaker_enter(&pass->to.upstream->breaker, pass->to.upstream->limits, now);
    for (size_t i = 0; i < n; i++) {
        all[i]->in_flight++;
        for (size_t j = 0; j < all[i]->n_meters; j++)
            px_meter_take(&all[i]->meters[j], pass->cost, now);
    }
    for (int i = 0; i < 3; i++) {
        struct px_told *told = pass->to.quotas[i];
        if (!told)
            continue;
        told->uses++;
        pass->readings[i] = told->q.readings;
        px_quota_enter(&told->q, pass->cost, now);
    }
    px_budget_attempt(&guard->budget, &guard->limits.retry, now);
    guard->requests++;
}
