/* Who connects, and whether there is room. */
#include "base/clock.h"
#include "base/log.h"
#include "net/serve_private.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

enum { ACCEPTS_A_TURN = 64 };
static const uint64_t pause_ns = PX_S / 2, say_ns = 10 * PX_S;

/* ---- how many each peer has ---- */

static struct px_serve_count *count_get(struct px_serve *serve, const struct px_serve_peer *peer) {
    char key[sizeof(((struct px_serve_count *)NULL)->key)];
    if (peer->local)
        snprintf(key, sizeof key, "uid:%u", (unsigned)peer->uid);
    else
        snprintf(key, sizeof key, "%s", peer->address);
    struct px_serve_count *count = px_map_get(&serve->counts, px_str_of(key));
    if (!count) {
        count = calloc(1, sizeof *count);
        if (!count)
            return NULL;
        memcpy(count->key, key, sizeof key);
        if (px_map_put(&serve->counts, px_str_of(count->key), count, NULL)) {
            free(count);
            return NULL;
        }
    }
    count->n++;
    return count;
}

void px_serve_count_put(struct px_serve *serve, struct px_serve_count *count) {
    if (!count || --count->n)
        return;
    px_map_remove(&serve->counts, px_str_of(count->key));
    free(count);
}

/* ---- refusing ---- */

static void shed(struct px_serve *serve, const char *why) {
    uint64_t now = px_loop_now(serve->loop);
    serve->stats.shed++;
    if (serve->said_ns && now - serve->said_ns < say_ns)
        return;
    serve->said_ns = now;
    px_log(PX_LOG_ERROR, serve->name, "cannot take connections", PX_KV("why", why),
           PX_KI("shed", (int64_t)serve->stats.shed), PX_KI("connections", serve->stats.connections));
}

/* Without a connection's memory: what it has sent may cost it these words. */
static void refuse(struct px_serve *serve, int fd) {
    static const char words[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
        "Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";
    if (send(fd, words, sizeof words - 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        shutdown(fd, SHUT_WR);
    close(fd);
    serve->stats.refused++;
}

/* The one that has been idle for longest makes room. */
static bool evict(struct px_serve *serve) {
    if (px_list_empty(&serve->idle))
        return false;
    px_serve_conn_close(px_list_entry(serve->idle.next, struct px_serve_conn, idle));
    serve->stats.evicted++;
    return true;
}

static int spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void want_all(struct px_serve *serve, uint32_t events) {
    for (int i = 0; i < PX_SERVE_LISTENERS; i++)
        if (serve->listeners[i].io && px_io_want(serve->listeners[i].io, events) < 0)
            px_timer_arm_in(&serve->resume, pause_ns);
}

void px_serve_resume(void *user) {
    struct px_serve *serve = user;
    if (serve->reserve < 0)
        serve->reserve = spare();
    want_all(serve, EPOLLIN);
}

/* A connection waits that cannot be taken, and would wake us for ever. One that is idle gives its descriptor; else the one we keep to spare is
 * used to take and close it, so that the peer hears of it. false: nothing helps now: pause. */
static bool make_room(struct px_serve *serve, int listener, int error) {
    shed(serve, strerror(error));
    if ((error == EMFILE || error == ENFILE) && evict(serve))
        return true;
    if (error != EMFILE || serve->reserve < 0)
        return false;
    close(px_take_fd(&serve->reserve));
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    serve->reserve = spare();
    return fd >= 0 && serve->reserve >= 0;
}

/* ---- taking ---- */

static int read_peer(int fd, const struct sockaddr_storage *sa, socklen_t size, struct px_serve_peer *ret) {
    static const int one = 1;
    struct px_addr addr;
    *ret = (struct px_serve_peer){.local = sa->ss_family == AF_UNIX};
    if (ret->local) {
        struct ucred who;
        socklen_t n = sizeof who;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
            return -errno;
        ret->uid = who.uid;
        return 0;
    }
    int r = px_addr_of((const struct sockaddr *)sa, size, &addr);
    if (r == 0) {
        px_addr_text(&addr, ret->address);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return r;
}

static void take(struct px_serve *serve, int fd, const struct sockaddr_storage *sa, socklen_t size) {
    struct px_serve_peer peer;
    struct px_err err = {0};
    serve->stats.accepted++;
    if (read_peer(fd, sa, size, &peer) ||
        (serve->stats.connections >= serve->limits.connections && !evict(serve))) {
        refuse(serve, fd);
        return;
    }
    struct px_serve_count *count = count_get(serve, &peer);
    if (!count || count->n > serve->limits.connections_per_peer) {
        px_serve_count_put(serve, count);
        refuse(serve, fd);
        return;
    }
    if (px_serve_conn_open(serve, fd, &peer, count, &err))
        shed(serve, err.msg);
}

void px_serve_acceptable(void *user, uint32_t events) {
    struct px_serve_listener *listener = user;
    struct px_serve *serve = listener->serve;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage sa = {0};
        socklen_t size = sizeof sa;
        int fd = accept4(listener->fd, (struct sockaddr *)&sa, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            if (!size) /* a Unix socket's peer has no name */
                sa.ss_family = AF_UNIX;
            take(serve, fd, &sa, size);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (make_room(serve, listener->fd, errno))
                continue;
            want_all(serve, 0);
            px_timer_arm_in(&serve->resume, pause_ns);
            return;
        }
        /* What went wrong with one that waited (accept(2) passes its network errors on): the next one. */
    }
}
