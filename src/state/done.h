/* done.h: one completion of this room: an op, and when its callback may run. Private to the room.
 *
 *   begun --px_done_settle--> waiting for the commit --> posted --> delivered
 *                        \--(nothing to wait for)--/
 * Whoever embeds it first in its own struct gives `deliver`, which calls the caller back, and perhaps `drop`, which
 * releases what hangs on it; the memory itself is freed here. */
#ifndef PX_STATE_DONE_H
#define PX_STATE_DONE_H

#include "base/list.h"
#include "reactor/loop.h"
#include "reactor/op.h"

struct px_db;
struct px_state;
struct px_done {
    struct px_op op;
    struct px_state *state;
    struct px_list_node node; /* in px_db.waiting */
    struct px_work work;
    size_t bytes; /* on the account of what is in flight */
    int status;
    void (*deliver)(struct px_done *done);
    void (*drop)(struct px_done *done);
};

enum { PX_DONE_MAX = 65536, PX_DONE_MAX_BYTES = 64 * 1024 * 1024 };

/** Zeroed memory of `size` bytes that begins with a px_done, entered in the scope. -ENOBUFS: too many or too much in
 *  flight; -ESHUTDOWN; -ENOMEM. `name` is a constant, for measuring. */
PX_MUSTCHECK int px_done_begin(struct px_state *state, struct px_scope *scope, const char *name, size_t size,
                               void (*deliver)(struct px_done *), struct px_done **ret);
/** It holds `bytes` more. -ENOBUFS. */
PX_MUSTCHECK int px_done_hold(struct px_done *done, size_t bytes);
/** The work is done, or has failed with `status`: tell when the turn's transaction of `db` has ended; soon, if there is none. */
void px_done_settle(struct px_done *done, struct px_db *db, int status);
/** Post it, with this status unless it has failed by itself (px_db does this when the transaction has ended). */
void px_done_post(struct px_done *done, int status);
/** Undo px_done_begin: nobody is told. */
void px_done_abandon(struct px_done *done);

#endif
