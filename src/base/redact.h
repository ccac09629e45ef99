/* redact.h: secret values never leave. A value of 8 characters or more that is registered here is replaced by
 * "[redacted]" in everything the host writes: logs, errors, results. So are its base64 (all three alignments, both
 * alphabets) and percent-encoded forms, and the form a JSON string gives it.
 * Loop thread only. Values are counted: added twice, removed twice. Memory is zeroed before it is freed. */
#ifndef PX_BASE_REDACT_H
#define PX_BASE_REDACT_H

#include "base/buf.h"

enum { PX_REDACT_MIN = 8, PX_REDACT_MAX_VALUES = 16384 };

/** 0, also when the value is too short to be registered; -ENOMEM, -ENOSPC. */
PX_MUSTCHECK int px_redact_add(px_str secret);
void px_redact_remove(px_str secret);
/** Whether anything in `text` would be replaced. One look at a bitmap for each byte; at once when none is registered. */
bool px_redact_hits(px_str text);
/** Append `text` to `to`, redacted. Returns to->failed. */
int px_redact_append(struct px_buf *to, px_str text);
/** Redact in place, for fixed buffers: a secret is overwritten with '*'. */
void px_redact_in_place(char *text, size_t n);
void px_redact_forget_all(void);

#endif
