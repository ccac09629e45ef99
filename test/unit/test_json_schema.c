/* What a schema means is proved by test/suites; this is about what is said when it does not hold, and about what the
 * suite does not look at. */
#include "unit/schema_help.h"

/* ---- reports ---- */

static void types_and_limits(void **state) {
    (void)state;
    invalid("{'type':'number'}", "'2s'", " type: expected a number, got '2s'");
    invalid("{'type':'number','exclusiveMinimum':0}", "'2s'", " type: expected a number above 0, got '2s'");
    invalid("{'exclusiveMinimum':0}", "-1", " exclusiveMinimum: expected a number above 0, got -1");
    invalid("{'type':'integer','minimum':1,'maximum':100}", "500",
            " maximum: expected an integer from 1 to 100, got 500");
    invalid("{'type':'integer','minimum':1}", "2.5", " type: expected an integer of at least 1, got 2.5");
    invalid("{'maximum':10}", "11", " maximum: expected a number of at most 10, got 11");
    invalid("{'minimum':1,'exclusiveMaximum':2}", "2",
            " exclusiveMaximum: expected a number of at least 1 and below 2, got 2");
    invalid("{'multipleOf':0.5}", "0.75",
            " multipleOf: expected a number that is a multiple of 0.5, got 0.75");
    invalid("{'type':['string','null']}", "[1,2]",
            " type: expected null or a string, got an array of 2 items");
    invalid("{'type':'boolean'}", "null", " type: expected true or false, got null");
    invalid("{'type':['integer','array','object']}", "false",
            " type: expected an integer, an array or an object, got false");
    invalid("{'minimum':9007199254740993}", "9007199254740992",
            " minimum: expected a number of at least 9007199254740993, got 9007199254740992");
}

static void strings(void **state) {
    (void)state;
    invalid("{'minLength':1}", "''",
            " minLength: expected a string that is not empty, got '' (0 characters)");
    invalid("{'minLength':2,'maxLength':3}", "'\\u00e9'",
            " minLength: expected a string of 2 to 3 characters, got '\u00e9' (1 character)");
    invalid(
        "{'maxLength':1}", "'\\ud83d\\udc32\\ud83d\\udc32'",
        " maxLength: expected a string of at most 1 character, got '\U0001F432\U0001F432' (2 characters)");
    invalid("{'pattern':'^[a-z]+$'}", "'A'", " pattern: expected a string that matches ^[a-z]+$, got 'A'");
    invalid_in(&(struct px_schema_opts){.assert_format = true}, "{'format':'date-time'}", "'yesterday'",
               " format: expected a date and time such as 2026-03-01T12:00:00Z, got 'yesterday'");
    valid("{'format':'date-time'}", "'yesterday'");
    /* An instance's text is cut at 60 bytes and between characters, and escaped. */
    invalid("{'type':'null'}", "'a\\n\\\"b\\u0007'", " type: expected null, got 'a\\n\\'b\\u0007'");
    invalid(
        "{'type':'null'}", "'0123456789012345678901234567890123456789012345678901234567\\u00e9\\u00e9'",
        " type: expected null, got '0123456789012345678901234567890123456789012345678901234567\u00e9\u2026'");
}

static void values(void **state) {
    (void)state;
    invalid("{'enum':['open','closed','all']}", "'opn'",
            " enum: expected one of 'open', 'closed', 'all', got 'opn': did you mean 'open'?");
    invalid("{'enum':['a',1,null]}", "'zzz'", " enum: expected one of 'a', 1, null, got 'zzz'");
    invalid("{'enum':[]}", "1", " enum: expected nothing, got 1");
    invalid("{'const':{'a':[1]}}", "{'a':[2]}", " const: expected {'a':[1]}, got an object");
    invalid("{'const':'x'}", "'y'", " const: expected 'x', got 'y'");
    struct px_schema_report report;
    char text[4096] = "{'enum':[";
    for (int i = 0; i < 100; i++)
        snprintf(text + strlen(text), 32, "%s'value-%d'", i ? "," : "", i);
    strcat(text, "]}");
    struct px_schema *schema = compiled(text, NULL);
    assert_int_equal(validated(schema, "'value-99'", NULL), 0);
    assert_int_equal(validated(schema, "5", &report), -EBADMSG);
    assert_non_null(strstr(report.problems[0].message, "\"value-13\" … (86 more), got 5"));
    px_schema_destroy(schema);
}

