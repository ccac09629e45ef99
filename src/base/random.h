/* random.h: numbers for jitter and fairness, repeatable from a seed. Nothing secret: libsodium has those. */
#ifndef PX_BASE_RANDOM_H
#define PX_BASE_RANDOM_H

#include <stdint.h>

/** SplitMix64. `state`: any number to begin with. */
static inline uint64_t px_random_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

#endif
