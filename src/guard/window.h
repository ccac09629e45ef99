/* window.h: so many in so much time: sliding (in any interval of that length) and fixed (counted from the first request of it).
 * Time is passed in.
 *
 * sliding: up to 64 slots of requests that came close together. A slot ends when its last request is over, so its earlier ones count
 * for longer than they must (at most a 63rd of the time), never for less: no interval has too many. Up to 64 requests in per_ns
 * have a slot each, and are exact. */
#ifndef PX_GUARD_WINDOW_H
#define PX_GUARD_WINDOW_H

#include "guard/bucket.h"

enum { PX_SLIDING_SLOTS = 64 };
struct px_sliding_slot {
    uint64_t began_ns, last_ns, used;
};
struct px_sliding { /* zeroed is empty */
    uint64_t used;  /* in all slots */
    uint32_t first, n;
    struct px_sliding_slot slots[PX_SLIDING_SLOTS]; /* a ring, the oldest first */
};
struct px_fixed { /* zeroed is empty */
    uint64_t began_ns, used;
};

/** As px_bucket_wait: one that costs more than all of it waits until it is empty. With `ahead` it is an estimate. */
uint64_t px_sliding_wait(const struct px_sliding *s, const struct px_rate *rate, uint64_t cost,
                         uint64_t ahead, uint64_t now);
void px_sliding_take(struct px_sliding *s, const struct px_rate *rate, int64_t cost, uint64_t now);
uint64_t px_sliding_used(const struct px_sliding *s, const struct px_rate *rate, uint64_t now);

uint64_t px_fixed_wait(const struct px_fixed *f, const struct px_rate *rate, uint64_t cost, uint64_t ahead,
                       uint64_t now);
void px_fixed_take(struct px_fixed *f, const struct px_rate *rate, int64_t cost, uint64_t now);
uint64_t px_fixed_used(const struct px_fixed *f, const struct px_rate *rate, uint64_t now);

#endif
