/* buf.h: text that grows, up to a most; both sides of the plugin use it. What does not fit, or finds no memory, sets
 * `failed`, and nothing more is added. */
#ifndef HT_BUF_H
#define HT_BUF_H

#include <plexus/plugin.h>
#include <stdbool.h>
#include <stddef.h>

struct ht_buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};

static inline void ht_buf_init(struct ht_buf *b, size_t max) {
    *b = (struct ht_buf){.max = max};
}
void ht_buf_free(struct ht_buf *b);
static inline px_str ht_buf_view(const struct ht_buf *b) {
    return (px_str){b->p ? b->p : "", b->n};
}
/** Room for `n` more bytes; NULL: there is none. */
char *ht_buf_room(struct ht_buf *b, size_t n);
void ht_buf_add(struct ht_buf *b, const char *p, size_t n);
void ht_buf_text(struct ht_buf *b, const char *text);
void ht_buf_str(struct ht_buf *b, px_str s);
void ht_buf_u64(struct ht_buf *b, uint64_t v);
/** A JSON string; bytes that are not UTF-8 become U+FFFD. */
void ht_buf_json(struct ht_buf *b, px_str text);
/** A member of an object, with the comma before it when it is not the first: `"key":"text"`. */
void ht_buf_key(struct ht_buf *b, const char *key);
void ht_buf_member(struct ht_buf *b, const char *key, px_str text);

/** Any bytes as a line, which can hold neither newlines nor NULs: 01 stands for a newline, 02 for an escape. */
void ht_line_put(struct ht_buf *b, px_str bytes);
/** Back, in place; the length. -1: it is no such line. */
ptrdiff_t ht_line_take(char *p, size_t n);

/** How many bytes the UTF-8 sequence at p has (RFC 3629); 0: there is none. */
size_t ht_utf8_sequence(const unsigned char *p, size_t left);
/** The length of the longest beginning, of whole characters, of at most `max` bytes whose JSON form has at most `max_json`. */
size_t ht_utf8_fit(px_str text, size_t max_json);

static inline px_str ht_str(const char *text) {
    size_t n = 0;
    while (text && text[n])
        n++;
    return (px_str){text, n};
}
bool ht_is(px_str s, const char *text); /* letters in either case */
bool ht_begins(px_str s, const char *text);
bool ht_has(px_str s, const char *word); /* somewhere in it */

#endif
