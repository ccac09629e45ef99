/* route.h: a tool as data: how its arguments become an HTTP request, and the answer its result. JSON text, checked against
 * route.schema.json (which documents every key), the plugin's api, and the tool's input schema. Immutable. */
#ifndef PX_ROUTE_ROUTE_H
#define PX_ROUTE_ROUTE_H

#include "base/buf.h"
#include "route/api.h"

struct px_route;

struct px_route_opts {
    const struct px_api *api; /* must outlive the route */
    px_str input_schema;      /* of the tool, valid JSON; absent: no arguments */
    bool read_only;           /* of the tool: its hint */
    bool vetted;              /* it was compiled before: no checks against schemas */
    bool idempotent;          /* of the tool: its hint */
    bool in_code; /* given by code, not by a tool: any arguments may come, and it may read or write */
};
/** Checked: every placeholder has its argument (which is required, or has a default, when it stands in the path), every
 *  argument of the schema has its place, names of upstreams, identities and values exist, methods that write belong to
 *  tools that are not read-only (or are `safe`), fields and pointers parse, GraphQL variables are declared in the query and
 *  used, styles fit. -EINVAL with words that say where. */
PX_MUSTCHECK int px_route_compile(px_str json, const struct px_route_opts *opts, struct px_route **ret,
                                  struct px_err *err);
void px_route_destroy(struct px_route *route); /* NULL is fine */

/** Whether asking changes nothing upstream: GET, HEAD, a GraphQL query, or what says `safe`. */
bool px_route_safe(const struct px_route *route);
/** Whether what it does may be sent again when nobody knows if it was done: twice is as good as once, or the upstream still knows the
 *  key that it was first sent with so long ago. */
bool px_route_repeatable(const struct px_route *route, int64_t age_ms);
bool px_route_paged(const struct px_route *route);
/** Arguments that the host adds to the tool's own: "fields" (JSON results, unless the route says false), "limit" and "cursor"
 *  (paged), "dry_run" (tools that are not read-only). Appends their JSON Schema properties as members of an object, without braces:
 *  `"fields":{…},"limit":{…}`; nothing when there are none. */
PX_MUSTCHECK int px_route_put_properties(const struct px_route *route, struct px_buf *to);
/** Whether these arguments ask for a dry run. */
bool px_route_dry_run(const struct px_route *route, px_str args_json);
/** Whether these arguments choose what of the answer is shown. */
bool px_route_selects(const struct px_route *route, px_str args_json);
px_str px_route_method(const struct px_route *route);   /* "GET"; GraphQL: "POST" */
px_str px_route_upstream(const struct px_route *route); /* "api" */
/** The path template or the operation's name: the bucket of rate limits and the label of metrics; never an argument. */
px_str px_route_label(const struct px_route *route);

#endif
