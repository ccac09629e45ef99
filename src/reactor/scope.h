/* scope.h: what asynchronous work belongs to. A call, a session, a service and the daemon are each a scope; closing one
 * ends everything in it. See op.h for the other half.
 *
 * States: open -> closed (px_scope_close) -> freed (at the end of the turn, or later when pinned).
 * Closing, in this order: ops are cancelled, the newest first; child scopes are closed, the newest first; on_close
 * functions run in reverse. Memory of the arena stays readable until the scope is freed, so that a callback that closes
 * its own scope may still return through it. A cancel or an on_close function may end any other op, scope or this one
 * again; it can start nothing here (-ESHUTDOWN). */
#ifndef PX_REACTOR_SCOPE_H
#define PX_REACTOR_SCOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"

struct px_loop;
struct px_scope {
    struct px_loop *loop;
    struct px_scope *parent; /* NULL: a root, or closed */
    const char *name;
    struct px_list_node in_parent; /* or in the loop's list of closed scopes */
    struct px_list_node children, ops;
    struct px_scope_closer *closers;
    struct px_arena arena;
    uint32_t pins;
    bool closed;
};

/** Open a scope below `parent` (NULL: a root). `name` is a constant. arena_cap: bytes; 0: 16 MiB. -ESHUTDOWN: the parent is
 *  closed. -ENOMEM. */
PX_MUSTCHECK int px_scope_open(struct px_loop *loop, struct px_scope *parent, const char *name,
                               size_t arena_cap, struct px_scope **ret);
/** End everything in it, before this returns; clears *scope. Closing twice (through another pointer) does nothing. NULL
 *  is fine. It is freed at the end of the turn, or of the next one when none is running. */
void px_scope_close(struct px_scope **scope);
/** Run fn when the scope closes. -ESHUTDOWN: it has; -ENOMEM: its arena is full (this costs it 24 bytes). */
PX_MUSTCHECK int px_scope_on_close(struct px_scope *scope, void (*fn)(void *user), void *user);
/** Keep a closed scope's memory until unpinned as often. */
void px_scope_pin(struct px_scope *scope);
void px_scope_unpin(struct px_scope *scope);
/** Zeroed memory that lives as long as the scope. NULL: over the cap, or no memory. */
static inline void *px_scope_alloc(struct px_scope *scope, size_t n) {
    return px_arena_alloc(&scope->arena, n);
}

#endif
