#include "route/api.h"
#include "guard/limits.h"
#include "route/read.h"
#include "route/route.h"

enum {
    API_BYTES = 8 << 20,
    LIMITS_BYTES = 1 << 20,
    MOST_UPSTREAMS = 16,
    MOST_IDENTITIES = 16,
    MOST_VALUES = 32,
    DEFAULT_TTL_S = 3600,
};

/* The members of the whole, and what is only needed while it is read. */
struct reading {
    px_str upstreams, identities, values, errors, limits;
    struct px_api *api;
    bool vetted;
    px_str *routes; /* of the values, JSON */
};

static const struct px_read_key api_keys[] = {
    {.name = "upstreams", .kind = PX_READ_JSON, .offset = offsetof(struct reading, upstreams)},
    {.name = "identities", .kind = PX_READ_JSON, .offset = offsetof(struct reading, identities)},
    {.name = "values", .kind = PX_READ_JSON, .offset = offsetof(struct reading, values)},
    {.name = "errors", .kind = PX_READ_JSON, .offset = offsetof(struct reading, errors)},
    {.name = "limits", .kind = PX_READ_JSON, .offset = offsetof(struct reading, limits)},
};

/* ---- identities ---- */

/* Make room for the members of an object, at most so many. */
static int make_room(struct px_read *r, px_str object, size_t most, size_t size, void *ret_list,
                     size_t *ret_n) {
    int e = px_read_count(r, object, PX_JSON_OBJECT, ret_n);
    if (e)
        return e;
    if (*ret_n > most)
        return px_read_fail(r, "at most %zu", most);
    void *list = px_arena_alloc(r->arena, *ret_n * size);
    if (!list)
        return px_read_no_memory(r);
    memcpy(ret_list, &list, sizeof list);
    return 0;
}

static int read_identities(struct px_read *r, struct reading *reading) {
    struct px_api *api = reading->api;
    uint64_t pos = 0;
    px_str key, value;
    size_t n, before = px_read_enter(r, PX_LIT("identities"));
    int e = make_room(r, reading->identities, MOST_IDENTITIES, sizeof *api->identities, &api->identities, &n);
    if (e)
        return e;
    while (px_json_slice_next(reading->identities, &pos, &key, &value) > 0) {
        struct px_identity *identity = &api->identities[api->n_identities];
        if ((e = px_read_key_text(r, key, &identity->name)))
            return e;
        size_t inner = px_read_enter(r, identity->name);
        if ((e = px_read_identity(r, value, false, identity)))
            return e;
        api->n_identities++;
        px_read_leave(r, inner);
    }
    px_read_leave(r, before);
    return 0;
}

/* ---- upstreams ---- */

static int read_join(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "upstream", .kind = PX_READ_TEXT, .offset = offsetof(struct px_upstream, join_upstream)},
        {.name = "reference", .kind = PX_READ_TEXT, .offset = offsetof(struct px_upstream, join_reference)},
    };
    struct px_upstream *up = into;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), up);
    if (e)
        return e;
    if (!up->join_upstream.p || !up->join_reference.p)
        return px_read_fail(r, "needs \"upstream\" and \"reference\"");
    px_str ref = up->join_reference;
    const char *colon = memchr(ref.p, ':', ref.n), *slash = memchr(ref.p, '/', ref.n);
    if ((colon && (!slash || colon < slash)) || (ref.n > 1 && ref.p[0] == '/' && ref.p[1] == '/'))
        return px_read_fail(r, "the reference must stay with its upstream: a path, without scheme and host");
    return memchr(ref.p, '?', ref.n) || memchr(ref.p, '#', ref.n)
               ? px_read_fail(r, "the reference is a path: no query (?) and no fragment (#)")
               : 0;
}

static int read_errors(struct px_read *r, void *into, px_str value) {
    return px_read_rules(r, value, &((struct px_upstream *)into)->errors);
}
static int read_quotas(struct px_read *r, void *into, px_str value) {
    return px_read_quotas(r, value, &((struct px_upstream *)into)->quotas);
}
static int read_idempotency(struct px_read *r, void *into, px_str value) {
    struct px_upstream *up = into;
    return px_read_idempotency(r, value, &up->idempotency, &up->key_hours);
}
static int read_message(struct px_read *r, void *into, px_str value) {
    struct px_upstream *up = into;
    return px_read_pointers(r, value, &up->message, &up->n_message);
}

