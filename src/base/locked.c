#include "base/locked.h"
#include "base/locked_pool.h"

/* With AddressSanitizer each value is a block of its own, so that it sees who writes beside one, or keeps one, or uses one that is gone. */
#if defined(__SANITIZE_ADDRESS__)
#define OWN_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_BLOCKS 1
#endif
#endif

#ifdef OWN_BLOCKS
static uint64_t in_blocks;

void *px_locked_alloc(size_t n) {
    void *p = calloc(1, PX_MAX(n, 1));
    in_blocks += p ? n : 0;
    return p;
}

void px_locked_free(void *p, size_t n) {
    if (!p)
        return;
    explicit_bzero(p, n);
    in_blocks -= n;
    free(p);
}

void px_locked_stats(uint64_t *ret_locked, uint64_t *ret_unlocked) {
    *ret_locked = 0;
    *ret_unlocked = in_blocks;
}
#else
static struct px_locked_pool pool;

void *px_locked_alloc(size_t n) {
    if (!pool.lock)
        px_locked_pool_init(&pool);
    return px_locked_pool_alloc(&pool, n);
}

void px_locked_free(void *p, size_t n) {
    if (p)
        px_locked_pool_free(&pool, p, n);
}

void px_locked_stats(uint64_t *ret_locked, uint64_t *ret_unlocked) {
    *ret_locked = pool.locked;
    *ret_unlocked = pool.unlocked;
}
#endif

px_str px_locked_dup(px_str value) {
    char *copy = value.p ? px_locked_alloc(value.n + 1) : NULL;
    if (!copy)
        return (px_str){0};
    if (value.n)
        memcpy(copy, value.p, value.n);
    return px_str_n(copy, value.n);
}
