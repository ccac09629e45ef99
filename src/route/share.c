/* Reads that are the same and run at once are one request: the first sends it, the others follow and get its answer.
 *
 * The same: upstream, method, URL, headers, body, credentials, and whose it is: the principal's, with the same grant. A write that has ended since the first one began parts
 * them: who reads after it must not be told what was before. When the first one goes without an answer (it was cancelled, or its own
 * time is up), the next one sends the request itself, and the others follow that. */
#include "route/send.h"

enum { SHELVES = 64 };

struct px_share {
    struct px_list_node shelf[SHELVES]; /* px_send.flight of those that others may follow */
    uint64_t writes;                    /* that have ended */
};

struct px_share *px_share_create(void) {
    struct px_share *share = calloc(1, sizeof *share);
    for (size_t i = 0; share && i < SHELVES; i++)
        px_list_init(&share->shelf[i]);
    return share;
}

void px_share_destroy(struct px_share **share) {
    free(*share);
    *share = NULL;
}

/* ---- the same? ---- */

static uint64_t mix(uint64_t hash, px_str text) {
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t hash_of(const struct px_send *send) {
    uint64_t hash = mix(UINT64_C(14695981039346656037), send->req.url);
    hash = mix(hash, send->opts.principal);
    return send->req.body.n ? mix(hash, send->req.body) : hash;
}

static bool same_pairs(const px_pair *a, size_t n_a, const px_pair *b, size_t n_b) {
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++) {
        bool trace = px_str_eq_nocase(a[i].name, PX_LIT("traceparent"));
        if (!px_str_eq(a[i].name, b[i].name) || (!trace && !px_str_eq(a[i].value, b[i].value)))
            return false;
    }
    return true;
}

static bool same(const struct px_send *a, const struct px_send *b) {
    return a->hash == b->hash && a->opts.fresh == b->opts.fresh && a->req.egress == b->req.egress &&
           a->opts.route->upstream == b->opts.route->upstream && px_str_eq(a->req.method, b->req.method) &&
           px_str_eq(a->req.url, b->req.url) && px_str_eq(a->opts.principal, b->opts.principal) &&
           px_str_eq(a->opts.owner, b->opts.owner) && !a->req.body.p == !b->req.body.p &&
           px_str_eq(a->req.body, b->req.body) && a->req.redirects == b->req.redirects &&
           a->req.max_redirects == b->req.max_redirects && a->req.max_bytes == b->req.max_bytes &&
           same_pairs(a->req.headers, a->req.n_headers, b->req.headers, b->req.n_headers) &&
           same_pairs(a->opts.credentials, a->n_credentials, b->opts.credentials, b->n_credentials);
}

/* A login since the first one took its token makes it another's: so does a grant where it went without one. */
static bool same_account(const struct px_send *leader, const struct px_send *send) {
    const struct px_credential *fresh = send->opts.fresh;
    const struct px_holder who = {send->opts.principal, send->opts.owner};
    if (!fresh || (!leader->account &&
                   !leader->without)) /* it has not asked for its token: that will be the one of then */
        return true;
    return px_auth_account(fresh->auth, &who) == leader->account;
}

/* ---- following ---- */

static void late(void *user) {
    static const struct px_http_result result = {
        .fail = PX_HTTP_TIMEOUT, .why = "the upstream has not answered in time", .timeout = "total"};
    struct px_send *send = user;
    px_reading_end(send); /* it has come, but its turn has not */
    px_share_leave(send);
    px_send_take(send, &result, NULL);
}

static void follow(struct px_send *send, struct px_send *leader) {
    send->state = PX_SEND_FOLLOWING;
    send->leader = leader;
    px_list_add(&leader->followers, &send->flight);
}

static void lead(struct px_share *share, struct px_send *send) {
    send->leader = send;
    send->shared_at = share->writes;
    px_list_add(&share->shelf[send->hash % SHELVES], &send->flight);
}

