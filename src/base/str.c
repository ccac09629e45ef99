#include "base/str.h"
#include <errno.h>

int px_str_cmp(px_str a, px_str b) {
    size_t n = PX_MIN(a.n, b.n);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool px_str_glob(px_str pattern, px_str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

char *px_str_dup(px_str s) {
    char *copy = malloc(s.n + 1);
    if (!copy)
        return NULL;
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = 0;
    return copy;
}

size_t px_str_cut_utf8(px_str s, size_t n) {
    if (n >= s.n)
        return s.n;
    size_t cut = n;
    while (cut > 0 && n - cut < 3 && ((unsigned char)s.p[cut] & 0xc0) == 0x80)
        cut--;
    return ((unsigned char)s.p[cut] & 0xc0) == 0x80 ? n : cut;
}

size_t px_str_utf8_at(px_str s) {
    const unsigned char *b = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    size_t len = b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
    if (!len || s.n < len)
        return 0;
    /* The second byte's range shuts out long forms, surrogates and what lies beyond U+10FFFF. */
    unsigned low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    if (b[1] < low || b[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

void px_str_copy(char *to, size_t cap, px_str s) {
    if (cap == 0)
        return;
    size_t n = px_str_cut_utf8(s, cap - 1);
    if (n)
        memcpy(to, s.p, n);
    to[n] = 0;
}

uint64_t px_str_hash(px_str s) {
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 29);
}

static uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t px_str_siphash(px_str s, const uint64_t key[2]) {
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
                     key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
    uint64_t word, last = s.n << 56;
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = whole; i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[i] << 8 * (i - whole);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

size_t px_str_distance(px_str a, px_str b) {
    size_t row[65];
    if (a.n > 64 || b.n > 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t substitute = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            row[j] = PX_MIN(substitute, PX_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.n];
}

int px_str_u64(px_str s, uint64_t *ret_value) {
    uint64_t value = 0;
    bool over = false;
    if (s.n == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        over = over || value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (over)
        return -ERANGE;
    *ret_value = value;
    return 0;
}
