#include "cli/feed.h"
#include <errno.h>

enum { CHUNK = 65536 };

/* ---- the id of a line that is too long to keep --------------------------------------------------------------- */

static void keep_id(struct px_idfind *f, char c) {
    if (f->id_n <= PX_FEED_ID_MAX)
        f->id[f->id_n++] = c;
}

static void find_in_string(struct px_idfind *f, char c) {
    if (f->depth == 1 && f->at_value && f->wanted)
        keep_id(f, c);
    else if (f->depth == 1 && !f->at_value && !(c == '"' && !f->escaped) && f->key_n < sizeof f->key)
        f->key[f->key_n++] = c;
    if (f->escaped)
        f->escaped = false;
    else if (c == '\\')
        f->escaped = true;
    else if (c == '"')
        f->in_string = false;
}

static void find_outside(struct px_idfind *f, char c) {
    switch (c) {
    case '"':
        f->in_string = true;
        if (f->depth == 1 && !f->at_value)
            f->key_n = 0;
        break;
    case '{':
    case '[': f->depth++; return;
    case '}':
    case ']':
        if (f->depth)
            f->depth--;
        return;
    case ':':
        if (f->depth == 1) {
            f->at_value = true;
            f->wanted = f->key_n == 2 && memcmp(f->key, "id", 2) == 0;
            f->id_n = f->wanted ? 0 : f->id_n;
        }
        return;
    case ',':
        if (f->depth == 1)
            f->at_value = f->wanted = false;
        return;
    case ' ':
    case '\t':
    case '\r': return;
    default: break;
    }
    if (f->depth == 1 && f->at_value && f->wanted)
        keep_id(f, c);
}

static void find(struct px_idfind *f, px_str bytes) {
    for (size_t i = 0; i < bytes.n; i++) {
        if (f->in_string)
            find_in_string(f, bytes.p[i]);
        else
            find_outside(f, bytes.p[i]);
    }
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

void px_feed_init(struct px_feed *f, size_t cap) {
    *f = (struct px_feed){.cap = cap};
    px_buf_init(&f->buf, cap + 2 * CHUNK);
}

void px_feed_finish(struct px_feed *f) {
    px_buf_finish(&f->buf);
}

char *px_feed_room(struct px_feed *f, size_t *ret_n) {
    px_buf_drop(&f->buf, f->taken);
    f->searched -= PX_MIN(f->searched, f->taken);
    f->taken = 0;
    if (f->buf.n == 0 && f->buf.room > 4 * (size_t)CHUNK)
        px_buf_finish(&f->buf); /* one long line does not cost memory for ever */
    *ret_n = CHUNK;
    char *room = px_buf_room(&f->buf, CHUNK);
    f->buf.failed = 0;
    return room;
}

void px_feed_added(struct px_feed *f, size_t n) {
    px_buf_added(&f->buf, n);
}

/* Throw away up to the end of the long line; true when it was reached. */
static bool skip(struct px_feed *f) {
    const char *from = f->buf.p + f->taken;
    size_t left = f->buf.n - f->taken;
    const char *end = left ? memchr(from, '\n', left) : NULL;
    size_t n = end ? (size_t)(end - from) : left;
    find(&f->find, px_str_n(from, n));
    f->taken += n + (end ? 1 : 0);
    f->searched = f->taken;
    f->skipping = !end;
    return end != NULL;
}

int px_feed_next(struct px_feed *f, px_str *ret_line) {
    if (!f->skipping) {
        size_t from = PX_MAX(f->searched, f->taken);
        const char *end = f->buf.n > from ? memchr(f->buf.p + from, '\n', f->buf.n - from) : NULL;
        size_t n = (end ? (size_t)(end - f->buf.p) : f->buf.n) - f->taken;
        if (end && n <= f->cap) {
            *ret_line = px_str_n(f->buf.p + f->taken, n);
            f->taken += n + 1;
            f->searched = f->taken;
            if (n && ret_line->p[n - 1] == '\r')
                ret_line->n--;
            return 1;
        }
        f->searched = f->buf.n;
        if (n <= f->cap)
            return 0;
        f->find = (struct px_idfind){0};
    }
    if (!skip(f))
        return 0;
    *ret_line = f->find.id_n <= PX_FEED_ID_MAX ? px_str_n(f->find.id, f->find.id_n) : px_str_n("", 0);
    return -EMSGSIZE;
}
