/* Routes and requests in code, with each allocation and system call of their calls going wrong once: every call ends, with an
 * answer or an error, and nothing is left behind. */
#include "support/fault.h"
#include <stdbool.h>
static bool sweeping; /* it is the host's turn to go wrong */
#define WEB_BEGIN() fault_off()
#define WEB_END()   (sweeping ? fault_on() : (void)0)
#include "base/log.h"
#include "routes_rig.h"

static const struct {
    const char *tool, *args;
} calls[] = {
    {"r_get", "{\"id\":\"a\",\"fields\":\"id\"}"},
    {"r_create", "{\"name\":\"x\",\"password\":\"secret words\"}"},
    {"r_fetch", "{\"path\":\"/lines\",\"frame\":2}"},
    {"r_route", "{\"route\":{\"path\":\"/a/{x}\"},\"args\":{\"x\":\"1\"}}"},
};
enum { CALLS = sizeof calls / sizeof *calls };

static void serve(struct web_conn *c, const char *request) {
    (void)request;
    web_answer(c, 200, "Connection: close\r\n", "{\"id\":1}");
    c->closing = true;
    web_flush(c);
}

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

static int make_calls(struct px_session *session) {
    struct told told[CALLS] = {{0}};
    struct px_op *ops[CALLS] = {0};
    int failed = 0;
    for (size_t i = 0; i < CALLS; i++) {
        struct px_call_req req = {
            .kind = PX_CALL_TOOL,
            .item =
                px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, px_str_of(calls[i].tool)),
            .args_json = px_str_of(calls[i].args),
            .timeout_ns = 1 * PX_S,
            .verbose = i == 0,
        };
        struct px_err err;
        int r = px_gate_call(h.gate, session, &req, &sink, &told[i], &ops[i], &err);
        if (r) {
            assert_true(r == -ENOMEM);
            told[i].done = true;
            failed = r;
        }
    }
    uint64_t give_up = px_clock_mono_ns() + 15 * PX_S;
    for (size_t i = 0; i < CALLS; i++) {
        while (!told[i].done && px_clock_mono_ns() < give_up) {
            int r = px_loop_turn(h.loop, 5 * PX_MS); /* its wait may go wrong as well */
            (void)r;
        }
        assert_true(told[i].done);
    }
    for (size_t i = 0; i < CALLS && !failed; i++)
        failed = told[i].code ? -EIO : 0;
    return failed;
}

static int scenario(void *user) {
    struct px_session *session = NULL;
    struct px_err err;
    (void)user;
    fault_off();
    rig_open(serve);
    rig_expect("r_route", "{\"route\":{\"path\":\"/warm\"}}", 0,
               NULL); /* compiles the schema of routes: a test of its own */
    fault_on();
    sweeping = true;
    int r = px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 7, .gid = 7}, &session, &err);
    if (!r)
        r = make_calls(session);
    px_session_close(&session);
    fault_off();
    sweeping = false;
    rig_close();
    fault_on();
    return r;
}

static void every_failure(void **s) {
    (void)s;
    px_log_set_level(PX_LOG_CRITICAL);
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
