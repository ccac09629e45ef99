#include "json/scan.h"
#include "json/keys.h"
#include "json/number.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512,
    DEFAULT_DEPTH = 64,
    DEFAULT_VALUES = 1000000,
    PLAIN_DIGITS = 15, /* a number of so few digits, without an exponent, is exact */
    MANY_DIGITS = 32,
    BYTES_PER_KEY = 32, /* looking for one key twice takes about as long as scanning so many bytes */
    PAUSED = 1
};
#define DEFAULT_BYTES ((size_t)64 << 20)
#define MOST_BYTES    ((size_t)INT32_MAX) /* what a key's fields hold */

struct level {
    uint32_t first_key; /* of this object, in keys */
    bool is_object;
};

/* Where a scan goes on. */
enum place {
    AT_VALUE, /* a value begins */
    IN_KEY,   /* inside a string that is a key, or a value */
    IN_STRING,
    BEHIND_VALUE
};

struct scan {
    const char *text, *end;
    const char *pause;                  /* behind this place it pauses; at `end` it never does */
    enum place place;                   /* of `at`, when it has paused */
    const char *begin, *key, *expected; /* of the value; of the key that it is in; what must stand at `at` */
    bool has_nul;                       /* the last string */
    size_t most_keys;                   /* to be compared before it pauses */
    const char *at, *why;               /* where it went wrong; what was expected, or what is wrong */
    int failed;
    struct px_json_scan count;
    size_t most_values, limit; /* limit: the one that was hit */
    size_t dropped;            /* bytes that decoding takes away from the last string */
    unsigned depth, most_depth;
    struct px_json_keys keys;
    struct level levels[MOST_DEPTH + 1];
};

/* What follows takes the byte that is looked at, and gives the one behind what it has read; NULL: it has failed. (A place
 * that is handed on stays in a register; one that is kept in the struct goes through memory with every step.) */

static const char *fail(struct scan *s, const char *at, int code, const char *why) {
    s->at = at;
    s->why = why;
    s->failed = code;
    return NULL;
}

static const char *pause_at(struct scan *s, const char *at, enum place place) {
    s->at = at;
    s->place = place;
    s->failed = PAUSED;
    return NULL;
}

static const char *wrong(struct scan *s, const char *at, const char *why) {
    return fail(s, at, -EINVAL, why);
}

static const char *too_much(struct scan *s, const char *at, size_t limit, const char *why) {
    s->limit = limit;
    return fail(s, at, -EMSGSIZE, why);
}

/* ---- strings and numbers ---- */

