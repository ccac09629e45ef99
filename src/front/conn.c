#include "front/conn.h"
#include "base/log.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SEND_AT_MOST = 256 * 1024, LARGE = 256 * 1024 };
static const uint64_t linger_ns = PX_S;

static void on_more(void *user);
static void on_timer(void *user);
static void on_io(void *user, uint32_t events);
static void on_ready(void *ctx);
static void on_end(void *ctx, const char *why);
static const struct px_mcp_sink sink = {on_ready, on_end};

/* ---- opening and closing ---- */

static void forget(struct px_conn *conn) {
    px_mcp_peer_close(&conn->peer);
    px_session_close(&conn->session);
    px_front_uid_put(conn->front, conn->uid);
    close(conn->fd);
    free(conn);
}

int px_conn_open(struct px_front *front, int fd, struct px_session *session, struct px_front_uid *uid,
                 pid_t pid, struct px_err *err) {
    struct px_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        px_session_close(&session);
        px_front_uid_put(front, uid);
        close(fd);
        return px_err_set(err, -ENOMEM, "no memory for a connection");
    }
    conn->front = front;
    conn->fd = fd;
    conn->session = session;
    conn->uid = uid;
    conn->pid = pid;
    int r = px_mcp_peer_open(front->mcp, session, &sink, conn, &conn->peer);
    if (r)
        px_err_set(err, r, "no memory for a connection");
    else
        r = px_io_start(front->loop, fd, EPOLLIN, "front/planner", on_io, conn, &conn->io, err);
    if (r) {
        forget(conn);
        return r;
    }
    px_lines_init(&conn->lines, front->limits.line_bytes);
    px_work_init(&conn->more, "front/planner", on_more, conn);
    px_timer_init(&conn->timer, front->loop, "front/stall", on_timer, conn);
    px_list_init(&conn->in_dirty);
    px_list_init(&conn->in_warm);
    px_list_add(&front->conns, &conn->node);
    front->stats.connections++;
    return 0;
}

void px_conn_close(struct px_conn *conn) {
    struct px_front *front = conn->front;
    if (conn->why) {
        front->stats.ended++;
        px_log(PX_LOG_NOTICE, "front", "planner closed", PX_KV("why", conn->why),
               PX_KS("principal", px_session_principal(conn->session)), PX_KI("pid", conn->pid));
    }
    px_io_stop(&conn->io);
    px_work_cancel(&conn->more);
    px_timer_disarm(&conn->timer);
    px_list_remove(&conn->in_dirty);
    px_list_remove(&conn->in_warm);
    px_list_remove(&conn->node);
    px_lines_finish(&conn->lines);
    front->stats.buffers -= conn->held;
    front->stats.connections--;
    forget(conn);
    if (front->draining && !front->stats.connections && !front->told) {
        front->told = true;
        px_work_post(front->loop, &front->drained);
    }
}

/* ---- what the peer tells us: noted here, looked at when the turn ends ---- */

void px_conn_dirty(struct px_conn *conn) {
    struct px_front *front = conn->front;
    if (px_list_linked(&conn->in_dirty))
        return;
    if (px_list_empty(&front->dirty))
        px_work_post(front->loop, &front->wake);
    px_list_add(&front->dirty, &conn->in_dirty);
}

static void on_ready(void *ctx) {
    px_conn_dirty(ctx);
}

static void on_end(void *ctx, const char *why) {
    struct px_conn *conn = ctx;
    conn->why = why;
    px_conn_dirty(conn);
}

/* ---- buffers ---- */

/* Counted over all connections. true: it is too much, and this one has a large share. */
static bool is_hog(struct px_conn *conn) {
    struct px_front *front = conn->front;
    size_t held = conn->lines.buf.room + px_mcp_peer_memory(conn->peer);
    front->stats.buffers += held - conn->held;
    conn->held = held;
    return front->stats.buffers > front->limits.buffer_bytes && held > LARGE;
}

static void touch(struct px_conn *conn) {
    struct px_front *front = conn->front;
    conn->active = true;
    if (px_list_linked(&conn->in_warm))
        return;
    if (px_list_empty(&front->warm))
        px_timer_arm_in(&front->sweep, PX_S);
    px_list_add(&front->warm, &conn->in_warm);
}

void px_conn_relax(struct px_conn *conn) {
    px_lines_relax(&conn->lines);
    px_mcp_peer_relax(conn->peer);
    is_hog(conn); /* counts */
}

/* ---- input ---- */

static bool takes_lines(const struct px_conn *conn) {
    return conn->state == PX_CONN_OPEN && !conn->why && !px_mcp_peer_busy(conn->peer);
}

static void want(struct px_conn *conn) {
    uint32_t events = conn->blocked ? EPOLLOUT : 0u;
    if (conn->state == PX_CONN_LINGERING || (takes_lines(conn) && !conn->backlog))
        events |= EPOLLIN;
    if (px_io_want(conn->io, events) && !conn->why)
        conn->why = "epoll refuses it";
}

static void give_line(struct px_conn *conn, const char *line, size_t n) {
    if (n && line[n - 1] == '\r')
        n--;
    px_mcp_peer_line(conn->peer, (char *)(uintptr_t)line, n); /* it stands in a buffer of ours */
}

/* Whole lines out of conn->lines, as many as one connection may have in a turn. */
static void give_lines(struct px_conn *conn, uint32_t left) {
    px_str line;
    int r = 1;
    while (left && takes_lines(conn)) {
        r = px_lines_next(&conn->lines, &line);
        if (r <= 0)
            break;
        give_line(conn, line.p, line.n);
        left--;
    }
    if (r == -EMSGSIZE)
        px_mcp_peer_line_too_long(conn->peer, conn->front->limits.line_bytes);
    conn->backlog = r > 0; /* the next turn goes on with it: px_conn_flush */
}

