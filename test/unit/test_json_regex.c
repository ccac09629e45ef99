#include "unit/json_help.h"
#include "json/regex.h"
#include <time.h>

static enum px_regex_verdict search(const char *pattern, px_str text) {
    struct px_regex *regex = NULL;
    struct px_err err = {0};
    if (px_regex_compile(px_str_of(pattern), &regex, &err))
        fail_msg("%s: %s", pattern, err.msg);
    enum px_regex_verdict verdict = px_regex_search(regex, text, NULL);
    px_regex_destroy(regex);
    return verdict;
}

static void yes(const char *pattern, const char *text) {
    if (search(pattern, px_str_of(text)) != PX_REGEX_YES)
        fail_msg("%s must match %s", pattern, text);
}
static void no(const char *pattern, const char *text) {
    if (search(pattern, px_str_of(text)) != PX_REGEX_NO)
        fail_msg("%s must not match %s", pattern, text);
}
static void refused(const char *pattern, const char *words) {
    struct px_regex *regex = NULL;
    struct px_err err = {0};
    if (px_regex_compile(px_str_of(pattern), &regex, &err) == 0)
        fail_msg("%s must be refused", pattern);
    assert_int_equal(err.code, -EINVAL);
    if (!strstr(err.msg, words))
        fail_msg("%s: \"%s\" does not say \"%s\"", pattern, err.msg, words);
    assert_null(regex);
}

static void test_found_anywhere(void **state) {
    (void)state;
    yes("b", "abc");
    yes("", "");
    yes("a|^b", "xa");
    no("a|^b", "xb");
    yes("^a.c$", "abc");
    no("^b", "ab\nb");
    no("^abc$", "abc\n"); /* $ is the end, not a line break before it */
    yes("\\bcat\\b", "a cat sat");
    yes(".*error", "an error");
    no(".*error", "fine");
    yes(".*a|b", "b"); /* the first part is not dropped over an alternative */
    yes("^.*b", "ab");
}

static void test_javascript_characters(void **state) {
    (void)state;
    no("^.$", "\n");
    no("^.$", "\u2028");
    yes("^.$", "\x0b");
    yes("^.$", "\U0001F432");
    yes("^\\s$", "\u00a0");
    yes("^\\s$", "\ufeff");
    yes("^\\s$", "\u2029");
    no("^\\s$", "\u180e");
    no("^\\S$", "\u3000");
    yes("^[^\\s]$", "x");
    no("^[^\\S]$", "x");
    yes("^[\\S]$", "\u4e00");
    yes("^[\\s\\d]+$", "1 \u20032");
    no("^\\d$", "\u07c0");
    no("^\\w$", "\u00e9");
    yes("^\\W$", "\u00e9");
    yes("^\\v$", "\x0b");
    no("^\\v$", "\n");
    yes("^[\\b]$", "\b");
}

static void test_escapes(void **state) {
    (void)state;
    yes("^\\cC\\cc$", "\x03\x03");
    yes("^\\x41\\u0042\\u{43}\\u{1F432}$", "ABC\U0001F432");
    yes("^\\ud83d\\udc32*$", "\U0001F432\U0001F432");
    yes("^[\\ud83d\\udc30-\\ud83d\\udc32]$", "\U0001F431");
    yes("^\\/\\.\\-\\_\\@$", "/.-_@");
    assert_int_equal(search("^\\0$", px_str_n("\0", 1)), PX_REGEX_YES);
    refused("\\a", "behind a backslash");
    refused("\\Z", "behind a backslash");
    refused("\\u12", "four hexadecimal");
    refused("\\u{110000}", "10FFFF");
    refused("\\ud83d", "surrogate");
    refused("\\c1", "letter");
    refused("\\01", "octal");
    refused("a\\", "backslash at the end");
}

static void test_classes(void **state) {
    (void)state;
    yes("[^]", "\n");
    no("[]", "a");
    yes("^[[:alpha:]]$", ":]"); /* no POSIX classes: a class of [:alph, then ] */
    no("^[[:alpha:]]$", "b]");
    yes("^[a-]+$", "a-");
    yes("^[\\w-.]+$", "a-.");
    yes("^[+--]$", ",");
    yes("^[^a-c]$", "d");
    yes("^[\\]\\\\^]+$", "]\\^");
    yes("^[#-&]$", "%");
    refused("[b-a]", "range");
    refused("[a", "closing bracket");
}

