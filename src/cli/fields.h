/* fields.h: reading members of answers without a word about what is missing: an absent or odd member is absent, 0, false.
 * What the host sends is checked JSON, but its content is not trusted to have a certain shape. */
#ifndef PX_CLI_FIELDS_H
#define PX_CLI_FIELDS_H

#include "json/slice.h"

/** The value of a member, raw; absent when there is none (or `object` is not an object). */
px_str px_field(px_str object, const char *key);
/** A string's text, decoded, NUL-terminated in the arena; "" with p != NULL never stands for absent. */
px_str px_field_text(struct px_arena *arena, px_str object, const char *key);
int64_t px_field_i64(px_str object, const char *key, int64_t otherwise);
uint64_t px_field_u64(px_str object, const char *key);
bool px_field_true(px_str object, const char *key);
/** Any value as a person reads it: a string's text, or the JSON; absent stays absent. In the arena. */
px_str px_value_text(struct px_arena *arena, px_str value);

#endif
