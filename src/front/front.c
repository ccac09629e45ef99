#include "front/front.h"
#include "base/log.h"
#include "front/conn.h"
#include "state/state.h"
#include <fcntl.h>
#include <stdio.h>

/* After the state files have committed: the outcome of a write whose answer is told stands on record, with the answer for whoever repeats it. */
enum { FLUSH_ORDER = PX_STATE_HOOK_ORDER + 500, FLUSHES_A_TURN = 256 };

static void flush(void *user) {
    struct px_front *front = user;
    size_t connections = front->stats.connections;
    for (int i = 0; i < FLUSHES_A_TURN && !px_list_empty(&front->dirty); i++) {
        struct px_conn *conn = px_list_entry(front->dirty.next, struct px_conn, in_dirty);
        px_list_remove(&conn->in_dirty);
        px_conn_flush(conn);
    }
    /* What was closed has written rows, which the next turn commits. */
    if (!px_list_empty(&front->dirty) || front->stats.connections != connections)
        px_work_post(front->loop, &front->wake);
}

static void wake(void *user) {
    (void)user;
}

static void sweep(void *user) {
    struct px_front *front = user;
    PX_LIST_EACH_SAFE (node, &front->warm) {
        struct px_conn *conn = px_list_entry(node, struct px_conn, in_warm);
        if (!conn->active) {
            px_conn_relax(conn);
            px_list_remove(node);
        }
        conn->active = false;
    }
    if (!px_list_empty(&front->warm))
        px_timer_arm_in(&front->sweep, PX_S);
}

static void drained(void *user) {
    struct px_front *front = user;
    if (front->on_drained)
        front->on_drained(front->on_drained_ctx);
}

void px_front_set_limits(struct px_front *front, const struct px_front_limits *from) {
    struct px_front_limits *to = &front->limits;
    *to = *from;
    to->connections = from->connections ? from->connections : 2000;
    to->connections_per_uid = from->connections_per_uid ? from->connections_per_uid : 1000;
    to->lines_a_turn = from->lines_a_turn ? from->lines_a_turn : 32;
    to->line_bytes = from->line_bytes ? from->line_bytes : (size_t)4 << 20;
    to->buffer_bytes = from->buffer_bytes ? from->buffer_bytes : (size_t)256 << 20;
    to->stall_ns = from->stall_ns ? from->stall_ns : 60 * PX_S;
}

static void init(struct px_front *front, const struct px_front_opts *opts) {
    front->loop = opts->loop;
    front->scope = opts->scope;
    front->gate = opts->gate;
    front->mcp = opts->mcp;
    front->fd = -1;
    px_front_set_limits(front, &opts->limits);
    px_list_init(&front->conns);
    px_list_init(&front->dirty);
    px_list_init(&front->warm);
    px_map_init(&front->uids, 65536);
    px_work_init(&front->wake, "front/wake", wake, front);
    px_work_init(&front->drained, "front/drained", drained, front);
    px_timer_init(&front->sweep, front->loop, "front/sweep", sweep, front);
    px_timer_init(&front->resume, front->loop, "front/accept", px_front_resume, front);
    front->flush = (struct px_hook){.name = "front/flush", .order = FLUSH_ORDER, .fn = flush, .user = front};
    px_hook_add(front->loop, &front->flush);
    front->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int px_front_create(const struct px_front_opts *opts, struct px_front **ret, struct px_err *err) {
    struct px_front *front = calloc(1, sizeof *front);
    if (!front)
        return px_err_set(err, -ENOMEM, "no memory for the planner socket");
    init(front, opts);
    int r = opts->listen_fd >= 0 ? px_front_adopt(front, opts->listen_fd, err)
                                 : px_front_listen(front, opts->path, opts->mode, opts->group, err);
    if (!r)
        r = px_io_start(front->loop, front->fd, EPOLLIN, "front/accept", px_front_acceptable, front,
                        &front->io, err);
    if (r) {
        if (front->fd == opts->listen_fd)
            front->fd = -1;
        px_front_destroy(&front);
        return r;
    }
    *ret = front;
    return 0;
}

void px_front_destroy(struct px_front **pfront) {
    struct px_front *front = px_take(pfront);
    if (!front)
        return;
    front->told = true; /* nobody waits to hear that it has drained */
    px_front_unlisten(front);
    while (!px_list_empty(&front->conns))
        px_conn_close(px_list_entry(front->conns.next, struct px_conn, node));
    px_timer_disarm(&front->sweep);
    px_work_cancel(&front->wake);
    px_work_cancel(&front->drained);
    px_hook_remove(&front->flush);
    px_map_finish(&front->uids);
    if (front->reserve >= 0)
        close(front->reserve);
    free(front);
}

void px_front_drain(struct px_front *front, void (*done)(void *ctx), void *ctx) {
    front->draining = true;
    front->on_drained = done;
    front->on_drained_ctx = ctx;
    px_front_unlisten(front);
    px_mcp_drain(front->mcp);
    PX_LIST_EACH (node, &front->conns)
        px_conn_dirty(px_list_entry(node, struct px_conn, node));
    if (!front->stats.connections && !front->told) {
        front->told = true;
        px_work_post(front->loop, &front->drained);
    }
}

void px_front_stats_get(const struct px_front *front, struct px_front_stats *ret) {
    *ret = front->stats;
}
