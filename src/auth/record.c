#include "auth/private.h"
#include "auth/wiped.h"
#include "base/codec.h"
#include "base/log.h"
#include "json/tree.h"
#include <sodium.h>

/* {"v":1,"digest":…,"principal":…,"account":…,"scopes":…,"access":…,"refresh":…,"previous":…,"connected":ms,"got":ms,"expires":ms,"refreshed":ms,"begun":ms,"invalid":…} */

int px_record_key(struct px_buf *to, const struct px_auth *auth, px_str principal, px_str owner) {
    px_buf_text(to, "grant/");
    px_percent_add(to, auth->service);
    px_buf_char(to, '/');
    px_percent_add(to, auth->identity);
    if (principal.p) {
        px_buf_text(to, "/p/");
        px_percent_add(to, principal);
    } else if (owner.p) {
        px_buf_text(to, "/o/");
        px_percent_add(to, owner);
    } else {
        px_buf_text(to, "/shared");
    }
    if (!px_provider_has_login(&auth->provider)) {
        px_buf_char(to, '/'); /* in memory only: one for each specification */
        px_hex_add(to, px_str_n((const char *)auth->provider.spec.whole, sizeof auth->provider.spec.whole));
    }
    return to->failed == -EMSGSIZE             ? -ENAMETOOLONG
           : to->failed                        ? to->failed
           : to->n > (size_t)PX_VAULT_MAX_NAME ? -ENAMETOOLONG
                                               : 0;
}

static void member(struct px_jw *w, const char *name, px_str value) {
    if (!value.p)
        return;
    px_jw_key(w, name);
    px_jw_str(w, value);
}

static void when(struct px_jw *w, const char *name, int64_t ms) {
    if (!ms)
        return;
    px_jw_key(w, name);
    px_jw_i64(w, ms);
}

/* With these tokens; px_wiped_finish wipes it. */
static int write_record(const struct px_grant *grant, const struct px_tokens *tokens, struct px_buf *to) {
    struct px_jw w;
    char digest[65];
    /* All at once: a buffer that grows leaves copies behind. */
    if (!px_buf_room(to, 4096 + 2 * (tokens->access.n + tokens->refresh.n + tokens->previous.n)))
        return to->failed;
    sodium_bin2hex(digest, sizeof digest, grant->digest, sizeof grant->digest);
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "v");
    px_jw_i64(&w, 1);
    member(&w, "digest", px_str_of(digest));
    member(&w, "principal", grant->principal);
    member(&w, "account", grant->account_name);
    member(&w, "scopes", grant->scopes);
    member(&w, "access", tokens->access);
    member(&w, "refresh", tokens->refresh);
    member(&w, "previous", tokens->previous);
    when(&w, "connected", grant->connected_ms);
    when(&w, "got", tokens->got_ms);
    when(&w, "expires", tokens->expires_ms);
    when(&w, "refreshed", grant->refreshed_ms);
    when(&w, "begun", grant->begun_ms);
    if (grant->state == PX_GRANT_INVALID && !grant->client_failed)
        member(&w, "invalid", px_str_of(grant->words));
    px_jw_object_end(&w);
    return to->failed;
}

int px_record_put(struct px_grant *grant, const struct px_tokens *tokens, struct px_scope *scope,
                  px_vault_cb cb, void *user) {
    struct px_buf record;
    struct px_op *op = NULL;
    if (!grant->grants->opts.vault)
        return -EROFS;
    px_buf_init(&record, PX_VAULT_MAX_VALUE);
    int r = write_record(grant, tokens, &record);
    if (!r)
        r = px_vault_put(grant->grants->opts.vault, scope, grant->key, px_buf_view(&record), cb, user, &op);
    px_wiped_finish(&record);
    return r;
}

/* ---- reading ---- */

static int64_t ms_of(const struct px_json *at, const char *name) {
    int64_t ms = 0;
    const struct px_json *node = px_json_get(at, name);
    return node && px_json_i64(node, &ms) == 0 && ms > 0 ? ms : 0;
}

static int heap(const struct px_json *at, const char *name, px_str *to) {
    px_str text = px_json_text(px_json_get(at, name));
    char *copy = text.p ? px_str_dup(text) : NULL;
    if (text.p && !copy)
        return -ENOMEM;
    free((void *)(uintptr_t)to->p);
    *to = (px_str){copy, copy ? text.n : 0};
    return 0;
}

static int read_tokens(struct px_grant *grant, const struct px_json *at) {
    struct px_tokens *t = &grant->tokens;
    int r = px_token_keep(&t->access, px_json_text(px_json_get(at, "access")));
    r = r ? r : px_token_keep(&t->refresh, px_json_text(px_json_get(at, "refresh")));
    r = r ? r : px_token_keep(&t->previous, px_json_text(px_json_get(at, "previous")));
    r = r ? r : px_grant_header(grant, t);
    if (r)
        return r;
    /* By the wall clock, and no longer than it was given: that clock may have been set back meanwhile. */
    t->got_ms = ms_of(at, "got");
    t->expires_ms = ms_of(at, "expires");
    t->got_ns = px_loop_now(grant->grants->opts.loop);
    int64_t left = t->expires_ms - px_grants_wall_ms(grant->grants);
    left = PX_MIN(left, t->expires_ms - t->got_ms);
    t->expires_ns = t->expires_ms ? t->got_ns + (left > 0 ? (uint64_t)left * PX_MS : 0) : 0;
    return 0;
}

static int read_all(struct px_grant *grant, const struct px_json *at) {
    px_str digest = px_json_text(px_json_get(at, "digest")),
           principal = px_json_text(px_json_get(at, "principal"));
    px_str invalid = px_json_text(px_json_get(at, "invalid"));
    size_t n = 0;
    if (ms_of(at, "v") != 1 || digest.n != 64 ||
        sodium_hex2bin(grant->digest, 32, digest.p, digest.n, NULL, &n, NULL) || n != 32)
        return -EBADMSG;
    if (!!principal.p != !!grant->principal.p || !px_str_eq(principal, grant->principal))
        return -EBADMSG; /* never another's, whatever the name says */
    int r = heap(at, "account", &grant->account_name);
    r = r ? r : heap(at, "scopes", &grant->scopes);
    r = r ? r : read_tokens(grant, at);
    if (r)
        return r;
    grant->connected_ms = ms_of(at, "connected");
    grant->refreshed_ms = ms_of(at, "refreshed");
    grant->begun_ms = ms_of(at, "begun");
    grant->generation = 1;
    grant->state = grant->tokens.access.p || grant->tokens.refresh.p ? PX_GRANT_READY : PX_GRANT_NONE;
    if (invalid.p) {
        grant->state = PX_GRANT_INVALID;
        grant->grants->stats.needs_person++;
        px_grant_words(grant, invalid);
    }
    return 0;
}

int px_record_read(struct px_grant *grant, px_str record) {
    struct px_arena arena;
    const struct px_json *at = NULL;
    px_arena_init_small(&arena, 512 << 10);
    int r = px_json_parse(&arena, record, NULL, &at, NULL, NULL);
    r = r == -ENOMEM ? r : r ? -EBADMSG : read_all(grant, at);
    px_arena_wipe(&arena);
    return r;
}
