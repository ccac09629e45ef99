/* Requests that wait: in lanes, which are parked at the limiter that holds their first one back. */
#include "guard/private.h"
#include <errno.h>
#include <string.h>

enum { SERVE_MAX = 64 };          /* lanes looked at in one go; the rest in the next */
#define NOTICE_NS      (PX_S / 2) /* nobody is told of a shorter wait */
#define NOTICE_LOOK_NS (2 * PX_S) /* how often somebody who waits looks whether there is news */

static void on_time(void *user);
static void on_answer(void *user);

/* ---- lanes ---- */

static px_str key_text(const struct px_lane_key *key) {
    return px_str_n((const char *)key, sizeof *key);
}

static void count_quotas(struct px_guard_targets *to, int by) {
    for (int i = 0; i < 3; i++)
        if (to->quotas[i])
            to->quotas[i]->uses += (uint32_t)by;
}

static void principal_drop(struct px_guard *guard, struct px_principal *principal) {
    if (!px_list_empty(&principal->lanes))
        return;
    px_map_remove(&guard->principals, principal->name);
    free(principal);
}

static int principal_get(struct px_guard *guard, px_str name, struct px_principal **ret) {
    struct px_principal *principal = px_map_get(&guard->principals, name);
    if (!principal) {
        principal = calloc(1, sizeof *principal + name.n + 1);
        if (!principal)
            return -ENOMEM;
        px_list_init(&principal->lanes);
        px_list_init(&principal->passes);
        px_list_init(&principal->equals);
        if (name.n)
            memcpy(principal->text, name.p, name.n);
        principal->name = px_str_n(principal->text, name.n);
        if (px_map_put(&guard->principals, principal->name, principal, NULL)) {
            free(principal);
            return -ENOMEM;
        }
    }
    *ret = principal;
    return 0;
}

static void lane_key(const struct px_guard_ask *ask, const struct px_guard_targets *to,
                     const struct px_label *label, const struct px_principal *principal,
                     struct px_lane_key *ret) {
    memset(ret, 0, sizeof *ret);
    *ret = (struct px_lane_key){principal, to->upstream, to->group, label, ask->account};
}

const struct px_lane *px_guard_lane(struct px_guard *guard, const struct px_guard_ask *ask,
                                    const struct px_guard_targets *to, const struct px_label *label) {
    struct px_lane_key key;
    lane_key(ask, to, label, px_map_get(&guard->principals, ask->principal), &key);
    return key.principal ? px_map_get(&guard->lane_map, key_text(&key)) : NULL;
}

static struct px_lane *lane_new(struct px_guard *guard, const struct px_lane_key *key,
                                struct px_principal *principal, const struct px_guard_targets *to,
                                struct px_label *label) {
    struct px_lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->key = *key;
    if (px_map_put(&guard->lane_map, key_text(&lane->key), lane, NULL)) {
        free(lane);
        return NULL;
    }
    px_list_init(&lane->parked);
    px_list_init(&lane->in_guard);
    px_list_init(&lane->in_principal);
    px_list_init(&lane->queue);
    px_list_init(&lane->later);
    px_list_add(&guard->lanes, &lane->in_guard);
    px_list_add(&principal->lanes, &lane->in_principal);
    lane->principal = principal;
    lane->to = *to;
    count_quotas(&lane->to, 1);
    lane->label = label;
    if (label)
        label->uses++;
    return lane;
}

static int lane_get(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_guard_targets *to,
                    struct px_label *label, struct px_lane **ret) {
    struct px_principal *principal;
    struct px_lane_key key;
    int r = principal_get(guard, ask->principal, &principal);
    if (r)
        return r;
    lane_key(ask, to, label, principal, &key);
    *ret = px_map_get(&guard->lane_map, key_text(&key));
    if (!*ret)
        *ret = lane_new(guard, &key, principal, to, label);
    if (!*ret) {
        principal_drop(guard, principal);
        return -ENOMEM;
    }
    return 0;
}