/* p: a backslash. */
static const char *scan_escape(struct scan *s, const char *p, unsigned *ret_bytes, char bytes[4]) {
    const char *at = p;
    *ret_bytes = px_unescape(&p, s->end, bytes);
    if (*ret_bytes)
        return p;
    if (s->end - at < 2)
        return wrong(s, s->end, "expected the closing quote");
    if (at[1] != 'u')
        return wrong(s, at, "no such escape: expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    if (s->end - at < 6 || px_hex4(at + 2) < 0)
        return wrong(s, at, "expected four hexadecimal digits behind \\u");
    return wrong(s, at, "half a surrogate pair");
}

/* p: in a string. */
static const char *scan_string_on(struct scan *s, const char *p) {
    for (;; p = px_plain_end(p, s->end)) {
        if (p == s->end)
            return wrong(s, p, "expected the closing quote");
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            break;
        if (p > s->pause)
            return pause_at(s, p, IN_STRING);
        if (c == '\\') {
            char bytes[4];
            unsigned n;
            const char *behind = scan_escape(s, p, &n, bytes);
            if (!behind)
                return NULL;
            s->has_nul |= n == 1 && bytes[0] == 0;
            s->dropped += (size_t)(behind - p) - n;
            p = behind;
        } else if (c < 0x20) {
            return wrong(s, p, "control characters must be escaped in a string");
        } else {
            int n = px_utf8_step(p, s->end);
            if (n < 0)
                return wrong(s, p, "not UTF-8");
            p += n;
        }
    }
    s->count.nul += s->has_nul;
    return p + 1;
}

/* p: the first byte of a string that is not plain. */
static const char *scan_string_rest(struct scan *s, const char *p) {
    s->has_nul = false;
    s->dropped = 0;
    return scan_string_on(s, p);
}

/* p: behind the opening quote. */
static inline const char *scan_string(struct scan *s, const char *p) {
    p = px_plain_end(p, s->end);
    if (p == s->end || *p != '"')
        return scan_string_rest(s, p);
    s->dropped = 0;
    return p + 1;
}

static inline const char *digits_end(const char *p, const char *end) {
    const char *soon = end - p > MANY_DIGITS ? p + MANY_DIGITS : end;
    while (p < soon && px_is_digit(*p))
        p++;
    return p == soon ? px_digits_end(p, end) : p;
}

/* p: '-' or a digit. */
static const char *scan_number(struct scan *s, const char *p) {
    const char *begin = p, *end = s->end;
    bool fast = *p != '-';
    p += *p == '-';
    const char *digits = p;
    if (p == end || !px_is_digit(*p))
        return wrong(s, p, "expected a digit");
    p = digits_end(p, end);
    if (*digits == '0' && p - digits > 1)
        return wrong(s, digits + 1, "a number must not begin with 0");
    fast |= *digits != '0'; /* minus zero has to be looked at */
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = digits_end(p, end);
        if (p == fraction)
            return wrong(s, p, "expected a digit behind the point");
    }
    fast &= p - digits <= PLAIN_DIGITS;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *exponent = p;
        p = digits_end(p, end);
        if (p == exponent)
            return wrong(s, p, "expected a digit in the exponent");
        fast = false;
    }
    if (!fast && !px_number_is_exact(px_str_n(begin, (size_t)(p - begin))))
        s->count.inexact++;
    return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word, size_t n) {
    size_t i = 1;
    while (i < n && p + i < s->end && p[i] == word[i])
        i++;
    return i < n ? wrong(s, p, "expected a value") : p + n;
}

/* p: behind the key that began at `begin`. Gives where its value must begin. */
static inline const char *scan_colon(struct scan *s, const char *begin, const char *p) {
    px_str raw = px_str_n(begin, (size_t)(p - 1 - begin));
    if (px_json_keys_add(&s->keys, raw, raw.n - s->dropped))
        return fail(s, begin, -ENOMEM, NULL);
    p = px_skip_space(p, s->end);
    if (p == s->end || *p != ':')
        return wrong(s, p, "expected ':'");
    return px_skip_space(p + 1, s->end);
}

static const char *key_paused(struct scan *s, const char *begin) {
    s->key = begin;
    s->place = IN_KEY;
    return NULL;
}

/* p: where a key must begin. Gives where its value must begin. */
static const char *scan_key(struct scan *s, const char *p, const char *expected) {
    if (p == s->end || *p != '"')
        return wrong(s, p, expected);
    const char *begin = ++p;
    p = scan_string(s, p);
    return p ? scan_colon(s, begin, p) : key_paused(s, begin);
}

/* ---- values ---- */

/* p: the opening bracket. */
static const char *open_level(struct scan *s, const char *p) {
    if (s->depth == s->most_depth)
        return too_much(s, p, s->most_depth, "levels of nesting");
    s->levels[++s->depth] = (struct level){(uint32_t)s->keys.n, *p == '{'};
    s->count.depth = PX_MAX(s->count.depth, s->depth);
    return p + 1;
}

/* p: the closing bracket. */
static const char *close_level(struct scan *s, const char *p) {
    const struct level *level = &s->levels[s->depth];
    size_t at = 0;
    int r = level->is_object ? px_json_keys_close_some(&s->keys, level->first_key, s->most_keys, &at) : 0;
    if (r == PAUSED)
        return pause_at(s, p, BEHIND_VALUE);
    s->depth--;
    if (r == -EEXIST)
        return wrong(s, s->text + at, "the same key twice in one object");
    return r ? fail(s, p, r, NULL) : p + 1;
}

