/* Answers to requests that were started in code: the same judgement as a route's, without rules of a route. */
#include "route/private.h"

static const struct px_upstream *upstream_of(const struct px_site *site, px_str name) {
    const struct px_api *api = site->opts.api;
    for (size_t i = 0; name.n && i < api->n_upstreams; i++) {
        if (px_str_eq(api->upstreams[i].name, name))
            return &api->upstreams[i];
    }
    return &api->upstreams[0];
}

bool px_site_judge(struct px_site *site, struct px_arena *arena, px_str upstream,
                   const struct px_http_result *result, bool write, const struct px_route_sink *sink,
                   void *user, struct px_error *ret_error) {
    const struct px_upstream *decl = upstream_of(site, upstream);
    const struct px_route plain = {.api = site->opts.api, .upstream = decl, .safe = !write};
    struct px_route_verdict verdict = {0};
    px_str body_json;
    px_judge(arena, &plain, site, result, sink, user, &body_json, &verdict);
    if (verdict.code == PX_OK)
        return true;
    *ret_error = px_verdict_error(arena, decl, result, &verdict);
    return false;
}
