/* jwt_help.h: keys that a test makes, and JWTs that it reads, verifies, and makes up. */
#ifndef PX_TEST_JWT_HELP_H
#define PX_TEST_JWT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include <mbedtls/pk.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* ---- keys ---- */

static inline int test_random(void *ctx, unsigned char *to, size_t n) {
    (void)ctx;
    randombytes_buf(to, n);
    return 0;
}
static inline const char *rsa_pem(unsigned bits) {
    static char pems[3][8192];
    char *pem = pems[bits == 1024 ? 0 : bits == 2048 ? 1 : 2];
    if (pem[0])
        return pem;
    mbedtls_pk_context pk;
    mbedtls_pk_init(&pk);
    assert_int_equal(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    assert_int_equal(mbedtls_rsa_gen_key(mbedtls_pk_rsa(pk), test_random, NULL, bits, 65537), 0);
    assert_int_equal(mbedtls_pk_write_key_pem(&pk, (unsigned char *)pem, sizeof pems[0]), 0);
    mbedtls_pk_free(&pk);
    return pem;
}
static inline const char *ec_pem(mbedtls_ecp_group_id group) {
    static char pems[2][2048];
    char *pem = pems[group == MBEDTLS_ECP_DP_SECP256R1];
    mbedtls_pk_context pk;
    if (pem[0])
        return pem;
    mbedtls_pk_init(&pk);
    assert_int_equal(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(group, mbedtls_pk_ec(pk), test_random, NULL), 0);
    assert_int_equal(mbedtls_pk_write_key_pem(&pk, (unsigned char *)pem, sizeof pems[0]), 0);
    mbedtls_pk_free(&pk);
    return pem;
}

/* ---- JWTs ---- */

/* The part of a JWT (0: header, 1: claims), decoded. */
static inline const char *jwt_part(px_str jwt, unsigned n) {
    static char out[2][8192];
    const char *from = jwt.p, *end = jwt.p + jwt.n;
    for (unsigned i = 0; i < n; i++)
        from = (const char *)memchr(from, '.', (size_t)(end - from)) + 1;
    const char *to = memchr(from, '.', (size_t)(end - from));
    size_t len = 0;
    assert_non_null(to);
    assert_int_equal(sodium_base642bin((unsigned char *)out[n], sizeof out[n] - 1, from, (size_t)(to - from),
                                       NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    out[n][len] = 0;
    return out[n];
}
/* Whether the signature is this key's; raw r and s for a key on P-256. */
static inline bool jwt_verifies(px_str jwt, mbedtls_pk_context *pk) {
    unsigned char hash[32], signature[1024];
    size_t n = 0;
    const char *dot = memrchr(jwt.p, '.', jwt.n);
    assert_non_null(dot);
    if (sodium_base642bin(signature, sizeof signature, dot + 1, (size_t)(jwt.p + jwt.n - dot - 1), NULL, &n,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        return false;
    crypto_hash_sha256(hash, (const unsigned char *)jwt.p, (size_t)(dot - jwt.p));
    if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA))
        return mbedtls_pk_verify(pk, MBEDTLS_MD_SHA256, hash, 32, signature, n) == 0;
    mbedtls_mpi r, s;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(*pk);
    bool good = n == 64 && !mbedtls_mpi_read_binary(&r, signature, 32) &&
                !mbedtls_mpi_read_binary(&s, signature + 32, 32) &&
                mbedtls_ecdsa_verify(&ec->grp, hash, 32, &ec->Q, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return good;
}
static inline bool jwt_is_signed_by(px_str jwt, const char *pem) {
    mbedtls_pk_context pk;
    mbedtls_pk_init(&pk);
    assert_int_equal(mbedtls_pk_parse_key(&pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0), 0);
    bool good = jwt_verifies(jwt, &pk);
    mbedtls_pk_free(&pk);
    return good;
}
/* With these claims, and a signature that is none. */
static inline const char *id_token(const char *claims) {
    static char text[2048];
    sodium_bin2base64(text + 3, sizeof text - 3, (const unsigned char *)claims, strlen(claims),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(text, "e30", 3);
    memmove(text + 4, text + 3, strlen(text + 3) + 1);
    text[3] = '.';
    strcat(text, ".c2ln");
    return text;
}

#endif
