#include "login_help.h"

/* What is forgotten, and what the provider is told. */

static int log_out(void) {
    struct px_err err;
    w.present = w.access || w.refresh;
    return px_logout(w.logins, w.rig.scope, PX_LIT("svc"), (px_str){0}, PX_LIT("uid:7"), on_logout, &w, &w.op,
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
    w.auth.provider.spec.per_principal = true;
    assert_int_equal(log_out(), 0);
    assert_string_equal(w.installed_for, "uid:7");
    turn();
    answer((struct px_ask_answer){.status = 503, .transient = true, .words = PX_LIT("busy")});
    assert_true(w.logged_out && !w.revoked);
    assert_string_equal(w.why, "busy");
    close_world();

    open_world(); /* nobody to ask */
    w.access = "access-1";
    w.auth.provider.spec.revocation_url = (px_str){0};
    assert_int_equal(log_out(), 0);
    turn();
    assert_true(w.logged_out && !w.revoked);
    assert_non_null(strstr(w.why, "names no revocation endpoint"));
    close_world();

    open_world(); /* looked up first */
    w.access = "access-1";
    w.auth.provider.spec.revocation_url = (px_str){0};
    w.must_discover = true;
    assert_int_equal(log_out(), 0);
    turn();
    w.auth.provider.spec.revocation_url = PX_LIT("https://id.example/found");
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
    auth_closes();
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
        cmocka_unit_test(test_logout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
