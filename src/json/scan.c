#include "json/scan.h"
#include "json/number.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512,
    DEFAULT_DEPTH = 64,
    DEFAULT_VALUES = 1000000,
    FEW_KEYS = 16,    /* up to here keys are compared with each other */
    OWN_KEYS = 64,    /* keys of open objects that need no heap */
    PLAIN_DIGITS = 15 /* a number of so few digits, without an exponent, is exact */
};
#define DEFAULT_BYTES ((size_t)64 << 20)
#define MOST_BYTES    ((size_t)INT32_MAX) /* what a key's fields hold */

/* A key of an object that is still open. */
struct key {
    uint64_t start;       /* its first eight decoded bytes, zeros behind */
    uint32_t at;          /* of its first byte behind the quote */
    uint32_t n : 31;      /* decoded */
    uint32_t escaped : 1; /* the text holds escapes */
};

struct level {
    uint32_t first_key; /* of this object, in keys */
    bool is_object;
};

struct scan {
    const char *text, *p, *end; /* p: the byte that is looked at */
    const char *why;            /* what was expected, or what is wrong */
    struct px_json_scan count;
    size_t most_values, limit; /* limit: the one that was hit */
    unsigned depth, most_depth;
    struct key *keys;
    size_t n_keys, room_keys;
    struct key own_keys[OWN_KEYS];
    struct level levels[MOST_DEPTH + 1];
};

static int wrong(struct scan *s, const char *at, const char *why) {
    s->p = at;
    s->why = why;
    return -EINVAL;
}

static int too_much(struct scan *s, size_t limit, const char *why) {
    s->limit = limit;
    s->why = why;
    return -EMSGSIZE;
}

/* ---- strings and numbers ---- */

/* p: a backslash. Moves behind the escape. */
static int scan_escape(struct scan *s, unsigned *ret_bytes, char bytes[4]) {
    const char *at = s->p;
    *ret_bytes = px_unescape(&s->p, s->end, bytes);
    if (*ret_bytes)
        return 0;
    if (s->end - at < 2)
        return wrong(s, s->end, "expected the closing quote");
    if (at[1] != 'u')
        return wrong(s, at, "no such escape: expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    if (s->end - at < 6 || px_hex4(at + 2) < 0)
        return wrong(s, at, "expected four hexadecimal digits behind \\u");
    return wrong(s, at, "half a surrogate pair");
}

/* p: behind the opening quote. Moves behind the closing one. `key` may be NULL. */
static int scan_string(struct scan *s, struct key *key) {
    const char *begin = s->p;
    bool nul = false;
    uint32_t dropped = 0; /* bytes of escapes that decoding takes away */
    for (;;) {
        s->p = px_plain_end(s->p, s->end);
        if (s->p == s->end)
            return wrong(s, s->end, "expected the closing quote");
        unsigned char c = (unsigned char)*s->p;
        if (c == '"')
            break;
        if (c == '\\') {
            char bytes[4];
            unsigned n;
            const char *at = s->p;
            if (scan_escape(s, &n, bytes))
                return -EINVAL;
            nul |= n == 1 && bytes[0] == 0;
            dropped += (uint32_t)(s->p - at) - n;
        } else if (c < 0x20) {
            return wrong(s, s->p, "control characters must be escaped in a string");
        } else {
            int n = px_utf8_step(s->p, s->end);
            if (n < 0)
                return wrong(s, s->p, "not UTF-8");
            s->p += n;
        }
    }
    s->count.nul += nul;
    if (key) {
        key->at = (uint32_t)(begin - s->text);
        key->n = (uint32_t)(s->p - begin - dropped) & 0x7fffffff;
        key->escaped = dropped != 0;
    }
    s->p++;
    return 0;
}

/* p: '-' or a digit. */
static int scan_number(struct scan *s) {
    const char *begin = s->p, *p = begin, *end = s->end;
    bool fast = *p != '-';
    p += *p == '-';
    const char *digits = p;
    if (p == end || !px_is_digit(*p))
        return wrong(s, p, "expected a digit");
    while (p < end && px_is_digit(*p))
        p++;
    if (*digits == '0' && p - digits > 1)
        return wrong(s, digits + 1, "a number must not begin with 0");
    fast |= *digits != '0'; /* minus zero has to be looked at */
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        while (p < end && px_is_digit(*p))
            p++;
        if (p == fraction)
            return wrong(s, p, "expected a digit behind the point");
    }
    fast &= p - digits <= PLAIN_DIGITS;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *exponent = p;
        while (p < end && px_is_digit(*p))
            p++;
        if (p == exponent)
            return wrong(s, p, "expected a digit in the exponent");
        fast = false;
    }
    if (!fast && !px_number_is_exact(px_str_n(begin, (size_t)(p - begin))))
        s->count.inexact++;
    s->p = p;
    return 0;
}

