#include "guard/tally.h"
#include "base/util.h"
#include <string.h>

static uint64_t number(uint64_t window_ns, uint64_t now) {
    return now / PX_MAX((window_ns + PX_TALLY_SLOTS - 1) / PX_TALLY_SLOTS, 1);
}

void px_tally_look(struct px_tally *t, uint64_t window_ns, uint64_t now) {
    uint64_t slot = number(window_ns, now);
    if (slot <= t->slot)
        return;
    if (slot - t->slot >= PX_TALLY_SLOTS) {
        *t = (struct px_tally){.slot = slot};
        return;
    }
    while (t->slot < slot) {
        unsigned i = ++t->slot % PX_TALLY_SLOTS;
        t->all -= t->slots[i].all;
        t->some -= t->slots[i].some;
        t->slots[i].all = t->slots[i].some = 0;
    }
}

void px_tally_add(struct px_tally *t, uint64_t window_ns, uint64_t now, uint32_t all, uint32_t some) {
    px_tally_look(t, window_ns, now);
    unsigned i = t->slot % PX_TALLY_SLOTS;
    if (t->slots[i].all > UINT32_MAX - all || t->slots[i].some > UINT32_MAX - some)
        return;
    t->slots[i].all += all;
    t->slots[i].some += some;
    t->all += all;
    t->some += some;
}

void px_tally_move(struct px_tally *t, uint64_t from_ns, uint64_t to_ns, uint64_t now) {
    if (from_ns == to_ns)
        return;
    px_tally_look(t, from_ns, now);
    uint32_t all = (uint32_t)PX_MIN(t->all, UINT32_MAX), some = (uint32_t)PX_MIN(t->some, UINT32_MAX);
    *t = (struct px_tally){.slot = number(to_ns, now), .all = all, .some = some};
    t->slots[t->slot % PX_TALLY_SLOTS].all = all;
    t->slots[t->slot % PX_TALLY_SLOTS].some = some;
}
