/* Each allocation of a route's call goes wrong once: it fails with words, or gets through; nothing is left behind. */
#include "support/fault.h"
#include "unit/flow_help.h"

struct play {
    const char *api, *route, *args, *want;
    bool dry_run;
    const struct answer *answers;
    size_t n;
};

struct heard {
    int times;
    int32_t code; /* of the failure; 0: none */
    char structured[1024];
};

/* The test's own: nothing here is to fail. */
static void hear(void *user, const struct px_reply *reply, const struct px_error *error) {
    struct heard *heard = user;
    fault_off();
    heard->times++;
    heard->code = error ? error->code : 0;
    if (reply)
        px_str_copy(heard->structured, sizeof heard->structured, reply->structured_json);
    if (error)
        assert_true(error->message.n > 0);
    fault_on();
}

static void look(void *user, uint64_t items, px_str message) {
    (void)user, (void)items, (void)message;
}

static int run(struct flow_rig *f, struct heard *heard, const struct play *play) {
    static const struct px_route_sink sink = {hear, look, NULL};
    struct px_route_call_opts opts = {.route = f->route,
                                      .site = f->site,
                                      .tool = PX_LIT("t"),
                                      .principal = PX_LIT("uid:0"),
                                      .traceparent = PX_LIT("00-x"),
                                      .args_json = px_str_of(play->args),
                                      .dry_run = play->dry_run,
                                      .verbose = true};
    struct px_scope *scope;
    struct px_op *op;
    struct px_err err = {0};
    int r = px_scope_open(f->rig.loop, f->rig.scope, "call", 0, &scope);
    if (r)
        return r;
    r = px_route_call(scope, &opts, &sink, heard, &op, &err);
    if (r)
        assert_true(err.msg[0]);
    for (int i = 0; !r && !heard->times && i < 100; i++)
        r = px_loop_turn(f->rig.loop, PX_S);
    return r;
}

static int scenario(void *user) {
    const struct play *play = user;
    struct flow_rig f = {.vetted = true};
    struct heard heard = {0};
    struct px_err err = {0};
    struct px_loop_clock clock = fake_clock(&f.rig.clock);
    f.rig.clock.now_ns = 1000;
    f.script.answers = play->answers;
    f.script.n = play->n;
    int r = px_loop_create(&(struct px_loop_opts){.clock = &clock}, &f.rig.loop, &err);
    if (!r)
        r = px_scope_open(f.rig.loop, NULL, "fault", 0, &f.rig.scope);
    if (!r)
        r = flow_try_open(&f, play->api, play->route, NONE, true, &err);
    if (!r)
        r = run(&f, &heard, play);
    if (!r && heard.code) {
        assert_true(heard.code == PX_INTERNAL || heard.code == PX_UPSTREAM_ERROR); /* it could not be read */
        r = -ENOMEM;
    }
    if (!r) {
        assert_int_equal(heard.times, 1);
        if (!strstr(heard.structured, play->want))
            fail_msg("got %s", heard.structured);
    }
    px_scope_close(&f.rig.scope);
    px_site_destroy(&f.site);
    px_route_destroy(f.route);
    px_api_destroy(f.api);
    px_loop_destroy(f.rig.loop);
    assert_int_equal(f.script.alive, 0);
    return r;
}

static const char plain[] = "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}}}";
static const char valued[] = "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}},"
                             "\"values\":{\"v\":{\"route\":{\"path\":\"/v\"},\"at\":\"/v\"}}}";

static void pages(void **state) {
    static const struct answer answers[] = {
        {.body = "[{\"a\":1},{\"b\":2}]", .headers = {"link: </x?2>; rel=\"next\""}},
        {.body = "[{\"a\":3}]", .headers = {"link: </x?3>; rel=\"next\""}},
    };
    static const struct play play = {
        .api = plain,
        .route =
            "{\"path\":\"/x\",\"page\":{\"kind\":\"link\",\"max_pages\":2},\"result\":{\"keep\":[\"/k\"]}}",
        .args = "{\"fields\":\"a\"}",
        .want = "{\"items\":[{\"a\":1},{},{\"a\":3}],\"next_cursor\":",
        .answers = answers,
        .n = 2};
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, scenario, (void *)(uintptr_t)&play) > 20);
}

static void values(void **state) {
    static const struct answer answers[] = {{.body = "{\"v\":\"q\\u0041\"}"},
                                            {.expect = "/qA", .body = "{\"a\":1}"}};
    static const struct play play = {.api = valued,
                                     .route = "{\"path\":\"/{value:v}\"}",
                                     .args = "{}",
                                     .want = "{\"a\":1}",
                                     .answers = answers,
                                     .n = 2};
    static const struct play dry = {.api = valued,
                                    .route = "{\"path\":\"/{value:v}\"}",
                                    .args = "{}",
                                    .want = "\"dry_run\":true",
                                    .dry_run = true,
                                    .answers = answers,
                                    .n = 0};
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, scenario, (void *)(uintptr_t)&play) > 20);
    assert_true(fault_sweep(FAULT_FAIL, scenario, (void *)(uintptr_t)&dry) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages), cmocka_unit_test(values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
