/* The disk is full at each write of a grant's life; clocks that jump; the configuration that changes. */
#include "grant_help.h"

static struct world w;
static struct px_auth *auth;

static void open_with(int64_t life_s) {
    grants_open(&w);
    provider.life_s = life_s;
    auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", life_s), 0);
}
static void end(void) {
    px_auth_close(&auth);
    grants_close(&w);
}

/* What could not be kept is not asked for: the refresh token is not spent. */
static void no_room_to_begin(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    vault.fail = -ENOSPC;
    world_pass(&w, 3500 * PX_S);
    assert_int_equal(w.asked, 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-1-access");
    world_pass(&w, 200 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAVAILABLE);
    HAS(c.message, "cannot be stored");
    vault.fail = 0;
    world_pass(&w, 61 * PX_S);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    end();
}

/* The disk fills between the beginning and the answer: nobody gets the new token until it is durable; it is tried until it is. */
static void no_room_for_the_answer(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    w.wall_ms += 3590 * 1000;
    provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S / 2);
    vault.fail = -ENOSPC;
    world_pass(&w, PX_S);
    assert_int_equal(c.ends, 1);
    assert_string_equal(c.value, "Bearer at-1-access"); /* it lives for some seconds */
    w.wall_ms += 20 * 1000;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAVAILABLE);
    assert_true(c.retry_after_ms > 0);
    world_pass(&w, 600 * PX_S);
    assert_int_equal(provider.refreshes, 1); /* the token that is spent is not sent again */
    vault.fail = 0;
    world_pass(&w, 61 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-2-1-access");
    HAS(vault_text("grant/git/user/shared"), "r-2-refresh");
    end();
}

/* Without rotation nothing can be lost: the token is used at once. */
static void no_room_and_no_rotation(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    provider.rotates = false;
    w.wall_ms += 3600 * 1000;
    provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S / 2);
    vault.fail = -ENOSPC;
    world_pass(&w, PX_S);
    assert_string_equal(c.value, "Bearer at-1-1-access");
    end();
}

static void no_room_to_forget(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    world_pass(&w, 3301 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    vault.fail = -ENOSPC;
    px_auth_worked(auth, c.account, c.generation);
    world_pass(&w, PX_S);
    vault.fail = 0;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_true(c.token);
    world_pass(&w, 7200 * PX_S);
    assert_false(provider.burnt);
    end();
}

static void no_room_for_a_login(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    vault.fail = -ENOSPC;
    assert_int_equal(login(&w, auth, NULL, "at-9-access", "r-9-refresh", 3600), -ENOSPC);
    vault.fail = 0;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, "Bearer at-1-access"); /* the one that was there */
    world_pass(&w, 3301 * PX_S);
    assert_int_equal(provider.refreshes, 1); /* and goes on */
    end();
}

/* ---- clocks ---- */

static void the_machine_slept(void **state) {
    (void)state;
    open_with(3600);
    world_pass(&w, 100 * PX_S);
    w.wall_ms += 8 * 3600 * 1000; /* its own clock stood still meanwhile */
    world_pass(&w, 61 * PX_S);
    assert_int_equal(provider.refreshes, 1); /* without anybody asking */
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    end();
}

static void the_clock_is_set_back(void **state) {
    (void)state;
    open_with(3600);
    w.wall_ms -= (int64_t)365 * 86400 * 1000;
    world_pass(&w, 3301 * PX_S);
    assert_int_equal(provider.refreshes, 1); /* by the clock that goes on */
    grants_restart(&w, &auth, "git", SPEC);
    world_pass(&w, 3601 * PX_S);
    assert_true(provider.refreshes >= 2);
    /* forth and back, again and again: a refresh each time it seems to have expired, no more */
    unsigned before = provider.refreshes;
    for (int i = 0; i < 10; i++) {
        w.wall_ms += (int64_t)365 * 86400 * 1000;
        world_pass(&w, 100 * PX_S);
        w.wall_ms -= (int64_t)365 * 86400 * 1000;
        world_pass(&w, 100 * PX_S);
        HAS(token_of(&w, auth, NULL), "Bearer at-");
    }
    assert_true(provider.refreshes - before <= 12);
    assert_false(provider.burnt);
    end();
}

