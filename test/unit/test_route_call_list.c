/* A call that gives a list: whole items within its budget, pages, and what ends it. */
#include "unit/flow_help.h"

/* ---- the budget ---- */

static const char *item_of(px_str items, size_t i) {
    px_str item;
    uint64_t pos = 0;
    for (size_t k = 0; k <= i; k++)
        assert_int_equal(px_json_slice_next(items, &pos, NULL, &item), 1);
    return item.p;
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
        cmocka_unit_test(whole_items_within_the_budget),
        cmocka_unit_test(a_list_without_pages_is_cut),
        cmocka_unit_test(the_first_item_is_too_large),
        cmocka_unit_test(nothing_is_asked_for_in_vain),
        cmocka_unit_test(what_is_kept_is_too_large),
        cmocka_unit_test(what_does_not_fit_is_not_explained),
        cmocka_unit_test(stops_in_time),
        cmocka_unit_test(a_later_page_fails),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_most_items),
        cmocka_unit_test(the_reason_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
