/* The end of a text that is too large for a model: of a log, it says more than the beginning. */
#include "route/private.h"
#include "json/write.h"
#include <stdio.h>

enum { NOTICE = 96 }; /* bytes of the line that says what is missing */

/* Where the text may begin so that it costs at most `room`: behind the end of a line, or (a single long one) within it. */
static size_t begin_of(px_str text, uint64_t room) {
    size_t at = text.n > room ? text.n - (size_t)room : 0, n;
    while (at > 0 && at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80)
        at++; /* not inside of a character */
    uint64_t cost = px_json_escaped_size(px_str_n(text.p + at, text.n - at));
    while (cost > room) {
        cost -= px_json_escaped_step(px_str_n(text.p + at, text.n - at), &n);
        at += n;
    }
    const char *line = at && at < text.n ? memchr(text.p + at - 1, '\n', text.n - at) : NULL;
    return line ? (size_t)(line + 1 - text.p) : at;
}

px_str px_answer_tail(struct px_arena *arena, px_str text, uint64_t budget) {
    if (text.n <= budget && px_json_escaped_size(text) <= budget)
        return text;
    size_t at = begin_of(text, budget > NOTICE ? budget - NOTICE : 0), left = text.n - at;
    char *out = px_arena_raw(arena, NOTICE + left);
    if (!out)
        return (px_str){0};
    int n = snprintf(out, NOTICE, "[%zu bytes before this are not shown: only the end fits]\n", at);
    memcpy(out + n, text.p + at, left);
    return px_str_n(out, (size_t)n + left);
}