static int scan_word(struct scan *s, const char *word, size_t n) {
    size_t i = 1;
    while (i < n && s->p + i < s->end && s->p[i] == word[i])
        i++;
    if (i < n)
        return wrong(s, s->p, "expected a value");
    s->p += n;
    return 0;
}

/* ---- keys ---- */

/* The text of a key, byte by byte as it decodes. */
struct decoder {
    const char *p, *end;
    unsigned n, at;
    char bytes[4];
};

static struct decoder decoder_of(const struct scan *s, const struct key *key) {
    return (struct decoder){.p = s->text + key->at, .end = s->end};
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

static bool same_key(const struct scan *s, const struct key *a, const struct key *b) {
    if (a->n != b->n || a->start != b->start)
        return false;
    if (a->n <= sizeof a->start)
        return true;
    if (!a->escaped && !b->escaped)
        return memcmp(s->text + a->at, s->text + b->at, a->n) == 0;
    struct decoder x = decoder_of(s, a), y = decoder_of(s, b);
    for (uint32_t i = 0; i < a->n; i++) {
        if (decode_next(&x) != decode_next(&y))
            return false;
    }
    return true;
}

static uint64_t key_hash(const struct scan *s, const struct key *key) {
    if (!key->escaped)
        return px_json_hash_bytes(px_str_n(s->text + key->at, key->n));
    /* Decoded in pieces of eight, with the same result. */
    uint64_t seed = px_json_hash_start(key->n);
    uint64_t h = seed, word = 0;
    struct decoder d = decoder_of(s, key);
    for (uint32_t i = 0; i < key->n; i++) {
        word |= (uint64_t)(unsigned char)decode_next(&d) << (i % 8 * 8);
        if (i % 8 == 7) {
            h = px_json_hash_word(h, word);
            word = 0;
        }
    }
    return px_json_hash_end(h, word);
}

static int same_twice(struct scan *s, const struct key *second) {
    return wrong(s, s->text + second->at - 1, "the same key twice in one object");
}

/* Each key leaves a mark of six bits; only a key whose mark is there already is compared with those before
 * it. */
static int check_few(struct scan *s, const struct key *keys, size_t n) {
    uint64_t marks = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t mark = 1ull << ((keys[i].start * 0x9e3779b97f4a7c15ull + keys[i].n) >> 58);
        for (size_t j = 0; (marks & mark) && j < i; j++) {
            if (same_key(s, &keys[j], &keys[i]))
                return same_twice(s, &keys[i]);
        }
        marks |= mark;
    }
    return 0;
}

static int check_many(struct scan *s, const struct key *keys, size_t n) {
    size_t room = 64;
    while (room < 2 * n)
        room *= 2;
    struct slot {
        uint32_t hash, key; /* key: its index and 1 */
    } *slots = calloc(room, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < n && !r; i++) {
        uint64_t hash = key_hash(s, &keys[i]);
        size_t at = hash & (room - 1);
        for (; slots[at].key && !r; at = (at + 1) & (room - 1)) {
            if (slots[at].hash == (uint32_t)(hash >> 32) && same_key(s, &keys[slots[at].key - 1], &keys[i]))
                r = same_twice(s, &keys[i]);
        }
        slots[at] = (struct slot){(uint32_t)(hash >> 32), (uint32_t)i + 1};
    }
    free(slots);
    return r;
}

