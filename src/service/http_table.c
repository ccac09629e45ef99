/* HTTP as plugins see it: requests of their own, to the api's upstreams. What runs beneath has a scope of its own, so that all
 * of it goes when the operation does. */
#include "base/log.h"
#include "service/http_routes.h"
#include <errno.h>

enum { PER_SERVICE = 256, HEADERS_MAX = 256, BYTES_MAX = 64 << 20, REQUEST_MEMORY = 160 << 20 };

struct http_op {
    struct px_host_op_ref ref;
    struct px_scope *scope; /* of what runs beneath */
    struct px_op *inner;
    struct px_host_route *route; /* held; NULL: a plain request */
    const struct px_run *run;    /* the call that it is for; looked at inside the start only */
};

static struct http_op *http_of(struct px_host_op_ref *ref) {
    return px_container_of(ref, struct http_op, ref);
}

static void http_release(struct px_host_op_ref *ref) {
    struct http_op *h = http_of(ref);
    struct px_instance *inst = ref->instance;
    px_op_cancel(&h->inner);
    px_scope_close(&h->scope);
    if (h->route)
        px_host_route_put(h->route);
    inst->n_requests--;
    free(h);
    px_instance_unref(inst);
}

static void http_pause(struct px_host_op_ref *ref) {
    if (http_of(ref)->inner)
        px_site_request_pause(http_of(ref)->inner, true);
}

static int32_t http_resume(struct px_host_op_ref *ref) {
    if (http_of(ref)->inner)
        px_site_request_pause(http_of(ref)->inner, false);
    return 0;
}

static const struct px_host_op_kind http_kind = {
    .name = "http", .release = http_release, .pause = http_pause, .resume = http_resume};
static const struct px_host_op_kind route_kind = {.name = "http", .release = http_release};

/* In the scope that the plugin names, with memory of its own. `ret`: the plugin's handle. */
static int begin(px_scope_h scope, const struct px_host_op_kind *kind, px_on on, void *user, px_op_h *ret,
                 struct http_op **ret_op) {
    struct px_host_scope_ref *where = px_host_scope_get(scope);
    if (!where || !where->instance)
        return -ESTALE;
    struct px_instance *inst = where->instance;
    if (!inst->site)
        return -ENOENT;
    if (inst->n_requests >= PER_SERVICE)
        return -EAGAIN;
    struct http_op *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    int r = px_host_op_begin(&h->ref, kind, scope, on, user, ret);
    if (r) {
        free(h);
        return r;
    }
    inst->n_requests++;
    h->run = px_host_scope_run(where);
    px_instance_ref(inst);
    r = px_scope_open(px_host_g.loop, inst->services->scope, "http", REQUEST_MEMORY, &h->scope);
    if (r) {
        px_host_op_unbegin(&h->ref);
        http_release(&h->ref);
        return r;
    }
    *ret_op = h;
    return 0;
}

/* It could not be started after all. */
static int refuse(struct http_op *h, int r, const struct px_err *err, px_op_h *ret) {
    px_log(PX_LOG_WARNING, "service", "cannot make a request", PX_KV("service", h->ref.instance->name),
           PX_KV("why", err->msg));
    px_host_op_unbegin(&h->ref);
    http_release(&h->ref);
    if (ret)
        ret->v = 0;
    return r;
}

/* ---- a request ---- */

static const int fail_errno[] = {
    [PX_HTTP_OK] = 0,
    [PX_HTTP_BAD_REQUEST] = -EINVAL,
    [PX_HTTP_FORBIDDEN] = -EACCES,
    [PX_HTTP_NO_NAME] = -ENOENT,
    [PX_HTTP_DNS] = -EHOSTUNREACH,
    [PX_HTTP_CONNECT] = -ECONNREFUSED,
    [PX_HTTP_TLS] = -EPROTO,
    [PX_HTTP_TIMEOUT] = -ETIMEDOUT,
    [PX_HTTP_RESET] = -ECONNRESET,
    [PX_HTTP_PROTOCOL] = -EPROTO,
    [PX_HTTP_TOO_LARGE] = -EMSGSIZE,
    [PX_HTTP_REDIRECTS] = -ELOOP,
    [PX_HTTP_BUSY] = -EAGAIN,
    [PX_HTTP_INTERNAL] = -EIO,
};

static void classify(void *user, px_str upstream, const struct px_http_result *result,
                     struct px_route_verdict *verdict) {
    const struct http_op *h = user;
    px_host_classify(h->ref.instance, &h->scope->arena, upstream, 0, result, verdict);
}

static void request_end(void *user, const struct px_http_result *result, const struct px_error *error) {
    struct http_op *h = user;
    struct px_http_response room;
    struct px_ev ev = {.kind = PX_EV_END, .error = error, .resp = px_host_response(result, &room)};
    if ((size_t)result->fail < PX_COUNT(fail_errno))
        ev.status = fail_errno[result->fail];
    else
        ev.status = -EIO;
    if (result->fail == PX_HTTP_TIMEOUT)
        ev.flags |= PX_EV_TIMED_OUT;
    h->inner = NULL;
    px_host_op_deliver(&h->ref, &ev);
}

