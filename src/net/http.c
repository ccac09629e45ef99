#include "net/http_private.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { RUNNING = 512, WAITING = 4096, REDIRECTS = 5, ADMIT_AT_ONCE = 32 };

/* ---- hops ---- */

static void call_fail_err(struct px_http_call *call, enum px_http_fail fail, const struct px_err *err) {
    px_http_call_end(call, fail, err->msg);
}

static void call_refused(struct px_http_call *call, const struct px_err *err) {
    call->http->stats.refused++;
    call_fail_err(call, PX_HTTP_FORBIDDEN, err);
}

static bool remember_hop(struct px_http_call *call) {
    if (!call->visited)
        call->visited = px_arena_raw(&call->arena, (call->max_redirects + 1) * sizeof *call->visited);
    if (!call->visited)
        return false;
    call->visited[call->result.redirects] = (px_pair){call->method, call->url.text};
    return true;
}

/* Nothing of the hop before is left. */
static void clear_hop(struct px_http_call *call) {
    px_http_head_clear(&call->head);
    call->body_in.n = 0;
    call->leaving = call->refused = call->again = call->too_large = call->io_failed = false;
    call->head_failed = 0;
    call->verdict = VERDICT_NONE;
    call->discarded = call->upload_seen = 0;
    struct px_http_result *r = &call->result;
    r->status = r->http_version = 0;
    r->headers = NULL;
    r->n_headers = 0;
    r->reused = false;
    r->peer[0] = 0;
    r->dns_ns = r->connect_ns = r->tls_ns = r->first_byte_ns = 0;
}

static void ready(struct px_http_call *call) {
    struct px_http *http = call->http;
    call->state = CALL_READY;
    call->result.dns_ns = px_loop_now(http->loop) - call->hop_ns;
    px_list_remove(&call->node);
    px_list_add(&http->ready, &call->node);
    px_work_post(http->loop, &http->admit);
}

/* Through a proxy, the name is asked for all the same, so that the guard can look at it; what is dialled is the proxy. */
static int dial_proxy(struct px_http_call *call, const struct px_addr *addrs, size_t n, struct px_err *err) {
    const struct px_url *proxy = call->pin->trust->proxy;
    call->n_dial = 0;
    for (size_t i = 0; i < n && call->n_dial < PX_HTTP_PIN_ADDRS; i++) {
        struct px_addr addr = addrs[i];
        px_addr_set_port(&addr, proxy->port);
        if (!px_egress_check_proxy(call->egress, &addr, err))
            call->dial[call->n_dial++] = addr;
    }
    if (!call->n_dial)
        return -EACCES;
    return px_http_resolve_entry(proxy->host, proxy->port, call->dial, call->n_dial, &call->resolve);
}

static void resolve(struct px_http_call *call);

static void use_addresses(struct px_http_call *call, const struct px_addr *addrs, size_t n) {
    struct px_err err = {0}, first = {0};
    if (call->resolving_proxy) {
        int r = dial_proxy(call, addrs, n, &err);
        if (r == -EACCES)
            call_refused(call, &err);
        else if (r)
            px_http_call_endf(call, PX_HTTP_INTERNAL, "no memory for a request");
        else
            ready(call);
        return;
    }
    call->n_dial = 0;
    for (size_t i = 0; i < n && call->n_dial < PX_HTTP_PIN_ADDRS; i++) {
        struct px_addr addr = addrs[i];
        px_addr_set_port(&addr, call->url.port);
        if (!px_egress_check_addr(call->egress, &call->url, &addr, &err))
            call->dial[call->n_dial++] = addr;
        else if (!first.code)
            first = err;
    }
    if (!call->n_dial) {
        call_refused(call, &first);
    } else if (call->pin->trust->proxy) {
        call->resolving_proxy = true;
        resolve(call);
    } else {
        px_http_pin_set(call->http, call->pin, call->dial, call->n_dial);
        ready(call);
    }
}

static void on_name(void *user, const struct px_dns_answer *answer) {
    struct px_http_call *call = user;
    call->dns = NULL;
    if (!answer->status) {
        use_addresses(call, answer->addrs, answer->n);
        return;
    }
    bool none = answer->status == -ENOENT || answer->status == -EINVAL;
    px_http_call_end(call, none ? PX_HTTP_NO_NAME : PX_HTTP_DNS, answer->why);
}

static void resolve(struct px_http_call *call) {
    const struct px_url *url = call->resolving_proxy ? call->pin->trust->proxy : &call->url;
    struct px_err err = {0};
    struct px_addr addr;
    if (url->literal && !px_addr_parse(url->host, url->port, &addr))
        use_addresses(call, &addr, 1);
    else if (px_dns_resolve(call->http->dns, call->http->scope, url->host, on_name, call, &call->dns, &err))
        call_fail_err(call, PX_HTTP_DNS, &err);
}

