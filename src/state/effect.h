/* effect.h: the record of what may have changed the world. A call that is not read-only is on record, durably, before it
 * leaves; how it ended is added when it is known.
 *
 *   OPEN --px_effect_end--> DONE | FAILED | UNKNOWN | ASKED --px_effect_resume--> OPEN
 *     |\--(px_effect_begin was cancelled before it told that it is on record)--> FAILED
 *      \--(the host ended first)--> UNKNOWN, at the next start
 *
 * UNKNOWN means: it may have happened, somebody should look. Pruned by age and number (px_state_keep); OPEN ones stay. */
#ifndef PX_STATE_EFFECT_H
#define PX_STATE_EFFECT_H

#include "base/err.h"
#include "base/str.h"
#include "reactor/op.h"

struct px_state;

/** Stored; these numbers never change their meaning. */
enum px_effect_outcome {
    PX_EFFECT_OPEN = 0,
    PX_EFFECT_UNKNOWN = 1,
    PX_EFFECT_DONE = 2,
    PX_EFFECT_FAILED = 3, /* it is known that it did not happen */
    PX_EFFECT_ASKED = 4 /* it has not happened so far: the call asked something first, and may go on or not */
};
struct px_effect {
    px_str id;        /* base/id.h; the caller makes it */
    px_str call_id;   /* the call that it belongs to */
    px_str principal; /* this and the next two: at most 256 bytes */
    px_str service, tool;
    px_str digest;          /* of the arguments, keyed (key.h); at most 64 bytes */
    px_str idempotency_key; /* at most 256 bytes; absent: none */
    int64_t began_unix_ms;
    /* only in what px_effect_list gives: */
    enum px_effect_outcome outcome;
    int64_t ended_unix_ms; /* 0: open */
    uint64_t seq;          /* its place in the order */
};

/** status: 0: durable, the call may leave; -ENOSPC, -EROFS: it is not on record (px_state_health says why). */
typedef void (*px_effect_cb)(void *user, int status);
/** Put it on record. Text is copied. `cb` runs once, after the commit, unless the op is cancelled: then nothing can have left,
 *  and the record, which is made in any case, says FAILED. -EINVAL: a text is too long, or `id` or `call_id` is no identifier; -EEXIST: this id is taken; -ENOBUFS,
 *  -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_effect_begin(struct px_state *state, struct px_scope *scope,
                                 const struct px_effect *effect, px_effect_cb cb, void *user,
                                 struct px_op **ret_op);
/** An effect that was ASKED goes on, as `call_id`: it is OPEN again, on record once. `cb` as above; when it is cancelled, the
 *  effect is ASKED as before. -ENOENT: no effect of this id is ASKED; -EINVAL: not identifiers; -ENOBUFS, -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_effect_resume(struct px_state *state, struct px_scope *scope, px_str id, px_str call_id,
                                  px_effect_cb cb, void *user, struct px_op **ret_op);
/** Say how it ended. Nobody waits for this: while the disk is full it is kept in memory (up to 16,384 of them) and written
 *  when it can be. An id that is not on record is ignored. */
void px_effect_end(struct px_state *state, px_str id, enum px_effect_outcome outcome);

struct px_effect_filter {
    bool with_open;     /* those of calls that run now, too; else only UNKNOWN */
    uint64_t after_seq; /* 0: from the oldest */
    uint32_t limit;     /* 1 to 1000; 0: 1000 */
};
/** Lives until the callback returns. `unknown`: how many there are in all, counted up to 100,000. */
struct px_effect_list {
    int status;
    const struct px_effect *effects; /* the oldest first */
    uint32_t n;
    uint64_t unknown;
};
typedef void (*px_effect_list_cb)(void *user, const struct px_effect_list *list);
PX_MUSTCHECK int px_effect_list(struct px_state *state, struct px_scope *scope,
                                const struct px_effect_filter *filter, px_effect_list_cb cb, void *user,
                                struct px_op **ret_op);

#endif
