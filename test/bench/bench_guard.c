/* What the guard costs: a request that nothing holds back, with nothing and with everything configured; answers through an open
 * breaker; ten thousand that wait, let in one by one, and refused all at once; others who come while they wait. On the real
 * clock, inside one turn as in the host. */
#include "guard/guard.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENTERS = 2000000, WAITING = 10000, REFUSALS = 1000000 };

static struct px_loop *loop;
static struct px_scope *scope;
static struct px_guards *guards;
static unsigned passed, refused;

static void answered(void *user, const struct px_guard_answer *answer) {
    struct px_guard_pass *pass = user;
    if (answer->verdict != PX_GUARD_PASS) {
        refused++;
        return;
    }
    passed++;
    px_guard_leave(pass, PX_GUARD_OK, px_str_of(NULL));
}
static const struct px_guard_sink sink = {answered, NULL};

static void die(const char *what) {
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}
static struct px_guard *guard_of(const char *name, const char *json) {
    struct px_arena arena;
    struct px_limits limits;
    struct px_guard *guard = NULL;
    px_arena_init(&arena, 1 << 20);
    if (px_limits_read(&arena, px_str_of(NULL), px_str_of(json), &limits, NULL) ||
        px_guard_get(guards, px_str_of(name), &limits, &guard))
        die(json);
    px_arena_finish(&arena);
    return guard;
}

static const struct px_guard_ask ask = {.upstream = {"api", 3},
                                        .group = {"core", 4},
                                        .label = {"GET /repos/{owner}/{repo}/pulls", 31},
                                        .principal = {"uid:1000", 8},
                                        .account = 7};

/* As the host does it, so that the clock is read once a callback: from inside a turn. */
static void enters(void *user) {
    struct px_guard *guard = user;
    struct px_guard_pass pass = {0};
    struct px_guard_answer answer;
    for (int i = 0; i < ENTERS; i++) {
        if (px_guard_enter(guard, scope, &ask, &sink, &pass, &pass, &answer) != 1)
            die("enter");
        px_guard_leave(&pass, PX_GUARD_OK, px_str_of(NULL));
    }
}
static void refusals(void *user) {
    struct px_guard *guard = user;
    struct px_guard_pass pass = {0};
    struct px_guard_answer answer;
    for (int i = 0; i < REFUSALS; i++)
        if (px_guard_enter(guard, scope, &ask, &sink, &pass, &pass, &answer) != -EAGAIN)
            die("refusal");
}
static uint64_t timed(void (*fn)(void *), struct px_guard *guard) {
    struct px_work work;
    px_work_init(&work, "bench", fn, guard);
    px_work_post(loop, &work);
    uint64_t begin = px_clock_mono_ns();
    if (px_loop_turn(loop, 0))
        die("turn");
    return px_clock_mono_ns() - begin;
}

static struct px_guard_pass *fill(struct px_guard *guard, struct px_guard_pass *first) {
    struct px_guard_pass *all = calloc(WAITING, sizeof *all);
    struct px_guard_answer answer;
    if (!all || px_guard_enter(guard, scope, &ask, &sink, first, first, &answer) != 1)
        die("enter");
    uint64_t begin = px_clock_mono_ns();
    for (int i = 0; i < WAITING; i++) {
        struct px_guard_ask one = ask;
        char name[16];
        snprintf(name, sizeof name, "p%d", i % 100);
        one.principal = px_str_of(name);
        if (px_guard_enter(guard, scope, &one, &sink, &all[i], &all[i], &answer) != 0)
            die("wait");
    }
    uint64_t took = px_clock_mono_ns() - begin;
    printf("guard: %d wait for a place, of 100 principals: %llu ns to join\n", WAITING,
           (unsigned long long)(took / WAITING));
    return all;
}
static void turn_until(const unsigned *count) {
    while (*count < WAITING)
        if (px_loop_turn(loop, 0))
            die("turn");
}

static void waiting(void) {
    struct px_guard *guard = guard_of("waiting", "{\"in_flight\": 1, \"queue\": 10000}");
    struct px_guard_pass first = {0};
    struct px_loop_stats stats;
    struct px_guard_pass *all = fill(guard, &first);
    uint64_t begin = px_clock_mono_ns();
    passed = 0;
    px_guard_leave(&first, PX_GUARD_OK, px_str_of(NULL));
    turn_until(&passed);
    printf("guard: and %llu ns each to be let in, told, and leave\n",
           (unsigned long long)((px_clock_mono_ns() - begin) / WAITING));
    free(all);
    all = fill(guard, &first);
    px_loop_stats_reset(loop);
    refused = 0;
    begin = px_clock_mono_ns();
    if (px_guard_breaker(guards, px_str_of("waiting"), px_str_of(NULL), PX_BREAKER_OPEN))
        die("breaker");
    turn_until(&refused);
    px_loop_stats_get(loop, &stats);
    printf("guard: all of them refused by a breaker that opens: %llu us, the longest callback %llu us\n",
           (unsigned long long)((px_clock_mono_ns() - begin) / 1000),
           (unsigned long long)(stats.slowest_ns / 1000));
    px_guard_leave(&first, PX_GUARD_OK, px_str_of(NULL));
    free(all);
    px_guard_unref(&guard);
}

