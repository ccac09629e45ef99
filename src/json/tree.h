/* tree.h: JSON as a tree, for what has to be looked at whole: schemas, instances, configuration. The one file that knows
 * cJSON is tree.c. A tree lives in an arena, is read-only, and keeps every number exact. */
#ifndef PX_JSON_TREE_H
#define PX_JSON_TREE_H

#include "base/arena.h"
#include "json/scan.h"
#include "json/slice.h"

struct px_json; /* a node */

/** Scan strictly, then parse into the arena; nothing of the text is borrowed. Errors as px_json_scan, *ret_at as there (may be
 *  NULL); -ENOMEM also when the arena's cap is reached. */
PX_MUSTCHECK int px_json_parse(struct px_arena *arena, px_str text, const struct px_json_limits *limits,
                               const struct px_json **ret, size_t *ret_at, struct px_err *err);
/** The same for text that has already passed px_json_scan with this result. */
PX_MUSTCHECK int px_json_parse_scanned(struct px_arena *arena, const struct px_json_scan *scan,
                                       const struct px_json **ret, struct px_err *err);

enum px_json_type px_json_type(const struct px_json *node); /* NULL is PX_JSON_NONE */
const struct px_json *px_json_first(
    const struct px_json *container); /* first member or element; NULL: none */
const struct px_json *px_json_next(const struct px_json *node);
size_t px_json_count(const struct px_json *container); /* walks */
px_str px_json_key(const struct px_json *member);      /* may hold NUL bytes; absent for an element */
/** Linear in the members, exact in case. NULL: none, or not an object. */
const struct px_json *px_json_get(const struct px_json *object, const char *key);
const struct px_json *px_json_get_str(const struct px_json *object, px_str key);
/** A string's text (may hold NUL bytes); absent for anything else. */
px_str px_json_text(const struct px_json *node);
/** A number: the nearest double, ±infinity beyond all of them, 0 for anything else. *ret_exact (may be NULL): its text when a
 *  double cannot carry it, else absent: then "%.15g" of the double is the number. */
double px_json_number(const struct px_json *node, px_str *ret_exact);
bool px_json_is_integer(const struct px_json *node); /* in mathematical value: 1.0 and 1e3 are */
PX_MUSTCHECK int px_json_i64(const struct px_json *node, int64_t *ret); /* as px_json_slice_i64 */
bool px_json_bool(const struct px_json *node);                          /* true only for true */
/** Equal as JSON Schema means it: 1 == 1.0, members in any order. Linear in both (hashes), exact in numbers. */
bool px_json_equal(const struct px_json *a, const struct px_json *b);
/** -1, 0, 1: exact comparison of two numbers of any size. */
int px_json_number_cmp(const struct px_json *a, const struct px_json *b);
/** A hash that is equal for equal values (in the sense of px_json_equal). */
uint64_t px_json_hash(const struct px_json *node);
/** Compact text; numbers and strings equal in value. */
int px_json_print(struct px_buf *to, const struct px_json *node);

#endif