static void objects(void **state) {
    (void)state;
    static const char *const closed =
        "{'type':'object','required':['repo','limit'],'additionalProperties':false,'properties':"
        "{'repo':{'type':'string'},'limit':{'type':'integer','minimum':1,'maximum':100}}}";
    valid(closed, "{'repo':'a','limit':1}");
    invalid(closed, "{}", " required: missing properties 'repo', 'limit'");
    invalid(closed, "{'repo':'a','limt':5}",
            "/limt additionalProperties: unknown property 'limt': did you mean 'limit'?\n"
            " required: missing property 'limit' (an integer from 1 to 100)");
    invalid(closed, "{'repo':'a','limit':5,'zzz':1}",
            "/zzz additionalProperties: unknown property 'zzz': known are 'repo', 'limit'");
    invalid("{'additionalProperties':false}", "{'a':1}",
            "/a additionalProperties: unknown property 'a': none is allowed");
    invalid("{'properties':{'a':false}}", "{'a':1}", "/a properties: property 'a' is not allowed");
    invalid("{'allOf':[{'properties':{'limit':true}}],'unevaluatedProperties':false}", "{'limti':1}",
            "/limti unevaluatedProperties: unknown property 'limti': did you mean 'limit'?");
    invalid(
        "{'propertyNames':{'maxLength':3}}", "{'abcd':1}",
        "/abcd propertyNames: property name 'abcd': expected a string of at most 3 characters, got 'abcd' (4 "
        "characters)");
    invalid("{'minProperties':1}", "{}", " minProperties: expected at least 1 property, got 0");
    invalid("{'maxProperties':1}", "{'a':1,'b':1}", " maxProperties: expected at most 1 property, got 2");
    invalid("{'dependentRequired':{'b':['c']}}", "{'b':1}",
            " dependentRequired: with property 'b', property 'c' is required too");
    invalid("{'patternProperties':{'^x':{'type':'number'}}}", "{'x/~y':''}",
            "/x~1~0y type: expected a number, got ''");
}

static void arrays(void **state) {
    (void)state;
    invalid("{'minItems':1}", "[]", " minItems: expected at least 1 item, got 0");
    invalid("{'maxItems':2}", "[1,2,3]", " maxItems: expected at most 2 items, got 3");
    invalid("{'uniqueItems':true}", "[1,'1',1.0]",
            " uniqueItems: expected items that are all different, but items 0 and 2 are equal");
    invalid("{'contains':{'type':'string'}}", "[1]",
            " contains: expected at least 1 item to be a string, got 0");
    invalid("{'contains':{'required':['a']},'maxContains':1}", "[{'a':1},{'a':1}]",
            " maxContains: expected at most 1 item to match 'contains', got 2");
    invalid("{'items':{'items':{'type':'string'}}}", "[['a'],['b',1]]",
            "/1/1 type: expected a string, got 1");
    invalid("{'prefixItems':[true],'items':false}", "[1,2]", "/1 items: item 1 is not allowed");
    invalid("{'prefixItems':[true],'unevaluatedItems':false}", "[1,2]",
            "/1 unevaluatedItems: item 1 is not allowed");
}

