/* json_help.h: what the tests of the JSON room share. */
#ifndef PX_TEST_JSON_HELP_H
#define PX_TEST_JSON_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* after those four */
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/tree.h"

/** A heap copy of exactly n bytes, with nothing behind it: a read past its end is seen by ASan. Freed by the caller. */
static inline px_str exact_copy(px_str s) {
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return px_str_n(p, s.n);
}

static inline void exact_free(px_str s) {
    free((void *)(uintptr_t)s.p);
}

/** Parse text that must be right. */
static inline const struct px_json *parsed(struct px_arena *arena, const char *text) {
    const struct px_json *root = NULL;
    struct px_err err = {0};
    if (px_json_parse(arena, px_str_of(text), NULL, &root, NULL, &err))
        fail_msg("%s: %s", text, err.msg);
    return root;
}

static inline void assert_text(px_str got, const char *want) {
    if (!px_str_is(got, want))
        fail_msg("got <" PX_FMT ">, expected <%s>", PX_ARG(got), want);
}

/** xorshift: the same values in every run. */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline int finish_stock(void **state) {
    (void)state;
    px_arena_stock_free();
    return 0;
}

#endif
