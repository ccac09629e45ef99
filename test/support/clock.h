/* clock.h: a clock that moves when the test, or a loop with nothing to do, says so. */
#ifndef PX_TEST_CLOCK_H
#define PX_TEST_CLOCK_H

#include "reactor/loop.h"

struct fake_clock {
    uint64_t now_ns;
    unsigned moves; /* times the loop has moved it */
};

static inline uint64_t fake_clock_now(void *ctx) {
    return ((const struct fake_clock *)ctx)->now_ns;
}
static inline void fake_clock_advance(void *ctx, uint64_t to_ns) {
    ((struct fake_clock *)ctx)->now_ns = to_ns;
    ((struct fake_clock *)ctx)->moves++;
}
/** For px_loop_opts.clock, which is copied: `fake` must outlive the loop, what this returns need not. */
static inline struct px_loop_clock fake_clock(struct fake_clock *fake) {
    return (struct px_loop_clock){fake_clock_now, fake_clock_advance, fake};
}

#endif
