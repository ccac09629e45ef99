#include "unit/json_help.h"
#include "json/number.h"
#include <cjson/cJSON.h>
#include <math.h>

static void prints(const char *text, const char *want) {
    struct px_arena arena;
    struct px_buf buf;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    assert_int_equal(px_json_print(&buf, parsed(&arena, text)), 0);
    assert_text(px_buf_view(&buf), want);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
}

static void parses_and_prints(void **state) {
    (void)state;
    prints("null", "null");
    prints(" [ ] ", "[]");
    prints("{}", "{}");
    prints("[[],{},[[]],\"\",{\"\":{}}]", "[[],{},[[]],\"\",{\"\":{}}]");
    prints(" { \"a\" : [ true , false , null ] , \"b\" : { \"c\" : \"d\" } } ",
           "{\"a\":[true,false,null],\"b\":{\"c\":\"d\"}}");
    prints("\"\\u00e9\\/\\u0001\\\"\"", "\"\xc3\xa9/\\u0001\\\"\"");
    prints("{\"k\\n\":\"v\"}", "{\"k\\n\":\"v\"}");
    prints("[1,-1,0,1.5,-2.50,1e3,1E-2,123456.789]", "[1,-1,0,1.5,-2.5,1000,0.01,123456.789]");
    prints("[1e15,1e20,1.5e100]", "[1e+15,1e+20,1.5e+100]");
    prints("999999999999999", "999999999999999");
    prints(
        "[0.5,-0.5,0.05,10.250,-123.000001,0.1234567,12345678901234.5,-0.000001,1e-7,99999.999999,0.30,1.1e14]",
        "[0.5,-0.5,0.05,10.25,-123.000001,0.1234567,12345678901234.5,-0.000001,1e-07,99999.999999,0.3,110000000000000]");
}

static void keeps_numbers_exact(void **state) {
    (void)state;
    static const char *const same[] = {"5000000000000001", "9007199254740991", "-9007199254740993",
                                       "1000000000000000", "123456789012345678901234567890",
                                       "0.12345678901234567890", "1e400", "-1e-400", "-0", "-0.0",
                                       "1.7976931348623157e308", "4.9e-324", "1e999999999999999999999",
                                       /* over the 63 bytes that cJSON reads */
                                       "1111111111111111111111111111111111111111111111111111111111111111",
                                       "0.0000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < PX_COUNT(same); i++) {
        char text[200], want[200];
        prints(same[i], same[i]);
        snprintf(text, sizeof text, "{ \"a,1:[\" : [ 1.0 , %s ] , \"b\" : %s }", same[i], same[i]);
        snprintf(want, sizeof want, "{\"a,1:[\":[1,%s],\"b\":%s}", same[i], same[i]);
        prints(text, want);
    }
}

/* Around the 63 bytes that cJSON reads of a number. */
static void numbers_of_every_length(void **state) {
    (void)state;
    for (int n = 55; n <= 70; n++) {
        char number[80], text[100];
        memset(number, '1', sizeof number);
        number[n] = 0;
        snprintf(text, sizeof text, "[%s,2]", number);
        prints(text, text);
        memcpy(number, "-0.", 3);
        snprintf(text, sizeof text, "[%s,2]", number);
        prints(text, text);
    }
}

/* Numbers among everything that the walk beside the tree must step over. */
static void mends_in_step(void **state) {
    (void)state;
    prints(
        "[{},[],{\"a\":[]},[[1e400]],{\"x\":{\"y\":[{}, -0]}},true,false,null,\"\\\\\",\"]\\\"1e400\",\"\\u0000\",1e-400]",
        "[{},[],{\"a\":[]},[[1e400]],{\"x\":{\"y\":[{},-0]}},true,false,null,\"\\\\\",\"]\\\"1e400\",\"\\u0000\",1e-400]");
    prints("{\"1e400\":\"-0\",\"{\":\"}\",\"\\\"\":-0}", "{\"1e400\":\"-0\",\"{\":\"}\",\"\\\"\":-0}");
}

static void keeps_nul_bytes(void **state) {
    (void)state;
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    const struct px_json *root = parsed(&arena, "[\"\\u0000\",\"a\\u0000\\u00e9b\",\"\\\\u0000\",\"plain\"]");
    const struct px_json *node = px_json_first(root);
    assert_int_equal(px_json_text(node).n, 1);
    node = px_json_next(node);
    assert_int_equal(px_json_text(node).n, 5);
    assert_memory_equal(px_json_text(node).p,
                        "a\0\xc3\xa9"
                        "b",
                        5);
    node = px_json_next(node);
    assert_text(px_json_text(node), "\\u0000");
    node = px_json_next(node);
    assert_text(px_json_text(node), "plain");
    px_arena_finish(&arena);
}

