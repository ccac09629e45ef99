/* Calls through the whole gate: policy, arguments, deadlines, effects, shapes, and a plugin that does everything wrong. */
#include "base/redact.h"
#include "state/effect.h"
#include "support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct test_host host;

static int open_host(void **s) {
    static const char *const conf[] = {
        "r", "rogue", "{}", "l", "lists", "{}", "slow", "lists", "{\"later\":true}", NULL};
    (void)s;
    test_host_open(&host);
    test_host_install(&host, "rogue", "r.so");
    test_host_install(&host, "lists", "l.so");
    test_host_configure(&host, conf);
    return 0;
}

static int close_host(void **s) {
    (void)s;
    test_host_close(&host);
    px_redact_forget_all();
    return 0;
}

/* A fresh session: labels and token belong to one. */
static void fresh_session(uid_t uid) {
    struct px_err err;
    px_session_close(&host.session);
    assert_int_equal(px_session_open(host.gate, host.scope, &(struct px_peer){.uid = uid, .gid = uid},
                                     &host.session, &err),
                     0);
}

static void expect(const char *tool, const char *args, int32_t code, const char *words) {
    struct test_outcome out;
    bool ends_it = code == PX_OUTCOME_UNKNOWN || strcmp(words, "partial") == 0; /* the deadline does */
    test_call(&host, tool, args, code == PX_TIMEOUT ? 500 : ends_it ? 1500 : 15000, &out);
    const char *said = out.code ? out.message : out.content;
    if (out.code != code || !strstr(said, words))
        fail_msg("%s: code %d, %s; expected %d, \"%s\"", tool, out.code, said, code, words);
    assert_true(out.is_error == (code != 0));
    test_outcome_free(&out);
}

static void misbehaviour(void **s) {
    (void)s;
    expect("r_twice", NULL, 0, "first");
    expect("r_never", NULL, PX_TIMEOUT, "no answer within 5");
    expect("r_late", NULL, PX_TIMEOUT, "no answer within");
    expect("r_bad_json", NULL, PX_INTERNAL, "structured_json");
    expect("r_empty", NULL, PX_INTERNAL, "it is empty");
    expect("r_huge", NULL, PX_TOO_LARGE, "33554432 bytes");
    expect("r_bad_content", NULL, PX_INTERNAL, "content_json");
    expect("r_bad_output", NULL, PX_INTERNAL, "structured_json/n");
    expect("r_good_output", NULL, 0, "12345678901234567890");
    expect("r_stale", NULL, 0, "ok");
    expect("r_stale_op", NULL, 0, "ok");
    expect("r_alloc", NULL, 0, "ok");
    expect("r_op_after_answer", NULL, 0, "ok");
    expect("r_event_scope", NULL, 0, "ok");
    expect("r_wrong_code", NULL, PX_INTERNAL, "?");
    expect("r_on_close", NULL, 0, "ok");
    expect("r_store", NULL, 0, "value");
    expect("r_child", NULL, 0, "-y z");
    expect("r_not_utf8", NULL, 0,
           "a\xef\xbf\xbd"
           "b");
    expect("r_cancel_self", NULL, 0, "ok");
    expect("r_close_foreign", NULL, 0, "ok");
    expect("r_endless_timer", NULL, PX_TIMEOUT, "no answer");
    expect("r_bad_meta", NULL, PX_INTERNAL, "meta_json");
    expect("r_answer_in_cancel", NULL, 0, "partial");
    expect("r_ask_again", NULL, 0, "ok");
    expect("r_bad_ask", NULL, PX_INTERNAL, "the requests of ask()");
    expect("r_worker", NULL, 0, "hi hello");
    expect("r_version", NULL, 0, "1");
    test_host_turns(&host, 750); /* the late answer comes now, to nobody */
    expect("r_version", NULL, 0, "1");
}

static void progress_only_grows(void **s) {
    struct test_outcome out;
    (void)s;
    test_call(&host, "r_progress", NULL, 15000, &out);
    assert_int_equal(out.code, 0);
    assert_non_null(strstr(out.content, "ok"));
    assert_int_equal(out.n_progress, 2);
    assert_int_equal(out.progress[0], 5);
    assert_int_equal(out.progress[1], 9);
    assert_int_equal(out.n_logs, 1);
    test_outcome_free(&out);
}

