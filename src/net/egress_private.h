/* egress_private.h: for egress*.c. */
#ifndef PX_NET_EGRESS_PRIVATE_H
#define PX_NET_EGRESS_PRIVATE_H

#include "net/egress.h"

enum px_pem { PX_PEM_CERTIFICATE, PX_PEM_KEY };

/** Read a PEM file whole: *ret is from the heap, with a NUL behind its end; wipe and free it with px_pem_free. `setting`:
 *  for the words. -EINVAL: not a regular file, too large, or not PEM of that sort; or why it cannot be read. */
PX_MUSTCHECK int px_pem_read(const char *path, enum px_pem sort, const char *setting, px_str *ret,
                             struct px_err *err);
void px_pem_free(px_str *pem);

/** Whether a connection to `addr` would come out at one of our own listeners. */
bool px_egress_own(const struct px_addr *addr);

#endif
