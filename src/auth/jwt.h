/* jwt.h: signed JWTs (RFC 7519): keys, claims, RS256 and ES256. Knows nobody who uses them. */
#ifndef PX_AUTH_JWT_H
#define PX_AUTH_JWT_H

#include "base/buf.h"
#include "base/err.h"

struct px_jwt_key; /* a parsed private key */

/** PEM: RSA (RS256; 2048 to 8192 bits) or P-256 (ES256). -EINVAL with words that never show the key. `algorithm`: absent: as the key is. */
PX_MUSTCHECK int px_jwt_key_read(px_str pem, px_str algorithm, struct px_jwt_key **ret, struct px_err *err);
void px_jwt_key_free(struct px_jwt_key *key); /* NULL is fine */
bool px_jwt_key_is_rsa(const struct px_jwt_key *key);

/** header.claims.signature in base64url. RS256 takes 2 ms: callers keep what they get for as long as it may be used. Appends to `to`. */
PX_MUSTCHECK int px_jwt_sign(const struct px_jwt_key *key, px_str key_id, px_str claims_json,
                             struct px_buf *to, struct px_err *err);

/** What a JWT says: `more` (an object, absent: none; its iat, exp and jti count for nothing) and these. `sub` and `aud` absent, or in `more`: not from here.
 *  `jti`: a fresh random one. Appends JSON. */
struct px_jwt_claims {
    px_str more, iss, sub, aud;
    int64_t iat_s, exp_s;
    bool jti;
};
PX_MUSTCHECK int px_jwt_claims_write(const struct px_jwt_claims *claims, struct px_buf *to,
                                     struct px_err *err);

#endif
