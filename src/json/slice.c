#include "json/slice.h"
#include "json/number.h"
#include "json/text.h"

enum px_json_type px_json_slice_type(px_str value) {
    if (!value.p || !value.n)
        return PX_JSON_NONE;
    switch (value.p[0]) {
    case 'n': return PX_JSON_NULL;
    case 'f': return PX_JSON_FALSE;
    case 't': return PX_JSON_TRUE;
    case '"': return PX_JSON_STRING;
    case '[': return PX_JSON_ARRAY;
    case '{': return PX_JSON_OBJECT;
    default: return value.p[0] == '-' || px_is_digit(value.p[0]) ? PX_JSON_NUMBER : PX_JSON_NONE;
    }
}

const char *px_json_type_name(enum px_json_type type) {
    switch (type) {
    case PX_JSON_NULL: return "null";
    case PX_JSON_FALSE:
    case PX_JSON_TRUE: return "boolean";
    case PX_JSON_NUMBER: return "number";
    case PX_JSON_STRING: return "string";
    case PX_JSON_ARRAY: return "array";
    case PX_JSON_OBJECT: return "object";
    default: return "nothing";
    }
}

/* The first quote or bracket ([ and {, ] and } are one bit apart); `end` when there is none. */
static const char *mark_end(const char *p, const char *end) {
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = px_load16(p), folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        __m128i brackets = _mm_or_si128(px_equal16(folded, '{'), px_equal16(folded, '}'));
        unsigned stop = px_flags16(_mm_or_si128(px_equal16(bytes, '"'), brackets));
        if (stop)
            return p + __builtin_ctz(stop);
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t word = px_load8(p), folded = word | PX_ONES * 0x20;
        uint64_t stop = px_bytes_equal(word, '"') | px_bytes_equal(folded, '{') | px_bytes_equal(folded, '}');
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
        p += 8;
    }
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* p: an opening bracket. Gives the byte behind its closing one; NULL: none. */
static const char *container_end(const char *p, const char *end) {
    size_t depth = 0;
    for (;;) {
        p = mark_end(p, end);
        if (p == end)
            return NULL;
        if (*p == '"') {
            p = px_string_end(p, end);
            if (!p)
                return NULL;
            continue;
        }
        if ((*p | 0x20) == '{')
            depth++;
        else if (--depth == 0)
            return p + 1;
        p++;
    }
}

const char *px_json_value_end(const char *p, const char *end) {
    const char *begin = p;
    if (p == end)
        return NULL;
    if (*p == '"')
        return px_string_end(p, end);
    if (*p == '{' || *p == '[')
        return container_end(p, end);
    while (p < end && *p != ',' && *p != ']' && *p != '}' && *p != ':' && *p != '"' && !px_is_space(*p))
        p++;
    return p > begin ? p : NULL;
}

int px_json_slice_next(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value) {
    enum px_json_type type = px_json_slice_type(container);
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT)
        return -EINVAL;
    if (*pos >= container.n)
        return *pos == container.n ? 0 : -EINVAL;
    char close = type == PX_JSON_ARRAY ? ']' : '}';
    const char *end = container.p + container.n, *p = container.p + *pos;
    p = px_skip_space(*pos ? p : p + 1, end);
    if (p < end && *p == close) {
        *pos = container.n;
        return 0;
    }
    if (*pos) {
        if (p == end || *p != ',')
            return -EINVAL;
        p = px_skip_space(p + 1, end);
    }
    px_str key = {0};
    if (type == PX_JSON_OBJECT) {
        const char *key_end = p < end && *p == '"' ? px_string_end(p, end) : NULL;
        if (!key_end)
            return -EINVAL;
        key = px_str_n(p, (size_t)(key_end - p));
        p = px_skip_space(key_end, end);
        if (p == end || *p != ':')
            return -EINVAL;
        p = px_skip_space(p + 1, end);
    }
    const char *stop = px_json_value_end(p, end);
    if (!stop || stop == end) /* a bracket must follow */
        return -EINVAL;
    if (ret_key)
        *ret_key = key;
    *ret_value = px_str_n(p, (size_t)(stop - p));
    *pos = (uint64_t)(stop - container.p);
    return 1;
}

/* The inside of a quoted string. */
static bool inside(px_str raw, const char **ret_p, const char **ret_end) {
    if (raw.n < 2 || raw.p[0] != '"' || raw.p[raw.n - 1] != '"')
        return false;
    *ret_p = raw.p + 1;
    *ret_end = raw.p + raw.n - 1;
    return true;
}

bool px_json_slice_is(px_str raw_string, px_str text) {
    const char *p, *end;
    if (!inside(raw_string, &p, &end) || (size_t)(end - p) < text.n)
        return false;
    if (text.n && *p != text.p[0] && *p != '\\')
        return false;
    size_t n = (size_t)(end - p), at = 0;
    if (n == text.n) /* an escape is longer than what it stands for */
        return n == 0 || (memcmp(p, text.p, n) == 0 && !memchr(p, '\\', n));
    while (p < end) {
        char bytes[4] = {*p};
        unsigned take = 1;
        if (*p != '\\')
            p++;
        else if (!(take = px_unescape(&p, end, bytes)))
            return false;
        if (text.n - at < take || memcmp(text.p + at, bytes, take) != 0)
            return false;
        at += take;
    }
    return at == text.n;
}

