#include "cli/out.h"
#include "cli/pretty.h"
#include "cli/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_clean(const char *text, bool one_line, const char *wanted) {
    struct px_buf to;
    px_buf_init(&to, 4096);
    px_out_clean(&to, px_str_of(text), one_line);
    assert_string_equal(px_buf_view(&to).p, wanted);
    px_buf_finish(&to);
}

static void control_characters_become_visible(void **state) {
    (void)state;
    check_clean("a\033[31mb\007", false, "a\\u001b[31mb\\u0007");
    check_clean("\177 \302\205 \302\233", false, "\\u007f \\u0085 \\u009b");
    check_clean("\342\200\256x\342\201\246", false, "\\u202ex\\u2066");
    check_clean("line\r\nnext\ttab\rback", false, "line\nnext\ttab\\u000dback");
    check_clean("line\r\nnext\ttab", true, "line  next tab");
    check_clean("\377\300\200\355\240\200 ok \303\244", false,
                "\357\277\275\357\277\275\357\277\275\357\277\275\357\277\275\357\277\275 ok \303\244");
}

static void columns_and_cutting(void **state) {
    (void)state;
    struct px_buf to;
    assert_int_equal(px_out_columns(PX_LIT("abc")), 3);
    assert_int_equal(px_out_columns(px_str_of("\303\244\303\266")), 2);
    assert_int_equal(px_out_columns(px_str_of("\346\274\242\345\255\227")), 4);
    assert_int_equal(px_out_columns(px_str_of("e\314\201")), 1);
    px_buf_init(&to, 4096);
    px_out_fit(&to, PX_LIT("abcdef"), 4, false);
    assert_string_equal(to.p, "abc…");
    px_buf_clear(&to, 4096);
    px_out_fit(&to, px_str_of("\346\274\242\345\255\227x"), 4, true); /* a wide one does not fit in half */
    assert_string_equal(to.p, "\346\274\242… ");
    px_buf_clear(&to, 4096);
    px_out_fit(&to, PX_LIT("ab"), 4, true);
    assert_string_equal(to.p, "ab  ");
    px_buf_finish(&to);
}

static void wrapping(void **state) {
    (void)state;
    struct px_buf to;
    px_buf_init(&to, 4096);
    px_out_wrap(&to, PX_LIT("the quick brown fox jumps\n\nover"), 2, 22);
    assert_string_equal(to.p, "  the quick brown fox\n  jumps\n\n  over\n");
    px_buf_clear(&to, 4096);
    px_out_wrap(&to, PX_LIT("0123456789012345678901234"), 0, 20);
    assert_string_equal(to.p, "01234567890123456789\n01234\n");
    px_buf_finish(&to);
}

static void numbers(void **state) {
    (void)state;
    struct px_buf to;
    px_buf_init(&to, 4096);
    px_out_count(&to, 0);
    px_buf_char(&to, ' ');
    px_out_count(&to, 1234567);
    px_buf_char(&to, ' ');
    px_out_span(&to, 1500);
    px_buf_char(&to, ' ');
    px_out_span(&to, 90000000);
    px_buf_char(&to, ' ');
    px_out_bytes(&to, 14200000);
    assert_string_equal(to.p, "0 1,234,567 1.5 ms 1 m 30 s 14.2 MB");
    px_buf_finish(&to);
}

static void a_table_fits(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_table table;
    struct px_buf to;
    const struct px_out out = {.tty = true, .width = 30};
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&to, 1 << 20);
    px_table_init(&table, &arena);
    px_table_column(&table, PX_LIT("N"), true);
    px_table_column(&table, PX_LIT("NAME"), false);
    px_table_column(&table, PX_LIT("WHAT"), false);
    px_table_cell(&table, PX_LIT("7"), PX_PLAIN);
    px_table_cell(&table, PX_LIT("short"), PX_PLAIN);
    px_table_cell(&table, PX_LIT("a text that is too long for the terminal"), PX_RED);
    px_table_cell(&table, PX_LIT("100"), PX_PLAIN);
    px_table_cell(&table, PX_LIT("x\ny"), PX_PLAIN);
    px_table_cell(&table, PX_LIT(""), PX_PLAIN);
    px_table_print(&table, &to, &out);
    assert_string_equal(to.p, "  N  NAME   WHAT\n"
                              "  7  short  a text that is to…\n"
                              "100  x y    \n");
    px_table_finish(&table);
    px_buf_finish(&to);
    px_arena_finish(&arena);
}

static void pretty(void **state) {
    (void)state;
    struct px_buf to;
    const struct px_out out = {.tty = true, .width = 80};
    px_buf_init(&to, 1 << 20);
    px_pretty(&to, PX_LIT("{\"n\":5000000000000001,\"e\":{},\"l\":[1, 2],\"o\":[{\"x\":\"a\\u0001\177\"}]}"),
              &out, 0);
    assert_string_equal(to.p, "{\n"
                              "  \"n\": 5000000000000001,\n"
                              "  \"e\": {},\n"
                              "  \"l\": [1, 2],\n"
                              "  \"o\": [\n"
                              "    {\n"
                              "      \"x\": \"a\\u0001\\u007f\"\n"
                              "    }\n"
                              "  ]\n"
                              "}");
    px_buf_finish(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_become_visible),
        cmocka_unit_test(columns_and_cutting),
        cmocka_unit_test(wrapping),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_table_fits),
        cmocka_unit_test(pretty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
