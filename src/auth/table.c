#include "auth/private.h"
#include <sodium.h>

enum { MAP_MAX = 32768 };

int px_grants_create(const struct px_grants_opts *opts, struct px_grants **ret, struct px_err *err) {
    if (sodium_init() < 0)
        return px_err_set(err, -EIO, "libsodium does not start");
    struct px_grants *grants = calloc(1, sizeof *grants);
    if (!grants)
        return px_err_set(err, -ENOMEM, "out of memory");
    grants->opts = *opts;
    grants->ways = (struct px_provider_ways){opts->start, opts->start_ctx, opts->wall_ms};
    grants->next_account = 1;
    grants->random = opts->seed;
    if (!opts->seed)
        randombytes_buf(&grants->random, sizeof grants->random);
    px_list_init(&grants->auths);
    px_list_init(&grants->detached);
    px_list_init(&grants->lru);
    px_list_init(&grants->installs);
    px_map_init(&grants->by_key, MAP_MAX);
    px_map_init(&grants->by_account, MAP_MAX);
    px_headers_init(&grants->headers, opts->loop);
    px_wait_init(grants);
    px_lanes_init(grants, px_refresh_begin);
    px_due_init(grants);
    *ret = grants;
    return 0;
}

void px_grants_destroy(struct px_grants **grants) {
    struct px_grants *g = px_take(grants);
    if (!g)
        return;
    px_installs_end(g);
    while (!px_list_empty(&g->detached))
        px_grant_free(px_list_entry(g->detached.next, struct px_grant, in_auth));
    px_headers_finish(&g->headers);
    px_work_cancel(&g->settle);
    px_lanes_finish(g);
    px_due_finish(g);
    px_map_finish(&g->by_key);
    px_map_finish(&g->by_account);
    free(g);
}

void px_grants_stats_get(const struct px_grants *grants, struct px_grants_stats *ret) {
    *ret = grants->stats;
}
