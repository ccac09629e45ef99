/* guard_mech.h: for the tests of the guard's mechanisms: units of time, and numbers that are the same in every run. */
#ifndef PX_TEST_GUARD_MECH_H
#define PX_TEST_GUARD_MECH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/util.h"

static inline uint64_t next_random(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
static inline uint64_t below(uint64_t *seed, uint64_t n) {
    return next_random(seed) % n;
}

#endif
