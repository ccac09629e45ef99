/* One call of a route, from arguments to the result. */
#include "unit/flow_help.h"
/* after that */
#include "base/redact.h"
#include "json/scan.h"

static int finish_stock(void **state) {
    (void)state;
    px_arena_stock_free();
    return 0;
}

#define NONE "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
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

/* ---- the budget ---- */

#define PAGED                                                                                                \
    "{\"path\":\"/x\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"n\",\"max\":4},\"limit\":100}}"

static const char *item_of(px_str items, size_t i) {
    px_str item;
    uint64_t pos = 0;
    for (size_t k = 0; k <= i; k++)
        assert_int_equal(px_json_slice_next(items, &pos, NULL, &item), 1);
    return item.p;
}

static size_t count(px_str items) {
    px_str item;
    uint64_t pos = 0;
    size_t n = 0;
    while (px_json_slice_next(items, &pos, NULL, &item) == 1)
        n++;
    return n;
}

/* Twelve items of a known size, in pages of four, under every budget: none is lost, none comes twice, and no result is over. */
static void whole_items_within_the_budget(void **state) {
    static const char *const bodies[] = {
        "[{\"i\":\"a\\\"00\"},{\"i\":\"a\\\"01\"},{\"i\":\"a\\\"02\"},{\"i\":\"a\\\"03\"}]",
        "[{\"i\":\"a\\\"04\"},{\"i\":\"a\\\"05\"},{\"i\":\"a\\\"06\"},{\"i\":\"a\\\"07\"}]",
        "[{\"i\":\"a\\\"08\"},{\"i\":\"a\\\"09\"},{\"i\":\"a\\\"10\"},{\"i\":\"a\\\"11\"}]",
        "[]",
    };
    (void)state;
    for (uint64_t budget = 10; budget < 1200; budget += 13) {
        const struct px_route_call_opts opts = {.result_bytes = budget};
        char args[4096] = "{}";
        size_t next = 0, calls = 0;
        bool more = true;
        while (more) {
            struct answer answers[4];
            struct told told = {0};
            struct flow_rig f;
            px_str items, cursor;
            size_t page = next / 4; /* where the cursor points */
            for (size_t i = 0; i < 4; i++)
                answers[i] = (struct answer){.body = bodies[PX_MIN(page + i, 3u)]};
            FLOW(&f, API, PAGED, NONE, answers);
            call_run(&f, &told, args, &opts);
            assert_true(calls++ < 20);
            if (told.failed) {
                assert_int_equal(told.error.code, PX_TOO_LARGE);
                assert_non_null(strstr(told.advice, "fields"));
                assert_true(budget < 500); /* one item, what is around it, and the cursor */
                told_free(&told);
                flow_close(&f);
                break;
            }
            assert_true(px_json_escaped_size(px_str_of(told.structured)) <= budget);
            assert_int_equal(px_json_slice_get(px_str_of(told.structured), PX_LIT("items"), &items), 0);
            for (size_t i = 0; i < count(items); i++, next++) {
                char want[32];
                snprintf(want, sizeof want, "{\"i\":\"a\\\"%02zu\"}", next);
                assert_memory_equal(item_of(items, i), want, strlen(want));
            }
            more = !px_json_slice_get(px_str_of(told.structured), PX_LIT("next_cursor"), &cursor);
            assert_true(!more || count(items));
            if (more)
                snprintf(args, sizeof args, "{\"cursor\":" PX_FMT "}", PX_ARG(cursor));
            else
                assert_int_equal(next, 12);
            told_free(&told);
            flow_close(&f);
        }
    }
}

/* Without pages there is no cursor: the result says that it is not all. */
static void a_list_without_pages_is_cut(void **state) {
    static const struct answer answers[] = {
        {.body = "[{\"a\":\"xxxxxxxxxx\"},{\"a\":\"yyyyyyyyyy\"},{\"a\":\"zzzzzzzzzz\"}]"},
        {.body = "[{\"a\":\"xxxxxxxxxx\"}]"}};
    const struct px_route_call_opts opts = {.result_bytes = 80}, small = {.result_bytes = 30};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, NULL, &opts);
    assert_string_equal(told.structured,
                        "{\"items\":[{\"a\":\"xxxxxxxxxx\"}],\"truncated\":true,\"dropped_items\":2}");
    assert_true(px_json_escaped_size(px_str_of(told.structured)) <= 80);
    told_free(&told);
    told = (struct told){0};
    call_run(&f, &told, NULL, &small);
    assert_int_equal(told.error.code, PX_TOO_LARGE);
    told_free(&told);
    flow_close(&f);
}

