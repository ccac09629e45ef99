/* A result that is too large for a model is cut on whole items: a model that sees half an item invents the rest. */
#include "call/private.h"
#include "json/slice.h"
#include <errno.h>

enum { LEVELS = 3 };

struct longest {
    px_str array; /* within the text */
};

/* The longest array of the value itself, or up to LEVELS objects down. */
static void find_longest(px_str value, int level, struct longest *best) {
    enum px_json_type type = px_json_slice_type(value);
    if (type == PX_JSON_ARRAY) {
        if (value.n > best->array.n)
            best->array = value;
        return;
    }
    if (type != PX_JSON_OBJECT || level == 0)
        return;
    uint64_t pos = 0;
    px_str member;
    while (px_json_slice_next(value, &pos, NULL, &member) == 1)
        find_longest(member, level - 1, best);
}

/* The end of the last element with which the array's text has at most `room` bytes (without its closing bracket). */
static const char *keep_until(px_str array, uint64_t room, struct px_cut *cut) {
    const char *end = array.p + 1;
    uint64_t pos = 0;
    px_str element;
    while (px_json_slice_next(array, &pos, NULL, &element) == 1) {
        const char *behind = element.p + element.n;
        if (!cut->dropped && (uint64_t)(behind - array.p) <= room) {
            end = behind;
            cut->kept++;
        } else {
            cut->dropped++;
        }
    }
    return end;
}

int px_budget_cut(struct px_arena *arena, px_str json, uint64_t budget, px_str *ret, struct px_cut *cut) {
    struct longest best = {{0}};
    *cut = (struct px_cut){.bytes = json.n};
    if (json.n <= budget) {
        *ret = json;
        return 0;
    }
    find_longest(json, LEVELS, &best);
    uint64_t around = json.n - best.array.n;
    if (!best.array.p || around + 2 > budget)
        return -EMSGSIZE;
    const char *end = keep_until(best.array, budget - around - 1, cut);
    const char *behind = best.array.p + best.array.n;
    size_t head = (size_t)(end - json.p), tail = (size_t)(json.p + json.n - behind);
    char *out = px_arena_raw(arena, head + 1 + tail + 1);
    if (!out)
        return -ENOMEM;
    memcpy(out, json.p, head);
    out[head] = ']';
    memcpy(out + head + 1, behind, tail);
    out[head + 1 + tail] = 0;
    *ret = px_str_n(out, head + 1 + tail);
    cut->done = true;
    return 0;
}

px_str px_budget_cut_text(px_str text, uint64_t budget, struct px_cut *cut) {
    *cut = (struct px_cut){.bytes = text.n};
    if (text.n <= budget)
        return text;
    const char *newline = budget ? memrchr(text.p, '\n', budget) : NULL;
    px_str kept = px_str_n(text.p, newline ? (size_t)(newline - text.p) + 1 : px_str_cut_utf8(text, budget));
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\n')
            continue;
        if (i < kept.n)
            cut->kept++;
        else
            cut->dropped++;
    }
    cut->dropped += text.p[text.n - 1] != '\n';
    cut->done = true;
    return kept;
}
