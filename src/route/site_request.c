/* Requests started in code: an upstream's address, headers and credentials, with what the code says over them. */
#include "base/id.h"
#include "route/making.h"
#include "route/read.h"
#include "route/send.h"

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

/* For the attempts of this one request. */
static px_str own_key(struct px_arena *arena) {
    char id[PX_ID_SIZE];
    px_id_make(id);
    return px_arena_str(arena, px_str_of(id));
}

static int headers(struct px_making *m, const struct px_site_request *req) {
    bool safe =
        req->safe || !req->method.n || px_str_is(req->method, "GET") || px_str_is(req->method, "HEAD");
    px_str key = safe ? (px_str){0} : m->up->decl->idempotency;
    struct px_site_param *own = px_arena_alloc(m->arena, (req->n_headers + 2) * sizeof *own);
    size_t n = 0;
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
        own[n++] = (struct px_site_param){pair->name, pair->value, false};
        m->ret->keyed |= key.p && px_str_eq_nocase(key, pair->name);
    }
    if (key.p && !m->ret->keyed) {
        px_str text = req->idempotency_key.n ? req->idempotency_key : own_key(m->arena);
        int e = px_header_value_check(text, "the idempotency key", (px_str){0}, m->err);
        if (e)
            return e;
        own[n++] = (struct px_site_param){key, text, false};
        m->ret->keyed = true;
    }
    return px_making_headers(m, own, n, req->content_type.p != NULL);
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

/* ---- sending ---- */

/* What a request of code is while it runs; all of it is in its scope. */
struct asked {
    struct px_op op; /* what the caller holds */
    struct px_send send;
    struct px_arena *arena; /* the scope's */
    struct px_route route;  /* the rules that judge it: none of its own */
    struct px_route_request made;
    struct px_http_req http;
    const struct px_site_request_sink *sink;
    struct px_route_sink classify;
    void *user;
};

static void on_ended(void *user, const struct px_send_end *end) {
    struct asked *asked = user;
    px_op_done(&asked->op);
    asked->sink->ended(asked->user, end->result, end->error);
}

static void on_event(void *user, const struct px_http_ev *ev) {
    struct asked *asked = user;
    asked->sink->event(asked->user, ev);
}

static const struct px_send_sink send_sink = {.ended = on_ended, .event = on_event};

static void cancel(struct px_op *op) {
    struct asked *asked = px_container_of(op, struct asked, op);
    struct px_op *send = &asked->send.op;
    px_op_cancel(&send);
}

static const struct px_op_kind kind = {"route/request", cancel};

void px_site_request_pause(struct px_op *op, bool paused) {
    px_send_pause(&px_container_of(op, struct asked, op)->send, paused);
}

static int find_identity(struct px_making *m, const struct px_site_request *req) {
    const struct px_api *api = m->site->opts.api;
    m->identity = req->no_identity ? NULL : m->up->decl->identity;
    if (!req->identity.p || req->no_identity)
        return 0;
    for (size_t i = 0; i < api->n_identities; i++) {
        m->identity = &api->identities[i];
        if (px_str_eq(m->identity->name, req->identity))
            return 0;
    }
    return px_err_set(m->err, -ENOENT, "there is no identity \"" PX_FMT "\"", PX_ARG(req->identity));
}

/* The rules and rates that hold for it. */
static int fill_route(struct asked *asked, struct px_site *site, const struct px_upstream *decl,
                      const struct px_site_request *req) {
    static const px_str get = PX_LIT_INIT("GET");
    px_str method = req->method.n ? req->method : get, path = req->path.n ? req->path : PX_LIT("{url}");
    struct px_route *route = &asked->route;
    route->api = site->opts.api;
    route->upstream = decl;
    route->method = px_arena_str(asked->arena, method);
    route->safe = req->safe || px_str_is(method, "GET") || px_str_is(method, "HEAD");
    route->idempotent = px_str_is(method, "PUT") || px_str_is(method, "DELETE");
    route->group = px_arena_str(asked->arena, req->group.n ? req->group : decl->group);
    route->idempotency = route->safe ? (px_str){0} : decl->idempotency;
    route->bucket = px_arena_fmt(asked->arena, PX_FMT " " PX_FMT, PX_ARG(method), PX_ARG(path));
    return route->method.p && route->bucket.p ? 0 : -ENOMEM;
}