/* Also out of where it is: NULL. */
static void park(struct px_lane *lane, struct px_limiter *at) {
    if (lane->at == at)
        return;
    if (lane->at) {
        px_list_remove(&lane->parked);
        if (!--lane->at->n_lanes)
            px_timer_disarm(&lane->at->wake);
    }
    lane->at = at;
    if (at) {
        px_list_add(&at->parked, &lane->parked);
        at->n_lanes++;
    }
}

static void lane_drop(struct px_guard *guard, struct px_lane *lane) {
    if (lane->passes)
        return;
    park(lane, NULL);
    px_map_remove(&guard->lane_map, key_text(&lane->key));
    px_list_remove(&lane->in_guard);
    px_list_remove(&lane->in_principal);
    count_quotas(&lane->to, -1);
    if (lane->label)
        lane->label->uses--;
    principal_drop(guard, lane->principal);
    free(lane);
}

/* It has had its turn: all of its principal's lanes go behind the others. */
static void rotate(struct px_lane *lane) {
    struct px_limiter *at = lane->at;
    PX_LIST_EACH (node, &lane->principal->lanes) {
        struct px_lane *other = px_list_entry(node, struct px_lane, in_principal);
        if (other->at == at && other != lane) {
            px_list_remove(&other->parked);
            px_list_add(&at->parked, &other->parked);
        }
    }
    px_list_remove(&lane->parked);
    px_list_add(&at->parked, &lane->parked);
}

static void wake_by(struct px_limiter *at, uint64_t until) {
    if (!at->wake.armed || at->wake.deadline_ns > until)
        px_timer_arm(&at->wake, until);
}

/* ---- passes ---- */

uint64_t px_pass_limit(const struct px_guard *guard, const struct px_guard_pass *pass) {
    uint64_t due = PX_MAX(pass->entered_ns, pass->not_before_ns);
    uint64_t limit = px_ns_add(due, guard->limits.queue_ns);
    return pass->deadline_ns ? PX_MIN(limit, pass->deadline_ns) : limit;
}

bool px_pass_too_late(const struct px_guard *guard, const struct px_guard_pass *pass, uint64_t at_ns) {
    return at_ns > px_pass_limit(guard, pass) || (pass->deadline_ns && at_ns >= pass->deadline_ns);
}

/* Out of its lane, which may be gone then; the targets stay in pass->to. */
static void dequeue(struct px_guard_pass *pass) {
    struct px_guard *guard = pass->guard;
    struct px_lane *lane = pass->lane;
    px_list_remove(&pass->node);
    px_timer_disarm(&pass->timer);
    if (!pass->later)
        lane->cost_out += pass->cost;
    if (px_list_empty(&lane->queue))
        park(lane, NULL);
    pass->lane = NULL;
    guard->waiting--;
    px_crowd_leave(&guard->crowd, lane->principal, pass);
    lane->passes--;
    lane_drop(guard, lane);
}

static void let_in(struct px_guard_pass *pass, uint64_t now) {
    struct px_guard *guard = pass->guard;
    pass->to = pass->lane->to;
    if (pass->lane->at)
        rotate(pass->lane);
    px_guard_take(guard, pass, now); /* before the lane lets go of the quotas */
    dequeue(pass);
    guard->waited_ns += now - pass->entered_ns;
    px_work_post(guard->loop, &pass->work);
}

static void count_by(struct px_guard_pass *pass, int by) {
    if (pass->by && pass->by->kind == PX_OF_QUOTA)
        px_container_of(pass->by, struct px_told, at)->uses += (uint32_t)by;
}

static void refuse(struct px_guard_pass *pass, enum px_guard_verdict verdict, struct px_limiter *by,
                   uint64_t until) {
    pass->to = pass->lane->to;
    pass->verdict = verdict;
    pass->by = by;
    pass->until_ns = until;
    count_by(pass, 1); /* it is named in the answer */
    pass->guard->refused[verdict]++;
    dequeue(pass);
    px_work_post(pass->guard->loop, &pass->work);
}

