#include "auth/ask.h"
#include "auth/assertion.h"
#include "auth/send.h"
#include "auth/wiped.h"
#include "base/codec.h"
#include "json/slice.h"
#include <strings.h>

enum { FORM_MAX = 256 << 10 };

/* In the scope's arena: nothing to free when the request is cancelled. */
struct ask {
    struct px_provider *provider;
    struct px_scope *scope;
    px_ask_cb cb;
    void *user;
    bool token; /* a token endpoint's */
};

/* ---- the form ---- */

static void param(struct px_buf *form, const char *name, px_str value) {
    if (!value.p)
        return;
    if (form->n)
        px_buf_char(form, '&');
    px_buf_text(form, name);
    px_buf_char(form, '=');
    px_percent_add(form, value);
}

/* RFC 7523 §2.2. */
static int add_assertion(struct px_provider *provider, struct px_buf *form, struct px_err *err) {
    struct px_buf jwt;
    px_buf_init(&jwt, 64 << 10);
    int r = px_assertion_client(provider, &jwt, err);
    if (!r) {
        param(form, "client_assertion_type",
              PX_LIT("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        param(form, "client_assertion", px_buf_view(&jwt));
    }
    px_wiped_finish(&jwt);
    return r;
}

static bool given(const px_pair *params, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (px_str_is(params[i].name, name))
            return true;
    return false;
}

static int make_form(struct px_provider *provider, const px_pair *params, size_t n, struct px_buf *form,
                     struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    for (size_t i = 0; i < n; i++) {
        if (!params[i].value.p)
            continue;
        if (form->n)
            px_buf_char(form, '&');
        px_percent_add(form, params[i].name);
        px_buf_char(form, '=');
        px_percent_add(form, params[i].value);
    }
    if (spec->client_auth != PX_CLIENT_BASIC && !given(params, n, "client_id"))
        param(form, "client_id", spec->client_id);
    if (spec->client_auth == PX_CLIENT_POST)
        param(form, "client_secret", spec->client_secret);
    int r = spec->client_auth == PX_CLIENT_KEY ? add_assertion(provider, form, err) : 0;
    return r ? r : form->failed ? px_err_errno(err, form->failed, "a form for the provider") : 0;
}

/* ---- the answer ---- */

/* Codes that are about the moment, not about us (RFC 6749 §4.1.2.1). */
static bool passing_code(px_str error) {
    return px_str_is(error, "temporarily_unavailable") || px_str_is(error, "server_error");
}

/* -1: not said. A token that never lived would be of use to nobody: 0 is how some say that it has no end. */
static int64_t lifetime(struct ask *ask, px_str json) {
    px_str raw, text;
    int64_t s = -1;
    uint64_t n = 0;
    if (px_json_slice_get(json, PX_LIT("expires_in"), &raw))
        return -1;
    if (px_json_slice_i64(raw, &s) && px_json_slice_text(&ask->scope->arena, raw, &text) == 0 &&
        px_str_u64(text, &n) == 0) /* some quote it */
        s = (int64_t)PX_MIN(n, (uint64_t)INT64_MAX);
    return s <= 0 ? -1 : PX_MIN(s, (int64_t)10 * 365 * 86400);
}

static void take_tokens(struct ask *ask, struct px_ask_answer *answer, bool *failed) {
    px_str json = answer->body_json;
    answer->access_token = px_wiped_member(ask->scope, json, "access_token", true, failed);
    answer->refresh_token = px_wiped_member(ask->scope, json, "refresh_token", true, failed);
    answer->id_token = px_wiped_member(ask->scope, json, "id_token", true, failed);
    answer->scope = px_wiped_member(ask->scope, json, "scope", false, failed);
    answer->token_type = px_wiped_member(ask->scope, json, "token_type", false, failed);
    answer->expires_in_s = lifetime(ask, json);
}

/* A token goes into a header as it is. */
static bool sendable(px_str token) {
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= ' ' || token.p[i] > '~')
            return false;
    return true;
}

/* Of the types that are registered, those that are shown with a proof of ours (RFC 9449; the drafts for mac and pop), which RFC 6749 §7.1 forbids to go without. Others
 * (Slack's "bot", "user") are bearer tokens under another name. */
static bool needs_proof(px_str type) {
    static const char *const types[] = {"dpop", "mac", "pop"};
    for (size_t i = 0; i < PX_COUNT(types); i++)
        if (type.n == strlen(types[i]) && !strncasecmp(type.p, types[i], type.n))
            return true;
    return false;
}

static void say(struct px_ask_answer *answer, struct px_scope *scope, const char *words) {
    answer->ok = false;
    px_str host = px_arena_str(&scope->arena, px_str_of(words));
    answer->words = host.p ? host : PX_LIT("the provider's answer cannot be used");
}

static void judge(struct ask *ask, const struct px_send_answer *sent, struct px_ask_answer *answer) {
    bool failed = false;
    if (!answer->body_json.p) {
        if (answer->ok && ask->token)
            answer->transient = true,
            say(answer, ask->scope, "the token endpoint's answer is not a JSON object");
        return;
    }
    answer->error = px_wiped_member(ask->scope, answer->body_json, "error", false, &failed);
    if (answer->error.p) { /* some say so with 200 */
        px_str description =
            px_wiped_member(ask->scope, answer->body_json, "error_description", false, &failed);
        answer->transient = sent->transient || passing_code(answer->error);
        if (answer->ok) {
            px_str clean = px_send_clean(&ask->scope->arena, answer->error),
                   more = px_send_clean(&ask->scope->arena, description);
            answer->words = px_arena_fmt(&ask->scope->arena, "the provider answered: " PX_FMT "%s" PX_FMT,
                                         PX_ARG(clean), more.n ? ": " : "", PX_ARG(more));
            if (!answer->words.p)
                answer->words = PX_LIT("the provider answered with an error");
        }
        answer->ok = false;
        return;
    }
    if (!answer->ok)
        return;
    take_tokens(ask, answer, &failed);
    const char *wrong = NULL;
    if (failed)
        wrong = "no memory for a token, or too many are kept";
    else if (ask->token && (!answer->access_token.p || !sendable(answer->access_token)))
        wrong = "the token endpoint's answer has no usable access_token";
    else if (ask->token && needs_proof(answer->token_type))
        wrong = "the provider gives tokens that need a proof with each request (token_type DPoP, mac, pop): "
                "register a client that gets bearer tokens";
    if (wrong) {
        answer->transient = true;
        say(answer, ask->scope, wrong);
    }
}

static void on_answer(void *user, const struct px_send_answer *sent) {
    struct ask *ask = user;
    struct px_ask_answer answer = {.ok = sent->status >= 200 && sent->status <= 299,
                                   .transient = sent->transient,
                                   .sent = sent->sent,
                                   .status = sent->status,
                                   .retry_after_ms = sent->retry_after_ms,
                                   .words = sent->words,
                                   .body_json = sent->json,
                                   .expires_in_s = -1};
    judge(ask, sent, &answer);
    ask->cb(ask->user, &answer);
}

int px_ask(struct px_provider *provider, struct px_scope *scope, px_str url, const px_pair *params,
           size_t n_params, px_ask_cb cb, void *user, struct px_op **ret_op, struct px_err *err) {
    struct ask *ask = px_scope_alloc(scope, sizeof *ask);
    struct px_buf form;
    if (!ask)
        return px_err_set(err, -ENOMEM, "out of memory");
    *ask = (struct ask){provider, scope, cb, user, given(params, n_params, "grant_type")};
    px_buf_init(&form, FORM_MAX);
    int r = px_buf_room(&form, 16 << 10) ? 0 : -ENOMEM; /* growing leaves copies behind: rare from here */
    r = r ? px_err_errno(err, r, "a form") : make_form(provider, params, n_params, &form, err);
    if (!r) {
        const struct px_send_req req = {.method = PX_LIT("POST"),
                                        .url = url,
                                        .body = px_buf_view(&form),
                                        .content_type = PX_LIT("application/x-www-form-urlencoded"),
                                        .authorization = provider->spec.client_auth == PX_CLIENT_BASIC
                                                             ? provider->spec.basic
                                                             : (px_str){0}};
        r = px_send(provider, scope, &req, on_answer, ask, ret_op, err);
    }
    px_wiped_finish(&form);
    return r;
}

/* ---- who has logged in ---- */

struct account {
    struct px_provider *provider;
    struct px_scope *scope;
    px_account_cb cb;
    void *user;
};

static px_str name_at(struct account *a, px_str json, px_str pointer) {
    px_str raw, text;
    if (!json.p || px_json_slice_at(json, pointer, &raw))
        return (px_str){0};
    enum px_json_type type = px_json_slice_type(raw);
    if (type == PX_JSON_NUMBER)
        return raw;
    if (type != PX_JSON_STRING || px_json_slice_text(&a->scope->arena, raw, &text))
        return (px_str){0};
    return px_send_clean(&a->scope->arena, text);
}

static void on_account(void *user, const struct px_send_answer *answer) {
    static const char *const places[] = {"/preferred_username", "/email", "/login", "/name", "/sub"};
    struct account *a = user;
    px_str found = {0};
    if (answer->status >= 200 && answer->status <= 299) {
        if (a->provider->spec.account_at.p)
            found = name_at(a, answer->json, a->provider->spec.account_at);
        for (size_t i = 0; !a->provider->spec.account_at.p && !found.n && i < PX_COUNT(places); i++)
            found = name_at(a, answer->json, px_str_of(places[i]));
    }
    a->cb(a->user, found.n ? found : PX_LIT(""));
}

int px_ask_account(struct px_provider *provider, struct px_scope *scope, px_str access_token,
                   px_account_cb cb, void *user, struct px_op **ret_op) {
    struct account *a = px_scope_alloc(scope, sizeof *a);
    char *bearer = px_wiped_alloc(scope, access_token.n + 7);
    if (!a || !bearer)
        return -ENOMEM;
    *a = (struct account){provider, scope, cb, user};
    memcpy(bearer, "Bearer ", 7);
    memcpy(bearer + 7, access_token.p, access_token.n);
    const struct px_send_req req = {.method = PX_LIT("GET"),
                                    .url = provider->spec.account_url,
                                    .authorization = px_str_n(bearer, access_token.n + 7)};
    return px_send(provider, scope, &req, on_account, a, ret_op, NULL);
}
