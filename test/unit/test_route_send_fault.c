/* Each allocation goes wrong once while requests are guarded, repeated and shared: they fail with words, or get through; nothing is
 * left behind, in the guard neither. */
#include "support/fault.h"
#include "unit/send_help.h"

struct play {
    const char *route;
    const struct answer *answers;
    size_t n;
    unsigned calls;
    bool read_only;
};

struct heard {
    int times;
    int32_t code;
};

static void hear(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct heard *heard = user;
    fault_off();
    heard->times++;
    heard->code = error ? error->code : PX_OK;
    assert_true(reply || error->message.n > 0);
    fault_on();
}

static void idle(struct flow_rig *f) {
    struct counted counted = {0};
    fault_off();
    if (f->guards)
        px_guards_each(f->guards, count_one, &counted);
    assert_int_equal(counted.stats.in_flight + counted.stats.waiting, 0);
    fault_on();
}

static int run(struct flow_rig *f, const struct play *play) {
    static const struct px_route_sink sink = {.done = hear};
    struct px_route_call_opts opts = {.route = f->route,
                                      .site = f->site,
                                      .tool = PX_LIT("t"),
                                      .principal = PX_LIT("uid:0"),
                                      .idempotency_key = PX_LIT("k"),
                                      .args_json = PX_LIT("{}")};
    struct heard heard[3] = {{0}};
    struct px_scope *scopes[3] = {NULL};
    struct px_op *op;
    struct px_err err = {0};
    int r = 0;
    unsigned told = 0, n = 0;
    for (; !r && n < play->calls; n++) {
        r = px_scope_open(f->rig.loop, f->rig.scope, "call", 0, &scopes[n]);
        if (!r)
            r = px_route_call(scopes[n], &opts, &sink, &heard[n], &op, &err);
    }
    for (int i = 0; !r && told < n && i < 200; i++) {
        r = px_loop_turn(f->rig.loop, PX_S);
        told = 0;
        for (unsigned c = 0; c < n; c++)
            told += heard[c].times > 0;
    }
    for (unsigned c = 0; c < n; c++) {
        assert_true(heard[c].times <= 1);
        if (!r && heard[c].code != PX_OK)
            r = -ENOMEM;
        px_scope_close(&scopes[c]);
    }
    return r;
}

static int scenario(void *user) {
    static const char api[] =
        "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\",\"quotas\":[{\"limit\":"
        "{\"header\":\"x-limit\"},\"remaining\":{\"body\":\"/left\"},\"reset\":5}]}}}";
    const struct play *play = user;
    struct flow_rig f = {.vetted = true};
    struct px_err err = {0};
    struct px_loop_clock clock = fake_clock(&f.rig.clock);
    f.rig.clock.now_ns = 1000;
    f.script.answers = play->answers;
    f.script.n = play->n;
    int r = px_loop_create(&(struct px_loop_opts){.clock = &clock}, &f.rig.loop, &err);
    if (!r)
        r = px_scope_open(f.rig.loop, NULL, "fault", 0, &f.rig.scope);
    if (!r)
        r = px_guards_create(&(struct px_guards_opts){.loop = f.rig.loop, .seed = 7}, &f.guards, &err);
    if (!r)
        r = flow_try_open(&f, api, play->route, "{\"type\":\"object\",\"properties\":{}}", play->read_only,
                          &err);
    if (!r)
        r = run(&f, play);
    if (f.rig.loop)
        px_scope_close(&f.rig.scope);
    if (f.site)
        idle(&f);
    px_site_destroy(&f.site);
    px_route_destroy(f.route);
    px_api_destroy(f.api);
    if (f.guards)
        px_guards_destroy(&f.guards);
    px_loop_destroy(f.rig.loop);
    assert_int_equal(f.script.alive, 0);
    return r;
}

#define FEW                                                                                                  \
    { .headers = {"x-limit: 9"}, .body = "{\"left\":5}", .takes_ns = PX_MS }

static void reads(void **state) {
    (void)state;
    const struct answer answers[] = {{.status = 503, .takes_ns = PX_MS}, FEW, FEW, FEW, FEW, FEW, FEW};
    struct play play = {"{\"path\":\"/a\"}", answers, PX_COUNT(answers), 3, true};
    assert_true(fault_sweep(FAULT_FAIL, scenario, &play) > 20);
}

static void writes(void **state) {
    (void)state;
    const struct answer answers[] = {{.fail = PX_HTTP_CONNECT}, {.status = 503}, FEW, FEW, FEW};
    struct play play = {
        "{\"path\":\"/a\",\"method\":\"POST\",\"idempotency\":{\"header\":\"K\"},\"body\":{\"m\":{\"$call\":\"key\"}}}",
        answers, PX_COUNT(answers), 1, false};
    assert_true(fault_sweep(FAULT_FAIL, scenario, &play) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
