/* One name being looked up. Both families are asked for each candidate of the search list in turn.
 *
 *   ASKING --both ended--> next candidate, or DONE
 *     \--one has addresses and the other is late--> DONE      (grace)
 *      \--the time is over--> DONE                            (total)
 *
 * c-ares may call back inside ares_query, and always in the middle of its own work: its callbacks only note the reply and post
 * `step`. A query that c-ares still holds when its look-up ends is an orphan, which frees itself when it is called back. */
#include "net/dns_private.h"
#include <assert.h>
#include <stdio.h>

enum { V4, V6, FAMILIES };
#define GRACE_NS                                                                                             \
    (200 * PX_MS) /* for the second family (RFC 8305 §3 has 50 ms, for names that are asked all day) */
#define TTL_LEAST_NS  (5 * PX_S)
#define TTL_MOST_NS   (3600 * PX_S)
#define TTL_PARTLY_NS (60 * PX_S) /* one family failed: ask again soon; and negative answers, at most */
#define TTL_FAILED_NS (1 * PX_S)

struct query {
    struct px_dns *dns;
    struct px_dns_chan *chan;
    struct lookup *lookup; /* NULL: an orphan */
    int family;            /* V4 or V6 */
};

struct lookup {
    struct px_dns *dns;
    struct px_dns_chan *chan;
    struct px_list_node node, waiters;
    struct px_timer total, grace;
    struct px_work step;
    struct query *queries[FAMILIES];
    struct px_dns_reply replies[FAMILIES]; /* status 1: none yet */
    int candidate, n_candidates;
    char name[PX_DNS_NAME];
};

static void start_candidate(struct lookup *lookup);

static bool pending(const struct lookup *lookup) {
    return lookup->replies[V4].status > 0 || lookup->replies[V6].status > 0;
}

/* ---- the end ---- */

static void lookup_free(struct lookup *lookup) {
    struct px_dns *dns = lookup->dns;
    for (int f = 0; f < FAMILIES; f++)
        if (lookup->queries[f])
            lookup->queries[f]->lookup = NULL;
    px_timer_disarm(&lookup->total);
    px_timer_disarm(&lookup->grace);
    px_work_cancel(&lookup->step);
    if (px_map_get(&dns->running, px_str_of(lookup->name)) == lookup)
        px_map_remove(&dns->running, px_str_of(lookup->name));
    px_list_remove(&lookup->node);
    dns->n_lookups--;
    px_dns_chan_unuse(lookup->chan);
    free(lookup);
}

static void finish(struct lookup *lookup, struct px_dns_result *result, uint64_t ttl_ns) {
    struct px_dns *dns = lookup->dns;
    result->expires_ns = px_loop_now(dns->loop) + ttl_ns;
    if (result->status < 0)
        dns->stats.failed++;
    if (result->status != -ENOMEM && !lookup->chan->retired)
        px_dns_cache_put(&dns->cache, result);
    while (!px_list_empty(&lookup->waiters)) {
        struct px_dns_wait *wait = px_list_entry(lookup->waiters.next, struct px_dns_wait, node);
        px_list_remove(&wait->node);
        px_dns_wait_answer(dns->loop, wait, result);
    }
    lookup_free(lookup);
    px_dns_result_unref(result);
}

static uint64_t clamp(uint64_t ttl_s, uint64_t most_ns) {
    uint64_t ns = ttl_s * PX_S;
    return ns < TTL_LEAST_NS ? TTL_LEAST_NS : ns > most_ns ? most_ns : ns;
}

static void succeed(struct lookup *lookup) {
    struct px_addr addrs[2 * PX_DNS_ADDRS];
    const struct px_dns_reply *v4 = &lookup->replies[V4], *v6 = &lookup->replies[V6];
    size_t n6 = v6->status == 0 ? v6->n : 0, n4 = v4->status == 0 ? v4->n : 0, half = PX_DNS_ADDRS / 2;
    uint32_t ttl = UINT32_MAX;
    if (n6 + n4 > PX_DNS_ADDRS) { /* some of each */
        n6 = PX_MIN(n6, n4 < half ? PX_DNS_ADDRS - n4 : half);
        n4 = PX_MIN(n4, PX_DNS_ADDRS - n6);
    }
    memcpy(addrs, v6->addrs, n6 * sizeof *addrs);
    memcpy(addrs + n6, v4->addrs, n4 * sizeof *addrs);
    px_dns_sort(addrs, n6 + n4);
    bool whole = true;
    for (int f = 0; f < FAMILIES; f++) {
        const struct px_dns_reply *reply = &lookup->replies[f];
        if (reply->status == 0)
            ttl = PX_MIN(ttl, reply->ttl_s);
        else if (reply->status != -ENOENT)
            whole = false;
    }
    finish(lookup, px_dns_result_create(px_str_of(lookup->name), 0, NULL, addrs, n6 + n4),
           clamp(ttl, whole ? TTL_MOST_NS : TTL_PARTLY_NS));
}

