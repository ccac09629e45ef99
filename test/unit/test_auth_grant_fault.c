/* Every allocation on the way of a grant fails once: nothing is lost, nothing leaks, and what was durable goes on. */
#include "grant_help.h"
#include "support/fault.h"

static struct world w;

static int ask(struct px_auth *auth, const char *owner, bool *ret_token) {
    struct caller c = {0};
    struct px_token token;
    struct px_error error;
    int status = 0;
    const struct px_holder who = {.principal = PX_LIT("u1"), .owner = px_str_of(owner)};
    faults(true);
    int r = px_auth_token(auth, w.rig.scope, &who, px_loop_now(w.loop) + 20 * PX_S, on_token, &c, &c.op,
                          &token, &error);
    for (uint64_t end = w.rig.clock.now_ns + 21 * PX_S; r == 0 && !c.ends && w.rig.clock.now_ns < end;)
        status = px_loop_turn(w.loop, PX_S); /* its wait may fail as well */
    faults(false);
    (void)status;
    if (r == 0)
        assert_int_equal(c.ends, 1);
    *ret_token = r == 1 || c.token;
    return *ret_token ? 0 : -EAGAIN;
}

static int refresh_and_forget(struct px_auth *auth) {
    struct caller c;
    bool token;
    w.wall_ms += 3600 * 1000;
    int r = ask(auth, NULL, &token);
    assert_false(provider.burnt);
    if (r)
        return r;
    if (caller_ask(&c, &w, auth, "u1", NULL, 0) == 1 && c.token) {
        faults(true);
        px_auth_worked(auth, c.account, c.generation);
        faults(false);
    }
    world_pass(&w, PX_S);
    return 0;
}

static int a_life(void *user) {
    const char *spec = user;
    struct px_auth *auth = NULL;
    struct px_err err = {0};
    int status = 99, r;
    faults(false);
    grants_open(&w);
    provider.grace_ns = 60 * PX_S;
    faults(true);
    r = auth_open_as(&w, "git", spec, &auth, &err);
    const struct px_ask_answer tokens = {.ok = true,
                                         .access_token = PX_LIT("at-1-access"),
                                         .refresh_token = PX_LIT("r-1-refresh"),
                                         .expires_in_s = 3600};
    struct px_op *op = NULL;
    if (!r)
        r = px_grant_install(auth, w.rig.scope, PX_LIT("u1"), &tokens, PX_LIT("octo"), on_installed, &status,
                             &op);
    for (int i = 0; !r && i < 20 && status == 99; i++)
        r = px_loop_turn(w.loop, 0);
    r = r ? r : status;
    faults(false);
    if (!r) {
        r = refresh_and_forget(auth);
        /* Whatever failed, the grant is alive: once memory is there again, there is a token. */
        world_pass(&w, 120 * PX_S);
        HAS(token_of(&w, auth, "u1"), "Bearer at-");
        assert_false(provider.burnt);
    }
    px_auth_close(&auth);
    grants_close(&w);
    faults(true);
    return r;
}

static int a_restart(void *user) {
    struct px_auth *auth = NULL;
    struct px_err err = {0};
    bool token = false;
    (void)user;
    faults(false);
    grants_open(&w);
    provider.grace_ns = 60 * PX_S;
    auth = auth_open(&w, "git", SPEC_EACH);
    assert_int_equal(login(&w, auth, "u1", "at-1-access", "r-1-refresh", 3600), 0);
    px_auth_close(&auth);
    faults(true);
    int r = auth_open_as(&w, "git", SPEC_EACH, &auth, &err);
    faults(false);
    if (!r)
        r = ask(auth, NULL, &token);
    if (auth)
        HAS(token_of(&w, auth, "u1"), "Bearer at-1-access");
    px_auth_close(&auth);
    grants_close(&w);
    faults(true);
    return r;
}

static void lookups(struct world *world, const struct asked *asked, struct reply *reply) {
    (void)world;
    if (strstr(asked->url, "well-known"))
        snprintf(reply->body, sizeof reply->body,
                 "{\"issuer\":\"https://id.example\",\"token_endpoint\":\"https://id.example/t\"}");
    else if (strstr(asked->url, "/installation"))
        snprintf(reply->body, sizeof reply->body,
                 "{\"id\":7,\"token\":\"ghs_token\",\"expires_at\":\"2027-01-15T09:00:00Z\"}");
    else
        snprintf(reply->body, sizeof reply->body, "{\"access_token\":\"another-token\",\"expires_in\":60}");
}

static int other_kinds(void *user) {
    struct px_auth *auth = NULL;
    struct px_err err = {0};
    bool token;
    faults(false);
    grants_open(&w);
    w.answer = lookups;
    faults(true);
    int r = auth_open_as(&w, "git", user, &auth, &err);
    faults(false);
    if (!r) {
        r = ask(auth, "acme", &token);
        world_pass(&w, 120 * PX_S);
        faults(false);
        int again = ask(auth, "acme", &token);
        faults(false);
        if (r) /* what went wrong once is over */
            assert_int_equal(again, 0);
    }
    px_auth_close(&auth);
    grants_close(&w);
    faults(true);
    return r;
}

static void everything_fails_once(void **state) {
    (void)state;
    static char each[] = SPEC_EACH, all[] = SPEC;
    static char client[] =
        "{\"kind\":\"oauth2\",\"flow\":\"client_credentials\",\"client_id\":\"c\",\"issuer\":\"https://id.example\","
        "\"client_secret\":{\"$secret\":\"hushhush\"}}";
    static char app[] = "{\"kind\":\"github_app\",\"app_id\":\"12\",\"private_key\":{\"$secret\":\"pem\"}}";
    static char jwt[] = "{\"kind\":\"jwt\",\"private_key\":{\"$secret\":\"pem:ec\"},\"audience\":\"x\"}";
    (void)rsa_pem(2048);
    (void)ec_pem(MBEDTLS_ECP_DP_SECP256R1);
    px_log_set_fd(-1);
    assert_true(fault_sweep(FAULT_FAIL, a_life, all) > 20);
    assert_true(fault_sweep(FAULT_FAIL, a_life, each) > 20);
    assert_true(fault_sweep(FAULT_FAIL, a_restart, NULL) > 10);
    assert_true(fault_sweep(FAULT_FAIL, other_kinds, client) > 20);
    assert_true(fault_sweep(FAULT_FAIL, other_kinds, app) > 20);
    assert_true(fault_sweep(FAULT_FAIL, other_kinds, jwt) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
