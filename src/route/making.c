#include "route/making.h"

static int no_memory(struct px_making *m) {
    return px_err_set(m->err, -ENOMEM, "out of memory");
}

void px_making_init(struct px_making *m, struct px_site *site, struct px_site_upstream *up,
                    struct px_arena *arena, struct px_route_request *ret, struct px_err *err) {
    *m = (struct px_making){.arena = arena, .site = site, .up = up, .err = err, .ret = ret};
    px_buf_init(&m->url, PX_URL_MAX);
    px_buf_init(&m->query, PX_URL_MAX);
}

void px_making_finish(struct px_making *m) {
    if (m->query.p)
        explicit_bzero(m->query.p, m->query.n); /* an api_key may stand there */
    if (m->url.p)
        explicit_bzero(m->url.p, m->url.n);
    px_buf_finish(&m->url);
    px_buf_finish(&m->query);
}

/* ---- the address ---- */

int px_making_path(struct px_making *m, const struct px_path *path) {
    if (!m->up->base_url.p)
        return px_err_set(m->err, -EINVAL,
                          "the upstream " PX_FMT " has no address: only absolute URLs can be asked",
                          PX_ARG(m->up->decl->name));
    px_str base = m->source.mask ? m->up->shown_url : m->up->base_url;
    px_buf_str(&m->url, base);
    int e = path ? px_path_put(&m->url, path, &m->source, m->err) : 0;
    if (!e && m->url.n == m->up->base.origin.n) /* nothing behind the origin */
        px_buf_char(&m->url, '/');
    m->trusted = true;
    return e;
}

int px_making_url(struct px_making *m, px_str text, const char *whose) {
    struct px_url url;
    struct px_err why = {0};
    if (m->source.mask && px_url_parse(m->arena, text, &url, &why)) {
        px_buf_text(&m->url, "***");
        return 0;
    }
    int e = px_url_parse(m->arena, text, &url, &why);
    if (!e)
        e = px_egress_check_url(m->up->egress, &url, &why);
    if (e == -ENOMEM)
        return no_memory(m);
    if (e)
        return px_err_set(m->err, -EINVAL, "%s cannot be asked: %s", whose, why.msg);
    m->trusted = px_egress_configured(m->up->egress, &url);
    px_buf_str(&m->url, url.text);
    return 0;
}

int px_making_credential(struct px_making *m) {
    if (!m->trusted)
        return 0;
    return px_site_credential(m->site, m->identity, &m->credential, m->err);
}

/* ---- the query ---- */

void px_making_drop(struct px_making *m, px_str name) {
    struct px_buf *url = &m->url;
    if (url->failed || !url->n)
        return;
    char *query = memchr(url->p, '?', url->n), *end = url->p + url->n;
    struct px_buf encoded;
    px_buf_init(&encoded, PX_URL_MAX);
    px_param_put_text(&encoded, name, PX_LIT(""), false); /* "name=" */
    for (char *from = query ? query + 1 : end; from < end;) {
        char *amp = memchr(from, '&', (size_t)(end - from)), *next = amp ? amp + 1 : end;
        bool same = (size_t)(next - from) >= encoded.n && !memcmp(from, encoded.p, encoded.n);
        if (same) {
            memmove(from, next, (size_t)(end - next));
            end -= next - from;
        } else {
            from = next;
        }
    }
    while (query && end > query && (end[-1] == '&' || end[-1] == '?'))
        end--;
    url->n = (size_t)(end - url->p);
    url->p[url->n] = 0;
    px_buf_finish(&encoded);
}

void px_making_upstream_query(struct px_making *m, const struct px_params *own, bool only_secret) {
    for (size_t i = 0; i < m->up->n_query; i++) {
        const struct px_site_param *param = &m->up->query[i];
        bool replaced = param->secret ? !m->trusted : only_secret;
        for (size_t j = 0; own && j < own->n && !replaced; j++)
            replaced = px_str_eq(own->list[j].name, param->name);
        if (replaced)
            continue;
        m->ret->url_secret |= param->secret;
        if (param->secret)
            px_making_drop(m, param->name);
        if (param->secret && m->source.mask) {
            px_param_put_text(&m->query, param->name, PX_LIT("***"), true);
            continue;
        }
        if (m->query.n)
            px_buf_char(&m->query, '&');
        px_buf_str(&m->query, param->text);
    }
}

