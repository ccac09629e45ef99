/* Requests, as they should be and as they should not. */
#include "serve_rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void test_one_request(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, "GET /a/b?c=d HTTP/1.1\r\nHost: localhost:80\r\nX-One:  two \t\r\nX-Empty:\r\n\r\n");
    assert_int_equal(status_in(&c), 200);
    assert_int_equal(count_in(&c, "GET /a/b?c=d localhost:80 11 [] x-one=two x-empty="), 1);
    assert_int_equal(count_in(&c, "\r\nDate: "), 1);
    assert_int_equal(count_in(&c, "\r\nContent-Length: "), 1);
    assert_int_equal(count_in(&c, "\r\nConnection:"), 0);
    client_send(&c, GET("/again"));
    assert_int_equal(count_in(&c, "HTTP/1.1 200 OK"), 2);
    assert_false(c.eof);
    client_close(&c);
    assert_int_equal(stats_of(&r).connections, 0);
    assert_int_equal(stats_of(&r).requests, 2);
    serve_close(&r);
}

static void test_methods_and_versions(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"); /* the length of what GET would have */
    assert_int_equal(count_in(&c, "Content-Length: 16\r\n\r\n"), 1);
    assert_int_equal(count_in(&c, "HEAD /x"), 0);
    client_send(&c, "POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(count_in(&c, "POST /y? a 11 [hello]"), 1);
    client_send(&c, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(count_in(&c, "OPTIONS *? a 11 []"), 1);
    client_send(&c, "GET http://A/z?q HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(count_in(&c, "GET /z?q A 11 []"), 1);
    client_send(&c, "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert_int_equal(count_in(&c, "GET /up? a 11 []"), 1); /* not taken up */
    client_send(&c, "\r\nGET /line HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(count_in(&c, "GET /line"), 1);
    assert_false(c.eof);
    client_send(&c, "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/never"));
    assert_int_equal(count_in(&c, "GET /end"), 1);
    assert_int_equal(count_in(&c, "GET /never"), 0);
    assert_int_equal(count_in(&c, "\r\nConnection: close\r\n"), 1);
    assert_true(c.eof);
    client_close(&c);

    client_open(&r, &c);
    client_send(&c, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(count_in(&c, "GET /old?  10 []"), 1);
    assert_int_equal(count_in(&c, "\r\nConnection: close\r\n"), 1);
    assert_true(c.eof);
    client_close(&c);
    serve_close(&r);
}

/* Three requests one behind the other, cut in two at every place, and byte by byte: the same three answers. */
static void test_split_anywhere(void **state) {
    static const char stream[] = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
                                 "5;ext=\"x\"\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: t\r\n\r\n"
                                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    const size_t n = sizeof stream - 1;
    struct serve_rig r;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    for (size_t at = 0; at <= n; at++) {
        struct client c;
        client_open(&r, &c);
        for (size_t i = 0; at == 0 && i < n; i++)
            client_send_n(&c, stream + i, 1);
        client_send_n(&c, stream, at);
        if (at)
            client_send_n(&c, stream + at, n - at);
        client_turns(&c, 3);
        if (count_in(&c, "HTTP/1.1 200 OK") != 3)
            fail_msg("cut at %zu: " PX_FMT, at, PX_ARG(px_buf_view(&c.in)));
        assert_int_equal(count_in(&c, "POST /1? a 11 [hello world] x-a=b"), 1);
        assert_int_equal(count_in(&c, "trailer"), 0);
        assert_int_equal(count_in(&c, "GET /2? a 11 []"), 1);
        assert_int_equal(count_in(&c, "POST /3? a 11 [abc]"), 1);
        assert_false(c.eof);
        client_close(&c);
    }
    assert_int_equal(stats_of(&r).bad, 0);
    serve_close(&r);
}

/* What can be read in two ways, or not at all. */
static void test_refused(void **state) {
#define HEAD(lines) "GET / HTTP/1.1\r\n" lines "\r\n"
    static const struct {
        int status;
        const char *text;
        size_t n;
    } cases[] = {
#define BAD(status, text) {status, text, sizeof(text) - 1}
        BAD(400, HEAD("Host : a\r\n")),
        BAD(400, HEAD("Host\t: a\r\n")),
        BAD(400, HEAD("Host: a\r\n b\r\n")),
        BAD(400, HEAD("Host: a\r\nX-A: b\r\n\tc\r\n")),
        BAD(400, HEAD("")),
        BAD(400, HEAD("X-A: b\r\n")),
        BAD(400, HEAD("Host: a\r\nHost: a\r\n")),
        BAD(400, HEAD("Host: a\r\nhOST: b\r\n")),
        BAD(400, HEAD("Host:\r\n")),
        BAD(400, HEAD("Host: a b\r\n")),
        BAD(400, HEAD("Host: a/b\r\n")),
        BAD(400, HEAD("Host: u@a\r\n")),
        BAD(400, HEAD("Host: a:0\r\n")),
        BAD(400, HEAD("Host: a:65536\r\n")),
        BAD(400, HEAD("Host: [::1\r\n")),
        BAD(400, HEAD("Host: [zz]\r\n")),
        BAD(400, "GET /\r\n\r\n"), /* HTTP/0.9 */
        BAD(400, "GET /\r\nHost: a\r\n\r\n"),
        BAD(400, "GET / HTTP\r\nHost: a\r\n\r\n"),
        BAD(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET / /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        BAD(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\nHost: a\n\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
        BAD(400, HEAD("Host: a\r\nX-A: b\x0b\r\n")),
        BAD(400, HEAD("Host: a\r\nX-A: b\0c\r\n")),
        BAD(400, HEAD("Host: a\r\nno colon\r\n")),
        BAD(400, HEAD("Host: a\r\n: nothing\r\n")),
        BAD(400, HEAD("Host: a\r\nX{A}: b\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 1, 1\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: +1\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: -1\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 1 2\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 0x1\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length:\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 99999999999999999999\r\n")),
        BAD(400, HEAD("Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n")),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n")),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: xchunked\r\n")),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked, identity\r\n")),
        BAD(501, HEAD("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n")),
        BAD(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "x\r\n"),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "1\r\nab\r\n"),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "ffffffffffffffffff\r\n"),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "-1\r\n"),
        BAD(400, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "1\na\r\n"),
        BAD(413, HEAD("Host: a\r\nContent-Length: 65537\r\n")),
        BAD(413, HEAD("Host: a\r\nTransfer-Encoding: chunked\r\n") "10001\r\n"), /* no byte of it is needed */
        BAD(417, HEAD("Host: a\r\nExpect: a-pony\r\n")),
        BAD(501, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
        BAD(501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BAD(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        BAD(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BAD(505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        BAD(400, "\x16\x03\x01\x02"), /* TLS: at once, without waiting for a line */
    };
    struct serve_rig r;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        bool eof;
        int status = answer_to(&r, cases[i].text, cases[i].n, &eof);
        if (status != cases[i].status || !eof)
            fail_msg("%d, not %d%s: %s", status, cases[i].status, eof ? "" : ", and no end", cases[i].text);
    }
    assert_int_equal(r.handled, 0);
    assert_int_equal(stats_of(&r).bad, PX_COUNT(cases));
    serve_close(&r);
}

static void send_many(struct client *c, const char *first, const char *piece, size_t n, const char *last) {
    client_send(c, first);
    for (size_t i = 0; i < n; i++)
        client_send(c, piece);
    client_send(c, last);
    client_turns(c, 3);
}

static void test_too_much(void **state) {
    static char long_target[PX_SERVE_HEAD + 100], body[70000];
    struct serve_rig r;
    struct client c;
    (void)state;
    memset(long_target, 'a', sizeof long_target - 1);
    memcpy(long_target, "GET /", 5);
    memset(body, 'b', sizeof body - 1);
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    send_many(&c, "GET / HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", 99, "\r\n"); /* with Host: 100 */
    assert_int_equal(status_in(&c), 200);
    client_close(&c);
    client_open(&r, &c);
    send_many(&c, "GET / HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", 100, "\r\n");
    assert_int_equal(status_in(&c), 431);
    client_close(&c);
    client_open(&r, &c);
    send_many(&c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", "bbbbbbbbbbbbbbbb", PX_SERVE_HEAD / 16, "");
    assert_int_equal(status_in(&c), 431);
    client_close(&c);
    client_open(&r, &c);
    client_send(&c, long_target);
    assert_int_equal(status_in(&c), 414);
    client_close(&c);
    client_open(&r, &c); /* exactly as much as may be */
    send_many(&c, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n", "bbbbbbbb", 8192, "");
    assert_int_equal(status_in(&c), 200);
    client_close(&c);
    client_open(&r, &c);
    send_many(&c, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\nbbbbbbbb\r\n",
              8193, "");
    assert_int_equal(status_in(&c), 413);
    assert_true(c.eof);
    assert_false(c.reset);
    client_close(&c);
    client_open(&r, &c); /* extensions without end */
    send_many(&c, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "eeeeeeee", 12000,
              "");
    assert_int_equal(status_in(&c), 413);
    client_close(&c);
    client_open(&r, &c); /* trailers without end */
    send_many(&c, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-T: t\r\n",
              12000, "");
    assert_int_equal(status_in(&c), 413);
    client_close(&c);
    serve_close(&r);
}

/* The sender goes on for long after the refusal: it still gets to read it. */
static void test_refusal_arrives(void **state) {
    static char much[1 << 20];
    struct serve_rig r;
    struct client c;
    (void)state;
    memset(much, 'x', sizeof much);
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    for (int i = 0; i < 7; i++)
        client_send_n(&c, much, sizeof much);
    client_turns(&c, 3);
    assert_int_equal(status_in(&c), 413);
    assert_false(c.reset);
    assert_int_equal(stats_of(&r).connections, 1); /* lingers */
    pass(&r, 3 * PX_S);
    assert_int_equal(stats_of(&r).connections, 0);
    client_close(&c);
    serve_close(&r);
}

static void test_expect(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    client_send(&c, "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
    assert_int_equal(status_in(&c), 100);
    client_send(&c, "abc");
    assert_int_equal(count_in(&c, "[abc]"), 1);
    client_send(&c, "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    assert_int_equal(count_in(&c, "[abc]"), 2);
    assert_int_equal(count_in(&c, "100 Continue"), 1); /* the body was there */
    client_close(&c);
    client_open(&r, &c);
    client_send(&c, "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(status_in(&c), 413); /* and not 100 */
    client_close(&c);
    serve_close(&r);
}

static void test_many_in_a_row(void **state) {
    struct serve_rig r;
    struct client c;
    (void)state;
    serve_open(&r, (struct px_serve_limits){0});
    client_open(&r, &c);
    struct px_buf all;
    px_buf_init(&all, 1 << 20);
    for (int i = 0; i < 1000; i++)
        px_buf_text(&all, GET("/p"));
    client_send_n(&c, all.p, all.n);
    client_turns(&c, 200);
    assert_int_equal(count_in(&c, "HTTP/1.1 200 OK"), 1000);
    client_close(&c);
    px_buf_finish(&all);
    serve_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request),    cmocka_unit_test(test_methods_and_versions),
        cmocka_unit_test(test_split_anywhere), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_much),       cmocka_unit_test(test_refusal_arrives),
        cmocka_unit_test(test_expect),         cmocka_unit_test(test_many_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
