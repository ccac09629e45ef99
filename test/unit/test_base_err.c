#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/redact.h"
#include <string.h>

static void fills_and_returns(void **state) {
    struct px_err err = {0};
    (void)state;
    assert_int_equal(px_err_set(&err, -EINVAL, "%s is %d", "it", 7), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.msg, "it is 7");
    assert_int_equal(px_err_errno(&err, -ENOENT, "open %s", "x"), -ENOENT);
    assert_string_equal(err.msg, "open x: No such file or directory");
    assert_int_equal(px_err_prefix(&err, -EIO, "config: "), -ENOENT);
    assert_string_equal(err.msg, "config: open x: No such file or directory");
    assert_int_equal(px_err_set(NULL, -EINVAL, "x"), -EINVAL);
    assert_int_equal(px_err_errno(NULL, -EINVAL, "x"), -EINVAL);
    assert_int_equal(px_err_prefix(NULL, -EINVAL, "x"), -EINVAL);
}

static void may_quote_itself(void **state) {
    struct px_err err = {0};
    (void)state;
    px_err_set(&err, -EINVAL, "inner");
    px_err_set(&err, -EIO, "outer: %s, twice: %s", err.msg, err.msg);
    assert_string_equal(err.msg, "outer: inner, twice: inner");
    px_err_errno(&err, -EIO, "%s", err.msg);
    assert_string_equal(err.msg, "outer: inner, twice: inner: Input/output error");
}

static void cut_between_characters(void **state) {
    struct px_err err = {0};
    char text[400];
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 2 ? '\xa9' : '\xc3';
    text[sizeof text - 1] = 0;
    px_err_set(&err, -EINVAL, "%s", text);
    assert_int_equal(strlen(err.msg), 238);
    px_err_set(&err, -EINVAL, "x%s", text);
    assert_int_equal(strlen(err.msg), 239);
    px_err_prefix(&err, 0, "%s", text);
    assert_int_equal(strlen(err.msg), 238);
    px_err_errno(&err, -EIO, "%s", text);
    assert_int_equal(strlen(err.msg), 238);
}

static void secrets_do_not_pass(void **state) {
    struct px_err err = {0};
    char filler[3000], key[400];
    (void)state;
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = 0;
    memcpy(key, "-----BEGIN-----", 15);
    assert_int_equal(px_redact_add(px_str_of(key)), 0);
    assert_int_equal(px_redact_add(PX_LIT("hunter2-hunter2")), 0);
    px_err_set(&err, -EINVAL, "bad password hunter2-hunter2 here");
    assert_string_equal(err.msg, "bad password *************** here");
    /* Where the cut would leave a part of it, and where what was formed first ends inside it. */
    memset(filler, '.', sizeof filler);
    filler[230] = 0;
    px_err_set(&err, -EINVAL, "%shunter2-hunter2", filler);
    assert_null(strstr(err.msg, "hunter"));
    px_err_set(&err, -EINVAL, "%s", key);
    assert_null(strstr(err.msg, "kk"));
    char *large = malloc(3001); /* more than is formed at first */
    memset(large, 'k', 3000);
    large[0] = '<';
    large[3000] = 0;
    assert_int_equal(px_redact_add(px_str_of(large)), 0);
    px_err_set(&err, -EINVAL, "it is %s", large);
    assert_null(strstr(err.msg, "kk"));
    free(large);
    for (size_t n = 1600; n < 2060; n += 7) {
        char all[3000];
        memset(all, '.', n);
        memcpy(all + n, key, sizeof key);
        px_err_set(&err, -EINVAL, "%s", all);
        assert_null(strstr(err.msg, "BEGIN"));
    }
    px_err_errno(&err, -EIO, "%s", "hunter2-hunter2");
    assert_null(strstr(err.msg, "hunter2"));
    px_redact_forget_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_and_returns),
        cmocka_unit_test(may_quote_itself),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(secrets_do_not_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
