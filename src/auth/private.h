/* private.h: what the files of grants and logins share.
 *   spec      auth.schema.json -> px_auth_spec        discover  endpoints from an issuer
 *   jwt       claims -> a signed JWT                  send      one request to the provider, and its answer
 *   ask       one POST of a form, the client shown as the spec says
 *   grants    the table and what is asked of it       grant     one grant: its states
 *   record    a grant's record in the vault           due       when a grant is refreshed; how many at once
 *   wait      who waits for a token                   refresh, app   how each kind gets a token
 *   status    grants, for people                      login     code and device
 */
#ifndef PX_AUTH_PRIVATE_H
#define PX_AUTH_PRIVATE_H

#include "auth/grants.h"
#include "auth/login.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "guard/bucket.h"
#include "net/url.h"
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
    px_str basic; /* client_secret_basic: the header's value, registered for redaction */
    uint16_t redirect_port;
    px_str redirect_path;
    struct px_jwt_key *key;
    px_str key_id, claims_json;
    uint32_t lifetime_s;
    px_str app_id, installation_id, owner, api_url;
    /* Of what a grant depends on: kind, issuer, token_url, client_id, app_id, resource … (not the scopes, not secrets); and of all of it, secrets too. */
    uint8_t digest[32], whole[32];
};
struct px_auth {
    struct px_list_node node; /* in grants->auths, the newest first */
    struct px_grants *grants;
    struct px_arena arena; /* texts of names and spec; wiped */
    px_str service, identity;
    struct px_auth_spec spec;
    /* to the origins of its endpoints, and of what discovery gives; NULL: it asks nobody */
    struct px_egress *egress;
    struct px_auth_opts opts; /* network texts are its own */
    bool discovered;
    bool iss_required; /* discovered: authorization_response_iss_parameter_supported (RFC 9207 §3) */
    unsigned refs;     /* whoever opened it, and what is in flight */
    bool closed;
    px_str app_jwt; /* github_app: as it was signed last; locked, registered */
    int64_t app_jwt_until_ms;
    uint64_t app_jwt_until_ns;
    struct px_list_node holders; /* its grants, the one used last at the end */
    unsigned n_owners;           /* github_app: how many those are */
    px_str lane;                 /* the origin that refreshes go to */
    px_str names;                /* "grant/SERVICE/IDENTITY/": what its grants' names begin with */
};
/** Whether its grants begin with a person's login; the others the host gets by itself, at any time. */
static inline bool px_auth_has_login(const struct px_auth *auth) {
    return auth->spec.kind == PX_AUTH_OAUTH2 && auth->spec.flow != PX_FLOW_CLIENT;
}
/** Owns nothing but what is in auth->arena, the key, the egress, and redactions. */
PX_MUSTCHECK int px_auth_spec_read(struct px_auth *auth, const struct px_auth_opts *opts, struct px_err *err);
/** Also of what was read in half. */
void px_auth_spec_finish(struct px_auth *auth);
/** Whether a request may go there: https; http to this machine, or with allow_private. -EINVAL with words: `what` names the member. `ret_origin` (may be NULL): in
 *  `arena`. */
PX_MUSTCHECK int px_auth_endpoint_check(const struct px_auth *auth, struct px_arena *arena, const char *what,
                                        px_str url, px_str *ret_origin, struct px_err *err);
/** Whether a URL names this machine: a loopback address, localhost, a name under it. */
bool px_auth_this_machine(const struct px_url *url);
/** An egress to the origins of all endpoints that are known now, in place of the one that was. */
PX_MUSTCHECK int px_auth_egress_make(struct px_auth *auth, struct px_err *err);

/* ---- jwt.c ---- */
/** PEM: RSA (RS256; 2048 to 8192 bits) or P-256 (ES256). -EINVAL with words that never show the key. `algorithm`: absent: as the key is. */
PX_MUSTCHECK int px_jwt_key_read(px_str pem, px_str algorithm, struct px_jwt_key **ret, struct px_err *err);
void px_jwt_key_free(struct px_jwt_key *key); /* NULL is fine */
/** header.claims.signature in base64url. RS256 takes 2 ms: callers keep what they get for as long as it may be used. Appends to `to`. */
PX_MUSTCHECK int px_jwt_sign(const struct px_jwt_key *key, px_str key_id, px_str claims_json,
                             struct px_buf *to, struct px_err *err);
/** What an assertion says: `more` (an object, absent: none; its iat, exp and jti count for nothing) and these. `sub` and `aud` absent, or in `more`: not from here.
 *  `jti`: a fresh random one. Appends JSON. */
