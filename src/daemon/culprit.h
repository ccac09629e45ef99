/* culprit.h: whose plugin was on the stack when the process was ended from outside, as the service manager's watchdog does with one
 * that loops for ever. It stands in a small mapped file in the state folder, and so survives any death but the machine's. The
 * same service twice in a row starts disabled, until the configuration is read again. */
#ifndef PX_DAEMON_CULPRIT_H
#define PX_DAEMON_CULPRIT_H

#include "service/services.h"

struct px_culprit_file;
struct px_culprit {
    struct px_culprit_file *file; /* NULL: not to be had; nothing is remembered */
    char disabled[PX_ON_STACK];   /* the service that starts disabled; empty: none */
};

/** Looks at what the last process left, and begins anew. The state folder is locked. */
void px_culprit_open(struct px_culprit *culprit, const char *state_dir);
/** NULL is fine for px_services_opts.on_stack. */
char *px_culprit_mark(struct px_culprit *culprit);
void px_culprit_close(struct px_culprit *culprit);

#endif
