/* The client with peers that behave: what is sent, what comes back, connections. */
#include "http_help.h"
#include <curl/curl.h>

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

static void methods(void **state) {
    (void)state;
    static const struct {
        const char *method, *body, *line;
        bool length;
    } table[] = {{"HEAD", NULL, "HEAD / HTTP/1.1\r\n", false},
                 {"PUT", "x", "PUT / HTTP/1.1\r\n", true},
                 {"PUT", NULL, "PUT / HTTP/1.1\r\n", true},
                 {"POST", NULL, "POST / HTTP/1.1\r\n", true},
                 {"PATCH", "", "PATCH / HTTP/1.1\r\n", true},
                 {"DELETE", NULL, "DELETE / HTTP/1.1\r\n", false},
                 {"DELETE", "x", "DELETE / HTTP/1.1\r\n", true},
                 {"GET", "x", "GET / HTTP/1.1\r\n", true},
                 {"OPTIONS", NULL, "OPTIONS / HTTP/1.1\r\n", false},
                 {"PROPFIND", NULL, "PROPFIND / HTTP/1.1\r\n", false},
                 {"GET", NULL, "GET / HTTP/1.1\r\n", false}};
    static const struct step bare[] = {REQUEST, SEND("HTTP/1.1 204 No\r\n\r\n"), AGAIN};
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, bare);
    web_allow_peer(&w, &p, NULL);
    /* Twice, so that each follows each other's handle at least once. */
    for (size_t i = 0; i < 2 * PX_COUNT(table); i++) {
        size_t at = i < PX_COUNT(table) ? i : 2 * PX_COUNT(table) - 1 - i;
        size_t before = p.n_conns ? p.conns[0]->got.n : 0;
        ask_peer(
            &w, &g, &p, "/",
            (struct px_http_req){.method = px_str_of(table[at].method), .body = px_str_of(table[at].body)});
        SUCCEEDED(&g);
        const char *sent = p.conns[0]->got.p + before;
        assert_memory_equal(sent, table[at].line, strlen(table[at].line));
        assert_int_equal(strstr(sent, "\r\nContent-Length: ") != NULL, table[at].length);
        assert_null(strstr(sent, "Content-Type"));
        assert_null(strstr(sent, "Expect"));
        assert_int_equal(p.conns[0]->got.p[p.conns[0]->got.n - 1] == 'x',
                         table[at].body && table[at].body[0]);
    }
    assert_int_equal(p.n_conns, 1);
    peer_close(&p);
    web_close(&w);
}

static void is_bad(struct web *w, struct px_http_req req) {
    struct got g = {0};
    if (!req.url.p)
        req.url = PX_LIT("http://127.0.0.1:1/");
    ask_req(w, &g, req);
    assert_int_equal(g.ends, 0); /* never inside */
    UNTIL(w->rig.loop, g.ends);
    FAILED(&g, PX_HTTP_BAD_REQUEST);
    assert_false(g.result.sent);
    assert_null(strstr(g.why, "hunter2"));
}
static void header_is_bad(struct web *w, px_str name, px_str value) {
    const px_pair pair = {name, value};
    is_bad(w, (struct px_http_req){.headers = &pair, .n_headers = 1});
    is_bad(w, (struct px_http_req){.credentials = &pair, .n_credentials = 1});
}

