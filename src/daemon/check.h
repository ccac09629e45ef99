/* check.h: `plexusd --check`: would the daemon start with this configuration, and would its services? */
#ifndef PX_DAEMON_CHECK_H
#define PX_DAEMON_CHECK_H

#include "daemon/options.h"

/** Prints "ok" on stdout, or what is wrong on stderr. Returns the exit status: 0; 1: something is wrong (warnings are not);
 *  2: it could not be looked at. */
int px_check_main(const struct px_options *options);

#endif
