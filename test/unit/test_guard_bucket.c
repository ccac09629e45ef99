/* The token bucket against one that counts in shares of a token, in 128 bits. */
#include "guard_mech.h"

#include "guard/bucket.h"

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 whole;

struct model {
    whole units; /* tokens times per_ns */
    uint64_t at;
};

static void model_to(struct model *m, const struct px_rate *rate, uint64_t now) {
    whole full = (whole)rate->burst * rate->per_ns;
    m->units += (whole)(now - m->at) * rate->requests;
    m->units = m->units > full ? full : m->units;
    m->at = now;
}
static bool model_may(const struct model *m, const struct px_rate *rate, uint64_t cost) {
    return m->units >= (whole)PX_MIN(cost, rate->burst) * rate->per_ns;
}

static const struct px_rate rates[] = {
    {PX_RATE_BUCKET, 1, PX_MS, 1},
    {PX_RATE_BUCKET, 7, 3 * PX_S, 7},
    {PX_RATE_BUCKET, 3, 1000 * PX_MS, 10},
    {PX_RATE_BUCKET, 5000, 3600 * PX_S, 50},
    {PX_RATE_BUCKET, 1000000000, PX_MS, 1000000000},
    {PX_RATE_BUCKET, 1, 2678400000 * PX_MS, 1000000000},
    {PX_RATE_BUCKET, 999999937, 2678399999 * PX_MS, 1},
    {PX_RATE_BUCKET, 1, 7, 3}, /* nanoseconds: every share of a token is seen */
};

static void it_is_what_the_model_says(void **state) {
    (void)state;
    for (size_t i = 0; i < PX_COUNT(rates); i++) {
        const struct px_rate *rate = &rates[i];
        uint64_t seed = 1 + i, now = 5 * PX_S, each = rate->per_ns / rate->requests + 1;
        struct px_bucket b;
        struct model m = {(whole)rate->burst * rate->per_ns, now};
        px_bucket_init(&b, rate, now);
        for (int step = 0; step < 60000; step++) {
            uint64_t cost = below(&seed, 8) ? 1 + below(&seed, 3) : 1 + below(&seed, rate->burst * 2);
            model_to(&m, rate, now);
            uint64_t wait = px_bucket_wait(&b, rate, cost, 0, now);
            assert_int_equal(wait == 0, model_may(&m, rate, cost));
            if (wait && wait != PX_NEVER && now < (uint64_t)1 << 62) {
                assert_true(px_bucket_wait(&b, rate, cost, 0, now + wait) == 0);
                assert_true(px_bucket_wait(&b, rate, cost, 0, now + wait - 1) == 1);
            }
            if (!wait) {
                px_bucket_take(&b, rate, (int64_t)cost, now);
                m.units -= (whole)cost * rate->per_ns;
            }
            now += below(&seed, 4) ? below(&seed, each) : below(&seed, each * 6);
        }
    }
}

/* Whoever takes what there is, for a year, gets what the rate allows, to the token. */
static void a_year_drifts_by_nothing(void **state) {
    (void)state;
    const struct px_rate rate = {PX_RATE_BUCKET, 7, 30 * PX_S + 1, 7};
    uint64_t seed = 9, start = 77, now = start, taken = 0, year = (uint64_t)365 * 86400 * PX_S;
    struct px_bucket b;
    px_bucket_init(&b, &rate, now);
    px_bucket_take(&b, &rate, 7, now);
    while (now - start < year) {
        now += 1 + below(&seed, 20 * PX_S); /* never so long that it is full */
        while (!px_bucket_wait(&b, &rate, 1, 0, now)) {
            px_bucket_take(&b, &rate, 1, now);
            taken++;
        }
    }
    assert_true(taken == (uint64_t)((wide)(now - start) * rate.requests / rate.per_ns));
}

static void extremes(void **state) {
    (void)state;
    const struct px_rate slow = {PX_RATE_BUCKET, 1, 2678400000 * PX_MS, 1000000000};
    const struct px_rate fast = {PX_RATE_BUCKET, 1000000000, PX_MS, 1000000000};
    struct px_bucket b;
    px_bucket_init(&b, &slow, 0);
    px_bucket_take(&b, &slow, 1000000000, 0);
    assert_true(px_bucket_wait(&b, &slow, 1, 0, 0) == slow.per_ns);
    assert_true(px_bucket_wait(&b, &slow, 1000000000, 0, 0) == PX_NEVER); /* 84 million years */
    px_bucket_take(&b, &slow, UINT32_MAX, 0);
    for (int i = 0; i < 10000; i++)
        px_bucket_take(&b, &slow, UINT32_MAX, 0); /* the debt has an end */
    assert_true(px_bucket_left(&b, &slow, 0) > -((int64_t)1 << 34));
    px_bucket_take(&b, &slow, INT64_MIN / 2, 0);
    assert_int_equal(px_bucket_left(&b, &slow, 0), 1000000000);
    px_bucket_init(&b, &fast, 0);
    px_bucket_take(&b, &fast, 1000000000, 0);
    assert_int_equal(px_bucket_left(&b, &fast, UINT64_MAX), 1000000000);
    px_bucket_init(&b, &fast, 10);
    assert_int_equal(px_bucket_left(&b, &fast, 5), 1000000000); /* a time before: nothing happens */
    /* more than a bucket: when it is full; then it is in debt */
    const struct px_rate five = {PX_RATE_BUCKET, 5, PX_S, 5};
    px_bucket_init(&b, &five, 0);
    px_bucket_take(&b, &five, 1, 0);
    assert_true(px_bucket_wait(&b, &five, 100, 0, 0) == PX_S / 5);
    px_bucket_take(&b, &five, 100, PX_S / 5);
    assert_int_equal(px_bucket_left(&b, &five, PX_S / 5), -95);
    assert_true(px_bucket_wait(&b, &five, 1, 0, PX_S / 5) == 96 * PX_S / 5);
}

static void those_ahead_are_waited_for(void **state) {
    (void)state;
    const struct px_rate rate = {PX_RATE_BUCKET, 2, PX_S, 2};
    struct px_bucket b;
    px_bucket_init(&b, &rate, 0);
    assert_true(px_bucket_wait(&b, &rate, 1, 1, 0) == 0);
    assert_true(px_bucket_wait(&b, &rate, 1, 2, 0) == PX_S / 2);
    assert_true(px_bucket_wait(&b, &rate, 1, 9, 0) == 4 * PX_S);
}

static void it_moves_to_another_rate(void **state) {
    (void)state;
    const struct px_rate a = {PX_RATE_BUCKET, 10, PX_S, 10}, b = {PX_RATE_BUCKET, 1, 2 * PX_S, 4};
    struct px_bucket bucket;
    px_bucket_init(&bucket, &a, 0);
    px_bucket_take(&bucket, &a, 8, 0);
    px_bucket_move(&bucket, &a, &b, PX_S / 10); /* a tenth: one more */
    assert_int_equal(px_bucket_left(&bucket, &b, PX_S / 10), 3);
    px_bucket_init(&bucket, &a, 0);
    px_bucket_move(&bucket, &a, &b, 0);
    assert_int_equal(px_bucket_left(&bucket, &b, 0), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_the_model_says),
        cmocka_unit_test(a_year_drifts_by_nothing),
        cmocka_unit_test(extremes),
        cmocka_unit_test(those_ahead_are_waited_for),
        cmocka_unit_test(it_moves_to_another_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