/* It waits in the guard for longer than this one has: who asks there himself is told at once. */
static bool waits_longer(const struct px_send *leader, const struct px_send *send) {
    uint64_t deadline = send->opts.deadline_ns, now = px_loop_now(send->scope->loop);
    if (!deadline || leader->state != PX_SEND_ENTERING)
        return false;
    uint64_t left_ms = deadline > now ? (deadline - now) / PX_MS : 0;
    return leader->pass.not_before_ns >= deadline ||
           px_guard_held_ms(send->opts.site->guard, &leader->ask) >= PX_MAX(left_ms, (uint64_t)1);
}

bool px_share_join(struct px_send *send) {
    const struct px_site *site = send->opts.site;
    struct px_share *share = site->share;
    px_list_init(&send->flight);
    px_list_init(&send->followers);
    if (!share || !site->guard || !send->opts.route->safe || send->req.frame != PX_HTTP_WHOLE ||
        !px_guard_limits(site->guard)->coalesce)
        return false;
    send->hash = hash_of(send);
    PX_LIST_EACH (node, &share->shelf[send->hash % SHELVES]) {
        struct px_send *other = px_list_entry(node, struct px_send, flight);
        if (other->shared_at != share->writes || !same(other, send) || !same_account(other, send) ||
            waits_longer(other, send))
            continue;
        follow(send, other);
        px_timer_init(&send->late, send->scope->loop, "route/send", late, send);
        if (send->opts.deadline_ns)
            px_timer_arm(&send->late, send->opts.deadline_ns);
        px_guard_count_shared(site->guard);
        return true;
    }
    lead(share, send);
    return false;
}

/* ---- going ---- */

static void move_all(struct px_list_node *from, struct px_list_node *to, struct px_send *leader) {
    while (!px_list_empty(from)) {
        struct px_send *send = px_list_entry(from->next, struct px_send, flight);
        px_list_remove(&send->flight);
        px_list_add(to, &send->flight);
        send->leader = leader;
    }
}

/* It may have been done, whatever came of it. */
static void wrote(const struct px_send *send) {
    if (!send->opts.route->safe && send->opts.site->share)
        send->opts.site->share->writes++;
}

void px_share_leave(struct px_send *send) {
    struct px_send *leader = send->leader, *next;
    wrote(send);
    send->leader = NULL;
    px_list_remove(&send->flight); /* also out of the list of those who are being told */
    if (!leader)
        return;
    if (leader != send || px_list_empty(&send->followers))
        return;
    next = px_list_entry(send->followers.next, struct px_send, flight);
    px_list_remove(&next->flight);
    lead(next->opts.site->share, next);
    move_all(&send->followers, &next->followers, next);
    px_send_lead(next);
}

/* What says something of the upstream or of the request, not of how long one was ready to wait. */
static bool is_for_all(const struct px_http_result *result) {
    return result->fail != PX_HTTP_TIMEOUT && result->fail != PX_HTTP_BUSY &&
           result->fail != PX_HTTP_INTERNAL;
}

/* One that is cancelled meanwhile leaves the list. */
static void tell(struct px_list_node *list, const struct px_http_result *result,
                 const struct px_answer_scan *scan) {
    while (!px_list_empty(list)) {
        struct px_send *one = px_list_entry(list->next, struct px_send, flight);
        px_list_remove(&one->flight);
        px_send_take(one, result, scan);
    }
}

void px_share_tell_hurried(struct px_send *send, const struct px_http_result *result, uint64_t at_ns) {
    const struct px_answer_scan scan = send->scan;
    struct px_list_node hurried;
    px_list_init(&hurried);
    PX_LIST_EACH_SAFE (node, &send->followers) {
        struct px_send *one = px_list_entry(node, struct px_send, flight);
        if (!one->opts.deadline_ns || one->opts.deadline_ns > at_ns)
            continue;
        px_list_remove(&one->flight);
        px_list_add(&hurried, &one->flight);
        one->leader = NULL;
    }
    tell(&hurried, result, &scan);
}

void px_share_answer(struct px_send *send, const struct px_http_result *result) {
    struct px_list_node waiting;
    if (send->leader != send || !is_for_all(result)) {
        px_share_leave(send);
        return;
    }
    const struct px_answer_scan scan = send->scan; /* those who are told may begin this one anew */
    px_list_remove(&send->flight);
    send->leader = NULL;
    px_list_init(&waiting);
    move_all(&send->followers, &waiting, NULL);
    tell(&waiting, result, &scan);
}
