/* Token hashes against the published BLAKE2b, and every way in which a comparison must say no. */
#include "auth/token.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* printf %s abc | b2sum -l 256 (RFC 7693's function at 32 bytes) */
static const char abc[] = "blake2b:bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";

static void hash_is_blake2b_256(void **state) {
    (void)state;
    char out[PX_TOKEN_HASH];
    px_token_hash(PX_LIT("abc"), out);
    assert_string_equal(out, abc);
}

static void matches_only_its_own(void **state) {
    (void)state;
    char out[PX_TOKEN_HASH];
    px_str token = PX_LIT("px_0123456789abcdefghij");
    px_token_hash(token, out);
    assert_true(px_token_matches(px_str_of(out), token));
    assert_false(px_token_matches(px_str_of(out), PX_LIT("px_0123456789abcdefghik")));
    assert_false(px_token_matches(px_str_of(out), px_str_n(token.p, token.n - 1)));
    out[72 - 1] = out[72 - 1] == '0' ? '1' : '0';
    assert_false(px_token_matches(px_str_of(out), token));
    /* too short to be a token, whatever the configuration says */
    assert_false(px_token_matches(px_str_of(abc), PX_LIT("abc")));
    assert_false(px_token_matches(px_str_of(abc), (px_str){NULL, 0}));
}

static void forms(void **state) {
    (void)state;
    char bad[80];
    assert_true(px_token_hash_valid(px_str_of(abc)));
    snprintf(bad, sizeof bad, "sha256::%s", abc + 8);
    assert_false(px_token_hash_valid(px_str_of(bad)));
    snprintf(bad, sizeof bad, "%sg", abc);
    bad[71] = 'g';
    bad[72] = 0;
    assert_false(px_token_hash_valid(px_str_of(bad)));
    assert_false(px_token_hash_valid(px_str_n(abc, 71)));
    assert_false(px_token_hash_valid(PX_LIT("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_blake2b_256),
        cmocka_unit_test(matches_only_its_own),
        cmocka_unit_test(forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
