/* route.json -> px_route: shapes only. What fits together is looked at by route_check.c. */
#include "route/read.h"

#define R(member)  offsetof(struct px_route, member)
#define RR(member) offsetof(struct px_route_read, member)

/* Members of the route itself, reached through px_route_read. */
static int one(struct px_read *r, struct px_route_read *rr, enum px_read_kind kind, size_t offset,
               const char *const *names, px_str value) {
    const struct px_read_key key = {.kind = kind, .offset = offset, .names = names};
    return px_read_value(r, &key, value, rr->route);
}

static int read_identity(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key text = {.kind = PX_READ_TEXT, .offset = RR(identity)};
    struct px_route_read *rr = into;
    rr->no_identity = px_json_slice_type(value) == PX_JSON_NULL;
    return rr->no_identity ? 0 : px_read_value(r, &text, value, rr);
}

static int read_method(struct px_read *r, void *into, px_str value) {
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
    struct px_route_read *rr = into;
    int which = 0;
    const struct px_read_key key = {.kind = PX_READ_ENUM, .names = methods};
    int e = px_read_value(r, &key, value, &which);
    rr->route->method = px_str_of(methods[which]);
    rr->has_method = true;
    return e;
}

static int read_safe(struct px_read *r, void *into, px_str value) {
    struct px_route *route = ((struct px_route_read *)into)->route;
    int e = one(r, into, PX_READ_BOOL, R(safe), NULL, value);
    route->says_safe = route->safe;
    return e;
}

static int read_path(struct px_read *r, void *into, px_str value) {
    struct px_route_read *rr = into;
    int e = one(r, rr, PX_READ_TEXT, R(label), NULL, value);
    if (e)
        return e;
    rr->route->has_path = true;
    e = px_path_parse(r->arena, rr->route->label, &rr->route->path, r->err);
    return e ? px_read_prefix(r, e) : 0;
}

static int read_url(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_JSON, R(url), NULL, value);
}
static int read_query(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_STYLED, R(query), NULL, value);
}
static int read_headers(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_PARAMS, R(headers), NULL, value);
}
static int read_body(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_JSON, R(body), NULL, value);
}
static int read_form(struct px_read *r, void *into, px_str value) {
    struct px_route_read *rr = into;
    rr->has_form = true;
    return one(r, into, PX_READ_STYLED, R(form), NULL, value);
}

static int read_raw(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "value", .kind = PX_READ_JSON, .offset = R(raw_value)},
        {.name = "base64", .kind = PX_READ_BOOL, .offset = R(raw_base64)},
        {.name = "type", .kind = PX_READ_JSON, .offset = R(raw_type)},
    };
    struct px_route *route = ((struct px_route_read *)into)->route;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), route);
    return !e && !route->raw_value.p ? px_read_fail(r, "needs a \"value\"") : e;
}

static int read_graphql(struct px_read *r, void *into, px_str value) {
    struct px_route_read *rr = into;
    struct px_arena tmp;
    px_str text;
    if (px_json_slice_type(value) != PX_JSON_STRING)
        return px_read_fail(r, "expected a string");
    rr->route->graphql = true;
    rr->route->graphql_json = value;
    px_arena_init(&tmp, 4 * value.n + 4096);
    int e = px_json_slice_text(&tmp, value, &text) ? px_read_no_memory(r) : 0;
    if (!e && (e = px_graphql_read(r->arena, text, rr->graphql, r->err)))
        px_read_prefix(r, e);
    /* The names point into the text that goes away. */
    for (size_t i = 0; i < rr->graphql->n_vars && !e; i++) {
        rr->graphql->vars[i].name = px_arena_str(r->arena, rr->graphql->vars[i].name);
        if (!rr->graphql->vars[i].name.p)
            e = px_read_no_memory(r);
    }
    if (!e && rr->graphql->name.p && !(rr->graphql->name = px_arena_str(r->arena, rr->graphql->name)).p)
        e = px_read_no_memory(r);
    px_arena_finish(&tmp);
    return e;
}

static int read_variables(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_PARAMS, R(variables), NULL, value);
}

/* ---- result ---- */

