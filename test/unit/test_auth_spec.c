#include "auth_help.h"

static struct px_provider provider;
static struct px_err err;

static int read_it(const char *json, bool allow_private) {
    err = (struct px_err){0};
    return provider_read(&provider, json, allow_private, &err);
}
static void end(void) {
    px_provider_finish(&provider);
}
static void good(const char *json) {
    if (read_it(json, false))
        fail_msg("%s: %s", json, err.msg);
}
static bool allowed(const char *url) {
    struct px_url parsed;
    assert_int_equal(px_url_parse(&provider.arena, px_str_of(url), &parsed, NULL), 0);
    return px_egress_configured(provider.egress, &parsed);
}

static void oauth2(void **state) {
    (void)state;
    good(
        "{\"kind\":\"oauth2\",\"token_url\":\"https://id.example/token\",\"authorization_url\":\"https://login.example/auth\","
        "\"client_id\":\"a b:c\",\"client_secret\":{\"$secret\":\"s3cr%t+value\"},\"scopes\":[\"a\",\"b:c\"],"
        "\"extra\":{\"prompt\":\"consent\"},\"redirect_port\":8080,\"grant\":\"per_principal\"}");
    const struct px_auth_spec *s = &provider.spec;
    assert_true(s->kind == PX_AUTH_OAUTH2 && s->flow == PX_FLOW_CODE && s->client_auth == PX_CLIENT_BASIC);
    assert_true(s->per_principal && !s->optional && s->redirect_port == 8080);
    assert_true(px_str_is(s->header, "Authorization") && px_str_is(s->prefix, "Bearer "));
    assert_true(px_str_is(s->scopes, "a b:c") && px_str_is(s->extra_json, "{\"prompt\":\"consent\"}"));
    /* both parts form-urlencoded first (RFC 6749 §2.3.1): a%20b%3Ac:s3cr%25t%2Bvalue */
    assert_true(px_str_is(s->basic, "Basic YSUyMGIlM0FjOnMzY3IlMjV0JTJCdmFsdWU="));
    assert_true(px_redact_hits(PX_LIT("so s3cr%t+value it is")));
    assert_true(px_redact_hits(PX_LIT("so YSUyMGIlM0FjOnMzY3IlMjV0JTJCdmFsdWU= it is")));
    assert_true(allowed("https://id.example/x") && !allowed("https://login.example/") &&
                !allowed("http://id.example/"));
    end();
    assert_false(px_redact_hits(PX_LIT("so s3cr%t+value it is")));
    assert_false(px_redact_hits(PX_LIT("so YSUyMGIlM0FjOnMzY3IlMjV0JTJCdmFsdWU= it is")));
}

static void how_the_client_shows_itself(void **state) {
    (void)state;
    static const struct {
        const char *more;
        enum px_client_auth is;
    } ways[] = {{"", PX_CLIENT_NONE},
                {",\"client_secret\":{\"$secret\":\"sssssssss\"}", PX_CLIENT_BASIC},
                {",\"client_secret\":{\"$secret\":\"sssssssss\"},\"client_auth\":\"client_secret_post\"",
                 PX_CLIENT_POST},
                {",\"client_secret\":{\"$secret\":\"sssssssss\"},\"client_auth\":\"none\"", PX_CLIENT_NONE},
                {",\"private_key\":{\"$secret\":\"pem:ec\"}", PX_CLIENT_KEY}};
    for (size_t i = 0; i < PX_COUNT(ways); i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 "{\"kind\":\"oauth2\",\"issuer\":\"https://id.example\",\"client_id\":\"c\"%s}",
                 ways[i].more);
        good(json);
        assert_int_equal(provider.spec.client_auth, ways[i].is);
        end();
    }
}

static void others(void **state) {
    (void)state;
    good("{\"kind\":\"github_app\",\"app_id\":\"12\",\"private_key\":{\"$secret\":\"pem\"}}");
    assert_true(px_str_is(provider.spec.api_url, "https://api.github.com") &&
                provider.spec.lifetime_s == 540);
    assert_true(allowed("https://api.github.com/app"));
    end();
    good(
        "{\"kind\":\"github_app\",\"app_id\":\"12\",\"private_key\":{\"$secret\":\"pem\"},\"api_url\":\"https://gh.example/api/v3/\"}");
    assert_true(px_str_is(provider.spec.api_url, "https://gh.example/api/v3"));
    end();
    good(
        "{\"kind\":\"jwt\",\"private_key\":{\"$secret\":\"pem:ec\"},\"name\":\"X-Token\",\"claims\":{\"iss\":\"me\"}}");
    assert_null(provider.egress);
    assert_true(px_str_is(provider.spec.prefix, "") && px_str_is(provider.spec.header, "X-Token") &&
                provider.spec.lifetime_s == 300);
    end();
}

