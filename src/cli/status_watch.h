/* status_watch.h: plexus/status fetched and shown, once or again and again. */
#ifndef PX_CLI_STATUS_WATCH_H
#define PX_CLI_STATUS_WATCH_H

#include "cli/client.h"
#include "cli/status.h"

/** What is shown: the host, or one service of it; and what the host last said. */
struct px_view {
    struct px_cli *cli;
    const char *service; /* NULL: all */
    struct px_buf status, grants;
};
void px_view_init(struct px_view *view, struct px_cli *cli, const char *service);
void px_view_finish(struct px_view *view);
/** Ask. An exit code; prints what fails. What was there stays when it does. */
PX_MUSTCHECK int px_view_fetch(struct px_view *view, struct px_client *client);
/** As text, or as JSON with --json. */
void px_view_print(struct px_view *view, struct px_buf *to);

/** Until Ctrl-C. An exit code. */
int px_status_watch(struct px_cli *cli, const char *service, uint64_t period_ms);

#endif
