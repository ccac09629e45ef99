/* Names in a route become what they stand for; its templates are looked through; defaults are filled in. */
#include "route/read.h"

enum {
    ANY = PX_USE_ARG | PX_USE_CONFIG | PX_USE_VALUE,
    WITH_CALL = ANY | PX_USE_CALL,
    WITH_SECRETS = WITH_CALL | PX_USE_SECRET,
    TMP_BYTES = 8 << 20
};
enum { LIMIT = 30, MAX_LIMIT = 1000, MAX_PAGES = 20 };

/* ---- the input schema ---- */

static int decode(struct px_read *r, struct px_arena *arena, px_str raw, px_str *ret) {
    return px_json_slice_text(arena, raw, ret) ? px_read_no_memory(r) : 0;
}

static int read_required(struct px_read *r, struct px_route_read *rr, px_str list) {
    uint64_t pos = 0;
    px_str raw, name;
    while (px_json_slice_type(list) == PX_JSON_ARRAY && px_json_slice_next(list, &pos, NULL, &raw) > 0) {
        if (px_json_slice_type(raw) != PX_JSON_STRING)
            continue;
        int e = decode(r, &rr->tmp, raw, &name);
        if (e)
            return e;
        struct px_prop *prop = px_prop_find(&rr->uses, name);
        if (prop)
            prop->required = true;
    }
    return 0;
}

static int read_props(struct px_read *r, struct px_route_read *rr) {
    px_str properties, required, key, schema = rr->opts->input_schema;
    uint64_t pos = 0;
    size_t n = 0;
    px_arena_init(&rr->tmp, TMP_BYTES);
    if (!schema.p || px_json_slice_get(schema, PX_LIT("properties"), &properties) ||
        px_json_slice_type(properties) != PX_JSON_OBJECT)
        return 0;
    int e = px_read_count(r, properties, PX_JSON_OBJECT, &n);
    rr->uses.props = px_arena_alloc(&rr->tmp, n * sizeof *rr->uses.props);
    if (!rr->uses.props)
        return px_read_no_memory(r);
    for (; !e && rr->uses.n_props < n; rr->uses.n_props++) {
        struct px_prop *prop = &rr->uses.props[rr->uses.n_props];
        if (px_json_slice_next(properties, &pos, &key, &prop->schema) <= 0)
            break;
        e = decode(r, &rr->tmp, key, &prop->name);
    }
    if (e || px_json_slice_get(schema, PX_LIT("required"), &required))
        return e;
    return read_required(r, rr, required);
}

/* Whether "writeOnly": true stands anywhere in a schema: what it is about is not shown at all. */
static bool is_write_only(px_str schema) {
    uint64_t pos = 0;
    px_str key = {0}, value;
    enum px_json_type type = px_json_slice_type(schema);
    if (type != PX_JSON_OBJECT && type != PX_JSON_ARRAY)
        return false;
    while (px_json_slice_next(schema, &pos, &key, &value) > 0) {
        if (type == PX_JSON_OBJECT && px_json_slice_is(key, PX_LIT("writeOnly")) &&
            px_json_slice_type(value) == PX_JSON_TRUE)
            return true;
        if (is_write_only(value))
            return true;
    }
    return false;
}

static int find_masked(struct px_read *r, struct px_route_read *rr) {
    static const char key[] = "writeOnly";
    struct px_route *route = rr->route;
    px_str schema = rr->opts->input_schema;
    /* Most schemas have none, and a start has hundreds of them. A backslash may hide a letter. */
    if (!schema.p || (!memmem(schema.p, schema.n, key, strlen(key)) && !memchr(schema.p, '\\', schema.n)))
        return 0;
    for (size_t i = 0; i < rr->uses.n_props; i++) {
        const struct px_prop *prop = &rr->uses.props[i];
        if (!is_write_only(prop->schema))
            continue;
        if (!route->masked)
            route->masked = px_arena_alloc(r->arena, rr->uses.n_props * sizeof *route->masked);
        px_str name = px_arena_str(r->arena, prop->name);
        if (!route->masked || !name.p)
            return px_read_no_memory(r);
        route->masked[route->n_masked++] = name;
    }
    return 0;
}

