/* What a call gives is what the upstream said: numbers, texts, order, depth. */
#include "unit/flow_help.h"
/* after that */
#include "json/scan.h"

static uint64_t seed = 88172645463325252ull;
static uint64_t draw(uint64_t n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (seed >> 11) % n;
}

struct doc {
    struct px_buf loose, compact; /* the same, with white space and without */
    int values;
};

static void both(struct doc *doc, const char *text) {
    px_buf_text(&doc->loose, text);
    px_buf_text(&doc->compact, text);
}

static void blank(struct doc *doc) {
    static const char *const blanks[] = {"", "", "", " ", "\n", "\t ", "\r\n  "};
    px_buf_text(&doc->loose, blanks[draw(PX_COUNT(blanks))]);
}

static void put_string(struct doc *doc, uint64_t unique) {
    static const char *const pieces[] = {"a",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "/",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "\xf0\x9f\x98\x80",
                                         "\\u0000",
                                         "\xc3\xa9",
                                         "\\u00e9",
                                         "\\u00E9",
                                         "\\n",
                                         "\x7f",
                                         " ",
                                         "\\b\\f",
                                         "{",
                                         "]",
                                         ",",
                                         ":",
                                         "\xe2\x80\xa8",
                                         "\\uFFFF"};
    char text[32];
    both(doc, "\"");
    for (uint64_t n = draw(6); n; n--)
        both(doc, pieces[draw(PX_COUNT(pieces))]);
    if (unique) { /* keys */
        snprintf(text, sizeof text, "#%llu", (unsigned long long)unique);
        both(doc, text);
    }
    both(doc, "\"");
}

static void put_number(struct doc *doc) {
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "-0.0",
                                          "1.0",
                                          "1.10",
                                          "1e5",
                                          "1E+05",
                                          "-1.5e-300",
                                          "5000000000000001",
                                          "9007199254740993",
                                          "123456789012345678901234567890",
                                          "0.1000000000000000055511151231257827",
                                          "1e999",
                                          "18446744073709551616"};
    both(doc, numbers[draw(PX_COUNT(numbers))]);
}

static void put_value(struct doc *doc, unsigned depth);

static void put_container(struct doc *doc, unsigned depth, bool object) {
    uint64_t n = draw(5);
    both(doc, object ? "{" : "[");
    for (uint64_t i = 0; i < n; i++) {
        blank(doc);
        if (i) {
            both(doc, ",");
            blank(doc);
        }
        if (object) {
            put_string(doc, i + 1);
            blank(doc);
            both(doc, ":");
            blank(doc);
        }
        put_value(doc, depth - 1);
    }
    blank(doc);
    both(doc, object ? "}" : "]");
}

static void put_value(struct doc *doc, unsigned depth) {
    uint64_t kind = doc->values-- > 0 && depth ? draw(7) : draw(5);
    switch (kind) {
    case 0: both(doc, "null"); break;
    case 1: both(doc, draw(2) ? "true" : "false"); break;
    case 2: put_number(doc); break;
    case 3:
    case 4: put_string(doc, 0); break;
    default: put_container(doc, depth, kind == 5); break;
    }
}

static void comes_out_as_it_went_in(struct doc *doc, const char *before, const char *behind,
                                    const char *args) {
    struct answer answers[] = {{.body = px_buf_view(&doc->loose).p, .body_n = doc->loose.n}};
    const struct px_route_call_opts opts = {.result_bytes = 4 << 20};
    struct told told = {0};
    struct flow_rig f;
    FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
    call_run(&f, &told, args, &opts);
    if (told.failed)
        fail_msg("%s: %s", told.message, doc->loose.p);
    size_t a = strlen(before), b = strlen(behind), n = strlen(told.structured);
    assert_int_equal(n, a + doc->compact.n + b);
    assert_memory_equal(told.structured, before, a);
    assert_memory_equal(told.structured + a, doc->compact.p, doc->compact.n);
    assert_memory_equal(told.structured + a + doc->compact.n, behind, b);
    struct px_json_scan scan;
    assert_int_equal(px_json_scan(px_str_of(told.structured), NULL, &scan, NULL, NULL), 0);
    told_free(&told);
    flow_close(&f);
}

static void nothing_is_changed(void **state) {
    static const char *const args[] = {NULL, "{\"fields\":\"*\"}"};
    (void)state;
    for (int i = 0; i < 600; i++) {
        struct doc doc = {.values = 200};
        bool object = draw(2);
        px_buf_init(&doc.loose, 1 << 22);
        px_buf_init(&doc.compact, 1 << 22);
        blank(&doc);
        put_container(&doc, 20, object);
        blank(&doc);
        comes_out_as_it_went_in(&doc, object ? "" : "{\"items\":", object ? "" : "}", args[i & 1]);
        px_buf_finish(&doc.loose);
        px_buf_finish(&doc.compact);
    }
}

/* As deep as an answer may be; what is shown of it is JSON that the gate takes. */
static void however_deep(void **state) {
    enum { DEPTH = 63 };
    (void)state;
    for (int object = 0; object < 2; object++) {
        for (int star = 0; star < 2; star++) {
            struct doc doc = {0};
            px_buf_init(&doc.loose, 1 << 22);
            px_buf_init(&doc.compact, 1 << 22);
            for (int i = 0; i < DEPTH; i++)
                both(&doc, object ? "{\"a\":" : "[");
            both(&doc, "12345678901234567890");
            for (int i = 0; i < DEPTH; i++)
                both(&doc, object ? "}" : "]");
            comes_out_as_it_went_in(&doc, object ? "" : "{\"items\":", object ? "" : "}",
                                    star ? "{\"fields\":\"*\"}" : NULL);
            px_buf_finish(&doc.loose);
            px_buf_finish(&doc.compact);
        }
    }
}

/* One level more would not pass the gate with the object that goes around it: the upstream is told of, not we. */
static void one_level_too_deep(void **state) {
    (void)state;
    for (int object = 0; object < 2; object++) {
        struct flow_rig f;
        struct px_buf deep;
        px_buf_init(&deep, 4096);
        for (int i = 0; i < 64; i++)
            px_buf_text(&deep, object ? "{\"a\":" : "[");
        px_buf_char(&deep, '1');
        for (int i = 0; i < 64; i++)
            px_buf_char(&deep, object ? '}' : ']');
        const struct answer answers[] = {{.body = deep.p}};
        FLOW(&f, API, "{\"path\":\"/x\"}", NONE, answers);
        fails(&f, NULL, PX_UPSTREAM_ERROR, "more than 63 levels of nesting");
        flow_close(&f);
        px_buf_finish(&deep);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_changed),
        cmocka_unit_test(however_deep),
        cmocka_unit_test(one_level_too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