static void arguments(void **s) {
    (void)s;
    expect("r_version", "{\"x\":1}", PX_INVALID_ARGUMENTS, "x");
    expect("r_version", "[1]", PX_INVALID_ARGUMENTS, "object");
    expect("r_version", "{\"a\":1,\"a\":2}", PX_INVALID_ARGUMENTS, "the same key twice");
    test_host_allow_all(&host);
    expect("r_writes", "{\"wait\":\"yes\"}", PX_INVALID_ARGUMENTS, "true or false");
}

static void policy(void **s) {
    static const px_str writes = PX_LIT_INIT("r_w*"), destroys_named = PX_LIT_INIT("r_destroys"),
                        any = PX_LIT_INIT("r_*");
    struct px_policy p = {.name = PX_LIT("default"), .allow_reads = true};
    struct px_policy_set set = {.policies = &p, .n_policies = 1};
    struct px_err err;
    (void)s;
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    expect("r_writes", NULL, PX_FORBIDDEN, "not read-only");
    expect("r_destroys", NULL, PX_FORBIDDEN, "not read-only");
    p.allow = (struct px_patterns){&writes, 1};
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    expect("r_writes", NULL, 0, "written");
    p.allow = (struct px_patterns){&any, 1};
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    expect("r_destroys", NULL, PX_FORBIDDEN, "may destroy");
    p.allow = (struct px_patterns){&destroys_named, 1};
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    expect("r_destroys", NULL, 0, "destroyed");
    p.deny = (struct px_patterns){&any, 1};
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    expect("r_version", NULL, PX_FORBIDDEN, "denies");
    test_host_allow_all(&host);
}

static void labels_rule(void **s) {
    struct px_policy_set set = {0};
    struct px_err err;
    (void)s;
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    fresh_session(4242);
    expect("r_sends_out", NULL, 0, "ok");
    expect("r_reads_private", NULL, 0, "ok");
    expect("r_sends_out", NULL, 0, "ok");
    expect("r_reads_untrusted", NULL, 0, "ok");
    expect("r_sends_out", NULL, PX_FORBIDDEN, "leak");
    fresh_session(4242);
    expect("r_sends_out", NULL, 0, "ok");
}

static void profiles_and_tokens(void **s) {
    static const px_str any = PX_LIT_INIT("*"), version = PX_LIT_INIT("r_version");
    struct px_policy p = {
        .name = PX_LIT("dev"), .allow = {&any, 1}, .allow_destructive = {&any, 1}, .allow_reads = true};
    struct px_profile profiles[] = {{.name = PX_LIT("ro"), .read_only = true},
                                    {.name = PX_LIT("one"), .allow = {&version, 1}}};
    /* BLAKE2b-256 of "px_0123456789012345678901234567890123456789012" */
    struct px_principal_conf who[] = {
        {.who = PX_LIT("uid:7"), .policy = PX_LIT("dev")},
        {.who = PX_LIT("uid:8"), .refuse = true},
        {.who = PX_LIT("gid:9"), .policy = PX_LIT("dev"), .profile = PX_LIT("ro")},
        {.who = PX_LIT("uid:10"), .policy = PX_LIT("dev"), .profile = PX_LIT("gone")},
    };
    struct px_policy_set set = {&p, 1, profiles, 2, who, 4};
    struct px_err err;
    (void)s;
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    fresh_session(4242);
    expect("r_writes", NULL, PX_FORBIDDEN, "not read-only"); /* nobody said anything of 4242 */
    fresh_session(7);
    expect("r_writes", NULL, 0, "written");
    assert_int_equal(px_session_profile(host.session, PX_LIT("ro"), &err), -EBUSY);
    fresh_session(7);
    assert_int_equal(px_session_profile(host.session, PX_LIT("nope"), &err), -ENOENT);
    assert_int_equal(px_session_profile(host.session, PX_LIT("ro"), &err), 0);
    expect("r_writes", NULL, PX_FORBIDDEN, "read-only");
    expect("r_version", NULL, 0, "1");
    fresh_session(7);
    assert_int_equal(px_session_profile(host.session, PX_LIT("one"), &err), 0);
    expect("r_stale", NULL, PX_FORBIDDEN, "does not include");
    expect("r_version", NULL, 0, "1");
    fresh_session(9);
    expect("r_writes", NULL, PX_FORBIDDEN, "read-only");
    fresh_session(10); /* a profile that is not there is no profile that lets everything through */
    expect("r_version", NULL, PX_FORBIDDEN, "denies");
    struct px_session *none;
    assert_int_equal(px_session_open(host.gate, host.scope, &(struct px_peer){.uid = 8}, &none, &err),
                     -EACCES);
    fresh_session(7);
    assert_int_equal(px_session_token(host.session, PX_LIT("px_wrong-wrong-wrong-wrong-wrong"), &err),
                     -EACCES);
    fresh_session(4242);
    test_host_allow_all(&host);
}