#define UP(member) offsetof(struct px_upstream, member)
struct named_upstream { /* with what is resolved later */
    struct px_upstream up;
    px_str identity;
};
static const struct px_read_key upstream_keys[] = {
    {.name = "base_url", .kind = PX_READ_JSON, .offset = UP(base_url)},
    {.name = "join", .kind = PX_READ_WITH, .read = read_join},
    {.name = "origins", .kind = PX_READ_JSON, .offset = UP(origins)},
    {.name = "hosts", .kind = PX_READ_JSON, .offset = UP(hosts)},
    {.name = "ports", .kind = PX_READ_JSON, .offset = UP(ports)},
    {.name = "plain_http", .kind = PX_READ_JSON, .offset = UP(plain_http)},
    {.name = "identity", .kind = PX_READ_TEXT, .offset = offsetof(struct named_upstream, identity)},
    {.name = "headers", .kind = PX_READ_PARAMS, .offset = UP(headers)},
    {.name = "query", .kind = PX_READ_STYLED, .offset = UP(query)},
    {.name = "errors", .kind = PX_READ_WITH, .read = read_errors},
    {.name = "message", .kind = PX_READ_WITH, .read = read_message},
    {.name = "request_id", .kind = PX_READ_LOWER, .offset = UP(request_id)},
    {.name = "quotas", .kind = PX_READ_WITH, .read = read_quotas},
    {.name = "group", .kind = PX_READ_TEXT, .offset = UP(group)},
    {.name = "idempotency", .kind = PX_READ_WITH, .read = read_idempotency},
    {.name = "timeout_ms", .kind = PX_READ_MS, .offset = UP(timeout_ns)},
    {.name = "max_bytes", .kind = PX_READ_U64, .offset = UP(max_bytes)},
};

static const struct px_identity *identity_find(const struct px_api *api, px_str name) {
    for (size_t i = 0; i < api->n_identities; i++) {
        if (px_str_eq(api->identities[i].name, name))
            return &api->identities[i];
    }
    return NULL;
}

static int check_upstream(struct px_read *r, struct px_upstream *up) {
    struct px_uses uses = {.allowed = PX_USE_CONFIG | PX_USE_SECRET};
    if (up->base_url.p && up->join_upstream.p)
        return px_read_fail(r, "\"base_url\" or \"join\", not both");
    if (!up->base_url.p && !up->join_upstream.p && !up->hosts.p && !up->origins.p)
        return px_read_fail(r, "where is it? Say \"base_url\", \"join\", \"origins\" or \"hosts\"");
    int e = px_read_check_template(r, "base_url", up->base_url, PX_USE_CONFIG | PX_USE_SECRET, NULL);
    if (!e)
        e = px_read_check_template(r, "origins", up->origins, PX_USE_CONFIG, NULL);
    if (!e)
        e = px_read_check_template(r, "hosts", up->hosts, PX_USE_CONFIG, NULL);
    if (!e)
        e = px_read_check_template(r, "ports", up->ports, PX_USE_CONFIG, NULL);
    if (!e)
        e = px_read_check_template(r, "plain_http", up->plain_http, PX_USE_CONFIG, NULL);
    if (!e)
        e = px_uses_params(r, "headers", &up->headers, &uses);
    if (!e)
        e = px_headers_check(r, &up->headers, up->identity);
    uses.styles = true;
    if (!e)
        e = px_uses_params(r, "query", &up->query, &uses);
    return e ? e : px_styles_check(r, "query", &up->query);
}

static int read_upstream(struct px_read *r, px_str value, struct px_api *api, struct px_upstream *up) {
    struct named_upstream named = {.up = {.name = up->name}};
    int e = px_read_object(r, value, upstream_keys, PX_COUNT(upstream_keys), &named);
    if (e)
        return e;
    *up = named.up;
    if (named.identity.p) {
        up->identity = identity_find(api, named.identity);
        size_t before = px_read_enter(r, PX_LIT("identity"));
        if (!up->identity)
            return px_read_fail(r, "there is no identity \"" PX_FMT "\"", PX_ARG(named.identity));
        px_read_leave(r, before);
    }
    return check_upstream(r, up);
}

