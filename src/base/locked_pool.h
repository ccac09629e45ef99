/* locked_pool.h: the memory behind locked.h. Regions of 32 KiB, each cut into slots of one size (a power of two, 32 bytes to 4 KiB), so that
 * small values share pages; what is larger has a region of its own. A region is kept out of core dumps, and out of swap where the system
 * allows it; it goes back when its last slot is free. Each begins with a head that is checked whenever a slot comes back: one that was
 * never given out, or twice given back, ends the process, because somebody's secrets would be next.
 * Private to the room. */
#ifndef PX_BASE_LOCKED_POOL_H
#define PX_BASE_LOCKED_POOL_H

#include "base/list.h"
#include <stddef.h>
#include <stdint.h>

enum {
    PX_LOCKED_CLASSES = 8,
    PX_LOCKED_SLOT_MIN = 32,
    PX_LOCKED_SLOT_MAX = 4096,
    PX_LOCKED_REGION = 32 << 10
};

struct px_locked_pool {
    struct px_list_node roomy[PX_LOCKED_CLASSES]; /* regions with a free slot */
    uint64_t locked, unlocked;                    /* bytes of regions */
    int (*lock)(const void *p, size_t n);         /* mlock; tests have their own */
};

void px_locked_pool_init(struct px_locked_pool *pool);
/** Zeroed, aligned to 16 bytes. NULL: no memory. n of 0 counts as 1. */
void *px_locked_pool_alloc(struct px_locked_pool *pool, size_t n);
/** Wiped. `n`: as it was asked for. */
void px_locked_pool_free(struct px_locked_pool *pool, void *p, size_t n);

#endif
