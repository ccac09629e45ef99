#include "base/lines.h"
#include <errno.h>

void px_lines_init(struct px_lines *l, size_t cap) {
    *l = (struct px_lines){.cap = cap};
    px_buf_init(&l->buf, cap * 2 + 256 * 1024);
}

void px_lines_finish(struct px_lines *l) {
    px_buf_finish(&l->buf);
}

char *px_lines_room(struct px_lines *l, size_t n) {
    if (l->taken) {
        px_buf_drop(&l->buf, l->taken);
        l->searched -= PX_MIN(l->searched, l->taken);
        l->taken = 0;
    }
    char *room = px_buf_room(&l->buf, n);
    if (!room)
        l->buf.failed = 0;
    return room;
}

void px_lines_added(struct px_lines *l, size_t n) {
    px_buf_added(&l->buf, n);
}

int px_lines_feed(struct px_lines *l, px_str bytes) {
    char *room = px_lines_room(l, bytes.n);
    if (!room)
        return -ENOMEM;
    if (bytes.n)
        memcpy(room, bytes.p, bytes.n);
    px_lines_added(l, bytes.n);
    return 0;
}

/* Throw away up to the newline that ends the long line; true when it was found. */
static bool skip(struct px_lines *l) {
    size_t left = l->buf.n - l->taken;
    const char *end = left ? memchr(l->buf.p + l->taken, '\n', left) : NULL;
    size_t n = end ? (size_t)(end - (l->buf.p + l->taken)) + 1 : left;
    l->taken += n;
    l->searched = l->taken;
    l->skipped += n;
    l->skipping = !end;
    return end != NULL;
}

int px_lines_next(struct px_lines *l, px_str *ret_line) {
    if (l->skipping && !skip(l))
        return 0;
    size_t from = PX_MAX(l->searched, l->taken);
    const char *end = l->buf.n > from ? memchr(l->buf.p + from, '\n', l->buf.n - from) : NULL;
    size_t n = (end ? (size_t)(end - l->buf.p) : l->buf.n) - l->taken;
    /* A "\r" at the end belongs to the line's end, or will be found not to: so it does not count yet. */
    size_t content = n && l->buf.p[l->taken + n - 1] == '\r' ? n - 1 : n;
    if (content > l->cap) {
        *ret_line = px_str_n(l->buf.p + l->taken, PX_MIN(n, (size_t)128));
        l->skipping = true;
        l->skipped = 0;
        skip(l);
        return -EMSGSIZE;
    }
    if (!end) {
        l->searched = l->buf.n;
        return 0;
    }
    *ret_line = px_str_n(l->buf.p + l->taken, content);
    l->taken += n + 1;
    l->searched = l->taken;
    return 1;
}

bool px_lines_skip(struct px_lines *l) {
    return !l->skipping || skip(l);
}

px_str px_lines_rest(const struct px_lines *l) {
    return l->buf.n > l->taken && !l->skipping ? px_str_n(l->buf.p + l->taken, l->buf.n - l->taken)
                                               : (px_str){0};
}

void px_lines_relax(struct px_lines *l) {
    if (l->taken < l->buf.n)
        return;
    px_buf_finish(&l->buf);
    l->taken = l->searched = 0;
}
