/* The guards of all services. */
#include "base/random.h"
#include "guard/private.h"
#include <assert.h>
#include <errno.h>
#include <sys/random.h>

enum { LIMITS_BYTES = 1 << 20 };

int px_guards_create(const struct px_guards_opts *opts, struct px_guards **ret, struct px_err *err) {
    struct px_guards *guards = calloc(1, sizeof *guards);
    if (!guards)
        return px_err_set(err, -ENOMEM, "out of memory");
    guards->loop = opts->loop;
    guards->random = opts->seed;
    if (!opts->seed && getrandom(&guards->random, sizeof guards->random, GRND_NONBLOCK) < 0)
        guards->random = px_clock_mono_ns();
    px_map_init(&guards->guards, PX_GUARDS_MAX);
    *ret = guards;
    return 0;
}

static void arena_free(struct px_arena *arena) {
    if (arena)
        px_arena_finish(arena);
    free(arena);
}

static void guard_free(struct px_guard *guard) {
    assert(!guard->refs && !guard->waiting);
    px_work_cancel(&guard->again);
    px_timer_disarm(&guard->at.wake);
    px_meters_free(guard->at.meters, guard->at.n_meters);
    px_guard_things_free(guard);
    px_map_finish(&guard->principals);
    px_map_finish(&guard->lane_map);
    px_crowd_free(&guard->crowd);
    arena_free(guard->arena);
    free(guard);
}

void px_guards_destroy(struct px_guards **guards) {
    struct px_guards *all = px_take(guards);
    if (!all)
        return;
    PX_MAP_EACH (slot, &all->guards)
        guard_free(slot->value);
    px_map_finish(&all->guards);
    free(all);
}

/* ---- limits, old and new ---- */

static int rates_copy(struct px_arena *arena, struct px_rates *rates) {
    size_t n = rates->n * sizeof *rates->list;
    struct px_rate *list = px_arena_raw(arena, n);
    if (!list)
        return -ENOMEM;
    if (n)
        memcpy(list, rates->list, n);
    rates->list = list;
    return 0;
}

static int limits_copy(struct px_arena *arena, const struct px_limits *from, struct px_limits *to) {
    *to = *from;
    to->groups = px_arena_alloc(arena, from->n_groups * sizeof *to->groups);
    to->upstreams = px_arena_alloc(arena, from->n_upstreams * sizeof *to->upstreams);
    if (!to->groups || !to->upstreams || rates_copy(arena, &to->rates))
        return -ENOMEM;
    for (size_t i = 0; i < from->n_groups; i++) {
        struct px_group_limits *group = &to->groups[i];
        *group = from->groups[i];
        group->name = px_arena_str(arena, group->name);
        if (!group->name.p || rates_copy(arena, &group->rates))
            return -ENOMEM;
    }
    for (size_t i = 0; i < from->n_upstreams; i++) {
        struct px_upstream_limits *up = &to->upstreams[i];
        *up = from->upstreams[i];
        up->name = px_arena_str(arena, up->name);
        if (!up->name.p || rates_copy(arena, &up->rates))
            return -ENOMEM;
    }
    return 0;
}

static const struct px_upstream_limits *upstream_limits(const struct px_limits *limits, px_str name) {
    for (size_t i = 0; i < limits->n_upstreams; i++)
        if (px_str_eq(limits->upstreams[i].name, name))
            return &limits->upstreams[i];
    return NULL;
}

static const struct px_rates *group_rates(const struct px_limits *limits, px_str name) {
    static const struct px_rates none;
    for (size_t i = 0; i < limits->n_groups; i++)
        if (px_str_eq(limits->groups[i].name, name))
            return &limits->groups[i].rates;
    return &none;
}

/* New meters for every limiter there is: made first, so that nothing has changed when there is no memory for one. */
struct px_refit {
    struct px_limiter *at;
    struct px_meter *meters;
    size_t n;
    uint32_t places;
    struct px_upstream *up; /* whose breaker has these limits from now on; NULL: not an upstream */
    const struct px_breaker_limits *breaker;
    uint64_t window_ns; /* its breaker's, so far */
};

