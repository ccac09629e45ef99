/* hist.h: how long things took: a histogram of nanoseconds in fixed memory. Eight buckets to a doubling, so a percentile
 * is exact to 12 %; the maximum and the count are exact. */
#ifndef PX_BASE_HIST_H
#define PX_BASE_HIST_H

#include <stdint.h>

enum { PX_HIST_BUCKETS = 8 * 40 };
/** Zeroed is empty. */
struct px_hist {
    uint64_t count, sum_ns, max_ns;
    uint64_t buckets[PX_HIST_BUCKETS];
};
struct px_hist_view {
    uint64_t count, p50_ns, p99_ns, max_ns;
};

void px_hist_add(struct px_hist *h, uint64_t ns);
/** The least value that `per_mille` of 1000 do not exceed, rounded up to its bucket, never over the maximum; 0: empty. */
uint64_t px_hist_at(const struct px_hist *h, unsigned per_mille);
struct px_hist_view px_hist_view(const struct px_hist *h);

#endif
