#include "auth/grants_private.h"
#include "base/date.h"
#include "json/slice.h"
#include <stdio.h>

/* GitHub: an app shows itself with a JWT, finds where an owner has installed it, and asks for that installation's token. What comes to
 * nothing is told in the words of a token endpoint, so that refresh.c need not know. */

enum { BACK_S = 60 /* GitHub advises: clocks differ */, SPARE_MS = 60000, LONGEST_S = 3600, SHORTEST_S = 60 };

void px_app_forget(struct px_auth *auth) {
    px_redact_drop(&auth->app_jwt);
    auth->app_jwt_until_ms = 0;
    auth->app_jwt_until_ns = 0;
}

static int sign(struct px_auth *auth, struct px_err *err) {
    struct px_grants *grants = auth->grants;
    int64_t wall = px_grants_wall_ms(grants);
    uint64_t now = px_loop_now(grants->opts.loop);
    bool set_back = wall + (int64_t)auth->spec.lifetime_s * 1000 < auth->app_jwt_until_ms; /* the clock */
    if (auth->app_jwt.p && now < auth->app_jwt_until_ns && wall < auth->app_jwt_until_ms && !set_back)
        return 0;
    struct px_jwt_claims claims = {.iss = auth->spec.app_id,
                                   .iat_s = wall / 1000 - BACK_S,
                                   .exp_s = wall / 1000 + auth->spec.lifetime_s};
    struct px_buf json, jwt;
    px_buf_init(&json, 4096);
    px_buf_init(&jwt, 16 << 10);
    px_app_forget(auth);
    int r = px_jwt_claims_write(&claims, &json, err);
    r = r ? r : px_jwt_sign(auth->spec.key, (px_str){0}, px_buf_view(&json), &jwt, err);
    if (!r && (r = px_token_keep(&auth->app_jwt, px_buf_view(&jwt))))
        px_err_errno(err, r, "an app's JWT");
    uint64_t life_ms = (uint64_t)auth->spec.lifetime_s * 1000,
             spare = PX_MIN((uint64_t)SPARE_MS, life_ms / 2);
    auth->app_jwt_until_ms = wall + (int64_t)(life_ms - spare);
    auth->app_jwt_until_ns = now + (life_ms - spare) * PX_MS;
    px_record_finish(&jwt);
    px_buf_finish(&json);
    return r;
}

static int request(struct px_grant *grant, const char *method, px_str path, px_send_cb cb,
                   struct px_err *err) {
    struct px_auth *auth = grant->using;
    struct px_op *op = NULL;
    int r = sign(auth, err);
    if (r)
        return r;
    char bearer[16 << 10];
    int n = snprintf(bearer, sizeof bearer, "Bearer " PX_FMT, PX_ARG(auth->app_jwt));
    px_str url = px_arena_fmt(&grant->scope->arena, PX_FMT PX_FMT, PX_ARG(auth->spec.api_url), PX_ARG(path));
    const struct px_send_req req = {.method = px_str_of(method),
                                    .url = url,
                                    .authorization = px_str_n(bearer, (size_t)n),
                                    .accept = PX_LIT("application/vnd.github+json")};
    r = url.p ? px_send(auth, grant->scope, &req, cb, grant, &op, err)
              : px_err_set(err, -ENOMEM, "out of memory");
    explicit_bzero(bearer, sizeof bearer);
    return r;
}

static void failed(struct px_grant *grant, const struct px_send_answer *sent, const char *code,
                   px_str words) {
    const struct px_ask_answer answer = {.transient = sent->transient,
                                         .sent = sent->sent,
                                         .status = sent->status,
                                         .retry_after_ms = sent->retry_after_ms,
                                         .error = px_str_of(code),
                                         .words = words,
                                         .expires_in_s = -1};
    px_refresh_answer(grant, &answer);
}

static void cannot(struct px_grant *grant, const struct px_err *err) {
    failed(grant, &(struct px_send_answer){.transient = true, .retry_after_ms = -1}, NULL,
           px_str_of(err->msg));
}

/* What is said with 403 is a limit (with Retry-After), or a suspended installation; with 401: that the JWT is not taken. */
static void refused(struct px_grant *grant, const struct px_send_answer *sent) {
    struct px_send_answer answer = *sent;
    if (sent->status == 403 && sent->retry_after_ms >= 0)
        answer.transient = true;
    if (sent->status == 401)
        px_app_forget(grant->using);
    failed(grant, &answer, sent->status == 401 ? "invalid_client" : NULL, sent->words);
}