/* The alternative that came closest speaks. */
static void alternatives(void **state) {
    (void)state;
    static const char *const told_apart =
        "{'anyOf':[{'type':'object','properties':{'kind':{'const':'a'},'x':{'type':'number'}},'required':['kind','x']},"
        "{'$ref':'#/$defs/b'}],'$defs':{'b':{'type':'object','properties':{'kind':{'const':'b'},'y':{'type':'string'},"
        "'z':{'type':'string'}},'required':['kind','y']}}}";
    invalid(told_apart, "{'kind':'b','y':5,'z':6}",
            "/y type: expected a string, got 5\n/z type: expected a string, got 6");
    invalid(told_apart, "{'kind':'a'}", " required: missing property 'x' (a number)");
    invalid(told_apart, "{'kind':'c','x':1}", "/kind anyOf: expected one of 'a', 'b', got 'c'");
    invalid(told_apart, "5", " anyOf: expected an object, got 5");
    invalid("{'oneOf':[{'type':'string'},{'type':'integer','minimum':1},{'type':'null'}]}", "0",
            " oneOf: expected a string, an integer of at least 1 or null, got 0");
    invalid("{'anyOf':[{'const':'a'},{'const':'b'}]}", "'c'", " anyOf: expected 'a' or 'b', got 'c'");
    invalid(
        "{'oneOf':[{'type':'number'},{'minimum':5}]}", "7",
        " oneOf: expected exactly one of the alternatives in 'oneOf' to match, but number 1 and number 2 do");
    /* The deepest wins, through several levels. */
    invalid("{'anyOf':[{'type':'array','items':{'anyOf':[{'type':'object','required':['q']},{'type':'object',"
            "'properties':{'a':{'type':'object','properties':{'b':{'minimum':3}}}},'required':['a','r']}]}},"
            "{'type':'string'}]}",
            "[{'a':{'b':1},'r':0}]", "/0/a/b minimum: expected a number of at least 3, got 1");
    invalid(
        "{'anyOf':[{'type':'object','properties':{'a':{'properties':{'b':{'minimum':3}}}}},{'type':'string'}]}",
        "{'a':{'b':1}}", "/a/b minimum: expected a number of at least 3, got 1");
    invalid("{'not':{'type':'null'}}", "null", " not: expected anything but null, got null");
    invalid("{'not':{'required':['a']}}", "{'a':1}",
            " not: expected something that does not match 'not', got an object");
    invalid("{'if':{'required':['a']},'then':{'required':['b']},'else':{'required':['c']}}", "{'a':1}",
            " required: missing property 'b'");
    invalid("false", "1", " false: nothing is allowed here");
}

static void many_problems(void **state) {
    (void)state;
    struct px_schema_report report;
    struct px_schema *schema = compiled("{'items':{'type':'string'}}", NULL);
    assert_int_equal(validated(schema, "[1,2,3,4,5,6,7,8]", &report), -EBADMSG);
    assert_int_equal(report.n, PX_SCHEMA_PROBLEMS);
    assert_false(report.more);
    assert_int_equal(validated(schema, "[1,2,3,4,5,6,7,8,9]", &report), -EBADMSG);
    assert_int_equal(report.n, PX_SCHEMA_PROBLEMS);
    assert_true(report.more);
    assert_string_equal(report.problems[7].path, "/7");
    /* The same report is used again. */
    assert_int_equal(validated(schema, "['a']", &report), 0);
    assert_int_equal(report.n, 0);
    assert_false(report.more || report.gave_up);
    px_schema_destroy(schema);
}

static void said_once(void **state) {
    (void)state;
    invalid(
        "{'$ref':'#/$defs/a','allOf':[{'$ref':'#/$defs/a'},{'$ref':'#/$defs/b'}],'$defs':{'a':{'required':['x']},"
        "'b':{'required':['y']}}}",
        "{}", " required: missing property 'x'\n required: missing property 'y'");
}

static void long_paths(void **state) {
    (void)state;
    struct px_schema_report report;
    struct px_schema *schema =
        compiled("{'$ref':'#/$defs/a','$defs':{'a':{'additionalProperties':{'$ref':'#/$defs/a'},"
                 "'type':'object'}}}",
                 NULL);
    char text[8192] = "";
    for (int i = 0; i < 40; i++)
        strcat(text, "{'property-\\u00e9':");
    strcat(text, "5");
    for (int i = 0; i < 40; i++)
        strcat(text, "}");
    assert_int_equal(validated(schema, text, &report), -EBADMSG);
    const char *path = report.problems[0].path;
    assert_true(strlen(path) < sizeof report.problems[0].path && strlen(path) > 140);
    assert_true(px_utf8_valid(px_str_of(path)));
    assert_int_equal(strncmp(path, "/property-\u00e9/", 12), 0);
    assert_non_null(strstr(path, "\u2026"));
    assert_string_equal(path + strlen(path) - 12, "/property-\u00e9");
    px_schema_destroy(schema);
}

/* ---- schemas that are none ---- */