static void what_cannot_be(void **state) {
    (void)state;
    static const struct {
        const char *json, *words;
        int code;
    } bad[] = {
        {"{\"kind\":\"bearer\"}", "kind", -EINVAL},
        {"{\"kind\":\"oauth2\",\"token_url\":\"https://a.example\",\"authorization_url\":\"https://a.example\"}",
         "client_id", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\"}", "token_url", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://a.example\"}", "authorization_url",
         -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"flow\":\"device\",\"token_url\":\"https://a.example\"}",
         "device_url", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"flow\":\"client_credentials\",\"token_url\":\"https://a.example\"}",
         "client_secret", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"http://a.example\"}", "https only", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://a.example\",\"authorization_url\":\"http://a.example\"}",
         "authorization_url", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://u:p@a.example\"}", "issuer", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://a.example\",\"client_auth\":\"client_secret_post\"}",
         "client_secret", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://a.example\",\"client_auth\":\"private_key_jwt\"}",
         "private_key", -EINVAL},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://a.example\",\"client_secret\":{\"$secret\":\"none\"}}",
         "client_secret", -ENOENT},
        {"{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"https://a.example\",\"client_secret\":{\"$secret\":\"longsecret\"},\"flow\":\"client_credentials\",\"grant\":\"per_principal\"}",
         "per_principal", -EINVAL},
        {"{\"kind\":\"jwt\"}", "private_key", -EINVAL},
        {"{\"kind\":\"jwt\",\"private_key\":{\"$secret\":\"hunter2hunter2\"}}", "private_key", -EINVAL},
        {"{\"kind\":\"github_app\",\"private_key\":{\"$secret\":\"pem\"}}", "app_id", -EINVAL},
        {"{\"kind\":\"github_app\",\"app_id\":\"1\",\"private_key\":{\"$secret\":\"pem:ec\"}}", "RSA",
         -EINVAL},
        {"{\"kind\":\"github_app\",\"app_id\":\"1\",\"private_key\":{\"$secret\":\"pem\"},\"lifetime_s\":3600}",
         "lifetime_s", -EINVAL}};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        int r = read_it(bad[i].json, false);
        if (r != bad[i].code)
            fail_msg("%s: %d %s", bad[i].json, r, err.msg);
        HAS(err.msg, bad[i].words);
        assert_null(strstr(err.msg, "hunter2"));
        assert_null(provider.egress);
        end();
    }
    assert_false(px_redact_hits(PX_LIT("longsecret")));
    /* http to this machine, and with allow_private to others */
    good("{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"http://127.0.0.1:8080/x\"}");
    end();
    good("{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"http://id.localhost:8080/x\"}");
    end();
    assert_int_equal(
        read_it("{\"kind\":\"oauth2\",\"client_id\":\"c\",\"issuer\":\"http://id.internal\"}", true), 0);
    end();
}

/* A grant goes on with other scopes and a new secret; not with another client or provider. */
static void digests(void **state) {
    (void)state;
    static const struct {
        const char *more;
        bool same;
    } changes[] = {
        {"\"client_id\":\"c\",\"token_url\":\"https://a.example/t\"", true},
        {"\"client_id\":\"c\",\"token_url\":\"https://a.example/t\",\"scopes\":[\"x\"]", true},
        {"\"client_id\":\"c\",\"token_url\":\"https://a.example/t\",\"client_secret\":{\"$secret\":\"otherwise\"}",
         true},
        {"\"client_id\":\"d\",\"token_url\":\"https://a.example/t\"", false},
        {"\"client_id\":\"c\",\"token_url\":\"https://b.example/t\"", false},
        {"\"client_id\":\"c\",\"token_url\":\"https://a.example/t\",\"resource\":\"https://r.example\"",
         false},
        {"\"client_id\":\"c\",\"token_url\":\"https://a.example/t\",\"grant\":\"per_principal\"", false}};
    uint8_t first[32], whole[32];
    for (size_t i = 0; i < PX_COUNT(changes); i++) {
        char json[1024];
        snprintf(json, sizeof json, "{\"kind\":\"oauth2\",\"authorization_url\":\"https://a.example/a\",%s}",
                 changes[i].more);
        good(json);
        if (i == 0) {
            memcpy(first, provider.spec.digest, 32);
            memcpy(whole, provider.spec.whole, 32);
        }
        assert_int_equal(memcmp(first, provider.spec.digest, 32) == 0, changes[i].same);
        assert_int_equal(memcmp(whole, provider.spec.whole, 32) == 0, i == 0);
        end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oauth2), cmocka_unit_test(how_the_client_shows_itself), cmocka_unit_test(others),
        cmocka_unit_test(what_cannot_be), cmocka_unit_test(digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
