/* arena.h: memory that is freed whole. Chunks come from the heap, or from a small stock of standard chunks (at most
 * 2 MiB), so that a call that fits one chunk costs no malloc. With AddressSanitizer every allocation is a block of its
 * own and none is stocked, so that a step over its end and a use after the arena's end are seen. */
#ifndef PX_BASE_ARENA_H
#define PX_BASE_ARENA_H

#include "base/str.h"

struct px_arena_chunk;
struct px_arena {
    struct px_arena_chunk *chunks; /* the newest first */
    char *at, *end;
    size_t used, cap;
    bool small; /* its chunks grow with it */
};

/** Nothing is allocated until the first use. `cap`: bytes handed out in all; over it, px_arena_alloc gives NULL. (Chunks
 *  may hold up to twice as much.) */
void px_arena_init(struct px_arena *a, size_t cap);
/** The same for what lives long and may be small: chunks begin at 256 bytes and grow with what is used, so that little is
 *  held in vain. */
void px_arena_init_small(struct px_arena *a, size_t cap);
/** Free everything; the arena may be used again. */
void px_arena_finish(struct px_arena *a);
/** The same, for one that held secrets: all of it is zeroed first. */
void px_arena_wipe(struct px_arena *a);
/** Zeroed, aligned for any type (16). NULL: over the cap, or no memory. n == 0 gives a valid pointer. */
void *px_arena_alloc(struct px_arena *a, size_t n);
/** The same, not zeroed. */
void *px_arena_raw(struct px_arena *a, size_t n);
/** A copy with a NUL behind its end. p == NULL: absent stays absent, and out of memory gives absent too: look at the p
 *  that came back when the one that went in was not NULL. */
px_str px_arena_str(struct px_arena *a, px_str s);
px_str px_arena_fmt(struct px_arena *a, const char *format, ...) PX_PRINTF(2, 3);
/** Free the stock of chunks; for the end of a test or a process. */
void px_arena_stock_free(void);
/** Chunks that arenas hold now; 0 when all are finished. */
size_t px_arena_chunks_alive(void);

#endif
