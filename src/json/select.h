/* select.h: field selection in the partial-response syntax: which members of a value are kept.
 *
 *   selection := field *("," field)
 *   field     := path [ "(" selection ")" ]          number,title,user/login,labels(name,color)
 *   path      := name *("/" name)                     name: any characters but , / ( ) and blanks; "*": every member
 *
 * Arrays are looked through: "labels/name" keeps the name of each label. What is kept is copied byte for byte, in the order
 * of the document (numbers stay exact); a field that has "*" or no selection below it is kept whole. Blanks around
 * names mean nothing. In names, %XX stands for a byte (%2C is a comma). */
#ifndef PX_JSON_SELECT_H
#define PX_JSON_SELECT_H

#include "base/buf.h"
#include "base/err.h"

struct px_select;
enum { PX_SELECT_TEXT_MAX = 4096, PX_SELECT_FIELDS_MAX = 256, PX_SELECT_DEPTH_MAX = 16 };

/** -EINVAL with words that say at which character, -EMSGSIZE, -ENOMEM. Immutable. */
PX_MUSTCHECK int px_select_compile(px_str text, struct px_select **ret, struct px_err *err);
void px_select_destroy(struct px_select *select); /* NULL is fine */
/** Append what is kept of `value` (valid JSON, else -EINVAL), without white space between tokens. A scalar is kept as it is,
 *  also where names stand below it. One pass, whatever the nesting. Errors of the buffer.
 *  `seen` (may be NULL) has a bit for each of px_select_count fields: set for those that were met. Below null and in an empty array nothing
 *  says that a field does not exist: it counts as met. */
PX_MUSTCHECK int px_select_apply_seen(const struct px_select *select, px_str value, struct px_buf *to,
                                      uint64_t seen[PX_SELECT_FIELDS_MAX / 64]);
/** Fields that are part of another ("user/login" beside "user") do not count. */
size_t px_select_count(const struct px_select *select);
/** The path of a field, as it was written: "user/login". Borrowed. */
px_str px_select_path(const struct px_select *select, size_t field);

#endif
