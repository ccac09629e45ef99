#include "json/schema_number.h"
#include "json/number.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

/* Exponents saturate: no text is long enough to bring one back. */
#define FAR ((int64_t)1 << 58)

enum {
    MOST_DIGITS = 19, /* fit 64 bits */
    MOST_FACTORS = 64 /* of 2 or of 5 in a number of 64 bits */
};

/* The value is its digits, as an integer, × 10^this. */
static int64_t last_place(const struct px_decimal *d) {
    int64_t exponent = 0;
    for (size_t i = 0; i < d->exponent.n && exponent < FAR; i++)
        exponent = exponent * 10 + (d->exponent.p[i] - '0');
    exponent = PX_MIN(exponent, FAR);
    return (d->exponent_negative ? -exponent : exponent) + d->shift - (int64_t)d->n;
}

static void read_number(const struct px_json *number, char room[32], struct px_decimal *ret) {
    px_str exact;
    double value = px_json_number(number, &exact);
    if (!exact.p)
        exact = px_str_n(room, (size_t)snprintf(room, 32, "%.*g", DBL_DIG, value));
    px_decimal_read(exact, ret);
}

int px_divisor_read(const struct px_json *number, struct px_divisor *ret) {
    char room[32];
    struct px_decimal d;
    int64_t whole;
    read_number(number, room, &d);
    if (!d.n || d.negative)
        return -EINVAL;
    if (d.n > MOST_DIGITS)
        return -ERANGE;
    *ret = (struct px_divisor){.exponent = last_place(&d)};
    for (const char *p = d.p; p < d.end; p++) {
        if (*p != '.')
            ret->digits = ret->digits * 10 + (uint64_t)(*p - '0');
    }
    if (px_json_i64(number, &whole) == 0)
        ret->whole = (uint64_t)whole;
    return 0;
}

__extension__ typedef unsigned __int128 wide;

bool px_divisor_divides(const struct px_divisor *divisor, const struct px_json *number, uint64_t *work) {
    px_str exact;
    double value = px_json_number(number, &exact);
    if (divisor->whole && !exact.p && value == floor(value) && fabs(value) < 1e15)
        return (uint64_t)fabs(value) % divisor->whole == 0;
    char room[32];
    struct px_decimal d;
    read_number(number, room, &d);
    *work += d.n / 4 + 1;
    if (!d.n)
        return true;
    /* digits × 10^k must be a multiple of divisor->digits. Neither ends in a zero, so with k < 0 it is not. */
    int64_t k = last_place(&d) - divisor->exponent;
    if (k < 0)
        return false;
    uint64_t rest = 0;
    for (const char *p = d.p; p < d.end; p++) {
        if (*p != '.')
            rest = (uint64_t)(((wide)rest * 10 + (wide)(*p - '0')) % divisor->digits);
    }
    /* More tens than the divisor can have factors 2 and 5 change nothing. */
    for (int64_t i = 0; i < PX_MIN(k, (int64_t)MOST_FACTORS) && rest; i++)
        rest = (uint64_t)((wide)rest * 10 % divisor->digits);
    return rest == 0;
}
