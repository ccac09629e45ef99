/* Cutting a result to its budget: every size, whole items, what a cut costs. */
#include "call/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/write.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct px_arena arena;

static int setup(void **s) {
    (void)s;
    px_arena_init(&arena, (size_t)64 << 20);
    return 0;
}
static int teardown(void **s) {
    (void)s;
    px_arena_finish(&arena);
    px_arena_stock_free();
    return 0;
}

/* What writing it as a string really takes. */
static uint64_t written(px_str text) {
    struct px_buf buf;
    px_buf_init(&buf, (size_t)1 << 20);
    assert_int_equal(px_json_quote(&buf, text), 0);
    uint64_t n = buf.n - 2;
    px_buf_finish(&buf);
    return n;
}

static void check_json(px_str json, uint64_t budget, bool escaped) {
    struct px_json_scan scan;
    struct px_cut cut;
    px_str cut_json;
    int r = px_budget_cut(&arena, json, budget, escaped, &cut_json, &cut);
    uint64_t whole = escaped ? written(json) : json.n;
    if (whole <= budget) {
        assert_int_equal(r, 0);
        assert_false(cut.done);
        assert_true(px_str_eq(cut_json, json));
        return;
    }
    if (r) {
        assert_int_equal(r, -EMSGSIZE);
        return;
    }
    assert_true(cut.done ? cut.kept > 0 && cut.dropped > 0 : cut.dropped == 0); /* or only white space went */
    assert_int_equal(cut.bytes, json.n);
    assert_true((escaped ? written(cut_json) : cut_json.n) <= budget);
    assert_int_equal(px_json_scan(cut_json, NULL, &scan, NULL, NULL), 0);
}

static px_str rows(size_t n) {
    struct px_buf buf;
    px_buf_init(&buf, (size_t)1 << 20);
    px_buf_text(&buf, "{\"before\":[1,2,3],\"deep\":{\"rows\":[");
    for (size_t i = 0; i < n; i++)
        px_buf_addf(&buf, "%s{\"i\":%zu,\"t\":\"a\\\"b\"}", i ? "," : "", i);
    px_buf_text(&buf, "]},\"total\":7}");
    px_str copy = px_arena_str(&arena, px_buf_view(&buf));
    px_buf_finish(&buf);
    return copy;
}

static void json_of_every_size(void **s) {
    (void)s;
    const px_str documents[] = {rows(0),
                                rows(1),
                                rows(20),
                                PX_LIT("[1,2,3,4,5,6,7,8,9]"),
                                PX_LIT("[ \"a\" , \"bc\" , {\"x\":[1,2,3]} ]"),
                                PX_LIT("[[[1,2],[3,4]],[[5]]]"),
                                PX_LIT("[]"),
                                PX_LIT("{}"),
                                PX_LIT("\"just a long string, with nothing that could be cut\""),
                                PX_LIT("{\"a\":[1,2,3,4],\"b\":[5,6,7,8],\"c\":[9,10,11,12]}"),
                                PX_LIT("{\"a\":{\"b\":{\"c\":{\"d\":[1,2,3,4,5]}}}}")};
    for (size_t i = 0; i < PX_COUNT(documents); i++) {
        for (uint64_t budget = 0; budget < documents[i].n * 2 + 8; budget++) {
            check_json(documents[i], budget, false);
            check_json(documents[i], budget, true);
        }
    }
}

/* As many as fit: one more would be too many. */
static void as_much_as_fits(void **s) {
    px_str json = rows(20), fits, element, list;
    struct px_cut cut;
    (void)s;
    for (uint64_t budget = 60; budget < json.n; budget++) {
        if (px_budget_cut(&arena, json, budget, false, &fits, &cut))
            continue;
        assert_int_equal(cut.kept + cut.dropped, 20);
        assert_int_equal(px_json_slice_at(json, PX_LIT("/deep/rows"), &list), 0);
        uint64_t pos = 0;
        for (uint64_t i = 0; i <= cut.kept; i++)
            assert_int_equal(px_json_slice_next(list, &pos, NULL, &element), 1);
        assert_true(fits.n + 1 + element.n > budget);
        /* and what is before and behind the list is there */
        assert_true(px_str_starts(fits, PX_LIT("{\"before\":[1,2,3],")));
        assert_true(px_str_eq(px_str_n(fits.p + fits.n - 11, 11), PX_LIT("\"total\":7}")) ||
                    px_str_eq(px_str_n(fits.p + fits.n - 12, 12), PX_LIT("},\"total\":7}")));
    }
}

static void several_lists(void **s) {
    px_str json = PX_LIT("{\"a\":[1111,2222,3333],\"b\":[4444,5555,6666],\"c\":[7777,8888,9999]}"), fits;
    struct px_cut cut;
    (void)s;
    assert_int_equal(px_budget_cut(&arena, json, 30, false, &fits, &cut), 0);
    assert_true(fits.n <= 30);
    assert_int_equal(cut.kept + cut.dropped, 9);
    assert_int_equal(px_budget_cut(&arena, json, 24, false, &fits, &cut),
                     -EMSGSIZE); /* nothing would be left */
}

static void text_of_every_size(void **s) {
    const px_str texts[] = {PX_LIT("one\ntwo\nthree\n\n\nfour"),
                            PX_LIT("no line end at all"),
                            PX_LIT("\x01\x02\n\x1f\"\\\t\n\"\"\"\"\n"),
                            PX_LIT("äöü\n€uro\n\xf0\x9f\x98\x80\n"),
                            PX_LIT("bad \xff\xfe\n\x80\x80\x80\nend"),
                            PX_LIT(""),
                            PX_LIT("\n")};
    struct px_cut cut;
    (void)s;
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        for (uint64_t budget = 0; budget < texts[i].n * 6 + 8; budget++) {
            px_str kept = px_budget_cut_text(texts[i], budget, &cut);
            assert_true(px_str_starts(texts[i], kept));
            assert_true(written(kept) <= budget);
            assert_int_equal(cut.done, kept.n < texts[i].n);
            if (cut.done && cut.kept) /* whole lines */
                assert_int_equal(kept.p[kept.n - 1], '\n');
            if (i == 3) /* whole characters, in any case */
                assert_true(px_utf8_valid(kept));
        }
    }
}

static void counts_lines(void **s) {
    struct px_cut cut;
    (void)s;
    px_str kept = px_budget_cut_text(PX_LIT("aaaa\nbbbb\ncccc\ndddd"), 13, &cut);
    assert_true(px_str_is(kept, "aaaa\nbbbb\n"));
    assert_int_equal(cut.kept, 2);
    assert_int_equal(cut.dropped, 2);
    assert_int_equal(cut.bytes, 19);
}

/* Never less than what writing takes, and not much more. */
static void costs(void **s) {
    char text[256];
    (void)s;
    for (int i = 0; i < 256; i++)
        text[i] = (char)i;
    for (size_t from = 0; from < 256; from++) {
        px_str piece = px_str_n(text + from, 256 - from);
        assert_true(px_budget_cost(piece, true) >= written(piece));
        assert_int_equal(px_budget_cost(piece, false), piece.n);
    }
    assert_int_equal(px_budget_cost(PX_LIT("a\"b\\c\n\x01"), true), 3 + 2 + 2 + 2 + 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_of_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(as_much_as_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(several_lists, setup, teardown),
        cmocka_unit_test(text_of_every_size),
        cmocka_unit_test(counts_lines),
        cmocka_unit_test(costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
