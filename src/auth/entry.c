#include "auth/private.h"

/* ---- a draft ---- */

static px_str heap_str(px_str s) {
    return s.p ? px_str_n(px_str_dup(s), s.n) : (px_str){0};
}

static void texts_free(struct px_grant *grant) {
    px_str *texts[] = {&grant->key, &grant->principal, &grant->owner, &grant->scopes, &grant->account_name};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        free((void *)(uintptr_t)texts[i]->p);
        *texts[i] = (px_str){0};
    }
}

struct px_grant *px_grant_draft(struct px_auth *auth, px_str key, px_str principal, px_str owner, bool kept) {
    struct px_grant *grant = calloc(1, sizeof *grant);
    if (!grant)
        return NULL;
    grant->grants = auth->grants;
    grant->kept = kept;
    grant->key = heap_str(key);
    grant->principal = heap_str(principal);
    grant->owner = grant->installation.owner = heap_str(owner);
    px_list_init(&grant->in_auth);
    px_list_init(&grant->in_lru);
    px_list_init(&grant->in_lane);
    px_list_init(&grant->waiters);
    px_timer_init(&grant->due, auth->grants->opts.loop, "auth/refresh", px_refresh_due, grant);
    memcpy(grant->digest, auth->provider.spec.digest, sizeof grant->digest);
    memcpy(grant->whole, auth->provider.spec.whole, sizeof grant->whole);
    if (grant->key.p && (!principal.p || grant->principal.p) && (!owner.p || grant->owner.p))
        return grant;
    px_grant_draft_free(grant);
    return NULL;
}

void px_grant_draft_free(struct px_grant *grant) {
    px_tokens_drop(&grant->tokens);
    px_tokens_drop(&grant->pending);
    texts_free(grant);
    free(grant);
}

/* ---- into the table, and out of it ---- */

static bool evict_one(struct px_grants *grants) {
    PX_LIST_EACH (node, &grants->lru) {
        struct px_grant *grant = px_list_entry(node, struct px_grant, in_lru);
        if (px_grant_busy(grant) || !px_list_empty(&grant->waiters) || grant->state == PX_GRANT_NONE)
            continue;
        px_grant_free(grant);
        return true;
    }
    return false;
}

static bool evict_owner(struct px_auth *auth) {
    PX_LIST_EACH (node, &auth->holders) {
        struct px_grant *grant = px_list_entry(node, struct px_grant, in_auth);
        if (px_grant_busy(grant) || !px_list_empty(&grant->waiters))
            continue;
        px_grant_free(grant);
        return true;
    }
    return false;
}

static int enter(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    void *old = NULL;
    grant->account = grants->next_account;
    px_str account = px_str_n((const char *)&grant->account, sizeof grant->account);
    int r = px_map_put(&grants->by_account, account, grant, NULL);
    if (r)
        return r;
    r = px_map_put(&grants->by_key, grant->key, grant, &old);
    if (r) {
        px_map_remove(&grants->by_account, account);
        return r;
    }
    grants->next_account++;
    grants->stats.grants++;
    if (grant->kept) {
        grants->n_kept++;
        px_list_add(&grants->lru, &grant->in_lru);
    }
    if (old) {
        px_wait_move(old, grant);
        px_grant_free(old);
    }
    return 0;
}

int px_grant_enter(struct px_grant *grant, struct px_auth *auth) {
    struct px_grants *grants = grant->grants;
    if (grant->kept && grants->n_kept >= PX_GRANTS_MAX && !evict_one(grants))
        return -ENOSPC;
    if (grant->owner.p && auth && auth->n_owners >= PX_GRANTS_OWNERS && !evict_owner(auth))
        return -ENOSPC;
    int r = enter(grant);
    if (!r)
        px_grant_attach(grant, auth);
    return r;
}

void px_grant_free(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    px_refresh_stop(grant);
    px_wait_lost(grant);
    px_timer_disarm(&grant->due);
    if (grant->auth && grant->owner.p)
        grant->auth->n_owners--;
    px_list_remove(&grant->in_auth);
    px_list_remove(&grant->in_lru);
    grants->n_kept -= grant->kept;
    grants->stats.grants--;
    grants->stats.needs_person -= grant->state == PX_GRANT_INVALID;
    if (px_map_get(&grants->by_key, grant->key) == grant) /* else another has its name by now */
        px_map_remove(&grants->by_key, grant->key);
    px_map_remove(&grants->by_account, px_str_n((const char *)&grant->account, sizeof grant->account));
    px_grant_draft_free(grant);
}

/* ---- which configuration it belongs to ---- */

void px_grant_attach(struct px_grant *grant, struct px_auth *auth) {
    if (grant->auth && grant->owner.p)
        grant->auth->n_owners--;
    px_list_remove(&grant->in_auth);
    grant->auth = auth;
    px_list_add(auth ? &auth->holders : &grant->grants->detached, &grant->in_auth);
    if (auth && grant->owner.p)
        auth->n_owners++;
    if (!auth && !grant->stuck)
        px_timer_disarm(&grant->due);
}

void px_grant_touch(struct px_grant *grant) {
    if (grant->kept) {
        px_list_remove(&grant->in_lru);
        px_list_add(&grant->grants->lru, &grant->in_lru);
    }
    if (grant->owner.p && grant->auth) {
        px_list_remove(&grant->in_auth);
        px_list_add(&grant->auth->holders, &grant->in_auth);
    }
}
