#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/locked.h"
#include "base/redact.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct px_buf out;

static int set_up(void **state) {
    (void)state;
    px_buf_init(&out, 16 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    px_redact_forget_all();
    px_buf_finish(&out);
    return 0;
}

static const char *clean(px_str text) {
    px_buf_clear(&out, SIZE_MAX);
    assert_int_equal(px_redact_append(&out, text), 0);
    /* The three ways to ask agree. */
    bool hit = !px_str_eq(px_buf_view(&out), text);
    assert_int_equal(px_redact_hits(text), hit);
    char *copy = px_str_dup(text);
    px_redact_in_place(copy, text.n);
    assert_int_equal(text.n && memcmp(copy, text.p, text.n) != 0, hit);
    free(copy);
    return px_buf_view(&out).p;
}

#define CLEAN(text) clean(px_str_of(text))

static void add(px_str secret) {
    assert_int_equal(px_redact_add(secret), 0);
}

static void where_it_stands(void **state) {
    (void)state;
    assert_string_equal(CLEAN("nothing is registered: hunter2-hunter2"),
                        "nothing is registered: hunter2-hunter2");
    add(PX_LIT("hunter2-hunter2"));
    assert_string_equal(CLEAN(""), "");
    assert_string_equal(clean((px_str){NULL, 0}), "");
    assert_string_equal(CLEAN("hunter2"), "hunter2");
    assert_string_equal(CLEAN("hunter2-hunter"), "hunter2-hunter");
    assert_string_equal(CLEAN("hunter2-hunter2"), "[redacted]");
    assert_string_equal(CLEAN("hunter2-hunter2 at the start"), "[redacted] at the start");
    assert_string_equal(CLEAN("at the end hunter2-hunter2"), "at the end [redacted]");
    assert_string_equal(CLEAN("hunter2-hunter2hunter2-hunter2"), "[redacted][redacted]");
    assert_string_equal(CLEAN("hunter2-hunter2-hunter2"), "[redacted]"); /* it overlaps itself */
    assert_string_equal(CLEAN("xhunter2-hunter2x,hunter2-hunter2"), "x[redacted]x,[redacted]");
    char text[] = "a hunter2-hunter2 b";
    px_redact_in_place(text, strlen(text));
    assert_string_equal(text, "a *************** b");
}

static void too_short_and_too_long(void **state) {
    static char much[PX_REDACT_MAX + 1];
    (void)state;
    add(PX_LIT("seven77"));
    assert_string_equal(CLEAN("seven77"), "seven77");
    add(PX_LIT("eight888"));
    assert_string_equal(CLEAN("eight888"), "[redacted]");
    px_redact_remove(PX_LIT("seven77"));
    px_redact_remove((px_str){NULL, 0});
    memset(much, 'm', sizeof much);
    assert_int_equal(px_redact_add(px_str_n(much, sizeof much)), -EMSGSIZE);
    assert_int_equal(px_redact_add(px_str_n(much, sizeof much - 1)), 0);
    assert_true(px_redact_hits(px_str_n(much, sizeof much)));
    assert_false(px_redact_hits(px_str_n(much, sizeof much - 2)));
}

static void counted(void **state) {
    (void)state;
    add(PX_LIT("hunter2-hunter2"));
    add(PX_LIT("hunter2-hunter2"));
    px_redact_remove(PX_LIT("hunter2-hunter2"));
    assert_string_equal(CLEAN("hunter2-hunter2"), "[redacted]");
    px_redact_remove(PX_LIT("hunter2-hunter2"));
    assert_string_equal(CLEAN("hunter2-hunter2"), "hunter2-hunter2");
    px_redact_remove(PX_LIT("hunter2-hunter2")); /* once too often */
    add(PX_LIT("hunter2-hunter2"));
    assert_string_equal(CLEAN("hunter2-hunter2"), "[redacted]");
}

/* Secrets that share a beginning: taking one away leaves the others, and the longest wins. */
static void shared_beginnings(void **state) {
    (void)state;
    add(PX_LIT("prefix00"));
    add(PX_LIT("prefix00-longer"));
    add(PX_LIT("prefix00-other"));
    assert_string_equal(CLEAN("<prefix00-longer>"), "<[redacted]>");
    px_redact_remove(PX_LIT("prefix00-longer"));
    assert_string_equal(CLEAN("<prefix00-longer>"), "<[redacted]-longer>");
    px_redact_remove(PX_LIT("prefix00"));
    assert_string_equal(CLEAN("<prefix00-longer>"), "<prefix00-longer>");
    assert_string_equal(CLEAN("<prefix00-other>"), "<[redacted]>");
}

static void overlapping_secrets_go_together(void **state) {
    (void)state;
    add(PX_LIT("abcdefgh1234"));
    add(PX_LIT("efgh1234wxyz"));
    add(PX_LIT("34wxyz5678"));
    assert_string_equal(CLEAN("(abcdefgh1234wxyz5678)"), "([redacted])");
    assert_string_equal(CLEAN("(abcdefgh1234wxyz)"), "([redacted])");
    assert_string_equal(CLEAN("(efgh1234wxyz)"), "([redacted])");
}

/* Every form, of secrets that have something to encode. */
static void check_form(px_str form) {
    px_str view;
    struct px_buf around;
    px_buf_init(&around, 1 << 20);
    px_buf_text(&around, "{\"x\":\"");
    px_buf_str(&around, form);
    px_buf_text(&around, "\"}");
    assert_string_equal(clean(px_buf_view(&around)), "{\"x\":\"[redacted]\"}");
    view = form;
    assert_string_equal(clean(view), "[redacted]");
    px_buf_finish(&around);
}

static void check_json(px_str secret, const char *json) {
    add(secret);
    check_form(px_str_of(json));
    px_redact_remove(secret);
    assert_false(px_redact_hits(px_str_of(json)));
}

static void json_forms(void **state) {
    (void)state;
    check_json(PX_LIT("pass\"word\\1"), "pass\\\"word\\\\1");
    check_json(PX_LIT("line1\nline2\t\r\b\f\x01"), "line1\\nline2\\t\\r\\b\\f\\u0001");
    check_json(PX_LIT("http://a/b/c"), "http:\\/\\/a\\/b\\/c");
    check_json(PX_LIT("http://a/b/c"), "http://a/b/c");
    check_json(PX_LIT("a<b>c&d?e=f"), "a\\u003cb\\u003ec\\u0026d?e=f");
    check_json(PX_LIT("schl\xc3\xbcssel\xe2\x82\xac\xf0\x9f\x98\x80"),
               "schl\\u00fcssel\\u20ac\\ud83d\\ude00");
    check_json(PX_LIT("schl\xc3\xbcssel/<"), "schl\\u00fcssel\\/<");
    check_json(PX_LIT("schl\xc3\xbcssel/<"), "schl\\u00fcssel/\\u003c");
    check_json(PX_LIT("schl\xc3\xbcssel/<"), "schl\xc3\xbcssel/\\u003c");
}

static void percent_forms(void **state) {
    (void)state;
    add(PX_LIT("p@ss word/\xff+"));
    check_form(PX_LIT("p%40ss%20word%2F%FF%2B"));
    check_form(PX_LIT("p%40ss%20word%2f%ff%2b"));
    px_redact_remove(PX_LIT("p@ss word/\xff+"));
    assert_false(px_redact_hits(PX_LIT("p%40ss%20word%2F%FF%2B")));
}

/* For every length and every alignment: the base64 of text with the secret in its middle gives away nothing of it but the
 * bits it shares a character with its neighbours. */
static void base64_forms(void **state) {
    char secret[40], around[100];
    struct px_buf text, plain;
    (void)state;
    px_buf_init(&text, 1000);
    px_buf_init(&plain, 1000);
    for (size_t n = 8; n < sizeof secret; n++) {
        for (size_t i = 0; i < n; i++)
            secret[i] = (char)(0xfb - i * 5); /* gives + and / */
        add(px_str_n(secret, n));
        for (size_t before = 0; before < 9; before++) {
            for (size_t after = 0; after < 4; after++) {
                memset(around, 'a', sizeof around);
                memcpy(around + before, secret, n);
                size_t all = before + n + after;
                px_buf_clear(&text, SIZE_MAX);
                assert_int_equal(px_base64_add(&text, px_str_n(around, all)), 0);
                for (int url = 0; url < 2; url++) {
                    for (size_t i = 0; url && i < text.n; i++)
                        text.p[i] = text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i];
                    size_t from = (before * 8 + 5) / 6, to = (before + n) * 8 / 6;
                    px_buf_clear(&plain, SIZE_MAX);
                    px_buf_addf(&plain, "%.*s[redacted]%s", (int)from, text.p, text.p + to);
                    assert_string_equal(clean(px_buf_view(&text)), plain.p);
                }
            }
        }
        px_redact_remove(px_str_n(secret, n));
    }
    px_buf_finish(&text);
    px_buf_finish(&plain);
}

