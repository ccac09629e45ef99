/* What requests name, found or made: upstreams, groups, and what was told of accounts. */
#include "base/log.h"
#include "guard/private.h"
#include <errno.h>
#include <string.h>

void px_limiter_init(struct px_limiter *at, enum px_limiter_kind kind, struct px_guard *guard) {
    at->kind = kind;
    at->guard = guard;
    px_list_init(&at->parked);
    px_timer_init(&at->wake, guard->loop, "guard/wake", px_limiter_wake, at);
}

int px_guard_upstream(struct px_guard *guard, px_str name, struct px_upstream **ret) {
    if (guard->last_upstream && px_str_eq(guard->last_upstream->name, name)) {
        *ret = guard->last_upstream;
        return 0;
    }
    struct px_upstream *up = px_map_get(&guard->upstreams, name);
    const struct px_limits *limits = &guard->limits;
    if (!up && guard->upstreams.n >= PX_GUARD_UPSTREAMS_MAX)
        up = guard->last_upstream;
    if (!up) {
        const struct px_rates *rates = &(const struct px_rates){0};
        uint32_t places = 0;
        up = calloc(1, sizeof *up + name.n + 1);
        if (!up)
            return -ENOMEM;
        px_limiter_init(&up->at, PX_OF_UPSTREAM, guard);
        up->limits = &limits->breaker;
        if (name.n)
            memcpy(up->text, name.p, name.n);
        up->name = px_str_n(up->text, name.n);
        for (size_t i = 0; i < limits->n_upstreams; i++)
            if (px_str_eq(limits->upstreams[i].name, name)) {
                rates = &limits->upstreams[i].rates;
                places = limits->upstreams[i].in_flight;
                up->limits = &limits->upstreams[i].breaker;
            }
        if (px_meters_make(rates, px_loop_now(guard->loop), &up->at.meters) ||
            px_map_put(&guard->upstreams, up->name, up, NULL)) {
            px_meters_free(up->at.meters, rates->n);
            free(up);
            return -ENOMEM;
        }
        up->at.n_meters = rates->n;
        up->at.places = places;
        if (guard->forced)
            px_breaker_tell(&up->breaker, (enum px_breaker_order)(guard->forced - 1),
                            px_loop_now(guard->loop));
    }
    *ret = guard->last_upstream = up;
    return 0;
}

int px_guard_group(struct px_guard *guard, px_str name, struct px_group **ret) {
    struct px_group *group = name.n ? px_map_get(&guard->groups, name) : NULL;
    const struct px_limits *limits = &guard->limits;
    const struct px_rates *rates = &(const struct px_rates){0};
    *ret = group;
    if (group || !name.n || guard->groups.n >= PX_GUARD_GROUPS_MAX)
        return 0;
    group = calloc(1, sizeof *group + name.n + 1);
    if (!group)
        return -ENOMEM;
    px_limiter_init(&group->at, PX_OF_GROUP, guard);
    memcpy(group->text, name.p, name.n);
    group->name = px_str_n(group->text, name.n);
    for (size_t i = 0; i < limits->n_groups; i++)
        if (px_str_eq(limits->groups[i].name, name))
            rates = &limits->groups[i].rates;
    if (px_meters_make(rates, px_loop_now(guard->loop), &group->at.meters) ||
        px_map_put(&guard->groups, group->name, group, NULL)) {
        px_meters_free(group->at.meters, rates->n);
        free(group);
        return -ENOMEM;
    }
    group->at.n_meters = rates->n;
    *ret = group;
    return 0;
}

/* ---- what was told ---- */

enum { KEY_ROOM = PX_GUARD_KEY_MAX + 16 };

static px_str key_of(char *to, char kind, uint64_t account, px_str name) {
    to[0] = kind;
    memcpy(to + 1, &account, sizeof account);
    if (name.n)
        memcpy(to + 1 + sizeof account, name.p, name.n);
    return px_str_n(to, 1 + sizeof account + name.n);
}

/* NULL: none. */
static struct px_told *find_quota(struct px_guard *guard, char kind, uint64_t account, px_str name) {
    char key[KEY_ROOM];
    if (!guard->quotas.n || name.n > PX_GUARD_KEY_MAX)
        return NULL;
    struct px_told *told = px_map_get(&guard->quotas, key_of(key, kind, account, name));
    if (told && guard->told_lru.prev != &told->lru) {
        px_list_remove(&told->lru);
        px_list_add(&guard->told_lru, &told->lru);
    }
    return told;
}

struct px_label *px_guard_label(struct px_guard *guard, px_str name) {
    struct px_label *label = guard->labels.n && name.n ? px_map_get(&guard->labels, name) : NULL;
    if (label && guard->label_lru.prev != &label->lru) {
        px_list_remove(&label->lru);
        px_list_add(&guard->label_lru, &label->lru);
    }
    return label;
}

