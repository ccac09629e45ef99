/* The client with peers that behave: what is sent, what comes back, connections. */
#include "http_help.h"

static const struct step polite[] = {REQUEST, SEND(OK_TEXT(5, "hello")), AGAIN};

static void gets(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/a?b=c", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(g.result.status, 200);
    assert_int_equal(g.result.http_version, 11);
    assert_string_equal(g.body, "hello");
    assert_string_equal(g.head, "content-length=5\n");
    assert_string_equal(g.result.peer, "127.0.0.1");
    assert_true(g.result.sent);
    assert_false(g.result.reused);
    assert_int_equal(g.result.bytes_in, 5);
    assert_true(peer_saw(&p, "GET /a?b=c HTTP/1.1\r\n"));
    assert_true(peer_saw(&p, "User-Agent: plexus/"));
    assert_true(peer_saw(&p, "\r\ntraceparent: 00-"));
    assert_true(peer_saw(&p, "Accept-Encoding: "));
    assert_false(peer_saw(&p, "Expect"));
    assert_false(peer_saw(&p, "Content-"));
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_true(g.result.reused);
    assert_int_equal(p.n_conns, 1);
    peer_close(&p);
    web_close(&w);
}

static void posts(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    const px_pair headers[] = {{PX_LIT("Content-Type"), PX_LIT("application/json")},
                               {PX_LIT("X-Empty"), PX_LIT("")}};
    ask_peer(&w, &g, &p, "/",
             (struct px_http_req){
                 .method = PX_LIT("POST"), .body = PX_LIT("{\"a\":1}"), .headers = headers, .n_headers = 2});
    SUCCEEDED(&g);
    assert_true(peer_saw(&p, "POST / HTTP/1.1\r\n"));
    assert_true(peer_saw(&p, "Content-Type: application/json\r\n"));
    assert_true(peer_saw(&p, "X-Empty:\r\n"));
    assert_true(peer_saw(&p, "Content-Length: 7\r\n"));
    assert_true(peer_saw(&p, "\r\n\r\n{\"a\":1}"));
    assert_int_equal(g.result.bytes_out, 7);
    peer_close(&p);
    web_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets),
        cmocka_unit_test(posts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