/* Nothing is better than a list that looks empty. */
static void the_first_item_is_too_large(void **state) {
    static const char body[] =
        "[{\"title\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\","
        "\"id\":1},2,3,4]";
    static const struct answer answers[] = {
        {.body = body}, {.body = body}, {.body = "[]"}, {.body = "[1,2,3,4]"}};
    const struct px_route_call_opts opts = {.result_bytes = 380};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, PAGED, NONE, answers);
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(told.error.code, PX_TOO_LARGE);
    assert_non_null(strstr(told.message, "bytes with one item alone, and the budget is 380"));
    assert_true(strtoul(told.message + strlen("the result needs "), NULL, 10) > 380);
    told_free(&told);
    told = (struct told){0};
    call_run(&f, &told, "{\"fields\":\"id\"}", &opts); /* as the advice says */
    assert_string_equal(told.structured, "{\"items\":[{\"id\":1},2,3,4]}");
    told_free(&told);
    flow_close(&f);
}

/* A page of which nothing would fit is not asked for. */
static void nothing_is_asked_for_in_vain(void **state) {
    static char body[512];
    const struct answer answers[] = {{.body = body}};
    const struct px_route_call_opts opts = {.result_bytes = 530};
    struct told told = {0};
    struct flow_rig f;
    px_str items;
    (void)state;
    snprintf(body, sizeof body, "[\"%0100d\",\"%0100d\",\"%0100d\",\"%0100d\"]", 1, 2, 3, 4);
    FLOW(&f, API, PAGED, NONE, answers);
    call_run(&f, &told, NULL, &opts);
    assert_non_null(told.structured);
    assert_int_equal(px_json_slice_get(px_str_of(told.structured), PX_LIT("items"), &items), 0);
    assert_int_equal(count(items), 4);
    assert_non_null(strstr(told.structured, "next_cursor"));
    told_free(&told);
    flow_close(&f);
}

static void what_is_kept_is_too_large(void **state) {
    static char body[4096];
    const struct answer answers[] = {{.body = body}};
    const struct px_route_call_opts opts = {.result_bytes = 1000};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    snprintf(body, sizeof body, "{\"d\":[1],\"k\":\"%01500d\"}", 1);
    FLOW(&f, API, "{\"path\":\"/x\",\"result\":{\"items\":\"/d\",\"keep\":[\"/k\"]}}", NONE, answers);
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(told.error.code, PX_TOO_LARGE);
    told_free(&told);
    flow_close(&f);
}

/* Where the list ends early is behind the cursor, when the end did not fit. */
static void what_does_not_fit_is_not_explained(void **state) {
    static const struct answer answers[] = {
        {.body = "[1,2,3,4]"},
        {.status = 404,
         .body =
             "{\"message\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"}};
    static const struct answer away[] = {
        {.body = "[1]", .headers = {"link: <https://elsewhere.example/>; rel=next"}}};
    const struct px_route_call_opts opts = {.result_bytes = 180}, small = {.result_bytes = 100};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, PAGED, NONE, answers);
    call_run(&f, &told, NULL, &opts);
    begins(&told, "{\"items\":[1,2,3],\"next_cursor\":");
    assert_null(strstr(told.structured, "incomplete"));
    told_free(&told);
    flow_close(&f);
    told = (struct told){0};
    FLOW(&f, API, "{\"path\":\"/x\",\"page\":{\"kind\":\"link\"}}", NONE, away);
    call_run(&f, &told, NULL, &small); /* an only item stays */
    assert_string_equal(told.structured, "{\"items\":[1],\"incomplete\":\"the list is not whole\"}");
    told_free(&told);
    flow_close(&f);
}

/* ---- pages: time, failures, cursors of others ---- */

