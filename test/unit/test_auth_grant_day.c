/* A day in seconds: 1,000 services, tokens of five minutes to an hour, providers that fail now and then, are away for an hour, answer slowly; and the
 * machine sleeps for two hours at noon. */
#include "grant_help.h"
#include <time.h>

enum { SERVICES = 1000, HOSTS = 300, STEP_S = 60, CALLS = 40, DAY_S = 86400 };

static struct world w;
static struct px_auth *auths[SERVICES];
static struct {
    int64_t life_s;
    int refresh;                       /* the one that is good */
    int64_t until_ms, before_until_ms; /* of the newest token, of the one before: wall */
    unsigned asked;
} at[SERVICES];
static uint64_t seed = 1;
static unsigned burnt, failures, most_in_flight;

/* Bytes of the heap, where the sanitizer counts them. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

static uint64_t rnd(uint64_t below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % below;
}
/* Each host is away for an hour of the day; every tenth is slow; one request in ten fails. */
static bool away_at(int host, uint64_t ns) {
    return ns / PX_S / 3600 == (uint64_t)(2 + host % 20);
}
static bool away(int host) {
    return away_at(host, px_loop_now(w.loop));
}
/* Away, or only just back: whoever has tried in vain tries again within a minute or so. */
static bool lately_away(int host) {
    return away(host) || away_at(host, px_loop_now(w.loop) - 3 * STEP_S * PX_S);
}

static void provide(struct world *world, const struct asked *asked, struct reply *reply) {
    int host, i, n;
    (void)world;
    assert_int_equal(sscanf(asked->url, "https://id-%d.example/token", &host), 1);
    assert_int_equal(sscanf(form_at(asked->body, "refresh_token"), "r-%d-%d-refresh", &i, &n), 2);
    at[i].asked++;
    reply->after_ns = host % 10 == 3 ? (5 + rnd(15)) * PX_S : (20 + rnd(400)) * PX_MS;
    if (away(host)) {
        *reply = (struct reply){
            .fail = PX_HTTP_CONNECT, .not_sent = true, .after_ns = host % 2 ? PX_MS : 10 * PX_S};
        failures++;
        return;
    }
    if (rnd(10) == 0) {
        *reply = (struct reply){
            .status = rnd(2) ? 503 : 429, .after_ns = PX_MS, .retry_after = rnd(2) ? "3" : NULL};
        failures++;
        return;
    }
    if (n != at[i].refresh) {
        burnt++;
        reply->status = 400;
        snprintf(reply->body, sizeof reply->body, "{\"error\":\"invalid_grant\"}");
        return;
    }
    at[i].refresh++;
    at[i].before_until_ms = at[i].until_ms;
    at[i].until_ms = world_wall() + (int64_t)(reply->after_ns / PX_MS) + at[i].life_s * 1000;
    snprintf(
        reply->body, sizeof reply->body,
        "{\"access_token\":\"a-%d-%d-access\",\"refresh_token\":\"r-%d-%d-refresh\",\"expires_in\":%lld}", i,
        at[i].refresh, i, at[i].refresh, (long long)at[i].life_s);
}

static unsigned handed_out, waited, refused, late;
static struct called {
    struct caller c;
    int i;
} called[CALLS];

static void check_token(struct called *call) {
    int i, n;
    assert_int_equal(sscanf(call->c.value, "Bearer a-%d-%d-access", &i, &n), 2);
    assert_int_equal(i, call->i); /* never another's */
    int64_t until = n == at[i].refresh ? at[i].until_ms : at[i].before_until_ms;
    int64_t given_ms = w.wall_ms + (int64_t)(call->c.at_ns / PX_MS);
    handed_out++;
    if (given_ms >= until)
        fail_msg("service %d was given a token that expired %lld ms before", i,
                 (long long)(given_ms - until));
    px_auth_worked(auths[i], call->c.account, call->c.generation);
}

