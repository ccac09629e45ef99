/* charset.c: bytes of a page to UTF-8, with iconv behind a list of names: a page cannot choose any converter that the C library has. */
#include "charset.h"
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>

/* Labels of the Encoding Standard (§4.2), and what iconv calls the encoding. A label stands without its last "*". */
static const struct {
    const char *label, *name;
} labels[] = {{"utf-8", "UTF-8"},
              {"utf8", "UTF-8"},
              {"unicode-1-1-utf-8", "UTF-8"},
              {"us-ascii", "CP1252"},
              {"ascii", "CP1252"},
              {"iso-8859-1", "CP1252"},
              {"iso8859-1", "CP1252"},
              {"iso_8859-1", "CP1252"},
              {"latin1", "CP1252"},
              {"l1", "CP1252"},
              {"windows-1252", "CP1252"},
              {"cp1252", "CP1252"},
              {"iso-8859-2", "ISO-8859-2"},
              {"latin2", "ISO-8859-2"},
              {"iso-8859-3", "ISO-8859-3"},
              {"iso-8859-4", "ISO-8859-4"},
              {"iso-8859-5", "ISO-8859-5"},
              {"iso-8859-6", "ISO-8859-6"},
              {"iso-8859-7", "ISO-8859-7"},
              {"iso-8859-8", "ISO-8859-8"},
              {"iso-8859-9", "CP1254"},
              {"latin5", "CP1254"},
              {"iso-8859-10", "ISO-8859-10"},
              {"iso-8859-13", "ISO-8859-13"},
              {"iso-8859-14", "ISO-8859-14"},
              {"iso-8859-15", "ISO-8859-15"},
              {"latin9", "ISO-8859-15"},
              {"iso-8859-16", "ISO-8859-16"},
              {"windows-1250", "CP1250"},
              {"cp1250", "CP1250"},
              {"windows-1251", "CP1251"},
              {"cp1251", "CP1251"},
              {"windows-1253", "CP1253"},
              {"windows-1254", "CP1254"},
              {"windows-1255", "CP1255"},
              {"windows-1256", "CP1256"},
              {"windows-1257", "CP1257"},
              {"windows-1258", "CP1258"},
              {"windows-874", "CP874"},
              {"tis-620", "CP874"},
              {"iso-8859-11", "CP874"},
              {"koi8-r", "KOI8-R"},
              {"koi8", "KOI8-R"},
              {"koi8-u", "KOI8-U"},
              {"ibm866", "CP866"},
              {"cp866", "CP866"},
              {"macintosh", "MACINTOSH"},
              {"gb2312", "GB18030"},
              {"gbk", "GB18030"},
              {"gb18030", "GB18030"},
              {"x-gbk", "GB18030"},
              {"big5", "BIG5-HKSCS"},
              {"big5-hkscs", "BIG5-HKSCS"},
              {"euc-jp", "EUC-JP"},
              {"x-euc-jp", "EUC-JP"},
              {"iso-2022-jp", "ISO-2022-JP"},
              {"shift_jis", "CP932"},
              {"shift-jis", "CP932"},
              {"sjis", "CP932"},
              {"x-sjis", "CP932"},
              {"windows-31j", "CP932"},
              {"euc-kr", "UHC"},
              {"ks_c_5601-1987", "UHC"},
              {"korean", "UHC"},
              {"utf-16", "UTF-16LE"},
              {"utf-16le", "UTF-16LE"},
              {"utf-16be", "UTF-16BE"}};

