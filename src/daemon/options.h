/* options.h: the command line of plexusd. */
#ifndef PX_DAEMON_OPTIONS_H
#define PX_DAEMON_OPTIONS_H

#include "base/err.h"
#include <stdbool.h>

enum px_mode {
    PX_MODE_SERVE = 0,
    PX_MODE_CHECK,       /* look at a configuration */
    PX_MODE_VET,         /* look at a plugin file (for people, and in a child of the daemon's own) */
    PX_MODE_WORKER,      /* be a plugin's worker (the daemon's own children) */
    PX_MODE_QUICK_CHECK, /* read a state file through (the daemon's own children) */
    PX_MODE_VERSION,
    PX_MODE_HELP
};
struct px_options {
    enum px_mode mode;
    const char *config; /* the file as it was named; the default one when it was not */
    const char *file;   /* VET (NULL: it is descriptor 3), QUICK_CHECK */
    bool allow_core;
};

extern const char px_options_help[];

/** Strings are borrowed from argv. -EINVAL, with words. */
PX_MUSTCHECK int px_options_read(int argc, char **argv, struct px_options *ret, struct px_err *err);

#endif
