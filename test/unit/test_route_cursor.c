#include "base/codec.h"
#include "unit/route_help.h"
#include <sodium.h>

static const uint8_t key[PX_SITE_KEY] = {1, 2, 3}, other_key[PX_SITE_KEY] = {1, 2, 4};

static struct px_site site;
/* The host adds limit, cursor and fields to the first; to the second, which has a `fields` of its own, only the others. */
static const struct px_route paged = {.method = PX_LIT_INIT("POST"), .page = {.kind = PX_PAGE_CURSOR}},
                             own_fields = {.method = PX_LIT_INIT("POST"),
                                           .page = {.kind = PX_PAGE_CURSOR},
                                           .no_fields = true};

static struct px_route_call_opts call_of(const char *args) {
    site.opts.service = PX_LIT("github");
    site.opts.cursor_key = key;
    return (struct px_route_call_opts){.site = &site,
                                       .route = &paged,
                                       .tool = PX_LIT("github_issues"),
                                       .principal = PX_LIT("uid:1000"),
                                       .args_json = px_str_of(args)};
}

static px_str sealed(struct px_arena *arena, const struct px_route_call_opts *call,
                     const struct px_page_state *page) {
    px_str text = {0};
    assert_int_equal(px_cursor_seal(arena, call, page, &text), 0);
    for (size_t i = 0; i < text.n; i++)
        assert_non_null(
            memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[i], 64));
    return text;
}

static void opens(struct px_arena *arena, const struct px_route_call_opts *call, px_str text,
                  const struct px_page_state *want) {
    struct px_page_state got;
    struct px_err err = {0};
    if (px_cursor_open(arena, call, text, &got, &err))
        fail_msg("%s", err.msg);
    assert_true(px_str_eq(got.url, want->url) && !got.url.p == !want->url.p);
    assert_true(px_str_eq(got.cursor, want->cursor) && !got.cursor.p == !want->cursor.p);
    assert_int_equal(got.number, want->number);
    assert_int_equal(got.offset, want->offset);
    assert_int_equal(got.size, want->size);
    assert_int_equal(got.skip, want->skip);
    assert_int_equal(got.started, want->started);
}

static void refuses(struct px_arena *arena, const struct px_route_call_opts *call, px_str text,
                    const char *words) {
    struct px_page_state got = {.number = 77};
    struct px_err err = {0};
    px_str copy = exact_copy(text);
    assert_int_equal(px_cursor_open(arena, call, copy, &got, &err), -EINVAL);
    if (!strstr(err.msg, words) || !strstr(err.msg, "start from the beginning"))
        fail_msg("%s", err.msg);
    assert_int_equal(got.number, 77);
    exact_free(copy);
}

static void what_is_sealed_opens(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_route_call_opts call = call_of("{\"owner\":\"o\",\"repo\":\"r\"}");
    struct px_page_state pages[] = {
        {.number = 2, .started = true, .size = 30},
        {.offset = UINT64_MAX, .number = UINT64_MAX, .size = UINT64_MAX, .skip = UINT64_MAX, .started = true},
        {.url = PX_LIT_INIT("https://api.example.com/x?page=2&key=s3cret"), .skip = 128},
        {.cursor = PX_LIT_INIT("Y3Vyc29yOnYyOpHOAA==\x01\xff"), .size = 127},
        {.cursor = PX_LIT_INIT("")},
        {.url = PX_LIT_INIT("u"), .cursor = PX_LIT_INIT("c")},
        {.skip = 0},
    };
    px_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(pages); i++) {
        px_str text = sealed(&arena, &call, &pages[i]), again = sealed(&arena, &call, &pages[i]);
        opens(&arena, &call, text, &pages[i]);
        assert_false(px_str_eq(text, again));
        assert_null(strstr(text.p, "s3cret"));
    }
    assert_true(sealed(&arena, &call, &pages[0]).n < 64); /* short enough to be repeated */
    px_arena_finish(&arena);
}

