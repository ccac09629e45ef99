#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/lines.h"
#include <errno.h>

static void next_is(struct px_lines *l, const char *text) {
    px_str line;
    assert_int_equal(px_lines_next(l, &line), 1);
    assert_true(px_str_is(line, text));
}

enum { CAP = 10 };
static const char stream[] =
    "one\ntwo\r\n\n\r\nr\ris\r\n0123456789\n0123456789\r\n0123456789A\nB\n0123456789\rZ\nlast\n"
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\nend\r\nrest";
/* What comes out; NULL: a line over the cap. */
static const char *const lines[] = {"one", "two", "",   "",     "r\ris", "0123456789", "0123456789",
                                    NULL,  "B",   NULL, "last", NULL,    "end"};

/* Take what is complete; the number of lines seen so far. */
static size_t take(struct px_lines *l, size_t seen) {
    px_str line;
    int r;
    while ((r = px_lines_next(l, &line)) != 0) {
        assert_true(seen < PX_COUNT(lines));
        if (lines[seen]) {
            assert_int_equal(r, 1);
            assert_true(px_str_is(line, lines[seen]));
        } else {
            assert_int_equal(r, -EMSGSIZE);
            assert_int_equal(strncmp(line.p, "0123456789", 10), 0); /* its beginning */
        }
        seen++;
    }
    return seen;
}

static void every_way_to_split_it(void **state) {
    (void)state;
    size_t n = sizeof stream - 1;
    for (size_t a = 0; a <= n; a++) {
        for (size_t b = a; b <= n; b++) {
            struct px_lines l;
            px_lines_init(&l, CAP);
            size_t seen = 0;
            assert_int_equal(px_lines_feed(&l, px_str_n(stream, a)), 0);
            seen = take(&l, seen);
            assert_int_equal(px_lines_feed(&l, px_str_n(stream + a, b - a)), 0);
            seen = take(&l, seen);
            assert_int_equal(px_lines_feed(&l, px_str_n(stream + b, n - b)), 0);
            seen = take(&l, seen);
            assert_int_equal(seen, PX_COUNT(lines));
            assert_true(px_str_is(px_lines_rest(&l), "rest"));
            px_lines_finish(&l);
        }
    }
    /* A byte at a time, memory given back whenever nothing waits. */
    struct px_lines l;
    px_lines_init(&l, CAP);
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(px_lines_feed(&l, px_str_n(stream + i, 1)), 0);
        seen = take(&l, seen);
        px_lines_relax(&l);
        assert_true(!l.buf.p || l.buf.n > l.taken);
    }
    assert_int_equal(seen, PX_COUNT(lines));
    px_lines_finish(&l);
}

static void skipping_counts_and_keeps_nothing(void **state) {
    struct px_lines l;
    px_str line;
    char much[1000];
    (void)state;
    memset(much, 'x', sizeof much);
    px_lines_init(&l, CAP);
    assert_int_equal(px_lines_feed(&l, px_str_n(much, 20)), 0);
    assert_int_equal(px_lines_next(&l, &line), -EMSGSIZE);
    for (int i = 0; i < 3000; i++) { /* more than its buffer could hold */
        assert_int_equal(px_lines_feed(&l, px_str_n(much, sizeof much)), 0);
        assert_int_equal(px_lines_next(&l, &line), 0);
        assert_null(px_lines_rest(&l).p);
        assert_false(px_lines_skip(&l));
    }
    assert_int_equal(px_lines_feed(&l, PX_LIT("x")), 0);
    assert_null(px_lines_rest(&l).p);
    assert_false(px_lines_skip(&l));
    assert_int_equal(px_lines_feed(&l, PX_LIT("x\nafter\n")), 0);
    assert_true(px_lines_skip(&l)); /* and takes nothing of what is behind it */
    assert_int_equal(l.skipped, 20 + 3000 * 1000 + 3);
    next_is(&l, "after");
    assert_true(px_lines_skip(&l));
    assert_int_equal(l.skipped, 20 + 3000 * 1000 + 3);
    assert_int_equal(px_lines_next(&l, &line), 0);
    /* What holds no newline is not searched again: else a long line in small pieces is quadratic. */
    assert_int_equal(px_lines_feed(&l, PX_LIT("abc")), 0);
    assert_int_equal(px_lines_next(&l, &line), 0);
    assert_int_equal(l.searched, l.buf.n);
    px_lines_finish(&l);
}

static void room_is_bounded(void **state) {
    struct px_lines l;
    px_str line;
    (void)state;
    px_lines_init(&l, 1000);
    static char much[300000];
    memset(much, '\n', sizeof much);
    assert_int_equal(px_lines_feed(&l, px_str_n(much, 258000)), 0);
    assert_int_equal(px_lines_feed(&l, px_str_n(much, 258000)), -ENOMEM); /* nobody takes lines */
    assert_int_equal(px_lines_next(&l, &line), 1);
    for (int i = 1; i < 258000; i++)
        assert_int_equal(px_lines_next(&l, &line), 1);
    assert_int_equal(px_lines_next(&l, &line), 0);
    assert_int_equal(px_lines_feed(&l, px_str_n(much, 258000)), 0); /* it goes on after that */
    px_lines_finish(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_split_it),
        cmocka_unit_test(skipping_counts_and_keeps_nothing),
        cmocka_unit_test(room_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
