/* What must fit together in a route: with itself, with its upstream and with the tool's input schema. */
#include "route/read.h"

static int fail_at(struct px_read *r, const char *key, const char *words) {
    px_read_enter(r, px_str_of(key));
    return px_read_fail(r, "%s", words);
}

/* ---- where and how ---- */

static int check_method(struct px_read *r, const struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    px_str method = route->method;
    if (route->graphql && !px_str_is(method, "POST"))
        return fail_at(r, "method", "GraphQL is always POST: leave it out");
    if (rr->opts->in_code) /* there is no tool that has hints */
        return 0;
    if (route->read_only && !route->safe) {
        px_read_enter(r, route->graphql ? PX_LIT("graphql") : PX_LIT("method"));
        return px_read_fail(
            r,
            PX_FMT " writes, but the tool is read-only: change its hint, or say \"safe\": true if it "
                   "only reads",
            PX_ARG(route->graphql ? PX_LIT("a mutation") : method));
    }
    if (!route->read_only && route->safe && !route->says_safe) {
        px_read_enter(r, route->graphql ? PX_LIT("graphql") : PX_LIT("method"));
        return px_read_fail(
            r, PX_FMT " only reads, but the tool is not marked read-only: set its hint, or another method",
            PX_ARG(route->graphql ? PX_LIT("a query") : method));
    }
    return 0;
}

static int check_bodies(struct px_read *r, const struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    const char *which = route->body.p ? "body" : rr->has_form ? "form" : route->raw_value.p ? "raw" : NULL;
    if (!route->graphql && route->variables.list)
        return fail_at(r, "variables", "these are for GraphQL");
    if (!which)
        return 0;
    if (route->graphql)
        return fail_at(r, which, "GraphQL has \"variables\" instead");
    if (!!route->body.p + rr->has_form + !!route->raw_value.p > 1)
        return fail_at(r, which, "only one of \"body\", \"form\" and \"raw\"");
    if (px_str_is(route->method, "GET") || px_str_is(route->method, "HEAD")) {
        px_read_enter(r, px_str_of(which));
        return px_read_fail(r, PX_FMT " has no body: set another \"method\"", PX_ARG(route->method));
    }
    if (route->body_secret && route->redirects == PX_HTTP_REDIRECT_ALLOWED)
        return fail_at(r, "redirects",
                       "a body that holds a $secret cannot follow to other origins: say same_origin");
    return 0;
}

static int check_target(struct px_read *r, struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    const struct px_upstream *up = route->upstream;
    struct px_url url;
    px_str text;
    if (!route->url.p) {
        if (up->base_url.p || up->join_upstream.p)
            return 0;
        px_read_enter(r, route->has_path ? PX_LIT("path") : PX_LIT("graphql"));
        return px_read_fail(r, "the upstream \"" PX_FMT "\" has no base_url: use \"url\", or give it one",
                            PX_ARG(up->name));
    }
    px_read_enter(r, PX_LIT("url"));
    enum px_json_type type = px_json_slice_type(route->url);
    if (type == PX_JSON_STRING) {
        int e = px_json_slice_text(&rr->tmp, route->url, &text) ? px_read_no_memory(r) : 0;
        if (!e && (e = px_url_parse(&rr->tmp, text, &url, r->err)))
            px_read_prefix(r, e);
        if (e)
            return e;
    } else if (type != PX_JSON_OBJECT || !memchr(route->url.p, '$', route->url.n)) {
        return px_read_fail(r, "expected a string, or a template of one");
    }
    px_read_leave(r, 0);
    return 0;
}

static bool has_param(const struct px_params *params, px_str name) {
    for (size_t i = 0; i < params->n; i++) {
        if (px_str_eq(params->list[i].name, name))
            return true;
    }
    return false;
}

