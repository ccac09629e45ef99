#include "jwt_help.h"
#include "login_help.h"

/* Authorization code with PKCE: where the browser is sent, and what it brings back. */

static void test_code(void **ignored) {
    (void)ignored;
    open_world();
    w.auth.provider.spec.resource = PX_LIT("https://api.example/");
    w.auth.provider.spec.extra_json =
        PX_LIT("{\"access_type\":\"offline\",\"state\":\"x\",\"redirect_uri\":\"https://evil/\","
               "\"code_challenge\":\"x\",\"a b\":\"c&d\"}");
    start_code();
    assert_int_equal(w.n_visits, 1);
    assert_int_equal(w.last.expires_ms, 600000);
    assert_true(
        px_str_starts(px_str_of(w.url), PX_LIT("https://id.example/auth?tenant=a&response_type=code&")));
    assert_null(strchr(w.url, '#'));
    assert_string_equal(in_url("client_id"), "client 1");
    assert_string_equal(in_url("redirect_uri"), URI);
    assert_string_equal(in_url("scope"), "read offline_access");
    assert_string_equal(in_url("code_challenge_method"), "S256");
    assert_string_equal(in_url("resource"), "https://api.example/");
    assert_string_equal(in_url("access_type"), "offline");
    assert_string_equal(in_url("a%20b"), "c&d");
    assert_string_equal(in_url("nonce"), ""); /* no openid */
    char challenge[64], expected[64];
    snprintf(challenge, sizeof challenge, "%s", in_url("code_challenge"));
    take_state();
    assert_int_equal(redirected("code=good-code-1234&state=%s&iss=https%%3A%%2F%%2Fid.example", state.bound),
                     0);
    assert_string_equal(w.ask.url, "https://id.example/token");
    assert_string_equal(param("grant_type"), "authorization_code");
    assert_string_equal(param("code"), "good-code-1234");
    assert_string_equal(param("redirect_uri"), URI);
    assert_string_equal(param("resource"), "https://api.example/");
    assert_int_equal(strlen(param("code_verifier")), 43);
    unsigned char digest[32];
    crypto_hash_sha256(digest, (const unsigned char *)param("code_verifier"), 43);
    sodium_bin2base64(expected, sizeof expected, digest, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    assert_string_equal(challenge, expected);
    assert_null(strstr(w.url, param("code_verifier")));
    assert_true(px_redact_hits(px_str_of(param("code_verifier"))));
    assert_true(px_redact_hits(PX_LIT("good-code-1234")));
    assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), -EINVAL); /* one use */
    finish_well("alice");
    assert_string_equal(w.account_name, "alice");
    assert_string_equal(w.scopes, "read");
    assert_true(w.installed_shared);
    assert_string_equal(w.installed_account, "alice");
    assert_string_equal(w.installed_access, "access-1");
    close_world();
}

static void test_what_is_not_its_own(void **ignored) {
    (void)ignored;
    open_world();
    start_code();
    take_state();
    char wrong[64];
    snprintf(wrong, sizeof wrong, "%s", state.bound);
    wrong[42] = wrong[42] == 'A' ? 'B' : 'A';
    assert_int_equal(redirected("code=good-code-1234&state=%s", wrong), -EINVAL);
    assert_int_equal(redirected("code=good-code-1234&state=%.42s", state.bound), -EINVAL);
    assert_int_equal(redirected("code=good-code-1234&state="), -EINVAL);
    assert_int_equal(redirected("code=good-code-1234"), -EINVAL);
    assert_int_equal(redirected("error=access_denied"), -EINVAL);
    assert_int_equal(redirected("code=a&code=b&state=%s", state.bound), -EINVAL);
    assert_int_equal(redirected("code=a&state=%s&state=%s", state.bound, state.bound), -EINVAL);
    assert_int_equal(redirected("code=a%%0g&state=%s", state.bound), -EINVAL);
    assert_int_equal(redirected("code=a%%00&state=%s", state.bound), -EINVAL);
    assert_int_equal(redirected("code=a%%4"), -EINVAL);
    assert_int_equal(redirected("%s", ""), -EINVAL);
    assert_int_equal(w.n_asks, 0);
    assert_int_equal(w.n_news, 1);
    assert_int_equal(redirected("?code=good-code-1234&other=1&flag&state=%s", state.bound), 0);
    finish_well("");
    assert_string_equal(w.account_name, "");
    close_world();
}

