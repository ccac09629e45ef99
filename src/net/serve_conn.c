/* A connection: one function moves its state (advance), others note what happened. */
#include "base/clock.h"
#include "base/log.h"
#include "net/serve_private.h"
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

enum { REQUESTS_A_TURN = 16, SEND_AT_MOST = 256 * 1024 };
static const uint64_t linger_ns = 2 * PX_S;

static void advance(struct px_serve_conn *conn);
static void on_io(void *user, uint32_t events);
static void on_timer(void *user);

static void on_more(void *user) {
    advance(user);
}

/* ---- opening and closing ---- */

int px_serve_conn_open(struct px_serve *serve, int fd, const struct px_serve_peer *peer,
                       struct px_serve_count *count, struct px_err *err) {
    struct px_serve_conn *conn = calloc(1, sizeof *conn);
    int r = conn ? px_io_start(serve->loop, fd, EPOLLIN, serve->name, on_io, conn, &conn->io, err)
                 : px_err_set(err, -ENOMEM, "no memory for a connection");
    if (r) {
        px_serve_count_put(serve, count);
        close(fd);
        free(conn);
        return r;
    }
    conn->serve = serve;
    conn->fd = fd;
    conn->peer = *peer;
    conn->count = count;
    px_buf_init(&conn->in, PX_SERVE_HEAD + 2 * PX_SERVE_SCRATCH);
    px_buf_init(&conn->out, serve->limits.reply_bytes);
    px_work_init(&conn->more, serve->name, on_more, conn);
    px_timer_init(&conn->timer, serve->loop, serve->name, on_timer, conn);
    px_list_add(&serve->conns, &conn->node);
    px_list_init(&conn->idle);
    px_list_add(&serve->idle, &conn->idle);
    serve->stats.connections++;
    px_timer_arm_in(&conn->timer, serve->limits.head_ns);
    return 0;
}

static void parse_end(struct px_serve_conn *conn) {
    if (!conn->parse)
        return;
    conn->serve->held -= conn->held;
    conn->held = 0;
    px_serve_parse_finish(conn->parse);
    free(px_take(&conn->parse));
}

void px_serve_conn_close(struct px_serve_conn *conn) {
    struct px_serve *serve = conn->serve;
    uint64_t handle = conn->handle;
    px_io_stop(&conn->io);
    px_timer_disarm(&conn->timer);
    px_work_cancel(&conn->more);
    px_list_remove(&conn->node);
    px_list_remove(&conn->idle);
    px_serve_count_put(serve, conn->count);
    serve->stats.connections--;
    close(conn->fd);
    if (conn->state == PX_SERVE_HANDLED) {
        px_slots_remove(&serve->handles, handle);
        if (serve->sink && serve->sink->gone)
            serve->sink->gone(serve->ctx, handle);
    }
    parse_end(conn);
    px_buf_finish(&conn->in);
    px_buf_finish(&conn->out);
    free(conn);
}

/* ---- time ---- */

static void state_set(struct px_serve_conn *conn, enum px_serve_state state, uint64_t time_ns) {
    conn->state = state;
    conn->began_ns = px_loop_now(conn->serve->loop);
    conn->moved = 0;
    if (time_ns)
        px_timer_arm(&conn->timer, conn->began_ns + time_ns);
    else
        px_timer_disarm(&conn->timer);
}

static void set_idle(struct px_serve_conn *conn, bool idle) {
    px_list_remove(&conn->idle);
    if (idle)
        px_list_add(&conn->serve->idle, &conn->idle);
}

/* A body that comes, or an answer that leaves, has its time, and more of it for what has moved. */
static bool in_time(struct px_serve_conn *conn) {
    const struct px_serve_limits *limits = &conn->serve->limits;
    uint64_t until = conn->began_ns + limits->body_ns + conn->moved * PX_S / limits->pace;
    if (px_loop_now(conn->serve->loop) >= until)
        return false;
    px_timer_arm(&conn->timer, until);
    return true;
}

/* ---- bytes: where a TLS step goes between ---- */

static ssize_t receive(struct px_serve_conn *conn, char *to, size_t n) {
    return recv(conn->fd, to, n, MSG_DONTWAIT);
}

