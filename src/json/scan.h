/* scan.h: the strict look at JSON text that comes before everything else (RFC 8259, RFC 7493).
 * Accepts exactly one value: valid UTF-8, no duplicate keys (compared decoded), no lone surrogates in escapes, no BOM, within
 * the limits. Linear in the text; allocates only for objects with many keys. */
#ifndef PX_JSON_SCAN_H
#define PX_JSON_SCAN_H

#include "base/err.h"
#include "base/str.h"

struct px_json_limits {
    size_t bytes;   /* of the whole text; 0: 64 MiB; at most 2 GiB */
    unsigned depth; /* of nesting; 0: 64; at most 512 */
    size_t values;  /* of all values; 0: 1,000,000 */
};

struct px_json_scan {
    size_t values;  /* how many there are */
    unsigned depth; /* how deep they nest */
    size_t inexact; /* numbers a double cannot carry: over 15 digits or its range, integers from 1e15, -0 */
    size_t nul;     /* strings and keys with an escaped NUL */
    px_str value;   /* the value without the white space around it */
};

/** `limits` may be NULL. -EINVAL: not JSON; -EMSGSIZE: over a limit; -ENOMEM. err says what and at which byte, and
 *  *ret_at (may be NULL) is that byte's offset. */
PX_MUSTCHECK int px_json_scan(px_str text, const struct px_json_limits *limits, struct px_json_scan *ret,
                              size_t *ret_at, struct px_err *err);

/* ---- the same in steps, each of which looks at a bounded part of a text that is large ---- */

struct px_json_scanner;
/** `text` stays where it is until the scanner goes. NULL: no memory. */
struct px_json_scanner *px_json_scanner_create(px_str text, const struct px_json_limits *limits);
void px_json_scanner_destroy(struct px_json_scanner *scanner); /* NULL is fine */
/** Look at about `bytes` more: 1: there is more to look at; else as px_json_scan, with the same results, and no step may follow. What takes longer
 *  is a run of characters that need no closer look, at some GB/s. */
PX_MUSTCHECK int px_json_scanner_step(struct px_json_scanner *scanner, size_t bytes, struct px_json_scan *ret,
                                      size_t *ret_at, struct px_err *err);

/** Whether all of `s` is UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool px_utf8_valid(px_str s);

#endif
