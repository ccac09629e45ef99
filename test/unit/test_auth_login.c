#include "login_help.h"

#include <sodium.h>

/* Logins and logouts over a provider that this test plays. */

static void finish_well(const char *account) {
    answer(tokens);
    assert_string_equal(w.account.account_token, "access-1");
    answer_account(account);
    assert_int_equal(w.n_installs, 1);
    assert_ptr_not_equal(w.op, NULL); /* not done before the commit */
    installed(0);
    assert_int_equal(w.last.step, PX_LOGIN_DONE);
    assert_null(w.op);
}

/* ---- code ---- */

static void test_code(void **ignored) {
    (void)ignored;
    open_world();
    w.auth.spec.resource = PX_LIT("https://api.example/");
    w.auth.spec.extra_json =
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
        w.auth.iss_required = bads[i].iss_required;
        if (bads[i].no_issuer)
            w.auth.spec.issuer = (px_str){0};
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
    w.auth.spec.redirect_port = 7;
    w.auth.spec.redirect_path = PX_LIT("/cb");
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:8/cb"), -EINVAL);
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:7/cb/x"), -EINVAL);
    assert_int_equal(start_for("uid:7", false, "http://127.0.0.1:7/cb"), 0);
    px_op_cancel(&w.op);
    assert_int_equal(w.n_news, 0);
    close_world();
}

static void test_what_has_no_login(void **ignored) {
    struct px_login_about about;
    struct px_err err;
    (void)ignored;
    open_world();
    assert_int_equal(px_login_about(NULL, PX_LIT("other"), (px_str){0}, &about, &err), -ENOENT);
    assert_int_equal(px_login_about(NULL, PX_LIT("other"), PX_LIT("x"), &about, &err), -ENOENT);
    assert_int_equal(px_login_about(NULL, PX_LIT("svc"), (px_str){0}, &about, &err), 0);
    assert_false(about.device || about.per_principal || about.redirect_port);
    w.auth.spec.flow = PX_FLOW_CLIENT;
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    assert_non_null(strstr(w.message, "needs no login"));
    w.auth.spec.flow = PX_FLOW_CODE;
    w.auth.spec.kind = PX_AUTH_JWT;
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    w.auth.spec.kind = PX_AUTH_OAUTH2;
    w.auth.spec.issuer = w.auth.spec.device_url = (px_str){0};
    assert_int_equal(start_for("uid:7", true, NULL), -EINVAL);
    assert_non_null(strstr(w.message, "no device flow"));
    w.auth.spec.authorization_url = (px_str){0};
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    w.auth.spec.per_principal = true;
    w.auth.spec.authorization_url = PX_LIT("https://id.example/");
    assert_int_equal(start_for("", false, URI), -EINVAL);
    close_world();
}

static void test_one_principals_own(void **ignored) {
    (void)ignored;
    open_world();
    w.auth.spec.per_principal = true;
    start_code();
    take_state();
    assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
    finish_well("alice");
    assert_false(w.installed_shared);
    assert_string_equal(w.installed_for, "uid:7");
    close_world();
}

static void test_tokens_that_do_not_come(void **ignored) {
    (void)ignored;
    open_world();
    start_code();
    take_state();
    assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
    answer((struct px_ask_answer){
        .status = 400, .error = PX_LIT("invalid_grant"), .words = PX_LIT("it said good-code-1234 is bad")});
    assert_int_equal(w.code, PX_UPSTREAM_ERROR);
    assert_non_null(strstr(w.message, "[redacted] is bad"));
    close_world();
    open_world();
    start_code();
    take_state();
    assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
    answer((struct px_ask_answer){.transient = true, .words = PX_LIT("no route")});
    assert_int_equal(w.code, PX_UNAVAILABLE);
    close_world();
    open_world();
    start_code();
    take_state();
    assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
    answer(tokens);
    answer_account("alice");
    installed(-ENOSPC);
    assert_int_equal(w.last.step, PX_LOGIN_FAILED);
    assert_int_equal(w.code, PX_UNAVAILABLE);
    close_world();
}

static void test_discovery(void **ignored) {
    const struct px_error error = {.code = PX_UNAVAILABLE, .message = PX_LIT("no answer")};
    (void)ignored;
    open_world();
    w.must_discover = true;
    w.auth.spec.authorization_url = (px_str){0};
    start_code();
    assert_int_equal(w.n_news, 0);
    w.auth.spec.authorization_url = PX_LIT("https://found.example/a");
    discovered(NULL);
    assert_true(px_str_starts(px_str_of(w.url), PX_LIT("https://found.example/a?response_type=code")));
    close_world();
    open_world();
    w.must_discover = true;
    start_code();
    discovered(&error);
    assert_int_equal(w.code, PX_UNAVAILABLE);
    assert_string_equal(w.message, "no answer");
    close_world();
    open_world();
    w.must_discover = true;
    w.auth.spec.authorization_url = (px_str){0};
    start_code();
    discovered(NULL);
    assert_int_equal(w.code, PX_UPSTREAM_ERROR);
    close_world();
}

