#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What the matcher must agree with: tries everything. */
static bool slow_glob(px_str p, px_str t) {
    if (!p.n)
        return !t.n;
    if (p.p[0] == '*')
        return slow_glob(px_str_n(p.p + 1, p.n - 1), t) || (t.n && slow_glob(p, px_str_n(t.p + 1, t.n - 1)));
    return t.n && p.p[0] == t.p[0] && slow_glob(px_str_n(p.p + 1, p.n - 1), px_str_n(t.p + 1, t.n - 1));
}

static bool glob(const char *pattern, const char *text) {
    return px_str_glob(px_str_of(pattern), px_str_of(text));
}

static void globs(void **state) {
    (void)state;
    assert_true(glob("", ""));
    assert_false(glob("", "a"));
    assert_true(glob("*", ""));
    assert_true(glob("**", "abc"));
    assert_true(glob("github_*", "github_"));
    assert_true(glob("*_list_*", "github_list_issues"));
    assert_false(glob("*_list_*", "github_list"));
    assert_true(glob("a*b*c", "a__b__bc"));
    assert_false(glob("a*b*c", "a__b__b"));
    assert_false(glob("abc", "abcd"));
    assert_false(glob("?", "a")); /* only the star is special */
    assert_true(px_str_glob((px_str){NULL, 0}, (px_str){NULL, 0}));
    /* Every pattern over {a,b,*} and every text over {a,b} of up to five characters. */
    char p[6], t[6];
    for (int np = 0; np <= 5; np++) {
        for (int ip = 0; ip < 243; ip++) {
            for (int i = 0, rest = ip; i < np; i++, rest /= 3)
                p[i] = "ab*"[rest % 3];
            for (int nt = 0; nt <= 5; nt++) {
                for (int it = 0; it < 1 << nt; it++) {
                    for (int i = 0; i < nt; i++)
                        t[i] = "ab"[it >> i & 1];
                    px_str ps = px_str_n(p, (size_t)np), ts = px_str_n(t, (size_t)nt);
                    assert_int_equal(px_str_glob(ps, ts), slow_glob(ps, ts));
                }
            }
        }
    }
    /* Work stays bounded: tried naively, this one would not end in our time. */
    char stars[61], as[2001];
    for (size_t i = 0; i < 60; i++)
        stars[i] = i % 2 ? 'a' : '*';
    stars[59] = 'b';
    memset(as, 'a', 2000);
    assert_false(px_str_glob(px_str_n(stars, 60), px_str_n(as, 2000)));
}

static void equality_and_order(void **state) {
    (void)state;
    assert_true(px_str_eq((px_str){NULL, 0}, PX_LIT("")));
    assert_true(px_str_is((px_str){NULL, 0}, ""));
    assert_false(px_str_is(PX_LIT("a\0b"), "a"));
    assert_true(px_str_starts(PX_LIT("abc"), PX_LIT("ab")));
    assert_true(px_str_starts(PX_LIT("abc"), (px_str){NULL, 0}));
    assert_false(px_str_starts(PX_LIT("ab"), PX_LIT("abc")));
    assert_true(px_str_cmp(PX_LIT("ab"), PX_LIT("abc")) < 0);
    assert_true(px_str_cmp(PX_LIT("abc"), PX_LIT("ab")) > 0);
    assert_true(px_str_cmp(PX_LIT("\xff"), PX_LIT("a")) > 0);
    assert_int_equal(px_str_cmp(PX_LIT("x"), PX_LIT("x")), 0);
    assert_int_equal(px_str_cmp((px_str){NULL, 0}, PX_LIT("")), 0);
}

static size_t distance(const char *a, const char *b) {
    return px_str_distance(px_str_of(a), px_str_of(b));
}

static void distances(void **state) {
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("sitting", "kitten"), 3);
    assert_int_equal(distance("intention", "execution"), 5);
    assert_int_equal(distance("ab", "ba"), 2);
    char a[66];
    memset(a, 'a', 65);
    assert_int_equal(px_str_distance(px_str_n(a, 64), px_str_n(a, 1)), 63);
    assert_true(px_str_distance(px_str_n(a, 65), px_str_n(a, 1)) == SIZE_MAX);
    assert_true(px_str_distance(px_str_n(a, 1), px_str_n(a, 65)) == SIZE_MAX);
}