/* ---- names ---- */

static int find_upstream(struct px_read *r, struct px_route_read *rr) {
    const struct px_api *api = rr->opts->api;
    for (size_t i = 0; i < api->n_upstreams && !rr->route->upstream; i++) {
        if (!rr->upstream.p || px_str_eq(api->upstreams[i].name, rr->upstream))
            rr->route->upstream = &api->upstreams[i];
    }
    if (rr->route->upstream)
        return 0;
    px_read_enter(r, PX_LIT("upstream"));
    return px_read_fail(r, "there is no upstream \"" PX_FMT "\"", PX_ARG(rr->upstream));
}

static int find_identity(struct px_read *r, struct px_route_read *rr) {
    const struct px_api *api = rr->opts->api;
    rr->route->identity = rr->no_identity ? NULL : rr->route->upstream->identity;
    if (!rr->identity.p)
        return 0;
    for (size_t i = 0; i < api->n_identities; i++) {
        if (px_str_eq(api->identities[i].name, rr->identity)) {
            rr->route->identity = &api->identities[i];
            return 0;
        }
    }
    px_read_enter(r, PX_LIT("identity"));
    return px_read_fail(r, "there is no identity \"" PX_FMT "\"", PX_ARG(rr->identity));
}

/* ---- what templates use ---- */

static int use_path_arg(struct px_read *r, struct px_route_read *rr, struct px_path_part *part) {
    struct px_prop *prop = px_prop_find(&rr->uses, part->text);
    px_str fallback;
    if (!prop && rr->uses.any_argument)
        return 0;
    if (!prop)
        return px_read_fail(r, "the input schema has no property for {" PX_FMT "}: add it there",
                            PX_ARG(part->text));
    prop->used = true;
    if (px_json_slice_get(prop->schema, PX_LIT("default"), &fallback) == 0) {
        part->fallback = px_arena_str(r->arena, fallback);
        if (!part->fallback.p)
            return px_read_no_memory(r);
    }
    return 0;
}

static int use_path(struct px_read *r, struct px_route_read *rr) {
    size_t before = px_read_enter(r, PX_LIT("path"));
    for (size_t i = 0; i < rr->route->path.n; i++) {
        struct px_path_part *part = &rr->route->path.parts[i];
        bool found = part->kind != PX_PATH_VALUE;
        int e = 0;
        if (part->kind == PX_PATH_ARG || part->kind == PX_PATH_ARGS)
            e = use_path_arg(r, rr, part);
        else if (part->kind == PX_PATH_CONFIG && !px_pointer_valid(part->text))
            e = px_read_fail(r, "\"" PX_FMT "\" is not a JSON pointer", PX_ARG(part->text));
        for (size_t j = 0; j < r->api->n_values && !found; j++) {
            found = px_str_eq(r->api->values[j].name, part->text);
            rr->uses.values |= found ? UINT32_C(1) << j : 0;
        }
        if (!found)
            e = px_read_fail(r, "the api has no value \"" PX_FMT "\": add it under \"values\"",
                             PX_ARG(part->text));
        if (e)
            return e;
    }
    px_read_leave(r, before);
    return 0;
}

static int use_one(struct px_read *r, struct px_route_read *rr, const char *key, px_str template_json,
                   unsigned allowed) {
    if (!template_json.p)
        return 0;
    size_t before = px_read_enter(r, px_str_of(key));
    rr->uses.allowed = allowed;
    rr->uses.styles = false;
    int e = px_uses_look(r, template_json, &rr->uses);
    px_read_leave(r, before);
    return e;
}

static int use_params(struct px_read *r, struct px_route_read *rr, const char *key, struct px_params *params,
                      unsigned allowed, bool styles) {
    rr->uses.allowed = allowed;
    rr->uses.styles = styles;
    return px_uses_params(r, key, params, &rr->uses);
}

