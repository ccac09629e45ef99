#include "auth/login_private.h"
#include "base/clock.h"
#include "base/redact.h"
#include <stdarg.h>
#include <stdio.h>

enum { WORDS = 600 };

/* ---- the end ---- */

static void forget(px_str secret) {
    if (secret.n)
        px_redact_remove(secret);
}

void px_login_release(struct px_login *login) {
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

static void finish(struct px_login *login, const struct px_login_news *news) {
    px_login_cb cb = login->cb;
    void *user = login->user;
    px_op_done(&login->op);
    px_login_release(login);
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

void px_login_stop(struct px_login *login, int32_t code, px_str words) {
    login->stop_code = code;
    login->stop_words = words;
    px_work_post(login->scope->loop, &login->stop);
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
