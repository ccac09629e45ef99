#include "guard/bucket.h"

enum { DEBT_MAX = 1 << 30 }; /* corrections may not put a bucket further down: they come from outside */

__extension__ typedef unsigned __int128 wide;

void px_bucket_init(struct px_bucket *b, const struct px_rate *rate, uint64_t now) {
    *b = (struct px_bucket){.tokens = (int64_t)rate->burst, .at_ns = now};
}

static void refill(struct px_bucket *b, const struct px_rate *rate, uint64_t now) {
    int64_t missing = (int64_t)rate->burst - b->tokens;
    uint64_t past = now - b->at_ns, units;
    if (now <= b->at_ns)
        return;
    b->at_ns = now;
    if (missing <= 0)
        return;
    if (!__builtin_mul_overflow(past, rate->requests, &units) && units + b->part >= units) {
        units += b->part;
        if (units / rate->per_ns < (uint64_t)missing) {
            b->tokens += (int64_t)(units / rate->per_ns);
            b->part = units % rate->per_ns;
            return;
        }
    } else {
        wide all = (wide)past * rate->requests + b->part;
        if (all / rate->per_ns < (wide)missing) {
            b->tokens += (int64_t)(all / rate->per_ns);
            b->part = (uint64_t)(all % rate->per_ns);
            return;
        }
    }
    b->tokens = (int64_t)rate->burst;
    b->part = 0;
}

uint64_t px_bucket_wait(const struct px_bucket *b, const struct px_rate *rate, uint64_t cost, uint64_t ahead,
                        uint64_t now) {
    struct px_bucket then = *b;
    refill(&then, rate, now);
    uint64_t need = PX_MIN(cost, rate->burst) + PX_MIN(ahead, (uint64_t)INT64_MAX / 4);
    if (then.tokens >= (int64_t)need)
        return 0;
    wide units = (wide)((int64_t)need - then.tokens) * rate->per_ns - then.part;
    wide ns = (units + rate->requests - 1) / rate->requests;
    return ns > PX_NEVER ? PX_NEVER : (uint64_t)ns;
}

void px_bucket_take(struct px_bucket *b, const struct px_rate *rate, int64_t cost, uint64_t now) {
    refill(b, rate, now);
    b->tokens -= cost;
    if (b->tokens >= (int64_t)rate->burst) {
        b->tokens = (int64_t)rate->burst;
        b->part = 0;
    }
    if (b->tokens < -(int64_t)DEBT_MAX - (int64_t)UINT32_MAX)
        b->tokens = -(int64_t)DEBT_MAX - (int64_t)UINT32_MAX;
}

void px_bucket_move(struct px_bucket *b, const struct px_rate *from, const struct px_rate *to, uint64_t now) {
    refill(b, from, now);
    if (from->per_ns != to->per_ns)
        b->part = 0;
    if (b->tokens >= (int64_t)to->burst) {
        b->tokens = (int64_t)to->burst;
        b->part = 0;
    }
}

int64_t px_bucket_left(const struct px_bucket *b, const struct px_rate *rate, uint64_t now) {
    struct px_bucket then = *b;
    refill(&then, rate, now);
    return then.tokens;
}
