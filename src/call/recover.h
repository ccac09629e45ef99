/* recover.h: effects whose outcome is not known, settled behind the calls: each in a few tries, a few at a time.
 *
 *   job: waits (timer) -> read from the record -> looked for (PX_RUN_VERIFY) --done, absent twice--> settled
 *                    ^---------- not known, service not ready ----------/   --three tries--> left as it is
 *
 * What an earlier run of the host left is gone through once, when services are ready; what cannot be looked for is counted, and
 * said in one line of the log. Private to the room. */
#ifndef PX_CALL_RECOVER_H
#define PX_CALL_RECOVER_H

#include "reactor/timer.h"
#include "state/effect.h"

struct px_gate;

struct px_recover {
    struct px_scope *scope; /* NULL: not open yet, or closed */
    struct px_list_node jobs;
    uint32_t n_jobs, n_looking;
    struct px_timer sweep; /* goes on with what an earlier run left */
    struct px_op *list;
    uint64_t after_seq, cannot;
};
void px_recover_init(struct px_gate *gate);
void px_recover_finish(struct px_gate *gate);

/** Told once how a job ended: 0: it is settled as `outcome`; -ENOENT: no such effect; -EBUSY: its call runs; -EALREADY: it is
 *  `outcome`; -ENOTSUP: it cannot be looked for; -EAGAIN: it still is not known. */
typedef void (*px_recover_cb)(void *user, int status, enum px_effect_outcome outcome, px_str words);
struct px_job;
/** Settle this one, soon. `args`: those of the call; absent: those of the record. There is a cap of jobs: what is over it is left to
 *  the next start. */
void px_recover_add(struct px_gate *gate, px_str id, px_str args);
/** One try, now, for somebody who waits. -EBUSY: there is a job for it already; -ENOBUFS: too many. */
PX_MUSTCHECK int px_recover_now(struct px_gate *gate, px_str id, px_recover_cb cb, void *user,
                                struct px_job **ret);
/** Nobody waits any more. */
void px_recover_unwatch(struct px_job *job);
/** A call takes it up: whatever a job finds does not count any more. */
void px_recover_forget(struct px_gate *gate, px_str id);

#endif
