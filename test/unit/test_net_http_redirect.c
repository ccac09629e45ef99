/* Redirects: which are followed, with what method, and what goes along. */
#include "http_help.h"

/* Peers whose answers name each other: written when their ports are known. */
struct pair {
    struct web w;
    struct peer a, b;
    struct got g;
    char answer[8][512];
    struct step script_a[24], script_b[24];
    size_t n_a, n_b;
};

static void pair_open(struct pair *t) {
    static const struct step nothing[] = {STOP};
    *t = (struct pair){0};
    web_open(&t->w, false);
    peer_open(&t->a, t->w.rig.loop, nothing);
    peer_open(&t->b, t->w.rig.loop, nothing);
    t->a.scripts[0] = t->script_a;
    t->b.scripts[0] = t->script_b;
    web_allow_peer(&t->w, &t->a, &t->b);
}
static void pair_close(struct pair *t) {
    peer_close(&t->a);
    peer_close(&t->b);
    web_close(&t->w);
}
static void add(struct step *script, size_t *n, const char *text) {
    script[(*n)++] = (struct step)REQUEST;
    script[(*n)++] = (struct step)SEND(text);
    script[*n] = (struct step)STOP;
}
static void a_says(struct pair *t, const char *text) {
    add(t->script_a, &t->n_a, text);
}
static void b_says(struct pair *t, const char *text) {
    add(t->script_b, &t->n_b, text);
}
/* A redirect to a path of a peer; the path may hold a %u of its own. */
static const char *to(struct pair *t, int slot, int status, const struct peer *p, const char *path) {
    char url[128];
    snprintf(t->answer[slot], sizeof t->answer[slot],
             "HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 4\r\n\r\ngone", status,
             web_url(url, p, path));
    return t->answer[slot];
}
static const char fine[] = OK_TEXT(4, "here");

static const px_pair credentials[] = {{PX_LIT("X-Api-Key"), PX_LIT("key-of-mine")}};
static const px_pair headers[] = {{PX_LIT("Authorization"), PX_LIT("Bearer of-mine")},
                                  {PX_LIT("X-Plain"), PX_LIT("everywhere")},
                                  {PX_LIT("Content-Type"), PX_LIT("text/plain")}};
#define WITH_ALL .headers = headers, .n_headers = 3, .credentials = credentials, .n_credentials = 1

static void same_origin(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 302, &t.a, "/second"));
    a_says(&t, "HTTP/1.1 307 Moved\r\nLocation: third?x=1#frag\r\nContent-Length: 0\r\n\r\n");
    a_says(&t, fine);
    ask_peer(&t.w, &t.g, &t.a, "/first", (struct px_http_req){WITH_ALL});
    SUCCEEDED(&t.g);
    assert_int_equal(t.g.result.redirects, 2);
    assert_string_equal(t.g.body, "here");
    assert_non_null(strstr(t.g.url, "/third?x=1"));
    assert_true(peer_saw(&t.a, "GET /third?x=1 HTTP/1.1\r\n"));
    assert_int_equal(t.a.n_conns, 1);
    const char *third = strstr(t.a.conns[0]->got.p, "GET /third");
    assert_non_null(strstr(third, "X-Api-Key: key-of-mine"));
    assert_non_null(strstr(third, "Authorization: Bearer of-mine"));
    pair_close(&t);
}

/* What became of the method, the body and the content's headers at the second hop. */
static void method_is(int status, const char *method, const char *then, bool keeps_body) {
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, status, &t.a, "/second"));
    a_says(&t, fine);
    px_str body =
        strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? (px_str){0} : PX_LIT("the body");
    if (strcmp(method, "HEAD") == 0) {
        snprintf(t.answer[0], sizeof t.answer[0], "HTTP/1.1 %d Moved\r\nLocation: /second\r\n\r\n", status);
        t.script_a[3].text = "HTTP/1.1 200 OK\r\n\r\n";
    }
    ask_peer(&t.w, &t.g, &t.a, "/first",
             (struct px_http_req){.method = px_str_of(method), .body = body, WITH_ALL});
    SUCCEEDED(&t.g);
    assert_int_equal(t.g.result.moved, status == 301 && strcmp(method, "POST") == 0);
    assert_int_equal(t.g.result.pointed, status != 301 && strcmp(method, then) != 0);
    char line[64];
    snprintf(line, sizeof line, "%s /second HTTP/1.1\r\n", then);
    const char *second = strstr(t.a.conns[0]->got.p, " /second");
    assert_true(peer_saw(&t.a, line));
    assert_int_equal(strstr(second, "the body") != NULL, keeps_body);
    if (body.p)
        assert_int_equal(strstr(second, "text/plain") != NULL, keeps_body);
    assert_int_equal(strstr(second, "Content-Length: 8") != NULL, keeps_body);
    pair_close(&t);
}

