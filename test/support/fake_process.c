/* fake_process.c: children of the fake host, played by the test. */
#include "fake_private.h"

/* ---- played ---- */

unsigned fake_children(void) {
    return the.n_children;
}

struct fake_child *fake_child(unsigned i) {
    assert_true(i < the.n_children);
    return the.children[i];
}

static int32_t give(struct fake_child *c, struct px_ev *ev) {
    struct fake_op *op = px_slots_get(&the.slots, c->op);
    assert_non_null(op);
    ev->op.v = c->op;
    return fake_event(op->on, op->user, ev);
}

void fake_child_head(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_HEAD, .count = 4711});
}

void fake_child_line(struct fake_child *c, const char *line) {
    give(c, &(struct px_ev){.kind = PX_EV_DATA, .sub = 1, .data = px_str_of(line)});
}

void fake_child_error_line(struct fake_child *c, const char *line) {
    give(c, &(struct px_ev){.kind = PX_EV_DATA, .sub = 2, .data = px_str_of(line)});
}

void fake_child_gap(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_GAP, .sub = 1, .count = 1000});
}

void fake_child_room(struct fake_child *c) {
    give(c, &(struct px_ev){.kind = PX_EV_ROOM});
}

void fake_child_end(struct fake_child *c, int status, bool signalled) {
    struct fake_op *op = px_slots_get(&the.slots, c->op);
    const struct px_error error = {
        .size = sizeof error, .code = PX_UNAVAILABLE, .message = PX_LIT("it cannot run")};
    assert_non_null(op);
    c->op = 0;
    fake_op_end(op, &(struct px_ev){.status = status,
                                    .flags = signalled ? PX_EV_SIGNALLED : 0,
                                    .error = status < 0 ? &error : NULL});
    fake_op_free(op);
}

/* ---- what the tables call ---- */

int fake_child_write(struct fake_op *op, uint32_t kind, px_str bytes) {
    struct fake_child *c = op->child;
    if (!c)
        return -EINVAL;
    if (kind == PX_WRITE_CANCEL) {
        c->cancels++;
        return 0;
    }
    assert_null(memchr(bytes.p, '\n', bytes.n));
    if (c->write_rc)
        return c->write_rc;
    px_buf_str(&c->written, bytes);
    px_buf_char(&c->written, '\n');
    return 0;
}

void fake_child_stop(struct fake_op *op) {
    if (op->child)
        op->child->stopped = true;
}

void fake_child_cancel(struct fake_op *op) {
    op->child->cancelled = true;
    op->child->op = 0;
    fake_op_free(op);
}

static int32_t process_start(px_scope_h scope, const struct px_process_req *req, px_on on, void *user,
                             px_op_h *ret_op) {
    struct fake_op *op;
    assert_int_equal(req->size, sizeof *req);
    assert_int_equal(req->flags, PX_PROCESS_WORKER);
    assert_int_equal(req->frame, PX_FRAME_LINE);
    assert_null(memchr(req->config_json.p, '\n', req->config_json.n));
    if (ret_op)
        ret_op->v = 0;
    if (the.start_rc)
        return the.start_rc;
    if (the.n_children == FAKE_CHILDREN)
        return -EAGAIN;
    int rc = fake_op_begin(scope, on, user, &op);
    if (rc)
        return rc;
    struct fake_child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    *c = (struct fake_child){
        .op = op->handle, .config = px_str_dup(req->config_json), .max_line = req->max_line};
    px_buf_init(&c->written, (size_t)16 << 20);
    op->child = the.children[the.n_children++] = c;
    if (ret_op)
        ret_op->v = op->handle;
    return 0;
}

const struct px_host_process fake_process_table = {.size = sizeof fake_process_table, .start = process_start};
