/* The one place where an answer is judged. */
#include "route/private.h"

/* What came whole, with a status line, is judged by the rules; then the plugin may look. */
void px_judge(struct px_arena *arena, const struct px_route *route, struct px_site *site,
              const struct px_http_result *result, struct px_answer_scan *scan,
              const struct px_route_sink *sink, void *user, struct px_route_verdict *ret) {
    const struct px_upstream *upstream = route->upstream;
    if (result->fail) {
        px_verdict_of_failure(arena, result, !px_route_safe(route), ret);
        return;
    }
    if (!scan->done)
        px_answer_scan(result, scan);
    px_verdict_judge(arena, route, upstream, site->opts.api, site->opts.service, result, scan->json, ret);
    if (!sink || !sink->classify)
        return;
    const struct px_route_verdict ours = *ret;
    sink->classify(user, upstream->name, result, ret);
    ret->again = ours.code == ret->code && ours.retryable == ret->retryable ? ours.again : ret->retryable;
}
