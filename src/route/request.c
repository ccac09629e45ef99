/* A route, its site, arguments and a place in the pages become a request. */
#include "route/making.h"

enum { NUMBER_BYTES = 24 };

/* ---- the query ---- */

/* `only_secret`: into a next page's URL, which holds the others already. */
static int put_own_query(struct px_making *m, bool only_secret) {
    const struct px_params *query = &m->route->query;
    px_str json;
    for (size_t i = 0; i < query->n; i++) {
        const struct px_param *param = &query->list[i];
        if (only_secret && !param->secret)
            continue;
        if (param->secret)
            px_making_drop(m, param->name);
        if (param->secret && !m->trusted)
            return px_err_set(m->err, -EINVAL,
                              "the query holds a secret, which goes only to configured origins");
        int e = px_fill_json(&m->source, param->value, "query", param->name, &json, m->err);
        if (!e)
            e = px_param_put(&m->query, param->name, param->style, json, m->source.mask, m->err);
        if (e)
            return e;
        m->ret->url_secret |= param->secret;
    }
    return 0;
}

static void put_count(struct px_making *m, px_str name, uint64_t count) {
    struct px_buf digits;
    px_buf_init(&digits, NUMBER_BYTES);
    px_buf_u64(&digits, count);
    if (digits.failed)
        m->query.failed = digits.failed;
    else
        px_param_put_text(&m->query, name, px_buf_view(&digits), false);
    px_buf_finish(&digits);
}

static void put_page(struct px_making *m) {
    const struct px_page_spec *spec = &m->route->page;
    const struct px_page_state *page = m->page;
    if (!page)
        return;
    if (spec->size_query.p && page->size)
        put_count(m, spec->size_query, page->size);
    if (!spec->query.p)
        return;
    if (spec->kind == PX_PAGE_CURSOR && page->cursor.p)
        px_param_put_text(&m->query, spec->query, page->cursor, false);
    else if (spec->kind == PX_PAGE_NUMBER && page->started)
        put_count(m, spec->query, page->number);
    else if (spec->kind == PX_PAGE_OFFSET && page->started)
        put_count(m, spec->query, page->offset);
}

/* ---- the address ---- */

static int own_url(struct px_making *m, px_str *ret) {
    int e = px_fill_text(&m->source, m->route->url, "url", (px_str){0}, ret, m->err);
    if (!e && !ret->p)
        e = px_err_set(m->err, -EINVAL, "url: there is none: the argument that holds it is missing");
    return e;
}

/* The next page is where the upstream says, on the upstream. */
static int page_url(struct px_making *m) {
    struct px_url next, own;
    struct px_err why = {0};
    px_str origin = m->up->base.origin, text;
    int e = px_url_parse(m->arena, m->page->url, &next, &why);
    if (!e && m->route->url.p && !(e = own_url(m, &text)) && !(e = px_url_parse(m->arena, text, &own, &why)))
        origin = own.origin;
    if (e)
        return px_err_set(m->err, e == -ENOMEM ? e : -EINVAL,
                          "the next page has no URL that can be asked: %s", why.msg);
    if (!px_str_eq(next.origin, origin))
        return px_err_set(m->err, -EINVAL,
                          "the next page is at " PX_FMT ", which is not where this one came from (" PX_FMT
                          ")",
                          PX_ARG(next.origin), PX_ARG(origin));
    return px_making_url(m, next.text, "the next page");
}

static int make_address(struct px_making *m) {
    px_str text;
    if (m->page && m->page->url.p)
        return page_url(m);
    if (!m->route->url.p)
        return px_making_path(m, m->route->has_path ? &m->route->path : NULL);
    int e = own_url(m, &text);
    return e ? e : px_making_url(m, text, "this URL");
}

static int make_url(struct px_making *m) {
    int e = make_address(m);
    if (!e)
        e = px_making_credential(m);
    if (e)
        return e;
    bool next = m->page && m->page->url.p;
    px_making_upstream_query(m, &m->route->query, next);
    if ((e = put_own_query(m, next)))
        return e;
    if (!next)
        put_page(m);
    return px_making_whole_url(m);
}

