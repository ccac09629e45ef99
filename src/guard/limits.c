/* limits.schema.json, read. */
#include "guard/limits.h"
#include "base/clock.h"
#include "json/schema_own.h"

enum { TREE_BYTES = 4 << 20 };

static struct px_schema_own schema = {px_limits_schema_text, &px_limits_schema_size, NULL};

/* Also at the end of the process, so that its leaks are real ones. */
__attribute__((destructor)) void px_limits_forget(void) {
    px_schema_own_forget(&schema);
}

static const struct px_limits defaults = {
    .in_flight = 32,
    .queue = 256,
    .queue_ns = 60 * PX_S,
    .spacing_percent = 10,
    .retry = {.attempts = 3,
              .base_ns = 200 * PX_MS,
              .max_ns = 10 * PX_S,
              .budget_percent = 20,
              .budget_min = 10,
              .budget_window_ns = 60 * PX_S},
    .breaker = {.enabled = true,
                .window_ns = 30 * PX_S,
                .min_requests = 20,
                .failure_percent = 50,
                .consecutive = 10,
                .open_ns = 5 * PX_S,
                .max_open_ns = 300 * PX_S},
    .coalesce = true,
};

/* What is there has passed the schema: numbers are integers within bounds. */
static void read_u32(const struct px_json *object, const char *key, uint32_t *to) {
    const struct px_json *node = px_json_get(object, key);
    if (node)
        *to = (uint32_t)px_json_number(node, NULL);
}
static void read_times(const struct px_json *object, const char *key, uint64_t unit, uint64_t *to) {
    const struct px_json *node = px_json_get(object, key);
    if (node)
        *to = (uint64_t)px_json_number(node, NULL) * unit;
}
static void read_bool(const struct px_json *object, const char *key, bool *to) {
    const struct px_json *node = px_json_get(object, key);
    if (node)
        *to = px_json_bool(node);
}

static void read_breaker(const struct px_json *object, struct px_breaker_limits *to) {
    read_bool(object, "enabled", &to->enabled);
    read_times(object, "window_ms", PX_MS, &to->window_ns);
    read_u32(object, "min_requests", &to->min_requests);
    read_u32(object, "failure_percent", &to->failure_percent);
    read_u32(object, "consecutive", &to->consecutive);
    read_times(object, "open_ms", PX_MS, &to->open_ns);
    read_times(object, "max_open_ms", PX_MS, &to->max_open_ns);
}

static void read_retry(const struct px_json *object, struct px_retry_limits *to) {
    read_u32(object, "attempts", &to->attempts);
    read_times(object, "base_ms", PX_MS, &to->base_ns);
    read_times(object, "max_ms", PX_MS, &to->max_ns);
    read_u32(object, "budget_percent", &to->budget_percent);
    read_times(object, "budget_window_s", PX_S, &to->budget_window_ns);
    read_u32(object, "budget_min", &to->budget_min);
}

static int read_rates(struct px_arena *arena, const struct px_json *object, struct px_rates *to) {
    const struct px_json *array = px_json_get(object, "rates");
    if (!array)
        return 0;
    to->n = 0;
    to->list = px_arena_alloc(arena, px_json_count(array) * sizeof *to->list);
    if (!to->list)
        return -ENOMEM;
    for (const struct px_json *node = px_json_first(array); node; node = px_json_next(node)) {
        struct px_rate *rate = &to->list[to->n++];
        px_str kind = px_json_text(px_json_get(node, "kind"));
        rate->kind = px_str_is(kind, "bucket")    ? PX_RATE_BUCKET
                     : px_str_is(kind, "sliding") ? PX_RATE_SLIDING
                                                  : PX_RATE_FIXED;
        read_times(node, "requests", 1, &rate->requests);
        read_times(node, "per_ms", PX_MS, &rate->per_ns);
        rate->burst = rate->requests;
        read_times(node, "burst", 1, &rate->burst);
    }
    return 0;
}

