#include "net/http_private.h"
#include <signal.h>
#include <sys/stat.h>

/* curl asks for a watch and takes it back with every request, also on a connection that stays open. A watch that curl
 * takes back is kept until something happens on it or the descriptor is closed (we close it: CLOSESOCKETFUNCTION), so that
 * requests on an open connection cost no epoll_ctl. */

static void fail_watch(struct px_http *http, CURL *curl) {
    struct px_http_easy *easy = NULL;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&easy);
    if (!easy || !easy->call)
        return;
    easy->call->io_failed = http->io_failed = true;
    px_work_post(http->loop, &http->kick);
}

static void reap(struct px_http *http) {
    int left;
    for (const CURLMsg *msg; (msg = curl_multi_info_read(http->multi, &left));) {
        struct px_http_easy *easy = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result;
        if (msg->easy_handle == http->pruner) {
            px_http_idle_pruned(http);
            continue;
        }
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&easy);
        px_http_call_done(easy->call, code);
    }
    if (!http->io_failed)
        return;
    http->io_failed = false;
    PX_LIST_EACH_SAFE (node, &http->calls) {
        struct px_http_call *call = px_list_entry(node, struct px_http_call, node);
        if (call->io_failed && call->state == CALL_RUNNING)
            px_http_call_endf(call, PX_HTTP_INTERNAL,
                              "the connection cannot be watched: too many descriptors, or no memory");
    }
}

static void on_ready(void *user, uint32_t events) {
    struct px_http_sock *sock = user;
    struct px_http *http = sock->http;
    int bits = 0, running;
    if (!sock->wanted) { /* an idle connection */
        px_http_multi_closing(http, sock->fd);
        px_http_idle_died(http);
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP)) /* reading or writing says what it is, after what came before it */
        events |= sock->wanted;
    bits |= events & EPOLLIN ? CURL_CSELECT_IN : 0;
    bits |= events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(http->multi, sock->fd, bits, &running);
    reap(http);
}

static int make_room(struct px_http *http, int fd) {
    size_t room = http->sock_room ? http->sock_room : 64;
    while (room <= (size_t)fd)
        room *= 2;
    if (room == http->sock_room)
        return 0;
    struct px_http_sock **socks = realloc(http->socks, room * sizeof *socks);
    if (!socks)
        return -ENOMEM;
    memset(socks + http->sock_room, 0, (room - http->sock_room) * sizeof *socks);
    http->socks = socks;
    struct px_http_own *owns = realloc(http->owns, room * sizeof *owns);
    if (!owns)
        return -ENOMEM;
    memset(owns + http->sock_room, 0, (room - http->sock_room) * sizeof *owns);
    http->owns = owns;
    http->sock_room = room;
    return 0;
}

static int watch(struct px_http *http, int fd, uint32_t wanted) {
    if (make_room(http, fd))
        return -ENOMEM;
    struct px_http_sock *sock = http->socks[fd];
    if (sock) {
        uint32_t needed = wanted == EPOLLIN || wanted == 0 ? EPOLLIN : wanted;
        sock->wanted = wanted;
        return px_io_want(sock->io, needed);
    }
    if (!wanted)
        return 0;
    sock = calloc(1, sizeof *sock);
    if (!sock)
        return -ENOMEM;
    *sock = (struct px_http_sock){.http = http, .fd = fd, .wanted = wanted};
    int r = px_io_start(http->loop, fd, wanted, "net/http", on_ready, sock, &sock->io, NULL);
    if (r)
        free(sock);
    else
        http->socks[fd] = sock;
    return r;
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *user, void *unused) {
    (void)unused;
    struct px_http *http = user;
    uint32_t wanted = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        wanted |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        wanted |= EPOLLOUT;
    if (!wanted && ((size_t)fd >= http->sock_room || !http->socks[fd]))
        return 0; /* closed before it is taken back */
    if (watch(http, fd, wanted) && wanted)
        fail_watch(http, curl);
    return 0; /* anything else would end every transfer there is */
}

void px_http_multi_closing(struct px_http *http, int fd) {
    struct px_http_sock *sock = fd >= 0 && (size_t)fd < http->sock_room ? http->socks[fd] : NULL;
    if (!sock)
        return;
    http->socks[fd] = NULL;
    px_io_stop(&sock->io);
    free(sock);
}

/* A connection that never came about is closed by curl itself, without CLOSESOCKETFUNCTION, and at times without taking its watch
 * back: then this number is one that we know as watched, and is not any more. When curl has not taken it back, it thinks
 * that it is. */
int px_http_multi_opened(struct px_http *http, int fd, uint64_t trust) {
    struct px_http_sock *sock = (size_t)fd < http->sock_room ? http->socks[fd] : NULL;
    uint32_t wanted = sock ? sock->wanted : 0;
    struct stat st;
    px_http_multi_closing(http, fd);
    if (make_room(http, fd))
        return -ENOMEM;
    http->owns[fd] = fstat(fd, &st) ? (struct px_http_own){0} : (struct px_http_own){trust, st.st_ino};
    return wanted ? watch(http, fd, wanted) : 0;
}

static void on_time(void *user) {
    struct px_http *http = user;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(http);
}

/* Comes from inside curl, which wants no answer here. */
static int on_timer(CURLM *multi, long ms, void *user) {
    (void)multi;
    struct px_http *http = user;
    if (ms == 0)
        px_work_post(http->loop, &http->kick);
    else
        px_work_cancel(&http->kick);
    if (ms > 0)
        px_timer_arm_in(&http->timer, (uint64_t)ms * PX_MS);
    else
        px_timer_disarm(&http->timer);
    return 0;
}

int px_http_multi_create(struct px_http *http, struct px_err *err) {
    signal(SIGPIPE, SIG_IGN); /* curl leaves it to us (NOSIGNAL) */
    http->multi = curl_multi_init();
    if (!http->multi)
        return px_err_set(err, -ENOMEM, "no memory for the HTTP client");
    px_timer_init(&http->timer, http->loop, "net/http", on_time, http);
    px_work_init(&http->kick, "net/http", on_time, http);
    px_http_idle_init(http);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->max_connections);
    return 0;
}

void px_http_multi_destroy(struct px_http *http) {
    px_http_idle_finish(http);
    curl_multi_cleanup(http->multi);
    px_timer_disarm(&http->timer);
    px_work_cancel(&http->kick);
    for (size_t fd = 0; fd < http->sock_room; fd++)
        px_http_multi_closing(http, (int)fd);
    free(http->socks);
    free(http->owns);
}

int px_http_multi_add(struct px_http *http, struct px_http_easy *easy) {
    if (curl_multi_add_handle(http->multi, easy->curl) != CURLM_OK)
        return -ENOMEM;
    easy->in_multi = true;
    return 0;
}

void px_http_multi_remove(struct px_http *http, struct px_http_easy *easy) {
    if (easy->in_multi)
        curl_multi_remove_handle(http->multi, easy->curl);
    easy->in_multi = false;
}
