#include "json/template.h"
#include "base/codec.h"
#include "json/slice.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512,         /* as deep as any text that was scanned */
    NAMES_BYTES = 1024 * 1024 /* of all names with escapes in one template */
};

enum kind { ARG, CONCAT, BASE64, CONFIG, SECRET, VALUE, CALL, KINDS };
static const char *const kind_names[KINDS] = {"$arg",    "$concat", "$base64", "$config",
                                              "$secret", "$value",  "$call"};

struct fill {
    struct px_arena names; /* decoded names */
    struct px_buf *to;     /* NULL: only tell the uses */
    px_str args;
    const struct px_template_source *source; /* NULL: arguments only, and a default is data */
    const char *const *also;
    int (*each)(void *user, const char *kind, px_str name, bool has_default, struct px_err *err);
    void *user;
    struct px_err *err;
};

/* What an object with a "$…" key says. */
struct use {
    enum kind kind;
    px_str what; /* raw */
    px_str name; /* decoded; not of $concat and $base64 */
    px_str fallback;
};

static int not_json(struct fill *f) {
    return px_err_set(f->err, -EINVAL, "template: not valid JSON");
}

/* ---- reading a use ---- */

/* A key that means something here; KINDS: it does not. */
static enum kind kind_of(const struct fill *f, px_str key) {
    int known = f->source ? KINDS : BASE64 + 1;
    for (int i = 0; i < known; i++) {
        if (px_json_slice_is(key, px_str_of(kind_names[i])))
            return (enum kind)i;
    }
    return KINDS;
}

static bool may_stand_beside(const struct fill *f, px_str key) {
    for (const char *const *also = f->also; also && *also; also++) {
        if (px_json_slice_is(key, px_str_of(*also)))
            return true;
    }
    return false;
}

static int read_name(struct fill *f, struct use *use) {
    if (use->kind == BASE64) /* of any template */
        return 0;
    if (use->kind == CONCAT) {
        if (px_json_slice_type(use->what) != PX_JSON_ARRAY)
            return px_err_set(f->err, -EINVAL,
                              "template: \"$concat\" must be an array, the parts of a string");
        return 0;
    }
    int r = px_json_slice_text(&f->names, use->what, &use->name);
    if (r == -ENOMEM)
        return px_err_set(f->err, r, "template: too many long names");
    if (r)
        return px_err_set(f->err, r, "template: \"%s\" must be a string, %s", kind_names[use->kind],
                          use->kind == ARG     ? "the name of an argument"
                          : use->kind == VALUE ? "the name of a value"
                          : use->kind == CALL  ? "\"key\""
                                               : "a pointer into the configuration");
    return 0;
}

/* 1: the object stands for something else; 0: it is plain; -errno. */
static int read_use(struct fill *f, px_str object, struct use *ret) {
    uint64_t pos = 0;
    px_str key, value, other = {0};
    struct use use = {.kind = KINDS};
    int r;
    while ((r = px_json_slice_next(object, &pos, &key, &value)) > 0) {
        enum kind kind = kind_of(f, key);
        if (kind < KINDS && use.kind == KINDS) {
            use.kind = kind;
            use.what = value;
        } else if (px_json_slice_is(key, PX_LIT("default"))) {
            use.fallback = value;
        } else if (!may_stand_beside(f, key)) {
            other = key;
        }
    }
    if (r)
        return not_json(f);
    if (use.kind == KINDS)
        return 0;
    if (other.p)
        return px_err_set(f->err, -EINVAL, "template: beside \"%s\" only \"default\" may stand, not " PX_FMT,
                          kind_names[use.kind], PX_ARG(px_str_n(other.p, px_str_cut_utf8(other, 60))));
    r = read_name(f, &use);
    *ret = use;
    return r ? r : 1;
}

/* ---- filling: 0: put; 1: absent, nothing was put; -errno ---- */

static int put_value(struct fill *f, px_str value, unsigned depth);

/* The argument at a name or pointer. */
static int look_up_arg(struct fill *f, px_str name, px_str *ret) {
    bool pointer = name.n && name.p[0] == '/';
    int r = pointer ? px_json_slice_at(f->args, name, ret) : px_json_slice_get(f->args, name, ret);
    if (!r || r == -ENOENT)
        return r;
    if (pointer)
        return px_err_set(f->err, -EINVAL, "template: \"$arg\" is not a JSON pointer: \"" PX_FMT "\"",
                          PX_ARG(px_str_n(name.p, px_str_cut_utf8(name, 100))));
    return px_err_set(f->err, -EINVAL, "the arguments are not a valid JSON object");
}

