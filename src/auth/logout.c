/* Forgetting a grant, and telling the provider (RFC 7009): the refresh token first, because with it goes what was made from it. */
#include "auth/login_private.h"
#include "base/clock.h"
#include "base/locked.h"

enum { LIFE_S = 10 };

struct logout {
    struct px_op op;
    struct px_auth_watch watch;
    struct px_provider *provider;
    struct px_scope *scope;
    struct px_op *asking;
    struct px_work go;
    struct px_timer life;
    px_logout_cb cb;
    void *user;
    px_str access, refresh; /* locked */
    bool revoked, asked;
};

static void release(struct logout *logout) {
    px_work_cancel(&logout->go);
    px_timer_disarm(&logout->life);
    px_list_remove(&logout->watch.node);
    px_scope_close(&logout->scope);
    px_locked_drop(&logout->access);
    px_locked_drop(&logout->refresh);
    free(logout);
}

static void cancel(struct px_op *op) {
    release(px_container_of(op, struct logout, op));
}
static const struct px_op_kind logout_kind = {"auth/logout", cancel};

static void finish(struct logout *logout, px_str words) {
    px_logout_cb cb = logout->cb;
    void *user = logout->user;
    bool revoked = logout->revoked;
    char kept[240];
    px_str_copy(kept, sizeof kept, words);
    px_op_done(&logout->op);
    release(logout);
    cb(user, revoked, px_str_of(kept));
}

static void next(struct logout *logout);

static void on_revoked(void *user, const struct px_ask_answer *answer) {
    struct logout *logout = user;
    bool was_refresh = logout->refresh.p;
    logout->asking = NULL;
    bool went = answer->status >= 200 && answer->status < 300;
    if (!logout->asked) /* the token that the grant lives by */
        logout->revoked = went;
    logout->asked = true;
    px_locked_drop(was_refresh ? &logout->refresh : &logout->access);
    if (!went && was_refresh) {
        px_str words = answer->words.n ? answer->words : PX_LIT("the provider refused to revoke it");
        finish(logout, words);
        return;
    }
    next(logout);
}

static void ask_to_revoke(struct logout *logout, px_str token, px_str hint) {
    struct px_err err = {0};
    const px_pair params[] = {{PX_LIT("token"), token}, {PX_LIT("token_type_hint"), hint}};
    int r = px_ask(logout->provider, logout->scope, logout->provider->spec.revocation_url, params,
                   PX_COUNT(params), on_revoked, logout, &logout->asking, &err);
    if (r) {
        logout->asking = NULL;
        finish(logout, PX_LIT("the provider cannot be asked"));
    }
}

static void next(struct logout *logout) {
    if (logout->refresh.n)
        ask_to_revoke(logout, logout->refresh, PX_LIT("refresh_token"));
    else if (logout->access.n)
        ask_to_revoke(logout, logout->access, PX_LIT("access_token"));
    else
        finish(logout,
               logout->asked ? (px_str){0} : PX_LIT("there was no token of this provider's to revoke"));
}

static void on_discovered(void *user, const struct px_error *error) {
    struct logout *logout = user;
    logout->asking = NULL;
    if (logout->provider->spec.revocation_url.n)
        next(logout);
    else if (error)
        finish(logout, PX_LIT("the provider's endpoints cannot be looked up"));
    else
        finish(logout, PX_LIT("the provider names no revocation endpoint (RFC 7009)"));
}

static void on_go(void *user) {
    struct logout *logout = user;
    int r = 1;
    if (!logout->provider->spec.revocation_url.n)
        r = px_discover(logout->provider, logout->scope, on_discovered, logout, &logout->asking);
    if (r == 0)
        return;
    logout->asking = NULL;
    on_discovered(logout, r < 0 ? &(struct px_error){.code = PX_INTERNAL} : NULL);
}

static void on_life(void *user) {
    finish(user, PX_LIT("the provider did not answer in time"));
}

static void on_closed(struct px_auth_watch *watch) {
    struct logout *logout = px_container_of(watch, struct logout, watch);
    px_work_cancel(&logout->go);
    px_op_cancel(&logout->asking);
    px_timer_arm_in(&logout->life, 0); /* nobody can be asked any more */
}

int px_logout(struct px_logins *logins, struct px_scope *scope, px_str service, px_str identity,
              px_str principal, px_logout_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_auth *auth = px_auth_find(logins->grants, service, identity);
    if (!auth)
        return px_err_set(err, -ENOENT, "service \"" PX_FMT "\" has no login", PX_ARG(service));
    struct logout *logout = calloc(1, sizeof *logout);
    if (!logout)
        return px_err_set(err, -ENOMEM, "no memory for a logout");
    logout->provider = px_auth_provider(auth);
    logout->cb = cb;
    logout->user = user;
    px_auth_watch(auth, &logout->watch, on_closed);
    px_work_init(&logout->go, "auth/logout", on_go, logout);
    px_timer_init(&logout->life, scope->loop, "auth/logout", on_life, logout);
    int r = px_scope_open(scope->loop, scope, "logout", 0, &logout->scope);
    if (!r)
        r = px_op_begin(&logout->op, &logout_kind, scope);
    if (!r)
        r = px_grant_remove(auth, logout->provider->spec.per_principal ? principal : (px_str){0},
                            &logout->access, &logout->refresh);
    if (r) {
        px_op_done(&logout->op);
        release(logout);
        return r == -ENOENT ? px_err_set(err, r, "nobody is logged in to " PX_FMT, PX_ARG(service))
                            : px_err_errno(err, r, "a logout");
    }
    px_timer_arm_in(&logout->life, LIFE_S * PX_S);
    px_work_post(scope->loop, &logout->go);
    *ret_op = &logout->op;
    return 0;
}
