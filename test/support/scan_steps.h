/* scan_steps.h: the scan in steps against the scan at once: the same verdict, place, words and counts. */
#ifndef PX_TEST_SCAN_STEPS_H
#define PX_TEST_SCAN_STEPS_H

#include "json/scan.h"

/** A first step of `first` bytes, then steps of `rest`. *ret_steps (may be NULL): how many were taken. */
static inline bool scan_steps_agree(px_str text, const struct px_json_limits *limits, size_t first,
                                    size_t rest, size_t *ret_steps) {
    struct px_json_scan once = {0}, steps = {0};
    struct px_err once_err = {0}, steps_err = {0};
    size_t once_at = 0, steps_at = 0, n = 1;
    int want = px_json_scan(text, limits, &once, &once_at, &once_err);
    struct px_json_scanner *scanner = px_json_scanner_create(text, limits);
    int r = scanner ? px_json_scanner_step(scanner, first, &steps, &steps_at, &steps_err) : -ENOMEM;
    for (; r == 1 && n <= text.n + 1; n++)
        r = px_json_scanner_step(scanner, rest, &steps, &steps_at, &steps_err);
    px_json_scanner_destroy(scanner);
    if (ret_steps)
        *ret_steps = n;
    return r == want && once_at == steps_at && once_err.code == steps_err.code &&
           !strcmp(once_err.msg, steps_err.msg) && once.values == steps.values && once.depth == steps.depth &&
           once.inexact == steps.inexact && once.nul == steps.nul && once.value.p == steps.value.p &&
           once.value.n == steps.value.n;
}

/** At every place of the text, and with steps of every small size; of a long text, at some places. */
static inline bool scan_steps_agree_everywhere(px_str text, const struct px_json_limits *limits) {
    size_t stride = 1 + text.n / 512;
    for (size_t first = 1; first <= text.n + 1; first += stride)
        if (!scan_steps_agree(text, limits, first, SIZE_MAX, NULL))
            return false;
    for (size_t rest = 1; rest <= 64; rest += 1 + rest / 4 + stride / 8)
        if (!scan_steps_agree(text, limits, rest, rest, NULL))
            return false;
    return true;
}

#endif