static void methods(void **state) {
    (void)state;
    method_is(301, "GET", "GET", false);
    method_is(303, "GET", "GET", false);
    method_is(303, "HEAD", "HEAD", false);
    method_is(301, "POST", "GET", false);
    method_is(302, "POST", "GET", false);
    method_is(303, "POST", "GET", false);
    method_is(303, "PUT", "GET", false);
    method_is(301, "PUT", "PUT", true);
    method_is(307, "POST", "POST", true);
    method_is(308, "PATCH", "PATCH", true);
}

static void other_origin_is_refused(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 302, &t.b, "/"));
    ask_peer(&t.w, &t.g, &t.a, "/", (struct px_http_req){0});
    FAILED(&t.g, PX_HTTP_FORBIDDEN);
    assert_int_equal(t.g.result.status, 302);
    assert_string_equal(t.g.body, "gone");
    assert_non_null(strstr(t.g.head, "location="));
    assert_int_equal(t.b.n_conns, 0);
    assert_true(t.g.result.sent);
    pair_close(&t);
}

/* Credentials stay behind, also when a later hop comes back. */
static void credentials_stay(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 302, &t.b, "/over"));
    b_says(&t, to(&t, 1, 302, &t.a, "/back"));
    a_says(&t, fine);
    ask_peer(&t.w, &t.g, &t.a, "/", (struct px_http_req){.redirects = PX_HTTP_REDIRECT_ALLOWED, WITH_ALL});
    SUCCEEDED(&t.g);
    assert_int_equal(t.g.result.redirects, 2);
    assert_true(peer_saw(&t.b, "X-Plain: everywhere"));
    assert_false(peer_saw(&t.b, "mine"));
    assert_true(peer_saw(&t.a, "X-Api-Key: key-of-mine"));
    const char *back = strstr(t.a.conns[0]->got.p, "GET /back");
    assert_non_null(back);
    assert_null(strstr(back, "mine"));
    pair_close(&t);
}

static void bodies_stay(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 307, &t.b, "/over"));
    ask_peer(&t.w, &t.g, &t.a, "/",
             (struct px_http_req){.method = PX_LIT("POST"),
                                  .body = PX_LIT("the body"),
                                  .redirects = PX_HTTP_REDIRECT_ALLOWED,
                                  WITH_ALL});
    FAILED(&t.g, PX_HTTP_REDIRECTS);
    assert_int_equal(t.g.result.status, 307);
    char port[16];
    snprintf(port, sizeof port, ":%u", t.b.port);
    assert_non_null(strstr(t.g.why, port));
    assert_int_equal(t.b.n_conns, 0);
    pair_close(&t);
}

/* A 303 of a write may lead elsewhere: it is a GET then. */
static void see_other(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 303, &t.b, "/over"));
    b_says(&t, fine);
    ask_peer(&t.w, &t.g, &t.a, "/",
             (struct px_http_req){.method = PX_LIT("POST"),
                                  .body = PX_LIT("the body"),
                                  .redirects = PX_HTTP_REDIRECT_ALLOWED,
                                  WITH_ALL});
    SUCCEEDED(&t.g);
    assert_true(peer_saw(&t.b, "GET /over"));
    assert_false(peer_saw(&t.b, "the body"));
    pair_close(&t);
}

