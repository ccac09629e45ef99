/* Whose a grant is, and how each kind gets its token. */
#include "grant_help.h"

static struct world w;

/* ---- one for each principal ---- */

static const char *const tricky[] = {"u1", "u1/", "u10", "u1%2F",  "u1/shared", "p/u1",         "../u1",
                                     "U1", "u1 ", "ü1",  "shared", "%",         "git/user/p/u1"};

static void never_anothers(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *each = auth_open(&w, "git", SPEC_EACH), *all = auth_open(&w, "git/user", SPEC);
    for (size_t i = 0; i < PX_COUNT(tricky); i++) {
        char access[64], refresh[64], bearer[80];
        snprintf(access, sizeof access, "access-of-%zu-", i);
        snprintf(refresh, sizeof refresh, "r-%zu-refresh", i);
        assert_int_equal(login(&w, each, tricky[i], access, refresh, 36000), 0);
        for (size_t k = 0; k < PX_COUNT(tricky); k++) {
            snprintf(bearer, sizeof bearer, "Bearer access-of-%zu-", k);
            assert_int_equal(caller_ask(&c, &w, each, tricky[k], NULL, 0), 1);
            assert_int_equal(c.token, k <= i);
            if (k <= i)
                assert_string_equal(c.value, bearer);
            else
                assert_string_equal(c.advice, "Run: plexus auth login git");
        }
    }
    /* nobody is nobody */
    assert_int_equal(caller_ask(&c, &w, each, NULL, NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_int_equal(caller_ask(&c, &w, each, "", NULL, 0), 1);
    assert_int_equal(c.code, PX_UNAUTHORIZED);
    assert_int_equal(login(&w, each, NULL, "at-1-access", NULL, 10), -EINVAL);
    assert_int_equal(caller_ask(&c, &w, all, "u1", NULL, 0), 1);
    assert_false(c.token);
    /* accounts differ: what is cached for one is not another's */
    uint64_t accounts[PX_COUNT(tricky)];
    for (size_t i = 0; i < PX_COUNT(tricky); i++) {
        assert_int_equal(caller_ask(&c, &w, each, tricky[i], NULL, 0), 1);
        accounts[i] = c.account;
        for (size_t k = 0; k < i; k++)
            assert_true(accounts[k] != accounts[i]);
    }
    /* after a restart */
    px_auth_close(&all);
    grants_restart(&w, &each, "git", SPEC_EACH);
    for (size_t i = 0; i < PX_COUNT(tricky); i++) {
        char bearer[80];
        snprintf(bearer, sizeof bearer, "Bearer access-of-%zu-", i);
        assert_int_equal(caller_ask(&c, &w, each, tricky[i], NULL, 0), 1);
        assert_string_equal(c.value, bearer);
    }
    px_auth_close(&each);
    grants_close(&w);
}

/* A record under another's name is not theirs. */
static void a_record_says_whose_it_is(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC_EACH);
    assert_int_equal(login(&w, auth, "u1", "at-1-access", "r-1-refresh", 3600), 0);
    struct row *row = vault_row(PX_LIT("grant/git/user/p/u2"));
    row->value = px_str_dup(px_str_of(vault_text("grant/git/user/p/u1")));
    row->durable = px_str_dup(px_str_of(row->value));
    assert_int_equal(caller_ask(&c, &w, auth, "u2", NULL, 0), 1);
    assert_false(c.token);
    grants_restart(&w, &auth, "git", SPEC_EACH);
    assert_int_equal(caller_ask(&c, &w, auth, "u2", NULL, 0), 1);
    assert_false(c.token);
    px_auth_close(&auth);
    grants_close(&w);
}

static bool only_u1(void *ctx, px_str service, px_str principal) {
    (void)ctx, (void)service;
    return px_str_is(principal, "u1");
}

static void status_and_logout(void **state) {
    (void)state;
    struct caller c, waits;
    struct px_buf out;
    struct px_jw jw;
    px_str access, refresh;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC_EACH);
    assert_int_equal(login(&w, auth, "u1", "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(login(&w, auth, "u2", "at-2-access", "r-2-refresh", 3600), 0);
    px_buf_init(&out, 8192);
    px_jw_init(&jw, &out);
    px_grants_status(w.grants, PX_LIT("git"), &jw, only_u1, NULL);
    HAS(out.p,
        "[{\"service\":\"git\",\"identity\":\"user\",\"kind\":\"oauth2\",\"holder\":\"u1\",\"state\":\"fresh\",\"account\":\"octo\",\"expires_unix_ms\":1800003600");
    HAS(out.p, "\"next_refresh_unix_ms\":18000");
    assert_null(strstr(out.p, "u2"));
    assert_null(strstr(out.p, "access"));
    assert_null(strstr(out.p, "r-1"));
    px_buf_finish(&out);
    assert_in_range(px_grants_next_refresh(w.grants, PX_LIT("git")), 1800000000000 + 2999000,
                    1800000000000 + 3300000);
    assert_true(px_auth_find(w.grants, PX_LIT("git"), (px_str){0}) == auth &&
                px_auth_find(w.grants, PX_LIT("git"), PX_LIT("user")) == auth);
    assert_null(px_auth_find(w.grants, PX_LIT("git"), PX_LIT("app")));
    /* in the middle of a refresh */
    w.wall_ms += 3600 * 1000;
    provider.hang = true;
    assert_int_equal(caller_ask(&waits, &w, auth, "u1", NULL, 0), 0);
    world_pass(&w, PX_S);
    assert_int_equal(px_grant_remove(auth, PX_LIT("u1"), &access, &refresh), 0);
    assert_true(px_str_is(access, "at-1-access") && px_str_is(refresh, "r-1-refresh"));
    px_locked_drop(&access);
    px_locked_drop(&refresh);
    world_pass(&w, PX_S);
    assert_int_equal(waits.code, PX_UNAUTHORIZED);
    assert_int_equal(w.in_flight, 0);
    assert_null(vault_text("grant/git/user/p/u1"));
    assert_int_equal(px_grant_remove(auth, PX_LIT("u1"), &access, &refresh), -ENOENT);
    assert_int_equal(caller_ask(&c, &w, auth, "u2", NULL, 0),
                     0); /* the other's has expired too, and is there */
    px_op_cancel(&c.op);
    px_auth_close(&auth);
    grants_close(&w);
}

/* What cannot be taken out of the vault is as it was: whoever waits gets their token. */
static void a_logout_that_fails(void **state) {
    (void)state;
    struct caller waits;
    px_str access, refresh;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    w.wall_ms += 3600 * 1000;
    provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S / 2);
    vault.refuse = -ENOBUFS;
    assert_int_equal(px_grant_remove(auth, (px_str){0}, &access, &refresh), -ENOBUFS);
    vault.refuse = 0;
    world_pass(&w, PX_S);
    assert_string_equal(waits.value, "Bearer at-2-1-access");
    px_auth_close(&auth);
    grants_close(&w);
}

/* A configuration with another provider: what the first one gave is forgotten, and not sent to the second to be revoked. */
static void a_logout_elsewhere(void **state) {
    (void)state;
    px_str access = PX_LIT("?"), refresh = PX_LIT("?");
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    px_auth_close(&auth);
    auth = auth_open(&w, "git",
                     "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://other.example/token\","
                     "\"authorization_url\":\"https://other.example/a\"}");
    assert_int_equal(px_grant_remove(auth, (px_str){0}, &access, &refresh), 0);
    assert_true(!access.p && !refresh.p);
    assert_null(vault_text("grant/git/user/shared"));
    assert_int_equal(px_grant_remove(auth, (px_str){0}, &access, &refresh), -ENOENT);
    px_auth_close(&auth);
    grants_close(&w);
}

/* A login while a refresh is in flight: the old answer is nobody's. */
static void a_login_replaces(void **state) {
    (void)state;
    struct caller c, waits;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    uint64_t account = c.account;
    w.wall_ms += 3600 * 1000;
    provider.after_ns = PX_S;
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    world_pass(&w, PX_S / 2);
    assert_int_equal(login(&w, auth, NULL, "at-7-access", "r-7-refresh", 3600), 0);
    world_pass(&w, 2 * PX_S);
    assert_string_equal(waits.value, "Bearer at-7-access");
    HAS(vault_text("grant/git/user/shared"), "r-7-refresh");
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_true(c.account !=
                account); /* perhaps somebody else's: nothing that was kept for the old one counts */
    assert_true(px_auth_account(auth, &(struct px_holder){.principal = PX_LIT("u1")}) == c.account);
    assert_false(px_auth_refused(auth, account, 1));
    px_auth_close(&auth);
    grants_close(&w);
}

static void a_closed_service(void **state) {
    (void)state;
    struct caller waits;
    grants_open(&w);
    struct px_auth *auth = auth_open(&w, "git", SPEC);
    assert_int_equal(login(&w, auth, NULL, "at-1-access", "r-1-refresh", 3600), 0);
    w.wall_ms += 3600 * 1000;
    provider.hang = true;
    assert_int_equal(caller_ask(&waits, &w, auth, NULL, NULL, 0), 0);
    px_auth_close(&auth);
    assert_int_equal(waits.ends, 0); /* from the loop */
    world_pass(&w, PX_S);
    assert_int_equal(waits.code, PX_UNAVAILABLE);
    grants_close(&w);
}

/* ---- kinds ---- */

static struct reply scripted;
static void as_scripted(struct world *world, const struct asked *asked, struct reply *reply) {
    (void)world, (void)asked;
    *reply = scripted;
}

static void client_credentials(void **state) {
    (void)state;
    struct caller c, waits;
    grants_open(&w);
    w.answer = as_scripted;
    scripted =
        (struct reply){.status = 200, .body = "{\"access_token\":\"client-token-1\",\"expires_in\":600}"};
    struct px_auth *auth = auth_open(
        &w, "svc",
        "{\"kind\":\"oauth2\",\"flow\":\"client_credentials\",\"client_id\":\"c\",\"token_url\":\"https://id.example/t\","
        "\"client_secret\":{\"$secret\":\"hushhush\"},\"scopes\":[\"a\",\"b\"],\"resource\":\"https://api.example\",\"audience\":\"aud1\"}");
    assert_int_equal(w.asked, 0); /* nobody has asked yet */
    assert_false(px_grants_needs_login(w.grants, PX_LIT("svc")));
    assert_int_equal(caller_ask(&c, &w, auth, "u1", NULL, 0), 0);
    world_pass(&w, PX_S);
    assert_string_equal(c.value, "Bearer client-token-1");
    assert_string_equal(
        w.last.body,
        "grant_type=client_credentials&scope=a%20b&audience=aud1&resource=https%3A%2F%2Fapi.example");
    world_pass(&w, 3600 * PX_S);
    assert_int_equal(w.asked,
                     2); /* refreshed once ahead, because it was used; then not, because it was not */
    assert_int_equal(vault.puts, 0);
    scripted = (struct reply){.status = 401, .body = "{\"error\":\"invalid_client\"}"};
    assert_int_equal(caller_ask(&waits, &w, auth, "u1", NULL, 0), 0);
    world_pass(&w, PX_S);
    assert_int_equal(waits.code, PX_UNAUTHORIZED);
    HAS(waits.advice, "administrator");
    for (int i = 0; i < 100; i++)
        assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1);
    assert_int_equal(w.asked, 3);
    scripted =
        (struct reply){.status = 200, .body = "{\"access_token\":\"client-token-2\",\"expires_in\":600}"};
    world_pass(&w, 601 * PX_S); /* put right at the provider: seen by the next call, ten minutes later */
    assert_string_equal(token_of(&w, auth, NULL), "Bearer client-token-2");
    px_auth_close(&auth);
    grants_close(&w);
}

