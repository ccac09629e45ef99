/* When to come back: Retry-After and its relatives, as milliseconds from now. */
#include "base/clock.h"
#include "base/date.h"
#include "route/private.h"
#include <math.h>

static const int64_t longest_ms = 30ll * 24 * 3600 * 1000;

int64_t px_after_now(const struct px_http_result *result) {
    int64_t now = px_clock_unix_ms(), theirs;
    return px_date_http(px_header_of(result, PX_LIT("date")), now, &theirs) ? now : theirs;
}

/* A decimal number, perhaps with a fraction or an exponent; no sign in front. */
bool px_number_of(px_str text, double *ret) {
    char copy[64], *end;
    if (!text.n || text.n >= sizeof copy || text.p[0] < '0' || text.p[0] > '9')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!memchr("0123456789.eE+-", text.p[i], 15))
            return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    *ret = strtod(copy, &end);
    return *end == 0 && isfinite(*ret);
}

/* Seconds, or, some thousand years from now, what can only be milliseconds. */
static double unix_ms(double number) {
    return number < 1e11 ? number * 1000 : number;
}

int64_t px_after_ms(px_str text, px_str unit, int64_t now_unix_ms) {
    double number, ms;
    int64_t at;
    if (px_number_of(text, &number))
        ms = px_str_is(unit, "ms")     ? number
             : px_str_is(unit, "unix") ? unix_ms(number) - (double)now_unix_ms
                                       : number * 1000;
    else if (px_date_http(text, now_unix_ms, &at) == 0 || px_date_rfc3339(text, &at) == 0)
        ms = (double)(at - now_unix_ms);
    else
        return 0;
    if (!(ms > 0))
        return 0;
    return ms >= (double)longest_ms ? longest_ms : (int64_t)ceil(ms);
}
