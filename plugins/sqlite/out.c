/* out.c: the small JSON writer. */
#include "out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sq_out_bytes(struct sq_out *o, const char *p, size_t n) {
    if (o->failed || n > o->cap - o->n) {
        o->failed = true;
        return;
    }
    if (n)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

void sq_out_words(struct sq_out *o, const char *text) {
    sq_out_bytes(o, text, strlen(text));
}

/* No string ends in one of these outside its quotes, and no number does: what stands before is enough to know. */
static void comma(struct sq_out *o) {
    if (o->n && !strchr("{[:+-", o->p[o->n - 1]))
        sq_out_bytes(o, ",", 1);
}

void sq_out_open(struct sq_out *o, char bracket) {
    comma(o);
    sq_out_bytes(o, &bracket, 1);
}

void sq_out_close(struct sq_out *o, char bracket) {
    sq_out_bytes(o, &bracket, 1);
}

void sq_out_key(struct sq_out *o, const char *key) {
    sq_out_text(o, sq_str(key));
    sq_out_bytes(o, ":", 1);
}

void sq_out_json(struct sq_out *o, px_str json) {
    comma(o);
    sq_out_bytes(o, json.p, json.n);
}

void sq_out_i64(struct sq_out *o, int64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v);
    sq_out_json(o, (px_str){digits, (uint64_t)n});
}

void sq_out_bool(struct sq_out *o, bool v) {
    sq_out_json(o, sq_str(v ? "true" : "false"));
}

void sq_out_real(struct sq_out *o, double v) {
    char digits[40], *end;
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(digits, sizeof digits - 2, "%.*g", precision, v);
        if (strtod(digits, &end) == v)
            break;
    }
    if (!strpbrk(digits, ".e")) {
        memcpy(digits + n, ".0", 3);
        n += 2;
    }
    sq_out_json(o, (px_str){digits, (uint64_t)n});
}

/* The length of the UTF-8 sequence at p (RFC 3629: nothing overlong, no surrogates); 0: there is none. */
static size_t sequence(const unsigned char *p, size_t left) {
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
               (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : n;
}

bool sq_utf8(px_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, n; i < s.n; i += n)
        if (!(n = sequence(p + i, s.n - i)))
            return false;
    return true;
}

static void escaped(struct sq_out *o, unsigned char c) {
    static const char short_for[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *s = short_for; *s; s += 2)
        if ((unsigned char)*s == c) {
            char two[2] = {'\\', s[1]};
            sq_out_bytes(o, two, 2);
            return;
        }
    char six[8];
    snprintf(six, sizeof six, "\\u%04x", c);
    sq_out_bytes(o, six, 6);
}

void sq_out_text(struct sq_out *o, px_str text) {
    const unsigned char *p = (const unsigned char *)text.p;
    size_t done = 0, i = 0;
    comma(o);
    sq_out_bytes(o, "\"", 1);
    while (i < text.n && !o->failed) {
        size_t n = sequence(p + i, text.n - i);
        if (n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
            i += n;
            continue;
        }
        sq_out_bytes(o, text.p + done, i - done);
        if (n)
            escaped(o, p[i]);
        else
            sq_out_bytes(o, "\xef\xbf\xbd", 3);
        done = ++i;
    }
    if (i > done)
        sq_out_bytes(o, text.p + done, i - done);
    sq_out_bytes(o, "\"", 1);
}

void sq_out_base64(struct sq_out *o, px_str bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.p;
    comma(o);
    sq_out_bytes(o, "\"", 1);
    if (bytes.n / 3 * 4 > o->cap - o->n) /* do not begin what cannot fit */
        o->failed = true;
    for (size_t i = 0; i < bytes.n && !o->failed; i += 3) {
        size_t left = bytes.n - i;
        unsigned v =
            (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        sq_out_bytes(o, four, 4);
    }
    sq_out_bytes(o, "\"", 1);
}
