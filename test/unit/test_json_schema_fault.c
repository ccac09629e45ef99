/* Every allocation of compiling, validating and reporting goes wrong once: an error, and nothing left behind. */
#include "support/fault.h"
#include "unit/schema_help.h"

static const char *const many =
    "{'$id':'http://x/','type':'object','$schema':'https://json-schema.org/draft/2020-12/schema','properties':{"
    "'a':{'pattern':'^a','minLength':1,'format':'uri'},'b':{'minimum':1.5,'multipleOf':0.1},'c':{'enum':[1,2,3,4,5,6,7,8,9,"
    "10]},'d':{'enum':['1','2','3','4','5','6','7','8','9','10']},'e':{'const':{'a':[1]}},'f':{'$ref':'other#x'},"
    "'g':{'prefixItems':[true],'uniqueItems':true,'contains':{'type':'string'}},'h':{'$dynamicRef':'#me'},'i':true,'j':true},"
    "'patternProperties':{'^p':{}},'required':['a'],'dependentRequired':{'a':['b']},'dependentSchemas':{'b':{'not':false}},"
    "'allOf':[{'properties':{'k':true}}],'anyOf':[{'type':'object'},{'$ref':'#/$defs/q'}],'unevaluatedProperties':false,"
    "'$defs':{'q':{'$anchor':'q','$dynamicAnchor':'me'},'own':{'$id':'own','if':true,'then':true}}}";

static char *text, *good, *bad;

/* One allocation that fails may be coped with (a document's own name is then not read), but never quietly: what was compiled
 * validates as it should. */
static int scenario(void *user) {
    (void)user;
    struct px_schema_doc docs[] = {
        {PX_LIT("http://y/1"), PX_LIT("{\"$id\":\"http://x/other\",\"$anchor\":\"x\"}")}};
    struct px_schema_opts opts = {.docs = docs, .n_docs = 1, .assert_format = true};
    struct px_schema *schema = NULL;
    struct px_schema_report report;
    struct px_err err = {0};
    int r = px_schema_compile(px_str_of(text), &opts, &schema, &err);
    if (r) {
        assert_null(schema);
        assert_int_equal(err.code, r);
        assert_true(strlen(err.msg) > 0);
        return r;
    }
    fault_off();
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    const struct px_json *right = parsed(&arena, good), *wrong = parsed(&arena, bad);
    fault_on();
    r = px_schema_validate(schema, right, &report);
    bool gave_up = r && report.gave_up;
    int second = px_schema_validate(schema, wrong, &report);
    fault_off();
    assert_true(r == 0 || gave_up);
    assert_int_equal(second, -EBADMSG);
    assert_true(report.n > 0);
    px_arena_finish(&arena);
    px_schema_destroy(schema);
    px_arena_stock_free();
    fault_on();
    return r;
}

static void survives(void **state) {
    (void)state;
    text = quoted(many);
    good = quoted("{'a':'a:','b':1.5,'g':['x'],'k':1}");
    bad = quoted("{'a':'b','b':0,'c':11,'d':'x','e':{'a':[2]},'f':1,'g':['x','x'],'z':1}");
    assert_true(fault_sweep(FAULT_FAIL, scenario, NULL) > 10);
    free(text);
    free(good);
    free(bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives)};
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
