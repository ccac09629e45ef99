/* Requests with their attempts: what leaves, how often, and what the caller is told. */
#include "unit/send_help.h"

#define ONE "{'upstreams':{'api':{'base_url':'https://api.example.com'}}}"

/* ---- every failure against every class of methods ---- */

static const struct class {
    const char *name, *route, *api;
    bool write, repeats;
} classes[] = {
    {"GET", "{'path':'/a'}", ONE, false, true},
    {"safe POST", "{'path':'/a','method':'POST','safe':true}", ONE, false, true},
    {"PUT", "{'path':'/a','method':'PUT'}", ONE, true, true},
    {"DELETE", "{'path':'/a','method':'DELETE'}", ONE, true, true},
    {"idempotent POST", "{'path':'/a','method':'POST','idempotent':true}", ONE, true, true},
    {"POST with a key", "{'path':'/a','method':'POST','idempotency':{'header':'Idempotency-Key'}}", ONE, true,
     true},
    {"POST with the upstream's key", "{'path':'/a','method':'POST'}",
     "{'upstreams':{'api':{'base_url':'https://api.example.com','idempotency':{'header':'X-Key'}}}}", true,
     true},
    {"PUT that is not", "{'path':'/a','method':'PUT','idempotent':false}", ONE, true, false},
    {"POST", "{'path':'/a','method':'POST'}", ONE, true, false},
    {"PATCH", "{'path':'/a','method':'PATCH'}", ONE, true, false},
};

enum { NEVER, WHEN_SAFE, ALWAYS };
static const struct failure {
    struct answer answer;
    int again;
    int32_t read, write; /* codes */
} failures[] = {
    {{.fail = PX_HTTP_CONNECT}, ALWAYS, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.fail = PX_HTTP_DNS}, ALWAYS, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.fail = PX_HTTP_TLS}, ALWAYS, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.fail = PX_HTTP_BUSY}, ALWAYS, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.fail = PX_HTTP_TIMEOUT}, ALWAYS, PX_TIMEOUT, PX_TIMEOUT},
    {{.fail = PX_HTTP_RESET}, ALWAYS, PX_UPSTREAM_ERROR, PX_UPSTREAM_ERROR},
    {{.fail = PX_HTTP_TIMEOUT, .sent = true}, WHEN_SAFE, PX_TIMEOUT, PX_OUTCOME_UNKNOWN},
    {{.fail = PX_HTTP_RESET, .sent = true}, WHEN_SAFE, PX_UPSTREAM_ERROR, PX_OUTCOME_UNKNOWN},
    /* An earlier request was answered with a redirect: what it asked for may have been done. */
    {{.fail = PX_HTTP_CONNECT, .redirects = 1}, WHEN_SAFE, PX_UNAVAILABLE, PX_OUTCOME_UNKNOWN},
    {{.fail = PX_HTTP_PROTOCOL, .sent = true}, NEVER, PX_UPSTREAM_ERROR, PX_OUTCOME_UNKNOWN},
    {{.fail = PX_HTTP_TOO_LARGE, .sent = true}, NEVER, PX_TOO_LARGE, PX_OUTCOME_UNKNOWN},
    {{.fail = PX_HTTP_NO_NAME}, NEVER, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.fail = PX_HTTP_FORBIDDEN}, NEVER, PX_FORBIDDEN, PX_FORBIDDEN},
    {{.status = 408}, WHEN_SAFE, PX_TIMEOUT, PX_TIMEOUT},
    {{.status = 425}, WHEN_SAFE, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.status = 429}, WHEN_SAFE, PX_RATE_LIMITED, PX_RATE_LIMITED},
    {{.status = 500}, WHEN_SAFE, PX_UPSTREAM_ERROR, PX_UPSTREAM_ERROR},
    {{.status = 502}, WHEN_SAFE, PX_UPSTREAM_ERROR, PX_OUTCOME_UNKNOWN},
    {{.status = 503}, WHEN_SAFE, PX_UNAVAILABLE, PX_UNAVAILABLE},
    {{.status = 504}, WHEN_SAFE, PX_TIMEOUT, PX_OUTCOME_UNKNOWN},
    {{.status = 400}, NEVER, PX_INVALID_ARGUMENTS, PX_INVALID_ARGUMENTS},
    {{.status = 401}, NEVER, PX_UNAUTHORIZED, PX_UNAUTHORIZED},
    {{.status = 403}, NEVER, PX_FORBIDDEN, PX_FORBIDDEN},
    {{.status = 404}, NEVER, PX_NOT_FOUND, PX_NOT_FOUND},
    {{.status = 409}, NEVER, PX_UPSTREAM_ERROR, PX_UPSTREAM_ERROR},
    {{.status = 501}, NEVER, PX_UPSTREAM_ERROR, PX_UPSTREAM_ERROR},
};