static void keeps_nul_bytes_in_keys(void **state) {
    (void)state;
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    const struct px_json *root =
        parsed(&arena, "{\"a\":1,\"a\\u0000\":-0,\"\\u0000\":[{\"\\u0000\\u0000\":\"\\u0000\"}],\"\":true}");
    assert_int_equal(px_json_type(px_json_get_str(root, px_str_n("a\0", 2))), PX_JSON_NUMBER);
    assert_int_equal(px_json_type(px_json_get_str(root, px_str_n("\0", 1))), PX_JSON_ARRAY);
    assert_int_equal(px_json_type(px_json_get(root, "")), PX_JSON_TRUE);
    assert_null(px_json_get_str(root, px_str_n("a\0\0", 3)));
    assert_true(px_json_number(px_json_get(root, "a"), NULL) == 1);
    assert_true(px_json_equal(root, root));
    px_arena_finish(&arena);
    prints(
        "{\"a\":1,\"a\\u0000\":-0,\"\\u0000\":[{\"\\u0000\\u0000\":\"\\u0000\"},2],\"x\\u0000\":{},\"y\\u0000\":true}",
        "{\"a\":1,\"a\\u0000\":-0,\"\\u0000\":[{\"\\u0000\\u0000\":\"\\u0000\"},2],\"x\\u0000\":{},\"y\\u0000\":true}");
}

static void passes_on_what_the_scan_says(void **state) {
    (void)state;
    struct px_arena arena;
    const struct px_json *root = NULL;
    struct px_err err = {0};
    struct px_json_limits limits = {.depth = 1};
    size_t at = 0;
    px_arena_init(&arena, 1 << 20);
    assert_int_equal(px_json_parse(&arena, PX_LIT(" [1,]"), NULL, &root, &at, &err), -EINVAL);
    assert_int_equal(at, 4);
    assert_int_equal(px_json_parse(&arena, PX_LIT("{\"a\":1,\"a\":2}"), NULL, &root, NULL, &err), -EINVAL);
    assert_int_equal(px_json_parse(&arena, PX_LIT("[[]]"), &limits, &root, &at, &err), -EMSGSIZE);
    assert_int_equal(at, 1);
    assert_null(root);
    px_arena_finish(&arena);
}

static void works_at_the_depth_limit(void **state) {
    (void)state;
    enum { LEVELS = 512 };
    char text[LEVELS * 7 + 3];
    size_t n = 0;
    for (int i = 0; i < LEVELS; i++) {
        px_str open = i % 2 ? PX_LIT("{\"k\":") : PX_LIT("[");
        memcpy(text + n, open.p, open.n);
        n += open.n;
    }
    memcpy(text + n, "-0", 2);
    n += 2;
    for (int i = LEVELS; i > 0; i--)
        text[n++] = i % 2 ? ']' : '}'; /* the outermost was a bracket, level 1 */
    struct px_arena arena;
    struct px_buf buf;
    struct px_json_limits limits = {.depth = LEVELS};
    const struct px_json *root = NULL;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    assert_int_equal(px_json_parse(&arena, px_str_n(text, n), &limits, &root, NULL, NULL), 0);
    assert_int_equal(px_json_print(&buf, root), 0);
    assert_true(px_str_eq(px_buf_view(&buf), px_str_n(text, n)));
    px_buf_finish(&buf);
    px_arena_finish(&arena);
}