static ssize_t transmit(struct px_serve_conn *conn, const char *bytes, size_t n) {
    return send(conn->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Send what waits. false: the connection is gone. */
static bool flush(struct px_serve_conn *conn) {
    while (!conn->blocked && conn->sent < conn->out.n) {
        size_t n = PX_MIN(conn->out.n - conn->sent, (size_t)SEND_AT_MOST);
        ssize_t done = transmit(conn, conn->out.p + conn->sent, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno != EAGAIN) {
            px_serve_conn_close(conn);
            return false;
        }
        conn->sent += done > 0 ? (size_t)done : 0;
        conn->moved += done > 0 ? (uint64_t)done : 0;
        conn->blocked = done < 0 || (size_t)done < n;
    }
    if (conn->sent == conn->out.n) {
        px_buf_clear(&conn->out, 0);
        conn->sent = 0;
    }
    return true;
}

static void want(struct px_serve_conn *conn) {
    uint32_t events = conn->out.n ? EPOLLOUT : 0u;
    if ((conn->state <= PX_SERVE_READ_BODY || conn->state == PX_SERVE_LINGER) && !conn->eof)
        events |= EPOLLIN;
    if (px_io_want(conn->io, events) < 0)
        px_serve_conn_close(conn);
}

/* ---- answers ---- */

/* The answer stands in `out`; what was asked is not needed any more. */
static void answered(struct px_serve_conn *conn, bool end) {
    conn->close = end;
    parse_end(conn);
    state_set(conn, PX_SERVE_WRITE, conn->serve->limits.body_ns);
    set_idle(conn, false);
}

static void write_plain(struct px_serve_conn *conn, int status, const char *why) {
    char text[256];
    const px_pair header = {PX_LIT("Content-Type"), PX_LIT("text/plain; charset=utf-8")};
    snprintf(text, sizeof text, "%d %s%s%s\n", status, px_serve_status_words(status), why ? ": " : "",
             why ? why : "");
    const struct px_serve_reply reply = {
        .status = status, .headers = &header, .n_headers = 1, .body = px_str_of(text)};
    px_buf_clear(&conn->out, 0);
    conn->sent = 0;
    if (px_serve_write(&conn->out, &reply, conn->head_only, true))
        px_buf_clear(&conn->out, 0); /* no memory: the end alone says it */
}

/* An answer of our own, and the end: what else stands in the stream cannot be told. */
static void refuse(struct px_serve_conn *conn, int status, const char *why) {
    bool begun = conn->sent > 0 && conn->sent < conn->out.n; /* in the middle of "100 Continue" */
    if (conn->parse && conn->parse->head_done)
        conn->head_only = conn->parse->llhttp.method == HTTP_HEAD;
    conn->serve->stats.bad++;
    if (!begun)
        write_plain(conn, status, why);
    answered(conn, true);
}

int px_serve_reply(struct px_serve *serve, uint64_t handle, const struct px_serve_reply *reply) {
    struct px_serve_conn *conn = px_slots_get(&serve->handles, handle);
    if (!conn)
        return -ESTALE;
    px_slots_remove(&serve->handles, handle);
    bool end = reply->close || !conn->parse->keep;
    int r = px_serve_write(&conn->out, reply, conn->head_only, end);
    if (r) {
        write_plain(conn, 500, "the answer cannot be sent");
        end = true;
    }
    answered(conn, end);
    if (!conn->in_sink)
        px_work_post(serve->loop, &conn->more);
    return r;
}

/* ---- requests ---- */

static void refuse_parsed(struct px_serve_conn *conn) {
    refuse(conn, conn->parse->status, conn->parse->why);
}

static bool parse_begin(struct px_serve_conn *conn) {
    conn->parse = malloc(sizeof *conn->parse);
    if (!conn->parse)
        return false;
    px_serve_parse_init(conn->parse, conn->serve->limits.body_bytes);
    conn->head_only = false;
    state_set(conn, PX_SERVE_READ_HEAD, conn->serve->limits.head_ns);
    set_idle(conn, false);
    return true;
}

static void deliver(struct px_serve_conn *conn) {
    struct px_serve *serve = conn->serve;
    struct px_serve_req *req = &conn->parse->req;
    if (px_serve_parse_request(conn->parse, conn->in.p)) {
        refuse_parsed(conn);
        return;
    }
    conn->head_only = px_str_is(req->method, "HEAD");
    if (px_slots_add(&serve->handles, conn, &conn->handle)) {
        refuse(conn, 503, "no memory");
        return;
    }
    req->peer = &conn->peer;
    serve->stats.requests++;
    state_set(conn, PX_SERVE_HANDLED, 0);
    conn->in_sink = true;
    serve->sink->request(serve->ctx, conn->handle, req);
    conn->in_sink = false;
}

/* true: on to the next state; false: more has to come. */
static bool take_head(struct px_serve_conn *conn) {
    if (!conn->in.n)
        return false;
    if (!conn->parse && !parse_begin(conn)) {
        refuse(conn, 503, "no memory");
        return true;
    }
    int n = px_serve_parse_scan(conn->parse, px_buf_view(&conn->in));
    if (n == 0)
        return false;
    if (n < 0 || px_serve_parse_head(conn->parse, conn->in.p, (size_t)n)) {
        refuse_parsed(conn);
        return true;
    }
    conn->head = (size_t)n;
    state_set(conn, PX_SERVE_READ_BODY, conn->serve->limits.body_ns);
    if (conn->parse->expects && conn->parse->has_body && conn->in.n == conn->head)
        px_buf_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    return true;
}

/* Counted over all connections. */
static bool has_room(struct px_serve_conn *conn) {
    struct px_serve *serve = conn->serve;
    serve->held += conn->parse->body.room - conn->held;
    conn->held = conn->parse->body.room;
    return serve->held <= serve->limits.buffer_bytes;
}

/* Bytes of the body; those of the next request stay in `in`, behind the head. false: refused. */
static bool feed_body(struct px_serve_conn *conn, const char *bytes, size_t n) {
    size_t used = 0;
    if (px_serve_parse_body(conn->parse, bytes, n, &used)) {
        refuse_parsed(conn);
        return false;
    }
    conn->moved += used;
    if (!has_room(conn)) {
        refuse(conn, 503, "too much is being received just now");
        return false;
    }
    if (used < n && px_buf_add(&conn->in, bytes + used, n - used)) {
        refuse(conn, 503, "no memory");
        return false;
    }
    return true;
}

static bool take_body(struct px_serve_conn *conn) {
    struct px_serve *serve = conn->serve;
    size_t early = conn->in.n - conn->head; /* came with the head; at most what was read at once */
    if (!conn->parse->done && early) {
        assert(early <= sizeof serve->scratch);
        memcpy(serve->scratch, conn->in.p + conn->head, early);
        conn->in.n = conn->head;
        if (!feed_body(conn, serve->scratch, early))
            return true;
    }
    if (!conn->parse->done)
        return false;
    deliver(conn);
    return true;
}

/* true: the answer is out, and another request may come. false: not yet, or never: `conn` may be gone. */
static bool take_answer(struct px_serve_conn *conn) {
    if (conn->out.n)
        return false;
    if (!conn->close) {
        px_buf_drop(&conn->in, conn->head);
        conn->head = 0;
        if (!conn->in.n)
            px_buf_clear(&conn->in, 0);
        state_set(conn, PX_SERVE_READ_HEAD, conn->serve->limits.idle_ns);
        set_idle(conn, !conn->in.n);
        return true;
    }
    if (conn->eof || shutdown(conn->fd, SHUT_WR) < 0) {
        px_serve_conn_close(conn);
        return false;
    }
    px_buf_finish(&conn->in);
    state_set(conn, PX_SERVE_LINGER, linger_ns);
    set_idle(conn, true);
    want(conn);
    return false;
}

/* Go on until something has to be waited for. The connection may be gone after this. */
static void advance(struct px_serve_conn *conn) {
    for (int answers = 0; answers < REQUESTS_A_TURN;) {
        enum px_serve_state state = conn->state;
        bool on = false;
        if (!flush(conn))
            return;
        if (state == PX_SERVE_READ_HEAD) {
            on = take_head(conn);
        } else if (state == PX_SERVE_READ_BODY) {
            on = take_body(conn);
        } else if (state == PX_SERVE_WRITE) {
            bool last = conn->close && !conn->out.n;
            on = take_answer(conn);
            if (last)
                return;
            answers += on;
        }
        if (!on) {
            if (conn->eof && conn->state <= PX_SERVE_READ_BODY) /* nothing more comes */
                px_serve_conn_close(conn);
            else
                want(conn);
            return;
        }
    }
    px_work_post(conn->serve->loop, &conn->more); /* others come first */
}

/* ---- events ---- */

/* One read for each time that there is something. false: the connection is gone. */
static bool read_some(struct px_serve_conn *conn) {
    struct px_serve *serve = conn->serve;
    size_t most = conn->state == PX_SERVE_READ_HEAD ? PX_SERVE_HEAD : sizeof serve->scratch;
    ssize_t n = receive(conn, serve->scratch, most);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < 0 || (n == 0 && conn->state == PX_SERVE_LINGER)) {
        px_serve_conn_close(conn);
        return false;
    }
    if (n == 0)
        conn->eof = true;
    else if (conn->state == PX_SERVE_READ_HEAD) {
        if (px_buf_add(&conn->in, serve->scratch, (size_t)n))
            refuse(conn, 503, "no memory");
    } else if (conn->state == PX_SERVE_READ_BODY) {
        feed_body(conn, serve->scratch, (size_t)n);
    }
    return true; /* LINGER: thrown away */
}

static void on_io(void *user, uint32_t events) {
    struct px_serve_conn *conn = user;
    if (events & (EPOLLHUP | EPOLLERR)) { /* nobody is there to be answered */
        px_serve_conn_close(conn);
        return;
    }
    if (events & EPOLLOUT)
        conn->blocked = false;
    if (events & EPOLLIN && !read_some(conn))
        return;
    advance(conn);
}

static void on_timer(void *user) {
    struct px_serve_conn *conn = user;
    bool moving = conn->state == PX_SERVE_READ_BODY || conn->state == PX_SERVE_WRITE;
    bool reading = conn->state == PX_SERVE_READ_BODY || (conn->state == PX_SERVE_READ_HEAD && conn->parse);
    if (moving && in_time(conn))
        return;
    conn->serve->stats.slow += moving || reading;
    if (reading) {
        refuse(conn, 408, "the request comes too slowly");
        advance(conn);
    } else { /* it was idle, it lingered, or it does not read its answer */
        px_serve_conn_close(conn);
    }
}
