/* Each allocation and system call of a request goes wrong once: ours. (libcurl 7.88 does not survive
 * it when its own allocations fail: a hash without slots is divided by.) */
#include "http_help.h"
#include "support/fault.h"

static const struct step answers[] = {
    REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-A: b\r\n\r\na\nb\nc\n"), AGAIN};
static const struct step moves[] = {
    REQUEST,
    SEND("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
    REQUEST,
    SEND("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"),
    SENDN(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"),
    STOP};

struct plan {
    const struct step *script;
    enum px_http_frame frame;
    const char *host;
    unsigned requests;
};

struct seen {
    unsigned ends;
    enum px_http_fail fail;
};
static void on_seen(void *user, const struct px_http_ev *ev) {
    struct seen *seen = user;
    if (ev->kind != PX_HTTP_END)
        return;
    assert_int_equal(seen->ends, 0);
    seen->ends++;
    seen->fail = ev->result->fail;
    assert_true(!ev->result->fail == !ev->result->why);
}

static int ask_one(struct px_http *http, struct px_loop *loop, struct px_scope *scope,
                   struct px_egress *egress, const char *url, enum px_http_frame frame) {
    struct seen seen = {0};
    struct px_op *op = NULL;
    struct px_err err = {0};
    const struct px_http_req req = {.egress = egress,
                                    .method = PX_LIT("POST"),
                                    .body = PX_LIT("some words"),
                                    .url = px_str_of(url),
                                    .frame = frame,
                                    .timeouts = {.total_ns = 5 * PX_S}};
    int r = px_http_start(http, scope, &req, on_seen, &seen, &op, &err);
    assert_true(r == 0 || (r == -ENOMEM && err.msg[0]));
    uint64_t give_up = px_clock_mono_ns() + 10 * PX_S;
    while (!r && !seen.ends) {
        assert_true(px_clock_mono_ns() < give_up);
        if (px_loop_turn(loop, 5 * PX_MS))
            break; /* the wait itself has failed; it will not be repeated */
    }
    if (!r && !seen.ends) {
        px_op_cancel(&op);
        return -EIO;
    }
    return r ? r : seen.fail ? -EIO : 0;
}

static int scenario(void *user) {
    const struct plan *plan = user;
    struct px_loop *loop = NULL;
    struct px_scope *scope = NULL;
    struct px_http *http = NULL;
    struct peer p = {.fd = -1};
    char origin[64], url[80];
    fault_off();
    memset(fake_names, 0, sizeof fake_names);
    fake_name_set("api.test", "127.0.0.1", NULL);
    assert_int_equal(px_loop_create(NULL, &loop, NULL), 0);
    assert_int_equal(px_scope_open(loop, NULL, "test", 0, &scope), 0);
    peer_open(&p, loop, plan->script);
    snprintf(origin, sizeof origin, "http://%s:%u", plan->host, p.port);
    snprintf(url, sizeof url, "%s/a", origin);
    px_str text = px_str_of(origin);
    struct px_egress *egress =
        web_egress(&(struct px_egress_conf){.origins = &text, .n_origins = 1, .allow_private = true});
    fault_on();
    struct px_err err = {0};
    int r = px_http_create(&(struct px_http_opts){.loop = loop, .ca_file = web_ca()}, &http, &err);
    for (unsigned i = 0; !r && i < plan->requests; i++)
        r = ask_one(http, loop, scope, egress, url, plan->frame);
    /* Whatever went wrong, the next one goes well: it went wrong once. */
    if (r && http)
        (void)ask_one(http, loop, scope, egress, url, plan->frame);
    px_scope_close(&scope);
    px_http_destroy(&http);
    fault_off();
    px_egress_unref(egress);
    peer_close(&p);
    assert_int_equal(px_loop_turn(loop, 0), 0);
    px_loop_destroy(loop);
    px_arena_stock_free();
    fault_on();
    return r;
}

static void whole(void **state) {
    (void)state;
    struct plan plan = {answers, PX_HTTP_WHOLE, "127.0.0.1", 2};
    assert_true(fault_sweep(FAULT_FAIL, scenario, &plan) > 30);
    fault_sweep(FAULT_INTERRUPT, scenario, &plan);
}
static void lines(void **state) {
    (void)state;
    struct plan plan = {answers, PX_HTTP_LINE, "api.test", 1};
    assert_true(fault_sweep(FAULT_FAIL, scenario, &plan) > 30);
}
static void redirected(void **state) {
    (void)state;
    struct plan plan = {moves, PX_HTTP_SSE, "api.test", 1};
    fault_sweep(FAULT_FAIL, scenario, &plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(lines),
        cmocka_unit_test(redirected),
    };
    fault_off();
    (void)web_ca();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