static int check_params(struct px_read *r, const struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    const struct px_identity *identity = route->identity;
    int e = px_headers_check(r, &route->headers, identity);
    if (!e) /* the upstream's go along, and the route may have another identity than it */
        e = identity == route->upstream->identity ? 0
                                                  : px_headers_check(r, &route->upstream->headers, identity);
    if (!e)
        e = px_styles_check(r, "query", &route->query);
    if (!e)
        e = px_styles_check(r, "form", &route->form);
    if (e)
        return e;
    if (identity && identity->kind == PX_IDENTITY_API_KEY && identity->place == PX_IN_QUERY &&
        has_param(&route->query, identity->in_name)) {
        px_read_enter(r, PX_LIT("query"));
        px_read_enter(r, identity->in_name);
        return px_read_fail(r, "the identity \"" PX_FMT "\" gives this parameter: leave it out",
                            PX_ARG(identity->name));
    }
    for (size_t i = 0; i < route->headers.n; i++) {
        px_str name = route->headers.list[i].name;
        if (route->raw_type.p && px_str_eq_nocase(name, PX_LIT("content-type")))
            return fail_at(r, "headers/Content-Type", "\"raw\" has a \"type\" already");
    }
    return 0;
}

static int check_result(struct px_read *r, const struct px_route *route) {
    bool json = route->result == PX_RESULT_JSON || route->result == PX_RESULT_AUTO;
    if (route->fields && !json)
        return fail_at(r, "fields", "only JSON has fields: change result.kind");
    if (!json && (route->items.p || route->n_keep || route->decode_at.p || route->at.n))
        return fail_at(r, "result", "\"at\", \"items\", \"keep\" and \"decode\" are for results of JSON");
    if (route->tail && route->result != PX_RESULT_TEXT)
        return fail_at(r, "result/tail", "only text has an end that could be shown alone: set result.kind");
    if (route->graphql && route->result != PX_RESULT_JSON && route->result != PX_RESULT_NONE)
        return fail_at(r, "result/kind", "GraphQL answers in JSON");
    for (size_t i = 0; i < route->n_keep; i++) {
        if (!route->keep[i].n)
            return fail_at(r, "result/keep", "\"\" has no name by which it could be shown");
    }
    return 0;
}

/* ---- pages ---- */

static int check_page_place(struct px_read *r, const struct px_route_read *rr) {
    const struct px_page_spec *page = &rr->route->page;
    bool graphql = page->kind == PX_PAGE_GRAPHQL, link = page->kind == PX_PAGE_LINK;
    if (graphql != rr->route->graphql)
        return fail_at(r, "kind",
                       graphql ? "graphql is for routes of GraphQL"
                               : "pages of GraphQL are of the kind graphql");
    if (link && (page->at.p || page->header.p || page->query.p || page->body.p || page->more.p))
        return px_read_fail(r,
                            "link needs nothing but \"size\": the next page is where the Link header says");
    if (graphql && (page->header.p || page->query.p || page->body.p || page->more.p))
        return px_read_fail(r, "graphql has \"at\" (of pageInfo) and \"variable\"");
    if (!graphql && page->variable.p)
        return fail_at(r, "variable", "it is for the kind graphql");
    if (!link && !graphql && !page->query.p == !page->body.p)
        return px_read_fail(r, "say \"query\" or \"body\": where the next request says which page it wants");
    if (graphql && !page->at.p)
        return px_read_fail(r, "\"at\" must say where pageInfo stands, below result.at");
    if (page->kind == PX_PAGE_CURSOR && !page->at.p == !page->header.p)
        return px_read_fail(r, "say \"at\" or \"header\": where an answer holds the next cursor");
    if ((page->kind == PX_PAGE_NUMBER || page->kind == PX_PAGE_OFFSET) && (page->at.p || page->header.p))
        return px_read_fail(
            r, "\"at\" and \"header\" are for the kinds cursor and graphql: pages and offsets are counted");
    if (page->first != PX_PAGE_UNSAID && page->kind != PX_PAGE_NUMBER)
        return fail_at(r, "first", "it is for the kind page");
    return 0;
}