struct bad {
    const char *query; /* behind the state */
    bool iss_required, no_issuer;
    int32_t code; /* 0: it goes on */
    const char *words;
};
static void test_answers_that_end_it(void **ignored) {
    static const struct bad bads[] = {
        {"&code=x&iss=https%3A%2F%2Fid.example", true, false, 0, NULL},
        {"&code=x", false, false, 0, NULL},
        {"&code=x&iss=https%3A%2F%2Fevil.example", false, true, 0, NULL}, /* nothing to compare it with */
        {"&code=x&iss=https%3A%2F%2Fevil.example", false, false, PX_UPSTREAM_ERROR, "another issuer"},
        {"&code=x&iss=https%3A%2F%2Fid.example%2F", false, false, PX_UPSTREAM_ERROR, "another issuer"},
        {"&code=x&iss=", false, false, PX_UPSTREAM_ERROR, "another issuer"},
        {"&code=x", true, false, PX_UPSTREAM_ERROR, "does not say which issuer"},
        {"&error=access_denied&iss=https%3A%2F%2Fevil.example", false, false, PX_UPSTREAM_ERROR,
         "another issuer"},
        {"&error=access_denied", false, false, PX_FORBIDDEN, "access_denied: the login was not allowed"},
        {"&error=invalid_scope&error_description=no+such%20scope", false, false, PX_UPSTREAM_ERROR,
         "invalid_scope: no such scope"},
        {"&error=invalid_scope&error_description=a%0Ab", false, false, PX_UPSTREAM_ERROR,
         "the provider answered invalid_scope"},
        {"&error=%FF%FE", false, false, PX_UPSTREAM_ERROR, "the provider answered an error"},
        {"&code=", false, false, PX_UPSTREAM_ERROR, "no code"},
        {"&x=y", false, false, PX_UPSTREAM_ERROR, "no code"},
    };
    (void)ignored;
    for (size_t i = 0; i < PX_COUNT(bads); i++) {
        open_world();
        w.auth.provider.iss_required = bads[i].iss_required;
        if (bads[i].no_issuer)
            w.auth.provider.spec.issuer = (px_str){0};
        start_code();
        take_state();
        assert_int_equal(redirected("state=%s%s", state.bound, bads[i].query), 0);
        if (!bads[i].code) {
            assert_true(w.ask.there);
        } else {
            assert_int_equal(w.n_asks, 0);
            assert_int_equal(w.last.step, PX_LOGIN_FAILED);
            assert_int_equal(w.code, bads[i].code);
            if (!strstr(w.message, bads[i].words))
                fail_msg("%s: %s", bads[i].query, w.message);
        }
        close_world();
    }
}

static void test_redirect_uris(void **ignored) {
    static const char *const bad[] = {"",
                                      "https://127.0.0.1:7/a",
                                      "http://localhost:7/a",
                                      "http://127.0.0.2:7/a",
                                      "http://127.0.0.1.evil.example:7/a",
                                      "http://evil.example/a",
                                      "http://127.0.0.1:7/a?b=c",
                                      "http://127.0.0.1:7/a#b",
                                      "http://user@127.0.0.1:7/a",
                                      "http://0x7f.1:7/a",
                                      "http://127.0.0.1:7/a/../b",
                                      "http://127.0.0.1:7/a b",
                                      "urn:ietf:wg:oauth:2.0:oob"};
    (void)ignored;
    open_world();
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        if (start_for("uid:7", false, bad[i]) != -EINVAL)
            fail_msg("%s", bad[i]);
    }
    assert_int_equal(start_for("uid:7", false, "http://[::1]:7/a"), 0);
    px_op_cancel(&w.op);
    w.auth.provider.spec.redirect_port = 7;
    w.auth.provider.spec.redirect_path = PX_LIT("/cb");
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:8/cb"), -EINVAL);
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:7/cb/x"), -EINVAL);
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:7/cb"), 0);
    px_op_cancel(&w.op);
    assert_int_equal(w.n_news, 0);
    close_world();
}

static void test_openid(void **ignored) {
    char claims[512];
    (void)ignored;
    for (int wrong = 0; wrong < 2; wrong++) {
        open_world();
        w.auth.provider.spec.scopes = PX_LIT("openid offline_access");
        start_code();
        take_state();
        assert_int_equal(strlen(in_url("nonce")), 43);
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"https://id.example\",\"aud\":\"client 1\",\"exp\":%lld,\"nonce\":\"%s%s\","
                 "\"email\":\"a@b.c\",\"sub\":\"7\"}",
                 (long long)px_clock_unix_ms() / 1000 + 60, in_url("nonce"), wrong ? "x" : "");
        assert_string_equal(in_url("prompt"), "consent");
        assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
        struct px_ask_answer with = tokens;
        with.id_token = px_str_of(id_token(claims));
        answer(with);
        if (wrong) {
            assert_int_equal(w.last.step, PX_LOGIN_FAILED);
            assert_non_null(strstr(w.message, "nonce"));
            assert_int_equal(w.n_installs, 0);
        } else {
            answer_account(""); /* nobody else says: the ID token does */
            installed(0);
            assert_string_equal(w.account_name, "a@b.c");
        }
        close_world();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_what_is_not_its_own),
        cmocka_unit_test(test_answers_that_end_it),
        cmocka_unit_test(test_redirect_uris),
        cmocka_unit_test(test_openid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