static void service_account(void **state) {
    (void)state;
    grants_open(&w);
    w.answer = as_scripted;
    scripted = (struct reply){.status = 200, .body = "{\"access_token\":\"sa-token-1\",\"expires_in\":3600}"};
    struct px_auth *auth = auth_open(
        &w, "goo",
        "{\"kind\":\"jwt\",\"token_url\":\"https://id.example/t\",\"private_key\":{\"$secret\":\"pem\"},\"key_id\":\"k9\","
        "\"claims\":{\"iss\":\"sa@example\",\"scope\":\"x y\"}}");
    assert_string_equal(token_of(&w, auth, NULL), "Bearer sa-token-1");
    assert_string_equal(form_at(w.last.body, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    px_str jwt = px_str_of(form_at(w.last.body, "assertion"));
    assert_true(jwt_is_signed_by(jwt, rsa_pem(2048)));
    HAS(jwt_part(jwt, 0), "\"alg\":\"RS256\"");
    HAS(jwt_part(jwt, 1),
        "{\"iss\":\"sa@example\",\"scope\":\"x y\",\"aud\":\"https://id.example/t\",\"iat\":1800000000,\"exp\":1800000300,\"jti\":\"");
    px_auth_close(&auth);
    grants_close(&w);
}

static void a_jwt_is_the_token(void **state) {
    (void)state;
    struct caller c, again;
    grants_open(&w);
    struct px_auth *auth = auth_open(
        &w, "self",
        "{\"kind\":\"jwt\",\"private_key\":{\"$secret\":\"pem:ec\"},\"audience\":\"https://api.example\",\"lifetime_s\":100,"
        "\"claims\":{\"sub\":\"me\"}}");
    assert_int_equal(caller_ask(&c, &w, auth, NULL, NULL, 0), 1); /* at once */
    px_str jwt = px_str_of(c.value + 7);
    assert_true(jwt_is_signed_by(jwt, ec_pem(MBEDTLS_ECP_DP_SECP256R1)));
    HAS(jwt_part(jwt, 1),
        "{\"sub\":\"me\",\"aud\":\"https://api.example\",\"iat\":1800000000,\"exp\":1800000100");
    world_pass(&w, 79 * PX_S);
    assert_int_equal(caller_ask(&again, &w, auth, NULL, NULL, 0), 1);
    assert_string_equal(again.value, c.value); /* signing costs: it is kept */
    world_pass(&w, 2 * PX_S);
    assert_int_equal(caller_ask(&again, &w, auth, NULL, NULL, 0), 1);
    assert_string_not_equal(again.value, c.value);
    assert_int_equal(again.generation, 2);
    assert_true(px_auth_refused(auth, again.account, 2)); /* a new one, once */
    assert_false(px_auth_refused(auth, again.account, 3));
    assert_int_equal(w.asked, 0);
    px_auth_close(&auth);
    grants_close(&w);
}

/* ---- GitHub ---- */

static unsigned users, orgs, tokens;
static char app_jwt[4096];
static int token_status;
static void github(struct world *world, const struct asked *asked, struct reply *reply) {
    char name[64] = "";
    unsigned id = 0;
    (void)world;
    assert_true(strncmp(asked->authorization, "Bearer ey", 9) == 0);
    snprintf(app_jwt, sizeof app_jwt, "%s", asked->authorization + 7);
    if (sscanf(asked->url, "https://api.github.com/users/%60[^/]/installation", name) == 1) {
        users++;
        reply->status = strncmp(name, "user", 4) == 0 ? 200 : 404;
        snprintf(reply->body, sizeof reply->body, "{\"id\":1%s}",
                 strncmp(name, "user", 4) == 0 && name[4] ? name + 4 : "0");
    } else if (sscanf(asked->url, "https://api.github.com/orgs/%60[^/]/installation", name) == 1) {
        orgs++;
        reply->status = strcmp(name, "acme") == 0 ? 200 : 404;
        snprintf(reply->body, sizeof reply->body, "{\"id\":77}");
    } else if (sscanf(asked->url, "https://api.github.com/app/installations/%u/access_tokens", &id) == 1) {
        assert_string_equal(asked->method, "POST");
        tokens++;
        reply->status = token_status;
        int64_t s = (world_wall() + 3600 * 1000) / 1000 - 1800000000; /* 2027-01-15T08:00:00Z and so much */
        snprintf(reply->body, sizeof reply->body,
                 "{\"token\":\"ghs_of_%u_%u_\",\"expires_at\":\"2027-01-15T%02d:%02d:%02dZ\"}", id, tokens,
                 (int)(8 + s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    } else {
        fail_msg("%s", asked->url);
    }
}
#define APP "{\"kind\":\"github_app\",\"app_id\":\"12\",\"private_key\":{\"$secret\":\"pem\"}}"

static const char *owners(struct px_auth *auth, const char *owner) {
    static struct caller c;
    if (caller_ask(&c, &w, auth, "u1", owner, 30 * PX_S) == 0)
        world_pass(&w, PX_S);
    assert_int_equal(c.ends, 1);
    return c.token ? c.value : c.message;
}

static void github_apps(void **state) {
    (void)state;
    struct caller c;
    grants_open(&w);
    w.answer = github;
    users = orgs = tokens = 0;
    token_status = 201;
    struct px_auth *auth = auth_open(&w, "git", APP);
    assert_string_equal(owners(auth, "user2"), "Bearer ghs_of_12_1_");
    assert_true(jwt_is_signed_by(px_str_of(app_jwt), rsa_pem(2048)));
    HAS(jwt_part(px_str_of(app_jwt), 1), "{\"iss\":\"12\",\"iat\":1799999940,\"exp\":1800000540}");
    char first[4096];
    snprintf(first, sizeof first, "%s", app_jwt);
    assert_string_equal(owners(auth, "acme"), "Bearer ghs_of_77_2_"); /* no user: an organisation */
    assert_string_equal(first, app_jwt);                              /* signing costs: it is kept */
    assert_string_equal(owners(auth, "ACME"), "Bearer ghs_of_77_2_");
    assert_true(users == 2 && orgs == 1 && tokens == 2);
    HAS(owners(auth, "stranger"), "the app is not installed for stranger");
    assert_true(users == 3 && orgs == 2);
    HAS(owners(auth, "stranger"), "not installed"); /* not asked again for a while */
    assert_true(users == 3 && orgs == 2);
    static const char *const bad[] = {"a/b", "../x", "a?b", "a%2fb", "", "a b", "é", NULL};
    unsigned before = w.asked;
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        HAS(owners(auth, bad[i]), "about no account");
    assert_int_equal(w.asked, before);
    /* refreshed ahead when it is used, with what is known */
    assert_int_equal(caller_ask(&c, &w, auth, NULL, "acme", 0), 1);
    world_pass(&w, 3301 * PX_S);
    assert_true(users == 3 && orgs == 2 && tokens >= 3);
    assert_string_not_equal(first, app_jwt);
    /* removed: looked for anew */
    token_status = 404;
    world_pass(&w, 3601 * PX_S);
    HAS(owners(auth, "acme"), "not installed");
    token_status = 201;
    world_pass(&w, 61 * PX_S);
    HAS(owners(auth, "acme"), "Bearer ghs_of_77_");
    assert_int_equal(orgs, 3);
    px_auth_close(&auth);
    grants_close(&w);
}

static void many_owners(void **state) {
    (void)state;
    struct px_grants_stats stats;
    struct px_grants *grants;
    grants_open(&w);
    w.answer = github;
    users = orgs = tokens = 0;
    token_status = 201;
    struct px_auth *auth = auth_open(&w, "git", APP);
    grants = w.grants;
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "user%d", i);
        HAS(owners(auth, name), "Bearer ghs_of_1");
        HAS(owners(auth, "user0"), "Bearer ghs_of_10_"); /* in use all the time: it stays */
    }
    px_grants_stats_get(grants, &stats);
    assert_int_equal(stats.grants, 256);
    assert_int_equal(tokens, 300);
    px_auth_close(&auth);
    px_grants_stats_get(grants, &stats);
    assert_int_equal(stats.grants, 0);
    grants_close(&w);
}

static void one_installation(void **state) {
    (void)state;
    grants_open(&w);
    w.answer = github;
    users = orgs = tokens = 0;
    token_status = 201;
    struct px_auth *auth = auth_open(
        &w, "git",
        "{\"kind\":\"github_app\",\"app_id\":\"12\",\"installation_id\":\"5\",\"private_key\":{\"$secret\":\"pem\"}}");
    assert_string_equal(owners(auth, "anybody"), "Bearer ghs_of_5_1_");
    assert_string_equal(owners(auth, NULL), "Bearer ghs_of_5_1_");
    assert_true(users == 0 && tokens == 1);
    token_status = 401;
    world_pass(&w, 3700 * PX_S);
    HAS(owners(auth, NULL), "answered 401");
    px_auth_close(&auth);
    grants_close(&w);
}

static void endpoints_are_looked_up(void **state) {
    (void)state;
    grants_open(&w);
    w.answer = as_scripted;
    struct px_auth *auth = auth_open(
        &w, "svc",
        "{\"kind\":\"oauth2\",\"flow\":\"client_credentials\",\"client_id\":\"c\",\"issuer\":\"https://id.example\","
        "\"client_secret\":{\"$secret\":\"hushhush\"}}");
    scripted = (struct reply){.status = 503};
    HAS(token_of(&w, auth, NULL), "503");
    scripted = (struct reply){
        .status = 200,
        .body =
            "{\"issuer\":\"https://id.example\",\"token_endpoint\":\"https://tokens.example/t\",\"access_token\":\"found-token\"}"};
    world_pass(&w, 61 * PX_S);
    assert_string_equal(token_of(&w, auth, NULL), "Bearer found-token");
    assert_string_equal(w.last.url, "https://tokens.example/t");
    px_auth_close(&auth);
    grants_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_anothers),     cmocka_unit_test(a_record_says_whose_it_is),
        cmocka_unit_test(status_and_logout),  cmocka_unit_test(a_logout_that_fails),
        cmocka_unit_test(a_logout_elsewhere), cmocka_unit_test(a_login_replaces),
        cmocka_unit_test(a_closed_service),   cmocka_unit_test(client_credentials),
        cmocka_unit_test(service_account),    cmocka_unit_test(a_jwt_is_the_token),
        cmocka_unit_test(github_apps),        cmocka_unit_test(many_owners),
        cmocka_unit_test(one_installation),   cmocka_unit_test(endpoints_are_looked_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