static void stops_in_time(void **state) {
    static const struct answer answers[] = {{.body = "[1,2,3,4]", .takes_ns = 300 * PX_MS},
                                            {.body = "[5,6,7,8]", .takes_ns = 300 * PX_MS},
                                            {.body = "[9,9,9,9]", .takes_ns = 300 * PX_MS}};
    struct px_route_call_opts opts = {0};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, PAGED, NONE, answers);
    opts.deadline_ns = f.rig.clock.now_ns + 1000 * PX_MS; /* 700 are left after one, 400 after two */
    call_run(&f, &told, NULL, &opts);
    assert_int_equal(f.script.at, 2);
    begins(&told, "{\"items\":[1,2,3,4,5,6,7,8],\"next_cursor\":");
    assert_true(f.script.timeout_ns &&
                f.script.timeout_ns <=
                    450 * PX_MS); /* the second: an answer is still possible when it does not come */
    told_free(&told);
    flow_close(&f);
}

/* What came before a failure is not thrown away. */
static void a_later_page_fails(void **state) {
    static const struct answer answers[] = {{.body = "[1,2,3,4]"},
                                            {.status = 503, .body = "{\"message\":\"tired\"}"},
                                            {.expect = "p=2", .body = "[5]"},
                                            {.body = "[1,2,3,4]"},
                                            {.status = 422, .body = "{\"message\":\"no deeper\"}"}};
    struct told told = {0};
    struct flow_rig f;
    px_str cursor;
    char args[4096];
    (void)state;
    FLOW(&f, API, PAGED, NONE, answers);
    call_run(&f, &told, NULL, NULL);
    begins(&told, "{\"items\":[1,2,3,4],\"incomplete\":\"page 2: ");
    assert_non_null(strstr(told.structured, "tired"));
    assert_int_equal(px_json_slice_get(px_str_of(told.structured), PX_LIT("next_cursor"), &cursor), 0);
    snprintf(args, sizeof args, "{\"cursor\":" PX_FMT "}", PX_ARG(cursor));
    told_free(&told);
    gives(&f, args, "{\"items\":[5]}");
    told = (struct told){0};
    call_run(&f, &told, NULL, NULL);
    assert_non_null(strstr(told.structured, "no deeper"));
    assert_null(strstr(told.structured, "next_cursor")); /* it would fail again */
    told_free(&told);
    flow_close(&f);
}

static void limits(void **state) {
    static const struct answer answers[] = {{.expect = "n=2", .body = "[1,2]"}};
    struct flow_rig f;
    struct told told = {0};
    (void)state;
    FLOW(&f, API, PAGED, NONE, answers);
    call_run(&f, &told, "{\"limit\":2}", NULL);
    begins(&told, "{\"items\":[1,2],\"next_cursor\":");
    told_free(&told);
    fails(&f, "{\"cursor\":\"what\"}", PX_INVALID_ARGUMENTS, "cursor");
    fails(&f, "{\"cursor\":5}", PX_INVALID_ARGUMENTS, "cursor: expected a string");
    fails(&f, "{\"limit\":0}", PX_INVALID_ARGUMENTS, "limit: expected a number from 1 to 1000");
    fails(&f, "{\"fields\":[]}", PX_INVALID_ARGUMENTS, "fields: expected a string");
    assert_int_equal(f.script.at, 1);
    flow_close(&f);
}

