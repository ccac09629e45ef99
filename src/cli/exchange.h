/* exchange.h: requests that the host made, or would make, for a person to read. */
#ifndef PX_CLI_EXCHANGE_H
#define PX_CLI_EXCHANGE_H

#include "base/arena.h"
#include "cli/cli.h"

/** The request that a dry run shows: {"method","url","headers","body"}; absent: this result is of none. */
px_str px_exchange_request(px_str result);
/** Append a request: method and URL, headers, an empty line, the body. */
void px_exchange_put_request(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                             px_str request);
/** Print what was sent and what came (the result's "plexus/exchange") to stderr, each line after "> " or "< ". Nothing when there
 *  is none. */
void px_exchange_print(struct px_cli *cli, px_str result);

#endif
