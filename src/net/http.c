#include "net/http_private.h"
#include <assert.h>
#include <sys/stat.h>

enum { RUNNING = 512, WAITING = 4096, REDIRECTS = 5 };

/* ---- starting ---- */

static int copy(struct px_http_call *call, const struct px_http_req *req, struct px_err *err) {
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
    int r = px_http_url(call->http, &call->arena, req->url, req->url_secret, &call->url, err);
    if (r)
        return r;
    r = px_http_out_copy(call, req, err);
    if (r)
        return r;
    call->method = px_arena_str(&call->arena, req->method);
    call->body = px_arena_str(&call->arena, req->body);
    if (!call->method.p || (req->body.p && !call->body.p))
        return px_err_set(err, -ENOMEM, "no memory for a request");
    if (call->secret && !px_buf_room(&call->body_in, call->max_bytes)) /* growing would leave copies behind */
        return px_err_set(err, -ENOMEM, "no memory for an answer");
    for (size_t i = 0; i < PX_COUNT(safe); i++)
        call->safe |= px_str_is(call->method, safe[i]);
    if (px_str_is(call->method, "CONNECT") || (px_str_is(call->method, "HEAD") && req->body.p))
        return px_err_set(err, -EINVAL, "the method " PX_FMT " cannot be sent%s", PX_ARG(call->method),
                          req->body.p ? " with a body" : "");
    call->first_origin = call->url.origin;
    return 0;
}

static struct px_http_call *make(struct px_http *http, const struct px_http_req *req, px_http_cb cb,
                                 void *user) {
    struct px_arena arena; /* the call is the first thing in its own arena */
    px_arena_init(&arena, req->body.n + ((size_t)8 << 20));
    struct px_http_call *call = px_arena_alloc(&arena, sizeof *call);
    if (!call)
        return NULL;
    call->arena = arena;
    call->http = http;
    call->cb = cb;
    call->user = user;
    px_list_init(&call->node);
    call->egress = px_egress_ref(req->egress);
    call->frame_kind = req->frame;
    call->redirects = req->redirects;
    call->max_redirects = PX_MIN(req->max_redirects ? req->max_redirects : REDIRECTS, 100u);
    call->timeouts = req->timeouts;
    call->fresh = req->fresh;
    call->url_secret = req->url_secret;
    call->secret = req->secret;
    call->max_bytes =
        req->max_bytes ? req->max_bytes : (uint64_t)(req->frame == PX_HTTP_WHOLE ? 16 : 1) << 20;
    call->max_bytes = PX_MIN(call->max_bytes, (uint64_t)1 << 40);
    px_http_head_init(&call->head);
    px_buf_init(&call->body_in, call->max_bytes);
    px_pieces_init(&call->pieces, req->frame, call->max_bytes);
    px_work_init(&call->work, "net/http", px_http_deliver, call);
    return call;
}

int px_http_start(struct px_http *http, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb,
                  void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_err bad = {0};
    struct px_http_call *call = make(http, req, cb, user);
    if (!call)
        return px_err_set(err, -ENOMEM, "no memory for a request");
    int r = copy(call, req, &bad);
    if (r != -ENOMEM) {
        int begun = px_op_begin(&call->op, &px_http_call_kind, scope);
        if (begun)
            r = px_err_set(&bad, begun, "the scope of the request has ended");
    }
    if (r == -ENOMEM || r == -ESHUTDOWN) {
        px_http_call_free(call);
        return px_err_set(err, r, "%s", bad.msg);
    }
    http->stats.requests++;
    px_http_time_init(call);
    if (r || http->n_waiting >= http->max_waiting) {
        call->state = CALL_WAITING;
        http->n_waiting++;
        if (r)
            px_http_call_end(call, PX_HTTP_BAD_REQUEST, bad.msg);
        else
            px_http_call_endf(call, PX_HTTP_BUSY, "%u requests are waiting already", http->max_waiting);
    } else if (http->running < http->max_running && px_list_empty(&http->waiting)) {
        px_list_add(&http->calls, &call->node);
        http->running++;
        px_http_call_begin(call);
    } else {
        call->state = CALL_WAITING;
        px_list_add(&http->waiting, &call->node);
        http->n_waiting++;
    }
    if (ret_op)
        *ret_op = &call->op;
    return 0;
}

