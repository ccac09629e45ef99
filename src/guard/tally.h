/* tally.h: two counts over the last while, in 32 slots of it: forgotten slot by slot. Time is passed in. */
#ifndef PX_GUARD_TALLY_H
#define PX_GUARD_TALLY_H

#include <stdint.h>

enum { PX_TALLY_SLOTS = 32 };
struct px_tally {             /* zeroed is empty */
    uint64_t slot, all, some; /* the newest slot's number; sums of all slots */
    struct {
        uint32_t all, some;
    } slots[PX_TALLY_SLOTS];
};

/** Forget what is older than the window (to a 32nd of it); then `all` and `some` hold. */
void px_tally_look(struct px_tally *t, uint64_t window_ns, uint64_t now);
void px_tally_add(struct px_tally *t, uint64_t window_ns, uint64_t now, uint32_t all, uint32_t some);
/** The window has another length from now on: what counts in the old one counts as of now. The same length: nothing changes. */
void px_tally_move(struct px_tally *t, uint64_t from_ns, uint64_t to_ns, uint64_t now);

#endif
