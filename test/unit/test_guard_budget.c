/* Backoff; the budget of retries against a list of everything; the tally under it. */
#include "guard_mech.h"

#include "guard/budget.h"

enum { LIST = 20000 };

static void a_tally_is_a_window(void **state) {
    (void)state;
    static uint64_t at[LIST];
    static unsigned some[LIST];
    for (uint64_t window = 32; window <= 320; window += 288) {
        struct px_tally t = {0};
        uint64_t seed = window, now = 1, slot = window / 32;
        for (size_t n = 0; n < LIST; n++) {
            at[n] = now;
            some[n] = (unsigned)below(&seed, 2);
            px_tally_add(&t, window, now, 1, some[n]);
            uint64_t all = 0, sum = 0;
            for (size_t i = n + 1; i-- && now / slot - at[i] / slot < 32;)
                all++, sum += some[i];
            assert_true(t.all == all && t.some == sum);
            now += below(&seed, 40) ? below(&seed, 4) : below(&seed, 3 * window);
        }
        px_tally_look(&t, window, at[LIST - 1]); /* back in time: nothing */
        px_tally_look(&t, window, now + window + slot);
        assert_true(t.all == 0 && t.some == 0);
        px_tally_add(&t, window, now + 10 * window, 5, 2);
        px_tally_move(&t, window, 3 * window, now + 10 * window);
        px_tally_look(&t, 3 * window, now + 12 * window);
        assert_true(t.all == 5 && t.some == 2);
        px_tally_look(&t, 3 * window, now + 14 * window);
        assert_true(t.all == 0);
    }
}

static void retries_stay_within_their_share(void **state) {
    (void)state;
    static struct {
        uint64_t at;
        bool retry;
    } list[LIST];
    struct px_retry_limits limits = {.budget_percent = 20, .budget_min = 3, .budget_window_ns = 32};
    struct px_budget b = {0};
    uint64_t seed = 4, now = 100;
    unsigned granted = 0, refused = 0;
    for (size_t n = 0; n < LIST;) {
        unsigned firsts = 0, retries = 0, all = 0;
        for (size_t i = n; i-- && now - list[i].at < 32;) {
            all += !list[i].retry;
            retries += list[i].retry;
        }
        firsts = all - PX_MIN(all, retries); /* each retry that was allowed is an attempt, too */
        if (below(&seed, 3)) {
            px_budget_attempt(&b, &limits, now);
            list[n].at = now;
            list[n++].retry = false;
        } else {
            bool may = retries + 1 <= PX_MAX(firsts * 20 / 100, 3u);
            assert_int_equal(px_budget_take(&b, &limits, now), may);
            if (may) {
                list[n].at = now;
                list[n++].retry = true;
            }
            granted += may;
            refused += !may;
        }
        now += !below(&seed, 1 + n / 300 % 5);
    }
    assert_true(granted > 100 && refused > 100);
    limits.budget_percent = limits.budget_min = 0;
    assert_false(px_budget_take(&b, &limits, now));
}

static void full_jitter(void **state) {
    (void)state;
    const struct px_retry_limits limits = {.base_ns = 200 * PX_MS, .max_ns = 10 * PX_S};
    uint64_t seed = 1;
    for (unsigned attempt = 1; attempt < 100; attempt++) {
        uint64_t most = 0, least = UINT64_MAX, sum = 0;
        uint64_t end = attempt > 6 ? 10 * PX_S : PX_MIN(200 * PX_MS << (attempt - 1), 10 * PX_S);
        for (int i = 0; i < 1000; i++) {
            uint64_t ns = px_backoff(&limits, attempt, next_random(&seed));
            most = PX_MAX(most, ns);
            least = PX_MIN(least, ns);
            sum += ns;
        }
        assert_true(most <= end && most > end * 95 / 100);
        assert_true(least < end * 5 / 100); /* full: from nothing on */
        assert_true(sum / 1000 > end * 45 / 100 && sum / 1000 < end * 55 / 100);
    }
    const struct px_retry_limits odd = {.base_ns = 60 * PX_S, .max_ns = 1};
    assert_true(px_backoff(&odd, 1, UINT64_MAX) <= 1);
    assert_true(px_backoff(&limits, 0, 200 * PX_MS) == 200 * PX_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tally_is_a_window),
        cmocka_unit_test(retries_stay_within_their_share),
        cmocka_unit_test(full_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
