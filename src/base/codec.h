/* codec.h: base64, hexadecimal, percent-encoding. Those that add return to->failed. */
#ifndef PX_BASE_CODEC_H
#define PX_BASE_CODEC_H

#include "base/buf.h"

/** RFC 4648 §4, with padding. */
int px_base64_add(struct px_buf *to, px_str bytes);
/** Accepts the standard and the URL alphabet, padded or not; anything else is -EINVAL: blanks too, and a last character
 *  with bits that no byte has (two texts must not decode to one value). -ENOMEM, -EMSGSIZE. On failure `to` is as before,
 *  but for its `failed`. */
PX_MUSTCHECK int px_base64_decode(struct px_buf *to, px_str text);
static inline bool px_is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
/** The byte that the two hexadecimal digits at `p` say, in either case; -1: they are none. */
static inline int px_hex_byte(const char *p) {
    int value = 0;
    for (int i = 0; i < 2; i++) {
        if (!px_is_hex(p[i]))
            return -1;
        value = value << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    }
    return value;
}
/** Lower case. */
int px_hex_add(struct px_buf *to, px_str bytes);
/** RFC 3986: everything but unreserved characters is encoded. */
int px_percent_add(struct px_buf *to, px_str text);

#endif