static void looks_at_nodes(void **state) {
    (void)state;
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    const struct px_json *root =
        parsed(&arena, "{\"s\":\"text\",\"n\":1.5,\"t\":true,\"f\":false,\"z\":null,\"a\":[1,2,3],"
                       "\"o\":{},\"S\":\"other\",\"\":9,\"big\":12345678901234567890}");
    assert_int_equal(px_json_type(root), PX_JSON_OBJECT);
    assert_int_equal(px_json_count(root), 10);
    assert_text(px_json_key(px_json_first(root)), "s");
    assert_text(px_json_text(px_json_get(root, "s")), "text");
    assert_text(px_json_text(px_json_get(root, "S")), "other");
    assert_int_equal(px_json_type(px_json_get(root, "n")), PX_JSON_NUMBER);
    assert_int_equal(px_json_type(px_json_get(root, "big")), PX_JSON_NUMBER);
    assert_int_equal(px_json_type(px_json_get(root, "t")), PX_JSON_TRUE);
    assert_int_equal(px_json_type(px_json_get(root, "f")), PX_JSON_FALSE);
    assert_int_equal(px_json_type(px_json_get(root, "z")), PX_JSON_NULL);
    assert_int_equal(px_json_type(px_json_get(root, "o")), PX_JSON_OBJECT);
    assert_int_equal(px_json_count(px_json_get(root, "a")), 3);
    assert_int_equal(px_json_type(px_json_get_str(root, PX_LIT(""))), PX_JSON_NUMBER);
    assert_true(px_json_bool(px_json_get(root, "t")));
    assert_false(px_json_bool(px_json_get(root, "f")));
    assert_false(px_json_bool(px_json_get(root, "n")));
    assert_null(px_json_get(root, "N"));
    assert_null(px_json_get(root, "tt"));
    assert_null(px_json_get_str(root, px_str_n("s\0", 2)));
    assert_non_null(px_json_get_str(root, px_str_n("sx", 1)));
    assert_null(px_json_get(px_json_get(root, "a"), "s"));
    assert_null(px_json_text(px_json_get(root, "n")).p);
    assert_null(px_json_key(root).p);
    px_arena_finish(&arena);
}

static void absent_nodes_are_harmless(void **state) {
    (void)state;
    px_str exact = PX_LIT("x");
    struct px_buf buf;
    int64_t i;
    px_buf_init(&buf, 10);
    assert_int_equal(px_json_type(NULL), PX_JSON_NONE);
    assert_null(px_json_first(NULL));
    assert_null(px_json_next(NULL));
    assert_int_equal(px_json_count(NULL), 0);
    assert_null(px_json_key(NULL).p);
    assert_null(px_json_get(NULL, "a"));
    assert_null(px_json_text(NULL).p);
    assert_true(px_json_number(NULL, &exact) == 0);
    assert_null(exact.p);
    assert_false(px_json_is_integer(NULL));
    assert_int_equal(px_json_i64(NULL, &i), -EINVAL);
    assert_false(px_json_bool(NULL));
    assert_int_equal(px_json_print(&buf, NULL), -EINVAL);
    px_buf_finish(&buf);
}

static void numbers_come_with_their_text(void **state) {
    (void)state;
    struct px_arena arena;
    px_str exact;
    px_arena_init(&arena, 1 << 20);
    assert_true(px_json_number(parsed(&arena, "1.25"), &exact) == 1.25);
    assert_null(exact.p);
    assert_true(px_json_number(parsed(&arena, "5000000000000001"), &exact) == 5000000000000001.0);
    assert_text(exact, "5000000000000001");
    assert_true(isinf(px_json_number(parsed(&arena, "-1e999"), &exact)));
    assert_text(exact, "-1e999");
    assert_true(px_json_number(parsed(&arena, "2"), NULL) == 2);
    px_arena_finish(&arena);
}

static void a_member_prints_without_its_key(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_buf buf;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 20);
    const struct px_json *root =
        parsed(&arena, "{\"a\":{\"b\":1,\"c\":[2]},\"d\":\"a longer text than fits\"}");
    assert_int_equal(px_json_print(&buf, px_json_get(root, "a")), 0);
    assert_text(px_buf_view(&buf), "{\"b\":1,\"c\":[2]}");
    px_buf_clear(&buf, 100);
    assert_int_equal(px_json_print(&buf, px_json_get(px_json_get(root, "a"), "b")), 0);
    assert_text(px_buf_view(&buf), "1");
    assert_int_equal(px_json_print(&buf, root), -EMSGSIZE);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
}

/* Under every cap the parse succeeds or says -ENOMEM; what it took is the arena's, so nothing leaks. */
static void the_arena_limits_a_parse(void **state) {
    (void)state;
    px_str text = PX_LIT("{\"a\\u0000\":[1,\"\\u0000\",5000000000000001],\"b\":"
                         "11111111111111111111111111111111111111111111111111111111111111111111}");
    bool fits = false;
    for (size_t cap = 0; cap < 2000; cap += 7) {
        struct px_arena arena;
        const struct px_json *root = NULL;
        struct px_err err = {0};
        px_arena_init(&arena, cap);
        int r = px_json_parse(&arena, text, NULL, &root, NULL, &err);
        if (r)
            assert_int_equal(r, -ENOMEM);
        assert_int_equal(root != NULL, r == 0);
        assert_true(r == 0 || !fits);
        fits |= r == 0;
        px_arena_finish(&arena);
    }
    assert_true(fits);
}

