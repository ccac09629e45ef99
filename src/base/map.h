/* map.h: a hash map from strings to pointers. Open addressing, SipHash-free: keys that come from outside are bounded in
 * number by `cap`, and the hash is seeded per process. Keys are borrowed: they must live as long as their entry. */
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
/** Insert or replace. -ENOSPC: at the cap; -ENOMEM. *ret_old (may be NULL): the value that was there, or NULL. */
PX_MUSTCHECK int px_map_put(struct px_map *m, px_str key, void *value, void **ret_old);
/** Returns the value that was there, or NULL. */
void *px_map_remove(struct px_map *m, px_str key);

/** Walk in no order; the body must not insert or remove. */
#define PX_MAP_EACH(slot, m)                                                                                 \
    for (struct px_map_slot *slot = (m)->slots; slot && slot < (m)->slots + (m)->room; slot++)               \
        if (slot->hash)

#endif
