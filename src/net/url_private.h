/* url_private.h: for url*.c. */
#ifndef PX_NET_URL_PRIVATE_H
#define PX_NET_URL_PRIVATE_H

#include "base/err.h"
#include "base/str.h"

enum { PX_HOST_MAX = 253, PX_LABEL_MAX = 63 };

/** A host as everything after the parser sees it. */
struct px_url_host {
    char text[PX_HOST_MAX +
              3]; /* a name in lower case and ASCII, or an address in its usual form; no brackets; NUL */
    bool literal, v6;
};

/** Read the host part of a URL, brackets included. -EINVAL with words; -ENOMEM. */
PX_MUSTCHECK int px_url_host_read(px_str raw, struct px_url_host *ret, struct px_err *err);
/** A name in lower case, without a final dot: RFC 1123, and underscores, which names in private networks do have.
 *  NULL, or what is wrong with it. */
const char *px_host_name_wrong(px_str name);
/** Such a host is an IPv4 address or nothing (WHATWG URL, "ends in a number"). */
bool px_host_ends_in_number(px_str host);

#endif
