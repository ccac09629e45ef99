/* keys.h: the keys of the objects that a scan has open, to find the same one twice; private to this room.
 * Linear: few keys are compared with each other, many through a hash table. Keys are compared as they decode. */
#ifndef PX_JSON_KEYS_H
#define PX_JSON_KEYS_H

#include "json/text.h"

enum { PX_KEYS_OWN = 64 }; /* so many need no heap */

struct px_key {
    uint64_t start;       /* its first eight decoded bytes, zeros behind */
    uint32_t at;          /* of its first byte behind the quote */
    uint32_t n : 31;      /* decoded */
    uint32_t escaped : 1; /* the text holds escapes */
};

struct px_json_keys {
    px_str text; /* all of it; under 2 GiB */
    struct px_key *list;
    size_t n, room;
    struct px_key_slot *slots; /* of the object that is being looked through; NULL: none is */
    size_t n_slots, looked_at;
    struct px_key own[PX_KEYS_OWN];
};

/** Not all of it: own stays as it is. */
void px_json_keys_init(struct px_json_keys *keys, px_str text);
void px_json_keys_finish(struct px_json_keys *keys);
/** A valid string of the text, without its quotes; `n`: its length when decoded. -ENOMEM. */
PX_MUSTCHECK static inline int px_json_keys_add(struct px_json_keys *keys, px_str raw, size_t n);
/** An object ends, whose keys begin at `first` (what keys->n was): forget them. -EEXIST: one stood there before, and *ret_at is
 *  where its quote is; -ENOMEM. */
PX_MUSTCHECK int px_json_keys_close(struct px_json_keys *keys, size_t first, size_t *ret_at);
/** The same; 1: there are many, some `most` of them were looked at, and it must be called again. */
PX_MUSTCHECK int px_json_keys_close_some(struct px_json_keys *keys, size_t first, size_t most,
                                         size_t *ret_at);

/** The keys that are not like most: the list has to grow, it holds escapes, the text ends close behind it. */
PX_MUSTCHECK int px_json_keys_add_rare(struct px_json_keys *keys, px_str raw, size_t n);

static inline int px_json_keys_add(struct px_json_keys *keys, px_str raw, size_t n) {
    size_t at = (size_t)(raw.p - keys->text.p);
    if (keys->n == keys->room || n != raw.n || keys->text.n - at < sizeof(uint64_t))
        return px_json_keys_add_rare(keys, raw, n);
    uint64_t start = px_load8(raw.p);
    struct px_key *key = &keys->list[keys->n++];
    key->start = n < sizeof start ? start & ~(~0ull << (n * 8)) : start;
    key->at = (uint32_t)at;
    key->n = (uint32_t)n & 0x7fffffff;
    key->escaped = 0;
    return 0;
}

#endif
