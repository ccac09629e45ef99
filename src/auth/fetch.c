#include "auth/grants_private.h"

static void on_answer(void *user, const struct px_ask_answer *answer) {
    px_refresh_answer(user, answer);
}

/* The form of each kind; `assertion` is the JWT of kind jwt. */
static size_t params_of(const struct px_grant *grant, px_str assertion, px_pair params[6]) {
    const struct px_auth_spec *spec = &grant->using->spec;
    size_t n = 0;
    if (spec->kind == PX_AUTH_JWT) { /* RFC 7523 §2.1 */
        params[n++] = (px_pair){PX_LIT("grant_type"), PX_LIT("urn:ietf:params:oauth:grant-type:jwt-bearer")};
        params[n++] = (px_pair){PX_LIT("assertion"), assertion};
        params[n++] = (px_pair){PX_LIT("scope"), spec->scopes};
    } else if (spec->flow == PX_FLOW_CLIENT) { /* RFC 6749 §4.4 */
        params[n++] = (px_pair){PX_LIT("grant_type"), PX_LIT("client_credentials")};
        params[n++] = (px_pair){PX_LIT("scope"), spec->scopes};
        if (spec->client_auth != PX_CLIENT_KEY)
            params[n++] = (px_pair){PX_LIT("audience"), spec->audience};
    } else { /* RFC 6749 §6. Without scope: those that were granted */
        params[n++] = (px_pair){PX_LIT("grant_type"), PX_LIT("refresh_token")};
        params[n++] = (px_pair){PX_LIT("refresh_token"),
                                grant->tried_previous ? grant->tokens.previous : grant->tokens.refresh};
    }
    params[n++] = (px_pair){PX_LIT("resource"), spec->resource};
    return n;
}

static int ask(struct px_grant *grant, struct px_err *err) {
    px_pair params[6];
    struct px_op *op = NULL;
    struct px_buf assertion;
    px_buf_init(&assertion, 64 << 10);
    int r =
        grant->using->spec.kind == PX_AUTH_JWT ? px_jwt_assertion(grant->using, false, &assertion, err) : 0;
    if (!r) {
        size_t n = params_of(grant, px_buf_view(&assertion), params);
        r = px_ask(grant->using, grant->scope, grant->using->spec.token_url, params, n, on_answer, grant, &op,
                   err);
    }
    px_record_finish(&assertion);
    return r;
}

static void on_discovered(void *user, const struct px_error *error) {
    struct px_grant *grant = user;
    struct px_err err = {0};
    struct px_ask_answer answer = {.expires_in_s = -1, .retry_after_ms = -1, .transient = true};
    if (error) {
        answer.transient = error->code == PX_UNAVAILABLE;
        answer.retry_after_ms = error->retry_after_ms;
        answer.words = error->message;
    } else {
        if (!grant->using->spec.token_url.p)
            answer.words = PX_LIT("the provider has no token endpoint");
        else if (ask(grant, &err) == 0)
            return;
        else
            answer.words = px_str_of(err.msg);
    }
    px_refresh_answer(grant, &answer);
}

int px_fetch(struct px_grant *grant, struct px_err *err) {
    struct px_op *op = NULL;
    if (grant->using->spec.token_url.p)
        return ask(grant, err);
    int r = px_discover(grant->using, grant->scope, on_discovered, grant, &op);
    if (r == 1)
        return px_err_set(err, -ENOENT, "the provider has no token endpoint");
    return r ? px_err_errno(err, r, "the provider's endpoints") : 0;
}

/* ---- a JWT that is the token ---- */

bool px_fetch_is_local(const struct px_auth *auth) {
    return auth->spec.kind == PX_AUTH_JWT && !auth->spec.token_url.p;
}

int px_fetch_sign(struct px_grant *grant, struct px_err *err) {
    struct px_buf jwt;
    px_buf_init(&jwt, 64 << 10);
    int r = px_jwt_assertion(grant->auth, false, &jwt, err);
    px_tokens_drop(&grant->pending);
    if (!r) {
        r = px_token_keep(&grant->pending.access, px_buf_view(&jwt));
        r = r ? r : px_grant_header(grant, &grant->pending);
        if (r)
            px_err_errno(err, r, "a JWT");
    }
    px_record_finish(&jwt);
    if (r) {
        px_tokens_drop(&grant->pending);
        return r;
    }
    px_tokens_live(&grant->pending, px_grants_wall_ms(grant->grants), px_loop_now(grant->grants->opts.loop),
                   grant->auth->spec.lifetime_s);
    grant->refreshed_ms = grant->pending.got_ms;
    px_grant_adopt(grant);
    return 0;
}