/* cJSON's hooks are global: outside a parse they must be the heap's, also when it failed. */
static void hooks_are_given_back(void **state) {
    (void)state;
    for (size_t cap = 0; cap < 2000; cap += 1000) {
        struct px_arena arena;
        const struct px_json *root;
        px_arena_init(&arena, cap);
        int r = px_json_parse(&arena, PX_LIT("[1,2,3]"), NULL, &root, NULL, NULL);
        assert_true(r == 0 || cap < 1000);
        size_t used = arena.used;
        cJSON *own = cJSON_Parse("[1]");
        assert_non_null(own);
        assert_int_equal(arena.used, used);
        char *text = cJSON_PrintUnformatted(own);
        assert_string_equal(text, "[1]");
        free(text); /* it came from malloc */
        cJSON_Delete(own);
        px_arena_finish(&arena);
    }
}

/* The tree is a copy: the text may go. */
static void borrows_nothing_from_the_text(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_buf buf;
    const struct px_json *root;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    px_str text = exact_copy(PX_LIT("{\"a\":[5000000000000001,\"x\\u0000\",\"y\",2]}"));
    assert_int_equal(px_json_parse(&arena, text, NULL, &root, NULL, NULL), 0);
    memset((char *)(uintptr_t)text.p, '#', text.n);
    exact_free(text);
    assert_int_equal(px_json_print(&buf, root), 0);
    assert_text(px_buf_view(&buf), "{\"a\":[5000000000000001,\"x\\u0000\",\"y\",2]}");
    px_buf_finish(&buf);
    px_arena_finish(&arena);
}

/* ---- random documents ---- */

struct maker {
    uint64_t seed;
    struct px_buf text;
};

static uint64_t pick(struct maker *m, uint64_t n) {
    return next_random(&m->seed) % n;
}

static void make_space(struct maker *m) {
    for (uint64_t n = pick(m, 4) ? 0 : pick(m, 12); n; n--)
        px_buf_char(&m->text, " \t\r\n"[pick(m, 4)]);
}

static void make_digits(struct maker *m, uint64_t most) {
    for (uint64_t n = 1 + pick(m, most); n; n--)
        px_buf_char(&m->text, (char)('0' + (pick(m, 3) ? pick(m, 10) : 0)));
}

static void make_number(struct maker *m) {
    static const unsigned lengths[] = {3, 14, 18, 40, 90};
    if (pick(m, 3) == 0)
        px_buf_char(&m->text, '-');
    if (pick(m, 4) == 0) {
        px_buf_char(&m->text, '0');
    } else {
        px_buf_char(&m->text, (char)('1' + pick(m, 9)));
        if (pick(m, 2))
            make_digits(m, lengths[pick(m, 5)]);
    }
    if (pick(m, 3) == 0) {
        px_buf_char(&m->text, '.');
        make_digits(m, lengths[pick(m, 5)]);
    }
    if (pick(m, 4) == 0) {
        px_buf_text(&m->text, (const char *const[]){"e", "E", "e+", "E-", "e-"}[pick(m, 5)]);
        make_digits(m, lengths[pick(m, 3)]);
    }
}

static void make_string(struct maker *m, uint64_t key) {
    static const char *const pieces[] = {"a",
                                         "plain text",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "]",
                                         "}",
                                         ",",
                                         ":",
                                         "\x7f",
                                         "1e400",
                                         "\\u0000"};
    px_buf_char(&m->text, '"');
    for (uint64_t n = pick(m, 6); n; n--)
        px_buf_text(&m->text, pieces[pick(m, PX_COUNT(pieces))]);
    if (key)
        px_buf_addf(&m->text, "#%llu", (unsigned long long)key); /* keys differ */
    px_buf_char(&m->text, '"');
}

