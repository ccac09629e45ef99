#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int px_err_set(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    err->code = code;
    return code;
}

int px_err_errno(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : PX_MIN((size_t)n, sizeof err->msg - 1);
    snprintf(err->msg + used, sizeof err->msg - used, ": %s", strerror(-code));
    err->code = code;
    return code;
}

int px_err_prefix(struct px_err *err, int code, const char *format, ...) {
    if (!err)
        return code;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : PX_MIN((size_t)n, sizeof err->msg - 1);
    snprintf(err->msg + used, sizeof err->msg - used, "%s", old);
    return err->code ? err->code : code;
}
