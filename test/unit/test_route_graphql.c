/* Which operation a GraphQL document holds. */
#include "route/read.h"
#include "unit/route_rig.h"

static void reads(const char *text, bool mutation, const char *name, const char *vars) {
    struct px_arena arena;
    struct px_graphql got;
    struct px_err err = {0};
    char list[200] = "";
    size_t n = 0;
    px_str exact = exact_copy(px_str_of(text));
    px_arena_init(&arena, 1 << 16);
    if (px_graphql_read(&arena, exact, &got, &err))
        fail_msg("%s: %s", text, err.msg);
    for (size_t i = 0; i < got.n_vars; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s" PX_FMT "%s", i ? " " : "",
                              PX_ARG(got.vars[i].name), got.vars[i].has_default ? "=" : "");
    assert_int_equal(got.mutation, mutation);
    assert_text(got.name, name);
    assert_string_equal(list, vars);
    px_arena_finish(&arena);
    exact_free(exact);
}

static void refuses(const char *text, const char *words) {
    struct px_arena arena;
    struct px_graphql got;
    struct px_err err = {0};
    px_str exact = exact_copy(px_str_of(text));
    px_arena_init(&arena, 1 << 16);
    int r = px_graphql_read(&arena, exact, &got, &err);
    if (r != -EINVAL || strcmp(err.msg, words) != 0)
        fail_msg("%s: %d <%s>, expected <%s>", text, r, err.msg, words);
    px_arena_finish(&arena);
    exact_free(exact);
}

static void operations(void **state) {
    (void)state;
    reads("{ a }", false, "", "");
    reads("query { a }", false, "", "");
    reads("query A { a }", false, "A", "");
    reads("mutation { a }", true, "", "");
    reads("mutation M($x: ID!) @live(a: 1) { a }", true, "M", "x");
    reads("\xef\xbb\xbfquery A,,,{ a }", false, "A", "");
    reads("query query { mutation }", false, "query", "");
    reads("query A { ...F } fragment F on T @x { b { c } }", false, "A", "");
    reads("fragment F on T { b } query A { ...F }", false, "A", "");
    reads("query A { ... on B { c } ... @include(if: true) { d } }", false, "A", "");
}

static void variables(void **state) {
    (void)state;
    reads(
        "query A($a: Int $b: [String!]! = [\"x\", \"}\"] @d $c: [[Int]] = [[1]], $d: F = {a: {b: 1}}) { a }",
        false, "A", "a b= c= d=");
    reads("query($a: Float = -1.5e+10, $b: Int = 7) { a }", false, "", "a= b=");
    reads("query($a: E = RED, $b: B = true, $c: N = null) { a }", false, "", "a= b= c=");
    reads("query A() { a }", false, "A", "");
}

/* What is inside texts and comments is neither an operation nor a bracket. */
static void texts(void **state) {
    (void)state;
    reads("# mutation M { x }\nquery A { a(x: \"} mutation {\") }", false, "A", "");
    reads("query A { a(x: \"\\\"}\\\\\") # }\n }", false, "A", "");
    reads("query A { a(x: \"\"\"} \" \"\" \\\"\"\" } \"\"\") }", false, "A", "");
    reads("query A($s: S = \"\"\"mutation $t\"\"\") { a }", false, "A", "s=");
    reads("query A { a(x: \"\") b }", false, "A", "");
    reads("query A { a } # mutation", false, "A", "");
}

static void errors(void **state) {
    (void)state;
    refuses("", "there is no operation: write query Name { … } or mutation Name { … }");
    refuses("fragment F on T { a }", "there is no operation: write query Name { … } or mutation Name { … }");
    refuses("subscription { a }", "line 1: a subscription cannot be a route: only a query or a mutation");
    refuses("{ a }\n{ b }", "line 2: a second operation: a route has exactly one");
    refuses("{ a", "line 1: a bracket that is not closed");
    refuses("{ a ) }", "line 1: brackets that do not match");
    refuses("{ a } }", "line 1: expected query, mutation, fragment or {");
    refuses("query A", "line 1: expected the operation's selection: { … }");
    refuses("query A($a) { a }", "line 1: a variable needs a type: $name: Type");
    refuses("query A($a: [Int) { a }", "line 1: a list type that is not closed");
    refuses("query A(a: Int) { a }", "line 1: expected a variable: $name: Type");
    refuses("query A($a: Int, $a: Int) { a }", "line 1: the variable $a is declared twice");
    refuses("query A($a: Int = $b) { a }", "line 1: a default that is no constant");
    refuses("{ a(x: \"b) }", "line 1: a string that does not end");
    refuses("{ a(x: \"\"\"b) }\n\n", "line 3: a block string that does not end");
    refuses("{ a ; }", "line 1: a character that cannot stand there");
    refuses("fragment F T { a }", "line 1: a fragment needs a type: fragment name on Type { … }");
    refuses("type A { b: C }", "line 1: expected query, mutation, fragment or {");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),
        cmocka_unit_test(variables),
        cmocka_unit_test(texts),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
