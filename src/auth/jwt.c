#include "auth/jwt.h"
#include "base/codec.h"
#include "json/slice.h"
#include "json/write.h"
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <sodium.h>

enum {
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 8192,
    P256_BYTES = 32,
    SHA256_BYTES = 32,
    SIGNATURE_MAX = 1024,
    JTI_BYTES = 16
};

struct px_jwt_key {
    mbedtls_pk_context pk;
    bool rsa;
};

static int random_bytes(void *ctx, unsigned char *to, size_t n) {
    (void)ctx;
    randombytes_buf(to, n);
    return 0;
}

/* mbedTLS wants the NUL counted. */
static int parse(mbedtls_pk_context *pk, px_str pem) {
    unsigned char *copy = malloc(pem.n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, pem.p, pem.n);
    copy[pem.n] = 0;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    int r = mbedtls_pk_parse_key(pk, copy, pem.n + 1, NULL, 0, random_bytes, NULL);
#else
    int r = mbedtls_pk_parse_key(pk, copy, pem.n + 1, NULL, 0);
#endif
    explicit_bzero(copy, pem.n);
    free(copy);
    return r == MBEDTLS_ERR_PK_ALLOC_FAILED ? -ENOMEM : r ? -EINVAL : 0;
}

static bool is_p256(const mbedtls_pk_context *pk) {
    if (!mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA))
        return false;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_pk_ec(*pk)->MBEDTLS_PRIVATE(grp).id == MBEDTLS_ECP_DP_SECP256R1;
#else
    return mbedtls_pk_ec(*pk)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
#endif
}

static int check_key(struct px_jwt_key *key, px_str algorithm, struct px_err *err) {
    size_t bits = mbedtls_pk_get_bitlen(&key->pk);
    key->rsa = mbedtls_pk_can_do(&key->pk, MBEDTLS_PK_RSA) != 0;
    if (key->rsa && (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS))
        return px_err_set(err, -EINVAL, "an RSA key of %zu bits: RS256 takes %d to %d (RFC 7518 §3.3)", bits,
                          RSA_MIN_BITS, RSA_MAX_BITS);
    if (!key->rsa && !is_p256(&key->pk))
        return px_err_set(err, -EINVAL, "the key is neither RSA (RS256) nor on the curve P-256 (ES256)");
    if (algorithm.p && !px_str_is(algorithm, key->rsa ? "RS256" : "ES256"))
        return px_err_set(err, -EINVAL, "the algorithm is " PX_FMT ", but the key is for %s",
                          PX_ARG(algorithm), key->rsa ? "RS256" : "ES256");
    return 0;
}

int px_jwt_key_read(px_str pem, px_str algorithm, struct px_jwt_key **ret, struct px_err *err) {
    if (sodium_init() < 0)
        return px_err_set(err, -EINVAL, "libsodium does not start");
    if (memmem(pem.p, pem.n, "ENCRYPTED", 9))
        return px_err_set(
            err, -EINVAL,
            "the key is encrypted: decrypt it (openssl pkey -in FILE): there is nobody to ask for a passphrase");
    if (!memmem(pem.p, pem.n, "-----BEGIN", 10))
        return px_err_set(err, -EINVAL, "not a PEM file: it has no line -----BEGIN … PRIVATE KEY-----");
    struct px_jwt_key *key = calloc(1, sizeof *key);
    if (!key)
        return px_err_set(err, -ENOMEM, "out of memory");
    mbedtls_pk_init(&key->pk);
    int r = parse(&key->pk, pem);
    if (r)
        r = px_err_set(err, r,
                       r == -ENOMEM ? "out of memory" : "the PEM file holds no private key that can be read");
    else
        r = check_key(key, algorithm, err);
    if (r)
        px_jwt_key_free(key);
    else
        *ret = key;
    return r;
}

void px_jwt_key_free(struct px_jwt_key *key) {
    if (!key)
        return;
    mbedtls_pk_free(&key->pk); /* zeroes */
    free(key);
}

bool px_jwt_key_is_rsa(const struct px_jwt_key *key) {
    return key->rsa;
}

