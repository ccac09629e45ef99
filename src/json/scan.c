#include "json/scan.h"
#include "json/keys.h"
#include "json/number.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512,
    DEFAULT_DEPTH = 64,
    DEFAULT_VALUES = 1000000,
    PLAIN_DIGITS = 15 /* a number of so few digits, without an exponent, is exact */
};
#define DEFAULT_BYTES ((size_t)64 << 20)
#define MOST_BYTES    ((size_t)INT32_MAX) /* what a key's fields hold */

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
    struct px_json_keys keys;
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

/* p: behind the opening quote. Moves behind the closing one. *ret_dropped: bytes that decoding takes away. */
static int scan_string(struct scan *s, size_t *ret_dropped) {
    bool nul = false;
    size_t dropped = 0;
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
            dropped += (size_t)(s->p - at) - n;
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
    s->p++;
    *ret_dropped = dropped;
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

/* p: where a key must begin. Moves behind its colon. */
static int scan_key(struct scan *s, const char *expected) {
    if (s->p == s->end || *s->p != '"')
        return wrong(s, s->p, expected);
    const char *begin = ++s->p;
    size_t dropped;
    int r = scan_string(s, &dropped);
    if (r)
        return r;
    px_str raw = px_str_n(begin, (size_t)(s->p - 1 - begin));
    r = px_json_keys_add(&s->keys, raw, raw.n - dropped);
    if (r)
        return r;
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
    s->levels[++s->depth] = (struct level){(uint32_t)s->keys.n, is_object};
    s->count.depth = PX_MAX(s->count.depth, s->depth);
    s->p++;
    return 0;
}

/* p: the closing bracket. */
static int close_level(struct scan *s) {
    const struct level *level = &s->levels[s->depth--];
    size_t at = 0;
    int r = level->is_object ? px_json_keys_close(&s->keys, level->first_key, &at) : 0;
    if (r == -EEXIST)
        return wrong(s, s->text + at, "the same key twice in one object");
    s->p++;
    return r;
}

/* A scalar, or the opening of a container: then *ret_opened. */
static int scan_value(struct scan *s, bool *ret_opened, const char *expected) {
    size_t dropped;
    *ret_opened = false;
    if (s->p == s->end)
        return wrong(s, s->p, expected);
    if (++s->count.values > s->most_values)
        return too_much(s, s->most_values, "values");
    switch (*s->p) {
    case '"': s->p++; return scan_string(s, &dropped);
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
    px_json_keys_init(&s.keys, px_str_n(s.text, (size_t)(s.end - s.text)));
    int r = scan_text(&s);
    px_json_keys_finish(&s.keys);
    if (r) {
        if (ret_at)
            *ret_at = (size_t)(s.p - s.text);
        return explain(&s, r, err);
    }
    *ret = s.count;
    return 0;
}
