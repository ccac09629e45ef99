#include "guard/quota.h"
#include "base/clock.h"

#define SLACK_NS   (1500 * PX_MS) /* resets are told in seconds: nearer ones are the same */
#define MS_MAX     ((int64_t)366 * 86400 * 1000)
#define AMOUNT_MAX ((int64_t)1 << 40)
#define SILENT_MAX 16u
#define MILLI_NS   1000000000000ull /* nanoseconds in a second, times a thousand */

__extension__ typedef unsigned __int128 wide;

static int64_t cut(int64_t v, int64_t most) {
    return v < 0 ? 0 : PX_MIN(v, most);
}
static uint64_t ns_of(int64_t ms) {
    return (uint64_t)cut(ms, MS_MAX) * PX_MS;
}

void px_quota_init(struct px_quota_state *q) {
    *q = (struct px_quota_state){.limit = -1, .left = -1};
}

void px_quota_forget(struct px_quota_state *q) {
    *q = (struct px_quota_state){.limit = -1,
                                 .left = -1,
                                 .last_ns = q->last_ns,
                                 .in_flight = q->in_flight,
                                 .running = q->running,
                                 .readings = q->readings};
}

/* Bring it to now: what was restored, and the window that is over. */
static void look(struct px_quota_state *q, uint64_t now) {
    if (q->restore_milli && q->left >= 0 && now > q->at_ns) {
        wide units = (wide)(now - q->at_ns) * (uint64_t)q->restore_milli + q->part;
        int64_t most = q->limit >= 0 ? q->limit : AMOUNT_MAX;
        wide gained = units / MILLI_NS;
        if (q->left >= most || gained >= (wide)(most - q->left)) {
            q->left = PX_MAX(q->left, most);
            q->part = 0;
        } else {
            q->left += (int64_t)gained;
            q->part = (uint64_t)(units % MILLI_NS);
        }
    }
    q->at_ns = PX_MAX(q->at_ns, now);
    if (q->reset_ns && now >= q->reset_ns) {
        q->reset_ns = 0;
        if (!q->restore_milli)
            q->left = q->limit;
    }
    if (q->retry_ns && now >= q->retry_ns)
        q->retry_ns = 0;
}

static uint64_t restoring(const struct px_quota_state *q, uint64_t amount) {
    wide units = (wide)amount * MILLI_NS - q->part;
    wide ns = (units + (uint64_t)q->restore_milli - 1) / (uint64_t)q->restore_milli;
    return ns > PX_NEVER ? PX_NEVER : (uint64_t)ns;
}

/* Little is left: the next one's turn, evenly between the last one and the time when more is there. */
static uint64_t spaced(const struct px_quota_state *q, uint64_t free, uint64_t need, uint64_t ahead) {
    uint64_t last = q->last_ns ? q->last_ns : q->told_ns;
    if (q->restore_milli) {
        wide ns = (wide)(ahead + need) * MILLI_NS / (uint64_t)q->restore_milli;
        return ns > PX_NEVER ? PX_NEVER : px_ns_add(last, (uint64_t)ns);
    }
    if (last >= q->reset_ns)
        return 0;
    return last + (uint64_t)((wide)(q->reset_ns - last) * (ahead + need) / (free + need));
}

static uint64_t most(const struct px_quota_state *q, uint64_t cost) {
    return q->limit > 0 ? PX_MIN(cost, (uint64_t)q->limit) : cost;
}

/* There is enough, if what is in flight turns out to cost nothing (a 304, say): its answers decide. */
static bool undecided(const struct px_quota_state *q, uint64_t need) {
    return q->running && q->silent < SILENT_MAX && !q->restore_milli && q->left >= (int64_t)need;
}

uint64_t px_quota_held(const struct px_quota_state *told, unsigned spacing_percent, uint64_t cost,
                       uint64_t ahead, uint64_t now) {
    struct px_quota_state q = *told;
    look(&q, now);
    uint64_t until = PX_MAX(q.retry_ns, now);
    if (q.left < 0 || (!q.restore_milli && !q.reset_ns))
        return until - now;
    uint64_t need = most(&q, cost);
    int64_t free = q.left - q.in_flight,
            missing = (int64_t)(need + PX_MIN(ahead, (uint64_t)AMOUNT_MAX)) - free;
    if (missing > 0 && undecided(&q, need + PX_MIN(ahead, (uint64_t)AMOUNT_MAX)))
        return until - now;
    if (missing > 0) {
        uint64_t more = q.restore_milli ? px_ns_add(now, restoring(&q, (uint64_t)missing)) : q.reset_ns;
        until = PX_MAX(until, more);
    } else if (q.limit > 0 && (wide)free * 100 < (wide)spacing_percent * (uint64_t)q.limit) {
        until = PX_MAX(until, spaced(&q, (uint64_t)free, need, ahead));
    }
    return until - now;
}

