/* Reads that are the same and run at once are one request. */
#include "unit/send_help.h"

#define ONE "{'upstreams':{'api':{'base_url':'https://api.example.com'}}}"
enum { CALLS = 6 };
static const struct answer slow = {.body = "{\"ok\":true}", .takes_ns = PX_S};

static void settle(struct flow_rig *f, struct told *told, size_t n) {
    for (size_t i = 0; i < n; i++)
        call_wait(f, &told[i]);
}

static void same(void **state) {
    (void)state;
    const struct answer answers[] = {slow, slow};
    struct told told[CALLS] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 2);
    for (int i = 0; i < CALLS; i++) /* each with a trace of its own */
        call_begin(&f, &told[i], NULL,
                   &(struct px_route_call_opts){.traceparent = i % 2 ? PX_LIT("00-x") : PX_LIT("00-y")});
    settle(&f, told, CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_string_equal(told[i].structured, "{\"ok\":true}");
        told_free(&told[i]);
    }
    assert_int_equal(f.script.at, 1);
    assert_int_equal(counts(&f).shared, CALLS - 1);
    assert_int_equal(counts(&f).requests, 1);
    struct told later = {0}; /* at once, not ever after */
    call_run(&f, &later, NULL, NULL);
    assert_int_equal(f.script.at, 2);
    told_free(&later);
    flow_close(&f);
}

/* Another's answer is nobody else's; nor is one to something else. */
static void not_the_same(void **state) {
    (void)state;
    const struct answer answers[] = {slow, slow, slow};
    struct told told[3] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 3);
    call_begin(&f, &told[0], NULL, NULL);
    call_begin(&f, &told[1], NULL, &(struct px_route_call_opts){.principal = PX_LIT("uid:1")});
    call_begin(&f, &told[2], NULL, &(struct px_route_call_opts){.principal = PX_LIT("uid:2")});
    settle(&f, told, 3);
    for (int i = 0; i < 3; i++)
        told_free(&told[i]);
    assert_int_equal(f.script.at, 3);
    assert_int_equal(counts(&f).shared, 0);
    flow_close(&f);
}

static void writes_are_not(void **state) {
    (void)state;
    const struct answer answers[] = {slow, slow};
    struct told told[2] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a','method':'PUT'}", EASY, false, answers, 2);
    call_begin(&f, &told[0], NULL, NULL);
    call_begin(&f, &told[1], NULL, NULL);
    settle(&f, told, 2);
    assert_int_equal(f.script.at, 2);
    told_free(&told[0]);
    told_free(&told[1]);
    flow_close(&f);
}

static void switched_off(void **state) {
    (void)state;
    const struct answer answers[] = {slow, slow};
    struct told told[2] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", "{'coalesce':false}", true, answers, 2);
    call_begin(&f, &told[0], NULL, NULL);
    call_begin(&f, &told[1], NULL, NULL);
    settle(&f, told, 2);
    assert_int_equal(f.script.at, 2);
    told_free(&told[0]);
    told_free(&told[1]);
    flow_close(&f);
}

/* Whose request it was goes: the next one sends it, and the others follow that. */
static void the_first_goes(void **state) {
    (void)state;
    const struct answer answers[] = {{.never = true}, {.never = true}, slow};
    struct told told[CALLS] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 3);
    for (int i = 0; i < CALLS; i++)
        call_begin(&f, &told[i], NULL, NULL);
    px_op_cancel(&told[0].op);
    px_scope_close(&told[3].scope); /* one who follows */
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    assert_int_equal(f.script.at, 2);
    px_scope_close(&told[1].scope);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    assert_int_equal(f.script.at, 3);
    call_wait(&f, &told[2]);
    call_wait(&f, &told[4]);
    call_wait(&f, &told[5]);
    assert_int_equal(told[0].times + told[1].times + told[3].times, 0);
    assert_string_equal(told[5].structured, "{\"ok\":true}");
    for (int i = 0; i < CALLS; i++)
        told_free(&told[i]);
    assert_int_equal(counts(&f).in_flight, 0);
    flow_close(&f);
}

/* All of them go: so does the request. */
static void all_go(void **state) {
    (void)state;
    const struct answer answers[] = {{.never = true}};
    struct told told[3] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 1);
    for (int i = 0; i < 3; i++)
        call_begin(&f, &told[i], NULL, NULL);
    for (int i = 2; i >= 0; i--)
        px_scope_close(&told[i].scope);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    assert_int_equal(f.script.alive, 0);
    for (int i = 0; i < 3; i++)
        told_free(&told[i]);
    flow_close(&f);
}

/* Each has a deadline of its own. */
static void deadlines(void **state) {
    (void)state;
    const struct answer answers[] = {{.body = "{\"ok\":true}", .takes_ns = 10 * PX_S}};
    struct told told[2] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 1);
    uint64_t now = px_loop_now(f.rig.loop);
    call_begin(&f, &told[0], NULL, &(struct px_route_call_opts){.deadline_ns = now + 20 * PX_S});
    call_begin(&f, &told[1], NULL, &(struct px_route_call_opts){.deadline_ns = now + 2 * PX_S});
    call_wait(&f, &told[1]);
    assert_int_equal(told[1].error.code, PX_TIMEOUT);
    assert_true(px_loop_now(f.rig.loop) - now < 3 * PX_S);
    call_wait(&f, &told[0]);
    assert_false(told[0].failed);
    told_free(&told[0]);
    told_free(&told[1]);
    flow_close(&f);
}