static int look_up(struct fill *f, const struct use *use, px_str *ret) {
    if (use->kind == ARG)
        return look_up_arg(f, use->name, ret);
    if (!f->source->get)
        return px_err_set(f->err, -EINVAL, "template: \"%s\" means nothing here", kind_names[use->kind]);
    return f->source->get(f->source->ctx, kind_names[use->kind], use->name, ret, f->err);
}

static void take_back(struct px_buf *to, size_t n) {
    if (to->n > n) {
        to->n = n;
        to->p[n] = 0;
    }
}

/* The value at `from`, which was just put, becomes a part of the string around it: a string without its quotes; numbers and
 * booleans as they are. */
static int join_part(struct fill *f, size_t from) {
    struct px_buf *to = f->to;
    px_str part = px_str_n(to->p + from, to->n - from);
    enum px_json_type type = px_json_slice_type(part);
    if (type == PX_JSON_NUMBER || type == PX_JSON_TRUE || type == PX_JSON_FALSE)
        return 0;
    if (type != PX_JSON_STRING || part.n < 2)
        return px_err_set(f->err, -EINVAL,
                          "template: a part of \"$concat\" must be a string, number or boolean, not %s",
                          px_json_type_name(type));
    memmove(to->p + from, to->p + from + 1, part.n - 2);
    take_back(to, to->n - 2);
    return 0;
}

static int put_concat(struct fill *f, px_str parts, unsigned depth) {
    size_t before = f->to->n;
    uint64_t pos = 0;
    px_str part;
    int r, put = px_buf_char(f->to, '"');
    if (put)
        return put;
    while ((r = px_json_slice_next(parts, &pos, NULL, &part)) > 0) {
        size_t from = f->to->n;
        put = put_value(f, part, depth + 1);
        if (put == 1)
            take_back(f->to, before);
        if (put)
            return put;
        put = join_part(f, from);
        if (put)
            return put;
    }
    return r ? not_json(f) : px_buf_char(f->to, '"');
}

/* The string at `from`, which was just put, becomes the base64 of its text. */
static int encode(struct fill *f, size_t from) {
    px_str raw = px_str_n(f->to->p + from, f->to->n - from), text;
    if (px_json_slice_type(raw) != PX_JSON_STRING)
        return px_err_set(f->err, -EINVAL, "template: what \"$base64\" encodes must be a string, not %s",
                          px_json_type_name(px_json_slice_type(raw)));
    struct px_arena decoded;
    px_arena_init(&decoded, 2 * raw.n + 64);
    int r = px_json_slice_text(&decoded, raw, &text);
    if (!r) /* a text without escapes still lies in the buffer, which is written over now */
        text = px_arena_str(&decoded, text);
    if (!r && !text.p)
        r = -ENOMEM;
    if (r) {
        px_arena_finish(&decoded);
        return px_err_set(f->err, r, "template: \"$base64\": %s",
                          r == -ENOMEM ? "out of memory" : "not a string");
    }
    take_back(f->to, from);
    px_buf_char(f->to, '"');
    px_base64_add(f->to, text);
    px_arena_finish(&decoded);
    return px_buf_char(f->to, '"');
}

static int put_base64(struct fill *f, px_str template, unsigned depth) {
    size_t from = f->to->n;
    int r = put_value(f, template, depth + 1);
    return r ? r : encode(f, from);
}

static int put_use(struct fill *f, const struct use *use, unsigned depth) {
    px_str found;
    int r;
    if (use->kind == CONCAT || use->kind == BASE64) {
        r = use->kind == CONCAT ? put_concat(f, use->what, depth) : put_base64(f, use->what, depth);
        if (r != 1)
            return r;
    } else {
        r = look_up(f, use, &found);
        if (r != -ENOENT)
            return r ? r : px_buf_str(f->to, found);
    }
    if (!use->fallback.p)
        return 1;
    return f->source ? put_value(f, use->fallback, depth + 1) : px_buf_str(f->to, use->fallback);
}

/* A container that is no use itself, without those of its members that are absent. */
static int put_members(struct fill *f, px_str container, unsigned depth) {
    uint64_t pos = 0;
    px_str key, value;
    bool any = false;
    int r;
    while ((r = px_json_slice_next(container, &pos, &key, &value)) > 0) {
        size_t before = f->to->n;
        if (any)
            px_buf_char(f->to, ',');
        if (key.p) {
            px_buf_str(f->to, key);
            px_buf_char(f->to, ':');
        }
        int put = f->to->failed ? f->to->failed : put_value(f, value, depth + 1);
        if (put < 0)
            return put;
        if (put == 1)
            take_back(f->to, before);
        else
            any = true;
    }
    return r ? not_json(f) : 0;
}