static void administrators(void **s) {
    struct px_principal_conf who[] = {{.who = PX_LIT("uid:0"), .admin = -1},
                                      {.who = PX_LIT("uid:7"), .admin = 1}};
    struct px_policy_set set = {.principals = who, .n_principals = 2};
    struct px_err err;
    (void)s;
    fresh_session(0);
    assert_true(px_session_admin(host.session));
    fresh_session(7);
    assert_false(px_session_admin(host.session));
    assert_int_equal(px_gate_set_policy(host.gate, &set, &err), 0);
    assert_true(px_session_admin(host.session));
    fresh_session(0);
    assert_false(px_session_admin(host.session));
    fresh_session(4242);
    test_host_allow_all(&host);
}

static void budgets(void **s) {
    struct test_outcome out;
    (void)s;
    test_call(&host, "r_big_list", NULL, 15000, &out);
    assert_int_equal(out.code, 0);
    assert_true(strlen(out.structured) <= 64 * 1024);
    assert_non_null(strstr(out.structured, "\"xxxxxxx\"}],\"total\":4000}"));
    assert_non_null(strstr(out.meta, "plexus/truncated"));
    assert_non_null(strstr(out.content, "left out"));
    test_outcome_free(&out);
    test_call(&host, "r_big_text", NULL, 15000, &out);
    assert_int_equal(out.code, 0);
    assert_true(strlen(out.content) < 80 * 1024);
    assert_non_null(strstr(out.content, "left out"));
    test_outcome_free(&out);
    test_call_start_req(&host, "r_big_list", NULL, (struct px_call_req){.result_bytes = 12}, &out);
    while (!out.done)
        test_host_turns(&host, 1);
    assert_int_equal(out.code, PX_TOO_LARGE);
    test_outcome_free(&out);
    test_call_start_req(&host, "r_big_list", NULL, (struct px_call_req){.result_bytes = 1 << 20}, &out);
    while (!out.done)
        test_host_turns(&host, 1);
    assert_null(out.meta);
    test_outcome_free(&out);
}

static void secrets(void **s) {
    struct test_outcome out;
    (void)s;
    test_call(&host, "r_secret", NULL, 15000, &out);
    assert_null(strstr(out.structured, "horse"));
    assert_null(strstr(out.content, "horse"));
    assert_non_null(strstr(out.structured, "[redacted]"));
    test_outcome_free(&out);
}

struct effects {
    bool done;
    uint64_t unknown;
};
static void on_effects(void *user, const struct px_effect_list *list) {
    struct effects *e = user;
    e->done = true;
    e->unknown = list->unknown;
}
static bool effects_done(void *ctx) {
    return ((struct effects *)ctx)->done;
}
static uint64_t unknown_effects(void) {
    struct effects e = {0};
    struct px_op *op;
    struct px_effect_filter filter = {0};
    assert_int_equal(px_effect_list(host.state, host.scope, &filter, on_effects, &e, &op), 0);
    assert_true(test_host_until(&host, effects_done, &e));
    return e.unknown;
}

static void effects(void **s) {
    struct test_outcome out;
    int32_t last;
    (void)s;
    uint64_t before = unknown_effects();
    expect("r_writes", NULL, 0, "written");
    assert_int_equal(unknown_effects(), before);
    expect("r_writes", "{\"wait\":true}", PX_OUTCOME_UNKNOWN, "may or may not");
    assert_int_equal(unknown_effects(), before + 1);
    test_call_start(&host, "r_writes", "{\"wait\":true}", &out);
    test_host_turns(&host, 60);
    px_op_cancel(&out.op);
    assert_false(out.done);
    assert_true(test_log_count(&host, &last) > 0);
    assert_int_equal(last, PX_OUTCOME_UNKNOWN);
    assert_int_equal(unknown_effects(), before + 2);
}