/* ---- ID tokens ---- */

static char *id_token(const char *claims) {
    static char text[2048];
    sodium_bin2base64(text + 3, sizeof text - 3, (const unsigned char *)claims, strlen(claims),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(text, "e30", 3);
    memmove(text + 4, text + 3, strlen(text + 3) + 1);
    text[3] = '.';
    strcat(text, ".c2ln");
    return text;
}
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
    struct px_arena arena;
    struct px_err err;
    px_str account;
    (void)ignored;
    open_world();
    px_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        assert_int_equal(px_id_token_check(&arena, &w.auth, px_str_of(id_token(good[i])), PX_LIT("n1"), 900,
                                           &account, &err),
                         0);
        assert_true(px_str_is(account, "u1"));
    }
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        if (px_id_token_check(&arena, &w.auth, px_str_of(id_token(bad[i])), PX_LIT("n1"), 900, &account,
                              &err) != -EBADMSG)
            fail_msg("%s", bad[i]);
    }
    static const char *const broken[] = {"", "a", "a.b", "a.!!.c", ".", ".."};
    for (size_t i = 0; i < PX_COUNT(broken); i++)
        assert_int_equal(
            px_id_token_check(&arena, &w.auth, px_str_of(broken[i]), PX_LIT("n1"), 900, &account, &err),
            -EBADMSG);
    px_arena_finish(&arena);
    close_world();
}

