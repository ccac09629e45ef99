#include "unit/json_help.h"
#include "json/select.h"
#include <time.h>

static struct px_select *compiled(const char *text) {
    struct px_select *select = NULL;
    struct px_err err = {0};
    px_str copy = exact_copy(px_str_of(text));
    if (px_select_compile(copy, &select, &err))
        fail_msg("%s: %s", text, err.msg);
    exact_free(copy);
    return select;
}

static void keeps(const char *fields, const char *json, const char *want) {
    struct px_select *select = compiled(fields);
    struct px_buf out;
    px_str copy = exact_copy(px_str_of(json));
    px_buf_init(&out, 1 << 20);
    assert_int_equal(px_select_apply_seen(select, copy, &out, NULL), 0);
    assert_text(px_buf_view(&out), want);
    px_buf_finish(&out);
    exact_free(copy);
    px_select_destroy(select);
}

#define ISSUE                                                                                                        \
    "{\"id\": 5000000000000001, \"title\": \"a \\u0062\", \"user\": {\"login\": \"bob\", \"id\": 1, \"x\": [1, 2]}," \
    " \"labels\": [{\"name\": \"bug\", \"color\": \"red\"}, {\"name\": \"ui\", \"color\": null}], \"assignee\": null}"

static void keeps_what_is_asked_for(void **state) {
    (void)state;
    keeps("title", ISSUE, "{\"title\":\"a \\u0062\"}");
    keeps("user,id", ISSUE, "{\"id\":5000000000000001,\"user\":{\"login\":\"bob\",\"id\":1,\"x\":[1,2]}}");
    keeps("user/login", ISSUE, "{\"user\":{\"login\":\"bob\"}}");
    keeps("user(login,x)", ISSUE, "{\"user\":{\"login\":\"bob\",\"x\":[1,2]}}");
    keeps("user/login,user/id", ISSUE, "{\"user\":{\"login\":\"bob\",\"id\":1}}");
    keeps("labels/name", ISSUE, "{\"labels\":[{\"name\":\"bug\"},{\"name\":\"ui\"}]}");
    keeps("labels(color)", ISSUE, "{\"labels\":[{\"color\":\"red\"},{\"color\":null}]}");
    keeps(" id , user ( login ) ", ISSUE, "{\"id\":5000000000000001,\"user\":{\"login\":\"bob\"}}");
    keeps("nothing", ISSUE, "{}");
    keeps("nothing/at/all", ISSUE, "{}");
    keeps("user/nothing", ISSUE, "{\"user\":{}}");
    keeps("a/b(c/d,e)", "{\"a\":{\"b\":{\"c\":{\"d\":1,\"x\":2},\"e\":3,\"f\":4}},\"b\":1}",
          "{\"a\":{\"b\":{\"c\":{\"d\":1},\"e\":3}}}");
}

static void looks_through_arrays(void **state) {
    (void)state;
    keeps("id", "[{\"id\":1,\"x\":2},{\"x\":3},4,\"s\",null]", "[{\"id\":1},{},4,\"s\",null]");
    keeps("a/b", "[[{\"a\":[[{\"b\":1,\"c\":2}],{\"b\":3}]}],[]]", "[[{\"a\":[[{\"b\":1}],{\"b\":3}]}],[]]");
    keeps("id", " [ ] ", "[]");
}

static void scalars_stay(void **state) {
    (void)state;
    keeps("user/login", "{\"user\":\"bob\",\"assignee\":1}", "{\"user\":\"bob\"}");
    keeps("assignee/login", ISSUE, "{\"assignee\":null}");
    keeps("x", " 1.0e5 ", "1.0e5");
    keeps("x", "\"a\\/b\"", "\"a\\/b\"");
}

