#include "json/text.h"
#include "json/scan.h"
#include <sys/random.h>
#include <time.h>

uint64_t px_json_seed(void) {
    static uint64_t seed;
    if (!seed && (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed || !seed)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = px_json_mix((uint64_t)now.tv_nsec, (uint64_t)(uintptr_t)&now) | 1;
    }
    return seed;
}

uint64_t px_json_hash_bytes(px_str s) {
    uint64_t h = px_json_hash_start(s.n), rest = 0;
    const char *p = s.p;
    size_t left = s.n;
    for (; left >= 8; p += 8, left -= 8)
        h = px_json_hash_word(h, px_load8(p));
    if (left)
        memcpy(&rest, p, left);
    return px_json_hash_end(h, rest);
}

bool px_utf8_valid(px_str s) {
    const char *p = s.p, *end = s.n ? s.p + s.n : p;
    while (p < end) {
        if (end - p >= 8 && !(px_load8(p) & PX_HIGHS)) {
            p += 8;
            continue;
        }
        int n = px_utf8_step(p, end);
        if (n < 0)
            return false;
        p += n;
    }
    return true;
}

const char *px_digits_end(const char *p, const char *end) {
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = px_load16(p); /* signed: what is above 0x7f is below '0' */
        __m128i no_digit = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8('0')),
                                        _mm_cmpgt_epi8(bytes, _mm_set1_epi8('9')));
        unsigned stop = px_flags16(no_digit);
        if (stop)
            return p + __builtin_ctz(stop);
        p += 16;
    }
#endif
    while (p < end && px_is_digit(*p))
        p++;
    return p;
}

const char *px_space_end(const char *p, const char *end) {
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = px_load16(p);
        __m128i blank = _mm_or_si128(px_equal16(bytes, ' '), px_equal16(bytes, '\n'));
        __m128i other = _mm_or_si128(px_equal16(bytes, '\r'), px_equal16(bytes, '\t'));
        unsigned stop = px_flags16(_mm_or_si128(blank, other)) ^ 0xffff;
        if (stop)
            return p + __builtin_ctz(stop);
        p += 16;
    }
#endif
    while (p < end && px_is_space(*p))
        p++;
    return p;
}