static int refit(struct px_refit *to, struct px_limiter *at, const struct px_rates *rates, uint32_t places,
                 uint64_t now) {
    *to = (struct px_refit){.at = at, .n = rates->n, .places = places};
    return px_meters_make(rates, now, &to->meters);
}

static int refit_all(struct px_guard *guard, const struct px_limits *limits, struct px_refit *to, size_t *n,
                     uint64_t now) {
    static const struct px_rates none;
    int r = refit(&to[*n], &guard->at, &limits->rates, limits->in_flight, now);
    *n += !r;
    PX_MAP_EACH (slot, &guard->upstreams) {
        struct px_upstream *up = slot->value;
        const struct px_upstream_limits *own = upstream_limits(limits, up->name);
        if (!r && !(r = refit(&to[*n], &up->at, own ? &own->rates : &none, own ? own->in_flight : 0, now))) {
            to[*n].up = up;
            to[*n].window_ns = up->limits->window_ns;
            to[(*n)++].breaker = own ? &own->breaker : NULL;
        }
    }
    PX_MAP_EACH (slot, &guard->groups) {
        struct px_group *group = slot->value;
        if (!r && !(r = refit(&to[*n], &group->at, group_rates(limits, group->name), 0, now)))
            ++*n;
    }
    return r;
}

static void refit_done(struct px_guard *guard, struct px_refit *to, uint64_t now) {
    struct px_limiter *at = to->at;
    px_meters_move(at->meters, at->n_meters, to->meters, to->n, now);
    at->meters = to->meters;
    at->n_meters = to->n;
    at->places = to->places;
    if (to->up) {
        const struct px_breaker_limits *limits = to->breaker ? to->breaker : &guard->limits.breaker;
        px_tally_move(&to->up->breaker.tally, to->window_ns, limits->window_ns, now);
        to->up->limits = limits;
    }
}

static int configure(struct px_guard *guard, const struct px_limits *limits) {
    uint64_t now = px_loop_now(guard->loop);
    size_t n = 0, most = 1 + guard->upstreams.n + guard->groups.n;
    struct px_arena *arena = calloc(1, sizeof *arena);
    struct px_refit *to = calloc(most, sizeof *to);
    struct px_limits copy;
    int r = arena && to ? 0 : -ENOMEM;
    if (!r) {
        px_arena_init_small(arena, LIMITS_BYTES);
        r = limits_copy(arena, limits, &copy);
    }
    if (!r)
        r = refit_all(guard, &copy, to, &n, now);
    if (r) {
        for (size_t i = 0; i < n; i++)
            px_meters_free(to[i].meters, to[i].n);
        arena_free(arena);
        free(to);
        return r;
    }
    px_tally_move(&guard->budget.tally, guard->limits.retry.budget_window_ns, copy.retry.budget_window_ns,
                  now);
    guard->limits = copy;
    for (size_t i = 0; i < n; i++)
        refit_done(guard, &to[i], now);
    free(to);
    arena_free(guard->arena);
    guard->arena = arena;
    guard->new_limits = guard->waiting > 0;
    px_guard_look_again(guard);
    return 0;
}

static int guard_new(struct px_guards *guards, px_str service, struct px_guard **ret) {
    struct px_guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return -ENOMEM;
    guard->guards = guards;
    guard->loop = guards->loop;
    px_str_copy(guard->service, sizeof guard->service, service);
    px_limiter_init(&guard->at, PX_OF_SERVICE, guard);
    px_work_init(&guard->again, "guard/again", px_guard_again, guard);
    px_list_init(&guard->lanes);
    px_list_init(&guard->told_lru);
    px_list_init(&guard->label_lru);
    px_map_init(&guard->upstreams, PX_GUARD_UPSTREAMS_MAX);
    px_map_init(&guard->groups, PX_GUARD_GROUPS_MAX);
    px_map_init(&guard->quotas, PX_GUARD_QUOTAS_MAX);
    px_map_init(&guard->labels, PX_GUARD_LABELS_MAX);
    px_map_init(&guard->principals, SIZE_MAX); /* as many as wait */
    px_map_init(&guard->lane_map, SIZE_MAX);
    *ret = guard;
    return 0;
}