struct px_jwt_claims {
    px_str more, iss, sub, aud;
    int64_t iat_s, exp_s;
    bool jti;
};
PX_MUSTCHECK int px_jwt_claims_write(const struct px_jwt_claims *claims, struct px_buf *to,
                                     struct px_err *err);
/** The claims that this specification's assertions have: client: private_key_jwt's; else those of kind jwt. Signs; appends. */
PX_MUSTCHECK int px_jwt_assertion(struct px_auth *auth, bool client, struct px_buf *to, struct px_err *err);
bool px_jwt_key_is_rsa(const struct px_jwt_key *key);

/* ---- discover.c ---- */
/** Endpoints that the spec does not give, from its issuer (RFC 8414 §3, then OpenID Discovery §4; `issuer` in the answer must be the same): at once (1), or through
 *  `cb` (0). Kept. `error` NULL: they are there. */
typedef void (*px_discover_cb)(void *user, const struct px_error *error);
PX_MUSTCHECK int px_discover(struct px_auth *auth, struct px_scope *scope, px_discover_cb cb, void *user,
                             struct px_op **ret_op);
/** The n-th URL at which an issuer's metadata may stand (0: RFC 8414; 1: OpenID). Absent: there is none, or no memory. */
px_str px_discover_url(struct px_arena *arena, px_str issuer, unsigned n);

/* ---- send.c: one request to the provider ---- */
struct px_send_req {
    px_str method, url;
    px_str body, content_type; /* absent: none */
    px_str authorization;      /* absent: none */
    px_str accept;             /* absent: application/json */
    size_t max_bytes;          /* 0: 256 KiB */
};
struct px_send_answer {
    int status; /* 0: none came */
    bool sent;  /* without an answer: it may have arrived */
    bool transient;
    int64_t retry_after_ms; /* -1: not said */
    px_str words; /* of what went wrong; absent: nothing did (2xx). Redacted, no control characters */
    px_str json;  /* the body, if it is an object; scanned. Absent: it is not */
};
/** Texts live in `scope`, and are wiped when it closes. From the loop. */
typedef void (*px_send_cb)(void *user, const struct px_send_answer *answer);
PX_MUSTCHECK int px_send(struct px_auth *auth, struct px_scope *scope, const struct px_send_req *req,
                         px_send_cb cb, void *user, struct px_op **ret_op, struct px_err *err);
/** n bytes that are wiped when the scope closes. NULL: no memory, or the scope is closed. */
char *px_secret_alloc(struct px_scope *scope, size_t n);
/** A string member of an answer, decoded, with a life as above; `redact`: registered while it lives. Absent: not there, not a string, empty, or it cannot be kept (then *ret_failed). */
px_str px_secret_member(struct px_scope *scope, px_str json, const char *name, bool redact, bool *ret_failed);
/** What an upstream has said, for people: redacted, without control characters, at most 200 bytes; in the arena. */
px_str px_send_clean(struct px_arena *arena, px_str text);
/** Retry-After (RFC 9110 §10.2.3): seconds or a date; -1: neither. At most a day. */
int64_t px_retry_after_ms(px_str value, int64_t wall_ms);

/* ---- ask.c: one POST of a form to an endpoint of the provider ---- */
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
/** Take a grant out of use and out of the vault. The tokens are handed over (for revoking), locked: give them back with px_locked_drop; absent when it
 *  was made with another client or at another provider. -ENOENT; errors of px_vault_remove: it is as it was. */
PX_MUSTCHECK int px_grant_remove(struct px_auth *auth, px_str principal, px_str *ret_access,
                                 px_str *ret_refresh);

/* ---- login.c ---- */
/** Those of the host that go on, the oldest first. */
struct px_logins {
    struct px_list_node logins, logouts;
    uint32_t n;             /* logins */
    struct px_bucket begun; /* each may ask a provider for something */
};
void px_logins_init(struct px_logins *all);
/** The px_auth is about to be closed: what logs in with it is told so, from the loop; what logs out is cut off. */
void px_logins_end(struct px_auth *auth);

/* What the files above use of px_grants. */
struct px_loop *px_grants_loop(const struct px_grants *grants);
struct px_logins *px_grants_logins(struct px_grants *grants);
int64_t px_grants_wall_ms(const struct px_grants *grants);
int px_grants_start(struct px_grants *grants, struct px_scope *scope, const struct px_http_req *req,
                    px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err);

#endif