static void arguments_may_be_written_otherwise(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_page_state page = {.number = 2, .started = true};
    struct px_route_call_opts call =
        call_of("{\"a\":{\"x\":1,\"y\":[1,{\"p\":1,\"q\":2}]},\"b\":\"\\u00e9\",\"limit\":5}");
    px_arena_init(&arena, 1 << 20);
    px_str text = sealed(&arena, &call, &page);
    static const char *const same[] = {
        "{\"b\":\"\xc3\xa9\", \"a\": {\"y\": [1, {\"q\":2,\"p\":1.0}], \"x\":1e0}}",
        "{\"cursor\":\"abc\",\"dry_run\":false,\"fields\":\"a,b\",\"limit\":50,\"b\":\"\xc3\xa9\",\"a\":{\"x\":1,\"y\":[1,{"
        "\"p\":1,\"q\":2}]}}"};
    static const char *const others[] = {
        "{}",
        "{\"a\":{\"x\":1,\"y\":[1,{\"p\":1,\"q\":2}]}}",
        "{\"a\":{\"x\":1,\"y\":[{\"p\":1,\"q\":2},1]},\"b\":\"\xc3\xa9\"}",
        "{\"a\":{\"x\":1,\"y\":[1,{\"p\":1,\"q\":2}],\"limit\":5},\"b\":\"\xc3\xa9\"}",
        "{\"a\":{\"x\":1,\"y\":[1,{\"p\":2,\"q\":1}]},\"b\":\"\xc3\xa9\"}",
        "{\"a\":{\"x\":\"1\",\"y\":[1,{\"p\":1,\"q\":2}]},\"b\":\"\xc3\xa9\"}"};
    for (size_t i = 0; i < PX_COUNT(same); i++) {
        call.args_json = px_str_of(same[i]);
        opens(&arena, &call, text, &page);
    }
    for (size_t i = 0; i < PX_COUNT(others); i++) {
        call.args_json = px_str_of(others[i]);
        refuses(&arena, &call, text, "another call");
    }
    /* an argument of the tool's own */
    call.route = &own_fields;
    call.args_json = PX_LIT("{\"fields\":\"a\",\"limit\":1}");
    text = sealed(&arena, &call, &page);
    call.args_json = PX_LIT("{\"fields\":\"a\",\"limit\":2,\"dry_run\":false}");
    opens(&arena, &call, text, &page);
    call.args_json = PX_LIT("{\"fields\":\"b\",\"limit\":1}");
    refuses(&arena, &call, text, "another call");
    call.route = &paged;
    /* numbers that a double cannot tell apart */
    call.args_json = PX_LIT("{\"id\":5000000000000001}");
    text = sealed(&arena, &call, &page);
    call.args_json = PX_LIT("{\"id\":5000000000000002}");
    refuses(&arena, &call, text, "another call");
    call.args_json = (px_str){0};
    text = sealed(&arena, &call, &page);
    call.args_json = PX_LIT("{\"limit\":1}");
    opens(&arena, &call, text, &page);
    px_arena_finish(&arena);
}

static void is_bound(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_page_state page = {.number = 2, .started = true};
    struct px_route_call_opts call = call_of("{}"), other = call;
    px_arena_init(&arena, 1 << 20);
    px_str text = sealed(&arena, &call, &page);
    other.tool = PX_LIT("github_pulls");
    refuses(&arena, &other, text, "another call: repeat the same arguments");
    other = call;
    other.principal = PX_LIT("uid:1001");
    refuses(&arena, &other, text, "another call");
    /* the border between names is part of it */
    other.tool = PX_LIT("github_issuesu");
    other.principal = PX_LIT("id:1000");
    refuses(&arena, &other, text, "another call");
    site.opts.service = PX_LIT("github_work");
    refuses(&arena, &call, text, "another call");
    site.opts.service = PX_LIT("github");
    site.opts.cursor_key = other_key;
    refuses(&arena, &call, text, "another call");
    site.opts.cursor_key = key;
    opens(&arena, &call, text, &page);
    px_arena_finish(&arena);
}

static void no_bit_may_change(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_page_state page = {.number = 2, .started = true};
    struct px_route_call_opts call = call_of("{}");
    struct px_buf raw, text;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&raw, 1000);
    px_buf_init(&text, 1000);
    assert_int_equal(px_base64_decode(&raw, sealed(&arena, &call, &page)), 0);
    for (size_t i = 0; i < raw.n; i++) {
        raw.p[i] ^= 1;
        px_buf_clear(&text, 1000);
        px_base64_add(&text, px_buf_view(&raw));
        refuses(&arena, &call, px_buf_view(&text), "another call");
        raw.p[i] ^= 1;
    }
    for (size_t n = 0; n < raw.n; n++) {
        px_buf_clear(&text, 1000);
        px_base64_add(&text, px_str_n(raw.p, n));
        refuses(&arena, &call, px_buf_view(&text), n < 40 ? "not one of this host's" : "another call");
    }
    refuses(&arena, &call, PX_LIT(""), "not one of this host's");
    refuses(&arena, &call, PX_LIT("eyJwYWdlIjoyfQ"), "not one of this host's");
    refuses(&arena, &call, PX_LIT("not base64!"), "not one of this host's");
    px_buf_finish(&raw);
    px_buf_finish(&text);
    px_arena_finish(&arena);
}

static void the_size_is_bounded(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_route_call_opts call = call_of("{}");
    struct px_page_state page = {.url = PX_LIT_INIT("https://x/")};
    struct px_buf big;
    px_str text;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&big, 1 << 20);
    for (int i = 0; i < 70000; i++)
        px_buf_char(&big, 'x');
    page.url = px_buf_view(&big);
    assert_int_equal(px_cursor_seal(&arena, &call, &page, &text), -EMSGSIZE);
    refuses(&arena, &call, px_buf_view(&big), "another call");
    px_buf_finish(&big);
    px_arena_finish(&arena);
}

static int begin(void **state) {
    (void)state;
    return sodium_init() < 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(arguments_may_be_written_otherwise),
        cmocka_unit_test(is_bound),
        cmocka_unit_test(no_bit_may_change),
        cmocka_unit_test(the_size_is_bounded),
    };
    return cmocka_run_group_tests(tests, begin, finish_stock);
}