static void play(const struct class *class, const struct failure *failure) {
    const struct answer answers[] = {failure->answer, failure->answer, failure->answer};
    bool again = failure->again == ALWAYS || (failure->again == WHEN_SAFE && class->repeats);
    int32_t code = class->write ? failure->write : failure->read;
    struct told told = {0};
    struct flow_rig f;
    send_open(&f, class->api, class->route, EASY, !class->write, answers, PX_COUNT(answers));
    call_run(&f, &told, NULL, NULL);
    if (!told.failed || told.error.code != code || f.script.at != (again ? 3 : 1))
        fail_msg("%s, %d %d: %zu requests, %d %s", class->name, failure->answer.fail, failure->answer.status,
                 f.script.at, told.error.code, told.message);
    assert_int_equal(counts(&f).in_flight, 0);
    told_free(&told);
    flow_close(&f);
}

static void every_failure(void **state) {
    (void)state;
    for (size_t i = 0; i < PX_COUNT(classes); i++) {
        for (size_t j = 0; j < PX_COUNT(failures); j++)
            play(&classes[i], &failures[j]);
    }
}

/* ---- sequences ---- */

struct expect {
    int32_t code; /* PX_OK: a reply */
    size_t requests;
    const char *words;
};

static void sequence(const char *api, const char *route, const char *limits, bool read_only,
                     const struct answer *answers, size_t n, uint64_t deadline_ns, struct expect want) {
    struct told told = {0};
    struct flow_rig f;
    send_open(&f, api, route, limits, read_only, answers, n);
    struct px_route_call_opts opts = {.deadline_ns = deadline_ns ? px_loop_now(f.rig.loop) + deadline_ns : 0};
    call_run(&f, &told, NULL, &opts);
    if (f.script.at != want.requests || told.failed != (want.code != PX_OK) ||
        (told.failed && (told.error.code != want.code || !strstr(told.message, want.words))))
        fail_msg("%s: %zu requests, %d %s", route, f.script.at, told.error.code,
                 told.failed ? told.message : told.structured);
    told_free(&told);
    flow_close(&f);
}
#define SEQUENCE(route, read_only, ...)                                                                      \
    do {                                                                                                     \
        const struct answer answers_[] = {__VA_ARGS__};                                                      \
        sequence(ONE, route, EASY, read_only, answers_, PX_COUNT(answers_), 0, want);                        \
    } while (0)

static void what_comes_of_it(void **state) {
    (void)state;
    struct expect want = {PX_OK, 2, NULL};
    SEQUENCE("{'path':'/a'}", true, {.status = 503}, GOOD);
    SEQUENCE("{'path':'/a'}", true, {.fail = PX_HTTP_RESET, .sent = true}, GOOD);
    SEQUENCE("{'path':'/a','method':'POST'}", false, {.fail = PX_HTTP_CONNECT}, GOOD);
    SEQUENCE("{'path':'/a','method':'PUT'}", false, {.status = 504}, GOOD);
    want = (struct expect){PX_OK, 3, NULL};
    SEQUENCE("{'path':'/a'}", true, {.status = 500}, {.fail = PX_HTTP_CONNECT}, GOOD);
    /* What an earlier attempt may have done is not forgotten. */
    want = (struct expect){PX_OUTCOME_UNKNOWN, 3, "may have been carried out"};
    SEQUENCE("{'path':'/a','method':'PUT'}", false, {.fail = PX_HTTP_RESET, .sent = true},
             {.fail = PX_HTTP_CONNECT}, {.fail = PX_HTTP_CONNECT});
    want = (struct expect){PX_OUTCOME_UNKNOWN, 3, "may have been carried out"};
    SEQUENCE("{'path':'/a','method':'PUT'}", false, {.status = 502}, {.status = 503}, {.status = 500});
    want = (struct expect){PX_NOT_FOUND, 2, "it may have deleted it"};
    SEQUENCE("{'path':'/a','method':'DELETE'}", false, {.fail = PX_HTTP_RESET, .sent = true},
             {.status = 404});
    SEQUENCE("{'path':'/a','method':'DELETE'}", false, {.status = 504}, {.status = 410});
    /* What speaks of the moment says nothing of it; what is wrong with the request was wrong with it, too. */
    want = (struct expect){PX_OUTCOME_UNKNOWN, 2, "may have been carried out"};
    static const int of_now[] = {401, 403, 409, 412, 423};
    for (size_t i = 0; i < PX_COUNT(of_now); i++)
        SEQUENCE("{'path':'/a','method':'PUT'}", false, {.fail = PX_HTTP_TIMEOUT, .sent = true},
                 {.status = of_now[i]});
    want = (struct expect){PX_OUTCOME_UNKNOWN, 3, "may have been carried out"};
    SEQUENCE("{'path':'/a','method':'PUT'}", false, {.fail = PX_HTTP_RESET, .sent = true}, {.status = 429},
             {.status = 429});
    want = (struct expect){PX_INVALID_ARGUMENTS, 2, "may have been carried out"};
    SEQUENCE("{'path':'/a','method':'PUT'}", false, {.fail = PX_HTTP_TIMEOUT, .sent = true}, {.status = 422});
    want = (struct expect){PX_NOT_FOUND, 2, "Not Found"};
    SEQUENCE("{'path':'/a','method':'DELETE'}", false, {.status = 503}, {.status = 404});
}

