#include "login_help.h"

/* Logins, whatever the flow: who may begin one, what becomes of the tokens, how many there may be, and how they end. */

static void test_what_has_no_login(void **ignored) {
    struct px_login_about about;
    struct px_err err;
    (void)ignored;
    open_world();
    assert_int_equal(px_login_about(w.logins, PX_LIT("other"), (px_str){0}, &about, &err), -ENOENT);
    assert_int_equal(px_login_about(w.logins, PX_LIT("other"), PX_LIT("x"), &about, &err), -ENOENT);
    assert_int_equal(px_login_about(w.logins, PX_LIT("svc"), (px_str){0}, &about, &err), 0);
    assert_false(about.device || about.per_principal || about.redirect_port);
    w.auth.provider.spec.flow = PX_FLOW_CLIENT;
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    assert_non_null(strstr(w.message, "needs no login"));
    w.auth.provider.spec.flow = PX_FLOW_CODE;
    w.auth.provider.spec.kind = PX_AUTH_JWT;
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    w.auth.provider.spec.kind = PX_AUTH_OAUTH2;
    w.auth.provider.spec.issuer = w.auth.provider.spec.device_url = (px_str){0};
    assert_int_equal(start_for("uid:7", true, NULL), -EINVAL);
    assert_non_null(strstr(w.message, "no device flow"));
    w.auth.provider.spec.authorization_url = (px_str){0};
    assert_int_equal(start_for("uid:7", false, URI), -EINVAL);
    w.auth.provider.spec.per_principal = true;
    w.auth.provider.spec.authorization_url = PX_LIT("https://id.example/");
    assert_int_equal(start_for("", false, URI), -EINVAL);
    close_world();
}

static void test_one_principals_own(void **ignored) {
    (void)ignored;
    open_world();
    w.auth.provider.spec.per_principal = true;
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
    w.auth.provider.spec.authorization_url = (px_str){0};
    start_code();
    assert_int_equal(w.n_news, 0);
    w.auth.provider.spec.authorization_url = PX_LIT("https://found.example/a");
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
    w.auth.provider.spec.authorization_url = (px_str){0};
    start_code();
    discovered(NULL);
    assert_int_equal(w.code, PX_UPSTREAM_ERROR);
    close_world();
}

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

/* Principals who begin logins of their own without end do not keep an administrator from mending what everybody shares. */
static void test_own_ones_leave_room(void **ignored) {
    struct px_op *ops[PX_LOGINS_OWN], *shared;
    char who[16];
    unsigned n = 0, begun = 0;
    (void)ignored;
    open_world();
    w.auth.provider.spec.per_principal = true;
    for (int p = 0; p < PX_LOGINS_OWN / PX_LOGINS_EACH; p++) {
        snprintf(who, sizeof who, "uid:%d", p);
        for (int i = 0; i < PX_LOGINS_EACH; i++) {
            assert_int_equal(start_for(who, false, URI), 0);
            ops[n++] = w.op;
        }
        assert_int_equal(start_for(who, false, URI), -EBUSY);
    }
    assert_int_equal(start_for("uid:100", false, URI), -EBUSY);
    w.auth.provider.spec.per_principal = false;
    assert_int_equal(start_for("uid:0", false, URI), 0);
    shared = w.op;
    px_op_cancel(&shared);
    for (unsigned i = 0; i < n; i++)
        px_op_cancel(&ops[i]);
    pass(60);
    w.auth.provider.spec.per_principal = true;
    while (begun < 1000 && start_for("uid:7", false, URI) == 0) {
        px_op_cancel(&w.op);
        begun++;
    }
    assert_int_equal(begun, PX_LOGINS_OWN_BURST);
    w.auth.provider.spec.per_principal = false;
    assert_int_equal(start_for("uid:0", false, URI), 0);
    px_op_cancel(&w.op);
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
        auth_closes();
        assert_int_equal(w.n_news, 1); /* told from the loop */
        assert_int_equal(redirected("code=good-code-1234&state=%s", state.bound), -EINVAL);
        assert_int_equal(w.code, PX_UNAVAILABLE);
        assert_false(w.ask.there || w.account.there || w.install.there);
        close_world();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_no_login),  cmocka_unit_test(test_own_ones_leave_room),
        cmocka_unit_test(test_one_principals_own), cmocka_unit_test(test_tokens_that_do_not_come),
        cmocka_unit_test(test_discovery),          cmocka_unit_test(test_ten_minutes),
        cmocka_unit_test(test_thirty_two),         cmocka_unit_test(test_sixty_and_then_one_a_second),
        cmocka_unit_test(test_the_service_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
