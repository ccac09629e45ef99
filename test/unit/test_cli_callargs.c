#include "cli/callargs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int build(const char *object, struct px_buf *to, struct px_err *err, const char *a, const char *b) {
    const char *words[] = {a, b};
    px_buf_init(to, 4096);
    return px_callargs_build(px_str_of(object), words, (size_t)(a != NULL) + (b != NULL), to, err);
}

static void good(void **state) {
    (void)state;
    static const struct {
        const char *object, *a, *b, *json;
    } cases[] = {
        {NULL, NULL, NULL, "{}"},
        {NULL, "a=1", "b:=1", "{\"a\":\"1\",\"b\":1}"},
        {NULL, "sql=select a=b", "t:=\"x=y\"", "{\"sql\":\"select a=b\",\"t\":\"x=y\"}"},
        {NULL, "a=", "q=\"\\", "{\"a\":\"\",\"q\":\"\\\"\\\\\"}"},
        {NULL, "n:= 5000000000000001 ", NULL, "{\"n\": 5000000000000001 }"},
        {"{\"a\": 1.50, \"\\u0062\":[] }", "c=d", NULL, "{\"a\":1.50,\"b\":[],\"c\":\"d\"}"},
        {NULL, "a:b=x", NULL, "{\"a:b\":\"x\"}"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_buf to;
        struct px_err err;
        assert_int_equal(build(cases[i].object, &to, &err, cases[i].a, cases[i].b), 0);
        assert_string_equal(to.p, cases[i].json);
        px_buf_finish(&to);
    }
}

static void bad(void **state) {
    (void)state;
    static const struct {
        const char *object, *a, *b, *in_message;
    } cases[] = {
        {NULL, "word", NULL, "word is no argument: write name=text, or name:=json"},
        {NULL, "=x", NULL, "has no name"},
        {NULL, ":=1", NULL, "has no name"},
        {NULL, "n:=ten", NULL, "n:= wants JSON"},
        {NULL, "n:=", NULL, "n:= wants JSON"},
        {NULL, "n:=1 2", NULL, "n:= wants JSON"},
        {NULL, "a=\xff", NULL, "a=: the text is not UTF-8"},
        {NULL, "a=1", "a=2", "the argument a comes twice"},
        {"{\"\\u0061\":1}", "a=2", NULL, "the argument a comes twice"},
        {"[1]", NULL, NULL, "--args wants a JSON object, not array"},
        {"{", NULL, NULL, "--args wants a JSON object:"},
        {"", NULL, NULL, "--args wants a JSON object:"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_buf to;
        struct px_err err = {0};
        assert_int_equal(build(cases[i].object, &to, &err, cases[i].a, cases[i].b), -EINVAL);
        if (!strstr(err.msg, cases[i].in_message))
            fail_msg("case %zu: %s", i, err.msg);
        px_buf_finish(&to);
    }
}

static void over_the_cap(void **state) {
    (void)state;
    struct px_buf to;
    struct px_err err;
    const char *words[] = {"a=0123456789"};
    px_buf_init(&to, 10);
    assert_int_equal(px_callargs_build((px_str){0}, words, 1, &to, &err), -EMSGSIZE);
    px_buf_finish(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(bad),
        cmocka_unit_test(over_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
