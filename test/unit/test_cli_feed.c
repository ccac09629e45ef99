#include "cli/feed.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { CAP = 64 };

static void give(struct px_feed *f, const char *bytes, size_t n) {
    while (n) {
        size_t room;
        char *to = px_feed_room(f, &room);
        assert_non_null(to);
        assert_true(room >= 1);
        room = PX_MIN(room, n);
        memcpy(to, bytes, room);
        px_feed_added(f, room);
        bytes += room;
        n -= room;
    }
}

static void expect_line(struct px_feed *f, int r, const char *wanted) {
    px_str line;
    assert_int_equal(px_feed_next(f, &line), r);
    if (r == 0)
        return;
    assert_int_equal(line.n, strlen(wanted));
    assert_memory_equal(line.p, wanted, line.n);
}

static void cuts_lines(void **state) {
    (void)state;
    struct px_feed f;
    px_feed_init(&f, CAP);
    give(&f, "one\ntwo\r\n\nthr", 13);
    expect_line(&f, 1, "one");
    expect_line(&f, 1, "two");
    expect_line(&f, 1, "");
    expect_line(&f, 0, NULL);
    expect_line(&f, 0, NULL);
    give(&f, "ee\n", 3);
    expect_line(&f, 1, "three");
    expect_line(&f, 0, NULL);
    px_feed_finish(&f);
}

static void a_line_of_exactly_the_cap_passes(void **state) {
    (void)state;
    struct px_feed f;
    char line[CAP + 2];
    memset(line, 'x', sizeof line);
    px_feed_init(&f, CAP);
    line[CAP] = '\n';
    give(&f, line, CAP + 1);
    line[CAP] = 0;
    expect_line(&f, 1, line);
    line[CAP] = 'x';
    line[CAP + 1] = '\n';
    give(&f, line, CAP + 2);
    expect_line(&f, -EMSGSIZE, "");
    give(&f, "next\n", 5);
    expect_line(&f, 1, "next");
    px_feed_finish(&f);
}

/* The id of a line that is far over the cap, given in pieces of every size. */
static void check_id(const char *before, const char *after, const char *id) {
    char line[1024], filler[301];
    memset(filler, 'f', 300);
    filler[300] = 0;
    snprintf(line, sizeof line, "%s%s%s\nnext\n", before, filler, after);
    for (size_t piece = 1; piece < 400; piece += 7) {
        struct px_feed f;
        px_str got;
        int r = 0;
        size_t at = 0, n = strlen(line);
        px_feed_init(&f, CAP);
        while ((r = px_feed_next(&f, &got)) == 0 && at < n) {
            size_t part = PX_MIN(piece, n - at);
            give(&f, line + at, part);
            at += part;
        }
        assert_int_equal(r, -EMSGSIZE);
        if (got.n != strlen(id) || memcmp(got.p, id, got.n) != 0)
            fail_msg("%s…: got %.*s", before, (int)got.n, got.p);
        give(&f, line + at, n - at);
        expect_line(&f, 1, "next");
        px_feed_finish(&f);
    }
}

static void finds_the_id_of_a_long_line(void **state) {
    (void)state;
    check_id("{\"id\":7,\"x\":\"", "\"}", "7");
    check_id("{\"jsonrpc\":\"2.0\", \"params\":{\"id\":1,\"a\":[{\"id\":2}],\"t\":\"",
             "\"}, \"id\" : \"a\\\"b:,\" }", "\"a\\\"b:,\"");
    check_id("{\"x\":\"\\\\\",\"y\":\"\\\",\\\"id\\\":9,", "\",\"id\":-12}", "-12");
    check_id("{\"id\":1,\"id\":22,\"x\":\"", "\"}", "22");
    check_id("{\"ide\":1,\"i\":2,\"x\":\"", "\"}", "");
    check_id("{\"x\":\"id\",\"y\":[\"id\",\"", "\"]}", "");
    check_id("no JSON at all ", " \"id\":5", "");
    check_id("[{\"id\":1,\"x\":\"", "\"}]", "");
}

static void an_id_without_end_is_none(void **state) {
    (void)state;
    struct px_feed f;
    char line[1200] = "{\"id\":\"";
    memset(line + 7, 'x', 1000);
    memcpy(line + 1007, "\"}\n", 3);
    px_feed_init(&f, CAP);
    give(&f, line, 1010);
    expect_line(&f, -EMSGSIZE, "");
    px_feed_finish(&f);
}

static void a_long_line_costs_no_memory(void **state) {
    (void)state;
    struct px_feed f;
    static char block[65536];
    px_str line;
    memset(block, 'x', sizeof block);
    px_feed_init(&f, CAP);
    for (int i = 0; i < 200; i++) {
        give(&f, block, sizeof block);
        assert_int_equal(px_feed_next(&f, &line), 0);
    }
    assert_true(f.buf.room < 300000);
    give(&f, "\n", 1);
    expect_line(&f, -EMSGSIZE, "");
    px_feed_finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines),
        cmocka_unit_test(a_line_of_exactly_the_cap_passes),
        cmocka_unit_test(finds_the_id_of_a_long_line),
        cmocka_unit_test(an_id_without_end_is_none),
        cmocka_unit_test(a_long_line_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
