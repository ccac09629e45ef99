/* Hostile schemas and hostile instances: each ends soon, with an error that says why. Times are generous: this may run
 * under sanitizers. */
#include "unit/schema_help.h"

enum { SOON_MS = 4000, MOST_TEXT = 8 << 20 };

/* The processor's time, not the clock's: others may be busy. */
static uint64_t cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t started;

static void begin(void) {
    started = cpu_ms();
}
static void soon(const char *what) {
    uint64_t ms = cpu_ms() - started;
    if (ms > SOON_MS)
        fail_msg("%s took %llu ms", what, (unsigned long long)ms);
}

/* ---- texts ---- */

static struct px_buf text;

static void repeat(const char *piece, size_t times) {
    for (size_t i = 0; i < times; i++)
        assert_int_equal(px_buf_text(&text, piece), 0);
}

static void start_text(const char *first) {
    px_buf_finish(&text);
    px_buf_init(&text, MOST_TEXT);
    repeat(first, 1);
}

static int compile_text(struct px_schema **ret, struct px_err *err) {
    *ret = NULL;
    *err = (struct px_err){0};
    for (char *p = text.p; (p = strchr(p, '\'')); p++)
        *p = '"';
    begin();
    int r = px_schema_compile(px_buf_view(&text), NULL, ret, err);
    soon("compiling");
    return r;
}

static struct px_schema *compiled_text(void) {
    struct px_schema *schema;
    struct px_err err;
    if (compile_text(&schema, &err))
        fail_msg("%s", err.msg);
    return schema;
}