static void refuses_what_cannot_be_sent(void **state) {
    (void)state;
    struct web w;
    web_open(&w, false);
    web_allow(&w, "http://127.0.0.1:1", NULL);
    is_bad(&w, (struct px_http_req){.method = PX_LIT("GE T")});
    is_bad(&w, (struct px_http_req){.method = PX_LIT("GET\r\nX: y")});
    is_bad(&w, (struct px_http_req){.method = PX_LIT("CONNECT")});
    is_bad(&w, (struct px_http_req){.method = PX_LIT("HEAD"), .body = PX_LIT("x")});
    is_bad(&w, (struct px_http_req){.url = PX_LIT("ftp://127.0.0.1/")});
    is_bad(&w, (struct px_http_req){.url = PX_LIT("/path")});
    is_bad(&w, (struct px_http_req){.url = PX_LIT("http://user:hunter2@127.0.0.1/")});
    is_bad(&w, (struct px_http_req){.url = PX_LIT("http://127.0.0.1/a b")});
    header_is_bad(&w, PX_LIT("A B"), PX_LIT("x"));
    header_is_bad(&w, PX_LIT("A:"), PX_LIT("x"));
    header_is_bad(&w, PX_LIT(""), PX_LIT("x"));
    header_is_bad(&w, PX_LIT("A"), PX_LIT("hunter2\r\nB: c"));
    header_is_bad(&w, PX_LIT("A"), PX_LIT("hunter2\nB: c"));
    header_is_bad(&w, PX_LIT("A"), PX_LIT("hunter2\0"));
    header_is_bad(&w, PX_LIT("Host"), PX_LIT("other.example"));
    header_is_bad(&w, PX_LIT("content-length"), PX_LIT("5"));
    header_is_bad(&w, PX_LIT("Transfer-Encoding"), PX_LIT("chunked"));
    header_is_bad(&w, PX_LIT("Connection"), PX_LIT("X-A"));
    web_close(&w);
}