static void on_http(void *user, const struct px_http_ev *from) {
    struct http_op *h = user;
    struct px_http_response room;
    struct px_ev ev = {.kind = PX_EV_HEAD};
    switch (from->kind) {
    case PX_HTTP_HEAD:
        ev.resp = px_host_response(from->result, &room);
        px_host_op_deliver(&h->ref, &ev);
        break;
    case PX_HTTP_DATA:
        ev.kind = PX_EV_DATA;
        ev.data = from->data;
        px_host_op_deliver(&h->ref, &ev);
        break;
    case PX_HTTP_GAP:
        ev.kind = PX_EV_GAP;
        ev.count = from->count;
        px_host_op_deliver(&h->ref, &ev);
        break;
    case PX_HTTP_END: break;
    }
}

static int copy_headers(struct px_arena *arena, const struct px_http_request *req, const px_pair **ret) {
    px_pair *list = px_arena_alloc(arena, (req->n_headers + 1) * sizeof *list);
    for (uint32_t i = 0; list && i < req->n_headers; i++)
        px_sized_copy(&list[i], sizeof list[i], (const char *)req->headers + (size_t)i * req->pair_size,
                      req->pair_size);
    *ret = list;
    return list ? 0 : -ENOMEM;
}

static bool acceptable(const struct px_http_request *req) {
    return req->frame <= PX_FRAME_SSE && req->redirects <= PX_REDIRECTS_ALLOWED &&
           req->max_bytes <= BYTES_MAX && req->n_headers <= HEADERS_MAX &&
           (!req->n_headers || (req->headers && req->pair_size >= sizeof(px_pair)));
}

static int send_request(struct http_op *h, const struct px_http_request *req, struct px_err *err) {
    static const struct px_site_request_sink sink = {on_http, request_end, classify};
    bool whole = req->frame == PX_FRAME_WHOLE;
    struct px_site_request site = {
        .upstream = req->upstream,
        .method = req->method,
        .path = req->path,
        .args_json = req->args_json,
        .url = req->url,
        .n_headers = req->n_headers,
        .body = req->body,
        .content_type = req->content_type,
        .no_identity = req->flags & PX_REQUEST_NO_IDENTITY,
        .safe = req->flags & PX_REQUEST_SAFE,
        .idempotency_key = req->idempotency_key,
        .group = req->rate_group,
        .identity = req->auth,
        .cost = req->cost,
        .principal = h->run ? h->run->in.principal : (px_str){0},
        .deadline_ns = h->run ? h->run->in.deadline_ns : 0,
        .frame = (enum px_http_frame)req->frame,
        .redirects = (enum px_http_redirects)req->redirects,
        .timeouts = {.idle_ns = req->idle_ns,
                     .total_ns = req->timeout_ns ? req->timeout_ns
                                 : whole         ? 0
                                                 : PX_HTTP_NO_TIMEOUT},
        .max_bytes = req->max_bytes,
    };
    struct px_arena *arena = &h->scope->arena;
    if (copy_headers(arena, req, &site.headers))
        return px_err_set(err, -ENOMEM, "no memory");
    return px_site_request(h->ref.instance->site, h->scope, &site, &sink, h, &h->inner, err);
}

static int32_t http_start(px_scope_h scope, const struct px_http_request *req_in, px_on on, void *user,
                          px_op_h *ret) {
    struct px_http_request req;
    struct http_op *h;
    struct px_err err = {0};
    if (ret)
        ret->v = 0;
    if (!on || !req_in || req_in->size < offsetof(struct px_http_request, headers))
        return -EINVAL;
    px_sized_copy(&req, sizeof req, req_in, req_in->size);
    if (!acceptable(&req))
        return -EINVAL;
    int r = begin(scope, &http_kind, on, user, ret, &h);
    if (r)
        return r;
    r = send_request(h, &req, &err);
    return r ? refuse(h, r, &err, ret) : 0;
}

/* ---- a route ---- */

static void route_done(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct http_op *h = user;
    struct px_ev ev = {.kind = PX_EV_END, .error = error};
    if (reply) {
        ev.json = reply->structured_json.p ? reply->structured_json : reply->content_json;
        ev.data = reply->text;
    }
    h->inner = NULL;
    px_host_op_deliver(&h->ref, &ev);
}

static int32_t http_route(px_scope_h scope, px_str route_json, px_str args_json, px_on on, void *user,
                          px_op_h *ret) {
    static const struct px_route_sink sink = {.done = route_done, .classify = classify};
    struct http_op *h;
    struct px_err err = {0};
    if (ret)
        ret->v = 0;
    if (!on || !route_json.p)
        return -EINVAL;
    int r = begin(scope, &route_kind, on, user, ret, &h);
    if (r)
        return r;
    struct px_instance *inst = h->ref.instance;
    struct px_route_call_opts opts = {.site = inst->site,
                                      .tool = PX_LIT("host/http"), /* no tool has this name */
                                      .principal = h->run ? h->run->in.principal : (px_str){0},
                                      .deadline_ns = h->run ? h->run->in.deadline_ns : 0,
                                      .result_bytes = BYTES_MAX};
    r = px_host_args(&h->scope->arena, args_json, &opts.args_json, &err);
    if (!r)
        r = px_host_route_get(inst, route_json, &h->route, &err);
    if (!r) {
        opts.route = h->route->route;
        r = px_route_call(h->scope, &opts, &sink, h, &h->inner, &err);
    }
    return r ? refuse(h, r, &err, ret) : 0;
}

const struct px_host_http px_host_http_table = {
    .size = sizeof(struct px_host_http), .start = http_start, .route = http_route};