/* Who does not have the time that the first one is going to wait is told at once, whether he came before that or after. */
static void in_a_hurry(void **state) {
    (void)state;
    const struct answer answers[] = {{.status = 429, .headers = {"retry-after: 10"}, .takes_ns = PX_S}, slow};
    struct told told[4] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 2);
    uint64_t now = px_loop_now(f.rig.loop);
    const struct px_route_call_opts patient = {.deadline_ns = now + 60 * PX_S},
                                    hurried = {.deadline_ns = now + 6 * PX_S};
    call_begin(&f, &told[0], NULL, &patient);
    call_begin(&f, &told[1], NULL, &hurried);
    call_begin(&f, &told[2], NULL, &patient);
    call_wait(&f, &told[1]);
    assert_int_equal(told[1].error.code, PX_RATE_LIMITED);
    assert_true(told[1].error.retry_after_ms >= 9000);
    call_begin(&f, &told[3], NULL, &hurried);
    call_wait(&f, &told[3]);
    assert_int_equal(told[3].error.code, PX_RATE_LIMITED);
    assert_true(px_loop_now(f.rig.loop) - now < 2 * PX_S);
    call_wait(&f, &told[0]);
    call_wait(&f, &told[2]);
    assert_false(told[0].failed || told[2].failed);
    assert_int_equal(f.script.at, 2);
    for (int i = 0; i < 4; i++)
        told_free(&told[i]);
    flow_close(&f);
}

/* A failure is everybody's; each is told it by its own rules. */
static void failures(void **state) {
    (void)state;
    const struct answer answers[] = {{.status = 404, .takes_ns = PX_S}};
    struct told told[3] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 1);
    for (int i = 0; i < 3; i++)
        call_begin(&f, &told[i], NULL, NULL);
    told[1].classify_as = PX_FORBIDDEN;
    settle(&f, told, 3);
    assert_int_equal(told[0].error.code, PX_NOT_FOUND);
    assert_int_equal(told[1].error.code, PX_FORBIDDEN);
    assert_int_equal(told[2].error.code, PX_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        told_free(&told[i]);
    flow_close(&f);
}

/* Those who are told may end themselves, and with them the first. */
static void ended_meanwhile(void **state) {
    (void)state;
    const struct answer answers[] = {slow};
    struct told told[3] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 1);
    for (int i = 0; i < 3; i++) {
        told[i].close_in_done = i == 1;
        told[i].close_in_classify = i == 2;
        call_begin(&f, &told[i], NULL, NULL);
    }
    call_wait(&f, &told[0]);
    assert_int_equal(told[1].times, 1);
    assert_int_equal(told[2].times, 0);
    for (int i = 0; i < 3; i++)
        told_free(&told[i]);
    flow_close(&f);
}

/* One who is told may end others who are being told, and they are told nothing. */
static void ended_by_another(void **state) {
    (void)state;
    const struct answer answers[] = {slow};
    struct told told[4] = {{0}};
    struct flow_rig f;
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 1);
    for (int i = 0; i < 4; i++)
        call_begin(&f, &told[i], NULL, NULL);
    told[1].other_in_classify = &told[2].scope;
    call_wait(&f, &told[0]);
    call_wait(&f, &told[1]);
    call_wait(&f, &told[3]);
    assert_int_equal(told[2].times, 0);
    assert_int_equal(told[2].classified, 0);
    for (int i = 0; i < 4; i++)
        told_free(&told[i]);
    flow_close(&f);
}

/* What was read before a write is not given to who reads after it. */
static void reads_after_writes(void **state) {
    (void)state;
    const struct answer answers[] = {{.expect = "GET", .body = "{\"v\":1}", .takes_ns = 5 * PX_S},
                                     {.expect = "PUT", .body = "{}"},
                                     {.expect = "GET", .body = "{\"v\":2}"}};
    static const char put[] = "{\"path\":\"/a\",\"method\":\"PUT\"}";
    const struct px_route *get;
    struct px_route *write = NULL;
    struct told told[3] = {{0}};
    struct flow_rig f;
    struct px_err err = {0};
    send_open(&f, ONE, "{'path':'/a'}", EASY, true, answers, 3);
    const struct px_route_opts opts = {.api = f.api};
    assert_int_equal(px_route_compile(px_str_of(put), &opts, &write, &err), 0);
    get = f.route;
    call_begin(&f, &told[0], NULL, NULL);
    f.route = write;
    call_run(&f, &told[1], NULL, NULL);
    f.route = (struct px_route *)(uintptr_t)get;
    call_run(&f, &told[2], NULL, NULL);
    assert_string_equal(told[2].structured, "{\"v\":2}");
    call_wait(&f, &told[0]);
    for (int i = 0; i < 3; i++)
        told_free(&told[i]);
    px_route_destroy(write);
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same),
        cmocka_unit_test(not_the_same),
        cmocka_unit_test(writes_are_not),
        cmocka_unit_test(switched_off),
        cmocka_unit_test(the_first_goes),
        cmocka_unit_test(all_go),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(in_a_hurry),
        cmocka_unit_test(failures),
        cmocka_unit_test(ended_meanwhile),
        cmocka_unit_test(ended_by_another),
        cmocka_unit_test(reads_after_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
