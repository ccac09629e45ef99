/* Bodies: JSON, forms, raw bytes, GraphQL; and what a page says in them. */
#include "base/codec.h"
#include "route/making.h"
#include "json/write.h"

static int no_memory(struct px_making *m) {
    return px_err_set(m->err, -ENOMEM, "out of memory");
}

/* What was written is the body. */
static int keep(struct px_making *m, struct px_buf *buf) {
    int failed = buf->failed;
    if (!failed) {
        m->ret->body = px_arena_str(m->arena, px_buf_view(buf));
        failed = m->ret->body.p ? 0 : -ENOMEM;
    }
    if (buf->p)
        explicit_bzero(buf->p, buf->n);
    px_buf_finish(buf);
    if (!failed)
        return 0;
    return failed == -ENOMEM
               ? no_memory(m)
               : px_err_set(m->err, -EINVAL, "the body would be longer than %d bytes", PX_BODY_MAX);
}

/* ---- a value at a pointer ---- */

/* The first token of a pointer, as it decodes, against a raw key. */
static bool token_is(px_str raw_key, px_str token) {
    char plain[256];
    size_t n = 0;
    for (size_t i = 0; i < token.n && n < sizeof plain; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        plain[n++] = !escape ? token.p[i] : token.p[i + 1] == '1' ? '/' : '~';
        i += escape;
    }
    return px_json_slice_is(raw_key, px_str_n(plain, n));
}

static void put_key(struct px_buf *to, px_str token) {
    char plain[256];
    size_t n = 0;
    for (size_t i = 0; i < token.n && n < sizeof plain; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        plain[n++] = !escape ? token.p[i] : token.p[i + 1] == '1' ? '/' : '~';
        i += escape;
    }
    px_json_quote(to, px_str_n(plain, n));
    px_buf_char(to, ':');
}

/* `doc` with `value` at the pointer: objects on the way are made; lists are not. Recursion is as deep as the pointer, which
 * has at most 256 bytes. */
static int put_at(struct px_buf *to, px_str doc, px_str pointer, px_str value, struct px_err *err) {
    if (!pointer.n)
        return px_buf_str(to, value), 0;
    px_str token = px_str_n(pointer.p + 1, pointer.n - 1), rest = {0}, key, member;
    const char *slash = memchr(token.p, '/', token.n);
    if (slash) {
        rest = px_str_n(slash, (size_t)(token.p + token.n - slash));
        token.n = (uint64_t)(slash - token.p);
    }
    enum px_json_type type = px_json_slice_type(doc);
    if (type != PX_JSON_OBJECT && type != PX_JSON_NULL && type != PX_JSON_NONE)
        return px_err_set(err, -EINVAL,
                          "the page cannot be put into the body at \"" PX_FMT "\": no object stands there",
                          PX_ARG(pointer));
    uint64_t pos = 0;
    bool found = false, any = false;
    px_buf_char(to, '{');
    while (type == PX_JSON_OBJECT && px_json_slice_next(doc, &pos, &key, &member) > 0) {
        if (any)
            px_buf_char(to, ',');
        any = true;
        px_buf_str(to, key);
        px_buf_char(to, ':');
        bool here = token_is(key, token);
        found |= here;
        int e = here ? put_at(to, member, rest, value, err) : (px_buf_str(to, member), 0);
        if (e)
            return e;
    }
    if (!found) {
        if (any)
            px_buf_char(to, ',');
        put_key(to, token);
        int e = put_at(to, (px_str){0}, rest, value, err);
        if (e)
            return e;
    }
    px_buf_char(to, '}');
    return 0;
}

static int set_at(struct px_making *m, px_str pointer, px_str value) {
    struct px_buf to;
    px_buf_init(&to, PX_BODY_MAX);
    int e = put_at(&to, m->ret->body, pointer, value, m->err);
    if (!e)
        return keep(m, &to);
    px_buf_finish(&to);
    return e;
}

static px_str quoted(struct px_making *m, px_str text) {
    struct px_buf to;
    px_buf_init(&to, PX_BODY_MAX);
    px_json_quote(&to, text);
    px_str json = to.failed ? (px_str){0} : px_arena_str(m->arena, px_buf_view(&to));
    px_buf_finish(&to);
    return json;
}

/* ---- pages in a JSON body ---- */

static int put_page(struct px_making *m) {
    const struct px_page_spec *spec = &m->route->page;
    const struct px_page_state *page = m->page;
    px_str value = {0};
    int e = 0;
    if (!page)
        return 0;
    if (spec->size_body.p && page->size) {
        value = px_arena_fmt(m->arena, "%llu", (unsigned long long)page->size);
        e = value.p ? set_at(m, spec->size_body, value) : no_memory(m);
    }
    if (e || !spec->body.p)
        return e;
    bool cursor = spec->kind == PX_PAGE_CURSOR;
    if (cursor ? !page->cursor.p : !page->started)
        return 0;
    unsigned long long count = spec->kind == PX_PAGE_NUMBER ? page->number : page->offset;
    value = cursor ? quoted(m, page->cursor) : px_arena_fmt(m->arena, "%llu", count);
    return value.p ? set_at(m, spec->body, value) : no_memory(m);
}

