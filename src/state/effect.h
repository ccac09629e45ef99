/* effect.h: the record of what may have changed the world. A call that is not read-only is on record, durably, before it
 * leaves; how it ended is added when it is known.
 *
 *   OPEN --px_effect_end--> DONE | FAILED | UNKNOWN | ASKED --px_effect_resume--> OPEN
 *     |\--(px_effect_begin was cancelled before it told that it is on record)--> FAILED
 *      \--(the host ended first)--> UNKNOWN, at the next start
 *   UNKNOWN --px_effect_settle--> DONE | FAILED;  --px_effect_resume (it is sent again under its key)--> OPEN
 *
 * UNKNOWN means: it may have happened, somebody should look. Pruned by age and number (px_state_keep); OPEN ones stay.
 *
 * Of one principal, service, tool and idempotency key, at most one effect is anything but FAILED: px_effect_begin hands an
 * earlier one over instead of beginning another. */
#ifndef PX_STATE_EFFECT_H
#define PX_STATE_EFFECT_H

#include "base/err.h"
#include "base/str.h"
#include "reactor/op.h"

struct px_state;

enum {
    PX_EFFECT_MAX_ARGS = 16 * 1024,
    PX_EFFECT_MAX_RESULT = 64 * 1024,
    PX_EFFECT_MAX_WORDS = 512, /* longer ones are cut */
    PX_EFFECT_MAX_SENT_KEY = 64
};

/** Stored; these numbers never change their meaning. */
enum px_effect_outcome {
    PX_EFFECT_OPEN = 0,
    PX_EFFECT_UNKNOWN = 1,
    PX_EFFECT_DONE = 2,
    PX_EFFECT_FAILED = 3, /* it is known that it did not happen */
    PX_EFFECT_ASKED = 4 /* it has not happened so far: the call asked something first, and may go on or not */
};
/** Who said how it ended. Stored. */
enum px_effect_by {
    PX_EFFECT_BY_NOBODY = 0, /* it is open; or an earlier format */
    PX_EFFECT_BY_ANSWER = 1, /* the call's own end */
    PX_EFFECT_BY_VERIFY = 2, /* the upstream was asked */
    PX_EFFECT_BY_PERSON = 3,
    PX_EFFECT_BY_START = 4 /* it was open when the host started: UNKNOWN */
};
/** "open", "unknown", "done", "failed", "asked"; "answer", "verify", "person", "start", NULL for nobody. */
const char *px_effect_outcome_name(enum px_effect_outcome outcome);
const char *px_effect_by_name(enum px_effect_by by);

struct px_effect {
    px_str id;        /* base/id.h; the caller makes it */
    px_str call_id;   /* the call that it belongs to */
    px_str principal; /* this and the next two: at most 256 bytes */
    px_str service, tool;
    px_str digest;          /* of the arguments, keyed (key.h); at most 64 bytes */
    px_str idempotency_key; /* the caller's, at most 256 bytes; absent: none */
    px_str sent_key;        /* what goes to the upstream as the key */
    px_str args;            /* for people, and for looking whether it happened: masked, redacted, cut */
    bool args_whole;        /* nothing of them was masked, redacted or cut */
    int64_t began_unix_ms;
    /* only in what is given back: */
    enum px_effect_outcome outcome;
    enum px_effect_by by;
    px_str words;          /* absent: none */
    px_str result;         /* what was told; absent: not kept. Only in what px_effect_begin hands over */
    int64_t ended_unix_ms; /* 0: open */
    uint64_t seq;          /* its place in the order */
};

/** status: 0: durable, the call may leave; -EEXIST: `earlier` has this idempotency key, and nothing was begun; -ENOSPC, -EROFS:
 *  it is not on record (px_state_health says why). `earlier` lives until it returns; with 0 it is the effect that goes on
 *  (px_effect_resume), otherwise NULL. */