/* All but the upstreams, which lie over the whole of it. */
static int read_service(struct px_arena *arena, const struct px_json *root, struct px_limits *to) {
    read_u32(root, "in_flight", &to->in_flight);
    read_u32(root, "queue", &to->queue);
    read_times(root, "queue_ms", PX_MS, &to->queue_ns);
    read_u32(root, "spacing_percent", &to->spacing_percent);
    read_bool(root, "coalesce", &to->coalesce);
    read_retry(px_json_get(root, "retry"), &to->retry);
    read_breaker(px_json_get(root, "breaker"), &to->breaker);
    return read_rates(arena, root, &to->rates);
}

static int read_groups(struct px_arena *arena, const struct px_json *root, struct px_limits *to) {
    const struct px_json *object = px_json_get(root, "groups");
    for (const struct px_json *node = px_json_first(object); node; node = px_json_next(node)) {
        size_t i = 0;
        while (i < to->n_groups && !px_str_eq(to->groups[i].name, px_json_key(node)))
            i++;
        if (i == to->n_groups) {
            to->groups[to->n_groups++].name = px_arena_str(arena, px_json_key(node));
            if (!to->groups[i].name.p)
                return -ENOMEM;
        }
        int r = read_rates(arena, node, &to->groups[i].rates);
        if (r)
            return r;
    }
    return 0;
}

static int read_upstreams(struct px_arena *arena, const struct px_json *root, struct px_limits *to) {
    const struct px_json *object = px_json_get(root, "upstreams");
    for (const struct px_json *node = px_json_first(object); node; node = px_json_next(node)) {
        size_t i = 0;
        while (i < to->n_upstreams && !px_str_eq(to->upstreams[i].name, px_json_key(node)))
            i++;
        struct px_upstream_limits *up = &to->upstreams[i];
        if (i == to->n_upstreams) {
            *up = (struct px_upstream_limits){.name = px_arena_str(arena, px_json_key(node)),
                                              .breaker = to->breaker};
            if (!up->name.p)
                return -ENOMEM;
            to->n_upstreams++;
        }
        read_u32(node, "in_flight", &up->in_flight);
        read_breaker(px_json_get(node, "breaker"), &up->breaker);
        int r = read_rates(arena, node, &up->rates);
        if (r)
            return r;
    }
    return 0;
}

static int check_and_parse(struct px_arena *tmp, px_str json, const char *what, const struct px_json **ret,
                           struct px_err *err) {
    *ret = NULL;
    if (!json.p)
        return 0;
    int r = px_schema_own_check(&schema, json, what, err);
    return r ? r : px_json_parse(tmp, json, NULL, ret, NULL, err);
}

static int read_both(struct px_arena *arena, const struct px_json *const roots[2], struct px_limits *to) {
    size_t groups = 0, upstreams = 0;
    int r = 0;
    for (int i = 0; i < 2; i++) {
        groups += px_json_count(px_json_get(roots[i], "groups"));
        upstreams += px_json_count(px_json_get(roots[i], "upstreams"));
    }
    to->groups = px_arena_alloc(arena, groups * sizeof *to->groups);
    to->upstreams = px_arena_alloc(arena, upstreams * sizeof *to->upstreams);
    if (!to->groups || !to->upstreams)
        return -ENOMEM;
    for (int i = 0; i < 2 && !r; i++) {
        r = read_service(arena, roots[i], to);
        if (!r)
            r = read_groups(arena, roots[i], to);
    }
    for (int i = 0; i < 2 && !r; i++)
        r = read_upstreams(arena, roots[i], to);
    return r;
}

int px_limits_read(struct px_arena *arena, px_str plugin_json, px_str config_json, struct px_limits *ret,
                   struct px_err *err) {
    struct px_limits limits = defaults;
    const struct px_json *roots[2];
    struct px_arena tmp;
    px_arena_init(&tmp, TREE_BYTES);
    int r = check_and_parse(&tmp, plugin_json, "the plugin's limits", &roots[0], err);
    if (!r)
        r = check_and_parse(&tmp, config_json, "limits", &roots[1], err);
    if (!r && (r = read_both(arena, roots, &limits)))
        px_err_set(err, r, "limits: no memory");
    px_arena_finish(&tmp);
    if (!r)
        *ret = limits;
    return r;
}
