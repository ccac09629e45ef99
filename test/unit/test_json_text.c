#include "unit/json_help.h"
#include "json/text.h"

/* Every byte value at every place of short texts: the eight-byte steps and the single ones must agree. */
static void plain_end_finds_every_byte(void **state) {
    (void)state;
    for (size_t n = 1; n <= 20; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                char text[20];
                memset(text, 'a', n);
                text[at] = (char)c;
                px_str copy = exact_copy(px_str_n(text, n));
                bool stops = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
                assert_int_equal(px_plain_end(copy.p, copy.p + n) - copy.p, stops ? at : n);
                stops = c == '"' || c == '\\';
                assert_int_equal(px_quote_end(copy.p, copy.p + n) - copy.p, stops ? at : n);
                exact_free(copy);
            }
        }
    }
}

/* Two special bytes in one word: the lower one counts. */
static void plain_end_takes_the_first(void **state) {
    (void)state;
    static const char special[] = {'"',        '\\',       '\n', 0,   0x1f, (char)0x80,
                                   (char)0xff, (char)0xa2, '!',  '#', '[',  ']'};
    char text[16];
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = i + 1; j < 16; j++) {
            for (size_t a = 0; a < sizeof special; a++) {
                for (size_t b = 0; b < sizeof special; b++) {
                    memset(text, 'x', sizeof text);
                    text[i] = special[a];
                    text[j] = special[b];
                    size_t want = a < 8 ? i : b < 8 ? j : 16;
                    assert_int_equal(px_plain_end(text, text + 16) - text, want);
                }
            }
        }
    }
}

static void utf8_is_strict(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xc3\xa9"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "12345678\xc3",
                                      "\xf0\x90\x80"};
    for (size_t i = 0; i < PX_COUNT(good); i++) {
        px_str copy = exact_copy(px_str_of(good[i]));
        assert_true(px_utf8_valid(copy));
        exact_free(copy);
    }
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        px_str copy = exact_copy(px_str_of(bad[i]));
        assert_false(px_utf8_valid(copy));
        exact_free(copy);
    }
}

static void every_character_survives(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char text[4], escaped[13], back[4];
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        unsigned n = px_utf8_put(text, c);
        assert_int_equal(px_utf8_step(text, text + n), n);
        if (n > 1)
            assert_int_equal(px_utf8_step(text, text + n - 1), -(int)(n - 1));
        if (c < 0x10000)
            snprintf(escaped, sizeof escaped, "\\u%04X", c);
        else
            snprintf(escaped, sizeof escaped, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        const char *p = escaped;
        assert_int_equal(px_unescape(&p, escaped + strlen(escaped), back), n);
        assert_memory_equal(back, text, n);
        assert_int_equal(*p, 0);
    }
}

static void wrong_escapes_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"\\",
                                      "\\x",
                                      "\\u",
                                      "\\u12",
                                      "\\u12g4",
                                      "\\ud800",
                                      "\\ud800\\u0041",
                                      "\\ud800x",
                                      "\\udc00",
                                      "\\ud800\\udbff",
                                      "\\ud800\\",
                                      "\\ud800\\udc0",
                                      "\\N",
                                      "\\u 123"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        px_str copy = exact_copy(px_str_of(bad[i]));
        const char *p = copy.p;
        char bytes[4];
        assert_int_equal(px_unescape(&p, copy.p + copy.n, bytes), 0);
        assert_ptr_equal(p, copy.p);
        exact_free(copy);
    }
}

static void hash_by_steps_is_the_same(void **state) {
    (void)state;
    char text[40];
    for (size_t n = 0; n < sizeof text; n++) {
        text[n] = (char)('a' + n);
        uint64_t h = px_json_hash_start(n), word = 0;
        for (size_t i = 0; i < n; i++) {
            word |= (uint64_t)(unsigned char)text[i] << (i % 8 * 8);
            if (i % 8 == 7) {
                h = px_json_hash_word(h, word);
                word = 0;
            }
        }
        assert_true(px_json_hash_end(h, word) == px_json_hash_bytes(px_str_n(text, n)));
    }
    assert_true(px_json_hash_bytes(PX_LIT("")) != px_json_hash_bytes(px_str_n("", 1)));
}

static void trim_takes_all_space(void **state) {
    (void)state;
    assert_text(px_trim(PX_LIT("            \t\r\n x y\n         ")), "x y");
    assert_text(px_trim(PX_LIT("                 ")), "");
    assert_null(px_trim((px_str){0}).p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_end_finds_every_byte),
        cmocka_unit_test(plain_end_takes_the_first),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(every_character_survives),
        cmocka_unit_test(wrong_escapes_are_refused),
        cmocka_unit_test(hash_by_steps_is_the_same),
        cmocka_unit_test(trim_takes_all_space),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