static int read_keep(struct px_read *r, void *into, px_str value) {
    struct px_route *route = into;
    return px_read_pointers(r, value, &route->keep, &route->n_keep);
}
static int read_decode(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "at", .kind = PX_READ_POINTER, .offset = R(decode_at)},
        {.name = "to", .kind = PX_READ_TEXT, .offset = R(decode_to)},
    };
    struct px_route *route = into;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), route);
    return !e && !route->decode_at.p ? px_read_fail(r, "needs \"at\"") : e;
}

static int read_result(struct px_read *r, void *into, px_str value) {
    static const char *const kinds[] = {"json", "text", "binary", "none", "auto", NULL};
    static const struct px_read_key keys[] = {
        {.name = "kind", .kind = PX_READ_ENUM, .offset = R(result), .names = kinds},
        {.name = "tail", .kind = PX_READ_BOOL, .offset = R(tail)},
        {.name = "at", .kind = PX_READ_POINTER, .offset = R(at)},
        {.name = "items", .kind = PX_READ_POINTER, .offset = R(items)},
        {.name = "keep", .kind = PX_READ_WITH, .read = read_keep},
        {.name = "decode", .kind = PX_READ_WITH, .read = read_decode},
    };
    return px_read_object(r, value, keys, PX_COUNT(keys), ((struct px_route_read *)into)->route);
}

/* ---- pages ---- */

#define P(member) offsetof(struct px_page_spec, member)

static int read_page_kind(struct px_read *r, void *into, px_str value) {
    static const char *const kinds[] = {"link", "cursor", "page", "offset", "graphql", NULL};
    struct px_page_spec *page = into;
    int which = 0;
    const struct px_read_key key = {.kind = PX_READ_ENUM, .names = kinds};
    int e = px_read_value(r, &key, value, &which);
    page->kind = (enum px_page_kind)(which + PX_PAGE_LINK);
    return e;
}
static int read_size(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "query", .kind = PX_READ_TEXT, .offset = P(size_query)},
        {.name = "body", .kind = PX_READ_POINTER, .offset = P(size_body)},
        {.name = "variable", .kind = PX_READ_TEXT, .offset = P(size_variable)},
        {.name = "max", .kind = PX_READ_U32, .offset = P(size_max)},
    };
    struct px_page_spec *page = into;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), into);
    return !e && !page->size_max ? px_read_fail(r, "needs \"max\", the most items that a page may have") : e;
}

static int read_page(struct px_read *r, void *into, px_str value) {
    static const struct px_read_key keys[] = {
        {.name = "kind", .kind = PX_READ_WITH, .read = read_page_kind},
        {.name = "at", .kind = PX_READ_POINTER, .offset = P(at)},
        {.name = "header", .kind = PX_READ_LOWER, .offset = P(header)},
        {.name = "query", .kind = PX_READ_TEXT, .offset = P(query)},
        {.name = "body", .kind = PX_READ_POINTER, .offset = P(body)},
        {.name = "variable", .kind = PX_READ_TEXT, .offset = P(variable)},
        {.name = "first", .kind = PX_READ_U32, .offset = P(first)},
        {.name = "more", .kind = PX_READ_POINTER, .offset = P(more)},
        {.name = "size", .kind = PX_READ_WITH, .read = read_size},
        {.name = "limit", .kind = PX_READ_U32, .offset = P(limit)},
        {.name = "max_limit", .kind = PX_READ_U32, .offset = P(max_limit)},
        {.name = "max_pages", .kind = PX_READ_U32, .offset = P(max_pages)},
    };
    struct px_page_spec *page = &((struct px_route_read *)into)->route->page;
    page->first = PX_PAGE_UNSAID;
    int e = px_read_object(r, value, keys, PX_COUNT(keys), page);
    return !e && page->kind == PX_PAGE_NONE ? px_read_fail(r, "needs a \"kind\"") : e;
}

/* ---- the rest ---- */