static void test_properties(void **state) {
    (void)state;
    yes("^\\p{Letter}+$", "\u00e9a");
    yes("^\\p{L}$", "\u4e00");
    yes("^\\p{Lu}\\P{Lu}$", "Aa");
    yes("^\\p{digit}+$", "\u09ea\u09e8");
    yes("^\\p{gc=Decimal_Number}$", "1");
    yes("^\\p{Script=Greek}$", "\u03b1");
    no("^\\p{sc=Greek}$", "a");
    yes("^[\\p{Script_Extensions=Cyrillic}\\d]+$", "\u04341");
    yes("^\\p{ASCII}$", "a");
    yes("^\\p{Assigned}$", "a");
    yes("^\\P{Assigned}$", "\u0378");
    yes("^\\p{Cased_Letter}$", "a");
    refused("\\pL", "braces");
    refused("\\p{}", "name of a property");
    refused("\\p{Nonsense}", "unknown");
    refused("\\p{Script_Nonsense=Greek}", "General_Category");
}

static void test_groups_and_repeats(void **state) {
    (void)state;
    yes("^(a)(?:b)(?<n>c)\\1\\k<n>$", "abcac");
    yes("^(?:(a)|b)\\1$", "b"); /* an unset group matches nothing */
    yes("^(?=ab)a(?!c)", "ab");
    yes("(?<=\\$)\\d", "$1");
    yes("^a{2}b{1,}c{0,1}$", "aab");
    yes("^{a{,2}}$", "{a{,2}}");
    yes("^(?i:aB)c$", "Abc");
    refused("a**", "nothing to repeat");
    refused("a++", "nothing to repeat");
    refused("*a", "nothing to repeat");
    refused("(*UTF)a", "nothing to repeat");
    refused("(?>a)", "not a group");
    refused("(?R)", "not a group");
    refused("(?#a)", "not a group");
    refused("(?P<n>a)", "not a group");
    refused("(a", "parenthesis");
    refused("a)", "parenthesis");
    refused("\\2(a)", "non-existent");
}

static void test_size(void **state) {
    (void)state;
    static char longest[PX_REGEX_MAX_BYTES + 1];
    struct px_regex *regex = NULL;
    struct px_err err;
    memset(longest, 'a', sizeof longest);
    assert_int_equal(px_regex_compile(px_str_n(longest, sizeof longest), &regex, &err), -EMSGSIZE);
    memset(longest, '(', sizeof longest);
    assert_int_equal(px_regex_compile(px_str_n(longest, 1000), &regex, &err), -EMSGSIZE);
    assert_int_equal(px_regex_compile(PX_LIT("((a{1000}){1000}){1000}"), &regex, &err), -EMSGSIZE);
    assert_int_equal(px_regex_compile(PX_LIT("\xff"), &regex, &err), -EINVAL);
    assert_int_equal(search("a", PX_LIT("a\xff")), PX_REGEX_NO);
}

static uint64_t cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What would take for ever gives up at once, at any length of the text and wherever a match may begin. */
static void test_bounded(void **state) {
    (void)state;
    static const char *const evil[] = {"^(a+)+$",  "(a+)+$", "(a|a)*b",   "(.*)*x",
                                       "(x+x+)+y", "(a*)*b", "a*a*a*a*b", "^(([a-z])+.)+[A-Z]([a-z])+$"};
    static char text[65536];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < PX_COUNT(evil); i++) {
        for (size_t n = 32; n <= sizeof text; n *= 2048) {
            struct px_regex *regex = NULL;
            uint64_t work = 0, start = cpu_ms();
            assert_int_equal(px_regex_compile(px_str_of(evil[i]), &regex, NULL), 0);
            text[n - 1] = '!';
            assert_int_not_equal(px_regex_search(regex, px_str_n(text, n), &work), PX_REGEX_YES);
            text[n - 1] = 'a';
            assert_true(work >= n / 4);
            px_regex_destroy(regex);
            if (cpu_ms() - start > 1000)
                fail_msg("%s took too long on %zu bytes", evil[i], n);
        }
    }
    assert_int_equal(search("^(a+)+$", PX_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")), PX_REGEX_GAVE_UP);
    /* Long texts are no problem in themselves. */
    assert_int_equal(search("^(?:a|b)*$", px_str_n(text, 20000)), PX_REGEX_YES);
    assert_int_equal(search("z", px_str_n(text, sizeof text)), PX_REGEX_NO);
    assert_int_equal(search(".*z.*", px_str_n(text, sizeof text)), PX_REGEX_NO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_anywhere), cmocka_unit_test(test_javascript_characters),
        cmocka_unit_test(test_escapes),        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_properties),     cmocka_unit_test(test_groups_and_repeats),
        cmocka_unit_test(test_size),           cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