static void own_headers(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open_opts(&w, false, (struct px_http_opts){.user_agent = "me/2"});
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/",
             (struct px_http_req){.traceparent =
                                      PX_LIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")});
    assert_true(peer_saw(&p, "User-Agent: me/2\r\n"));
    assert_true(peer_saw(&p, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
    const px_pair headers[] = {
        {PX_LIT("user-agent"), PX_LIT("other/1")},
        {PX_LIT("accept"), PX_LIT("text/x")},
        {PX_LIT("Traceparent"), PX_LIT("00-11111111111111111111111111111111-1111111111111111-00")}};
    ask_peer(&w, &g, &p, "/", (struct px_http_req){.headers = headers, .n_headers = 3});
    const char *second = strstr(p.conns[0]->got.p + 10, "GET / ");
    assert_null(strstr(second, "me/2"));
    assert_non_null(strstr(second, "user-agent: other/1\r\n"));
    assert_null(strstr(second, "*/*"));
    assert_null(strstr(second, "traceparent"));
    assert_non_null(strstr(second, "Traceparent: 00-1111"));
    peer_close(&p);
    web_close(&w);
}

/* What an answer's headers look like to the caller. */
static void reads_headers(void **state) {
    (void)state;
    static const struct step script[] = {
        REQUEST,
        SEND(
            "HTTP/1.0 404 Not Found Here\r\nX-UPPER:  a  b \t\r\nSet-Cookie: 1\r\nset-cookie: 2\r\nbad name: x\r\n"
            "Empty:\r\nBell: a\x07z\r\n\r\nbody"),
        CLOSE, STOP};
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(g.result.status, 404);
    assert_int_equal(g.result.http_version, 10);
    assert_string_equal(g.head, "x-upper=a  b\nset-cookie=1\nset-cookie=2\nempty=\nbell=a z\n");
    peer_close(&p);
    web_close(&w);
}

static unsigned threads(void) {
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

enum { MANY = 300 };

static void many(void **state) {
    (void)state;
    static struct got all[MANY];
    struct web w;
    struct peer p;
    char url[128];
    web_open_opts(&w, false, (struct px_http_opts){.max_running = 100});
    peer_open(&p, w.rig.loop, polite);
    fake_name_set("api.test", "127.0.0.1", NULL);
    snprintf(url, sizeof url, "http://api.test:%u", p.port);
    web_allow(&w, url, NULL);
    unsigned before = threads();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            ask(&w, &all[i], url);
        struct px_http_stats stats;
        px_http_stats_get(w.http, &stats);
        assert_int_equal(stats.running, 100);
        assert_int_equal(stats.waiting, MANY - 100);
        for (int i = 0; i < MANY; i++) {
            UNTIL(w.rig.loop, all[i].ends);
            SUCCEEDED(&all[i]);
            assert_string_equal(all[i].body, "hello");
        }
        px_http_stats_get(w.http, &stats);
        assert_int_equal(stats.running, 0);
        assert_int_equal(stats.waiting, 0);
    }
    assert_int_equal(threads(), before);
    assert_int_equal(p.requests, 3 * MANY);
    assert_true(p.n_conns <= 100);
    struct px_http_stats stats;
    px_http_stats_get(w.http, &stats);
    assert_int_equal(stats.requests, 3 * MANY);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.connections, p.n_conns);
    assert_int_equal(stats.reused, 3 * MANY - p.n_conns);
    peer_close(&p);
    web_close(&w);
}

/* They begin in their order, and those that wait may be cancelled. */
static void waits_in_order(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got all[6] = {0};
    char url[6][128];
    web_open_opts(&w, false, (struct px_http_opts){.max_running = 1, .max_waiting = 4});
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    for (int i = 0; i < 6; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        ask(&w, &all[i], web_url(url[i], &p, path));
    }
    px_op_cancel(&all[2].op);
    for (int i = 0; i < 6; i++)
        if (i != 2)
            UNTIL(w.rig.loop, all[i].ends);
    FAILED(&all[5], PX_HTTP_BUSY);
    assert_int_equal(all[2].ends, 0);
    const char *at = p.conns[0]->got.p;
    for (const char *const *path = (const char *const[]){"GET /0 ", "GET /1 ", "GET /3 ", "GET /4 ", NULL};
         *path; path++) {
        at = strstr(at, *path);
        assert_non_null(at);
    }
    assert_false(peer_saw(&p, "/2 ") || peer_saw(&p, "/5 "));
    peer_close(&p);
    web_close(&w);
}

/* Everything at once, and the scope closes: in each of so many turns. */
static void scope_closes(void **state) {
    (void)state;
    static struct got all[40];
    for (int turns = 0; turns < 10; turns++) {
        struct web w;
        struct peer p;
        char url[128];
        web_open_opts(&w, false, (struct px_http_opts){.max_running = 20});
        peer_open(&p, w.rig.loop, polite);
        fake_name_set("api.test", "127.0.0.1", NULL);
        snprintf(url, sizeof url, "http://api.test:%u", p.port);
        web_allow(&w, url, NULL);
        for (size_t i = 0; i < PX_COUNT(all); i++)
            ask_req(&w, &all[i],
                    (struct px_http_req){.url = px_str_of(url), .frame = (enum px_http_frame)(i % 4)});
        for (int i = 0; i < turns; i++)
            assert_int_equal(px_loop_turn(w.rig.loop, 0), 0);
        unsigned ends = 0, later = 0;
        for (size_t i = 0; i < PX_COUNT(all); i++)
            ends += all[i].ends;
        px_scope_close(&w.rig.scope);
        let_pass(w.rig.loop, PX_MS);
        for (size_t i = 0; i < PX_COUNT(all); i++)
            later += all[i].ends;
        assert_int_equal(ends, later);
        peer_close(&p);
        web_close(&w);
    }
}

/* A scope that has ended starts nothing. */
static void shut_down(void **state) {
    (void)state;
    struct web w;
    struct px_scope *scope;
    struct px_op *op = NULL;
    struct px_err err = {0};
    web_open(&w, false);
    web_allow(&w, "http://127.0.0.1:1", NULL);
    assert_int_equal(px_scope_open(w.rig.loop, NULL, "test/closed", 0, &scope), 0);
    struct px_scope *closed = scope;
    px_scope_pin(closed);
    px_scope_close(&scope);
    const struct px_http_req req = {
        .egress = w.egress, .method = PX_LIT("GET"), .url = PX_LIT("http://127.0.0.1:1/")};
    assert_int_equal(px_http_start(w.http, closed, &req, on_got, NULL, &op, &err), -ESHUTDOWN);
    assert_null(op);
    px_scope_unpin(closed);
    web_close(&w);
}

static void fresh(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    for (size_t i = 1; i <= 3; i++) {
        ask_peer(&w, &g, &p, "/", (struct px_http_req){.fresh = true});
        SUCCEEDED(&g);
        assert_int_equal(p.n_conns, i);
    }
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    assert_true(g.result.reused);
    assert_int_equal(p.n_conns, 3);
    peer_close(&p);
    web_close(&w);
}

/* A bundle that cannot be read. */
/* Whoever had an egress has ended: its connections are closed, and no other. */
static void an_owner_ends(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    char url[128];
    int pair[2][16];
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    int before = open_fds();
    px_str origins[] = {px_str_of(web_url(url, &p, "")), PX_LIT("http://127.0.0.1:1")};
    struct px_egress *other = web_egress(&(struct px_egress_conf){.origins = origins, .n_origins = 2});
    for (int i = 0; i < 3; i++) {
        ask_peer(&w, &g, &p, "/", (struct px_http_req){.egress = other, .fresh = true});
        SUCCEEDED(&g);
    }
    assert_int_equal(open_fds(), before + 6);
    /* The numbers of sockets that never connected are another's by now. */
    for (int i = 0; i < 3; i++) {
        ask_wait(&w, &g, (struct px_http_req){.egress = other, .url = PX_LIT("http://127.0.0.1:1/")});
        FAILED(&g, PX_HTTP_CONNECT);
    }
    for (int i = 0; i < 16; i++) {
        int both[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
        pair[0][i] = both[0];
        pair[1][i] = both[1];
    }
    px_egress_unref(other);
    UNTIL(w.rig.loop, open_fds() == before + 32);
    assert_int_equal(peer_open_conns(&p), 1);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(write(pair[0][i], "x", 1), 1);
        assert_int_equal(read(pair[1][i], url, 1), 1);
        close(pair[0][i]);
        close(pair[1][i]);
    }
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    assert_true(g.result.reused);
    peer_close(&p);
    web_close(&w);
}

/* The other side has closed a connection that was kept open: its descriptor goes though nobody asks for anything. */
static void an_idle_connection_dies(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    int before = open_fds();
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(open_fds(), before + 2);
    peer_hang_up(p.conns[0], false);
    UNTIL(w.rig.loop, open_fds() == before);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    peer_close(&p);
    web_close(&w);
}

static void no_bundle(void **state) {
    (void)state;
    struct rig rig;
    struct px_http *http = NULL;
    struct px_err err = {0};
    rig_open(&rig, false);
    struct px_http_opts opts = {.loop = rig.loop, .ca_file = "/nonexistent/ca.pem"};
    assert_true(px_http_create(&opts, &http, &err) < 0);
    assert_non_null(strstr(err.msg, "/nonexistent/ca.pem"));
    assert_null(http);
    opts.ca_file = "/dev/null";
    assert_true(px_http_create(&opts, &http, &err) < 0);
    rig_close(&rig);
}

/* A body of some size, both ways. */
static void large(void **state) {
    (void)state;
    enum { SIZE = 5 << 20 };
    static const struct step script[] = {REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 5242880\r\n\r\n"),
                                         MUCH(SIZE), AGAIN};
    char *body = malloc(SIZE);
    struct web w;
    struct peer p;
    struct got g = {0};
    memset(body, 'y', SIZE);
    web_open(&w, false);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    for (int i = 0; i < 2; i++) {
        ask_peer(&w, &g, &p, "/",
                 (struct px_http_req){.method = PX_LIT("PUT"), .body = px_str_n(body, SIZE)});
        SUCCEEDED(&g);
        assert_int_equal(g.body_n, SIZE);
        assert_int_equal(g.result.bytes_out, SIZE);
    }
    assert_int_equal(p.n_conns, 1);
    free(body);
    peer_close(&p);
    web_close(&w);
}

/* While a large body leaves slowly, the first byte of the answer is not yet waited for. */
static void slow_upload(void **state) {
    (void)state;
    static const struct step deaf[] = {STOP};
    enum { SIZE = 24 << 20 };
    char *body = malloc(SIZE), url[128];
    struct web w;
    struct peer p;
    struct got g = {0};
    memset(body, 'y', SIZE);
    web_open(&w, false);
    peer_open(&p, w.rig.loop, deaf);
    web_allow_peer(&w, &p, NULL);
    ask_req(&w, &g,
            (struct px_http_req){.method = PX_LIT("PUT"),
                                 .url = px_str_of(web_url(url, &p, "/")),
                                 .body = px_str_n(body, SIZE),
                                 .timeouts = {.first_byte_ns = PX_S}});
    UNTIL(w.rig.loop, p.n_conns == 1 && p.conns[0]->got.n > 0);
    px_io_stop(&p.conns[0]->io); /* reads a little now and then */
    uint64_t until = px_clock_mono_ns() + 1500 * PX_MS;
    while (px_clock_mono_ns() < until) {
        static char bytes[256 << 10];
        assert_true(recv(p.conns[0]->fd, bytes, sizeof bytes, MSG_DONTWAIT) != 0);
        let_pass(w.rig.loop, 20 * PX_MS);
        assert_int_equal(g.ends, 0);
    }
    UNTIL(w.rig.loop, g.ends);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "first_byte");
    free(body);
    peer_close(&p);
    web_close(&w);
}

/* Each coding that curl has is offered, and undone: gzip (of nginx) in net_http_tls, these two here. */
static void codings(void **state) {
    (void)state;
    static const char
        brotli[] = "\x8b\x08\x80\x7b\x22\x73\x71\x75\x65\x65\x7a\x65\x64\x22\x3a\x74\x72\x75\x65\x7d\x0a\x03",
        zstd[] = "\x28\xb5\x2f\xfd\x00\x68\x91\x00\x00\x7b\x22\x73\x71\x75\x65\x65\x7a\x65\x64\x22\x3a\x74"
                 "\x72\x75\x65\x7d\x0a";
    static const struct {
        int feature;
        const char *name, *bytes;
        size_t n;
    } all[] = {{CURL_VERSION_BROTLI, "br", brotli, sizeof brotli - 1},
               {CURL_VERSION_ZSTD, "zstd", zstd, sizeof zstd - 1}};
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        if (!(curl_version_info(CURLVERSION_NOW)->features & all[i].feature))
            continue;
        struct web w;
        struct peer p;
        struct got g = {0};
        char head[128], offer[128];
        int n = snprintf(head, sizeof head,
                         "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                         all[i].name, all[i].n);
        const struct step script[] = {
            REQUEST, {STEP_SEND, head, (size_t)n}, {STEP_SEND, all[i].bytes, all[i].n}, AGAIN};
        web_open(&w, false);
        peer_open(&p, w.rig.loop, script);
        web_allow_peer(&w, &p, NULL);
        ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        assert_string_equal(g.body, "{\"squeezed\":true}\n");
        assert_int_equal(g.result.bytes_in, all[i].n);
        snprintf(offer, sizeof offer, ", %s", all[i].name);
        const char *offered = strstr(p.conns[0]->got.p, "Accept-Encoding: gzip");
        assert_non_null(offered);
        assert_non_null(strstr(offered, offer));
        peer_close(&p);
        web_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets),
        cmocka_unit_test(posts),
        cmocka_unit_test(methods),
        cmocka_unit_test(refuses_what_cannot_be_sent),
        cmocka_unit_test(own_headers),
        cmocka_unit_test(reads_headers),
        cmocka_unit_test(many),
        cmocka_unit_test(waits_in_order),
        cmocka_unit_test(scope_closes),
        cmocka_unit_test(shut_down),
        cmocka_unit_test(fresh),
        cmocka_unit_test(an_owner_ends),
        cmocka_unit_test(an_idle_connection_dies),
        cmocka_unit_test(no_bundle),
        cmocka_unit_test(large),
        cmocka_unit_test(slow_upload),
        cmocka_unit_test(codings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
