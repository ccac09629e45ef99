/* buf.c: text that grows. */
#include "buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void ht_buf_free(struct ht_buf *b) {
    free(b->p);
    *b = (struct ht_buf){.max = b->max};
}

char *ht_buf_room(struct ht_buf *b, size_t n) {
    if (b->failed || n > b->max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (n > b->cap - b->n) {
        size_t cap = b->cap < 1024 ? 1024 : b->cap * 2;
        while (cap - b->n < n)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void ht_buf_add(struct ht_buf *b, const char *p, size_t n) {
    char *room = n ? ht_buf_room(b, n) : NULL;
    if (!room)
        return;
    memcpy(room, p, n);
    b->n += n;
}

void ht_buf_text(struct ht_buf *b, const char *text) {
    ht_buf_add(b, text, strlen(text));
}

void ht_buf_str(struct ht_buf *b, px_str s) {
    ht_buf_add(b, s.p, s.n);
}

void ht_buf_u64(struct ht_buf *b, uint64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    ht_buf_add(b, digits, (size_t)n);
}

/* ---- UTF-8 and JSON ---- */

size_t ht_utf8_sequence(const unsigned char *p, size_t left) {
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
               (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : n;
}

static size_t escape(unsigned char c, char to[8]) {
    static const char pairs[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *s = pairs; *s; s += 2)
        if ((unsigned char)*s == c) {
            to[0] = '\\';
            to[1] = s[1];
            return 2;
        }
    return (size_t)snprintf(to, 8, "\\u%04x", c);
}

void ht_buf_json(struct ht_buf *b, px_str text) {
    const unsigned char *p = (const unsigned char *)text.p;
    char escaped[8];
    size_t done = 0, i = 0;
    ht_buf_text(b, "\"");
    while (i < text.n && !b->failed) {
        size_t n = ht_utf8_sequence(p + i, text.n - i);
        if (n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
            i += n;
            continue;
        }
        ht_buf_add(b, text.p + done, i - done);
        if (n)
            ht_buf_add(b, escaped, escape(p[i], escaped));
        else
            ht_buf_text(b, "\xef\xbf\xbd");
        done = ++i;
    }
    if (i > done)
        ht_buf_add(b, text.p + done, i - done);
    ht_buf_text(b, "\"");
}

void ht_buf_key(struct ht_buf *b, const char *key) {
    if (b->n && b->p[b->n - 1] != '{')
        ht_buf_text(b, ",");
    ht_buf_json(b, ht_str(key));
    ht_buf_text(b, ":");
}

void ht_buf_member(struct ht_buf *b, const char *key, px_str text) {
    ht_buf_key(b, key);
    ht_buf_json(b, text);
}

size_t ht_utf8_fit(px_str text, size_t max_json) {
    const unsigned char *p = (const unsigned char *)text.p;
    char escaped[8];
    size_t i = 0, used = 2;
    while (i < text.n) {
        size_t n = ht_utf8_sequence(p + i, text.n - i);
        size_t cost = !n ? 3 : p[i] < 0x20 || p[i] == '"' || p[i] == '\\' ? escape(p[i], escaped) : n;
        if (used + cost > max_json)
            break;
        used += cost;
        i += n ? n : 1;
    }
    return i;
}

/* ---- lines ---- */

enum { NEWLINE = 1, ESCAPE = 2 };

/* Nearly every page: it has no byte that would have to be escaped. memchr() looks at many bytes at once. */
static bool put_simple(struct ht_buf *b, px_str bytes) {
    for (int c = 0; c <= ESCAPE; c++)
        if (memchr(bytes.p, c, bytes.n))
            return false;
    char *to = ht_buf_room(b, bytes.n), *end = to ? to + bytes.n : NULL;
    if (!to)
        return true;
    memcpy(to, bytes.p, bytes.n);
    b->n += bytes.n;
    while ((to = memchr(to, '\n', (size_t)(end - to))))
        *to++ = NEWLINE;
    return true;
}

void ht_line_put(struct ht_buf *b, px_str bytes) {
    if (!bytes.n || put_simple(b, bytes))
        return;
    size_t done = 0, i = 0;
    for (; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        if (c > ESCAPE && c != '\n')
            continue;
        char two[2] = {c == '\n' ? NEWLINE : ESCAPE, (char)('a' + c)};
        ht_buf_add(b, bytes.p + done, i - done);
        ht_buf_add(b, two, c == '\n' ? 1 : 2);
        done = i + 1;
    }
    if (i > done)
        ht_buf_add(b, bytes.p + done, i - done);
}

ptrdiff_t ht_line_take(char *p, size_t n) {
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == NEWLINE)
            c = '\n';
        else if (c == ESCAPE && i + 1 < n && p[i + 1] >= 'a' && p[i + 1] <= 'a' + ESCAPE)
            c = (char)(p[++i] - 'a');
        else if (c == ESCAPE)
            return -1;
        p[to++] = c;
    }
    return (ptrdiff_t)to;
}

/* ---- words ---- */

bool ht_begins(px_str s, const char *text) {
    size_t n = strlen(text);
    return s.n >= n && strncasecmp(s.p, text, n) == 0;
}

bool ht_is(px_str s, const char *text) {
    return s.n == strlen(text) && ht_begins(s, text);
}

bool ht_has(px_str s, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.n; i++)
        if (strncasecmp(s.p + i, word, n) == 0)
            return true;
    return false;
}
