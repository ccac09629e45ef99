/* Parameters of queries and forms: a JSON value by its style (OpenAPI 3, "style values", and what PHP and Rails read). */
#include "base/codec.h"
#include "route/private.h"

enum { MOST_DEPTH = 8, NAME_BYTES = 4096 };
enum style { REPEAT, CSV, SPACE, PIPE, BRACKETS, INDEXED, DEEP, JSON };

struct put {
    struct px_buf *to;
    struct px_buf name; /* encoded, as far as it has come */
    struct px_arena tmp;
    enum style style;
    bool mask;
    px_str param;
    struct px_err *err;
};

/* Names are the plugin author's, with what RFC 3986 lets stand in a query and means nothing there. */
static void put_name(struct px_buf *to, px_str name) {
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] && strchr("$:@!*(),/", name.p[i]))
            px_buf_char(to, name.p[i]);
        else
            px_percent_add(to, px_str_n(name.p + i, 1));
    }
}

static void begin(struct px_buf *to) {
    if (to->n && to->p[to->n - 1] != '?')
        px_buf_char(to, '&');
}

static int put_plain(struct px_buf *to, px_str text, bool mask) {
    return mask && px_str_is(text, "***") ? px_buf_str(to, text) : px_percent_add(to, text);
}

int px_param_put_text(struct px_buf *to, px_str name, px_str text, bool mask) {
    begin(to);
    put_name(to, name);
    px_buf_char(to, '=');
    return put_plain(to, text, mask);
}

static int refuse(struct put *p, const char *words) {
    return px_err_set(p->err, -EINVAL, "the parameter \"" PX_FMT "\" %s", PX_ARG(p->param), words);
}

static int text_of(struct put *p, px_str json, px_str *ret) {
    if (px_json_slice_type(json) != PX_JSON_STRING) {
        *ret = json; /* true, false, a number: as they are */
        return 0;
    }
    if (px_json_slice_text(&p->tmp, json, ret))
        return px_err_set(p->err, -ENOMEM, "out of memory");
    return 0;
}

static bool is_scalar(px_str json) {
    enum px_json_type type = px_json_slice_type(json);
    return type != PX_JSON_ARRAY && type != PX_JSON_OBJECT;
}

static int put_pair(struct put *p, px_str json) {
    px_str text;
    int e = text_of(p, json, &text);
    if (e || px_json_slice_type(json) == PX_JSON_NULL)
        return e;
    begin(p->to);
    px_buf_str(p->to, px_buf_view(&p->name));
    px_buf_char(p->to, '=');
    return put_plain(p->to, text, p->mask);
}

/* a[0][b]=1: one name a leaf. */
static int put_nested(struct put *p, px_str json, unsigned depth) {
    uint64_t pos = 0, i = 0;
    px_str key = {0}, value, text;
    size_t n = p->name.n;
    int e = 0;
    if (is_scalar(json))
        return put_pair(p, json);
    if (depth == MOST_DEPTH)
        return refuse(p, "is nested too deeply");
    while (!e && (e = px_json_slice_next(json, &pos, &key, &value)) > 0) {
        px_buf_text(&p->name, "%5B");
        e = 0;
        if (key.p && !(e = text_of(p, key, &text)))
            px_percent_add(&p->name, text);
        else if (!key.p && p->style != BRACKETS)
            px_buf_u64(&p->name, i++);
        px_buf_text(&p->name, "%5D");
        if (!e && p->name.failed)
            e = p->name.failed == -ENOMEM ? px_err_set(p->err, -ENOMEM, "out of memory")
                                          : refuse(p, "has names that are too long");
        if (!e)
            e = put_nested(p, value, depth + 1);
        p->name.n = n;
    }
    return e;
}

static int put_repeated(struct put *p, px_str array) {
    uint64_t pos = 0;
    px_str value;
    int e = 0;
    while (!e && px_json_slice_next(array, &pos, NULL, &value) > 0)
        e = is_scalar(value) ? put_pair(p, value) : refuse(p, "takes a list of plain values");
    return e;
}

static int put_joined(struct put *p, px_str array, const char *between) {
    uint64_t pos = 0;
    px_str value, text;
    bool any = false;
    int e = 0;
    while (!e && px_json_slice_next(array, &pos, NULL, &value) > 0) {
        if (!is_scalar(value))
            return refuse(p, "takes a list of plain values");
        if (px_json_slice_type(value) == PX_JSON_NULL)
            continue;
        if (any) {
            px_buf_text(p->to, between);
        } else {
            begin(p->to);
            px_buf_str(p->to, px_buf_view(&p->name));
            px_buf_char(p->to, '=');
        }
        any = true;
        e = text_of(p, value, &text);
        if (!e)
            e = put_plain(p->to, text, p->mask);
    }
    return e;
}

static int put_json(struct put *p, px_str json) {
    struct px_buf compact;
    px_buf_init(&compact, p->to->cap);
    px_json_slice_compact(&compact, json);
    int e = compact.failed;
    if (!e) {
        begin(p->to);
        px_buf_str(p->to, px_buf_view(&p->name));
        px_buf_char(p->to, '=');
        px_percent_add(p->to, px_buf_view(&compact));
    } else {
        e = e == -ENOMEM ? px_err_set(p->err, e, "out of memory") : refuse(p, "is too long");
    }
    px_buf_finish(&compact);
    return e;
}

static int put_value(struct put *p, px_str json) {
    if (px_json_slice_type(json) == PX_JSON_NULL || px_json_slice_type(json) == PX_JSON_NONE)
        return 0;
    if (p->style == JSON)
        return put_json(p, json);
    if (is_scalar(json))
        return put_pair(p, json);
    if (p->style == BRACKETS || p->style == INDEXED || p->style == DEEP)
        return put_nested(p, json, 0);
    if (px_json_slice_type(json) == PX_JSON_OBJECT)
        return refuse(p, "cannot be an object");
    return p->style == REPEAT  ? put_repeated(p, json)
           : p->style == CSV   ? put_joined(p, json, ",")
           : p->style == SPACE ? put_joined(p, json, "%20")
                               : put_joined(p, json, "%7C");
}

static enum style style_of(px_str name) {
    static const char *const names[] = {"repeat",   "csv",     "space", "pipe",
                                        "brackets", "indexed", "deep",  "json"};
    for (size_t i = 1; i < PX_COUNT(names); i++) {
        if (px_str_is(name, names[i]))
            return (enum style)i;
    }
    return REPEAT;
}

int px_param_put(struct px_buf *to, px_str name, px_str style, px_str json, bool mask, struct px_err *err) {
    struct put p = {.to = to, .style = style_of(style), .mask = mask, .param = name, .err = err};
    px_buf_init(&p.name, NAME_BYTES);
    px_arena_init(&p.tmp, 4 * to->cap);
    put_name(&p.name, name);
    int e = p.name.failed == -ENOMEM ? px_err_set(err, -ENOMEM, "out of memory")
            : p.name.failed          ? refuse(&p, "has too long a name")
                                     : put_value(&p, json);
    if (to->failed)
        e = px_err_set(err, to->failed == -EMSGSIZE ? -EINVAL : to->failed,
                       to->failed == -EMSGSIZE ? "the parameters would be longer than %zu bytes"
                                               : "out of memory",
                       to->cap);
    px_arena_finish(&p.tmp);
    px_buf_finish(&p.name);
    return e;
}
