#include "route/read.h"
#include <stdarg.h>
#include <stdio.h>

void px_read_init(struct px_read *r, struct px_arena *arena, const char *what, struct px_err *err) {
    *r = (struct px_read){.arena = arena, .what = what, .err = err};
}

int px_read_fail(struct px_read *r, const char *format, ...) {
    char words[512];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return px_err_set(r->err, -EINVAL, "%s: %s%s%s", r->what, r->at, r->n ? ": " : "", words);
}

int px_read_no_memory(struct px_read *r) {
    return px_err_set(r->err, -ENOMEM, "%s: out of memory, or too large", r->what);
}

int px_read_prefix(struct px_read *r, int code) {
    return px_err_prefix(r->err, code, "%s: %s%s", r->what, r->at, r->n ? ": " : "");
}

size_t px_read_enter(struct px_read *r, px_str key) {
    size_t before = r->n, room = sizeof r->at - 1;
    if (r->n < room)
        r->at[r->n++] = '/';
    size_t n = px_str_cut_utf8(key, PX_MIN((size_t)key.n, room - r->n));
    if (n)
        memcpy(r->at + r->n, key.p, n);
    r->n += n;
    r->at[r->n] = 0;
    return before;
}

bool px_pointer_valid(px_str s) {
    if (s.n && s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    }
    return true;
}

int px_read_key_text(struct px_read *r, px_str raw, px_str *ret) {
    int e = px_json_slice_text(r->arena, raw, ret);
    return e == -ENOMEM ? px_read_no_memory(r) : e ? px_read_fail(r, "not valid JSON") : 0;
}

int px_read_count(struct px_read *r, px_str container, enum px_json_type type, size_t *ret) {
    uint64_t pos = 0;
    px_str value;
    size_t n = 0;
    if (px_json_slice_type(container) != type)
        return px_read_fail(r, "expected %s, got %s", type == PX_JSON_ARRAY ? "an array" : "an object",
                            px_json_type_name(px_json_slice_type(container)));
    while (px_json_slice_next(container, &pos, NULL, &value) > 0)
        n++;
    *ret = n;
    return 0;
}

static int read_text(struct px_read *r, px_str value, px_str *ret) {
    if (px_json_slice_type(value) != PX_JSON_STRING)
        return px_read_fail(r, "expected a string, got %s", px_json_type_name(px_json_slice_type(value)));
    int e = px_read_key_text(r, value, ret);
    if (!e && memchr(ret->p, 0, ret->n))
        return px_read_fail(r, "a NUL cannot stand here");
    return e;
}

static int read_lower(struct px_read *r, px_str value, px_str *ret) {
    px_str text;
    int e = read_text(r, value, &text);
    if (e)
        return e;
    char *lower = px_arena_raw(r->arena, text.n + 1);
    if (!lower)
        return px_read_no_memory(r);
    for (size_t i = 0; i < text.n; i++)
        lower[i] = (char)(text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] | 32 : text.p[i]);
    lower[text.n] = 0;
    *ret = px_str_n(lower, text.n);
    return 0;
}

static int read_pointer(struct px_read *r, px_str value, px_str *ret) {
    int e = read_text(r, value, ret);
    if (!e && !px_pointer_valid(*ret))
        return px_read_fail(r,
                            "\"" PX_FMT "\" is not a JSON pointer: \"\", or \"/name/name\" with ~1 for / "
                            "and ~0 for ~",
                            PX_ARG(*ret));
    return e;
}

static int read_number(struct px_read *r, px_str value, uint64_t most, uint64_t *ret) {
    if (px_json_slice_u64(value, ret) || *ret > most)
        return px_read_fail(r, "expected an integer from 0 to %llu", (unsigned long long)most);
    return 0;
}

