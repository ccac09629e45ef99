#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include <stdlib.h>

static void zeroed_aligned_apart(void **state) {
    struct px_arena a;
    (void)state;
    px_arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) { /* chunks that were used before are zeroed again */
        char *seen[300];
        for (size_t i = 0; i < 300; i++) {
            seen[i] = px_arena_alloc(&a, i * 7);
            assert_non_null(seen[i]);
            assert_int_equal((uintptr_t)seen[i] % 16, 0);
            for (size_t b = 0; b < i * 7; b++)
                assert_int_equal(seen[i][b], 0);
            memset(seen[i], (int)i, i * 7);
        }
        for (size_t i = 0; i < 300; i++) {
            for (size_t b = 0; b < i * 7; b++)
                assert_int_equal(seen[i][b], (char)i);
        }
        px_arena_finish(&a);
        assert_int_equal(px_arena_chunks_alive(), 0);
    }
    px_arena_stock_free();
}

static void cap_is_kept(void **state) {
    struct px_arena a;
    (void)state;
    px_arena_init(&a, 1000);
    assert_null(px_arena_alloc(&a, 1001));
    assert_non_null(px_arena_alloc(&a, 496));
    assert_non_null(px_arena_alloc(&a, 504));
    assert_null(px_arena_alloc(&a, 1));
    px_arena_finish(&a);
    assert_non_null(px_arena_alloc(&a, 1000)); /* usable again, with its cap */
    assert_null(px_arena_alloc(&a, 1));
    px_arena_finish(&a);
    px_arena_init(&a, SIZE_MAX);
    assert_null(px_arena_raw(&a, SIZE_MAX));
    assert_null(px_arena_raw(&a, SIZE_MAX - 15));
    assert_null(px_arena_raw(&a, SIZE_MAX - 40));
    px_arena_finish(&a);
}

static void large_blocks_do_not_waste_the_chunk(void **state) {
    struct px_arena a;
    (void)state;
    px_arena_init(&a, 1 << 30);
    assert_non_null(px_arena_alloc(&a, 100000));
    for (int i = 0; i < 100; i++) {
        assert_non_null(px_arena_alloc(&a, 16));
        char *large = px_arena_alloc(&a, 20000);
        memset(large, 1, 20000);
    }
    /* A chunk each for the large ones, and one for all the small ones; with ASan all are alone. */
    assert_true(px_arena_chunks_alive() == 102 || px_arena_chunks_alive() == 201);
    px_arena_finish(&a);
    assert_int_equal(px_arena_chunks_alive(), 0);
    px_arena_stock_free();
}

static void strings(void **state) {
    struct px_arena a;
    (void)state;
    px_arena_init(&a, 100);
    px_str s = px_arena_str(&a, PX_LIT("abc"));
    assert_string_equal(s.p, "abc");
    assert_null(px_arena_str(&a, (px_str){NULL, 0}).p);
    s = px_arena_str(&a, PX_LIT(""));
    assert_string_equal(s.p, "");
    s = px_arena_fmt(&a, "%d-%s", 5, "x");
    assert_string_equal(s.p, "5-x");
    assert_int_equal(s.n, 3);
    char much[200] = "";
    memset(much, 'x', 199);
    assert_null(px_arena_str(&a, px_str_n(much, 199)).p);
    s = px_arena_fmt(&a, "%s", much);
    assert_null(s.p);
    assert_int_equal(s.n, 0);
    assert_non_null(px_arena_alloc(&a, 0));
    px_arena_finish(&a);
    px_arena_finish(&a);
    px_arena_stock_free();
}

static void wiping_ends_it_too(void **state) {
    struct px_arena a;
    (void)state;
    px_arena_init_small(&a, 1 << 20);
    for (int i = 0; i < 50; i++)
        memset(px_arena_alloc(&a, (size_t)i * 37), 's', (size_t)i * 37);
    px_arena_wipe(&a);
    assert_int_equal(px_arena_chunks_alive(), 0);
    assert_int_equal(a.used, 0);
    px_arena_init(&a, 1 << 20);
    char *p = px_arena_alloc(&a, 100);
    memset(p, 's', 100);
    px_arena_wipe(&a);
    /* The stock gives the same chunk again, and nothing of it is left. With ASan there is none. */
    char *again = px_arena_raw(&a, 100);
    for (int i = 0; again == p && i < 100; i++)
        assert_int_equal(again[i], 0);
    px_arena_wipe(&a);
    px_arena_stock_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_aligned_apart),
        cmocka_unit_test(cap_is_kept),
        cmocka_unit_test(large_blocks_do_not_waste_the_chunk),
        cmocka_unit_test(strings),
        cmocka_unit_test(wiping_ends_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