static void short_lives(void **state) {
    (void)state;
    static const int64_t lives[] = {5, 10, 30, 60, 300, 1500};
    for (size_t i = 0; i < PX_COUNT(lives); i++) {
        open_with(lives[i]);
        for (int n = 0; n < 100; n++) {
            struct caller c;
            world_pass(&w, (uint64_t)lives[i] * PX_S / 4);
            assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1); /* always ahead */
            assert_true(c.token);
        }
        assert_true(provider.refreshes >= 25 && provider.refreshes <= 25 * 5 / 3 + 1);
        end();
    }
}

/* ---- the configuration changes ---- */

static const char other_client[] =
    "{\"kind\":\"oauth2\",\"client_id\":\"d\",\"token_url\":\"https://id.example/token\",\"authorization_url\":\"https://id.example/a\"}";
static const char other_secret[] =
    "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id.example/token\","
    "\"authorization_url\":\"https://id.example/a\",\"client_secret\":{\"$secret\":\"hushhush\"}}";

/* A reload: the new one is opened before the old one is closed, or after; a refresh is in flight, or not. */
static void reload(bool before, bool in_flight) {
    struct caller c, waits;
    open_with(3600);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    uint64_t account = c.account;
    provider.after_ns = PX_S;
    if (in_flight) {
        w.wall_ms += 3600 * 1000;
        assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
        world_pass(&w, PX_S / 2);
        assert_int_equal(w.in_flight, 1);
    }
    struct px_auth *other = before ? auth_open(&w, "git", SPEC) : NULL;
    px_auth_close(&auth);
    auth = other ? other : auth_open(&w, "git", SPEC);
    assert_int_equal(w.in_flight, in_flight); /* it is not cut off: its answer is worth the grant */
    world_pass(&w, 2 * PX_S);
    if (in_flight)
        assert_int_equal(waits.code, PX_UNAVAILABLE);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(c.value, in_flight ? "Bearer at-2-1-access" : "Bearer at-1-access");
    assert_int_equal(c.account, account);
    world_pass(&w, 3601 * PX_S);
    assert_int_equal(provider.refreshes, in_flight ? 2 : 1); /* one timer */
    end();
}
static void reloads(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        reload(i & 1, i & 2);
}

static void another_client(void **state) {
    (void)state;
    struct caller c;
    struct px_buf out;
    struct px_jw jw;
    open_with(3600);
    px_auth_close(&auth);
    auth = auth_open(&w, "git", other_client);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    HAS(c.message, "another client");
    assert_string_equal(c.advice, "Run: plexus auth login git");
    assert_true(px_grants_needs_login(w.grants, PX_LIT("git")));
    world_pass(&w, 7200 * PX_S);
    assert_int_equal(w.asked, 0); /* its token goes nowhere */
    px_buf_init(&out, 8192);
    px_jw_init(&jw, &out);
    px_grants_status(w.grants, (px_str){0}, &jw, NULL, NULL);
    HAS(out.p, "\"state\":\"none\"");
    HAS(out.p, "another client");
    px_buf_finish(&out);
    grants_restart(&w, &auth, "git", other_client); /* the same after a restart */
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    HAS(c.message, "another client");
    px_auth_close(&auth);
    auth = auth_open(&w, "git", SPEC); /* it is not deleted: back again, it counts */
    world_pass(&w, PX_S);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    end();
}

/* The client was refused; an administrator gives it the right secret. */
static void the_client_is_put_right(void **state) {
    (void)state;
    struct caller c;
    open_with(3600);
    provider.next = (struct reply){.status = 401, .body = "{\"error\":\"invalid_client\"}"};
    provider.times = 1;
    world_pass(&w, 3700 * PX_S);
    assert_int_equal(w.asked, 1);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    HAS(c.advice, "administrator");
    struct px_auth *other = auth_open(&w, "git", other_secret);
    px_auth_close(&auth);
    auth = other;
    world_pass(&w, PX_S);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer at-2-1-access");
    HAS(w.last.authorization, "Basic ");
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_room_to_begin),
                                       cmocka_unit_test(no_room_for_the_answer),
                                       cmocka_unit_test(no_room_and_no_rotation),
                                       cmocka_unit_test(no_room_to_forget),
                                       cmocka_unit_test(no_room_for_a_login),
                                       cmocka_unit_test(the_machine_slept),
                                       cmocka_unit_test(the_clock_is_set_back),
                                       cmocka_unit_test(short_lives),
                                       cmocka_unit_test(reloads),
                                       cmocka_unit_test(another_client),
                                       cmocka_unit_test(the_client_is_put_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