static int read_enum(struct px_read *r, const char *const *names, px_str value, int *ret) {
    px_str text;
    char known[256];
    size_t n = 0;
    int e = read_text(r, value, &text);
    if (e)
        return e;
    for (int i = 0; names[i]; i++) {
        if (px_str_is(text, names[i])) {
            *ret = i;
            return 0;
        }
    }
    known[0] = 0;
    for (size_t i = 0; names[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", names[i]);
    return px_read_fail(r, "\"" PX_FMT "\": expected one of %s", PX_ARG(text), known);
}

/* {"$arg": …, "style": "csv"} */
static int read_style(struct px_read *r, px_str value, px_str *ret) {
    uint64_t pos = 0;
    px_str key, member, style = {0};
    bool placeholder = false;
    if (px_json_slice_type(value) != PX_JSON_OBJECT)
        return 0;
    while (px_json_slice_next(value, &pos, &key, &member) > 0) {
        if (px_json_slice_is(key, PX_LIT("style")))
            style = member;
        else
            placeholder |= px_json_slice_is(key, PX_LIT("$arg")) ||
                           px_json_slice_is(key, PX_LIT("$config")) ||
                           px_json_slice_is(key, PX_LIT("$value"));
    }
    return style.p && placeholder ? read_text(r, style, ret) : 0;
}

static int read_params(struct px_read *r, px_str object, bool styles, struct px_params *ret) {
    uint64_t pos = 0;
    px_str key;
    size_t n;
    int e = px_read_count(r, object, PX_JSON_OBJECT, &n);
    if (e)
        return e;
    ret->list = px_arena_alloc(r->arena, n * sizeof *ret->list);
    if (!ret->list)
        return px_read_no_memory(r);
    for (ret->n = 0; ret->n < n; ret->n++) {
        struct px_param *param = &ret->list[ret->n];
        if (px_json_slice_next(object, &pos, &key, &param->value) <= 0)
            return px_read_fail(r, "not valid JSON");
        if ((e = px_read_key_text(r, key, &param->name)))
            return e;
        size_t before = px_read_enter(r, param->name);
        if (!param->name.n || memchr(param->name.p, 0, param->name.n))
            return px_read_fail(r, "a name cannot be empty, nor hold a NUL");
        if (styles && (e = read_style(r, param->value, &param->style)))
            return e;
        px_read_leave(r, before);
    }
    return 0;
}

int px_read_pointers(struct px_read *r, px_str array, px_str **ret, size_t *ret_n) {
    uint64_t pos = 0;
    px_str value;
    size_t n;
    int e = px_read_count(r, array, PX_JSON_ARRAY, &n);
    if (e)
        return e;
    px_str *list = px_arena_alloc(r->arena, n * sizeof *list);
    if (!list)
        return px_read_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        if (px_json_slice_next(array, &pos, NULL, &value) <= 0)
            return px_read_fail(r, "not valid JSON");
        if ((e = read_pointer(r, value, &list[i])))
            return e;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

int px_read_array(struct px_read *r, px_str array, size_t size, px_read_fn read, void **ret, size_t *ret_n) {
    uint64_t pos = 0;
    px_str value;
    size_t n;
    int e = px_read_count(r, array, PX_JSON_ARRAY, &n);
    if (e)
        return e;
    char *list = px_arena_alloc(r->arena, n * size);
    if (!list)
        return px_read_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", i);
        size_t before = px_read_enter(r, px_str_of(digits));
        if (px_json_slice_next(array, &pos, NULL, &value) <= 0)
            return px_read_fail(r, "not valid JSON");
        if ((e = read(r, list + i * size, value)))
            return e;
        px_read_leave(r, before);
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

static int read_scaled(struct px_read *r, px_str value, uint64_t scale, uint64_t *ret) {
    uint64_t number = 0;
    int e = read_number(r, value, UINT32_MAX, &number);
    if (!e)
        *ret = number * scale;
    return e;
}

int px_read_value(struct px_read *r, const struct px_read_key *key, px_str value, void *into) {
    void *at = (char *)into + key->offset;
    uint64_t number = 0;
    int e = 0;
    switch (key->kind) {
    case PX_READ_TEXT: return read_text(r, value, at);
    case PX_READ_LOWER: return read_lower(r, value, at);
    case PX_READ_POINTER: return read_pointer(r, value, at);
    case PX_READ_JSON: *(px_str *)at = value; return 0;
    case PX_READ_BOOL:
        if (px_json_slice_type(value) != PX_JSON_TRUE && px_json_slice_type(value) != PX_JSON_FALSE)
            return px_read_fail(r, "expected true or false");
        *(bool *)at = px_json_slice_type(value) == PX_JSON_TRUE;
        return 0;
    case PX_READ_U32:
        e = read_number(r, value, UINT32_MAX, &number);
        *(uint32_t *)at = (uint32_t)number;
        return e;
    case PX_READ_U64: return read_scaled(r, value, 1, at);
    case PX_READ_MS: return read_scaled(r, value, 1000000, at);
    case PX_READ_S: return read_scaled(r, value, 1000000000, at);
    case PX_READ_ENUM: return read_enum(r, key->names, value, at);
    case PX_READ_PARAMS: return read_params(r, value, false, at);
    case PX_READ_STYLED: return read_params(r, value, true, at);
    case PX_READ_WITH: return key->read(r, into, value);
    }
    return 0;
}

int px_read_object(struct px_read *r, px_str object, const struct px_read_key *keys, size_t n, void *into) {
    uint64_t pos = 0;
    px_str key, value, name;
    int e;
    if (px_json_slice_type(object) != PX_JSON_OBJECT)
        return px_read_fail(r, "expected an object, got %s", px_json_type_name(px_json_slice_type(object)));
    while ((e = px_json_slice_next(object, &pos, &key, &value)) > 0) {
        if ((e = px_read_key_text(r, key, &name)))
            return e;
        const struct px_read_key *known = NULL;
        for (size_t i = 0; i < n && !known; i++)
            known = px_str_is(name, keys[i].name) ? &keys[i] : NULL;
        if (!known && px_str_starts(name, PX_LIT("x-")))
            continue;
        size_t before = px_read_enter(r, name);
        e = known ? px_read_value(r, known, value, into) : px_read_fail(r, "there is no such key");
        if (e)
            return e;
        px_read_leave(r, before);
    }
    return e ? px_read_fail(r, "not valid JSON") : 0;
}
