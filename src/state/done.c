#include "state/done.h"
#include "state/db.h"
#include "state/state_private.h"

static void release(struct px_done *done) {
    px_list_remove(&done->node);
    px_work_cancel(&done->work);
    if (done->drop)
        done->drop(done);
    done->state->in_flight--;
    done->state->in_flight_bytes -= done->bytes;
    free(done);
}

static void cancel(struct px_op *op) {
    release(px_container_of(op, struct px_done, op));
}

static const struct px_op_kind done_kind = {"state", cancel};

static void run(void *user) {
    struct px_done *done = user;
    px_op_done(&done->op);
    done->deliver(done);
    release(done);
}

int px_done_begin(struct px_state *state, struct px_scope *scope, const char *name, size_t size,
                  void (*deliver)(struct px_done *), struct px_done **ret) {
    if (state->in_flight >= PX_DONE_MAX || state->in_flight_bytes + size > PX_DONE_MAX_BYTES)
        return -ENOBUFS;
    struct px_done *done = calloc(1, size);
    if (!done)
        return -ENOMEM;
    int r = px_op_begin(&done->op, &done_kind, scope);
    if (r) {
        free(done);
        return r;
    }
    done->state = state;
    done->bytes = size;
    done->deliver = deliver;
    px_list_init(&done->node);
    px_work_init(&done->work, name, run, done);
    state->in_flight++;
    state->in_flight_bytes += size;
    *ret = done;
    return 0;
}

int px_done_hold(struct px_done *done, size_t bytes) {
    if (done->state->in_flight_bytes + bytes > PX_DONE_MAX_BYTES)
        return -ENOBUFS;
    done->bytes += bytes;
    done->state->in_flight_bytes += bytes;
    return 0;
}

void px_done_settle(struct px_done *done, struct px_db *db, int status) {
    done->status = status;
    if (db->in_tx)
        px_list_add(&db->waiting, &done->node);
    else
        px_done_post(done, status);
}

void px_done_post(struct px_done *done, int status) {
    if (!done->status)
        done->status = status;
    px_work_post(done->state->loop, &done->work);
}

void px_done_abandon(struct px_done *done) {
    px_op_done(&done->op);
    release(done);
}
