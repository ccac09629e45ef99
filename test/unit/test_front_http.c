/* What is said over HTTP: formats, hosts, places. The server under it has tests of its own (net_serve). */
#include "serve_rig.h"

#include "front/http.h"

static void test_metrics(void **state) {
    struct px_buf text;
    (void)state;
    px_buf_init(&text, 65536);
    struct px_metrics m = {.to = &text, .open = true};
    const px_pair labels[] = {{PX_LIT("service"), PX_LIT("a\"b\\c\nd")}, {PX_LIT("reason"), PX_LIT("rate")}};
    px_metrics_family(&m, "x_calls", PX_METRIC_COUNTER, NULL, "Calls\nin \"all\".");
    px_metrics_value(&m, labels, 2, 18446744073709551615u);
    px_metrics_family(&m, "x_took", PX_METRIC_SUMMARY, "seconds", "Time.");
    px_metrics_summary(&m, labels + 1, 1, 1500000, 2000000001, 7);
    px_metrics_family(&m, "x_build", PX_METRIC_INFO, NULL, "It.");
    px_metrics_value(&m, labels + 1, 1, 1);
    px_metrics_end(&m);
    assert_string_equal(text.p,
                        "# TYPE x_calls counter\n"
                        "# HELP x_calls Calls\\nin \\\"all\\\".\n"
                        "x_calls_total{service=\"a\\\"b\\\\c\\nd\",reason=\"rate\"} 18446744073709551615\n"
                        "# TYPE x_took_seconds summary\n"
                        "# UNIT x_took_seconds seconds\n"
                        "# HELP x_took_seconds Time.\n"
                        "x_took_seconds{reason=\"rate\",quantile=\"0.5\"} 0.001500000\n"
                        "x_took_seconds{reason=\"rate\",quantile=\"0.99\"} 2.000000001\n"
                        "x_took_seconds_count{reason=\"rate\"} 7\n"
                        "# TYPE x_build info\n"
                        "# HELP x_build It.\n"
                        "x_build_info{reason=\"rate\"} 1\n"
                        "# EOF\n");
    px_buf_clear(&text, 0);
    m.open = false;
    px_metrics_family(&m, "x_calls", PX_METRIC_COUNTER, "bytes", "Calls.");
    px_metrics_value(&m, NULL, 0, 1);
    px_metrics_family(&m, "x_build", PX_METRIC_INFO, NULL, "It.");
    px_metrics_value(&m, NULL, 0, 1);
    px_metrics_end(&m);
    assert_string_equal(text.p, "# TYPE x_calls_bytes_total counter\n"
                                "# HELP x_calls_bytes_total Calls.\n"
                                "x_calls_bytes_total 1\n"
                                "# TYPE x_build_info gauge\n"
                                "# HELP x_build_info It.\n"
                                "x_build_info 1\n");
    px_buf_finish(&text);
}

static void test_accept(void **state) {
    (void)state;
    assert_true(px_front_http_wants_open((px_str){0}));
    assert_true(px_front_http_wants_open(PX_LIT("*/*")));
    assert_true(
        px_front_http_wants_open(PX_LIT("text/plain;q=0.5, application/openmetrics-text; version=1.0.0")));
    assert_false(px_front_http_wants_open(PX_LIT("text/plain;version=0.0.4")));
}

static void test_hosts(void **state) {
    char name[] = "plexus.example", *const hosts[] = {name, NULL};
    static const char *const ours[] = {"localhost",          "LocalHost:1",    "127.0.0.1",
                                       "127.9.9.9:80",       "[::1]:80",       "[::1]",
                                       "[::ffff:127.0.0.1]", "PLEXUS.example", "plexus.example:443"};
    static const char *const others[] = {
        "",         "evil.example", "localhost.", "xlocalhost",          "127.0.0.1.evil", "::2",
        "[::2]:80", "10.0.0.1",     "0.0.0.0",    "plexus.example.evil", "[::]",           "127.1"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(ours); i++)
        if (!px_front_http_is_our_host(px_str_of(ours[i]), hosts))
            fail_msg("%s", ours[i]);
    for (size_t i = 0; i < PX_COUNT(others); i++)
        if (px_front_http_is_our_host(px_str_of(others[i]), hosts))
            fail_msg("%s", others[i]);
}

/* ---- over the wire ---- */

static bool is_ready, too_much;

static bool say_ready(void *ctx, struct px_buf *to) {
    (void)ctx;
    px_buf_text(to, "a reason\n");
    return is_ready;
}

static void say_metrics(void *ctx, struct px_metrics *m) {
    (void)ctx;
    px_metrics_family(m, "x", PX_METRIC_GAUGE, NULL, "X.");
    for (uint64_t i = 0; i < (too_much ? 3000000u : 1u); i++)
        px_metrics_value(m, NULL, 0, i);
}

static const struct px_front_http_sink sink = {say_ready, say_metrics};

static int say(struct serve_rig *r, const char *request, const char *expected) {
    struct client c;
    client_open(r, &c);
    client_send(&c, request);
    client_turns(&c, 5);
    int status = status_in(&c);
    if (!count_in(&c, expected))
        fail_msg("%s: " PX_FMT, request, PX_ARG(px_buf_view(&c.in)));
    client_close(&c);
    return status;
}

static void test_places(void **state) {
    struct serve_rig r = {0};
    struct px_front_http *http;
    struct px_err err = {0};
    struct px_front_http_opts opts = {.sink = &sink, .listen_fd = -1};
    uint64_t port;
    (void)state;
    rig_open(&r.rig, true);
    opts.loop = r.rig.loop;
    assert_int_equal(px_addr_parse(PX_LIT("0.0.0.0"), 0, &opts.addr), 0);
    assert_int_equal(px_front_http_create(&opts, &http, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "neither TLS nor authentication"));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* passed to us, and open to everybody */
    assert_int_equal(listen(fd, 1), 0);
    opts.listen_fd = fd;
    assert_int_equal(px_front_http_create(&opts, &http, &err), -EINVAL);
    close(fd);
    opts.listen_fd = -1;
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), 0, &opts.addr), 0);
    assert_int_equal(px_front_http_create(&opts, &http, NULL), 0);
    const char *where = px_front_http_where(http);
    assert_int_equal(px_str_u64(px_str_of(strchr(where, ':') + 1), &port), 0);
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), (uint16_t)port, &r.addr), 0);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert_int_equal(say(&r, GET("/healthz"), "\r\n\r\nok\n"), 200);
    assert_int_equal(say(&r, GET("/readyz"), "\r\n\r\nnot ready\na reason\n"), 503);
    is_ready = true;
    assert_int_equal(say(&r, GET("/readyz"), "\r\n\r\nready\na reason\n"), 200);
    assert_int_equal(say(&r, "HEAD /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", "Content-Length: 15\r\n"),
                     200);
    assert_int_equal(say(&r, GET("/metrics"), "x 0\n# EOF\n"), 200);
    assert_int_equal(say(&r, "GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n", "version=0.0.4"), 200);
    assert_int_equal(say(&r, "POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "Allow: GET, HEAD\r\n"),
                     405);
    assert_int_equal(say(&r, GET("/else"), "there are"), 404);
    assert_int_equal(say(&r, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "not the host"), 421);
    too_much = true;
    assert_int_equal(say(&r, GET("/metrics"), "do not fit"), 500);
    px_front_http_destroy(&http);
    rig_close(&r.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
