/* curl's memory, wiped before it is given back: requests with their Authorization, answers with their tokens stand in it. */
#include "net/http_private.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Not malloc(): where a test lets allocations of ours fail, it must not be curl's, which does not survive that. */
static void *get(size_t n) {
    return reallocarray(NULL, 1, n);
}

static void *get_zeroed(size_t n, size_t size) {
    void *p = reallocarray(NULL, n, size);
    return p ? memset(p, 0, n * size) : NULL; /* n * size has not overflowed */
}

static char *get_copy(const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = get(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

static void give_back(void *p) {
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

/* Never in place: what the old one held would be left behind by a library that moves it. */
static void *get_other(void *old, size_t n) {
    size_t had = old ? malloc_usable_size(old) : 0;
    void *p = get(n);
    if (p && had)
        memcpy(p, old, PX_MIN(had, n));
    if (p)
        give_back(old);
    return p;
}

int px_http_global_init(void) {
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, get, give_back, get_other, get_copy, get_zeroed)
               ? -ENOMEM
               : 0;
}
