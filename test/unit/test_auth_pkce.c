/* PKCE against the text of the RFC. */
#include "auth/pkce.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_the_challenge_of_the_rfc(void **ignored) {
    char challenge[PX_PKCE_TEXT], one[PX_PKCE_TEXT], two[PX_PKCE_TEXT];
    (void)ignored;
    px_pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge); /* RFC 7636 appendix B */
    assert_string_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    px_pkce_random(one);
    px_pkce_random(two);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), 43);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_challenge_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
