/* daemon.h: what needs the host's own code is done by plexusd. */
#ifndef PX_CLI_DAEMON_H
#define PX_CLI_DAEMON_H

#include "cli/cli.h"

/** Become `plexusd <option> [argument]`: beside our own executable, in ../sbin from there, in /usr/sbin, or on PATH. Returns
 *  only when that fails; it has been printed, and the value is the exit code. `argument` may be NULL. */
int px_daemon_run(struct px_cli *cli, const char *option, const char *argument);
/** Run the same, and append what it says on stdout to `said`. *ret_status: its exit status, 1 when a signal ended it. 0, or the
 *  exit code of a failure that has been printed. */
PX_MUSTCHECK int px_daemon_ask(struct px_cli *cli, const char *option, const char *argument,
                               struct px_buf *said, int *ret_status);

#endif
