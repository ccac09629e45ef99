/* status.h: plexus/status as text for people. What the host sends is not trusted to have a certain shape. */
#ifndef PX_CLI_STATUS_H
#define PX_CLI_STATUS_H

#include "base/arena.h"
#include "cli/out.h"

/** All of it: the host, a line for each service, what is wrong. */
void px_status_print(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str status);
/** The services of `services` (an array), one a line; below, the errors that some of them have. */
void px_status_services(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str services);
/** The object of the service of this name; absent: there is none. */
px_str px_status_find(struct px_arena *arena, px_str status, px_str name);
/** One service in full. `grants`: what plexus/auth/status says of it; may be absent. */
void px_status_service(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str service,
                       px_str grants);
/** A table of breakers, of plexus/status and plexus/breaker. */
void px_status_breakers(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str breakers);
/** A table of grants, of what plexus/auth/status answers, and their errors below. */
void px_status_grants(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str result);
/** A number of an object, and words behind it. */
void px_status_count(struct px_buf *to, px_str object, const char *key, const char *words);
/** Clean text in a style. */
void px_status_word(struct px_buf *to, const struct px_out *out, enum px_style style, px_str text);

#endif
