#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include <errno.h>

static struct px_buf buf;

static const char *base64(px_str bytes) {
    px_buf_clear(&buf, SIZE_MAX);
    assert_int_equal(px_base64_add(&buf, bytes), 0);
    return px_buf_view(&buf).p;
}

static void base64_of_rfc4648(void **state) {
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    (void)state;
    px_buf_init(&buf, 100000);
    for (size_t i = 0; i < PX_COUNT(pairs); i++) {
        assert_string_equal(base64(px_str_of(pairs[i][0])), pairs[i][1]);
        px_buf_clear(&buf, SIZE_MAX);
        assert_int_equal(px_base64_decode(&buf, px_str_of(pairs[i][1])), 0);
        assert_true(px_str_is(px_buf_view(&buf), pairs[i][0]));
        /* Without the padding too. */
        px_str bare = px_str_of(pairs[i][1]);
        while (bare.n && bare.p[bare.n - 1] == '=')
            bare.n--;
        px_buf_clear(&buf, SIZE_MAX);
        assert_int_equal(px_base64_decode(&buf, bare), 0);
        assert_true(px_str_is(px_buf_view(&buf), pairs[i][0]));
    }
    px_buf_finish(&buf);
}

static void base64_there_and_back(void **state) {
    struct px_buf back;
    char bytes[257];
    (void)state;
    px_buf_init(&buf, 100000);
    px_buf_init(&back, 100000);
    for (size_t n = 0; n < sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(255 - i * 7);
        base64(px_str_n(bytes, n));
        for (int url = 0; url < 2; url++) {
            for (size_t i = 0; url && i < buf.n; i++)
                buf.p[i] = buf.p[i] == '+' ? '-' : buf.p[i] == '/' ? '_' : buf.p[i];
            px_buf_clear(&back, SIZE_MAX);
            px_buf_text(&back, "before");
            assert_int_equal(px_base64_decode(&back, px_buf_view(&buf)), 0);
            assert_int_equal(back.n, 6 + n);
            assert_memory_equal(back.p + 6, bytes, n);
        }
    }
    px_buf_finish(&buf);
    px_buf_finish(&back);
}

static void base64_that_is_refused(void **state) {
    static const char *const bad[] = {
        "A",    "=",   "==", "====", "Zg=",      "Zg===", "Zg= =",    "Z g=",     "Zg==\n", "Zh==",
        "Zm9=", "Zm9", "Zh", "Z$==", "Zg==Zg==", "Zm9vA", "Zm9vZ m9", "Zm9vZh==", "=Zg=",   "Zm9v Zm9v"};
    (void)state;
    px_buf_init(&buf, 1000);
    px_buf_text(&buf, "before");
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        assert_int_equal(px_base64_decode(&buf, px_str_of(bad[i])), -EINVAL);
        assert_string_equal(buf.p, "before");
        assert_int_equal(buf.failed, 0);
    }
    px_buf_finish(&buf);
    px_buf_init(&buf, 3); /* exactly what it takes is enough */
    assert_int_equal(px_base64_decode(&buf, PX_LIT("Zm9v")), 0);
    assert_int_equal(px_base64_decode(&buf, PX_LIT("Zg")), -EMSGSIZE);
    px_buf_finish(&buf);
}

static void hex_and_percent(void **state) {
    (void)state;
    px_buf_init(&buf, 100);
    assert_int_equal(px_hex_add(&buf, PX_LIT("\x00\x7f\x80\xff")), 0);
    assert_string_equal(buf.p, "007f80ff");
    assert_int_equal(px_hex_add(&buf, (px_str){NULL, 0}), 0);
    px_buf_clear(&buf, SIZE_MAX);
    assert_int_equal(px_percent_add(&buf, PX_LIT("aZ09-._~ /%\xff+")), 0);
    assert_string_equal(buf.p, "aZ09-._~%20%2F%25%FF%2B");
    px_buf_clear(&buf, SIZE_MAX);
    assert_int_equal(px_percent_add(&buf, px_str_n("a-Z_0.~ /?\0\xff", 12)), 0);
    assert_string_equal(buf.p, "a-Z_0.~%20%2F%3F%00%FF");
    px_buf_finish(&buf);
    px_buf_init(&buf, 4);
    assert_int_equal(px_percent_add(&buf, PX_LIT("     ")), -EMSGSIZE);
    px_buf_finish(&buf);
    px_buf_init(&buf, 3);
    assert_int_equal(px_hex_add(&buf, PX_LIT("ab")), -EMSGSIZE);
    px_buf_finish(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_rfc4648),
        cmocka_unit_test(base64_there_and_back),
        cmocka_unit_test(base64_that_is_refused),
        cmocka_unit_test(hex_and_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
