/* Whether a write was done whose answer was lost. */
#include "route/verify.h"
#include "unit/send_help.h"

#define ONE "{'upstreams':{'api':{'base_url':'https://api.example.com'}}}"
#define WRITE(verify)                                                                                                          \
    "{'path':'/repos/{repo}/issues','method':'POST','body':{'title':{'$arg':'title'},'mark':{'$call':'key'}},'verify':" verify \
    "}"
#define SCHEMA                                                                                               \
    "{'type':'object','properties':{'repo':{'type':'string'},'title':{'type':'string'}},'required':['repo','title']}"
#define BY_TITLE                                                                                             \
    "{'route':{'path':'/repos/{repo}/issues','query':{'sort':'created'}},'match':{'/title':{'$arg':'title'},'/open':true}}"
#define BY_MARK                                                                                              \
    "{'route':{'path':'/repos/{repo}/issues'},'at':'/list/rows','match':{'/body':{'contains':{'$concat':['<!-- ',{'$call':'key'},' -->']}}},'absent':'unknown'}"
#define BY_THING                                                                                             \
    "{'route':{'path':'/repos/{repo}/issues'},'match':{'/title':{'$arg':'title'}},'absent':'unknown'}"
#define BY_ITEMS                                                                                             \
    "{'route':{'path':'/repos/{repo}/issues','result':{'items':'/rows'}},'match':{'/title':{'$arg':'title'}}}"
#define BY_PAGES                                                                                             \
    "{'route':{'path':'/x','page':{'kind':'page','query':'page','limit':2,'max_pages':2}},'match':{'/title':{'$arg':'title'}}}"

struct verdict {
    int times;
    enum px_verified verified;
    char found[256], words[256];
    struct px_scope *close;
};

static void on_verified(void *user, enum px_verified verified, px_str found, px_str words) {
    struct verdict *v = user;
    v->times++;
    v->verified = verified;
    if (v->close)
        px_scope_close(&v->close);
    px_str_copy(v->found, sizeof v->found, found);
    px_str_copy(v->words, sizeof v->words, words);
}

static void write_open(struct flow_rig *f, const char *route, const struct answer *answers, size_t n) {
    char *texts[] = {unquote(ONE), unquote(route), unquote(SCHEMA)};
    flow_open(f, texts[0], texts[1], texts[2], false, answers, n);
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        free(texts[i]);
}