static int read_fields(struct px_read *r, void *into, px_str value) {
    struct px_route *route = ((struct px_route_read *)into)->route;
    route->no_fields = px_json_slice_type(value) == PX_JSON_FALSE;
    if (route->no_fields)
        return 0;
    int e = one(r, into, PX_READ_TEXT, R(fields_text), NULL, value);
    if (!e && (e = px_select_compile(route->fields_text, &route->fields, r->err)))
        px_read_prefix(r, e);
    return e;
}
static int read_errors(struct px_read *r, void *into, px_str value) {
    return px_read_rules(r, value, &((struct px_route_read *)into)->route->errors);
}
static int read_redirects(struct px_read *r, void *into, px_str value) {
    static const char *const names[] = {[PX_HTTP_REDIRECT_SAME_ORIGIN] = "same_origin",
                                        [PX_HTTP_REDIRECT_NONE] = "none",
                                        [PX_HTTP_REDIRECT_ALLOWED] = "allowed",
                                        NULL};
    return one(r, into, PX_READ_ENUM, R(redirects), names, value);
}
static int read_timeout(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_MS, R(timeout_ns), NULL, value);
}
static int read_max_bytes(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_U64, R(max_bytes), NULL, value);
}

static int read_group(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_TEXT, R(group), NULL, value);
}
static int read_cost(struct px_read *r, void *into, px_str value) {
    return one(r, into, PX_READ_U32, R(cost), NULL, value);
}
static int read_idempotent(struct px_read *r, void *into, px_str value) {
    struct px_route_read *rr = into;
    rr->says_idempotent = true;
    return one(r, into, PX_READ_BOOL, R(idempotent), NULL, value);
}
static int read_idempotency(struct px_read *r, void *into, px_str value) {
    struct px_route *route = ((struct px_route_read *)into)->route;
    return px_read_idempotency(r, value, &route->idempotency, &route->key_hours);
}
static int read_verify(struct px_read *r, void *into, px_str value) {
    struct px_route_read *rr = into;
    rr->verify = value;
    return px_json_slice_type(value) == PX_JSON_OBJECT ? 0 : px_read_fail(r, "expected an object");
}

static const struct px_read_key route_keys[] = {
    {.name = "upstream", .kind = PX_READ_TEXT, .offset = RR(upstream)},
    {.name = "identity", .kind = PX_READ_WITH, .read = read_identity},
    {.name = "method", .kind = PX_READ_WITH, .read = read_method},
    {.name = "safe", .kind = PX_READ_WITH, .read = read_safe},
    {.name = "path", .kind = PX_READ_WITH, .read = read_path},
    {.name = "url", .kind = PX_READ_WITH, .read = read_url},
    {.name = "query", .kind = PX_READ_WITH, .read = read_query},
    {.name = "headers", .kind = PX_READ_WITH, .read = read_headers},
    {.name = "body", .kind = PX_READ_WITH, .read = read_body},
    {.name = "form", .kind = PX_READ_WITH, .read = read_form},
    {.name = "raw", .kind = PX_READ_WITH, .read = read_raw},
    {.name = "graphql", .kind = PX_READ_WITH, .read = read_graphql},
    {.name = "variables", .kind = PX_READ_WITH, .read = read_variables},
    {.name = "result", .kind = PX_READ_WITH, .read = read_result},
    {.name = "page", .kind = PX_READ_WITH, .read = read_page},
    {.name = "fields", .kind = PX_READ_WITH, .read = read_fields},
    {.name = "errors", .kind = PX_READ_WITH, .read = read_errors},
    {.name = "group", .kind = PX_READ_WITH, .read = read_group},
    {.name = "cost", .kind = PX_READ_WITH, .read = read_cost},
    {.name = "idempotent", .kind = PX_READ_WITH, .read = read_idempotent},
    {.name = "idempotency", .kind = PX_READ_WITH, .read = read_idempotency},
    {.name = "verify", .kind = PX_READ_WITH, .read = read_verify},
    {.name = "redirects", .kind = PX_READ_WITH, .read = read_redirects},
    {.name = "timeout_ms", .kind = PX_READ_WITH, .read = read_timeout},
    {.name = "max_bytes", .kind = PX_READ_WITH, .read = read_max_bytes},
};

int px_route_read(struct px_read *r, px_str json, struct px_route_read *rr) {
    return px_read_object(r, json, route_keys, PX_COUNT(route_keys), rr);
}