/* ---- the kinds ---- */

static int make_json(struct px_making *m) {
    int e = m->route->body.p
                ? px_fill_json(&m->source, m->route->body, "body", (px_str){0}, &m->ret->body, m->err)
                : 0;
    if (!e)
        e = put_page(m);
    m->ret->content_type = PX_LIT("application/json");
    m->ret->body_is_text = true;
    return e;
}

static int make_form(struct px_making *m) {
    const struct px_params *form = &m->route->form;
    struct px_buf to;
    px_str json;
    int e = 0;
    px_buf_init(&to, PX_BODY_MAX);
    for (size_t i = 0; i < form->n && !e; i++) {
        const struct px_param *param = &form->list[i];
        e = px_fill_json(&m->source, param->value, "form", param->name, &json, m->err);
        if (!e)
            e = px_param_put(&to, param->name, param->style, json, m->source.mask, m->err);
    }
    if (e) {
        px_buf_finish(&to);
        return e;
    }
    m->ret->content_type = PX_LIT("application/x-www-form-urlencoded");
    m->ret->body_is_text = true;
    return keep(m, &to);
}

static int make_raw(struct px_making *m) {
    const struct px_route *route = m->route;
    px_str text, type = {0};
    struct px_buf bytes;
    int e = px_fill_text(&m->source, route->raw_value, "raw", (px_str){0}, &text, m->err);
    if (!e && route->raw_type.p)
        e = px_fill_text(&m->source, route->raw_type, "the type of raw", (px_str){0}, &type, m->err);
    if (!e && type.p)
        e = px_header_value_check(type, "the type of raw", (px_str){0}, m->err);
    if (e)
        return e;
    m->ret->content_type = type.n ? type : PX_LIT("application/octet-stream");
    m->ret->body_is_text = !route->raw_base64;
    m->ret->body = text;
    if (!route->raw_base64 || !text.p || (m->source.mask && px_str_is(text, "***")))
        return 0;
    px_buf_init(&bytes, PX_BODY_MAX);
    e = px_base64_decode(&bytes, text);
    if (e != -EINVAL)
        return keep(m, &bytes);
    px_buf_finish(&bytes);
    return px_err_set(m->err, e, "raw: expected base64 (RFC 4648), without blanks and line ends");
}

static int put_variables(struct px_making *m, struct px_jw *w) {
    const struct px_params *vars = &m->route->variables;
    const struct px_page_spec *spec = &m->route->page;
    px_str json;
    px_jw_object(w);
    for (size_t i = 0; i < vars->n; i++) {
        int e = px_fill_json(&m->source, vars->list[i].value, "variable", vars->list[i].name, &json, m->err);
        if (e)
            return e;
        if (!json.p)
            continue;
        px_jw_key_str(w, vars->list[i].name);
        px_jw_raw(w, json);
    }
    if (m->page && spec->kind == PX_PAGE_GRAPHQL) {
        if (spec->size_variable.p && m->page->size) {
            px_jw_key_str(w, spec->size_variable);
            px_jw_u64(w, m->page->size);
        }
        if (m->page->cursor.p) {
            px_jw_key_str(w, spec->variable);
            px_jw_str(w, m->page->cursor);
        }
    }
    px_jw_object_end(w);
    return 0;
}

static int make_graphql(struct px_making *m) {
    struct px_buf to;
    struct px_jw w;
    px_buf_init(&to, PX_BODY_MAX);
    px_jw_init(&w, &to);
    px_jw_object(&w);
    px_jw_key(&w, "query");
    px_jw_raw(&w, m->route->graphql_json);
    if (m->route->operation.p) {
        px_jw_key(&w, "operationName");
        px_jw_str(&w, m->route->operation);
    }
    px_jw_key(&w, "variables");
    int e = put_variables(m, &w);
    if (e) {
        px_buf_finish(&to);
        return e;
    }
    px_jw_object_end(&w);
    m->ret->content_type = PX_LIT("application/json");
    m->ret->body_is_text = true;
    return keep(m, &to);
}

int px_making_body(struct px_making *m) {
    const struct px_route *route = m->route;
    if (route->graphql)
        return make_graphql(m);
    if (route->form.list)
        return make_form(m);
    if (route->raw_value.p)
        return make_raw(m);
    if (route->body.p || route->page.body.p || route->page.size_body.p)
        return make_json(m);
    return 0;
}
