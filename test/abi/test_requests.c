/* Requests that a plugin makes in code: host->http, in all its frames, against a peer of the test's. */
#include "routes_rig.h"

enum { MUCH = 8 << 20 };

static void serve_much(struct web_conn *c) {
    static char block[65537];
    memset(block, 'x', sizeof block - 1);
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n", MUCH);
    assert_int_equal(px_buf_text(&c->out, head), 0);
    for (int i = 0; i < MUCH / 65536; i++)
        assert_int_equal(px_buf_text(&c->out, block), 0);
    web_flush(c);
}

static void serve(struct web_conn *c, const char *request) {
    const char *path = strchr(request, ' ') + 1;
    if (strncmp(path, "/v1/lines", 9) == 0)
        web_answer(c, 200, "", "one\ntwo\r\nthis line is too long for it\nthree");
    else if (strncmp(path, "/v1/sse", 7) == 0)
        web_answer(c, 200, "", ": hello\ndata: one\n\nevent: x\ndata: two\ndata: more\n\n");
    else if (strncmp(path, "/v1/much", 8) == 0)
        serve_much(c);
    else if (strncmp(path, "/v1/hold", 8) == 0)
        c->peer->held = c;
    else if (strncmp(path, "/v1/reset", 9) == 0)
        web_reset(c);
    else if (strncmp(path, "/v1/lie", 7) == 0)
        web_answer(c, 200, "", "{\"error\":\"lie\"}");
    else if (strncmp(path, "/v1/bad", 7) == 0)
        web_answer(c, 403, "", "{\"message\":\"keep out\"}");
    else
        web_answer(c, 200, "", "{\"some\":\"thing\"}");
}

static int setup(void **s) {
    (void)s;
    rig_open(serve);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    rig_close();
    return 0;
}

static void whole(void **s) {
    (void)s;
    rig_expect("r_fetch", "{\"path\":\"/a/{x}\",\"args\":{\"x\":\"b c\"}}", 0,
               "END=status 0 http 200 bytes 0 body={\\\"some\\\":\\\"thing\\\"}");
    assert_non_null(strstr(peer.last, "GET /v1/a/b%20c HTTP/1.1\r\n"));
    assert_non_null(strcasestr(peer.last, "\r\nX-Test: yes\r\n"));
    assert_non_null(strcasestr(peer.last, "\r\nAuthorization: Bearer very-secret-token\r\n"));
    rig_expect("r_fetch", "{\"path\":\"/p\",\"method\":\"POST\",\"body\":\"{}\"}", 0, "http 200");
    assert_non_null(strcasestr(peer.last, "\r\nContent-Type: application/json\r\n"));
    /* a write carries a key, its own or one that the host makes; what reads has none */
    assert_non_null(strcasestr(peer.last, "\r\nX-Key: "));
    rig_expect("r_fetch", "{\"path\":\"/p\",\"method\":\"POST\",\"key\":\"my-key\",\"auth\":\"other\"}", 0,
               "http 200");
    assert_non_null(strcasestr(peer.last, "\r\nX-Key: my-key\r\n"));
    assert_non_null(strcasestr(peer.last, "\r\nX-Other: very-secret-token\r\n"));
    assert_null(strcasestr(peer.last, "\r\nAuthorization:"));
    rig_expect("r_fetch", "{\"path\":\"/p\",\"key\":\"my-key\"}", 0, "http 200");
    assert_null(strcasestr(peer.last, "\r\nX-Key:"));
    /* judged */
    rig_expect("r_fetch", "{\"path\":\"/bad\"}", PX_FORBIDDEN, "keep out");
    rig_expect("r_fetch", "{\"path\":\"/lie\"}", PX_RATE_LIMITED, "classified: id 0, upstream api");
    /* no answer */
    rig_expect("r_fetch", "{\"path\":\"/reset\"}", 0, "END=status -104 http 0");
    rig_expect("r_fetch", "{\"path\":\"/hold\",\"timeout_ms\":100}", 0,
               "END=status -110 http 0 bytes 0 timed-out");
    rig_expect("r_fetch", "{\"path\":\"/much\",\"max_bytes\":1000}", 0, "END=status -90");
    /* the guard stands in front of code, too */
    rig_expect("r_fetch", "{\"url\":\"http://127.0.0.1:1/\"}", 0, "END=status -13 http 0");
    rig_expect("r_fetch", "{\"url\":\"ftp://127.0.0.1/\"}", 0, "END=status -22 http 0");
    /* what cannot be asked at all */
    rig_expect("r_fetch", "{\"path\":\"/\",\"upstream\":\"none\"}", PX_INTERNAL, "refused -2");
    rig_expect("r_fetch", "{\"path\":\"/{missing}\"}", PX_INTERNAL, "refused -22");
    rig_expect("r_fetch", "{\"path\":\"/\",\"frame\":9}", PX_INTERNAL, "refused -22");
}

