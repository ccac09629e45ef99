#include "auth/ask.h"
#include "auth/send.h"
#include "auth_help.h"

static struct world w;
static struct px_provider provider;
static struct px_scope *scope;
static unsigned answers;
static struct px_ask_answer got;
static char got_account[256];

static void on_answer(void *user, const struct px_ask_answer *answer) {
    assert_ptr_equal(user, &w);
    answers++;
    got = *answer; /* its texts live in the scope */
}
static void on_account(void *user, px_str account) {
    assert_ptr_equal(user, &w);
    answers++;
    px_str_copy(got_account, sizeof got_account, account);
}
static void open_it(const char *json) {
    struct px_err err = {0};
    world_open(&w);
    if (provider_read(&provider, json, false, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(px_scope_open(w.loop, w.rig.scope, "ask", 0, &scope), 0);
    answers = 0;
}
static void close_it(void) {
    px_scope_close(&scope);
    px_provider_finish(&provider);
    world_close(&w);
}
#define BASE                                                                                                 \
    "\"kind\":\"oauth2\",\"client_id\":\"me&co\",\"token_url\":\"https://id.example/token\",\"device_url\":\"https://id.example/device\",\"flow\":\"device\""

static struct reply scripted;
static void as_scripted(struct world *world, const struct asked *asked, struct reply *reply) {
    (void)world, (void)asked;
    *reply = scripted;
}
static void refresh(void) {
    struct px_op *op = NULL;
    const px_pair params[] = {{PX_LIT("grant_type"), PX_LIT("refresh_token")},
                              {PX_LIT("refresh_token"), PX_LIT("r+/ 1")},
                              {PX_LIT("resource"), {0}}};
    w.answer = as_scripted;
    answers = 0;
    assert_int_equal(px_ask(&provider, scope, provider.spec.token_url, params, 3, on_answer, &w, &op, NULL),
                     0);
    assert_int_equal(answers, 0); /* never inside */
    world_pass(&w, 60 * PX_S);
    assert_int_equal(answers, 1);
}

static void the_client_is_shown(void **state) {
    (void)state;
    scripted = (struct reply){.status = 200, .body = "{\"access_token\":\"a\"}"};
    open_it("{" BASE "}");
    refresh();
    assert_string_equal(w.last.method, "POST");
    assert_string_equal(w.last.url, "https://id.example/token");
    assert_string_equal(w.last.body, "grant_type=refresh_token&refresh_token=r%2B%2F%201&client_id=me%26co");
    assert_string_equal(w.last.authorization, "");
    close_it();
    open_it("{" BASE ",\"client_secret\":{\"$secret\":\"sec:ret88\"}}");
    refresh();
    assert_string_equal(w.last.body, "grant_type=refresh_token&refresh_token=r%2B%2F%201");
    assert_string_equal(w.last.authorization, "Basic bWUlMjZjbzpzZWMlM0FyZXQ4OA==");
    close_it();
    open_it("{" BASE
            ",\"client_secret\":{\"$secret\":\"sec:ret88\"},\"client_auth\":\"client_secret_post\"}");
    refresh();
    assert_string_equal(
        w.last.body,
        "grant_type=refresh_token&refresh_token=r%2B%2F%201&client_id=me%26co&client_secret=sec%3Aret88");
    assert_string_equal(w.last.authorization, "");
    close_it();
    open_it("{" BASE
            ",\"private_key\":{\"$secret\":\"pem:ec\"},\"key_id\":\"k1\",\"issuer\":\"https://id.example\"}");
    char first[4096];
    for (int i = 0; i < 2; i++) {
        refresh();
        assert_string_equal(form_at(w.last.body, "client_assertion_type"),
                            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        const char *jwt = form_at(w.last.body, "client_assertion");
        assert_true(jwt_is_signed_by(px_str_of(jwt), ec_pem(MBEDTLS_ECP_DP_SECP256R1)));
        HAS(jwt_part(px_str_of(jwt), 0), "\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"");
        HAS(jwt_part(px_str_of(jwt), 1),
            "{\"iss\":\"me&co\",\"sub\":\"me&co\",\"aud\":\"https://id.example\",\"iat\":1800000");
        if (i == 0)
            snprintf(first, sizeof first, "%s", jwt_part(px_str_of(jwt), 1));
        else
            assert_string_not_equal(first, jwt_part(px_str_of(jwt), 1));
    }
    close_it();
}

static void what_answers_come_to(void **state) {
    (void)state;
    static const struct {
        struct reply reply;
        bool ok, transient;
        int64_t retry, expires;
        const char *error, *words;
    } table[] = {
        {{.status = 200,
          .body =
              "{\"access_token\":\"tok-en-12345\",\"refresh_token\":\"re\\u002dfresh-12345\",\"expires_in\":3600,\"scope\":\"a b\",\"token_type\":\"bearer\"}"},
         true,
         false,
         -1,
         3600,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"expires_in\":\"90\"}"},
         true,
         false,
         -1,
         90,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"expires_in\":-5}"},
         true,
         false,
         -1,
         -1,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"expires_in\":0}"},
         true,
         false,
         -1,
         -1,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"expires_in\":\"0\"}"},
         true,
         false,
         -1,
         -1,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"expires_in\":null}"},
         true,
         false,
         -1,
         -1,
         NULL,
         NULL},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"token_type\":\"DPoP\"}"},
         false,
         true,
         -1,
         -1,
         NULL,
         "need a proof"},
        {{.status = 200, .body = "{\"access_token\":\"tok\",\"token_type\":\"bot\"}"},
         true,
         false,
         -1,
         -1,
         NULL,
         NULL},
        {{.status = 200, .body = "{}"}, false, true, -1, -1, NULL, "no usable access_token"},
        {{.status = 200, .body = "{\"access_token\":7}"},
         false,
         true,
         -1,
         -1,
         NULL,
         "no usable access_token"},
        {{.status = 200, .body = "{\"access_token\":\"a\\r\\nb\"}"},
         false,
         true,
         -1,
         -1,
         NULL,
         "no usable access_token"},
        {{.status = 200, .body = "<html>"}, false, true, -1, -1, NULL, "not a JSON object"},
        {{.status = 200, .body = "[1]"}, false, true, -1, -1, NULL, "not a JSON object"},
        {{.status = 200, .body = ""}, false, true, -1, -1, NULL, "not a JSON object"},
        {{.status = 200, .body = "{\"error\":\"bad_refresh_token\",\"error_description\":\"It is bad\"}"},
         false,
         false,
         -1,
         -1,
         "bad_refresh_token",
         "bad_refresh_token: It is bad"},
        {{.status = 400,
          .body = "{\"error\":\"invalid_grant\",\"error_description\":\"gone\\u0007\\nr+/ 1!\"}"},
         false,
         false,
         -1,
         -1,
         "invalid_grant",
         "https://id.example answered 400: invalid_grant: gone  "},
        {{.status = 401, .body = "{\"error\":\"invalid_client\"}"},
         false,
         false,
         -1,
         -1,
         "invalid_client",
         "401: invalid_client"},
        {{.status = 503, .body = "{\"error\":\"invalid_grant\"}"},
         false,
         true,
         -1,
         -1,
         "invalid_grant",
         "503"},
        {{.status = 400, .body = "{\"error\":\"temporarily_unavailable\"}"},
         false,
         true,
         -1,
         -1,
         "temporarily_unavailable",
         "400"},
        {{.status = 404, .body = "not found"}, false, false, -1, -1, NULL, "404"},
        {{.status = 429, .retry_after = "7", .body = ""}, false, true, 7000, -1, NULL, "429"},
        {{.status = 503, .retry_after = "Fri, 15 Jan 2027 08:00:30 GMT", .body = ""},
         false,
         true,
         30000,
         -1,
         NULL,
         "503"},
        {{.status = 302, .body = ""}, false, false, -1, -1, NULL, "302"},
        {{.fail = PX_HTTP_RESET}, false, true, -1, -1, NULL, "the connection ended"},
    };
    open_it("{" BASE "}");
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        scripted = table[i].reply;
        w.wall_ms = 1800000000000 -
                    (int64_t)(px_loop_now(w.loop) / PX_MS); /* 2027-01-15T08:00:00Z when it is answered */
        refresh();
        print_message("%zu: %d %.80s\n", i, scripted.status, scripted.body);
        assert_true(got.ok == table[i].ok && got.transient == table[i].transient);
        assert_int_equal(got.retry_after_ms, table[i].retry);
        assert_int_equal(got.expires_in_s, table[i].expires);
        assert_true(table[i].error ? px_str_is(got.error, table[i].error) : !got.error.p);
        assert_true(!!got.words.p == !!table[i].words);
        char words[512];
        px_str_copy(words, sizeof words, got.words);
        if (table[i].words)
            HAS(words, table[i].words);
        if (i == 0) {
            assert_true(px_str_is(got.access_token, "tok-en-12345") &&
                        px_str_is(got.refresh_token, "re-fresh-12345"));
            assert_true(px_str_is(got.scope, "a b") && px_str_is(got.token_type, "bearer"));
            assert_true(px_redact_hits(PX_LIT("xx tok-en-12345")) &&
                        px_redact_hits(PX_LIT("re-fresh-12345")));
        }
    }
    px_scope_close(&scope);
    assert_false(px_redact_hits(PX_LIT("xx tok-en-12345")));
    close_it();
}

