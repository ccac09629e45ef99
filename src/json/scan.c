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
    const char *text, *end;
    const char *at, *why; /* where it went wrong; what was expected, or what is wrong */
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

/* p: the first byte of a string that is not plain. */
static const char *scan_string_rest(struct scan *s, const char *p) {
    bool nul = false;
    s->dropped = 0;
    for (;; p = px_plain_end(p, s->end)) {
        if (p == s->end)
            return wrong(s, p, "expected the closing quote");
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            break;
        if (c == '\\') {
            char bytes[4];
            unsigned n;
            const char *behind = scan_escape(s, p, &n, bytes);
            if (!behind)
                return NULL;
            nul |= n == 1 && bytes[0] == 0;
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
    s->count.nul += nul;
    return p + 1;
}

/* p: behind the opening quote. */
static inline const char *scan_string(struct scan *s, const char *p) {
    p = px_plain_end(p, s->end);
    if (p == s->end || *p != '"')
        return scan_string_rest(s, p);
    s->dropped = 0;
    return p + 1;
}

/* p: '-' or a digit. */
static const char *scan_number(struct scan *s, const char *p) {
    const char *begin = p, *end = s->end;
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
    return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word, size_t n) {
    size_t i = 1;
    while (i < n && p + i < s->end && p[i] == word[i])
        i++;
    return i < n ? wrong(s, p, "expected a value") : p + n;
}

/* p: where a key must begin. Gives where its value must begin. */
static const char *scan_key(struct scan *s, const char *p, const char *expected) {
    if (p == s->end || *p != '"')
        return wrong(s, p, expected);
    const char *begin = ++p;
    p = scan_string(s, p);
    if (!p)
        return NULL;
    px_str raw = px_str_n(begin, (size_t)(p - 1 - begin));
    if (px_json_keys_add(&s->keys, raw, raw.n - s->dropped))
        return fail(s, begin, -ENOMEM, NULL);
    p = px_skip_space(p, s->end);
    if (p == s->end || *p != ':')
        return wrong(s, p, "expected ':'");
    return px_skip_space(p + 1, s->end);
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
    const struct level *level = &s->levels[s->depth--];
    size_t at = 0;
    int r = level->is_object ? px_json_keys_close(&s->keys, level->first_key, &at) : 0;
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

static int scan_text(struct scan *s) {
    const char *expected = "expected a value";
    const char *p = px_skip_space(s->text, s->end), *begin = p;
    do {
        bool opened = p < s->end && (*p == '{' || *p == '['), empty = false;
        p = scan_value(s, p, expected);
        expected = "expected a value";
        if (p && opened)
            p = scan_first(s, p, &empty, &expected);
        if (p && (!opened || empty))
            p = scan_between(s, p);
        if (!p)
            return s->failed;
    } while (s->depth);
    s->count.value = px_str_n(begin, (size_t)(p - begin));
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
    s.text = text.p ? text.p : "";
    s.end = s.text + (text.p ? text.n : 0);
    s.failed = 0;
    s.count = (struct px_json_scan){0};
    s.most_values = most.values ? most.values : DEFAULT_VALUES;
    s.depth = 0;
    s.most_depth = PX_MIN(most.depth ? most.depth : DEFAULT_DEPTH, MOST_DEPTH);
    px_json_keys_init(&s.keys, px_str_n(s.text, (size_t)(s.end - s.text)));
    int r = scan_text(&s);
    px_json_keys_finish(&s.keys);
    if (r) {
        if (ret_at)
            *ret_at = (size_t)(s.at - s.text);
        return explain(&s, r, err);
    }
    *ret = s.count;
    return 0;
}
