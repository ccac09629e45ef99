/* meter.h: one configured rate, of whatever kind, and where it stands. */
#ifndef PX_GUARD_METER_H
#define PX_GUARD_METER_H

#include "guard/window.h"

struct px_meter {
    struct px_rate rate;
    union {
        struct px_bucket bucket;
        struct px_fixed fixed;
        struct px_sliding *sliding; /* owned */
    };
};

/** One for each rate, as new, in *ret (owned; NULL when there is none). -ENOMEM. */
PX_MUSTCHECK int px_meters_make(const struct px_rates *rates, uint64_t now, struct px_meter **ret);
/** The state of those of the same kind, the first of them to the first; then the old ones are done with. */
void px_meters_move(struct px_meter *from, size_t n_from, struct px_meter *to, size_t n_to, uint64_t now);
void px_meters_free(struct px_meter *meters, size_t n);

uint64_t px_meter_wait(const struct px_meter *m, uint64_t cost, uint64_t ahead, uint64_t now);
void px_meter_take(struct px_meter *m, int64_t cost, uint64_t now);
/** What may be taken now. */
uint64_t px_meter_left(const struct px_meter *m, uint64_t now);

#endif
