/* Peers that do not behave: each end that a request can come to, and what is said about it. */
#include "http_help.h"
/* after that */
#include "net/http_private.h"

#define HEAD_OF(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"

/* One request to a peer that plays this script. */
static struct got play(const struct step *script, struct px_http_req req, bool fake) {
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, fake);
    peer_open(&p, w.rig.loop, script);
    web_allow_peer(&w, &p, NULL);
    ask_peer(&w, &g, &p, "/path?secret=hunter2", req);
    assert_null(strstr(g.why, "hunter2"));
    assert_true(g.result.fail == PX_HTTP_OK || strstr(g.why, "127.0.0.1") == g.why);
    peer_close(&p);
    web_close(&w);
    return g;
}
#define PLAY(...) play((const struct step[]){__VA_ARGS__, STOP}, (struct px_http_req){0}, false)

static void refuses(void **state) {
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, NULL);
    web_allow_peer(&w, &p, NULL);
    peer_deaf(&p);
    ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_CONNECT);
    assert_false(g.result.sent);
    assert_int_equal(g.result.status, 0);
    assert_non_null(strstr(g.why, "Connection refused"));
    assert_int_equal(fake_forgotten, 1);
    peer_close(&p);
    web_close(&w);
}

/* A peer whose queue of connections is full: who connects hears nothing. */
static void peer_fill(struct peer *p, int fds[3]) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(p->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    px_io_stop(&p->io);
    assert_int_equal(listen(p->fd, 0), 0);
    for (int i = 0; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&to, sizeof to);
    }
}

/* curl closes a connection that never came about without a word; whoever has its number next must be watched all the same. */
static void the_next_one_has_its_number(void **state) {
    static const struct step polite[] = {REQUEST, SEND(HEAD_OF(2) "ok"), CLOSE, STOP};
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct web w;
        struct peer p, full;
        struct got g = {0};
        char url[128];
        int fds[3];
        web_open(&w, false);
        peer_open(&p, w.rig.loop, polite);
        peer_open(&full, w.rig.loop, NULL);
        web_allow_peer(&w, &p, &full);
        peer_fill(&full, fds);
        if (how == 0) {
            ask(&w, &g, web_url(url, &full, "/"));
            for (int i = 0; i < 3; i++)
                assert_int_equal(px_loop_turn(w.rig.loop, 10 * PX_MS), 0);
            assert_int_equal(px_http_left(g.op), false);
            px_op_cancel(&g.op);
        } else if (how == 1) {
            ask_peer(&w, &g, &full, "/", (struct px_http_req){.timeouts = {.connect_ns = 50 * PX_MS}});
            FAILED(&g, PX_HTTP_TIMEOUT);
        } else {
            peer_deaf(&full);
            ask_peer(&w, &g, &full, "/", (struct px_http_req){0});
            FAILED(&g, PX_HTTP_CONNECT);
        }
        for (int again = 0; again < 3; again++) {
            ask_peer(&w, &g, &p, "/", (struct px_http_req){.timeouts = {.total_ns = 5 * PX_S}});
            SUCCEEDED(&g);
            assert_true(g.result.total_ns < 2 * PX_S);
        }
        for (int i = 0; i < 3; i++)
            close(fds[i]);
        peer_close(&full);
        peer_close(&p);
        web_close(&w);
    }
}

struct soon {
    struct px_work work;
    struct px_loop *loop;
    struct px_op **op;
    int after; /* so many other things that are posted */
};
static void cancel_soon(void *user) {
    struct soon *soon = user;
    if (soon->after--)
        px_work_post(soon->loop, &soon->work);
    else
        px_op_cancel(soon->op);
}