/* A rule knows better, in both directions. */
static void rules_decide(void **state) {
    (void)state;
    struct expect want = {PX_UPSTREAM_ERROR, 1, "500"};
    SEQUENCE("{'path':'/a','errors':[{'status':500,'code':'upstream_error','retryable':false}]}", true,
             {.status = 500}, GOOD);
    want = (struct expect){PX_OK, 2, NULL};
    SEQUENCE("{'path':'/a','errors':[{'status':409,'code':'upstream_error','retryable':true}]}", true,
             {.status = 409}, GOOD);
    SEQUENCE("{'path':'/a','errors':[{'body':{'/ok':false},'code':'rate_limited'}]}", true,
             {.body = "{\"ok\":false}"}, GOOD);
    want = (struct expect){PX_UPSTREAM_ERROR, 1, "502"};
    SEQUENCE("{'path':'/a','method':'POST','errors':[{'status':502,'code':'upstream_error'}]}", false,
             {.status = 502}, GOOD);
}

/* A wait that is longer than the caller has is told at once. */
static void deadlines(void **state) {
    (void)state;
    static const struct answer later[] = {{.status = 429, .headers = {"retry-after: 30"}}};
    struct told told = {0};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, later, 1);
    struct px_route_call_opts opts = {.deadline_ns = px_loop_now(f.rig.loop) + 5 * PX_S};
    uint64_t before = px_loop_now(f.rig.loop);
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(told.error.code, PX_RATE_LIMITED);
    assert_int_equal(told.error.retry_after_ms, 30000);
    assert_non_null(strstr(told.advice, "30 s"));
    assert_true(px_loop_now(f.rig.loop) - before < PX_S);
    told_free(&told);
    /* The next one does not even leave. */
    told = (struct told){0};
    opts.deadline_ns = px_loop_now(f.rig.loop) + 5 * PX_S;
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(told.error.code, PX_RATE_LIMITED);
    assert_true(told.error.retry_after_ms > 25000 && told.error.retry_after_ms <= 31000);
    assert_true(told.error.flags & PX_ERROR_NOT_DONE);
    assert_true(told.advice && told.message[0]);
    assert_int_equal(f.script.at, 1);
    assert_int_equal(counts(&f).refused_rate, 1);
    told_free(&told);
    flow_close(&f);
}

/* Who has the time waits, is told for what, and holds no place meanwhile. */
static void waiting_is_told(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 429, .headers = {"retry-after: 3"}}, GOOD};
    struct told told = {0};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 2);
    uint64_t before = px_loop_now(f.rig.loop);
    call_begin(&f, &told, NULL, NULL);
    for (int i = 0; i < 50 && f.script.at < 1; i++)
        assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
    for (int i = 0; i < 3 && !told.n_progress; i++)
        assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
    assert_int_equal(counts(&f).in_flight, 0);
    call_wait(&f, &told);
    assert_false(told.failed);
    assert_true(px_loop_now(f.rig.loop) - before >= 3 * PX_S);
    assert_true(told.n_progress > 0);
    assert_true(strstr(told.progress[0], "retry") || strstr(told.progress[0], "rate limit"));
    told_free(&told);
    flow_close(&f);
}

