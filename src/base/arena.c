#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PX_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PX_ASAN 1
#endif

enum { CHUNK = 8192, STOCK = 256, ALIGN = 16 };

struct px_arena_chunk {
    struct px_arena_chunk *next;
    size_t size; /* of the whole block */
};

/* Standard chunks that wait to be used again. There is one thread, so one stock; with ASan none is kept, so that
 * a use after free is seen. */
static struct px_arena_chunk *stock;
static size_t stocked;

void px_arena_init(struct px_arena *a, size_t cap) {
    *a = (struct px_arena){.cap = cap};
}

static struct px_arena_chunk *chunk_get(size_t need) {
    if (need <= CHUNK && stock) {
        struct px_arena_chunk *chunk = stock;
        stock = chunk->next;
        stocked--;
        return chunk;
    }
    size_t size = PX_MAX(need, (size_t)CHUNK);
    struct px_arena_chunk *chunk = malloc(size);
    if (chunk)
        chunk->size = size;
    return chunk;
}

static void chunk_put(struct px_arena_chunk *chunk) {
#ifndef PX_ASAN
    if (chunk->size == CHUNK && stocked < STOCK) {
        chunk->next = stock;
        stock = chunk;
        stocked++;
        return;
    }
#endif
    free(chunk);
}

void px_arena_finish(struct px_arena *a) {
    while (a->chunks) {
        struct px_arena_chunk *chunk = a->chunks;
        a->chunks = chunk->next;
        chunk_put(chunk);
    }
    *a = (struct px_arena){.cap = a->cap};
}

void px_arena_stock_free(void) {
    while (stock) {
        struct px_arena_chunk *chunk = stock;
        stock = chunk->next;
        free(chunk);
    }
    stocked = 0;
}

void *px_arena_raw(struct px_arena *a, size_t n) {
    if (n > a->cap || a->used > a->cap - n)
        return NULL;
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->at || (size_t)(a->end - a->at) < need) {
        struct px_arena_chunk *chunk = chunk_get(need + ALIGN);
        if (!chunk)
            return NULL;
        chunk->next = a->chunks;
        a->chunks = chunk;
        a->at = (char *)chunk + ALIGN;
        a->end = (char *)chunk + chunk->size;
    }
    void *p = a->at;
    a->at += need;
    a->used += need;
    return p;
}

void *px_arena_alloc(struct px_arena *a, size_t n) {
    void *p = px_arena_raw(a, n);
    if (p && n)
        memset(p, 0, n);
    return p;
}

px_str px_arena_str(struct px_arena *a, px_str s) {
    char *copy = s.p ? px_arena_raw(a, s.n + 1) : NULL;
    if (!copy)
        return (px_str){0};
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = 0;
    return (px_str){copy, s.n};
}

px_str px_arena_fmt(struct px_arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : px_arena_raw(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p ? (px_str){p, (size_t)n} : (px_str){0};
}