static void framed(void **s) {
    (void)s;
    rig_expect("r_fetch", "{\"path\":\"/lines\",\"frame\":2,\"max_bytes\":10}", 0,
               "HEAD=200 DATA=one DATA=two GAP DATA=three END=status 0 http 200 bytes 11");
    rig_expect("r_fetch", "{\"path\":\"/sse\",\"frame\":3}", 0,
               "HEAD=200 DATA=one DATA=two\\nmore END=status 0 http 200");
    rig_expect("r_fetch", "{\"path\":\"/much\",\"frame\":1}", 0, "END=status 0 http 200 bytes 8388608");
    rig_expect("r_fetch", "{\"path\":\"/lines\",\"frame\":2,\"enough\":1}", 0, "enough");
}

/* Paused after each event, and resumed by a timer: nothing comes in between, and the upstream is held back. */
static void paused(void **s) {
    (void)s;
    struct test_outcome out;
    rig_expect("r_fetch", "{\"path\":\"/lines\",\"frame\":2,\"pause_ms\":5}", 0,
               "HEAD=200 DATA=one DATA=two DATA=this line is too long for it DATA=three END=status 0");
    uint64_t before = peer.bytes_out;
    test_call_start(&h, "r_fetch", "{\"path\":\"/much\",\"frame\":1,\"pause_ms\":60000}", &out);
    test_host_turns(&h, 200);
    assert_false(out.done);
    assert_true(peer.bytes_out > before);
    assert_true(peer.bytes_out - before < MUCH / 2 + (4 << 20)); /* what the kernel's buffers hold */
    uint64_t stalled = peer.bytes_out;
    test_host_turns(&h, 100);
    assert_int_equal(peer.bytes_out, stalled);
    px_op_cancel(&out.op);
}

static void cancelled(void **s) {
    (void)s;
    struct test_outcome out;
    test_host_turns(&h, 20);
    uint32_t ops = rig_ops(), scopes = rig_scopes();
    unsigned asked = peer.requests;
    test_call_start(&h, "r_fetch", "{\"path\":\"/hold\"}", &out);
    rig_until_asked(asked + 1);
    px_op_cancel(&out.op);
    test_host_turns(&h, 30);
    assert_int_equal(rig_ops(), ops);
    assert_int_equal(rig_scopes(), scopes);
    assert_true(peer.held->fd < 0);
}

static void bounded(void **s) {
    (void)s;
    uint32_t ops = rig_ops();
    rig_expect("r_fetch", "{\"path\":\"/hold\",\"many\":256}", PX_INTERNAL, "refused -11");
    test_host_turns(&h, 50);
    assert_int_equal(rig_ops(), ops);
    rig_expect("r_fetch", "{\"path\":\"/a\"}", 0, "http 200");
}

static void routes(void **s) {
    (void)s;
    rig_expect("r_route", "{\"route\":{\"path\":\"/a/{x}\"},\"args\":{\"x\":\"1\",\"unused\":2}}", 0,
               "thing");
    assert_non_null(strstr(peer.last, "GET /v1/a/1 HTTP/1.1\r\n"));
    rig_expect("r_route", "{\"route\":{\"path\":\"/a/{x}\"},\"args\":{\"x\":\"2\"}}", 0, "thing");
    assert_non_null(strstr(peer.last, "GET /v1/a/2 HTTP/1.1\r\n"));
    rig_expect(
        "r_route",
        "{\"route\":{\"method\":\"POST\",\"path\":\"/a\",\"body\":{\"v\":{\"$arg\":\"v\"}}},\"args\":{\"v\":[1]}}",
        0, "thing");
    assert_non_null(strstr(peer.last, "{\"v\":[1]}"));
    rig_expect("r_route", "{\"route\":{\"path\":\"/a/{x}\"},\"args\":{}}", PX_INVALID_ARGUMENTS, "x");
    rig_expect("r_route", "{\"route\":{\"path\":\"/bad\"}}", PX_FORBIDDEN, "keep out");
    rig_expect("r_route", "{\"route\":{\"path\":\"/lie\"}}", PX_RATE_LIMITED, "classified: id 0");
    rig_expect("r_route", "{\"route\":{\"path\":\"/a\",\"nonsense\":1}}", PX_INTERNAL, "refused -22");
    /* more than are kept */
    for (int i = 0; i < 150; i++) {
        char args[128];
        snprintf(args, sizeof args, "{\"route\":{\"path\":\"/n/%d\"}}", i);
        rig_expect("r_route", args, 0, "thing");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),     cmocka_unit_test(framed),  cmocka_unit_test(paused),
        cmocka_unit_test(cancelled), cmocka_unit_test(bounded), cmocka_unit_test(routes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
