/* Path templates: cut into parts once, put together for each request. An argument fills its segment and nothing else. */
#include "base/codec.h"
#include "route/private.h"

static int fail_at(struct px_err *err, size_t at, const char *words) {
    return px_err_set(err, -EINVAL, "at character %zu: %s", at + 1, words);
}

/* ---- parsing ---- */

/* What RFC 3986 lets stand in a path, beside "/" and %XX. */
static bool is_path_char(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c && strchr("-._~!$&'()*+,;=:@/", c);
}
static int check_literal(px_str text, size_t from, size_t to, struct px_err *err) {
    for (size_t i = from; i < to; i++) {
        char c = text.p[i];
        if (c == '?')
            return fail_at(err, i, "a query stands in \"query\", not in the path");
        if (c == '}')
            return fail_at(err, i, "a } without its {");
        if (c == '%') {
            if (to - i < 3 || !px_is_hex(text.p[i + 1]) || !px_is_hex(text.p[i + 2]))
                return fail_at(err, i, "% must be followed by two hexadecimal digits");
            if (text.p[i + 1] == '2' && (text.p[i + 2] | 32) == 'e')
                return fail_at(err, i, "write a dot as it is");
        } else if (!is_path_char(c)) {
            return fail_at(err, i, "a character that cannot stand in a path: percent-encode it");
        }
    }
    return 0;
}

/* Segments of the template as it is written: placeholders count as letters. */
static int check_segments(px_str text, struct px_err *err) {
    for (size_t i = 0; i < text.n;) {
        size_t from = ++i; /* behind a "/" */
        for (bool inside = false; i < text.n && (inside || text.p[i] != '/'); i++)
            inside = text.p[i] == '{' || (inside && text.p[i] != '}');
        px_str segment = px_str_n(text.p + from, i - from);
        if (!segment.n && i < text.n)
            return fail_at(err, from, "an empty segment");
        if (px_str_is(segment, ".") || px_str_is(segment, ".."))
            return fail_at(err, from, "a segment cannot be \".\" or \"..\"");
    }
    return 0;
}

static int read_placeholder(px_str inside, size_t at, struct px_path_part *ret, struct px_err *err) {
    static const px_str value = PX_LIT_INIT("value:"), config = PX_LIT_INIT("config:");
    if (px_str_starts(inside, value))
        *ret = (struct px_path_part){PX_PATH_VALUE, {inside.p + value.n, inside.n - value.n}, {0}};
    else if (px_str_starts(inside, config))
        *ret = (struct px_path_part){PX_PATH_CONFIG, {inside.p + config.n, inside.n - config.n}, {0}};
    else if (inside.n && inside.p[0] == '+')
        *ret = (struct px_path_part){PX_PATH_ARGS, {inside.p + 1, inside.n - 1}, {0}};
    else
        *ret = (struct px_path_part){PX_PATH_ARG, inside, {0}};
    if (!ret->text.n)
        return fail_at(err, at, "a placeholder without a name");
    if (memchr(inside.p, '{', inside.n))
        return fail_at(err, at, "a { inside a placeholder");
    if (ret->kind == PX_PATH_CONFIG && ret->text.p[0] != '/')
        return fail_at(err, at, "{config:…} takes a JSON pointer: {config:/name}");
    if (ret->kind != PX_PATH_CONFIG && memchr(ret->text.p, ':', ret->text.n))
        return fail_at(err, at, "expected {name}, {+name}, {value:name} or {config:/pointer}");
    return 0;
}

int px_path_parse(struct px_arena *arena, px_str text, struct px_path *ret, struct px_err *err) {
    struct px_path path = {0};
    size_t most = 1;
    int e;
    if (text.n && text.p[0] != '/')
        return fail_at(err, 0, "a path begins with /");
    for (size_t i = 0; i < text.n; i++)
        most += text.p[i] == '{' ? 2 : 0;
    path.parts = px_arena_alloc(arena, most * sizeof *path.parts);
    if (!path.parts)
        return px_err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < text.n;) {
        const char *open = memchr(text.p + i, '{', text.n - i);
        size_t to = open ? (size_t)(open - text.p) : text.n;
        if ((e = check_literal(text, i, to, err)))
            return e;
        if (to > i)
            path.parts[path.n++] = (struct px_path_part){PX_PATH_TEXT, px_str_n(text.p + i, to - i), {0}};
        if (!open)
            break;
        const char *close = memchr(open, '}', text.n - to);
        if (!close)
            return fail_at(err, to, "a { without its }");
        px_str inside = px_str_n(open + 1, (size_t)(close - open - 1));
        if ((e = read_placeholder(inside, to, &path.parts[path.n++], err)))
            return e;
        i = (size_t)(close - text.p) + 1;
    }
    if ((e = check_segments(text, err)))
        return e;
    *ret = path;
    return 0;
}