static void begin_hop(struct px_http_call *call) {
    struct px_err err = {0};
    call->state = CALL_RESOLVING;
    clear_hop(call);
    px_http_time_phase(call, PHASE_CONNECT);
    if (px_egress_check_url(call->egress, &call->url, &err)) {
        call_refused(call, &err);
    } else if (!remember_hop(call)) {
        px_http_call_endf(call, PX_HTTP_INTERNAL, "no memory for a request");
    } else if (px_http_pin_get(call->http, call->egress, &call->url, &call->pin, &err)) {
        call_fail_err(call, err.code == -ENOMEM ? PX_HTTP_INTERNAL : PX_HTTP_TLS, &err);
    } else {
        resolve(call);
    }
}

/* ---- who runs ---- */

static void run(struct px_http_call *call) {
    struct px_http *http = call->http;
    px_list_remove(&call->node);
    px_list_add(&http->calls, &call->node);
    call->state = CALL_RUNNING;
    int r = !call->pin->trust->proxy && !call->pin->loaded
                ? px_http_pin_resolve(http, call->pin, &call->resolve)
                : 0;
    call->easy = r ? NULL : px_http_easy_take(http);
    if (call->easy)
        px_http_head_lend(&call->head, &call->easy->head);
    if (!call->easy || px_http_easy_prepare(call->easy, call) || px_http_multi_add(http, call->easy))
        px_http_call_endf(call, PX_HTTP_INTERNAL, "no memory for a request");
}

void px_http_admit_post(struct px_http *http) {
    if (!px_list_empty(&http->ready) || (http->running < http->max_running && !px_list_empty(&http->waiting)))
        px_work_post(http->loop, &http->admit);
}

static void admit(void *user) {
    struct px_http *http = user;
    for (int n = 0; n < ADMIT_AT_ONCE; n++) {
        if (!px_list_empty(&http->ready)) {
            run(px_list_entry(http->ready.next, struct px_http_call, node));
        } else if (http->running < http->max_running && !px_list_empty(&http->waiting)) {
            struct px_http_call *call = px_list_entry(http->waiting.next, struct px_http_call, node);
            px_list_remove(&call->node);
            px_list_add(&http->calls, &call->node);
            http->n_waiting--;
            http->running++;
            begin_hop(call);
        } else {
            return;
        }
    }
    px_http_admit_post(http);
}

/* ---- the end of a request ---- */

void px_http_call_detach(struct px_http_call *call) {
    px_op_cancel(&call->dns);
    if (call->easy) {
        struct px_http_easy *easy = px_take(&call->easy);
        px_http_head_lend(&easy->head, &call->head);
        px_http_multi_remove(call->http, easy);
        px_http_easy_give(easy);
    }
    px_http_pin_unref(px_take(&call->pin));
    curl_slist_free_all(px_take(&call->resolve));
    call->resolving_proxy = call->held = false;
}

/* Out of its place; the next may have it. */
static void leave(struct px_http_call *call) {
    struct px_http *http = call->http;
    if (call->state == CALL_ENDED)
        return;
    if (call->state == CALL_WAITING)
        http->n_waiting--;
    else
        http->running--;
    px_timer_disarm(&call->timer);
    px_http_call_detach(call);
    px_list_remove(&call->node);
    call->state = CALL_ENDED;
    px_http_admit_post(http);
}

static uint64_t getinfo_ns(CURL *curl, CURLINFO what) {
    curl_off_t us = 0;
    curl_easy_getinfo(curl, what, &us);
    return us > 0 ? (uint64_t)us * 1000 : 0;
}

static void take_info(struct px_http_call *call) {
    struct px_http_result *r = &call->result;
    CURL *curl = call->easy->curl;
    curl_off_t in = 0, out = 0;
    long version = 0, opened = 0;
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &in);
    curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &out);
    r->http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                      : version == CURL_HTTP_VERSION_1_1 ? 11
                      : version == CURL_HTTP_VERSION_2_0 ? 20
                                                         : 0;
    r->reused = call->leaving && opened == 0;
    call->http->stats.reused += r->reused;
    r->bytes_in = (uint64_t)in;
    r->bytes_out = (uint64_t)out;
    uint64_t connect = getinfo_ns(curl, CURLINFO_CONNECT_TIME_T),
             tls = getinfo_ns(curl, CURLINFO_APPCONNECT_TIME_T),
             first = getinfo_ns(curl, CURLINFO_STARTTRANSFER_TIME_T);
    r->connect_ns = connect && !r->reused ? r->dns_ns + connect : 0;
    r->tls_ns = tls && !r->reused ? r->dns_ns + tls : 0;
    r->first_byte_ns = first ? r->dns_ns + first : 0;
}

