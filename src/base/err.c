#include "base/err.h"
#include "base/redact.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>

/* Words are formed here first: the arguments may point into err->msg, a cut must not split a character, and a secret
 * that the cut would leave a part of must be seen whole. */
enum { DRAFT = 2048 };

static size_t draft(char words[DRAFT], const char *format, va_list args) {
    int n = vsnprintf(words, DRAFT, format, args);
    return n < 0 ? 0 : PX_MIN((size_t)n, (size_t)DRAFT - 1);
}

static void settle(struct px_err *err, int code, char words[DRAFT], size_t n) {
    if (n == DRAFT - 1)
        px_redact_in_place_cut(words, n);
    else
        px_redact_in_place(words, n);
    px_str_copy(err->msg, sizeof err->msg, px_str_n(words, n));
    err->code = code;
}

/* As much of `more` as there is room for. */
static size_t append(char words[DRAFT], size_t n, const char *more) {
    size_t fits = PX_MIN(strlen(more), (size_t)DRAFT - 1 - n);
    memcpy(words + n, more, fits);
    words[n + fits] = 0;
    return n + fits;
}

int px_err_set(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    char words[DRAFT];
    va_list args;
    va_start(args, format);
    size_t n = draft(words, format, args);
    va_end(args);
    settle(err, code, words, n);
    return code;
}

int px_err_errno(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    char words[DRAFT];
    va_list args;
    va_start(args, format);
    size_t n = draft(words, format, args);
    va_end(args);
    n = append(words, n, ": ");
    n = append(words, n, strerror(-code));
    settle(err, code, words, n);
    return code;
}

int px_err_prefix(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    char words[DRAFT];
    va_list args;
    va_start(args, format);
    size_t n = draft(words, format, args);
    va_end(args);
    n = append(words, n, err->msg);
    settle(err, err->code ? err->code : code, words, n);
    return err->code;
}
