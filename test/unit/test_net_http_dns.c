/* The client with the true resolver: names of this machine, and no second thread. */
#include "reactor_help.h"

#include "net/http.h"
#include "reactor/scope.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct peer {
    int fd, conn;
    struct px_io *io, *conn_io;
};
static void on_request(void *user, uint32_t events) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct peer *p = user;
    char bytes[4096];
    (void)events;
    if (recv(p->conn, bytes, sizeof bytes, 0) > 0)
        assert_int_equal(send(p->conn, answer, sizeof answer - 1, MSG_NOSIGNAL), sizeof answer - 1);
    else
        px_io_stop(&p->conn_io);
}
static struct px_loop *loop;
static void on_accept(void *user, uint32_t events) {
    struct peer *p = user;
    (void)events;
    p->conn = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_int_equal(px_io_start(loop, p->conn, EPOLLIN, "test/conn", on_request, p, &p->conn_io, NULL), 0);
}

static void on_end(void *user, const struct px_http_ev *ev) {
    enum px_http_fail *fail = user;
    *fail = ev->result->fail;
    if (*fail)
        print_message("%s\n", ev->result->why);
    else
        assert_true(px_str_is(ev->result->body, "ok"));
}

static unsigned threads(void) {
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static enum px_http_fail ask(struct px_http *http, struct px_scope *scope, const char *host, uint16_t port) {
    enum px_http_fail result = (enum px_http_fail) - 1;
    char origin[64];
    struct px_op *op;
    struct px_err err = {0};
    struct px_egress *egress;
    snprintf(origin, sizeof origin, "http://%s:%u", host, port);
    px_str text = px_str_of(origin);
    assert_int_equal(
        px_egress_create(&(struct px_egress_conf){.origins = &text, .n_origins = 1, .allow_private = true},
                         &egress, &err),
        0);
    const struct px_http_req req = {.egress = egress, .method = PX_LIT("GET"), .url = text};
    assert_int_equal(px_http_start(http, scope, &req, on_end, &result, &op, &err), 0);
    UNTIL(loop, result != (enum px_http_fail) - 1);
    px_egress_unref(egress);
    return result;
}

static void names_of_here(void **state) {
    (void)state;
    struct rig rig;
    struct px_dns *dns = NULL;
    struct px_http *http = NULL;
    struct px_err err = {0};
    struct peer p = {.conn = -1};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof to;
    char hosts[] = "/tmp/px-hosts-XXXXXX";
    int file = mkstemp(hosts);
    static const char text[] = "127.0.0.1 api.test\n";
    assert_int_equal(write(file, text, sizeof text - 1), sizeof text - 1);
    close(file);
    rig_open(&rig, false);
    loop = rig.loop;
    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p.fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(p.fd, 16), 0);
    assert_int_equal(getsockname(p.fd, (struct sockaddr *)&to, &n), 0);
    assert_int_equal(px_io_start(loop, p.fd, EPOLLIN, "test/peer", on_accept, &p, &p.io, NULL), 0);
    const struct px_dns_opts dns_opts = {
        .loop = loop, .servers = "127.0.0.1:9", .hosts_file = hosts, .timeout_ms = 500};
    assert_int_equal(px_dns_create(&dns_opts, &dns, &err), 0);
    assert_int_equal(px_http_create(&(struct px_http_opts){.loop = loop, .dns = dns}, &http, &err), 0);
    unsigned before = threads();
    assert_int_equal(ask(http, rig.scope, "api.test", ntohs(to.sin_port)), PX_HTTP_OK);
    px_io_stop(&p.conn_io);
    close(p.conn);
    assert_int_equal(ask(http, rig.scope, "localhost", ntohs(to.sin_port)), PX_HTTP_OK);
    enum px_http_fail unknown = ask(http, rig.scope, "nowhere.test", ntohs(to.sin_port));
    assert_true(unknown == PX_HTTP_DNS || unknown == PX_HTTP_NO_NAME);
    assert_int_equal(threads(), before);
    px_io_stop(&p.conn_io);
    px_io_stop(&p.io);
    close(p.conn);
    close(p.fd);
    unlink(hosts);
    px_scope_close(&rig.scope);
    px_http_destroy(&http);
    px_dns_destroy(&dns);
    rig_close(&rig);
    px_arena_stock_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_here)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