void px_http_call_end(struct px_http_call *call, enum px_http_fail fail, const char *why) {
    struct px_http *http = call->http;
    assert(call->state != CALL_ENDED);
    if (call->easy)
        take_info(call);
    leave(call);
    if (why)
        px_str_copy(call->why, sizeof call->why, px_str_of(why));
    call->result.fail = fail;
    call->result.why = fail ? call->why : NULL;
    call->result.url = call->url.text.p ? call->url.text : PX_LIT("");
    call->result.total_ns = px_loop_now(http->loop) - call->began_ns;
    http->stats.failed += fail != PX_HTTP_OK;
    if (fail == PX_HTTP_OK)
        px_pieces_end(&call->pieces);
    px_http_deliver_post(call);
}

void px_http_call_endf(struct px_http_call *call, enum px_http_fail fail, const char *format, ...) {
    char words[sizeof call->why];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(call->why, sizeof call->why, "%.*s%s%.200s", (int)PX_MIN(call->url.host.n, (uint64_t)253),
             call->url.host.p ? call->url.host.p : "", call->url.host.n ? ": " : "", words);
    px_http_call_end(call, fail, NULL);
}

/* A server may answer in full, and close the stream without an error, before it has read all of the request (RFC 9113 §8.1). curl
 * then fails to send the rest, without a word of its own, but has delivered the answer. */
static bool answered_early(const struct px_http_call *call, CURLcode code) {
    return code == CURLE_HTTP2_STREAM && call->head.done && !call->easy->words[0];
}

void px_http_call_done(struct px_http_call *call, CURLcode code) {
    if (call->verdict == VERDICT_FOLLOW && !call->no_memory) {
        px_http_call_detach(call);
        px_http_redirect_turn(call);
        begin_hop(call);
    } else if (call->verdict == VERDICT_REFUSED && !call->no_memory && !call->too_large) {
        px_http_call_end(call, call->result.fail, NULL);
    } else if ((code == CURLE_OK && call->head.done) || answered_early(call, code)) {
        px_http_call_end(call, PX_HTTP_OK, NULL);
    } else {
        take_info(call);
        px_http_words(call, code);
        if (call->result.fail == PX_HTTP_CONNECT)
            px_dns_forget(call->http->dns, call->url.host);
        px_http_call_end(call, call->result.fail, NULL);
    }
}

void px_http_call_free(struct px_http_call *call) {
    px_work_cancel(&call->work);
    px_http_head_finish(&call->head);
    px_buf_finish(&call->body_in);
    px_pieces_finish(&call->pieces);
    px_egress_unref(call->egress);
    struct px_arena arena = call->arena;
    px_arena_finish(&arena);
}

static void cancel(struct px_op *op) {
    struct px_http_call *call = px_container_of(op, struct px_http_call, op);
    leave(call);
    px_work_cancel(&call->work);
    if (call->delivering)
        call->cancelled = true; /* freed when its callback returns */
    else
        px_http_call_free(call);
}
static const struct px_op_kind call_kind = {"net/http", cancel};

/* ---- starting ---- */

static int copy(struct px_http_call *call, const struct px_http_req *req, struct px_err *err) {
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
    int r = px_http_url(call->http, &call->arena, req->url, &call->url, err);
    if (r)
        return r;
    r = px_http_out_copy(call, req, err);
    if (r)
        return r;
    call->method = px_arena_str(&call->arena, req->method);
    call->body = px_arena_str(&call->arena, req->body);
    if (!call->method.p || (req->body.p && !call->body.p))
        return px_err_set(err, -ENOMEM, "no memory for a request");
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
        int begun = px_op_begin(&call->op, &call_kind, scope);
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
            call_fail_err(call, PX_HTTP_BAD_REQUEST, &bad);
        else
            px_http_call_endf(call, PX_HTTP_BUSY, "%u requests are waiting already", http->max_waiting);
    } else if (http->running < http->max_running && px_list_empty(&http->waiting)) {
        px_list_add(&http->calls, &call->node);
        http->running++;
        begin_hop(call);
    } else {
        call->state = CALL_WAITING;
        px_list_add(&http->waiting, &call->node);
        http->n_waiting++;
    }
    if (ret_op)
        *ret_op = &call->op;
    return 0;
}

px_str px_http_header(const struct px_http_result *result, const char *name) {
    for (size_t i = 0; i < result->n_headers; i++)
        if (px_str_is(result->headers[i].name, name))
            return result->headers[i].value;
    return (px_str){0};
}

/* ---- the client ---- */

int px_http_create(const struct px_http_opts *opts, struct px_http **ret, struct px_err *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
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
    px_work_init(&http->admit, "net/http", admit, http);
    http->ca_file =
        px_str_dup(px_str_of(opts->ca_file ? opts->ca_file : "/etc/ssl/certs/ca-certificates.crt"));
    int r =
        http->ca_file && !px_http_out_init(http, opts->user_agent ? opts->user_agent : "plexus/" PX_VERSION)
            ? 0
            : px_err_set(err, -ENOMEM, "no memory for the HTTP client");
    if (!r)
        r = px_http_store_load(http->ca_file, &http->store, err);
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
    int r = px_http_store_load(http->ca_file, &store, err);
    if (r)
        return r;
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
