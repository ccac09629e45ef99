/* out.h: a small JSON writer over memory of a fixed size; both sides of the plugin use it.
 * A comma is put wherever the byte before asks for one, so a caller only says what comes next. What does not fit sets
 * `failed` and writes nothing more; a writer may be set back to an earlier length (sq_out_back), which clears it. */
#ifndef SQ_OUT_H
#define SQ_OUT_H

#include <plexus/plugin.h>
#include <stdbool.h>

struct sq_out {
    char *p;
    size_t n, cap;
    bool failed;
};

static inline struct sq_out sq_out_over(void *memory, size_t cap) {
    return (struct sq_out){.p = memory, .cap = cap};
}
static inline px_str sq_out_view(const struct sq_out *o) {
    return (px_str){o->p, o->n};
}
/** Back to a length it had. */
static inline void sq_out_back(struct sq_out *o, size_t n) {
    o->n = n;
    o->failed = false;
}

/** Bytes as they are, without a comma. */
void sq_out_bytes(struct sq_out *o, const char *p, size_t n);
/** Text of ours as it is, without a comma. */
void sq_out_words(struct sq_out *o, const char *text);
/** '{', '[' with the comma before, '}', ']'. */
void sq_out_open(struct sq_out *o, char bracket);
void sq_out_close(struct sq_out *o, char bracket);
/** A key of ours, and its colon. */
void sq_out_key(struct sq_out *o, const char *key);
/** A value that is JSON already. */
void sq_out_json(struct sq_out *o, px_str json);
void sq_out_i64(struct sq_out *o, int64_t v);
void sq_out_bool(struct sq_out *o, bool v);
/** The shortest digits that give the same double back, always with a '.' or an 'e'; finite ones only. */
void sq_out_real(struct sq_out *o, double v);
/** A string; bytes that are not UTF-8 become U+FFFD. */
void sq_out_text(struct sq_out *o, px_str text);
/** A string of base64 (RFC 4648 §4). */
void sq_out_base64(struct sq_out *o, px_str bytes);

bool sq_utf8(px_str s);

static inline px_str sq_str(const char *text) {
    size_t n = 0;
    while (text && text[n])
        n++;
    return (px_str){text, n};
}

#endif