/* A scalar, or the opening of a container. */
static inline const char *scan_value(struct scan *s, const char *p, const char *expected) {
    if (p == s->end)
        return wrong(s, p, expected);
    if (++s->count.values > s->most_values)
        return too_much(s, p, s->most_values, "values");
    switch (*p) {
    case '"': return scan_string(s, p + 1);
    case '{':
    case '[': return open_level(s, p);
    case 't': return scan_word(s, p, "true", 4);
    case 'f': return scan_word(s, p, "false", 5);
    case 'n': return scan_word(s, p, "null", 4);
    default: return *p == '-' || px_is_digit(*p) ? scan_number(s, p) : wrong(s, p, expected);
    }
}

/* p: behind a value. Closes what ends here; gives where the next value begins, unless the depth is 0. */
static inline const char *scan_between(struct scan *s, const char *p) {
    while (p && s->depth) {
        bool is_object = s->levels[s->depth].is_object;
        p = px_skip_space(p, s->end);
        char c = p < s->end ? *p : 0;
        if (c == ',') {
            p = px_skip_space(p + 1, s->end);
            return is_object ? scan_key(s, p, "expected a key in quotes") : p;
        }
        if (c != (is_object ? '}' : ']') || p == s->end)
            return wrong(s, p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        p = close_level(s, p);
    }
    return p;
}

/* p: behind an opening bracket. *ret_empty: it closed again; else what is given is where the first value begins. */
static inline const char *scan_first(struct scan *s, const char *p, bool *ret_empty,
                                     const char **ret_expected) {
    bool is_object = s->levels[s->depth].is_object;
    p = px_skip_space(p, s->end);
    *ret_empty = p < s->end && *p == (is_object ? '}' : ']');
    *ret_expected = is_object ? "expected a value" : "expected a value or ']'";
    if (*ret_empty)
        return close_level(s, p);
    return is_object ? scan_key(s, p, "expected a key in quotes or '}'") : p;
}

/* Where it has paused, or nothing was looked at yet. Gives where the next value begins, unless the depth is 0. */
static const char *resume(struct scan *s) {
    const char *p = s->at;
    switch (s->place) {
    case AT_VALUE: return p;
    case IN_KEY: p = scan_string_on(s, p); return p ? scan_colon(s, s->key, p) : key_paused(s, s->key);
    case IN_STRING: p = scan_string_on(s, p); return p ? scan_between(s, p) : NULL;
    case BEHIND_VALUE: return scan_between(s, p);
    }
    return NULL;
}

/* 0; PAUSED; or what is wrong. */
static int scan_text(struct scan *s) {
    const char *expected = s->expected, *p = resume(s);
    bool more = s->place == AT_VALUE || s->depth;
    while (p && more) {
        bool opened = p < s->end && (*p == '{' || *p == '['), empty = false;
        p = scan_value(s, p, expected);
        expected = "expected a value";
        if (p && opened)
            p = scan_first(s, p, &empty, &expected);
        if (p && (!opened || empty))
            p = scan_between(s, p);
        more = s->depth;
        if (p > s->pause && more) {
            s->expected = expected;
            p = pause_at(s, p, AT_VALUE);
        }
    }
    if (!p) {
        if (s->failed == PAUSED && s->place != AT_VALUE)
            s->expected = "expected a value";
        return s->failed;
    }
    s->count.value = px_str_n(s->begin, (size_t)(p - s->begin));
    p = px_skip_space(p, s->end);
    if (p < s->end)
        wrong(s, p, "expected the end after one value");
    return s->failed;
}

/* The words: what was expected, where, and what stands there (a printable byte as itself, others by number).
 */
static int explain(const struct scan *s, int r, struct px_err *err) {
    size_t at = (size_t)(s->at - s->text);
    if (r == -ENOMEM)
        return px_err_set(err, r, "out of memory while reading JSON");
    if (r == -EMSGSIZE)
        return px_err_set(err, r, "JSON at byte %zu: more than %zu %s", at, s->limit, s->why);
    if (s->at == s->end)
        return px_err_set(err, r, "not JSON at byte %zu: %s, but the text ends", at, s->why);
    unsigned char c = (unsigned char)*s->at;
    if (c > 0x20 && c < 0x7f)
        return px_err_set(err, r, "not JSON at byte %zu: %s, found '%c'", at, s->why, c);
    return px_err_set(err, r, "not JSON at byte %zu: %s, found byte 0x%02x", at, s->why, c);
}

static int too_long(const struct px_json_limits *limits, size_t n, size_t *ret_at, struct px_err *err) {
    size_t most = PX_MIN(limits && limits->bytes ? limits->bytes : DEFAULT_BYTES, MOST_BYTES);
    if (n <= most)
        return 0;
    if (ret_at)
        *ret_at = most;
    return px_err_set(err, -EMSGSIZE, "JSON of %zu bytes: more than the limit of %zu", n, most);
}

/* Not all of it: levels stay as they are. */
static void begin(struct scan *s, px_str text, const struct px_json_limits *limits) {
    struct px_json_limits most = limits ? *limits : (struct px_json_limits){0};
    s->text = text.p ? text.p : "";
    s->end = s->pause = s->text + (text.p ? text.n : 0);
    s->begin = s->at = px_skip_space(s->text, s->end);
    s->place = AT_VALUE;
    s->expected = "expected a value";
    s->failed = 0;
    s->count = (struct px_json_scan){0};
    s->most_values = most.values ? most.values : DEFAULT_VALUES;
    s->most_keys = SIZE_MAX;
    s->depth = 0;
    s->most_depth = PX_MIN(most.depth ? most.depth : DEFAULT_DEPTH, MOST_DEPTH);
    px_json_keys_init(&s->keys, px_str_n(s->text, (size_t)(s->end - s->text)));
}

static int tell(const struct scan *s, int r, struct px_json_scan *ret, size_t *ret_at, struct px_err *err) {
    if (!r) {
        *ret = s->count;
        return 0;
    }
    if (ret_at)
        *ret_at = (size_t)(s->at - s->text);
    return explain(s, r, err);
}

int px_json_scan(px_str text, const struct px_json_limits *limits, struct px_json_scan *ret, size_t *ret_at,
                 struct px_err *err) {
    struct scan s;
    int r = too_long(limits, text.n, ret_at, err);
    if (r)
        return r;
    begin(&s, text, limits);
    r = scan_text(&s);
    px_json_keys_finish(&s.keys);
    return tell(&s, r, ret, ret_at, err);
}

/* ---- in steps ---- */

struct px_json_scanner {
    int over; /* too long, from the beginning */
    size_t over_at;
    struct px_err err;
    struct scan scan;
};

struct px_json_scanner *px_json_scanner_create(px_str text, const struct px_json_limits *limits) {
    struct px_json_scanner *scanner = malloc(sizeof *scanner);
    if (!scanner)
        return NULL;
    scanner->over = too_long(limits, text.n, &scanner->over_at, &scanner->err);
    begin(&scanner->scan, text, limits);
    return scanner;
}

void px_json_scanner_destroy(struct px_json_scanner *scanner) {
    if (!scanner)
        return;
    px_json_keys_finish(&scanner->scan.keys);
    free(scanner);
}

int px_json_scanner_step(struct px_json_scanner *scanner, size_t bytes, struct px_json_scan *ret,
                         size_t *ret_at, struct px_err *err) {
    struct scan *s = &scanner->scan;
    if (scanner->over) {
        if (ret_at)
            *ret_at = scanner->over_at;
        return px_err_set(err, scanner->over, "%s", scanner->err.msg);
    }
    bytes = PX_MAX(bytes, (size_t)1);
    s->pause = s->at + PX_MIN(bytes, (size_t)(s->end - s->at));
    s->most_keys = 1 + bytes / BYTES_PER_KEY;
    s->failed = 0;
    int r = scan_text(s);
    return r == PAUSED ? 1 : tell(s, r, ret, ret_at, err);
}
