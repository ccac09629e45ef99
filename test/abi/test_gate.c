/* What the gate promises about time, numbers and the disk. */
#include "base/redact.h"
#include "state/calllog.h"
#include "support/fault_vfs.h"
#include "support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct test_host host;

static int open_host(void **s) {
    static const char *const conf[] = {"r", "rogue", "{}", NULL};
    (void)s;
    test_host_open_on(&host, fault_vfs_name());
    test_host_install(&host, "rogue", "r.so");
    test_host_configure(&host, conf);
    test_host_allow_all(&host);
    return 0;
}

static int close_host(void **s) {
    (void)s;
    test_host_close(&host);
    px_redact_forget_all();
    return 0;
}

static bool is_done(void *ctx) {
    return ((struct test_outcome *)ctx)->done;
}

/* How long a call that is never answered was given, in ms, by what the caller asked for. */
static unsigned given_ms(uint64_t asked_ns) {
    struct test_outcome out;
    unsigned ms = 0;
    test_call_start_req(&host, "r_never", NULL, (struct px_call_req){.timeout_ns = asked_ns}, &out);
    assert_true(test_host_until(&host, is_done, &out));
    assert_int_equal(out.code, PX_TIMEOUT);
    assert_int_equal(sscanf(out.message, "no answer within %u ms", &ms), 1);
    test_outcome_free(&out);
    return ms;
}

static void deadlines(void **s) {
    (void)s;
    px_gate_set_limits(host.gate,
                       &(struct px_gate_limits){.timeout_ns = 60 * PX_MS, .max_timeout_ns = 200 * PX_MS});
    unsigned by_default = given_ms(0), lowered = given_ms(10 * PX_MS), raised = given_ms(120 * PX_MS),
             capped = given_ms(3600 * PX_S);
    assert_true(by_default >= 60 && by_default < 110);
    assert_true(lowered >= 10 && lowered < 60);
    assert_true(raised >= 120 && raised < 190);
    assert_true(capped >= 200 && capped < 1000);
    px_gate_set_limits(host.gate, &(struct px_gate_limits){0});
}

/* The cap is on all principals together. */
static void calls_in_all(void **s) {
    struct test_outcome out[4];
    struct px_session *first = host.session, *second;
    struct px_err err;
    (void)s;
    px_gate_set_limits(host.gate, &(struct px_gate_limits){.in_flight = 3, .in_flight_per_principal = 3});
    assert_int_equal(
        px_session_open(host.gate, host.scope, &(struct px_peer){.uid = 77, .gid = 77}, &second, &err), 0);
    test_call_start(&host, "r_never", NULL, &out[0]);
    test_call_start(&host, "r_never", NULL, &out[1]);
    host.session = second;
    test_call_start(&host, "r_never", NULL, &out[2]);
    test_call_start(&host, "r_never", NULL, &out[3]);
    test_host_turns(&host, 20);
    assert_false(out[0].done || out[1].done || out[2].done);
    assert_true(out[3].done);
    assert_int_equal(out[3].code, PX_RATE_LIMITED);
    assert_non_null(strstr(out[3].message, "in all"));
    test_outcome_free(&out[3]);
    for (int i = 0; i < 3; i++)
        px_op_cancel(&out[i].op);
    host.session = first;
    px_session_close(&second);
    px_gate_set_limits(host.gate, &(struct px_gate_limits){0});
}

static bool healthy(void *ctx) {
    struct px_state_health health;
    (void)ctx;
    px_state_health_get(host.state, &health);
    return health.health == PX_HEALTH_OK;
}

static void expect(const char *tool, int32_t code, const char *words) {
    struct test_outcome out;
    test_call(&host, tool, NULL, 5000, &out);
    const char *said = out.code ? out.message : out.content;
    if (out.code != code || !strstr(said, words))
        fail_msg("%s: code %d, %s; expected %d, \"%s\"", tool, out.code, said, code, words);
    test_outcome_free(&out);
}

/* A full disk: a tool that writes is refused before it is dispatched, a tool that reads goes on; it mends by itself. This also
 * shows that the effect comes first: the plugin would have said "written". */