static void stars_are_every_member(void **state) {
    (void)state;
    keeps("*", " { \"a\" : [ 1 , -0.0 ] } ", "{\"a\":[1,-0.0]}");
    keeps("user/*", ISSUE, "{\"user\":{\"login\":\"bob\",\"id\":1,\"x\":[1,2]}}");
    keeps("labels(*)", "{\"labels\":[{\"a\":1}],\"x\":2}", "{\"labels\":[{\"a\":1}]}");
    keeps("*/id", "{\"a\":{\"id\":1,\"x\":2},\"b\":[{\"id\":3,\"y\":4}],\"c\":5}",
          "{\"a\":{\"id\":1},\"b\":[{\"id\":3}],\"c\":5}");
    keeps("*(id),b/y", "{\"a\":{\"id\":1,\"y\":2},\"b\":{\"id\":3,\"y\":4,\"z\":5}}",
          "{\"a\":{\"id\":1},\"b\":{\"id\":3,\"y\":4}}");
    keeps("*/id,b", "{\"a\":{\"id\":1,\"y\":2},\"b\":{\"id\":3,\"y\":4}}",
          "{\"a\":{\"id\":1},\"b\":{\"id\":3,\"y\":4}}");
    keeps("%2A", "{\"*\":1,\"a\":2}", "{\"*\":1}");
}

static void names_are_compared_decoded(void **state) {
    (void)state;
    keeps("a%2Cb,x%2fy,%25", "{\"a,b\":1,\"x\\/y\":2,\"\\u0025\":3,\"a\":4}",
          "{\"a,b\":1,\"x\\/y\":2,\"\\u0025\":3}");
    keeps("\xc3\xa9", "{\"\\u00e9\":1}", "{\"\\u00e9\":1}");
    keeps("a.b-c_d$:", "{\"a.b-c_d$:\":1}", "{\"a.b-c_d$:\":1}");
    keeps("a%20b", "{\"a b\":1}", "{\"a b\":1}");
}

static void the_whole_swallows_its_parts(void **state) {
    (void)state;
    const char *same[] = {"user,user/login", "user/login,user", "user(login,*),user(id)"};
    for (size_t i = 0; i < PX_COUNT(same); i++) {
        struct px_select *select = compiled(same[i]);
        keeps(same[i], "{\"user\":{\"login\":1,\"z\":2}}", "{\"user\":{\"login\":1,\"z\":2}}");
        assert_int_equal(px_select_count(select), 1);
        assert_text(px_select_path(select, 0), i < 2 ? "user" : "user/*");
        px_select_destroy(select);
    }
}

static void refuses(const char *fields, int code, const char *words) {
    struct px_select *select = NULL;
    struct px_err err = {0};
    px_str copy = exact_copy(px_str_of(fields));
    int r = px_select_compile(copy, &select, &err);
    if (r != code || err.code != code || !strstr(err.msg, words) || select)
        fail_msg("%s: %d %s", fields, r, err.msg);
    exact_free(copy);
}

static void says_where_it_is_wrong(void **state) {
    (void)state;
    refuses("", -EINVAL, "character 1: a name is missing");
    refuses("  ", -EINVAL, "a name is missing");
    refuses("a,,b", -EINVAL, "character 3: a name is missing");
    refuses("a,", -EINVAL, "character 3: a name is missing");
    refuses("a/", -EINVAL, "character 3: a name is missing");
    refuses("/a", -EINVAL, "character 1: a name is missing");
    refuses("a()", -EINVAL, "character 3: a name is missing");
    refuses("(a)", -EINVAL, "character 1: a name is missing");
    refuses("a(b", -EINVAL, "character 2: there is no ) for this (");
    refuses("a(b c)", -EINVAL, "character 5: expected , or )");
    refuses("\xc3\xa9\xc3\xa9,a)", -EINVAL, "character 5: there is no ( for this )");
    refuses("a b", -EINVAL, "character 3: expected , / or (");
    refuses("a(b)/c", -EINVAL, "character 5: expected , / or (");
    refuses("ab%2", -EINVAL, "character 3: behind %");
    refuses("%zz", -EINVAL, "two hexadecimal digits");
    refuses("%", -EINVAL, "two hexadecimal digits");
}

