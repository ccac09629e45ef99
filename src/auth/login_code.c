/* Authorization code with PKCE (RFC 6749 §4.1, RFC 7636), a loopback redirect (RFC 8252), iss (RFC 9207). */
#include "auth/login_private.h"
#include "base/codec.h"
#include "base/redact.h"
#include "net/url.h"
#include "json/scan.h"
#include "json/slice.h"
#include <sodium.h>
#include <stdio.h>

enum { URL_MAX = 16 << 10, REASON_MAX = 200 };

/* ---- where the browser is sent ---- */

int px_login_redirect_check(const struct px_auth_spec *spec, px_str uri, struct px_err *err) {
    struct px_arena arena;
    struct px_url url;
    int r = -EINVAL;
    if (!uri.n)
        return px_err_set(err, -EINVAL,
                          "a login with a browser needs redirect_uri, or device for one without");
    px_arena_init(&arena, 1 << 20);
    if (px_url_parse(&arena, uri, &url, NULL) || url.https || !px_str_eq(url.text, uri) ||
        !(px_str_is(url.host, "127.0.0.1") || px_str_is(url.host, "::1")) ||
        memchr(url.target.p, '?', url.target.n))
        px_err_set(err, r,
                   "redirect_uri must be http://127.0.0.1:PORT/PATH or http://[::1]:PORT/PATH, "
                   "where the caller listens (RFC 8252 section 7.3)");
    else if (spec->redirect_port && url.port != spec->redirect_port)
        px_err_set(err, r, "redirect_uri must have the port that the configuration says, %u",
                   spec->redirect_port);
    else if (spec->redirect_path.n && !px_str_eq(url.target, spec->redirect_path))
        px_err_set(err, r, "redirect_uri must have the path that the configuration says, " PX_FMT,
                   PX_ARG(spec->redirect_path));
    else
        r = 0;
    px_arena_finish(&arena);
    return r;
}

/* Parameters that are ours alone; `extra` cannot say them again. */
static bool is_ours(px_str name) {
    static const char *const ours[] = {
        "response_type", "response_mode", "client_id", "client_secret",  "redirect_uri",
        "scope",         "state",         "nonce",     "code_challenge", "code_challenge_method",
        "resource",      "audience",      "request",   "request_uri"};
    for (size_t i = 0; i < PX_COUNT(ours); i++)
        if (px_str_is(name, ours[i]))
            return true;
    return false;
}

static void put(struct px_buf *to, char *between, px_str name, px_str value) {
    px_buf_char(to, *between);
    px_percent_add(to, name);
    px_buf_char(to, '=');
    px_percent_add(to, value);
    *between = '&';
}

static void put_if(struct px_buf *to, char *between, const char *name, px_str value) {
    if (value.n)
        put(to, between, px_str_of(name), value);
}

/* `prompt` when nobody has asked for another: without it, OpenID providers give no refresh token (OpenID Connect Core §11). */
static void put_extra(struct px_login *login, struct px_buf *to, char *between) {
    const struct px_auth_spec *spec = &login->provider->spec;
    px_str key, value, name, text;
    uint64_t at = 0;
    bool prompt = false;
    while (spec->extra_json.p && px_json_slice_next(spec->extra_json, &at, &key, &value) == 1) {
        if (px_json_slice_text(&login->scope->arena, key, &name) ||
            px_json_slice_text(&login->scope->arena, value, &text) || is_ours(name))
            continue;
        prompt = prompt || px_str_is(name, "prompt");
        put(to, between, name, text);
    }
    const char *offline =
        login->openid && spec->scopes.n ? memmem(spec->scopes.p, spec->scopes.n, "offline_access", 14) : NULL;
    if (offline && !prompt)
        put(to, between, PX_LIT("prompt"), PX_LIT("consent"));
}