static void no_such(struct lookup *lookup) {
    bool no_name = true, has_soa = false;
    uint32_t ttl = UINT32_MAX;
    for (int f = 0; f < FAMILIES; f++) {
        const struct px_dns_reply *reply = &lookup->replies[f];
        if (reply->status != -ENOENT)
            continue;
        no_name &= reply->no_name;
        has_soa |= reply->has_soa;
        if (reply->has_soa)
            ttl = PX_MIN(ttl, reply->ttl_s);
    }
    finish(lookup,
           px_dns_result_create(px_str_of(lookup->name), -ENOENT,
                                no_name ? "does not exist: the name servers know no such name"
                                        : "exists, but has no address",
                                NULL, 0),
           has_soa ? clamp(ttl, TTL_PARTLY_NS) : TTL_LEAST_NS);
}

static void fail(struct lookup *lookup) {
    int status = -ETIMEDOUT;
    const char *why = "could not be looked up: the name servers did not answer in time";
    for (int f = 0; f < FAMILIES; f++) {
        const struct px_dns_reply *reply = &lookup->replies[f];
        if (reply->status >= 0 || reply->status == -ENOENT || reply->status == -ETIMEDOUT)
            continue;
        status = reply->status;
        why = reply->why;
    }
    finish(lookup, px_dns_result_create(px_str_of(lookup->name), status, why, NULL, 0), TTL_FAILED_NS);
}

/* What there is must do, or the next candidate must be asked. */
static void step(void *user) {
    struct lookup *lookup = user;
    const struct px_dns_reply *v4 = &lookup->replies[V4], *v6 = &lookup->replies[V6];
    if (v4->status == 0 || v6->status == 0) {
        succeed(lookup);
    } else if (v4->status == -ENOENT &&
               v6->status == -ENOENT) { /* one alone is not believed: RFC 4074 §4.2 */
        if (++lookup->candidate < lookup->n_candidates)
            start_candidate(lookup);
        else
            no_such(lookup);
    } else {
        fail(lookup);
    }
}

static void on_total(void *user) {
    struct lookup *lookup = user;
    const struct px_dns_reply *v4 = &lookup->replies[V4], *v6 = &lookup->replies[V6];
    if (v4->status == 0 || v6->status == 0)
        succeed(lookup);
    else
        fail(lookup);
}

/* ---- queries ---- */

static void status_of(int ares, struct px_dns_reply *reply) {
    switch (ares) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        reply->status = -ENOENT;
        reply->no_name = ares == ARES_ENOTFOUND;
        return;
    case ARES_ETIMEOUT: reply->status = -ETIMEDOUT; return;
    case ARES_ENOMEM:
        reply->status = -ENOMEM;
        reply->why = "could not be looked up: out of memory";
        return;
    case ARES_EBADNAME:
        reply->status = -EINVAL;
        reply->why = "is not a name that can be looked up";
        return;
    case ARES_ECONNREFUSED: /* also what c-ares says when the last server said SERVFAIL or REFUSED */
        reply->why =
            "could not be looked up: every name server failed, refused to answer, or could not be reached";
        break;
    default: reply->why = "could not be looked up: the name servers' answer makes no sense"; break;
    }
    reply->status = -EIO;
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *packet, int size) {
    struct query *query = arg;
    struct lookup *lookup = query->lookup;
    int family = query->family;
    (void)timeouts;
    query->dns->queries--;
    px_dns_chan_unuse(query->chan);
    free(query);
    if (!lookup)
        return;
    struct px_dns_reply *reply = &lookup->replies[family];
    lookup->queries[family] = NULL;
    *reply = (struct px_dns_reply){.status = -EBADMSG};
    if (packet && (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND))
        px_dns_packet_read(packet, (size_t)size, family == V4 ? AF_INET : AF_INET6, reply);
    if (reply->status == -EBADMSG)
        status_of(status, reply);
    if (!pending(lookup))
        px_work_post(lookup->dns->loop, &lookup->step);
    else if (reply->status == 0)
        px_timer_arm_in(&lookup->grace, GRACE_NS);
}

