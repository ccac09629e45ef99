/* budget.h: when and how often to try again: exponential backoff with full jitter, and a budget of retries. Time and randomness are passed in. */
#ifndef PX_GUARD_BUDGET_H
#define PX_GUARD_BUDGET_H

#include "guard/limits.h"
#include "guard/tally.h"

/** Between 0 and base_ns * 2^(attempt - 1), at most max_ns. `attempt`: those that were made, from 1. */
uint64_t px_backoff(const struct px_retry_limits *limits, unsigned attempt, uint64_t random);

struct px_budget {         /* zeroed is new */
    struct px_tally tally; /* all: attempts that were let in; some: retries that were allowed */
};
/** One is let in, the first of its request or not. */
void px_budget_attempt(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now);
/** Retries of the window stay within budget_percent of its first attempts, or budget_min. False: not this one. */
bool px_budget_take(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now);
/** How many more there are. */
uint64_t px_budget_left(struct px_budget *b, const struct px_retry_limits *limits, uint64_t now);

#endif
