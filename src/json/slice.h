/* slice.h: reading JSON as slices of its own text, without a tree. The text must have passed px_json_scan.
 * A slice is a whole value, without white space around it. Nothing allocates, except decoding. */
#ifndef PX_JSON_SLICE_H
#define PX_JSON_SLICE_H

#include "base/arena.h"
#include "base/buf.h"

enum px_json_type {
    PX_JSON_NONE = 0, /* absent */
    PX_JSON_NULL,
    PX_JSON_FALSE,
    PX_JSON_TRUE,
    PX_JSON_NUMBER,
    PX_JSON_STRING,
    PX_JSON_ARRAY,
    PX_JSON_OBJECT
};

enum px_json_type px_json_slice_type(px_str value);
/** "null", "boolean", "number", "string", "array", "object", "nothing". */
const char *px_json_type_name(enum px_json_type type);

/** Walk an array or object; *pos starts at 0. 1: *ret_value is the next, and *ret_key its raw, quoted key (absent for an
 *  array); 0: the end; -EINVAL: not a container, or not valid JSON. ret_key may be NULL. */
int px_json_slice_next(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value);
/** The member of an object by its decoded key. 0; -ENOENT; -EINVAL: not an object. */
int px_json_slice_get(px_str object, px_str key, px_str *ret_value);
/** The value at an RFC 6901 pointer ("" is the whole). -ENOENT; -EINVAL: not a pointer. */
int px_json_slice_at(px_str doc, px_str pointer, px_str *ret_value);
/** Whether a raw, quoted string decodes to `text`. */
bool px_json_slice_is(px_str raw_string, px_str text);

/** Decode a string. Without escapes *ret points into the text itself; with escapes, into the arena. -EINVAL: not a string;
 *  -ENOMEM. The result may hold NUL bytes. */
PX_MUSTCHECK int px_json_slice_text(struct px_arena *arena, px_str raw_string, px_str *ret);
/** Exact: -EINVAL: not an integer in mathematical value (1e3 and 2.0 are integers), -ERANGE: does not fit. */
PX_MUSTCHECK int px_json_slice_i64(px_str value, int64_t *ret);
PX_MUSTCHECK int px_json_slice_u64(px_str value, uint64_t *ret);
/** Bytes of white space removed from between tokens; strings and numbers byte for byte as they were. */
int px_json_slice_compact(struct px_buf *to, px_str value);

#endif
