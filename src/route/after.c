/* When to come back: Retry-After and its relatives, as milliseconds from now. */
#include "base/clock.h"
#include "route/private.h"
#include <math.h>

static const int64_t longest_ms = 30ll * 24 * 3600 * 1000;

/* ---- HTTP dates (RFC 9110 §5.6.7) ---- */

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar; years count from March, so that February is last. */
static int64_t days_to(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
    int day, year, hour, minute, second;
    char month[4], zone[4];
    bool two_digits;
};

static bool digits(px_str text, size_t *at, size_t n, int *ret) {
    if (text.n - *at < n)
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text.p[(*at)++];
        if (c < '0' || c > '9')
            return false;
        *ret = *ret * 10 + c - '0';
    }
    return true;
}

static bool three(px_str text, size_t *at, char *ret) {
    if (text.n - *at < 3)
        return false;
    memcpy(ret, text.p + *at, 3);
    ret[3] = 0;
    *at += 3;
    return true;
}

static bool scan_field(char field, px_str text, size_t *at, struct date *date) {
    switch (field) {
    case 'w': {
        size_t from = *at;
        while (*at < text.n && ((unsigned)(unsigned char)(text.p[*at] | 0x20) - 'a') < 26u)
            ++*at;
        return *at - from >= 3;
    }
    case 'D':
        if (*at < text.n && text.p[*at] == ' ') {
            ++*at;
            return digits(text, at, 1, &date->day);
        }
        return digits(text, at, 2, &date->day);
    case 'd': return digits(text, at, 2, &date->day);
    case 'm': return three(text, at, date->month);
    case 'Y': return digits(text, at, 4, &date->year);
    case 'y': date->two_digits = true; return digits(text, at, 2, &date->year);
    case 'h': return digits(text, at, 2, &date->hour);
    case 'i': return digits(text, at, 2, &date->minute);
    case 's': return digits(text, at, 2, &date->second);
    case 'z':
        return three(text, at, date->zone) && (!strcmp(date->zone, "GMT") || !strcmp(date->zone, "UTC"));
    default: return *at < text.n && text.p[(*at)++] == field;
    }
}

/* A pattern against a text, in the spirit of strptime, but strict. 'd' two digits, 'D' two digits or a blank and one,
 * 'y' two digits of a year, 'Y' four, 'm' a month, 'z' GMT or UTC, 'w' the letters of a weekday, 'h' 'i' 's' the time; anything else as it is. */
static bool scan_date(const char *pattern, px_str text, struct date *ret) {
    size_t at = 0;
    *ret = (struct date){0};
    for (; *pattern; pattern++) {
        if (!scan_field(*pattern, text, &at, ret))
            return false;
    }
    return at == text.n;
}

int px_http_date(px_str text, int64_t now_unix_ms, int64_t *ret_unix_ms) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date date;
    if (!scan_date("w, d m Y h:i:s z", text, &date) && !scan_date("w, d-m-y h:i:s z", text, &date) &&
        !scan_date("w m D h:i:s Y", text, &date))
        return -EINVAL;
    const char *month = strstr(months, date.month);
    if (!month || (month - months) % 3 || date.day < 1 || date.day > 31 || date.hour > 23 ||
        date.minute > 59 || date.second > 60)
        return -EINVAL;
    int64_t this_year = 1970 + now_unix_ms / 31556952000, year = date.year;
    if (date.two_digits) { /* the one that is at most 50 years ahead */
        year += this_year - this_year % 100;
        if (year > this_year + 50)
            year -= 100;
    }
    int64_t days = days_to(year, (int)((month - months) / 3) + 1, date.day);
    *ret_unix_ms = (((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second) * 1000;
    return 0;
}

/* RFC 3339: 2026-11-23T20:15:00Z, with a fraction (which is dropped) or an offset. */
static int scan_rfc3339(px_str text, int64_t *ret_unix_ms) {
    int year, month, day, hour, minute, second, off_hour = 0, off_minute = 0;
    size_t at = 0;
    if (text.n < 20 || text.p[4] != '-' || text.p[7] != '-' || (text.p[10] | 0x20) != 't' ||
        text.p[13] != ':' || text.p[16] != ':')
        return -EINVAL;
    bool ok = digits(text, &at, 4, &year) && digits(text, (at = 5, &at), 2, &month) &&
              digits(text, (at = 8, &at), 2, &day) && digits(text, (at = 11, &at), 2, &hour) &&
              digits(text, (at = 14, &at), 2, &minute) && digits(text, (at = 17, &at), 2, &second);
    while (ok && at < text.n && (text.p[at] == '.' || (text.p[at] >= '0' && text.p[at] <= '9')))
        at++;
    char zone = ok && at < text.n ? text.p[at++] : 0;
    if (zone == '+' || zone == '-')
        ok = digits(text, &at, 2, &off_hour) && at < text.n && text.p[at++] == ':' &&
             digits(text, &at, 2, &off_minute);
    else
        ok = ok && (zone | 0x20) == 'z';
    if (!ok || at != text.n || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 60)
        return -EINVAL;
    int64_t offset = (off_hour * 60 + off_minute) * (zone == '-' ? -60 : 60);
    int64_t s = ((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset;
    *ret_unix_ms = s * 1000;
    return 0;
}

int64_t px_after_now(const struct px_http_result *result) {
    int64_t now = px_clock_unix_ms(), theirs;
    return px_http_date(px_header_of(result, PX_LIT("date")), now, &theirs) ? now : theirs;
}

/* ---- numbers ---- */

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

int64_t px_after_ms(px_str text, px_str unit, int64_t now_unix_ms) {
    double number, ms;
    int64_t at;
    if (px_number_of(text, &number))
        ms = px_str_is(unit, "ms")     ? number
             : px_str_is(unit, "unix") ? number * 1000 - (double)now_unix_ms
                                       : number * 1000;
    else if (px_http_date(text, now_unix_ms, &at) == 0 || scan_rfc3339(text, &at) == 0)
        ms = (double)(at - now_unix_ms);
    else
        return 0;
    if (!(ms > 0))
        return 0;
    return ms >= (double)longest_ms ? longest_ms : (int64_t)ceil(ms);
}
