/* A px_auth is closed, and gone, under its logins and logouts: at each of their steps, with real grants below. Nothing of it is touched after that. */
#include "grant_help.h"

#include "auth/login.h"
#include <stdio.h>

#define SPEC_ALL                                                                                             \
    "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id.example/token\","                   \
    "\"authorization_url\":\"https://id.example/a\",\"device_url\":\"https://id.example/d\","                \
    "\"revocation_url\":\"https://id.example/r\"}"
#define URI "http://127.0.0.1:7001/abc"

static struct world w;
static struct told {
    unsigned failed, done, logged_out;
    char url[2048], words[512];
} told;

static void on_news(void *user, const struct px_login_news *news) {
    assert_ptr_equal(user, &told);
    if (news->step == PX_LOGIN_VISIT)
        px_str_copy(told.url, sizeof told.url, news->url);
    told.done += news->step == PX_LOGIN_DONE;
    if (news->step == PX_LOGIN_FAILED) {
        told.failed++;
        px_str_copy(told.words, sizeof told.words, news->error->message);
    }
}

static void on_logout(void *user, bool revoked, px_str words) {
    assert_ptr_equal(user, &told);
    assert_false(revoked);
    px_str_copy(told.words, sizeof told.words, words);
    told.logged_out++;
}

static void no_answer(struct world *world, const struct asked *asked, struct reply *reply) {
    (void)world, (void)asked;
    reply->hang = true;
}

static struct px_logins *logins;
static struct px_auth *auth;

static void open_all(void) {
    told = (struct told){0};
    grants_open(&w);
    w.answer = no_answer;
    assert_int_equal(px_logins_create(w.grants, &logins, NULL), 0);
    auth = auth_open(&w, "git", SPEC_ALL);
}

static void close_all(void) {
    px_auth_close(&auth);
    px_scope_close(&w.rig.scope);
    px_logins_destroy(&logins);
    grants_close(&w);
}

static struct px_op *begin(bool device) {
    struct px_op *op = NULL;
    struct px_err err;
    const struct px_login_req req = {.service = PX_LIT("git"),
                                     .principal = PX_LIT("u1"),
                                     .device = device,
                                     .redirect_uri = device ? (px_str){0} : PX_LIT(URI)};
    if (px_login_start(logins, w.rig.scope, &req, on_news, &told, &op, &err))
        fail_msg("%s", err.msg);
    return op;
}

static int redirected(struct px_op *op) {
    char query[256];
    struct px_err err;
    const char *state = strstr(told.url, "state=");
    assert_non_null(state);
    snprintf(query, sizeof query, "code=a-code-that-is-good&%.49s", state);
    return px_login_redirected(op, px_str_of(query), &err);
}

static void at_each_step_of_a_login(void **unused) {
    (void)unused;
    enum { BEGUN, SHOWN, ANSWERED, ASKING, DEVICE, STEPS };
    for (int step = 0; step < STEPS; step++) {
        open_all();
        struct px_op *op = begin(step == DEVICE);
        if (step != BEGUN)
            world_pass(&w, 0);
        if (step == ANSWERED || step == ASKING)
            assert_int_equal(redirected(op), 0);
        if (step == ASKING)
            world_pass(&w, 0);
        assert_int_equal(w.in_flight, step >= ASKING);
        px_auth_close(&auth);
        assert_int_equal(w.in_flight, 0);
        assert_int_equal(told.failed, 0); /* never inside */
        if (step == SHOWN)                /* the browser comes back too late */
            assert_int_equal(redirected(op), -EINVAL);
        world_pass(&w, 0);
        assert_int_equal(told.failed, 1);
        HAS(told.words, "configured anew");
        world_pass(&w, 700 * PX_S);
        assert_true(told.failed == 1 && !told.done);
        close_all();
    }
}

/* Whoever has ended before is not told. */
static void after_its_end(void **unused) {
    (void)unused;
    open_all();
    struct px_op *first = begin(false), *second = begin(false);
    world_pass(&w, 0);
    px_op_cancel(&first);
    px_auth_close(&auth);
    world_pass(&w, 0);
    assert_int_equal(told.failed, 1);
    (void)second;
    close_all();
}

static void under_a_logout(void **unused) {
    (void)unused;
    for (int asking = 0; asking < 2; asking++) {
        struct px_op *op = NULL;
        struct px_err err;
        open_all();
        assert_int_equal(login(&w, auth, "u1", "at-1-access", "r-1-refresh", 3600), 0);
        assert_int_equal(px_logout(logins, w.rig.scope, PX_LIT("git"), (px_str){0}, (px_str){0}, on_logout,
                                   &told, &op, &err),
                         0);
        if (asking)
            world_pass(&w, 0);
        assert_int_equal(w.in_flight, asking);
        px_auth_close(&auth);
        assert_int_equal(w.in_flight, 0);
        world_pass(&w, PX_MS);
        assert_int_equal(told.logged_out, 1);
        close_all();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_step_of_a_login),
        cmocka_unit_test(after_its_end),
        cmocka_unit_test(under_a_logout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