static struct key *key_room(struct scan *s) {
    if (s->n_keys < s->room_keys)
        return &s->keys[s->n_keys++];
    size_t room = s->room_keys * 2;
    struct key *keys = realloc(s->keys == s->own_keys ? NULL : s->keys, room * sizeof *keys);
    if (!keys)
        return NULL;
    if (s->keys == s->own_keys)
        memcpy(keys, s->own_keys, sizeof s->own_keys);
    s->keys = keys;
    s->room_keys = room;
    return &s->keys[s->n_keys++];
}

/* p: where a key must begin. Moves behind its colon. */
static int scan_key(struct scan *s, const char *expected) {
    if (s->p == s->end || *s->p != '"')
        return wrong(s, s->p, expected);
    struct key *key = key_room(s);
    if (!key)
        return -ENOMEM;
    s->p++;
    int r = scan_string(s, key);
    if (r)
        return r;
    key->start = 0;
    if (key->escaped) {
        struct decoder d = decoder_of(s, key);
        for (uint32_t i = 0; i < 8 && i < key->n; i++)
            key->start |= (uint64_t)(unsigned char)decode_next(&d) << (i * 8);
    } else if (key->n >= 8 || s->end - (s->text + key->at) >= 8) {
        key->start = px_load8(s->text + key->at);
        if (key->n < 8)
            key->start &= ~(~0ull << (key->n * 8));
    } else {
        memcpy(&key->start, s->text + key->at, key->n);
    }
    s->p = px_skip_space(s->p, s->end);
    if (s->p == s->end || *s->p != ':')
        return wrong(s, s->p, "expected ':'");
    s->p++;
    return 0;
}

/* ---- values ---- */

static int open_level(struct scan *s, bool is_object) {
    if (s->depth == s->most_depth)
        return too_much(s, s->most_depth, "levels of nesting");
    s->levels[++s->depth] = (struct level){(uint32_t)s->n_keys, is_object};
    s->count.depth = PX_MAX(s->count.depth, s->depth);
    s->p++;
    return 0;
}

/* p: the closing bracket. */
static int close_level(struct scan *s) {
    const struct level *level = &s->levels[s->depth--];
    int r = 0;
    const char *at = s->p;
    if (level->is_object) {
        size_t n = s->n_keys - level->first_key;
        if (n > FEW_KEYS)
            r = check_many(s, s->keys + level->first_key, n);
        else if (n > 1)
            r = check_few(s, s->keys + level->first_key, n);
        s->n_keys = level->first_key;
    }
    if (!r)
        s->p = at + 1;
    return r;
}

/* A scalar, or the opening of a container: then *ret_opened. */
static int scan_value(struct scan *s, bool *ret_opened, const char *expected) {
    *ret_opened = false;
    if (s->p == s->end)
        return wrong(s, s->p, expected);
    if (++s->count.values > s->most_values)
        return too_much(s, s->most_values, "values");
    switch (*s->p) {
    case '"': s->p++; return scan_string(s, NULL);
    case '{':
    case '[': *ret_opened = true; return open_level(s, *s->p == '{');
    case 't': return scan_word(s, "true", 4);
    case 'f': return scan_word(s, "false", 5);
    case 'n': return scan_word(s, "null", 4);
    default:
        if (*s->p != '-' && !px_is_digit(*s->p))
            return wrong(s, s->p, expected);
        return scan_number(s);
    }
}

