#include "auth/fetch.h"
#include "auth/assertion.h"
#include "auth/discover.h"
#include "auth/wiped.h"

/* The form of each kind; `assertion` is the JWT of kind jwt. */
static size_t params_of(const struct px_auth_spec *spec, px_str assertion, px_str refresh_token,
                        px_pair params[6]) {
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
        params[n++] = (px_pair){PX_LIT("refresh_token"), refresh_token};
    }
    params[n++] = (px_pair){PX_LIT("resource"), spec->resource};
    return n;
}

static int ask(struct px_provider *provider, struct px_scope *scope, px_str refresh_token, px_ask_cb cb,
               void *user, struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    px_pair params[6];
    struct px_op *op = NULL;
    struct px_buf assertion;
    px_buf_init(&assertion, 64 << 10);
    int r = spec->kind == PX_AUTH_JWT ? px_assertion_grant(provider, &assertion, err) : 0;
    if (!r) {
        size_t n = params_of(spec, px_buf_view(&assertion), refresh_token, params);
        r = px_ask(provider, scope, spec->token_url, params, n, cb, user, &op, err);
    }
    px_wiped_finish(&assertion);
    return r;
}

/* ---- when the endpoint is not known yet ---- */

/* In the scope's arena: nothing to free when the request is cancelled. */
struct fetch {
    struct px_provider *provider;
    struct px_scope *scope;
    px_str refresh_token;
    px_ask_cb cb;
    void *user;
};

static void on_discovered(void *user, const struct px_error *error) {
    struct fetch *f = user;
    struct px_err err = {0};
    struct px_ask_answer answer = {.expires_in_s = -1, .retry_after_ms = -1, .transient = true};
    if (error) {
        answer.transient = error->code == PX_UNAVAILABLE;
        answer.retry_after_ms = error->retry_after_ms;
        answer.words = error->message;
    } else {
        if (!f->provider->spec.token_url.p)
            answer.words = PX_LIT("the provider has no token endpoint");
        else if (ask(f->provider, f->scope, f->refresh_token, f->cb, f->user, &err) == 0)
            return;
        else
            answer.words = px_str_of(err.msg);
    }
    f->cb(f->user, &answer);
}

int px_fetch(struct px_provider *provider, struct px_scope *scope, px_str refresh_token, px_ask_cb cb,
             void *user, struct px_err *err) {
    struct px_op *op = NULL;
    if (provider->spec.token_url.p)
        return ask(provider, scope, refresh_token, cb, user, err);
    struct fetch *f = px_scope_alloc(scope, sizeof *f);
    if (!f)
        return px_err_set(err, -ENOMEM, "out of memory");
    *f = (struct fetch){provider, scope, refresh_token, cb, user};
    int r = px_discover(provider, scope, on_discovered, f, &op);
    if (r == 1)
        return px_err_set(err, -ENOENT, "the provider has no token endpoint");
    return r ? px_err_errno(err, r, "the provider's endpoints") : 0;
}

bool px_fetch_is_local(const struct px_provider *provider) {
    return provider->spec.kind == PX_AUTH_JWT && !provider->spec.token_url.p;
}