/* A handle that was given addresses, and whose request was cancelled before curl had read them, serves another host. */
static void cancelled_before_it_began(void **state) {
    static const struct step polite[] = {REQUEST, SEND(HEAD_OF(2) "ok"), REQUEST, SEND(HEAD_OF(2) "ok"),
                                         STOP};
    (void)state;
    for (int after = 0; after < 4; after++) {
        struct web w;
        struct peer p, other;
        struct got g = {0};
        char url[128];
        web_open(&w, false);
        peer_open(&p, w.rig.loop, polite);
        peer_open(&other, w.rig.loop, polite);
        web_allow_peer(&w, &p, &other);
        ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        ask(&w, &g, web_url(url, &other, "/"));
        struct soon soon = {.loop = w.rig.loop, .op = &g.op, .after = after};
        px_work_init(&soon.work, "test/soon", cancel_soon, &soon);
        px_work_post(w.rig.loop, &soon.work);
        UNTIL(w.rig.loop, !g.op || g.ends);
        ask_peer(&w, &g, &p, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        peer_close(&other);
        peer_close(&p);
        web_close(&w);
    }
}

/* URLs that were read are kept, but not one with a key in it. */
static void a_key_is_not_kept(void **state) {
    static const struct step polite[] = {REQUEST, SEND(HEAD_OF(2) "ok"), REQUEST, SEND(HEAD_OF(2) "ok"),
                                         STOP};
    (void)state;
    struct web w;
    struct peer p;
    struct got g = {0};
    web_open(&w, false);
    peer_open(&p, w.rig.loop, polite);
    web_allow_peer(&w, &p, NULL);
    for (int kept = 0; kept < 2; kept++) {
        int n = 0;
        ask_peer(&w, &g, &p, "/?key=hunter2", (struct px_http_req){.url_secret = !kept});
        SUCCEEDED(&g);
        for (size_t i = 0; i < PX_HTTP_URLS; i++)
            n += w.http->urls[i] != NULL;
        assert_int_equal(n, kept);
    }
    peer_close(&p);
    web_close(&w);
}

static void resets(void **state) {
    (void)state;
    struct got g = PLAY(RESET);
    assert_true(g.result.fail == PX_HTTP_RESET || (g.result.fail == PX_HTTP_CONNECT && !g.result.sent));
    g = PLAY(REQUEST, RESET);
    FAILED(&g, PX_HTTP_RESET);
    assert_true(g.result.sent);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nX-A: b\r\n"), RESET);
    FAILED(&g, PX_HTTP_RESET);
    assert_int_equal(g.result.status, 200);
    g = PLAY(REQUEST, SEND(HEAD_OF(10) "abc"), RESET);
    FAILED(&g, PX_HTTP_RESET);
    assert_string_equal(g.body, "abc");
    assert_string_equal(g.head, "content-length=10\n");
}

static void closes(void **state) {
    (void)state;
    struct got g = PLAY(REQUEST, CLOSE);
    FAILED(&g, PX_HTTP_RESET);
    g = PLAY(CLOSE);
    assert_true(g.result.fail == PX_HTTP_RESET || (g.result.fail == PX_HTTP_CONNECT && !g.result.sent));
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nX-A: "), CLOSE);
    FAILED(&g, PX_HTTP_RESET);
    g = PLAY(REQUEST, SEND(HEAD_OF(10) "abc"), CLOSE);
    FAILED(&g, PX_HTTP_RESET);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), CLOSE);
    FAILED(&g, PX_HTTP_RESET);
    /* Without a length, the end of the connection is the end of the body. */
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\nabc"), CLOSE);
    SUCCEEDED(&g);
    assert_string_equal(g.body, "abc");
}

/* The loop's clock moves by itself when nothing happens. */
static void hangs(void **state) {
    (void)state;
    const struct px_http_timeouts t = {
        .connect_ns = 3 * PX_S, .first_byte_ns = 5 * PX_S, .idle_ns = 7 * PX_S, .total_ns = 60 * PX_S};
    const struct px_http_req req = {.timeouts = t}, get = {0},
                             total = {.timeouts = {.total_ns = 2 * PX_S, .first_byte_ns = 5 * PX_S}};
    struct got g = play((const struct step[]){REQUEST, STOP}, req, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "first_byte");
    assert_true(g.result.sent);
    g = play((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\nX-A: b"), STOP}, req, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "idle");
    assert_int_equal(g.result.status, 200);
    g = play((const struct step[]){REQUEST, SEND(HEAD_OF(10) "abc"), STOP}, req, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "idle");
    assert_string_equal(g.body, "abc");
    g = play((const struct step[]){REQUEST, STOP}, total, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "total");
    g = play((const struct step[]){STOP}, get, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "total");
    assert_non_null(strstr(g.why, "60 s"));
}

/* An interim answer is not the first byte of the one that is waited for. */
static void interim(void **state) {
    (void)state;
    struct got g = play((const struct step[]){REQUEST, SEND("HTTP/1.1 102 Processing\r\n\r\n"), STOP},
                        (struct px_http_req){.timeouts = {.first_byte_ns = PX_S}}, true);
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "first_byte");
    assert_int_equal(g.result.status, 0);
    g = PLAY(REQUEST, SEND("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
             SEND("HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 1\r\n\r\nz"));
    SUCCEEDED(&g);
    assert_string_equal(g.head, "x=y\ncontent-length=1\n");
}

/* A listener whose queue is full does not answer: a name that is not found in time is the same to a caller. */
static void connects_too_slowly(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    web_open(&w, true);
    web_allow(&w, "http://api.test", NULL);
    fake_hang = true;
    ask_wait(&w, &g,
             (struct px_http_req){.url = PX_LIT("http://api.test/"), .timeouts = {.connect_ns = 2 * PX_S}});
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "connect");
    assert_false(g.result.sent);
    assert_string_equal(g.why, "api.test: no connection within 2 s");
    web_close(&w);
}

static void lies(void **state) {
    (void)state;
    struct got g = PLAY(REQUEST, SEND(HEAD_OF(3) "abcdef"));
    SUCCEEDED(&g);
    assert_string_equal(g.body, "abc");
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"), CLOSE);
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"));
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"), CLOSE);
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"));
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc"));
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde"));
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("SSH-2.0-OpenSSH_9.2\r\n"));
    FAILED(&g, PX_HTTP_PROTOCOL);
    g = PLAY(REQUEST, SEND("HTTP/1.1 2000 OK\r\n\r\n"), CLOSE);
    assert_int_not_equal(g.result.fail, PX_HTTP_OK);
    g = PLAY(REQUEST, SENDN("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"));
    FAILED(&g, PX_HTTP_PROTOCOL);
}