static void write_url(struct px_login *login, struct px_buf *to) {
    const struct px_auth_spec *spec = &login->provider->spec;
    px_str base = spec->authorization_url;
    const char *fragment = memchr(base.p, '#', base.n);
    if (fragment)
        base.n = (size_t)(fragment - base.p);
    char between = memchr(base.p, '?', base.n) ? '&' : '?', challenge[PX_PKCE_TEXT];
    px_pkce_challenge(login->verifier, challenge);
    px_buf_str(to, base);
    put_if(to, &between, "response_type", PX_LIT("code"));
    put_if(to, &between, "client_id", spec->client_id);
    put_if(to, &between, "redirect_uri", login->redirect_uri);
    put_if(to, &between, "scope", spec->scopes);
    put_if(to, &between, "state", px_str_of(login->bound));
    put_if(to, &between, "code_challenge", px_str_of(challenge));
    put_if(to, &between, "code_challenge_method", PX_LIT("S256"));
    if (login->openid)
        put_if(to, &between, "nonce", px_str_of(login->nonce));
    put_if(to, &between, "resource", spec->resource);
    put_if(to, &between, "audience", spec->audience);
    put_extra(login, to, &between);
}

void px_login_code_begin(struct px_login *login) {
    struct px_buf text;
    if (!login->provider->spec.authorization_url.n) {
        px_login_fail(login, PX_UPSTREAM_ERROR, "configure authorization_url, or log in with --device",
                      "the provider names no authorization endpoint");
        return;
    }
    px_buf_init(&text, URL_MAX);
    write_url(login, &text);
    px_str url = text.failed ? (px_str){0} : px_arena_str(&login->scope->arena, px_buf_view(&text));
    px_buf_finish(&text);
    if (url.p)
        px_login_show(login, url, (px_str){0}, (px_str){0});
    else
        px_login_fail(login, PX_INTERNAL, NULL, "the address of the login would be longer than %d bytes",
                      URL_MAX);
}

/* ---- what the browser brings back ---- */

struct answer {
    px_str code, state, iss, error, description;
    bool twice;
};

/* application/x-www-form-urlencoded; text with a NUL, or a % without its digits, is none. */
static bool decode(struct px_arena *arena, px_str text, px_str *ret) {
    char *to = px_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < text.n; i++, n++) {
        to[n] = text.p[i] == '+' ? ' ' : text.p[i];
        if (text.p[i] != '%')
            continue;
        int byte = text.n - i > 2 ? px_hex_byte(text.p + i + 1) : -1;
        if (byte <= 0)
            return false;
        to[n] = (char)byte;
        i += 2;
    }
    *ret = px_str_n(to, n);
    return to != NULL;
}

static bool take(struct px_arena *arena, struct answer *answer, px_str name, px_str value) {
    const struct {
        const char *name;
        px_str *to;
    } known[] = {{"code", &answer->code},
                 {"state", &answer->state},
                 {"iss", &answer->iss},
                 {"error", &answer->error},
                 {"error_description", &answer->description}};
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (!px_str_is(name, known[i].name))
            continue;
        answer->twice = answer->twice || known[i].to->p; /* RFC 6749 §3.1 */
        return decode(arena, value, known[i].to);
    }
    return true;
}

static bool read_query(struct px_arena *arena, px_str query, struct answer *answer) {
    if (query.n && query.p[0] == '?')
        query = px_str_n(query.p + 1, query.n - 1);
    while (query.n) {
        const char *end = memchr(query.p, '&', query.n);
        size_t n = end ? (size_t)(end - query.p) : query.n;
        const char *equals = memchr(query.p, '=', n);
        if (equals && !take(arena, answer, px_str_n(query.p, (size_t)(equals - query.p)),
                            px_str_n(equals + 1, n - (size_t)(equals + 1 - query.p))))
            return false;
        size_t step = end ? n + 1 : n;
        query = px_str_n(query.p + step, query.n - step);
    }
    return !answer->twice;
}

static bool is_bound(const struct px_login *login, px_str state) {
    return state.n == PX_PKCE_TEXT - 1 && sodium_memcmp(state.p, login->bound, state.n) == 0;
}

