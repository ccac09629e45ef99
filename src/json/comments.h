/* comments.h: JSON with comments, for configuration. Comments (two slashes to the end of the line, slash-star to star-slash)
 * outside strings, and a comma before a closing bracket, become spaces: every byte keeps its offset, so an error has its line. */
#ifndef PX_JSON_COMMENTS_H
#define PX_JSON_COMMENTS_H

#include "base/err.h"
#include "base/str.h"

/** In place; line ends stay. -EINVAL: a comment that never ends (*ret_at, may be NULL: where it began). */
PX_MUSTCHECK int px_json_blank_comments(char *text, size_t n, size_t *ret_at, struct px_err *err);
/** The line and column (both from 1, columns in bytes) of an offset. */
void px_json_line_of(px_str text, size_t at, unsigned *ret_line, unsigned *ret_column);
/** Where in `text` the value at an RFC 6901 pointer begins (or, `of_key`, the key that leads to it): for errors that name a
 *  pointer. -ENOENT. The text must have passed px_json_scan. */
PX_MUSTCHECK int px_json_locate(px_str text, px_str pointer, bool of_key, size_t *ret_at);

#endif
