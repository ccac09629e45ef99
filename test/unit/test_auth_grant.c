#include "grant_help.h"

static struct world w;

static void nobody_has_logged_in(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(caller_ask(&c, &w, auth, "u1", NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_string_equal(c.advice, "Run: plexus auth login git");
    assert_int_equal(px_auth_account(auth, &(struct px_holder){.principal = PX_LIT("u1")}), 0);
    assert_true(px_grants_needs_login(w.grants, PX_LIT("git")));
    assert_false(px_grants_needs_login(w.grants, PX_LIT("other")));
    px_auth_close(&auth);
    grants_close(&w);
}

static void a_login_and_its_refreshes(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, "u1", "at-1-access", "r-1-refresh", 3600), 0);
    assert_false(px_grants_needs_login(w.grants, PX_LIT("git")));
    assert_int_equal(caller_ask(&c, &w, auth, "u2", NULL, 0), 1); /* everybody's */
    assert_string_equal(c.value, "Bearer at-1-access");
    uint64_t account = c.account;
    HAS(vault_text("grant/git/user/shared"), "\"refresh\":\"r-1-refresh\"");
    /* ahead of expiry: five to ten minutes */
    world_pass(&w, 3000 * PX_S - 1);
    assert_int_equal(provider.refreshes, 0);
    world_pass(&w, 300 * PX_S + PX_S);
    assert_int_equal(provider.refreshes, 1);
    assert_int_equal(caller_ask(&c, &w, auth, "u2", NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-2-1-access");
    assert_true(c.account == account && c.generation == 2);
    /* the old one is kept until the new one has worked */
    HAS(vault_text("grant/git/user/shared"), "\"refresh\":\"r-2-refresh\",\"previous\":\"r-1-refresh\"");
    px_auth_worked(auth, account, 1); /* an older one: says nothing */
    world_pass(&w, PX_S);
    HAS(vault_text("grant/git/user/shared"), "previous");
    px_auth_worked(auth, account, 2);
    world_pass(&w, PX_S);
    assert_null(strstr(vault_text("grant/git/user/shared"), "previous"));
    unsigned puts = vault.puts;
    px_auth_worked(auth, account, 2);
    assert_int_equal(vault.puts, puts);
    /* a day of it */
    world_pass(&w, 86400 * PX_S);
    assert_true(provider.refreshes >= 25 && provider.refreshes <= 31);
    assert_false(provider.burnt);
    px_auth_close(&auth);
    grants_close(&w);
}

/* 200 at the moment of expiry: one request; each gives up when its own time is over; who cancels harms nobody. */
static void many_wait_for_one(void **state) {
    (void)state;
    static struct caller callers[200];
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    provider.next = (struct reply){.status = 503};
    provider.times = 1000000;
    world_pass(&w, 3601 * PX_S); /* the provider was away: it has expired */
    struct caller c;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAVAILABLE);
    assert_true(c.retry_after_ms > 0 && c.retry_after_ms <= 60001);
    provider.times = 0;
    world_pass(&w, (uint64_t)c.retry_after_ms * PX_MS + PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_true(c.token);
    w.wall_ms += 3600 * 1000; /* it expires at once, before any timer says so */
    provider.after_ns = 2 * PX_S;
    unsigned before = provider.refreshes;
    for (int i = 0; i < 200; i++)
        assert_int_equal(caller_ask(&callers[i], &w, auth, NULL, NULL, i % 2 ? 10 * PX_S : PX_S), 0);
    assert_int_equal(callers[0].ends, 0);
    px_op_cancel(&callers[1].op); /* the first that would have waited long */
    world_pass(&w, 5 * PX_S);
    assert_int_equal(provider.refreshes, before + 1);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(callers[i].ends, i == 1 ? 0 : 1);
        if (i == 1)
            continue;
        assert_int_equal(callers[i].token, i % 2);
        if (i % 2 == 0)
            assert_int_equal(callers[i].code, PX_UNAVAILABLE);
        else
            assert_string_equal(callers[i].value, callers[3].value);
    }
    px_auth_close(&auth);
    grants_close(&w);
}

/* All who wait cancel: the refresh goes on, for it has been begun. */
static void cancelling_all_cancels_no_refresh(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    w.wall_ms += 3600 * 1000;
    provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 0);
    world_pass(&w, PX_S / 2);
    assert_int_equal(w.in_flight, 1);
    px_op_cancel(&c.op);
    world_pass(&w, 2 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-2-1-access");
    px_auth_close(&auth);
    grants_close(&w);
}

/* What was handed out stays readable until the loop turns, though the grant is replaced, or taken away, meanwhile. */
static void a_token_is_borrowed_for_a_turn(void **state) {
    (void)state;
    struct px_token token;
    struct px_error error;
    struct px_op *op = NULL;
    px_str access, refresh;
    const struct px_holder who = {.principal = PX_LIT("u1")};
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(px_auth_token(auth, w.rig.scope, &who, 0, on_token, NULL, &op, &token, &error), 1);
    assert_int_equal(px_grant_remove(auth, (px_str){0}, &access, &refresh), 0);
    px_locked_drop(&access);
    px_locked_drop(&refresh);
    assert_true(px_str_is(token.value, "Bearer at-1-access") && px_redact_hits(token.value));
    world_pass(&w, PX_MS);
    assert_false(px_redact_hits(PX_LIT("Bearer at-1-access")));
    px_auth_close(&auth);
    grants_close(&w);
}

/* A provider that does not answer: those that wait for room at its origin do not keep the loop awake. */
static void waiting_for_room_costs_nothing(void **state) {
    (void)state;
    enum { SERVICES = 20 };
    struct px_auth *auths[SERVICES];
    struct px_loop_stats before, after;
    char name[16];
    grants_open(&w);
    for (int i = 0; i < SERVICES; i++) {
        snprintf(name, sizeof name, "git%d", i);
        auths[i] = auth_open(&w, name, SPEC);
        assert_int_equal(login(&w, auths[i], NULL, "at-1-access", "r-1-refresh", 3600), 0);
    }
    provider.hang = true;
    world_pass(&w, 3600 * PX_S);
    assert_int_equal(w.in_flight, 8);
    px_loop_stats_get(w.loop, &before);
    world_pass(&w, 10 * PX_S);
    px_loop_stats_get(w.loop, &after);
    assert_in_range(after.callbacks - before.callbacks, 0, 50);
    for (int i = 0; i < SERVICES; i++)
        px_auth_close(&auths[i]);
    grants_close(&w);
}

static void the_host_ends(void **state) {
    (void)state;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    px_grants_drain(w.grants);
    world_pass(&w, 3601 * PX_S);
    assert_int_equal(provider.refreshes, 0); /* nobody waits for it */
    assert_true(px_grants_drained(w.grants));
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    assert_int_equal(provider.refreshes, 1);
    assert_true(px_grants_drained(w.grants));
    px_auth_close(&auth);
    grants_close(&w);
}

static void an_answer_that_was_lost(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    provider.grace_ns = 10 * PX_S;
    provider.next = (struct reply){.fail = PX_HTTP_RESET};
    provider.times = 1;
    provider.lose = true;
    w.wall_ms += 3600 * 1000;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 0);
    world_pass(&w, 2 * PX_S); /* it is asked again within a second */
    assert_int_equal(provider.refreshes, 2);
    assert_false(provider.burnt);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 1);
    assert_true(c.token);
    px_auth_close(&auth);
    grants_close(&w);
}

