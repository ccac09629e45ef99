#include "json/template.h"
#include "json/slice.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512,         /* as deep as any text that was scanned */
    NAMES_BYTES = 1024 * 1024 /* of all names with escapes in one template */
};

struct fill {
    struct px_arena names; /* decoded names */
    struct px_buf *to;
    px_str args;
    void (*each)(void *user, px_str name); /* not NULL: only tell the names */
    void *user;
    struct px_err *err;
};

/* What {"$arg": …} says. */
struct arg {
    px_str name, fallback;
};

static int not_json(struct fill *f) {
    return px_err_set(f->err, -EINVAL, "template: not valid JSON");
}

/* 1: the object is an argument; 0: it is plain; -errno. */
static int read_arg(struct fill *f, px_str object, struct arg *ret) {
    uint64_t pos = 0;
    px_str key, value, name = {0}, other = {0}, fallback = {0};
    int r;
    while ((r = px_json_slice_next(object, &pos, &key, &value)) > 0) {
        if (px_json_slice_is(key, PX_LIT("$arg")))
            name = value;
        else if (px_json_slice_is(key, PX_LIT("default")))
            fallback = value;
        else
            other = key;
    }
    if (r)
        return not_json(f);
    if (!name.p)
        return 0;
    if (other.p)
        return px_err_set(f->err, -EINVAL,
                          "template: beside \"$arg\" only \"default\" may stand, not " PX_FMT,
                          PX_ARG(px_str_n(other.p, px_str_cut_utf8(other, 60))));
    r = px_json_slice_text(&f->names, name, &ret->name);
    if (r == -ENOMEM)
        return px_err_set(f->err, r, "template: too many long names");
    if (r)
        return px_err_set(f->err, r, "template: \"$arg\" must be a string, the name of an argument");
    ret->fallback = fallback;
    return 1;
}

/* The argument, else the default, else absent. */
static int look_up(struct fill *f, const struct arg *arg, px_str *ret) {
    bool pointer = arg->name.n && arg->name.p[0] == '/';
    int r = pointer ? px_json_slice_at(f->args, arg->name, ret) : px_json_slice_get(f->args, arg->name, ret);
    if (r == -ENOENT) {
        *ret = arg->fallback;
        return 0;
    }
    if (r && pointer)
        return px_err_set(f->err, -EINVAL, "template: \"$arg\" is not a JSON pointer: \"" PX_FMT "\"",
                          PX_ARG(px_str_n(arg->name.p, px_str_cut_utf8(arg->name, 100))));
    return r ? px_err_set(f->err, -EINVAL, "the arguments are not a valid JSON object") : 0;
}

/* 1: *ret_value is what to put in place of an argument (absent: nothing, drop what holds it); 0: not an argument. */
static int resolve(struct fill *f, px_str value, px_str *ret_value) {
    struct arg arg;
    int r = px_json_slice_type(value) == PX_JSON_OBJECT ? read_arg(f, value, &arg) : 0;
    if (r <= 0)
        return r;
    *ret_value = (px_str){0};
    if (f->each) {
        f->each(f->user, arg.name);
        return 1;
    }
    r = look_up(f, &arg, ret_value);
    return r ? r : 1;
}

/* Nothing inside can be an argument, however its key is written. */
static bool is_literal(px_str value) {
    return !memchr(value.p, '$', value.n) && !memchr(value.p, '\\', value.n);
}

static int fill_value(struct fill *f, px_str value, unsigned depth);

/* A container that is not an argument, without those of its members that are absent. */
static int fill_members(struct fill *f, px_str container, unsigned depth) {
    uint64_t pos = 0;
    px_str key, value, put;
    bool any = false;
    int r;
    while ((r = px_json_slice_next(container, &pos, &key, &value)) > 0) {
        int is_arg = resolve(f, value, &put);
        if (is_arg < 0)
            return is_arg;
        if (is_arg && !put.p)
            continue;
        if (f->to && any)
            px_buf_char(f->to, ',');
        any = true;
        if (f->to && key.p) {
            px_buf_str(f->to, key);
            px_buf_char(f->to, ':');
        }
        r = is_arg ? px_buf_str(f->to, put) : fill_value(f, value, depth + 1);
        if (r)
            return r;
    }
    return r ? not_json(f) : 0;
}

/* A value that is not an argument itself. */
static int fill_value(struct fill *f, px_str value, unsigned depth) {
    enum px_json_type type = px_json_slice_type(value);
    if (type == PX_JSON_NONE)
        return not_json(f);
    if (depth > MOST_DEPTH)
        return px_err_set(f->err, -EINVAL, "template: nested deeper than %d levels", MOST_DEPTH);
    if (is_literal(value) || (type != PX_JSON_OBJECT && type != PX_JSON_ARRAY)) {
        int r = f->to ? px_json_slice_compact(f->to, value) : 0;
        return r == -EINVAL ? not_json(f) : r;
    }
    if (f->to)
        px_buf_char(f->to, type == PX_JSON_OBJECT ? '{' : '[');
    int r = fill_members(f, value, depth);
    if (!r && f->to)
        r = px_buf_char(f->to, type == PX_JSON_OBJECT ? '}' : ']');
    return r;
}

static int fill_all(struct fill *f, px_str template_json) {
    px_str put;
    template_json = px_trim(template_json);
    px_arena_init(&f->names, NAMES_BYTES);
    int r = resolve(f, template_json, &put);
    if (r == 0)
        r = fill_value(f, template_json, 1);
    else if (r > 0)
        r = !f->to ? 0 : put.p ? px_buf_str(f->to, put) : px_buf_text(f->to, "null");
    px_arena_finish(&f->names);
    return r;
}

int px_json_template_fill(struct px_buf *to, px_str template_json, px_str args_json, struct px_err *err) {
    struct fill f = {.to = to, .args = args_json.p ? px_trim(args_json) : PX_LIT("{}"), .err = err};
    if (px_json_slice_type(f.args) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "the arguments are not a valid JSON object");
    int r = fill_all(&f, template_json);
    if (r && r == to->failed)
        return px_err_set(err, r, "template: the filled text is over %zu bytes or out of memory", to->cap);
    return r;
}

int px_json_template_args(px_str template_json, void (*each)(void *user, px_str name), void *user,
                          struct px_err *err) {
    struct fill f = {.each = each, .user = user, .err = err};
    return fill_all(&f, template_json);
}
