/* schema_number.h: multipleOf, exactly: 4.35 is a multiple of 0.01. The cost is linear in the number's text,
 * whatever its exponent says. */
#ifndef PX_JSON_SCHEMA_NUMBER_H
#define PX_JSON_SCHEMA_NUMBER_H

#include "json/schema_node.h"

/** -EINVAL: not above 0; -ERANGE: more than 19 significant digits. */
PX_MUSTCHECK int px_divisor_read(const struct px_json *number, struct px_divisor *ret);
/** *work is increased by the digits that were looked at. */
bool px_divisor_divides(const struct px_divisor *divisor, const struct px_json *number, uint64_t *work);

#endif
