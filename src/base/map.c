#include "base/map.h"
#include "base/clock.h"
#include <errno.h>
#include <sys/random.h>

static uint64_t hash_of(px_str key) {
    static uint64_t own[2];
    static bool drawn;
    if (!drawn) {
        drawn = true;
        /* Early in a boot there may be no random bytes yet, and waiting for them is worse than these. */
        if (getrandom(own, sizeof own, GRND_NONBLOCK) != sizeof own)
            own[0] = px_clock_mono_ns(), own[1] = (uint64_t)(uintptr_t)&own;
    }
    uint64_t h = px_str_siphash(key, own);
    return h ? h : 1;
}

void px_map_init(struct px_map *m, size_t cap) {
    *m = (struct px_map){.cap = cap};
}

void px_map_finish(struct px_map *m) {
    free(m->slots);
    *m = (struct px_map){.cap = m->cap};
}

/* The slot that holds the key, or the free one where it would go. */
static struct px_map_slot *find(const struct px_map *m, px_str key, uint64_t hash) {
    size_t mask = m->room - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct px_map_slot *slot = &m->slots[i];
        if (!slot->hash || (slot->hash == hash && px_str_eq(slot->key, key)))
            return slot;
    }
}

void *px_map_get(const struct px_map *m, px_str key) {
    if (!m->n)
        return NULL;
    struct px_map_slot *slot = find(m, key, hash_of(key));
    return slot->hash ? slot->value : NULL;
}

static int grow(struct px_map *m) {
    struct px_map bigger = {.room = m->room ? m->room * 2 : 16, .cap = m->cap, .n = m->n};
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    PX_MAP_EACH (slot, m)
        *find(&bigger, slot->key, slot->hash) = *slot;
    free(m->slots);
    *m = bigger;
    return 0;
}

int px_map_put(struct px_map *m, px_str key, void *value, void **ret_old) {
    uint64_t hash = hash_of(key);
    if (ret_old)
        *ret_old = NULL;
    if (m->n) {
        struct px_map_slot *slot = find(m, key, hash);
        if (slot->hash) {
            if (ret_old)
                *ret_old = slot->value;
            slot->key = key;
            slot->value = value;
            return 0;
        }
    }
    if (m->n >= m->cap)
        return -ENOSPC;
    if ((m->n + 1) * 4 > m->room * 3) {
        int r = grow(m);
        if (r)
            return r;
    }
    *find(m, key, hash) = (struct px_map_slot){hash, key, value};
    m->n++;
    return 0;
}

void *px_map_remove(struct px_map *m, px_str key) {
    if (!m->n)
        return NULL;
    struct px_map_slot *slot = find(m, key, hash_of(key));
    if (!slot->hash)
        return NULL;
    void *value = slot->value;
    size_t mask = m->room - 1, hole = (size_t)(slot - m->slots);
    m->slots[hole] = (struct px_map_slot){0};
    m->n--;
    /* Close the hole: move back every entry that a look-up could no longer reach. */
    for (size_t i = (hole + 1) & mask; m->slots[i].hash; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            m->slots[i] = (struct px_map_slot){0};
            hole = i;
        }
    }
    return value;
}