static void not_installed(struct px_grant *grant, const struct px_send_answer *sent) {
    px_str owner = grant->owner.p ? grant->owner : grant->using->spec.installation_id;
    px_str words = px_arena_fmt(&grant->scope->arena,
                                "the app is not installed for " PX_FMT
                                ": its owner installs it at GitHub, under Settings, Applications",
                                PX_ARG(owner));
    failed(grant, sent, "not_installed", words.p ? words : PX_LIT("the app is not installed there"));
}

/* False: the grant has been told why not. */
static bool went_well(struct px_grant *grant, const struct px_send_answer *sent) {
    if (sent->status >= 200 && sent->status <= 299)
        return true;
    if (sent->status == 404)
        not_installed(grant, sent);
    else
        refused(grant, sent);
    return false;
}

static void on_token(void *user, const struct px_send_answer *sent) {
    struct px_grant *grant = user;
    struct px_ask_answer answer = {
        .ok = true, .status = sent->status, .retry_after_ms = -1, .expires_in_s = LONGEST_S};
    bool bad = false;
    int64_t at = 0;
    if (sent->status == 404 &&
        grant->installation.p) { /* it was removed, and perhaps installed anew: look again the next time */
        free((void *)(uintptr_t)grant->installation.p);
        grant->installation = (px_str){0};
        not_installed(grant, sent);
        return;
    }
    if (!went_well(grant, sent))
        return;
    answer.access_token = px_secret_member(grant->scope, sent->json, "token", true, &bad);
    px_str expires = px_secret_member(grant->scope, sent->json, "expires_at", false, &bad);
    if (!answer.access_token.p || bad) {
        struct px_send_answer strange = *sent;
        strange.transient = true;
        failed(grant, &strange, NULL, PX_LIT("the answer has no token"));
        return;
    }
    if (expires.p && px_date_rfc3339(expires, &at) == 0) /* by its clock; ours may differ */
        answer.expires_in_s = PX_MAX(
            PX_MIN((at - px_grants_wall_ms(grant->grants)) / 1000, (int64_t)LONGEST_S), (int64_t)SHORTEST_S);
    px_refresh_answer(grant, &answer);
}

static int ask_token(struct px_grant *grant, struct px_err *err) {
    px_str id =
        grant->using->spec.installation_id.p ? grant->using->spec.installation_id : grant->installation;
    px_str path =
        px_arena_fmt(&grant->scope->arena, "/app/installations/" PX_FMT "/access_tokens", PX_ARG(id));
    return path.p ? request(grant, "POST", path, on_token, err) : px_err_set(err, -ENOMEM, "out of memory");
}

static int look_up(struct px_grant *grant, struct px_err *err);

static void on_installation(void *user, const struct px_send_answer *sent) {
    struct px_grant *grant = user;
    struct px_err err = {0};
    px_str raw;
    uint64_t id = 0;
    if (sent->status == 404 && grant->personal) { /* perhaps an organisation's */
        grant->personal = false;
        if (look_up(grant, &err))
            cannot(grant, &err);
        return;
    }
    if (!went_well(grant, sent))
        return;
    if (!sent->json.p || px_json_slice_get(sent->json, PX_LIT("id"), &raw) || px_json_slice_u64(raw, &id)) {
        px_err_set(&err, -EINVAL, "the answer has no installation's id");
        cannot(grant, &err);
        return;
    }
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    char *copy = px_str_dup(px_str_of(text));
    free((void *)(uintptr_t)grant->installation.p);
    grant->installation = (px_str){copy, copy ? strlen(copy) : 0};
    if (!copy)
        px_err_set(&err, -ENOMEM, "out of memory");
    if (!copy || ask_token(grant, &err))
        cannot(grant, &err);
}

static int look_up(struct px_grant *grant, struct px_err *err) {
    px_str path = px_arena_fmt(&grant->scope->arena, "/%s/" PX_FMT "/installation",
                               grant->personal ? "users" : "orgs", PX_ARG(grant->owner));
    return path.p ? request(grant, "GET", path, on_installation, err)
                  : px_err_set(err, -ENOMEM, "out of memory");
}

int px_app_fetch(struct px_grant *grant, struct px_err *err) {
    if (grant->using->spec.installation_id.p || grant->installation.p)
        return ask_token(grant, err);
    grant->personal = true;
    return look_up(grant, err);
}
