#include "reactor/loop_private.h"
#include "reactor/op.h"
#include <assert.h>
#include <errno.h>

struct px_scope_closer {
    struct px_scope_closer *next;
    void (*fn)(void *user);
    void *user;
};

int px_scope_open(struct px_loop *loop, struct px_scope *parent, const char *name, size_t arena_cap,
                  struct px_scope **ret) {
    if (parent && parent->closed)
        return -ESHUTDOWN;
    struct px_scope *scope = calloc(1, sizeof *scope);
    if (!scope)
        return -ENOMEM;
    scope->loop = loop;
    scope->parent = parent;
    scope->name = name;
    px_list_init(&scope->in_parent);
    px_list_init(&scope->children);
    px_list_init(&scope->ops);
    px_arena_init(&scope->arena, arena_cap ? arena_cap : (size_t)16 << 20);
    if (parent)
        px_list_add(&parent->children, &scope->in_parent);
    loop->n_scopes++;
    *ret = scope;
    return 0;
}

/* Each step takes the last of what is left, because what runs may end any of the others. */
static void end_everything(struct px_scope *scope) {
    while (!px_list_empty(&scope->ops)) {
        struct px_op *op = px_list_entry(scope->ops.prev, struct px_op, in_scope);
        px_op_cancel(&op);
    }
    while (!px_list_empty(&scope->children)) {
        struct px_scope *child = px_list_entry(scope->children.prev, struct px_scope, in_parent);
        px_scope_close(&child);
    }
    while (scope->closers) {
        struct px_scope_closer *closer = scope->closers;
        scope->closers = closer->next;
        closer->fn(closer->user);
    }
}

void px_scope_close(struct px_scope **pscope) {
    struct px_scope *scope = *pscope;
    *pscope = NULL;
    if (!scope || scope->closed)
        return;
    scope->closed = true;
    px_list_remove(&scope->in_parent);
    end_everything(scope);
    scope->parent = NULL; /* it may be freed before this one, when this one is pinned */
    px_list_add(&scope->loop->closed_scopes, &scope->in_parent);
}

int px_scope_on_close(struct px_scope *scope, void (*fn)(void *user), void *user) {
    if (scope->closed)
        return -ESHUTDOWN;
    struct px_scope_closer *closer = px_arena_raw(&scope->arena, sizeof *closer);
    if (!closer)
        return -ENOMEM;
    *closer = (struct px_scope_closer){scope->closers, fn, user};
    scope->closers = closer;
    return 0;
}

void px_scope_pin(struct px_scope *scope) {
    scope->pins++;
}

void px_scope_unpin(struct px_scope *scope) {
    assert(scope->pins);
    scope->pins--;
}

void px_scope_reap(struct px_loop *loop) {
    PX_LIST_EACH_SAFE (node, &loop->closed_scopes) {
        struct px_scope *scope = px_list_entry(node, struct px_scope, in_parent);
        if (scope->pins)
            continue;
        px_list_remove(node);
        px_arena_finish(&scope->arena);
        free(scope);
        loop->n_scopes--;
    }
}

/* ---- ops ---- */

int px_op_begin(struct px_op *op, const struct px_op_kind *kind, struct px_scope *scope) {
    if (scope->closed)
        return -ESHUTDOWN;
    op->kind = kind;
    op->scope = scope;
    px_list_init(&op->in_scope);
    px_list_add(&scope->ops, &op->in_scope);
    scope->loop->n_ops++;
    return 0;
}

void px_op_done(struct px_op *op) {
    if (!op->scope)
        return;
    px_list_remove(&op->in_scope);
    op->scope->loop->n_ops--;
    op->scope = NULL;
}

void px_op_cancel(struct px_op **pop) {
    struct px_op *op = *pop;
    *pop = NULL;
    if (!op || !op->scope)
        return;
    px_op_done(op);
    op->kind->cancel(op);
}