static px_str trim(px_str s) {
    while (s.n && strchr(" \t\r\n\f\"'", s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && strchr(" \t\r\n\f\"'", s.p[s.n - 1]))
        s.n--;
    return s;
}

static const char *name_of(px_str label) {
    label = trim(label);
    for (size_t i = 0; label.n && i < sizeof labels / sizeof labels[0]; i++)
        if (ht_is(label, labels[i].label))
            return labels[i].name;
    return NULL;
}

px_str ht_charset_of_type(px_str type) {
    for (size_t i = 0; i + 8 <= type.n; i++) {
        px_str rest = {type.p + i, type.n - i}, value;
        if (!ht_begins(rest, "charset="))
            continue;
        value = (px_str){rest.p + 8, 0};
        size_t left = rest.n - 8;
        char quote = left && (*value.p == '"' || *value.p == '\'') ? *value.p : 0;
        if (quote) {
            value.p++;
            left--;
        }
        while (value.n < left &&
               (quote ? value.p[value.n] != quote : !strchr("; \t\r\n>/", value.p[value.n])))
            value.n++;
        return trim(value);
    }
    return (px_str){NULL, 0};
}

/* What a <meta> among the first bytes says (HTML §13.2.3.2, less strictly: any charset= in a meta tag). */
static const char *meta_charset(px_str bytes) {
    size_t most = bytes.n < 4096 ? bytes.n : 4096;
    for (size_t i = 0; i + 6 < most; i++) {
        px_str tag = {bytes.p + i, most - i};
        if (bytes.p[i] != '<' || !ht_begins(tag, "<meta"))
            continue;
        const char *end = memchr(tag.p, '>', tag.n);
        const char *name = name_of(ht_charset_of_type((px_str){tag.p, end ? (size_t)(end - tag.p) : tag.n}));
        if (name) /* a page in UTF-16 could not be read this far */
            return strncmp(name, "UTF-16", 6) == 0 ? "UTF-8" : name;
    }
    return NULL;
}

bool ht_is_utf8(px_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, n; i < s.n; i += n)
        if (!(n = ht_utf8_sequence(p + i, s.n - i)))
            return false;
    return true;
}

size_t ht_utf8_whole(px_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0, n;
    while (i < s.n && (n = ht_utf8_sequence(p + i, s.n - i)))
        i += n;
    return s.n - i < 4 && (i == s.n || (p[i] >= 0xc2 && p[i] < 0xf5)) ? i : 0;
}

/* UTF-8 as it is, but for what is not, and NULs. */
static void copy_utf8(px_str s, struct ht_buf *to) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t done = 0, i = 0;
    while (i < s.n) {
        size_t n = p[i] ? ht_utf8_sequence(p + i, s.n - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        ht_buf_add(to, s.p + done, i - done);
        ht_buf_text(to, "\xef\xbf\xbd");
        done = ++i;
    }
    ht_buf_add(to, s.p + done, i - done);
}

static int convert(iconv_t cd, px_str s, struct ht_buf *to) {
    char piece[4096], *in = (char *)(size_t)s.p;
    size_t left = s.n;
    while (left && !to->failed) {
        char *out = piece;
        size_t room = sizeof piece;
        size_t r = iconv(cd, &in, &left, &out, &room);
        copy_utf8((px_str){piece, (size_t)(out - piece)}, to);
        if (r != (size_t)-1 || errno == E2BIG)
            continue;
        ht_buf_text(to, "\xef\xbf\xbd"); /* EILSEQ, or EINVAL at the end */
        iconv(cd, NULL, NULL, NULL, NULL);
        in++;
        left--;
    }
    return to->failed ? -EMSGSIZE : 0;
}

int ht_charset_decode(px_str s, px_str declared, bool html, struct ht_buf *to) {
    const char *name;
    if (s.n >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0) {
        s = (px_str){s.p + 3, s.n - 3};
        name = "UTF-8";
    } else if (s.n >= 2 && (memcmp(s.p, "\xff\xfe", 2) == 0 || memcmp(s.p, "\xfe\xff", 2) == 0)) {
        name = s.p[0] == '\xff' ? "UTF-16LE" : "UTF-16BE";
        s = (px_str){s.p + 2, s.n - 2};
    } else if (!(name = name_of(declared)) && !(html && (name = meta_charset(s)))) {
        name = ht_is_utf8(s) ? "UTF-8" : "CP1252";
    }
    iconv_t cd = strcmp(name, "UTF-8") == 0 ? (iconv_t)-1 : iconv_open("UTF-8", name);
    if (cd == (iconv_t)-1) { /* UTF-8, or the C library lacks it */
        copy_utf8(s, to);
        return to->failed ? -EMSGSIZE : 0;
    }
    int rc = convert(cd, s, to);
    iconv_close(cd);
    return rc;
}