static void trailers(void **state) {
    (void)state;
    struct got g =
        PLAY(REQUEST, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: a\r\n  folded\r\n\r\n"
                           "3;ext=1\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n"));
    SUCCEEDED(&g);
    assert_string_equal(g.head, "transfer-encoding=chunked\nx=a folded\n");
    assert_string_equal(g.body, "abc");
}

/* 256 KiB and 256 lines are the most. */
static void floods(void **state) {
    (void)state;
    struct px_buf many;
    px_buf_init(&many, 1 << 20);
    px_buf_text(&many, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++)
        px_buf_addf(&many, "X-%d: y\r\n", i);
    px_buf_text(&many, "\r\n");
    struct got g = PLAY(REQUEST, {STEP_SEND, many.p, many.n});
    FAILED(&g, PX_HTTP_PROTOCOL);
    px_buf_clear(&many, SIZE_MAX);
    px_buf_text(&many, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100; i++) {
        px_buf_addf(&many, "X-%d: ", i);
        for (int j = 0; j < 400; j++)
            px_buf_text(&many, "0123456789");
        px_buf_text(&many, "\r\n");
    }
    g = PLAY(REQUEST, {STEP_SEND, many.p, many.n});
    FAILED(&g, PX_HTTP_PROTOCOL);
    px_buf_finish(&many);
}

