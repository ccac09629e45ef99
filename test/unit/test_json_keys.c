#include "unit/json_help.h"
#include "json/keys.h"

/* The scan's tests ask whether a key stands twice; here, whether the list survives objects inside objects. */
static void add(struct px_json_keys *keys, px_str text, size_t at, size_t raw_n, size_t n) {
    assert_int_equal(px_json_keys_add(keys, px_str_n(text.p + at, raw_n), n), 0);
}

static void inner_objects_do_not_matter(void **state) {
    (void)state;
    px_str text = exact_copy(PX_LIT("\"a\"\"b\"\"a\"\"b\"\"\\u0061\""));
    struct px_json_keys keys;
    size_t at = 99;
    px_json_keys_init(&keys, text);
    add(&keys, text, 1, 1, 1);
    size_t first = keys.n;
    add(&keys, text, 4, 1, 1);
    add(&keys, text, 7, 1, 1);
    assert_int_equal(px_json_keys_close(&keys, first, &at), 0); /* b, a: inside of a */
    assert_int_equal(keys.n, 1);
    add(&keys, text, 10, 1, 1);
    assert_int_equal(px_json_keys_close(&keys, 0, &at), 0);
    assert_int_equal(at, 99);
    assert_int_equal(px_json_keys_close(&keys, 0, &at), 0);
    add(&keys, text, 1, 1, 1);
    add(&keys, text, 13, 6, 1);
    assert_int_equal(px_json_keys_close(&keys, 0, &at), -EEXIST);
    assert_int_equal(at, 12);
    assert_int_equal(keys.n, 0);
    px_json_keys_finish(&keys);
    exact_free(text);
}

/* Keys of open objects stay what they are when the list moves to the heap. */
static void the_list_grows(void **state) {
    (void)state;
    char digits[1000];
    struct px_json_keys keys;
    size_t at = 0;
    for (size_t i = 0; i < sizeof digits; i += 4)
        memcpy(digits + i,
               (char[]){(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), '"'}, 4);
    px_str text = exact_copy(px_str_n(digits, sizeof digits));
    for (size_t n = 1; n <= 250; n += 3) {
        px_json_keys_init(&keys, text);
        for (size_t i = 0; i < n; i++)
            add(&keys, text, i * 4, 3, 3);
        assert_int_equal(px_json_keys_close(&keys, n / 2, &at), 0);
        for (size_t i = 0; i < 70; i++)
            add(&keys, text, 400 + i * 4, 3, 3);
        assert_int_equal(px_json_keys_close(&keys, n / 2, &at), 0);
        add(&keys, text, 0, 3, 3);
        assert_int_equal(px_json_keys_close(&keys, 0, &at), n / 2 ? -EEXIST : 0);
        px_json_keys_finish(&keys);
    }
    exact_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inner_objects_do_not_matter),
        cmocka_unit_test(the_list_grows),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
