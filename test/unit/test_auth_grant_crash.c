/* The process dies at each instant of a refresh. What must hold: with a provider that forgives a token used twice within seconds, no grant is
 * ever lost; with one that does not, none is lost but where our answer was lost on its way. */
#include "grant_help.h"

static struct world w;
static struct px_auth *auth;

/* How far the refresh goes before the end. */
enum instant {
    QUEUED,        /* nothing has begun */
    BEGIN_WRITING, /* "begun" is not durable yet */
    SENT,          /* the request has arrived; no answer */
    ANSWERED,      /* the answer is here, its commit is not */
    COMMITTED,     /* durable; nobody has it yet */
    USED,          /* the new token has been handed out */
    WORKED,        /* it has worked; the record that forgets the old one is on its way */
    FORGOTTEN,     /* that is durable */
    INSTANTS
};

static void until_refreshed(void) {
    for (int i = 0; i < 20 && !strstr(vault_text("grant/git/user/shared"), "r-2-refresh"); i++)
        assert_int_equal(px_loop_turn(w.loop, 0), 0);
}

static void go_to(enum instant instant) {
    struct caller c;
    w.wall_ms += 3590 * 1000; /* it is about to expire: whoever asks begins */
    vault.hold = instant == BEGIN_WRITING;
    provider.hang = instant == SENT;
    if (instant == ANSWERED)
        provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 0);
    if (instant == QUEUED)
        return;
    if (instant == ANSWERED) {
        world_pass(&w, PX_S / 2);
        vault.hold = true;
        world_pass(&w, PX_S);
        assert_int_equal(c.ends, 0); /* nobody has it before it is durable */
        HAS(vault_text("grant/git/user/shared"), "r-2-refresh");
        return;
    }
    world_pass(&w, PX_MS);
    assert_int_equal(c.ends, instant >= COMMITTED);
    if (instant < USED)
        return;
    until_refreshed();
    HAS(vault_text("grant/git/user/shared"), "\"previous\":\"r-1-refresh\"");
    if (instant < WORKED)
        return;
    vault.hold = instant == WORKED;
    px_auth_worked(auth, c.account, c.generation);
    world_pass(&w, PX_MS);
}

static void dies_at(enum instant instant, uint64_t grace_ns, bool lives) {
    grants_open(&w);
    provider.grace_ns = grace_ns;
    auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    go_to(instant);
    grants_restart(&w, &auth, "git", SPEC);
    provider.hang = false;
    provider.after_ns = 0;
    world_pass(&w, 2 * PX_S);
    w.wall_ms += 20 * 1000; /* the first token has expired now, whatever happened */
    const char *token = token_of(&w, auth, NULL);
    if (lives != (strncmp(token, "Bearer at-", 10) == 0 && strcmp(token, "Bearer at-1-access") != 0))
        fail_msg("instant %d, grace %d s: %s", instant, (int)(grace_ns / PX_S), token);
    assert_int_equal(provider.burnt, !lives);
    if (lives) { /* and it goes on */
        world_pass(&w, 86400 * PX_S);
        HAS(token_of(&w, auth, NULL), "Bearer at-");
        assert_false(provider.burnt);
    }
    px_auth_close(&auth);
    grants_close(&w);
}

static void at_each_instant(void **state) {
    (void)state;
    for (enum instant i = QUEUED; i < INSTANTS; i++) {
        dies_at(i, 30 * PX_S, true);
        dies_at(i, 0, i != SENT && i != ANSWERED);
    }
}

/* A refresh that a 401 began, an hour before expiry: after the end it is taken up at once, not when the token expires. */
static void begun_is_taken_up_at_once(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    provider.grace_ns = 30 * PX_S;
    auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    provider.hang = true;
    assert_true(px_auth_refused(auth, c.account, c.generation));
    world_pass(&w, PX_S);
    HAS(vault_text("grant/git/user/shared"), "begun");
    grants_restart(&w, &auth, "git", SPEC);
    provider.hang = false;
    world_pass(&w, PX_S);
    assert_int_equal(provider.refreshes, 2);
    assert_false(provider.burnt);
    assert_null(strstr(vault_text("grant/git/user/shared"), "begun"));
    px_auth_close(&auth);
    grants_close(&w);
}

/* Refreshed, used, killed, a thousand times over, anywhere: the family is never burnt. */
static void a_thousand_lives(void **state) {
    (void)state;
    uint64_t seed = 42;
    grants_open(&w);
    provider.grace_ns = 30 * PX_S;
    provider.life_s = 300;
    auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 300), 0);
    for (int i = 0; i < 1000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        struct caller c;
        provider.after_ns = (seed >> 33) % 3 * PX_MS;
        w.wall_ms += 295 * 1000;
        (void)caller_ask(&c, &w, auth, NULL, NULL, 0);
        for (unsigned turns = (unsigned)(seed >> 40) % 12; turns; turns--)
            assert_int_equal(px_loop_turn(w.loop, PX_MS / 2), 0);
        if (c.token && seed >> 63)
            px_auth_worked(auth, c.account, c.generation);
        grants_restart(&w, &auth, "git", SPEC);
        world_pass(&w, PX_S);
        HAS(token_of(&w, auth, NULL), "Bearer at-");
        if (provider.burnt)
            fail_msg("burnt in life %d", i);
    }
    assert_true(provider.refreshes > 900);
    px_auth_close(&auth);
    grants_close(&w);
}

static void what_a_restart_finds(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    grants_restart(&w, &auth, "git", SPEC);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1); /* no refresh is needed */
    assert_string_equal(c.value, "Bearer at-1-access");
    assert_int_equal(w.asked, 0);
    provider.burnt = true; /* needs_person stays, and nobody is asked again */
    world_pass(&w, 3601 * PX_S);
    assert_int_equal(w.asked, 1);
    grants_restart(&w, &auth, "git", SPEC);
    world_pass(&w, 7200 * PX_S);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_string_equal(c.advice, "Run: plexus auth login git");
    assert_int_equal(w.asked, 1);
    px_auth_close(&auth);
    grants_close(&w);
}

static void records_that_are_none(void **state) {
    (void)state;
    static const char *const records[] = {"",
                                          "{",
                                          "[]",
                                          "{}",
                                          "{\"v\":1}",
                                          "{\"v\":2,\"digest\":\"00\"}",
                                          "{\"v\":1,\"digest\":\"zz\",\"access\":\"a\"}"};
    for (size_t i = 0; i < PX_COUNT(records); i++) {
        struct caller c;
        grants_open(&w);
        struct row *row = vault_row(PX_LIT("grant/git/user/shared"));
        row->value = px_str_dup(px_str_of(records[i]));
        row->durable = px_str_dup(px_str_of(records[i]));
        auth = auth_open(&w, "git", SPEC);
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
        assert_int_equal(c.code, PX_UNAUTHORIZED);
        assert_string_equal(row->durable, records[i]); /* left as it is */
        assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
        HAS(token_of(&w, auth, NULL), "at-1-access");
        px_auth_close(&auth);
        grants_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_instant), cmocka_unit_test(begun_is_taken_up_at_once),
        cmocka_unit_test(a_thousand_lives), cmocka_unit_test(what_a_restart_finds),
        cmocka_unit_test(records_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
