#include "auth/send.h"
#include "auth/wiped.h"
#include "base/date.h"
#include "base/redact.h"
#include "reactor/loop.h"
#include "json/scan.h"
#include "json/slice.h"

enum { ANSWER_MAX = 256 << 10, WORDS_MAX = 200, TOTAL_S = 30, CONNECT_S = 10, RETRY_MAX_S = 86400 };

px_str px_send_clean(struct px_arena *arena, px_str text) {
    struct px_buf out;
    px_buf_init(&out, 64 << 10);
    px_redact_append_cut(&out, px_str_n(text.p, PX_MIN(text.n, (uint64_t)4096)));
    size_t n = px_str_cut_utf8(px_buf_view(&out), PX_MIN(out.n, (size_t)WORDS_MAX));
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out.p[i] < ' ' || out.p[i] == 0x7f)
            out.p[i] = ' ';
    px_str clean = out.failed || !px_utf8_valid(px_str_n(out.p, n))
                       ? (px_str){0}
                       : px_arena_str(arena, px_str_n(out.p ? out.p : "", n));
    px_buf_finish(&out);
    return clean;
}

int64_t px_retry_after_ms(px_str value, int64_t wall_ms) {
    uint64_t s = 0;
    int64_t at = 0;
    int r = px_str_u64(value, &s);
    if (r == 0 || r == -ERANGE)
        return r || s > RETRY_MAX_S ? (int64_t)RETRY_MAX_S * 1000 : (int64_t)s * 1000;
    if (px_date_http(value, wall_ms, &at))
        return -1;
    int64_t ms = at - wall_ms;
    return ms < 0 ? 0 : PX_MIN(ms, (int64_t)RETRY_MAX_S * 1000);
}

/* ---- one request ---- */

struct send {
    struct px_op op;
    struct px_scope *inner; /* of the request: ends with the op, whatever ends first */
    struct px_work work;    /* when it cannot even begin */
    struct px_provider *provider;
    struct px_scope *scope;
    px_send_cb cb;
    void *user;
    char host[256];
    char words[240];
};

static void send_free(struct send *send) {
    px_work_cancel(&send->work);
    px_scope_close(&send->inner);
    free(send);
}

static void cancel(struct px_op *op) {
    send_free(px_container_of(op, struct send, op));
}
static const struct px_op_kind kind = {"auth/send", cancel};

static void finish(struct send *send, const struct px_send_answer *answer) {
    px_send_cb cb = send->cb;
    void *user = send->user;
    px_op_done(&send->op);
    send_free(send);
    cb(user, answer);
}