static void a_retry_is_told(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 503}, {.status = 503}, GOOD};
    struct told told = {0};
    struct flow_rig f;
    unsigned attempt = 0, tenths = 0, s = 0;
    send_open(&f, ONE, "{'path':'/a'}",
              "{'retry':{'base_ms':20000,'max_ms':20000},'breaker':{'enabled':false}}", true, answers, 3);
    call_run(&f, &told, NULL, NULL);
    assert_false(told.failed);
    assert_true(told.n_progress > 0);
    assert_int_equal(sscanf(told.progress[0], "retry %u in %u.%u s", &attempt, &s, &tenths), 3);
    assert_int_equal(attempt, 1);
    assert_in_range(s * 10 + tenths, 5, 200);
    told_free(&told);
    flow_close(&f);
}

/* What others had open may have died meanwhile: the next attempt trusts none of it. */
static void a_connection_that_was_used_before(void **state) {
    (void)state;
    static const struct answer answers[] = {
        {.fail = PX_HTTP_RESET, .sent = true, .reused = true}, {.fail = PX_HTTP_RESET, .sent = true}, GOOD};
    struct told told = {0};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 3);
    call_run(&f, &told, NULL, NULL);
    assert_false(told.failed);
    assert_true(!f.script.fresh[0] && f.script.fresh[1] && !f.script.fresh[2]);
    told_free(&told);
    flow_close(&f);
}

