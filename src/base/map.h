/* map.h: a hash map from strings to pointers. Open addressing, linear probing; SipHash under a key of the process's own,
 * so that whoever chooses the keys cannot choose their places. Keys are borrowed: they must live as long as their entry.
 * A value of NULL can be put, but looks like none. */
#ifndef PX_BASE_MAP_H
#define PX_BASE_MAP_H

#include "base/str.h"

struct px_map_slot {
    uint64_t hash; /* 0: free */
    px_str key;
    void *value;
};
struct px_map {
    struct px_map_slot *slots;
    size_t n, room, cap; /* entries, slots (a power of two or 0), most entries */
};

void px_map_init(struct px_map *m, size_t cap);
void px_map_finish(struct px_map *m);
void *px_map_get(const struct px_map *m, px_str key);
/** Insert, or replace both key and value. -ENOSPC: at the cap; -ENOMEM. *ret_old (may be NULL): the value that was there, or NULL. */
PX_MUSTCHECK int px_map_put(struct px_map *m, px_str key, void *value, void **ret_old);
/** Returns the value that was there, or NULL. */
void *px_map_remove(struct px_map *m, px_str key);

/** Walk in no order; the body must not insert or remove. */
#define PX_MAP_EACH(slot, m)                                                                                 \
    for (struct px_map_slot *slot = (m)->slots; slot && slot < (m)->slots + (m)->room; slot++)               \
        if (!slot->hash) {                                                                                   \
        } else

#endif
