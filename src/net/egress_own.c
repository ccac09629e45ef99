/* Our own listeners: what the daemon offers must not be asked by the daemon, least of all for somebody who cannot reach it
 * himself. */
#include "net/egress_private.h"
#include <ifaddrs.h>

enum { OWN_MAX = 64 };
static struct px_addr own[OWN_MAX];
static unsigned n_own;

int px_egress_own_add(const struct px_addr *addr) {
    if (n_own == OWN_MAX)
        return -ENOSPC;
    own[n_own++] = *addr;
    return 0;
}

void px_egress_own_remove(const struct px_addr *addr) {
    for (unsigned i = 0; i < n_own; i++)
        if (px_addr_port(&own[i]) == px_addr_port(addr) && px_addr_same_host(&own[i], addr)) {
            own[i] = own[--n_own];
            return;
        }
}

/* Whether one of this machine's interfaces has it. When that cannot be found out, it may. */
static bool is_ours(const struct px_addr *addr) {
    struct ifaddrs *all;
    enum px_addr_kind kind = px_addr_kind(addr);
    if (kind == PX_ADDR_LOOPBACK || kind == PX_ADDR_UNSPECIFIED)
        return true;
    if (getifaddrs(&all) < 0)
        return true;
    bool found = false;
    struct px_addr one;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        socklen_t size = i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 ? sizeof one.v6 : sizeof one.v4;
        found = i->ifa_addr && px_addr_of(i->ifa_addr, size, &one) == 0 && px_addr_same_host(&one, addr);
    }
    freeifaddrs(all);
    return found;
}

bool px_egress_own(const struct px_addr *addr) {
    for (unsigned i = 0; i < n_own; i++) {
        if (px_addr_port(&own[i]) != px_addr_port(addr))
            continue;
        if (px_addr_same_host(&own[i], addr))
            return true;
        /* A listener on every address is on each of ours, and who connects to "any" comes out on one of ours. */
        if (px_addr_kind(addr) == PX_ADDR_UNSPECIFIED && is_ours(&own[i]))
            return true;
        if (px_addr_kind(&own[i]) == PX_ADDR_UNSPECIFIED && is_ours(addr))
            return true;
    }
    return false;
}