static void is_bounded(void **state) {
    (void)state;
    struct px_buf text;
    px_buf_init(&text, 1 << 20);
    for (int i = 0; i < PX_SELECT_DEPTH_MAX; i++)
        px_buf_text(&text, i ? "/a" : "a");
    px_select_destroy(compiled(text.p));
    px_buf_text(&text, "/a");
    refuses(text.p, -EMSGSIZE, "deeper than 16");
    px_buf_clear(&text, 1 << 20);
    for (int i = 0; i < PX_SELECT_FIELDS_MAX; i++)
        px_buf_addf(&text, "%sf%d", i ? "," : "", i);
    struct px_select *select = compiled(text.p);
    assert_int_equal(px_select_count(select), PX_SELECT_FIELDS_MAX);
    px_select_destroy(select);
    px_buf_text(&text, ",more");
    refuses(text.p, -EMSGSIZE, "more than 256");
    px_buf_clear(&text, 1 << 20);
    for (int i = 0; i <= PX_SELECT_TEXT_MAX; i++)
        px_buf_char(&text, 'a');
    refuses(text.p, -EMSGSIZE, "longer than 4096");
    px_buf_clear(&text, 1 << 20);
    for (int i = 0; i < 2000; i++)
        px_buf_char(&text, '(');
    refuses(text.p, -EINVAL, "a name is missing");
    px_buf_finish(&text);
    px_select_destroy(NULL);
    select = compiled("a");
    px_buf_init(&text, 4);
    assert_int_equal(px_select_apply_seen(select, PX_LIT("{\"a\":1}"), &text, NULL), -EMSGSIZE);
    px_buf_finish(&text);
    px_select_destroy(select);
}

static void text_that_is_not_json_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",        "{",         "[",       "{\"a\"",    "{\"a\":",    "{\"a\":1",
        "[1",      "[{\"b\":1", "[1 2]",   "{\"a\":1]", "{\"b\" 1}",  "{\"a\":{",
        "[[[[[[[", "{\"a",      "{\"b\":", "{b:1}",     "{\"a\":1,}", "[1]x"};
    struct px_select *select = compiled("a/c");
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_buf out;
        px_str copy = exact_copy(px_str_of(bad[i]));
        px_buf_init(&out, 1000);
        if (px_select_apply_seen(select, copy, &out, NULL) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
        px_buf_finish(&out);
        exact_free(copy);
    }
    px_select_destroy(select);
}

static void tells_which_fields_were_met(void **state) {
    (void)state;
    struct px_select *select = compiled("id,user(login,nope),labels/name,assignee/login,*/x,no%2Cpe");
    struct px_buf out, words;
    uint64_t seen[PX_SELECT_FIELDS_MAX / 64] = {0};
    px_buf_init(&out, 1000);
    px_buf_init(&words, 1000);
    assert_int_equal(px_select_apply_seen(
                         select,
                         PX_LIT("{\"id\":1,\"user\":{\"login\":2},\"labels\":[],\"assignee\":null,\"q\":{}}"),
                         &out, seen),
                     0);
    assert_text(px_buf_view(&out),
                "{\"id\":1,\"user\":{\"login\":2},\"labels\":[],\"assignee\":null,\"q\":{}}");
    for (size_t i = 0; i < px_select_count(select); i++) {
        if (!(seen[i / 64] >> i % 64 & 1))
            px_buf_addf(&words, PX_FMT ";", PX_ARG(px_select_path(select, i)));
    }
    assert_text(px_buf_view(&words), "user/nope;no%2Cpe;"); /* x: an empty array and null do not deny it */
    assert_null(px_select_path(select, px_select_count(select)).p);
    px_buf_finish(&out);
    px_buf_finish(&words);
    px_select_destroy(select);
}

/* ---- random documents ---- */

static void add_random(struct px_buf *to, uint64_t *seed, int level) {
    static const char *const scalars[] = {"5000000000000001",
                                          "1e400",
                                          "-0.0",
                                          "0",
                                          "-1.50E-07",
                                          "123456789012345678901234567890.5",
                                          "\"\\u0000\"",
                                          "\"\"",
                                          "\"a\\/b\"",
                                          "\"\xc3\xa9 \\ud83d\\ude00\"",
                                          "\"{[,:]}\\\"\"",
                                          "true",
                                          "false",
                                          "null",
                                          "{}",
                                          "[]"};
    static const char *const spaces[] = {"", "", "", " ", "\n\t", "         "};
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"\\u0061b\"", "\"c d\"", "\"e\\\"\"", "\"\""};
    uint64_t r = next_random(seed);
    const char *space = spaces[r >> 8 & 3 ? 0 : r >> 10 & 3];
    px_buf_text(to, space);
    if (level == 0 || r % 4 == 0) {
        px_buf_text(to, scalars[(r >> 16) % PX_COUNT(scalars)]);
    } else {
        bool object = r & 1;
        size_t n = (r >> 20) % (object ? PX_COUNT(keys) + 1 : 5);
        px_buf_char(to, object ? '{' : '[');
        for (size_t i = 0; i < n; i++) {
            px_buf_text(to, i ? "," : "");
            px_buf_text(to, space);
            if (object)
                px_buf_addf(to, "%s%s:", keys[i], space);
            add_random(to, seed, level - 1);
        }
        px_buf_text(to, space);
        px_buf_char(to, object ? '}' : ']');
    }
    px_buf_text(to, spaces[r >> 30 & 3]);
}

