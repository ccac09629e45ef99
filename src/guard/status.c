/* What people and metrics see. */
#include "guard/private.h"

enum { QUOTAS_SHOWN = 16 };

static uint64_t ms_until(uint64_t until, uint64_t now) {
    return until > now ? (until - now + PX_MS - 1) / PX_MS : 0;
}

static void write_refused(const struct px_guard *guard, struct px_jw *w) {
    px_jw_key(w, "refused");
    px_jw_object(w);
    px_jw_key(w, "rate");
    px_jw_u64(w, guard->refused[PX_GUARD_RATE]);
    px_jw_key(w, "queue");
    px_jw_u64(w, guard->refused[PX_GUARD_QUEUE_FULL]);
    px_jw_key(w, "busy");
    px_jw_u64(w, guard->refused[PX_GUARD_BUSY]);
    px_jw_key(w, "open");
    px_jw_u64(w, guard->refused[PX_GUARD_OPEN]);
    px_jw_object_end(w);
}

static void write_rates(const struct px_limiter *at, px_str upstream, px_str group, uint64_t now,
                        struct px_jw *w) {
    static const char *const kinds[] = {"bucket", "sliding", "fixed"};
    for (size_t i = 0; i < at->n_meters; i++) {
        const struct px_meter *m = &at->meters[i];
        px_jw_object(w);
        px_jw_key(w, "upstream");
        px_jw_str(w, upstream);
        px_jw_key(w, "group");
        px_jw_str(w, group);
        px_jw_key(w, "kind");
        px_jw_text(w, kinds[m->rate.kind]);
        px_jw_key(w, "limit");
        px_jw_u64(w, m->rate.kind == PX_RATE_BUCKET ? m->rate.burst : m->rate.requests);
        px_jw_key(w, "left");
        px_jw_u64(w, px_meter_left(m, now));
        px_jw_key(w, "next_ms");
        px_jw_u64(w, ms_until(px_ns_add(now, px_meter_wait(m, 1, 0, now)), now));
        px_jw_object_end(w);
    }
}

static void write_amount(struct px_jw *w, const char *key, int64_t v) {
    px_jw_key(w, key);
    if (v < 0)
        px_jw_null(w);
    else
        px_jw_i64(w, v);
}

static void write_quotas(const struct px_guard *guard, uint64_t now, struct px_jw *w) {
    int shown = 0;
    px_jw_key(w, "quotas");
    px_jw_array(w);
    for (const struct px_list_node *node = guard->told_lru.prev;
         node != &guard->told_lru && shown++ < QUOTAS_SHOWN; node = node->prev) {
        const struct px_told *told = px_list_entry(node, struct px_told, lru);
        static const px_str none = {0};
        px_jw_object(w);
        px_jw_key(w, "group");
        px_jw_str(w, told->kind == 'g' && told->name.n ? told->name : none);
        px_jw_key(w, "bucket");
        px_jw_str(w, told->kind == 'b' ? told->name : none);
        px_jw_key(w, "global");
        px_jw_bool(w, told->kind == 'a');
        px_jw_key(w, "account");
        px_jw_u64(w, told->account);
        write_amount(w, "limit", told->q.limit);
        write_amount(w, "remaining", px_quota_left(&told->q, now));
        px_jw_key(w, "reset_ms");
        if (told->q.reset_ns)
            px_jw_u64(w, ms_until(told->q.reset_ns, now));
        else
            px_jw_null(w);
        px_jw_key(w, "next_ms");
        px_jw_u64(
            w,
            ms_until(px_ns_add(now, px_quota_wait(&told->q, guard->limits.spacing_percent, 1, 0, now)), now));
        px_jw_object_end(w);
    }
    px_jw_array_end(w);
}

static void write_breaker(const struct px_upstream *up, uint64_t now, struct px_jw *w) {
    static const char *const states[] = {"closed", "half_open", "open"};
    static const char *const orders[] = {NULL, "open", "closed"};
    enum px_breaker_state state = px_breaker_seen(&up->breaker, now);
    struct px_tally tally = up->breaker.tally;
    px_tally_look(&tally, up->limits->window_ns, now);
    px_jw_object(w);
    px_jw_key(w, "upstream");
    px_jw_str(w, up->name);
    px_jw_key(w, "state");
    px_jw_text(w, states[state]);
    px_jw_key(w, "forced");
    px_jw_str(w, px_str_of(orders[up->breaker.forced]));
    px_jw_key(w, "requests");
    px_jw_u64(w, tally.all);
    px_jw_key(w, "failures");
    px_jw_u64(w, tally.some);
    px_jw_key(w, "opened");
    px_jw_u64(w, up->breaker.opened);
    px_jw_key(w, "probe_in_ms");
    if (state == PX_BREAKER_IS_OPEN && !up->breaker.forced)
        px_jw_u64(w, ms_until(up->breaker.until_ns, now));
    else
        px_jw_null(w);
    px_jw_key(w, "in_flight");
    px_jw_u64(w, up->at.in_flight);
    px_jw_object_end(w);
}