static int use_all(struct px_read *r, struct px_route_read *rr) {
    struct px_route *route = rr->route;
    int e = use_path(r, rr);
    if (!e)
        e = use_one(r, rr, "url", route->url, ANY);
    if (!e)
        e = use_params(r, rr, "query", &route->query, WITH_SECRETS, true);
    if (!e)
        e = use_params(r, rr, "headers", &route->headers, WITH_SECRETS, false);
    rr->uses.secret = false;
    if (!e)
        e = use_one(r, rr, "body", route->body, WITH_SECRETS);
    if (!e)
        e = use_params(r, rr, "form", &route->form, WITH_SECRETS, true);
    route->body_secret = rr->uses.secret;
    if (!e)
        e = use_one(r, rr, "raw", route->raw_value, ANY);
    if (!e)
        e = use_one(r, rr, "raw", route->raw_type, ANY);
    if (!e)
        e = use_params(r, rr, "variables", &route->variables, WITH_CALL, false);
    route->values = rr->uses.values;
    return e;
}

/* ---- defaults ---- */

static void fill_page(struct px_page_spec *page) {
    if (page->kind == PX_PAGE_NONE)
        return;
    page->limit = page->limit ? page->limit : LIMIT;
    page->max_limit = page->max_limit ? page->max_limit : MAX_LIMIT;
    page->max_pages = page->max_pages ? page->max_pages : MAX_PAGES;
    if (page->kind == PX_PAGE_GRAPHQL) {
        if (!page->variable.p)
            page->variable = PX_LIT("after");
        if (page->size_max && !page->size_variable.p)
            page->size_variable = PX_LIT("first");
    }
}

static int fill_label(struct px_read *r, struct px_route *route, const struct px_graphql *graphql) {
    if (route->graphql) {
        route->operation = graphql->name;
        route->label = graphql->name.p ? graphql->name : PX_LIT("graphql");
    } else if (route->url.p && px_json_slice_type(route->url) == PX_JSON_STRING) {
        return px_read_key_text(r, route->url, &route->label);
    } else if (route->url.p) {
        route->label = PX_LIT("{url}");
    }
    return 0;
}

/* What a failed request may be repeated for, and which rates it counts against. */
static int fill_sending(struct px_read *r, struct px_route_read *rr) {
    struct px_route *route = rr->route;
    if (!rr->says_idempotent)
        route->idempotent =
            rr->opts->idempotent || px_str_is(route->method, "PUT") || px_str_is(route->method, "DELETE");
    if (!route->group.p)
        route->group = route->upstream->group;
    if (!route->idempotency.p) {
        route->idempotency = route->upstream->idempotency;
        route->key_hours = route->upstream->key_hours;
    }
    if (route->safe)
        route->idempotency = (px_str){0};
    route->bucket = px_arena_fmt(r->arena, PX_FMT " " PX_FMT, PX_ARG(route->method), PX_ARG(route->label));
    return route->bucket.p ? 0 : px_read_no_memory(r);
}

int px_route_resolve(struct px_read *r, struct px_route_read *rr) {
    struct px_route *route = rr->route;
    rr->uses.any_argument = rr->opts->in_code;
    int e = read_props(r, rr);
    if (e || (e = find_upstream(r, rr)) || (e = find_identity(r, rr)) || (e = use_all(r, rr)) ||
        (e = find_masked(r, rr)))
        return e;
    if (!route->method.p)
        route->method = route->graphql ? PX_LIT("POST") : PX_LIT("GET");
    route->safe |= px_str_is(route->method, "GET") || px_str_is(route->method, "HEAD") ||
                   (route->graphql && !rr->graphql->mutation);
    if (!route->at.p)
        route->at = route->graphql ? PX_LIT("/data") : PX_LIT("");
    fill_page(&route->page);
    if ((e = fill_label(r, route, rr->graphql)) || (e = fill_sending(r, rr)))
        return e;
    return rr->verify.p ? px_verify_read(r, rr) : 0;
}