static void test_openid(void **ignored) {
    char claims[512];
    (void)ignored;
    for (int wrong = 0; wrong < 2; wrong++) {
        open_world();
        w.auth.spec.scopes = PX_LIT("openid offline_access");
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

/* ---- device ---- */

#define CODE_JSON                                                                                                  \
    "{\"device_code\":\"device-code-1234\",\"user_code\":\"AB-CD\",\"verification_uri\":\"https://id.example/d\"," \
    "\"verification_uri_complete\":\"https://id.example/d?c=AB-CD\",\"expires_in\":300"

static void start_device(const char *json) {
    assert_int_equal(start_for("uid:7", true, NULL), 0);
    turn();
    assert_string_equal(w.ask.url, "https://id.example/device");
    assert_string_equal(param("scope"), "read offline_access");
    answer((struct px_ask_answer){.ok = true, .status = 200, .body_json = px_str_of(json)});
}
static void refuse(const char *error) {
    answer((struct px_ask_answer){.status = 400, .error = px_str_of(error), .words = px_str_of(error)});
}
/* The next poll comes after so many seconds, and not before. */
static void polls_after(uint64_t s) {
    unsigned before = w.n_asks;
    assert_false(w.ask.there);
    pass(s - 1);
    assert_int_equal(w.n_asks, before);
    pass(1);
    assert_int_equal(w.n_asks, before + 1);
    assert_string_equal(w.ask.url, "https://id.example/token");
    assert_string_equal(param("grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
    assert_string_equal(param("device_code"), "device-code-1234");
}

static void test_device(void **ignored) {
    (void)ignored;
    open_world();
    start_device(CODE_JSON ",\"interval\":3}");
    assert_int_equal(w.n_visits, 1);
    assert_string_equal(w.url, "https://id.example/d");
    assert_string_equal(w.user_code, "AB-CD");
    assert_string_equal(w.complete, "https://id.example/d?c=AB-CD");
    assert_int_equal(w.last.expires_ms, 300000);
    assert_true(px_redact_hits(PX_LIT("device-code-1234")));
    polls_after(3);
    refuse("authorization_pending");
    polls_after(3);
    refuse("slow_down");
    polls_after(8);
    refuse("authorization_pending"); /* for good */
    polls_after(8);
    refuse("slow_down");
    polls_after(13);
    answer((struct px_ask_answer){.transient = true}); /* no answer: less often, until there is one */
    polls_after(26);
    answer((struct px_ask_answer){.transient = true, .status = 503, .retry_after_ms = 55000});
    polls_after(55);
    refuse("authorization_pending");
    polls_after(13);
    finish_well("alice");
    close_world();
}

static void test_device_ends(void **ignored) {
    static const struct {
        const char *error;
        int32_t code;
    } ends[] = {{"expired_token", PX_TIMEOUT},
                {"access_denied", PX_FORBIDDEN},
                {"invalid_client", PX_UPSTREAM_ERROR}};
    (void)ignored;
    for (size_t i = 0; i < PX_COUNT(ends); i++) {
        open_world();
        start_device(CODE_JSON "}"); /* 5 s when it says none */
        polls_after(5);
        refuse(ends[i].error);
        assert_int_equal(w.code, ends[i].code);
        pass(1000);
        assert_int_equal(w.n_asks, 2);
        close_world();
    }
    open_world(); /* its own end */
    start_device(CODE_JSON ",\"interval\":200}");
    polls_after(200);
    refuse("authorization_pending");
    pass(100);
    assert_int_equal(w.code, PX_TIMEOUT);
    assert_int_equal(w.n_asks, 2);
    close_world();
    open_world(); /* the caller's */
    start_device(CODE_JSON "}");
    polls_after(5);
    px_op_cancel(&w.op);
    assert_false(w.ask.there);
    pass(1000);
    assert_int_equal(w.n_asks, 2);
    close_world();
    open_world();
    start_device(CODE_JSON "}");
    px_scope_close(&w.rig.scope);
    w.op = NULL;
    pass(1000);
    assert_int_equal(w.n_asks, 1);
    assert_int_equal(w.n_news, 1);
    close_world();
}

static void test_device_answers_that_are_none(void **ignored) {
    static const char *const bad[] = {
        "{}",
        "{\"device_code\":\"d\",\"user_code\":\"c\"}",
        "{\"device_code\":\"\",\"user_code\":\"c\",\"verification_uri\":\"https://a.example/\"}",
        "{\"device_code\":\"d\",\"user_code\":\"\",\"verification_uri\":\"https://a.example/\"}",
        "{\"device_code\":\"d\",\"user_code\":\"a\\nb\",\"verification_uri\":\"https://a.example/\"}",
        "{\"device_code\":\"d\",\"user_code\":\"c\",\"verification_uri\":\"javascript:alert(1)\"}",
        "{\"device_code\":\"d\",\"user_code\":\"c\",\"verification_uri\":7}",
        "{\"device_code\":7,\"user_code\":\"c\",\"verification_uri\":\"https://a.example/\"}",
    };
    (void)ignored;
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        open_world();
        start_device(bad[i]);
        assert_int_equal(w.n_visits, 0);
        assert_int_equal(w.code, PX_UPSTREAM_ERROR);
        close_world();
    }
    open_world(); /* a wrong complete address is only left out; numbers that are none are the defaults */
    start_device(
        "{\"device_code\":\"device-code-1234\",\"user_code\":\"c\",\"verification_url\":\"https://a.example/\","
        "\"verification_uri_complete\":\"file:///etc/passwd\",\"interval\":\"x\",\"expires_in\":-1}");
    assert_string_equal(w.url, "https://a.example/");
    assert_string_equal(w.complete, "");
    assert_int_equal(w.last.expires_ms, 600000);
    polls_after(5);
    close_world();
}

/* ---- bounds ---- */

static void test_ten_minutes(void **ignored) {
    (void)ignored;
    open_world();
    start_code();
    pass(599);
    assert_int_equal(w.n_news, 1);
    pass(1);
    assert_int_equal(w.code, PX_TIMEOUT);
    close_world();
}

static void test_thirty_two(void **ignored) {
    struct px_op *ops[PX_LOGINS];
    (void)ignored;
    open_world();
    for (size_t i = 0; i < PX_LOGINS; i++) {
        assert_int_equal(start_for("uid:7", false, URI), 0);
        ops[i] = w.op;
    }
    assert_int_equal(start_for("uid:7", false, URI), -EBUSY);
    px_op_cancel(&ops[5]);
    assert_int_equal(start_for("uid:7", false, URI), 0);
    ops[5] = w.op;
    for (size_t i = 0; i < PX_LOGINS; i++)
        px_op_cancel(&ops[i]);
    w.op = NULL;
    close_world();
}

/* Who begins and drops them makes no flood at the provider. */
static void test_sixty_and_then_one_a_second(void **ignored) {
    unsigned begun = 0;
    (void)ignored;
    open_world();
    for (unsigned s = 0; s < 3; s++) {
        while (begun < 1000 && start_for("uid:7", false, URI) == 0) {
            px_op_cancel(&w.op);
            begun++;
        }
        assert_int_equal(begun, PX_LOGINS_BURST + s);
        pass(1);
    }
    assert_int_equal(start_for("uid:7", false, URI), 0);
    px_op_cancel(&w.op);
    close_world();
}

static void test_the_service_goes(void **ignored) {
    (void)ignored;
    for (int at = 0; at < 4; at++) {
        open_world();
        start_code();
        take_state();
        if (at >= 1)
            assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), 0);
        if (at >= 2)
            answer(tokens);
        if (at >= 3)
            answer_account("alice");
        px_logins_end(&w.auth);
        assert_int_equal(w.n_news, 1); /* told from the loop */
        assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), -EINVAL);
        assert_int_equal(w.code, PX_UNAVAILABLE);
        assert_false(w.ask.there || w.account.there || w.install.there);
        close_world();
    }
}