static void bad_schemas(void **state) {
    (void)state;
    refused("{'type':'strnig'}", "/type: 'strnig' is not a type: did you mean 'string'?");
    refused("{'properties':{'a':{'minimum':'x'}}}", "/properties/a/minimum: must be a number, is 'x'");
    refused("{'type':5}",
            "/type: 5 is not a type: there are null, boolean, integer, number, string, array, object");
    refused("{'type':['null','null']}", "/type: names the type 'null' twice");
    refused("{'type':[]}", "/type: must name a type");
    refused("{'minLength':-1}", "/minLength: must be an integer of at least 0, is -1");
    refused("{'maxItems':1.5}", "/maxItems: must be an integer of at least 0, is 1.5");
    refused("{'multipleOf':0}", "/multipleOf: must be above 0");
    refused("{'multipleOf':12345678901234567891}", "/multipleOf: has more digits than are supported (19)");
    refused("{'required':'a'}", "/required: must be an array of property names");
    refused("{'required':['a',1]}", "/required: must be an array of property names: strings");
    refused("{'required':['a','a']}", "/required: names 'a' twice");
    refused("{'dependentRequired':{'a':['b','b']}}", "/dependentRequired/a: names 'b' twice");
    refused("{'enum':5}", "/enum: must be an array, is 5");
    refused("{'pattern':'(a'}", "/pattern: is not a regular expression: missing closing parenthesis");
    refused(
        "{'patternProperties':{'a/[':{}}}",
        "/patternProperties/a~1[: is not a regular expression: a class without its closing bracket, at byte 3 of the "
        "regular expression");
    refused("{'items':[{}]}", "/items: must be one schema (a list of schemas is prefixItems)");
    refused("{'allOf':[]}", "/allOf: must not be empty");
    refused("{'allOf':[5]}", "/allOf/0: must be a schema (an object, true or false), is 5");
    refused("{'$defs':{'a/b':{'not':[]}}}",
            "/$defs/a~1b/not: must be a schema (an object, true or false), is an empty array");
    refused("{'$defs':{'a':5}}", "/$defs/a: must be a schema (an object, true or false)");
    refused("{'title':5}", "/title: must be a string, is 5");
    refused("{'uniqueItems':1}", "/uniqueItems: must be true or false, is 1");
    refused("[]", "schema: must be an object, true or false");
    refused("{'a':", "schema: not JSON at byte 5: expected a value, but the text ends");
    refused("{'$id':'http://x/#foo'}", "/$id: must not have a fragment (use $anchor)");
    refused("{'$anchor':'1a'}",
            "/$anchor: must begin with a letter or '_', and go on with letters, digits, '-', '.', '_'");
    refused("{'$defs':{'a':{'$anchor':'x'},'b':{'$anchor':'x'}}}",
            "/$defs/b: another schema has the same anchor, 'x'");
    refused("{'$defs':{'a':{'$id':'x'},'b':{'$id':'x'}}}", "/$defs/b: another schema has the same $id, 'x'");
    refused("{'$ref':'#/$defs/x'}", "/$ref: '#/$defs/x' leads to no schema");
    refused("{'$ref':'#/required/0','required':['a']}", "/$ref: '#/required/0' leads to no schema");
    refused("{'$ref':'#a\\n\\u0007'}", "/$ref: '#a\\n\\u0007' leads to no schema");
    refused("{'$ref':'#x'}", "/$ref: '#x' leads to no schema");
    refused("{'not':{'$ref':'other.json'}}", "/not/$ref: 'other.json' names a document that is not given");
    refused_in(
        NULL, "{'$schema':'http://json-schema.org/draft-04/schema#'}", -ENOTSUP,
        "$schema names a dialect that is not known, 'http://json-schema.org/draft-04/schema': known are draft "
        "2020-12, draft-07, and documents that are given");
}

