#include "guard/breaker.h"
#include "base/clock.h"

enum { DOUBLINGS_MAX = 20 };

enum px_breaker_says px_breaker_ask(const struct px_breaker *b, const struct px_breaker_limits *limits,
                                    uint64_t now) {
    if (b->forced == PX_FORCED_OPEN)
        return PX_BREAKER_REFUSES;
    if (b->forced == PX_FORCED_CLOSED || !limits->enabled || b->state == PX_BREAKER_CLOSED)
        return PX_BREAKER_PASSES;
    if (b->state == PX_BREAKER_IS_OPEN)
        return now < b->until_ns ? PX_BREAKER_REFUSES : PX_BREAKER_PROBES;
    return b->probe ? PX_BREAKER_REFUSES : PX_BREAKER_PROBES;
}

uint32_t px_breaker_enter(struct px_breaker *b, const struct px_breaker_limits *limits, uint64_t now) {
    if (px_breaker_ask(b, limits, now) != PX_BREAKER_PROBES)
        return 0;
    b->state = PX_BREAKER_HALF_OPEN;
    if (!++b->probes)
        b->probes = 1;
    return b->probe = b->probes;
}

static void open_it(struct px_breaker *b, const struct px_breaker_limits *limits, uint64_t now,
                    uint64_t random) {
    uint64_t most = PX_MAX(limits->open_ns, limits->max_open_ns);
    b->open_ns = limits->open_ns > most >> b->doublings ? most : limits->open_ns << b->doublings;
    b->state = PX_BREAKER_IS_OPEN;
    b->until_ns = now + b->open_ns - random % (b->open_ns / 5 + 1);
    b->opened++;
}

static void close_it(struct px_breaker *b, uint64_t now) {
    b->state = PX_BREAKER_CLOSED;
    b->closed_ns = now;
    b->row = 0;
    b->tally = (struct px_tally){0};
}

static bool probe_left(struct px_breaker *b, const struct px_breaker_limits *limits,
                       enum px_guard_outcome outcome, uint64_t now, uint64_t random) {
    b->probe = 0;
    if (outcome == PX_GUARD_OK)
        close_it(b, now);
    if (outcome != PX_GUARD_FAILED)
        return false;
    b->doublings = PX_MIN(b->doublings + 1, DOUBLINGS_MAX);
    open_it(b, limits, now, random);
    return true;
}

bool px_breaker_left(struct px_breaker *b, const struct px_breaker_limits *limits, uint32_t probe,
                     enum px_guard_outcome outcome, uint64_t now, uint64_t random) {
    if (probe && probe == b->probe)
        return probe_left(b, limits, outcome, now, random);
    if (b->state != PX_BREAKER_CLOSED || outcome == PX_GUARD_NEUTRAL || !limits->enabled)
        return false;
    px_tally_add(&b->tally, limits->window_ns, now, 1, outcome == PX_GUARD_FAILED);
    if (outcome == PX_GUARD_OK) {
        b->row = 0;
        return false;
    }
    b->row += b->row < UINT32_MAX;
    bool by_row = limits->consecutive && b->row >= limits->consecutive;
    bool by_share =
        b->tally.all >= limits->min_requests && b->tally.some * 100 >= b->tally.all * limits->failure_percent;
    if (b->forced || (!by_row && !by_share))
        return false;
    if (!b->open_ns || now - b->closed_ns >= PX_MAX(limits->window_ns, b->open_ns))
        b->doublings = 0; /* it had been well for long enough */
    else
        b->doublings = PX_MIN(b->doublings + 1, DOUBLINGS_MAX);
    open_it(b, limits, now, random);
    return true;
}

void px_breaker_tell(struct px_breaker *b, enum px_breaker_order order, uint64_t now) {
    b->probe = 0;
    if (order == PX_BREAKER_OPEN) {
        b->opened += b->forced != PX_FORCED_OPEN && b->state == PX_BREAKER_CLOSED;
        b->forced = PX_FORCED_OPEN;
        return;
    }
    b->forced = order == PX_BREAKER_CLOSE ? PX_FORCED_CLOSED : PX_FORCED_NOT;
    close_it(b, now);
    b->open_ns = b->doublings = 0;
}

uint64_t px_breaker_until(const struct px_breaker *b, const struct px_breaker_limits *limits, uint64_t now) {
    if (b->forced == PX_FORCED_OPEN)
        return 0;
    if (b->state == PX_BREAKER_IS_OPEN && b->until_ns > now)
        return b->until_ns;
    return now + PX_MIN(limits->open_ns, PX_S); /* a probe is out: it will soon be known */
}

enum px_breaker_state px_breaker_seen(const struct px_breaker *b, uint64_t now) {
    if (b->forced)
        return b->forced == PX_FORCED_OPEN ? PX_BREAKER_IS_OPEN : PX_BREAKER_CLOSED;
    if (b->state == PX_BREAKER_IS_OPEN && now >= b->until_ns)
        return PX_BREAKER_HALF_OPEN;
    return b->state;
}