static int check_joins(struct px_read *r, const struct px_api *api) {
    for (size_t i = 0; i < api->n_upstreams; i++) {
        const struct px_upstream *up = &api->upstreams[i], *to = NULL;
        if (!up->join_upstream.p)
            continue;
        for (size_t j = 0; j < api->n_upstreams; j++) {
            if (px_str_eq(api->upstreams[j].name, up->join_upstream))
                to = &api->upstreams[j];
        }
        if (to && to->base_url.p)
            continue;
        px_read_enter(r, up->name);
        px_read_enter(r, PX_LIT("join"));
        px_read_enter(r, PX_LIT("upstream"));
        if (!to)
            return px_read_fail(r, "there is no upstream \"" PX_FMT "\"", PX_ARG(up->join_upstream));
        return px_read_fail(r, "\"" PX_FMT "\" has no base_url of its own", PX_ARG(up->join_upstream));
    }
    return 0;
}

static int read_upstreams(struct px_read *r, struct reading *reading) {
    struct px_api *api = reading->api;
    uint64_t pos = 0;
    px_str key, value;
    size_t n, before = px_read_enter(r, PX_LIT("upstreams"));
    if (!reading->upstreams.p)
        return px_read_fail(r, "an api has at least one");
    int e = make_room(r, reading->upstreams, MOST_UPSTREAMS, sizeof *api->upstreams, &api->upstreams, &n);
    if (e)
        return e;
    if (!n)
        return px_read_fail(r, "an api has at least one");
    while (px_json_slice_next(reading->upstreams, &pos, &key, &value) > 0) {
        struct px_upstream *up = &api->upstreams[api->n_upstreams];
        if ((e = px_read_key_text(r, key, &up->name)))
            return e;
        size_t inner = px_read_enter(r, up->name);
        if ((e = read_upstream(r, value, api, up)))
            return e;
        api->n_upstreams++;
        px_read_leave(r, inner);
    }
    if ((e = check_joins(r, api)))
        return e;
    px_read_leave(r, before);
    return 0;
}

/* ---- looked-up values ---- */

struct value_reading {
    px_str route, at;
    uint64_t ttl_ns;
};
static const struct px_read_key value_keys[] = {
    {.name = "route", .kind = PX_READ_JSON, .offset = offsetof(struct value_reading, route)},
    {.name = "at", .kind = PX_READ_POINTER, .offset = offsetof(struct value_reading, at)},
    {.name = "ttl_s", .kind = PX_READ_S, .offset = offsetof(struct value_reading, ttl_ns)},
};

static int read_value(struct px_read *r, px_str json, struct px_value *value, px_str *ret_route) {
    struct value_reading got = {.ttl_ns = DEFAULT_TTL_S * UINT64_C(1000000000)};
    int e = px_read_object(r, json, value_keys, PX_COUNT(value_keys), &got);
    if (e)
        return e;
    if (!got.route.p || !got.at.p)
        return px_read_fail(r, "needs a \"route\" and \"at\"");
    value->at = got.at;
    value->ttl_ns = got.ttl_ns;
    *ret_route = got.route;
    return 0;
}

static int compile_value(struct px_read *r, struct reading *reading, size_t i) {
    struct px_value *value = &reading->api->values[i];
    struct px_route_opts opts = {.api = reading->api, .read_only = true, .vetted = reading->vetted};
    size_t before = px_read_enter(r, value->name);
    int e = px_route_compile(reading->routes[i], &opts, &value->route, r->err);
    if (e)
        return px_read_prefix(r, e);
    if (px_route_paged(value->route))
        return px_read_fail(r, "route: /page: a value is looked up with one request");
    if (value->route->result != PX_RESULT_JSON)
        return px_read_fail(r, "route: /result/kind: a value is looked up in JSON");
    px_read_leave(r, before);
    return 0;
}

