/* write.h: JSON written straight into a buffer, with commas and quotes in the right places.
 * Text is escaped as RFC 8259 asks and no more; bytes that are not UTF-8 become U+FFFD. Errors are the buffer's: write
 * everything, then look at buf->failed once. */
#ifndef PX_JSON_WRITE_H
#define PX_JSON_WRITE_H

#include "base/buf.h"

struct px_jw {
    struct px_buf *to;
    uint64_t nonempty; /* one bit a level: something stands before */
    unsigned depth;    /* at most 63: deeper fails the buffer with -EMSGSIZE */
};

static inline void px_jw_init(struct px_jw *w, struct px_buf *to) {
    *w = (struct px_jw){.to = to};
}
void px_jw_object(struct px_jw *w);
void px_jw_object_end(struct px_jw *w);
void px_jw_array(struct px_jw *w);
void px_jw_array_end(struct px_jw *w);
/** The key of the next value; `key` needs no escaping (a literal of ours, whose length the compiler knows). */
void px_jw_key_n(struct px_jw *w, const char *key, size_t n);
static inline void px_jw_key(struct px_jw *w, const char *key) {
    px_jw_key_n(w, key, strlen(key));
}
/** The same for a key that may need it. */
void px_jw_key_str(struct px_jw *w, px_str key);
/** The same for a key that is quoted and escaped already, as px_json_slice_next gives it. */
void px_jw_key_raw(struct px_jw *w, px_str quoted);
void px_jw_str(struct px_jw *w, px_str text); /* absent writes null */
static inline void px_jw_text(struct px_jw *w, const char *text) {
    px_jw_str(w, px_str_of(text));
}
void px_jw_raw(struct px_jw *w, px_str json); /* valid JSON, copied byte for byte; absent writes null */
void px_jw_i64(struct px_jw *w, int64_t v);
void px_jw_u64(struct px_jw *w, uint64_t v);
void px_jw_bool(struct px_jw *w, bool v);
void px_jw_null(struct px_jw *w);

/** A quoted string into a buffer, outside any writer; absent is empty. */
int px_json_quote(struct px_buf *to, px_str text);

/** Bytes that `text` takes inside a JSON string, without the quotes: exactly those that are written here. */
uint64_t px_json_escaped_size(px_str text);
/** Of the byte or character that `s` (not empty) begins with; *ret_bytes: how many bytes of `s` it is. */
uint64_t px_json_escaped_step(px_str s, size_t *ret_bytes);

#endif
