#include "route/route.h"
#include "route/read.h"

enum { ROUTE_BYTES = 4 << 20 };

/* Before the schema, whose words about oneOf say less. */
static int check_target(struct px_read *r, px_str json) {
    static const px_str names[] = {PX_LIT_INIT("path"), PX_LIT_INIT("url"), PX_LIT_INIT("graphql")};
    px_str value;
    unsigned n = 0;
    for (size_t i = 0; i < PX_COUNT(names); i++)
        n += px_json_slice_get(json, names[i], &value) == 0;
    return n == 1 ? 0
                  : px_read_fail(r, "exactly one of \"path\", \"url\" and \"graphql\" says where it leads");
}

static int compile(struct px_read *r, px_str json, struct px_route_read *rr) {
    struct px_json_scan scan;
    int e = px_json_scan(json, NULL, &scan, NULL, r->err);
    if (e)
        return px_err_prefix(r->err, e, "route: ");
    px_str text = px_arena_str(r->arena, scan.value);
    if (!text.p)
        return px_read_no_memory(r);
    if (px_json_slice_type(text) != PX_JSON_OBJECT)
        return px_read_fail(r, "expected an object");
    if (!rr->opts->vetted && ((e = check_target(r, text)) || (e = px_route_schema_check(r, false, text))))
        return e;
    if ((e = px_route_read(r, text, rr)) || (e = px_route_resolve(r, rr)))
        return e;
    e = rr->opts->vetted ? 0 : px_route_check(r, rr);
    if (rr->route->page.first == PX_PAGE_UNSAID)
        rr->route->page.first = 1;
    return e;
}

int px_route_compile(px_str json, const struct px_route_opts *opts, struct px_route **ret,
                     struct px_err *err) {
    struct px_route *route = calloc(1, sizeof *route);
    struct px_graphql graphql = {0};
    struct px_route_read rr = {.route = route, .opts = opts, .graphql = &graphql};
    struct px_read r;
    if (!route)
        return px_err_set(err, -ENOMEM, "route: out of memory");
    px_arena_init_small(&route->arena, ROUTE_BYTES);
    route->api = opts->api;
    route->read_only = opts->read_only;
    px_read_init(&r, &route->arena, "route", err);
    r.api = opts->api;
    int e = compile(&r, json, &rr);
    px_arena_finish(&rr.tmp);
    if (e) {
        px_route_destroy(route);
        return e;
    }
    *ret = route;
    return 0;
}

void px_route_destroy(struct px_route *route) {
    if (!route)
        return;
    px_verify_free(route->verify);
    px_select_destroy(route->fields);
    px_arena_finish(&route->arena);
    free(route);
}

bool px_route_safe(const struct px_route *route) {
    return route->safe;
}

/* The clock may have been set back since; not by much. */
bool px_route_repeatable(const struct px_route *route, int64_t age_ms) {
    static const int64_t hour_ms = 3600000;
    return route->safe || route->idempotent ||
           (route->idempotency.p && age_ms > -hour_ms && age_ms < route->key_hours * hour_ms);
}

bool px_route_paged(const struct px_route *route) {
    return route->page.kind != PX_PAGE_NONE;
}

bool px_route_adds(const struct px_route *route, enum px_route_add which) {
    switch (which) {
    case PX_ADDS_FIELDS:
        return (route->result == PX_RESULT_JSON || route->result == PX_RESULT_AUTO) && !route->no_fields &&
               !px_str_is(route->method, "HEAD");
    case PX_ADDS_LIMIT:
    case PX_ADDS_CURSOR: return px_route_paged(route);
    case PX_ADDS_DRY_RUN: return !route->read_only;
    }
    return false;
}

/* Short: a model pays for each of them with every tool that it is shown. */
int px_route_put_properties(const struct px_route *route, struct px_buf *to) {
    const char *between = "";
    if (px_route_adds(route, PX_ADDS_FIELDS)) {
        px_buf_text(to, "\"fields\":{\"type\":\"string\",\"description\":\"Members to return, e.g. "
                        "number,title,user/login; * for all\"}");
        between = ",";
    }
    if (px_route_adds(route, PX_ADDS_LIMIT)) {
        px_buf_addf(to, "%s\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":%u},", between,
                    route->page.max_limit);
        px_buf_text(to,
                    "\"cursor\":{\"type\":\"string\",\"description\":\"next_cursor of the previous page\"}");
        between = ",";
    }
    if (px_route_adds(route, PX_ADDS_DRY_RUN)) {
        px_buf_text(to, between);
        px_buf_text(to,
                    "\"dry_run\":{\"type\":\"boolean\",\"description\":\"Show the request, send nothing\"}");
    }
    return to->failed;
}

bool px_route_dry_run(const struct px_route *route, px_str args_json) {
    px_str value;
    return px_route_adds(route, PX_ADDS_DRY_RUN) && args_json.p &&
           px_json_slice_get(args_json, PX_LIT("dry_run"), &value) == 0 &&
           px_json_slice_type(value) == PX_JSON_TRUE;
}

bool px_route_selects(const struct px_route *route, px_str args_json) {
    px_str value;
    return px_route_adds(route, PX_ADDS_FIELDS) && args_json.p &&
           px_json_slice_get(args_json, PX_LIT("fields"), &value) == 0;
}

px_str px_route_method(const struct px_route *route) {
    return route->method;
}
px_str px_route_upstream(const struct px_route *route) {
    return route->upstream->name;
}
px_str px_route_label(const struct px_route *route) {
    return route->label;
}

void px_route_values(const struct px_route *route, bool *ret) {
    for (size_t i = 0; i < route->api->n_values; i++)
        ret[i] = route->values >> i & 1;
}
