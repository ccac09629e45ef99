/* Operations as plugins see them: what all kinds share; and timers, the smallest kind. */
#include "service/private.h"
#include <errno.h>

static void host_op_cancelled(struct px_op *op) {
    struct px_host_op_ref *ref = px_container_of(op, struct px_host_op_ref, op);
    px_slots_remove(&px_host_g.ops, ref->handle);
    ref->ended = true;
    if (!ref->in_callback) /* else whoever delivers releases it */
        ref->kind->release(ref);
}

static const struct px_op_kind host_op_kind = {"plugin", host_op_cancelled};

int px_host_op_begin(struct px_host_op_ref *op, const struct px_host_op_kind *kind, px_scope_h scope,
                     px_on on, void *user, px_op_h *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    if (px_host_g.classifying)
        return -EPERM;
    if (!ref || !ref->instance)
        return -ESTALE;
    if (ref->kind == PX_SCOPE_OF_EVENT)
        return -EPERM;
    op->kind = kind;
    op->instance = ref->instance;
    op->on = on;
    op->user = user;
    int r = px_slots_add(&px_host_g.ops, op, &op->handle);
    if (r)
        return r;
    r = px_op_begin(&op->op, &host_op_kind, ref->scope);
    if (r) {
        px_slots_remove(&px_host_g.ops, op->handle);
        return r;
    }
    if (ret)
        ret->v = op->handle;
    return 0;
}

void px_host_op_unbegin(struct px_host_op_ref *op) {
    px_slots_remove(&px_host_g.ops, op->handle);
    px_op_done(&op->op);
    op->ended = true;
}

bool px_host_op_deliver(struct px_host_op_ref *op, struct px_ev *ev) {
    struct px_instance *inst = op->instance;
    int32_t answer = PX_GO;
    ev->size = sizeof *ev;
    ev->op.v = op->handle;
    if (ev->kind == PX_EV_END) { /* out of its scope first: the callback may do anything */
        px_slots_remove(&px_host_g.ops, op->handle);
        px_op_done(&op->op);
        op->ended = true;
    }
    op->in_callback = true;
    if (op->on) {
        px_instance_ref(inst);
        ev->scope = px_host_event_begin(inst);
        px_instance_enter(inst, op->kind->name);
        answer = op->on(op->user, ev);
        px_instance_leave(inst);
        px_host_event_end();
        px_instance_unref(inst);
    }
    op->in_callback = false;
    if (!op->ended && answer == PX_ENOUGH) {
        struct px_op *cancel = &op->op;
        px_op_cancel(&cancel);
        return false;
    }
    if (op->ended) {
        op->kind->release(op);
        return false;
    }
    if (answer == PX_PAUSE && op->kind->pause)
        op->kind->pause(op);
    return true;
}

/* ---- the table ---- */

static int op_of(px_op_h h, struct px_host_op_ref **ret) {
    *ret = px_slots_get(&px_host_g.ops, h.v);
    if (px_host_g.classifying)
        return -EPERM;
    if (*ret)
        return 0;
    px_host_g.stale++;
    return -ESTALE;
}

static int32_t op_cancel(px_op_h *h) {
    if (!h)
        return -EINVAL;
    struct px_host_op_ref *ref;
    int r = op_of(*h, &ref);
    if (r == -EPERM)
        return r;
    h->v = 0;
    if (r)
        return r;
    struct px_op *op = &ref->op;
    px_op_cancel(&op);
    return 0;
}

static int32_t op_resume(px_op_h h) {
    struct px_host_op_ref *op;
    int r = op_of(h, &op);
    if (r)
        return r;
    return op->kind->resume ? op->kind->resume(op) : -ENOTSUP;
}

static int32_t op_write(px_op_h h, uint32_t kind, px_str bytes) {
    struct px_host_op_ref *op;
    int r = op_of(h, &op);
    if (r)
        return r;
    return op->kind->write ? op->kind->write(op, kind, bytes) : -ENOTSUP;
}

static int32_t op_end(px_op_h h, uint32_t code, px_str reason) {
    struct px_host_op_ref *op;
    int r = op_of(h, &op);
    (void)code; /* for kinds to come (a WebSocket's close) */
    (void)reason;
    if (r)
        return r;
    return op->kind->end ? op->kind->end(op) : -ENOTSUP;
}

static int32_t op_stop(px_op_h h) {
    struct px_host_op_ref *op;
    int r = op_of(h, &op);
    if (r)
        return r;
    return op->kind->stop ? op->kind->stop(op) : -ENOTSUP;
}

const struct px_host_op px_host_op_table = {.size = sizeof(struct px_host_op),
                                            .cancel = op_cancel,
                                            .resume = op_resume,
                                            .write = op_write,
                                            .end = op_end,
                                            .stop = op_stop};

/* ---- timers ---- */

struct timer_op {
    struct px_host_op_ref ref;
    struct px_timer timer;
    uint64_t due_ns, period_ns;
    bool paused;
};

static void timer_release(struct px_host_op_ref *ref) {
    struct timer_op *t = px_container_of(ref, struct timer_op, ref);
    px_timer_disarm(&t->timer);
    free(t);
}

static void timer_pause(struct px_host_op_ref *ref) {
    struct timer_op *t = px_container_of(ref, struct timer_op, ref);
    t->paused = true;
    px_timer_disarm(&t->timer);
}

/* The ticks that were missed come as one, which says how many they were. */
static int32_t timer_resume(struct px_host_op_ref *ref) {
    struct timer_op *t = px_container_of(ref, struct timer_op, ref);
    if (t->paused)
        px_timer_arm(&t->timer, t->due_ns);
    t->paused = false;
    return 0;
}

static const struct px_host_op_kind timer_kind = {
    .name = "timer", .release = timer_release, .pause = timer_pause, .resume = timer_resume};

static void timer_fired(void *user) {
    struct timer_op *t = user;
    struct px_ev ev = {.kind = t->period_ns ? PX_EV_DATA : PX_EV_END, .count = 1};
    if (t->period_ns) {
        uint64_t now = px_loop_now(px_host_g.loop);
        ev.count = 1 + (now > t->due_ns ? now - t->due_ns : 0) / t->period_ns;
        t->due_ns += ev.count * t->period_ns;
        px_timer_arm(&t->timer, t->due_ns);
    }
    px_host_op_deliver(&t->ref, &ev);
}

static int32_t timer_start(px_scope_h scope, uint64_t delay_ns, uint64_t period_ns, px_on on, void *user,
                           px_op_h *ret) {
    if (ret)
        ret->v = 0;
    if (!on || (period_ns && period_ns < PX_MS))
        return -EINVAL;
    struct timer_op *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    int r = px_host_op_begin(&t->ref, &timer_kind, scope, on, user, ret);
    if (r) {
        free(t);
        return r;
    }
    t->period_ns = period_ns;
    px_timer_init(&t->timer, px_host_g.loop, "service/timer", timer_fired, t);
    px_timer_arm_in(&t->timer, delay_ns);
    t->due_ns = t->timer.deadline_ns;
    return 0;
}

static uint64_t timer_now_ns(void) {
    return px_loop_now(px_host_g.loop);
}

static int64_t timer_now_unix_ms(void) {
    return px_clock_unix_ms();
}

const struct px_host_timer px_host_timer_table = {.size = sizeof(struct px_host_timer),
                                                  .now_ns = timer_now_ns,
                                                  .now_unix_ms = timer_now_unix_ms,
                                                  .start = timer_start};
