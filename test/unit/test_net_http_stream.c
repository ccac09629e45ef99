/* Bodies in pieces: raw, lines, events; pausing; who is held back. */
#include "http_help.h"

static struct got stream(const struct step *script, struct px_http_req req) {
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", req);
    peer_close(&p);
    web_close(&w);
    return g;
}
#define STREAM(kind, ...)                                                                                    \
    stream((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\n"), __VA_ARGS__, CLOSE, STOP},        \
           (struct px_http_req){.frame = kind, .max_bytes = 10})

static void lines(void **state) {
    (void)state;
    struct got g = STREAM(PX_HTTP_LINE, SEND("a\nbc\r\n"), SEND("\nde"), SEND("f\ng"));
    SUCCEEDED(&g);
    assert_string_equal(g.data, "a|bc||def|g|");
    assert_int_equal(g.gaps, 0);
    assert_int_equal(g.heads, 1);
    g = STREAM(PX_HTTP_LINE, SEND("a\n0123456789\n01234567890\nb\n"));
    SUCCEEDED(&g);
    assert_string_equal(g.data, "a|0123456789|b|");
    assert_int_equal(g.gaps, 1);
    assert_int_equal(g.gap_bytes, 12);
    g = STREAM(PX_HTTP_LINE, SEND("a\n01234567890123"));
    assert_int_equal(g.gaps, 1);
    assert_string_equal(g.data, "a|");
    /* What was cut is no line. */
    g = stream((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na\nb"),
                                     RESET, STOP},
               (struct px_http_req){.frame = PX_HTTP_LINE});
    FAILED(&g, PX_HTTP_RESET);
    assert_string_equal(g.data, "a|");
}

static void events(void **state) {
    (void)state;
    struct got g = stream(
        (const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"),
                              SEND("event: x\nid: 1\ndata: a\n\n: hi\nda"), SEND("ta: b\n\ndata: c"), CLOSE,
                              STOP},
        (struct px_http_req){.frame = PX_HTTP_SSE});
    SUCCEEDED(&g);
    assert_string_equal(g.data, "x/1:a|message/1:b|");
}

static void raw(void **state) {
    (void)state;
    struct got g = STREAM(PX_HTTP_RAW, MUCH(3000000));
    SUCCEEDED(&g);
    assert_int_equal(g.data_bytes, 3000000);
    g = stream((const struct step[]){REQUEST, SEND("HTTP/1.1 204 No Content\r\n\r\n"), STOP},
               (struct px_http_req){.frame = PX_HTTP_RAW});
    SUCCEEDED(&g);
    assert_int_equal(g.heads, 1);
    assert_int_equal(g.pieces, 0);
    /* Nothing came: no head. */
    g = stream((const struct step[]){REQUEST, CLOSE, STOP}, (struct px_http_req){.frame = PX_HTTP_RAW});
    FAILED(&g, PX_HTTP_RESET);
    assert_int_equal(g.heads, 0);
}

static void pause_at_head(struct got *g, const struct px_http_ev *ev) {
    if (ev->kind == PX_HTTP_HEAD)
        px_http_pause(g->op, true);
}

/* While it is paused, only so much leaves the peer: what the client holds, and what the kernel does. */
static void holds_back(void **state) {
    (void)state;
    enum { SIZE = 64 << 20 };
    static const struct step script[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\n"), MUCH(SIZE), CLOSE, STOP};
    struct web w;
    struct peer p;
    struct got g = {.then = pause_at_head};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_req(&w, &g,
            (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")),
                                 .frame = PX_HTTP_RAW,
                                 .timeouts = {.idle_ns = 400 * PX_MS}});
    UNTIL(w.rig.loop, g.heads);
    uint64_t before = 0;
    for (int same = 0; same < 5; same = p.sent == before ? same + 1 : 0) {
        before = p.sent;
        let_pass(w.rig.loop, 100 * PX_MS); /* also longer than idle */
    }
    assert_int_equal(g.pieces, 0);
    assert_true(p.sent < SIZE / 2);
    struct px_loop_stats turns, later;
    px_loop_stats_get(w.rig.loop, &turns);
    assert_int_equal(px_loop_turn(w.rig.loop, 30 * PX_MS), 0);
    px_loop_stats_get(w.rig.loop, &later);
    assert_true(later.callbacks - turns.callbacks < 5); /* it does not spin meanwhile */
    px_http_pause(g.op, false);
    UNTIL(w.rig.loop, g.ends);
    SUCCEEDED(&g);
    assert_int_equal(g.data_bytes, SIZE);
    peer_close(&p);
    web_close(&w);
}

/* One event at a time, each asked for. */
static void pause_each(struct got *g, const struct px_http_ev *ev) {
    if (ev->kind != PX_HTTP_END)
        px_http_pause(g->op, true);
}

static void one_at_a_time(void **state) {
    (void)state;
    static const struct step script[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\na\nb\nc\n"), CLOSE, STOP};
    struct web w;
    struct peer p;
    struct got g = {.then = pause_each};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_req(&w, &g, (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")), .frame = PX_HTTP_LINE});
    UNTIL(w.rig.loop, g.heads);
    for (unsigned i = 1; i <= 3; i++) {
        let_pass(w.rig.loop, 10 * PX_MS);
        assert_int_equal(g.pieces, i - 1);
        px_http_pause(g.op, false);
        UNTIL(w.rig.loop, g.pieces == i);
    }
    let_pass(w.rig.loop, 10 * PX_MS);
    assert_int_equal(g.ends, 0);
    px_http_pause(g.op, false);
    UNTIL(w.rig.loop, g.ends);
    SUCCEEDED(&g);
    peer_close(&p);
    web_close(&w);
}

/* Time that is spent paused is not idle; total is total. */
static void paused_time(void **state) {
    (void)state;
    static const struct step script[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\na\n"), STOP};
    struct web w;
    struct peer p;
    struct got g = {.then = pause_at_head};
    char url[128];
    web_open(&w, true);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_req(&w, &g,
            (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")),
                                 .frame = PX_HTTP_LINE,
                                 .timeouts = {.idle_ns = PX_S, .total_ns = 3600 * PX_S}});
    UNTIL(w.rig.loop, g.heads);
    uint64_t began = w.rig.clock.now_ns;
    while (w.rig.clock.now_ns < began + 60 * PX_S)
        assert_int_equal(px_loop_turn(w.rig.loop, PX_S), 0);
    assert_int_equal(g.ends, 0);
    px_http_pause(g.op, false);
    UNTIL(w.rig.loop, g.ends);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "idle");
    assert_string_equal(g.data, "a|");
    ask_req(&w, &g,
            (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")),
                                 .frame = PX_HTTP_LINE,
                                 .timeouts = {.idle_ns = PX_S, .total_ns = 10 * PX_S}});
    UNTIL(w.rig.loop, g.heads);
    began = w.rig.clock.now_ns;
    while (w.rig.clock.now_ns < began + 20 * PX_S)
        assert_int_equal(px_loop_turn(w.rig.loop, PX_S), 0);
    px_http_pause(g.op, false);
    UNTIL(w.rig.loop, g.ends);
    assert_string_equal(g.result.timeout, "total");
    peer_close(&p);
    web_close(&w);
}

/* A stream that is cancelled while it is held. */
static void cancelled_while_held(void **state) {
    (void)state;
    static const struct step script[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\n"), MUCH(64 << 20), STOP};
    struct web w;
    struct peer p;
    struct got g = {.then = pause_at_head};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_req(&w, &g, (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")), .frame = PX_HTTP_RAW});
    UNTIL(w.rig.loop, g.heads);
    let_pass(w.rig.loop, 50 * PX_MS);
    px_op_cancel(&g.op);
    UNTIL(w.rig.loop, peer_open_conns(&p) == 0);
    peer_close(&p);
    web_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(events),
        cmocka_unit_test(raw),
        cmocka_unit_test(holds_back),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(paused_time),
        cmocka_unit_test(cancelled_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
