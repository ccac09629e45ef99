/* Where requests may go: names and what they turn out to be, addresses that change, services that do not share. */
#include "http_help.h"

static const struct step polite[] = {REQUEST, SEND(OK_TEXT(5, "hello")), AGAIN};

static void ask_name(struct web *w, struct got *g, const struct peer *p, const char *host,
                     struct px_http_req req) {
    char url[128];
    snprintf(url, sizeof url, "http://%s:%u/?secret=hunter2", host, p->port);
    req.url = px_str_of(url);
    ask_wait(w, g, req);
    assert_null(strstr(g->why, "hunter2"));
}
static struct px_egress *named(const struct peer *p, const char *host, bool allow_private) {
    char origin[128];
    snprintf(origin, sizeof origin, "http://%s:%u", host, p->port);
    const px_str text = px_str_of(origin);
    return web_egress(
        &(struct px_egress_conf){.origins = &text, .n_origins = 1, .allow_private = allow_private});
}

static void names(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    w.egress = named(&p, "api.test", true);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_NO_NAME);
    assert_string_equal(g.why, "api.test: there is no such name");
    fake_name_set("api.test", NULL, NULL);
    fake_names[0].status = -ETIMEDOUT;
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_DNS);
    fake_names[0].status = 0;
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_NO_NAME);
    fake_name_set("api.test", "127.0.0.1", NULL);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    SUCCEEDED(&g);
    char host[64];
    snprintf(host, sizeof host, "\r\nHost: api.test:%u\r\n", p.port);
    assert_true(peer_saw(&p, host));
    ask_name(&w, &g, &p, "other.test", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_int_equal(fake_asked, 4); /* not even asked for */
    peer_close(&p);
    web_close(&w);
}

/* A name of ours that leads inside: refused, with nothing sent, unless that is allowed. */
static void rebinding(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    fake_name_set("api.test", "127.0.0.1", NULL);
    struct px_egress *closed = named(&p, "api.test", false), *open = named(&p, "api.test", true);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = closed});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_non_null(strstr(g.why, "allow_private"));
    assert_false(g.result.sent);
    assert_int_equal(p.n_conns, 0);
    /* Another service may, and leaves a connection open: it is not one for the first. */
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = open});
    SUCCEEDED(&g);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = closed});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_int_equal(p.requests, 1);
    /* Metadata is never allowed, whatever is. Of two addresses, the one that may be is used. */
    fake_name_set("api.test", "169.254.169.254", NULL);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = open});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    fake_name_set("api.test", "169.254.169.254", "127.0.0.1");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = open});
    SUCCEEDED(&g);
    assert_string_equal(g.result.peer, "127.0.0.1");
    struct px_http_stats stats;
    px_http_stats_get(w.http, &stats);
    assert_int_equal(stats.refused, 3);
    px_egress_unref(closed);
    px_egress_unref(open);
    peer_close(&p);
    web_close(&w);
}

/* Two services that ask the same host have connections of their own. */
static void not_shared(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    fake_name_set("api.test", "127.0.0.1", NULL);
    struct px_egress *one = named(&p, "api.test", true), *two = named(&p, "api.test", true);
    for (int i = 0; i < 3; i++) {
        ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = one});
        assert_int_equal(g.result.reused, i > 0);
        ask_name(&w, &g, &p, "api.test", (struct px_http_req){.egress = two});
        assert_int_equal(g.result.reused, i > 0);
    }
    assert_int_equal(p.n_conns, 2);
    px_egress_unref(one);
    px_egress_unref(two);
    peer_close(&p);
    web_close(&w);
}

