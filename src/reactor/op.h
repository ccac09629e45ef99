/* op.h: one asynchronous operation in flight. Each kind (a child, a timer, a write to the state files) embeds a
 * `struct px_op` in its own struct.
 *
 * An op ends once: it completes (its kind calls px_op_done, then runs the caller's callback, from the loop) or it is
 * cancelled (px_op_cancel, or its scope closed: the callback never runs again). What a kind must promise:
 *   - starting never calls back; a completion is posted, or comes from a descriptor or timer;
 *   - px_op_done before the last callback, so that the callback may do anything, even close the scope;
 *   - cancel() releases, or orphans what the kernel or a library still holds and releases it when they let go. It may be
 *     called inside the op's own callback.
 *
 *   started --> completing --> done        (px_op_done)
 *          \--> cancelled                  (px_op_cancel, px_scope_close)
 */
#ifndef PX_REACTOR_OP_H
#define PX_REACTOR_OP_H

#include "reactor/scope.h"

struct px_op;
struct px_op_kind {
    const char *name;
    /** Stop and release. The op is out of its scope already. */
    void (*cancel)(struct px_op *op);
};
struct px_op {
    const struct px_op_kind *kind;
    struct px_scope *scope; /* NULL: ended */
    struct px_list_node in_scope;
};

/** Enter the scope; `op` is zeroed, or has ended. -ESHUTDOWN: it is closed, and nothing was entered. */
PX_MUSTCHECK int px_op_begin(struct px_op *op, const struct px_op_kind *kind, struct px_scope *scope);
/** It has ended by itself: leave the scope. Does nothing when it has left, or never entered (zeroed). */
void px_op_done(struct px_op *op);
/** End it; clears *op. NULL, and an op that has ended, are fine (the memory must still be there). */
void px_op_cancel(struct px_op **op);

#endif
