/* number.h: decimal numbers of any size, exactly, as JSON writes them; private to this room.
 * Works on the text: nothing is allocated, and the cost is linear in the text, whatever the exponent says. */
#ifndef PX_JSON_NUMBER_H
#define PX_JSON_NUMBER_H

#include "base/str.h"

/* value = ± 0.DIGITS × 10^(exponent + shift); DIGITS without zeros at either end */
struct px_decimal {
    const char *p, *end; /* from the first significant digit to behind the last; one '.' may stand between */
    size_t n;            /* significant digits; 0: the value is zero */
    int64_t shift;
    px_str exponent; /* digits of the written exponent without zeros in front; may be empty */
    bool negative, exponent_negative;
};

/** `text` is a valid JSON number and outlives *ret. */
void px_decimal_read(px_str text, struct px_decimal *ret);
/** -1, 0, 1. */
int px_decimal_cmp(const struct px_decimal *a, const struct px_decimal *b);
/** Equal for equal values. */
uint64_t px_decimal_hash(const struct px_decimal *d);
bool px_decimal_is_integer(const struct px_decimal *d);
/** Whether at most 15 significant digits and a moderate exponent let a double carry it: distinct such values
 * are distinct doubles in the same order, and "%.15g" gives the value back. */
bool px_decimal_is_simple(const struct px_decimal *d);
/** -EINVAL: not an integer; -ERANGE. */
PX_MUSTCHECK int px_decimal_u64(const struct px_decimal *d, uint64_t *ret); /* minus zero is 0 */
PX_MUSTCHECK int px_decimal_i64(const struct px_decimal *d, int64_t *ret);

/** Whether cJSON's double, printed again, is this number in value and in kind (an integer stays digits). */
bool px_number_is_exact(px_str text);

#endif
