/* Requests that code starts: their attempts, and streams, whose transport is played event by event. */
#include "unit/send_help.h"

#define ONE                                                                                                  \
    "{'upstreams':{'api':{'base_url':'https://api.example.com','idempotency':{'header':'Key'}}},"            \
    "'identities':{'other':{'kind':'api_key','name':'X-Key','secret':'/token'}}}"

/* ---- a transport that does what it is told ---- */

struct wire {
    struct px_op op;
    px_http_cb cb;
    void *user;
    unsigned started, cancelled;
    char headers[512], body[64];
} wire;

static void wire_cancel(struct px_op *op) {
    (void)op;
    wire.cancelled++;
}
static const struct px_op_kind wire_kind = {"test/wire", wire_cancel};

static int wire_start(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb,
                      void *user, struct px_op **ret_op, struct px_err *err) {
    (void)ctx, (void)err;
    wire.cb = cb;
    wire.user = user;
    wire.started++;
    note_headers(wire.headers, req);
    px_str_copy(wire.body, sizeof wire.body, req->body);
    assert_int_equal(px_op_begin(&wire.op, &wire_kind, scope), 0);
    *ret_op = &wire.op;
    return 0;
}

static void say(enum px_http_ev_kind kind, int status, const char *data) {
    struct px_http_result result = {
        .status = status, .sent = true, .url = PX_LIT("https://api.example.com/s")};
    if (kind == PX_HTTP_END)
        px_op_done(&wire.op);
    wire.cb(wire.user, &(struct px_http_ev){.kind = kind, .data = px_str_of(data), .result = &result});
}

/* ---- what came ---- */

struct got {
    unsigned heads, data, ends;
    int status;
    int32_t code; /* of the error; 0: none */
    enum px_http_fail fail;
};

static void on_event(void *user, const struct px_http_ev *ev) {
    struct got *got = user;
    got->heads += ev->kind == PX_HTTP_HEAD;
    got->data += ev->kind == PX_HTTP_DATA;
}

static void on_ended(void *user, const struct px_http_result *result, const struct px_error *error) {
    struct got *got = user;
    got->ends++;
    got->status = result->status;
    got->fail = result->fail;
    got->code = error ? error->code : 0;
}

static const struct px_site_request_sink sink = {.event = on_event, .ended = on_ended};

static void begin(struct flow_rig *f, const struct px_site_request *req, struct got *got, struct px_op **op) {
    struct px_err err = {0};
    if (px_site_request(f->site, f->rig.scope, req, &sink, got, op, &err))
        fail_msg("%s", err.msg);
}

static void turns(struct flow_rig *f, int n) {
    for (int i = 0; i < n; i++)
        assert_int_equal(px_loop_turn(f->rig.loop, PX_S), 0);
}

static void open_it(struct flow_rig *f) {
    wire = (struct wire){0};
    send_open(f, ONE, "{'path':'/a'}", EASY, true, NULL, 0);
    f->site->opts.transport = (struct px_site_transport){.start = wire_start};
}

/* ---- tests ---- */

/* The beginning of an answer that may pass is held back, and had another way; once one was handed on, it stands. */
static void streams(void **state) {
    (void)state;
    const struct px_site_request req = {.path = PX_LIT("/s"), .frame = PX_HTTP_SSE};
    struct got got = {0};
    struct px_op *op = NULL;
    struct flow_rig f;
    open_it(&f);
    begin(&f, &req, &got, &op);
    say(PX_HTTP_HEAD, 503, NULL);
    assert_int_equal(got.heads, 0);
    assert_int_equal(wire.cancelled, 1);
    turns(&f, 3);
    assert_int_equal(wire.started, 2);
    say(PX_HTTP_HEAD, 200, NULL);
    assert_int_equal(counts(&f).in_flight, 0); /* what streams for hours takes no place */
    say(PX_HTTP_DATA, 200, "x");
    say(PX_HTTP_DATA, 200, "y");
    wire.cb(wire.user,
            &(struct px_http_ev){.kind = PX_HTTP_END,
                                 .result = &(struct px_http_result){
                                     .fail = PX_HTTP_RESET, .why = "it ended", .sent = true, .status = 200}});
    px_op_done(&wire.op);
    turns(&f, 3);
    assert_int_equal(wire.started, 2);
    assert_true(got.heads == 1 && got.data == 2 && got.ends == 1);
    assert_int_equal(got.fail, PX_HTTP_RESET);
    assert_int_equal(got.code, PX_UPSTREAM_ERROR);
    flow_close(&f);
}