static void cancel_in_every_state(void **s) {
    struct test_outcome out;
    int32_t last;
    (void)s;
    for (int turns = 0; turns < 6; turns++) {
        test_call_start(&host, turns % 2 ? "r_writes" : "r_never", turns % 2 ? "{\"wait\":true}" : NULL,
                        &out);
        for (int i = 0; i < turns; i++)
            assert_int_equal(px_loop_turn(host.loop, 0), 0);
        px_op_cancel(&out.op);
        test_host_turns(&host, 20);
        assert_false(out.done);
    }
    test_call_start(&host, "r_version", NULL, &out); /* answered, not yet told */
    assert_int_equal(px_loop_turn(host.loop, 0), 0);
    if (!out.done)
        px_op_cancel(&out.op);
    test_outcome_free(&out);
    test_log_count(&host, &last);
    struct px_gate_stats stats;
    px_gate_stats_get(host.gate, &stats);
    assert_int_equal(stats.in_flight, 0);
    /* a session that closes ends its calls */
    test_call_start(&host, "r_never", NULL, &out);
    test_host_turns(&host, 10);
    fresh_session(4242);
    assert_false(out.done);
    px_gate_stats_get(host.gate, &stats);
    assert_int_equal(stats.in_flight, 0);
}

static void in_flight_caps(void **s) {
    struct test_outcome out[5];
    (void)s;
    px_gate_set_limits(host.gate, &(struct px_gate_limits){.in_flight = 100, .in_flight_per_principal = 3});
    for (int i = 0; i < 4; i++)
        test_call_start(&host, "r_never", NULL, &out[i]);
    test_host_turns(&host, 20);
    assert_true(out[3].done);
    assert_int_equal(out[3].code, PX_RATE_LIMITED);
    assert_false(out[0].done || out[1].done || out[2].done);
    test_outcome_free(&out[3]);
    for (int i = 0; i < 3; i++)
        px_op_cancel(&out[i].op);
    expect("r_version", NULL, 0, "1");
    px_gate_set_limits(host.gate, &(struct px_gate_limits){0});
}

static void ask_and_answer(void **s) {
    struct test_outcome out, again;
    struct px_call_req req = {.caps_json = PX_LIT("{\"elicitation\":{}}"),
                              .responses_json = PX_LIT("{\"q\":{\"action\":\"accept\"}}")};
    (void)s;
    test_call(&host, "r_ask", NULL, 15000, &out);
    assert_true(out.asks);
    assert_non_null(out.request_state);
    req.request_state = px_str_of(out.request_state);
    test_call_start_req(&host, "r_ask", NULL, req, &again);
    while (!again.done)
        test_host_turns(&host, 1);
    assert_non_null(strstr(again.content, "thank you"));
    test_outcome_free(&again);
    /* another tool, another principal, a changed byte: refused */
    test_call_start_req(&host, "r_version", NULL, req, &again);
    while (!again.done)
        test_host_turns(&host, 1);
    assert_int_equal(again.code, PX_INVALID_ARGUMENTS);
    test_outcome_free(&again);
    fresh_session(77);
    test_call_start_req(&host, "r_ask", NULL, req, &again);
    while (!again.done)
        test_host_turns(&host, 1);
    assert_int_equal(again.code, PX_INVALID_ARGUMENTS);
    test_outcome_free(&again);
    fresh_session(4242);
    out.request_state[5] = out.request_state[5] == 'A' ? 'B' : 'A';
    test_call_start_req(&host, "r_ask", NULL, req, &again);
    while (!again.done)
        test_host_turns(&host, 1);
    assert_int_equal(again.code, PX_INVALID_ARGUMENTS);
    test_outcome_free(&again);
    test_outcome_free(&out);
    /* a planner that cannot be asked */
    test_call_start(&host, "r_ask", NULL, &out);
    while (!out.done)
        test_host_turns(&host, 1);
    assert_non_null(strstr(out.content, "cannot ask"));
    test_outcome_free(&out);
}

static void other_kinds(void **s) {
    struct test_outcome out;
    (void)s;
    test_call_start_req(&host, "l_greet", "{\"who\":\"me\"}", (struct px_call_req){.kind = PX_CALL_PROMPT},
                        &out);
    while (!out.done)
        test_host_turns(&host, 1);
    assert_non_null(strstr(out.result, "hello"));
    test_outcome_free(&out);
    test_call_start_req(&host, "test://item/7", NULL, (struct px_call_req){.kind = PX_CALL_READ}, &out);
    while (!out.done)
        test_host_turns(&host, 1);
    assert_non_null(strstr(out.result, "\"7\""));
    test_outcome_free(&out);
    assert_null(px_registry_find_uri(px_services_registry(host.services), PX_LIT("test://item/7/8")));
    assert_null(px_registry_find_uri(px_services_registry(host.services), PX_LIT("test://item/")));
}

