/* addr.h: network addresses, and what kind of place each one is.
 * Sources: the IANA special-purpose registries (RFC 6890), RFC 1918, 3927, 4193, 4291, 5737, 6052 (64:ff9b::/96), 8215
 * (64:ff9b:1::/48), 3056 (6to4), 4380 (Teredo), 6598 (CGNAT), 9637, and the clouds' documents for their metadata. */
#ifndef PX_NET_ADDR_H
#define PX_NET_ADDR_H

#include "base/buf.h"
#include "base/err.h"
#include <netinet/in.h>

/** An IPv4 or IPv6 address with its port. */
struct px_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

enum px_addr_kind {
    PX_ADDR_PUBLIC = 0,
    PX_ADDR_LOOPBACK,    /* 127/8, ::1 */
    PX_ADDR_PRIVATE,     /* 10/8, 172.16/12, 192.168/16, fc00::/7 */
    PX_ADDR_SHARED,      /* 100.64/10 (carrier-grade NAT) */
    PX_ADDR_LINK_LOCAL,  /* 169.254/16, fe80::/10, fec0::/10 */
    PX_ADDR_METADATA,    /* a cloud's metadata service: 169.254.169.254, 168.63.129.16, fd00:ec2::254, … */
    PX_ADDR_MULTICAST,   /* 224/4, ff00::/8 */
    PX_ADDR_UNSPECIFIED, /* 0/8, :: */
    PX_ADDR_RESERVED, /* 240/4, broadcast, documentation and benchmark nets, discard, what IANA has not given out */
    PX_ADDR_TRANSLATED /* an IPv6 form that leads to a public IPv4 address by way of somebody else */
};

/** The kind of an address. A mapped one (::ffff:0:0/96) is what it carries, as it is to the kernel. Other forms that carry an
 *  IPv4 address (compatible ::/96, SIIT ::ffff:0:0:0/96, NAT64, 6to4, Teredo with both of its own, ISATAP) are the kind of
 *  that too, unless it is public: then TRANSLATED. 64:ff9b:1::/48, whose layout is the network's own, is always TRANSLATED.
 *  What is neither family is RESERVED. */
enum px_addr_kind px_addr_kind(const struct px_addr *addr);
/** "loopback", "private", "cloud metadata" … */
const char *px_addr_kind_name(enum px_addr_kind kind);
/** Strict: dotted quad of four decimals, or RFC 4291 with or without brackets; no zone. -EINVAL. */
PX_MUSTCHECK int px_addr_parse(px_str text, uint16_t port, struct px_addr *ret);
/** From a sockaddr of AF_INET or AF_INET6. -EAFNOSUPPORT. */
PX_MUSTCHECK int px_addr_of(const struct sockaddr *sa, socklen_t size, struct px_addr *ret);
/** "192.0.2.1", "2001:db8::1"; without the port. `to` has PX_ADDR_TEXT bytes. */
enum { PX_ADDR_TEXT = 48 };
void px_addr_text(const struct px_addr *addr, char to[PX_ADDR_TEXT]);
uint16_t px_addr_port(const struct px_addr *addr);
void px_addr_set_port(struct px_addr *addr, uint16_t port);
/** The same address, whatever the port; mapped IPv4 equals IPv4. */
bool px_addr_same_host(const struct px_addr *a, const struct px_addr *b);

#endif