/* A connection to an address that a name no longer has is not used; one to an address that it still has, is. */
static void address_changes(void **state) {
    (void)state;
    struct web w;
    struct peer p, q;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    peer_open_at(&q, w.rig.loop, "127.0.0.2", p.port);
    q.scripts[q.n_scripts++] = polite;
    w.egress = named(&p, "api.test", true);
    fake_name_set("api.test", "127.0.0.1", NULL);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    fake_name_set("api.test", "127.0.0.1", "127.0.0.3");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    assert_true(g.result.reused);
    fake_name_set("api.test", "127.0.0.3", "127.0.0.1");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    assert_true(g.result.reused);
    fake_name_set("api.test", "127.0.0.2", NULL);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_false(g.result.reused);
    assert_string_equal(g.result.peer, "127.0.0.2");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    assert_true(g.result.reused);
    assert_string_equal(g.result.peer, "127.0.0.2");
    fake_name_set("api.test", "127.0.0.1", NULL);
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    assert_string_equal(g.result.peer, "127.0.0.1");
    assert_int_equal(p.requests, 4);
    assert_int_equal(q.requests, 2);
    /* Back and forth, often: nothing is kept of what was. */
    for (int i = 0; i < 200; i++) {
        fake_name_set("api.test", i % 2 ? "127.0.0.1" : "127.0.0.2", NULL);
        ask_name(&w, &g, &p, "api.test", (struct px_http_req){.fresh = true, .method = PX_LIT("HEAD")});
        assert_string_equal(g.result.peer, i % 2 ? "127.0.0.1" : "127.0.0.2");
    }
    peer_close(&p);
    peer_close(&q);
    web_close(&w);
}

/* The address changes while others are on their way to the old one. */
static void changes_meanwhile(void **state) {
    (void)state;
    struct web w;
    struct peer p, q;
    struct got g[3] = {0};
    char url[128];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    peer_open_at(&q, w.rig.loop, "127.0.0.2", p.port);
    q.scripts[q.n_scripts++] = polite;
    w.egress = named(&p, "api.test", true);
    snprintf(url, sizeof url, "http://api.test:%u/", p.port);
    fake_name_set("api.test", "127.0.0.1", NULL);
    ask(&w, &g[0], url);
    assert_int_equal(px_loop_turn(w.rig.loop, 0), 0);
    fake_name_set("api.test", "127.0.0.2", NULL);
    ask(&w, &g[1], url);
    UNTIL(w.rig.loop, g[0].ends && g[1].ends);
    SUCCEEDED(&g[0]);
    SUCCEEDED(&g[1]);
    assert_string_equal(g[0].result.peer, "127.0.0.1");
    assert_string_equal(g[1].result.peer, "127.0.0.2");
    for (int i = 0; i < 3; i++) {
        ask_wait(&w, &g[2], (struct px_http_req){.url = px_str_of(url)});
        assert_string_equal(g[2].result.peer, "127.0.0.2");
    }
    peer_close(&p);
    peer_close(&q);
    web_close(&w);
}

/* An address that has become our own listener's since the connection was made: looked at again before each request. */
static void becomes_ours(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    struct px_addr addr;
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(px_addr_parse(PX_LIT("127.0.0.1"), p.port, &addr), 0);
    assert_int_equal(px_egress_own_add(&addr), 0);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    px_egress_own_remove(&addr);
    /* Now between the look at the answer and the connection. */
    char url[128];
    ask(&w, &g, web_url(url, &p, "/"));
    assert_int_equal(px_egress_own_add(&addr), 0);
    UNTIL(w.rig.loop, g.ends);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_false(g.result.sent);
    ask_req(&w, &g, (struct px_http_req){.url = px_str_of(web_url(url, &p, "/")), .fresh = true});
    UNTIL(w.rig.loop, g.ends);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    px_egress_own_remove(&addr);
    assert_int_equal(p.requests, 1);
    peer_close(&p);
    web_close(&w);
}

/* The second address when the first refuses. */
static void second_address(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    w.egress = named(&p, "api.test", true);
    fake_name_set("api.test", "127.0.0.9", "127.0.0.1");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_string_equal(g.result.peer, "127.0.0.1");
    fake_name_set("api.test", "127.0.0.9", "127.0.0.8");
    ask_name(&w, &g, &p, "api.test", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_CONNECT);
    assert_int_equal(fake_forgotten, 1);
    peer_close(&p);
    web_close(&w);
}