/* What the header says, word for word and with no regard for time: paths are lists of names. */
struct paths {
    px_str names[8][4]; /* absent: the path has ended */
    size_t n;
};

static void reference(const struct paths *paths, px_str value, struct px_buf *to) {
    enum px_json_type type = px_json_slice_type(value);
    px_str key, member;
    uint64_t pos = 0;
    bool any = false, whole = type != PX_JSON_ARRAY && type != PX_JSON_OBJECT;
    for (size_t i = 0; i < paths->n; i++) {
        const px_str *path = paths->names[i];
        bool stars = true;
        for (size_t level = 0; level < 4 && path[level].p; level++)
            stars = stars && px_str_is(path[level], "*");
        whole = whole || stars;
    }
    if (whole) {
        assert_int_equal(px_json_slice_compact(to, value), 0);
        return;
    }
    px_buf_char(to, type == PX_JSON_OBJECT ? '{' : '[');
    while (px_json_slice_next(value, &pos, &key, &member) == 1) {
        struct paths below = {.n = 0};
        if (type == PX_JSON_ARRAY)
            below = *paths;
        for (size_t i = 0; i < paths->n && type == PX_JSON_OBJECT; i++) {
            const px_str *path = paths->names[i];
            if (px_str_is(path[0], "*") || px_json_slice_is(key, path[0])) {
                memcpy(below.names[below.n], path + 1, 3 * sizeof *path);
                below.n++;
            }
        }
        if (!below.n)
            continue;
        px_buf_text(to, any ? "," : "");
        any = true;
        px_buf_str(to, key);
        px_buf_text(to, key.p ? ":" : "");
        reference(&below, member, to);
    }
    px_buf_char(to, type == PX_JSON_OBJECT ? '}' : ']');
}

static void random_paths(uint64_t *seed, struct paths *ret, struct px_buf *text) {
    static const char *const names[] = {"a", "b", "ab", "c d", "e\"", "*", "no"};
    static const char *const written[] = {"a", "%62", "ab", "c%20d", "e%22", "*", "no"};
    *ret = (struct paths){.n = 1 + next_random(seed) % 6};
    for (size_t i = 0; i < ret->n; i++) {
        size_t levels = 1 + next_random(seed) % 3;
        for (size_t level = 0; level < levels; level++) {
            size_t name = next_random(seed) % PX_COUNT(names);
            ret->names[i][level] = px_str_of(names[name]);
            px_buf_addf(text, "%s%s", level ? "/" : i ? " , " : "", written[name]);
        }
    }
}

