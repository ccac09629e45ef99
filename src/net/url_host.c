/* The host of a URL. Here is where the same characters mean one thing to the check and another to the connection, so
 * whatever is no plain name goes through the parser that will connect (curl's), and comes out as the address it means. */
#include "net/addr.h"
#include "net/url_private.h"
#include <curl/curl.h>
#include <locale.h>

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const char *px_host_name_wrong(px_str name) {
    if (name.n == 0)
        return "it is empty";
    if (name.n > PX_HOST_MAX)
        return "it is longer than 253 characters";
    for (size_t begin = 0; begin <= name.n;) {
        size_t end = begin;
        while (end < name.n && name.p[end] != '.') {
            char c = name.p[end++];
            if (!is_alnum(c) && c != '-' && c != '_')
                return "it has a character that names do not have";
        }
        if (end == begin)
            return "it has an empty label";
        if (end - begin > PX_LABEL_MAX)
            return "it has a label of more than 63 characters";
        if (name.p[begin] == '-' || name.p[end - 1] == '-')
            return "it has a label that begins or ends with a hyphen";
        begin = end + 1;
    }
    return NULL;
}

/* "http://HOST/" through curl's parser; the host comes out in to[PX_HOST_MAX + 3]. */
static int through_curl(const char *host, unsigned flags, char *to, size_t cap) {
    char url[4 * PX_HOST_MAX + 32];
    snprintf(url, sizeof url, "http://%s/", host);
    char *out = NULL;
    CURLU *handle = curl_url();
    CURLUcode rc =
        handle ? curl_url_set(handle, CURLUPART_URL, url, CURLU_DISALLOW_USER) : CURLUE_OUT_OF_MEMORY;
    if (!rc)
        rc = curl_url_get(handle, CURLUPART_HOST, &out, flags);
    bool fits = !rc && strlen(out) < cap;
    if (fits)
        px_str_copy(to, cap, px_str_of(out));
    /* curl 7.88 says the same of a name that libidn2 cannot write. */
    bool no_memory = !handle || (rc == CURLUE_OUT_OF_MEMORY && !(flags & CURLU_PUNYCODE));
    curl_free(out);
    curl_url_cleanup(handle);
    return fits ? 0 : no_memory ? -ENOMEM : -EINVAL;
}

/* IDNA, UTS #46 without the transitional forms. libidn2 reads what the locale says text is, and a daemon has none. */
static int to_ascii(const char *host, char *to, size_t cap) {
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!utf8)
        return -ENOMEM;
    locale_t before = uselocale(utf8);
    int r = through_curl(host, CURLU_PUNYCODE, to, cap);
    uselocale(before);
    return r;
}

bool px_host_ends_in_number(px_str host) {
    size_t at = host.n;
    while (at > 0 && host.p[at - 1] != '.')
        at--;
    px_str last = px_str_n(host.p + at, host.n - at);
    if (px_str_starts(last, PX_LIT("0x"))) {
        for (size_t i = 2; i < last.n; i++)
            if (!is_digit(last.p[i]) && !(last.p[i] >= 'a' && last.p[i] <= 'f'))
                return false;
        return true;
    }
    for (size_t i = 0; i < last.n; i++)
        if (!is_digit(last.p[i]))
            return false;
    return last.n > 0;
}

static int read_v6(px_str raw, struct px_url_host *ret, struct px_err *err) {
    struct px_addr addr;
    if (raw.n && memchr(raw.p, '%', raw.n))
        return px_err_set(err, -EINVAL,
                          "the URL's address has a zone, which means nothing outside this machine");
    if (px_addr_parse(raw, 0, &addr) < 0 || addr.any.sa_family != AF_INET6)
        return px_err_set(err, -EINVAL, "the URL's host is in brackets, but is no IPv6 address");
    px_addr_text(&addr, ret->text);
    ret->literal = ret->v6 = true;
    return 0;
}

/* Copy in lower case; only what names may have, and what IDNA may turn into that. */
static int copy_lower(px_str raw, struct px_err *err, char *to, bool *ret_ascii) {
    *ret_ascii = true;
    for (size_t i = 0; i < raw.n;) {
        size_t n = px_str_utf8_at(px_str_n(raw.p + i, raw.n - i));
        char c = lower(raw.p[i]);
        if (n == 0)
            return px_err_set(err, -EINVAL, "the URL's host is not UTF-8");
        if (c == '%')
            return px_err_set(err, -EINVAL, "the URL's host is percent-encoded: write it plainly");
        if (n == 1 && !is_alnum(c) && c != '-' && c != '_' && c != '.')
            return px_err_set(err, -EINVAL,
                              "the URL's host has a character that names do not have, at its byte %zu", i);
        memcpy(to + i, raw.p + i, n);
        to[i] = c;
        if (n > 1)
            *ret_ascii = false;
        i += n;
    }
    to[raw.n] = 0;
    return 0;
}

/* "127.0.0.1", or one of the forms that mean it. */
static int read_number(const char *name, struct px_url_host *ret, struct px_err *err) {
    struct px_addr addr;
    int r = px_addr_parse(px_str_of(name), 0, &addr); /* four decimals: there is nothing to interpret */
    if (r < 0) {
        r = through_curl(name, 0, ret->text, sizeof ret->text);
        if (r == 0)
            r = px_addr_parse(px_str_of(ret->text), 0, &addr);
    }
    if (r == -ENOMEM)
        return px_err_set(err, r, "out of memory");
    if (r < 0)
        return px_err_set(err, r, "the URL's host %s ends in a number, but is no IPv4 address", name);
    px_addr_text(&addr, ret->text);
    ret->literal = true;
    return 0;
}

static int read_name(px_str raw, struct px_url_host *ret, struct px_err *err) {
    char plain[2 * PX_HOST_MAX + 1], name[PX_HOST_MAX + 3];
    bool ascii;
    if (raw.n >= sizeof plain)
        return px_err_set(err, -EINVAL, "the URL's host is longer than 253 characters");
    int r = copy_lower(raw, err, plain, &ascii);
    if (r < 0)
        return r;
    if (!ascii) {
        r = to_ascii(plain, name, sizeof name);
        if (r < 0)
            return px_err_set(err, r, "the URL's host is no name that IDNA can write in ASCII");
    } else if (raw.n < sizeof name) {
        memcpy(name, plain, raw.n + 1);
    } else {
        return px_err_set(err, -EINVAL, "the URL's host is longer than 253 characters");
    }
    px_str host = px_str_of(name);
    if (host.n > 1 && name[host.n - 1] == '.')
        name[--host.n] = 0;
    const char *wrong = px_host_name_wrong(host);
    if (wrong)
        return px_err_set(err, -EINVAL, "the URL's host is no name: %s", wrong);
    *ret = (struct px_url_host){0};
    if (px_host_ends_in_number(host))
        return read_number(name, ret, err);
    memcpy(ret->text, name, host.n + 1);
    return 0;
}

int px_url_host_read(px_str raw, struct px_url_host *ret, struct px_err *err) {
    if (raw.n == 0)
        return px_err_set(err, -EINVAL, "the URL has no host");
    struct px_url_host host = {0};
    bool brackets = raw.p[0] == '[';
    int r = brackets ? read_v6(raw, &host, err) : read_name(raw, &host, err);
    if (r == 0)
        *ret = host;
    return r;
}