static px_str copy(struct px_arena *arena, px_str text, bool *ok) {
    px_str own = px_arena_str(arena, text);
    *ok = *ok && (own.p || !text.p);
    return own;
}

/* What was borrowed of the plugin, or of the site's making, must be there for the next attempt. */
static int own_all(struct asked *asked, const struct px_site_request *req, struct px_send_opts *opts) {
    struct px_arena *arena = asked->arena;
    struct px_http_req *http = &asked->http;
    bool ok = true;
    http->method = asked->route.method;
    http->body = copy(arena, http->body, &ok);
    for (size_t i = 0; i < http->n_headers; i++) {
        px_pair *pair = &asked->made.headers[i];
        *pair = (px_pair){copy(arena, pair->name, &ok), copy(arena, pair->value, &ok)};
    }
    opts->principal = copy(arena, req->principal, &ok);
    opts->owner = copy(arena, px_send_owner(asked->made.fresh, arena, req->args_json), &ok);
    return ok ? 0 : -ENOMEM;
}

static int begin(struct asked *asked, struct px_site *site, struct px_scope *scope,
                 const struct px_site_request *req, struct px_err *err) {
    struct px_send_opts opts = {.site = site,
                                .route = &asked->route,
                                .req = &asked->http,
                                .credentials = asked->made.credentials,
                                .fresh = asked->made.fresh,
                                .arena = asked->arena,
                                .label = asked->route.bucket,
                                .group = asked->route.group,
                                .cost = req->cost,
                                .keyed = asked->made.keyed,
                                .deadline_ns = req->deadline_ns,
                                .classify = &asked->classify,
                                .classify_user = asked->user};
    if (own_all(asked, req, &opts))
        return px_err_set(err, -ENOMEM, "out of memory");
    int e = px_op_begin(&asked->op, &kind, scope);
    if (e)
        return px_err_errno(err, e, "the request cannot start");
    if ((e = px_send_start(&asked->send, scope, &opts, &send_sink, asked, err)))
        px_op_done(&asked->op);
    return e;
}

static struct px_site_upstream *find_upstream(struct px_site *site, px_str name) {
    const struct px_api *api = site->opts.api;
    for (size_t i = 0; i < api->n_upstreams; i++) {
        if (!name.p || px_str_eq(api->upstreams[i].name, name))
            return &site->upstreams[i];
    }
    return NULL;
}

int px_site_request(struct px_site *site, struct px_scope *scope, const struct px_site_request *req,
                    const struct px_site_request_sink *sink, void *user, struct px_op **ret_op,
                    struct px_err *err) {
    struct px_site_upstream *up = find_upstream(site, req->upstream);
    struct px_making m;
    if (!up)
        return px_err_set(err, -ENOENT, "there is no upstream \"" PX_FMT "\"", PX_ARG(req->upstream));
    struct asked *asked = px_scope_alloc(scope, sizeof *asked);
    if (!asked)
        return px_err_set(err, -ENOMEM, "out of memory");
    asked->sink = sink;
    asked->user = user;
    asked->classify.classify = sink->classify;
    asked->arena = &scope->arena;
    px_making_init(&m, site, up, asked->arena, &asked->made, err);
    px_site_source_init(&m.source, site, asked->arena, req->args_json, false, NULL);
    int e = fill_route(asked, site, up->decl, req) ? px_err_set(err, -ENOMEM, "out of memory") : 0;
    if (!e)
        e = find_identity(&m, req);
    if (!e)
        e = make(&m, req);
    if (!e) {
        to_http(&m, req, &asked->http);
        e = begin(asked, site, scope, req, err);
    }
    px_making_finish(&m);
    if (!e && ret_op)
        *ret_op = &asked->op;
    return e;
}
