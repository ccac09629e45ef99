/* addr_private.h: for addr*.c. */
#ifndef PX_NET_ADDR_PRIVATE_H
#define PX_NET_ADDR_PRIVATE_H

#include "net/addr.h"

/** The address as IPv6 has it: IPv4 as ::ffff:a.b.c.d; of neither family: zeros. */
void px_addr_bytes(const struct px_addr *addr, uint8_t to[16]);

#endif