/* ---- putting together ---- */

static int refuse(const struct px_path_part *part, struct px_err *err, const char *words) {
    static const char *const kinds[] = {"", "argument", "argument", "looked-up value", "configured value"};
    return px_err_set(err, -EINVAL, "the %s \"" PX_FMT "\" %s", kinds[part->kind], PX_ARG(part->text), words);
}

static bool is_plain_integer(px_str number) {
    size_t i = number.n && number.p[0] == '-';
    if (i == number.n)
        return false;
    for (; i < number.n; i++) {
        if (number.p[i] < '0' || number.p[i] > '9')
            return false;
    }
    return true;
}

static int text_of(const struct px_path_part *part, struct px_arena *arena, px_str json, px_str *ret,
                   struct px_err *err) {
    switch (px_json_slice_type(json)) {
    case PX_JSON_STRING:
        if (px_json_slice_text(arena, json, ret))
            return px_err_set(err, -ENOMEM, "out of memory");
        return 0;
    case PX_JSON_NUMBER:
        if (!is_plain_integer(json))
            return refuse(part, err, "stands in the path, where a number must be a plain integer (42)");
        *ret = json;
        return 0;
    case PX_JSON_TRUE: *ret = PX_LIT("true"); return 0;
    case PX_JSON_FALSE: *ret = PX_LIT("false"); return 0;
    case PX_JSON_NONE:
    case PX_JSON_NULL: return refuse(part, err, "is missing: the path needs it");
    default: return refuse(part, err, "stands in the path: it must be a string, an integer, true or false");
    }
}

/* Also behind an encoded slash, and with the other kind: some servers decode before they look for them. */
static bool has_dots(px_str text) {
    for (size_t i = 0, from = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != '/' && text.p[i] != '\\')
            continue;
        px_str segment = px_str_n(text.p + from, i - from);
        if (px_str_is(segment, ".") || px_str_is(segment, ".."))
            return true;
        from = i + 1;
    }
    return false;
}

static int put_text(struct px_buf *to, const struct px_path_part *part, px_str text, struct px_err *err) {
    if (!text.n)
        return refuse(part, err, "is empty: it stands in the path");
    if (memchr(text.p, 0, text.n))
        return refuse(part, err, "holds a NUL, which cannot stand in a path");
    if (has_dots(text))
        return refuse(part, err, "is or holds \".\" or \"..\" as a segment, which cannot stand in a path");
    if (part->kind != PX_PATH_ARGS)
        return px_percent_add(to, text);
    for (size_t from = 0; from <= text.n;) {
        const char *slash = memchr(text.p + from, '/', text.n - from);
        size_t end = slash ? (size_t)(slash - text.p) : text.n;
        if (end == from)
            return refuse(part, err,
                          "has an empty segment: write a/b, without a slash before, behind or doubled");
        if (from)
            px_buf_char(to, '/');
        px_percent_add(to, px_str_n(text.p + from, end - from));
        from = end + 1;
    }
    return to->failed;
}

static int put_part(struct px_buf *to, const struct px_path_part *part, const struct px_site_source *from,
                    struct px_err *err) {
    px_str json = {0}, text, args = from->source.args_json;
    int e = 0;
    if (part->kind == PX_PATH_TEXT)
        return px_buf_str(to, part->text);
    if (part->kind == PX_PATH_VALUE)
        e = px_source_get(from, "$value", part->text, &json, err);
    else if (part->kind == PX_PATH_CONFIG)
        e = px_source_get(from, "$config", part->text, &json, err);
    else if (args.p)
        e = px_json_slice_get(args, part->text, &json);
    if (e == -EINVAL && (part->kind == PX_PATH_ARG || part->kind == PX_PATH_ARGS))
        return px_err_set(err, e, "the arguments are not a JSON object");
    if (e && e != -ENOENT)
        return e;
    if (e || !json.p || px_json_slice_type(json) == PX_JSON_NULL)
        json = part->fallback;
    e = text_of(part, from->arena, json, &text, err);
    if (e)
        return e;
    if (from->mask && px_str_is(text, "***"))
        return px_buf_str(to, text);
    return put_text(to, part, text, err);
}

int px_path_put(struct px_buf *to, const struct px_path *path, const struct px_site_source *from,
                struct px_err *err) {
    for (size_t i = 0; i < path->n; i++) {
        int e = put_part(to, &path->parts[i], from, err);
        if (e && e == to->failed)
            return px_err_set(err, e == -EMSGSIZE ? -EINVAL : e,
                              e == -EMSGSIZE ? "the URL would be longer than %zu bytes" : "out of memory",
                              to->cap);
        if (e)
            return e;
    }
    return 0;
}
