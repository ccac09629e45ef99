#include "auth/identity.h"
#include "auth/private.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/redact.h"

/* A grant that a login has brought, on its way into the vault. Whoever waits for it may go: it is kept all the same. */
struct install {
    struct px_op op;
    struct px_list_node node; /* in grants->installs */
    struct px_auth *auth;     /* a reference */
    struct px_grant *draft;
    struct px_op *put;
    void (*cb)(void *user, int status); /* NULL: nobody waits any more */
    void *user;
};

static void forget_waiter(struct px_op *op) {
    px_container_of(op, struct install, op)->cb = NULL;
}
static const struct px_op_kind kind = {"auth/install", forget_waiter};

static void install_free(struct install *in) {
    px_list_remove(&in->node);
    if (in->draft)
        px_grant_draft_free(in->draft);
    px_auth_unref(in->auth);
    free(in);
}

void px_installs_end(struct px_grants *grants) {
    while (!px_list_empty(&grants->installs)) {
        struct install *in = px_list_entry(grants->installs.next, struct install, node);
        px_op_done(&in->op);
        install_free(in);
    }
}

static struct px_grant *there(const struct install *in) {
    return px_map_get(&in->auth->grants->by_key, in->draft->key);
}

static void freeze(struct install *in, bool frozen) {
    struct px_grant *old = there(in);
    if (!old)
        return;
    old->frozen = frozen;
    if (frozen) { /* its answer would be written over what comes now */
        px_refresh_stop(old);
        px_timer_disarm(&old->due);
    } else {
        px_due_arm(old);
    }
    px_wait_settle(old);
}

/* The px_auth may have been closed meanwhile, and another opened in its place. */
static struct px_auth *open_one(const struct install *in) {
    if (!in->auth->closed)
        return in->auth;
    PX_LIST_EACH (node, &in->auth->grants->auths) {
        struct px_auth *other = px_list_entry(node, struct px_auth, node);
        if (px_str_eq(other->names, in->auth->names) && px_grant_fits(in->draft, other))
            return other;
    }
    return NULL;
}

static int enter(struct install *in) {
    struct px_grants *grants = in->auth->grants;
    px_str now;
    if (px_vault_get(grants->opts.vault, in->draft->key, &now)) /* logged out meanwhile */
        return -ECANCELED;
    int r = px_grant_enter(in->draft, open_one(in));
    if (r)
        return r;
    struct px_grant *grant = px_take(&in->draft);
    px_due_arm(grant);
    px_wait_settle(grant);
    px_log(PX_LOG_NOTICE, "auth", "a grant was made", PX_KS("service", in->auth->service),
           PX_KS("holder", grant->principal), PX_KS("account", grant->account_name));
    return 0;
}

static void on_put(void *user, int status) {
    struct install *in = user;
    if (status == 0) {
        px_crash_point("grant/installed");
        status = enter(in);
    }
    if (in->draft)
        freeze(in, false);
    void (*cb)(void *, int) = in->cb;
    void *to = in->user;
    px_op_done(&in->op);
    install_free(in);
    if (cb)
        cb(to, status);
}

static px_str dup_str(px_str s, int *r) {
    char *copy = s.p ? px_str_dup(s) : NULL;
    if (s.p && !copy)
        *r = -ENOMEM;
    return (px_str){copy, copy ? s.n : 0};
}

static int fill(struct px_grant *draft, struct px_auth *auth, const struct px_ask_answer *answer,
                px_str account) {
    struct px_tokens *t = &draft->tokens;
    int r = px_token_keep(&t->access, answer->access_token);
    r = r ? r : px_token_keep(&t->refresh, answer->refresh_token);
    draft->scopes = dup_str(answer->scope.n ? answer->scope : auth->provider.spec.scopes, &r);
    draft->account_name = dup_str(account, &r);
    draft->auth = auth; /* for the prefix; it is attached when it enters */
    r = r ? r : px_grant_header(draft, t);
    draft->auth = NULL;
    px_tokens_live(t, px_grants_wall_ms(draft->grants), px_loop_now(draft->grants->opts.loop),
                   answer->expires_in_s);
    draft->refreshed_ms = t->got_ms;
    draft->generation = 1;
    draft->state = PX_GRANT_READY;
    return r;
}

