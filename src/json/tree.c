#include "json/tree.h"
#include "json/number.h"
#include "json/text.h"
#include "json/write.h"
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

/* How a node differs from what cJSON makes of it, after mend():
 *   a number that a double cannot carry: type cJSON_Raw, valuestring its text, valuedouble the nearest double
 *   a string with NUL bytes: valueint 1, valuedouble its length
 *   a member whose key holds NUL bytes: NUL_IN_KEY in its type, and `string` is the text of a struct nul_key */

enum {
    MOST_DEPTH = 512,     /* the scan's; cJSON's own limit is 1000 */
    NUMBER_BYTES = 63,    /* cJSON reads no more of a number, and fails at the rest */
    NUL_IN_KEY = 1 << 16, /* a bit that cJSON has no use for */
};

struct nul_key {
    size_t n;
    char text[];
};

static int type_of(const cJSON *node) {
    return node->type & ~NUL_IN_KEY;
}
static const cJSON *of(const struct px_json *node) {
    return (const cJSON *)(const void *)node;
}
static const struct px_json *to(const cJSON *node) {
    return (const struct px_json *)(const void *)node;
}

/* ---- parsing ---- */

/* cJSON's hooks are global and take no context. They are ours during one cJSON_Parse only. */
static struct px_arena *parse_arena;

static void *parse_alloc(size_t n) {
    return px_arena_raw(parse_arena, n);
}
static void parse_free(void *p) {
    (void)p;
}

static cJSON *parse_in(struct px_arena *arena, px_str text) {
    cJSON_Hooks hooks = {.malloc_fn = parse_alloc, .free_fn = parse_free};
    parse_arena = arena;
    cJSON_InitHooks(&hooks);
    cJSON *root = cJSON_ParseWithLength(text.p, text.n);
    cJSON_InitHooks(NULL);
    parse_arena = NULL;
    return root;
}

static const char *number_end(const char *p, const char *end) {
    while (p < end && (px_is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E' || *p == '+' || *p == '-'))
        p++;
    return p;
}

/* Numbers that are too long for cJSON become a zero and blanks, in a copy; mend() puts them back. *ret_copy
 * stays NULL when there are none; the caller frees it. */
static int shorten_numbers(px_str text, char **ret_copy) {
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        if (*p == '"') {
            p = px_string_end(p, end);
            continue;
        }
        if (*p != '-' && !px_is_digit(*p)) {
            p++;
            continue;
        }
        const char *stop = number_end(p, end);
        if (stop - p > NUMBER_BYTES) {
            if (!*ret_copy && !(*ret_copy = px_str_dup(text)))
                return -ENOMEM;
            char *at = *ret_copy + (p - text.p);
            memset(at, ' ', (size_t)(stop - p));
            *at = '0';
        }
        p = stop;
    }
    return 0;
}

static bool has_nul(px_str raw) {
    const char *p = raw.p, *end = raw.p + raw.n;
    char bytes[4];
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        if (px_unescape(&p, end, bytes) == 1 && !bytes[0])
            return true;
    }
    return false;
}

struct mend {
    struct px_arena *arena;
    const char *p, *end; /* walks the text in step with the tree */
    bool nul;            /* there are escaped NULs */
};

/* The next token that is neither white space nor what stands between values or behind them. */
static void to_token(struct mend *m) {
    while (m->p < m->end &&
           (px_is_space(*m->p) || *m->p == ',' || *m->p == ':' || *m->p == ']' || *m->p == '}'))
        m->p++;
}

static px_str take_string(struct mend *m) {
    const char *begin = m->p;
    m->p = px_string_end(m->p, m->end);
    return px_str_n(begin, (size_t)(m->p - begin));
}

static int mend_number(struct mend *m, cJSON *node) {
    const char *begin = m->p;
    m->p = number_end(m->p, m->end);
    px_str text = px_str_n(begin, (size_t)(m->p - begin));
    if (px_number_is_exact(text))
        return 0;
    text = px_arena_str(m->arena, text);
    if (!text.p)
        return -ENOMEM;
    node->type ^= cJSON_Number ^ cJSON_Raw;
    node->valuestring = (char *)(uintptr_t)text.p;
    node->valuedouble = strtod(text.p, NULL);
    return 0;
}