static void minute(bool after_sleep) {
    for (int k = 0; k < CALLS; k++) {
        called[k].i = (int)rnd(SERVICES);
        waited += caller_ask(&called[k].c, &w, auths[called[k].i], NULL, NULL, 30 * PX_S) == 0;
    }
    world_pass(&w, STEP_S * PX_S);
    for (int k = 0; k < CALLS; k++) {
        assert_int_equal(called[k].c.ends, 1);
        if (called[k].c.token)
            check_token(&called[k]);
        else if (lately_away(called[k].i % HOSTS) || after_sleep)
            refused++;
        else
            late++;
    }
    most_in_flight = PX_MAX(most_in_flight, w.peak);
}

static void open_all(void) {
    char service[32], spec[512], access[64], refresh[64];
    for (int i = 0; i < SERVICES; i++) {
        snprintf(service, sizeof service, "svc%d", i);
        snprintf(
            spec, sizeof spec,
            "{\"kind\":\"oauth2\",\"client_id\":\"c\",\"token_url\":\"https://id-%d.example/token\",\"authorization_url\":\"https://id.example/a\"}",
            i % HOSTS);
        snprintf(access, sizeof access, "a-%d-1-access", i);
        snprintf(refresh, sizeof refresh, "r-%d-1-refresh", i);
        auths[i] = auth_open(&w, service, spec);
        at[i].life_s = 300 + i * 3300 / SERVICES;
        at[i].refresh = 1;
        at[i].until_ms = world_wall() + 3600 * 1000;
        assert_int_equal(login(&w, auths[i], NULL, access, refresh, 3600),
                         0); /* all of them expire at once */
    }
}

static void a_day(void **state) {
    (void)state;
    struct px_grants_stats stats;
    struct px_loop_stats loop;
    struct timespec from, to;
    size_t early = 0, end;
    clock_gettime(CLOCK_MONOTONIC, &from);
    grants_open(&w);
    w.answer = provide;
    open_all();
    for (int m = 0; m < DAY_S / STEP_S; m++) {
        bool sleeps = m == 12 * 60;
        w.wall_ms += sleeps ? 2 * 3600 * 1000 : 0;
        minute(sleeps || m == 12 * 60 + 1);
        if (m == 120 && __sanitizer_get_current_allocated_bytes)
            early = __sanitizer_get_current_allocated_bytes();
    }
    end = __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
    px_grants_stats_get(w.grants, &stats);
    px_loop_stats_get(w.loop, &loop);
    clock_gettime(CLOCK_MONOTONIC, &to);
    print_message(
        "a day of %d services in %.1f s: %llu refreshes (%llu failed), at most %llu begun in a second and %u in flight; %u tokens handed "
        "out, %u after a wait, %u not (the provider was away), %u not in time; heap %zu KB after two hours, %zu KB at the end\n",
        SERVICES, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
        (unsigned long long)stats.refreshes, (unsigned long long)stats.failed,
        (unsigned long long)stats.peak_per_s, most_in_flight, handed_out, waited, refused, late, early >> 10,
        end >> 10);
    assert_int_equal(burnt, 0);
    assert_int_equal(stats.invalid, 0);
    assert_true(stats.refreshes > 40000);
    assert_true(stats.peak_per_s <= 60); /* 25 that nobody waits for, and those that are waited for */
    assert_true(most_in_flight <= 128);
    assert_true(late <=
                handed_out / 1000); /* a provider that fails one request in ten, three times in a row */
    assert_true(end <= early + early / 20); /* flat: names of tokens have grown by a digit */
    assert_true(loop.ops < 300 && loop.scopes < 300);
    for (int i = 0; i < SERVICES; i++) { /* everybody is alive */
        struct called call = {.i = i};
        if (caller_ask(&call.c, &w, auths[i], NULL, NULL, 600 * PX_S) == 0)
            world_pass(&w, 120 * PX_S);
        if (!call.c.token)
            fail_msg("service %d: %s", i, call.c.message);
        check_token(&call);
    }
    for (int i = 0; i < SERVICES; i++)
        px_auth_close(&auths[i]);
    grants_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_day)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
