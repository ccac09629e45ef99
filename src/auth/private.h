/* private.h: what the files of grants and logins share.
 *   spec      auth.schema.json -> px_auth_spec        discover  endpoints from an issuer
 *   jwt       claims -> a signed JWT                  ask       one request to a token endpoint, the client shown as the spec says
 *   grants    the table, timers, who waits            login     code and device
 *   grant     one grant and its states, its record in the vault
 */
#ifndef PX_AUTH_PRIVATE_H
#define PX_AUTH_PRIVATE_H

#include "auth/grants.h"
#include "auth/login.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "reactor/timer.h"

/* ---- spec.c ---- */
enum px_auth_kind { PX_AUTH_OAUTH2, PX_AUTH_JWT, PX_AUTH_GITHUB_APP };
enum px_auth_flow { PX_FLOW_CODE, PX_FLOW_DEVICE, PX_FLOW_CLIENT };
enum px_client_auth { PX_CLIENT_NONE, PX_CLIENT_BASIC, PX_CLIENT_POST, PX_CLIENT_KEY };
struct px_jwt_key; /* jwt.c: a parsed private key */
struct px_auth_spec {
    enum px_auth_kind kind;
    enum px_auth_flow flow;
    enum px_client_auth client_auth;
    bool per_principal, optional;
    px_str header, prefix;
    px_str issuer, authorization_url, token_url, device_url, revocation_url, account_url, account_at;
    px_str client_id, client_secret, scopes /* with spaces between */, resource, audience, extra_json;
    uint16_t redirect_port;
    px_str redirect_path;
    struct px_jwt_key *key;
    px_str key_id, claims_json;
    uint32_t lifetime_s;
    px_str app_id, installation_id, owner, api_url;
    uint8_t digest
        [32]; /* of what a grant depends on: kind, issuer, token_url, client_id, app_id, resource … (not the scopes, not secrets) */
};
struct px_auth {
    struct px_list_node node; /* in grants->auths */
    struct px_grants *grants;
    struct px_arena arena; /* texts of names and spec; wiped */
    px_str service, identity;
    struct px_auth_spec spec;
    struct px_egress *egress; /* to the origins of its endpoints, and of what discovery gives */
    struct px_auth_opts opts; /* network texts are its own */
    bool discovered;
    bool iss_required; /* discovered: authorization_response_iss_parameter_supported (RFC 9207 §3) */
};
/** Owns nothing but what is in auth->arena and the key. */
PX_MUSTCHECK int px_auth_spec_read(struct px_auth *auth, const struct px_auth_opts *opts, struct px_err *err);

/* ---- jwt.c ---- */
/** PEM: RSA (RS256; 2048 bits or more) or P-256 (ES256). -EINVAL with words that never show the key. `algorithm`: absent: as the key is. */
PX_MUSTCHECK int px_jwt_key_read(px_str pem, px_str algorithm, struct px_jwt_key **ret, struct px_err *err);
void px_jwt_key_free(struct px_jwt_key *key); /* NULL is fine */
/** header.claims.signature in base64url. RS256 takes 2 ms: callers keep what they get for as long as it may be used. Appends to `to`. */
PX_MUSTCHECK int px_jwt_sign(const struct px_jwt_key *key, px_str key_id, px_str claims_json,
                             struct px_buf *to, struct px_err *err);

/* ---- discover.c ---- */
/** Endpoints that the spec does not give, from its issuer (RFC 8414 §3, then OpenID Discovery §4; `issuer` in the answer must be the same): at once (1), or through
 *  `cb` (0). Kept. `error` NULL: they are there. */
typedef void (*px_discover_cb)(void *user, const struct px_error *error);
PX_MUSTCHECK int px_discover(struct px_auth *auth, struct px_scope *scope, px_discover_cb cb, void *user,
                             struct px_op **ret_op);

/* ---- ask.c: one POST of a form to an endpoint of the provider ---- */
struct px_ask_answer {
    bool ok; /* 2xx; a token endpoint's has an access_token */
    bool
        transient; /* it failed in a way that may pass: no answer, 5xx, 429; then retry_after_ms (-1: not said) */
    bool sent;     /* without an answer: it may have arrived */
    int status; /* 0: none came */
    int64_t retry_after_ms;
    px_str error, words; /* OAuth's error code; one sentence for people, without secrets */
    px_str body_json;    /* absent: not JSON */
    px_str access_token, refresh_token, scope, id_token, token_type;
    int64_t expires_in_s; /* -1: not said */
};
/** Texts live in `scope`, which is the caller's and should end soon: it is wiped. */
typedef void (*px_ask_cb)(void *user, const struct px_ask_answer *answer);
/** `url`: of the endpoint. `params`: of the form, without the client's. `client`: add what shows the client (not to a device endpoint with none). */
PX_MUSTCHECK int px_ask(struct px_auth *auth, struct px_scope *scope, px_str url, const px_pair *params,
                        size_t n_params, px_ask_cb cb, void *user, struct px_op **ret_op, struct px_err *err);
/** GET `url` with this bearer token, and what stands in the answer at spec.account_at. `account` is empty when nobody says. */
PX_MUSTCHECK int px_ask_account(struct px_auth *auth, struct px_scope *scope, px_str access_token,
                                void (*cb)(void *user, px_str account), void *user, struct px_op **ret_op);

/* ---- grants.c ---- */
struct px_auth *px_auth_find(struct px_grants *grants, px_str service,
                             px_str identity); /* identity absent: see px_login_req */
/** A login has brought tokens: a grant, committed before `cb` says so (status 0; -errno). `account`: who has logged in. Replaces the one that was there. */
PX_MUSTCHECK int px_grant_install(struct px_auth *auth, struct px_scope *scope, px_str principal,
                                  const struct px_ask_answer *answer, px_str account,
                                  void (*cb)(void *user, int status), void *user, struct px_op **ret_op);
/** Take a grant out of use and out of the vault. The tokens are handed over (for revoking), locked: give them back with px_locked_drop. -ENOENT. */
PX_MUSTCHECK int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access,
                                 px_str *ret_refresh);

/* ---- login.c ---- */
/** The px_auth is about to be closed: what logs in with it is told so, from the loop; what logs out is cut off. */
void px_logins_end(struct px_auth *auth);

#endif
