/* The order of RFC 6724 as far as it matters to a client that tries a second address when the first is dead: what has no
 * route comes last; IPv6 before IPv4, unless ours is an address that the other end could not answer. The kernel says which
 * address of ours it would use: a datagram socket is connected, and sends nothing. */
#include "net/dns_private.h"
#include <sys/socket.h>

enum rank { NATIVE_V6, V4, ODD_V6, NO_ROUTE };

static enum rank rank_of(const struct px_addr *addr, int fd) {
    bool v6 = addr->any.sa_family == AF_INET6;
    enum px_addr_kind kind = px_addr_kind(addr);
    struct px_addr to = *addr, from = {0};
    socklen_t size = sizeof from.v6;
    px_addr_set_port(&to, 9);
    if (fd < 0)
        return v6 ? NATIVE_V6 : V4; /* nobody knows */
    if (connect(fd, &to.any, to.size) < 0)
        return NO_ROUTE;
    if (!v6)
        return V4;
    if (kind == PX_ADDR_TRANSLATED || getsockname(fd, &from.any, &size) < 0)
        return ODD_V6;
    return kind == PX_ADDR_PUBLIC && px_addr_kind(&from) != PX_ADDR_PUBLIC ? ODD_V6 : NATIVE_V6;
}

void px_dns_sort(struct px_addr *addrs, size_t n) {
    enum rank ranks[2 * PX_DNS_ADDRS] = {NATIVE_V6};
    if (n < 2 || n > PX_COUNT(ranks))
        return;
    PX_AUTOCLOSE int v4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    PX_AUTOCLOSE int v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    for (size_t i = 0; i < n; i++) {
        struct px_addr addr = addrs[i];
        enum rank rank = rank_of(&addr, addr.any.sa_family == AF_INET6 ? v6 : v4);
        size_t at = i;
        for (; at > 0 && ranks[at - 1] > rank; at--) {
            ranks[at] = ranks[at - 1];
            addrs[at] = addrs[at - 1];
        }
        ranks[at] = rank;
        addrs[at] = addr;
    }
}
