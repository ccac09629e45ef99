/* sealed.h: bytes under a name, as whoever sealed them gave them: this room does not know what they are.
 * Operations on one name take effect in the order they were started. Nothing is kept of what is passed in. */
#ifndef PX_STATE_SEALED_H
#define PX_STATE_SEALED_H

#include "base/err.h"
#include "base/str.h"
#include "reactor/op.h"

struct px_state;

enum { PX_SEALED_MAX_NAME = 512, PX_SEALED_MAX = 64 * 1024 + 512, PX_SEALED_ROWS = 20000 };

/** All rows in byte order of their names. Waits for the disk: for start-up only. `fn` returns 0 to go on; anything else ends it, and is returned.
 *  -EROFS: state.db cannot be read. */
PX_MUSTCHECK int px_sealed_load(struct px_state *state, int (*fn)(void *ctx, px_str name, px_str bytes),
                                void *ctx, struct px_err *err);
/** status: 0: durable; -ENOSPC, -EROFS: it is not. */
typedef void (*px_sealed_cb)(void *user, int status);
/** `cb` runs once, after the commit, unless the op is cancelled (the write goes on all the same); it may be NULL. -EMSGSIZE, -ENOSPC (too
 *  many rows), -ENOBUFS, -ESHUTDOWN, -ENOMEM: nothing was done. */
PX_MUSTCHECK int px_sealed_put(struct px_state *state, struct px_scope *scope, px_str name, px_str bytes,
                               px_sealed_cb cb, void *user, struct px_op **ret_op);
/** Removing what is not there is no error. The old bytes are overwritten in the file (secure_delete). */
PX_MUSTCHECK int px_sealed_remove(struct px_state *state, struct px_scope *scope, px_str name,
                                  px_sealed_cb cb, void *user, struct px_op **ret_op);

#endif
