/* err.h: what went wrong, for whoever decides what to do about it.
 * Functions return 0 or -errno; a `struct px_err` is the caller's, filled on failure, untouched on success, and may be
 * NULL where the caller does not care for words. The layer that decides logs, once.
 * Words are redacted (base/redact.h) before they are cut to fit; a cut never splits a character. The arguments may point
 * into err->msg itself. */
#ifndef PX_BASE_ERR_H
#define PX_BASE_ERR_H

#include "base/util.h"
#include <errno.h>

struct px_err {
    int code; /* -errno */
    char msg[240];
};

/** Fill `err` and return `code`, so that a function can end with `return px_err_set(err, -EINVAL, "…")`. */
int px_err_set(struct px_err *err, int code, const char *format, ...) PX_PRINTF(3, 4);
/** The same, with ": <strerror of code>" behind the words. */
int px_err_errno(struct px_err *err, int code, const char *format, ...) PX_PRINTF(3, 4);
/** Put words in front of those that are there: "config: " + msg. Returns err's code, or `code` when err is NULL. */
int px_err_prefix(struct px_err *err, int code, const char *format, ...) PX_PRINTF(3, 4);

#endif
