/* A request and its answer, for a person to look at: what was sent, what came, how long each step took. Secrets are masked here by
 * the name of the header they stand in; values that the host knows to be secret are redacted from the whole result later. */
#include "base/redact.h"
#include "route/private.h"
#include <stdio.h>

enum { HEADERS_BYTES = 3 * 1024, HEADER_BYTES = 1024, REQUEST_BYTES = 5 * 1024 };

static bool is_secret_header(px_str name) {
    static const char *const words[] = {"cookie",   "authoriz", "authenticat", "token",   "secret",
                                        "password", "api-key",  "apikey",      "session", "signature"};
    char text[64];
    if (name.n >= sizeof text)
        return true;
    px_str_copy(text, sizeof text, name);
    for (size_t i = 0; i < PX_COUNT(words); i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}

/* Whether an earlier header has this name. */
static bool is_repeated(const struct px_http_result *result, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (px_str_eq(result->headers[i].name, result->headers[at].name))
            return true;
    return false;
}

/* Those of one name are one list (RFC 9110 section 5.3). */
static void put_values(struct px_jw *w, const struct px_http_result *result, size_t first) {
    struct px_buf list;
    px_buf_init(&list, HEADER_BYTES);
    for (size_t i = first; i < result->n_headers; i++) {
        px_str value = result->headers[i].value;
        if (!px_str_eq(result->headers[i].name, result->headers[first].name))
            continue;
        if (list.n)
            px_buf_text(&list, ", ");
        px_buf_str(&list, px_str_n(value.p, px_str_cut_utf8(value, px_redact_cut(value, HEADER_BYTES / 2))));
    }
    px_jw_str(w, px_buf_view(&list));
    px_buf_finish(&list);
}

static void put_headers(struct px_jw *w, const struct px_http_result *result) {
    size_t begin = w->to->n;
    px_jw_object(w);
    for (size_t i = 0; i < result->n_headers && w->to->n - begin < HEADERS_BYTES; i++) {
        if (is_repeated(result, i))
            continue;
        px_jw_key_str(w, result->headers[i].name);
        if (is_secret_header(result->headers[i].name))
            px_jw_text(w, "***");
        else
            put_values(w, result, i);
    }
    px_jw_object_end(w);
}

static void put_ms(struct px_jw *w, const char *key, uint64_t ns) {
    char text[32];
    int n = snprintf(text, sizeof text, "%.3f", (double)ns / 1e6);
    px_jw_key(w, key);
    px_jw_raw(w, px_str_n(text, (size_t)n));
}

static void put_times(struct px_jw *w, const struct px_http_result *result) {
    px_jw_key(w, "time_ms");
    px_jw_object(w);
    put_ms(w, "dns", result->dns_ns);
    put_ms(w, "connect", result->connect_ns);
    put_ms(w, "tls", result->tls_ns);
    put_ms(w, "first_byte", result->first_byte_ns);
    put_ms(w, "total", result->total_ns);
    px_jw_object_end(w);
}

static const char *version_name(int version) {
    return version == 20 ? "2" : version == 11 ? "1.1" : version == 10 ? "1.0" : "unknown";
}

/* Text is shown; of anything else, its size says enough. */
static void put_body(struct px_jw *w, px_str body) {
    px_str cut = px_str_n(body.p, px_str_cut_utf8(body, px_redact_cut(body, PX_EXCHANGE_BODY)));
    if (!body.n || !px_utf8_valid(cut))
        return;
    px_jw_key(w, "body");
    px_jw_str(w, cut);
    if (cut.n < body.n) {
        px_jw_key(w, "body_cut");
        px_jw_bool(w, true);
    }
}

static void put_response(struct px_jw *w, const struct px_http_result *result, bool with_body) {
    px_jw_object(w);
    if (result->fail) {
        px_jw_key(w, "failed");
        px_jw_text(w, px_http_fail_name(result->fail));
        px_jw_key(w, "why");
        px_jw_text(w, result->why);
    }
    px_jw_key(w, "status");
    px_jw_i64(w, result->status);
    px_jw_key(w, "headers");
    put_headers(w, result);
    px_jw_key(w, "bytes");
    px_jw_u64(w, result->body.n);
    put_times(w, result);
    px_jw_key(w, "http");
    px_jw_text(w, version_name(result->http_version));
    px_jw_key(w, "reused");
    px_jw_bool(w, result->reused);
    px_jw_key(w, "redirects");
    px_jw_u64(w, result->redirects);
    px_jw_key(w, "peer");
    px_jw_text(w, result->peer);
    if (with_body)
        put_body(w, result->body);
    px_jw_object_end(w);
}

/* The request, without its body when it is too long, and at last by its name alone. */
static int put_request(struct px_jw *w, const struct px_route *route, struct px_site *site,
                       const struct px_route_request *req, px_str args_json) {
    struct px_route_request bare = *req;
    struct px_buf buf;
    bare.body = (px_str){0};
    px_buf_init(&buf, REQUEST_BYTES);
    int r = px_request_show(&buf, route, site, req, args_json);
    if (r == -EMSGSIZE) {
        px_buf_clear(&buf, REQUEST_BYTES);
        r = px_request_show(&buf, route, site, &bare, args_json);
    }
    if (r == -EMSGSIZE) {
        px_jw_object(w);
        px_jw_key(w, "method");
        px_jw_str(w, req->method);
        px_jw_key(w, "path");
        px_jw_str(w, px_route_label(route));
        px_jw_object_end(w);
        r = 0;
    } else if (!r) {
        px_jw_raw(w, px_buf_view(&buf));
    }
    px_buf_finish(&buf);
    return r;
}

static int put(struct px_buf *to, const struct px_route *route, struct px_site *site,
               const struct px_route_request *req, px_str args_json, const struct px_http_result *result,
               bool with_body) {
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_object(&w);
    px_jw_key(&w, "request");
    int r = put_request(&w, route, site, req, args_json);
    px_jw_key(&w, "response");
    put_response(&w, result, with_body);
    px_jw_object_end(&w);
    return r ? r : to->failed;
}

int px_exchange_put(struct px_buf *to, const struct px_route *route, struct px_site *site,
                    const struct px_route_request *req, px_str args_json,
                    const struct px_http_result *result) {
    struct px_buf one;
    px_buf_init(&one, PX_EXCHANGE_BYTES);
    int r = put(&one, route, site, req, args_json, result, true);
    if (r == -EMSGSIZE) { /* a body of escapes */
        px_buf_clear(&one, PX_EXCHANGE_BYTES);
        r = put(&one, route, site, req, args_json, result, false);
    }
    if (!r)
        r = px_buf_str(to, px_buf_view(&one));
    px_buf_finish(&one);
    return r;
}
