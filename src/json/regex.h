/* regex.h: regular expressions as JSON Schema means them: ECMA-262 with the u flag, found anywhere in the
 * text. PCRE2 without JIT does the matching. What JavaScript spells in another way is translated; what it
 * does not have (recursion, atomic groups, verbs, …) is refused. The work of a match is bounded for all of
 * the text together: hostile patterns such as (a+)+$ end within a millisecond. */
#ifndef PX_JSON_REGEX_H
#define PX_JSON_REGEX_H

#include "base/buf.h"
#include "base/err.h"

enum { PX_REGEX_MAX_BYTES = 16384 }; /* of a pattern */

struct px_regex;

/** -EINVAL: not a regular expression that we know (err: what, and at which byte), -EMSGSIZE: too large,
 * -ENOMEM. */
PX_MUSTCHECK int px_regex_compile(px_str pattern, struct px_regex **ret, struct px_err *err);
void px_regex_destroy(struct px_regex *regex);
/** Bytes that it holds. */
size_t px_regex_size(const struct px_regex *regex);

enum px_regex_verdict {
    PX_REGEX_NO = 0,
    PX_REGEX_YES,
    PX_REGEX_GAVE_UP, /* over the limit; counts as no */
};
/** `text` that is not UTF-8 never matches. Nothing is allocated, except when one process' work area first
 * grows. *work (may be NULL) is increased by what it took, in steps of about 20 ns. Loop thread only. */
enum px_regex_verdict px_regex_search(const struct px_regex *regex, px_str text, uint64_t *work);

/** ECMA-262 to PCRE2; for px_regex_compile and its tests. -EINVAL; errors of the buffer. */
PX_MUSTCHECK int px_regex_translate(struct px_buf *to, px_str pattern, struct px_err *err);

#endif
