/* Scopes as plugins see them: handles for what owns their operations and memory. */
#include "service/private.h"
#include <errno.h>

enum { DEPTH_MAX = 64 }; /* of scopes that a plugin opens in one another: closing them recurses */

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
    if (ref && ref->kind == PX_SCOPE_OF_EVENT && !ref->instance)
        ref = NULL; /* no event is handled now */
    if (!ref)
        px_host_g.stale++;
    return ref;
}

/* ---- the scope of an event ---- */

/* One for all events, emptied between them: an event that needs no memory costs nothing. */
int px_host_event_scope_open(void) {
    struct px_host_scope_ref *ref = &px_host_g.event_ref;
    int r = px_scope_open(px_host_g.loop, NULL, "event", 0, &ref->scope);
    if (r)
        return r;
    ref->kind = PX_SCOPE_OF_EVENT;
    r = px_slots_add(&px_host_g.scopes, ref, &ref->handle);
    if (r)
        px_scope_close(&ref->scope);
    return r;
}

void px_host_event_scope_close(void) {
    px_slots_remove(&px_host_g.scopes, px_host_g.event_ref.handle);
    px_scope_close(&px_host_g.event_ref.scope);
}

px_scope_h px_host_event_begin(struct px_instance *inst) {
    px_host_g.event_ref.instance = inst;
    return (px_scope_h){px_host_g.event_ref.handle};
}

void px_host_event_end(void) {
    struct px_host_scope_ref *ref = &px_host_g.event_ref;
    ref->instance = NULL;
    if (ref->scope->arena.used)
        px_arena_finish(&ref->scope->arena);
}

/* ---- the table ---- */

static px_scope_h scope_of_service(px_service_h h) {
    const struct px_instance *inst = px_host_instance(h);
    return (px_scope_h){inst && inst->scope ? inst->scope_handle : 0};
}

static int32_t scope_open(px_scope_h parent, px_scope_h *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(parent);
    struct px_scope *scope;
    uint64_t handle;
    if (!ret)
        return -EINVAL;
    ret->v = 0;
    if (px_host_g.classifying)
        return -EPERM;
    if (!ref)
        return -ESTALE;
    if (ref->kind == PX_SCOPE_OF_EVENT)
        return -EPERM;
    if (ref->depth == DEPTH_MAX)
        return -E2BIG;
    unsigned depth = ref->depth + 1;
    int r = px_scope_open(ref->scope->loop, ref->scope, "plugin", 0, &scope);
    if (r)
        return r;
    r = px_host_scope_name(scope, ref->instance, PX_SCOPE_OWN, &handle);
    if (r) {
        px_scope_close(&scope);
        return r;
    }
    ref = px_slots_get(&px_host_g.scopes, handle);
    ref->depth = depth;
    ret->v = handle;
    return 0;
}

static int32_t scope_close(px_scope_h h) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (px_host_g.classifying)
        return -EPERM;
    if (!ref)
        return -ESTALE;
    if (ref->kind != PX_SCOPE_OWN)
        return -EPERM;
    struct px_scope *scope = ref->scope;
    px_scope_close(&scope);
    return 0;
}

/* A plugin's on_close: never inside one of its own frames, so it is posted when one is on the stack. The scope's memory
 * stays until it has run; and it runs before fini(), posted or not (px_host_closers_run). */
struct closer {
    struct px_instance *instance;
    struct px_scope *scope;
    void (*fn)(void *user);
    void *user;
    struct px_work work;
    struct px_list_node in_instance; /* while it is posted */
};

static void run_closer(struct closer *c) {
    px_instance_enter(c->instance, "on_close");
    c->fn(c->user);
    px_instance_leave(c->instance);
    px_instance_unref(c->instance);
}

static void run_posted(void *user) {
    struct closer *c = user;
    struct px_scope *scope = c->scope;
    px_list_remove(&c->in_instance);
    run_closer(c);
    px_scope_unpin(scope);
}

void px_host_closers_run(struct px_instance *inst) {
    while (!px_list_empty(&inst->closers)) {
        struct closer *c = px_list_entry(inst->closers.next, struct closer, in_instance);
        px_work_cancel(&c->work);
        run_posted(c);
    }
}

static void closer_due(void *user) {
    struct closer *c = user;
    if (c->instance->lib->frames == 0 && px_list_empty(&c->instance->closers)) {
        run_closer(c);
        return;
    }
    px_scope_pin(c->scope);
    px_list_add(&c->instance->closers, &c->in_instance);
    px_work_post(c->scope->loop, &c->work);
}

static int32_t scope_on_close(px_scope_h h, void (*fn)(void *user), void *user) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (!fn)
        return -EINVAL;
    if (px_host_g.classifying)
        return -EPERM;
    if (!ref)
        return -ESTALE;
    if (ref->kind == PX_SCOPE_OF_EVENT)
        return -EPERM;
    if (!ref->instance) /* a worker's */
        return -ENOTSUP;
    struct closer *c = px_scope_alloc(ref->scope, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct closer){.instance = ref->instance, .scope = ref->scope, .fn = fn, .user = user};
    px_work_init(&c->work, "service/on_close", run_posted, c);
    px_list_init(&c->in_instance);
    int r = px_scope_on_close(ref->scope, closer_due, c);
    if (!r)
        px_instance_ref(ref->instance);
    return r;
}

static void *scope_alloc(px_scope_h h, uint64_t n) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    return ref && !ref->scope->closed ? px_scope_alloc(ref->scope, n) : NULL;
}

static int32_t scope_keep(px_scope_h h, px_str s, px_str *ret) {
    struct px_host_scope_ref *ref = px_host_scope_get(h);
    if (!ref || ref->scope->closed)
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
