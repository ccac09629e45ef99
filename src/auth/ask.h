/* ask.h: OAuth's questions: a form to an endpoint, with the client shown as the spec says (RFC 6749 §2.3); and whose a token is. */
#ifndef PX_AUTH_ASK_H
#define PX_AUTH_ASK_H

#include "auth/provider.h"

struct px_ask_answer {
    bool ok; /* 2xx without `error`; a token endpoint's has an access_token */
    /* it failed in a way that may pass: no answer, 5xx, 429; then retry_after_ms (-1: not said) */
    bool transient;
    bool sent;  /* without an answer: it may have arrived */
    int status; /* 0: none came */
    int64_t retry_after_ms;
    px_str error, words; /* OAuth's error code; one sentence for people, without secrets */
    px_str body_json;    /* absent: not a JSON object */
    px_str access_token, refresh_token, scope, id_token, token_type;
    int64_t expires_in_s; /* -1: not said */
};
/** Texts live in `scope`, which is the caller's and should end soon: it is wiped. The tokens are registered for redaction until then. */
typedef void (*px_ask_cb)(void *user, const struct px_ask_answer *answer);
/** `url`: of the endpoint. `params`: of the form, without the client's, which are added as the spec says (with client_auth none: client_id). A token
 *  endpoint is one that gets a grant_type. */
PX_MUSTCHECK int px_ask(struct px_provider *provider, struct px_scope *scope, px_str url,
                        const px_pair *params, size_t n_params, px_ask_cb cb, void *user,
                        struct px_op **ret_op, struct px_err *err);

/** GET `url` with this bearer token, and what stands in the answer at spec.account_at. `account` is empty when nobody says. */
typedef void (*px_account_cb)(void *user, px_str account);
PX_MUSTCHECK int px_ask_account(struct px_provider *provider, struct px_scope *scope, px_str access_token,
                                px_account_cb cb, void *user, struct px_op **ret_op);

#endif