static void write_error(const struct px_guard *guard, uint64_t now, struct px_jw *w) {
    px_jw_key(w, "last_error");
    if (!guard->error[0]) {
        px_jw_null(w);
        return;
    }
    px_jw_object(w);
    px_jw_key(w, "words");
    px_jw_text(w, guard->error);
    px_jw_key(w, "ago_ms");
    px_jw_u64(w, (now - guard->error_ns) / PX_MS);
    px_jw_object_end(w);
}

static void write_counts(const struct px_guard *guard, struct px_jw *w) {
    struct px_hist_view took = px_hist_view(&guard->took);
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"in_flight", guard->at.in_flight}, {"in_flight_limit", guard->at.places},
        {"waiting", guard->waiting},        {"waiting_limit", guard->limits.queue},
        {"requests", guard->requests},      {"failed", guard->failed},
        {"retries", guard->retries},        {"shared", guard->shared},
        {"p50_us", took.p50_ns / PX_US},    {"p99_us", took.p99_ns / PX_US},
    };
    for (size_t i = 0; i < PX_COUNT(counts); i++) {
        px_jw_key(w, counts[i].key);
        px_jw_u64(w, counts[i].value);
    }
    write_refused(guard, w);
}

void px_guard_status(const struct px_guards *guards, px_str service, struct px_jw *w) {
    const struct px_guard *guard = guards ? px_map_get(&guards->guards, service) : NULL;
    static const px_str none = {0};
    if (!guard)
        return;
    uint64_t now = px_loop_now(guard->loop);
    struct px_budget budget = guard->budget;
    px_jw_key(w, "guard");
    px_jw_object(w);
    write_counts(guard, w);
    px_jw_key(w, "retries_left");
    px_jw_u64(w, px_budget_left(&budget, &guard->limits.retry, now));
    write_error(guard, now, w);
    px_jw_key(w, "rates");
    px_jw_array(w);
    write_rates(&guard->at, none, none, now, w);
    PX_MAP_EACH (slot, &guard->upstreams) {
        const struct px_upstream *up = slot->value;
        write_rates(&up->at, up->name, none, now, w);
    }
    PX_MAP_EACH (slot, &guard->groups) {
        const struct px_group *group = slot->value;
        write_rates(&group->at, none, group->name, now, w);
    }
    px_jw_array_end(w);
    write_quotas(guard, now, w);
    px_jw_key(w, "breakers");
    px_jw_array(w);
    PX_MAP_EACH (slot, &guard->upstreams)
        write_breaker(slot->value, now, w);
    px_jw_array_end(w);
    px_jw_object_end(w);
}

void px_guards_each(const struct px_guards *guards,
                    void (*fn)(void *ctx, const struct px_guard_stats *stats,
                               const struct px_guard_breaker_stats *breakers, size_t n_breakers),
                    void *ctx) {
    uint64_t now = px_loop_now(guards->loop);
    PX_MAP_EACH (at, &guards->guards) {
        const struct px_guard *guard = at->value;
        struct px_guard_breaker_stats breakers[PX_GUARD_UPSTREAMS_MAX];
        size_t n = 0;
        if (!guard->refs)
            continue; /* nobody's now */
        struct px_hist_view took = px_hist_view(&guard->took);
        struct px_guard_stats stats = {.service = px_str_of(guard->service),
                                       .requests = guard->requests,
                                       .failed = guard->failed,
                                       .retries = guard->retries,
                                       .shared = guard->shared,
                                       .refused_rate = guard->refused[PX_GUARD_RATE],
                                       .refused_queue = guard->refused[PX_GUARD_QUEUE_FULL],
                                       .refused_busy = guard->refused[PX_GUARD_BUSY],
                                       .refused_open = guard->refused[PX_GUARD_OPEN],
                                       .in_flight = guard->at.in_flight,
                                       .waiting = guard->waiting,
                                       .p50_ns = took.p50_ns,
                                       .p99_ns = took.p99_ns,
                                       .waited_ns = guard->waited_ns};
        PX_MAP_EACH (slot, &guard->upstreams) {
            const struct px_upstream *up = slot->value;
            breakers[n++] = (struct px_guard_breaker_stats){up->name, px_breaker_seen(&up->breaker, now),
                                                            up->breaker.opened};
        }
        fn(ctx, &stats, breakers, n);
    }
}
