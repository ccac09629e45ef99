#include "base/date.h"
#include <errno.h>
#include <string.h>

struct date {
    int year, month, day, hour, minute, second;
    bool two_digits; /* the year */
};

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar; years count from March, so that February is last. */
static int64_t days_to(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool seconds_of(const struct date *date, int64_t *ret_s) {
    if (date->month < 1 || date->month > 12 || date->day < 1 || date->day > 31 || date->hour > 23 ||
        date->minute > 59 || date->second > 60)
        return false;
    int64_t days = days_to(date->year, date->month, date->day);
    *ret_s = ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
    return true;
}

/* Exactly n digits at *at. */
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

static bool weekday(px_str text, size_t *at) {
    size_t from = *at;
    while (*at < text.n && ((unsigned)(unsigned char)(text.p[*at] | 0x20) - 'a') < 26u)
        ++*at;
    return *at - from >= 3;
}

static bool month(px_str text, size_t *at, int *ret) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.n - *at < 3)
        return false;
    *ret = 0;
    for (int i = 0; i < 12; i++)
        if (memcmp(text.p + *at, names + (size_t)i * 3, 3) == 0)
            *ret = i + 1;
    *at += 3;
    return *ret != 0;
}

static bool zone(px_str text, size_t *at) {
    if (text.n - *at < 3 || (memcmp(text.p + *at, "GMT", 3) && memcmp(text.p + *at, "UTC", 3)))
        return false;
    *at += 3;
    return true;
}

static bool scan_field(char field, px_str text, size_t *at, struct date *date) {
    switch (field) {
    case 'w': return weekday(text, at);
    case 'D':
        if (*at < text.n && text.p[*at] == ' ') {
            ++*at;
            return digits(text, at, 1, &date->day);
        }
        return digits(text, at, 2, &date->day);
    case 'd': return digits(text, at, 2, &date->day);
    case 'm': return month(text, at, &date->month);
    case 'n': return digits(text, at, 2, &date->month);
    case 'Y': return digits(text, at, 4, &date->year);
    case 'y': date->two_digits = true; return digits(text, at, 2, &date->year);
    case 'h': return digits(text, at, 2, &date->hour);
    case 'i': return digits(text, at, 2, &date->minute);
    case 's': return digits(text, at, 2, &date->second);
    case 'z': return zone(text, at);
    default: return *at < text.n && text.p[(*at)++] == field;
    }
}

/* A pattern against the beginning of a text, in the spirit of strptime, but strict. 'd' two digits, 'D' two digits or a blank and one, 'y' two
 * digits of a year, 'Y' four, 'm' a month's name, 'n' its number, 'z' GMT or UTC, 'w' the letters of a weekday, 'h' 'i' 's' the time; anything else as it is.
 * Where it ends; 0: it does not fit. */
static size_t scan(const char *pattern, px_str text, struct date *ret) {
    size_t at = 0;
    *ret = (struct date){0};
    for (; *pattern; pattern++)
        if (!scan_field(*pattern, text, &at, ret))
            return 0;
    return at;
}

int px_date_http(px_str text, int64_t now_unix_ms, int64_t *ret_unix_ms) {
    static const char *const forms[] = {"w, d m Y h:i:s z", "w, d-m-y h:i:s z", "w m D h:i:s Y"};
    struct date date;
    int64_t s;
    size_t form = 0, end = 0;
    while (form < 3 && (!(end = scan(forms[form], text, &date)) || end != text.n))
        form++;
    if (form == 3)
        return -EINVAL;
    if (date.two_digits) {
        int this_year = (int)(1970 + now_unix_ms / 31556952000);
        date.year += this_year - this_year % 100;
        if (date.year > this_year + 50)
            date.year -= 100;
    }
    if (!seconds_of(&date, &s))
        return -EINVAL;
    *ret_unix_ms = s * 1000;
    return 0;
}

/* "Z", "+02:00". */
static bool offset(px_str text, size_t *at, int *ret_minutes) {
    char sign = *at < text.n ? text.p[(*at)++] : 0;
    int hours = 0, minutes = 0;
    *ret_minutes = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !digits(text, at, 2, &hours) ||
        !scan_field(':', text, at, &(struct date){0}) || !digits(text, at, 2, &minutes))
        return false;
    *ret_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return true;
}

int px_date_rfc3339(px_str text, int64_t *ret_unix_ms) {
    struct date date;
    int digit, minutes, ms = 0;
    int64_t s;
    size_t at = scan("Y-n-d", text, &date);
    if (!at || at == text.n || !memchr("Tt ", text.p[at], 3))
        return -EINVAL;
    px_str rest = px_str_n(text.p + at + 1, text.n - at - 1);
    struct date time;
    at = scan("h:i:s", rest, &time);
    if (!at)
        return -EINVAL;
    if (at < rest.n && rest.p[at] == '.') {
        at++;
        if (!digits(rest, &at, 1, &digit))
            return -EINVAL;
        ms = 100 * digit;
        for (int unit = 10; at < rest.n && rest.p[at] >= '0' && rest.p[at] <= '9'; at++, unit /= 10)
            ms += unit * (rest.p[at] - '0'); /* what is finer is dropped */
    }
    date.hour = time.hour;
    date.minute = time.minute;
    date.second = time.second;
    if (!offset(rest, &at, &minutes) || at != rest.n || !seconds_of(&date, &s))
        return -EINVAL;
    *ret_unix_ms = (s - minutes * 60) * 1000 + ms;
    return 0;
}