static void numbers(void **state) {
    (void)state;
    uint64_t n = 7;
    assert_int_equal(px_str_u64(PX_LIT("0"), &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(px_str_u64(PX_LIT("18446744073709551615"), &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(px_str_u64(PX_LIT("00012"), &n), 0);
    assert_int_equal(n, 12);
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "99999999999999999999x"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        assert_int_equal(px_str_u64(px_str_of(bad[i]), &n), -EINVAL);
    assert_int_equal(px_str_u64(PX_LIT("18446744073709551616"), &n), -ERANGE);
    assert_int_equal(px_str_u64(PX_LIT("99999999999999999999999"), &n), -ERANGE);
    assert_int_equal(px_str_u64(PX_LIT("36893488147419103233"), &n), -ERANGE);  /* 2^65 + 1 */
    assert_int_equal(px_str_u64(PX_LIT("184467440737095516160"), &n), -ERANGE); /* ten times 2^64 */
    assert_int_equal(n, 12);                                                    /* untouched on failure */
}

static void copies_and_cuts(void **state) {
    (void)state;
    char to[6];
    px_str_copy(to, sizeof to, PX_LIT("abcdefgh"));
    assert_string_equal(to, "abcde");
    px_str_copy(to, sizeof to, PX_LIT("abc\xc3\xa9\xc3\xa9")); /* fits to its end */
    assert_string_equal(to, "abc\xc3\xa9");
    px_str_copy(to, sizeof to, PX_LIT("abcd\xc3\xa9"));
    assert_string_equal(to, "abcd");
    px_str_copy(to, sizeof to, PX_LIT("ab\xf0\x9f\x98\x80"));
    assert_string_equal(to, "ab");
    px_str_copy(to, sizeof to, (px_str){NULL, 0});
    assert_string_equal(to, "");
    px_str_copy(to, 1, PX_LIT("abc"));
    assert_string_equal(to, "");
    to[0] = 'x';
    px_str_copy(to, 0, PX_LIT("abc"));
    assert_int_equal(to[0], 'x');
    /* Bytes that are no UTF-8 are not thrown away in search of a beginning. */
    px_str_copy(to, sizeof to, PX_LIT("\x80\x80\x80\x80\x80\x80\x80"));
    assert_int_equal(strlen(to), 5);
    px_str_copy(to, sizeof to, PX_LIT("a\x80\x80\x80\x80\x80\x80"));
    assert_int_equal(strlen(to), 5);
    char *dup = px_str_dup(PX_LIT("a\0b"));
    assert_memory_equal(dup, "a\0b", 4);
    free(dup);
    dup = px_str_dup((px_str){NULL, 0});
    assert_string_equal(dup, "");
    free(dup);
}

/* Every sequence of up to four bytes from the bytes at which the rules change, against the rules spelled out. */
static size_t slow_utf8(const unsigned char *b, size_t n) {
    unsigned code, least;
    size_t len;
    if (b[0] < 0x80)
        return 1;
    if (b[0] >= 0xc0 && b[0] < 0xe0)
        len = 2, code = b[0] & 0x1fu, least = 0x80;
    else if (b[0] >= 0xe0 && b[0] < 0xf0)
        len = 3, code = b[0] & 0xfu, least = 0x800;
    else if (b[0] >= 0xf0 && b[0] < 0xf8)
        len = 4, code = b[0] & 7u, least = 0x10000;
    else
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (i >= n || (b[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (b[i] & 0x3fu);
    }
    return code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : len;
}

static void utf8(void **state) {
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                          0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                          0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};
    enum { N = sizeof edges };
    (void)state;
    assert_int_equal(px_str_utf8_at((px_str){NULL, 0}), 0);
    for (unsigned i = 0; i < N * N * N * N; i++) {
        unsigned char b[4] = {edges[i % N], edges[i / N % N], edges[i / N / N % N], edges[i / N / N / N]};
        for (size_t n = 1; n <= 4; n++)
            assert_int_equal(px_str_utf8_at(px_str_n((char *)b, n)), slow_utf8(b, n));
    }
}

/* From another implementation of SipHash-1-3, with a key of zeros (CPython's hash of bytes with PYTHONHASHSEED=0). */
static void siphash(void **state) {
    static const uint64_t zero[2], other[2] = {1, 0};
    (void)state;
    assert_true(px_str_siphash(PX_LIT("a"), zero) == 0x407448d2b89b1813);
    assert_true(px_str_siphash(PX_LIT("abcdefg"), zero) == 0x6db12aae9070f506);
    assert_true(px_str_siphash(PX_LIT("abcdefgh"), zero) == 0x3f7b849c0b8e35ea);
    assert_true(px_str_siphash(PX_LIT("the quick brown fox"), zero) == 0x5a17575ad3449cba);
    assert_true(px_str_siphash(PX_LIT("a"), other) != px_str_siphash(PX_LIT("a"), zero));
    assert_true(px_str_siphash((px_str){NULL, 0}, zero) == px_str_siphash(PX_LIT(""), zero));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),   cmocka_unit_test(equality_and_order), cmocka_unit_test(distances),
        cmocka_unit_test(numbers), cmocka_unit_test(copies_and_cuts),    cmocka_unit_test(utf8),
        cmocka_unit_test(siphash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
