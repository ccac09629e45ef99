/* When grants are refreshed: not all at once, not before a provider wants to be asked again, and not for ever. */
#include "grant_help.h"

static struct world w;

enum { MANY = 20 };

/* Logged in within the same second, for as long: their refreshes are spread over five minutes. */
static void not_all_at_once(void **state) {
    (void)state;
    struct px_auth *auths[MANY];
    int64_t first = INT64_MAX, last = 0;
    char name[32];
    grants_open(&w);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "git%d", i);
        auths[i] = auth_open(&w, name, SPEC);
        assert_int_equal(login(&w, auths[i], NULL, "at-1-access", "r-1-refresh", 3600), 0);
        int64_t next = px_grants_next_refresh(w.grants, px_str_of(name)) - world_wall();
        assert_in_range(next, 3000 * 1000 - 1, 3300 * 1000);
        first = PX_MIN(first, next);
        last = PX_MAX(last, next);
    }
    assert_true(last - first > 150 * 1000);
    for (int i = 0; i < MANY; i++)
        px_auth_close(&auths[i]);
    grants_close(&w);
}

/* Two holders at one service: what is shown is who comes first, whoever logged in last. */
static void the_next_is_the_first(void **state) {
    (void)state;
    static const int64_t lives[][2] = {{3600, 7200}, {7200, 3600}};
    for (size_t i = 0; i < PX_COUNT(lives); i++) {
        grants_open(&w);
        struct px_auth *auth = auth_open(&w, "git", SPEC_EACH);
        assert_int_equal(login(&w, auth, "ann", "at-1-access", "r-1-refresh", lives[i][0]), 0);
        assert_int_equal(login(&w, auth, "bob", "at-2-access", "r-2-refresh", lives[i][1]), 0);
        int64_t next = px_grants_next_refresh(w.grants, PX_LIT("git")) - world_wall();
        assert_in_range(next, 3000 * 1000 - 1, 3300 * 1000);
        px_auth_close(&auth);
        grants_close(&w);
    }
}

/* It has asked for ten minutes: it is left alone for so long, by the timer and by calls, and then it is asked. */
static void when_the_provider_says(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    provider.next = (struct reply){.status = 429, .retry_after = "600"};
    provider.times = 1;
    for (int s = 0; s < 400 && !w.asked; s++)
        world_pass(&w, 3000 * PX_S / 400 + PX_S);
    assert_int_equal(w.asked, 1);
    for (int i = 0; i < 59; i++) {
        if (caller_ask(&c, &w, auth, NULL, NULL, 5 * PX_S) == 0)
            fail_msg("it waits for a refresh");
        world_pass(&w, 10 * PX_S);
    }
    assert_int_equal(w.asked, 1);
    world_pass(&w, 30 * PX_S);
    assert_int_equal(w.asked, 2);
    assert_int_equal(provider.refreshes, 1);
    px_auth_close(&auth);
    grants_close(&w);
}

/* Both refresh tokens are refused: a person is needed, and nobody is asked any more. */
static void the_previous_is_refused_too(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    world_pass(&w, 3301 * PX_S);
    assert_int_equal(w.asked, 1);
    HAS(vault_text("grant/git/user/shared"), "\"previous\":\"r-1-refresh\"");
    provider.next = (struct reply){.status = 400, .body = "{\"error\":\"invalid_grant\"}"};
    provider.times = 1000000;
    w.wall_ms += 3600 * 1000;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 0);
    world_pass(&w, PX_S);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_string_equal(c.advice, "Run: plexus auth login git");
    assert_int_equal(w.asked, 3);
    for (int i = 0; i < 100; i++) {
        world_pass(&w, 600 * PX_S);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 10 * PX_S), 1);
        assert_int_equal(c.code, PX_UNAUTHORIZED);
    }
    assert_int_equal(w.asked, 3);
    px_auth_close(&auth);
    grants_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_all_at_once),
        cmocka_unit_test(the_next_is_the_first),
        cmocka_unit_test(when_the_provider_says),
        cmocka_unit_test(the_previous_is_refused_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
