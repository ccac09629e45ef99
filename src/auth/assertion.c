#include "auth/assertion.h"

/* From now, for as long as the spec says. */
static int sign(const struct px_provider *provider, struct px_jwt_claims claims, struct px_buf *to,
                struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    struct px_buf json;
    claims.iss = spec->client_id;
    claims.iat_s = px_provider_wall_ms(provider) / 1000;
    claims.exp_s = claims.iat_s + spec->lifetime_s;
    claims.jti = true;
    px_buf_init(&json, 64 << 10);
    int r = px_jwt_claims_write(&claims, &json, err);
    r = r ? r : px_jwt_sign(spec->key, spec->key_id, px_buf_view(&json), to, err);
    px_buf_finish(&json);
    return r;
}

int px_assertion_client(const struct px_provider *provider, struct px_buf *to, struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    px_str aud = spec->audience.p ? spec->audience : spec->issuer.p ? spec->issuer : spec->token_url;
    return sign(provider, (struct px_jwt_claims){.sub = spec->client_id, .aud = aud}, to, err);
}

int px_assertion_grant(const struct px_provider *provider, struct px_buf *to, struct px_err *err) {
    const struct px_auth_spec *spec = &provider->spec;
    px_str aud = spec->audience.p ? spec->audience : spec->token_url;
    return sign(provider, (struct px_jwt_claims){.more = spec->claims_json, .aud = aud}, to, err);
}