/* What was just read, without a copy where whole lines stand in it. */
static void give_bytes(struct px_conn *conn, char *p, size_t n) {
    uint32_t left = conn->front->limits.lines_a_turn;
    char *end = p + n, *stop;
    bool nothing_before = px_lines_rest(&conn->lines).n == 0 && !conn->lines.skipping;
    while (nothing_before && left && takes_lines(conn) && (stop = memchr(p, '\n', (size_t)(end - p)))) {
        if ((size_t)(stop - p) > conn->lines.cap)
            break;
        give_line(conn, p, (size_t)(stop - p));
        p = stop + 1;
        left--;
    }
    if (p < end && px_lines_feed(&conn->lines, px_str_n(p, (size_t)(end - p))))
        conn->why = "no memory for its input";
    explicit_bzero(p,
                   (size_t)(end - p)); /* a secret in it is wiped where it is read, and stands nowhere else */
    give_lines(conn, left);
}

static void on_more(void *user) {
    struct px_conn *conn = user;
    give_lines(conn, conn->front->limits.lines_a_turn);
    px_conn_dirty(conn);
}

static void input_ended(struct px_conn *conn) {
    px_str rest = px_lines_rest(&conn->lines);
    if (rest.n && takes_lines(conn) && !conn->lines.skipping)
        give_line(conn, rest.p, rest.n);
    conn->state = PX_CONN_INPUT_ENDED;
    px_mcp_peer_input_ended(conn->peer);
}

/* One read for each time that there is something: the other connections come first. false: the connection is gone. */
static bool read_some(struct px_conn *conn) {
    struct px_front *front = conn->front;
    ssize_t n = recv(conn->fd, front->scratch, sizeof front->scratch, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < 0 || (n == 0 && conn->state == PX_CONN_LINGERING)) {
        px_conn_close(conn);
        return false;
    }
    if (conn->state == PX_CONN_LINGERING)
        return true; /* thrown away */
    if (n == 0)
        input_ended(conn);
    else
        give_bytes(conn, front->scratch, (size_t)n);
    return true;
}

static void on_io(void *user, uint32_t events) {
    struct px_conn *conn = user;
    if (events & (EPOLLHUP | EPOLLERR)) { /* nobody is there to be answered */
        px_conn_close(conn);
        return;
    }
    if (events & EPOLLOUT)
        conn->blocked = false;
    if (events & EPOLLIN && !read_some(conn))
        return;
    touch(conn);
    px_conn_dirty(conn);
}

/* ---- output, and what follows when it is out ---- */

/* What the kernel still holds for the planner. (A socket takes more only when three quarters of it have been read.) */
static int unread(const struct px_conn *conn) {
    int n = 0;
    return ioctl(conn->fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

static void watch_reader(struct px_conn *conn) {
    conn->unread = unread(conn);
    px_timer_arm_in(&conn->timer, conn->front->limits.stall_ns);
}

/* false: the connection is gone. */
static bool send_some(struct px_conn *conn) {
    px_str out = px_mcp_peer_output(conn->peer);
    if (!out.n || conn->blocked)
        return true;
    ssize_t n = send(conn->fd, out.p, PX_MIN(out.n, (uint64_t)SEND_AT_MOST), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        px_conn_close(conn);
        return false;
    }
    if (n > 0)
        px_mcp_peer_sent(conn->peer, (size_t)n);
    conn->blocked = n < 0 || (size_t)n < out.n;
    touch(conn);
    if (conn->state == PX_CONN_LINGERING)
        return true; /* its timer runs already */
    if (!conn->blocked)
        px_timer_disarm(&conn->timer);
    else if (n > 0 || !conn->timer.armed)
        watch_reader(conn);
    return true;
}

static void linger(struct px_conn *conn) {
    conn->state = PX_CONN_LINGERING;
    px_work_cancel(&conn->more);
    px_lines_finish(&conn->lines);
    px_timer_arm_in(&conn->timer, linger_ns);
}

static void on_timer(void *user) {
    struct px_conn *conn = user;
    if (conn->state != PX_CONN_LINGERING && unread(conn) < conn->unread) { /* slow, but it reads */
        watch_reader(conn);
        return;
    }
    if (conn->state != PX_CONN_LINGERING)
        conn->why = "it does not read its answers";
    px_conn_close(conn);
}

static bool is_done(const struct px_conn *conn) {
    return px_mcp_peer_output(conn->peer).n == 0 && px_mcp_peer_in_flight(conn->peer) == 0 && !conn->backlog;
}

void px_conn_flush(struct px_conn *conn) {
    if (is_hog(conn) && !conn->why) {
        conn->why = "too much is buffered for all planners, and most for this one";
        px_conn_close(conn);
        return;
    }
    if (!send_some(conn))
        return;
    if (conn->why && conn->state != PX_CONN_LINGERING)
        linger(conn);
    if (conn->state == PX_CONN_LINGERING) {
        if (!px_mcp_peer_output(conn->peer).n && !conn->shut) {
            shutdown(conn->fd, SHUT_WR);
            conn->shut = true;
        }
    } else if ((conn->state == PX_CONN_INPUT_ENDED || conn->front->draining) && is_done(conn)) {
        px_conn_close(conn);
        return;
    } else if (conn->backlog && takes_lines(conn)) {
        px_work_post(conn->front->loop, &conn->more);
    }
    want(conn);
}
