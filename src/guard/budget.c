#include "guard/budget.h"

uint64_t px_backoff(const struct px_retry_limits *limits, unsigned attempt, uint64_t random) {
    unsigned doublings = PX_MIN(attempt ? attempt - 1 : 0, 62u);
    uint64_t most =
        limits->base_ns > limits->max_ns >> doublings ? limits->max_ns : limits->base_ns << doublings;
    return most == UINT64_MAX ? random : random % (most + 1);
}

void px_budget_attempt(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now) {
    px_tally_add(&b->tally, limits->budget_window_ns, now, 1, 0);
}

uint64_t px_budget_left(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now) {
    px_tally_look(&b->tally, limits->budget_window_ns, now);
    uint64_t retries = b->tally.some, firsts = b->tally.all - PX_MIN(b->tally.all, retries);
    uint64_t may = PX_MAX(firsts * limits->budget_percent / 100, limits->budget_min);
    return may - PX_MIN(may, retries);
}

bool px_budget_take(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now) {
    if (!px_budget_left(b, limits, now))
        return false;
    px_tally_add(&b->tally, limits->budget_window_ns, now, 0, 1);
    return true;
}
