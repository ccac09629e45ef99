#include "auth/fetch.h"
#include "auth/identity.h"
#include "auth/private.h"
#include "base/crash.h"

/* ---- words ---- */

static void unauthorized(const struct px_auth *auth, struct px_arena *arena, px_str why, bool client,
                         struct px_error *ret) {
    px_str message = px_arena_fmt(arena, PX_FMT ": " PX_FMT, PX_ARG(auth->service), PX_ARG(why));
    bool named = px_auth_find(auth->grants, auth->service, (px_str){0}) != auth;
    px_str advice =
        px_provider_has_login(&auth->provider) && !client
            ? px_arena_fmt(arena, "Run: plexus auth login " PX_FMT "%s" PX_FMT, PX_ARG(auth->service),
                           named ? " --identity " : "", PX_ARG(named ? auth->identity : PX_LIT("")))
            : px_arena_fmt(arena, "Ask an administrator to look at services." PX_FMT ".auth",
                           PX_ARG(auth->service));
    px_wait_error(ret, PX_UNAUTHORIZED, 0, message, advice);
}

static void unavailable(const struct px_auth *auth, struct px_arena *arena, px_str why, uint64_t wait_ns,
                        struct px_error *ret) {
    px_str message =
        px_arena_fmt(arena, PX_FMT ": no token now: " PX_FMT, PX_ARG(auth->service), PX_ARG(why));
    px_wait_error(ret, PX_UNAVAILABLE, PX_ERROR_RETRYABLE, message, (px_str){0});
    ret->retry_after_ms = (int64_t)(wait_ns / PX_MS) + 1;
}

/* The error of somebody who has no grant. */
static void no_grant(const struct px_auth *auth, px_str principal, struct px_arena *arena,
                     struct px_error *ret) {
    if (auth->provider.spec.per_principal && !principal.n)
        unauthorized(auth, arena,
                     PX_LIT("this request is nobody's, and each principal has a grant of its own here"), true,
                     ret);
    else if (auth->provider.spec.kind == PX_AUTH_GITHUB_APP)
        unauthorized(
            auth, arena,
            PX_LIT(
                "this request is about no account, and the configuration names no owner or installation_id"),
            true, ret);
    else
        unauthorized(auth, arena, PX_LIT("nobody has logged in yet"), false, ret);
}

/* ---- looking ---- */

static int give(struct px_grant *grant, const struct px_auth *auth, struct px_arena *arena,
                struct px_token *ret, struct px_error *ret_error) {
    if (!grant->tokens.header && px_grant_header(grant, &grant->tokens)) {
        unavailable(auth, arena, PX_LIT("out of memory"), PX_S, ret_error);
        return -EACCES;
    }
    *ret = (struct px_token){.header = auth->provider.spec.header,
                             .value = grant->tokens.header->value,
                             .account = grant->account,
                             .generation = grant->generation,
                             .kept = grant->tokens.header};
    grant->used = true;
    if (!grant->handed_out) {
        grant->handed_out = true;
        px_crash_point("refresh/used");
    }
    return 1;
}

static uint64_t little(const struct px_grant *grant) {
    return PX_MIN(px_tokens_life(&grant->tokens) / 10, (uint64_t)PX_GRANTS_LITTLE_MS * PX_MS);
}

static int look_local(struct px_grant *grant, struct px_auth *auth, struct px_arena *arena,
                      struct px_token *ret_token, struct px_error *ret_error) {
    struct px_err err = {0};
    bool old = px_grant_left(grant) <= px_tokens_life(&grant->tokens) / 5;
    if (old && px_refresh_local(grant, &err)) {
        unavailable(auth, arena, px_str_of(err.msg), PX_S, ret_error);
        return -EACCES;
    }
    return give(grant, auth, arena, ret_token, ret_error);
}

static int look_invalid(struct px_grant *grant, struct px_auth *auth, bool alive, struct px_arena *arena,
                        struct px_token *ret_token, struct px_error *ret_error) {
    if (alive && grant->refused_generation != grant->generation)
        return give(grant, auth, arena, ret_token, ret_error); /* it still works */
    if (!grant->kept && px_loop_now(grant->grants->opts.loop) >= grant->retry_ns) {
        /* What an administrator put right at the provider is seen once in a while. */
        grant->state = PX_GRANT_READY;
        grant->grants->stats.needs_person--;
        px_lane_queue(grant, true);
        return 0;
    }
    unauthorized(auth, arena, px_str_of(grant->words), grant->client_failed, ret_error);
    return -EACCES;
}

static bool nothing_to_refresh_with(const struct px_grant *grant) {
    return grant->kept && !grant->tokens.refresh.p;
}

/* 1: a token; 0: wait; negative: *ret_error says why there is none. */
static int look(struct px_grant *grant, struct px_auth *auth, struct px_arena *arena,
                struct px_token *ret_token, struct px_error *ret_error) {
    uint64_t now = px_loop_now(grant->grants->opts.loop), left = px_grant_left(grant);
    bool busy = px_grant_busy(grant) && !grant->stuck;
    if (!px_grant_fits(grant, auth)) {
        unauthorized(auth, arena,
                     PX_LIT("the grant that is there was made with another client, or at another provider"),
                     false, ret_error);
        return -EACCES;
    }
    if (px_fetch_is_local(&auth->provider))
        return look_local(grant, auth, arena, ret_token, ret_error);
    if (grant->state == PX_GRANT_NONE) {
        no_grant(auth, grant->principal, arena, ret_error);
        return -EACCES;
    }
    if (grant->state == PX_GRANT_INVALID)
        return look_invalid(grant, auth, left > 0, arena, ret_token, ret_error);
    if (busy && grant->generation && grant->refused_generation == grant->generation)
        return 0;
    if (left > little(grant))
        return give(grant, auth, arena, ret_token, ret_error);
    if (busy) {
        px_lane_queue(grant, true);
        return 0;
    }
    if (grant->stuck || (grant->failures && now < grant->retry_ns)) {
        if (left)
            return give(grant, auth, arena, ret_token, ret_error);
        unavailable(auth, arena, px_str_of(grant->words), grant->retry_ns > now ? grant->retry_ns - now : 0,
                    ret_error);
        return -EACCES;
    }
    if (nothing_to_refresh_with(grant)) {
        if (left)
            return give(grant, auth, arena, ret_token, ret_error);
        unauthorized(auth, arena,
                     PX_LIT("the token has expired, and the provider gave nothing to refresh it with"), false,
                     ret_error);
        return -EACCES;
    }
    px_lane_queue(grant, true);
    return 0;
}

/* ---- who asks ---- */

int px_auth_token(struct px_auth *auth, struct px_scope *scope, const struct px_holder *who,
                  uint64_t deadline_ns, px_auth_cb cb, void *user, struct px_op **ret_op,
                  struct px_token *ret_token, struct px_error *ret_error) {
    int r = 0;
    struct px_grant *grant = px_grants_of(auth, who, &r);
    if (!grant) {
        if (r)
            return r;
        no_grant(auth, who->principal, &scope->arena, ret_error);
        return -EACCES;
    }
    px_grant_touch(grant);
    r = look(grant, auth, &scope->arena, ret_token, ret_error);
    if (r)
        return r;
    r = px_wait_add(grant, auth, scope, deadline_ns, look, cb, user, ret_op);
    if (r != -ENOSPC)
        return r;
    unavailable(auth, &scope->arena, PX_LIT("too many wait for a token"), PX_S, ret_error);
    return -EACCES;
}

int px_auth_keep(const struct px_token *token, struct px_scope *scope) {
    return px_header_keep(token->kept, scope);
}