/* Whatever needs nothing that is not there yet can go; what is left in the end waits for itself. */
static int check_cycles(struct px_read *r, const struct px_api *api) {
    uint32_t done = 0, before;
    do {
        before = done;
        for (size_t i = 0; i < api->n_values; i++) {
            if (!(api->values[i].route->values & ~done))
                done |= UINT32_C(1) << i;
        }
    } while (done != before);
    for (size_t i = 0; i < api->n_values; i++) {
        if (!(done >> i & 1)) {
            px_read_enter(r, api->values[i].name);
            return px_read_fail(r, "it is needed, by way of others or by itself, to look itself up");
        }
    }
    return 0;
}

static int read_values(struct px_read *r, struct reading *reading) {
    struct px_api *api = reading->api;
    uint64_t pos = 0;
    px_str key, json;
    size_t n, before = px_read_enter(r, PX_LIT("values"));
    int e = make_room(r, reading->values, MOST_VALUES, sizeof *api->values, &api->values, &n);
    if (e)
        return e;
    reading->routes = px_arena_alloc(r->arena, n * sizeof *reading->routes);
    if (!reading->routes)
        return px_read_no_memory(r);
    while (px_json_slice_next(reading->values, &pos, &key, &json) > 0) {
        struct px_value *value = &api->values[api->n_values];
        if ((e = px_read_key_text(r, key, &value->name)))
            return e;
        size_t inner = px_read_enter(r, value->name);
        if ((e = read_value(r, json, value, &reading->routes[api->n_values])))
            return e;
        api->n_values++;
        px_read_leave(r, inner);
    }
    for (size_t i = 0; i < n && !e; i++)
        e = compile_value(r, reading, i);
    if (e || (e = check_cycles(r, api)))
        return e;
    px_read_leave(r, before);
    return 0;
}

/* ---- the whole ---- */

static int check_limits(struct px_read *r, px_str limits) {
    struct px_arena arena;
    struct px_limits ignored;
    px_arena_init(&arena, LIMITS_BYTES);
    int e = px_limits_read(&arena, limits, (px_str){0}, &ignored, r->err);
    px_arena_finish(&arena);
    return e ? px_err_prefix(r->err, e, "api: ") : 0;
}

static int read_api(struct px_read *r, px_str json, struct reading *reading) {
    struct px_json_scan scan;
    int e = px_json_scan(json, NULL, &scan, NULL, r->err);
    if (e)
        return px_err_prefix(r->err, e, "api: ");
    px_str text = px_arena_str(r->arena, scan.value);
    if (!text.p)
        return px_read_no_memory(r);
    if (!reading->vetted && (e = px_route_schema_check(r, true, text)))
        return e;
    if ((e = px_read_object(r, text, api_keys, PX_COUNT(api_keys), reading)))
        return e;
    if (reading->identities.p && (e = read_identities(r, reading)))
        return e;
    if ((e = read_upstreams(r, reading)))
        return e;
    reading->api->limits = reading->limits;
    if (reading->limits.p && !reading->vetted && (e = check_limits(r, reading->limits)))
        return e;
    if (reading->errors.p) {
        size_t before = px_read_enter(r, PX_LIT("errors"));
        if ((e = px_read_rules(r, reading->errors, &reading->api->errors)))
            return e;
        px_read_leave(r, before);
    }
    return reading->values.p ? read_values(r, reading) : 0;
}

int px_api_compile(px_str json, bool vetted, struct px_api **ret, struct px_err *err) {
    struct px_api *api = calloc(1, sizeof *api);
    struct reading reading = {.api = api, .vetted = vetted};
    struct px_read r;
    if (!api)
        return px_err_set(err, -ENOMEM, "api: out of memory");
    px_arena_init_small(&api->arena, API_BYTES);
    px_read_init(&r, &api->arena, "api", err);
    r.api = api;
    int e = read_api(&r, json, &reading);
    if (e) {
        px_api_destroy(api);
        return e;
    }
    *ret = api;
    return 0;
}

void px_api_destroy(struct px_api *api) {
    if (!api)
        return;
    for (size_t i = 0; i < api->n_values; i++)
        px_route_destroy(api->values[i].route);
    px_arena_finish(&api->arena);
    free(api);
}
