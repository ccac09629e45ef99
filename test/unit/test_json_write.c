#include "unit/json_help.h"
#include "json/scan.h"
#include "json/write.h"

static void writes_everything(void **state) {
    (void)state;
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 4096);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_jw_key(&w, "a");
    px_jw_array(&w);
    px_jw_i64(&w, INT64_MIN);
    px_jw_i64(&w, -1);
    px_jw_i64(&w, 0);
    px_jw_u64(&w, UINT64_MAX);
    px_jw_array(&w);
    px_jw_array_end(&w);
    px_jw_object(&w);
    px_jw_object_end(&w);
    px_jw_bool(&w, true);
    px_jw_bool(&w, false);
    px_jw_null(&w);
    px_jw_array_end(&w);
    px_jw_key_str(&w, PX_LIT("q\"\n"));
    px_jw_str(&w, PX_LIT("text"));
    px_jw_key(&w, "none");
    px_jw_str(&w, (px_str){0});
    px_jw_key(&w, "empty");
    px_jw_text(&w, "");
    px_jw_key(&w, "raw");
    px_jw_raw(&w, PX_LIT("[1, 2]"));
    px_jw_key(&w, "no raw");
    px_jw_raw(&w, (px_str){0});
    px_jw_key(&w, "o");
    px_jw_object(&w);
    px_jw_key_str(&w, PX_LIT(""));
    px_jw_text(&w, NULL);
    px_jw_key_raw(&w, PX_LIT("\"as \\u0069t is\""));
    px_jw_u64(&w, 1);
    px_jw_object_end(&w);
    px_jw_object_end(&w);
    assert_int_equal(buf.failed, 0);
    assert_text(px_buf_view(&buf),
                "{\"a\":[-9223372036854775808,-1,0,18446744073709551615,[],{},true,false,null],"
                "\"q\\\"\\n\":\"text\",\"none\":null,\"empty\":\"\",\"raw\":[1, 2],\"no raw\":null,"
                "\"o\":{\"\":null,\"as \\u0069t is\":1}}");
    px_buf_finish(&buf);
}

static void quoted(px_str text, const char *want) {
    struct px_buf buf;
    px_str copy = exact_copy(text);
    px_buf_init(&buf, 4096);
    assert_int_equal(px_json_quote(&buf, copy), 0);
    assert_text(px_buf_view(&buf), want);
    exact_free(copy);
    px_buf_finish(&buf);
}