int px_guard_get(struct px_guards *guards, px_str service, const struct px_limits *limits,
                 struct px_guard **ret) {
    struct px_guard *guard = px_map_get(&guards->guards, service);
    int r = guard ? 0 : guard_new(guards, service, &guard);
    if (r)
        return r;
    bool new = !guard->arena;
    r = configure(guard, limits);
    if (!r && new)
        r = px_map_put(&guards->guards, px_str_of(guard->service), guard, NULL);
    if (r) {
        if (new)
            guard_free(guard);
        return r;
    }
    guard->refs++;
    *ret = guard;
    return 0;
}

int px_guard_configure(struct px_guards *guards, px_str service, const struct px_limits *limits) {
    struct px_guard *guard = px_map_get(&guards->guards, service);
    return guard ? configure(guard, limits) : -ENOENT;
}

void px_guard_unref(struct px_guard **pguard) {
    struct px_guard *guard = px_take(pguard);
    if (!guard)
        return;
    assert(guard->refs);
    guard->refs--;
}

const struct px_limits *px_guard_limits(const struct px_guard *guard) {
    return &guard->limits;
}

/* ---- again ---- */

bool px_guard_retry(struct px_guard *guard, unsigned attempt, int64_t after_ms, uint64_t deadline_ns,
                    uint64_t *ret_at_ns) {
    const struct px_retry_limits *retry = &guard->limits.retry;
    uint64_t now = px_loop_now(guard->loop), after;
    if (after_ms < 0 || __builtin_mul_overflow((uint64_t)after_ms, PX_MS, &after))
        after = after_ms < 0 ? 0 : PX_NEVER;
    *ret_at_ns =
        px_ns_add(px_ns_add(now, after), px_backoff(retry, attempt, px_random_next(&guard->guards->random)));
    if (attempt > retry->attempts || (deadline_ns && *ret_at_ns >= deadline_ns))
        return false;
    if (!px_budget_take(&guard->budget, retry, now))
        return false;
    guard->retries++;
    return true;
}

void px_guard_count_shared(struct px_guard *guard) {
    guard->shared++;
}

/* ---- a person's order ---- */

static void order_all(struct px_guard *guard, enum px_breaker_order order, uint64_t now) {
    PX_MAP_EACH (slot, &guard->upstreams)
        px_breaker_tell(&((struct px_upstream *)slot->value)->breaker, order, now);
    guard->forced = order == PX_BREAKER_RESET ? 0 : (int)order + 1;
    if (order != PX_BREAKER_RESET)
        return;
    PX_LIST_EACH (node, &guard->told_lru) {
        struct px_told *told = px_list_entry(node, struct px_told, lru);
        px_quota_forget(&told->q);
    }
}

int px_guard_breaker(struct px_guards *guards, px_str service, px_str upstream, enum px_breaker_order order) {
    struct px_guard *guard = px_map_get(&guards->guards, service);
    if (!guard)
        return -ENOENT;
    uint64_t now = px_loop_now(guard->loop);
    if (!upstream.p) {
        order_all(guard, order, now);
    } else {
        struct px_upstream *up = px_map_get(&guard->upstreams, upstream);
        if (!up && upstream_limits(&guard->limits, upstream) && px_guard_upstream(guard, upstream, &up))
            return -ENOMEM;
        if (!up)
            return -ENOENT;
        px_breaker_tell(&up->breaker, order, now);
    }
    px_guard_look_again(guard);
    return 0;
}
