/* sqlite.h: what the loop side and the worker side of this plugin agree on.
 *
 * The loop sends one line: {"tool":1,"db":0,"ms":5000,"rows":1000,"bytes":262144,"args":{…}}: an enum sq_tool, the
 * database's place in the configuration, the budgets, the call's arguments.
 * The worker answers with one line: '+' and the result, or '-' and an error:
 *   {"code":1,"flags":0,"retry_after_ms":0,"message":"…","advice":"…","details":{…}}
 * A worker has one line at a time, so an answer needs no number. */
#ifndef SQ_SQLITE_H
#define SQ_SQLITE_H

#include "config.h"
#include "out.h"

enum sq_tool { SQ_QUERY = 1, SQ_EXECUTE = 2, SQ_LIST = 3, SQ_DESCRIBE = 4 };

/** Offer the tools that this configuration allows, with its databases by name in them. Memory comes from `scope`. */
int sq_tools_set(const struct px_host *host, px_service_h service, px_scope_h scope,
                 const struct sq_config *c);

#endif
