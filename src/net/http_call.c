#include "net/http_private.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { ADMIT_AT_ONCE = 32 };

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
    call->announced = 0;
    call->leaving = call->resent = call->refused = call->again = call->too_large = call->io_failed = false;
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
    if (!n) {
        px_http_call_endf(call, PX_HTTP_NO_NAME, "it has no addresses");
    } else if (!call->n_dial) {
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

void px_http_call_begin(struct px_http_call *call) {
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

void px_http_admit(void *user) {
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
            px_http_call_begin(call);
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
    http->stats.reused += call->result.reused;
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
        px_http_call_begin(call);
    } else if (call->verdict == VERDICT_REFUSED && !call->no_memory) {
        px_http_call_end(call, call->result.fail, NULL);
    } else if ((code == CURLE_OK && call->head.done) || answered_early(call, code)) {
        px_http_call_end(call, PX_HTTP_OK, NULL);
    } else {
        take_info(call);
        px_http_words(call, code);
        if (call->result.fail == PX_HTTP_CONNECT)
            px_dns_forget(call->http->dns,
                          call->pin->trust->proxy ? call->pin->trust->proxy->host : call->url.host);
        px_http_call_end(call, call->result.fail, NULL);
    }
}

/* Credentials in headers, a key in the URL, bodies that are secret. */
static void wipe(struct px_http_call *call) {
    if (call->secret && call->body.n)
        explicit_bzero((char *)(uintptr_t)call->body.p, call->body.n);
    if (call->secret && call->body_in.p)
        explicit_bzero(call->body_in.p, call->body_in.room);
    for (size_t i = 0; i < call->n_lines; i++)
        if (call->lines[i].class == LINE_CREDENTIAL || call->lines[i].class == LINE_PERSONAL)
            explicit_bzero(call->lines[i].text, strlen(call->lines[i].text));
    if (call->url_secret && call->url.text.p)
        explicit_bzero((char *)(uintptr_t)call->url.text.p, call->url.text.n);
}

void px_http_call_free(struct px_http_call *call) {
    wipe(call);
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
const struct px_op_kind px_http_call_kind = {"net/http", cancel};