static void random_documents(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252ull;
    struct px_select *all = compiled("*");
    struct px_buf text, out, want, fields;
    px_buf_init(&text, 1 << 22);
    px_buf_init(&out, 1 << 22);
    px_buf_init(&want, 1 << 22);
    px_buf_init(&fields, 4096);
    for (int round = 0; round < 3000; round++) {
        struct px_json_scan scan;
        struct paths paths;
        struct px_select *some = NULL;
        px_buf_clear(&text, 1 << 20);
        px_buf_clear(&out, 1 << 20);
        px_buf_clear(&want, 1 << 20);
        px_buf_clear(&fields, 4096);
        add_random(&text, &seed, 5);
        assert_int_equal(px_json_scan(px_buf_view(&text), NULL, &scan, NULL, NULL), 0);
        px_str copy = exact_copy(px_buf_view(&text));
        assert_int_equal(px_select_apply_seen(all, copy, &out, NULL), 0);
        assert_int_equal(px_json_slice_compact(&want, copy), 0);
        assert_true(px_str_eq(px_buf_view(&out), px_buf_view(&want)));
        random_paths(&seed, &paths, &fields);
        px_buf_clear(&out, 1 << 20);
        px_buf_clear(&want, 1 << 20);
        assert_int_equal(px_select_compile(px_buf_view(&fields), &some, NULL), 0);
        assert_int_equal(px_select_apply_seen(some, copy, &out, NULL), 0);
        reference(&paths, scan.value, &want);
        if (!px_str_eq(px_buf_view(&out), px_buf_view(&want)))
            fail_msg("%s of %s:\n%s\n%s", fields.p, text.p, out.p, want.p);
        px_select_destroy(some);
        exact_free(copy);
    }
    px_buf_finish(&text);
    px_buf_finish(&out);
    px_buf_finish(&want);
    px_buf_finish(&fields);
    px_select_destroy(all);
}

/* As deep as a scan allows, in a time that is linear in the text. */
static void nesting_is_no_trouble(void **state) {
    (void)state;
    struct px_buf text, out;
    struct px_json_limits limits = {.depth = 512};
    struct px_json_scan scan;
    struct px_select *select = compiled("a/b");
    px_buf_init(&text, 8 << 20);
    px_buf_init(&out, 8 << 20);
    for (int i = 0; i < 510; i++)
        px_buf_char(&text, '[');
    px_buf_text(&text, "{\"a\":[5000000000000001]}");
    for (int i = 0; i < 1000000; i++)
        px_buf_text(&text, ",1");
    for (int i = 0; i < 510; i++)
        px_buf_char(&text, ']');
    limits.values = 2000000;
    assert_int_equal(px_json_scan(px_buf_view(&text), &limits, &scan, NULL, NULL), 0);
    clock_t began = clock();
    assert_int_equal(px_select_apply_seen(select, px_buf_view(&text), &out, NULL), 0);
    assert_true(px_str_eq(px_buf_view(&text), px_buf_view(&out)));
    assert_true(clock() - began < 2 * CLOCKS_PER_SEC); /* level by level it would be 500 passes over 2 MB */
    px_buf_clear(&text, 1000);
    px_buf_clear(&out, 1000);
    for (int i = 0; i < 100000; i++)
        px_buf_char(&text, '[');
    assert_int_equal(px_select_apply_seen(select, px_buf_view(&text), &out, NULL), -EINVAL);
    px_buf_finish(&text);
    px_buf_finish(&out);
    px_select_destroy(select);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_asked_for),
        cmocka_unit_test(looks_through_arrays),
        cmocka_unit_test(scalars_stay),
        cmocka_unit_test(stars_are_every_member),
        cmocka_unit_test(names_are_compared_decoded),
        cmocka_unit_test(the_whole_swallows_its_parts),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(text_that_is_not_json_is_refused),
        cmocka_unit_test(tells_which_fields_were_met),
        cmocka_unit_test(random_documents),
        cmocka_unit_test(nesting_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