void px_guard_find_quotas(struct px_guard *guard, struct px_label *label, uint64_t account,
                          struct px_guard_targets *to) {
    to->quotas[0] = to->quotas[1] = to->quotas[2] = NULL;
    if (!guard->quotas.n)
        return;
    to->quotas[0] = find_quota(guard, 'g', account, to->group ? to->group->name : px_str_of(""));
    if (label && label->kind)
        to->quotas[1] = find_quota(guard, label->kind, account, label->bucket);
    if (guard->globals)
        to->quotas[2] = find_quota(guard, 'a', account, px_str_of(""));
}

static void forget(struct px_guard *guard, struct px_told *told) {
    px_map_remove(&guard->quotas, told->key);
    px_list_remove(&told->lru);
    px_timer_disarm(&told->at.wake);
    guard->globals -= told->kind == 'a';
    free(told);
}

/* Room for one more: the longest unused one that nobody points to and that holds nobody back. A few are looked at. */
static bool make_room(struct px_guard *guard, uint64_t now) {
    int looks = 64;
    if (guard->quotas.n < PX_GUARD_QUOTAS_MAX)
        return true;
    PX_LIST_EACH (node, &guard->told_lru) {
        struct px_told *told = px_list_entry(node, struct px_told, lru);
        if (!told->uses && px_quota_idle(&told->q, guard->limits.spacing_percent, now)) {
            forget(guard, told);
            return true;
        }
        if (!--looks)
            break;
    }
    return false;
}

static struct px_told *quota_made(struct px_guard *guard, char kind, uint64_t account, px_str name,
                                  uint64_t now) {
    char key[KEY_ROOM];
    struct px_told *told = find_quota(guard, kind, account, name);
    if (told || name.n > PX_GUARD_KEY_MAX || !make_room(guard, now))
        return told;
    px_str k = key_of(key, kind, account, name);
    told = calloc(1, sizeof *told + k.n + 1);
    if (!told)
        return NULL;
    memcpy(told->text, k.p, k.n);
    told->key = px_str_n(told->text, k.n);
    told->name = px_str_n(told->text + k.n - name.n, name.n);
    told->kind = kind;
    told->account = account;
    px_quota_init(&told->q);
    if (px_map_put(&guard->quotas, told->key, told, NULL)) {
        free(told);
        return NULL;
    }
    px_limiter_init(&told->at, PX_OF_QUOTA, guard);
    px_list_add(&guard->told_lru, &told->lru);
    guard->globals += kind == 'a';
    return told;
}

static void label_forget(struct px_guard *guard, struct px_label *label) {
    px_map_remove(&guard->labels, label->name);
    px_list_remove(&label->lru);
    free(label);
}

static void make_room_for_label(struct px_guard *guard) {
    if (guard->labels.n < PX_GUARD_LABELS_MAX)
        return;
    PX_LIST_EACH_SAFE (node, &guard->label_lru) {
        struct px_label *old = px_list_entry(node, struct px_label, lru);
        if (!old->uses) {
            label_forget(guard, old);
            return;
        }
    }
}

struct px_label *px_guard_label_made(struct px_guard *guard, px_str name) {
    struct px_label *label = px_guard_label(guard, name);
    if (label || !name.n || name.n > 4 * PX_GUARD_KEY_MAX)
        return label;
    make_room_for_label(guard);
    label = calloc(1, sizeof *label + name.n + 1);
    if (!label)
        return NULL;
    px_list_init(&label->lru);
    memcpy((char *)(label + 1), name.p, name.n);
    label->name = px_str_n((char *)(label + 1), name.n);
    if (px_map_put(&guard->labels, label->name, label, NULL)) {
        free(label);
        return NULL;
    }
    px_list_add(&guard->label_lru, &label->lru);
    return label;
}

static void learn(struct px_guard *guard, px_str name, char kind, px_str bucket) {
    struct px_label *label = bucket.n > PX_GUARD_KEY_MAX ? NULL : px_guard_label_made(guard, name);
    if (!label || (label->kind == kind && px_str_eq(label->bucket, bucket)))
        return;
    label->kind = kind;
    memcpy(label->text, bucket.p, bucket.n);
    label->bucket = px_str_n(label->text, bucket.n);
}

/* More at once, less bit by bit: what is like it will cost about as much. */
static void learn_cost(struct px_guard *guard, px_str name, int64_t cost) {
    struct px_label *label = cost > 1 ? px_guard_label_made(guard, name) : px_guard_label(guard, name);
    if (!label || cost > INT32_MAX)
        return;
    uint32_t now = (uint32_t)cost;
    label->cost = now >= label->cost ? now : label->cost - (label->cost - now + 3) / 4;
}