/* ---- headers ---- */

static int make_headers(struct px_making *m) {
    const struct px_params *headers = &m->route->headers;
    struct px_site_param *own = px_arena_alloc(m->arena, (headers->n + 2) * sizeof *own);
    size_t n = 0;
    px_str text;
    if (!own)
        return px_err_set(m->err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < headers->n; i++) {
        const struct px_param *param = &headers->list[i];
        int e = px_fill_text(&m->source, param->value, "the header", param->name, &text, m->err);
        if (!e && text.p)
            e = px_header_value_check(text, "the header", param->name, m->err);
        if (!e && text.p && param->secret && !m->trusted)
            e = px_err_set(m->err, -EINVAL,
                           "the header " PX_FMT " holds a secret, which goes only to configured origins",
                           PX_ARG(param->name));
        if (e)
            return e;
        if (text.p)
            own[n++] = (struct px_site_param){param->name, text, param->secret};
    }
    if (m->route->idempotency.p && m->ret->key.n) {
        int e = px_header_value_check(m->ret->key, "the idempotency key", (px_str){0}, m->err);
        if (e)
            return e;
        own[n++] = (struct px_site_param){m->route->idempotency, m->ret->key, false};
        m->ret->keyed = true;
    }
    return px_making_headers(m, own, n, m->route->form.list || m->route->raw_value.p);
}

/* ---- the whole ---- */

static int make(struct px_making *m) {
    int e = make_url(m);
    if (e)
        return e;
    if (m->route->body_secret && !m->trusted)
        return px_err_set(m->err, -EINVAL, "the body holds a secret, which goes only to configured origins");
    if ((e = px_making_body(m)))
        return e;
    return make_headers(m);
}

int px_request_make_from(struct px_arena *arena, const struct px_route *route, struct px_site *site,
                         const struct px_request_from *from, struct px_route_request *ret,
                         struct px_err *err) {
    struct px_route_request request = {.method = route->method, .values = from->values, .key = from->key};
    struct px_making m;
    if (from->page)
        request.page = *from->page;
    px_making_init(&m, site, px_site_upstream_of(site, route->upstream), arena, &request, err);
    m.route = route;
    m.identity = route->identity;
    m.page = from->page;
    px_site_source_init(&m.source, site, arena, from->args_json, true, from->values);
    m.source.mask = from->mask;
    m.source.call_key = from->key;
    int e = make(&m);
    px_making_finish(&m);
    if (!e)
        *ret = request;
    return e;
}

int px_request_build(struct px_arena *arena, const struct px_route *route, struct px_site *site,
                     px_str args_json, const px_str *values, const struct px_page_state *page,
                     struct px_route_request *ret, struct px_err *err) {
    const struct px_request_from from = {.args_json = args_json, .values = values, .page = page};
    return px_request_make_from(arena, route, site, &from, ret, err);
}

void px_request_to_http(const struct px_route *route, struct px_site *site,
                        const struct px_route_request *req, struct px_http_req *ret) {
    const struct px_site_upstream *up = px_site_upstream_of(site, route->upstream);
    const struct px_upstream *decl = route->upstream;
    *ret = (struct px_http_req){
        .egress = up->egress,
        .method = req->method,
        .url = req->url,
        .headers = req->headers,
        .n_headers = req->n_headers,
        .credentials = req->credentials,
        .n_credentials = req->n_credentials,
        .url_secret = req->url_secret,
        .body = req->body,
        .redirects = route->redirects,
        .timeouts = {.total_ns = route->timeout_ns ? route->timeout_ns : decl->timeout_ns},
        .max_bytes = route->max_bytes ? route->max_bytes : decl->max_bytes,
    };
    /* A Location may repeat the query: a secret in it stays with its origin. */
    if (req->url_secret && ret->redirects == PX_HTTP_REDIRECT_ALLOWED)
        ret->redirects = PX_HTTP_REDIRECT_SAME_ORIGIN;
}
