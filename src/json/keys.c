#include "json/keys.h"
#include "json/text.h"

enum { FEW = 16 }; /* up to here keys are compared with each other */

struct px_key_slot {
    uint32_t hash, key; /* key: its index and 1; 0: free */
};

void px_json_keys_init(struct px_json_keys *keys, px_str text) {
    keys->text = text;
    keys->list = keys->own;
    keys->n = 0;
    keys->room = PX_KEYS_OWN;
    keys->slots = NULL;
}

void px_json_keys_finish(struct px_json_keys *keys) {
    free(keys->slots);
    keys->slots = NULL;
    if (keys->list != keys->own)
        free(keys->list);
}

/* ---- decoding ---- */

/* The text of a key, byte by byte as it decodes. */
struct decoder {
    const char *p, *end;
    unsigned n, at;
    char bytes[4];
};

static struct decoder decoder_of(const struct px_json_keys *keys, const struct px_key *key) {
    return (struct decoder){.p = keys->text.p + key->at, .end = keys->text.p + keys->text.n};
}

static char decode_next(struct decoder *d) {
    if (d->at < d->n)
        return d->bytes[d->at++];
    if (*d->p != '\\')
        return *d->p++;
    d->n = px_unescape(&d->p, d->end, d->bytes);
    d->at = 1;
    return d->bytes[0];
}

/* Up to eight decoded bytes as a word, zeros behind. */
static uint64_t decode_word(struct decoder *d, size_t n) {
    uint64_t word = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        word |= (uint64_t)(unsigned char)decode_next(d) << (i * 8);
    return word;
}

static bool same(const struct px_json_keys *keys, const struct px_key *a, const struct px_key *b) {
    if (a->n != b->n || a->start != b->start)
        return false;
    if (a->n <= sizeof a->start)
        return true;
    if (!a->escaped && !b->escaped)
        return memcmp(keys->text.p + a->at, keys->text.p + b->at, a->n) == 0;
    struct decoder x = decoder_of(keys, a), y = decoder_of(keys, b);
    for (uint32_t i = 0; i < a->n; i++) {
        if (decode_next(&x) != decode_next(&y))
            return false;
    }
    return true;
}

/* px_json_hash_bytes of the decoded key. */
static uint64_t hash(const struct px_json_keys *keys, const struct px_key *key) {
    if (!key->escaped)
        return px_json_hash_bytes(px_str_n(keys->text.p + key->at, key->n));
    struct decoder d = decoder_of(keys, key);
    uint64_t h = px_json_hash_start(key->n);
    size_t left = key->n;
    for (; left >= 8; left -= 8)
        h = px_json_hash_word(h, decode_word(&d, 8));
    return px_json_hash_end(h, decode_word(&d, left));
}

/* ---- the list ---- */

static int grow(struct px_json_keys *keys) {
    struct px_key *old = keys->list == keys->own ? NULL : keys->list;
    struct px_key *list = realloc(old, keys->room * 2 * sizeof *list);
    if (!list)
        return -ENOMEM;
    if (!old)
        memcpy(list, keys->own, sizeof keys->own);
    keys->list = list;
    keys->room *= 2;
    return 0;
}

int px_json_keys_add_rare(struct px_json_keys *keys, px_str raw, size_t n) {
    if (keys->n == keys->room && grow(keys))
        return -ENOMEM;
    struct px_key *key = &keys->list[keys->n++];
    key->at = (uint32_t)(raw.p - keys->text.p);
    key->n = (uint32_t)n & 0x7fffffff;
    key->escaped = n != raw.n;
    key->start = 0;
    if (key->escaped) {
        struct decoder d = decoder_of(keys, key);
        key->start = decode_word(&d, n);
    } else if (keys->text.n - key->at >= 8) {
        key->start = px_load8(raw.p);
        if (n < 8)
            key->start &= ~(~0ull << (n * 8));
    } else {
        memcpy(&key->start, raw.p, n); /* near the end of the text, so under eight */
    }
    return 0;
}

/* ---- twice ---- */

static int twice(const struct px_key *second, size_t *ret_at) {
    *ret_at = second->at - 1;
    return -EEXIST;
}

/* Each key leaves a mark of six bits; only a key whose mark is there already is compared with those before it. */
static int check_few(const struct px_json_keys *keys, const struct px_key *list, size_t n, size_t *ret_at) {
    uint64_t marks = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t mark = 1ull << ((list[i].start * 0x9e3779b97f4a7c15ull + list[i].n) >> 58);
        for (size_t j = 0; (marks & mark) && j < i; j++) {
            if (same(keys, &list[j], &list[i]))
                return twice(&list[i], ret_at);
        }
        marks |= mark;
    }
    return 0;
}

static int begin_many(struct px_json_keys *keys, size_t n) {
    size_t room = 64;
    while (room < 2 * n)
        room *= 2;
    keys->slots = calloc(room, sizeof *keys->slots);
    keys->n_slots = room;
    keys->looked_at = 0;
    return keys->slots ? 0 : -ENOMEM;
}

static int check_many(struct px_json_keys *keys, const struct px_key *list, size_t n, size_t most,
                      size_t *ret_at) {
    int r = keys->slots ? 0 : begin_many(keys, n);
    size_t from = keys->looked_at, to = r ? 0 : from + PX_MIN(most, n - from), last = keys->n_slots - 1;
    struct px_key_slot *slots = keys->slots;
    for (size_t i = from; i < to && !r; i++) {
        uint64_t h = hash(keys, &list[i]);
        uint32_t high = (uint32_t)(h >> 32);
        size_t at = h & last;
        for (; slots[at].key && !r; at = (at + 1) & last) {
            if (slots[at].hash == high && same(keys, &list[slots[at].key - 1], &list[i]))
                r = twice(&list[i], ret_at);
        }
        slots[at] = (struct px_key_slot){high, (uint32_t)i + 1};
    }
    keys->looked_at = to;
    if (!r && to < n)
        return 1;
    free(keys->slots);
    keys->slots = NULL;
    return r;
}

int px_json_keys_close_some(struct px_json_keys *keys, size_t first, size_t most, size_t *ret_at) {
    const struct px_key *list = keys->list + first;
    size_t n = keys->n - first;
    int r = n <= FEW ? check_few(keys, list, n, ret_at) : check_many(keys, list, n, most, ret_at);
    if (r != 1)
        keys->n = first;
    return r;
}

int px_json_keys_close(struct px_json_keys *keys, size_t first, size_t *ret_at) {
    return px_json_keys_close_some(keys, first, SIZE_MAX, ret_at);
}