/* Of the search list, then the name itself; a name with as many dots as `ndots`, or with a final one, is itself alone. */
static int count_candidates(const struct px_dns_chan *chan, const char *name) {
    int dots = 0;
    for (const char *c = name; *c; c++)
        dots += *c == '.';
    return dots >= chan->ndots || name[strlen(name) - 1] == '.' ? 1 : chan->n_domains + 1;
}

/* False: there is no such name. A dotted name is asked for as it is before the list. */
static bool candidate_name(const struct lookup *lookup, char *to, size_t cap) {
    bool dotted = strchr(lookup->name, '.') != NULL;
    int at = lookup->candidate - (dotted ? 1 : 0);
    if (lookup->n_candidates == 1 || at < 0 || at >= lookup->chan->n_domains)
        return (size_t)snprintf(to, cap, "%s", lookup->name) < cap;
    return (size_t)snprintf(to, cap, "%s.%s", lookup->name, lookup->chan->domains[at]) < cap;
}

static void start_candidate(struct lookup *lookup) {
    char name[PX_DNS_NAME];
    struct px_dns *dns = lookup->dns;
    bool fits = candidate_name(lookup, name, sizeof name);
    px_timer_disarm(&lookup->grace);
    for (int f = 0; f < FAMILIES; f++)
        lookup->replies[f] = (struct px_dns_reply){.status = 1};
    for (int f = 0; f < FAMILIES; f++) {
        struct query *query = fits ? calloc(1, sizeof *query) : NULL;
        if (!query) {
            lookup->replies[f] = (struct px_dns_reply){.status = fits ? -ENOMEM : -ENOENT,
                                                       .no_name = !fits,
                                                       .why = "could not be looked up: out of memory"};
            px_work_post(dns->loop, &lookup->step);
            continue;
        }
        *query = (struct query){dns, lookup->chan, lookup, f};
        lookup->queries[f] = query;
        dns->queries++;
        px_dns_chan_use(lookup->chan);
        px_dns_chan_query(lookup->chan, name, f == V4 ? AF_INET : AF_INET6, on_reply, query);
    }
}

/* ---- the beginning ---- */

static void on_grace(void *user) {
    step(user);
}

int px_dns_lookup_join(struct px_dns *dns, px_str name, struct px_dns_wait *wait) {
    struct lookup *lookup = px_map_get(&dns->running, name);
    if (lookup) {
        dns->stats.coalesced++;
        px_list_add(&lookup->waiters, &wait->node);
        return 0;
    }
    if (dns->n_lookups >= PX_DNS_LOOKUPS || dns->queries >= PX_DNS_QUERIES)
        return -EAGAIN;
    lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return -ENOMEM;
    lookup->dns = dns;
    lookup->chan = dns->chan;
    px_list_init(&lookup->waiters);
    px_str_copy(lookup->name, sizeof lookup->name, name);
    int r = px_map_put(&dns->running, px_str_of(lookup->name), lookup, NULL);
    if (r < 0) {
        free(lookup);
        return r;
    }
    dns->n_lookups++;
    px_dns_chan_use(lookup->chan);
    px_list_add(&dns->lookups, &lookup->node);
    px_list_add(&lookup->waiters, &wait->node);
    px_timer_init(&lookup->total, dns->loop, "net/dns", on_total, lookup);
    px_timer_init(&lookup->grace, dns->loop, "net/dns", on_grace, lookup);
    px_work_init(&lookup->step, "net/dns", step, lookup);
    px_timer_arm_in(&lookup->total, dns->timeout_ms * PX_MS);
    lookup->n_candidates = count_candidates(lookup->chan, lookup->name);
    start_candidate(lookup);
    return 0;
}

void px_dns_lookups_detach(struct px_dns *dns) {
    PX_LIST_EACH (node, &dns->lookups)
        px_map_remove(&dns->running, px_str_of(px_list_entry(node, struct lookup, node)->name));
}

void px_dns_lookups_destroy(struct px_dns *dns) {
    while (!px_list_empty(&dns->lookups)) {
        struct lookup *lookup = px_list_entry(dns->lookups.next, struct lookup, node);
        assert(px_list_empty(&lookup->waiters));
        lookup_free(lookup);
    }
}
