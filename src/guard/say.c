/* The words of a refusal: one sentence, that names the limit, whose it is, and until when. */
#include "guard/private.h"
#include <stdio.h>

/* "4.2 s". */
static const char *time_words(char *to, size_t n, uint64_t ns) {
    uint64_t s = ns / PX_S;
    if (ns < 10 * PX_S)
        snprintf(to, n, "%llu.%llu s", (unsigned long long)s, (unsigned long long)(ns % PX_S / (PX_S / 10)));
    else if (s < 600)
        snprintf(to, n, "%llu s", (unsigned long long)s);
    else if (s < 72 * 3600)
        snprintf(to, n, "%llu min", (unsigned long long)(s / 60));
    else
        snprintf(to, n, "%llu days", (unsigned long long)(s / 86400));
    return to;
}

static px_str cut(px_str name) {
    name.n = px_str_cut_utf8(name, PX_MIN(name.n, (uint64_t)40));
    return name;
}

static px_str name_of(const struct px_limiter *at, const struct px_guard_targets *to) {
    return at->kind == PX_OF_GROUP ? to->group->name : to->upstream->name;
}

/* "shop said: 0 of 40 are left (core)"; "shop said to wait". */
static void say_told(const struct px_guard *guard, const struct px_told *told, uint64_t now, char *why,
                     size_t n) {
    int64_t left = px_quota_left(&told->q, now);
    px_str name = told->kind == 'a' ? PX_LIT("") : cut(told->name);
    char amount[64] = " to wait";
    if (!told->q.retry_ns && left >= 0 && told->q.limit < 0)
        snprintf(amount, sizeof amount, ": %lld are left", (long long)left);
    else if (!told->q.retry_ns && left >= 0)
        snprintf(amount, sizeof amount, ": %lld of %lld are left", (long long)left, (long long)told->q.limit);
    snprintf(why, n, "%s said%s%s" PX_FMT "%s", guard->service, amount, name.n ? " (" : "", PX_ARG(name),
             name.n ? ")" : "");
}

static void say_rate(const struct px_guard *guard, const struct px_guard_targets *to,
                     const struct px_limiter *at, uint64_t cost, uint64_t now, char *why, size_t n) {
    const struct px_meter *slow = NULL;
    uint64_t longest = 0;
    char per[32], whose[112];
    if (!at) {
        snprintf(why, n, "the next attempt would come after the deadline");
        return;
    }
    if (at->kind == PX_OF_QUOTA) {
        say_told(guard, px_container_of(at, struct px_told, at), now, why, n);
        return;
    }
    for (size_t i = 0; i < at->n_meters; i++) {
        uint64_t ns = px_meter_wait(&at->meters[i], cost, 0, now);
        if (!slow || ns > longest) {
            slow = &at->meters[i];
            longest = ns;
        }
    }
    if (at->kind == PX_OF_SERVICE)
        snprintf(whose, sizeof whose, "%s", guard->service);
    else
        snprintf(whose, sizeof whose, "%s " PX_FMT " of %.40s",
                 at->kind == PX_OF_GROUP ? "rate group" : "upstream", PX_ARG(cut(name_of(at, to))),
                 guard->service);
    snprintf(why, n, "the limit of %s is used up: %llu in %s", whose,
             (unsigned long long)(slow ? slow->rate.requests : 0),
             time_words(per, sizeof per, slow ? slow->rate.per_ns : 0));
}

static void say_open(const struct px_guard *guard, const struct px_upstream *up, uint64_t until, uint64_t now,
                     char *why, size_t n) {
    char in[32];
    int most = (int)PX_MIN(up->name.n, 32u);
    if (up->breaker.forced == PX_FORCED_OPEN)
        snprintf(why, n, "the circuit breaker of %s/%.*s is held open by an administrator", guard->service,
                 most, up->name.p);
    else if (up->breaker.probe)
        snprintf(why, n, "%s/%.*s has failed; a probe is on its way", guard->service, most, up->name.p);
    else
        snprintf(why, n, "%s/%.*s fails: its circuit breaker is open, the next probe is in %s",
                 guard->service, most, up->name.p, time_words(in, sizeof in, until > now ? until - now : 0));
}

/* A guess: what is before it, at the pace of the last ones. */
static uint64_t queue_ms(const struct px_guard *guard) {
    uint64_t pace = px_hist_at(&guard->took, 500), places = guard->at.places ? guard->at.places : 1;
    return guard->took.count ? PX_MAX(pace / PX_MS * (guard->waiting + 1) / places, 100) : 1000;
}

void px_guard_say(const struct px_guard *guard, enum px_guard_verdict verdict,
                  const struct px_guard_targets *to, uint64_t cost, const struct px_limiter *at,
                  uint64_t until_ns, uint64_t now, struct px_guard_answer *ret) {
    char *why = ret->why;
    size_t n = sizeof ret->why;
    ret->verdict = verdict;
    why[0] = 0;
    ret->retry_after_ms = until_ns > now ? (until_ns - now) / PX_MS + ((until_ns - now) % PX_MS != 0) : 0;
    switch (verdict) {
    case PX_GUARD_PASS: return;
    case PX_GUARD_RATE: say_rate(guard, to, at, cost, now, why, n); return;
    case PX_GUARD_OPEN: say_open(guard, to->upstream, until_ns, now, why, n); return;
    case PX_GUARD_QUEUE_FULL:
        /* who has made room hears of it a little later: some may have gone since */
        snprintf(why, n, "%u requests wait for %s, as many as may",
                 (unsigned)PX_MAX(guard->waiting, guard->limits.queue), guard->service);
        break;
    case PX_GUARD_BUSY:
        snprintf(why, n, "%u requests are in flight at %s, and no place was free in time",
                 (unsigned)guard->at.in_flight, guard->service);
        break;
    }
    if (!ret->retry_after_ms)
        ret->retry_after_ms = queue_ms(guard);
}
