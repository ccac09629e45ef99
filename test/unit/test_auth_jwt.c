#include "auth_help.h"

static struct px_jwt_key *key_of(const char *pem, const char *algorithm) {
    struct px_jwt_key *key = NULL;
    struct px_err err = {0};
    if (px_jwt_key_read(px_str_of(pem), px_str_of(algorithm), &key, &err))
        fail_msg("%s", err.msg);
    return key;
}

static void signatures_verify(void **state) {
    (void)state;
    const char *pems[] = {rsa_pem(2048), ec_pem(MBEDTLS_ECP_DP_SECP256R1)};
    for (size_t i = 0; i < 2; i++) {
        struct px_jwt_key *key = key_of(pems[i], i ? "ES256" : "RS256");
        struct px_buf to;
        px_buf_init(&to, 1 << 16);
        px_buf_text(&to, "before ");
        /* r and s are a byte short once in 128 times: all of them must come out at 64 bytes */
        for (int n = 0; n < (i ? 400 : 2); n++) {
            px_buf_clear(&to, SIZE_MAX);
            px_buf_text(&to, "before ");
            assert_int_equal(px_jwt_sign(key, PX_LIT("k\"1"), PX_LIT("{\"a\":1}"), &to, NULL), 0);
            px_str jwt = px_str_n(to.p + 7, to.n - 7);
            assert_true(jwt_is_signed_by(jwt, pems[i]));
            assert_string_equal(jwt_part(jwt, 1), "{\"a\":1}");
        }
        px_str jwt = px_str_n(to.p + 7, to.n - 7);
        assert_string_equal(jwt_part(jwt, 0), i ? "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k\\\"1\"}"
                                                : "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\\\"1\"}");
        assert_null(memchr(jwt.p, '=', jwt.n));
        to.p[10] ^= 1; /* in the header */
        assert_false(jwt_is_signed_by(jwt, pems[i]));
        px_buf_finish(&to);
        px_jwt_key_free(key);
    }
}

/* RFC 7515, appendix A.3: its signature verifies here, and so does ours with its key. */
static void the_key_of_the_rfc(void **state) {
    (void)state;
    static const char rfc[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
        "S9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
        "UJqPP3-Kg6NU1Q";
    static const char *const numbers[] = {"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                                          "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                                          "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"};
    mbedtls_pk_context pk;
    mbedtls_pk_init(&pk);
    assert_int_equal(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(pk);
    assert_int_equal(mbedtls_ecp_group_load(&ec->grp, MBEDTLS_ECP_DP_SECP256R1), 0);
    mbedtls_mpi *to[] = {&ec->Q.X, &ec->Q.Y, &ec->d};
    for (size_t i = 0; i < 3; i++) {
        unsigned char bytes[32];
        size_t n;
        assert_int_equal(sodium_base642bin(bytes, 32, numbers[i], strlen(numbers[i]), NULL, &n, NULL,
                                           sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                         0);
        assert_int_equal(mbedtls_mpi_read_binary(to[i], bytes, 32), 0);
    }
    assert_int_equal(mbedtls_mpi_lset(&ec->Q.Z, 1), 0);
    assert_true(jwt_verifies(px_str_of(rfc), &pk));
    char pem[2048];
    assert_int_equal(mbedtls_pk_write_key_pem(&pk, (unsigned char *)pem, sizeof pem), 0);
    struct px_jwt_key *key = key_of(pem, NULL);
    struct px_buf jwt;
    px_buf_init(&jwt, 4096);
    assert_int_equal(px_jwt_sign(key, (px_str){0}, PX_LIT("{\"iss\":\"joe\"}"), &jwt, NULL), 0);
    assert_true(jwt_verifies(px_buf_view(&jwt), &pk));
    px_buf_finish(&jwt);
    px_jwt_key_free(key);
    mbedtls_pk_free(&pk);
}

static void bad_keys(void **state) {
    (void)state;
    static char broken[8192];
    snprintf(broken, sizeof broken, "%s", rsa_pem(2048));
    memset(strchr(broken, '\n') + 20, 'A', 200);
    const struct {
        const char *pem, *algorithm, *words;
    } bad[] = {{"secret-not-a-pem", NULL, "not a PEM"},
               {rsa_pem(1024), NULL, "1024 bits"},
               {rsa_pem(2048), "ES256", "the key is for RS256"},
               {ec_pem(MBEDTLS_ECP_DP_SECP256R1), "RS256", "the key is for ES256"},
               {ec_pem(MBEDTLS_ECP_DP_SECP256K1), NULL, "neither RSA"},
               {broken, NULL, "no private key"},
               {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n", NULL,
                "encrypted"},
               {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", NULL, "no private key"}};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_jwt_key *key = NULL;
        struct px_err err = {0};
        assert_int_equal(px_jwt_key_read(px_str_of(bad[i].pem), px_str_of(bad[i].algorithm), &key, &err),
                         -EINVAL);
        HAS(err.msg, bad[i].words);
        assert_null(key);
        assert_null(strstr(err.msg, "secret"));
    }
    px_jwt_key_free(NULL);
}

static void claims(void **state) {
    (void)state;
    struct px_buf to;
    px_buf_init(&to, 4096);
    struct px_jwt_claims c = {.more =
                                  PX_LIT("{\"iss\":\"x\",\"exp\":1,\"n\":5000000000000001,\"jti\":\"mine\"}"),
                              .iss = PX_LIT("not me"),
                              .aud = PX_LIT("a\"b"),
                              .iat_s = 100,
                              .exp_s = 400};
    assert_int_equal(px_jwt_claims_write(&c, &to, NULL), 0);
    assert_string_equal(to.p,
                        "{\"iss\":\"x\",\"n\":5000000000000001,\"aud\":\"a\\\"b\",\"iat\":100,\"exp\":400}");
    c.jti = true;
    char first[4096];
    px_buf_clear(&to, SIZE_MAX);
    assert_int_equal(px_jwt_claims_write(&c, &to, NULL), 0);
    snprintf(first, sizeof first, "%s", to.p);
    HAS(first, "\"exp\":400,\"jti\":\"");
    px_buf_clear(&to, SIZE_MAX);
    assert_int_equal(px_jwt_claims_write(&c, &to, NULL), 0);
    assert_string_not_equal(first, to.p); /* fresh each time */
    px_buf_finish(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(signatures_verify),
                                       cmocka_unit_test(the_key_of_the_rfc), cmocka_unit_test(bad_keys),
                                       cmocka_unit_test(claims)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