int px_json_slice_get(px_str object, px_str key, px_str *ret_value) {
    uint64_t pos = 0;
    px_str name, value;
    if (px_json_slice_type(object) != PX_JSON_OBJECT)
        return -EINVAL;
    for (;;) {
        int r = px_json_slice_next(object, &pos, &name, &value);
        if (r <= 0)
            return r ? r : -ENOENT;
        if (px_json_slice_is(name, key)) {
            *ret_value = value;
            return 0;
        }
    }
}

/* ---- pointers (RFC 6901) ---- */

/* Whether a raw string decodes to a reference token: ~1 is a slash, ~0 a tilde. */
static bool is_token(px_str raw, px_str token) {
    const char *p, *end;
    size_t at = 0;
    if (!memchr(token.p, '~', token.n))
        return px_json_slice_is(raw, token);
    if (!inside(raw, &p, &end))
        return false;
    while (p < end) {
        char bytes[4] = {*p};
        unsigned n = 1;
        if (*p != '\\')
            p++;
        else if (!(n = px_unescape(&p, end, bytes)))
            return false;
        for (unsigned i = 0; i < n; i++) {
            if (at == token.n)
                return false;
            char c = token.p[at++];
            if (c == '~')
                c = token.p[at++] == '0' ? '~' : '/';
            if (c != bytes[i])
                return false;
        }
    }
    return at == token.n;
}

/* Every tilde is followed by 0 or 1, and the first byte is a slash. */
static bool is_pointer(px_str pointer) {
    if (pointer.n && pointer.p[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.n; i++) {
        if (pointer.p[i] == '~' &&
            (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
            return false;
    }
    return true;
}

static int member_at(px_str object, px_str token, px_str *ret) {
    uint64_t pos = 0;
    px_str key, value;
    int r;
    while ((r = px_json_slice_next(object, &pos, &key, &value)) > 0) {
        if (is_token(key, token)) {
            *ret = value;
            return 0;
        }
    }
    return r ? r : -ENOENT;
}

static int element_at(px_str array, px_str token, px_str *ret) {
    uint64_t pos = 0, index;
    px_str value;
    int r;
    if (px_str_u64(token, &index) || (token.n > 1 && token.p[0] == '0'))
        return -ENOENT;
    while ((r = px_json_slice_next(array, &pos, NULL, &value)) > 0) {
        if (index-- == 0) {
            *ret = value;
            return 0;
        }
    }
    return r ? r : -ENOENT;
}

int px_json_slice_at(px_str doc, px_str pointer, px_str *ret_value) {
    if (!is_pointer(pointer))
        return -EINVAL;
    px_str at = px_trim(doc);
    for (size_t i = 0; i < pointer.n;) {
        const char *token = pointer.p + i + 1;
        const char *slash = memchr(token, '/', pointer.n - i - 1);
        size_t n = slash ? (size_t)(slash - token) : pointer.n - i - 1;
        enum px_json_type type = px_json_slice_type(at);
        int r = type == PX_JSON_OBJECT  ? member_at(at, px_str_n(token, n), &at)
                : type == PX_JSON_ARRAY ? element_at(at, px_str_n(token, n), &at)
                                        : -ENOENT;
        if (r)
            return r;
        i += n + 1;
    }
    *ret_value = at;
    return 0;
}

/* ---- decoding ---- */

int px_json_slice_text(struct px_arena *arena, px_str raw_string, px_str *ret) {
    const char *p, *end;
    if (!inside(raw_string, &p, &end))
        return -EINVAL;
    const char *escape = memchr(p, '\\', (size_t)(end - p));
    if (!escape) {
        *ret = px_str_n(p, (size_t)(end - p));
        return 0;
    }
    char *text = px_arena_raw(arena, (size_t)(end - p)); /* decoding never grows */
    if (!text)
        return -ENOMEM;
    size_t n = 0;
    while (escape) {
        memcpy(text + n, p, (size_t)(escape - p));
        n += (size_t)(escape - p);
        p = escape;
        char bytes[4];
        unsigned take = px_unescape(&p, end, bytes);
        if (!take)
            return -EINVAL;
        memcpy(text + n, bytes, take);
        n += take;
        escape = memchr(p, '\\', (size_t)(end - p));
    }
    memcpy(text + n, p, (size_t)(end - p));
    *ret = px_str_n(text, n + (size_t)(end - p));
    return 0;
}

static int read_number(px_str value, struct px_decimal *ret) {
    if (px_json_slice_type(value) != PX_JSON_NUMBER)
        return -EINVAL;
    px_decimal_read(value, ret);
    return 0;
}

int px_json_slice_i64(px_str value, int64_t *ret) {
    struct px_decimal d;
    int r = read_number(value, &d);
    return r ? r : px_decimal_i64(&d, ret);
}

int px_json_slice_u64(px_str value, uint64_t *ret) {
    struct px_decimal d;
    int r = read_number(value, &d);
    return r ? r : px_decimal_u64(&d, ret);
}

int px_json_slice_compact(struct px_buf *to, px_str value) {
    const char *p = value.p, *end = value.n ? value.p + value.n : p;
    while (p < end) {
        p = px_skip_space(p, end);
        const char *run = p;
        while (p < end && !px_is_space(*p)) {
            if (*p != '"') {
                p++;
                continue;
            }
            p = px_string_end(p, end);
            if (!p)
                return -EINVAL;
        }
        int r = px_buf_add(to, run, (size_t)(p - run));
        if (r)
            return r;
    }
    return 0;
}