/* One principal has filled the queue when 5000 others come, thrice each: twice it makes room for them. */
static void full_queue(void) {
    enum { OTHERS = 5000 };
    struct px_guard *guard = guard_of("crowded", "{\"in_flight\": 1, \"queue\": 10000}");
    struct px_guard_pass first = {0}, *all = calloc(WAITING + 3 * OTHERS, sizeof *all);
    struct px_guard_answer answer;
    struct px_guard_ask one = ask;
    char name[16];
    int full = 0;
    if (!all || px_guard_enter(guard, scope, &ask, &sink, &first, &first, &answer) != 1)
        die("enter");
    for (int i = 0; i < WAITING; i++)
        if (px_guard_enter(guard, scope, &ask, &sink, &all[i], &all[i], &answer) != 0)
            die("wait");
    uint64_t times[4] = {px_clock_mono_ns()};
    for (int i = 0; i < 3 * OTHERS; i++) {
        struct px_guard_pass *pass = &all[WAITING + i];
        snprintf(name, sizeof name, "p%d", i % OTHERS);
        one.principal = px_str_of(name);
        int r = px_guard_enter(guard, scope, &one, &sink, pass, pass, &answer);
        full += r == -EAGAIN;
        if (i % OTHERS == OTHERS - 1)
            times[i / OTHERS + 1] = px_clock_mono_ns();
    }
    printf("guard: a full queue: %llu ns to make room, %llu ns to refuse, with %d principals (%d "
           "refused)\n",
           (unsigned long long)((times[2] - times[0]) / OTHERS / 2),
           (unsigned long long)((times[3] - times[2]) / OTHERS), OTHERS + 1, full);
    passed = refused = 0;
    px_guard_leave(&first, PX_GUARD_OK, px_str_of(NULL));
    turn_until(&passed);
    free(all);
    px_guard_unref(&guard);
}

int main(void) {
    struct px_guards_opts opts;
    if (px_loop_create(NULL, &loop, NULL) || px_scope_open(loop, NULL, "bench", 0, &scope))
        die("loop");
    opts = (struct px_guards_opts){.loop = loop};
    if (px_guards_create(&opts, &guards, NULL))
        die("guards");
    struct px_guard *plain = guard_of("plain", "{\"breaker\": {\"enabled\": false}}");
    struct px_guard *full = guard_of(
        "full",
        "{\"rates\": [{\"kind\": \"bucket\", \"requests\": 1000000000, \"per_ms\": 10},"
        " {\"kind\": \"sliding\", \"requests\": 1000000000, \"per_ms\": 1000}],"
        "\"groups\": {\"core\": {\"rates\": [{\"kind\": \"fixed\", \"requests\": 1000000000, \"per_ms\": 1000}]}},"
        "\"upstreams\": {\"api\": {\"in_flight\": 10}}}");
    printf("guard: enter and leave, nothing configured: %llu ns\n",
           (unsigned long long)(timed(enters, plain) / ENTERS));
    struct px_quota said = {.limit = 1000000000,
                            .remaining = 900000000,
                            .reset_ms = 3600000,
                            .restore_milli = -1,
                            .retry_after_ms = -1,
                            .cost = -1};
    px_guard_told(full, &ask, &said);
    said.bucket = px_str_of("abcd1234");
    px_guard_told(full, &ask, &said);
    said.global = true;
    px_guard_told(full, &ask, &said);
    printf("guard: enter and leave, three rates, three quotas, a breaker, two bulkheads: %llu ns\n",
           (unsigned long long)(timed(enters, full) / ENTERS));
    if (px_guard_breaker(guards, px_str_of("full"), px_str_of(NULL), PX_BREAKER_OPEN))
        die("breaker");
    printf("guard: answers through an open breaker: %.0f a second\n",
           REFUSALS / ((double)timed(refusals, full) / 1e9));
    waiting();
    full_queue();
    px_guard_unref(&plain);
    px_guard_unref(&full);
    px_scope_close(&scope);
    px_guards_destroy(&guards);
    px_limits_forget();
    px_loop_destroy(loop);
    px_arena_stock_free();
    return 0;
}