static void the_most_items(void **state) {
    static const struct answer answers[] = {{.expect = "n=3", .body = "[1,2,3]"}};
    struct told told = {0};
    struct flow_rig f;
    (void)state;
    FLOW(
        &f, API,
        "{\"path\":\"/x\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"n\",\"max\":4},\"limit\":2,"
        "\"max_limit\":3}}",
        NONE, answers);
    call_run(&f, &told, "{\"limit\":100}", NULL);
    begins(&told, "{\"items\":[1,2,3],\"next_cursor\":");
    told_free(&told);
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

/* ---- exactness ---- */

static uint64_t seed = 88172645463325252ull;
static uint64_t draw(uint64_t n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (seed >> 11) % n;
}

struct doc {
    struct px_buf loose, compact; /* the same, with white space and without */
    int values;
};

static void both(struct doc *doc, const char *text) {
    px_buf_text(&doc->loose, text);
    px_buf_text(&doc->compact, text);
}

static void blank(struct doc *doc) {
    static const char *const blanks[] = {"", "", "", " ", "\n", "\t ", "\r\n  "};
    px_buf_text(&doc->loose, blanks[draw(PX_COUNT(blanks))]);
}

static void put_string(struct doc *doc, uint64_t unique) {
    static const char *const pieces[] = {"a",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "/",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "\xf0\x9f\x98\x80",
                                         "\\u0000",
                                         "\xc3\xa9",
                                         "\\u00e9",
                                         "\\u00E9",
                                         "\\n",
                                         "\x7f",
                                         " ",
                                         "\\b\\f",
                                         "{",
                                         "]",
                                         ",",
                                         ":",
                                         "\xe2\x80\xa8",
                                         "\\uFFFF"};
    char text[32];
    both(doc, "\"");
    for (uint64_t n = draw(6); n; n--)
        both(doc, pieces[draw(PX_COUNT(pieces))]);
    if (unique) { /* keys */
        snprintf(text, sizeof text, "#%llu", (unsigned long long)unique);
        both(doc, text);
    }
    both(doc, "\"");
}

static void put_number(struct doc *doc) {
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "-0.0",
                                          "1.0",
                                          "1.10",
                                          "1e5",
                                          "1E+05",
                                          "-1.5e-300",
                                          "5000000000000001",
                                          "9007199254740993",
                                          "123456789012345678901234567890",
                                          "0.1000000000000000055511151231257827",
                                          "1e999",
                                          "18446744073709551616"};
    both(doc, numbers[draw(PX_COUNT(numbers))]);
}

static void put_value(struct doc *doc, unsigned depth);

static void put_container(struct doc *doc, unsigned depth, bool object) {
    uint64_t n = draw(5);
    both(doc, object ? "{" : "[");
    for (uint64_t i = 0; i < n; i++) {
        blank(doc);
        if (i) {
            both(doc, ",");
            blank(doc);
        }
        if (object) {
            put_string(doc, i + 1);
            blank(doc);
            both(doc, ":");
            blank(doc);
        }
        put_value(doc, depth - 1);
    }
    blank(doc);
    both(doc, object ? "}" : "]");
}

static void put_value(struct doc *doc, unsigned depth) {
    uint64_t kind = doc->values-- > 0 && depth ? draw(7) : draw(5);
    switch (kind) {
    case 0: both(doc, "null"); break;
    case 1: both(doc, draw(2) ? "true" : "false"); break;
    case 2: put_number(doc); break;
    case 3:
    case 4: put_string(doc, 0); break;
    default: put_container(doc, depth, kind == 5); break;
    }
}

static void comes_out_as_it_went_in(struct doc *doc, const char *before, const char *behind,
                                    const char *args) {
    struct answer answers[] = {{.body = px_buf_view(&doc->loose).p, .body_n = doc->loose.n}};
    const struct px_route_call_opts opts = {.result_bytes = 4 << 20};
    struct told told = {0};
    struct flow_rig f;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, args, &opts);
    if (told.failed)
        fail_msg("%s: %s", told.message, doc->loose.p);
    size_t a = strlen(before), b = strlen(behind), n = strlen(told.structured);
    assert_int_equal(n, a + doc->compact.n + b);
    assert_memory_equal(told.structured, before, a);
    assert_memory_equal(told.structured + a, doc->compact.p, doc->compact.n);
    assert_memory_equal(told.structured + a + doc->compact.n, behind, b);
    struct px_json_scan scan;
    assert_int_equal(px_json_scan(px_str_of(told.structured), NULL, &scan, NULL, NULL), 0);
    told_free(&told);
    flow_close(&f);
}

static void nothing_is_changed(void **state) {
    static const char *const args[] = {NULL, "{\"fields\":\"*\"}"};
    (void)state;
    for (int i = 0; i < 600; i++) {
        struct doc doc = {.values = 200};
        bool object = draw(2);
        px_buf_init(&doc.loose, 1 << 22);
        px_buf_init(&doc.compact, 1 << 22);
        blank(&doc);
        put_container(&doc, 20, object);
        blank(&doc);
        comes_out_as_it_went_in(&doc, object ? "" : "{\"items\":", object ? "" : "}", args[i & 1]);
        px_buf_finish(&doc.loose);
        px_buf_finish(&doc.compact);
    }
}

