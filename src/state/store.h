/* store.h: the key-value store of the services: durable, ordered, bounded.
 *
 * Operations of one service take effect in the order they were started, and a read sees every write that was started before
 * it, committed or not. Completions come in that order too: one that follows a write in the same turn waits for its commit.
 * A write that returned 0 is carried out whatever becomes of its op or scope; it can only fail with the disk.
 *
 * Keys and values are bytes; that keys are text is the caller's rule. Nothing is kept of what is passed in. */
#ifndef PX_STATE_STORE_H
#define PX_STATE_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "reactor/op.h"

struct px_state;

enum {
    PX_STORE_MAX_KEY = 256,
    PX_STORE_MAX_VALUE = 256 * 1024,
    PX_STORE_MAX_SERVICE = 64 * 1024 * 1024, /* keys and values, and PX_STORE_ROW_COST for each */
    PX_STORE_ROW_COST = 32,
    PX_STORE_MAX_LIST = 1000
};

/** Lives until the callback returns. */
struct px_store_result {
    int status;   /* 0; -ENOSPC: the service's share, or the disk, is full; -EROFS: see px_state_health */
    bool absent;  /* get: there is no such key */
    px_str value; /* get */
    const px_str *keys; /* list: in byte order */
    uint32_t n_keys;
};
/** Once, from the loop, unless the op was cancelled. */
typedef void (*px_store_cb)(void *user, const struct px_store_result *result);

/* All of them: `service`: 1 to 256 bytes. `scope` owns the op; *ret_op (may be NULL) is valid until the callback has
 * returned or the op is cancelled. -EMSGSIZE: over a limit of size, or an empty key; -ENOBUFS: too much is in flight;
 * -ESHUTDOWN: the scope is closed; -ENOMEM. Then nothing was done, and *ret_op is NULL. */

PX_MUSTCHECK int px_store_get(struct px_state *state, struct px_scope *scope, px_str service, px_str key,
                              px_store_cb cb, void *user, struct px_op **ret_op);
/** Here and in remove, cb may be NULL: then nobody is told. */
PX_MUSTCHECK int px_store_put(struct px_state *state, struct px_scope *scope, px_str service, px_str key,
                              px_str value, px_store_cb cb, void *user, struct px_op **ret_op);
/** Removing what is not there is no error. */
PX_MUSTCHECK int px_store_remove(struct px_state *state, struct px_scope *scope, px_str service, px_str key,
                                 px_store_cb cb, void *user, struct px_op **ret_op);
/** Up to PX_STORE_MAX_LIST keys that begin with `prefix` and come after `after`; either may be empty. */
PX_MUSTCHECK int px_store_list(struct px_state *state, struct px_scope *scope, px_str service, px_str prefix,
                               px_str after, px_store_cb cb, void *user, struct px_op **ret_op);

#endif