static void on_answer(void *user) {
    struct px_guard_pass *pass = user;
    struct px_guard *guard = pass->guard;
    struct px_guard_answer answer = {.verdict = PX_GUARD_PASS};
    if (pass->state == PX_PASS_WAITING) {
        px_guard_say(guard, pass->verdict, &pass->to, pass->cost, pass->by, pass->until_ns,
                     px_loop_now(guard->loop), &answer);
        count_by(pass, -1);
        pass->by = NULL;
        pass->state = PX_PASS_OUT;
        px_op_done(&pass->op);
        px_guard_unref(&pass->guard);
    }
    pass->sink->answered(pass->user, &answer);
}

void px_guard_unwait(struct px_guard_pass *pass) {
    struct px_limiter *at = pass->lane ? pass->lane->at : NULL;
    px_work_cancel(&pass->work);
    count_by(pass, -1);
    pass->by = NULL;
    if (pass->lane)
        dequeue(pass);
    if (at && at->n_lanes) /* the next one may need less */
        wake_by(at, px_loop_now(at->guard->loop));
}

/* ---- turns ---- */

/* The first of this lane. True: it has been let in or refused; false: it waits where the lane is parked now. */
static bool move_first(struct px_lane *lane, struct px_limiter *queued, uint64_t now) {
    struct px_guard_pass *pass = px_list_entry(lane->queue.next, struct px_guard_pass, node);
    struct px_guard *guard = pass->guard;
    struct px_hold hold = px_guard_check(guard, &lane->to, pass->cost, now);
    if (hold.what == PX_HOLD_OPEN) {
        refuse(pass, PX_GUARD_OPEN, NULL, hold.until_ns);
    } else if (hold.what == PX_HOLD_UNTIL && px_pass_too_late(guard, pass, hold.until_ns)) {
        refuse(pass, PX_GUARD_RATE, hold.at, hold.until_ns);
    } else if (hold.what == PX_HOLD_NOTHING && !queued) {
        let_in(pass, now);
    } else {
        park(lane, hold.at ? hold.at : queued);
        if (hold.what == PX_HOLD_UNTIL)
            wake_by(hold.at, hold.until_ns);
        return false;
    }
    return true;
}

void px_limiter_serve(struct px_limiter *at) {
    uint64_t now = px_loop_now(at->guard->loop);
    /* What was told is not known to the lanes yet: they are served after that. */
    if (px_work_posted(&at->guard->again))
        return;
    for (int looks = SERVE_MAX; at->n_lanes; looks--) {
        struct px_lane *lane = px_list_entry(at->parked.next, struct px_lane, parked);
        if (!looks) {
            wake_by(at, now);
            return;
        }
        if (!move_first(lane, NULL, now) && lane->at == at)
            return;
    }
}

void px_limiter_wake(void *limiter) {
    px_limiter_serve(limiter);
}

/* Behind the others of its lane; behind the other lanes, where some wait. */
static void enqueue(struct px_guard_pass *pass, uint64_t now) {
    struct px_lane *lane = pass->lane;
    struct px_limiter *all[6], *queued = NULL;
    pass->cost_before = lane->cost_in;
    lane->cost_in += pass->cost;
    px_list_add(&lane->queue, &pass->node);
    if (lane->at)
        return;
    size_t n = px_guard_limiters(pass->guard, &lane->to, all);
    for (size_t i = 0; i < n && !queued; i++)
        queued = all[i]->n_lanes ? all[i] : NULL;
    if (!queued && px_work_posted(&pass->guard->again))
        queued = all[0];
    move_first(lane, queued, now);
}

