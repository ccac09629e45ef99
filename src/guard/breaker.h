/* breaker.h: the circuit breaker of one upstream. Time and randomness are passed in.
 *
 *   closed ── too many failures ──▶ open ── until_ns is over, one enters ──▶ half-open ── its probe worked ──▶ closed
 *                                    ▲                                          │ failed: open twice as long
 *                                    └──────────────────────────────────────────┘ says nothing: the next one is the probe
 *
 * Held open or closed by a person, it stays so until it is told otherwise. */
#ifndef PX_GUARD_BREAKER_H
#define PX_GUARD_BREAKER_H

#include "guard/limits.h"
#include "guard/tally.h"

enum px_breaker_state { PX_BREAKER_CLOSED, PX_BREAKER_HALF_OPEN, PX_BREAKER_IS_OPEN };
enum px_breaker_order { PX_BREAKER_OPEN, PX_BREAKER_CLOSE, PX_BREAKER_RESET };
enum px_guard_outcome {
    PX_GUARD_OK,     /* the upstream works, whatever it thinks of the request */
    PX_GUARD_FAILED, /* it does not: what the breaker counts */
    PX_GUARD_NEUTRAL /* says nothing: cancelled, never sent, refused for its rate */
};

struct px_breaker { /* zeroed is closed */
    enum px_breaker_state state;
    enum { PX_FORCED_NOT, PX_FORCED_OPEN, PX_FORCED_CLOSED } forced;
    uint32_t row;           /* failures, one after the other */
    uint32_t doublings;     /* of the time that it is open */
    uint32_t probe, probes; /* the one that is out, 0: none; the number of the last one */
    uint64_t opened;        /* times */
    uint64_t open_ns;       /* how long it was or is open, the jitter aside */
    uint64_t until_ns;      /* open: then a probe may pass */
    uint64_t closed_ns;     /* closed since */
    struct px_tally tally;  /* all: requests; some: that failed */
};

enum px_breaker_says { PX_BREAKER_PASSES, PX_BREAKER_PROBES, PX_BREAKER_REFUSES };
/** What a request would find. */
enum px_breaker_says px_breaker_ask(const struct px_breaker *b, const struct px_breaker_limits *limits,
                                    uint64_t now);
/** It passes, after it has asked: the number of the probe that it is; 0: none. */
uint32_t px_breaker_enter(struct px_breaker *b, const struct px_breaker_limits *limits, uint64_t now);
/** What became of it. True: this opened it. What had entered before it opened, or before a person's order, decides nothing. */
bool px_breaker_left(struct px_breaker *b, const struct px_breaker_limits *limits, uint32_t probe,
                     enum px_guard_outcome outcome, uint64_t now, uint64_t random);
void px_breaker_tell(struct px_breaker *b, enum px_breaker_order order, uint64_t now);
/** When refused: when to come back; 0: nobody knows. */
uint64_t px_breaker_until(const struct px_breaker *b, const struct px_breaker_limits *limits, uint64_t now);
/** As people see it: an open one whose time is over is half-open. */
enum px_breaker_state px_breaker_seen(const struct px_breaker *b, uint64_t now);

#endif