static void escapes_what_must_be_and_no_more(void **state) {
    (void)state;
    quoted(PX_LIT(""), "\"\"");
    struct px_buf buf;
    px_buf_init(&buf, 100);
    assert_int_equal(px_json_quote(&buf, (px_str){0}), 0); /* absent is empty here */
    assert_text(px_buf_view(&buf), "\"\"");
    px_buf_finish(&buf);
    quoted(PX_LIT("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    quoted(px_str_n("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\"");
    quoted(PX_LIT("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80"),
           "\"h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80\"");
    quoted(PX_LIT("\xe2\x80\xa8<>&'"), "\"\xe2\x80\xa8<>&'\"");
    quoted(PX_LIT("12345678\n12345678"), "\"12345678\\n12345678\"");
}

/* One U+FFFD for each longest start of a sequence, as browsers do it. */
static void bad_bytes_become_replacements(void **state) {
    (void)state;
    quoted(PX_LIT("\xff"), "\"\xef\xbf\xbd\"");
    quoted(PX_LIT("a\x80z"), "\"a\xef\xbf\xbdz\"");
    quoted(PX_LIT("\xe2\x82"), "\"\xef\xbf\xbd\"");
    quoted(PX_LIT("\xe2\x82\""), "\"\xef\xbf\xbd\\\"\"");
    quoted(PX_LIT("\xf0\x9f\x98x"), "\"\xef\xbf\xbdx\"");
    quoted(PX_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    quoted(PX_LIT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    quoted(PX_LIT("\xc3\xa9\xc3"), "\"\xc3\xa9\xef\xbf\xbd\"");
}

/* Whatever the bytes are, the outcome is JSON, and valid UTF-8 comes back as it was. */
static void any_bytes_make_json(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252ull;
    struct px_buf buf;
    struct px_arena arena;
    px_buf_init(&buf, 1 << 16);
    px_arena_init(&arena, 1 << 20);
    for (int round = 0; round < 20000; round++) {
        char text[48];
        size_t n = next_random(&seed) % sizeof text;
        uint64_t kind = next_random(&seed) % 3; /* any bytes, mostly ASCII, pieces of sequences */
        static const char pieces[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\\\n";
        for (size_t i = 0; i < n; i++) {
            uint64_t r = next_random(&seed);
            char any = (char)(r >> 8), ascii = (char)(' ' + (r >> 8) % 95);
            text[i] = kind == 0 || (kind == 1 && r % 16 == 0) ? any
                      : kind == 1                             ? ascii
                                                              : pieces[i % (sizeof pieces - 1)];
        }
        px_str copy = exact_copy(px_str_n(text, n)), back;
        struct px_json_scan scan;
        px_buf_clear(&buf, 1 << 16);
        assert_int_equal(px_json_quote(&buf, copy), 0);
        assert_int_equal(px_json_escaped_size(copy) + 2, buf.n); /* what is reckoned is what is written */
        assert_int_equal(px_json_scan(px_buf_view(&buf), NULL, &scan, NULL, NULL), 0);
        assert_int_equal(px_json_slice_text(&arena, scan.value, &back), 0);
        assert_int_equal(px_str_eq(copy, back), px_utf8_valid(copy));
        px_arena_finish(&arena);
        exact_free(copy);
    }
    px_buf_finish(&buf);
}

static void sixty_three_levels(void **state) {
    (void)state;
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, 4096);
    px_jw_init(&w, &buf);
    for (int i = 0; i < 63; i++) {
        px_jw_array(&w);
        px_jw_null(&w);
    }
    for (int i = 0; i < 63; i++)
        px_jw_array_end(&w);
    assert_int_equal(buf.failed, 0);
    struct px_json_scan scan;
    assert_int_equal(px_json_scan(px_buf_view(&buf), NULL, &scan, NULL, NULL), 0);
    assert_int_equal(scan.depth, 63);
    px_buf_clear(&buf, 0);
    px_jw_init(&w, &buf);
    for (int i = 0; i < 64; i++)
        px_jw_object(&w);
    assert_int_equal(buf.failed, -EMSGSIZE);
    for (int i = 0; i < 70; i++)
        px_jw_object_end(&w);
    assert_int_equal(buf.failed, -EMSGSIZE);
    px_buf_finish(&buf);
}

/* At every cap the writer fails for good or writes all of it. */
static void the_cap_is_kept(void **state) {
    (void)state;
    static const char want[] = "{\"key\":\"a\\nb\xc3\xa9\",\"n\":[-12,true]}";
    for (size_t cap = 0; cap < sizeof want + 8; cap++) {
        struct px_buf buf;
        struct px_jw w;
        px_buf_init(&buf, cap);
        px_jw_init(&w, &buf);
        px_jw_object(&w);
        px_jw_key(&w, "key");
        px_jw_str(&w, PX_LIT("a\nb\xc3\xa9"));
        px_jw_key_str(&w, PX_LIT("n"));
        px_jw_array(&w);
        px_jw_i64(&w, -12);
        px_jw_bool(&w, true);
        px_jw_array_end(&w);
        px_jw_object_end(&w);
        assert_true(buf.n <= cap);
        if (cap >= sizeof want - 1)
            assert_text(px_buf_view(&buf), want);
        assert_int_equal(buf.failed, cap >= sizeof want - 1 ? 0 : -EMSGSIZE);
        px_buf_finish(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_everything),
        cmocka_unit_test(escapes_what_must_be_and_no_more),
        cmocka_unit_test(bad_bytes_become_replacements),
        cmocka_unit_test(any_bytes_make_json),
        cmocka_unit_test(sixty_three_levels),
        cmocka_unit_test(the_cap_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