uint64_t px_quota_wait(const struct px_quota_state *q, unsigned spacing_percent, uint64_t cost,
                       uint64_t ahead, uint64_t now) {
    uint64_t held = px_quota_held(q, spacing_percent, cost, ahead, now);
    uint64_t probe = px_ns_add(PX_MAX(q->heard_ns, q->last_ns), PX_QUOTA_BELIEVED_NS);
    return PX_MIN(held, probe > now ? probe - now : 0);
}

bool px_quota_full(const struct px_quota_state *told, uint64_t cost, uint64_t now) {
    struct px_quota_state q = *told;
    if (!q.running || q.silent >= SILENT_MAX)
        return false;
    look(&q, now);
    if (q.left < 0 || q.restore_milli || q.left - q.in_flight >= (int64_t)most(&q, cost))
        return false;
    return !q.reset_ns || undecided(&q, most(&q, cost));
}

void px_quota_enter(struct px_quota_state *q, uint64_t cost, uint64_t now) {
    look(q, now);
    if (px_quota_held(q, 0, cost, 0, now))
        q->probe_ns = now;
    q->in_flight += (int64_t)cost;
    q->running++;
    q->last_ns = now;
}

void px_quota_leave(struct px_quota_state *q, uint64_t cost, uint32_t readings, bool answered, uint64_t now) {
    look(q, now);
    q->in_flight -= (int64_t)cost;
    q->running--;
    if (answered && q->readings == readings) {
        q->silent += q->silent < SILENT_MAX;
        if (q->left >= 0)
            q->left = PX_MAX(q->left - (int64_t)cost, 0);
    }
    if (!q->probe_ns || q->running)
        return;
    if (answered && q->heard_ns < q->probe_ns) /* it was taken, and nothing is said of a limit any more */
        px_quota_forget(q);
    q->probe_ns = 0;
}

static void read_left(struct px_quota_state *q, const struct px_quota *said, uint64_t sent_ns, uint64_t now) {
    int64_t left = cut(said->remaining, AMOUNT_MAX);
    uint64_t reset = said->reset_ms < 0 ? 0 : px_ns_add(now, ns_of(said->reset_ms));
    bool alone = !q->running && !(sent_ns && sent_ns < q->first_ns);
    bool newer = q->left < 0 || alone || (sent_ns && sent_ns >= q->told_ns);
    if (!newer && !q->restore_milli && reset) {
        if (!q->reset_ns || reset > q->reset_ns + SLACK_NS)
            newer = true; /* a later window */
        else if (reset + SLACK_NS < q->reset_ns && reset <= now + SLACK_NS)
            return; /* of the window before */
        else if (reset + SLACK_NS < q->reset_ns)
            newer = true; /* it has changed its mind */
    }
    if (newer || left < q->left) {
        q->left = left;
        q->part = 0;
    }
    if (reset && (newer || !q->reset_ns))
        q->reset_ns = reset;
    q->told_ns = now;
    q->readings++;
    q->silent = 0;
}

void px_quota_told(struct px_quota_state *q, const struct px_quota *said, uint64_t taken, uint64_t sent_ns,
                   uint64_t now) {
    look(q, now);
    if (said->limit >= 0)
        q->limit = cut(said->limit, AMOUNT_MAX);
    if (said->restore_milli >= 0)
        q->restore_milli = cut(said->restore_milli, AMOUNT_MAX);
    if (said->remaining >= 0)
        read_left(q, said, sent_ns, now);
    else if (said->cost >= 0 && q->left >= 0)
        q->left = cut(q->left - (cut(said->cost, AMOUNT_MAX) - (int64_t)taken), AMOUNT_MAX);
    if (q->probe_ns && sent_ns >= q->probe_ns && q->retry_told_ns < q->probe_ns)
        q->retry_ns = 0; /* a probe has its answer: that from before is over, whatever this one says */
    if (said->retry_after_ms >= 0) {
        q->retry_ns = PX_MAX(q->retry_ns, px_ns_add(now, ns_of(said->retry_after_ms)));
        q->retry_told_ns = now;
    }
    q->heard_ns = now;
}

void px_quota_others(struct px_quota_state *q, uint64_t n, uint64_t now) {
    if (q->left < 0 || !n)
        return;
    q->left = PX_MAX(q->left - (int64_t)n, 0);
    q->first_ns = now;
}

int64_t px_quota_left(const struct px_quota_state *told, uint64_t now) {
    struct px_quota_state q = *told;
    look(&q, now);
    return q.left < 0 ? -1 : PX_MAX(q.left - q.in_flight, 0);
}

bool px_quota_idle(const struct px_quota_state *q, unsigned spacing_percent, uint64_t now) {
    return !q->running && !px_quota_wait(q, spacing_percent, 1, 0, now);
}
