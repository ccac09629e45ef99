#include "login_help.h"

/* Device codes: how often the provider is asked, and when no more. */

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

/* What the tokens are to be for is said when the code is asked for, and with each poll (RFC 8707 §2.2). */
static void test_device_with_a_resource(void **ignored) {
    (void)ignored;
    open_world();
    w.auth.provider.spec.resource = PX_LIT("https://api.example/");
    assert_int_equal(start_for("uid:7", true, NULL), 0);
    turn();
    assert_string_equal(param("resource"), "https://api.example/");
    answer(
        (struct px_ask_answer){.ok = true, .status = 200, .body_json = PX_LIT(CODE_JSON ",\"interval\":3}")});
    for (int i = 0; i < 2; i++) {
        polls_after(3);
        assert_string_equal(param("resource"), "https://api.example/");
        refuse("authorization_pending");
    }
    polls_after(3);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_device_with_a_resource),
        cmocka_unit_test(test_device_ends),
        cmocka_unit_test(test_device_answers_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