static struct got goes_to(const char *location, enum px_http_redirects policy) {
    static struct pair t;
    pair_open(&t);
    snprintf(t.answer[0], sizeof t.answer[0], "HTTP/1.1 302 Found\r\n%s\r\nContent-Length: 0\r\n\r\n",
             location);
    a_says(&t, t.answer[0]);
    ask_peer(&t.w, &t.g, &t.a, "/", (struct px_http_req){.redirects = policy});
    struct got g = t.g;
    assert_int_equal(t.a.requests, 1);
    pair_close(&t);
    return g;
}

static void nowhere(void **state) {
    (void)state;
    struct got g = goes_to("Location: http://169.254.169.254/latest/meta-data", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    g = goes_to("Location: http://[::ffff:169.254.169.254]/", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    g = goes_to("Location: https://other.example/", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    g = goes_to("Location: file:///etc/passwd", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_REDIRECTS);
    g = goes_to("Location: http://user:pass@127.0.0.1/", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_REDIRECTS);
    assert_null(strstr(g.why, "pass@"));
    g = goes_to("Location: /a\r\nLocation: /b", PX_HTTP_REDIRECT_ALLOWED);
    FAILED(&g, PX_HTTP_REDIRECTS);
    /* Without a place to go, or when none is wanted, it is an answer. */
    g = goes_to("X: y", PX_HTTP_REDIRECT_ALLOWED);
    SUCCEEDED(&g);
    assert_int_equal(g.result.status, 302);
    g = goes_to("Location: /b", PX_HTTP_REDIRECT_NONE);
    SUCCEEDED(&g);
    assert_int_equal(g.result.status, 302);
}

static void hundred(void **state) {
    (void)state;
    static char answers[128][128];
    static struct step script[260];
    struct web w;
    struct peer p;
    struct got g = {0};
    for (unsigned i = 0; i < 128; i++) {
        snprintf(answers[i], sizeof answers[i],
                 "HTTP/1.1 302 Found\r\nLocation: /%u\r\nContent-Length: 0\r\n\r\n", i);
        script[2 * i] = (struct step)REQUEST;
        script[2 * i + 1] = (struct step)SEND(answers[i]);
    }
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_REDIRECTS);
    assert_int_equal(g.result.redirects, 5);
    assert_int_equal(p.requests, 6);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){.max_redirects = 1000});
    FAILED(&g, PX_HTTP_REDIRECTS);
    assert_int_equal(g.result.redirects, 100);
    peer_close(&p);
    web_close(&w);
}

static void circle(void **state) {
    (void)state;
    struct pair t;
    pair_open(&t);
    a_says(&t, to(&t, 0, 302, &t.a, "/b"));
    a_says(&t, to(&t, 1, 302, &t.a, "/a"));
    ask_peer(&t.w, &t.g, &t.a, "/a", (struct px_http_req){0});
    FAILED(&t.g, PX_HTTP_REDIRECTS);
    assert_int_equal(t.a.requests, 2);
    assert_non_null(strstr(t.g.why, "circle"));
    pair_close(&t);
}

/* A stream sees nothing of the way there; a redirect's own body may be of any size, or cut. */
static void unseen(void **state) {
    (void)state;
    static const struct step first[] = {REQUEST, SEND("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"),
                                        MUCH(1 << 20), STOP},
                             cut[] = {REQUEST,
                                      SEND(
                                          "HTTP/1.1 302 Found\r\nLocation: /c\r\nContent-Length: 9\r\n\r\na"),
                                      RESET, STOP},
                             last[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\nline\n"), CLOSE, STOP};
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, first);
    p.scripts[p.n_scripts++] = cut;
    p.scripts[p.n_scripts++] = last;
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){.frame = PX_HTTP_LINE});
    SUCCEEDED(&g);
    assert_int_equal(g.heads, 1);
    assert_string_equal(g.data, "line|");
    assert_int_equal(g.result.redirects, 2);
    peer_close(&p);
    web_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_origin),
        cmocka_unit_test(methods),
        cmocka_unit_test(other_origin_is_refused),
        cmocka_unit_test(credentials_stay),
        cmocka_unit_test(bodies_stay),
        cmocka_unit_test(see_other),
        cmocka_unit_test(nowhere),
        cmocka_unit_test(hundred),
        cmocka_unit_test(circle),
        cmocka_unit_test(unseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