int px_making_whole_url(struct px_making *m) {
    bool key = m->credential && m->credential->decl->kind == PX_IDENTITY_API_KEY &&
               m->credential->decl->place == PX_IN_QUERY;
    m->ret->url_secret |= key;
    if (key)
        px_making_drop(m, m->credential->name);
    px_credential_query(&m->query, m->credential, m->source.mask);
    if (m->query.n && !m->url.failed) {
        px_buf_char(&m->url, memchr(m->url.p, '?', m->url.n) ? '&' : '?');
        px_buf_str(&m->url, px_buf_view(&m->query));
    }
    int failed = m->url.failed ? m->url.failed : m->query.failed;
    if (failed)
        return failed == -ENOMEM
                   ? no_memory(m)
                   : px_err_set(m->err, -EINVAL, "the URL would be longer than %d bytes", PX_URL_MAX);
    m->ret->url = px_arena_str(m->arena, px_buf_view(&m->url));
    return m->ret->url.p ? 0 : no_memory(m);
}

/* ---- headers ---- */

static const struct px_site_param *param_find(const struct px_site_param *list, size_t n, px_str name) {
    for (size_t i = 0; i < n; i++) {
        if (px_str_eq_nocase(list[i].name, name))
            return &list[i];
    }
    return NULL;
}

static void put_header(struct px_making *m, const struct px_site_param *param) {
    struct px_route_request *ret = m->ret;
    px_pair pair = {param->name, param->secret && m->source.mask ? PX_LIT("***") : param->text};
    if (!param->secret)
        ret->headers[ret->n_headers++] = pair;
    else if (m->trusted)
        ret->credentials[ret->n_credentials++] = pair;
}

int px_making_headers(struct px_making *m, struct px_site_param *own, size_t n_own, bool type_is_own) {
    static const px_str type = PX_LIT_INIT("Content-Type");
    struct px_route_request *ret = m->ret;
    if (type_is_own && ret->body.p && ret->content_type.p && !param_find(own, n_own, type))
        own[n_own++] = (struct px_site_param){type, ret->content_type, false};
    size_t most = m->up->n_headers + n_own + 3; /* the last: for the token of an attempt */
    ret->headers = px_arena_alloc(m->arena, most * sizeof *ret->headers);
    ret->credentials = px_arena_alloc(m->arena, most * sizeof *ret->credentials);
    if (!ret->headers || !ret->credentials)
        return no_memory(m);
    for (size_t i = 0; i < m->up->n_headers; i++) {
        if (!param_find(own, n_own, m->up->headers[i].name))
            put_header(m, &m->up->headers[i]);
    }
    for (size_t i = 0; i < n_own; i++)
        put_header(m, &own[i]);
    const struct px_site_param *said = param_find(own, n_own, type);
    if (!said)
        said = param_find(m->up->headers, m->up->n_headers, type);
    if (said)
        ret->content_type = said->text;
    else if (ret->body.p && ret->content_type.p)
        ret->headers[ret->n_headers++] = (px_pair){type, ret->content_type};
    const struct px_credential *credential = m->credential;
    if (credential && credential->auth && !m->source.mask) {
        ret->fresh = credential;
        return 0;
    }
    if (credential && credential->decl->kind != PX_IDENTITY_NONE &&
        !(credential->decl->kind == PX_IDENTITY_API_KEY && credential->decl->place == PX_IN_QUERY))
        ret->credentials[ret->n_credentials++] =
            (px_pair){credential->name, m->source.mask ? PX_LIT("***") : credential->value};
    return 0;
}
