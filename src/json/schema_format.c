#include "json/schema_format.h"
#include "base/codec.h"
#include "json/regex.h"
#include "json/text.h"
#include "json/uri.h"

/* ---- reading from the front ---- */

/* Exactly n digits. */
static bool take_digits(px_str *s, size_t n, unsigned *ret) {
    unsigned value = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!px_is_digit(s->p[i]))
            return false;
        value = value * 10 + (unsigned)(s->p[i] - '0');
    }
    *s = px_str_n(s->p + n, s->n - n);
    *ret = value;
    return true;
}

static bool take(px_str *s, const char *any) {
    if (!s->n || !s->p[0] || !strchr(any, s->p[0]))
        return false;
    *s = px_str_n(s->p + 1, s->n - 1);
    return true;
}

static bool is_alnum(char c) {
    return px_is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* ---- RFC 3339 ---- */

static bool take_date(px_str *s) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (!take_digits(s, 4, &year) || !take(s, "-") || !take_digits(s, 2, &month) || !take(s, "-") ||
        !take_digits(s, 2, &day) || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool take_time(px_str *s) {
    unsigned hour, minute, second, away_hour = 0, away_minute = 0, digit;
    if (!take_digits(s, 2, &hour) || !take(s, ":") || !take_digits(s, 2, &minute) || !take(s, ":") ||
        !take_digits(s, 2, &second) || hour > 23 || minute > 59 || second > 60)
        return false;
    if (take(s, ".")) {
        if (!take_digits(s, 1, &digit))
            return false;
        while (take_digits(s, 1, &digit))
            continue;
    }
    bool west = s->n && s->p[0] == '-';
    if (!take(s, "zZ") && (!take(s, "+-") || !take_digits(s, 2, &away_hour) || !take(s, ":") ||
                           !take_digits(s, 2, &away_minute) || away_hour > 23 || away_minute > 59))
        return false;
    /* A leap second is the last of a day, in UTC. */
    unsigned away = away_hour * 60 + away_minute, local = hour * 60 + minute;
    unsigned utc = (local + (west ? away : 1440 - away)) % 1440;
    return second < 60 || utc == 1439;
}

static bool is_date(px_str s) {
    return take_date(&s) && !s.n;
}
static bool is_time(px_str s) {
    return take_time(&s) && !s.n;
}
static bool is_date_time(px_str s) {
    return take_date(&s) && take(&s, "tT") && take_time(&s) && !s.n;
}

/* Numbers with units out of `units`, in their order and without a gap ("1Y2D" has one, "1Y2M" has none). */
static bool take_parts(px_str *s, const char *units, bool *any) {
    const char *last = NULL;
    unsigned digit;
    while (s->n && px_is_digit(s->p[0])) {
        while (take_digits(s, 1, &digit))
            continue;
        const char *unit = s->n && s->p[0] ? strchr(units, s->p[0]) : NULL;
        if (!unit || (last && unit != last + 1))
            return false;
        last = unit;
        *any = true;
        *s = px_str_n(s->p + 1, s->n - 1);
    }
    return true;
}

/* RFC 3339 appendix A. */
static bool is_duration(px_str s) {
    bool any = false, any_time = false;
    if (!take(&s, "P"))
        return false;
    if (s.n > 1 && s.p[s.n - 1] == 'W')
        return take_parts(&s, "W", &any) && any && !s.n;
    if (!take_parts(&s, "YMD", &any))
        return false;
    if (take(&s, "T"))
        return take_parts(&s, "HMS", &any_time) && any_time && !s.n;
    return any && !s.n;
}

/* ---- names and addresses ---- */

/* RFC 1123 §2.1, RFC 952. */
static bool is_hostname(px_str s) {
    size_t label = 0;
    if (!s.n || s.n > 253)
        return false;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '.') {
            if (!is_alnum(s.p[i]) && (s.p[i] != '-' || label == 0))
                return false;
            label++;
            continue;
        }
        if (label < 1 || label > 63 || s.p[i - 1] == '-')
            return false;
        const char *first = s.p + i - label; /* RFC 5891 §4.2.3.1: "--" there is for A-labels only */
        if (label >= 4 && first[2] == '-' && first[3] == '-' &&
            ((first[0] | 32) != 'x' || (first[1] | 32) != 'n'))
            return false;
        label = 0;
    }
    return true;
}

/* RFC 5321 §4.1.2: Atom. */
static bool is_atom_char(char c, bool international) {
    return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
           (international && (unsigned char)c >= 0x80);
}

static bool is_local_part(px_str s, bool international) {
    if (!s.n || s.n > 64)
        return false;
    if (s.p[0] == '"') {
        if (s.n < 2 || s.p[s.n - 1] != '"')
            return false;
        for (size_t i = 1; i < s.n - 1; i++) {
            if (s.p[i] == '\\' && ++i == s.n - 1)
                return false;
            else if (s.p[i] == '"' && s.p[i - 1] != '\\')
                return false;
            if (s.p[i] < ' ' && !(international && (unsigned char)s.p[i] >= 0x80))
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool dot = s.p[i] == '.' && i > 0 && i + 1 < s.n && s.p[i - 1] != '.';
        if (!dot && !is_atom_char(s.p[i], international))
            return false;
    }
    return true;
}

static bool is_domain(px_str s, bool international) {
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        px_str address = px_str_n(s.p + 1, s.n - 2);
        if (px_str_starts(address, PX_LIT("IPv6:")))
            return px_ipv6_valid(px_str_n(address.p + 5, address.n - 5));
        return px_ipv4_valid(address);
    }
    if (!international)
        return is_hostname(s);
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && (unsigned char)s.p[i] < 0x80)
            return false;
    }
    return s.n > 0 && s.n <= 253 && s.p[0] != '.' && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