/* p: behind a value. Closes what ends here; then p is where the next value begins, or the depth is 0. */
static int scan_between(struct scan *s) {
    while (s->depth) {
        bool is_object = s->levels[s->depth].is_object;
        s->p = px_skip_space(s->p, s->end);
        char c = s->p < s->end ? *s->p : 0;
        if (c == ',') {
            s->p = px_skip_space(s->p + 1, s->end);
            if (!is_object)
                return 0;
            int r = scan_key(s, "expected a key in quotes");
            s->p = r ? s->p : px_skip_space(s->p, s->end);
            return r;
        }
        if (c != (is_object ? '}' : ']') || s->p == s->end)
            return wrong(s, s->p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        int r = close_level(s);
        if (r)
            return r;
    }
    return 0;
}

/* p: behind an opening bracket. *ret_empty: it closed again; else p is where the first value begins. */
static int scan_first(struct scan *s, bool *ret_empty, const char **ret_expected) {
    bool is_object = s->levels[s->depth].is_object;
    s->p = px_skip_space(s->p, s->end);
    *ret_empty = s->p < s->end && *s->p == (is_object ? '}' : ']');
    *ret_expected = is_object ? "expected a value" : "expected a value or ']'";
    if (*ret_empty)
        return close_level(s);
    if (!is_object)
        return 0;
    int r = scan_key(s, "expected a key in quotes or '}'");
    s->p = r ? s->p : px_skip_space(s->p, s->end);
    return r;
}

static int scan_text(struct scan *s) {
    const char *expected = "expected a value";
    s->p = px_skip_space(s->p, s->end);
    const char *begin = s->p;
    do {
        bool opened, empty = false;
        int r = scan_value(s, &opened, expected);
        expected = "expected a value";
        if (!r && opened)
            r = scan_first(s, &empty, &expected);
        if (!r && (!opened || empty))
            r = scan_between(s);
        if (r)
            return r;
    } while (s->depth);
    s->count.value = px_str_n(begin, (size_t)(s->p - begin));
    s->p = px_skip_space(s->p, s->end);
    return s->p < s->end ? wrong(s, s->p, "expected the end after one value") : 0;
}

/* The words: what was expected, where, and what stands there (a printable byte as itself, others by number).
 */
static int explain(const struct scan *s, int r, struct px_err *err) {
    size_t at = (size_t)(s->p - s->text);
    if (r == -ENOMEM)
        return px_err_set(err, r, "out of memory while reading JSON");
    if (r == -EMSGSIZE)
        return px_err_set(err, r, "JSON at byte %zu: more than %zu %s", at, s->limit, s->why);
    if (s->p == s->end)
        return px_err_set(err, r, "not JSON at byte %zu: %s, but the text ends", at, s->why);
    unsigned char c = (unsigned char)*s->p;
    if (c > 0x20 && c < 0x7f)
        return px_err_set(err, r, "not JSON at byte %zu: %s, found '%c'", at, s->why, c);
    return px_err_set(err, r, "not JSON at byte %zu: %s, found byte 0x%02x", at, s->why, c);
}

int px_json_scan(px_str text, const struct px_json_limits *limits, struct px_json_scan *ret, size_t *ret_at,
                 struct px_err *err) {
    struct px_json_limits most = limits ? *limits : (struct px_json_limits){0};
    most.bytes = PX_MIN(most.bytes ? most.bytes : DEFAULT_BYTES, MOST_BYTES);
    if (text.n > most.bytes) {
        if (ret_at)
            *ret_at = most.bytes;
        return px_err_set(err, -EMSGSIZE, "JSON of %zu bytes: more than the limit of %zu", (size_t)text.n,
                          most.bytes);
    }
    struct scan s;
    s.text = s.p = text.p ? text.p : "";
    s.end = s.text + (text.p ? text.n : 0);
    s.why = NULL;
    s.count = (struct px_json_scan){0};
    s.most_values = most.values ? most.values : DEFAULT_VALUES;
    s.depth = 0;
    s.most_depth = PX_MIN(most.depth ? most.depth : DEFAULT_DEPTH, MOST_DEPTH);
    s.keys = s.own_keys;
    s.n_keys = 0;
    s.room_keys = OWN_KEYS;
    int r = scan_text(&s);
    if (s.keys != s.own_keys)
        free(s.keys);
    if (r) {
        if (ret_at)
            *ret_at = (size_t)(s.p - s.text);
        return explain(&s, r, err);
    }
    *ret = s.count;
    return 0;
}