/* Nothing inside can be a use, however its key is written. */
static bool is_literal(px_str value) {
    return !memchr(value.p, '$', value.n) && !memchr(value.p, '\\', value.n);
}

static int put_value(struct fill *f, px_str value, unsigned depth) {
    enum px_json_type type = px_json_slice_type(value);
    struct use use;
    if (type == PX_JSON_NONE)
        return not_json(f);
    if (depth > MOST_DEPTH)
        return px_err_set(f->err, -EINVAL, "template: nested deeper than %d levels", MOST_DEPTH);
    if ((type != PX_JSON_OBJECT && type != PX_JSON_ARRAY) || is_literal(value)) {
        int r = px_json_slice_compact(f->to, value);
        return r == -EINVAL ? not_json(f) : r;
    }
    int r = type == PX_JSON_OBJECT ? read_use(f, value, &use) : 0;
    if (r)
        return r < 0 ? r : put_use(f, &use, depth);
    px_buf_char(f->to, type == PX_JSON_OBJECT ? '{' : '[');
    r = put_members(f, value, depth);
    return r ? r : px_buf_char(f->to, type == PX_JSON_OBJECT ? '}' : ']');
}

static int fill_all(struct fill *f, px_str template_json) {
    px_arena_init(&f->names, NAMES_BYTES);
    int r = f->to->failed;
    if (!r && px_json_slice_type(f->args) != PX_JSON_OBJECT)
        r = px_err_set(f->err, -EINVAL, "the arguments are not a valid JSON object");
    if (!r)
        r = put_value(f, px_trim(template_json), 1);
    if (r && r == f->to->failed)
        r = px_err_set(f->err, r, "template: the filled text is over %zu bytes or out of memory", f->to->cap);
    px_arena_finish(&f->names);
    return r;
}

int px_json_template_fill(struct px_buf *to, px_str template_json, px_str args_json, struct px_err *err) {
    struct fill f = {.to = to, .args = args_json.p ? px_trim(args_json) : PX_LIT("{}"), .err = err};
    int r = fill_all(&f, template_json);
    return r == 1 ? px_buf_text(to, "null") : r;
}

int px_json_template_fill_from(struct px_buf *to, px_str template_json,
                               const struct px_template_source *source, struct px_err *err) {
    struct fill f = {.to = to,
                     .args = source->args_json.p ? px_trim(source->args_json) : PX_LIT("{}"),
                     .source = source,
                     .also = source->also,
                     .err = err};
    return fill_all(&f, template_json);
}

/* ---- telling ---- */

static int tell_value(struct fill *f, px_str value, unsigned depth);

static int tell_members(struct fill *f, px_str container, unsigned depth) {
    uint64_t pos = 0;
    px_str value;
    int r;
    while ((r = px_json_slice_next(container, &pos, NULL, &value)) > 0) {
        r = tell_value(f, value, depth + 1);
        if (r)
            return r;
    }
    return r ? not_json(f) : 0;
}

static int tell_use(struct fill *f, const struct use *use, unsigned depth) {
    int r = use->kind == CONCAT ? tell_members(f, use->what, depth)
            : use->kind == BASE64
                ? tell_value(f, use->what, depth + 1)
                : f->each(f->user, kind_names[use->kind], use->name, use->fallback.p != NULL, f->err);
    return r || !use->fallback.p ? r : tell_value(f, use->fallback, depth + 1);
}

static int tell_value(struct fill *f, px_str value, unsigned depth) {
    enum px_json_type type = px_json_slice_type(value);
    struct use use;
    if (type == PX_JSON_NONE)
        return not_json(f);
    if (depth > MOST_DEPTH)
        return px_err_set(f->err, -EINVAL, "template: nested deeper than %d levels", MOST_DEPTH);
    if ((type != PX_JSON_OBJECT && type != PX_JSON_ARRAY) || is_literal(value))
        return 0;
    int r = type == PX_JSON_OBJECT ? read_use(f, value, &use) : 0;
    if (r)
        return r < 0 ? r : tell_use(f, &use, depth);
    return tell_members(f, value, depth);
}

int px_json_template_uses(px_str template_json,
                          int (*each)(void *user, const char *kind, px_str name, bool has_default,
                                      struct px_err *err),
                          void *user, const char *const *also, struct px_err *err) {
    static const struct px_template_source every = {.get = NULL};
    struct fill f = {.source = &every, .also = also, .each = each, .user = user, .err = err};
    px_arena_init(&f.names, NAMES_BYTES);
    int r = tell_value(&f, px_trim(template_json), 1);
    px_arena_finish(&f.names);
    return r;
}
