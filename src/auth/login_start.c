#include "auth/login_private.h"
#include "base/redact.h"
#include <assert.h>
#include <string.h>

enum { ARENA = 256 << 10 };

/* ---- all logins ---- */

static const struct px_rate pace = {
    .kind = PX_RATE_BUCKET, .requests = 1, .per_ns = PX_S, .burst = PX_LOGINS_BURST};

int px_logins_create(struct px_grants *grants, struct px_logins **ret, struct px_err *err) {
    struct px_logins *logins = calloc(1, sizeof *logins);
    if (!logins)
        return px_err_set(err, -ENOMEM, "out of memory");
    logins->grants = grants;
    px_list_init(&logins->logins);
    px_bucket_init(&logins->begun, &pace, 0);
    *ret = logins;
    return 0;
}

void px_logins_destroy(struct px_logins **logins) {
    struct px_logins *all = px_take(logins);
    assert(!all || !all->n);
    free(all);
}

/* ---- one ---- */

static void cancel(struct px_op *op) {
    px_login_release(px_container_of(op, struct px_login, op));
}
static const struct px_op_kind login_kind = {"auth/login", cancel};

static void on_closed(struct px_auth_watch *watch) {
    struct px_login *login = px_container_of(watch, struct px_login, watch);
    px_work_cancel(&login->go);
    px_timer_disarm(&login->poll);
    px_login_step_end(login);
    login->auth = NULL;
    px_login_stop(login, PX_UNAVAILABLE, PX_LIT("the service was configured anew, or has ended"));
}

/* ---- what comes from the loop ---- */

static void on_stop(void *user) {
    struct px_login *login = user;
    px_login_fail(login, login->stop_code, "begin the login again", PX_FMT, PX_ARG(login->stop_words));
}

static void on_discovered(void *user, const struct px_error *error) {
    struct px_login *login = user;
    login->asking = NULL;
    if (error)
        px_login_fail(login, error->code, error->advice.p, PX_FMT, PX_ARG(error->message));
    else if (login->device)
        px_login_device_begin(login);
    else
        px_login_code_begin(login);
}

static void on_go(void *user) {
    struct px_login *login = user;
    if (login->state == PX_LOGIN_TOKEN) {
        px_login_code_exchange(login);
        return;
    }
    int r = px_discover(login->provider, login->scope, on_discovered, login, &login->asking);
    if (r == 0)
        return;
    login->asking = NULL;
    if (r < 0)
        px_login_fail(login, PX_INTERNAL, NULL, "the endpoints cannot be looked up: %s", strerror(-r));
    else
        on_discovered(login, NULL);
}

static void on_life(void *user) {
    px_login_fail(user, PX_TIMEOUT, "begin the login again",
                  "nobody has finished the login within 10 minutes");
}

/* ---- the request ---- */

static bool has_scope(px_str scopes, const char *name) {
    px_str wanted = px_str_of(name);
    while (scopes.n) {
        const char *blank = memchr(scopes.p, ' ', scopes.n);
        size_t n = blank ? (size_t)(blank - scopes.p) : scopes.n;
        if (px_str_eq(px_str_n(scopes.p, n), wanted))
            return true;
        size_t step = blank ? n + 1 : n;
        scopes = px_str_n(scopes.p + step, scopes.n - step);
    }
    return false;
}

static int fill(struct px_login *login, const struct px_login_req *req) {
    struct px_arena *arena = &login->scope->arena;
    const struct px_auth_spec *spec = &login->provider->spec;
    login->device = req->device || spec->flow == PX_FLOW_DEVICE;
    login->openid = has_scope(spec->scopes, "openid");
    if (spec->per_principal)
        login->principal = px_arena_str(arena, req->principal);
    login->redirect_uri = px_arena_str(arena, req->redirect_uri);
    px_pkce_random(login->bound);
    px_pkce_random(login->nonce);
    px_pkce_random(login->verifier);
    if ((spec->per_principal && !login->principal.p) || (req->redirect_uri.p && !login->redirect_uri.p) ||
        px_redact_add(px_str_of(login->verifier))) {
        login->verifier[0] = 0;
        return -ENOMEM;
    }
    return 0;
}

/* Of all principals for themselves; of this one. */
static void count_own(const struct px_logins *all, px_str principal, unsigned *ret_all, unsigned *ret_this) {
    *ret_all = *ret_this = 0;
    PX_LIST_EACH (node, &all->logins) {
        const struct px_login *login = px_list_entry(node, struct px_login, node);
        *ret_all += login->principal.p != NULL;
        *ret_this += login->principal.p && px_str_eq(login->principal, principal);
    }
}

static int has_room(const struct px_logins *all, bool own, px_str principal, uint64_t now,
                    struct px_err *err) {
    unsigned of_all, of_this;
    uint64_t keep = own ? PX_LOGINS_BURST - PX_LOGINS_OWN_BURST : 0;
    count_own(all, principal, &of_all, &of_this);
    if (own && of_this >= PX_LOGINS_EACH)
        return px_err_set(err, -EBUSY, "%u logins of yours are waiting already", of_this);
    if (all->n >= PX_LOGINS || (own && of_all >= PX_LOGINS_OWN))
        return px_err_set(err, -EBUSY, "%u logins are waiting already", own ? of_all : all->n);
    if (px_bucket_wait(&all->begun, &pace, 1 + keep, 0, now))
        return px_err_set(err, -EBUSY, "%u logins have begun just now, and one a second may",
                          (unsigned)(PX_LOGINS_BURST - keep));
    return 0;
}

int px_login_start(struct px_logins *logins, struct px_scope *scope, const struct px_login_req *req,
                   px_login_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct px_auth *auth = NULL;
    bool device = req->device;
    int r = px_login_find(logins, req->service, req->identity, &device, &auth, err);
    if (r)
        return r;
    struct px_provider *provider = px_auth_provider(auth);
    if (!device)
        r = px_login_redirect_check(&provider->spec, req->redirect_uri, err);
    if (!r && provider->spec.per_principal && !req->principal.n)
        r = px_err_set(err, -EINVAL, "a login that is one principal's own needs to know whose");
    if (!r)
        r = has_room(logins, provider->spec.per_principal, req->principal, px_loop_now(scope->loop), err);
    if (r)
        return r;
    struct px_login *login = calloc(1, sizeof *login);
    if (!login)
        return px_err_set(err, -ENOMEM, "no memory for a login");
    login->all = logins;
    login->auth = auth;
    login->provider = provider;
    login->cb = cb;
    login->user = user;
    px_list_add(&logins->logins, &login->node);
    px_auth_watch(auth, &login->watch, on_closed);
    logins->n++;
    px_work_init(&login->go, "auth/login", on_go, login);
    px_work_init(&login->stop, "auth/login", on_stop, login);
    px_timer_init(&login->life, scope->loop, "auth/login", on_life, login);
    r = px_scope_open(scope->loop, scope, "login", ARENA, &login->scope);
    if (!r)
        r = fill(login, req);
    if (!r)
        r = px_op_begin(&login->op, &login_kind, scope);
    if (r) {
        px_login_release(login);
        return px_err_errno(err, r, "a login");
    }
    px_bucket_take(&logins->begun, &pace, 1, px_loop_now(scope->loop));
    px_timer_arm_in(&login->life, PX_LOGIN_LIFE_MS * PX_MS);
    px_work_post(scope->loop, &login->go);
    *ret_op = &login->op;
    return 0;
}
