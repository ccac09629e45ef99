/* TLS and HTTP/2 against nginx, with certificates made here: good, expired, for another host, of nobody. */
#include "base/log.h"
#include "http_help.h"
#include "net/http_private.h"
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

/* ---- certificates ---- */

struct ident {
    X509 *cert;
    EVP_PKEY *key;
};
static char dir[64];
static long serial;

static const char *in_dir(const char *name) {
    static char paths[4][128];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static struct ident certify(const char *name, const struct ident *by, long days) {
    struct ident id = {X509_new(), EVP_EC_gen("P-256")};
    X509V3_CTX ctx;
    char san[128];
    bool authority = !by || !days;
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -30 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), (days ? days : 30) * 86400);
    X509_set_pubkey(id.cert, id.key);
    X509_NAME *subject = X509_get_subject_name(id.cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, by ? X509_get_subject_name(by->cert) : subject);
    X509V3_set_ctx(&ctx, by ? by->cert : id.cert, id.cert, NULL, NULL, 0);
    snprintf(san, sizeof san, "DNS:%s", name);
    const char *values[] = {authority ? "critical,CA:TRUE" : "CA:FALSE", san};
    const int kinds[] = {NID_basic_constraints, NID_subject_alt_name};
    for (int i = 0; i < 2; i++) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, kinds[i], values[i]);
        assert_non_null(ext);
        X509_add_ext(id.cert, ext, -1);
        X509_EXTENSION_free(ext);
    }
    assert_true(X509_sign(id.cert, by ? by->key : id.key, EVP_sha256()) > 0);
    return id;
}
static void save(const struct ident *id, const char *name) {
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *f = fopen(in_dir(file), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, id->cert), 1);
    fclose(f);
    snprintf(file, sizeof file, "%s.key", name);
    f = fopen(in_dir(file), "w");
    assert_non_null(f);
    fchmod(fileno(f), 0600);
    assert_int_equal(PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}
static void make(const char *file, const char *name, const struct ident *by, long days) {
    struct ident id = certify(name, by, days);
    save(&id, file);
    X509_free(id.cert);
    EVP_PKEY_free(id.key);
}

/* ---- nginx ---- */

enum { GOOD, EXPIRED, OTHER, SELF, UNKNOWN, CLIENT, OLD, ONE, PLAIN, SERVERS };
static uint16_t ports[SERVERS];
static pid_t nginx;

/* Below those that the kernel gives to whoever asks for any. */
static void choose_ports(void) {
    unsigned port = 12000 + (unsigned)getpid() * 16 % 16000, last = port + 4000;
    for (int i = 0; i < SERVERS; port++) {
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(port < last);
        if (bind(fd, (struct sockaddr *)&to, sizeof to) == 0)
            ports[i++] = (uint16_t)port;
        close(fd);
    }
}

static void configure(void) {
    static const struct {
        const char *cert, *more;
    } servers[] = {[GOOD] = {"good", "http2"}, [EXPIRED] = {"expired", ""}, [OTHER] = {"other", ""},
                   [SELF] = {"self", ""},      [UNKNOWN] = {"unknown", ""}, [CLIENT] = {"good", ""},
                   [OLD] = {"good", ""},       [ONE] = {"good", ""}};
    FILE *f = fopen(in_dir("nginx.conf"), "w");
    assert_non_null(f);
    fprintf(
        f,
        "daemon off; master_process off; pid %s/pid; error_log /dev/null;\nevents { worker_connections 1024; }\nhttp {\n",
        dir);
    fprintf(
        f,
        "access_log off; keepalive_requests 100000; client_body_temp_path %s/t; proxy_temp_path %s/t; fastcgi_temp_path %s/t;"
        "uwsgi_temp_path %s/t; scgi_temp_path %s/t; gzip on; gzip_min_length 1; gzip_types text/plain;\n",
        dir, dir, dir, dir, dir);
    for (int i = 0; i < PLAIN; i++) {
        fprintf(
            f,
            "server { listen 127.0.0.1:%u ssl %s; server_name good.test; ssl_certificate %s/%s.pem; ssl_certificate_key %s/%s.key;\n",
            ports[i], servers[i].more, dir, servers[i].cert, dir, servers[i].cert);
        if (i == CLIENT)
            fprintf(f, "ssl_verify_client on; ssl_client_certificate %s/ca.pem;\n", dir);
        fprintf(f, i == OLD ? "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;\n"
                            : "ssl_protocols TLSv1.2 TLSv1.3;\n");
        fprintf(f,
                "location / { return 200 \"hello\"; }\nlocation /down { return 302 http://good.test:%u/; }\n",
                ports[PLAIN]);
        /* It reads the whole request before it answers. */
        fprintf(f, "location /post { proxy_pass http://127.0.0.1:%u; }\n", ports[PLAIN]);
        fprintf(f, "location /who { return 200 \"$http_authorization\"; }\n");
        fprintf(f, "location /long { return 200 \"%0*d\"; }\n}\n", 3000, 0);
    }
    fprintf(f, "server { listen 127.0.0.1:%u; location / { return 200 \"plain\"; } }\n}\n", ports[PLAIN]);
    fclose(f);
}

