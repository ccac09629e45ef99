/* process.h: what the process is before anything runs in it. */
#ifndef PX_DAEMON_PROCESS_H
#define PX_DAEMON_PROCESS_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/** Descriptors 0 to 2 are open, files are made for us alone (umask 077), as many descriptors as the hard limit allows (at
 *  most 1,048,576), up to 32 MiB of memory that was freed are kept to be used again, no core file and no look into our memory
 *  (unless `allow_core`). */
void px_process_prepare(bool allow_core);
/** Give freed memory that is kept back to the system: `all` of it, or what is more than a turn is likely to need. */
void px_process_give_back(bool all);
/** The program itself, for children: /proc/self/exe's target. Static memory. */
PX_MUSTCHECK int px_process_self(const char **ret, struct px_err *err);
/** Resident memory; 0: not known. */
uint64_t px_process_rss(void);
/** Descriptors that are open; 0: not known. */
uint64_t px_process_fds(void);

#endif