/* When there is no other attempt, what came is handed on as it is. */
static void streams_that_fail(void **state) {
    (void)state;
    const struct px_site_request req = {.path = PX_LIT("/s"), .frame = PX_HTTP_LINE};
    struct got got = {0};
    struct px_op *op = NULL;
    struct flow_rig f;
    open_it(&f);
    begin(&f, &req, &got, &op);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(wire.started, i);
        say(PX_HTTP_HEAD, 503, NULL);
        turns(&f, 3);
    }
    assert_int_equal(got.heads, 1);
    say(PX_HTTP_END, 503, NULL);
    assert_true(got.ends == 1 && got.status == 503 && got.code == PX_UNAVAILABLE);
    assert_int_equal(wire.started, 3);
    got = (struct got){0};
    begin(&f, &req, &got, &op);
    say(PX_HTTP_HEAD, 404, NULL); /* not one that may pass */
    assert_int_equal(got.heads, 1);
    say(PX_HTTP_END, 404, NULL);
    assert_true(got.ends == 1 && got.code == PX_NOT_FOUND);
    flow_close(&f);
}

/* A write is repeated with its key, from a copy of what the code gave; an identity may be named. */
static void writes(void **state) {
    (void)state;
    char body[] = "{\"a\":1}", value[] = "v", key[] = "k-1";
    px_pair headers[] = {{PX_LIT("X"), px_str_of(value)}};
    const struct px_site_request req = {.method = PX_LIT("POST"),
                                        .path = PX_LIT("/w"),
                                        .headers = headers,
                                        .n_headers = 1,
                                        .body = px_str_of(body),
                                        .identity = PX_LIT("other"),
                                        .idempotency_key = px_str_of(key),
                                        .principal = PX_LIT("uid:1")};
    struct got got = {0};
    struct px_op *op = NULL;
    struct flow_rig f;
    open_it(&f);
    begin(&f, &req, &got, &op);
    memset(body, '#', sizeof body - 1);
    memset(value, '#', sizeof value - 1);
    memset(key, '#', sizeof key - 1);
    say(PX_HTTP_END, 502, NULL);
    turns(&f, 3);
    assert_int_equal(wire.started, 2);
    assert_string_equal(wire.body, "{\"a\":1}");
    assert_non_null(strstr(wire.headers, "X: v\n"));
    assert_non_null(strstr(wire.headers, "Key: k-1\n"));
    assert_non_null(strstr(wire.headers, "X-Key: secret-token-0123456789\n"));
    say(PX_HTTP_END, 200, NULL);
    assert_true(got.ends == 1 && !got.code);
    flow_close(&f);
}

/* A cancel ends it wherever it is. */
static void cancels(void **state) {
    (void)state;
    const struct px_site_request req = {.path = PX_LIT("/s")};
    struct got got = {0};
    struct px_op *op = NULL;
    struct flow_rig f;
    open_it(&f);
    begin(&f, &req, &got, &op);
    px_op_cancel(&op);
    assert_int_equal(wire.cancelled, 1);
    begin(&f, &req, &got, &op);
    say(PX_HTTP_END, 503, NULL); /* it waits for its next attempt */
    px_op_cancel(&op);
    turns(&f, 3);
    assert_int_equal(wire.started, 2);
    assert_int_equal(got.ends, 0);
    assert_int_equal(counts(&f).waiting + counts(&f).in_flight, 0);
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(streams), cmocka_unit_test(streams_that_fail),
                                       cmocka_unit_test(writes), cmocka_unit_test(cancels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
