#include "json/write.h"
#include "json/text.h"

enum { MOST_DEPTH = 63 };

/* ---- strings ---- */

static const char *const short_escapes[0x20] = {
    ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
};

/* One byte or sequence that cannot be copied as it is, but no quote or backslash. */
static void add_special(struct px_buf *to, const char **p, const char *end) {
    unsigned char c = (unsigned char)**p;
    if (c >= 0x80) {
        int n = px_utf8_step(*p, end);
        if (n > 0)
            px_buf_add(to, *p, (size_t)n);
        else
            px_buf_add(to, "\xef\xbf\xbd", 3);
        *p += n > 0 ? n : -n;
        return;
    }
    (*p)++;
    if (short_escapes[c])
        px_buf_add(to, short_escapes[c], 2);
    else
        px_buf_add(to, (char[]){'\\', 'u', '0', '0', (char)('0' + (c >> 4)), "0123456789abcdef"[c & 15]}, 6);
}

/* Room for n more bytes; without a call when it is there. */
static inline char *room(struct px_buf *to, size_t n) {
    return !to->failed && to->n + n < to->room ? to->p + to->n : px_buf_room(to, n);
}

/* The text, escaped, without quotes. */
static void add_escaped(struct px_buf *to, px_str text) {
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        const char *stop = px_plain_end(p, end);
        /* Whole sequences are plain too: they need no escape, so a run goes on over them. */
        while (stop < end && (unsigned char)*stop >= 0x80) {
            int n = px_utf8_step(stop, end);
            if (n < 0)
                break;
            stop = px_plain_end(stop + n, end);
        }
        size_t n = (size_t)(stop - p);
        bool mark = stop < end && (*stop == '"' || *stop == '\\'); /* JSON in JSON is full of them */
        char *at = room(to, n + 2 * mark);
        if (!at)
            return;
        memcpy(at, p, n);
        p = stop;
        if (mark) {
            at[n++] = '\\';
            at[n++] = *p++;
        }
        px_buf_added(to, n);
        if (!mark && p < end)
            add_special(to, &p, end);
    }
}

/* Copy up to the first byte that is not plain, which is returned; `end` when all are. Keys and names are short: eight
 * bytes a step and no call. `to` has room for all of it. */
static inline const char *copy_plain(char *to, const char *p, const char *end) {
    while (end - p >= 8) {
        uint64_t word = px_load8(p), stop = px_not_plain(word);
        memcpy(to, &word, sizeof word);
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
        p += 8;
        to += 8;
    }
    while (p < end && px_is_plain(*p))
        *to++ = *p++;
    return p;
}

/* `before` and `behind`: what stands around the quoted text, one byte each; 0: nothing. Text that needs no escape, the
 * usual case, takes one look for room and one pass. */
static inline void add_quoted(struct px_buf *to, char before, px_str text, char behind) {
    if (!text.p)
        text = PX_LIT("");
    char *begin = room(to, text.n + 4), *at = begin;
    if (!begin)
        return;
    const char *end = text.p + text.n;
    *at = before;
    at += before != 0;
    *at++ = '"';
    const char *stop = copy_plain(at, text.p, end);
    at += stop - text.p;
    if (stop < end) {
        px_buf_added(to, (size_t)(at - begin));
        add_escaped(to, px_str_n(stop, (size_t)(end - stop)));
        px_buf_char(to, '"');
        if (behind)
            px_buf_char(to, behind);
        return;
    }
    *at++ = '"';
    *at = behind;
    at += behind != 0;
    px_buf_added(to, (size_t)(at - begin));
}

int px_json_quote(struct px_buf *to, px_str text) {
    add_quoted(to, 0, text, 0);
    return to->failed;
}

/* ---- what text costs: the sizes of what add_special writes ---- */