/* The person's or the provider's no, in words. */
static px_str reason(struct px_arena *arena, const struct answer *answer) {
    px_str said = answer->description;
    bool plain = said.n && px_utf8_valid(said);
    for (size_t i = 0; plain && i < said.n; i++)
        plain = (unsigned char)said.p[i] >= ' ' && said.p[i] != 0x7f;
    px_str error = px_str_n(answer->error.p, px_str_cut_utf8(answer->error, 64));
    if (!px_utf8_valid(error))
        error = PX_LIT("an error");
    said = plain ? px_str_n(said.p, px_str_cut_utf8(said, REASON_MAX)) : (px_str){0};
    if (px_str_is(error, "access_denied") && !said.n)
        said = PX_LIT("the login was not allowed");
    px_str words = px_arena_fmt(arena, "the provider answered " PX_FMT "%s" PX_FMT, PX_ARG(error),
                                said.n ? ": " : "", PX_ARG(said));
    return words.p ? words : PX_LIT("the provider refused");
}

/* What is wrong with an answer that is this login's; absent: nothing. */
static px_str fault_of(struct px_login *login, const struct answer *answer, int32_t *ret_code) {
    const struct px_provider *provider = login->provider;
    *ret_code = PX_UPSTREAM_ERROR;
    if (answer->iss.p && provider->spec.issuer.n && !px_str_eq(answer->iss, provider->spec.issuer))
        return PX_LIT(
            "the answer comes from another issuer than the configured one (iss, RFC 9207): somebody "
            "may be mixing up providers");
    if (!answer->iss.p && provider->iss_required)
        return PX_LIT("the answer does not say which issuer it comes from, though the provider promises that "
                      "(iss, RFC 9207)");
    if (answer->error.p) {
        *ret_code = px_str_is(answer->error, "access_denied") ? PX_FORBIDDEN : PX_UPSTREAM_ERROR;
        return reason(&login->scope->arena, answer);
    }
    if (!answer->code.n)
        return PX_LIT("the provider's answer has no code");
    return (px_str){0};
}

int px_login_redirected(struct px_op *op, px_str query, struct px_err *err) {
    struct px_login *login = px_container_of(op, struct px_login, op);
    struct answer answer = {0};
    if (login->device || !login->auth || login->state != PX_LOGIN_WAIT || px_work_posted(&login->stop))
        return px_err_set(err, -EINVAL, "this login does not wait for an answer of a browser%s",
                          login->state > PX_LOGIN_WAIT ? ": it has had one" : "");
    if (query.n > PX_LOGIN_QUERY_MAX || !read_query(&login->scope->arena, query, &answer))
        return px_err_set(err, -EINVAL, "the answer cannot be read");
    if (!is_bound(login, answer.state))
        return px_err_set(err, -EINVAL, "the answer is not to this login (state)");
    login->state = PX_LOGIN_TOKEN; /* one use, whatever comes of it */
    int32_t code;
    px_str fault = fault_of(login, &answer, &code);
    if (fault.p) {
        px_login_stop(login, code, fault);
        return 0;
    }
    if (px_redact_add(answer.code)) {
        px_login_stop(login, PX_INTERNAL, PX_LIT("out of memory"));
        return 0;
    }
    login->code = answer.code;
    px_work_post(login->scope->loop, &login->go);
    return 0;
}

/* ---- code -> tokens ---- */

static void on_tokens(void *user, const struct px_ask_answer *answer) {
    struct px_login *login = user;
    login->asking = NULL;
    if (answer->ok)
        px_login_tokens(login, answer);
    else
        px_login_fail_answer(login, "the provider does not give tokens for the code", answer);
}

void px_login_code_exchange(struct px_login *login) {
    const struct px_auth_spec *spec = &login->provider->spec;
    const px_pair params[] = {{PX_LIT("grant_type"), PX_LIT("authorization_code")},
                              {PX_LIT("code"), login->code},
                              {PX_LIT("redirect_uri"), login->redirect_uri},
                              {PX_LIT("code_verifier"), px_str_of(login->verifier)},
                              {PX_LIT("resource"), spec->resource}};
    px_login_ask(login, spec->token_url, params, PX_COUNT(params) - (spec->resource.n ? 0 : 1), on_tokens);
}
