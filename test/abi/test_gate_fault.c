/* The whole gate, with each allocation and system call of a session and its calls going wrong once: every call that was
 * accepted ends, with an answer or an error, and nothing is left behind. */
#include "base/log.h"
#include "base/redact.h"
#include "support/fault.h"
#include "support/host.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *tool, *args;
} calls[] = {
    {"r_version", NULL},     {"r_version", "{\"x\":1}"},
    {"r_writes", "{}"},      {"r_progress", NULL},
    {"r_good_output", "{}"}, {"r_store", NULL},
    {"r_ask", NULL},         {"r_event_scope", "{\"once\":true}"},
    {"r_big_list", NULL},    {"r_on_close", NULL},
    {"r_secret", NULL},      {"r_never", NULL},
};
enum { CALLS = sizeof calls / sizeof *calls };

struct told {
    bool done;
    int32_t code;
};

static void on_done(void *user, const struct px_result *result) {
    struct told *told = user;
    assert_false(told->done);
    told->done = true;
    told->code = result->code;
}

static const struct px_call_sink sink = {.done = on_done};

static int make_calls(struct test_host *host, struct px_session *session) {
    struct told told[CALLS] = {{0}};
    struct px_op *ops[CALLS] = {0};
    int failed = 0;
    for (size_t i = 0; i < CALLS; i++) {
        struct px_call_req req = {
            .kind = PX_CALL_TOOL,
            .item = px_registry_find(px_services_registry(host->services), PX_LIST_TOOLS,
                                     px_str_of(calls[i].tool)),
            .args_json = calls[i].args ? px_str_of(calls[i].args) : (px_str){0},
            .caps_json = PX_LIT("{\"elicitation\":{}}"),
            .timeout_ns = i == CALLS - 1 ? 20 * PX_MS : 300 * PX_MS,
        };
        struct px_err err;
        int r = px_gate_call(host->gate, session, &req, &sink, &told[i], &ops[i], &err);
        if (r) {
            assert_true(r == -ENOMEM);
            told[i].done = true;
            failed = r;
        }
    }
    uint64_t give_up = px_clock_mono_ns() + 15 * PX_S;
    for (size_t i = 0; i < CALLS; i++) {
        while (!told[i].done && px_clock_mono_ns() < give_up) {
            int r = px_loop_turn(host->loop, 5 * PX_MS); /* its wait may go wrong as well */
            (void)r;
        }
        assert_true(told[i].done);
    }
    for (size_t i = 0; i < CALLS && !failed; i++) {
        bool expected = i == 1           ? told[i].code == PX_INVALID_ARGUMENTS
                        : i == CALLS - 1 ? told[i].code == PX_TIMEOUT
                                         : !told[i].code;
        failed = expected ? 0 : -EIO;
    }
    return failed;
}

static int scenario(void *user) {
    static const char *const conf[] = {"r", "rogue", "{}", NULL};
    struct test_host host;
    struct px_session *session = NULL;
    struct px_err err;
    (void)user;
    fault_off();
    test_host_open(&host);
    test_host_install(&host, "rogue", "r.so");
    test_host_configure(&host, conf);
    test_host_allow_all(&host);
    fault_on();
    int r = px_session_open(host.gate, host.scope, &(struct px_peer){.uid = 7, .gid = 7}, &session, &err);
    if (!r)
        r = make_calls(&host, session);
    px_session_close(&session);
    fault_off();
    test_host_close(&host);
    px_redact_forget_all();
    fault_on();
    return r;
}

static void every_failure(void **s) {
    (void)s;
    px_log_set_level(PX_LOG_CRITICAL);
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 50);
}

static void every_interruption(void **s) {
    (void)s;
    fault_sweep(FAULT_INTERRUPT, scenario, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure), cmocka_unit_test(every_interruption)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
