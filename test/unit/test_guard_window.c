/* Windows against lists of everything that was ever let in. */
#include "guard_mech.h"

#include "guard/window.h"

enum { LIST = 4000 };
struct list {
    struct {
        uint64_t at, cost;
    } all[LIST];
    size_t n;
};

static uint64_t used_since(const struct list *l, uint64_t now, uint64_t length) {
    uint64_t used = 0;
    for (size_t i = l->n; i-- && now - l->all[i].at < length;)
        used += l->all[i].cost;
    return used;
}

static void sliding_run(const struct px_rate *rate, uint64_t seed, uint64_t most_cost) {
    struct px_sliding s = {0};
    struct list list = {.n = 0};
    uint64_t now = 3 * PX_S, slot = rate->requests <= 64 ? 0 : rate->per_ns / 63 + 1;
    while (list.n < LIST) {
        uint64_t cost = 1 + below(&seed, most_cost), need = PX_MIN(cost, rate->requests);
        uint64_t wait = px_sliding_wait(&s, rate, cost, 0, now);
        bool fits = used_since(&list, now, rate->per_ns) + need <= rate->requests;
        if (!wait)
            assert_true(fits); /* never over */
        else if (!slot)
            assert_false(fits); /* exact */
        else                    /* late by at most a slot */
            assert_false(used_since(&list, now, rate->per_ns + slot) + need <= rate->requests);
        if (wait) {
            assert_true(wait <= rate->per_ns);
            assert_true(px_sliding_wait(&s, rate, cost, 0, now + wait) == 0);
            assert_true(px_sliding_wait(&s, rate, cost, 0, now + wait - 1) == 1);
            now += below(&seed, 3) ? wait : below(&seed, wait);
            continue;
        }
        px_sliding_take(&s, rate, (int64_t)cost, now);
        list.all[list.n].at = now;
        list.all[list.n++].cost = cost;
        uint64_t real = used_since(&list, now, rate->per_ns);
        assert_true(px_sliding_used(&s, rate, now) >= real);
        if (below(&seed, 3))
            now += below(&seed, rate->per_ns * 3 / rate->requests + 2);
        else if (!below(&seed, 50))
            now += below(&seed, rate->per_ns * 3);
    }
}

static void sliding_is_never_over(void **state) {
    (void)state;
    const struct px_rate rates[] = {
        {PX_RATE_SLIDING, 1, PX_MS, 0},     {PX_RATE_SLIDING, 5, 1000, 0},
        {PX_RATE_SLIDING, 64, PX_S, 0},     {PX_RATE_SLIDING, 65, PX_S, 0},
        {PX_RATE_SLIDING, 100, 1000003, 0}, {PX_RATE_SLIDING, 5000, 3600 * PX_S, 0},
        {PX_RATE_SLIDING, 700, PX_MS, 0},   {PX_RATE_SLIDING, 1000, 2678400000 * PX_MS, 0},
    };
    for (size_t i = 0; i < PX_COUNT(rates); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            sliding_run(&rates[i], seed, 1);
            sliding_run(&rates[i], seed + 10, rates[i].requests < 10 ? 2 : 9);
            sliding_run(&rates[i], seed + 20, rates[i].requests * 2); /* also more than all of it */
        }
}

/* Every sequence of eight steps, each: ask for 1, for 2, let 1 or 3 units go by; a window of 4. */
static void sliding_in_all_small_cases(void **state) {
    (void)state;
    for (uint64_t limit = 1; limit <= 3; limit++) {
        const struct px_rate rate = {PX_RATE_SLIDING, limit, 4, 0};
        for (unsigned word = 0; word < 65536; word++) {
            struct px_sliding s = {0};
            struct list list = {.n = 0};
            uint64_t now = 10;
            for (unsigned i = 0; i < 8; i++) {
                unsigned letter = word >> (2 * i) & 3;
                if (letter >= 2) {
                    now += letter == 2 ? 1 : 3;
                    continue;
                }
                uint64_t cost = letter + 1, wait = px_sliding_wait(&s, &rate, cost, 0, now);
                uint64_t model = 0;
                while (used_since(&list, now + model, 4) + PX_MIN(cost, limit) > limit)
                    model++;
                assert_true(wait == model);
                if (wait)
                    continue;
                px_sliding_take(&s, &rate, (int64_t)cost, now);
                list.all[list.n].at = now;
                list.all[list.n++].cost = cost;
            }
        }
    }
}