bool px_http_left(const struct px_op *op) {
    const struct px_http_call *call = px_container_of(op, const struct px_http_call, op);
    return call->result.sent;
}

px_str px_http_header(const struct px_http_result *result, const char *name) {
    for (size_t i = 0; i < result->n_headers; i++)
        if (px_str_is(result->headers[i].name, name))
            return result->headers[i].value;
    return (px_str){0};
}

/* ---- the client ---- */

/* What tells one state of the bundle's file from another; zeros: it is not there. */
static struct px_http_file look_at(const char *path) {
    struct stat st;
    if (stat(path, &st))
        return (struct px_http_file){0};
    return (struct px_http_file){st.st_dev,         st.st_ino,          (uint64_t)st.st_size,
                                 st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
                                 st.st_ctim.tv_nsec};
}

int px_http_create(const struct px_http_opts *opts, struct px_http **ret, struct px_err *err) {
    if (px_http_global_init())
        return px_err_set(err, -ENOMEM, "the HTTP library cannot be initialised");
    struct px_http *http = calloc(1, sizeof *http);
    if (!http) {
        curl_global_cleanup();
        return px_err_set(err, -ENOMEM, "no memory for the HTTP client");
    }
    http->loop = opts->loop;
    http->dns = opts->dns;
    http->max_running = opts->max_running ? opts->max_running : RUNNING;
    http->max_waiting = opts->max_waiting ? opts->max_waiting : WAITING;
    /* With fewer than run, connections would be closed only to be opened again. */
    http->max_connections = PX_MAX(opts->max_connections, http->max_running);
    px_list_init(&http->calls);
    px_list_init(&http->waiting);
    px_list_init(&http->ready);
    px_list_init(&http->idle);
    px_list_init(&http->trusts);
    px_list_init(&http->pin_lru);
    px_map_init(&http->pins, PX_HTTP_PINS);
    px_work_init(&http->admit, "net/http", px_http_admit, http);
    http->ca_usual = !opts->ca_file;
    http->ca_file =
        px_str_dup(px_str_of(opts->ca_file ? opts->ca_file : "/etc/ssl/certs/ca-certificates.crt"));
    int r =
        http->ca_file && !px_http_out_init(http, opts->user_agent ? opts->user_agent : "plexus/" PX_VERSION)
            ? 0
            : px_err_set(err, -ENOMEM, "no memory for the HTTP client");
    if (!r) {
        http->ca_seen = look_at(http->ca_file);
        r = px_http_store_load(http->ca_file, http->ca_usual, &http->store, err);
    }
    if (!r && px_scope_open(http->loop, NULL, "net/http", 0, &http->scope))
        r = px_err_set(err, -ENOMEM, "no memory for the HTTP client");
    if (!r)
        r = px_http_multi_create(http, err);
    if (r)
        px_http_destroy(&http);
    else
        *ret = http;
    return r;
}

void px_http_destroy(struct px_http **phttp) {
    struct px_http *http = px_take(phttp);
    if (!http)
        return;
    assert(px_list_empty(&http->calls) && px_list_empty(&http->waiting) && px_list_empty(&http->ready));
    px_work_cancel(&http->admit);
    px_http_pins_destroy(http);
    px_http_urls_destroy(http);
    px_http_easies_destroy(http);
    if (http->multi)
        px_http_multi_destroy(http);
    px_scope_close(&http->scope);
    px_http_store_free(http->store);
    free(http->agent);
    free(http->encoding);
    free(http->ca_file);
    free(http);
    curl_global_cleanup();
}

int px_http_reload_ca(struct px_http *http, struct px_err *err) {
    struct x509_store_st *store;
    struct px_http_file seen = look_at(http->ca_file);
    if (memcmp(&seen, &http->ca_seen, sizeof seen) == 0)
        return 0;
    int r = px_http_store_load(http->ca_file, http->ca_usual, &store, err);
    if (r)
        return r;
    http->ca_seen = seen;
    px_http_store_free(http->store);
    http->store = store;
    PX_LIST_EACH (node, &http->trusts)
        px_list_entry(node, struct px_http_trust, node)->stale = true;
    px_http_pins_drop(http);
    return 0;
}

void px_http_stats_get(const struct px_http *http, struct px_http_stats *ret) {
    *ret = http->stats;
    ret->running = http->running;
    ret->waiting = http->n_waiting;
}