static void await_port(uint16_t port) {
    for (uint64_t give_up = px_clock_mono_ns() + 30 * PX_S;;) {
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM, 0), r = connect(fd, (struct sockaddr *)&to, sizeof to);
        close(fd);
        if (r == 0)
            return;
        assert_true(px_clock_mono_ns() < give_up);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
}

static int begin(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/px-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    struct ident ca = certify("Test CA", NULL, 0), nobody = certify("Nobody", NULL, 0);
    save(&ca, "ca");
    make("good", "good.test", &ca, 10);
    make("client", "client.test", &ca, 10);
    make("expired", "good.test", &ca, -1);
    make("other", "other.test", &ca, 10);
    make("self", "good.test", NULL, 10);
    make("unknown", "good.test", &nobody, 10);
    X509_free(ca.cert);
    EVP_PKEY_free(ca.key);
    X509_free(nobody.cert);
    EVP_PKEY_free(nobody.key);
    choose_ports();
    configure();
    char conf[128];
    snprintf(conf, sizeof conf, "%s", in_dir("nginx.conf"));
    char *argv[] = {"nginx", "-p", dir, "-e", "/dev/null", "-c", conf, NULL}, *envp[] = {NULL};
    if (posix_spawn(&nginx, "/usr/sbin/nginx", NULL, NULL, argv, envp))
        fail_msg("nginx is not here: scripts/setup test");
    await_port(ports[PLAIN]);
    return 0;
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}
static int end(void **state) {
    (void)state;
    kill(nginx, SIGTERM);
    waitpid(nginx, NULL, 0);
    nftw(dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* ---- asking ---- */

static struct px_egress *trusting_over(const char *ca, const char *cert, const char *key, const char *proxy,
                                       bool allow_private) {
    static char origins[SERVERS][64];
    px_str texts[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        snprintf(origins[i], sizeof origins[i], "http%s://good.test:%u", i == PLAIN ? "" : "s", ports[i]);
        texts[i] = px_str_of(origins[i]);
    }
    return web_egress(&(struct px_egress_conf){.origins = texts,
                                               .n_origins = SERVERS,
                                               .allow_private = allow_private,
                                               .proxy = px_str_of(proxy),
                                               .ca_file = ca,
                                               .cert_file = cert,
                                               .key_file = key});
}
static struct px_egress *trusting(const char *ca, const char *cert, const char *key) {
    return trusting_over(ca, cert, key, NULL, true);
}
static void tls_open(struct web *w) {
    web_open(w, false);
    fake_name_set("good.test", "127.0.0.1", NULL);
    w->egress = trusting(in_dir("ca.pem"), NULL, NULL);
}
static void ask_server(struct web *w, struct got *g, int server, const char *path, struct px_http_req req) {
    char url[128];
    snprintf(url, sizeof url, "http%s://good.test:%u%s", server == PLAIN ? "" : "s", ports[server], path);
    req.url = px_str_of(url);
    ask_wait(w, g, req);
}

static void good(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    tls_open(&w);
    ask_server(&w, &g, ONE, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(g.result.http_version, 11);
    assert_string_equal(g.body, "hello");
    assert_true(g.result.tls_ns > 0);
    ask_server(&w, &g, ONE, "/", (struct px_http_req){0});
    assert_true(g.result.reused);
    assert_int_equal(g.result.tls_ns, 0);
    ask_server(&w, &g, ONE, "/long", (struct px_http_req){0});
    SUCCEEDED(&g);
    assert_int_equal(g.body_n, 3000);
    assert_non_null(strstr(g.head, "content-encoding=gzip"));
    assert_true(g.result.bytes_in < 1000);
    web_close(&w);
}

static void bad(void **state) {
    (void)state;
    static const struct {
        int server;
        const char *words;
    } table[] = {{EXPIRED, "the certificate has expired"},
                 {OTHER, "the certificate is for another host"},
                 {SELF, "signed by itself"},
                 {UNKNOWN, "an authority that is not trusted"},
                 {OLD, "no TLS connection"}};
    struct web w;
    struct got g = {0};
    tls_open(&w);
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        ask_server(&w, &g, table[i].server, "/?secret=hunter2", (struct px_http_req){0});
        FAILED(&g, PX_HTTP_TLS);
        assert_false(g.result.sent);
        assert_true(strncmp(g.why, "good.test: ", 11) == 0);
        assert_null(strstr(g.why, "hunter2"));
        assert_null(strstr(g.why, "px1"));
        if (!strstr(g.why, table[i].words))
            fail_msg("%s", g.why);
    }
    web_close(&w);
}

/* The further authority is one service's own: not another's, also when a connection to the host is open. */
static void trust_is_own(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    tls_open(&w);
    struct px_egress *plain = trusting(NULL, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        ask_server(&w, &g, ONE, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        ask_server(&w, &g, ONE, "/", (struct px_http_req){.egress = plain});
        FAILED(&g, PX_HTTP_TLS);
        ask_server(&w, &g, GOOD, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        ask_server(&w, &g, GOOD, "/", (struct px_http_req){.egress = plain});
        FAILED(&g, PX_HTTP_TLS);
    }
    px_egress_unref(plain);
    web_close(&w);
}

static void client_certificate(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    tls_open(&w);
    struct px_egress *known = trusting(in_dir("ca.pem"), in_dir("client.pem"), in_dir("client.key"));
    for (int i = 0; i < 2; i++) {
        ask_server(&w, &g, CLIENT, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
        assert_int_equal(g.result.status, 400);
        ask_server(&w, &g, CLIENT, "/", (struct px_http_req){.egress = known});
        SUCCEEDED(&g);
        assert_int_equal(g.result.status, 200);
        ask_server(&w, &g, CLIENT, "/", (struct px_http_req){.egress = known, .fresh = true});
        assert_int_equal(g.result.status, 200);
        ask_server(&w, &g, CLIENT, "/", (struct px_http_req){.fresh = true});
        assert_int_equal(g.result.status, 400);
    }
    px_egress_unref(known);
    web_close(&w);
}

static void http2(void **state) {
    (void)state;
    enum { N = 100 };
    static struct got all[N];
    struct web w;
    char url[128], post[128];
    tls_open(&w);
    snprintf(url, sizeof url, "https://good.test:%u/", ports[GOOD]);
    snprintf(post, sizeof post, "https://good.test:%u/post", ports[GOOD]);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++)
            ask_req(&w, &all[i],
                    (struct px_http_req){.url = px_str_of(i % 3 ? url : post),
                                         .method = i % 3 ? PX_LIT("GET") : PX_LIT("POST"),
                                         .body = i % 3 ? (px_str){0} : PX_LIT("some words")});
        px_op_cancel(&all[7].op);
        for (int i = 0; i < N; i++) {
            if (i == 7)
                continue;
            UNTIL(w.rig.loop, all[i].ends);
            SUCCEEDED(&all[i]);
            assert_int_equal(all[i].result.http_version, 20);
            assert_string_equal(all[i].body, i % 3 ? "hello" : "plain");
        }
    }
    struct px_http_stats stats;
    px_http_stats_get(w.http, &stats);
    assert_int_equal(stats.connections, 1);
    web_close(&w);
}

/* Streams of one connection: one is paused, the others go on; one is cancelled. */
static void pause_at_head(struct got *g, const struct px_http_ev *ev) {
    if (ev->kind == PX_HTTP_HEAD)
        px_http_pause(g->op, true);
}
static void http2_pause(void **state) {
    (void)state;
    struct web w;
    struct got held = {.then = pause_at_head}, g = {0};
    char url[128];
    tls_open(&w);
    snprintf(url, sizeof url, "https://good.test:%u/long", ports[GOOD]);
    ask_req(&w, &held, (struct px_http_req){.url = px_str_of(url), .frame = PX_HTTP_RAW});
    UNTIL(w.rig.loop, held.heads);
    for (int i = 0; i < 5; i++) {
        ask_server(&w, &g, GOOD, "/", (struct px_http_req){0});
        SUCCEEDED(&g);
    }
    assert_int_equal(held.pieces, 0);
    px_http_pause(held.op, false);
    UNTIL(w.rig.loop, held.ends);
    SUCCEEDED(&held);
    assert_int_equal(held.data_bytes, 3000);
    web_close(&w);
}

static void never_down(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    tls_open(&w);
    ask_server(&w, &g, ONE, "/down", (struct px_http_req){.redirects = PX_HTTP_REDIRECT_ALLOWED});
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_int_equal(g.result.status, 302);
    ask_server(&w, &g, PLAIN, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    web_close(&w);
}

/* A peer that does not speak TLS, and one that ends in the middle of it. */
static void no_tls(void **state) {
    (void)state;
    static const struct step words[] = {SEND("220 mail.test ESMTP\r\n"), STOP}, ends[] = {CLOSE, STOP},
                             resets[] = {RESET, STOP}, *const all[] = {words, ends, resets};
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        struct web w;
        struct peer p;
        struct got g = {0};
        char url[64];
        web_open(&w, false);
        peer_open(&p, w.rig.loop, all[i]);
        snprintf(url, sizeof url, "https://127.0.0.1:%u", p.port);
        web_allow(&w, url, NULL);
        ask_wait(&w, &g, (struct px_http_req){.url = px_str_of(url)});
        assert_true(g.result.fail == PX_HTTP_TLS || (i && g.result.fail == PX_HTTP_CONNECT));
        assert_false(g.result.sent);
        assert_null(strstr(g.why, "px"));
        peer_close(&p);
        web_close(&w);
    }
}

/* A handshake that does not go on is the connection's time. */
static void handshake_hangs(void **state) {
    (void)state;
    static const struct step deaf[] = {STOP};
    struct web w;
    struct peer p;
    struct got g = {0};
    char url[64];
    web_open(&w, true);
    peer_open(&p, w.rig.loop, deaf);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", p.port);
    web_allow(&w, url, NULL);
    ask_wait(&w, &g, (struct px_http_req){.url = px_str_of(url), .timeouts = {.connect_ns = 5 * PX_S}});
    FAILED(&g, PX_HTTP_TIMEOUT);
    assert_string_equal(g.result.timeout, "connect");
    assert_false(g.result.sent);
    peer_close(&p);
    web_close(&w);
}

/* ---- through a proxy ---- */

/* It answers 200 to CONNECT and leads to nginx, wherever it was asked to lead. */
struct tunnel {
    struct px_loop *loop;
    struct px_io *accepts, *io[4][2];
    int fd, fds[4][2];
    uint16_t port;
    char heads[4][1024]; /* what came before the 200 */
    int n;
};
struct tunnel_end {
    struct tunnel *tunnel;
    int conn, side;
};
static struct tunnel_end tunnel_ends[4][2];

static void tunnel_stop(struct tunnel *t, int conn) {
    for (int side = 0; side < 2; side++) {
        if (t->fds[conn][side] < 0)
            continue;
        px_io_stop(&t->io[conn][side]);
        close(t->fds[conn][side]);
        t->fds[conn][side] = -1;
    }
}
static void tunnel_on_bytes(void *user, uint32_t events);
static void tunnel_watch(struct tunnel *t, int conn, int side, int fd) {
    t->fds[conn][side] = fd;
    tunnel_ends[conn][side] = (struct tunnel_end){t, conn, side};
    assert_int_equal(px_io_start(t->loop, fd, EPOLLIN, "test/tunnel", tunnel_on_bytes,
                                 &tunnel_ends[conn][side], &t->io[conn][side], NULL),
                     0);
}
static void tunnel_open_through(struct tunnel *t, int conn) {
    static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    const char *colon = strchr(t->heads[conn], ':');
    assert_non_null(colon);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    tunnel_watch(t, conn, 1, fd);
    assert_int_equal(send(t->fds[conn][0], ok, sizeof ok - 1, MSG_NOSIGNAL), sizeof ok - 1);
}
static void tunnel_on_bytes(void *user, uint32_t events) {
    const struct tunnel_end *end = user;
    struct tunnel *t = end->tunnel;
    char bytes[16384], *head = t->heads[end->conn];
    (void)events;
    ssize_t n = recv(t->fds[end->conn][end->side], bytes, sizeof bytes, 0);
    if (n <= 0) {
        tunnel_stop(t, end->conn);
    } else if (t->fds[end->conn][1] >= 0) {
        (void)!send(t->fds[end->conn][!end->side], bytes, (size_t)n, MSG_NOSIGNAL);
    } else {
        size_t before = strlen(head);
        assert_true(before + (size_t)n < sizeof t->heads[0]);
        memcpy(head + before, bytes, (size_t)n);
        if (strstr(head, "\r\n\r\n"))
            tunnel_open_through(t, end->conn);
    }
}
static void tunnel_on_accept(void *user, uint32_t events) {
    struct tunnel *t = user;
    (void)events;
    int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0 && t->n < 4);
    t->fds[t->n][1] = -1;
    tunnel_watch(t, t->n++, 0, fd);
}
static void tunnel_open(struct tunnel *t, struct px_loop *loop) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof to;
    *t = (struct tunnel){.loop = loop, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(t->fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(t->fd, 16), 0);
    assert_int_equal(getsockname(t->fd, (struct sockaddr *)&to, &n), 0);
    t->port = ntohs(to.sin_port);
    assert_int_equal(px_io_start(loop, t->fd, EPOLLIN, "test/proxy", tunnel_on_accept, t, &t->accepts, NULL),
                     0);
}
static void tunnel_close(struct tunnel *t) {
    for (int i = 0; i < t->n; i++)
        tunnel_stop(t, i);
    px_io_stop(&t->accepts);
    close(t->fd);
}

static void through_a_proxy(void **state) {
    (void)state;
    struct web w;
    struct tunnel t;
    struct got g = {0};
    char proxy[64], line[64];
    const px_pair secret = {PX_LIT("Authorization"), PX_LIT("Bearer hunter2")},
                  custom = {PX_LIT("X-Custom"), PX_LIT("hunter3")};
    const struct px_http_req req = {
        .credentials = &secret, .n_credentials = 1, .headers = &custom, .n_headers = 1};
    tls_open(&w);
    tunnel_open(&t, w.rig.loop);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", t.port);
    struct px_egress *over = trusting_over(in_dir("ca.pem"), NULL, NULL, proxy, true),
                     *guarded = trusting_over(in_dir("ca.pem"), NULL, NULL, proxy, false);
    struct px_http_req guarded_req = req;
    guarded_req.egress = guarded;
    ask_server(&w, &g, ONE, "/who", guarded_req);
    FAILED(&g, PX_HTTP_FORBIDDEN);
    assert_int_equal(t.n, 0);
    px_egress_unref(w.egress);
    w.egress = over;
    for (int i = 0; i < 2; i++) {
        ask_server(&w, &g, ONE, "/who", req);
        SUCCEEDED(&g);
        assert_string_equal(g.body, "Bearer hunter2");
        assert_int_equal(g.result.reused, i);
        assert_int_equal(t.n, 1);
    }
    snprintf(line, sizeof line, "CONNECT good.test:%u HTTP/1.1\r\n", ports[ONE]);
    assert_true(strncmp(t.heads[0], line, strlen(line)) == 0);
    assert_null(strstr(t.heads[0], "hunter"));
    assert_null(strstr(t.heads[0], "traceparent"));
    ask_server(&w, &g, GOOD, "/who", req);
    SUCCEEDED(&g);
    assert_int_equal(g.result.http_version, 20);
    assert_string_equal(g.body, "Bearer hunter2");
    assert_null(strstr(t.heads[1], "hunter"));
    /* The certificate is looked at as it is without a proxy. */
    ask_server(&w, &g, EXPIRED, "/who", req);
    FAILED(&g, PX_HTTP_TLS);
    assert_non_null(strstr(g.why, "the certificate has expired"));
    assert_int_equal(t.n, 3);
    px_egress_unref(guarded);
    px_scope_close(&w.rig.scope);
    tunnel_close(&t);
    web_close(&w);
}

static void copy_file(const char *from, const char *to) {
    char bytes[8192];
    FILE *in = fopen(in_dir(from), "r"), *out = fopen(in_dir(to), "w");
    assert_non_null(in);
    assert_non_null(out);
    fwrite(bytes, 1, fread(bytes, 1, sizeof bytes, in), out);
    fclose(in);
    fclose(out);
}
/* The bundle is read again; what fails leaves the old one. */
static void reloads(void **state) {
    (void)state;
    struct web w;
    struct got g = {0};
    struct px_err err = {0};
    copy_file("self.pem", "bundle.pem");
    web_open_opts(&w, false, (struct px_http_opts){.ca_file = in_dir("bundle.pem")});
    fake_name_set("good.test", "127.0.0.1", NULL);
    w.egress = trusting(NULL, NULL, NULL);
    ask_server(&w, &g, SELF, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    ask_server(&w, &g, ONE, "/", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_TLS);
    assert_int_equal(truncate(in_dir("bundle.pem"), 0), 0);
    assert_true(px_http_reload_ca(w.http, &err) < 0);
    ask_server(&w, &g, SELF, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    copy_file("ca.pem", "bundle.pem");
    assert_int_equal(px_http_reload_ca(w.http, &err), 0);
    ask_server(&w, &g, ONE, "/", (struct px_http_req){0});
    SUCCEEDED(&g);
    ask_server(&w, &g, SELF, "/", (struct px_http_req){0});
    FAILED(&g, PX_HTTP_TLS);
    const struct x509_store_st *store = w.http->store;
    assert_int_equal(px_http_reload_ca(w.http, &err), 0); /* the file is as it was: nothing is read */
    assert_ptr_equal(w.http->store, store);
    web_close(&w);
}

/* A bundle that nobody named may be missing: services without https need none. One that was named may not. */
static void no_bundle(void **state) {
    struct x509_store_st *store = NULL;
    struct px_err err = {0};
    (void)state;
    assert_int_equal(px_http_store_load("/no/such/bundle", false, &store, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/no/such/bundle"));
    assert_null(store);
    px_log_set_fd(-1);
    assert_int_equal(px_http_store_load("/no/such/bundle", true, &store, &err), 0);
    assert_int_equal(px_http_store_load("/dev/null", true, &(struct x509_store_st *){NULL}, &err), -EINVAL);
    px_log_set_fd(2);
    assert_non_null(store);
    px_http_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bundle),       cmocka_unit_test(good),
        cmocka_unit_test(through_a_proxy), cmocka_unit_test(bad),
        cmocka_unit_test(trust_is_own),    cmocka_unit_test(client_certificate),
        cmocka_unit_test(http2),           cmocka_unit_test(http2_pause),
        cmocka_unit_test(never_down),      cmocka_unit_test(no_tls),
        cmocka_unit_test(handshake_hangs), cmocka_unit_test(reloads),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
