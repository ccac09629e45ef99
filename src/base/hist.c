#include "base/hist.h"
#include "base/util.h"

/* Below 8 a bucket is a number; from there, three bits behind the leading one choose among its eight. */
static unsigned bucket_of(uint64_t ns) {
    if (ns < 8)
        return (unsigned)ns;
    unsigned log = 63 - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (log - 2) * 8 + (unsigned)(ns >> (log - 3) & 7);
    return PX_MIN(bucket, PX_HIST_BUCKETS - 1);
}

static uint64_t bucket_end(unsigned bucket) {
    if (bucket < 8)
        return bucket;
    unsigned log = bucket / 8 + 2;
    return ((uint64_t)(8 + bucket % 8 + 1) << (log - 3)) - 1;
}

void px_hist_add(struct px_hist *h, uint64_t ns) {
    h->count++;
    h->sum_ns += ns;
    h->max_ns = PX_MAX(h->max_ns, ns);
    h->buckets[bucket_of(ns)]++;
}

uint64_t px_hist_at(const struct px_hist *h, unsigned per_mille) {
    uint64_t wanted = (h->count * per_mille + 999) / 1000, seen = 0;
    if (!h->count)
        return 0;
    for (unsigned i = 0; i < PX_HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= PX_MAX(wanted, 1))
            return i == PX_HIST_BUCKETS - 1 ? h->max_ns : PX_MIN(bucket_end(i), h->max_ns);
    }
    return h->max_ns;
}

struct px_hist_view px_hist_view(const struct px_hist *h) {
    return (struct px_hist_view){h->count, px_hist_at(h, 500), px_hist_at(h, 990), h->max_ns};
}