static bool passes(int status) {
    return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

/* The body, if it is an object; in memory that is wiped. */
static px_str take_json(struct send *send, px_str body) {
    struct px_json_scan scan;
    if (!body.n ||
        px_json_scan(body, &(struct px_json_limits){.bytes = ANSWER_MAX, .values = 20000}, &scan, NULL,
                     NULL) ||
        px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return (px_str){0};
    char *copy = px_wiped_alloc(send->scope, scan.value.n);
    if (copy)
        memcpy(copy, scan.value.p, scan.value.n);
    return copy ? px_str_n(copy, scan.value.n) : (px_str){0};
}

/* "https://id.example answered 400: invalid_grant: The token has expired". */
static px_str words_of(struct send *send, int status, px_str json) {
    static const char *const members[] = {"/error", "/error_description", "/message", "/error/message"};
    struct px_arena *arena = &send->scope->arena;
    px_str said = px_arena_fmt(arena, "%s answered %d", send->host, status);
    for (size_t i = 0; i < PX_COUNT(members) && said.p; i++) {
        px_str raw, text;
        if (!json.p || px_json_slice_at(json, px_str_of(members[i]), &raw) ||
            px_json_slice_text(arena, raw, &text) || !text.n)
            continue;
        px_str clean = px_send_clean(arena, text);
        if (clean.n)
            said = px_arena_fmt(arena, PX_FMT ": " PX_FMT, PX_ARG(said), PX_ARG(clean));
    }
    return said.p ? said : PX_LIT("the provider answered with an error");
}

static void on_http(void *user, const struct px_http_ev *ev) {
    struct send *send = user;
    const struct px_http_result *r = ev->result;
    if (ev->kind != PX_HTTP_END)
        return;
    struct px_send_answer answer = {.retry_after_ms = -1, .sent = r->sent};
    if (r->fail != PX_HTTP_OK) {
        answer.transient = true;
        answer.words =
            px_send_clean(&send->scope->arena, px_str_of(r->why ? r->why : px_http_fail_name(r->fail)));
        if (!answer.words.p)
            answer.words = PX_LIT("the provider cannot be reached");
    } else {
        answer.status = r->status;
        answer.transient = passes(r->status);
        answer.retry_after_ms =
            px_retry_after_ms(px_http_header(r, "retry-after"), px_provider_wall_ms(send->provider));
        answer.json = take_json(send, r->body);
        if (r->status < 200 || r->status > 299)
            answer.words = words_of(send, r->status, answer.json);
    }
    finish(send, &answer);
}

static void on_refused(void *user) {
    struct send *send = user;
    struct px_send_answer answer = {.transient = true, .retry_after_ms = -1};
    answer.words = px_arena_str(&send->scope->arena, px_str_of(send->words));
    if (!answer.words.p)
        answer.words = PX_LIT("the request cannot be made");
    finish(send, &answer);
}

static int start(struct send *send, const struct px_send_req *req) {
    px_pair headers[2] = {{PX_LIT("Accept"), req->accept.p ? req->accept : PX_LIT("application/json")},
                          {PX_LIT("Content-Type"), req->content_type}};
    px_pair credential = {PX_LIT("Authorization"), req->authorization};
    struct px_http_req http = {.egress = send->provider->egress,
                               .method = req->method,
                               .url = req->url,
                               .headers = headers,
                               .n_headers = req->content_type.p ? 2 : 1,
                               .credentials = &credential,
                               .n_credentials = req->authorization.p ? 1 : 0,
                               .body = req->body,
                               .redirects = PX_HTTP_REDIRECT_NONE,
                               .timeouts = {.connect_ns = CONNECT_S * PX_S, .total_ns = TOTAL_S * PX_S},
                               .max_bytes = req->max_bytes ? req->max_bytes : ANSWER_MAX,
                               .secret = true};
    struct px_err err = {0};
    struct px_op *op = NULL;
    const struct px_provider_ways *ways = send->provider->ways;
    if (!http.egress || !req->url.n)
        px_str_copy(send->words, sizeof send->words, PX_LIT("there is no endpoint to ask"));
    else if (ways->start(ways->start_ctx, send->inner, &http, on_http, send, &op, &err) == 0)
        return 0;
    else
        px_str_copy(send->words, sizeof send->words, px_str_of(err.msg));
    return -EIO;
}

int px_send(struct px_provider *provider, struct px_scope *scope, const struct px_send_req *req,
            px_send_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct send *send = calloc(1, sizeof *send);
    struct px_url url;
    if (!send)
        return px_err_set(err, -ENOMEM, "out of memory");
    *send =
        (struct send){.provider = provider, .scope = scope, .cb = cb, .user = user, .host = "the provider"};
    px_work_init(&send->work, "auth/send", on_refused, send);
    int r = px_scope_open(scope->loop, scope, "auth/send", 64 << 10, &send->inner);
    r = r ? r : px_op_begin(&send->op, &kind, scope);
    if (r) {
        px_scope_close(&send->inner);
        free(send);
        return px_err_errno(err, r, "a request to the provider");
    }
    if (px_url_parse(&scope->arena, req->url, &url, NULL) == 0)
        px_str_copy(send->host, sizeof send->host, url.origin);
    if (start(send, req))
        px_work_post(scope->loop, &send->work);
    if (ret_op)
        *ret_op = &send->op;
    return 0;
}
