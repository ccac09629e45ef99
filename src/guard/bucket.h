/* bucket.h: a token bucket: refilled evenly, exact. Time is passed in.
 * What has been refilled is kept to the nanosecond's share of a token, so a year of looking at it drifts by nothing. */
#ifndef PX_GUARD_BUCKET_H
#define PX_GUARD_BUCKET_H

#include "guard/limits.h"

#define PX_NEVER UINT64_MAX /* a wait beyond what 64 bits of nanoseconds hold */

struct px_bucket {
    int64_t tokens;       /* below 0 after a request that costs more than the bucket holds */
    uint64_t part, at_ns; /* part / per_ns of the next token, at this time */
};

/** Full. */
void px_bucket_init(struct px_bucket *b, const struct px_rate *rate, uint64_t now);
/** How long until `cost` may be taken, when `ahead` is taken before it; 0: now. One that costs more than the bucket holds waits until it
 *  is full. */
uint64_t px_bucket_wait(const struct px_bucket *b, const struct px_rate *rate, uint64_t cost, uint64_t ahead,
                        uint64_t now);
/** Negative: given back. */
void px_bucket_take(struct px_bucket *b, const struct px_rate *rate, int64_t cost, uint64_t now);
/** From one rate to another, with what is in it. */
void px_bucket_move(struct px_bucket *b, const struct px_rate *from, const struct px_rate *to, uint64_t now);
/** Whole tokens in it. */
int64_t px_bucket_left(const struct px_bucket *b, const struct px_rate *rate, uint64_t now);

/** Sums of times, that stay at the end of time. */
static inline uint64_t px_ns_add(uint64_t a, uint64_t b) {
    return a + b < a ? PX_NEVER : a + b;
}

#endif