/* ---- logout ---- */

static int log_out(void) {
    struct px_err err;
    w.present = w.access || w.refresh;
    return px_logout(NULL, w.rig.scope, PX_LIT("svc"), (px_str){0}, PX_LIT("uid:7"), on_logout, &w, &w.op,
                     &err);
}

static void test_logout(void **ignored) {
    (void)ignored;
    open_world();
    w.access = "access-1";
    w.refresh = "refresh-1";
    assert_int_equal(log_out(), 0);
    assert_int_equal(w.n_removed, 1);
    assert_string_equal(w.installed_for, ""); /* everybody's */
    turn();
    assert_string_equal(w.ask.url, "https://id.example/revoke");
    assert_string_equal(param("token"), "refresh-1");
    assert_string_equal(param("token_type_hint"), "refresh_token");
    answer((struct px_ask_answer){.ok = true, .status = 200});
    assert_string_equal(param("token"), "access-1");
    assert_string_equal(param("token_type_hint"), "access_token");
    assert_false(w.logged_out);
    answer((struct px_ask_answer){.status = 400, .error = PX_LIT("unsupported_token_type")});
    assert_true(w.logged_out && w.revoked); /* what it lived by is gone */
    close_world();

    open_world(); /* refused */
    w.refresh = "refresh-1";
    w.auth.spec.per_principal = true;
    assert_int_equal(log_out(), 0);
    assert_string_equal(w.installed_for, "uid:7");
    turn();
    answer((struct px_ask_answer){.status = 503, .transient = true, .words = PX_LIT("busy")});
    assert_true(w.logged_out && !w.revoked);
    assert_string_equal(w.why, "busy");
    close_world();

    open_world(); /* nobody to ask */
    w.access = "access-1";
    w.auth.spec.revocation_url = (px_str){0};
    assert_int_equal(log_out(), 0);
    turn();
    assert_true(w.logged_out && !w.revoked);
    assert_non_null(strstr(w.why, "names no revocation endpoint"));
    close_world();

    open_world(); /* looked up first */
    w.access = "access-1";
    w.auth.spec.revocation_url = (px_str){0};
    w.must_discover = true;
    assert_int_equal(log_out(), 0);
    turn();
    w.auth.spec.revocation_url = PX_LIT("https://id.example/found");
    discovered(NULL);
    assert_string_equal(w.ask.url, "https://id.example/found");
    answer((struct px_ask_answer){.ok = true, .status = 200});
    assert_true(w.logged_out && w.revoked);
    close_world();

    open_world(); /* no answer */
    w.access = "access-1";
    assert_int_equal(log_out(), 0);
    turn();
    pass(10);
    assert_true(w.logged_out && !w.revoked && !w.ask.there);
    close_world();

    open_world(); /* the service goes; the caller goes */
    w.access = "access-1";
    assert_int_equal(log_out(), 0);
    turn();
    px_logins_end(&w.auth);
    assert_false(w.ask.there || w.logged_out);
    pass(0);
    assert_true(w.logged_out && !w.revoked);
    assert_int_equal(log_out(), 0);
    turn();
    px_op_cancel(&w.op);
    assert_false(w.ask.there);
    w.access = NULL;
    assert_int_equal(log_out(), -ENOENT);
    w.op = NULL;
    close_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_the_challenge_of_the_rfc),
        cmocka_unit_test(test_what_is_not_its_own),
        cmocka_unit_test(test_answers_that_end_it),
        cmocka_unit_test(test_redirect_uris),
        cmocka_unit_test(test_what_has_no_login),
        cmocka_unit_test(test_one_principals_own),
        cmocka_unit_test(test_tokens_that_do_not_come),
        cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_id_tokens),
        cmocka_unit_test(test_openid),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_device_ends),
        cmocka_unit_test(test_device_answers_that_are_none),
        cmocka_unit_test(test_ten_minutes),
        cmocka_unit_test(test_sixty_and_then_one_a_second),
        cmocka_unit_test(test_thirty_two),
        cmocka_unit_test(test_the_service_goes),
        cmocka_unit_test(test_logout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
