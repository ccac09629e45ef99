#include "auth/fetch.h"
#include "auth/private.h"
#include "base/crash.h"

enum { AT_ONCE = 32 };

struct waiter {
    struct px_op op;
    struct px_list_node node; /* in grant->waiters, or in grants->settled */
    struct px_timer late;
    struct px_grants *grants;
    struct px_auth *auth;   /* NULL: it was closed */
    struct px_grant *grant; /* NULL: it has gone */
    px_auth_cb cb;
    void *user;
};

/* ---- words ---- */

static void say(struct px_error *ret, int code, uint32_t flags, px_str message, px_str advice) {
    *ret = (struct px_error){.size = sizeof *ret,
                             .code = code,
                             .flags = flags | PX_ERROR_NOT_DONE,
                             .message = message.p ? message : PX_LIT("no token"),
                             .advice = advice};
}

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
    say(ret, PX_UNAUTHORIZED, 0, message, advice);
}

static void unavailable(const struct px_auth *auth, struct px_arena *arena, px_str why, uint64_t wait_ns,
                        struct px_error *ret) {
    px_str message =
        px_arena_fmt(arena, PX_FMT ": no token now: " PX_FMT, PX_ARG(auth->service), PX_ARG(why));
    say(ret, PX_UNAVAILABLE, PX_ERROR_RETRYABLE, message, (px_str){0});
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
    return PX_MIN(px_grant_life(&grant->tokens) / 10, (uint64_t)PX_GRANTS_LITTLE_MS * PX_MS);
}

static int look_local(struct px_grant *grant, struct px_auth *auth, struct px_arena *arena,
                      struct px_token *ret_token, struct px_error *ret_error) {
    struct px_err err = {0};
    bool old = px_grant_left(grant, &grant->tokens) <= px_grant_life(&grant->tokens) / 5;
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
        px_due_queue(grant, true);
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
    uint64_t now = px_loop_now(grant->grants->opts.loop), left = px_grant_left(grant, &grant->tokens);
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
        px_due_queue(grant, true);
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
    px_due_queue(grant, true);
    return 0;
}

/* ---- who waits ---- */

static void waiter_free(struct waiter *w) {
    px_timer_disarm(&w->late);
    px_list_remove(&w->node);
    w->grants->n_waiters--;
    free(w);
}

static void cancel(struct px_op *op) {
    waiter_free(px_container_of(op, struct waiter, op));
}
static const struct px_op_kind kind = {"auth/token", cancel};

static void finish(struct waiter *w, const struct px_token *token, const struct px_error *error) {
    px_auth_cb cb = w->cb;
    void *user = w->user;
    px_op_done(&w->op);
    waiter_free(w);
    cb(user, token, error);
}

static void on_late(void *user) {
    struct waiter *w = user;
    struct px_error error;
    say(&error, PX_UNAVAILABLE, PX_ERROR_RETRYABLE, PX_LIT("no token in time: it is being refreshed"),
        (px_str){0});
    error.retry_after_ms = 1000;
    finish(w, NULL, &error);
}

static void answer(struct waiter *w) {
    struct px_error error;
    struct px_token token;
    if (!w->auth || !w->grant) {
        bool closed = !w->auth;
        say(&error, closed ? PX_UNAVAILABLE : PX_UNAUTHORIZED, closed ? PX_ERROR_RETRYABLE : 0,
            closed ? PX_LIT("the service has ended, or was configured anew")
                   : PX_LIT("the grant was taken away"),
            (px_str){0});
        finish(w, NULL, &error);
        return;
    }
    struct px_scope *scope = w->op.scope;
    int r = look(w->grant, w->auth, &scope->arena, &token, &error);
    if (r == 0)
        px_list_add(&w->grant->waiters, &w->node);
    else
        finish(w, r == 1 ? &token : NULL, r == 1 ? NULL : &error);
}

static void on_settle(void *user) {
    struct px_grants *grants = user;
    for (int n = 0; n < AT_ONCE && !px_list_empty(&grants->settled); n++) {
        struct waiter *w = px_list_entry(grants->settled.next, struct waiter, node);
        px_list_remove(&w->node);
        answer(w);
    }
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_init(struct px_grants *grants) {
    px_list_init(&grants->settled);
    px_work_init(&grants->settle, "auth/waiters", on_settle, grants);
}

void px_wait_settle(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    px_list_splice(&grants->settled, &grant->waiters);
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_lost(struct px_grant *grant) {
    px_wait_settle(grant);
    PX_LIST_EACH (node, &grant->grants->settled) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        if (w->grant == grant)
            w->grant = NULL;
    }
}

static void close_in(struct px_list_node *list, struct px_auth *auth, struct px_list_node *closed) {
    PX_LIST_EACH_SAFE (node, list) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        if (w->auth != auth)
            continue;
        w->auth = NULL;
        px_list_remove(node);
        px_list_add(closed, node);
    }
}

void px_wait_closed(struct px_auth *auth) {
    struct px_grants *grants = auth->grants;
    struct px_list_node closed;
    px_list_init(&closed);
    if (!grants->n_waiters)
        return;
    PX_MAP_EACH (slot, &grants->by_key) {
        struct px_grant *grant = slot->value;
        close_in(&grant->waiters, auth, &closed);
    }
    close_in(&grants->settled, auth, &closed);
    px_list_splice(&grants->settled, &closed);
    if (!px_list_empty(&grants->settled))
        px_work_post(grants->opts.loop, &grants->settle);
}

void px_wait_move(struct px_grant *from, struct px_grant *to) {
    px_list_splice(&to->waiters, &from->waiters);
    PX_LIST_EACH (node, &to->waiters)
        px_list_entry(node, struct waiter, node)->grant = to;
    PX_LIST_EACH (node, &from->grants->settled) {
        struct waiter *w = px_list_entry(node, struct waiter, node);
        w->grant = w->grant == from ? to : w->grant;
    }
}

int px_auth_token(struct px_auth *auth, struct px_scope *scope, const struct px_holder *who,
                  uint64_t deadline_ns, px_auth_cb cb, void *user, struct px_op **ret_op,
                  struct px_token *ret_token, struct px_error *ret_error) {
    struct px_grants *grants = auth->grants;
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
    if (grants->n_waiters >= PX_GRANTS_WAITERS) {
        unavailable(auth, &scope->arena, PX_LIT("too many wait for a token"), PX_S, ret_error);
        return -EACCES;
    }
    struct waiter *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    *w = (struct waiter){.grants = grants, .auth = auth, .grant = grant, .cb = cb, .user = user};
    r = px_op_begin(&w->op, &kind, scope);
    if (r) {
        free(w);
        return r;
    }
    grants->n_waiters++;
    px_list_init(&w->node);
    px_list_add(&grant->waiters, &w->node);
    px_timer_init(&w->late, grants->opts.loop, "auth/token", on_late, w);
    if (deadline_ns)
        px_timer_arm(&w->late, deadline_ns);
    *ret_op = &w->op;
    return 0;
}
