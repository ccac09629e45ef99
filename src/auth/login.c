#include "auth/login_private.h"
#include "base/clock.h"
#include "base/redact.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA = 256 << 10, WORDS = 600 };

/* ---- beginning and end ---- */

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

static void forget(px_str secret) {
    if (secret.n)
        px_redact_remove(secret);
}

/* Texts in its scope can be read until the loop turns. */
static void release(struct px_login *login) {
    px_work_cancel(&login->go);
    px_work_cancel(&login->stop);
    px_timer_disarm(&login->life);
    px_timer_disarm(&login->poll);
    px_list_remove(&login->node);
    px_list_remove(&login->watch.node);
    login->all->n--;
    forget(px_str_of(login->verifier));
    forget(login->code);
    forget(login->device_code);
    px_scope_close(&login->step);
    px_scope_close(&login->scope);
    explicit_bzero(login, sizeof *login);
    free(login);
}

static void cancel(struct px_op *op) {
    release(px_container_of(op, struct px_login, op));
}
static const struct px_op_kind login_kind = {"auth/login", cancel};

static void finish(struct px_login *login, const struct px_login_news *news) {
    px_login_cb cb = login->cb;
    void *user = login->user;
    px_op_done(&login->op);
    release(login);
    cb(user, news);
}

/* What the provider says may hold what was sent to it. */
static px_str clean(struct px_login *login, px_str words) {
    struct px_buf text;
    px_buf_init(&text, 4 * WORDS);
    px_redact_append(&text, words);
    px_str kept = px_arena_str(&login->scope->arena, px_buf_view(&text));
    px_buf_finish(&text);
    return kept.p ? kept : PX_LIT("the login failed");
}

void px_login_fail(struct px_login *login, int32_t code, const char *advice, const char *format, ...) {
    char words[WORDS];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    struct px_error error = {.size = sizeof error, .code = code, .advice = px_str_of(advice)};
    error.flags = code == PX_UNAVAILABLE || code == PX_TIMEOUT ? PX_ERROR_RETRYABLE : 0;
    error.message = clean(login, px_str_n(words, px_str_cut_utf8(px_str_of(words), WORDS - 1)));
    finish(login, &(struct px_login_news){.step = PX_LOGIN_FAILED, .error = &error});
}

static void on_stop(void *user) {
    struct px_login *login = user;
    px_login_fail(login, login->stop_code, "begin the login again", PX_FMT, PX_ARG(login->stop_words));
}

void px_login_stop(struct px_login *login, int32_t code, px_str words) {
    login->stop_code = code;
    login->stop_words = words;
    px_work_post(login->scope->loop, &login->stop);
}

static void on_closed(struct px_auth_watch *watch) {
    struct px_login *login = px_container_of(watch, struct px_login, watch);
    px_work_cancel(&login->go);
    px_timer_disarm(&login->poll);
    px_login_step_end(login);
    login->auth = NULL;
    px_login_stop(login, PX_UNAVAILABLE, PX_LIT("the service was configured anew, or has ended"));
}

void px_login_fail_answer(struct px_login *login, const char *what, const struct px_ask_answer *answer) {
    bool denied = px_str_is(answer->error, "access_denied");
    int32_t code = answer->transient ? PX_UNAVAILABLE : denied ? PX_FORBIDDEN : PX_UPSTREAM_ERROR;
    const char *advice = answer->transient ? "try again in a while"
                         : denied          ? "begin the login again, and allow it"
                                  : "look at client_id, client_secret, scopes and the endpoints in the "
                                    "service's configuration";
    px_login_fail(login, code, advice, "%s: " PX_FMT, what,
                  PX_ARG(answer->words.n ? answer->words : PX_LIT("the provider refused")));
}

void px_login_show(struct px_login *login, px_str url, px_str complete_url, px_str user_code) {
    uint64_t now = px_loop_now(login->scope->loop);
    uint64_t until = login->life.deadline_ns;
    if (login->until_ns)
        until = PX_MIN(until, login->until_ns);
    const struct px_login_news news = {.step = PX_LOGIN_VISIT,
                                       .url = url,
                                       .complete_url = complete_url,
                                       .user_code = user_code,
                                       .expires_ms = until > now ? (until - now) / PX_MS : 0};
    login->state = PX_LOGIN_WAIT;
    login->cb(login->user, &news);
}

/* ---- steps ---- */

void px_login_step_end(struct px_login *login) {
    px_op_cancel(&login->asking);
    px_scope_close(&login->step);
}

static int open_step(struct px_login *login) {
    px_login_step_end(login);
    return px_scope_open(login->scope->loop, login->scope, "login/step", 0, &login->step);
}

void px_login_ask(struct px_login *login, px_str url, const px_pair *params, size_t n, px_ask_cb cb) {
    struct px_err err = {0};
    int r = open_step(login);
    if (!r)
        r = px_ask(login->provider, login->step, url, params, n, cb, login, &login->asking, &err);
    if (r) {
        login->asking = NULL;
        px_login_fail(login, PX_INTERNAL, NULL, "the provider cannot be asked: %s",
                      err.msg[0] ? err.msg : strerror(-r));
    }
}

static void on_installed(void *user, int status) {
    struct px_login *login = user;
    login->asking = NULL;
    if (status) {
        px_login_fail(login, PX_UNAVAILABLE, "look at the host's log and at its disk, then log in again",
                      "the grant cannot be kept: %s", strerror(-status));
        return;
    }
    px_str scopes = login->tokens.scope.n ? login->tokens.scope : login->provider->spec.scopes;
    const struct px_login_news news = {.step = PX_LOGIN_DONE,
                                       .account = login->account,
                                       .scopes = px_arena_str(&login->scope->arena, scopes)};
    finish(login, &news);
}

static void install(struct px_login *login) {
    login->state = PX_LOGIN_COMMIT;
    int r = px_grant_install(login->auth, login->step, login->principal, &login->tokens, login->account,
                             on_installed, login, &login->asking);
    if (r) {
        login->asking = NULL;
        on_installed(login, r);
    }
}

static void on_account(void *user, px_str account) {
    struct px_login *login = user;
    login->asking = NULL;
    if (account.n)
        login->account = px_arena_str(&login->scope->arena, account);
    install(login);
}

void px_login_tokens(struct px_login *login, const struct px_ask_answer *answer) {
    const struct px_auth_spec *spec = &login->provider->spec;
    struct px_err err;
    login->tokens = *answer;
    /* Some providers leave out the ID token though openid was asked for. Nothing rests on it then: PKCE binds the code to us. */
    if (login->openid && !login->device && answer->id_token.n &&
        px_id_token_check(&login->scope->arena, spec->issuer, spec->client_id, answer->id_token,
                          px_str_of(login->nonce), px_clock_unix_ms() / 1000, &login->account, &err)) {
        px_login_fail(login, PX_UPSTREAM_ERROR, "look at issuer and client_id in the service's configuration",
                      "%s", err.msg);
        return;
    }
    login->state = PX_LOGIN_ACCOUNT;
    int r =
        px_ask_account(login->provider, login->step, answer->access_token, on_account, login, &login->asking);
    if (r) { /* a name is worth having, but not the login */
        login->asking = NULL;
        install(login);
    }
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
        release(login);
        return px_err_errno(err, r, "a login");
    }
    px_bucket_take(&logins->begun, &pace, 1, px_loop_now(scope->loop));
    px_timer_arm_in(&login->life, PX_LOGIN_LIFE_MS * PX_MS);
    px_work_post(scope->loop, &login->go);
    *ret_op = &login->op;
    return 0;
}
