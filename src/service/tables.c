/* The host as plugins see it: scopes and operations by handle, timers, JSON. The tables that belong to a larger idea stand
 * beside it: calls in run.c; catalog, log and secrets in instance.c; the store and processes in files of their own. */
#include "base/codec.h"
#include "base/log.h"
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/template.h"
#include "json/write.h"
#include <errno.h>

struct px_host_global px_host_g;

const struct px_host px_host_table = {.size = sizeof(struct px_host),
                                      .abi_minor = PX_ABI_MINOR,
                                      .call = &px_host_call_table,
                                      .scope = &px_host_scope_table,
                                      .op = &px_host_op_table,
                                      .json = &px_host_json_table,
                                      .timer = &px_host_timer_table,
                                      .store = &px_host_store_table,
                                      .catalog = &px_host_catalog_table,
                                      .log = &px_host_log_table,
                                      .secret = &px_host_secret_table,
                                      .process = &px_host_process_table};

enum { HANDLES_MAX = 1 << 20 };

int px_host_init(struct px_services *services, struct px_loop *loop, struct px_err *err) {
    px_host_g = (struct px_host_global){.services = services, .loop = loop};
    px_slots_init(&px_host_g.instances, 4096);
    px_slots_init(&px_host_g.scopes, HANDLES_MAX);
    px_slots_init(&px_host_g.calls, HANDLES_MAX);
    px_slots_init(&px_host_g.ops, HANDLES_MAX);
    int r = px_scope_open(loop, NULL, "event", 0, &px_host_g.event_scope);
    if (!r)
        r = px_host_scope_name(px_host_g.event_scope, NULL, PX_SCOPE_OF_EVENT, &px_host_g.event_scope_handle);
    return r ? px_err_errno(err, r, "the host tables") : 0;
}

void px_host_finish(void) {
    if (!px_host_g.loop)
        return;
    px_scope_close(&px_host_g.event_scope);
    px_slots_finish(&px_host_g.instances);
    px_slots_finish(&px_host_g.scopes);
    px_slots_finish(&px_host_g.calls);
    px_slots_finish(&px_host_g.ops);
    px_host_g = (struct px_host_global){0};
}

struct px_instance *px_host_instance(px_service_h h) {
    struct px_instance *inst = px_slots_get(&px_host_g.instances, h.v);
    if (!inst)
        px_host_g.stale++;
    return inst;
}

/* ---- scopes ---- */

static void forget_scope(void *user) {
    struct px_host_scope_ref *ref = user;
    px_slots_remove(&px_host_g.scopes, ref->handle);
}

int px_host_scope_name(struct px_scope *scope, struct px_instance *inst, enum px_host_scope_kind kind,
                       uint64_t *ret_handle) {
    struct px_host_scope_ref *ref = px_scope_alloc(scope, sizeof *ref);
    if (!ref)
        return -ENOMEM;
    *ref = (struct px_host_scope_ref){.scope = scope, .instance = inst, .kind = kind};
    int r = px_slots_add(&px_host_g.scopes, ref, &ref->handle);
    if (r)
        return r;
    r = px_scope_on_close(scope, forget_scope, ref);
    if (r) {
        px_slots_remove(&px_host_g.scopes, ref->handle);
        return r;
    }
    *ret_handle = ref->handle;
    return 0;
}

struct px_host_scope_ref *px_host_scope_get(px_scope_h h) {
    struct px_host_scope_ref *ref = px_slots_get(&px_host_g.scopes, h.v);
    if (!ref)
        px_host_g.stale++;
    return ref;
}

static px_scope_h scope_of_service(px_service_h h) {
    const struct px_instance *inst = px_host_instance(h);
    return (px_scope_h){inst && inst->scope ? inst->scope_handle : 0};
}

static int32_t scope_open(px_scope_h parent, px_scope_h *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(parent);
    struct px_scope *scope;
    if (!ref)
        return -ESTALE;
    if (ref->kind == PX_SCOPE_OF_EVENT)
        return -EPERM;
    int r = px_scope_open(ref->scope->loop, ref->scope, "plugin", 0, &scope);
    if (r)
        return r;
    uint64_t handle;
    r = px_host_scope_name(scope, ref->instance, PX_SCOPE_OWN, &handle);
    if (r) {
        px_scope_close(&scope);
        return r;
    }
    ret->v = handle;
    return 0;
}