static void what_passes(void **state) {
    (void)state;
    static const struct reply replies[] = {{.status = 500},
                                           {.status = 429, .retry_after = "20"},
                                           {.status = 200, .body = "<html>"},
                                           {.status = 200, .body = "{}"},
                                           {.status = 200, .body = "{\"access_token\":\"\"}"},
                                           {.status = 404},
                                           {.status = 400, .body = "{\"error\":\"invalid_request\"}"},
                                           {.fail = PX_HTTP_CONNECT, .not_sent = true},
                                           {.fail = PX_HTTP_TIMEOUT},
                                           {.fail = PX_HTTP_TOO_LARGE}};
    for (size_t i = 0; i < PX_COUNT(replies); i++) {
        struct caller c;
        grants_open(&w);
        struct px_auth *auth = auth_open(&w, "git", SPEC);
        assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
        provider.next = replies[i];
        provider.times = 1000000;
        world_pass(&w, 3400 * PX_S);
        assert_true(w.asked >= 1);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_string_equal(c.value, "Bearer at-1-access"); /* calls go on */
        world_pass(&w, 200 * PX_S);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_int_equal(c.code, PX_UNAVAILABLE);
        assert_true(c.retry_after_ms > 0);
        world_pass(&w, 3600 * PX_S);
        assert_true(w.asked < 140); /* once a minute or so */
        if (i == 1)
            assert_true(w.asked > 40);
        provider.times = 0;
        world_pass(&w, 601 * PX_S); /* and it heals by itself */
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_true(c.token);
        px_auth_close(&auth);
        grants_close(&w);
    }
}