static unsigned changes;
static void on_change(void *ctx, enum px_list list) {
    (void)ctx;
    changes += list == PX_LIST_TOOLS;
}
static void on_touch(void *ctx, px_str uri) {
    (void)ctx;
    (void)uri;
}

static void lists_change(void **s) {
    struct px_registry *registry = px_services_registry(host.services);
    struct px_registry_sink sink = {on_change, on_touch, NULL};
    (void)s;
    assert_int_equal(px_registry_listen(registry, &sink), 0);
    assert_null(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("l_extra")));
    expect("l_more", NULL, 0, "ok");
    test_host_turns(&host, 10);
    assert_int_equal(changes, 1);
    struct px_item *extra = px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("l_extra"));
    assert_non_null(extra);
    expect("l_extra", NULL, 0, "ok"); /* a bad list is refused and changes nothing */
    assert_int_equal(changes, 1);
    extra = px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("l_more"));
    assert_non_null(strstr(extra->listed.p, "\"x\\u0061\":1"));
    expect("l_less", NULL, 0, "ok");
    assert_null(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("l_extra")));
    for (size_t i = 1; i < px_registry_count(registry, PX_LIST_TOOLS); i++)
        assert_true(px_str_cmp(px_registry_at(registry, PX_LIST_TOOLS, i - 1)->name,
                               px_registry_at(registry, PX_LIST_TOOLS, i)->name) < 0);
}

static void paused(void **s) {
    (void)s;
    assert_int_equal(px_services_pause(host.services, PX_LIT("nobody"), true), -ENOENT);
    assert_int_equal(px_services_pause(host.services, PX_LIT("r"), true), 0);
    expect("r_version", NULL, PX_UNAVAILABLE, "paused");
    expect("l_less", NULL, 0, "ok");
    assert_int_equal(px_services_pause(host.services, PX_LIT("all"), true), 0);
    expect("l_less", NULL, PX_UNAVAILABLE, "paused");
    assert_int_equal(px_services_pause(host.services, PX_LIT("all"), false), 0);
    expect("r_version", NULL, 0, "1");
}

static void colliding_names(void **s) {
    static const char *const conf[] = {"r",
                                       "rogue",
                                       "{}",
                                       "l",
                                       "lists",
                                       "{}",
                                       "slow",
                                       "lists",
                                       "{\"later\":true}",
                                       "a_very_long_service_name_of_32ch",
                                       "lists",
                                       "{}",
                                       NULL};
    (void)s;
    test_host_configure(&host, conf);
    const struct px_registry *registry = px_services_registry(host.services);
    assert_non_null(
        px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("a_very_long_service_name_of_32ch_more")));
    assert_non_null(px_registry_find(registry, PX_LIST_TOOLS, PX_LIT("slow_more")));
    /* three services list the same URI: it is the first one's, and listed once */
    assert_int_equal(px_registry_count(registry, PX_LIST_RESOURCES), 1);
    struct px_item *one = px_registry_find(registry, PX_LIST_RESOURCES, PX_LIT("test://one"));
    assert_true(px_str_is(one->service, "a_very_long_service_name_of_32ch"));
    static const char *const fewer[] = {"r", "rogue", "{}", "l", "lists", "{}", NULL};
    test_host_configure(&host, fewer);
    one = px_registry_find(registry, PX_LIST_RESOURCES, PX_LIT("test://one"));
    assert_true(px_str_is(one->service, "l"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misbehaviour),
        cmocka_unit_test(progress_only_grows),
        cmocka_unit_test(arguments),
        cmocka_unit_test(policy),
        cmocka_unit_test(labels_rule),
        cmocka_unit_test(profiles_and_tokens),
        cmocka_unit_test(administrators),
        cmocka_unit_test(budgets),
        cmocka_unit_test(secrets),
        cmocka_unit_test(effects),
        cmocka_unit_test(cancel_in_every_state),
        cmocka_unit_test(in_flight_caps),
        cmocka_unit_test(ask_and_answer),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(lists_change),
        cmocka_unit_test(paused),
        cmocka_unit_test(colliding_names),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