static void cancelled_at_any_time(void **state) {
    (void)state;
    open_it("{" BASE "}");
    w.answer = as_scripted;
    scripted = (struct reply){.status = 200, .body = "{\"access_token\":\"a\"}"};
    for (int how = 0; how < 3; how++) {
        struct px_op *op = NULL;
        w.start_fails = how == 2 ? -ENOMEM : 0;
        assert_int_equal(px_ask(&provider, scope, provider.spec.token_url, NULL, 0, on_answer, &w, &op, NULL),
                         0);
        assert_int_equal(w.in_flight, how == 2 ? 0 : 1);
        if (how == 1)
            px_scope_close(&scope);
        else
            px_op_cancel(&op);
        assert_int_equal(w.in_flight, 0);
        world_pass(&w, PX_S);
        assert_int_equal(answers, 0);
        if (how == 1)
            assert_int_equal(px_scope_open(w.loop, w.rig.scope, "ask", 0, &scope), 0);
    }
    /* one that cannot begin says so, from the loop */
    struct px_op *op = NULL;
    assert_int_equal(px_ask(&provider, scope, provider.spec.token_url, NULL, 0, on_answer, &w, &op, NULL), 0);
    world_pass(&w, PX_S);
    assert_true(answers == 1 && !got.ok && got.transient && !got.sent);
    close_it();
}

