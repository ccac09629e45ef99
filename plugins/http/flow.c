/* flow.c: characters, and what is due before them. */
#include "flow.h"
#include <string.h>

void ht_put(struct ht_out *o, const char *p, size_t n) {
    size_t room = o->opts->max_text - o->to->n;
    if (o->cut)
        return;
    o->cut = n > room;
    if (o->cut) /* what fits, in whole characters */
        for (n = room; n && ((unsigned char)p[n] & 0xc0) == 0x80; n--)
            ;
    ht_buf_add(o->to, p, n);
    o->cut = o->cut || o->to->failed;
}

static void end_line(struct ht_out *o) {
    size_t n = o->n_prefix < o->n_last ? o->n_prefix : o->n_last;
    ht_put(o, "\n", 1);
    if (o->lines > 1) { /* a blank line belongs to what both of its neighbours are in */
        while (n && o->prefix[n - 1] == ' ')
            n--;
        ht_put(o, o->prefix, n);
        ht_put(o, "\n", 1);
    }
}

/* What is due, before a visible character. */
static void flush(struct ht_out *o) {
    bool first = !o->to->n;
    if (o->lines && !first)
        end_line(o);
    if (o->lines || first) {
        ht_put(o, o->prefix, o->n_mark ? o->n_marked : o->n_prefix);
        ht_put(o, o->mark, o->n_mark);
        o->n_mark = 0;
        o->n_last = o->n_prefix;
    } else if (o->space && o->to->p[o->to->n - 1] != ' ') {
        ht_put(o, " ", 1);
    }
    o->lines = 0;
    o->space = false;
    if (o->seen == HT_NOWHERE)
        o->seen = (ptrdiff_t)o->to->n;
}

void ht_words(struct ht_out *o, const char *text) {
    flush(o);
    ht_put(o, text, strlen(text));
}

void ht_want(struct ht_out *o, int lines) {
    if (o->flat)
        o->space = true;
    else if (o->lines < lines)
        o->lines = lines;
    if (!o->flat)
        o->space = false;
}

/* Characters without a shape of their own: zero-width ones, those that turn the direction of text, tags (U+E0000). They
 * carry nothing that a reader sees. 0: it is not one; else its length. */
static size_t invisible(const unsigned char *p, size_t left) {
    if (left >= 2 && p[0] == 0xc2 && p[1] == 0xad)
        return 2; /* soft hyphen */
    if (left >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
        ((p[2] >= 0x8b && p[2] <= 0x8f && p[2] != 0x8c && p[2] != 0x8d) || (p[2] >= 0xaa && p[2] <= 0xae)))
        return 3;
    if (left >= 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)
        return 3;
    if (left >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
        return 3;
    if (left >= 4 && p[0] == 0xf3 && p[1] == 0xa0 && (p[2] == 0x80 || p[2] == 0x81))
        return 4;
    return 0;
}

/* White space, and characters that count as it: their length. */
static size_t blank(const unsigned char *p, size_t left) {
    if (p[0] <= ' ' || p[0] == 0x7f)
        return 1;
    if (left >= 2 && p[0] == 0xc2 && (p[1] == 0xa0 || (p[1] >= 0x80 && p[1] < 0xa0)))
        return 2;
    if (left >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
        (p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf))
        return 3;
    return left >= 3 && p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
}

void ht_flowing(struct ht_out *o, const char *text, size_t n) {
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < n && !o->cut) {
        size_t from = i, skip;
        while (i < n && !blank(p + i, n - i) && !invisible(p + i, n - i) && !(o->cell && p[i] == '|'))
            i++;
        if (i > from) {
            flush(o);
            ht_put(o, text + from, i - from);
        }
        if (i == n)
            break;
        if ((skip = invisible(p + i, n - i))) {
            i += skip;
        } else if ((skip = blank(p + i, n - i))) {
            o->space = !o->lines;
            i += skip;
        } else {
            ht_words(o, "\\|");
            i++;
        }
    }
}

void ht_verbatim(struct ht_out *o, const char *text, size_t n) {
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < n && !o->cut;) {
        size_t from = i, skip = 0;
        while (i < n && p[i] != '\n' && p[i] != '\r' && !(skip = invisible(p + i, n - i)))
            i++;
        if (i > from) {
            flush(o);
            ht_put(o, text + from, i - from);
            o->opening = false;
        }
        if (i < n && p[i] == '\n' && !o->opening) {
            flush(o);
            o->lines = 1;
        }
        i += skip ? skip : i < n;
        o->opening = false;
    }
}

void ht_insert(struct ht_out *o, ptrdiff_t at, char c) {
    size_t from = (size_t)at;
    ht_put(o, "", 1); /* room; it is written over */
    if (o->cut)
        return;
    memmove(o->to->p + from + 1, o->to->p + from, o->to->n - 1 - from);
    o->to->p[from] = c;
}

size_t ht_indent(struct ht_out *o, const char *by) {
    size_t before = o->n_prefix, n = strlen(by);
    if (before + n < HT_PREFIX) {
        memcpy(o->prefix + before, by, n);
        o->n_prefix += n;
    }
    return before;
}

void ht_mark(struct ht_out *o, const char *text) {
    size_t n = strlen(text);
    if (!o->n_mark)
        o->n_marked = o->n_prefix;
    if (o->n_mark + n < sizeof o->mark) {
        memcpy(o->mark + o->n_mark, text, n);
        o->n_mark += n;
    }
}
