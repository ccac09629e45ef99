#include "net/serve.h"
#include "base/clock.h"
#include "net/egress.h"
#include "net/serve_private.h"
#include <fcntl.h>
#include <sys/socket.h>

enum { BACKLOG = 1024 };

static void set_limits(struct px_serve_limits *to, const struct px_serve_limits *from) {
    *to = *from;
    to->connections = from->connections ? from->connections : 1024;
    to->connections_per_peer = from->connections_per_peer ? from->connections_per_peer : 128;
    to->body_bytes = from->body_bytes ? from->body_bytes : 64 * 1024;
    to->reply_bytes = from->reply_bytes ? from->reply_bytes : (size_t)4 << 20;
    to->buffer_bytes = from->buffer_bytes ? from->buffer_bytes : (size_t)64 << 20;
    to->head_ns = from->head_ns ? from->head_ns : 10 * PX_S;
    to->body_ns = from->body_ns ? from->body_ns : 10 * PX_S;
    to->pace = from->pace ? from->pace : 4096;
    to->idle_ns = from->idle_ns ? from->idle_ns : 60 * PX_S;
}

int px_serve_create(const struct px_serve_opts *opts, struct px_serve **ret, struct px_err *err) {
    struct px_serve *serve = calloc(1, sizeof *serve);
    if (!serve)
        return px_err_set(err, -ENOMEM, "no memory for an HTTP server");
    serve->loop = opts->loop;
    serve->name = opts->name;
    serve->sink = opts->sink;
    serve->ctx = opts->ctx;
    set_limits(&serve->limits, &opts->limits);
    px_list_init(&serve->conns);
    px_list_init(&serve->idle);
    px_map_init(&serve->counts, serve->limits.connections);
    px_slots_init(&serve->handles, serve->limits.connections);
    px_timer_init(&serve->resume, opts->loop, opts->name, px_serve_resume, serve);
    for (int i = 0; i < PX_SERVE_LISTENERS; i++)
        serve->listeners[i].fd = -1;
    serve->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *ret = serve;
    return 0;
}

static void unlisten(struct px_serve *serve) {
    px_timer_disarm(&serve->resume);
    for (int i = 0; i < PX_SERVE_LISTENERS; i++) {
        struct px_serve_listener *listener = &serve->listeners[i];
        px_io_stop(&listener->io);
        if (listener->fd >= 0)
            close(px_take_fd(&listener->fd));
        if (listener->addr.size)
            px_egress_own_remove(&listener->addr);
        listener->addr.size = 0;
        px_listen_remove(&listener->file);
    }
}

void px_serve_destroy(struct px_serve **pserve) {
    struct px_serve *serve = px_take(pserve);
    if (!serve)
        return;
    unlisten(serve);
    serve->sink = NULL; /* nobody wants to hear who has gone */
    while (!px_list_empty(&serve->conns))
        px_serve_conn_close(px_list_entry(serve->conns.next, struct px_serve_conn, node));
    px_map_finish(&serve->counts);
    px_slots_finish(&serve->handles);
    if (serve->reserve >= 0)
        close(serve->reserve);
    free(serve);
}

void px_serve_stats_get(const struct px_serve *serve, struct px_serve_stats *ret) {
    *ret = serve->stats;
}

/* ---- listeners ---- */

static struct px_serve_listener *free_listener(struct px_serve *serve) {
    for (int i = 0; i < PX_SERVE_LISTENERS; i++)
        if (serve->listeners[i].fd < 0)
            return &serve->listeners[i];
    return NULL;
}

/* Where a TCP socket listens: no service's request goes there. */
static int note_address(struct px_serve_listener *listener, int fd, struct px_err *err) {
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    struct px_addr addr;
    if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
        return px_err_errno(err, -errno, "the address of a socket");
    int r = px_addr_of((const struct sockaddr *)&sa, size, &addr);
    if (r == 0)
        r = px_egress_own_add(&addr);
    if (r)
        return px_err_errno(err, r, "the address of a socket");
    listener->addr = addr;
    return 0;
}

/* On failure the descriptor is still the caller's. */
static int begin(struct px_serve *serve, int fd, bool tcp, struct px_listen_file *file, struct px_err *err) {
    struct px_serve_listener *listener = free_listener(serve);
    if (!listener)
        return px_err_set(err, -ENOSPC, "too many listeners: at most %d", PX_SERVE_LISTENERS);
    int r = tcp ? note_address(listener, fd, err) : 0;
    if (r)
        return r;
    listener->serve = serve;
    r = px_io_start(serve->loop, fd, EPOLLIN, serve->name, px_serve_acceptable, listener, &listener->io, err);
    if (r) {
        if (listener->addr.size)
            px_egress_own_remove(&listener->addr);
        listener->addr.size = 0;
        return r;
    }
    listener->fd = fd;
    if (file)
        listener->file = *file;
    return 0;
}

int px_serve_listen_tcp(struct px_serve *serve, const struct px_addr *addr, struct px_addr *ret_addr,
                        struct px_err *err) {
    static const int one = 1;
    char text[PX_ADDR_TEXT];
    int family = addr->any.sa_family;
    px_addr_text(addr, text);
    PX_AUTOCLOSE int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
        bind(fd, &addr->any, addr->size) < 0 || listen(fd, BACKLOG) < 0)
        return px_err_errno(err, -errno, "%s port %u", text, px_addr_port(addr));
    int r = begin(serve, fd, true, NULL, err);
    if (r)
        return r;
    for (int i = 0; ret_addr && i < PX_SERVE_LISTENERS; i++)
        if (serve->listeners[i].fd == fd)
            *ret_addr = serve->listeners[i].addr;
    px_take_fd(&fd);
    return 0;
}

int px_serve_listen_unix(struct px_serve *serve, const char *path, mode_t mode, gid_t group,
                         struct px_err *err) {
    PX_AUTOCLOSE int fd = -1;
    struct px_listen_file file;
    int r = px_listen_unix("HTTP socket", path, mode, group, &fd, &file, err);
    if (r)
        return r;
    r = begin(serve, fd, false, &file, err);
    if (r) {
        px_listen_remove(&file);
        return r;
    }
    px_take_fd(&fd);
    return 0;
}

int px_serve_listen_fd(struct px_serve *serve, int fd, struct px_err *err) {
    int family;
    int r = px_listen_passed(fd, &family, err);
    return r ? r : begin(serve, fd, family != AF_UNIX, NULL, err);
}