static int check_page_size(struct px_read *r, const struct px_route_read *rr) {
    const struct px_page_spec *page = &rr->route->page;
    bool graphql = page->kind == PX_PAGE_GRAPHQL;
    if (page->limit > page->max_limit)
        return fail_at(r, "limit", "it is above max_limit");
    if (!page->size_max)
        return 0;
    if (graphql ? page->size_query.p || page->size_body.p : page->size_variable.p != NULL)
        return fail_at(r, "size",
                       graphql ? "GraphQL takes it in a \"variable\""
                               : "\"variable\" is for the kind graphql");
    if (!graphql && !page->size_query.p == !page->size_body.p)
        return fail_at(r, "size", "say \"query\" or \"body\": the parameter that takes it");
    return 0;
}

static int check_page_names(struct px_read *r, const struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    const struct px_page_spec *page = &route->page;
    const px_str queries[] = {page->query, page->size_query};
    if ((page->body.p || page->size_body.p) &&
        (rr->has_form || route->raw_value.p || px_str_is(route->method, "GET") ||
         px_str_is(route->method, "HEAD")))
        return px_read_fail(r, "\"body\" needs a request with a JSON body");
    if ((page->body.p && !page->body.n) || (page->size_body.p && !page->size_body.n))
        return px_read_fail(r, "\"body\" must name a member of the body: \"/cursor\"");
    for (size_t i = 0; i < PX_COUNT(queries); i++) {
        if (queries[i].p && has_param(&route->query, queries[i]))
            return px_read_fail(r, "the host sets the parameter \"" PX_FMT "\": take it out of \"query\"",
                                PX_ARG(queries[i]));
    }
    return 0;
}

static int check_page(struct px_read *r, struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    size_t before = px_read_enter(r, PX_LIT("page"));
    if (route->page.kind == PX_PAGE_NONE)
        return px_read_leave(r, before), 0;
    if (!route->safe)
        return px_read_fail(r, "only what reads has pages");
    if (route->result != PX_RESULT_JSON)
        return px_read_fail(r, "pages are of JSON: change result.kind");
    int e = check_page_place(r, rr);
    if (!e)
        e = check_page_size(r, rr);
    if (!e)
        e = check_page_names(r, rr);
    if (!e)
        px_read_leave(r, before);
    return e;
}

/* ---- GraphQL ---- */

static const struct px_graphql_var *var_find(const struct px_graphql *graphql, px_str name) {
    for (size_t i = 0; i < graphql->n_vars; i++) {
        if (px_str_eq(graphql->vars[i].name, name))
            return &graphql->vars[i];
    }
    return NULL;
}

static int check_graphql(struct px_read *r, struct px_route_read *rr) {
    const struct px_route *route = rr->route;
    const struct px_page_spec *page = &route->page;
    px_str by_page[2] = {{0}};
    if (!route->graphql)
        return 0;
    if (page->kind == PX_PAGE_GRAPHQL) {
        by_page[0] = page->variable;
        by_page[1] = page->size_variable;
    }
    for (size_t i = 0; i < route->variables.n; i++) {
        px_str name = route->variables.list[i].name;
        px_read_enter(r, PX_LIT("variables"));
        px_read_enter(r, name);
        if (!var_find(rr->graphql, name))
            return px_read_fail(r, "the operation does not declare $" PX_FMT, PX_ARG(name));
        if (px_str_eq(name, by_page[0]) || px_str_eq(name, by_page[1]))
            return px_read_fail(r, "the host sets this variable for pages: leave it out");
        px_read_leave(r, 0);
    }
    for (size_t i = 0; i < PX_COUNT(by_page); i++) {
        if (by_page[i].p && !var_find(rr->graphql, by_page[i])) {
            px_read_enter(r, PX_LIT("page"));
            return px_read_fail(r, "the operation does not declare $" PX_FMT, PX_ARG(by_page[i]));
        }
    }
    for (size_t i = 0; i < rr->graphql->n_vars; i++) {
        const struct px_graphql_var *var = &rr->graphql->vars[i];
        if (var->has_default || has_param(&route->variables, var->name) || px_str_eq(var->name, by_page[0]) ||
            px_str_eq(var->name, by_page[1]))
            continue;
        px_read_enter(r, PX_LIT("graphql"));
        return px_read_fail(
            r, "nothing gives $" PX_FMT ": add it to \"variables\", or a default to the operation",
            PX_ARG(var->name));
    }
    return 0;
}

/* ---- arguments ---- */