static int mend_string(struct mend *m, cJSON *node) {
    px_str raw = take_string(m), text;
    if (!m->nul || !has_nul(raw))
        return 0;
    int r = px_json_slice_text(m->arena, raw, &text);
    if (r)
        return r;
    node->valuestring = (char *)(uintptr_t)text.p;
    node->valueint = 1;
    node->valuedouble = (double)text.n;
    return 0;
}

static int mend_key(struct mend *m, cJSON *node) {
    px_str raw = take_string(m), text;
    if (!m->nul || !has_nul(raw))
        return 0;
    int r = px_json_slice_text(m->arena, raw, &text);
    struct nul_key *key = r ? NULL : px_arena_raw(m->arena, sizeof *key + text.n + 1);
    if (!key)
        return -ENOMEM;
    key->n = text.n;
    memcpy(key->text, text.p, text.n);
    key->text[text.n] = 0;
    node->string = key->text;
    node->type |= NUL_IN_KEY;
    return 0;
}

static int mend_node(struct mend *m, cJSON *node) {
    int type = node->type, r = 0;
    to_token(m);
    if (node->string) {
        r = mend_key(m, node);
        to_token(m);
    }
    if (r)
        return r;
    switch (type) {
    case cJSON_Number: return mend_number(m, node);
    case cJSON_String: return mend_string(m, node);
    case cJSON_Array:
    case cJSON_Object: m->p++; return 0;
    default: m->p += type == cJSON_False ? 5 : 4; return 0;
    }
}

/* The tree in the order of the text. */
static int mend_tree(struct mend *m, cJSON *root) {
    cJSON *parents[MOST_DEPTH + 1];
    unsigned depth = 0;
    for (cJSON *node = root;;) {
        int r = mend_node(m, node);
        if (r)
            return r;
        if (node->child) {
            parents[depth++] = node;
            node = node->child;
            continue;
        }
        while (!node->next) {
            if (!depth)
                return 0;
            node = parents[--depth];
        }
        node = node->next;
    }
}

int px_json_parse_scanned(struct px_arena *arena, const struct px_json_scan *scan, const struct px_json **ret,
                          struct px_err *err) {
    PX_AUTOFREE char *copy = NULL;
    px_str text = scan->value;
    int r = scan->inexact ? shorten_numbers(text, &copy) : 0;
    cJSON *root = r ? NULL : parse_in(arena, copy ? px_str_n(copy, text.n) : text);
    if (!root)
        return px_err_set(err, -ENOMEM, "JSON of %zu bytes needs more memory than it may have",
                          (size_t)text.n);
    struct mend m = {.arena = arena, .p = text.p, .end = text.p + text.n, .nul = scan->nul != 0};
    if ((scan->inexact || scan->nul) && mend_tree(&m, root))
        return px_err_set(err, -ENOMEM, "JSON of %zu bytes needs more memory than it may have",
                          (size_t)text.n);
    *ret = to(root);
    return 0;
}

int px_json_parse(struct px_arena *arena, px_str text, const struct px_json_limits *limits,
                  const struct px_json **ret, size_t *ret_at, struct px_err *err) {
    struct px_json_scan scan;
    int r = px_json_scan(text, limits, &scan, ret_at, err);
    return r ? r : px_json_parse_scanned(arena, &scan, ret, err);
}

/* ---- looking ---- */

enum px_json_type px_json_type(const struct px_json *node) {
    if (!node)
        return PX_JSON_NONE;
    switch (type_of(of(node))) {
    case cJSON_NULL: return PX_JSON_NULL;
    case cJSON_False: return PX_JSON_FALSE;
    case cJSON_True: return PX_JSON_TRUE;
    case cJSON_Number:
    case cJSON_Raw: return PX_JSON_NUMBER;
    case cJSON_String: return PX_JSON_STRING;
    case cJSON_Array: return PX_JSON_ARRAY;
    case cJSON_Object: return PX_JSON_OBJECT;
    default: return PX_JSON_NONE;
    }
}

const struct px_json *px_json_first(const struct px_json *container) {
    return container ? to(of(container)->child) : NULL;
}

const struct px_json *px_json_next(const struct px_json *node) {
    return node ? to(of(node)->next) : NULL;
}

size_t px_json_count(const struct px_json *container) {
    size_t n = 0;
    for (const struct px_json *node = px_json_first(container); node; node = px_json_next(node))
        n++;
    return n;
}

static px_str key_of(const cJSON *member) {
    if (member->type & NUL_IN_KEY)
        return px_str_n(member->string, px_container_of(member->string, struct nul_key, text)->n);
    return px_str_of(member->string);
}

