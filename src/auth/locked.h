/* locked.h: memory for secrets: kept out of swap (mlock) and core dumps where the system allows it, wiped when it is freed. */
#ifndef PX_AUTH_LOCKED_H
#define PX_AUTH_LOCKED_H

#include "base/str.h"

/** A copy, NUL-terminated behind its end; absent: no memory. At most 64 KiB. */
px_str px_locked_dup(px_str value);
/** n zeroed bytes; NULL. */
void *px_locked_alloc(size_t n);
/** Wipe and free; NULL is fine. `n`: as it was asked for (of a px_locked_dup: value.n + 1). */
void px_locked_free(void *p, size_t n);
static inline void px_locked_drop(px_str *value) {
    if (value->p)
        px_locked_free((void *)(uintptr_t)value->p, value->n + 1);
    *value = (px_str){0};
}
/** Bytes that are locked, and those that the system did not let us lock. */
void px_locked_stats(uint64_t *ret_locked, uint64_t *ret_unlocked);

#endif
