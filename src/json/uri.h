/* uri.h: URIs as text (RFC 3986): resolving a reference against a base, and whether a text is one. */
#ifndef PX_JSON_URI_H
#define PX_JSON_URI_H

#include "base/arena.h"

/** Resolve `reference` against `base` (RFC 3986 §5.2; a base may be empty or relative). Dot segments go, an
 * empty fragment goes, nothing else is normalised. Absent: out of memory. */
px_str px_uri_resolve(struct px_arena *arena, px_str base, px_str reference);
/** Cut at the '#'. *ret_fragment is what stands behind it, absent when there is none; may be NULL. */
px_str px_uri_without_fragment(px_str uri, px_str *ret_fragment);
/** Decode %XX. Absent: out of memory; what is not two hexadecimal digits stays as it is. */
px_str px_uri_decode(struct px_arena *arena, px_str text);

enum {
    PX_URI_REFERENCE = 1, /* may be relative */
    PX_URI_IRI = 2,       /* characters beyond ASCII are allowed (RFC 3987) */
};
bool px_uri_valid(px_str text, unsigned flags);

/** Whether `text` is an IPv6 address (RFC 4291 §2.2; no zone), or an IPv4 address in dotted decimal. */
bool px_ipv6_valid(px_str text);
bool px_ipv4_valid(px_str text);

#endif
