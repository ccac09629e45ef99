/* An open connection that dies under the next request, and requests that are cancelled at every moment. */
#include "http_help.h"

/* ---- an open connection that dies ---- */

/* The second request on it is read, and then the connection ends without an answer: curl would send it again. */
static const struct step dies[] = {REQUEST, SEND(OK_TEXT(2, "ok")), REQUEST, CLOSE, STOP};
static const struct step fine[] = {REQUEST, SEND(OK_TEXT(2, "ok")), AGAIN};

static void never_sends_twice(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, dies);
    p.scripts[p.n_scripts++] = fine;
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){.method = PX_LIT("POST"), .body = PX_LIT("once")});
    FAILED(&g, PX_HTTP_RESET);
    assert_true(g.result.sent);
    struct px_http_stats stats;
    px_http_stats_get(w.http, &stats);
    assert_int_equal(stats.reused, g.result.reused);
    let_pass(w.rig.loop, 20 * PX_MS);
    assert_int_equal(p.requests, 2);
    assert_true(p.n_conns <= 2);
    if (p.n_conns == 2)
        assert_int_equal(p.conns[1]->got.n, 0);
    peer_close(&p);
    web_close(&w);
}

/* What only reads may be asked again. */
static void reads_again(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, dies);
    p.scripts[p.n_scripts++] = fine;
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(p.requests, 3);
    peer_close(&p);
    web_close(&w);
}

/* But not on each of the connections that were open. */
static void reads_again_once(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g[5] = {0};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, dies);
    web_allow_peer(&w, &p, NULL);
    for (size_t i = 0; i < 4; i++) /* at once: four connections */
        ask_req(&w, &g[i], (struct px_http_req){.url = px_str_of(web_url(url, &p, "/"))});
    for (size_t i = 0; i < 4; i++) {
        UNTIL(w.rig.loop, g[i].ends);
        SUCCEEDED(&g[i]);
    }
    assert_int_equal(p.n_conns, 4);
    ask_peer(&w, &g[4], &p, "/", (struct px_http_req){0});
    FAILED(&g[4], PX_HTTP_RESET);
    assert_true(g[4].result.sent);
    assert_int_equal(p.requests, 4 + 2);
    peer_close(&p);
    web_close(&w);
}

/* One that the peer has closed meanwhile is not used: nothing is lost, whatever the method. */
static void closed_meanwhile(void **state) {
    (void)state;
    static const struct step once[] = {REQUEST, SEND(OK_TEXT(2, "ok")), CLOSE, STOP};
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, once);
    web_allow_peer(&w, &p, NULL);
    for (int i = 0; i < 3; i++) {
        ask_peer(&w, &g, &p, "/", (struct px_http_req){.method = PX_LIT("POST"), .body = PX_LIT("once")});
        SUCCEEDED(&g);
        assert_false(g.result.reused);
        let_pass(w.rig.loop, 5 * PX_MS);
    }
    assert_int_equal(p.requests, 3);
    peer_close(&p);
    web_close(&w);
}

/* ---- cancelling ---- */

static unsigned turns_to_cancel;

/* Cancel after so many turns: some of them are in each state. */
static void cancels(void **state) {
    (void)state;
    static const struct step slow[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n"),
                                       SEND("Content-Length: 100000\r\n\r\n"), MUCH(50000), STOP};
    struct web w;
    struct peer p;
    struct got g = {0};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, slow);
    web_allow_peer(&w, &p, NULL);
    fake_name_set("api.test", "127.0.0.1", NULL);
    for (turns_to_cancel = 0; turns_to_cancel < 12; turns_to_cancel++) {
        for (int kind = PX_HTTP_WHOLE; kind <= PX_HTTP_RAW; kind++) {
            ask_req(&w, &g,
                    (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")),
                                         .frame = (enum px_http_frame)kind});
            for (unsigned i = 0; i < turns_to_cancel; i++)
                assert_int_equal(px_loop_turn(w.rig.loop, 0), 0);
            px_op_cancel(&g.op);
            let_pass(w.rig.loop, 2 * PX_MS);
            assert_int_equal(g.ends, 0);
        }
    }
    struct px_http_stats stats;
    px_http_stats_get(w.http, &stats);
    assert_int_equal(stats.running, 0);
    /* And while they wait: for a slot, for a name. */
    peer_close(&p);
    web_close(&w);
}

static void cancels_in_callback(struct got *g, const struct px_http_ev *ev) {
    if (ev->kind == (enum px_http_ev_kind)(intptr_t)g->ctx) {
        g->then = NULL;
        px_op_cancel(&g->op);
    }
}
static void closes_in_callback(struct got *g, const struct px_http_ev *ev) {
    if (ev->kind == (enum px_http_ev_kind)(intptr_t)g->ctx)
        px_scope_close(&g->web->rig.scope);
}

static void ends_inside(void **state) {
    (void)state;
    static const struct step lines[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\na\nb\nc\n"), CLOSE, STOP};
    for (int kind = PX_HTTP_HEAD; kind <= PX_HTTP_END; kind++) {
        for (int scope = 0; scope < 2; scope++) {
            if (kind == PX_HTTP_GAP)
                continue;
            struct web w;
            struct peer p;
            struct got g = {.then = scope ? closes_in_callback : cancels_in_callback,
                            .ctx = (void *)(intptr_t)kind};
            char url[128];
            web_open(&w, false);
            peer_open(&p, w.rig.loop, lines);
            web_allow_peer(&w, &p, NULL);
            ask_req(&w, &g,
                    (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")), .frame = PX_HTTP_LINE});
            let_pass(w.rig.loop, 20 * PX_MS);
            assert_int_equal(g.ends, kind == PX_HTTP_END);
            assert_int_equal(g.heads, 1);
            assert_int_equal(g.pieces, kind == PX_HTTP_HEAD ? 0 : kind == PX_HTTP_DATA ? 1 : 3);
            peer_close(&p);
            web_close(&w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_sends_twice), cmocka_unit_test(reads_again),
        cmocka_unit_test(reads_again_once),  cmocka_unit_test(closed_meanwhile),
        cmocka_unit_test(cancels),           cmocka_unit_test(ends_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