typedef void (*px_effect_cb)(void *user, int status, const struct px_effect *earlier);
/** Put it on record, unless one that has not FAILED has its principal, service, tool and idempotency key: then that one is handed
 *  over. Text is copied. `cb` runs once, after the commit, unless the op is cancelled: then nothing can have left, and the record,
 *  which is made in any case, says FAILED. -EINVAL: a text is too long, or `id` or `call_id` is no identifier; -EEXIST: this id is
 *  taken; -ENOBUFS, -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_effect_begin(struct px_state *state, struct px_scope *scope,
                                 const struct px_effect *effect, px_effect_cb cb, void *user,
                                 struct px_op **ret_op);
/** An effect that is `from` (ASKED: it goes on; UNKNOWN: it is looked for, and perhaps sent again) is OPEN again, as `call_id`, on
 *  record once. `cb` as above; when it is cancelled, the effect is what it was. -ENOENT: no effect of this id is `from`; -EINVAL:
 *  not identifiers; -ENOBUFS, -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_effect_resume(struct px_state *state, struct px_scope *scope, px_str id,
                                  enum px_effect_outcome from, px_str call_id, px_effect_cb cb, void *user,
                                  struct px_op **ret_op);

struct px_effect_ending {
    enum px_effect_outcome outcome;
    enum px_effect_by by;
    px_str words; /* absent: none */
    /* what was told, for a repeat; absent, or larger than PX_EFFECT_MAX_RESULT: not kept. Only of one with
     * an idempotency key */
    px_str result;
};
/** Say how it ended. Nobody waits for this: while the disk is full it is kept in memory (up to 16,384 of them, and 8 MiB of
 *  results) and written when it can be. An id that is not on record is ignored. */
void px_effect_end(struct px_state *state, px_str id, const struct px_effect_ending *ending);
/** Say how one that is UNKNOWN did end. `cb` after the commit, unless cancelled (it is settled all the same); may be NULL. -ENOENT: no
 *  effect of this id is UNKNOWN; -EINVAL: no identifier; -ENOSPC, -EROFS: it cannot be written; -ENOBUFS, -ESHUTDOWN, -ENOMEM. */
PX_MUSTCHECK int px_effect_settle(struct px_state *state, struct px_scope *scope, px_str id,
                                  const struct px_effect_ending *ending, px_effect_cb cb, void *user,
                                  struct px_op **ret_op);

struct px_effect_filter {
    /* this one alone, however it ended, with all of its arguments; absent: the following count, and of the
     * arguments the first 256 characters are given */
    px_str id;
    bool with_open;        /* those of calls that run now, too; else only UNKNOWN */
    uint64_t after_seq;    /* 0: from the oldest */
    bool settled;          /* all of them, the newest first; the two above do not count */
    uint64_t before_seq;   /* of these; 0: from the newest */
    int64_t since_unix_ms; /* of these: begun since */
    uint32_t limit;        /* 1 to 1000; 0: 1000 */
};
/** Lives until the callback returns. `unknown`: how many there are in all, counted up to 100,000. */
struct px_effect_list {
    int status;
    const struct px_effect *effects; /* the oldest first, unless `settled` was asked */
    uint32_t n;
    uint64_t unknown;
};
/** How many effects have no end: as they are now, or were a second ago. At most PX_EFFECTS_COUNTED are counted, the oldest, so that it is cheap
 *  to ask; what cannot be read now is as it was. */
enum { PX_EFFECTS_COUNTED = 1000 };
struct px_effect_counts {
    uint32_t open, unknown;
};
void px_effect_counts_get(struct px_state *state, struct px_effect_counts *ret);
typedef void (*px_effect_list_cb)(void *user, const struct px_effect_list *list);
PX_MUSTCHECK int px_effect_list(struct px_state *state, struct px_scope *scope,
                                const struct px_effect_filter *filter, px_effect_list_cb cb, void *user,
                                struct px_op **ret_op);

#endif
