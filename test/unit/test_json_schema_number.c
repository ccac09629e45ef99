#include "unit/schema_help.h"

static void multiples(void **state) {
    (void)state;
    static const struct {
        const char *of, *good, *bad;
    } cases[] = {
        {"0.01", "4.35", "4.355"},
        {"0.01", "-19.99", "0.001"},
        {"0.1", "0.3", "0.35"},
        {"3", "9007199254740993", "9007199254740994"},
        {"7", "700000000000000000000000000000000007", "700000000000000000000000000000000008"},
        {"10", "1e300", "15"},
        {"10", "20", "0.1"},
        {"2.5", "1e1", "1.25"},
        {"1e-400", "5e-400", "5e-401"},
        {"1e400", "3e400", "1e399"},
        {"0.123456789", "0.123456789e10", "1e308"},
        {"0.123456789", "1.23456789", "1e999999999999999999999"},
        {"9999999999999999999", "99999999999999999990", "99999999999999999991"},
        {"1024", "1e10", "1e9"},
        {"1024", "0", "512"},
        {"4611686018427387904", "1e62", "1e61"},
        {"0.5", "1e308", "0.25"},
        {"1.50", "3", "2"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        char text[128];
        snprintf(text, sizeof text, "{'multipleOf':%s}", cases[i].of);
        valid(text, cases[i].good);
        struct px_schema *schema = compiled(text, NULL);
        if (validated(schema, cases[i].bad, NULL) != -EBADMSG)
            fail_msg("%s is not a multiple of %s", cases[i].bad, cases[i].of);
        px_schema_destroy(schema);
    }
    valid("{'multipleOf':0.01}", "'text'");
}

/* Limits, const, enum and uniqueItems on numbers that a double cannot tell apart. */
static void exact(void **state) {
    (void)state;
    valid("{'minimum':9007199254740993}", "9007199254740993");
    valid("{'exclusiveMinimum':9007199254740992}", "9007199254740993");
    valid("{'exclusiveMaximum':0.30000000000000000001}", "0.3");
    valid("{'maximum':1e400}", "9e399");
    valid("{'const':9007199254740993}", "9007199254740993.0");
    valid("{'enum':[9007199254740992,9007199254740994]}", "9.007199254740992e15");
    valid("{'uniqueItems':true}", "[9007199254740992,9007199254740993]");
    valid("{'const':0}", "-0");
    valid("{'const':0}", "0e999999999999");
    valid("{'type':'integer'}", "1e400");
    valid("{'type':'integer'}", "12345678901234567890.00");
    invalid("{'exclusiveMinimum':9007199254740993}", "9007199254740993",
            " exclusiveMinimum: expected a number above 9007199254740993, got 9007199254740993");
    invalid("{'exclusiveMaximum':0.3}", "0.30000000000000000001",
            " exclusiveMaximum: expected a number below 0.3, got 0.30000000000000000001");
    invalid("{'const':9007199254740993}", "9007199254740992",
            " const: expected 9007199254740993, got 9007199254740992");
    invalid("{'uniqueItems':true}", "[1,{'a':[100e-2,2]},{'a':[1,2.0]}]",
            " uniqueItems: expected items that are all different, but items 1 and 2 are equal");
    invalid("{'type':'integer'}", "1e-400", " type: expected an integer, got 1e-400");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(multiples), cmocka_unit_test(exact)};
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