static void sliding_corrections_and_crowds(void **state) {
    (void)state;
    const struct px_rate rate = {PX_RATE_SLIDING, 100, PX_S, 0}, more = {PX_RATE_SLIDING, 10, 10 * PX_S, 0};
    struct px_sliding s = {0};
    px_sliding_take(&s, &rate, 90, 0);
    px_sliding_take(&s, &rate, 30, 5); /* it cost more than was thought */
    assert_int_equal(px_sliding_used(&s, &rate, 5), 120);
    assert_true(px_sliding_wait(&s, &rate, 1, 0, 5) == PX_S);
    px_sliding_take(&s, &rate, -50, 6); /* and less */
    assert_int_equal(px_sliding_used(&s, &rate, 6), 70);
    px_sliding_take(&s, &rate, -5000, 6);
    assert_int_equal(px_sliding_used(&s, &rate, 6), 0);
    px_sliding_take(&s, &rate, INT64_MAX / 4, 7);
    for (int i = 0; i < 100; i++)
        px_sliding_take(&s, &rate, INT64_MAX / 4, 8);
    assert_int_equal(px_sliding_used(&s, &rate, 8 + 2 * PX_S), 0);
    /* a longer window of fewer than 64, with slots that are full of the old one's: still never under */
    s = (struct px_sliding){0};
    for (uint64_t i = 0; i < 200; i++)
        px_sliding_take(&s, &more, 1, 100 + i);
    assert_int_equal(px_sliding_used(&s, &more, 300), 200);
    assert_int_equal(px_sliding_used(&s, &more, 299 + 10 * PX_S), 0);
    /* rounds of those ahead */
    s = (struct px_sliding){0};
    assert_true(px_sliding_wait(&s, &more, 1, 9, 0) == 0);
    assert_true(px_sliding_wait(&s, &more, 1, 10, 0) == 10 * PX_S);
    assert_true(px_sliding_wait(&s, &more, 1, 39, 0) == 30 * PX_S);
    assert_true(px_sliding_wait(&s, &more, 1, UINT64_MAX / 2, 0) == PX_NEVER);
}

static void fixed_is_what_the_model_says(void **state) {
    (void)state;
    const struct px_rate rates[] = {{PX_RATE_FIXED, 1, 3, 0},
                                    {PX_RATE_FIXED, 5, 100, 0},
                                    {PX_RATE_FIXED, 5000, 3600 * PX_S, 0},
                                    {PX_RATE_FIXED, 1000000000, 2678400000 * PX_MS, 0}};
    for (size_t i = 0; i < PX_COUNT(rates); i++) {
        const struct px_rate *rate = &rates[i];
        struct px_fixed f = {0};
        uint64_t seed = 5 + i, now = 3 * PX_S, began = 0, used = 0;
        bool begun = false;
        for (int step = 0; step < 60000 && now < (uint64_t)1 << 62; step++) {
            uint64_t cost = 1 + below(&seed, below(&seed, 9) ? 3 : rate->requests * 2);
            if (begun && now - began >= rate->per_ns)
                begun = false, used = 0;
            uint64_t wait = px_fixed_wait(&f, rate, cost, 0, now);
            bool fits = used + PX_MIN(cost, rate->requests) <= rate->requests;
            assert_int_equal(wait == 0, fits);
            if (wait) {
                assert_true(wait == began + rate->per_ns - now);
                assert_true(px_fixed_wait(&f, rate, cost, 0, now + wait) == 0);
                assert_true(px_fixed_wait(&f, rate, cost, 0, now + wait - 1) == 1);
            } else {
                if (!begun)
                    begun = true, began = now;
                used += cost;
                px_fixed_take(&f, rate, (int64_t)cost, now);
            }
            now += below(&seed, rate->per_ns / 4 + 2);
        }
    }
    const struct px_rate three = {PX_RATE_FIXED, 3, 10, 0};
    struct px_fixed f = {0};
    assert_true(px_fixed_wait(&f, &three, 1, 2, 100) == 0);
    assert_true(px_fixed_wait(&f, &three, 1, 3, 100) == 10);
    assert_true(px_fixed_wait(&f, &three, 1, 6, 100) == 20);
    px_fixed_take(&f, &three, 2, 100);
    assert_true(px_fixed_wait(&f, &three, 1, 1, 104) == 6);
    px_fixed_take(&f, &three, -1, 104);
    assert_int_equal(px_fixed_used(&f, &three, 104), 1);
    assert_int_equal(px_fixed_used(&f, &three, 110), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sliding_is_never_over),
        cmocka_unit_test(sliding_in_all_small_cases),
        cmocka_unit_test(sliding_corrections_and_crowds),
        cmocka_unit_test(fixed_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
