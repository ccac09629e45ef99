/* fake_private.h: what the files of the fake host share. */
#ifndef PX_TEST_FAKE_PRIVATE_H
#define PX_TEST_FAKE_PRIVATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four */
#include <cmocka.h>

#include "base/arena.h"
#include "base/slots.h"
#include "fake_host.h"
#include "reactor/op.h"

/* One scope; a worker's has an arena of its own and no px_scope. */
struct fake_scope {
    struct px_scope *scope;
    struct px_arena own;
    uint64_t handle;
    bool lent; /* a call's or the service's: not for scope->close() */
};

/* An operation of any kind. */
struct fake_op {
    struct px_op op;
    uint64_t handle;
    px_on on;
    void *user;
    struct px_timer timer; /* of a timer; or, due at once, that a store operation has ended */
    uint64_t period_ns;
    void (*end)(struct fake_op *op);
    struct px_buf data; /* of a store operation: the answer */
    uint32_t flags;
    bool json;
    struct fake_child *child;
};

struct fake {
    void *module;
    const struct px_plugin *plugin;
    void *self;
    struct fake_opts opts;
    struct px_loop *loop;
    uint64_t now;          /* of the test's clock */
    struct px_slots slots; /* struct fake_scope, struct fake_op, struct fake_call, by handle */
    struct px_scope *service;
    px_scope_h service_h;
    int depth; /* frames of the plugin on the stack */
    struct px_buf log;
    int ready;
    struct fake_tool tools[FAKE_TOOLS];
    unsigned n_tools;
    struct fake_call *calls[4096];
    unsigned n_calls;
    struct fake_child *children[FAKE_CHILDREN];
    unsigned n_children;
    int start_rc;
    unsigned stale; /* handles that were refused: a tidy plugin has none */
    bool closing;
    struct fake_pair *pairs; /* the store */
};

extern struct fake the;
extern const struct px_host_json fake_json_table;
extern const struct px_host_scope fake_scope_table;
extern const struct px_host_process fake_process_table;
extern const struct px_host_store fake_store_table;
extern const struct px_host_op fake_op_table;
extern const struct px_host_timer fake_timer_table;
extern const struct px_host_catalog fake_catalog_table;
extern const struct px_host_log fake_log_table;
extern const struct px_host_secret fake_secret_table;

struct px_arena *fake_arena(px_scope_h scope);
struct px_scope *fake_scope_get(px_scope_h scope);
/** A handle for a scope; it goes when the scope closes. */
px_scope_h fake_scope_add(struct px_scope *scope, bool lent);
/** A scope that is only memory, for a worker. */
px_scope_h fake_scope_memory(void);
void fake_scope_empty(px_scope_h scope);
void fake_scope_forget(px_scope_h scope);

PX_MUSTCHECK int fake_op_begin(px_scope_h scope, px_on on, void *user, struct fake_op **ret);
/** Give an event to the plugin, with a scope of its own. */
int32_t fake_event(px_on on, void *user, struct px_ev *ev);
/** It has ended by itself. */
void fake_op_end(struct fake_op *op, struct px_ev *ev);
void fake_op_free(struct fake_op *op);
struct fake_op *fake_op_get(px_op_h op);

void fake_store_set(px_str key, px_str value);
void fake_store_clear(void);
void fake_tools_clear(void);

int fake_child_write(struct fake_op *op, uint32_t kind, px_str bytes);
void fake_child_stop(struct fake_op *op);
void fake_child_cancel(struct fake_op *op);

#endif