static void refuse_text(int code, const char *words) {
    struct px_schema *schema;
    struct px_err err;
    assert_int_equal(compile_text(&schema, &err), code);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

/* Consumes the schema. */
static void gives_up(struct px_schema *schema, const char *instance, const char *words) {
    struct px_schema_report report;
    begin();
    assert_int_equal(validated(schema, instance, &report), -EBADMSG);
    soon("validating");
    assert_true(report.gave_up);
    assert_int_equal(report.n, 1);
    if (!strstr(report.problems[0].message, words))
        fail_msg("\"%s\" does not say \"%s\"", report.problems[0].message, words);
    px_schema_destroy(schema);
}

/* ---- references ---- */

static void reference_cycles(void **state) {
    (void)state;
    gives_up(compiled("{'$ref':'#'}", NULL), "1", "goes too deep");
    gives_up(
        compiled(
            "{'$ref':'#/$defs/a','$defs':{'a':{'$ref':'#/$defs/b'},'b':{'allOf':[{'$ref':'#/$defs/a'}]}}}",
            NULL),
        "1", "goes too deep");
    gives_up(compiled("{'not':{'$ref':'#'}}", NULL), "1", "goes too deep");
    gives_up(compiled("{'anyOf':[{'$ref':'#'},true]}", NULL), "1", "goes too deep");
    gives_up(compiled("{'if':{'$ref':'#'},'then':true}", NULL), "1", "goes too deep");
    gives_up(compiled("{'$dynamicAnchor':'a','$dynamicRef':'#a'}", NULL), "1", "goes too deep");
    gives_up(compiled("{'propertyNames':{'$ref':'#/propertyNames'}}", NULL), "{'a':1}", "goes too deep");
    /* A cycle that takes a part of the instance each time is none. */
    valid("{'properties':{'a':{'$ref':'#'}},'additionalProperties':false}", "{'a':{'a':{'a':{}}}}");
}

static void long_chains(void **state) {
    (void)state;
    start_text("{'$ref':'#/$defs/0','$defs':{");
    for (int i = 0; i < 50000; i++)
        px_buf_addf(&text, "'%d':{'$ref':'#/$defs/%d'},", i, i + 1);
    repeat("'50000':true}}", 1);
    gives_up(compiled_text(), "1", "goes too deep");
    /* Arrays have no names: each reference walks. */
    start_text("{'allOf':[");
    for (int i = 0; i < 40000; i++)
        px_buf_addf(&text, "{'$ref':'#/allOf/%d'},", 40000 - i);
    repeat("true]}", 1);
    refuse_text(-EMSGSIZE, "references are too many and too far");
}

static void bombs(void **state) {
    (void)state;
    static const char *const kinds[] = {"allOf", "anyOf", "oneOf"};
    for (size_t k = 0; k < PX_COUNT(kinds); k++) {
        start_text("{'$ref':'#/$defs/0','$defs':{");
        for (int i = 0; i < 40; i++)
            px_buf_addf(&text, "'%d':{'%s':[{'$ref':'#/$defs/%d'},{'$ref':'#/$defs/%d'}]},", i, kinds[k],
                        i + 1, i + 1);
        px_buf_addf(&text, "'40':{'%s':[{'type':'null'}]}}}", kinds[k]);
        struct px_schema *schema = compiled_text();
        gives_up(schema, k ? "1" : "null", "too many steps");
    }
}

/* ---- size ---- */

static void too_large(void **state) {
    (void)state;
    start_text("{'description':'");
    repeat("0123456789abcdef", (4 << 20) / 16);
    repeat("'}", 1);
    refuse_text(-EMSGSIZE, "more than 4194304 bytes of schemas");
    start_text("");
    repeat("{'not':", 300);
    repeat("true", 1);
    repeat("}", 300);
    refuse_text(-EMSGSIZE, "more than 256 levels");
    start_text("{'allOf':[");
    repeat("true,", 100001);
    repeat("true]}", 1);
    refuse_text(-EMSGSIZE, "more than 100000 schemas");
    struct px_schema *schema = NULL;
    struct px_err err;
    assert_int_equal(px_schema_compile(PX_LIT("{\"title\":\"x\"}"), &(struct px_schema_opts){.max_bytes = 12},
                                       &schema, &err),
                     -EMSGSIZE);
}

/* A short pattern may be large once compiled. */
static void large_patterns(void **state) {
    (void)state;
    start_text("{'allOf':[");
    for (int i = 0; i < 20000; i++)
        px_buf_addf(&text, "{'pattern':'(?:%d){3500}'},", 10000 + i);
    repeat("true]}", 1);
    refuse_text(-EMSGSIZE, "the regular expressions of the schema are too large");
    start_text("{'pattern':'((a{1000}){1000}){1000}'}");
    refuse_text(-EMSGSIZE, "/pattern: is not a regular expression: regular expression is too large");
}

static void deep_but_allowed(void **state) {
    (void)state;
    start_text("");
    repeat("{'properties':{'a':", 60);
    repeat("{'type':'string'}", 1);
    repeat("}}", 60);
    struct px_schema *schema = compiled_text();
    start_text("");
    repeat("{'a':", 60);
    repeat("5", 1);
    repeat("}", 60);
    assert_int_equal(validated(schema, text.p, NULL), -EBADMSG);
    px_schema_destroy(schema);
}

static void large_enumerations(void **state) {
    (void)state;
    start_text("{'enum':[");
    for (int i = 0; i < 100000; i++)
        px_buf_addf(&text, "'value-%d',%d,", i, i);
    repeat("null]}", 1);
    struct px_schema *schema = compiled_text();
    struct px_schema_report report;
    begin();
    assert_int_equal(validated(schema, "'value-99999'", &report), 0);
    assert_int_equal(validated(schema, "99999.0", &report), 0);
    assert_int_equal(validated(schema, "null", &report), 0);
    assert_int_equal(validated(schema, "100000", &report), -EBADMSG);
    assert_int_equal(validated(schema, "'value-100000'", &report), -EBADMSG);
    soon("looking up");
    assert_non_null(
        strstr(report.problems[0].message, "more), got \"value-100000\": did you mean \"value-1"));
    px_schema_destroy(schema);
}

static void large_instances(void **state) {
    (void)state;
    struct px_schema *unique = compiled("{'uniqueItems':true}", NULL);
    start_text("[");
    for (int i = 0; i < 150000; i++)
        px_buf_addf(&text, "%d,", i);
    repeat("-1]", 1);
    begin();
    assert_int_equal(validated(unique, text.p, NULL), 0);
    text.n -= 3;
    repeat("0]", 1);
    struct px_schema_report report;
    assert_int_equal(validated(unique, text.p, &report), -EBADMSG);
    assert_string_equal(report.problems[0].message,
                        "expected items that are all different, but items 0 and 150000 are equal");
    px_schema_destroy(unique);
    /* Many steps are no problem when there is much to look at. */
    struct px_schema *items =
        compiled("{'items':{'allOf':[{'type':'integer'},{'minimum':-5},{'maximum':150000}]}}", NULL);
    assert_int_equal(validated(items, text.p, NULL), 0);
    px_schema_destroy(items);
    soon("validating");
}

static void work_without_end(void **state) {
    (void)state;
    /* Every schema walks the whole instance again. */
    start_text("{'allOf':[");
    repeat("{'required':['a']},{'maxProperties':99999999},{'unevaluatedItems':false},{'minProperties':1},",
           5000);
    repeat("true]}", 1);
    struct px_schema *schema = compiled_text();
    start_text("{'a':1");
    for (int i = 0; i < 50000; i++)
        px_buf_addf(&text, ",'%d':[]", i);
    repeat("}", 1);
    gives_up(schema, text.p, "too many steps");
    /* Comparing the same large value again and again. */
    start_text("{'allOf':[");
    repeat("{'enum':[[1],[2]]},{'not':{'const':{'a':1}}},{'uniqueItems':true},", 2000);
    repeat("true]}", 1);
    schema = compiled_text();
    start_text("[");
    repeat("[0,0,0,0,0,0,0,0,0],", 20000);
    repeat("1]", 1);
    struct px_schema_report report;
    begin();
    assert_int_equal(validated(schema, text.p, &report), -EBADMSG);
    soon("comparing");
    px_schema_destroy(schema);
    /* unevaluated… within alternatives: bits are copied for each of them. */
    start_text("{'unevaluatedItems':false,'anyOf':[");
    repeat("{'contains':{'type':'null'}},", 20000);
    repeat("true]}", 1);
    schema = compiled_text();
    start_text("[");
    repeat("1,", 100000);
    repeat("1]", 1);
    gives_up(schema, text.p, "too");
}

static void evil_patterns(void **state) {
    (void)state;
    static const char *const patterns[] = {"^(a+)+$", "(a+)+$", "(a|aa)+$", "(.*)*x",
                                           "^(([a-z])+.)+[A-Z]([a-z])+$"};
    for (size_t i = 0; i < PX_COUNT(patterns); i++) {
        char schema_text[128];
        snprintf(schema_text, sizeof schema_text, "{'items':{'pattern':'%s'}}", patterns[i]);
        struct px_schema *schema = compiled(schema_text, NULL);
        start_text("['");
        repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!','", 10000);
        repeat("!']", 1);
        begin();
        assert_int_equal(validated(schema, text.p, NULL), -EBADMSG);
        soon(patterns[i]);
        px_schema_destroy(schema);
    }
    gives_up(compiled("{'pattern':'^(a+)+$'}", NULL), "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'",
             "matching this against a pattern of the schema takes too long");
    /* Giving up is no "no": not cannot make it valid. */
    gives_up(compiled("{'not':{'pattern':'^(a+)+$'}}", NULL),
             "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'", "takes too long");
    gives_up(compiled("{'patternProperties':{'^(a+)+$':true}}", NULL),
             "{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!':1}", "takes too long");
    /* Slow, though within the limit of one match, many times. */
    struct px_schema *schema =
        compiled("{'items':{'anyOf':[{'pattern':'a*a*a*a*b'},{'pattern':'a*a*a*c'},true]}}", NULL);
    start_text("['a'");
    repeat(",'aaaaaaaaaaaa'", 100000);
    repeat("]", 1);
    struct px_schema_report report;
    begin();
    (void)validated(schema, text.p, &report);
    soon("matching");
    px_schema_destroy(schema);
}

static void evil_numbers(void **state) {
    (void)state;
    struct px_schema *schema = compiled("{'multipleOf':0.123456789}", NULL);
    begin();
    assert_int_equal(validated(schema, "1e308", NULL), -EBADMSG);
    assert_int_equal(validated(schema, "1e999999999999999999999", NULL), -EBADMSG);
    assert_int_equal(validated(schema, "1e-999999999999999999999", NULL), -EBADMSG);
    soon("dividing");
    px_schema_destroy(schema);
    start_text("");
    repeat("7", 100000);
    gives_up(compiled("{'type':'integer'}", NULL), text.p, "the number has too many digits");
    gives_up(compiled("{'minimum':1}", NULL), text.p, "the number has too many digits");
    valid("{'type':'number'}", text.p);
}

/* The nearest name is not looked for without end, and reports stay short. */
static void much_to_report(void **state) {
    (void)state;
    start_text("{'additionalProperties':false,'required':[");
    for (int i = 0; i < 20000; i++)
        px_buf_addf(&text, "%s'required-%d'", i ? "," : "", i);
    repeat("],'properties':{", 1);
    for (int i = 0; i < 20000; i++)
        px_buf_addf(&text, "%s'property-%d':true", i ? "," : "", i);
    repeat("}}", 1);
    struct px_schema *schema = compiled_text();
    start_text("{'a':1");
    for (int i = 0; i < 20000; i++)
        px_buf_addf(&text, ",'propertx-%d':1", i);
    repeat("}", 1);
    struct px_schema_report report;
    begin();
    assert_int_equal(validated(schema, text.p, &report), -EBADMSG);
    soon("reporting");
    assert_int_equal(report.n, PX_SCHEMA_PROBLEMS);
    assert_true(report.more);
    px_schema_destroy(schema);
}

static int finish(void **state) {
    px_buf_finish(&text);
    return finish_stock(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_cycles),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(bombs),
        cmocka_unit_test(too_large),
        cmocka_unit_test(deep_but_allowed),
        cmocka_unit_test(large_patterns),
        cmocka_unit_test(large_enumerations),
        cmocka_unit_test(large_instances),
        cmocka_unit_test(work_without_end),
        cmocka_unit_test(evil_patterns),
        cmocka_unit_test(evil_numbers),
        cmocka_unit_test(much_to_report),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
