#include "base/codec.h"
#include <errno.h>

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int px_base64_add(struct px_buf *to, px_str bytes) {
    const unsigned char *b = (const unsigned char *)bytes.p;
    char *out = px_buf_room(to, (bytes.n + 2) / 3 * 4);
    if (!out)
        return to->failed;
    char *start = out;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        unsigned v =
            (unsigned)b[i] << 16 | (left > 1 ? (unsigned)b[i + 1] << 8 : 0) | (left > 2 ? b[i + 2] : 0u);
        *out++ = base64_alphabet[v >> 18];
        *out++ = base64_alphabet[v >> 12 & 63];
        *out++ = left > 1 ? base64_alphabet[v >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_alphabet[v & 63] : '=';
    }
    px_buf_added(to, (size_t)(out - start));
    return 0;
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

int px_base64_decode(struct px_buf *to, px_str text) {
    size_t n = text.n;
    if (n && n % 4 == 0 && text.p[n - 1] == '=') {
        n--;
        if (text.p[n - 1] == '=')
            n--;
    }
    if (n % 4 == 1)
        return -EINVAL;
    char *out = px_buf_room(to, n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0)), *start = out;
    if (!out)
        return to->failed;
    unsigned v = 0;
    bool bad = false;
    for (size_t i = 0; i < n && !bad; i++) {
        int d = base64_value(text.p[i]);
        bad = d < 0;
        v = v << 6 | (unsigned)d;
        if (i % 4 == 3) {
            *out++ = (char)(v >> 16);
            *out++ = (char)(v >> 8);
            *out++ = (char)v;
            v = 0;
        }
    }
    if (bad || (n % 4 == 2 && v & 15) || (n % 4 == 3 && v & 3)) {
        px_buf_added(to, 0);
        return -EINVAL;
    }
    if (n % 4 >= 2)
        *out++ = (char)(v >> (n % 4 == 2 ? 4 : 10));
    if (n % 4 == 3)
        *out++ = (char)(v >> 2);
    px_buf_added(to, (size_t)(out - start));
    return 0;
}

int px_hex_add(struct px_buf *to, px_str bytes) {
    static const char digits[] = "0123456789abcdef";
    char *out = px_buf_room(to, bytes.n * 2);
    if (!out)
        return to->failed;
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        out[2 * i] = digits[c >> 4];
        out[2 * i + 1] = digits[c & 15];
    }
    px_buf_added(to, bytes.n * 2);
    return 0;
}

int px_percent_add(struct px_buf *to, px_str text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
            c == '.' || c == '_' || c == '~')
            px_buf_char(to, (char)c);
        else
            px_buf_add(to, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    return to->failed;
}