static int32_t scope_close(px_scope_h h) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (!ref)
        return -ESTALE;
    if (ref->kind != PX_SCOPE_OWN)
        return -EPERM;
    struct px_scope *scope = ref->scope;
    px_scope_close(&scope);
    return 0;
}

/* A plugin's on_close: never inside one of its own frames, so it is posted when one is on the stack. The scope's memory
 * stays until it has run. */
struct closer {
    struct px_instance *instance;
    struct px_scope *scope;
    void (*fn)(void *user);
    void *user;
    struct px_work work;
    bool pinned;
};

static void run_closer(void *user) {
    struct closer *c = user;
    struct px_scope *scope = c->scope;
    px_instance_enter(c->instance, "on_close");
    c->fn(c->user);
    px_instance_leave(c->instance);
    px_instance_unref(c->instance);
    if (c->pinned)
        px_scope_unpin(scope);
}

static void closer_due(void *user) {
    struct closer *c = user;
    if (c->instance->frames == 0) {
        run_closer(c);
        return;
    }
    px_scope_pin(c->scope);
    px_work_init(&c->work, "service/on_close", run_closer, c);
    c->pinned = true;
    px_work_post(c->scope->loop, &c->work);
}

static int32_t scope_on_close(px_scope_h h, void (*fn)(void *user), void *user) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (!ref)
        return -ESTALE;
    if (!ref->instance)
        return -ENOTSUP;
    struct closer *c = px_scope_alloc(ref->scope, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct closer){.instance = ref->instance, .scope = ref->scope, .fn = fn, .user = user};
    int r = px_scope_on_close(ref->scope, closer_due, c);
    if (!r)
        px_instance_ref(ref->instance);
    return r;
}

static void *scope_alloc(px_scope_h h, uint64_t n) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    return ref ? px_scope_alloc(ref->scope, n) : NULL;
}

