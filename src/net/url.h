/* url.h: http and https URLs. Parsed once, by one parser (curl's), into the one form that everything after it uses: what
 * is checked is what is asked. */
#ifndef PX_NET_URL_H
#define PX_NET_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { PX_URL_MAX = 64 * 1024 };

/** A parsed URL; its text lives in the arena it was parsed with. */
struct px_url {
    /* normalised: lower-case scheme and host, IDN in ASCII, numeric hosts in their usual form, no default
     * port, no fragment; the path is never empty. What goes to curl */
    px_str text;
    /* "https://api.example.com", "http://[::1]:8080": scheme, host, and the port when it is not the
     * default */
    px_str origin;
    px_str host;   /* without brackets and without a final dot */
    px_str target; /* path and query */
    uint16_t port; /* always there */
    bool https;
    bool literal; /* host is an IP address */
};

/** Parse an absolute URL. Refused, with words that say which part and why: other schemes, user information (an @ before the
 *  path's first slash, so also behind `?` or `#`), control characters and blanks, backslashes, an empty host or label, a port that is empty, 0,
 *  padded or over 65535, a host that is neither a DNS name (RFC 1123 and underscores, after IDNA; one final dot is dropped) nor an
 *  address, one that ends in a number and is no IPv4 address, one that is percent-encoded, a zone, a % without its two digits.
 *  Characters that RFC 3986 has nowhere (beyond ASCII, "<>^`{|}) are percent-encoded in path and query; dot segments
 *  are resolved. px_url_parse(text) of what came out gives the same again. -EINVAL, -EMSGSIZE, -ENOMEM. */
PX_MUSTCHECK int px_url_parse(struct px_arena *arena, px_str text, struct px_url *ret, struct px_err *err);
/** The same for a reference (a Location header) against `base`; RFC 3986 §5. */
PX_MUSTCHECK int px_url_join(struct px_arena *arena, const struct px_url *base, px_str reference,
                             struct px_url *ret, struct px_err *err);

#endif
