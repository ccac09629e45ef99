#include "auth/private.h"
#include "base/log.h"
#include "base/random.h"
#include "base/redact.h"
#include <assert.h>

/* ---- tokens ---- */

int px_token_keep(px_str *to, px_str value) {
    *to = (px_str){0};
    return value.n ? px_redact_keep(value, to) : 0;
}

void px_tokens_drop(struct px_tokens *tokens) {
    px_redact_drop(&tokens->access);
    px_redact_drop(&tokens->refresh);
    px_redact_drop(&tokens->previous);
    px_header_drop(&tokens->header);
    *tokens = (struct px_tokens){0};
}

void px_tokens_live(struct px_tokens *tokens, int64_t since_ms, uint64_t since_ns, int64_t expires_in_s) {
    tokens->got_ms = since_ms;
    tokens->got_ns = since_ns;
    tokens->expires_ms = expires_in_s < 0 ? 0 : tokens->got_ms + expires_in_s * 1000;
    tokens->expires_ns = expires_in_s < 0 ? 0 : tokens->got_ns + (uint64_t)expires_in_s * PX_S;
}

uint64_t px_grant_life(const struct px_tokens *tokens) {
    return tokens->expires_ms > tokens->got_ms ? (uint64_t)(tokens->expires_ms - tokens->got_ms) * PX_MS : 0;
}

uint64_t px_grant_left(const struct px_grant *grant, const struct px_tokens *tokens) {
    if (!tokens->access.p)
        return 0;
    if (!tokens->expires_ms)
        return UINT64_MAX;
    uint64_t now = px_loop_now(grant->grants->opts.loop);
    int64_t wall = px_grants_wall_ms(grant->grants);
    if (now >= tokens->expires_ns || wall >= tokens->expires_ms)
        return 0;
    return PX_MIN(tokens->expires_ns - now, (uint64_t)(tokens->expires_ms - wall) * PX_MS);
}

/* ---- headers ---- */

static px_str secret_of(const struct px_header *header) {
    return px_str_n(header->value.p + header->secret_at, header->value.n - header->secret_at);
}

static void header_free(struct px_header *header) {
    px_list_remove(&header->node);
    px_redact_remove(secret_of(header));
    px_locked_drop(&header->value);
    free(header);
}

static void free_all(struct px_list_node *list) {
    while (!px_list_empty(list))
        header_free(px_list_entry(list->next, struct px_header, node));
}

/* A turn after they were replaced, or later. */
static void on_retire(void *user) {
    struct px_grants *grants = user;
    free_all(&grants->retired_before);
    px_list_splice(&grants->retired_before, &grants->retired);
    if (!px_list_empty(&grants->retired_before))
        px_timer_arm_in(&grants->retire, 0);
}

void px_headers_init(struct px_grants *grants) {
    px_list_init(&grants->retired);
    px_list_init(&grants->retired_before);
    px_list_init(&grants->kept);
    px_timer_init(&grants->retire, grants->opts.loop, "auth/retire", on_retire, grants);
}

void px_headers_finish(struct px_grants *grants) {
    px_timer_disarm(&grants->retire);
    free_all(&grants->retired);
    free_all(&grants->retired_before);
    assert(px_list_empty(&grants->kept));
}

static void retire(struct px_header *header) {
    struct px_grants *grants = header->grants;
    px_list_remove(&header->node);
    px_list_add(header->keeps ? &grants->kept : &grants->retired, &header->node);
    if (!header->keeps && !grants->retire.armed)
        px_timer_arm_in(&grants->retire, 0);
}

void px_header_drop(struct px_header **header) {
    struct px_header *old = px_take(header);
    if (!old)
        return;
    old->replaced = true;
    retire(old);
}

static void on_kept_closed(void *user) {
    struct px_header *header = user;
    if (--header->keeps == 0 && header->replaced)
        retire(header);
}

int px_auth_keep(const struct px_token *token, struct px_scope *scope) {
    struct px_header *header = token->kept;
    int r = px_scope_on_close(scope, on_kept_closed, header);
    if (r)
        return r;
    header->keeps++;
    if (header->replaced) /* already, in this turn */
        retire(header);
    return 0;
}

int px_grant_header(struct px_grant *grant, struct px_tokens *tokens) {
    px_str prefix = grant->auth ? grant->auth->provider.spec.prefix : PX_LIT("Bearer ");
    size_t n = prefix.n + tokens->access.n;
    px_header_drop(&tokens->header);
    if (!tokens->access.p)
        return 0;
    struct px_header *header = calloc(1, sizeof *header);
    char *p = header ? px_locked_alloc(n + 1) : NULL;
    if (!p) {
        free(header);
        return -ENOMEM;
    }
    if (prefix.n)
        memcpy(p, prefix.p, prefix.n);
    memcpy(p + prefix.n, tokens->access.p, tokens->access.n);
    px_list_init(&header->node);
    header->grants = grant->grants;
    header->value = px_str_n(p, n);
    header->secret_at = prefix.n;
    int r = px_redact_add(secret_of(header)); /* once more: it may outlive its token */
    if (r) {
        px_locked_drop(&header->value);
        free(header);
        return r;
    }
    tokens->header = header;
    return 0;
}

/* ---- one grant ---- */

uint64_t px_grants_random(struct px_grants *grants, uint64_t below) {
    return below ? px_random_next(&grants->random) % below : 0;
}

static void on_due(void *user) {
    struct px_grant *grant = user;
    if (grant->stuck)
        px_refresh_commit(grant);
    if (!grant->auth || px_grant_busy(grant))
        return;
    /* What can be had again at any time is refreshed only while somebody uses it. */
    if (!grant->kept && !grant->used && !grant->failures)
        return;
    px_due_queue(grant, false);
}

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
    px_timer_init(&grant->due, auth->grants->opts.loop, "auth/refresh", on_due, grant);
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

bool px_grant_busy(const struct px_grant *grant) {
    return grant->state >= PX_GRANT_QUEUED && grant->state <= PX_GRANT_COMMITTING;
}

bool px_grant_fits(const struct px_grant *grant, const struct px_auth *auth) {
    return memcmp(grant->digest, auth->provider.spec.digest, sizeof grant->digest) == 0;
}

void px_grant_words(struct px_grant *grant, px_str words) {
    px_str_copy(grant->words, sizeof grant->words, words);
    px_redact_in_place_cut(grant->words, strlen(grant->words));
}

void px_grant_adopt(struct px_grant *grant) {
    px_tokens_drop(&grant->tokens);
    grant->tokens = grant->pending;
    grant->pending = (struct px_tokens){0};
    grant->generation++;
    grant->state = PX_GRANT_READY;
    grant->used = grant->handed_out = false;
    grant->failures = grant->commits = 0;
    grant->retry_ns = 0;
    grant->words[0] = 0;
    grant->begun_ms = 0;
}

void px_grant_invalid(struct px_grant *grant, px_str words, bool client) {
    struct px_grants *grants = grant->grants;
    px_grant_words(grant, words);
    grant->client_failed = client;
    if (grant->state != PX_GRANT_INVALID)
        grants->stats.needs_person++;
    grant->state = PX_GRANT_INVALID;
    grants->stats.invalid++;
    px_str service = grant->auth ? grant->auth->service : PX_LIT("");
    px_log(PX_LOG_WARNING, "auth",
           client ? "the provider refuses the client: an administrator is needed" : "a grant needs a person",
           PX_KS("service", service), PX_KS("holder", grant->principal.p ? grant->principal : grant->owner),
           PX_KV("why", grant->words));
}