static void who_has_logged_in(void **state) {
    (void)state;
    static const struct {
        const char *body, *name;
        int status;
    } table[] = {{"{\"sub\":\"1\",\"login\":\"octo\"}", "octo", 200},
                 {"{\"sub\":\"1\",\"email\":\"a@b\",\"login\":\"octo\"}", "a@b", 200},
                 {"{\"sub\":17}", "17", 200},
                 {"{\"name\":\"A\\nB\"}", "A B", 200},
                 {"{\"name\":{}}", "", 200},
                 {"{\"login\":\"octo\"}", "", 403},
                 {"<", "", 200}};
    open_it("{" BASE ",\"account_url\":\"https://api.example/me\"}");
    w.answer = as_scripted;
    for (size_t i = 0; i < PX_COUNT(table); i++) {
        struct px_op *op = NULL;
        scripted = (struct reply){.status = table[i].status};
        snprintf(scripted.body, sizeof scripted.body, "%s", table[i].body);
        answers = 0;
        assert_int_equal(px_ask_account(&provider, scope, PX_LIT("tok"), on_account, &w, &op), 0);
        world_pass(&w, PX_S);
        assert_int_equal(answers, 1);
        assert_string_equal(got_account, table[i].name);
        assert_string_equal(w.last.authorization, "Bearer tok");
        assert_string_equal(w.last.method, "GET");
    }
    close_it();
    open_it("{" BASE "}"); /* nobody to ask */
    struct px_op *op = NULL;
    assert_int_equal(px_ask_account(&provider, scope, PX_LIT("tok"), on_account, &w, &op), 0);
    world_pass(&w, PX_S);
    assert_true(answers == 1 && w.asked == 0 && !got_account[0]);
    close_it();
}

static void when_to_come_back(void **state) {
    (void)state;
    assert_int_equal(px_retry_after_ms(PX_LIT("0"), 0), 0);
    assert_int_equal(px_retry_after_ms(PX_LIT("99999999999999999999999"), 0), 86400000);
    assert_int_equal(px_retry_after_ms(PX_LIT("-1"), 0), -1);
    assert_int_equal(px_retry_after_ms((px_str){0}, 0), -1);
    assert_int_equal(px_retry_after_ms(PX_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000 - 5000), 5000);
    assert_int_equal(px_retry_after_ms(PX_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000 + 5000), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_shown), cmocka_unit_test(what_answers_come_to),
        cmocka_unit_test(cancelled_at_any_time), cmocka_unit_test(who_has_logged_in),
        cmocka_unit_test(when_to_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
