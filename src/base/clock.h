/* clock.h: the two clocks. Everything that waits uses the monotonic one; wall time is for people and records only. */
#ifndef PX_BASE_CLOCK_H
#define PX_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define PX_US 1000ull
#define PX_MS 1000000ull
#define PX_S  1000000000ull

static inline uint64_t px_clock_mono_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * PX_S + (uint64_t)t.tv_nsec;
}
static inline int64_t px_clock_unix_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
