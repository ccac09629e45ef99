#include "route/values.h"

enum { KEPT_MAX = 256 /* of a site; then the one that was used longest ago goes */ };

/* ---- whose ---- */

static void add_route(struct px_site *site, struct px_arena *arena, const struct px_values_for *who,
                      const struct px_route *route, struct px_whose *w) {
    const struct px_api *api = site->opts.api;
    const struct px_credential *credential =
        route->identity ? &site->credentials[route->identity - api->identities] : NULL;
    if (credential && credential->auth) {
        struct px_holder holder = {.principal = who->principal, .owner = who->owner};
        if (who->args_json.p)
            holder.owner = px_send_owner(credential, arena, who->args_json);
        px_auth_whose(credential->auth, &holder);
        w->account = w->account * UINT64_C(0x9e3779b97f4a7c15) + px_auth_account(credential->auth, &holder);
        w->principal = holder.principal.p ? holder.principal : w->principal;
        w->owner = holder.owner.p ? holder.owner : w->owner;
    }
    for (size_t i = 0; i < api->n_values; i++) {
        if (!(route->values >> i & 1) || w->seen >> i & 1)
            continue;
        w->seen |= UINT64_C(1) << i;
        add_route(site, arena, who, api->values[i].route, w);
    }
}

struct px_whose px_whose_of(struct px_site *site, struct px_arena *arena, const struct px_values_for *who,
                            const struct px_value *decl) {
    struct px_whose w = {0};
    add_route(site, arena, who, decl->route, &w);
    return w;
}

static bool same(const struct px_whose *a, const struct px_whose *b) {
    return a->account == b->account && px_str_eq(a->principal, b->principal) && px_str_eq(a->owner, b->owner);
}

/* ---- what is kept ---- */

struct px_kept_value *px_kept_find(struct px_site *site, const struct px_value *decl,
                                   const struct px_whose *whose) {
    PX_LIST_EACH (node, &site->values) {
        struct px_kept_value *kept = px_list_entry(node, struct px_kept_value, node);
        if (kept->decl == decl && same(&kept->whose, whose))
            return kept;
    }
    return NULL;
}

void px_kept_free(struct px_kept_value *kept) {
    px_list_remove(&kept->node);
    px_buf_finish(&kept->json);
    px_arena_finish(&kept->error_arena);
    free((void *)(uintptr_t)kept->whose.principal.p);
    free((void *)(uintptr_t)kept->whose.owner.p);
    free(kept);
}

/* What nobody waits for: all that is old, and as many as it takes to have room for one more. */
static void make_room(struct px_site *site) {
    size_t n = 0;
    PX_LIST_EACH (node, &site->values)
        n++;
    PX_LIST_EACH_SAFE (node, &site->values) {
        struct px_kept_value *kept = px_list_entry(node, struct px_kept_value, node);
        uint64_t newest = PX_MAX(kept->fetched_ns, kept->failed_ns),
                 life = PX_MAX(kept->decl->ttl_ns, PX_VALUE_FAILURE_NS);
        if (kept->fetch || !px_list_empty(&kept->waiters) ||
            (n < KEPT_MAX && px_loop_now(site->opts.loop) - newest <= life + PX_S))
            continue;
        px_kept_free(kept);
        n--;
    }
}

static struct px_kept_value *add(struct px_site *site, const struct px_value *decl,
                                 const struct px_whose *whose) {
    struct px_kept_value *kept = calloc(1, sizeof *kept);
    char *principal = whose->principal.p ? px_str_dup(whose->principal) : NULL;
    char *owner = whose->owner.p ? px_str_dup(whose->owner) : NULL;
    if (!kept || (whose->principal.p && !principal) || (whose->owner.p && !owner)) {
        free(kept);
        free(principal);
        free(owner);
        return NULL;
    }
    make_room(site);
    kept->site = site;
    kept->decl = decl;
    kept->whose = *whose;
    kept->whose.principal = (px_str){principal, principal ? whose->principal.n : 0};
    kept->whose.owner = (px_str){owner, owner ? whose->owner.n : 0};
    px_buf_init(&kept->json, PX_VALUE_BYTES);
    px_arena_init_small(&kept->error_arena, PX_VALUE_BYTES);
    px_list_init(&kept->node);
    px_list_init(&kept->waiters);
    return kept;
}

struct px_kept_value *px_kept_get(struct px_site *site, const struct px_value *decl,
                                  const struct px_whose *whose) {
    struct px_kept_value *kept = px_kept_find(site, decl, whose);
    kept = kept ? kept : add(site, decl, whose);
    if (kept) {
        px_list_remove(&kept->node);
        px_list_add(&site->values, &kept->node);
    }
    return kept;
}
