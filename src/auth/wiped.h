/* wiped.h: memory for what only passes: answers, forms, tokens on their way. It is wiped when it goes. (What stays is locked: base/locked.h.) */
#ifndef PX_AUTH_WIPED_H
#define PX_AUTH_WIPED_H

#include "base/buf.h"
#include "reactor/scope.h"

/** n bytes that are wiped when the scope closes. NULL: no memory, or the scope is closed. */
char *px_wiped_alloc(struct px_scope *scope, size_t n);
/** A string member of an answer, decoded, with a life as above; `redact`: registered while it lives. Absent: not there, not a string, empty, or it cannot be
 *  kept (then *ret_failed). */
px_str px_wiped_member(struct px_scope *scope, px_str json, const char *name, bool redact, bool *ret_failed);
/** px_buf_finish of a buffer that held a secret. */
void px_wiped_finish(struct px_buf *buf);

#endif
