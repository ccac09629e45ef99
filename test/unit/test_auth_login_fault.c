/* Every allocation of a login and of a logout goes wrong once: it fails with words, or gets through; nothing is left behind, and no grant is lost by halves. */
#include "login_help.h"

#include "support/fault.h"

static void turn_quietly(void) {
    for (int i = 0; i < 4; i++) {
        int r = px_loop_turn(w.rig.loop, 0); /* its wait may fail as well */
        (void)r;
    }
}

/* Of what the test plays, nothing fails. */
#define PLAYED(what)                                                                                         \
    do {                                                                                                     \
        fault_off();                                                                                         \
        what;                                                                                                \
        fault_on();                                                                                          \
        turn_quietly();                                                                                      \
    } while (0)

static void open_quietly(void) {
    fault_off();
    open_world();
    w.auth.provider.spec.per_principal = true;
    w.auth.provider.spec.scopes = PX_LIT("openid offline_access");
    w.auth.provider.spec.extra_json = PX_LIT("{\"a\\u0062\":\"\\u0063\"}");
    fault_on();
}

static int close_quietly(bool well) {
    fault_off();
    close_world();
    fault_on();
    return well ? 0 : -ENOMEM;
}

static bool is_done(void) {
    return w.n_news && w.last.step == PX_LOGIN_DONE;
}

static int tokens_to_the_end(void) {
    if (w.ask.there)
        PLAYED(answer(tokens));
    if (w.account.there)
        PLAYED(answer_account("alice"));
    if (w.install.there)
        PLAYED(installed(0));
    if (is_done())
        assert_int_equal(w.n_installs, 1);
    else if (w.n_news && w.last.step == PX_LOGIN_FAILED)
        assert_true(w.message[0] && w.code);
    return close_quietly(is_done());
}

static int code(void *user) {
    (void)user;
    open_quietly();
    if (start_for("uid:7", false, URI))
        return close_quietly(false);
    turn_quietly();
    if (w.op && w.n_visits) {
        char query[256];
        struct px_err err;
        take_state();
        snprintf(query, sizeof query, "code=good-code-1234&state=%s&iss=https%%3A%%2F%%2Fid.example",
                 state.bound);
        if (px_login_redirected(w.op, px_str_of(query), &err) == 0)
            turn_quietly();
    }
    return tokens_to_the_end();
}

static int device(void *user) {
    const struct px_ask_answer given = {
        .ok = true,
        .status = 200,
        .body_json = PX_LIT("{\"device_code\":\"device-code-1234\",\"user_code\":\"AB\","
                            "\"verification_uri\":\"https://id.example/\",\"interval\":1}")};
    (void)user;
    open_quietly();
    if (start_for("uid:7", true, NULL))
        return close_quietly(false);
    turn_quietly();
    if (w.ask.there)
        PLAYED(answer(given));
    w.rig.clock.now_ns += PX_S;
    turn_quietly();
    return tokens_to_the_end();
}

static int logout(void *user) {
    struct px_err err;
    (void)user;
    open_quietly();
    w.access = "access-1";
    w.refresh = "refresh-1";
    w.present = true;
    int r = px_logout(w.logins, w.rig.scope, PX_LIT("svc"), (px_str){0}, PX_LIT("uid:7"), on_logout, &w,
                      &w.op, &err);
    if (r) /* the grant is still there, then */
        assert_true(w.present || r != -ENOMEM);
    if (!r)
        turn_quietly();
    for (int i = 0; i < 2 && w.ask.there; i++)
        PLAYED(answer((struct px_ask_answer){.ok = true, .status = 200}));
    return close_quietly(!r && w.logged_out);
}

static void test_code(void **ignored) {
    (void)ignored;
    assert_true(fault_sweep(FAULT_FAIL, code, NULL) > 5);
}
static void test_device(void **ignored) {
    (void)ignored;
    assert_true(fault_sweep(FAULT_FAIL, device, NULL) > 5);
}
static void test_logout(void **ignored) {
    (void)ignored;
    assert_true(fault_sweep(FAULT_FAIL, logout, NULL) > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_code), cmocka_unit_test(test_device),
                                       cmocka_unit_test(test_logout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