/* As deep as an answer may be; what is shown of it is JSON that the gate takes. */
static void however_deep(void **state) {
    enum { DEPTH = 63 };
    (void)state;
    for (int object = 0; object < 2; object++) {
        for (int star = 0; star < 2; star++) {
            struct doc doc = {0};
            px_buf_init(&doc.loose, 1 << 22);
            px_buf_init(&doc.compact, 1 << 22);
            for (int i = 0; i < DEPTH; i++)
                both(&doc, object ? "{\"a\":" : "[");
            both(&doc, "12345678901234567890");
            for (int i = 0; i < DEPTH; i++)
                both(&doc, object ? "}" : "]");
            comes_out_as_it_went_in(&doc, object ? "" : "{\"items\":", object ? "" : "}",
                                    star ? "{\"fields\":\"*\"}" : NULL);
            px_buf_finish(&doc.loose);
            px_buf_finish(&doc.compact);
        }
    }
}

/* One level more would not pass the gate with the object that goes around it: the upstream is told of, not we. */
static void one_level_too_deep(void **state) {
    (void)state;
    for (int object = 0; object < 2; object++) {
        struct flow_rig f;
        struct px_buf deep;
        px_buf_init(&deep, 4096);
        for (int i = 0; i < 64; i++)
            px_buf_text(&deep, object ? "{\"a\":" : "[");
        px_buf_char(&deep, '1');
        for (int i = 0; i < 64; i++)
            px_buf_char(&deep, object ? '}' : ']');
        const struct answer answers[] = {{.body = deep.p}};
        FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
        fails(&f, NULL, PX_UPSTREAM_ERROR, "more than 63 levels of nesting");
        flow_close(&f);
        px_buf_finish(&deep);
    }
}

/* What ends a list early is told in 512 bytes, and no character is cut in two. */
static void the_reason_is_cut_between_characters(void **state) {
    (void)state;
    size_t shortest = SIZE_MAX, longest = 0;
    for (int shift = 0; shift < 4; shift++) {
        struct px_buf body;
        px_buf_init(&body, 8192);
        px_buf_addf(&body, "{\"message\":\"%.*s", shift, "xxxx");
        for (int i = 0; i < 400; i++)
            px_buf_text(&body, "\xf0\x9f\x98\x80");
        px_buf_text(&body, "\"}");
        const struct answer answers[] = {{.body = "[1,2,3,4]"}, {.status = 422, .body = body.p}};
        struct told told = {0};
        struct flow_rig f;
        px_str why;
        FLOW(&f, API, PAGED, NONE, answers);
        call_run(&f, &told, NULL, NULL);
        begins(&told, "{\"items\":[1,2,3,4],\"incomplete\":\"page 2: ");
        assert_int_equal(px_json_slice_get(px_str_of(told.structured), PX_LIT("incomplete"), &why), 0);
        assert_true(px_utf8_valid(why));
        shortest = PX_MIN(shortest, (size_t)why.n - 2);
        longest = PX_MAX(longest, (size_t)why.n - 2);
        told_free(&told);
        flow_close(&f);
        px_buf_finish(&body);
    }
    assert_int_equal(shortest, 509);
    assert_int_equal(longest, 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request),
        cmocka_unit_test(shapes),
        cmocka_unit_test(text),
        cmocka_unit_test(fields_of_the_caller),
        cmocka_unit_test(fields_that_are_not_there),
        cmocka_unit_test(whole_items_within_the_budget),
        cmocka_unit_test(a_list_without_pages_is_cut),
        cmocka_unit_test(passes_on_the_trace),
        cmocka_unit_test(the_first_item_is_too_large),
        cmocka_unit_test(nothing_is_asked_for_in_vain),
        cmocka_unit_test(what_is_kept_is_too_large),
        cmocka_unit_test(what_does_not_fit_is_not_explained),
        cmocka_unit_test(stops_in_time),
        cmocka_unit_test(a_later_page_fails),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_most_items),
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
        cmocka_unit_test(nothing_is_changed),
        cmocka_unit_test(however_deep),
        cmocka_unit_test(one_level_too_deep),
        cmocka_unit_test(the_reason_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
