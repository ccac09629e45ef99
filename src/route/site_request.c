/* Requests started in code: an upstream's address, headers and credentials, with what the code says over them. */
#include "route/making.h"
#include "route/read.h"

enum { REQUEST_BYTES = 32 << 20 };

/* One that may not be asked is refused by the client: its words reach whoever waits for the answer, who may have been given
 * the URL by someone else. */
static int own_url(struct px_making *m, px_str text) {
    struct px_url url;
    struct px_err ignored;
    int e = px_url_parse(m->arena, text, &url, &ignored);
    if (e == -ENOMEM)
        return px_err_set(m->err, e, "out of memory");
    m->trusted = !e && px_egress_configured(m->up->egress, &url);
    px_buf_str(&m->url, e ? text : url.text);
    return 0;
}

static int address(struct px_making *m, const struct px_site_request *req) {
    struct px_path path;
    if (req->url.p)
        return own_url(m, req->url);
    int e = px_path_parse(m->arena, req->path.p ? req->path : PX_LIT(""), &path, m->err);
    if (e)
        return px_err_prefix(m->err, e, "path: ");
    for (size_t i = 0; i < path.n; i++) {
        if (path.parts[i].kind == PX_PATH_VALUE)
            return px_err_set(m->err, -EINVAL,
                              "path: {value:" PX_FMT "} is for routes: give the value as an argument",
                              PX_ARG(path.parts[i].text));
    }
    return px_making_path(m, &path);
}

static int headers(struct px_making *m, const struct px_site_request *req) {
    struct px_site_param *own = px_arena_alloc(m->arena, (req->n_headers + 1) * sizeof *own);
    if (!own)
        return px_err_set(m->err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < req->n_headers; i++) {
        const px_pair *pair = &req->headers[i];
        if (px_header_is_the_hosts(pair->name))
            return px_err_set(m->err, -EINVAL, "the header " PX_FMT " belongs to the host",
                              PX_ARG(pair->name));
        int e = px_header_value_check(pair->value, "the header", pair->name, m->err);
        if (e)
            return e;
        own[i] = (struct px_site_param){pair->name, pair->value, false};
    }
    return px_making_headers(m, own, req->n_headers, req->content_type.p != NULL);
}

static int make(struct px_making *m, const struct px_site_request *req) {
    int e = address(m, req);
    if (e)
        return e;
    if ((e = px_making_credential(m)))
        return e == -ENOENT ? (m->err ? m->err->code = -EACCES : 0, -EACCES) : e;
    px_making_upstream_query(m, NULL, false);
    m->ret->body = req->body;
    m->ret->content_type = req->content_type.p ? req->content_type : PX_LIT("application/json");
    if ((e = px_making_whole_url(m)))
        return e;
    return headers(m, req);
}

static void to_http(const struct px_making *m, const struct px_site_request *req, struct px_http_req *ret) {
    const struct px_upstream *decl = m->up->decl;
    *ret = (struct px_http_req){
        .egress = m->up->egress,
        .method = req->method.p ? req->method : PX_LIT("GET"),
        .url = m->ret->url,
        .headers = m->ret->headers,
        .n_headers = m->ret->n_headers,
        .credentials = m->ret->credentials,
        .n_credentials = m->ret->n_credentials,
        .url_secret = m->ret->url_secret,
        .body = req->body,
        .frame = req->frame,
        .redirects = req->redirects,
        .max_redirects = req->max_redirects,
        .timeouts = req->timeouts,
        .max_bytes = req->max_bytes,
    };
    if (req->frame == PX_HTTP_WHOLE) {
        ret->timeouts.total_ns = req->timeouts.total_ns ? req->timeouts.total_ns : decl->timeout_ns;
        ret->max_bytes = req->max_bytes ? req->max_bytes : decl->max_bytes;
    }
    if (m->ret->url_secret && ret->redirects == PX_HTTP_REDIRECT_ALLOWED)
        ret->redirects = PX_HTTP_REDIRECT_SAME_ORIGIN;
}

int px_site_request(struct px_site *site, struct px_scope *scope, const struct px_site_request *req,
                    px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    const struct px_api *api = site->opts.api;
    struct px_site_upstream *up = NULL;
    struct px_route_request made = {0};
    struct px_http_req http;
    struct px_making m;
    struct px_arena arena;
    for (size_t i = 0; i < api->n_upstreams && !up; i++) {
        if (!req->upstream.p || px_str_eq(api->upstreams[i].name, req->upstream))
            up = &site->upstreams[i];
    }
    if (!up)
        return px_err_set(err, -ENOENT, "there is no upstream \"" PX_FMT "\"", PX_ARG(req->upstream));
    px_arena_init(&arena, REQUEST_BYTES);
    px_making_init(&m, site, up, &arena, &made, err);
    m.identity = req->no_identity ? NULL : up->decl->identity;
    px_site_source_init(&m.source, site, &arena, req->args_json, false, NULL);
    int e = make(&m, req);
    if (!e) {
        to_http(&m, req, &http);
        e = site->opts.transport.start(site->opts.transport.ctx, scope, &http, cb, user, ret_op, err);
    }
    px_making_finish(&m);
    px_arena_finish(&arena);
    return e;
}
