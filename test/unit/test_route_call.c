/* One call of a route, from arguments to the result. */
#include "unit/flow_help.h"
/* after that */
#include "base/redact.h"
#include "json/scan.h"

#define ITEM                                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"],\"additionalProperties\":false}"

/* ---- results ---- */

static void passes_on_the_trace(void **state) {
    const struct px_route_call_opts opts = {
        .traceparent = PX_LIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
    static const struct answer answers[] = {{.body = "1"}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, NULL, &opts);
    assert_string_equal(f.script.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    told_free(&told);
    flow_close(&f);
}

static void one_request(void **state) {
    static const struct answer answers[] = {
        {.expect = "GET https://api.example.com/items/a%2Fb ",
         .body = " { \"id\" : 5000000000000001 , \"s\" : \"\\u00e9\" } "}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/items/{id}\"}", ITEM, answers);
    gives(&f, "{\"id\":\"a/b\"}", "{\"id\":5000000000000001,\"s\":\"\\u00e9\"}");
    flow_close(&f);
}

static void shapes(void **state) {
    static const struct {
        const char *route, *body, *want;
    } cases[] = {
        {"{\"path\":\"/x\"}", "[1,{\"a\":2}]", "{\"items\":[1,{\"a\":2}]}"},
        {"{\"path\":\"/x\"}", "[]", "{\"items\":[]}"},
        {"{\"path\":\"/x\"}", "17", "{\"value\":17}"},
        {"{\"path\":\"/x\"}", "null", "{\"value\":null}"},
        {"{\"path\":\"/x\",\"result\":{\"at\":\"/a/0\"}}", "{\"a\":[{\"b\":1}]}", "{\"b\":1}"},
        {"{\"path\":\"/x\",\"result\":{\"items\":\"/d\",\"keep\":[\"/m/total\"]}}",
         "{\"d\":[1],\"m\":{\"total\":9}}", "{\"items\":[1],\"total\":9}"},
        {"{\"path\":\"/x\",\"fields\":\"a,b/c\"}", "[{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":4}]",
         "{\"items\":[{\"a\":1,\"b\":{\"c\":2}}]}"},
        {"{\"path\":\"/x\",\"fields\":\"a\"}", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
    };
    (void)state;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct answer answers[] = {{.body = cases[i].body}};
        struct flow_rig f;
        FLOW(&f, API, cases[i].route, NONE, answers);
        gives(&f, NULL, cases[i].want);
        flow_close(&f);
    }
}

static void text(void **state) {
    static const struct answer answers[] = {
        {.body = "plain\nwords", .headers = {"content-type: text/plain"}}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\",\"result\":{\"kind\":\"text\"}}", NONE, answers);
    call_run(&f, &told, NULL, NULL);
    assert_string_equal(told.text, "plain\nwords");
    told_free(&told);
    flow_close(&f);
}

/* ---- fields ---- */

static void fields_of_the_caller(void **state) {
    static const char route[] = "{\"path\":\"/x\",\"fields\":\"a\"}";
    static const struct answer answers[] = {
        {.body = "[1]"}, {.body = "[{\"a\":1,\"b\":2}]"}, {.body = "[{\"a\":1,\"b\":2}]"}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, route, NONE, answers);
    call_run(&f, &told, "{\"fields\":\"*\"}", NULL);
    assert_string_equal(told.structured, "{\"items\":[1]}");
    assert_null(told.meta);
    told_free(&told);
    gives(&f, "{\"fields\":\"b\"}", "{\"items\":[{\"b\":2}]}");
    gives(&f, "{\"fields\":\"*\"}", "{\"items\":[{\"a\":1,\"b\":2}]}");
    fails(&f, "{\"fields\":\"b(\"}", PX_INVALID_ARGUMENTS, "fields: ");
    assert_int_equal(f.script.at, 3);
    flow_close(&f);
}

