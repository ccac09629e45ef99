#include "net/dns_private.h"
#include <assert.h>

/* What is given out when there is no memory to say anything else. */
static struct px_dns_result no_memory = {
    .refs = 1, .status = -ENOMEM, .why = "could not be looked up: out of memory"};

struct px_dns_result *px_dns_result_create(px_str name, int status, const char *why,
                                           const struct px_addr *addrs, size_t n) {
    struct px_dns_result *result = calloc(1, sizeof *result + n * sizeof *addrs);
    if (!result) {
        no_memory.refs++;
        return &no_memory;
    }
    result->refs = 1;
    result->status = status;
    result->why = why;
    px_list_init(&result->used);
    px_str_copy(result->name, sizeof result->name, name);
    result->n = n;
    if (n)
        memcpy(result->addrs, addrs, n * sizeof *addrs);
    return result;
}

void px_dns_result_unref(struct px_dns_result *result) {
    if (result && --result->refs == 0)
        free(result);
}

void px_dns_cache_init(struct px_dns_cache *cache, uint32_t max) {
    cache->max = max;
    px_map_init(&cache->names, max);
    px_list_init(&cache->used);
}

static void drop(struct px_dns_cache *cache, struct px_dns_result *result) {
    px_map_remove(&cache->names, px_str_of(result->name));
    px_list_remove(&result->used);
    result->kept = false;
    px_dns_result_unref(result);
}

void px_dns_cache_clear(struct px_dns_cache *cache) {
    while (!px_list_empty(&cache->used))
        drop(cache, px_list_entry(cache->used.next, struct px_dns_result, used));
}

void px_dns_cache_finish(struct px_dns_cache *cache) {
    px_dns_cache_clear(cache);
    px_map_finish(&cache->names);
}

struct px_dns_result *px_dns_cache_get(struct px_dns_cache *cache, px_str name, uint64_t now_ns) {
    struct px_dns_result *result = px_map_get(&cache->names, name);
    if (!result)
        return NULL;
    if (result->expires_ns <= now_ns) {
        drop(cache, result);
        return NULL;
    }
    px_list_remove(&result->used);
    px_list_add(&cache->used, &result->used);
    return result;
}

void px_dns_cache_put(struct px_dns_cache *cache, struct px_dns_result *result) {
    if (result == &no_memory || result->kept)
        return;
    px_dns_cache_forget(cache, px_str_of(result->name));
    if (cache->names.n >= cache->max && !px_list_empty(&cache->used))
        drop(cache, px_list_entry(cache->used.next, struct px_dns_result, used));
    if (px_map_put(&cache->names, px_str_of(result->name), result, NULL) < 0)
        return;
    result->refs++;
    result->kept = true;
    px_list_add(&cache->used, &result->used);
}

void px_dns_cache_forget(struct px_dns_cache *cache, px_str name) {
    struct px_dns_result *result = px_map_get(&cache->names, name);
    if (result)
        drop(cache, result);
}