int px_guard_wait(struct px_guard *guard, struct px_scope *scope, const struct px_guard_ask *ask,
                  struct px_label *label, struct px_guard_pass *pass, uint64_t now) {
    struct px_lane *lane;
    int r = lane_get(guard, ask, &pass->to, label, &lane);
    if (r)
        return r;
    px_list_init(&pass->of_principal);
    r = px_op_begin(&pass->op, pass->op.kind, scope);
    if (!r && (r = px_crowd_join(&guard->crowd, lane->principal, pass)))
        px_op_done(&pass->op);
    if (r) {
        lane_drop(guard, lane);
        return r;
    }
    pass->state = PX_PASS_WAITING;
    pass->lane = lane;
    lane->passes++;
    guard->waiting++;
    guard->refs++;
    px_list_init(&pass->node);
    px_timer_init(&pass->timer, guard->loop, "guard/waiting", on_time, pass);
    px_work_init(&pass->work, "guard/answer", on_answer, pass);
    uint64_t next = px_pass_limit(guard, pass);
    pass->later = pass->not_before_ns > now;
    if (pass->later) {
        px_list_add(&lane->later, &pass->node);
        next = PX_MIN(next, pass->not_before_ns);
    }
    if (pass->sink->waiting) {
        struct px_limiter *at;
        uint64_t until =
            px_guard_estimate(guard, &pass->to, lane, lane->cost_in - lane->cost_out, pass->cost, now, &at);
        until = PX_MAX(until, pass->not_before_ns);
        next = PX_MIN(next, until > now + NOTICE_NS ? now : now + NOTICE_NS);
    }
    px_timer_arm(&pass->timer, next);
    if (!pass->later)
        enqueue(pass, now);
    return 0;
}

/* ---- notices, and the end of patience ---- */

static uint64_t estimate(const struct px_guard_pass *pass, uint64_t now, struct px_limiter **ret_at) {
    const struct px_lane *lane = pass->lane;
    uint64_t before = pass->later ? lane->cost_in : pass->cost_before;
    uint64_t ahead = before - PX_MIN(before, lane->cost_out);
    return px_guard_estimate(pass->guard, &lane->to, lane, ahead, pass->cost, now, ret_at);
}

/* The last thing that is done: it may be gone then. */
static void notice(struct px_guard_pass *pass, uint64_t now) {
    struct px_guard *guard = pass->guard;
    struct px_limiter *at = NULL;
    const char *what = "retry";
    uint64_t limit = px_pass_limit(guard, pass), until = pass->not_before_ns, first = until;
    if (!pass->later) {
        until = estimate(pass, now, &at);
        what = at ? "rate limit" : "a place";
        first = at ? until : now;
        until = at ? until : limit;
    }
    uint64_t next = PX_MIN(limit, now + NOTICE_LOOK_NS);
    if (pass->later)
        next = PX_MIN(next, pass->not_before_ns);
    bool news = pass->noticed && pass->noticed != what;
    if (!pass->noticed) {
        news = now >= pass->entered_ns + NOTICE_NS || first > now + NOTICE_NS;
        if (!news)
            next = PX_MIN(next, pass->entered_ns + NOTICE_NS);
    } else if (!news) {
        uint64_t left = pass->noticed_ns > now ? pass->noticed_ns - now : 0;
        uint64_t by = until > pass->noticed_ns ? until - pass->noticed_ns : pass->noticed_ns - until;
        news = by > PX_MAX(PX_S, left / 4);
    }
    px_timer_arm(&pass->timer, next);
    if (news) {
        pass->noticed = what;
        pass->noticed_ns = until;
        pass->sink->waiting(pass->user, what, until > now ? until - now : 0);
    }
}

static void give_up(struct px_guard_pass *pass, uint64_t now) {
    struct px_hold hold = px_guard_check(pass->guard, &pass->lane->to, pass->cost, now);
    struct px_limiter *at = pass->lane->at;
    if (hold.what == PX_HOLD_OPEN)
        refuse(pass, PX_GUARD_OPEN, NULL, hold.until_ns);
    else if (hold.what == PX_HOLD_UNTIL)
        refuse(pass, PX_GUARD_RATE, hold.at, hold.until_ns);
    else if (hold.what == PX_HOLD_NOTHING && at && (at->n_meters || at->kind == PX_OF_QUOTA))
        refuse(pass, PX_GUARD_RATE, at, now); /* its turn would be now, when its time is over */
    else
        refuse(pass, PX_GUARD_BUSY, hold.at, 0);
    if (at && at->n_lanes)
        wake_by(at, now);
}

