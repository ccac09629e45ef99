#include "guard/window.h"

#define USED_MAX ((uint64_t)1 << 40) /* corrections come from outside: sums stay far from their ends */

static const struct px_sliding_slot *slot_at(const struct px_sliding *s, uint32_t i) {
    return &s->slots[(s->first + i) % PX_SLIDING_SLOTS];
}
static bool over(const struct px_sliding_slot *slot, const struct px_rate *rate, uint64_t now) {
    return px_ns_add(slot->last_ns, rate->per_ns) <= now;
}
/* How far a slot reaches: 64 of them last for longer than per_ns. */
static uint64_t slot_ns(const struct px_rate *rate) {
    return rate->requests <= PX_SLIDING_SLOTS
               ? 0
               : (rate->per_ns + PX_SLIDING_SLOTS - 2) / (PX_SLIDING_SLOTS - 1);
}
static uint64_t times(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? PX_NEVER : product;
}

uint64_t px_sliding_wait(const struct px_sliding *s, const struct px_rate *rate, uint64_t cost,
                         uint64_t ahead, uint64_t now) {
    uint64_t used = s->used, need = px_ns_add(PX_MIN(cost, rate->requests), ahead), rounds = 0, until = now;
    uint32_t i = 0;
    while (i < s->n && over(slot_at(s, i), rate, now))
        used -= slot_at(s, i++)->used;
    if (need > rate->requests) { /* those ahead fill it so often */
        rounds = (need - 1) / rate->requests;
        need -= rounds * rate->requests;
    }
    for (; i < s->n && used + need > rate->requests; i++) {
        used -= slot_at(s, i)->used;
        until = slot_at(s, i)->last_ns + rate->per_ns;
    }
    return px_ns_add(until - now, times(rounds, rate->per_ns));
}

static void give_back(struct px_sliding *s, uint64_t amount) {
    for (uint32_t i = s->n; i-- && amount;) {
        struct px_sliding_slot *slot = &s->slots[(s->first + i) % PX_SLIDING_SLOTS];
        uint64_t some = PX_MIN(amount, slot->used);
        slot->used -= some;
        s->used -= some;
        amount -= some;
    }
}

void px_sliding_take(struct px_sliding *s, const struct px_rate *rate, int64_t cost, uint64_t now) {
    while (s->n && over(slot_at(s, 0), rate, now)) {
        s->used -= slot_at(s, 0)->used;
        s->first = (s->first + 1) % PX_SLIDING_SLOTS;
        s->n--;
    }
    if (cost <= 0) {
        give_back(s, (uint64_t)-cost);
        return;
    }
    uint64_t added = s->used >= USED_MAX ? 0 : (uint64_t)cost;
    struct px_sliding_slot *last = &s->slots[(s->first + s->n + PX_SLIDING_SLOTS - 1) % PX_SLIDING_SLOTS];
    if (!s->n || (s->n < PX_SLIDING_SLOTS && now - last->began_ns >= slot_ns(rate) && now > last->last_ns)) {
        last = &s->slots[(s->first + s->n++) % PX_SLIDING_SLOTS];
        *last = (struct px_sliding_slot){.began_ns = now};
    }
    last->last_ns = PX_MAX(last->last_ns, now);
    last->used += added;
    s->used += added;
}

uint64_t px_sliding_used(const struct px_sliding *s, const struct px_rate *rate, uint64_t now) {
    uint64_t used = s->used;
    for (uint32_t i = 0; i < s->n && over(slot_at(s, i), rate, now); i++)
        used -= slot_at(s, i)->used;
    return used;
}

/* ---- fixed ---- */

uint64_t px_fixed_used(const struct px_fixed *f, const struct px_rate *rate, uint64_t now) {
    return now >= px_ns_add(f->began_ns, rate->per_ns) ? 0 : f->used;
}

uint64_t px_fixed_wait(const struct px_fixed *f, const struct px_rate *rate, uint64_t cost, uint64_t ahead,
                       uint64_t now) {
    uint64_t used = px_fixed_used(f, rate, now), need = px_ns_add(PX_MIN(cost, rate->requests), ahead);
    uint64_t room = rate->requests - PX_MIN(used, rate->requests);
    if (need <= room)
        return 0;
    uint64_t end = used ? f->began_ns + rate->per_ns - now : rate->per_ns;
    return px_ns_add(end, times((need - room - 1) / rate->requests, rate->per_ns));
}

void px_fixed_take(struct px_fixed *f, const struct px_rate *rate, int64_t cost, uint64_t now) {
    uint64_t used = px_fixed_used(f, rate, now);
    if (cost <= 0) {
        f->used = used - PX_MIN(used, (uint64_t)-cost);
        return;
    }
    if (!used)
        f->began_ns = now;
    f->used = PX_MIN(used + (uint64_t)cost, USED_MAX);
}
