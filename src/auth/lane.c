#include "auth/private.h"

/* A lane is the origin that refreshes go to. So many are in flight at each, and so many in all; the lanes take turns; within one, those that somebody
 * waits for come first. Those that nobody waits for begin at a distance from one another, so that a thousand that are due at once (after a long
 * sleep of the machine, a restart) are no storm. */
struct px_lane {
    struct px_list_node in_ring;
    struct px_list_node urgent, background;
    unsigned in_flight;
    px_str key;
    char text[];
};

static struct px_lane *lane_of(struct px_grants *grants, px_str origin) {
    struct px_lane *lane = px_map_get(&grants->lanes, origin);
    if (lane)
        return lane;
    lane = calloc(1, sizeof *lane + origin.n + 1);
    if (!lane)
        return NULL;
    memcpy(lane->text, origin.p, origin.n);
    lane->key = px_str_n(lane->text, origin.n);
    px_list_init(&lane->in_ring);
    px_list_init(&lane->urgent);
    px_list_init(&lane->background);
    if (px_map_put(&grants->lanes, lane->key, lane, NULL)) {
        free(lane);
        return NULL;
    }
    return lane;
}

static void lane_rest(struct px_grants *grants, struct px_lane *lane) {
    bool queued = !px_list_empty(&lane->urgent) || !px_list_empty(&lane->background);
    if (!queued)
        px_list_remove(&lane->in_ring);
    if (queued || lane->in_flight)
        return;
    px_map_remove(&grants->lanes, lane->key);
    free(lane);
}

static void unqueue(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    px_list_remove(&grant->in_lane);
    if (grant->urgent)
        grants->n_urgent--;
    else
        grants->n_background--;
}

static void enqueue(struct px_grant *grant, bool urgent) {
    struct px_grants *grants = grant->grants;
    grant->urgent = urgent;
    px_list_add(urgent ? &grant->lane->urgent : &grant->lane->background, &grant->in_lane);
    if (urgent)
        grants->n_urgent++;
    else
        grants->n_background++;
    if (!px_list_linked(&grant->lane->in_ring))
        px_list_add(&grants->ring, &grant->lane->in_ring);
    px_work_post(grants->opts.loop, &grants->pump);
}

void px_lane_queue(struct px_grant *grant, bool urgent) {
    if (grant->state == PX_GRANT_QUEUED && urgent && !grant->urgent) {
        unqueue(grant);
        enqueue(grant, true);
    }
    if (px_grant_busy(grant) || !grant->auth || grant->frozen)
        return;
    grant->lane = lane_of(grant->grants, grant->auth->lane);
    if (!grant->lane) { /* no memory: a little later */
        grant->retry_ns = px_loop_now(grant->grants->opts.loop) + PX_S;
        grant->failures++;
        px_due_arm(grant);
        return;
    }
    px_timer_disarm(&grant->due);
    grant->state = PX_GRANT_QUEUED;
    enqueue(grant, urgent);
}

void px_lane_leave(struct px_grant *grant) {
    struct px_grants *grants = grant->grants;
    struct px_lane *lane = grant->lane;
    if (!lane)
        return;
    if (grant->in_flight) {
        lane->in_flight--;
        grants->in_flight--;
        grants->stats.refreshing--;
    } else {
        unqueue(grant);
    }
    grant->in_flight = false;
    grant->lane = NULL;
    lane_rest(grants, lane);
    px_work_post(grants->opts.loop, &grants->pump);
}

/* ---- whose turn it is ---- */

static void count_second(struct px_grants *grants, uint64_t now) {
    if (now - grants->second_ns >= PX_S) {
        grants->second_ns = now;
        grants->in_second = 0;
    }
    grants->in_second++;
    grants->stats.peak_per_s = PX_MAX(grants->stats.peak_per_s, grants->in_second);
}

static void start(struct px_grants *grants, struct px_lane *lane, struct px_list_node *from) {
    struct px_grant *grant = px_list_entry(from->next, struct px_grant, in_lane);
    unqueue(grant);
    if (px_list_empty(&lane->urgent) && px_list_empty(&lane->background))
        px_list_remove(&lane->in_ring);
    grant->in_flight = true;
    lane->in_flight++;
    grants->in_flight++;
    grants->stats.refreshing++;
    count_second(grants, px_loop_now(grants->opts.loop));
    grants->begin(grant);
}

/* Its turn: one that may begin now, if there is one. */
static bool serve(struct px_grants *grants, struct px_lane *lane, uint64_t now) {
    if (lane->in_flight >= PX_GRANTS_LANE || grants->in_flight >= PX_GRANTS_IN_FLIGHT)
        return false;
    if (!px_list_empty(&lane->urgent)) {
        start(grants, lane, &lane->urgent);
        return true;
    }
    if (px_list_empty(&lane->background) || grants->draining || now < grants->next_background_ns)
        return false;
    grants->next_background_ns = now + PX_GRANTS_SPACING_MS * PX_MS;
    start(grants, lane, &lane->background);
    return true;
}

/* Somebody's turn comes with time alone. Who waits for room is looked at when something that is in flight ends. */
static bool waits_for_time(const struct px_grants *grants) {
    if (grants->draining || grants->in_flight >= PX_GRANTS_IN_FLIGHT)
        return false;
    PX_LIST_EACH (node, &grants->ring) {
        const struct px_lane *lane = px_list_entry(node, struct px_lane, in_ring);
        if (lane->in_flight < PX_GRANTS_LANE && !px_list_empty(&lane->background))
            return true;
    }
    return false;
}

static void on_pump(void *user) {
    struct px_grants *grants = user;
    uint64_t now = px_loop_now(grants->opts.loop);
    bool some = true;
    while (some && grants->in_flight < PX_GRANTS_IN_FLIGHT && !px_list_empty(&grants->ring) &&
           (grants->n_urgent || now >= grants->next_background_ns)) {
        some = false;
        struct px_list_node *last = grants->ring.prev, *node = grants->ring.next, *next;
        for (bool end = false; !end && !px_list_empty(&grants->ring); node = next) {
            struct px_lane *lane = px_list_entry(node, struct px_lane, in_ring);
            end = node == last;
            next = node->next;
            px_list_remove(node); /* to the end: the others have their turn */
            px_list_add(&grants->ring, node);
            some |= serve(grants, lane, now);
        }
    }
    if (waits_for_time(grants))
        px_timer_arm(&grants->pace, PX_MAX(grants->next_background_ns, now + PX_MS));
}

static void on_pace(void *user) {
    struct px_grants *grants = user;
    px_work_post(grants->opts.loop, &grants->pump);
}

void px_grants_drain(struct px_grants *grants) {
    grants->draining = true;
    px_timer_disarm(&grants->pace);
}

bool px_grants_drained(const struct px_grants *grants) {
    return grants->in_flight == 0;
}

void px_lanes_init(struct px_grants *grants, void (*begin)(struct px_grant *grant)) {
    grants->begin = begin;
    px_map_init(&grants->lanes, 4096);
    px_list_init(&grants->ring);
    px_work_init(&grants->pump, "auth/refresh", on_pump, grants);
    px_timer_init(&grants->pace, grants->opts.loop, "auth/refresh", on_pace, grants);
}

void px_lanes_finish(struct px_grants *grants) {
    px_work_cancel(&grants->pump);
    px_timer_disarm(&grants->pace);
    px_map_finish(&grants->lanes);
}
