/* The one place where an answer is judged. */
#include "route/private.h"

/* What came whole, with a status line, is judged by the rules; then the plugin may look. */
void px_judge(struct px_arena *arena, const struct px_route *route, struct px_site *site,
              const struct px_http_result *result, const struct px_route_sink *sink, void *user,
              px_str *ret_body_json, struct px_route_verdict *ret) {
    const struct px_upstream *upstream = route->upstream;
    *ret_body_json = (px_str){0};
    if (result->fail) {
        px_verdict_of_failure(arena, result, !px_route_safe(route), ret);
        return;
    }
    *ret_body_json = px_answer_json(result, NULL);
    px_verdict_judge(arena, route, upstream, site->opts.api, site->opts.service, result, *ret_body_json, ret);
    if (!sink || !sink->classify)
        return;
    const struct px_route_verdict ours = *ret;
    sink->classify(user, upstream->name, result, ret);
    ret->again = ours.code == ret->code && ours.retryable == ret->retryable ? ours.again : ret->retryable;
}
