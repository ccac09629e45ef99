#include "auth/app.h"
#include "auth/send.h"
#include "auth/wiped.h"
#include "base/date.h"
#include "base/redact.h"
#include "reactor/loop.h"
#include "json/slice.h"
#include <stdio.h>

enum { BACK_S = 60 /* GitHub advises: clocks differ */, SPARE_MS = 60000, LONGEST_S = 3600, SHORTEST_S = 60 };

/* In the scope's arena: nothing to free when the request is cancelled. */
struct ask {
    struct px_provider *provider;
    struct px_scope *scope;
    struct px_installation *at;
    px_ask_cb cb;
    void *user;
    bool personal; /* the owner is looked for among users */
};

/* ---- the app's own JWT ---- */

static void forget(struct px_provider *provider) {
    px_redact_drop(&provider->app.jwt);
    provider->app.until_ms = 0;
    provider->app.until_ns = 0;
}

/* RSA takes 2 ms: one is used for as long as it lives. */
static int sign(struct px_provider *provider, uint64_t now, struct px_err *err) {
    int64_t wall = px_provider_wall_ms(provider), life_s = provider->spec.lifetime_s;
    bool set_back = wall + life_s * 1000 < provider->app.until_ms; /* the clock */
    if (provider->app.jwt.p && now < provider->app.until_ns && wall < provider->app.until_ms && !set_back)
        return 0;
    struct px_jwt_claims claims = {
        .iss = provider->spec.app_id, .iat_s = wall / 1000 - BACK_S, .exp_s = wall / 1000 + life_s};
    struct px_buf json, jwt;
    px_buf_init(&json, 4096);
    px_buf_init(&jwt, 16 << 10);
    forget(provider);
    int r = px_jwt_claims_write(&claims, &json, err);
    r = r ? r : px_jwt_sign(provider->spec.key, (px_str){0}, px_buf_view(&json), &jwt, err);
    if (!r && (r = px_redact_keep(px_buf_view(&jwt), &provider->app.jwt)))
        px_err_errno(err, r, "an app's JWT");
    uint64_t life_ms = (uint64_t)life_s * 1000, spare = PX_MIN((uint64_t)SPARE_MS, life_ms / 2);
    provider->app.until_ms = wall + (int64_t)(life_ms - spare);
    provider->app.until_ns = now + (life_ms - spare) * PX_MS;
    px_wiped_finish(&jwt);
    px_buf_finish(&json);
    return r;
}

/* ---- one request, and what comes to nothing ---- */

static int request(struct ask *ask, const char *method, px_str path, px_send_cb cb, struct px_err *err) {
    struct px_provider *provider = ask->provider;
    struct px_op *op = NULL;
    int r = sign(provider, px_loop_now(ask->scope->loop), err);
    if (r)
        return r;
    char bearer[16 << 10];
    int n = snprintf(bearer, sizeof bearer, "Bearer " PX_FMT, PX_ARG(provider->app.jwt));
    px_str url =
        px_arena_fmt(&ask->scope->arena, PX_FMT PX_FMT, PX_ARG(provider->spec.api_url), PX_ARG(path));
    const struct px_send_req req = {.method = px_str_of(method),
                                    .url = url,
                                    .authorization = px_str_n(bearer, (size_t)n),
                                    .accept = PX_LIT("application/vnd.github+json")};
    r = url.p ? px_send(provider, ask->scope, &req, cb, ask, &op, err)
              : px_err_set(err, -ENOMEM, "out of memory");
    explicit_bzero(bearer, sizeof bearer);
    return r;
}

static void failed(struct ask *ask, const struct px_send_answer *sent, const char *code, px_str words) {
    const struct px_ask_answer answer = {.transient = sent->transient,
                                         .sent = sent->sent,
                                         .status = sent->status,
                                         .retry_after_ms = sent->retry_after_ms,
                                         .error = px_str_of(code),
                                         .words = words,
                                         .expires_in_s = -1};
    ask->cb(ask->user, &answer);
}

static void cannot(struct ask *ask, const struct px_err *err) {
    failed(ask, &(struct px_send_answer){.transient = true, .retry_after_ms = -1}, NULL, px_str_of(err->msg));
}

/* What is said with 403 is a limit (with Retry-After), or a suspended installation; with 401: that the JWT is not taken. */
static void refused(struct ask *ask, const struct px_send_answer *sent) {
    struct px_send_answer answer = *sent;
    if (sent->status == 403 && sent->retry_after_ms >= 0)
        answer.transient = true;
    if (sent->status == 401)
        forget(ask->provider);
    failed(ask, &answer, sent->status == 401 ? "invalid_client" : NULL, sent->words);
}

