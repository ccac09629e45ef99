/* redact.h: secret values never leave. A value of 8 characters or more that is registered here is replaced by
 * "[redacted]" in everything the host writes: logs, errors, results. So are its base64 (all three alignments, both
 * alphabets), its percent-encoded form (either case of the digits), and the forms JSON strings give it: no more escaped
 * than it must be; with "\/"; with "<", ">" and "&" as \u00xx; with everything beyond ASCII as \uxxxx. Forms of forms
 * (base64 inside percent-encoding) are not known. Secrets that overlap in a text are covered together.
 * Loop thread only. Values are counted: added twice, removed twice. Values and forms are in locked memory (locked.h). */
#ifndef PX_BASE_REDACT_H
#define PX_BASE_REDACT_H

#include "base/buf.h"

enum { PX_REDACT_MIN = 8, PX_REDACT_MAX = 64 * 1024, PX_REDACT_MAX_VALUES = 40000 };

/** 0, also when the value is too short to be registered. -EMSGSIZE: longer than PX_REDACT_MAX; -ENOMEM; -ENOSPC. */
PX_MUSTCHECK int px_redact_add(px_str secret);
void px_redact_remove(px_str secret);
/** A copy in locked memory (locked.h), registered while it lives: for px_redact_drop. Errors as above, and -ENOMEM; then *ret is untouched. */
PX_MUSTCHECK int px_redact_keep(px_str secret, px_str *ret);
/** Absent is fine, and is what it becomes. */
void px_redact_drop(px_str *kept);
/** Whether anything in `text` would be replaced. One look at a bitmap for every fifth byte; at once when none is
 *  registered. */
bool px_redact_hits(px_str text);
/** Append `text` to `to`, redacted. Returns to->failed; what was appended before a failure is redacted too. */
int px_redact_append(struct px_buf *to, px_str text);
/** Redact in place, for fixed buffers: a secret is overwritten with '*'. */
void px_redact_in_place(char *text, size_t n);
/** The same two for text that was cut: an end of 8 bytes or more that begins a secret is taken for that secret. */
int px_redact_append_cut(struct px_buf *to, px_str text);
void px_redact_in_place_cut(char *text, size_t n);
/** Where a text is to be cut that may have `most` bytes: there, or in front of a secret that would be cut in two, which nobody would
 *  find again. text.n when all of it fits. */
size_t px_redact_cut(px_str text, size_t most);
/** Whatever the count. */
void px_redact_forget_all(void);

#endif
