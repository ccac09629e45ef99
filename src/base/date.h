/* date.h: dates in texts of others, as Unix time in milliseconds. Strict: what is not whole is none. -EINVAL: it is no date. */
#ifndef PX_BASE_DATE_H
#define PX_BASE_DATE_H

#include "base/str.h"

/** The three forms of HTTP (RFC 9110 §5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT" and the two of the last century. A year of two digits is the one that is at
 *  most 50 years after `now_unix_ms`. */
PX_MUSTCHECK int px_date_http(px_str text, int64_t now_unix_ms, int64_t *ret_unix_ms);
/** RFC 3339: "2026-11-23T20:15:00Z", with any offset; of a fraction what is finer than milliseconds is dropped. */
PX_MUSTCHECK int px_date_rfc3339(px_str text, int64_t *ret_unix_ms);

#endif