static int32_t scope_keep(px_scope_h h, px_str s, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (!ref)
        return -ESTALE;
    px_str copy = px_arena_str(&ref->scope->arena, s);
    if (s.p && !copy.p)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

const struct px_host_scope px_host_scope_table = {.size = sizeof(struct px_host_scope),
                                                  .of_service = scope_of_service,
                                                  .open = scope_open,
                                                  .close = scope_close,
                                                  .on_close = scope_on_close,
                                                  .alloc = scope_alloc,
                                                  .keep = scope_keep};

/* ---- operations ---- */

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
    if (ret)
        ret->v = 0;
    if (!ref)
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

/* Memory that a callback asked for in the event's own scope goes when it returns. */
static void empty_event_scope(void) {
    if (px_host_g.event_scope->arena.used <= sizeof(struct px_host_scope_ref) + 256)
        return;
    px_scope_close(&px_host_g.event_scope);
    if (px_scope_open(px_host_g.loop, NULL, "event", 0, &px_host_g.event_scope) ||
        px_host_scope_name(px_host_g.event_scope, NULL, PX_SCOPE_OF_EVENT, &px_host_g.event_scope_handle))
        px_host_g.event_scope_handle =
            0; /* no memory: the next callback's allocations fail, as they would anyway */
}

bool px_host_op_deliver(struct px_host_op_ref *op, struct px_ev *ev) {
    struct px_instance *inst = op->instance;
    int32_t answer = PX_GO;
    ev->size = sizeof *ev;
    ev->op.v = op->handle;
    ev->scope.v = px_host_g.event_scope_handle;
    if (ev->kind == PX_EV_END) { /* out of its scope first: the callback may do anything */
        px_slots_remove(&px_host_g.ops, op->handle);
        px_op_done(&op->op);
        op->ended = true;
    }
    op->in_callback = true;
    if (op->on) {
        px_instance_ref(inst);
        px_instance_enter(inst, op->kind->name);
        answer = op->on(op->user, ev);
        px_instance_leave(inst);
        px_instance_unref(inst);
        empty_event_scope();
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

static struct px_host_op_ref *op_of(px_op_h h) {
    struct px_host_op_ref *op = px_slots_get(&px_host_g.ops, h.v);
    if (!op)
        px_host_g.stale++;
    return op;
}

static int32_t op_cancel(px_op_h *h) {
    struct px_host_op_ref *ref = op_of(*h);
    h->v = 0;
    if (!ref)
        return -ESTALE;
    struct px_op *op = &ref->op;
    px_op_cancel(&op);
    return 0;
}

static int32_t op_resume(px_op_h h) {
    struct px_host_op_ref *op = op_of(h);
    if (!op)
        return -ESTALE;
    return op->kind->resume ? op->kind->resume(op) : -ENOTSUP;
}

static int32_t op_write(px_op_h h, uint32_t kind, px_str bytes) {
    struct px_host_op_ref *op = op_of(h);
    if (!op)
        return -ESTALE;
    return op->kind->write ? op->kind->write(op, kind, bytes) : -ENOTSUP;
}

static int32_t op_end(px_op_h h, uint32_t code, px_str reason) {
    struct px_host_op_ref *op = op_of(h);
    (void)code; /* for kinds to come (a WebSocket's close) */
    (void)reason;
    if (!op)
        return -ESTALE;
    return op->kind->end ? op->kind->end(op) : -ENOTSUP;
}

static int32_t op_stop(px_op_h h) {
    struct px_host_op_ref *op = op_of(h);
    if (!op)
        return -ESTALE;
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
};

static void timer_release(struct px_host_op_ref *ref) {
    struct timer_op *t = px_container_of(ref, struct timer_op, ref);
    px_timer_disarm(&t->timer);
    free(t);
}

static const struct px_host_op_kind timer_kind = {.name = "timer", .release = timer_release};

static void timer_fired(void *user) {
    struct timer_op *t = user;
    struct px_ev ev = {.kind = t->period_ns ? PX_EV_DATA : PX_EV_END, .count = 1};
    if (t->period_ns) {
        uint64_t late = px_loop_now(px_host_g.loop) - t->due_ns;
        ev.count = 1 + late / t->period_ns;
        t->due_ns += ev.count * t->period_ns;
        px_timer_arm(&t->timer, t->due_ns);
    }
    px_host_op_deliver(&t->ref, &ev);
}

static int32_t timer_start(px_scope_h scope, uint64_t delay_ns, uint64_t period_ns, px_on on, void *user,
                           px_op_h *ret) {
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

/* ---- JSON ---- */

static int32_t json_check(px_str text, px_str *ret) {
    struct px_json_scan scan;
    int r = px_json_scan(text, NULL, &scan, NULL, NULL);
    if (!r && ret)
        *ret = scan.value;
    return r ? -EINVAL : 0;
}

static int32_t json_at(px_str doc, px_str pointer, px_str *ret) {
    return px_json_slice_at(doc, pointer, ret);
}

static int32_t json_next(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value) {
    return px_json_slice_next(container, pos, ret_key, ret_value);
}

static int32_t json_text(px_scope_h scope, px_str value, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    return ref ? px_json_slice_text(&ref->scope->arena, value, ret) : -ESTALE;
}

static int32_t json_i64(px_str value, int64_t *ret) {
    return px_json_slice_i64(value, ret);
}

/* Run a writer into a buffer and move what it wrote into the scope. */
static int32_t into_scope(px_scope_h scope, struct px_buf *buf, int r, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(scope);
    if (!ref)
        r = -ESTALE;
    if (!r) {
        px_str copy = px_arena_str(&ref->scope->arena, px_buf_view(buf));
        if (copy.p)
            *ret = copy;
        else
            r = -ENOMEM;
    }
    px_buf_finish(buf);
    return r;
}

enum { MADE_MAX = 16 << 20 };

static int32_t json_quote(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf buf;
    if (!px_utf8_valid(text))
        return -EILSEQ;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_json_quote(&buf, text), ret);
}

static int32_t json_fill(px_scope_h scope, px_str template_json, px_str args_json, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_json_template_fill(&buf, template_json, args_json, NULL), ret);
}

static int32_t json_base64(px_scope_h scope, px_str bytes, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_base64_add(&buf, bytes), ret);
}

static int32_t json_unbase64(px_scope_h scope, px_str text, px_str *ret) {
    struct px_buf buf;
    px_buf_init(&buf, MADE_MAX);
    return into_scope(scope, &buf, px_base64_decode(&buf, text), ret);
}

const struct px_host_json px_host_json_table = {.size = sizeof(struct px_host_json),
                                                .check = json_check,
                                                .at = json_at,
                                                .next = json_next,
                                                .text = json_text,
                                                .i64 = json_i64,
                                                .quote = json_quote,
                                                .fill = json_fill,
                                                .base64 = json_base64,
                                                .unbase64 = json_unbase64};