static void text_that_was_cut(void **state) {
    (void)state;
    add(PX_LIT("hunter2-hunter2"));
    px_buf_clear(&out, SIZE_MAX);
    assert_int_equal(px_redact_append_cut(&out, PX_LIT("x hunter2-hunter2 hunter2-hunt")), 0);
    assert_string_equal(out.p, "x [redacted] [redacted]");
    px_buf_clear(&out, SIZE_MAX);
    assert_int_equal(px_redact_append_cut(&out, PX_LIT("hunter2")), 0); /* under 8 it may be anything */
    assert_string_equal(out.p, "hunter2");
    char text[] = "x hunter2-h";
    px_redact_in_place(text, strlen(text));
    assert_string_equal(text, "x hunter2-h");
    px_redact_in_place_cut(text, strlen(text));
    assert_string_equal(text, "x *********");
}

static void where_to_cut(void **state) {
    static const char text[] = "x hunter2-hunter2 y hunter2-hunter2hunter2-hunter2";
    (void)state;
    assert_int_equal(px_redact_cut(PX_LIT(text), 5), 5);
    add(PX_LIT("hunter2-hunter2"));
    add(PX_LIT("hunter2hunter"));
    for (size_t most = 0; most <= sizeof text; most++) {
        size_t want = most > 2 && most < 17 ? 2 : most > 20 && most < 50 ? 20 : PX_MIN(most, (size_t)50);
        assert_int_equal(px_redact_cut(PX_LIT(text), most), want);
    }
    assert_int_equal(px_redact_cut((px_str){NULL, 0}, 5), 0);
    assert_int_equal(px_redact_cut(PX_LIT("hunter2"), 5), 5);
}