static void full_disk(void **s) {
    (void)s;
    expect("r_writes", 0, "written");
    fault_vfs.io = SQLITE_FULL;
    expect("r_writes", PX_UNAVAILABLE, "nothing was done");
    expect("r_version", 0, "1");
    expect("r_writes", PX_UNAVAILABLE, "disk is full");
    fault_vfs.io = 0;
    assert_true(test_host_until(&host, healthy, NULL));
    expect("r_writes", 0, "written");
}

static void expect_keyed(const char *key, int32_t code, const char *words, bool replayed) {
    struct test_outcome out;
    test_call_start_req(&host, "r_writes", NULL, (struct px_call_req){.idempotency_key = px_str_of(key)},
                        &out);
    assert_true(test_host_until(&host, is_done, &out));
    if (out.code != code || !strstr(out.content, words) ||
        (out.meta && strstr(out.meta, "replayed")) != replayed)
        fail_msg("%s: code %d, %s, %s", key, out.code, out.content, out.meta ? out.meta : "");
    test_outcome_free(&out);
}

/* What was done is known on a full disk, too; what was refused there has left its key free. */
static void full_disk_and_keys(void **s) {
    (void)s;
    expect_keyed("k", 0, "written", false);
    fault_vfs.io = SQLITE_FULL;
    expect_keyed("l", PX_UNAVAILABLE, "nothing was done", false);
    expect_keyed("k", 0, "written", true);
    expect_keyed("l", PX_UNAVAILABLE, "nothing was done", false);
    fault_vfs.io = 0;
    assert_true(test_host_until(&host, healthy, NULL));
    expect_keyed("l", 0, "written", false);
    expect_keyed("l", 0, "written", true);
}

struct rows {
    bool done;
    unsigned bad;
    char words[512];
};

static void on_rows(void *user, const struct px_calllog_rows *rows) {
    struct rows *r = user;
    r->done = true;
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct px_calllog_row *row = &rows->rows[i];
        if (row->id.n != 26 || !px_str_is(row->principal, "uid:4242") || !px_str_is(row->service, "r") ||
            row->digest.n != 32)
            r->bad++;
    }
    const struct px_calllog_row *last = rows->n ? &rows->rows[rows->n - 1] : NULL;
    if (last)
        snprintf(r->words, sizeof r->words, PX_FMT " " PX_FMT " %d " PX_FMT, PX_ARG(last->tool),
                 PX_ARG(last->args), last->code, PX_ARG(last->detail));
}

static bool rows_done(void *ctx) {
    return ((struct rows *)ctx)->done;
}

/* One row for each call, also for one that was refused, with its secrets gone. */
static void one_row_each(void **s) {
    struct rows rows = {0};
    struct px_op *op;
    struct px_calllog_filter filter = {.limit = 1000, .principal = PX_LIT("uid:4242")};
    struct test_outcome out;
    (void)s;
    size_t before = test_log_count(&host, NULL);
    assert_int_equal(px_redact_add(PX_LIT("very-secret-value")), 0);
    expect("r_version", 0, "1");
    test_call(&host, "r_writes", "{\"wait\":\"very-secret-value\"}", 15000, &out);
    assert_int_equal(out.code, PX_INVALID_ARGUMENTS);
    assert_null(strstr(out.content, "very-secret-value"));
    assert_null(strstr(out.structured, "very-secret-value"));
    test_outcome_free(&out);
    assert_int_equal(test_log_count(&host, NULL), before + 2);
    assert_int_equal(px_calllog_query(host.state, host.scope, &filter, on_rows, &rows, &op), 0);
    assert_true(test_host_until(&host, rows_done, &rows));
    assert_int_equal(rows.bad, 0);
    assert_non_null(strstr(rows.words, "r_writes"));
    assert_non_null(strstr(rows.words, "[redacted]"));
    assert_null(strstr(rows.words, "very-secret-value"));
    px_redact_remove(PX_LIT("very-secret-value"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines),          cmocka_unit_test(calls_in_all), cmocka_unit_test(full_disk),
        cmocka_unit_test(full_disk_and_keys), cmocka_unit_test(one_row_each),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