static void make_value(struct maker *m, unsigned depth) {
    static const char *const words[] = {"null", "true", "false"};
    make_space(m);
    uint64_t kind = pick(m, depth ? 10 : 6);
    if (kind < 2) {
        make_number(m);
    } else if (kind < 5) {
        make_string(m, 0);
    } else if (kind < 6) {
        px_buf_text(&m->text, words[pick(m, 3)]);
    } else {
        bool object = kind < 8;
        px_buf_char(&m->text, object ? '{' : '[');
        uint64_t n = pick(m, 30) ? pick(m, 5) : 40;
        for (uint64_t i = 1; i <= n; i++) {
            make_space(m);
            if (object) {
                make_string(m, i);
                make_space(m);
                px_buf_char(&m->text, ':');
            }
            make_value(m, depth - 1);
            if (i < n)
                px_buf_char(&m->text, ',');
        }
        make_space(m);
        px_buf_char(&m->text, object ? '}' : ']');
    }
    make_space(m);
}

/* The tree says what the slices of the text say: two readers that share nothing but the text. */
static void same_as_slice(struct px_arena *arena, const struct px_json *node, px_str slice) {
    enum px_json_type type = px_json_slice_type(slice);
    assert_int_equal(px_json_type(node), type);
    if (type == PX_JSON_STRING) {
        px_str text;
        assert_int_equal(px_json_slice_text(arena, slice, &text), 0);
        assert_true(px_str_eq(px_json_text(node), text));
    } else if (type == PX_JSON_NUMBER) {
        struct px_decimal a, b;
        char digits[40];
        px_str exact;
        double value = px_json_number(node, &exact);
        if (!exact.p)
            exact = px_str_n(digits, (size_t)snprintf(digits, sizeof digits, "%.15g", value));
        px_decimal_read(exact, &a);
        px_decimal_read(slice, &b);
        assert_int_equal(px_decimal_cmp(&a, &b), 0);
    } else if (type == PX_JSON_ARRAY || type == PX_JSON_OBJECT) {
        uint64_t pos = 0;
        px_str key, value;
        const struct px_json *child = px_json_first(node);
        int r;
        for (; (r = px_json_slice_next(slice, &pos, &key, &value)) == 1; child = px_json_next(child)) {
            assert_non_null(child);
            if (key.p)
                assert_true(px_json_slice_is(key, px_json_key(child)));
            same_as_slice(arena, child, value);
        }
        assert_int_equal(r, 0);
        assert_null(child);
    }
}

static void random_documents(void **state) {
    (void)state;
    struct maker m = {.seed = 0x9e3779b97f4a7c15ull};
    struct px_arena arena;
    struct px_buf printed;
    px_buf_init(&m.text, 16 << 20);
    px_buf_init(&printed, 16 << 20);
    px_arena_init(&arena, 64 << 20);
    for (int round = 0; round < 1500; round++) {
        const struct px_json *root = NULL, *again = NULL;
        struct px_json_scan scan;
        struct px_err err = {0};
        px_buf_clear(&m.text, SIZE_MAX);
        px_buf_clear(&printed, SIZE_MAX);
        make_value(&m, 1 + (unsigned)pick(&m, 6));
        px_str text = exact_copy(px_buf_view(&m.text));
        if (px_json_scan(text, NULL, &scan, NULL, &err) || px_json_parse_scanned(&arena, &scan, &root, &err))
            fail_msg("%s: %s", m.text.p, err.msg);
        same_as_slice(&arena, root, scan.value);
        assert_int_equal(px_json_print(&printed, root), 0);
        if (px_json_parse(&arena, px_buf_view(&printed), NULL, &again, NULL, &err))
            fail_msg("%s: %s", printed.p, err.msg);
        if (!px_json_equal(root, again) || px_json_hash(root) != px_json_hash(again))
            fail_msg("%s is not %s", m.text.p, printed.p);
        exact_free(text);
        px_arena_finish(&arena);
    }
    px_buf_finish(&m.text);
    px_buf_finish(&printed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_prints),
        cmocka_unit_test(keeps_numbers_exact),
        cmocka_unit_test(numbers_of_every_length),
        cmocka_unit_test(mends_in_step),
        cmocka_unit_test(keeps_nul_bytes),
        cmocka_unit_test(keeps_nul_bytes_in_keys),
        cmocka_unit_test(passes_on_what_the_scan_says),
        cmocka_unit_test(works_at_the_depth_limit),
        cmocka_unit_test(looks_at_nodes),
        cmocka_unit_test(absent_nodes_are_harmless),
        cmocka_unit_test(numbers_come_with_their_text),
        cmocka_unit_test(a_member_prints_without_its_key),
        cmocka_unit_test(the_arena_limits_a_parse),
        cmocka_unit_test(hooks_are_given_back),
        cmocka_unit_test(borrows_nothing_from_the_text),
        cmocka_unit_test(random_documents),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
