#include "base/buf.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void px_buf_finish(struct px_buf *b) {
    free(b->p);
    *b = (struct px_buf){.cap = b->cap};
}

void px_buf_clear(struct px_buf *b, size_t keep) {
    if (b->room > keep)
        px_buf_finish(b);
    b->n = 0;
    b->failed = 0;
    if (b->p)
        b->p[0] = 0;
}

static int grow(struct px_buf *b, size_t n) {
    if (b->failed)
        return b->failed;
    if (n > b->cap || b->n > b->cap - n)
        return b->failed = -EMSGSIZE;
    if (n > SIZE_MAX / 8 || b->n > SIZE_MAX / 8)
        return b->failed = -ENOMEM;
    size_t need = b->n + n + 1, room = b->room ? b->room : 64;
    while (room < need)
        room *= 2;
    room = b->cap < room ? b->cap + 1 : room;
    char *p = realloc(b->p, room);
    if (!p)
        return b->failed = -ENOMEM;
    b->p = p;
    b->room = room;
    return 0;
}

char *px_buf_room(struct px_buf *b, size_t n) {
    if ((b->failed || n >= b->room - b->n) && grow(b, n)) /* one byte is the NUL's */
        return NULL;
    return b->p + b->n;
}

int px_buf_add_grow(struct px_buf *b, const void *bytes, size_t n) {
    char *to = px_buf_room(b, n);
    if (!to)
        return b->failed;
    if (n)
        memcpy(to, bytes, n);
    px_buf_added(b, n);
    return 0;
}

int px_buf_addf(struct px_buf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 && !b->failed) /* longer than an int can say, or no such character */
        b->failed = -EMSGSIZE;
    char *to = n < 0 ? NULL : px_buf_room(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        px_buf_added(b, (size_t)n);
    }
    va_end(again);
    return to ? 0 : b->failed;
}

void px_buf_drop(struct px_buf *b, size_t n) {
    n = PX_MIN(n, b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = 0;
}

int px_buf_u64(struct px_buf *b, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return px_buf_add(b, digits + at, sizeof digits - at);
}

int px_buf_i64(struct px_buf *b, int64_t value) {
    if (value >= 0)
        return px_buf_u64(b, (uint64_t)value);
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRId64, value);
    return px_buf_add(b, digits, (size_t)n);
}
