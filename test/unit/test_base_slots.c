#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slots.h"
#include <errno.h>
#include <stdlib.h>

static int things[1000];

static void stale_handles_are_told(void **state) {
    struct px_slots s;
    uint64_t a, b;
    (void)state;
    px_slots_init(&s, 4);
    assert_null(px_slots_get(&s, 0));
    assert_null(px_slots_get(&s, UINT64_MAX));
    assert_int_equal(px_slots_add(&s, &things[0], &a), 0);
    assert_true(a != 0);
    assert_ptr_equal(px_slots_get(&s, a), &things[0]);
    assert_ptr_equal(px_slots_remove(&s, a), &things[0]);
    assert_null(px_slots_get(&s, a));
    assert_null(px_slots_remove(&s, a));
    assert_null(px_slots_get(&s, a + (1ull << 32))); /* what the next one will be is not valid before */
    assert_int_equal(px_slots_add(&s, &things[1], &b), 0);
    assert_int_equal((uint32_t)a, (uint32_t)b); /* the slot is used again, the handle is another */
    assert_true(a != b);
    assert_null(px_slots_get(&s, a));
    assert_null(px_slots_remove(&s, a));
    assert_ptr_equal(px_slots_get(&s, b), &things[1]);
    px_slots_finish(&s);
    assert_null(px_slots_get(&s, b));
}

static void cap_and_reuse(void **state) {
    struct px_slots s;
    uint64_t h[200], more;
    (void)state;
    px_slots_init(&s, 100);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(px_slots_add(&s, &things[i], &h[i]), 0);
        assert_int_equal(px_slots_add(&s, &things[0], &more), -ENOSPC);
        assert_int_equal(s.live, 100);
        for (size_t i = 0; i < 100; i++)
            assert_ptr_equal(px_slots_remove(&s, h[i * 37 % 100]), &things[i * 37 % 100]);
        assert_int_equal(s.live, 0);
        assert_int_equal(s.n, 100);
    }
    px_slots_finish(&s);
    px_slots_init(&s, 0);
    assert_int_equal(px_slots_add(&s, &things[0], &more), -ENOSPC);
    px_slots_finish(&s);
}

static void generations_end(void **state) {
    struct px_slots s;
    uint64_t first, last, next;
    (void)state;
    px_slots_init(&s, 1);
    assert_int_equal(px_slots_add(&s, &things[0], &first), 0);
    px_slots_remove(&s, first);
    s.slots[0].generation = UINT32_MAX; /* as after four billion uses */
    assert_int_equal(px_slots_add(&s, &things[1], &last), 0);
    assert_int_equal(last >> 32, UINT32_MAX);
    assert_ptr_equal(px_slots_remove(&s, last), &things[1]);
    assert_int_equal(px_slots_add(&s, &things[2], &next), 0); /* the cap is not a slot smaller */
    assert_int_equal((uint32_t)next, 1);                      /* but the slot has retired */
    assert_null(px_slots_get(&s, first));
    assert_null(px_slots_get(&s, last));
    assert_null(px_slots_get(&s, 0));
    assert_int_equal(px_slots_add(&s, &things[3], &last), -ENOSPC);
    assert_ptr_equal(px_slots_remove(&s, next), &things[2]);
    px_slots_finish(&s);
}

static void random_against_a_model(void **state) {
    struct px_slots s;
    enum { N = 64 };
    uint64_t live[N] = {0}, dead[5000];
    size_t n_dead = 0;
    (void)state;
    srand(2);
    px_slots_init(&s, N);
    for (int step = 0; step < 10000; step++) {
        size_t i = (size_t)rand() % N;
        if (live[i]) {
            assert_ptr_equal(px_slots_remove(&s, live[i]), &things[i]);
            if (n_dead < PX_COUNT(dead))
                dead[n_dead++] = live[i];
            live[i] = 0;
        } else {
            assert_int_equal(px_slots_add(&s, &things[i], &live[i]), 0);
        }
        if (n_dead)
            assert_null(px_slots_get(&s, dead[(size_t)rand() % n_dead]));
        assert_ptr_equal(px_slots_get(&s, live[i]), live[i] ? &things[i] : NULL);
    }
    px_slots_finish(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_handles_are_told),
        cmocka_unit_test(cap_and_reuse),
        cmocka_unit_test(generations_end),
        cmocka_unit_test(random_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