static void add_base64url(struct px_buf *to, px_str bytes) {
    size_t n = sodium_base64_encoded_len(bytes.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *at = px_buf_room(to, n);
    if (!at)
        return;
    sodium_bin2base64(at, n, (const unsigned char *)bytes.p, bytes.n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    px_buf_added(to, n - 1);
}

/* ---- ECDSA: from SEQUENCE { INTEGER r, INTEGER s } to r and s in 32 bytes each (RFC 7518 §3.4) ---- */

/* A positive INTEGER of at most 32 bytes at *p. */
static bool integer(const unsigned char **p, const unsigned char *end, unsigned char to[P256_BYTES]) {
    if (end - *p < 2 || (*p)[0] != 0x02 || (*p)[1] > 0x7f || (*p)[1] == 0 || end - *p - 2 < (*p)[1])
        return false;
    const unsigned char *digits = *p + 2;
    size_t n = (*p)[1];
    *p = digits + n;
    while (n > 1 && *digits == 0)
        digits++, n--;
    if (n > P256_BYTES)
        return false;
    memset(to, 0, P256_BYTES);
    memcpy(to + P256_BYTES - n, digits, n);
    return true;
}

static bool der_to_raw(const unsigned char *der, size_t n, unsigned char raw[2 * P256_BYTES]) {
    const unsigned char *p = der + 2, *end = der + n;
    return n >= 8 && der[0] == 0x30 && der[1] == n - 2 && integer(&p, end, raw) &&
           integer(&p, end, raw + P256_BYTES) && p == end;
}

static int sign(const struct px_jwt_key *key, px_str text, struct px_buf *to) {
    unsigned char hash[SHA256_BYTES], signature[SIGNATURE_MAX], raw[2 * P256_BYTES];
    size_t n = 0;
    crypto_hash_sha256(hash, (const unsigned char *)text.p, text.n);
    mbedtls_pk_context *pk = (mbedtls_pk_context *)(uintptr_t)&key->pk; /* blinding writes in it */
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    int r = mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, hash, sizeof hash, signature, sizeof signature, &n,
                            random_bytes, NULL);
#else
    int r = mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, hash, sizeof hash, signature, &n, random_bytes, NULL);
#endif
    if (r || (!key->rsa && !der_to_raw(signature, n, raw)))
        return -EIO;
    px_buf_char(to, '.');
    add_base64url(to,
                  key->rsa ? px_str_n((const char *)signature, n) : px_str_n((const char *)raw, sizeof raw));
    return 0;
}

int px_jwt_sign(const struct px_jwt_key *key, px_str key_id, px_str claims_json, struct px_buf *to,
                struct px_err *err) {
    struct px_buf header;
    struct px_jw w;
    px_buf_init(&header, 8192);
    px_jw_init(&w, &header);
    px_jw_object(&w);
    px_jw_key(&w, "alg");
    px_jw_text(&w, key->rsa ? "RS256" : "ES256");
    px_jw_key(&w, "typ");
    px_jw_text(&w, "JWT");
    if (key_id.p) {
        px_jw_key(&w, "kid");
        px_jw_str(&w, key_id);
    }
    px_jw_object_end(&w);
    size_t from = to->n;
    if (!header.failed)
        add_base64url(to, px_buf_view(&header));
    px_buf_char(to, '.');
    add_base64url(to, claims_json);
    int r = header.failed ? header.failed : to->failed;
    px_buf_finish(&header);
    if (r)
        return px_err_errno(err, r, "a JWT");
    struct px_buf signature;
    px_buf_init(&signature, 4 * SIGNATURE_MAX);
    r = sign(key, px_str_n(to->p + from, to->n - from), &signature);
    if (!r)
        r = signature.failed ? signature.failed : px_buf_str(to, px_buf_view(&signature));
    px_buf_finish(&signature);
    return r ? px_err_errno(err, r, "a JWT cannot be signed") : 0;
}

/* ---- claims ---- */

static bool ours(px_str key) {
    static const char *const names[] = {"\"iat\"", "\"exp\"", "\"jti\""};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (px_str_is(key, names[i]))
            return true;
    return false;
}

/* Unless the specification says it. */
static void member(struct px_jw *w, px_str more, const char *name, px_str value) {
    px_str there;
    if (!value.p || (more.p && px_json_slice_get(more, px_str_of(name), &there) == 0))
        return;
    px_jw_key(w, name);
    px_jw_str(w, value);
}

int px_jwt_claims_write(const struct px_jwt_claims *claims, struct px_buf *to, struct px_err *err) {
    struct px_jw w;
    uint64_t pos = 0;
    px_str key, value;
    px_jw_init(&w, to);
    px_jw_object(&w);
    while (claims->more.p && px_json_slice_next(claims->more, &pos, &key, &value) == 1) {
        if (ours(key))
            continue;
        px_jw_key_raw(&w, key);
        px_jw_raw(&w, value);
    }
    member(&w, claims->more, "iss", claims->iss);
    member(&w, claims->more, "sub", claims->sub);
    member(&w, claims->more, "aud", claims->aud);
    px_jw_key(&w, "iat");
    px_jw_i64(&w, claims->iat_s);
    px_jw_key(&w, "exp");
    px_jw_i64(&w, claims->exp_s);
    if (claims->jti) {
        unsigned char bytes[JTI_BYTES];
        char hex[2 * JTI_BYTES + 1];
        randombytes_buf(bytes, sizeof bytes);
        sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
        px_jw_key(&w, "jti");
        px_jw_text(&w, hex);
    }
    px_jw_object_end(&w);
    return to->failed ? px_err_errno(err, to->failed, "the claims of a JWT") : 0;
}