px_str px_json_key(const struct px_json *member) {
    return member ? key_of(of(member)) : (px_str){0};
}

const struct px_json *px_json_get_str(const struct px_json *object, px_str key) {
    if (px_json_type(object) != PX_JSON_OBJECT)
        return NULL;
    for (const cJSON *member = of(object)->child; member; member = member->next) {
        if (px_str_eq(key_of(member), key))
            return to(member);
    }
    return NULL;
}

const struct px_json *px_json_get(const struct px_json *object, const char *key) {
    return px_json_get_str(object, px_str_of(key));
}

px_str px_json_text(const struct px_json *node) {
    if (!node || type_of(of(node)) != cJSON_String)
        return (px_str){0};
    const cJSON *string = of(node);
    return string->valueint ? px_str_n(string->valuestring, (size_t)string->valuedouble)
                            : px_str_of(string->valuestring);
}

double px_json_number(const struct px_json *node, px_str *ret_exact) {
    bool raw = node && type_of(of(node)) == cJSON_Raw;
    if (ret_exact)
        *ret_exact = raw ? px_str_of(of(node)->valuestring) : (px_str){0};
    return raw || (node && type_of(of(node)) == cJSON_Number) ? of(node)->valuedouble : 0;
}

bool px_json_bool(const struct px_json *node) {
    return node && type_of(of(node)) == cJSON_True;
}

/* ---- printing ---- */

/* `whole` with a point in front of its last n digits. */
static void print_fraction(struct px_buf *buf, bool negative, uint64_t whole, int n) {
    char digits[32];
    size_t at = sizeof digits;
    for (int i = 0; whole || i <= n; i++) {
        if (i == n)
            digits[--at] = '.';
        digits[--at] = (char)('0' + whole % 10);
        whole /= 10;
    }
    if (negative)
        digits[--at] = '-';
    px_buf_add(buf, digits + at, sizeof digits - at);
}

static void print_number(struct px_buf *buf, const cJSON *node) {
    double value = node->valuedouble;
    if (value == floor(value) && fabs(value) < 1e15) {
        px_buf_i64(buf, (int64_t)value);
        return;
    }
    /* A short fraction: the whole number that it is, moved by a few places. At most one decimal of up to 15 digits is read
     * as this double, so the first that is, is the one that was written. */
    double places = 10;
    for (int n = 1; n <= 6 && fabs(value) * places < 1e15; n++, places *= 10) {
        double whole = round(fabs(value) * places);
        if (whole / places == fabs(value)) {
            print_fraction(buf, value < 0, (uint64_t)whole, n);
            return;
        }
    }
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%.*g", DBL_DIG, value);
    px_buf_add(buf, digits, (size_t)n);
}

/* The node up to its first child: the end of a scalar, the opening of a container. */
static void print_node(struct px_buf *buf, const cJSON *node, bool with_key) {
    if (with_key) {
        px_json_quote(buf, key_of(node));
        px_buf_char(buf, ':');
    }
    switch (type_of(node)) {
    case cJSON_Object: px_buf_char(buf, '{'); break;
    case cJSON_Array: px_buf_char(buf, '['); break;
    case cJSON_Raw: px_buf_text(buf, node->valuestring); break;
    case cJSON_Number: print_number(buf, node); break;
    case cJSON_String: px_json_quote(buf, px_json_text(to(node))); break;
    case cJSON_True: px_buf_text(buf, "true"); break;
    case cJSON_False: px_buf_text(buf, "false"); break;
    default: px_buf_text(buf, "null"); break;
    }
}

int px_json_print(struct px_buf *buf, const struct px_json *root) {
    const cJSON *parents[MOST_DEPTH + 1], *node = of(root);
    unsigned depth = 0;
    if (!root)
        return -EINVAL;
    while (!buf->failed) {
        print_node(buf, node, depth && node->string); /* a member printed by itself goes without its key */
        if (node->child) {
            parents[depth++] = node;
            node = node->child;
            continue;
        }
        if (type_of(node) == cJSON_Array || type_of(node) == cJSON_Object)
            px_buf_char(buf, type_of(node) == cJSON_Array ? ']' : '}');
        while (depth && !node->next) {
            node = parents[--depth];
            px_buf_char(buf, type_of(node) == cJSON_Array ? ']' : '}');
        }
        if (!depth)
            break;
        px_buf_char(buf, ',');
        node = node->next;
    }
    return buf->failed;
}