static void environment(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    peer_close(&p);
    web_close(&w);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void proxy(void **state) {
    (void)state;
    static const struct {
        const char *answer, *words;
        enum px_http_fail fail;
    } refuse[] = {
        {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
         "api.test: the proxy does not lead there: it answered 403", PX_HTTP_CONNECT},
        {"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"a\"\r\nContent-Length: 3\r\n\r\nwho",
         "api.test: the proxy asks for credentials (407)", PX_HTTP_CONNECT},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", "it answered 502", PX_HTTP_CONNECT},
        {"HTTP/1.1 200 OK\r\n\r\n", "no TLS connection", PX_HTTP_TLS},
        {"", "the connection ended before anything could be sent", PX_HTTP_CONNECT}};
    const px_pair secret = {PX_LIT("Authorization"), PX_LIT("Bearer hunter2")};
    struct web w;
    struct peer p;
    struct got g = {0};
    char origin[64], proxy_url[64];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    fake_name_set("api.test", "93.184.216.34", NULL);
    fake_name_set("proxy.test", "127.0.0.1", NULL);
    fake_name_set("inside.test", "10.0.0.1", NULL);
    snprintf(proxy_url, sizeof proxy_url, "http://proxy.test:%u", p.port);
    snprintf(origin, sizeof origin, "http://api.test");
    const px_str origins[] = {px_str_of(origin), PX_LIT("https://api.test"), PX_LIT("http://inside.test"),
                              PX_LIT("https://inside.test")};
    w.egress = web_egress(
        &(struct px_egress_conf){.origins = origins, .n_origins = 4, .proxy = px_str_of(proxy_url)});
    for (int i = 0; i < 3; i++) {
        ask_wait(&w, &g, (struct px_http_req){.url = PX_LIT("http://api.test/x")});
        SUCCEEDED(&g);
        assert_true(peer_saw(&p, "GET http://api.test/x HTTP/1.1\r\n"));
        assert_int_equal(g.result.reused, i > 0);
    }
    ask_wait(&w, &g, (struct px_http_req){.url = PX_LIT("http://inside.test/x")});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_false(peer_saw(&p, "inside"));
    ask_wait(&w, &g, (struct px_http_req){.url = PX_LIT("https://inside.test/x")});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_false(peer_saw(&p, "inside"));
    for (size_t i = 0; i < PX_COUNT(refuse); i++) {
        const struct step script[] = {REQUEST, SEND(refuse[i].answer), CLOSE, STOP};
        p.scripts[0] = script;
        ask_wait(&w, &g,
                 (struct px_http_req){.url = PX_LIT("https://api.test/x?secret=hunter2"),
                                      .credentials = &secret,
                                      .n_credentials = 1});
        assert_true(peer_saw(&p, "CONNECT api.test:443 HTTP/1.1\r\n"));
        assert_false(peer_saw(&p, "hunter2"));
        FAILED(&g, refuse[i].fail);
        if (!strstr(g.why, refuse[i].words))
            fail_msg("%s", g.why);
        assert_int_equal(g.result.status, 0);
        assert_false(g.result.sent);
    }
    peer_close(&p);
    web_close(&w);
}

/* More hosts than are remembered. */
static void many_hosts(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    for (int i = 0; i < 4200; i++) {
        char addr[32], url[64];
        snprintf(addr, sizeof addr, "http://127.0.%d.%d:1", 1 + i / 250, 1 + i % 250);
        snprintf(url, sizeof url, "%s/", addr);
        struct px_egress *egress =
            web_egress(&(struct px_egress_conf){.origins = &(px_str){addr, strlen(addr)}, .n_origins = 1});
        ask_wait(&w, &g, (struct px_http_req){.egress = egress, .url = px_str_of(url)});
        assert_int_equal(g.result.fail, PX_HTTP_CONNECT);
        px_egress_unref(egress);
    }
    peer_close(&p);
    web_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(rebinding),
        cmocka_unit_test(not_shared),
        cmocka_unit_test(address_changes),
        cmocka_unit_test(changes_meanwhile),
        cmocka_unit_test(becomes_ours),
        cmocka_unit_test(second_address),
        cmocka_unit_test(environment),
        cmocka_unit_test(proxy),
        cmocka_unit_test(many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
