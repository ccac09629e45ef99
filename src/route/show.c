/* What a request looks like, for dry runs and verbose calls: made once more, with "***" for whatever is secret. */
#include "base/codec.h"
#include "route/making.h"
#include "json/write.h"

enum { SHOW_BYTES = 64 << 20, SHOWN_BODY = 64 * 1024 };

static bool is_masked(const struct px_route *route, px_str raw_key) {
    for (size_t i = 0; i < route->n_masked; i++) {
        if (px_json_slice_is(raw_key, route->masked[i]))
            return true;
    }
    return false;
}

/* The arguments with "***" for those that are not to be seen. */
static px_str mask_args(struct px_arena *arena, const struct px_route *route, px_str args) {
    uint64_t pos = 0;
    px_str key, value;
    struct px_buf to;
    struct px_jw w;
    if (!route->n_masked || !args.p || px_json_slice_type(args) != PX_JSON_OBJECT)
        return args;
    px_buf_init(&to, SHOW_BYTES);
    px_jw_init(&w, &to);
    px_jw_object(&w);
    while (px_json_slice_next(args, &pos, &key, &value) > 0) {
        px_jw_key_raw(&w, key);
        if (is_masked(route, key) && px_json_slice_type(value) != PX_JSON_NULL)
            px_jw_text(&w, "***");
        else
            px_jw_raw(&w, value);
    }
    px_jw_object_end(&w);
    px_str masked = to.failed ? (px_str){0} : px_arena_str(arena, px_buf_view(&to));
    if (to.p)
        explicit_bzero(to.p, to.n);
    px_buf_finish(&to);
    return masked;
}

static void put_pairs(struct px_jw *w, const px_pair *pairs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        px_jw_key_str(w, pairs[i].name);
        px_jw_str(w, pairs[i].value);
    }
}

static void put_base64(struct px_jw *w, px_str bytes) {
    struct px_buf encoded;
    px_buf_init(&encoded, 2 * SHOWN_BODY);
    px_base64_add(&encoded, bytes);
    px_jw_object(w);
    px_jw_key(w, "base64");
    px_jw_str(w, px_buf_view(&encoded));
    px_jw_object_end(w);
    if (encoded.failed)
        w->to->failed = encoded.failed;
    px_buf_finish(&encoded);
}

static void put_body(struct px_jw *w, const struct px_route_request *req) {
    px_str body = req->body;
    struct px_json_scan scan;
    if (!body.p)
        return;
    px_jw_key(w, "body");
    if (body.n <= SHOWN_BODY && px_str_is(req->content_type, "application/json") &&
        px_json_scan(body, NULL, &scan, NULL, NULL) == 0)
        px_jw_raw(w, scan.value);
    else if (px_utf8_valid(body))
        px_jw_str(w, px_str_n(body.p, px_str_cut_utf8(body, PX_MIN((size_t)body.n, (size_t)SHOWN_BODY))));
    else
        put_base64(w, px_str_n(body.p, PX_MIN((size_t)body.n, (size_t)SHOWN_BODY)));
    if (body.n > SHOWN_BODY) {
        px_jw_key(w, "body_bytes");
        px_jw_u64(w, body.n);
    }
}

int px_request_show(struct px_buf *to, const struct px_route *route, struct px_site *site,
                    const struct px_route_request *req, px_str args_json) {
    struct px_route_request shown = {.method = req->method, .url = PX_LIT("***")};
    struct px_arena arena;
    struct px_jw w;
    px_arena_init(&arena, SHOW_BYTES);
    px_str args = mask_args(&arena, route, args_json);
    const struct px_request_from from = {
        .args_json = args, .values = req->values, .page = &req->page, .key = req->key, .mask = true};
    int e = args.p || !args_json.p ? px_request_make_from(&arena, route, site, &from, &shown, NULL) : -ENOMEM;
    /* With its secrets taken out it may be no request any more: then so much is shown. */
    if (e != -ENOMEM) {
        px_jw_init(&w, to);
        px_jw_object(&w);
        px_jw_key(&w, "method");
        px_jw_str(&w, shown.method);
        px_jw_key(&w, "url");
        px_jw_str(&w, shown.url);
        px_jw_key(&w, "headers");
        px_jw_object(&w);
        put_pairs(&w, shown.headers, shown.n_headers);
        put_pairs(&w, shown.credentials, shown.n_credentials);
        px_jw_object_end(&w);
        put_body(&w, &shown);
        px_jw_object_end(&w);
        e = to->failed;
    }
    px_arena_finish(&arena);
    return e;
}