uint64_t px_json_escaped_step(px_str s, size_t *ret_bytes) {
    unsigned char c = (unsigned char)s.p[0];
    *ret_bytes = 1;
    if (c >= 0x80) {
        int n = px_utf8_step(s.p, s.p + s.n);
        *ret_bytes = (size_t)(n > 0 ? n : -n);
        return n > 0 ? (uint64_t)n : 3; /* U+FFFD */
    }
    if (c == '"' || c == '\\')
        return 2;
    return c >= 0x20 ? 1 : short_escapes[c] ? 2 : 6;
}

uint64_t px_json_escaped_size(px_str text) {
    const char *p = text.p, *end = text.n ? p + text.n : p;
    uint64_t size = 0;
    while (p < end) {
        const char *stop = px_plain_end(p, end);
        size += (uint64_t)(stop - p);
        p = stop;
        size_t n;
        if (p < end) {
            size += px_json_escaped_step(px_str_n(p, (size_t)(end - p)), &n);
            p += n;
        }
    }
    return size;
}

/* ---- the writer ---- */

/* The comma that stands before the next thing at this level, or 0. */
static inline char comma(struct px_jw *w) {
    uint64_t bit = 1ull << w->depth;
    char c = w->nonempty & bit ? ',' : 0;
    w->nonempty |= bit;
    return c;
}

static inline void add_value(struct px_jw *w, const char *text, size_t n) {
    char *at = room(w->to, n + 1);
    if (!at)
        return;
    char c = comma(w);
    *at = c;
    size_t skip = c != 0;
    if (n)
        memcpy(at + skip, text, n);
    px_buf_added(w->to, n + skip);
}

static void open_level(struct px_jw *w, char bracket) {
    if (w->depth >= MOST_DEPTH) {
        w->to->failed = w->to->failed ? w->to->failed : -EMSGSIZE;
        return;
    }
    add_value(w, &bracket, 1);
    w->depth++;
    w->nonempty &= ~(1ull << w->depth);
}

static void close_level(struct px_jw *w, char bracket) {
    if (w->depth)
        w->depth--;
    px_buf_char(w->to, bracket);
}

void px_jw_object(struct px_jw *w) {
    open_level(w, '{');
}
void px_jw_object_end(struct px_jw *w) {
    close_level(w, '}');
}
void px_jw_array(struct px_jw *w) {
    open_level(w, '[');
}
void px_jw_array_end(struct px_jw *w) {
    close_level(w, ']');
}

/* A key clears the mark again: its value needs no comma. */
void px_jw_key_n(struct px_jw *w, const char *key, size_t n) {
    char *begin = room(w->to, n + 4), *at = begin;
    if (!begin)
        return;
    char c = comma(w);
    *at = c;
    at += c != 0;
    *at++ = '"';
    memcpy(at, key, n);
    at += n;
    *at++ = '"';
    *at++ = ':';
    px_buf_added(w->to, (size_t)(at - begin));
    w->nonempty &= ~(1ull << w->depth);
}

void px_jw_key_str(struct px_jw *w, px_str key) {
    add_quoted(w->to, comma(w), key, ':');
    w->nonempty &= ~(1ull << w->depth);
}

void px_jw_key_raw(struct px_jw *w, px_str quoted) {
    add_value(w, quoted.p, quoted.n);
    px_buf_char(w->to, ':');
    w->nonempty &= ~(1ull << w->depth);
}

void px_jw_str(struct px_jw *w, px_str text) {
    if (text.p)
        add_quoted(w->to, comma(w), text, 0);
    else
        px_jw_null(w);
}

void px_jw_raw(struct px_jw *w, px_str json) {
    if (json.p)
        add_value(w, json.p, json.n);
    else
        px_jw_null(w);
}

void px_jw_u64(struct px_jw *w, uint64_t v) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    add_value(w, digits + at, sizeof digits - at);
}

void px_jw_i64(struct px_jw *w, int64_t v) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (v < 0)
        digits[--at] = '-';
    add_value(w, digits + at, sizeof digits - at);
}

void px_jw_bool(struct px_jw *w, bool v) {
    add_value(w, v ? "true" : "false", v ? 4 : 5);
}

void px_jw_null(struct px_jw *w) {
    add_value(w, "null", 4);
}
