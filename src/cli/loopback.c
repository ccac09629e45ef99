#include "cli/loopback.h"
#include "base/clock.h"
#include "base/codec.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>

enum { BACKLOG = 16, READ_BYTES = 4096, RANDOM_BYTES = 16, PAGE_MAX = 8192 };

/* ---- opening and closing ---- */

static int random_path(struct px_loopback *lb, struct px_err *err) {
    unsigned char bytes[RANDOM_BYTES];
    struct px_buf text;
    if (sodium_init() < 0)
        return px_err_set(err, -EIO, "no source of random numbers");
    randombytes_buf(bytes, sizeof bytes);
    px_buf_init(&text, 64);
    px_hex_add(&text, px_str_n((const char *)bytes, sizeof bytes));
    snprintf(lb->path, sizeof lb->path, "/%s", text.p ? text.p : "");
    int r = text.failed;
    px_buf_finish(&text);
    return r ? px_err_set(err, r, "out of memory") : 0;
}

static int open_socket(struct px_loopback *lb, uint16_t port, struct px_err *err) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t n = sizeof at;
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    lb->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lb->fd < 0 || setsockopt(lb->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(lb->fd, (const struct sockaddr *)&at, sizeof at) || listen(lb->fd, BACKLOG) ||
        getsockname(lb->fd, (struct sockaddr *)&at, &n))
        return px_err_errno(err, -errno, "cannot listen on 127.0.0.1:%u for the browser's answer", port);
    lb->port = ntohs(at.sin_port);
    return 0;
}

int px_loopback_open(struct px_loopback *lb, uint16_t port, const char *path, struct px_err *err) {
    *lb = (struct px_loopback){.fd = -1};
    for (size_t i = 0; i < PX_LOOPBACK_CONNS; i++)
        lb->conns[i].fd = -1;
    int r = 0;
    if (!path)
        r = random_path(lb, err);
    else if ((size_t)snprintf(lb->path, sizeof lb->path, "%s", path) >= sizeof lb->path)
        r = px_err_set(err, -ENAMETOOLONG, "the path of the redirect is too long");
    if (!r)
        r = open_socket(lb, port, err);
    if (r)
        px_loopback_close(lb);
    return r;
}

void px_loopback_uri(const struct px_loopback *lb, struct px_buf *to) {
    px_buf_addf(to, "http://127.0.0.1:%u%s", lb->port, lb->path);
}

static void conn_close(struct px_loopback *lb, struct px_loopback_conn *conn) {
    if (conn->fd >= 0)
        close(conn->fd);
    if (conn->in.p)
        explicit_bzero(conn->in.p, conn->in.n); /* it may hold a code */
    px_buf_finish(&conn->in);
    px_buf_finish(&conn->out);
    if (lb->held == conn)
        lb->held = NULL;
    *conn = (struct px_loopback_conn){.fd = -1};
}

/* ---- answers ---- */

static void put_html(struct px_buf *to, px_str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *entity = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : NULL;
        if (entity)
            px_buf_text(to, entity);
        else if ((unsigned char)c >= ' ' && c != 0x7f)
            px_buf_char(to, c);
    }
}

/* A page without scripts, that nothing else may load or keep: its address has the code in it. */
static void answer(struct px_loopback_conn *conn, const char *status, const char *title, px_str words) {
    struct px_buf page;
    px_buf_init(&page, PAGE_MAX);
    px_buf_addf(&page,
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Plexus</title>"
                "<body><h1>%s</h1><p>",
                title);
    put_html(&page, px_str_n(words.p, px_str_cut_utf8(words, 1000)));
    px_buf_text(&page, "</p></body></html>\n");
    px_buf_init(&conn->out, 2 * PAGE_MAX);
    px_buf_addf(
        &conn->out,
        "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n",
        status, page.n);
    px_buf_str(&conn->out, px_buf_view(&page));
    px_buf_finish(&page);
    conn->held = false;
}

void px_loopback_answer(struct px_loopback *lb, bool connected, px_str words) {
    if (!lb->held)
        return;
    answer(lb->held, "200 OK", connected ? "Connected" : "Not connected", words);
    lb->held = NULL;
}

