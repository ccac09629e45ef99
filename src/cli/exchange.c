#include "cli/exchange.h"
#include "cli/fields.h"
#include "cli/out.h"
#include "cli/pretty.h"
#include "json/scan.h"

enum { TEXT_MAX = 64 << 20 };

px_str px_exchange_request(px_str result) {
    px_str structured = px_field(result, "structuredContent");
    px_str request = px_field(structured, "request");
    if (!px_field_true(structured, "dry_run") || px_json_slice_type(request) != PX_JSON_OBJECT)
        return (px_str){0};
    return request;
}

/* ---- headers: an object, or pairs ---- */

static void put_header(struct px_buf *to, px_str name, px_str value) {
    px_out_clean(to, name, true);
    px_buf_text(to, ": ");
    px_out_clean(to, value, true);
    px_buf_char(to, '\n');
}

static void put_headers(struct px_buf *to, struct px_arena *arena, px_str headers) {
    bool object = px_json_slice_type(headers) == PX_JSON_OBJECT;
    px_str key = {0}, value, name, text;
    uint64_t pos = 0;
    while (px_json_slice_next(headers, &pos, &key, &value) == 1) {
        uint64_t at = 0;
        if (object)
            put_header(to, px_value_text(arena, key), px_value_text(arena, value));
        else if (px_json_slice_next(value, &at, NULL, &name) == 1 &&
                 px_json_slice_next(value, &at, NULL, &text) == 1)
            put_header(to, px_value_text(arena, name), px_value_text(arena, text));
    }
}

/* ---- bodies ---- */

/* JSON as JSON, also when it comes as text; text as it is. */
static void put_body(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str body) {
    struct px_json_scan scan;
    px_str base64 = px_field(body, "base64");
    if (px_json_slice_type(body) == PX_JSON_STRING) {
        px_str text = px_value_text(arena, body);
        if (px_json_scan(text, NULL, &scan, NULL, NULL) == 0 && strchr("{[", scan.value.p[0]))
            px_pretty(to, scan.value, out, 0);
        else
            px_out_clean(to, text, false);
    } else if (px_json_slice_type(base64) == PX_JSON_STRING) {
        px_buf_text(to, "[");
        px_out_bytes(to, base64.n / 4 * 3);
        px_buf_text(to, " that are no text]");
    } else {
        px_pretty(to, body, out, 0);
    }
    if (to->n && to->p[to->n - 1] != '\n')
        px_buf_char(to, '\n');
}

/* ---- a request ---- */

void px_exchange_put_request(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                             px_str request) {
    px_str body = px_field(request, "body"), url = px_field_text(arena, request, "url");
    px_buf_text(to, px_style(out, PX_BOLD));
    px_out_clean(to, px_field_text(arena, request, "method"), true);
    px_buf_text(to, px_style_end(out, PX_BOLD));
    px_buf_char(to, ' ');
    px_out_clean(to, url.p ? url : px_field_text(arena, request, "path"), true);
    px_buf_char(to, '\n');
    put_headers(to, arena, px_field(request, "headers"));
    if (!body.p || px_json_slice_type(body) == PX_JSON_NULL)
        return;
    px_buf_char(to, '\n');
    put_body(to, arena, out, body);
}

/* ---- an answer ---- */

static void put_times(struct px_buf *to, struct px_arena *arena, px_str times) {
    px_str key, value;
    uint64_t pos = 0;
    bool first = true;
    px_buf_text(to, " (");
    while (px_json_slice_next(times, &pos, &key, &value) == 1) {
        if (px_json_slice_is(key, PX_LIT("total")))
            continue;
        px_buf_text(to, first ? "" : ", ");
        px_out_clean(to, px_value_text(arena, key), true);
        px_buf_char(to, ' ');
        px_out_clean(to, px_value_text(arena, value), true);
        first = false;
    }
    px_buf_char(to, ')');
}

static void put_response(struct px_buf *to, struct px_arena *arena, const struct px_out *out,
                         px_str response) {
    px_str times = px_field(response, "time_ms"), total = px_field(times, "total");
    px_str why = px_field_text(arena, response, "why"), peer = px_field_text(arena, response, "peer");
    int64_t status = px_field_i64(response, "status", 0);
    px_str body = px_field(response, "body");
    enum px_style style = status >= 200 && status < 400 ? PX_GREEN : PX_RED;
    if (status > 0)
        px_buf_addf(to, "%s%lld%s HTTP/" PX_FMT, px_style(out, style), (long long)status,
                    px_style_end(out, style), PX_ARG(px_field_text(arena, response, "http")));
    else
        px_buf_addf(to, "%sno answer%s", px_style(out, PX_RED), px_style_end(out, PX_RED));
    if (total.p) {
        px_buf_addf(to, "  " PX_FMT " ms", PX_ARG(total));
        put_times(to, arena, times);
    }
    if (peer.n) {
        px_buf_text(to, "  ");
        px_out_clean(to, peer, true);
        px_buf_text(to, px_field_true(response, "reused") ? ", over an open connection" : "");
    }
    px_buf_char(to, '\n');
    if (why.n) {
        px_out_clean(to, why, true);
        px_buf_char(to, '\n');
    }
    put_headers(to, arena, px_field(response, "headers"));
    if (!body.p)
        return;
    px_buf_char(to, '\n');
    put_body(to, arena, out, body);
    if (px_field_true(response, "body_cut"))
        px_buf_text(to, "[the rest is not shown]\n");
}

/* ---- both ---- */

static void put_marked(struct px_buf *to, px_str text, const char *mark) {
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        px_buf_text(to, mark);
        px_buf_str(to, px_str_n(text.p, n));
        px_buf_char(to, '\n');
        n += end != NULL;
        text = px_str_n(text.p + n, text.n - n);
    }
}

/* Of a call that failed it stands with the error. */
static px_str exchanges_of(px_str result) {
    px_str list = px_field(px_field(result, "_meta"), "plexus/exchange");
    px_str error = px_field(px_field(result, "structuredContent"), "error");
    if (!list.p && !error.p)
        error = px_field(px_field(result, "_meta"), "plexus/error");
    return list.p ? list : px_field(px_field(error, "details"), "exchange");
}

void px_exchange_print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf text, marked;
    px_str one;
    uint64_t pos = 0;
    px_arena_init(&arena, TEXT_MAX);
    px_buf_init(&text, TEXT_MAX);
    px_buf_init(&marked, TEXT_MAX);
    px_str list = exchanges_of(result);
    while (px_json_slice_next(list, &pos, NULL, &one) == 1) {
        px_exchange_put_request(&text, &arena, &cli->err, px_field(one, "request"));
        put_marked(&marked, px_buf_view(&text), "> ");
        px_buf_clear(&text, TEXT_MAX);
        put_response(&text, &arena, &cli->err, px_field(one, "response"));
        put_marked(&marked, px_buf_view(&text), "< ");
        px_buf_clear(&text, TEXT_MAX);
    }
    px_out_flush(&cli->err, &marked);
    px_buf_finish(&marked);
    px_buf_finish(&text);
    px_arena_finish(&arena);
}