static void look_for(const char *route, const char *args, const struct answer *answers, size_t n,
                     enum px_verified want, const char *found, const char *words) {
    struct verdict v = {0};
    struct px_scope *scope;
    struct px_op *op;
    struct px_err err = {0};
    struct flow_rig f;
    write_open(&f, route, answers, n);
    assert_true(px_route_verifies(f.route));
    const struct px_route_verify_opts opts = {
        .route = f.route,
        .site = f.site,
        .principal = PX_LIT("uid:1"),
        .args_json = px_str_of(args),
        .key = PX_LIT("KEY-1"),
    };
    assert_int_equal(px_scope_open(f.rig.loop, f.rig.scope, "call", 0, &scope), 0);
    v.close = scope;
    if (px_route_verify(scope, &opts, on_verified, &v, &op, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(v.times, 0);
    for (int i = 0; i < 50 && !v.times; i++)
        assert_int_equal(px_loop_turn(f.rig.loop, PX_S), 0);
    if (v.times != 1 || v.verified != want || strcmp(v.found, found) != 0 || !strstr(v.words, words))
        fail_msg("%s: %d %s %s", answers->body ? answers->body : "", v.verified, v.found, v.words);
    flow_close(&f);
}

static void look(const char *route, struct answer answer, enum px_verified want, const char *found,
                 const char *words) {
    look_for(route, "{\"repo\":\"r\",\"title\":\"A title\"}", &answer, 1, want, found, words);
}

static void found(void **state) {
    (void)state;
    look(
        WRITE(BY_TITLE),
        (struct answer){
            .expect = "GET https://api.example.com/repos/r/issues?sort=created",
            .body = "[{\"title\":\"A title\",\"open\":false},{\"title\":\"A title\",\"open\":true,\"n\":7}]"},
        PX_VERIFIED_DONE, "{\"title\":\"A title\",\"open\":true,\"n\":7}", "");
    look(WRITE(BY_TITLE), (struct answer){.body = "{\"title\":\"A title\",\"open\":true}"}, PX_VERIFIED_DONE,
         "{\"title\":\"A title\",\"open\":true}", "");
    look(WRITE(BY_MARK),
         (struct answer){.body =
                             "{\"list\":{\"rows\":[{\"body\":\"x\"},{\"body\":\"text\\n<!-- KEY-1 -->\"}]}}"},
         PX_VERIFIED_DONE, "{\"body\":\"text\\n<!-- KEY-1 -->\"}", "");
}

static void not_found(void **state) {
    (void)state;
    look(WRITE(BY_TITLE), (struct answer){.body = "[]"}, PX_VERIFIED_ABSENT, "", "nothing like it");
    look(WRITE(BY_TITLE),
         (struct answer){
             .body =
                 "[{\"title\":\"A titl\",\"open\":true},{\"open\":true},{\"title\":\"A title\",\"open\":1}]"},
         PX_VERIFIED_ABSENT, "", "nothing like it");
    look(WRITE(BY_TITLE), (struct answer){.status = 404}, PX_VERIFIED_ABSENT, "", "nothing like it");
    look(WRITE(BY_MARK),
         (struct answer){.body = "{\"list\":{\"rows\":[{\"body\":\"<!-- KEY-2 -->\"},{\"body\":7}]}}"},
         PX_VERIFIED_UNKNOWN, "", "does not say");
    look(WRITE(BY_THING), (struct answer){.status = 404}, PX_VERIFIED_UNKNOWN, "", "does not say");
}

static void cannot_say(void **state) {
    (void)state;
    look(WRITE(BY_MARK), (struct answer){.status = 404}, PX_VERIFIED_UNKNOWN, "", "404");
    look(WRITE(BY_ITEMS), (struct answer){.status = 404}, PX_VERIFIED_UNKNOWN, "", "404");
    look(WRITE(BY_TITLE), (struct answer){.status = 500}, PX_VERIFIED_UNKNOWN, "", "500");
    look(WRITE(BY_TITLE), (struct answer){.fail = PX_HTTP_CONNECT}, PX_VERIFIED_UNKNOWN, "",
         "did not answer");
    look(WRITE(BY_TITLE), (struct answer){.body = "no JSON"}, PX_VERIFIED_UNKNOWN, "", "JSON");
    look(WRITE("{'route':{'path':'/x'},'match':{'/a':{'$arg':'repo'},'/b':{'$arg':'/title/deeper'}}}"),
         (struct answer){.body = "{\"a\":\"r\"}"}, PX_VERIFIED_UNKNOWN, "", "says nothing to look for");
}

/* An answer to another question, which a degraded upstream gives with a 200, does not say that it is not there. */
static void another_answer(void **state) {
    (void)state;
    static const char *const by_title[] = {
        "{\"message\":\"degraded\"}", "null", "\"x\"", "7", "{\"items\":null}", "{\"title\":\"other\"}"};
    static const char *const by_mark[] = {"{\"list\":{}}", "{\"list\":{\"rows\":\"x\"}}", "{}", "[]"};
    for (size_t i = 0; i < PX_COUNT(by_title); i++)
        look(WRITE(BY_TITLE), (struct answer){.body = by_title[i]}, PX_VERIFIED_UNKNOWN, "", "is not what");
    look(WRITE(BY_TITLE), (struct answer){.status = 204}, PX_VERIFIED_UNKNOWN, "", "is not what");
    for (size_t i = 0; i < PX_COUNT(by_mark); i++)
        look(WRITE(BY_MARK), (struct answer){.body = by_mark[i]}, PX_VERIFIED_UNKNOWN, "", "is not what");
    /* null where it would be is none; and so is another one */
    look(WRITE("{'route':{'path':'/x','result':{'at':'/issue'}},'match':{'/title':{'$arg':'title'}}}"),
         (struct answer){.body = "{\"issue\":null}"}, PX_VERIFIED_ABSENT, "", "nothing like it");
    look(WRITE("{'route':{'path':'/x'},'at':'/issue','match':{'/title':{'$arg':'title'}}}"),
         (struct answer){.body = "{\"issue\":null}"}, PX_VERIFIED_ABSENT, "", "nothing like it");
    look(WRITE(BY_TITLE), (struct answer){.body = "{\"title\":\"other\",\"open\":true}"}, PX_VERIFIED_ABSENT,
         "", "nothing like it");
}

/* What the host's own arguments ask of the write's answer (or what the write's own are called) is not asked of the list. */
static void arguments_of_the_write(void **state) {
    (void)state;
    static const char args[] =
        "{\"repo\":\"r\",\"title\":\"A title\",\"fields\":\"n\",\"limit\":1,\"cursor\":\"x\"}";
    static const struct answer lists[] = {{.body = "[{\"title\":\"other\"},{\"title\":\"A title\",\"n\":7}]"},
                                          {.body = "[]"}};
    static const char *const routes[] = {WRITE("{'route':{'path':'/x'},'match':{'/title':{'$arg':'title'}}}"),
                                         WRITE(BY_PAGES)};
    for (size_t i = 0; i < PX_COUNT(routes); i++)
        look_for(routes[i], args, lists, i + 1, PX_VERIFIED_DONE, "{\"title\":\"A title\",\"n\":7}", "");
}

/* A list that goes on behind what was looked at may hold it there. */
static void not_the_whole_list(void **state) {
    (void)state;
    static const char args[] = "{\"repo\":\"r\",\"title\":\"A title\"}";
    static const struct answer pages[] = {
        {.body = "[{\"title\":\"a\"},{\"title\":\"b\"}]"},
        {.expect = "GET https://api.example.com/x?page=2", .body = "[{\"title\":\"A title\"}]"}};
    static const struct answer in_vain[] = {{.body = "[{\"title\":\"a\"},{\"title\":\"b\"}]"},
                                            {.body = "[{\"title\":\"c\"},{\"title\":\"d\"}]"}};
    static const struct answer ends[] = {{.body = "[{\"title\":\"a\"},{\"title\":\"b\"}]"}, {.body = "[]"}};
    look_for(WRITE(BY_PAGES), args, pages, PX_COUNT(pages), PX_VERIFIED_DONE, "{\"title\":\"A title\"}", "");
    look_for(WRITE(BY_PAGES), args, in_vain, PX_COUNT(in_vain), PX_VERIFIED_UNKNOWN, "", "had whole");
    look_for(WRITE(BY_PAGES), args, ends, PX_COUNT(ends), PX_VERIFIED_ABSENT, "", "nothing like it");
}

static void cancelled(void **state) {
    (void)state;
    static const struct answer answers[] = {{.never = true}};
    struct verdict v = {0};
    struct px_op *op = NULL;
    struct px_err err = {0};
    struct flow_rig f;
    write_open(&f, WRITE(BY_TITLE), answers, 1);
    const struct px_route_verify_opts opts = {
        .route = f.route, .site = f.site, .args_json = PX_LIT("{\"repo\":\"r\",\"title\":\"t\"}")};
    assert_int_equal(px_route_verify(f.rig.scope, &opts, on_verified, &v, &op, &err), 0);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    assert_int_equal(f.script.alive, 1);
    px_op_cancel(&op);
    assert_int_equal(f.script.alive, 0);
    assert_int_equal(px_loop_turn(f.rig.loop, 0), 0);
    assert_int_equal(v.times, 0);
    flow_close(&f);
}

/* A key protects for as long as the upstream knows it. */
static void keys_have_an_end(void **state) {
    (void)state;
    static const struct {
        const char *key;
        int64_t hours;
    } cases[] = {{"{'header':'X-Key'}", 24}, {"{'header':'X-Key','hours':1080}", 1080}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        char route[256];
        struct flow_rig f;
        snprintf(route, sizeof route,
                 "{'path':'/{repo}','method':'POST','body':{'t':{'$arg':'title'}},'idempotency':%s}",
                 cases[i].key);
        write_open(&f, route, NULL, 0);
        assert_true(px_route_repeatable(f.route, 0));
        assert_true(px_route_repeatable(f.route, cases[i].hours * 3600000 - 1));
        assert_false(px_route_repeatable(f.route, cases[i].hours * 3600000));
        assert_true(px_route_repeatable(f.route, -60000)); /* a clock that was put right */
        assert_false(px_route_repeatable(f.route, -2 * 3600000));
        flow_close(&f);
    }
}

static void none(void **state) {
    (void)state;
    struct px_err err = {0};
    struct px_op *op;
    struct flow_rig f;
    write_open(&f, "{'path':'/{repo}','method':'PUT','body':{'t':{'$arg':'title'}}}", NULL, 0);
    assert_false(px_route_verifies(f.route));
    assert_true(px_route_repeatable(f.route, INT64_MAX));
    const struct px_route_verify_opts opts = {.route = f.route, .site = f.site};
    assert_int_equal(px_route_verify(f.rig.scope, &opts, on_verified, NULL, &op, &err), -ENOTSUP);
    flow_close(&f);
}

/* ---- declarations of what is new here, and the words for broken ones ---- */

static void broken(void **state) {
    (void)state;
    static const struct {
        const char *api, *route, *words;
    } bad[] = {
        {ONE, WRITE("{'route':{'path':'/x','method':'POST'},'match':{'/a':1}}"),
         "/verify/route: it must only read"},
        {ONE, WRITE("{'route':{'path':'/x'},'match':{}}"), "/verify/match"},
        {ONE, WRITE("{'route':{'path':'/x'},'match':{'a':1}}"), "/verify"},
        {ONE, WRITE("{'route':{'path':'/x'},'match':{'/a':{'$secret':'/token'}}}"),
         "$secret cannot stand here"},
        {ONE, WRITE("{'route':{'path':'/x'},'match':{'/a':{'$call':'other'}}}"), "$call knows"},
        {ONE, WRITE("{'route':{'pth':'/x'},'match':{'/a':1}}"), "/verify/route"},
        {ONE, "{'path':'/{repo}','query':{'t':{'$arg':'title'}},'verify':" BY_TITLE "}",
         "what only reads needs none"},
        {ONE, "{'path':'/{repo}/{title}','method':'PUT','cost':0}", "cost"},
        {ONE, "{'path':'/{repo}/{title}','method':'PUT','idempotency':{'header':'Host'}}",
         "belongs to the host"},
        {ONE, "{'path':'/{repo}/{title}','method':'PUT','idempotency':{'header':'A','hours':0}}",
         "1 to 8760"},
        {"{'upstreams':{'api':{'base_url':'https://a.test','idempotency':{'header':'A','hours':8761}}}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "1 to 8760"},
        {"{'upstreams':{'api':{'base_url':'https://a.test','quotas':[{'reset':{'unit':'s'}}]}}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "quotas"},
        {"{'upstreams':{'api':{'base_url':'https://a.test','quotas':[{'when':{'code':'ok'}}]}}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "quotas"},
        {"{'upstreams':{'api':{'base_url':'https://a.test'}},'identities':{'i':{'kind':'oauth2','client_id':{'$arg':'x'}}}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "$arg cannot stand here"},
        {"{'upstreams':{'api':{'base_url':'https://a.test'}},'identities':{'i':{'kind':'bearer','secret':'/t','also':[{'kind':'bearer'}]}}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "bearer stands here twice"},
        {"{'upstreams':{'api':{'base_url':'https://a.test'}},'limits':{'queue':-1}}",
         "{'path':'/{repo}/{title}','method':'PUT'}", "queue"},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char *texts[] = {unquote(bad[i].api), unquote(bad[i].route), unquote(SCHEMA)};
        struct px_err err = {0};
        struct flow_rig f = {0};
        rig_open(&f.rig, true);
        int r = flow_try_open(&f, texts[0], texts[1], texts[2], false, &err);
        if (r != -EINVAL || !strstr(err.msg, bad[i].words))
            fail_msg("%zu: %d %s", i, r, err.msg);
        flow_close(&f);
        for (size_t t = 0; t < PX_COUNT(texts); t++)
            free(texts[t]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found),
        cmocka_unit_test(not_found),
        cmocka_unit_test(cannot_say),
        cmocka_unit_test(another_answer),
        cmocka_unit_test(arguments_of_the_write),
        cmocka_unit_test(not_the_whole_list),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(keys_have_an_end),
        cmocka_unit_test(none),
        cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