static void too_large(void **state) {
    (void)state;
    const struct px_http_req small = {.max_bytes = 1000};
    struct got g =
        play((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), STOP},
             small, false);
    FAILED(&g, PX_HTTP_TOO_LARGE);
    assert_int_equal(g.result.status, 200);
    g = play((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\n"), MUCH(1000), CLOSE}, small,
             false);
    SUCCEEDED(&g);
    assert_int_equal(g.body_n, 1000);
    g = play((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\n\r\n"), MUCH(1001), CLOSE}, small,
             false);
    FAILED(&g, PX_HTTP_TOO_LARGE);
    /* What HEAD says is not what comes. */
    struct px_http_req head = small;
    head.method = PX_LIT("HEAD");
    g = play((const struct step[]){REQUEST, SEND("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), STOP},
             head, false);
    SUCCEEDED(&g);
    assert_int_equal(g.body_n, 0);
}

/* gzip of 10 MiB of zeros is 10 KiB: the cap counts what comes out, as it does. */
static void bomb(void **state) {
    (void)state;
    FILE *zip = popen("head -c 10485760 /dev/zero | gzip -9", "r");
    static char bytes[65536];
    assert_non_null(zip);
    size_t n = fread(bytes, 1, sizeof bytes, zip);
    assert_int_equal(pclose(zip), 0);
    assert_true(n > 5000 && n < 20000);
    const struct step script[] = {REQUEST,
                                  SEND("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
                                  {STEP_SEND, bytes, n},
                                  CLOSE,
                                  STOP};
    struct got g = play(script, (struct px_http_req){.max_bytes = 1 << 20}, false);
    FAILED(&g, PX_HTTP_TOO_LARGE);
    assert_true(g.body_n <= 1 << 20);
    g = play(script, (struct px_http_req){0}, false);
    SUCCEEDED(&g);
    assert_int_equal(g.body_n, 10485760);
}

/* "The answer is text, text, text and more text.\n" */
#define BR                                                                                                   \
    "\x1b\x2d\x00\xe8\x8d\xd3\x65\xf6\xd3\x6a\x18\xb5\x02\x55\x19\x9a\x06\x61\xa1\xc3\x03\x1b\x70\xc0"       \
    "\x1e\x26\x9c\xd1\x44\xe7\x98\xd5\x41\x1e\x9e\xf8\xaf\xb3\xcd\x41\x00\x84\x23"
#define ZSTD                                                                                                 \
    "\x28\xb5\x2f\xfd\x00\x68\x55\x01\x00\x34\x02\x54\x68\x65\x20\x61\x6e\x73\x77\x65\x72\x20\x69\x73"       \
    "\x20\x74\x65\x78\x74\x2c\x20\x61\x6e\x64\x20\x6d\x6f\x72\x65\x20\x74\x65\x78\x74\x2e\x0a\x01\x00\x63"   \
    "\x94\x30"
/* 10 MiB of zeros */
#define BR_BOMB                                                                                              \
    "\xcb\xff\xff\x3f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x2f\xff\xff\x3f\xf0\x4f\x00\xc4\x61\x11\x80"       \
    "\xee\xfd\x07"

static struct got play_encoded(const char *coding, px_str bytes, uint64_t max_bytes) {
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
             coding, (size_t)bytes.n);
    const struct step script[] = {REQUEST, SEND(head), {STEP_SEND, bytes.p, bytes.n}, STOP};
    return play(script, (struct px_http_req){.max_bytes = max_bytes}, false);
}

static void other_codings(void **state) {
    (void)state;
    static const struct {
        const char *coding;
        px_str bytes;
    } table[] = {{"br", PX_LIT_INIT(BR)}, {"zstd", PX_LIT_INIT(ZSTD)}};
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        char broken[64];
        size_t n = table[i].bytes.n;
        struct got g = play_encoded(table[i].coding, table[i].bytes, 0);
        SUCCEEDED(&g);
        assert_string_equal(g.body, "The answer is text, text, text and more text.\n");
        assert_int_equal(g.result.bytes_in, n);
        const size_t ats[] = {0, 8, n - 4}; /* some of the others are text, or another text */
        for (size_t k = 0; k < PX_COUNT(ats); k++) {
            memcpy(broken, table[i].bytes.p, n);
            memset(broken + ats[k], 0xff, 4);
            g = play_encoded(table[i].coding, px_str_n(broken, n), 0);
            FAILED(&g, PX_HTTP_PROTOCOL);
            assert_non_null(strstr(g.why, "not encoded as it says"));
        }
    }
}

/* Blocks of 128 KiB that are one byte repeated (RFC 8878 §3.1.1.2). */
static size_t zstd_bomb(char *to, size_t blocks) {
    memcpy(to, "\x28\xb5\x2f\xfd\x00\x50", 6); /* a window of 1 MiB */
    for (size_t i = 0; i < blocks; i++) {
        memcpy(to + 6 + 4 * i, "\x02\x00\x10", 4);
        to[6 + 4 * i] = (char)(i + 1 < blocks ? 2 : 3);
    }
    return 6 + 4 * blocks;
}

static void other_bombs(void **state) {
    (void)state;
    enum { ZEROS = 10485760 };
    char bytes[512];
    const struct {
        const char *coding;
        px_str bytes;
    } table[] = {{"br", PX_LIT(BR_BOMB)}, {"zstd", px_str_n(bytes, zstd_bomb(bytes, 80))}};
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        struct got g = play_encoded(table[i].coding, table[i].bytes, 1 << 20);
        FAILED(&g, PX_HTTP_TOO_LARGE);
        assert_true(g.body_n <= 1 << 20);
        g = play_encoded(table[i].coding, table[i].bytes, ZEROS);
        SUCCEEDED(&g);
        assert_int_equal(g.body_n, ZEROS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(resets),
        cmocka_unit_test(the_next_one_has_its_number),
        cmocka_unit_test(a_key_is_not_kept),
        cmocka_unit_test(cancelled_before_it_began),
        cmocka_unit_test(closes),
        cmocka_unit_test(hangs),
        cmocka_unit_test(interim),
        cmocka_unit_test(connects_too_slowly),
        cmocka_unit_test(lies),
        cmocka_unit_test(trailers),
        cmocka_unit_test(floods),
        cmocka_unit_test(too_large),
        cmocka_unit_test(bomb),
        cmocka_unit_test(other_codings),
        cmocka_unit_test(other_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