static void conn_write(struct px_loopback *lb, struct px_loopback_conn *conn) {
    ssize_t n = send(conn->fd, conn->out.p + conn->sent, conn->out.n - conn->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    conn->sent += n > 0 ? (size_t)n : 0;
    if (n < 0 || conn->sent == conn->out.n)
        conn_close(lb, conn);
}

/* ---- requests ---- */

static bool word_is(px_str *line, const char *word) {
    size_t n = strlen(word);
    if (line->n < n || memcmp(line->p, word, n) != 0)
        return false;
    *line = px_str_n(line->p + n, line->n - n);
    return true;
}

/* "GET <path>[?query] HTTP/1.x". */
static bool is_answer(const struct px_loopback *lb, px_str line, px_str *ret_query) {
    if (!word_is(&line, "GET ") || !word_is(&line, lb->path))
        return false;
    const char *blank = memchr(line.p, ' ', line.n);
    if (!blank || (line.p[0] != '?' && line.p[0] != ' '))
        return false;
    px_str rest = px_str_n(blank, line.n - (size_t)(blank - line.p));
    *ret_query = line.p[0] == '?' ? px_str_n(line.p + 1, (size_t)(blank - line.p - 1)) : PX_LIT("");
    return px_str_is(rest, " HTTP/1.1") || px_str_is(rest, " HTTP/1.0");
}

/* A whole head came. True: it is the answer. */
static bool on_head(struct px_loopback *lb, struct px_loopback_conn *conn, px_str *ret_query) {
    const char *end = memmem(conn->in.p, conn->in.n, "\r\n", 2);
    px_str line = px_str_n(conn->in.p, (size_t)(end - conn->in.p));
    if (!is_answer(lb, line, ret_query)) {
        answer(conn, "404 Not Found", "Not here", PX_LIT("There is nothing at this address."));
    } else if (lb->held) {
        answer(conn, "409 Conflict", "Once is enough", PX_LIT("This login has an answer already."));
    } else {
        conn->held = true;
        lb->held = conn;
        return true;
    }
    return false;
}

static bool conn_read(struct px_loopback *lb, struct px_loopback_conn *conn, px_str *ret_query) {
    char *room = px_buf_room(&conn->in, READ_BYTES);
    if (!room) {
        answer(conn, "431 Request Header Fields Too Large", "Too long", PX_LIT("The request is too long."));
        return false;
    }
    ssize_t n = recv(conn->fd, room, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        conn_close(lb, conn);
        return false;
    }
    px_buf_added(&conn->in, (size_t)n);
    return memmem(conn->in.p, conn->in.n, "\r\n\r\n", 4) && on_head(lb, conn, ret_query);
}

/* A free place, or that of the connection that has kept its silence for longest; NULL: all are busy. */
static struct px_loopback_conn *place(struct px_loopback *lb) {
    struct px_loopback_conn *quiet = NULL;
    for (size_t i = 0; i < PX_LOOPBACK_CONNS; i++) {
        struct px_loopback_conn *conn = &lb->conns[i];
        if (conn->fd < 0)
            return conn;
        if (!conn->held && !conn->out.n && (!quiet || conn->came_ns < quiet->came_ns))
            quiet = conn;
    }
    if (quiet)
        conn_close(lb, quiet);
    return quiet;
}

static void take_conns(struct px_loopback *lb) {
    for (int i = 0; i < BACKLOG; i++) {
        int fd = accept4(lb->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct px_loopback_conn *conn = place(lb);
        if (!conn) {
            close(fd);
            continue;
        }
        *conn = (struct px_loopback_conn){.fd = fd, .came_ns = px_clock_mono_ns()};
        px_buf_init(&conn->in, PX_LOOPBACK_HEAD_MAX);
    }
}

size_t px_loopback_fds(const struct px_loopback *lb, struct pollfd *fds) {
    size_t n = 0;
    if (lb->fd >= 0)
        fds[n++] = (struct pollfd){.fd = lb->fd, .events = POLLIN};
    for (size_t i = 0; i < PX_LOOPBACK_CONNS && lb->fd >= 0; i++) {
        const struct px_loopback_conn *conn = &lb->conns[i];
        if (conn->fd >= 0 && !conn->held)
            fds[n++] = (struct pollfd){.fd = conn->fd, .events = conn->out.n ? POLLOUT : POLLIN};
    }
    return n;
}

bool px_loopback_turn(struct px_loopback *lb, px_str *ret_query) {
    bool came = false;
    if (lb->fd < 0)
        return false;
    take_conns(lb);
    for (size_t i = 0; i < PX_LOOPBACK_CONNS; i++) {
        struct px_loopback_conn *conn = &lb->conns[i];
        if (conn->fd >= 0 && !conn->held && !conn->out.n)
            came = conn_read(lb, conn, ret_query) || came;
        if (conn->fd >= 0 && conn->out.n)
            conn_write(lb, conn);
    }
    return came;
}

void px_loopback_close(struct px_loopback *lb) {
    uint64_t until = px_clock_mono_ns() + PX_S;
    if (lb->fd >= 0)
        close(lb->fd);
    for (size_t i = 0; i < PX_LOOPBACK_CONNS; i++) {
        struct px_loopback_conn *conn = &lb->conns[i];
        while (lb->fd >= 0 && conn->fd >= 0 && conn->out.n && px_clock_mono_ns() < until) {
            struct pollfd p = {.fd = conn->fd, .events = POLLOUT};
            if (poll(&p, 1, 50) > 0)
                conn_write(lb, conn);
        }
        if (lb->fd >= 0 && conn->fd >= 0)
            conn_close(lb, conn);
    }
    lb->fd = -1;
}
