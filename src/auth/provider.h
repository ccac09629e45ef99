/* provider.h: who gives tokens, and who we are to them: what is configured, which endpoints there are, how a request gets there.
 *
 * Everything that speaks to a provider (spec, discover, send, ask, assertion, fetch, app) takes one of these. None of it knows grants or
 * logins. Loop thread only. */
#ifndef PX_AUTH_PROVIDER_H
#define PX_AUTH_PROVIDER_H

#include "auth/jwt.h"
#include "base/arena.h"
#include "net/http.h"
#include "net/url.h"

enum px_auth_kind { PX_AUTH_OAUTH2, PX_AUTH_JWT, PX_AUTH_GITHUB_APP };
enum px_auth_flow { PX_FLOW_CODE, PX_FLOW_DEVICE, PX_FLOW_CLIENT };
enum px_client_auth { PX_CLIENT_NONE, PX_CLIENT_BASIC, PX_CLIENT_POST, PX_CLIENT_KEY };

/** auth.schema.json, read (spec.h); discovery adds endpoints. Texts in the provider's arena. */
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

/** How requests leave, and what time it is: px_http_start and the system's clock; tests have their own. */
struct px_provider_ways {
    int (*start)(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb, void *user,
                 struct px_op **ret_op, struct px_err *err);
    void *start_ctx;
    int64_t (*wall_ms)(void); /* NULL: the system's */
};

struct px_provider {
    const struct px_provider_ways *ways;
    struct px_arena arena; /* texts; wiped. Its owner may keep its own there */
    struct px_auth_spec spec;
    /* the service's network */
    bool allow_private;
    px_str proxy;
    const char *ca_file;
    struct px_egress *egress; /* to the origins of all endpoints that are known; NULL: there is none to ask */
    bool discovered;
    bool iss_required; /* discovered: authorization_response_iss_parameter_supported (RFC 9207 §3) */
    struct {           /* github_app: the JWT as it was signed last; locked, registered */
        px_str jwt;
        int64_t until_ms;
        uint64_t until_ns;
    } app;
};

/** Nothing in it yet. `ways` is borrowed for as long as it lives. */
void px_provider_init(struct px_provider *provider, const struct px_provider_ways *ways);
/** Also of what was read in half. Wipes. */
void px_provider_finish(struct px_provider *provider);
int64_t px_provider_wall_ms(const struct px_provider *provider);
/** Whether its grants begin with a person's login; the others the host gets by itself, at any time. */
static inline bool px_provider_has_login(const struct px_provider *provider) {
    return provider->spec.kind == PX_AUTH_OAUTH2 && provider->spec.flow != PX_FLOW_CLIENT;
}

/** Whether a request may go there: https; http to this machine, or with allow_private. -EINVAL with words: `what` names the member. `ret_origin` (may be NULL): in
 *  `arena`. */
PX_MUSTCHECK int px_provider_check_url(const struct px_provider *provider, struct px_arena *arena,
                                       const char *what, px_str url, px_str *ret_origin, struct px_err *err);
/** Whether a URL names this machine: a loopback address, localhost, a name under it. */
bool px_provider_this_machine(const struct px_url *url);
/** An egress to the origins of all endpoints that are known now, in place of the one that was. */
PX_MUSTCHECK int px_provider_make_egress(struct px_provider *provider, struct px_err *err);

#endif
