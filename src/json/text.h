/* text.h: the byte work that scanning, slicing and writing share; private to this room.
 * Sixteen bytes a step where the processor has SSE2, eight where it has not and for the rest (SWAR: exact for the lowest
 * flagged byte of a little-endian word). */
#ifndef PX_JSON_TEXT_H
#define PX_JSON_TEXT_H

#include "base/str.h"
#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define PX_ONES  0x0101010101010101ull
#define PX_HIGHS 0x8080808080808080ull

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the SWAR steps count on little-endian words"
#endif

static inline uint64_t px_load8(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/** Bytes of a word that equal `c`, as high bits; true at least up to the lowest. */
static inline uint64_t px_bytes_equal(uint64_t word, unsigned char c) {
    uint64_t x = word ^ (PX_ONES * c);
    return (x - PX_ONES) & ~x & PX_HIGHS;
}

/** Bytes that a string may not hold as they are, or that need a closer look: a quote, a backslash, below 0x20, above 0x7f;
 *  as px_bytes_equal. */
static inline uint64_t px_not_plain(uint64_t word) {
    uint64_t control = (word - PX_ONES * 0x20) & ~word & PX_HIGHS;
    return control | (word & PX_HIGHS) | px_bytes_equal(word, '"') | px_bytes_equal(word, '\\');
}
static inline bool px_is_plain(char c) {
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

#ifdef __SSE2__
static inline __m128i px_load16(const char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
static inline __m128i px_equal16(__m128i bytes, char c) {
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}
/** Bit by bit, which of the sixteen are flagged. */
static inline unsigned px_flags16(__m128i flagged) {
    return (unsigned)_mm_movemask_epi8(flagged);
}
#endif

/** The first byte that is not plain; `end` when there is none. */
static inline const char *px_plain_end(const char *p, const char *end) {
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = px_load16(p);
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: above 0x7f too */
        __m128i marks = _mm_or_si128(px_equal16(bytes, '"'), px_equal16(bytes, '\\'));
        unsigned stop = px_flags16(_mm_or_si128(low, marks));
        if (stop)
            return p + __builtin_ctz(stop);
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t stop = px_not_plain(px_load8(p));
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
        p += 8;
    }
    while (p < end && px_is_plain(*p))
        p++;
    return p;
}

/** The first quote or backslash; `end` when there is none. */
static inline const char *px_quote_end(const char *p, const char *end) {
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = px_load16(p);
        unsigned stop = px_flags16(_mm_or_si128(px_equal16(bytes, '"'), px_equal16(bytes, '\\')));
        if (stop)
            return p + __builtin_ctz(stop);
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t word = px_load8(p);
        uint64_t stop = px_bytes_equal(word, '"') | px_bytes_equal(word, '\\');
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/** p: an opening quote. The byte behind the closing one; NULL: there is none. */
static inline const char *px_string_end(const char *p, const char *end) {
    for (p++;;) {
        p = px_quote_end(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        if (end - p < 2)
            return NULL;
        p += 2;
    }
}

static inline bool px_is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/** Where a run of digits, or of white space, ends; sixteen bytes a step. In text.c. */
const char *px_digits_end(const char *p, const char *end);
const char *px_space_end(const char *p, const char *end);

/** Mostly there is none, or one: what a branch foretells costs less than what is computed. */
static inline const char *px_skip_space(const char *p, const char *end) {
    if (p >= end || (unsigned char)*p > ' ')
        return p;
    if (end - p > 1 && *p == ' ' && (unsigned char)p[1] > ' ')
        return p + 1;
    return px_space_end(p, end);
}

/** Without the white space around it. */
static inline px_str px_trim(px_str s) {
    if (!s.n)
        return s;
    const char *end = s.p + s.n, *p = px_skip_space(s.p, end);
    while (end > p && px_is_space(end[-1]))
        end--;
    return px_str_n(p, (size_t)(end - p));
}

/** p: where a value begins. The byte behind it; NULL: that is no value. In slice.c. */
const char *px_json_value_end(const char *p, const char *end);

static inline bool px_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/** The length of the UTF-8 sequence at p (p < end), or minus the length of the longest start of one (at least
 * 1). */
static inline int px_utf8_step(const char *p, const char *end) {
    const unsigned char *u = (const unsigned char *)p;
    ptrdiff_t left = end - p;
    unsigned low = 0x80, high = 0xbf;
    int n;
    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || u[0] > 0xf4)
        return -1;
    n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (u[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (u[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (u[0] == 0xf0)
        low = 0x90;
    else if (u[0] == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    for (int i = 1; i < n; i++) {
        if (i >= left || u[i] < low || u[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

/** Four hexadecimal digits; -1: they are not. */
static inline int px_hex4(const char *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = px_is_digit(c)         ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static inline unsigned px_utf8_put(char *to, uint32_t c) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/** The character of a one-letter escape (the byte behind the backslash); 0: there is none. */
static inline char px_short_escape(char c) {
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/** Decode the escape at *p (a backslash): put its bytes (up to 4) and move *p behind it. 0: not a valid
 * escape, or half a surrogate pair; *p stays. */
static inline unsigned px_unescape(const char **p, const char *end, char to[4]) {
    const char *at = *p;
    if (end - at < 2)
        return 0;
    if (at[1] != 'u') {
        to[0] = px_short_escape(at[1]);
        *p = to[0] ? at + 2 : at;
        return to[0] ? 1 : 0;
    }
    int unit = end - at < 6 ? -1 : px_hex4(at + 2);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return 0;
    if (unit < 0xd800 || unit > 0xdfff) {
        *p = at + 6;
        return px_utf8_put(to, (uint32_t)unit);
    }
    int low = end - at < 12 || at[6] != '\\' || at[7] != 'u' ? -1 : px_hex4(at + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *p = at + 12;
    return px_utf8_put(to, 0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

/** A hash seeded per process: what comes from outside cannot be made to collide. */
uint64_t px_json_seed(void);
uint64_t px_json_hash_bytes(px_str s);

/** Mix two words into one. */
static inline uint64_t px_json_mix(uint64_t a, uint64_t b) {
    __extension__ unsigned __int128 product =
        (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xd6e8feb86659fd93ull);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The same hash step by step: start with the length, a word for each eight bytes, end with the rest (zeros
 * behind). */
static inline uint64_t px_json_hash_start(uint64_t n) {
    return px_json_mix(px_json_seed(), n);
}
static inline uint64_t px_json_hash_word(uint64_t h, uint64_t word) {
    return px_json_mix(h ^ word, px_json_seed() + 0x2545f4914f6cdd1dull);
}
static inline uint64_t px_json_hash_end(uint64_t h, uint64_t rest) {
    return px_json_mix(h ^ rest, px_json_seed());
}

#endif