static bool is_mailbox(px_str s, bool international) {
    size_t at = s.n;
    while (at > 0 && s.p[at - 1] != '@')
        at--;
    return at > 0 && is_local_part(px_str_n(s.p, at - 1), international) &&
           is_domain(px_str_n(s.p + at, s.n - at), international);
}
static bool is_email(px_str s) {
    return is_mailbox(s, false);
}
static bool is_idn_email(px_str s) {
    return is_mailbox(s, true);
}

static bool is_uuid(px_str s) {
    for (size_t i = 0; i < s.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !px_is_hex(s.p[i]))
            return false;
    }
    return s.n == 36;
}

/* ---- references ---- */

static bool is_uri(px_str s) {
    return px_uri_valid(s, 0);
}
static bool is_uri_reference(px_str s) {
    return px_uri_valid(s, PX_URI_REFERENCE);
}
static bool is_iri(px_str s) {
    return px_uri_valid(s, PX_URI_IRI);
}
static bool is_iri_reference(px_str s) {
    return px_uri_valid(s, PX_URI_IRI | PX_URI_REFERENCE);
}

/* RFC 6901 §3. */
static bool is_json_pointer(px_str s) {
    if (s.n && s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    }
    return true;
}

static bool is_relative_json_pointer(px_str s) {
    unsigned digit;
    if (!s.n || (s.p[0] == '0' && s.n > 1 && px_is_digit(s.p[1])) || !take_digits(&s, 1, &digit))
        return false;
    while (take_digits(&s, 1, &digit))
        continue;
    return px_str_is(s, "#") || is_json_pointer(s);
}

/* RFC 6570 §2.3: varname. */
static bool take_varname(px_str *s) {
    px_str name = *s;
    while (s->n && s->p[0] && (is_alnum(s->p[0]) || strchr("_.%", s->p[0]))) {
        if (s->p[0] == '%' && (s->n < 3 || !px_is_hex(s->p[1]) || !px_is_hex(s->p[2])))
            return false;
        if (s->p[0] == '.' && (s->p == name.p || s->p[-1] == '.'))
            return false;
        *s = px_str_n(s->p + 1, s->n - 1);
    }
    return s->p != name.p && s->p[-1] != '.';
}

/* RFC 6570 §2.2: one expression, from behind its "{" on. */
static bool take_expression(px_str *s) {
    (void)take(s, "+#./;?&");
    do {
        if (!take_varname(s))
            return false;
        if (take(s, ":")) { /* max-length: 1 to 9999 */
            unsigned digit;
            if (!take_digits(s, 1, &digit) || digit == 0)
                return false;
            for (int i = 0; i < 3 && take_digits(s, 1, &digit); i++)
                continue;
        } else {
            (void)take(s, "*");
        }
    } while (take(s, ","));
    return take(s, "}");
}

static bool is_uri_template(px_str s) {
    while (s.n) {
        if (take(&s, "{")) {
            if (!take_expression(&s))
                return false;
        } else if ((unsigned char)s.p[0] <= ' ' || s.p[0] == 0x7f || strchr("\"<>\\^`|}", s.p[0])) {
            return false;
        } else if (s.p[0] == '%' && (s.n < 3 || !px_is_hex(s.p[1]) || !px_is_hex(s.p[2]))) {
            return false;
        } else {
            s = px_str_n(s.p + 1, s.n - 1);
        }
    }
    return true;
}

static bool is_regex(px_str s) {
    struct px_regex *regex = NULL;
    bool good = px_regex_compile(s, &regex, NULL) == 0;
    px_regex_destroy(regex);
    return good;
}

static const struct px_format formats[] = {
    {"date", "a date", "2026-03-01", is_date},
    {"date-time", "a date and time", "2026-03-01T12:00:00Z", is_date_time},
    {"duration", "a duration", "PT1H30M", is_duration},
    {"email", "an e-mail address", "ada@example.com", is_email},
    {"hostname", "a host name", "api.example.com", is_hostname},
    {"idn-email", "an e-mail address", "ada@example.com", is_idn_email},
    {"ipv4", "an IPv4 address", "192.0.2.1", px_ipv4_valid},
    {"ipv6", "an IPv6 address", "2001:db8::1", px_ipv6_valid},
    {"iri", "a URI", "https://example.com/a", is_iri},
    {"iri-reference", "a URI reference", "/a?b=c", is_iri_reference},
    {"json-pointer", "a JSON pointer", "/a/0", is_json_pointer},
    {"regex", "a regular expression", "^[a-z]+$", is_regex},
    {"relative-json-pointer", "a relative JSON pointer", "1/a", is_relative_json_pointer},
    {"time", "a time", "12:00:00Z", is_time},
    {"uri", "a URI", "https://example.com/a", is_uri},
    {"uri-reference", "a URI reference", "/a?b=c", is_uri_reference},
    {"uri-template", "a URI template", "/a/{id}", is_uri_template},
    {"uuid", "a UUID", "123e4567-e89b-12d3-a456-426614174000", is_uuid},
};

const struct px_format *px_format_find(px_str name) {
    for (size_t i = 0; i < PX_COUNT(formats); i++) {
        if (px_str_is(name, formats[i].name))
            return &formats[i];
    }
    return NULL;
}
