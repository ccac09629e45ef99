/* fake_scope.c: scopes and operations of the fake host. */
#include "fake_private.h"

struct px_scope *fake_scope_get(px_scope_h scope) {
    struct fake_scope *s = px_slots_get(&the.slots, scope.v);
    return s ? s->scope : NULL;
}

static void scope_gone(void *user) {
    struct fake_scope *s = user;
    px_slots_remove(&the.slots, s->handle);
    free(s);
}

px_scope_h fake_scope_add(struct px_scope *scope, bool lent) {
    struct fake_scope *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->scope = scope;
    s->lent = lent;
    assert_int_equal(px_slots_add(&the.slots, s, &s->handle), 0);
    assert_int_equal(px_scope_on_close(scope, scope_gone, s), 0);
    return (px_scope_h){s->handle};
}

static px_scope_h scope_of_service(px_service_h service) {
    assert_int_equal(service.v, 1);
    return the.service_h;
}

static int32_t scope_open(px_scope_h parent, px_scope_h *ret) {
    struct px_scope *up = fake_scope_get(parent), *scope;
    int rc = up ? px_scope_open(the.loop, up, "plugin", 0, &scope) : -ESTALE;
    if (rc == 0)
        *ret = fake_scope_add(scope, false);
    return rc;
}

static int32_t scope_close(px_scope_h h) {
    struct fake_scope *s = px_slots_get(&the.slots, h.v);
    if (!s || s->lent)
        return s ? -EPERM : -ESTALE;
    struct px_scope *scope = s->scope;
    px_scope_close(&scope);
    return 0;
}

static int32_t scope_on_close(px_scope_h h, void (*fn)(void *user), void *user) {
    struct px_scope *scope = fake_scope_get(h);
    return scope ? px_scope_on_close(scope, fn, user) : -ESTALE;
}

static void *scope_alloc(px_scope_h h, uint64_t n) {
    struct px_arena *arena = fake_arena(h);
    return arena ? px_arena_alloc(arena, n) : NULL;
}

static int32_t scope_keep(px_scope_h h, px_str s, px_str *ret) {
    struct px_arena *arena = fake_arena(h);
    px_str copy = arena ? px_arena_str(arena, s) : (px_str){NULL, 0};
    if (!copy.p && s.p)
        return arena ? -ENOMEM : -ESTALE;
    *ret = copy;
    return 0;
}

const struct px_host_scope fake_scope_table = {.size = sizeof fake_scope_table,
                                               .of_service = scope_of_service,
                                               .open = scope_open,
                                               .close = scope_close,
                                               .on_close = scope_on_close,
                                               .alloc = scope_alloc,
                                               .keep = scope_keep};

/* ---- operations ---- */

void fake_op_free(struct fake_op *op) {
    px_timer_disarm(&op->timer);
    px_buf_finish(&op->data);
    free(op);
}

static void op_cancelled(struct px_op *base) {
    struct fake_op *op = px_container_of(base, struct fake_op, op);
    px_slots_remove(&the.slots, op->handle);
    if (op->child)
        fake_child_cancel(op);
    else
        fake_op_free(op);
}

int fake_op_begin(px_scope_h scope, px_on on, void *user, struct fake_op **ret) {
    static const struct px_op_kind kind = {"plugin", op_cancelled};
    struct px_scope *s = fake_scope_get(scope);
    if (!s)
        return -ESTALE;
    struct fake_op *op = calloc(1, sizeof *op);
    assert_non_null(op);
    op->on = on;
    op->user = user;
    px_buf_init(&op->data, (size_t)4 << 20);
    int rc = px_op_begin(&op->op, &kind, s);
    if (rc) {
        free(op);
        return rc;
    }
    assert_int_equal(px_slots_add(&the.slots, op, &op->handle), 0);
    *ret = op;
    return 0;
}

int32_t fake_event(px_on on, void *user, struct px_ev *ev) {
    struct px_scope *scope;
    int32_t rc = PX_GO;
    assert_int_equal(the.depth, 0); /* rule 1 */
    assert_int_equal(px_scope_open(the.loop, NULL, "event", 0, &scope), 0);
    ev->size = sizeof *ev;
    ev->scope = fake_scope_add(scope, true);
    if (on) {
        the.depth++;
        rc = on(user, ev);
        the.depth--;
    }
    px_scope_close(&scope);
    return rc;
}

void fake_op_end(struct fake_op *op, struct px_ev *ev) {
    ev->kind = PX_EV_END;
    ev->op.v = op->handle;
    px_slots_remove(&the.slots, op->handle);
    px_op_done(&op->op);
    fake_event(op->on, op->user, ev);
}

struct fake_op *fake_op_get(px_op_h op) {
    return px_slots_get(&the.slots, op.v);
}