void px_guard_make_room(struct px_guard *guard, uint64_t now) {
    struct px_guard_pass *pass = px_crowd_newest(&guard->crowd);
    struct px_limiter *parked = pass->lane->at, *at;
    uint64_t until = estimate(pass, now, &at);
    refuse(pass, PX_GUARD_QUEUE_FULL, NULL, at ? until : 0);
    if (parked && parked->n_lanes) /* the next one may need less */
        wake_by(parked, now);
}

static void on_time(void *user) {
    struct px_guard_pass *pass = user;
    struct px_guard *guard = pass->guard;
    uint64_t now = px_loop_now(guard->loop);
    if (now >= px_pass_limit(guard, pass)) {
        give_up(pass, now);
        return;
    }
    if (pass->later && now >= pass->not_before_ns) {
        pass->later = false;
        px_list_remove(&pass->node);
        px_timer_arm(&pass->timer, px_pass_limit(guard, pass));
        enqueue(pass, now);
        if (!pass->lane) /* that was quick */
            return;
    }
    if (pass->sink->waiting)
        notice(pass, now);
    else
        px_timer_arm(&pass->timer, pass->later ? PX_MIN(pass->not_before_ns, px_pass_limit(guard, pass))
                                               : px_pass_limit(guard, pass));
}

/* ---- something has changed ---- */

static void refuse_late(struct px_guard *guard, struct px_list_node *list, const struct px_hold *hold) {
    PX_LIST_EACH_SAFE (node, list) {
        struct px_guard_pass *pass = px_list_entry(node, struct px_guard_pass, node);
        bool open = hold->what == PX_HOLD_OPEN;
        if (open && (!hold->until_ns || pass->not_before_ns < hold->until_ns))
            refuse(pass, PX_GUARD_OPEN, NULL, hold->until_ns);
        else if (hold->what == PX_HOLD_UNTIL && px_pass_too_late(guard, pass, hold->until_ns))
            refuse(pass, PX_GUARD_RATE, hold->at, hold->until_ns);
        else if (guard->new_limits)
            px_timer_arm(&pass->timer, px_loop_now(guard->loop));
    }
}

void px_guard_again(void *user) {
    struct px_guard *guard = user;
    uint64_t now = px_loop_now(guard->loop);
    for (struct px_list_node *node = guard->lanes.next, *next; node != &guard->lanes; node = next) {
        struct px_lane *lane = px_list_entry(node, struct px_lane, in_guard);
        struct px_guard_targets to = lane->to;
        lane->passes++; /* stays while this looks at it */
        px_guard_find_quotas(guard, lane->label, lane->key.account, &to);
        count_quotas(&to, 1);
        count_quotas(&lane->to, -1);
        struct px_limiter *at = lane->at;
        if (at && at->kind == PX_OF_QUOTA) { /* it may be parked at one that is no longer its own */
            bool own = false;
            for (int i = 0; i < 3; i++)
                own |= to.quotas[i] && &to.quotas[i]->at == at;
            if (!own) {
                park(lane, &guard->at);
                wake_by(&guard->at, now);
            }
        }
        lane->to = to;
        struct px_hold hold = px_guard_check(guard, &lane->to, 1, now);
        refuse_late(guard, &lane->queue, &hold);
        refuse_late(guard, &lane->later, &hold);
        if (lane->at)
            wake_by(lane->at, now);
        next = node->next;
        lane->passes--;
        lane_drop(guard, lane);
    }
    guard->new_limits = false;
}

void px_guard_look_again(struct px_guard *guard) {
    if (guard->waiting)
        px_work_post(guard->loop, &guard->again);
}
