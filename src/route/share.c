/* Reads that are the same and run at once are one request. */
#include "route/send.h"

void px_share_leave(struct px_send *send) {
    (void)send;
}
