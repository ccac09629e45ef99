#include "unit/json_help.h"
#include "json/uri.h"

/* RFC 3986 §5.4, all of it, and what JSON Schema adds: bases that are URNs, relative, or nothing. */
static void resolves(void **state) {
    (void)state;
    static const struct {
        const char *base, *reference, *want;
    } cases[] = {
        {"http://a/b/c/d;p?q", "g:h", "g:h"},
        {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
        {"http://a/b/c/d;p?q", "/g", "http://a/g"},
        {"http://a/b/c/d;p?q", "//g", "http://g"},
        {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
        {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
        {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"},
        {"http://a/b/c/d;p?q", "g#s", "http://a/b/c/g#s"},
        {"http://a/b/c/d;p?q", "g?y#s", "http://a/b/c/g?y#s"},
        {"http://a/b/c/d;p?q", ";x", "http://a/b/c/;x"},
        {"http://a/b/c/d;p?q", "g;x", "http://a/b/c/g;x"},
        {"http://a/b/c/d;p?q", "g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
        {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
        {"http://a/b/c/d;p?q", "./", "http://a/b/c/"},
        {"http://a/b/c/d;p?q", "..", "http://a/b/"},
        {"http://a/b/c/d;p?q", "../", "http://a/b/"},
        {"http://a/b/c/d;p?q", "../g", "http://a/b/g"},
        {"http://a/b/c/d;p?q", "../..", "http://a/"},
        {"http://a/b/c/d;p?q", "../../", "http://a/"},
        {"http://a/b/c/d;p?q", "../../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "../../../../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "/./g", "http://a/g"},
        {"http://a/b/c/d;p?q", "/../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "g.", "http://a/b/c/g."},
        {"http://a/b/c/d;p?q", ".g", "http://a/b/c/.g"},
        {"http://a/b/c/d;p?q", "g..", "http://a/b/c/g.."},
        {"http://a/b/c/d;p?q", "..g", "http://a/b/c/..g"},
        {"http://a/b/c/d;p?q", "./../g", "http://a/b/g"},
        {"http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/"},
        {"http://a/b/c/d;p?q", "g/./h", "http://a/b/c/g/h"},
        {"http://a/b/c/d;p?q", "g/../h", "http://a/b/c/h"},
        {"http://a/b/c/d;p?q", "g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"},
        {"http://a/b/c/d;p?q", "g?y/./x", "http://a/b/c/g?y/./x"},
        {"http://a/b/c/d;p?q", "g#s/../x", "http://a/b/c/g#s/../x"},
        {"http://a/b/c/d;p?q", "http:g", "http:g"},
        {"http://a", "b", "http://a/b"},
        {"http://a/b#f", "#", "http://a/b"},
        {"urn:uuid:1", "#/a", "urn:uuid:1#/a"},
        {"urn:uuid:1", "#a", "urn:uuid:1#a"},
        {"", "a.json#/b", "a.json#/b"},
        {"", "#/b", "#/b"},
        {"a/b", "../../c", "/c"},
        {"a/b", "c", "a/c"},
        {"tag:x,2024:/a/b", "c", "tag:x,2024:/a/c"},
    };
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        px_str got = px_uri_resolve(&arena, px_str_of(cases[i].base), px_str_of(cases[i].reference));
        if (!px_str_is(got, cases[i].want))
            fail_msg("<%s> against <%s>: <" PX_FMT ">, expected <%s>", cases[i].reference, cases[i].base,
                     PX_ARG(got), cases[i].want);
    }
    px_arena_finish(&arena);
}

static void fragments(void **state) {
    (void)state;
    struct px_arena arena;
    px_str fragment;
    px_arena_init(&arena, 1 << 20);
    assert_text(px_uri_without_fragment(PX_LIT("a#b"), &fragment), "a");
    assert_text(fragment, "b");
    assert_text(px_uri_without_fragment(PX_LIT("a#"), &fragment), "a");
    assert_true(fragment.p && !fragment.n);
    assert_text(px_uri_without_fragment(PX_LIT("a"), &fragment), "a");
    assert_null(fragment.p);
    assert_null(px_uri_without_fragment((px_str){0}, &fragment).p);
    assert_text(px_uri_decode(&arena, PX_LIT("%25%2f%zz%4")), "%/%zz%4");
    px_arena_finish(&arena);
}

/* No byte behind the text is looked at. */
static void borders(void **state) {
    (void)state;
    static const char *const texts[] = {"http://[", "http://[]", "http://a:",   "%",   "%4", "a:", "::",
                                        "1::1.2.3", "1.2.3",     "http://[v1.", "/..", "/.", "..", "."};
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        px_str copy = exact_copy(px_str_of(texts[i]));
        (void)px_uri_valid(copy, PX_URI_REFERENCE);
        (void)px_ipv4_valid(copy);
        (void)px_ipv6_valid(copy);
        assert_non_null(px_uri_resolve(&arena, copy, copy).p);
        assert_non_null(px_uri_decode(&arena, copy).p);
        exact_free(copy);
    }
    px_arena_finish(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(resolves), cmocka_unit_test(fragments),
                                       cmocka_unit_test(borders)};
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