/* Not known is another one. */
static bool same_account(const struct px_grant *old, const struct px_grant *fresh,
                         const struct px_auth *auth) {
    return old && old->account_name.n && px_str_eq(old->account_name, fresh->account_name) &&
           px_grant_fits(old, auth);
}

static int prepare(struct install *in, px_str principal, const struct px_ask_answer *answer, px_str account) {
    struct px_buf key;
    px_buf_init(&key, 8192);
    int r = px_record_key(&key, in->auth, principal, (px_str){0});
    if (!r) {
        in->draft = px_grant_draft(in->auth, px_buf_view(&key), principal, (px_str){0}, true);
        r = in->draft ? fill(in->draft, in->auth, answer, account) : -ENOMEM;
    }
    if (!r)
        in->draft->connected_ms =
            same_account(there(in), in->draft, in->auth) ? there(in)->connected_ms : in->draft->tokens.got_ms;
    px_buf_finish(&key);
    return r;
}

int px_grant_install(struct px_auth *auth, struct px_scope *scope, px_str principal,
                     const struct px_ask_answer *answer, px_str account, void (*cb)(void *user, int status),
                     void *user, struct px_op **ret_op) {
    struct px_grants *grants = auth->grants;
    if (auth->provider.spec.kind != PX_AUTH_OAUTH2 || (auth->provider.spec.per_principal && !principal.n))
        return -EINVAL;
    struct install *in = calloc(1, sizeof *in);
    if (!in)
        return -ENOMEM;
    *in = (struct install){.auth = auth, .cb = cb, .user = user};
    px_auth_ref(auth);
    px_list_init(&in->node);
    px_list_add(&grants->installs, &in->node);
    int r = prepare(in, auth->provider.spec.per_principal ? principal : (px_str){0}, answer, account);
    r = r ? r : px_op_begin(&in->op, &kind, scope);
    if (!r) {
        freeze(in, true);
        r = px_record_put(in->draft, &in->draft->tokens, grants->opts.scope, on_put, in);
        if (r)
            freeze(in, false);
    }
    if (r) {
        px_op_done(&in->op);
        install_free(in);
        return r;
    }
    *ret_op = &in->op;
    return 0;
}

/* ---- the end ---- */

static px_str hand_over(px_str *token) {
    px_str taken = *token;
    if (taken.p)
        px_redact_remove(taken);
    *token = (px_str){0};
    return taken;
}

int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access, px_str *ret_refresh) {
    const struct px_holder who = {.principal = principal};
    int r = 0;
    if (!px_provider_has_login(&auth->provider))
        return -ENOENT;
    struct px_grant *grant = px_grants_of(auth, &who, &r);
    if (!grant)
        return r ? r : -ENOENT;
    struct px_op *op = NULL;
    r = px_vault_remove(auth->grants->opts.vault, auth->grants->opts.scope, grant->key, NULL, NULL, &op);
    if (r) /* it goes on as if nobody had asked */
        return r;
    px_refresh_stop(grant);
    /* Tokens of another provider, or another client, are not shown to this one. */
    bool ours = px_grant_fits(grant, auth);
    *ret_access = ours ? hand_over(&grant->tokens.access) : (px_str){0};
    *ret_refresh = ours ? hand_over(&grant->tokens.refresh) : (px_str){0};
    px_log(PX_LOG_NOTICE, "auth", "a grant was taken away", PX_KS("service", auth->service),
           PX_KS("holder", grant->principal));
    px_grant_free(grant);
    return 0;
}
