#include "base/locked_pool.h"
#include "base/util.h"
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

enum { WORDS = PX_LOCKED_REGION / PX_LOCKED_SLOT_MIN / 64, ALONE = PX_LOCKED_CLASSES };

static const uint64_t magic = 0x706c786c6f636b64;

struct region {
    alignas(16) uint64_t magic;
    struct px_list_node node; /* in pool->roomy */
    size_t size;
    uint32_t kind, n, used; /* kind: of its slots, or ALONE; n: slots */
    bool locked;
    uint64_t taken[WORDS]; /* a bit each */
};

static int lock(const void *p, size_t n) {
    return mlock2(p, n, 0);
}

void px_locked_pool_init(struct px_locked_pool *pool) {
    *pool = (struct px_locked_pool){.lock = lock};
    for (int i = 0; i < PX_LOCKED_CLASSES; i++)
        px_list_init(&pool->roomy[i]);
}

static uint32_t kind_of(size_t n) {
    uint32_t kind = 0;
    while (kind < PX_LOCKED_CLASSES && n > (size_t)PX_LOCKED_SLOT_MIN << kind)
        kind++;
    return kind;
}

static size_t slot_size(uint32_t kind) {
    return (size_t)PX_LOCKED_SLOT_MIN << kind;
}

static void *slot_at(struct region *region, uint32_t i) {
    return (char *)region + sizeof *region + i * slot_size(region->kind);
}

/* Memory that begins at a multiple of PX_LOCKED_REGION, so that a slot knows its region. */
static void *map_aligned(size_t size) {
    size_t room = size + PX_LOCKED_REGION;
    char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)p & (PX_LOCKED_REGION - 1);
    if (before)
        munmap(p, before);
    munmap(p + before + size, room - before - size);
    return p + before;
}

static struct region *open_region(struct px_locked_pool *pool, uint32_t kind, size_t size) {
    struct region *region = map_aligned(size);
    if (!region)
        return NULL;
    madvise(region, size, MADV_DONTDUMP);
    bool locked = pool->lock(region, size) == 0;
    *(locked ? &pool->locked : &pool->unlocked) += size;
    *region = (struct region){.magic = magic, .size = size, .kind = kind, .n = 1, .locked = locked};
    px_list_init(&region->node);
    if (kind != ALONE) {
        region->n = (uint32_t)((size - sizeof *region) / slot_size(kind));
        px_list_add(&pool->roomy[kind], &region->node);
    }
    return region;
}

static void close_region(struct px_locked_pool *pool, struct region *region) {
    size_t size = region->size;
    px_list_remove(&region->node);
    *(region->locked ? &pool->locked : &pool->unlocked) -= size;
    munmap(region, size);
}

static size_t alone_size(size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(struct region) + n + page - 1) / page * page;
}

void *px_locked_pool_alloc(struct px_locked_pool *pool, size_t n) {
    uint32_t kind = kind_of(n), i = 0;
    if (n > SIZE_MAX / 2)
        return NULL;
    if (kind == ALONE) {
        struct region *region = open_region(pool, ALONE, alone_size(n));
        return region ? (char *)region + sizeof *region : NULL;
    }
    struct region *region = px_list_empty(&pool->roomy[kind])
                                ? open_region(pool, kind, PX_LOCKED_REGION)
                                : px_list_entry(pool->roomy[kind].next, struct region, node);
    if (!region)
        return NULL;
    while (~region->taken[i] == 0)
        i++;
    i = i * 64 + (uint32_t)__builtin_ctzll(~region->taken[i]);
    region->taken[i / 64] |= 1ull << i % 64;
    if (++region->used == region->n)
        px_list_remove(&region->node);
    return slot_at(region, i);
}

/* A slot that is taken, or the end. */
static uint32_t slot_of(struct region *region, const char *p, uint32_t kind) {
    size_t at = (size_t)(p - (char *)region) - sizeof *region;
    uint32_t i = (uint32_t)(at / slot_size(kind));
    if (region->magic != magic || region->kind != kind || at % slot_size(kind) || i >= region->n ||
        !(region->taken[i / 64] & 1ull << i % 64))
        abort();
    return i;
}

void px_locked_pool_free(struct px_locked_pool *pool, void *p, size_t n) {
    uint32_t kind = kind_of(n);
    struct region *region = (void *)((uintptr_t)p & ~(uintptr_t)(PX_LOCKED_REGION - 1));
    if (kind == ALONE) {
        if (region->magic != magic || region->kind != ALONE || region->size != alone_size(n) ||
            p != (char *)region + sizeof *region)
            abort();
        explicit_bzero(p, n);
        close_region(pool, region);
        return;
    }
    uint32_t i = slot_of(region, p, kind);
    explicit_bzero(p, slot_size(kind));
    region->taken[i / 64] &= ~(1ull << i % 64);
    if (region->used-- == region->n)
        px_list_add(&pool->roomy[kind], &region->node);
    if (!region->used)
        close_region(pool, region);
}