static void fields_that_are_not_there(void **state) {
    static const struct answer answers[] = {
        {.body = "[{\"title\":1,\"id\":2},{\"title\":3}]"},
        {.body = "[{\"title\":1,\"id\":2}]"},
        {.body = "{\"title\":1,\"id\":2}"},
        {.body = "[]"},
        {.body = "[1,2]"},
        {.body = "[{\"id\":2},1]"},
    };
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, "{\"fields\":\"titel,id,who/name\"}", NULL);
    assert_string_equal(told.structured, "{\"items\":[{\"id\":2},{}]}");
    assert_string_equal(told.meta, "{\"plexus/unknown_fields\":[\"titel\",\"who/name\"]}");
    told_free(&told);
    fails(&f, "{\"fields\":\"titel\"}", PX_INVALID_ARGUMENTS,
          "\"titel\" is not in the answer; there are: title, id");
    fails(&f, "{\"fields\":\"titel,di\"}", PX_INVALID_ARGUMENTS, "nor anything else");
    told = (struct told){0};
    call_run(&f, &told, "{\"fields\":\"titel\"}", NULL);
    assert_string_equal(told.structured, "{\"items\":[]}");
    assert_null(told.meta); /* nobody can know */
    told_free(&told);
    gives(&f, "{\"fields\":\"titel\"}", "{\"items\":[1,2]}");
    gives(&f, "{\"fields\":\"titel\"}", "{\"items\":[{},1]}");
    flow_close(&f);
}

/* ---- errors ---- */

