/* locked.h: memory for secrets: kept out of swap (mlock) and core dumps where the system allows it, wiped when it is freed. Small values share
 * pages, because RLIMIT_MEMLOCK may be small; what is beyond it is not locked, and counted. Loop thread only. */
#ifndef PX_BASE_LOCKED_H
#define PX_BASE_LOCKED_H

#include "base/str.h"

/** A copy, NUL-terminated behind its end. Absent: of an absent value, or no memory. */
px_str px_locked_dup(px_str value);
/** n zeroed bytes, aligned to 16; NULL: no memory. Pointers to other memory do not belong in it: a leak checker does not look there. */
void *px_locked_alloc(size_t n);
/** Wipe and free; NULL is fine. `n`: as it was asked for (of a px_locked_dup: value.n + 1); anything else ends the process. */
void px_locked_free(void *p, size_t n);
static inline void px_locked_drop(px_str *value) {
    if (value->p)
        px_locked_free((void *)(uintptr_t)value->p, value->n + 1);
    *value = (px_str){0};
}
/** Bytes that are held in locked memory, and in memory that the system did not let us lock; whole regions, so that 0 and 0 means: nothing is
 *  held. */
void px_locked_stats(uint64_t *ret_locked, uint64_t *ret_unlocked);

#endif