static void a_token_without_an_end(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", NULL, -1), 0);
    world_pass(&w, 365 * 86400 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-1-access");
    assert_false(px_auth_refused(auth, c.account, c.generation)); /* nothing to refresh it with */
    assert_int_equal(w.asked, 0);
    /* one that ends, and nothing to refresh it with */
    assert_int_equal(login(&w, auth, NULL, "at-5-access", NULL, 60), 0);
    world_pass(&w, 61 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_string_equal(c.advice, "Run: plexus auth login git");
    px_auth_close(&auth);
    grants_close(&w);
}

/* What an upstream echoed is told when the call ends, and the token may have been replaced by then: it is redacted for as long as the call lives. */
static void a_token_is_kept_by_a_call(void **state) {
    (void)state;
    struct px_token token;
    struct px_error error;
    struct px_op *op = NULL;
    struct px_scope *calls[2];
    const struct px_holder who = {.principal = PX_LIT("u1")};
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(px_scope_open(w.loop, w.rig.scope, "test/call", 0, &calls[i]), 0);
        assert_int_equal(px_auth_token(auth, calls[i], &who, 0, on_token, NULL, &op, &token, &error), 1);
        assert_int_equal(px_auth_keep(&token, calls[i]), 0);
        assert_int_equal(px_auth_keep(&token, calls[i]), 0); /* another attempt */
    }
    assert_true(px_auth_refused(auth, token.account, token.generation));
    world_pass(&w, 60 * PX_S);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    assert_true(px_redact_hits(PX_LIT("you sent at-1-access")));
    px_scope_close(&calls[0]);
    world_pass(&w, PX_MS);
    assert_true(px_redact_hits(PX_LIT("you sent at-1-access")));
    px_scope_close(&calls[1]);
    world_pass(&w, PX_MS);
    assert_false(px_redact_hits(PX_LIT("you sent at-1-access")));
    /* and one that is not replaced outlives the call that kept it */
    assert_int_equal(px_scope_open(w.loop, w.rig.scope, "test/call", 0, &calls[0]), 0);
    assert_int_equal(px_auth_token(auth, calls[0], &who, 0, on_token, NULL, &op, &token, &error), 1);
    assert_int_equal(px_auth_keep(&token, calls[0]), 0);
    px_scope_close(&calls[0]);
    assert_int_equal(px_auth_keep(&token, w.rig.scope), 0); /* until the host ends */
    world_pass(&w, PX_MS);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    px_auth_close(&auth);
    grants_close(&w);
}

/* It was taken away in the same turn, before it was kept: it stays all the same. */
static void a_token_is_kept_late(void **state) {
    (void)state;
    struct px_token token;
    struct px_error error;
    struct px_op *op = NULL;
    struct px_scope *call;
    px_str access, refresh;
    const struct px_holder who = {.principal = PX_LIT("u1")};
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(px_scope_open(w.loop, w.rig.scope, "test/call", 0, &call), 0);
    assert_int_equal(px_auth_token(auth, call, &who, 0, on_token, NULL, &op, &token, &error), 1);
    assert_int_equal(px_grant_remove(auth, (px_str){0}, &access, &refresh), 0);
    px_locked_drop(&access);
    px_locked_drop(&refresh);
    assert_int_equal(px_auth_keep(&token, call), 0);
    world_pass(&w, PX_S);
    assert_true(px_redact_hits(PX_LIT("you sent at-1-access")));
    px_scope_close(&call);
    world_pass(&w, PX_MS);
    assert_false(px_redact_hits(PX_LIT("you sent at-1-access")));
    px_auth_close(&auth);
    grants_close(&w);
}

/* A provider that is slower than its tokens live: it is asked now and then, not as often as it answers. */
static void a_token_that_is_over_when_it_comes(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 1), 0);
    provider.life_s = 1;
    provider.after_ns = 2 * PX_S;
    world_pass(&w, 2 * PX_S);
    for (int i = 0; i < 300; i++) {
        int r = caller_ask(&c, &w, auth, NULL, NULL, PX_S);
        world_pass(&w, 2 * PX_S);
        assert_int_equal(c.ends, r == 0 ? 1 : c.ends);
        assert_int_equal(c.code, PX_UNAVAILABLE);
    }
    assert_in_range(provider.refreshes, 5, 25);
    assert_false(provider.burnt);
    provider.life_s = 3600;
    world_pass(&w, 120 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_true(c.token);
    px_auth_close(&auth);
    grants_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_logged_in),
        cmocka_unit_test(a_login_and_its_refreshes),
        cmocka_unit_test(many_wait_for_one),
        cmocka_unit_test(cancelling_all_cancels_no_refresh),
        cmocka_unit_test(a_token_is_borrowed_for_a_turn),
        cmocka_unit_test(waiting_for_room_costs_nothing),
        cmocka_unit_test(the_host_ends),
        cmocka_unit_test(an_answer_that_was_lost),
        cmocka_unit_test(what_passes),
        cmocka_unit_test(a_token_without_an_end),
        cmocka_unit_test(a_token_is_kept_by_a_call),
        cmocka_unit_test(a_token_is_kept_late),
        cmocka_unit_test(a_token_that_is_over_when_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