static void errors(void **state) {
    static const struct answer answers[] = {{.status = 404, .body = "{\"message\":\"no such thing\"}"},
                                            {.body = "<html>"},
                                            {.fail = PX_HTTP_CONNECT},
                                            {.status = 500}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    fails(&f, NULL, PX_NOT_FOUND, "no such thing");
    fails(&f, NULL, PX_UPSTREAM_ERROR, "JSON");
    fails(&f, NULL, PX_UNAVAILABLE, "api.example.com");
    fails(&f, NULL, PX_UPSTREAM_ERROR, "");
    flow_close(&f);
}

static void a_write_that_was_cut_off(void **state) {
    static const struct answer answers[] = {{.fail = PX_HTTP_RESET, .sent = true}, {.fail = PX_HTTP_CONNECT}};
    struct flow_rig f;
    (void)state;
    flow_open(&f, API, "{\"method\":\"POST\",\"path\":\"/x\"}", NONE, false, answers, 2);
    fails(&f, NULL, PX_OUTCOME_UNKNOWN, "");
    fails(&f, NULL, PX_UNAVAILABLE, "");
    flow_close(&f);
}

/* It was done. Whatever is wrong with the answer must not make anybody do it again. */
static void a_write_whose_answer_cannot_be_shown(void **state) {
    static const struct answer answers[] = {
        {.status = 201, .body = "<html>created"},
        {.status = 200, .body = "[1"},
        {.status = 201, .body = "{\"id\":7,\"title\":\"a\",\"more\":1}"},
        {.status = 201, .body = "[{\"id\":7}]"},
        {.status = 200, .body = "[{\"id\":\"too long for that\"}]"},
    };
    static const struct px_route_call_opts small = {.result_bytes = 20};
    static const char *const advice = "do not call again";
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    flow_open(&f, API,
              "{\"method\":\"POST\",\"path\":\"/x\",\"result\":{\"kind\":\"json\"},\"fields\":\"id,title\"}",
              NONE, false, answers, PX_COUNT(answers));
    call_run(&f, &told, NULL, NULL);
    assert_int_equal(told.error.code, PX_OUTCOME_UNKNOWN);
    assert_int_equal(told.error.flags, 0);
    assert_non_null(strstr(told.message, "accepted the request, but: api answered 201"));
    assert_non_null(strstr(told.advice, advice));
    told_free(&told);
    told = (struct told){0};
    fails(&f, NULL, PX_OUTCOME_UNKNOWN, "not JSON");
    call_run(&f, &told, "{\"fields\":\"idd\"}", NULL); /* a wrong guess: as if nothing had been named */
    assert_string_equal(told.structured, "{\"id\":7,\"title\":\"a\"}");
    assert_string_equal(told.meta, "{\"plexus/unknown_fields\":[\"idd\"]}");
    told_free(&told);
    told = (struct told){0};
    gives(&f, "{\"fields\":\"idd\"}", "{\"items\":[{}]}");
    call_run(&f, &told, NULL, &small);
    assert_int_equal(told.error.code, PX_OUTCOME_UNKNOWN);
    assert_non_null(strstr(told.advice, advice));
    told_free(&told);
    flow_close(&f);
}

/* An upstream that repeats our token: what is cut out of its words holds no half of it, which nobody would find again. */
static void a_cut_leaves_no_half_of_a_secret(void **state) {
    static const px_str secret = PX_LIT_INIT("secret-token-0123456789");
    static const struct px_route_call_opts verbose = {.verbose = true};
    (void)state;
    assert_int_equal(px_redact_add(secret), 0);
    for (size_t before = 520; before < 640; before += 7) {
        char body[8192], head[1024];
        size_t n = (size_t)snprintf(body, sizeof body, "{\"message\":\"%0*d%s and so on %0600d\"}",
                                    (int)before, 0, secret.p, 0);
        snprintf(head, sizeof head, "x-echo: %0*d%s%0100d", (int)before - 80, 0, secret.p, 0);
        struct answer answers[2] = {{.status = 400, .body = body, .headers = {head}}};
        char page[16384];
        snprintf(page, sizeof page, "{\"a\":\"%0*d%s%09000d\"}", (int)(PX_EXCHANGE_BODY - n % 40), 0,
                 secret.p, 0);
        answers[1] = (struct answer){.body = page};
        struct told told = {0};
        struct flow_rig f;
        FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
        for (int i = 0; i < 2; i++) {
            char *texts[3];
            call_run(&f, &told, NULL, &verbose);
            texts[0] = told.message, texts[1] = told.details, texts[2] = told.meta;
            for (int t = 0; t < 3; t++)
                for (const char *at = texts[t]; at && (at = strstr(at, "00secr")); at++)
                    if (!px_redact_hits(px_str_n(at + 2, PX_MIN(strlen(at + 2), (size_t)secret.n))))
                        fail_msg("half of it: %.40s", at);
            told_free(&told);
            told = (struct told){0};
        }
        flow_close(&f);
    }
    px_redact_remove(secret);
}

static void arguments_that_do_not_fit(void **state) {
    static const struct answer answers[] = {{.body = "1"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/items/{id}\"}", ITEM, answers);
    fails(&f, "{\"id\":\"..\"}", PX_INVALID_ARGUMENTS, "id");
    assert_int_equal(f.script.at, 0);
    flow_close(&f);
}

static void a_secret_that_is_missing(void **state) {
    static const char api[] =
        "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\",\"identity\":\"me\"}},"
        "\"identities\":{\"me\":{\"kind\":\"bearer\",\"secret\":\"/nothing\"}}}";
    static const struct answer answers[] = {{.body = "1"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, api, "{\"path\":\"/x\"}", NONE, answers);
    fails(&f, NULL, PX_UNAUTHORIZED, "nothing");
    assert_int_equal(f.script.at, 0);
    flow_close(&f);
}

static void classified(void **state) {
    static const struct answer answers[] = {{.body = "{\"ok\":1}"}, {.fail = PX_HTTP_TIMEOUT}};
    struct told told = {.classify_as = PX_RATE_LIMITED};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, NULL, NULL);
    assert_int_equal(told.error.code, PX_RATE_LIMITED);
    assert_non_null(strstr(told.message, "classified"));
    assert_int_equal(told.classified, 1);
    told_free(&told);
    told = (struct told){.classify_as = PX_RATE_LIMITED};
    call_run(&f, &told, NULL, NULL); /* there is no answer to look at */
    assert_int_equal(told.classified, 0);
    told_free(&told);
    flow_close(&f);
}

/* ---- dry run, verbose ---- */

static void dry_run(void **state) {
    const struct px_route_call_opts dry = {.dry_run = true};
    static const struct answer none[] = {{.body = ""}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    flow_open(&f, API, "{\"method\":\"POST\",\"path\":\"/items/{id}\",\"body\":{\"x\":{\"$arg\":\"id\"}}}",
              ITEM, false, none, 1);
    call_run(&f, &told, "{\"id\":\"q\"}", &dry);
    assert_int_equal(f.script.at, 0);
    begins(&told, "{\"dry_run\":true,\"request\":{\"method\":\"POST\",");
    assert_non_null(strstr(told.structured, "\"url\":\"https://api.example.com/items/q\""));
    assert_non_null(strstr(told.structured, "\"body\":{\"x\":\"q\"}"));
    told_free(&told);
    told = (struct told){0};
    call_run(&f, &told, "{\"id\":\"q\",\"dry_run\":true}", NULL);
    assert_int_equal(f.script.at, 0);
    assert_non_null(strstr(told.structured, "\"dry_run\":true"));
    told_free(&told);
    flow_close(&f);
}

static void shows_the_exchange(void **state) {
    static const char api[] =
        "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\",\"identity\":\"me\"}},"
        "\"identities\":{\"me\":{\"kind\":\"bearer\",\"secret\":\"/token\"}}}";
    static const struct answer answers[] = {
        {.body = "[1,2,3,4]",
         .takes_ns = 1500 * PX_US,
         .headers = {"x-a: 1", "x-a: 2", "set-cookie: sid=1", "x-csrf-token: t"}},
        {.status = 503, .body = "oops"},
        {.status = 500, .body = "bad"},
    };
    const struct px_route_call_opts verbose = {.verbose = true};
    struct told told = {0};
    struct flow_rig f;
    px_str exchange, value;
    (void)state;
    FLOW(&f, api, PAGED, NONE, answers);
    call_run(&f, &told, NULL, &verbose);
    px_str meta = px_str_of(told.meta);
    struct px_json_scan scan;
    assert_int_equal(px_json_scan(meta, NULL, &scan, NULL, NULL), 0);
    assert_int_equal(px_json_slice_get(meta, PX_LIT("plexus/exchange"), &exchange), 0);
    assert_int_equal(count(exchange), 2);
    assert_int_equal(px_json_slice_at(exchange, PX_LIT("/0/request/method"), &value), 0);
    assert_true(px_str_is(value, "\"GET\""));
    assert_int_equal(px_json_slice_at(exchange, PX_LIT("/0/response/headers"), &value), 0);
    assert_true(px_str_is(value, "{\"x-a\":\"1, 2\",\"set-cookie\":\"***\",\"x-csrf-token\":\"***\"}"));
    assert_int_equal(px_json_slice_at(exchange, PX_LIT("/0/response/time_ms/total"), &value), 0);
    assert_true(px_str_is(value, "1.500"));
    assert_int_equal(px_json_slice_at(exchange, PX_LIT("/0/response/body"), &value), 0);
    assert_true(px_str_is(value, "\"[1,2,3,4]\""));
    assert_int_equal(px_json_slice_at(exchange, PX_LIT("/1/response/status"), &value), 0);
    assert_true(px_str_is(value, "503"));
    assert_null(strstr(told.meta, "secret-token"));
    told_free(&told);
    told = (struct told){0};
    call_run(&f, &told, NULL, &verbose);
    assert_int_equal(px_json_slice_at(px_str_of(told.details), PX_LIT("/exchange/0/response/body"), &value),
                     0);
    assert_true(px_str_is(value, "\"bad\""));
    told_free(&told);
    flow_close(&f);
}

/* Many pages of large bodies: the record has its own bounds. */
static void the_exchange_is_bounded(void **state) {
    enum { PAGES = 20, BODY = 64 * 1024 };
    static char body[PAGES][BODY];
    struct answer answers[PAGES];
    const struct px_route_call_opts verbose = {.verbose = true, .result_bytes = 4 << 20};
    struct told told = {0};
    struct flow_rig f;
    px_str exchange, one;
    uint64_t pos = 0;
    (void)state;
    for (int i = 0; i < PAGES; i++) {
        size_t n = (size_t)snprintf(body[i], BODY, "[\"%d", i);
        memset(body[i] + n, '"', BODY - n);
        for (size_t k = n; k < BODY - 8; k += 2)
            body[i][k] = '\\';
        memcpy(body[i] + BODY - 8 + (n & 1), "\",2,3]", 7);
        body[i][BODY - 1] = 0;
        answers[i] = (struct answer){.body = body[i]};
    }
    FLOW(
        &f, API,
        "{\"path\":\"/x\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"n\",\"max\":3},\"limit\":60}}",
        NONE, answers);
    call_run(&f, &told, NULL, &verbose);
    assert_false(told.failed);
    assert_int_equal(px_json_slice_get(px_str_of(told.meta), PX_LIT("plexus/exchange"), &exchange), 0);
    assert_int_equal(count(exchange), PX_EXCHANGES_MAX);
    while (px_json_slice_next(exchange, &pos, NULL, &one) == 1)
        assert_true(one.n <= PX_EXCHANGE_BYTES);
    told_free(&told);
    flow_close(&f);
}

/* Each byte of it would be six. */
static void a_body_that_cannot_be_shown(void **state) {
    static char body[8 * 1024];
    const struct answer answers[] = {{.status = 500, .body = body, .body_n = sizeof body}};
    const struct px_route_call_opts verbose = {.verbose = true};
    struct told told = {0};
    struct flow_rig f;
    px_str value;
    (void)state;
    memset(body, 1, sizeof body);
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, NULL, &verbose);
    assert_int_equal(px_json_slice_at(px_str_of(told.details), PX_LIT("/exchange/0/response/bytes"), &value),
                     0);
    assert_true(px_str_is(value, "8192"));
    assert_int_equal(px_json_slice_at(px_str_of(told.details), PX_LIT("/exchange/0/response/body"), &value),
                     -ENOENT);
    told_free(&told);
    flow_close(&f);
}

/* ---- ends ---- */

/* Cancelled at any turn, by its op or its scope: nothing is called, nothing is left. */
static void cancelled_at_any_moment(void **state) {
    static const char api[] = "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\"}},"
                              "\"values\":{\"v\":{\"route\":{\"path\":\"/v\"},\"at\":\"/v\"}}}";
    static const char route[] =
        "{\"path\":\"/{value:v}\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"n\",\"max\":2}}}";
    static const struct answer answers[] = {{.body = "{\"v\":1}", .takes_ns = 5},
                                            {.body = "[1,2]", .takes_ns = 5},
                                            {.body = "[3]", .takes_ns = 5}};
    (void)state;
    for (int by_scope = 0; by_scope < 2; by_scope++) {
        for (int turns = 0; turns < 12; turns++) {
            struct told told = {0};
            struct flow_rig f;
            FLOW(&f, api, route, NONE, answers);
            call_begin(&f, &told, NULL, NULL);
            for (int i = 0; i < turns; i++)
                assert_int_equal(px_loop_turn(f.rig.loop, 2), 0);
            int times = told.times;
            if (by_scope)
                px_scope_close(&told.scope);
            else if (!times)
                px_op_cancel(&told.op);
            for (int i = 0; i < 5; i++)
                assert_int_equal(px_loop_turn(f.rig.loop, 100), 0);
            assert_int_equal(told.times, times);
            told_free(&told);
            flow_close(&f);
        }
    }
}

static void closed_by_its_own_callbacks(void **state) {
    static const struct answer answers[] = {{.body = "[1,2,3,4]"}, {.body = "[5]"}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct told told = {
            .close_in_done = i == 0 || i == 3, .close_in_progress = i == 1, .close_in_classify = i == 2};
        struct flow_rig f;
        FLOW(&f, API, PAGED, NONE, answers);
        call_begin(&f, &told, i == 3 ? "{\"cursor\":\"bad\"}" : NULL, NULL);
        for (int k = 0; k < 10; k++)
            assert_int_equal(px_loop_turn(f.rig.loop, 100), 0);
        assert_int_equal(told.times, i == 0 || i == 3);
        if (i == 0)
            assert_string_equal(told.structured, "{\"items\":[1,2,3,4,5]}");
        assert_int_equal(told.n_progress, i == 0 || i == 1);
        told_free(&told);
        flow_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request),
        cmocka_unit_test(shapes),
        cmocka_unit_test(text),
        cmocka_unit_test(fields_of_the_caller),
        cmocka_unit_test(fields_that_are_not_there),
        cmocka_unit_test(passes_on_the_trace),
        cmocka_unit_test(errors),
        cmocka_unit_test(a_write_that_was_cut_off),
        cmocka_unit_test(a_cut_leaves_no_half_of_a_secret),
        cmocka_unit_test(a_write_whose_answer_cannot_be_shown),
        cmocka_unit_test(arguments_that_do_not_fit),
        cmocka_unit_test(a_secret_that_is_missing),
        cmocka_unit_test(classified),
        cmocka_unit_test(dry_run),
        cmocka_unit_test(shows_the_exchange),
        cmocka_unit_test(the_exchange_is_bounded),
        cmocka_unit_test(a_body_that_cannot_be_shown),
        cmocka_unit_test(cancelled_at_any_moment),
        cmocka_unit_test(closed_by_its_own_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
