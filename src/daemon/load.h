/* load.h: from the configuration's name on the command line to a configuration. */
#ifndef PX_DAEMON_LOAD_H
#define PX_DAEMON_LOAD_H

#include "daemon/config.h"

/** The absolute path of the file, heap; and its folder becomes the working directory, where relative paths count from. */
PX_MUSTCHECK int px_config_enter(const char *name, char **ret_path, struct px_err *err);
/** Each line of a report as a line of the log. */
void px_config_log_report(const struct px_report *report);

#endif
