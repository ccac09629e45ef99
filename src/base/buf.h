/* buf.h: a growing byte buffer that declares its cap. Heap; amortised O(1) appends.
 * An append over the cap, or out of memory, fails with -EMSGSIZE or -ENOMEM and sets the buffer's `failed`, which stays
 * until px_buf_clear: so a writer may append many pieces and look once. What failed was appended not at all.
 * What is appended must not lie in the buffer itself. */
#ifndef PX_BASE_BUF_H
#define PX_BASE_BUF_H

#include "base/str.h"

struct px_buf {
    char *p; /* NUL behind the content when not NULL */
    size_t n, room, cap;
    int failed; /* 0 or the -errno of the first append that failed */
};

static inline void px_buf_init(struct px_buf *b, size_t cap) {
    *b = (struct px_buf){.cap = cap};
}
void px_buf_finish(struct px_buf *b);
/** Forget the content, keep the memory (unless it is over `keep` bytes: then it is freed). */
void px_buf_clear(struct px_buf *b, size_t keep);
int px_buf_addf(struct px_buf *b, const char *format, ...) PX_PRINTF(2, 3);
/** Make room for n more bytes and return where they go; commit with px_buf_added. NULL: over the cap or no memory. */
char *px_buf_room(struct px_buf *b, size_t n);
static inline void px_buf_added(struct px_buf *b, size_t n) {
    b->n += n;
    b->p[b->n] = 0;
}
int px_buf_add_grow(struct px_buf *b, const void *bytes, size_t n);
/** Most pieces are a few bytes, and there is room: that takes no call. */
static inline int px_buf_add(struct px_buf *b, const void *bytes, size_t n) {
    if (b->failed || !n || n >= b->room - b->n)
        return px_buf_add_grow(b, bytes, n);
    memcpy(b->p + b->n, bytes, n);
    px_buf_added(b, n);
    return 0;
}
/** Drop the first n bytes, at most all; moves the rest. */
void px_buf_drop(struct px_buf *b, size_t n);

static inline int px_buf_str(struct px_buf *b, px_str s) {
    return px_buf_add(b, s.p, s.n);
}
static inline int px_buf_text(struct px_buf *b, const char *s) {
    return px_buf_add(b, s, strlen(s));
}
static inline int px_buf_char(struct px_buf *b, char c) {
    if (b->n + 1 < b->room && !b->failed) {
        b->p[b->n++] = c;
        b->p[b->n] = 0;
        return 0;
    }
    return px_buf_add(b, &c, 1);
}
/** What is in it; valid until the next append. */
static inline px_str px_buf_view(const struct px_buf *b) {
    return (px_str){b->p ? b->p : "", b->n};
}
/** Decimal digits of a number. */
int px_buf_u64(struct px_buf *b, uint64_t value);
int px_buf_i64(struct px_buf *b, int64_t value);

#endif
