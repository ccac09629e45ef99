/* text/event-stream: the standard's own examples, its line ends, and the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sse.h"
#include <stdio.h>

/* Feed `text` in pieces of `step` bytes; events come out as "type/id:data|", gaps as "!bytes|". */
static const char *read_all(px_str text, size_t step, size_t cap) {
    static char out[4096];
    struct px_sse s;
    struct px_sse_event ev;
    size_t at = 0;
    out[0] = 0;
    px_sse_init(&s, cap);
    for (size_t i = 0; i < text.n; i += step) {
        assert_int_equal(px_sse_feed(&s, px_str_n(text.p + i, PX_MIN(step, text.n - i))), 0);
        while (px_sse_next(&s, &ev) == 1) {
            if (ev.dropped)
                at += (size_t)snprintf(out + at, sizeof out - at, "!%u|", (unsigned)ev.dropped);
            else
                at += (size_t)snprintf(out + at, sizeof out - at, PX_FMT "/" PX_FMT ":" PX_FMT "|",
                                       PX_ARG(ev.event), PX_ARG(ev.id), PX_ARG(ev.data));
        }
    }
    px_sse_finish(&s);
    return out;
}

#define READS(text, expected)                                                                                \
    do {                                                                                                     \
        for (size_t step_ = 1; step_ <= sizeof(text); step_++)                                               \
            assert_string_equal(read_all(px_str_n(text, sizeof(text) - 1), step_, 1000), expected);          \
    } while (0)

static void standard_examples(void **state) {
    (void)state;
    READS("data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n"
          "data: This is the third message.\n\n",
          "message/:This is the first message.|message/:This is the second message, it\nhas two lines.|"
          "message/:This is the third message.|");
    READS("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
          "add/:73857293|remove/:2153|add/:113411|");
    READS("data: YHOO\ndata: +2\ndata: 10\n\n", "message/:YHOO\n+2\n10|");
    READS(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
          "message/1:first event|message/:second event|");
    READS(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
          "message/1:first event|message/:second event|message/: third event|");
    READS("data\n\ndata\ndata\n\ndata:\n", "message/:|message/:\n|");
    READS("data:test\n\ndata: test\n\n", "message/:test|message/:test|");
}

static void line_ends(void **state) {
    (void)state;
    READS("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "message/:a|message/:b|message/:c|");
    READS("data: a\rdata: b\ndata: c\r\n\r\n", "message/:a\nb\nc|");
    READS("\n\n\ndata: a\n\n\n\n", "message/:a|");
}

static void marks(void **state) {
    (void)state;
    READS("\xEF\xBB\xBF"
          "data: a\n\n",
          "message/:a|");
    READS("\xEF\xBB\xBF\xEF\xBB\xBF"
          "data: a\n\ndata: b\n\n",
          "message/:b|");
    READS("\xEF\xBBx\ndata: a\n\n", "message/:a|");
}

static void fields(void **state) {
    (void)state;
    READS("id: 7\n\ndata: a\n\n", "message/7:a|"); /* an id alone is no event, but it is kept */
    READS("id: 7\ndata: a\n\ndata: b\n\n", "message/7:a|message/7:b|");
    READS("id: a\0b\ndata: a\n\n", "message/:a|");   /* an id with NUL is none */
    READS("event: x\n\ndata: a\n\n", "message/:a|"); /* an event without data is none, and its type is gone */
    READS("retry: 10\nfoo: bar\ndatax: a\n:data: b\ndata: c\n\n", "message/:c|");
    READS("event: x\nevent: y\nevent:\ndata: a\n\n", "message/:a|");
}

static void caps(void **state) {
    (void)state;
    px_str small = PX_LIT("data: 123\n\n"), text = PX_LIT("data: 12345678901234567890\n\ndata: ok\n\n");
    assert_string_equal(read_all(small, 3, 9), "message/:123|");
    for (size_t step = 1; step < 40; step++)
        assert_string_equal(read_all(text, step, 16), "!26|message/:ok|");
    /* Lines that are small each, and too large together. */
    text = PX_LIT("id: 1\ndata: 12345678\ndata: 12345678\ndata: 12345678\n\ndata: ok\n\n");
    for (size_t step = 1; step < 40; step++)
        assert_string_equal(read_all(text, step, 20), "!47|message/1:ok|");
    /* A comment may be of any length. */
    text = PX_LIT(":0123456789012345678901234567890123456789\ndata: ok\n\n");
    for (size_t step = 1; step < 40; step++)
        assert_string_equal(read_all(text, step, 20), "message/:ok|");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_examples),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(marks),
        cmocka_unit_test(fields),
        cmocka_unit_test(caps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
