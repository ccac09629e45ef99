/* codec.h: base64, hexadecimal, percent-encoding. */
#ifndef PX_BASE_CODEC_H
#define PX_BASE_CODEC_H

#include "base/buf.h"

/** RFC 4648 §4, with padding. */
int px_base64_add(struct px_buf *to, px_str bytes);
/** Accepts the standard and the URL alphabet, padded or not; anything else, blanks too, is -EINVAL. */
PX_MUSTCHECK int px_base64_decode(struct px_buf *to, px_str text);
int px_hex_add(struct px_buf *to, px_str bytes);
/** RFC 3986: everything but unreserved characters is encoded. */
int px_percent_add(struct px_buf *to, px_str text);

#endif
