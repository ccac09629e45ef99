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

enum { STOCK = 256, ALIGN = 16, SMALL = 256 };
#ifdef PX_ASAN
enum { CHUNK = ALIGN };
#else
enum { CHUNK = 8192 };
#endif

struct px_arena_chunk {
    struct px_arena_chunk *next;
    size_t size; /* of the whole block */
};
_Static_assert(sizeof(struct px_arena_chunk) == ALIGN, "the first allocation is aligned");

/* Standard chunks that wait to be used again. There is one thread, so one stock. */
static struct px_arena_chunk *stock;
static size_t stocked, alive;

void px_arena_init(struct px_arena *a, size_t cap) {
    *a = (struct px_arena){.cap = cap};
}

void px_arena_init_small(struct px_arena *a, size_t cap) {
    *a = (struct px_arena){.cap = cap, .small = true};
}

/* A block of at least `least`: what a standard arena gets is always a standard chunk or larger. */
static struct px_arena_chunk *chunk_get(size_t need, size_t least) {
    if (need <= CHUNK && least == CHUNK && stock) {
        struct px_arena_chunk *chunk = stock;
        stock = chunk->next;
        stocked--;
        alive++;
        return chunk;
    }
    size_t size = PX_MAX(need, least);
    struct px_arena_chunk *chunk = malloc(size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    alive++;
    return chunk;
}

static void chunk_put(struct px_arena_chunk *chunk) {
    alive--;
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
    *a = (struct px_arena){.cap = a->cap, .small = a->small};
}

void px_arena_wipe(struct px_arena *a) {
    for (struct px_arena_chunk *chunk = a->chunks; chunk; chunk = chunk->next)
        explicit_bzero((char *)chunk + ALIGN, chunk->size - ALIGN);
    px_arena_finish(a);
}

void px_arena_stock_free(void) {
    while (stock) {
        struct px_arena_chunk *chunk = stock;
        stock = chunk->next;
        free(chunk);
    }
    stocked = 0;
}

size_t px_arena_chunks_alive(void) {
    return alive;
}

/* A block for this one alone, behind the chunk in use, so that the rest of that is not lost. */
static void *raw_alone(struct px_arena *a, size_t n) {
    struct px_arena_chunk *chunk = chunk_get(ALIGN + n, a->small ? ALIGN : CHUNK);
    if (!chunk)
        return NULL;
    struct px_arena_chunk **at = a->chunks ? &a->chunks->next : &a->chunks;
    chunk->next = *at;
    *at = chunk;
    return (char *)chunk + ALIGN;
}

void *px_arena_raw(struct px_arena *a, size_t n) {
    if (n > a->cap || a->used > a->cap - n || n > SIZE_MAX / 2)
        return NULL;
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    size_t standard = CHUNK;
    if (a->small)
        standard = PX_MIN(PX_MAX(a->used / 4 & ~(size_t)(ALIGN - 1), (size_t)SMALL), (size_t)CHUNK);
    if (ALIGN + need > standard / 2) {
        void *alone = raw_alone(a, n);
        a->used += alone ? n : 0;
        return alone;
    }
    if (!a->at || (size_t)(a->end - a->at) < need) {
        struct px_arena_chunk *chunk = chunk_get(standard, standard);
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
