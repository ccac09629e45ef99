/* quota.h: what an upstream has said about its own limit, and what is on its way. Time is passed in; all times are monotonic.
 *
 * What is left is what the last reading said, less what is in flight: whether the upstream had counted those yet is not known. Readings
 * overtake each other: within one window a reading only lowers what is left, unless its request had entered after the last reading came
 * (then it is newer for sure). A reading of a later window is believed, one of an earlier window is not.
 *
 * Nothing is believed for longer than PX_QUOTA_BELIEVED_NS without being looked at again, because one wrong header (a date in the year 9999, milliseconds
 * where seconds belong) would lock a service out for a year: when that much time has passed since something was told or let in, one request
 * is let in, as a probe. What its answer says holds from then on; when it says nothing, what was told is forgotten. */
#ifndef PX_GUARD_QUOTA_H
#define PX_GUARD_QUOTA_H

#include "guard/bucket.h"

#define PX_QUOTA_BELIEVED_NS (3600 * PX_S)

/** What an answer said; -1: not said. Amounts are costs. */
struct px_quota {
    px_str group; /* absent: that of the request */
    /* the upstream's own name for the bucket that requests of this label share; absent: none */
    px_str bucket;
    bool global; /* of every request of the service and account */
    int64_t limit, remaining;
    int64_t reset_ms; /* from now, until `remaining` is `limit` again */
    /* restored a second, in thousandths: a leaky bucket (Shopify); then reset_ms is not needed */
    int64_t restore_milli;
    int64_t retry_after_ms; /* nothing more before that */
    int64_t cost;           /* of this request, when it was not what it was taken for */
};

struct px_quota_state {
    int64_t limit, left;              /* -1: not known; left: as of at_ns, with what is in flight */
    int64_t restore_milli;            /* 0: it is not restored bit by bit */
    uint64_t at_ns, part;             /* restored up to here; part: of the next one, in 10^12ths */
    uint64_t reset_ns;                /* 0: not known */
    uint64_t retry_ns;                /* 0: none */
    uint64_t last_ns, told_ns;        /* the last that was let in; the last reading */
    uint64_t heard_ns, retry_told_ns; /* when anything was told; when retry_ns was */
    uint64_t probe_ns;                /* 0: none; when one was let in although it would have to wait */
    int64_t in_flight;                /* costs of those that have not left */
    uint32_t running, readings;       /* how many those are; times that `remaining` was said */
    uint64_t first_ns;                /* 0, or the first reading: others were on their way then */
    uint32_t silent;                  /* answers since then that did not say it */
};

void px_quota_init(struct px_quota_state *q);
/** How long what was told holds back a request, however long ago that was. */
uint64_t px_quota_held(const struct px_quota_state *q, unsigned spacing_percent, uint64_t cost,
                       uint64_t ahead, uint64_t now);
/** As px_bucket_wait: the same, but for probes. Less than `spacing_percent` of the limit left: requests are spread over the time until more is there. */
uint64_t px_quota_wait(const struct px_quota_state *q, unsigned spacing_percent, uint64_t cost,
                       uint64_t ahead, uint64_t now);
/** What is left is on its way already, and it is not known when there will be more (a window has ended, and the next one has not been
 *  heard of), or whether that will be needed (a 304 may cost nothing): an answer has to come before this goes. False while nothing is in
 *  flight, and for an upstream that has ceased to say. */
bool px_quota_full(const struct px_quota_state *q, uint64_t cost, uint64_t now);
void px_quota_enter(struct px_quota_state *q, uint64_t cost, uint64_t now);
/** `readings`: what it was when this one entered: without one since, an answered one is taken to have cost what it was let in for. */
void px_quota_leave(struct px_quota_state *q, uint64_t cost, uint32_t readings, bool answered, uint64_t now);
/** `taken`: what the request was let in for; `sent_ns`: when; 0: not known. */
void px_quota_told(struct px_quota_state *q, const struct px_quota *said, uint64_t taken, uint64_t sent_ns,
                   uint64_t now);
/** This was the first reading, and so many others are on their way that it had not counted, perhaps: they will be. */
void px_quota_others(struct px_quota_state *q, uint64_t n, uint64_t now);
/** All that was told; what is in flight stays. */
void px_quota_forget(struct px_quota_state *q);
/** What is left, without what is in flight; -1: not known. */
int64_t px_quota_left(const struct px_quota_state *q, uint64_t now);
/** It holds nobody back, and has nothing to remember: may be forgotten. */
bool px_quota_idle(const struct px_quota_state *q, unsigned spacing_percent, uint64_t now);

#endif
