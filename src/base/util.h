/* util.h: the few macros every room uses. */
#ifndef PX_BASE_UTIL_H
#define PX_BASE_UTIL_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define PX_MUSTCHECK    __attribute__((warn_unused_result))
#define PX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PX_UNUSED       __attribute__((unused))

#define PX_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PX_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define PX_MAX(a, b)    ((a) > (b) ? (a) : (b))

/** The struct that `ptr`, a pointer to its `member`, stands in. */
#define px_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* PX_AUTOFREE char *s = …; is freed when it leaves its block, unless px_take(&s) took it. */
static inline void px_autofree_(void *pp) {
    free(*(void **)pp);
}
static inline void px_autoclose_(const int *fd) {
    if (*fd >= 0)
        close(*fd);
}
#define PX_AUTOFREE  __attribute__((cleanup(px_autofree_)))
#define PX_AUTOCLOSE __attribute__((cleanup(px_autoclose_)))

/** Take a pointer out of a variable: gives its value, leaves NULL. */
#define px_take(pp)                                                                                          \
    __extension__({                                                                                          \
        __typeof__(*(pp)) t_ = *(pp);                                                                        \
        *(pp) = NULL;                                                                                        \
        t_;                                                                                                  \
    })
/** The same for a descriptor: leaves -1. */
static inline int px_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
