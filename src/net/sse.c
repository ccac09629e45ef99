#include "net/sse.h"
#include <errno.h>

enum { WAITING_MAX = 1 << 20 };

void px_sse_init(struct px_sse *s, size_t cap) {
    *s = (struct px_sse){.cap = cap};
    px_buf_init(&s->in, WAITING_MAX);
    px_buf_init(&s->line, cap);
    px_buf_init(&s->data, cap + 1); /* the line feed behind the last line goes again */
    px_buf_init(&s->event, cap);
    px_buf_init(&s->id, cap);
}

void px_sse_finish(struct px_sse *s) {
    px_buf_finish(&s->in);
    px_buf_finish(&s->line);
    px_buf_finish(&s->data);
    px_buf_finish(&s->event);
    px_buf_finish(&s->id);
}

int px_sse_feed(struct px_sse *s, px_str bytes) {
    if (s->taken) {
        px_buf_drop(&s->in, s->taken);
        s->taken = 0;
    }
    int r = px_buf_str(&s->in, bytes);
    s->in.failed = 0;
    return r ? -ENOMEM : 0;
}

/* The byte order mark at the very beginning. False: it may be one, but not all of it is there. */
static bool skip_mark(struct px_sse *s) {
    static const char mark[] = "\xEF\xBB\xBF";
    size_t n = PX_MIN(s->in.n, (size_t)3);
    if (memcmp(s->in.p, mark, n) != 0)
        s->begun = true;
    else if (n == 3) {
        s->taken = 3;
        s->begun = true;
    }
    return s->begun;
}

/* An append over the cap makes the event one that is dropped. */
static int keep(struct px_sse *s, struct px_buf *to, const char *bytes, size_t n) {
    if (s->dropping)
        return 0;
    int r = px_buf_add(to, bytes, n);
    to->failed = 0;
    if (r == -EMSGSIZE) {
        s->dropping = true;
        r = 0;
    }
    return r;
}

static int end_field(struct px_sse *s) {
    px_str line = px_buf_view(&s->line), value = {"", 0};
    const char *colon = memchr(line.p, ':', line.n);
    px_str name = colon ? px_str_n(line.p, (size_t)(colon - line.p)) : line;
    if (colon) {
        value = px_str_n(colon + 1, line.n - name.n - 1);
        if (value.n && *value.p == ' ')
            value = px_str_n(value.p + 1, value.n - 1);
    }
    if (px_str_is(name, "data")) {
        int r = keep(s, &s->data, value.p, value.n);
        return r ? r : keep(s, &s->data, "\n", 1);
    }
    if (px_str_is(name, "event")) {
        px_buf_clear(&s->event, SIZE_MAX);
        return keep(s, &s->event, value.p, value.n);
    }
    if (px_str_is(name, "id") && !memchr(value.p, 0, value.n)) {
        px_buf_clear(&s->id, SIZE_MAX);
        return keep(s, &s->id, value.p, value.n);
    }
    return 0;
}

/* The line is complete. 1: with it, an event is. */
static int end_line(struct px_sse *s, struct px_sse_event *ret) {
    bool empty = !s->in_line, comment = s->comment;
    s->in_line = s->comment = false;
    if (!empty) {
        int r = comment || s->dropping ? 0 : end_field(s);
        px_buf_clear(&s->line, SIZE_MAX);
        return r;
    }
    uint64_t size = s->size;
    s->size = 0;
    s->given = true;
    if (s->dropping) {
        *ret = (struct px_sse_event){.dropped = size, .id = px_buf_view(&s->id)};
        return 1;
    }
    if (!s->data.n)
        return 0;
    px_str data = px_buf_view(&s->data);
    data.n--;
    *ret = (struct px_sse_event){.data = data,
                                 .event = s->event.n ? px_buf_view(&s->event) : PX_LIT("message"),
                                 .id = px_buf_view(&s->id)};
    return 1;
}

/* What a complete event held, after it was given out or found to be none. */
static void forget(struct px_sse *s) {
    px_buf_clear(&s->data, 64 * 1024);
    px_buf_clear(&s->event, 4 * 1024);
    px_buf_clear(&s->line, 64 * 1024);
    s->given = s->dropping = false;
}

static size_t till_end(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] == '\n' || p[i] == '\r')
            return i;
    return n;
}

int px_sse_next(struct px_sse *s, struct px_sse_event *ret) {
    if (!s->begun && (!s->in.n || !skip_mark(s)))
        return 0;
    while (s->taken < s->in.n) {
        if (s->given)
            forget(s);
        const char *p = s->in.p + s->taken;
        if (s->after_cr) {
            s->after_cr = false;
            if (*p == '\n') {
                s->taken++;
                continue;
            }
        }
        size_t left = s->in.n - s->taken, n = till_end(p, left);
        if (n && !s->in_line) {
            s->in_line = true;
            s->comment = *p == ':';
        }
        int r = s->comment ? 0 : keep(s, &s->line, p, n);
        if (r)
            return r;
        s->size += s->comment ? 0 : n;
        s->taken += n;
        if (n == left)
            break;
        s->after_cr = p[n] == '\r';
        s->taken++;
        r = end_line(s, ret);
        if (r)
            return r;
    }
    return 0;
}
