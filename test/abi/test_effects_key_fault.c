/* A write whose answer is lost, and its repeat with the same key, with each allocation and system call going wrong once: every
 * call ends, and the upstream never sees a second request. */
#include "support/fault.h"
#include <stdbool.h>
static bool sweeping; /* it is the host's turn to go wrong */
#define WEB_BEGIN() fault_off()
#define WEB_END()   (sweeping ? fault_on() : (void)0)
#include "base/log.h"
#include "routes_rig.h"

static unsigned posts;

static void serve(struct web_conn *c, const char *request) {
    if (strncmp(request, "POST", 4) == 0) {
        posts++;
        web_reset(c);
        return;
    }
    web_answer(c, 200, "Connection: close\r\n", posts ? "[{\"id\":1,\"name\":\"x\"}]" : "[]");
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

static int call(struct px_session *session) {
    struct told told = {0};
    struct px_op *op;
    struct px_err err;
    const struct px_call_req req = {
        .kind = PX_CALL_TOOL,
        .item = px_registry_find(px_services_registry(h.services), PX_LIST_TOOLS, PX_LIT("e_found")),
        .args_json = PX_LIT("{\"name\":\"x\"}"),
        .idempotency_key = PX_LIT("k"),
        .timeout_ns = 700 * PX_MS, /* not enough for two looks at what is not there */
    };
    assert_non_null(req.item);
    if (px_gate_call(h.gate, session, &req, &sink, &told, &op, &err))
        return -ENOMEM;
    uint64_t give_up = px_clock_mono_ns() + 15 * PX_S;
    while (!told.done && px_clock_mono_ns() < give_up) {
        int r = px_loop_turn(h.loop, 5 * PX_MS); /* its wait may go wrong as well */
        (void)r;
    }
    assert_true(told.done);
    return told.code ? -EIO : 0;
}

static int scenario(void *user) {
    struct px_session *session = NULL;
    struct px_err err;
    char config[64];
    (void)user;
    fault_off();
    posts = 0;
    test_host_open_web(&h);
    test_host_install(&h, "effects", "effects.so");
    web_open(&peer, h.loop, serve);
    snprintf(config, sizeof config, "{\"base_url\":\"http://127.0.0.1:%u\"}", peer.port);
    const char *const conf[] = {"e", "effects", config, NULL};
    test_host_configure(&h, conf);
    test_host_allow_all(&h);
    fault_on();
    sweeping = true;
    int r = px_session_open(h.gate, h.scope, &(struct px_peer){.uid = 7, .gid = 7}, &session, &err);
    int first = r ? r : call(session), second = r ? r : call(session);
    px_session_close(&session);
    fault_off();
    sweeping = false;
    assert_true(posts <= 1);
    assert_true(posts == 1 || (first && second));
    rig_close();
    fault_on();
    return first ? first : second;
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
