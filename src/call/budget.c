/* A result that is too large for a model is cut on whole items: a model that sees half an item invents the rest. */
#include "call/private.h"
#include "json/slice.h"
#include "json/write.h"
#include <errno.h>

enum { LEVELS = 3, CUTS_MAX = 16, WORST = 6 }; /* WORST: bytes that one byte of text may become */

uint64_t px_budget_cost(px_str text, bool escaped) {
    return escaped ? px_json_escaped_size(text) : text.n;
}

/* ---- JSON ---- */

/* The longest array that holds anything: the value itself, or one up to `level` objects down. */
static void find_longest(px_str value, int level, px_str *best) {
    enum px_json_type type = px_json_slice_type(value);
    px_str member;
    uint64_t pos = 0;
    if (type == PX_JSON_ARRAY) {
        if (value.n > best->n && px_json_slice_next(value, &pos, NULL, &member) == 1)
            *best = value;
        return;
    }
    if (type != PX_JSON_OBJECT || level == 0)
        return;
    while (px_json_slice_next(value, &pos, NULL, &member) == 1)
        find_longest(member, level - 1, best);
}

/* The end of the last element with which the array, without its closing bracket, costs at most `room`. */
static const char *keep_until(px_str array, uint64_t room, bool escaped, struct px_cut *cut) {
    const char *end = array.p + 1, *counted = array.p;
    uint64_t pos = 0, cost = 0;
    px_str element;
    bool full = false;
    while (px_json_slice_next(array, &pos, NULL, &element) == 1) {
        const char *behind = element.p + element.n;
        if (!full)
            cost += px_budget_cost(px_str_n(counted, (size_t)(behind - counted)), escaped);
        counted = behind;
        full = full || cost > room;
        if (full) {
            cut->dropped++;
        } else {
            end = behind;
            cut->kept++;
        }
    }
    return end;
}

/* `json` with the array ending at `end`. */
static int close_array(struct px_arena *arena, px_str json, px_str array, const char *end, px_str *ret) {
    const char *behind = array.p + array.n;
    size_t head = (size_t)(end - json.p), tail = (size_t)(json.p + json.n - behind);
    char *out = px_arena_raw(arena, head + 1 + tail + 1);
    if (!out)
        return -ENOMEM;
    memcpy(out, json.p, head);
    out[head] = ']';
    memcpy(out + head + 1, behind, tail);
    out[head + 1 + tail] = 0;
    *ret = px_str_n(out, head + 1 + tail);
    return 0;
}

int px_budget_cut(struct px_arena *arena, px_str json, uint64_t budget, bool escaped, px_str *ret,
                  struct px_cut *cut) {
    *cut = (struct px_cut){.bytes = json.n};
    if (json.n <= budget / WORST) {
        *ret = json;
        return 0;
    }
    for (int i = 0; i < CUTS_MAX; i++) {
        px_str array = {0};
        uint64_t cost = px_budget_cost(json, escaped);
        if (cost <= budget) {
            *ret = json;
            cut->done = cut->dropped > 0; /* it may have been white space alone */
            return cut->done && !cut->kept ? -EMSGSIZE : 0;
        }
        find_longest(json, LEVELS, &array);
        if (!array.p)
            return -EMSGSIZE;
        uint64_t around = cost - px_budget_cost(array, escaped);
        uint64_t room = around + 1 < budget ? budget - around - 1 : 0; /* the closing bracket */
        const char *end = keep_until(array, room, escaped, cut);
        int r = close_array(arena, json, array, end, &json);
        if (r)
            return r;
    }
    return -EMSGSIZE;
}

/* ---- text ---- */

static uint64_t lines_of(px_str text) {
    uint64_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n + (text.n && text.p[text.n - 1] != '\n');
}

px_str px_budget_cut_text(px_str text, uint64_t budget, struct px_cut *cut) {
    uint64_t cost = 0;
    size_t at = 0, lines_end = 0, n;
    *cut = (struct px_cut){.bytes = text.n};
    if (text.n <= budget / WORST)
        return text;
    while (at < text.n) {
        cost += px_json_escaped_step(px_str_n(text.p + at, text.n - at), &n);
        if (cost > budget)
            break;
        at += n;
        if (text.p[at - 1] == '\n')
            lines_end = at;
    }
    if (at == text.n)
        return text;
    px_str kept = px_str_n(text.p, lines_end ? lines_end : at); /* no whole line fits: a part of the first */
    cut->kept = lines_end ? lines_of(kept) : 0;
    cut->dropped = lines_of(text) - cut->kept;
    cut->done = true;
    return kept;
}
