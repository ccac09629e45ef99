/* compare.c: equality, order and hashes of trees. Recursion is as deep as the tree: at most 512 levels. */
#include "json/number.h"
#include "json/text.h"
#include "json/tree.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

enum { FEW_MEMBERS = 16 }; /* up to here members are looked for one by one */

/* ---- numbers ---- */

/* A node's decimal; `room` is where a double's digits go, and must live as long as *ret. */
static void decimal_of(const struct px_json *node, char room[32], struct px_decimal *ret) {
    px_str exact;
    double value = px_json_number(node, &exact);
    if (!exact.p)
        exact = px_str_n(room, (size_t)snprintf(room, 32, "%.*g", DBL_DIG, value));
    px_decimal_read(exact, ret);
}

/* Two numbers without an exact text have few digits: their doubles are in the same order as they are. */
int px_json_number_cmp(const struct px_json *a, const struct px_json *b) {
    px_str exact_a, exact_b;
    double x = px_json_number(a, &exact_a), y = px_json_number(b, &exact_b);
    if (!exact_a.p && !exact_b.p)
        return x < y ? -1 : x > y;
    char room_a[32], room_b[32];
    struct px_decimal da, db;
    decimal_of(a, room_a, &da);
    decimal_of(b, room_b, &db);
    return px_decimal_cmp(&da, &db);
}

bool px_json_is_integer(const struct px_json *node) {
    px_str exact;
    double value = px_json_number(node, &exact);
    if (px_json_type(node) != PX_JSON_NUMBER)
        return false;
    if (!exact.p)
        return value == floor(value);
    struct px_decimal d;
    px_decimal_read(exact, &d);
    return px_decimal_is_integer(&d);
}

int px_json_i64(const struct px_json *node, int64_t *ret) {
    px_str exact;
    double value = px_json_number(node, &exact);
    if (px_json_type(node) != PX_JSON_NUMBER)
        return -EINVAL;
    if (!exact.p && value == floor(value) && fabs(value) < 1e15) {
        *ret = (int64_t)value;
        return 0;
    }
    char room[32];
    struct px_decimal d;
    decimal_of(node, room, &d);
    return px_decimal_i64(&d, ret);
}

/* What a double carries is hashed as a double, however it was written; the rest by its digits. */
static uint64_t number_hash(const struct px_json *node) {
    px_str exact;
    double value = px_json_number(node, &exact);
    if (exact.p) {
        struct px_decimal d;
        px_decimal_read(exact, &d);
        if (!px_decimal_is_simple(&d))
            return px_decimal_hash(&d);
    }
    uint64_t bits = 0;
    if (value != 0) /* minus zero is zero */
        memcpy(&bits, &value, sizeof bits);
    return px_json_mix(px_json_seed() + PX_JSON_NUMBER, bits);
}

/* ---- hashes ---- */

uint64_t px_json_hash(const struct px_json *node) {
    enum px_json_type type = px_json_type(node);
    uint64_t h = px_json_mix(px_json_seed(), (uint64_t)type);
    switch (type) {
    case PX_JSON_NUMBER: return number_hash(node);
    case PX_JSON_STRING: return px_json_mix(h, px_json_hash_bytes(px_json_text(node)));
    case PX_JSON_ARRAY:
        for (node = px_json_first(node); node; node = px_json_next(node))
            h = px_json_mix(h, px_json_hash(node));
        return h;
    case PX_JSON_OBJECT:
        for (node = px_json_first(node); node; node = px_json_next(node)) /* a sum: in any order */
            h += px_json_mix(px_json_hash_bytes(px_json_key(node)), px_json_hash(node));
        return h;
    default: return h;
    }
}

/* ---- equality ---- */

/* The members of an object by key. Without memory for a table (slots NULL) they are searched one by one:
 * slower, as right. */
struct members {
    const struct px_json *object, **slots;
    size_t room;
};

static struct members members_of(const struct px_json *object, size_t n) {
    struct members m = {.object = object, .room = 2 * FEW_MEMBERS};
    while (m.room < 2 * n)
        m.room *= 2;
    if (n > FEW_MEMBERS)
        m.slots = calloc(m.room, sizeof *m.slots);
    if (!m.slots)
        return m;
    for (const struct px_json *node = px_json_first(object); node; node = px_json_next(node)) {
        size_t at = px_json_hash_bytes(px_json_key(node)) & (m.room - 1);
        while (m.slots[at])
            at = (at + 1) & (m.room - 1);
        m.slots[at] = node;
    }
    return m;
}

static const struct px_json *members_find(const struct members *m, px_str key) {
    if (!m->slots)
        return px_json_get_str(m->object, key);
    size_t at = px_json_hash_bytes(key) & (m->room - 1);
    while (m->slots[at] && !px_str_eq(px_json_key(m->slots[at]), key))
        at = (at + 1) & (m->room - 1);
    return m->slots[at];
}

/* Objects are mostly written in one order: members are compared side by side as long as their keys agree, and
 * looked up from there on. */
static bool objects_equal(const struct px_json *a, const struct px_json *b) {
    size_t n = px_json_count(a);
    if (n != px_json_count(b))
        return false;
    const struct px_json *x = px_json_first(a), *y = px_json_first(b);
    for (; x && px_str_eq(px_json_key(x), px_json_key(y)); x = px_json_next(x), y = px_json_next(y)) {
        if (!px_json_equal(x, y))
            return false;
    }
    if (!x)
        return true;
    struct members m = members_of(b, n);
    bool equal = true;
    for (; x && equal; x = px_json_next(x)) {
        y = members_find(&m, px_json_key(x));
        equal = y && px_json_equal(x, y);
    }
    free(m.slots);
    return equal;
}

bool px_json_equal(const struct px_json *a, const struct px_json *b) {
    enum px_json_type type = px_json_type(a);
    if (type != px_json_type(b))
        return false;
    switch (type) {
    case PX_JSON_NUMBER: return px_json_number_cmp(a, b) == 0;
    case PX_JSON_STRING: return px_str_eq(px_json_text(a), px_json_text(b));
    case PX_JSON_ARRAY:
        a = px_json_first(a);
        b = px_json_first(b);
        for (; a && b; a = px_json_next(a), b = px_json_next(b)) {
            if (!px_json_equal(a, b))
                return false;
        }
        return !a && !b;
    case PX_JSON_OBJECT: return objects_equal(a, b);
    default: return true;
    }
}