/* What our compiler refuses, the metaschemas refuse, and the other way round. */
static void agrees_with_the_metaschemas(void **state) {
    (void)state;
    static const char *const schemas[] = {
        "{}",
        "true",
        "{'type':'strnig'}",
        "{'type':['string','null']}",
        "{'type':['null','null']}",
        "{'type':[]}",
        "{'minimum':'x'}",
        "{'minLength':-1}",
        "{'minLength':2.0}",
        "{'maxItems':1.5}",
        "{'multipleOf':0}",
        "{'multipleOf':-1}",
        "{'required':['a','a']}",
        "{'required':['a',1]}",
        "{'required':[]}",
        "{'enum':5}",
        "{'enum':[]}",
        "{'enum':[1,1]}",
        "{'allOf':[]}",
        "{'oneOf':[true,5]}",
        "{'not':[]}",
        "{'properties':{'a':{'properties':{'b':{'type':1}}}}}",
        "{'properties':[]}",
        "{'patternProperties':{'a':5}}",
        "{'title':5}",
        "{'description':null}",
        "{'default':5,'examples':[5]}",
        "{'examples':5}",
        "{'readOnly':1}",
        "{'uniqueItems':'yes'}",
        "{'const':{'type':'strnig'}}",
        "{'$comment':5}",
        "{'$id':5}",
        "{'format':5}",
        "{'if':5}",
        "{'contains':5}",
        "{'propertyNames':{'pattern':5}}",
        "{'unknown':{'type':'strnig'}}",
        "{'contentMediaType':5}",
        "{'definitions':{'a':{'type':'strnig'}}}",
        "{'dependencies':{'a':5}}",
        "{'dependencies':{'a':['b'],'c':{}}}",
    };
    static const char *const only_2020_12[] = {
        "{'$anchor':'1a'}",
        "{'$anchor':'a1'}",
        "{'items':[{}]}",
        "{'prefixItems':[]}",
        "{'$defs':5}",
        "{'dependentRequired':{'a':['b','b']}}",
        "{'minContains':-1}",
        "{'$id':'a#b'}",
        "{'$vocabulary':{'a:b':5}}",
        "{'deprecated':1}",
        "{'unevaluatedItems':1}",
    };
    static const char *const only_07[] = {"{'items':[{},5]}", "{'items':[{},true]}", "{'additionalItems':5}",
                                          "{'$defs':{'a':{'type':'strnig'}}}", "{'unevaluatedItems':1}"};
    struct px_schema *meta[] = {compiled("{'$ref':'https://json-schema.org/draft/2020-12/schema'}", NULL),
                                compiled("{'$ref':'http://json-schema.org/draft-07/schema#'}", NULL)};
    static const struct px_schema_opts opts[] = {{.draft = PX_SCHEMA_2020_12}, {.draft = PX_SCHEMA_07}};
    for (size_t draft = 0; draft < 2; draft++) {
        const char *const *own = draft ? only_07 : only_2020_12;
        size_t n_own = draft ? PX_COUNT(only_07) : PX_COUNT(only_2020_12);
        for (size_t i = 0; i < PX_COUNT(schemas) + n_own; i++) {
            const char *text = i < PX_COUNT(schemas) ? schemas[i] : own[i - PX_COUNT(schemas)];
            struct px_schema *schema = NULL;
            struct px_schema_report report;
            struct px_err err = {0};
            char *copy = quoted(text);
            int r = px_schema_compile(px_str_of(copy), &opts[draft], &schema, &err);
            if ((r != 0) != (validated(meta[draft], text, &report) != 0))
                fail_msg("draft %zu: %s: we say \"%s\", the metaschema says \"%s\"", draft, text, err.msg,
                         report.n ? report.problems[0].message : "");
            free(copy);
            px_schema_destroy(schema);
        }
    }
    px_schema_destroy(meta[0]);
    px_schema_destroy(meta[1]);
}

/* ---- documents and references ---- */

