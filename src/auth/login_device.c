/* Device authorization (RFC 8628): the person types a code in, wherever there is a browser. */
#include "auth/login_private.h"
#include "base/clock.h"
#include "base/redact.h"
#include "net/url.h"
#include "json/slice.h"

enum {
    INTERVAL_S = 5,  /* RFC 8628 §3.2: when the provider says none */
    SLOW_DOWN_S = 5, /* §3.5: for good */
    BACKOFF_S = 60,  /* at most, while the provider cannot be reached */
    USER_CODE_MAX = 64,
    URL_MAX = 2048
};

static void ask_again(void *user);

/* ---- polling ---- */

static void wait(struct px_login *login) {
    login->state = PX_LOGIN_WAIT;
    px_timer_arm(&login->poll, PX_MIN(px_loop_now(login->scope->loop) + login->wait_ns, login->until_ns));
}

/* The provider is not to be asked as often as before. */
static void slow_down(struct px_login *login) {
    login->interval_ns += SLOW_DOWN_S * PX_S;
    login->wait_ns = login->interval_ns;
    wait(login);
}

static void expired(struct px_login *login) {
    px_login_fail(login, PX_TIMEOUT, "begin the login again", "the code was not used in time");
}

static void on_polled(void *user, const struct px_ask_answer *answer) {
    struct px_login *login = user;
    login->asking = NULL;
    if (answer->ok) {
        px_login_tokens(login, answer);
        return;
    }
    bool transient = answer->transient;
    uint64_t retry_ns = answer->retry_after_ms > 0 ? (uint64_t)answer->retry_after_ms * PX_MS : 0;
    if (px_str_is(answer->error, "authorization_pending")) {
        px_login_step_end(login);
        login->wait_ns = login->interval_ns;
        wait(login);
    } else if (px_str_is(answer->error, "slow_down")) {
        px_login_step_end(login);
        slow_down(login);
    } else if (px_str_is(answer->error, "expired_token")) {
        expired(login);
    } else if (transient) { /* §3.5: exponential backoff */
        px_login_step_end(login);
        login->wait_ns = PX_MIN(login->wait_ns * 2, PX_MAX(BACKOFF_S * PX_S, login->interval_ns));
        login->wait_ns = PX_MIN(PX_MAX(login->wait_ns, retry_ns), PX_LOGIN_LIFE_MS * PX_MS);
        wait(login);
    } else {
        px_login_fail_answer(login, "the provider gives no tokens", answer);
    }
}

static void ask_again(void *user) {
    struct px_login *login = user;
    const struct px_auth_spec *spec = &login->provider->spec;
    const px_pair params[] = {{PX_LIT("grant_type"), PX_LIT("urn:ietf:params:oauth:grant-type:device_code")},
                              {PX_LIT("device_code"), login->device_code},
                              {PX_LIT("resource"), spec->resource}};
    if (px_loop_now(login->scope->loop) >= login->until_ns) {
        expired(login);
        return;
    }
    login->state = PX_LOGIN_TOKEN;
    px_login_ask(login, spec->token_url, params, PX_COUNT(params) - (spec->resource.n ? 0 : 1), on_polled);
}

/* ---- the code ---- */

static px_str text_at(struct px_arena *arena, px_str body, const char *name) {
    px_str value, text;
    if (px_json_slice_get(body, px_str_of(name), &value) || px_json_slice_text(arena, value, &text))
        return (px_str){0};
    return px_arena_str(arena, text);
}

static uint64_t number_at(px_str body, const char *name, uint64_t otherwise) {
    px_str value;
    uint64_t number;
    if (px_json_slice_get(body, px_str_of(name), &value) || px_json_slice_u64(value, &number))
        return otherwise;
    return number;
}

/* What a person is to open is a web page, and what is to be typed in can be. */
static bool can_be_shown(struct px_arena *arena, px_str url, px_str user_code) {
    struct px_url parsed;
    for (size_t i = 0; i < user_code.n; i++)
        if (user_code.p[i] <= ' ' || user_code.p[i] > '~')
            return false;
    return user_code.n && user_code.n <= USER_CODE_MAX && url.n <= URL_MAX &&
           px_url_parse(arena, url, &parsed, NULL) == 0;
}

static void begin_polling(struct px_login *login, px_str body) {
    struct px_arena *arena = &login->scope->arena;
    struct px_url parsed;
    uint64_t now = px_loop_now(login->scope->loop);
    uint64_t life_s = PX_MIN(number_at(body, "expires_in", PX_LOGIN_LIFE_MS / 1000), PX_LOGIN_LIFE_MS / 1000);
    uint64_t interval_s = number_at(body, "interval", INTERVAL_S);
    px_str url = text_at(arena, body, "verification_uri"), code = text_at(arena, body, "user_code");
    px_str complete = text_at(arena, body, "verification_uri_complete");
    px_str secret = text_at(arena, body, "device_code");
    if (!url.p)
        url = text_at(arena, body, "verification_url"); /* as some wrote it before the RFC did */
    if (!secret.n || !can_be_shown(arena, url, code)) {
        px_login_fail(login, PX_UPSTREAM_ERROR, "look at device_url in the service's configuration",
                      "the provider's device endpoint did not answer with device_code, user_code and "
                      "verification_uri (RFC 8628 section 3.2)");
        return;
    }
    if (complete.n > URL_MAX || (complete.n && px_url_parse(arena, complete, &parsed, NULL)))
        complete = (px_str){0};
    if (px_redact_add(secret)) {
        px_login_fail(login, PX_INTERNAL, NULL, "out of memory");
        return;
    }
    login->device_code = secret;
    login->interval_ns = PX_MIN(PX_MAX(interval_s, 1u), PX_LOGIN_LIFE_MS / 1000) * PX_S;
    login->wait_ns = login->interval_ns;
    login->until_ns = now + life_s * PX_S;
    px_login_step_end(login);
    px_timer_init(&login->poll, login->scope->loop, "auth/device", ask_again, login);
    wait(login);
    px_login_show(login, url, complete, code);
}

static void on_code(void *user, const struct px_ask_answer *answer) {
    struct px_login *login = user;
    login->asking = NULL;
    if (answer->status >= 200 && answer->status < 300 && answer->body_json.p)
        begin_polling(login, answer->body_json);
    else
        px_login_fail_answer(login, "the provider gives no code", answer);
}

void px_login_device_begin(struct px_login *login) {
    const struct px_auth_spec *spec = &login->provider->spec;
    px_pair params[3];
    size_t n = 0;
    if (!spec->device_url.n) {
        px_login_fail(login, PX_UPSTREAM_ERROR, "configure device_url, or log in with a browser",
                      "the provider names no device authorization endpoint");
        return;
    }
    if (spec->scopes.n)
        params[n++] = (px_pair){PX_LIT("scope"), spec->scopes};
    if (spec->resource.n)
        params[n++] = (px_pair){PX_LIT("resource"), spec->resource};
    if (spec->audience.n)
        params[n++] = (px_pair){PX_LIT("audience"), spec->audience};
    login->state = PX_LOGIN_CODE;
    px_login_ask(login, spec->device_url, params, n, on_code);
}
