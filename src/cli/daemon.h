/* daemon.h: what needs the host's own code is done by plexusd. */
#ifndef PX_CLI_DAEMON_H
#define PX_CLI_DAEMON_H

#include "cli/cli.h"

/** Become `plexusd <option> [argument]`: beside our own executable, in ../sbin from there, in /usr/sbin, or on PATH. Returns
 *  only when that fails; it has been printed, and the value is the exit code. `argument` may be NULL. */
int px_daemon_run(struct px_cli *cli, const char *option, const char *argument);

#endif
