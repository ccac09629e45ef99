/* The upstream, or the provider, refuses a token: what is tried once more, and when a person is needed. */
#include "grant_help.h"

static struct world w;

static void refused_once(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    provider.after_ns = PX_S;
    assert_true(px_auth_refused(auth, c.account, c.generation));
    assert_true(px_auth_refused(auth, c.account,
                                c.generation)); /* another call, the same token: the refresh is under way */
    struct caller waits;
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, 2 * PX_S);
    assert_string_equal(waits.value, "Bearer at-2-1-access");
    assert_true(px_auth_refused(auth, c.account, c.generation)); /* an old one: ask again */
    assert_int_equal(provider.refreshes, 1);
    assert_false(
        px_auth_refused(auth, waits.account, waits.generation)); /* the new one too: that is the answer */
    assert_false(px_auth_refused(auth, 12345, 1));
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1); /* others may get on with it */
    world_pass(&w, 31 * PX_S);
    assert_true(px_auth_refused(auth, waits.account, waits.generation));
    world_pass(&w, 2 * PX_S);
    assert_int_equal(provider.refreshes, 2);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    world_pass(&w, 31 * PX_S);
    assert_false(px_auth_refused(auth, c.account, c.generation)); /* less and less often */
    px_auth_close(&auth);
    grants_close(&w);
}

/* The provider is away when a token is refused: the token is used all the same. */
static void refused_while_the_provider_is_away(void **state) {
    (void)state;
    struct caller c, waits;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    provider.next = (struct reply){.fail = PX_HTTP_CONNECT, .not_sent = true};
    provider.times = 1;
    assert_true(px_auth_refused(auth, c.account, c.generation));
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S / 2);
    assert_string_equal(waits.value, "Bearer at-1-access");
    assert_false(px_auth_refused(auth, c.account, c.generation));
    world_pass(&w, 10 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-2-1-access");
    px_auth_close(&auth);
    grants_close(&w);
}

static void a_person_is_needed(void **state) {
    (void)state;
    static const char *const codes[] = {"invalid_grant", "invalid_client", "unauthorized_client"};
    for (size_t i = 0; i < 3; i++) {
        struct caller c;
        struct px_grants_stats stats;
        grants_open(&w);
        struct px_auth *auth = auth_open(&w, "git", SPEC);
        assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
        provider.next = (struct reply){.status = 400};
        snprintf(provider.next.body, sizeof provider.next.body,
                 "{\"error\":\"%s\",\"error_description\":\"r-1-refresh is bad\"}", codes[i]);
        provider.times = 1000000;
        world_pass(&w, 3500 * PX_S);
        assert_int_equal(w.asked, 1);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_true(c.token); /* while it lives */
        world_pass(&w, 86400 * PX_S);
        for (int n = 0; n < 100; n++)
            assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_int_equal(w.asked, 1); /* no hammering */
        assert_int_equal(c.code, PX_UNAUTHORIZED);
        HAS(c.message, codes[i]);
        assert_null(strstr(c.message, "r-1-refresh"));
        if (i == 0)
            assert_string_equal(c.advice, "Run: plexus auth login git");
        px_grants_stats_get(w.grants, &stats);
        assert_int_equal(stats.needs_person, 1);
        assert_int_equal(px_grants_needs_login(w.grants, PX_LIT("git")), i == 0);
        /* a login heals it */
        provider.times = 0;
        assert_int_equal(login(&w, auth, NULL, "at-9-access", "r-1-refresh", 3600), 0);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_string_equal(c.value, "Bearer at-9-access");
        px_grants_stats_get(w.grants, &stats);
        assert_int_equal(stats.needs_person, 0);
        px_auth_close(&auth);
        grants_close(&w);
    }
}

static void refused_and_then_invalid(void **state) {
    (void)state;
    struct caller c, waits;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    provider.burnt = true;
    assert_true(px_auth_refused(auth, c.account, c.generation));
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S);
    assert_int_equal(waits.code, PX_UNAUTHORIZED); /* not the token that was refused */
    assert_true(px_auth_refused(auth, c.account, c.generation));
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(waits.code, PX_UNAUTHORIZED); /* the command, not the 401 */
    px_auth_close(&auth);
    grants_close(&w);
}

/* The newest is refused, the one before it is still good. */
static void the_previous_is_tried_once(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    world_pass(&w, 3301 * PX_S);
    assert_int_equal(provider.refreshes, 1);
    provider.now = 1; /* it has forgotten what it gave: a database that was rolled back */
    provider.next = (struct reply){.status = 400, .body = "{\"error\":\"invalid_grant\"}"};
    provider.times = 1;
    w.wall_ms += 3600 * 1000;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 0);
    world_pass(&w, PX_S);
    assert_int_equal(w.asked, 3);
    assert_string_equal(c.value, "Bearer at-2-2-access");
    HAS(vault_text("grant/git/user/shared"), "\"previous\":\"r-1-refresh\"");
    px_auth_close(&auth);
    grants_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_once),
        cmocka_unit_test(refused_while_the_provider_is_away),
        cmocka_unit_test(a_person_is_needed),
        cmocka_unit_test(refused_and_then_invalid),
        cmocka_unit_test(the_previous_is_tried_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
