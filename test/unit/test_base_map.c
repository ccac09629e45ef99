#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A model that cannot be wrong: values[k], NULL when absent. */
enum { KEYS = 200 };
static char names[KEYS][8];
static int things[1000];

static void check(const struct px_map *m, void *const *model) {
    size_t n = 0, walked = 0;
    for (size_t k = 0; k < KEYS; k++) {
        assert_ptr_equal(px_map_get(m, px_str_of(names[k])), model[k]);
        n += model[k] != NULL;
    }
    assert_int_equal(m->n, n);
    PX_MAP_EACH (slot, m) {
        walked++;
        size_t k = strtoul(slot->key.p + 1, NULL, 10);
        assert_ptr_equal(slot->value, model[k]);
    }
    assert_int_equal(walked, n);
}

static void random_against_a_model(void **state) {
    (void)state;
    for (unsigned k = 0; k < KEYS; k++)
        snprintf(names[k], sizeof names[k], "k%u", k);
    srand(1);
    for (int round = 0; round < 30; round++) {
        struct px_map m;
        void *model[KEYS] = {NULL}, *old = NULL;
        size_t cap = round % 3 ? KEYS : 50, n = 0;
        px_map_init(&m, cap);
        assert_null(px_map_remove(&m, PX_LIT("k1")));
        for (int step = 0; step < 3000; step++) {
            /* Phases that fill and that empty. */
            bool put = rand() % 100 < (step / 500 % 2 ? 20 : 80);
            size_t k = (size_t)rand() % KEYS;
            void *value = &things[rand() % 1000];
            if (put) {
                int r = px_map_put(&m, px_str_of(names[k]), value, &old);
                assert_int_equal(r, model[k] || n < cap ? 0 : -ENOSPC);
                assert_ptr_equal(old, model[k]);
                n += !model[k] && !r;
                model[k] = r ? NULL : value;
            } else {
                assert_ptr_equal(px_map_remove(&m, px_str_of(names[k])), model[k]);
                n -= model[k] != NULL;
                model[k] = NULL;
            }
            if (step % 100 == 0)
                check(&m, model);
        }
        check(&m, model);
        px_map_finish(&m);
        assert_null(px_map_get(&m, PX_LIT("k1")));
    }
}

static void keys_are_bytes(void **state) {
    struct px_map m;
    (void)state;
    px_map_init(&m, 10);
    assert_int_equal(px_map_put(&m, (px_str){NULL, 0}, &things[0], NULL), 0);
    assert_int_equal(px_map_put(&m, PX_LIT("a\0b"), &things[1], NULL), 0);
    assert_int_equal(px_map_put(&m, PX_LIT("a\0c"), &things[2], NULL), 0);
    assert_ptr_equal(px_map_get(&m, PX_LIT("")), &things[0]);
    assert_ptr_equal(px_map_get(&m, PX_LIT("a\0b")), &things[1]);
    assert_ptr_equal(px_map_get(&m, PX_LIT("a\0c")), &things[2]);
    assert_null(px_map_get(&m, PX_LIT("a")));
    /* A replaced entry lives with the new key: the old one may go. */
    char *first = px_str_dup(PX_LIT("key")), *second = px_str_dup(PX_LIT("key"));
    void *old = NULL;
    assert_int_equal(px_map_put(&m, px_str_of(first), &things[3], NULL), 0);
    assert_int_equal(px_map_put(&m, px_str_of(second), &things[4], &old), 0);
    assert_ptr_equal(old, &things[3]);
    free(first);
    assert_ptr_equal(px_map_get(&m, PX_LIT("key")), &things[4]);
    px_map_finish(&m);
    free(second);
}

static void cap_zero(void **state) {
    struct px_map m;
    (void)state;
    px_map_init(&m, 0);
    assert_int_equal(px_map_put(&m, PX_LIT("a"), &things[0], NULL), -ENOSPC);
    px_map_finish(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_a_model),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(cap_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
