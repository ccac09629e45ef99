/* That an ID token which is about another login, or about nobody, is refused. */
#include "auth/id_token.h"
#include "jwt_help.h"

static struct px_arena arena;
static px_str account;

static int check(const char *token) {
    struct px_err err;
    return px_id_token_check(&arena, PX_LIT("https://id.example"), PX_LIT("client 1"), px_str_of(token),
                             PX_LIT("n1"), 900, &account, &err);
}

#define FINE "\"iss\":\"https://id.example\",\"exp\":1000,\"nonce\":\"n1\""

#define FINE "\"iss\":\"https://id.example\",\"exp\":1000,\"nonce\":\"n1\""

static void test_id_tokens(void **ignored) {
    static const char *const good[] = {
        "{" FINE ",\"aud\":\"client 1\",\"sub\":\"u1\"}",
        "{" FINE ",\"aud\":[\"x\",\"client 1\"],\"azp\":\"client 1\",\"sub\":\"u1\"}",
    };
    static const char *const bad[] = {
        "{}",
        "[]",
        "{" FINE "}",
        "{" FINE ",\"aud\":\"other\"}",
        "{" FINE ",\"aud\":[]}",
        "{" FINE ",\"aud\":[\"client 1\"],\"azp\":\"other\"}",
        "{\"iss\":\"https://evil\",\"exp\":1000,\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{\"exp\":1000,\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{\"iss\":\"https://id.example\",\"exp\":1000,\"nonce\":\"n2\",\"aud\":\"client 1\"}",
        "{\"iss\":\"https://id.example\",\"exp\":1000,\"aud\":\"client 1\"}",
        "{\"iss\":\"https://id.example\",\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{\"iss\":\"https://id.example\",\"exp\":839,\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{\"iss\":\"https://id.example\",\"exp\":\"1000\",\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{\"iss\":7,\"exp\":1000,\"nonce\":\"n1\",\"aud\":\"client 1\"}",
        "{" FINE ",\"aud\":\"client 1\"",
    };
    (void)ignored;
    px_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        assert_int_equal(check(id_token(good[i])), 0);
        assert_true(px_str_is(account, "u1"));
    }
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        if (check(id_token(bad[i])) != -EBADMSG)
            fail_msg("%s", bad[i]);
    }
    static const char *const broken[] = {"", "a", "a.b", "a.!!.c", ".", ".."};
    for (size_t i = 0; i < PX_COUNT(broken); i++)
        assert_int_equal(check(broken[i]), -EBADMSG);
    px_arena_finish(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