/* The request cost more or less than it was let in for: the configured rates are told, too. */
static void correct(struct px_limiter *at, int64_t more, uint64_t now) {
    for (size_t i = 0; at && i < at->n_meters; i++)
        px_meter_take(&at->meters[i], more, now);
}

/* An upstream that shuts us out for longer than is believed: an administrator hears of it, once for each time. */
static void say_long(const struct px_guard *guard, const struct px_told *told, uint64_t before,
                     uint64_t after) {
    if (before > PX_QUOTA_BELIEVED_NS || after <= PX_QUOTA_BELIEVED_NS)
        return;
    px_log(PX_LOG_WARNING, "guard", "an upstream says to wait for long: it is asked again once an hour",
           PX_KV("service", guard->service), PX_KS("quota", told->name),
           PX_KI("hours", after / (3600 * PX_S)),
           PX_KV("advice", "if that is wrong: plexus breaker SERVICE reset forgets it"));
}

/* Who is inside beside the one whose answer this is. */
static uint64_t others(const struct px_limiter *at) {
    return at && at->in_flight ? at->in_flight - 1 : 0;
}

void px_guard_told(struct px_guard *guard, const struct px_guard_ask *ask, const struct px_quota *said) {
    uint64_t now = px_loop_now(guard->loop), taken = ask->cost ? ask->cost : 1;
    struct px_upstream *up = px_map_get(&guard->upstreams, ask->upstream);
    struct px_group *own = ask->group.n ? px_map_get(&guard->groups, ask->group) : NULL;
    if (said->bucket.n)
        learn(guard, ask->label, 'b', said->bucket);
    else if (said->group.n && !said->global && !px_str_eq(said->group, ask->group))
        learn(guard, ask->label, 'g', said->group); /* it counts there, whatever we thought */
    if (said->cost >= 0 && said->cost <= INT32_MAX && (uint64_t)said->cost != taken) {
        int64_t more = said->cost - (int64_t)taken;
        correct(&guard->at, more, now);
        correct(up ? &up->at : NULL, more, now);
        correct(own ? &own->at : NULL, more, now);
    }
    if (said->cost >= 0)
        learn_cost(guard, ask->label, said->cost);
    if (said->remaining < 0 && said->retry_after_ms < 0 && said->restore_milli < 0 && said->limit < 0 &&
        said->cost < 0)
        return;
    char kind = said->global ? 'a' : said->bucket.n ? 'b' : 'g';
    px_str group = said->group.n ? said->group : ask->group;
    px_str name = said->global ? px_str_of("") : said->bucket.n ? said->bucket : group;
    bool known = find_quota(guard, kind, ask->account, name) != NULL;
    struct px_told *told = quota_made(guard, kind, ask->account, name, now);
    if (!told)
        return;
    unsigned spacing = guard->limits.spacing_percent;
    uint64_t before = px_quota_wait(&told->q, spacing, 1, 0, now);
    uint64_t held = px_quota_held(&told->q, 0, 1, 0, now);
    px_quota_told(&told->q, said, taken, ask->sent_ns, now);
    if (!known && kind != 'b')
        px_quota_others(&told->q,
                        others(own && px_str_eq(own->name, name) ? &own->at
                               : up                              ? &up->at
                                                                 : NULL),
                        now);
    say_long(guard, told, held, px_quota_held(&told->q, 0, 1, 0, now));
    if (!guard->waiting)
        return;
    if (told->at.n_lanes)
        px_timer_arm(&told->at.wake, now);
    if (!known || px_quota_wait(&told->q, spacing, 1, 0, now) > px_ns_add(before, 50 * PX_MS))
        px_guard_look_again(guard);
}

void px_guard_things_free(struct px_guard *guard) {
    PX_LIST_EACH_SAFE (node, &guard->told_lru)
        forget(guard, px_list_entry(node, struct px_told, lru));
    PX_LIST_EACH_SAFE (node, &guard->label_lru)
        label_forget(guard, px_list_entry(node, struct px_label, lru));
    PX_MAP_EACH (slot, &guard->upstreams) {
        struct px_upstream *up = slot->value;
        px_timer_disarm(&up->at.wake);
        px_meters_free(up->at.meters, up->at.n_meters);
        free(up);
    }
    PX_MAP_EACH (slot, &guard->groups) {
        struct px_group *group = slot->value;
        px_timer_disarm(&group->at.wake);
        px_meters_free(group->at.meters, group->at.n_meters);
        free(group);
    }
    px_map_finish(&guard->quotas);
    px_map_finish(&guard->labels);
    px_map_finish(&guard->upstreams);
    px_map_finish(&guard->groups);
}
