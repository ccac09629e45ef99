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