/* The breaker: failures open it, and then nothing leaves; what the caller did wrong does not. */
static void breakers(void **state) {
    (void)state;
    static const char limits[] = "{'retry':{'attempts':0},'breaker':{'consecutive':3,'open_ms':5000}}";
    static const struct answer down[] = {{.status = 404},           {.status = 404},
                                         {.status = 404},           {.status = 422},
                                         {.status = 429},           {.status = 429},
                                         {.status = 429},           {.status = 500},
                                         {.fail = PX_HTTP_CONNECT}, {.fail = PX_HTTP_TIMEOUT, .sent = true}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", limits, true, down, PX_COUNT(down));
    for (size_t i = 0; i < PX_COUNT(down); i++) {
        struct told told = {0};
        call_run(&f, &told, NULL, NULL);
        assert_true(told.failed && told.error.code != PX_CIRCUIT_OPEN);
        told_free(&told);
    }
    struct told told = {0};
    struct px_route_call_opts opts = {.deadline_ns = px_loop_now(f.rig.loop) + PX_S};
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(told.error.code, PX_CIRCUIT_OPEN);
    assert_true(told.error.flags & PX_ERROR_NOT_DONE && told.error.flags & PX_ERROR_RETRYABLE);
    assert_true(told.error.retry_after_ms > 0 && told.advice);
    assert_int_equal(f.script.at, PX_COUNT(down));
    told_free(&told);
    flow_close(&f);
}

/* A caller without patience says nothing of the upstream, however often; one that waited for half a second does, and so does a timeout
 * that is not the caller's. */
static void who_is_in_a_hurry_opens_no_breaker(void **state) {
    (void)state;
    static const char limits[] = "{'retry':{'attempts':0},'breaker':{'consecutive':3,'open_ms':5000}}";
    static const struct {
        uint64_t takes_ns, deadline_ns;
        bool opens;
    } cases[] = {{100 * PX_MS, 101 * PX_MS, false},
                 {100 * PX_MS, 5 * PX_S, true},
                 {100 * PX_MS, 0, true},
                 {600 * PX_MS, 601 * PX_MS, true}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct answer late = {.fail = PX_HTTP_TIMEOUT, .sent = true, .takes_ns = cases[i].takes_ns};
        const struct answer answers[] = {late, late, late, late};
        struct flow_rig f;
        send_open(&f, ONE, "{'path':'/a'}", limits, true, answers, PX_COUNT(answers));
        for (int n = 0; n < 4; n++) {
            struct told told = {0};
            uint64_t end = px_loop_now(f.rig.loop) + cases[i].deadline_ns;
            struct px_route_call_opts opts = {.deadline_ns = cases[i].deadline_ns ? end : 0};
            call_run(&f, &told, NULL, &opts);
            if (told.error.code != (n == 3 && cases[i].opens ? PX_CIRCUIT_OPEN : PX_TIMEOUT))
                fail_msg("case %zu, call %d: %d %s", i, n, told.error.code, told.message);
            told_free(&told);
        }
        flow_close(&f);
    }
}

/* ---- keys ---- */

static const char *header_of(const struct flow_rig *f, size_t i, const char *name, char *to, size_t room) {
    const char *at = strstr(f->script.headers[i], name);
    if (!at)
        return NULL;
    at += strlen(name) + 2;
    snprintf(to, room, "%.*s", (int)strcspn(at, "\n"), at);
    return to;
}

static void keys(void **state) {
    (void)state;
    static const struct answer answers[] = {
        {.fail = PX_HTTP_RESET, .sent = true}, {.status = 503}, GOOD, GOOD, GOOD};
    char a[64], b[64];
    struct told told = {0};
    struct flow_rig f;
    send_open(
        &f, ONE,
        "{'path':'/a','method':'POST','idempotency':{'header':'Idempotency-Key'},'body':{'mark':{'$call':'key'}}}",
        EASY, false, answers, PX_COUNT(answers));
    struct px_route_call_opts opts = {.idempotency_key = PX_LIT("the-callers-own")};
    call_run(&f, &told, NULL, &opts);
    assert_false(told.failed);
    for (size_t i = 0; i < 3; i++) { /* the same in every attempt */
        assert_string_equal(header_of(&f, i, "Idempotency-Key", a, sizeof a), "the-callers-own");
        assert_non_null(strstr(f.script.asked[i], "{\"mark\":\"the-callers-own\"}"));
    }
    told_free(&told);
    for (int i = 0; i < 2; i++) { /* made by the host: one a call */
        told = (struct told){0};
        call_run(&f, &told, NULL, NULL);
        assert_false(told.failed);
        told_free(&told);
    }
    assert_non_null(header_of(&f, 3, "Idempotency-Key", a, sizeof a));
    assert_non_null(header_of(&f, 4, "Idempotency-Key", b, sizeof b));
    assert_true(strlen(a) > 20 && strcmp(a, b) != 0);
    flow_close(&f);
}

/* ---- ends ---- */

/* Whenever it is cancelled, nothing of it stays, in the guard neither. */
static void cancels(void **state) {
    (void)state;
    static const struct answer answers[] = {
        {.status = 503, .takes_ns = PX_S}, {.status = 503, .takes_ns = PX_S}, {.never = true}};
    for (int turns = 0; turns < 12; turns++) {
        struct told told = {0};
        struct flow_rig f;
        send_open(
            &f, ONE, "{'path':'/a'}",
            "{'retry':{'attempts':2,'base_ms':2000,'max_ms':2000,'budget_min':10},'breaker':{'enabled':false}}",
            true, answers, PX_COUNT(answers));
        call_begin(&f, &told, NULL, NULL);
        for (int i = 0; i < turns; i++)
            assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
        if (turns % 2)
            px_op_cancel(&told.op);
        px_scope_close(&told.scope);
        assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
        assert_int_equal(told.times, 0);
        assert_int_equal(f.script.alive, 0);
        assert_int_equal(counts(&f).in_flight + counts(&f).waiting, 0);
        told_free(&told);
        flow_close(&f);
    }
}

/* A looked-up value goes the same way. */
static void values_too(void **state) {
    (void)state;
    static const struct answer answers[] = {
        {.status = 503}, {.body = "{\"id\":7}"}, {.expect = "/b/7", .body = "{}"}};
    struct expect want = {PX_OK, 3, NULL};
    sequence("{'upstreams':{'api':{'base_url':'https://api.example.com'}},"
             "'values':{'id':{'route':{'path':'/id'},'at':'/id'}}}",
             "{'path':'/b/{value:id}'}", EASY, true, answers, 3, 0, want);
}

/* Without a guard there is one attempt. */
static void unguarded(void **state) {
    (void)state;
    static const struct answer answers[] = {{.status = 503}};
    struct flow_rig f;
    FLOW(&f, API, "{\"path\":\"/a\"}", "{}", answers);
    fails(&f, NULL, PX_UNAVAILABLE, "503");
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure),
        cmocka_unit_test(what_comes_of_it),
        cmocka_unit_test(rules_decide),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(waiting_is_told),
        cmocka_unit_test(breakers),
        cmocka_unit_test(who_is_in_a_hurry_opens_no_breaker),
        cmocka_unit_test(a_retry_is_told),
        cmocka_unit_test(a_connection_that_was_used_before),
        cmocka_unit_test(keys),
        cmocka_unit_test(cancels),
        cmocka_unit_test(values_too),
        cmocka_unit_test(unguarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