static bool is_path_type(px_str type) {
    return px_json_slice_is(type, PX_LIT("string")) || px_json_slice_is(type, PX_LIT("integer")) ||
           px_json_slice_is(type, PX_LIT("boolean"));
}

/* Whether what the schema lets through can be a segment. */
static bool fits_path(px_str schema) {
    uint64_t pos = 0;
    px_str type, one;
    bool any = false;
    if (px_json_slice_get(schema, PX_LIT("type"), &type)) {
        if (px_json_slice_get(schema, PX_LIT("const"), &one) == 0)
            return px_json_slice_type(one) <= PX_JSON_STRING && px_json_slice_type(one) > PX_JSON_NULL;
        if (px_json_slice_get(schema, PX_LIT("enum"), &type) || px_json_slice_type(type) != PX_JSON_ARRAY)
            return false;
        while (px_json_slice_next(type, &pos, NULL, &one) > 0) {
            if (px_json_slice_type(one) > PX_JSON_STRING || px_json_slice_type(one) <= PX_JSON_NULL)
                return false;
        }
        return true;
    }
    if (px_json_slice_type(type) == PX_JSON_STRING)
        return is_path_type(type);
    if (px_json_slice_type(type) != PX_JSON_ARRAY)
        return false;
    while (px_json_slice_next(type, &pos, NULL, &one) > 0) {
        if (px_json_slice_type(one) != PX_JSON_STRING || !is_path_type(one))
            return false;
        any = true;
    }
    return any;
}

static int check_path_args(struct px_read *r, const struct px_route_read *rr) {
    size_t before = px_read_enter(r, PX_LIT("path"));
    for (size_t i = 0; i < rr->route->path.n; i++) {
        const struct px_path_part *part = &rr->route->path.parts[i];
        if (part->kind != PX_PATH_ARG && part->kind != PX_PATH_ARGS)
            continue;
        const struct px_prop *prop = px_prop_find(&rr->uses, part->text);
        if (!prop->required && !part->fallback.p)
            return px_read_fail(
                r, "the argument \"" PX_FMT "\" must be required by the input schema, or have a \"default\"",
                PX_ARG(part->text));
        if (!fits_path(prop->schema))
            return px_read_fail(r, "the argument \"" PX_FMT "\" must be of type string, integer or boolean",
                                PX_ARG(part->text));
    }
    px_read_leave(r, before);
    return 0;
}

static int check_props(struct px_read *r, const struct px_route_read *rr) {
    static const px_str added[] = {[PX_ADDS_FIELDS] = PX_LIT_INIT("fields"),
                                   [PX_ADDS_LIMIT] = PX_LIT_INIT("limit"),
                                   [PX_ADDS_CURSOR] = PX_LIT_INIT("cursor"),
                                   [PX_ADDS_DRY_RUN] = PX_LIT_INIT("dry_run")};
    for (size_t i = 0; i < rr->uses.n_props; i++) {
        const struct px_prop *prop = &rr->uses.props[i];
        for (size_t j = 0; j < PX_COUNT(added); j++) {
            if (px_str_eq(prop->name, added[j]) && px_route_adds(rr->route, (enum px_route_add)j))
                return px_read_fail(
                    r, "the host adds the argument \"" PX_FMT "\" itself: rename it in the input schema",
                    PX_ARG(prop->name));
        }
        if (!prop->used)
            return px_read_fail(r,
                                "the argument \"" PX_FMT
                                "\" of the input schema is not used: put it into path, query, "
                                "headers, body, form, raw, url or variables",
                                PX_ARG(prop->name));
    }
    return 0;
}

int px_route_check(struct px_read *r, struct px_route_read *rr) {
    int e = check_method(r, rr);
    if (e || (e = check_target(r, rr)) || (e = check_bodies(r, rr)) || (e = check_params(r, rr)) ||
        (e = check_result(r, rr->route)) || (e = check_page(r, rr)) || (e = check_graphql(r, rr)))
        return e;
    if (rr->opts->in_code) /* any arguments may come */
        return 0;
    e = check_path_args(r, rr);
    return e ? e : check_props(r, rr);
}
