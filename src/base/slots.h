/* slots.h: handles for pointers. A handle is a slot's number and its generation in 64 bits, never 0; when its entry is
 * removed the generation moves on, so an old handle is recognised instead of followed: for ever, because a slot that has
 * used up its generations is not used again (16 bytes for each four billion uses). */
#ifndef PX_BASE_SLOTS_H
#define PX_BASE_SLOTS_H

#include "base/util.h"
#include <stdint.h>

struct px_slot {
    void *p; /* NULL: free */
    uint32_t generation, next_free;
};
struct px_slots {
    struct px_slot *slots;
    uint32_t n, room, cap, free_head; /* n: slots used so far; free_head: slot + 1, 0 none */
    uint32_t live;                    /* at most cap */
};

/** `cap`: entries at once, at most 2^30. */
void px_slots_init(struct px_slots *s, uint32_t cap);
/** Frees the table, not what the pointers point to. */
void px_slots_finish(struct px_slots *s);
/** `p` is not NULL. -ENOSPC: at the cap; -ENOMEM. */
PX_MUSTCHECK int px_slots_add(struct px_slots *s, void *p, uint64_t *ret_handle);
/** NULL: stale, or never given. */
static inline void *px_slots_get(const struct px_slots *s, uint64_t handle) {
    uint32_t slot = (uint32_t)handle;
    if (slot >= s->n || s->slots[slot].generation != (uint32_t)(handle >> 32))
        return NULL;
    return s->slots[slot].p;
}
/** Returns what was there; NULL: stale. */
void *px_slots_remove(struct px_slots *s, uint64_t handle);

#endif
