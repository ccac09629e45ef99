#include "json/number.h"
#include "json/text.h"
#include <errno.h>

/* Exponents saturate here: far above any shift that a text can cause, far below overflow. */
#define FAR ((int64_t)1 << 58)

enum {
    SIMPLE_DIGITS = 15,     /* DBL_DIG */
    SIMPLE_EXPONENT = 300,  /* inside the range of normal doubles */
    CJSON_NUMBER_BYTES = 63 /* cJSON reads no more of a number */
};

static px_str without_zeros(const char *p, const char *end) {
    while (p < end && *p == '0')
        p++;
    return px_str_n(p, (size_t)(end - p));
}

void px_decimal_read(px_str text, struct px_decimal *ret) {
    const char *p = text.p, *end = text.p + text.n;
    *ret = (struct px_decimal){.negative = p < end && *p == '-'};
    p += ret->negative;
    const char *first = p, *point = NULL;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            point = p;
    }
    const char *stop = p;
    if (!point)
        point = p;
    if (p++ < end) {
        ret->exponent_negative = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        ret->exponent = without_zeros(p, end);
    }
    while (first < stop && (*first == '0' || *first == '.'))
        first++;
    if (first == stop)
        return; /* zero: no digits, and the exponent does not matter */
    while (stop[-1] == '0' || stop[-1] == '.')
        stop--;
    ret->p = first;
    ret->end = stop;
    ret->shift = first < point ? point - first : point + 1 - first;
    ret->n = (size_t)(stop - first) - (first < point && point < stop ? 1 : 0);
}

/* The exponent of a, minus that of b, ± FAR when it is further. Digit by digit from the front: once the
 * difference is over 2, the digits that follow cannot turn it, so that saturating is exact in sign. */
static int64_t exponent_diff(const struct px_decimal *a, const struct px_decimal *b) {
    size_t n = PX_MAX(a->exponent.n, b->exponent.n);
    int64_t diff = 0;
    for (size_t i = n; i > 0; i--) {
        int da = i <= a->exponent.n ? a->exponent.p[a->exponent.n - i] - '0' : 0;
        int db = i <= b->exponent.n ? b->exponent.p[b->exponent.n - i] - '0' : 0;
        diff = diff * 10 + (a->exponent_negative ? -da : da) - (b->exponent_negative ? -db : db);
        if (diff > FAR || diff < -FAR)
            return diff > 0 ? FAR : -FAR;
    }
    return diff;
}

/* The power of ten in front of which all digits stand: value = 0.DIGITS × 10^this. */
static int64_t magnitude(const struct px_decimal *d) {
    static const struct px_decimal zero;
    return exponent_diff(d, &zero) + d->shift;
}

static int digits_cmp(const struct px_decimal *a, const struct px_decimal *b) {
    const char *p = a->p, *q = b->p;
    for (;;) {
        p += p < a->end && *p == '.';
        q += q < b->end && *q == '.';
        if (p == a->end || q == b->end)
            return p == a->end ? (q == b->end ? 0 : -1) : 1;
        if (*p != *q)
            return *p < *q ? -1 : 1;
        p++;
        q++;
    }
}

int px_decimal_cmp(const struct px_decimal *a, const struct px_decimal *b) {
    int sign_a = a->n == 0 ? 0 : a->negative ? -1 : 1, sign_b = b->n == 0 ? 0 : b->negative ? -1 : 1;
    if (sign_a != sign_b || sign_a == 0)
        return sign_a < sign_b ? -1 : sign_a > sign_b;
    int64_t further = exponent_diff(a, b) + a->shift - b->shift;
    int order = further ? (further < 0 ? -1 : 1) : digits_cmp(a, b);
    return sign_a * order;
}

uint64_t px_decimal_hash(const struct px_decimal *d) {
    if (!d->n)
        return px_json_mix(px_json_seed(), 1);
    /* The exponent modulo 2^64: equal values agree in it, however it was written. */
    uint64_t exponent = 0;
    for (size_t i = 0; i < d->exponent.n; i++)
        exponent = exponent * 10 + (uint64_t)(d->exponent.p[i] - '0');
    exponent = (d->exponent_negative ? 0 - exponent : exponent) + (uint64_t)d->shift;
    uint64_t h = px_json_mix(px_json_seed() ^ exponent, d->negative ? 3 : 2);
    uint64_t word = 0;
    size_t in_word = 0;
    for (const char *p = d->p; p < d->end; p++) {
        if (*p == '.')
            continue;
        word = word * 10 + (uint64_t)(*p - '0');
        if (++in_word == 18) {
            h = px_json_mix(h ^ word, px_json_seed());
            word = in_word = 0;
        }
    }
    return px_json_mix(h ^ word, px_json_seed() + in_word);
}

bool px_decimal_is_integer(const struct px_decimal *d) {
    return d->n == 0 || magnitude(d) >= (int64_t)d->n;
}

bool px_decimal_is_simple(const struct px_decimal *d) {
    int64_t m = magnitude(d);
    return d->n == 0 || (d->n <= SIMPLE_DIGITS && m <= SIMPLE_EXPONENT && m >= -SIMPLE_EXPONENT);
}

int px_decimal_u64(const struct px_decimal *d, uint64_t *ret) {
    uint64_t value = 0;
    if (!px_decimal_is_integer(d))
        return -EINVAL;
    int64_t places = d->n ? magnitude(d) : 0;
    if (d->n && (d->negative || places > 20))
        return -ERANGE;
    const char *p = d->p;
    for (int64_t i = 0; i < places; i++) {
        p += p < d->end && *p == '.';
        uint64_t digit = p < d->end ? (uint64_t)(*p++ - '0') : 0;
        if (value > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        value = value * 10 + digit;
    }
    *ret = value;
    return 0;
}

int px_decimal_i64(const struct px_decimal *d, int64_t *ret) {
    struct px_decimal positive = *d;
    uint64_t value;
    positive.negative = false;
    int r = px_decimal_u64(&positive, &value);
    if (r)
        return r;
    if (value > (uint64_t)INT64_MAX + (d->negative ? 1 : 0))
        return -ERANGE;
    *ret = (int64_t)(d->negative ? 0 - value : value);
    return 0;
}

bool px_number_is_exact(px_str text) {
    struct px_decimal d;
    if (text.n > CJSON_NUMBER_BYTES)
        return false;
    px_decimal_read(text, &d);
    if (!px_decimal_is_simple(&d))
        return false;
    if (!d.n)
        return !d.negative; /* minus zero loses its sign */
    bool plain = !memchr(text.p, '.', text.n) && !d.exponent.p;
    return !plain || d.shift <= SIMPLE_DIGITS; /* 1e15 and over would turn from digits into 1e+15 */
}