static void a_full_buffer_holds_no_secret(void **state) {
    (void)state;
    add(PX_LIT("hunter2-hunter2"));
    for (size_t cap = 0; cap < 40; cap++) {
        struct px_buf small;
        px_buf_init(&small, cap);
        assert_int_equal(px_redact_append(&small, PX_LIT("aaaa hunter2-hunter2 bbbb")),
                         cap < 20 ? -EMSGSIZE : 0);
        assert_null(strstr(px_buf_view(&small).p, "hunter"));
        px_buf_finish(&small);
    }
}

/* Many secrets, in random order, against plain search. */
static uint64_t in_locked_memory(void) {
    uint64_t locked, unlocked;
    px_locked_stats(&locked, &unlocked);
    return locked + unlocked;
}

static void what_is_looked_for_is_locked(void **state) {
    (void)state;
    const px_str secret = PX_LIT("a secret, \"quoted\", of forty characters");
    uint64_t before = in_locked_memory();
    assert_int_equal(px_redact_add(secret), 0);
    assert_true(in_locked_memory() > before + 4 * secret.n);
    px_str kept = {0};
    assert_int_equal(px_redact_keep(secret, &kept), 0); /* once more */
    assert_true(px_str_eq(kept, secret) && kept.p != secret.p);
    px_redact_remove(secret);
    assert_true(px_redact_hits(secret));
    px_redact_drop(&kept);
    assert_true(!kept.p && !px_redact_hits(secret));
    px_redact_drop(&kept);
    assert_int_equal(in_locked_memory(), before);
}

static void many(void **state) {
    enum { N = 300 };
    static char names[N][24];
    bool in[N] = {false};
    (void)state;
    srand(3);
    for (int i = 0; i < N; i++)
        snprintf(names[i], sizeof names[i], "secret%d-%08x", i % 7, (unsigned)rand());
    for (int step = 0; step < 3000; step++) {
        int i = rand() % N;
        if (in[i])
            px_redact_remove(px_str_of(names[i]));
        else
            add(px_str_of(names[i]));
        in[i] = !in[i];
        int j = rand() % N;
        char text[64];
        snprintf(text, sizeof text, "<%s>", names[j]);
        assert_string_equal(CLEAN(text), in[j] ? "<[redacted]>" : text);
    }
}

/* Reported, not asserted: what it costs to look at what leaves. */
static double ns_per_byte(px_str text) {
    uint64_t began = px_clock_mono_ns();
    int rounds = 20;
    for (int i = 0; i < rounds; i++)
        assert_false(px_redact_hits(text));
    return (double)(px_clock_mono_ns() - began) / ((double)text.n * rounds);
}

static void speed(void **state) {
    char *bytes = malloc(1 << 18), secret[40];
    px_str text = {bytes, 1 << 18};
    (void)state;
    srand(4);
    for (size_t i = 0; i < text.n; i++)
        bytes[i] = (char)(' ' + rand() % 90);
    print_message("with no secret     %.2f ns a byte\n", ns_per_byte(text));
    for (int i = 0; i < 10000; i++) {
        if (i == 1 || i == 1000)
            print_message("with %5d secrets %.2f ns a byte\n", i, ns_per_byte(text));
        snprintf(secret, sizeof secret, "%08x%08x%08x", (unsigned)rand(), (unsigned)rand(), (unsigned)rand());
        add(px_str_of(secret));
    }
    print_message("with 10000 secrets %.2f ns a byte\n", ns_per_byte(text));
    free(bytes);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(where_it_stands),
        T(too_short_and_too_long),
        T(counted),
        T(shared_beginnings),
        T(overlapping_secrets_go_together),
        T(json_forms),
        T(percent_forms),
        T(base64_forms),
        T(text_that_was_cut),
        T(where_to_cut),
        T(a_full_buffer_holds_no_secret),
        T(what_is_looked_for_is_locked),
        T(many),
        T(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