static void not_installed(struct ask *ask, const struct px_send_answer *sent) {
    px_str owner = ask->at->owner.p ? ask->at->owner : ask->provider->spec.installation_id;
    px_str words = px_arena_fmt(&ask->scope->arena,
                                "the app is not installed for " PX_FMT
                                ": its owner installs it at GitHub, under Settings, Applications",
                                PX_ARG(owner));
    failed(ask, sent, "not_installed", words.p ? words : PX_LIT("the app is not installed there"));
}

/* False: whoever asks has been told why not. */
static bool went_well(struct ask *ask, const struct px_send_answer *sent) {
    if (sent->status >= 200 && sent->status <= 299)
        return true;
    if (sent->status == 404)
        not_installed(ask, sent);
    else
        refused(ask, sent);
    return false;
}

/* ---- the token ---- */

static void on_token(void *user, const struct px_send_answer *sent) {
    struct ask *ask = user;
    struct px_ask_answer answer = {
        .ok = true, .status = sent->status, .retry_after_ms = -1, .expires_in_s = LONGEST_S};
    bool bad = false;
    int64_t at = 0;
    if (sent->status == 404 &&
        ask->at->id[0]) { /* it was removed, and perhaps installed anew: look again the next time */
        ask->at->id[0] = 0;
        not_installed(ask, sent);
        return;
    }
    if (!went_well(ask, sent))
        return;
    answer.access_token = px_wiped_member(ask->scope, sent->json, "token", true, &bad);
    px_str expires = px_wiped_member(ask->scope, sent->json, "expires_at", false, &bad);
    if (!answer.access_token.p || bad) {
        struct px_send_answer strange = *sent;
        strange.transient = true;
        failed(ask, &strange, NULL, PX_LIT("the answer has no token"));
        return;
    }
    if (expires.p && px_date_rfc3339(expires, &at) == 0) /* by its clock; ours may differ */
        answer.expires_in_s =
            PX_MAX(PX_MIN((at - px_provider_wall_ms(ask->provider)) / 1000, (int64_t)LONGEST_S),
                   (int64_t)SHORTEST_S);
    ask->cb(ask->user, &answer);
}

static int ask_token(struct ask *ask, struct px_err *err) {
    px_str configured = ask->provider->spec.installation_id,
           id = configured.p ? configured : px_str_of(ask->at->id);
    px_str path = px_arena_fmt(&ask->scope->arena, "/app/installations/" PX_FMT "/access_tokens", PX_ARG(id));
    return path.p ? request(ask, "POST", path, on_token, err) : px_err_set(err, -ENOMEM, "out of memory");
}

/* ---- where it is installed ---- */

static int look_up(struct ask *ask, struct px_err *err);

static void on_installation(void *user, const struct px_send_answer *sent) {
    struct ask *ask = user;
    struct px_err err = {0};
    px_str raw;
    uint64_t id = 0;
    if (sent->status == 404 && ask->personal) { /* perhaps an organisation's */
        ask->personal = false;
        if (look_up(ask, &err))
            cannot(ask, &err);
        return;
    }
    if (!went_well(ask, sent))
        return;
    if (!sent->json.p || px_json_slice_get(sent->json, PX_LIT("id"), &raw) || px_json_slice_u64(raw, &id)) {
        px_err_set(&err, -EINVAL, "the answer has no installation's id");
        cannot(ask, &err);
        return;
    }
    snprintf(ask->at->id, sizeof ask->at->id, "%llu", (unsigned long long)id);
    if (ask_token(ask, &err))
        cannot(ask, &err);
}

static int look_up(struct ask *ask, struct px_err *err) {
    px_str path = px_arena_fmt(&ask->scope->arena, "/%s/" PX_FMT "/installation",
                               ask->personal ? "users" : "orgs", PX_ARG(ask->at->owner));
    return path.p ? request(ask, "GET", path, on_installation, err)
                  : px_err_set(err, -ENOMEM, "out of memory");
}

int px_app_fetch(struct px_provider *provider, struct px_scope *scope, struct px_installation *at,
                 px_ask_cb cb, void *user, struct px_err *err) {
    struct ask *ask = px_scope_alloc(scope, sizeof *ask);
    if (!ask)
        return px_err_set(err, -ENOMEM, "out of memory");
    *ask = (struct ask){provider, scope, at, cb, user, true};
    return provider->spec.installation_id.p || at->id[0] ? ask_token(ask, err) : look_up(ask, err);
}