static const struct px_schema_doc docs[] = {
    {PX_LIT("http://x.test/a/one.json"),
     PX_LIT("{\"$id\":\"http://y.test/uno\",\"type\":\"string\",\"$defs\":{"
            "\"n\":{\"type\":\"number\"},\"m\":{\"$anchor\":\"m\",\"$ref\":\"zwei#/x\"}}}")},
    {PX_LIT("http://y.test/zwei#"), PX_LIT("{\"x\":{\"type\":\"boolean\"}}")},
    {PX_LIT("http://x.test/bad"), PX_LIT("{\"properties\":{\"a\":{\"type\":5}}}")},
    {PX_LIT("http://x.test/broken"), PX_LIT("{\"a\":")},
    {PX_LIT("http://x.test/meta"),
     PX_LIT("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":{"
            "\"https://x.test/unknown\":true}}")},
    {PX_LIT("http://x.test/assert"),
     PX_LIT("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":{"
            "\"https://json-schema.org/draft/2020-12/vocab/core\":true,"
            "\"https://json-schema.org/draft/2020-12/vocab/format-assertion\":true}}")},
};
static const struct px_schema_opts with_docs = {.docs = docs, .n_docs = PX_COUNT(docs)};

static void documents(void **state) {
    (void)state;
    invalid_in(&with_docs, "{'$ref':'http://x.test/a/one.json'}", "5", " type: expected a string, got 5");
    invalid_in(&with_docs, "{'$ref':'http://y.test/uno'}", "5", " type: expected a string, got 5");
    invalid_in(&with_docs, "{'$id':'http://x.test/b','$ref':'a/../a/./one.json#/$defs/n'}", "''",
               " type: expected a number, got ''");
    invalid_in(&with_docs, "{'$ref':'http://y.test/uno#m'}", "5", " type: expected true or false, got 5");
    refused_in(
        &with_docs, "{'$ref':'http://x.test/bad#/properties/a'}", -EINVAL,
        "http://x.test/bad#/properties/a/type: 5 is not a type: there are null, boolean, integer, number, string, "
        "array, object");
    refused_in(&with_docs, "{'$ref':'http://x.test/broken'}", -EINVAL,
               "schema http://x.test/broken: not JSON at byte 5: expected a value, but the text ends");
    refused_in(
        &with_docs, "{'$schema':'http://x.test/meta'}", -ENOTSUP,
        "the metaschema http://x.test/meta needs the vocabulary https://x.test/unknown, which is not known");
    invalid_in(&with_docs, "{'$schema':'http://x.test/assert','format':'ipv4','type':'null'}", "'x'",
               " format: expected an IPv4 address such as 192.0.2.1, got 'x'");
}

static void references_behind_keywords(void **state) {
    (void)state;
    /* Where no keyword leads, a reference still may; mistakes there are named by their place. */
    invalid("{'x-types':{'a/b':[{'not':{'type':'null'}}]},'$ref':'#/x-types/a~1b/0/not'}", "1",
            " type: expected null, got 1");
    refused("{'x':{'y':{'not':{'minimum':''}}},'$ref':'#/x/y'}", "/x/y/not/minimum: must be a number, is ''");
    invalid("{'properties':{'a':{'$ref':'#/%24defs/%25'}},'$defs':{'%':{'type':'null'}}}", "{'a':1}",
            "/a type: expected null, got 1");
    /* An $id within an enum is none; one in draft-07 beside a $ref neither. */
    valid("{'enum':[{'$id':'http://x/y'}],'$defs':{'a':{'$id':'http://x/y'}}}", "{'$id':'http://x/y'}");
}

static void drafts(void **state) {
    (void)state;
    static const struct px_schema_opts seven = {.draft = PX_SCHEMA_07};
    invalid_in(&seven, "{'items':[{'type':'string'}],'additionalItems':{'type':'null'}}", "[1,2]",
               "/0 type: expected a string, got 1\n/1 type: expected null, got 2");
    invalid_in(&seven, "{'items':[true],'additionalItems':false}", "[1,2]",
               "/1 additionalItems: item 1 is not allowed");
    valid_in(&seven, "{'prefixItems':[false],'dependentRequired':{'a':['b']},'unevaluatedProperties':false}",
             "{'a':1}");
    invalid_in(
        &seven, "{'dependencies':{'a':['b'],'c':{'required':['d']}}}", "{'a':1,'c':1}",
        " dependencies: with property 'a', property 'b' is required too\n required: missing property 'd'");
    /* $schema wins over the options; what is embedded may speak another draft. */
    invalid(
        "{'$schema':'http://json-schema.org/draft-07/schema#','$ref':'#/definitions/a','type':'null','definitions':"
        "{'a':{'type':'string'}}}",
        "1", " type: expected a string, got 1");
    invalid("{'$ref':'old','$defs':{'old':{'$id':'old','$schema':'http://json-schema.org/draft-07/schema#',"
            "'items':[{'type':'null'}]}}}",
            "[1]", "/0 type: expected null, got 1");
    /* Older schemas without $schema: what 2020-12 has renamed still works. */
    invalid("{'dependencies':{'a':['b']}}", "{'a':1}",
            " dependencies: with property 'a', property 'b' is required too");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_limits),
        cmocka_unit_test(strings),
        cmocka_unit_test(values),
        cmocka_unit_test(objects),
        cmocka_unit_test(arrays),
        cmocka_unit_test(alternatives),
        cmocka_unit_test(many_problems),
        cmocka_unit_test(said_once),
        cmocka_unit_test(long_paths),
        cmocka_unit_test(bad_schemas),
        cmocka_unit_test(agrees_with_the_metaschemas),
        cmocka_unit_test(documents),
        cmocka_unit_test(references_behind_keywords),
        cmocka_unit_test(drafts),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
