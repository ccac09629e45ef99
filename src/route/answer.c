/* An answer that was judged to be good: which part of it is the result. */
#include "base/codec.h"
#include "base/redact.h"
#include "route/private.h"
#include "json/scan.h"

enum {
    VALUES_MAX = 4 * 1000 * 1000,
    DEPTH_MAX = 63, /* one less than a result may have: a list, or a lone value, gets an object around it */
    BEGINS = 100,
    TYPE_MAX = 100,
    SHOWN_MAX = 64 * 1024 * 1024
};

/* ---- what kind of body ---- */

static const struct px_json_limits limits = {.values = VALUES_MAX, .depth = DEPTH_MAX};

static px_str text_of(const struct px_http_result *result) {
    px_str body = result->body;
    if (px_str_starts(body, PX_LIT("\xef\xbb\xbf"))) /* RFC 8259 §8.1: may be ignored */
        body = px_str_n(body.p + 3, body.n - 3);
    return body;
}

static void scanned(int r, const struct px_json_scan *scan, const struct px_err *err,
                    struct px_answer_scan *ret) {
    *ret = (struct px_answer_scan){.done = true, .code = r};
    if (!r)
        ret->json = scan->value;
    if (r == -EMSGSIZE)
        px_str_copy(ret->words, sizeof ret->words, px_str_of(err->msg));
}

void px_answer_scan(const struct px_http_result *result, struct px_answer_scan *ret) {
    struct px_json_scan scan;
    struct px_err err;
    int r = px_json_scan(text_of(result), &limits, &scan, NULL, &err);
    scanned(r, &scan, &err, ret);
}

struct px_json_scanner *px_answer_scanner(const struct px_http_result *result) {
    return px_json_scanner_create(text_of(result), &limits);
}

void px_answer_scan_step(struct px_json_scanner *scanner, size_t bytes, struct px_answer_scan *ret) {
    struct px_json_scan scan;
    struct px_err err;
    int r = px_json_scanner_step(scanner, bytes, &scan, NULL, &err);
    if (r != 1)
        scanned(r, &scan, &err, ret);
}

/* "image/png" of "Image/PNG; charset=x", in the arena; absent: it says none. */
static px_str media_type(struct px_arena *arena, const struct px_http_result *result) {
    px_str type = px_header_of(result, PX_LIT("content-type"));
    size_t n = 0;
    while (n < type.n && n < TYPE_MAX && type.p[n] > ' ' && type.p[n] != ';' && type.p[n] != 0x7f)
        n++;
    px_str copy = n ? px_arena_str(arena, px_str_n(type.p, n)) : (px_str){0};
    for (size_t i = 0; copy.p && i < n; i++) {
        char *c = (char *)(uintptr_t)copy.p + i;
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    }
    return copy;
}

static bool ends(px_str s, px_str end) {
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool is_json_type(px_str type) {
    return px_str_is(type, "application/json") || px_str_is(type, "text/json") || ends(type, PX_LIT("+json"));
}

static bool is_text_type(px_str type) {
    static const char *const known[] = {
        "application/xml",      "application/javascript", "application/yaml",
        "application/x-yaml",   "application/toml",       "application/sql",
        "application/x-ndjson", "application/jsonl",      "application/x-sh",
        "application/json",     "image/svg+xml",          "application/x-www-form-urlencoded"};
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (px_str_is(type, known[i]))
            return true;
    }
    return px_str_starts(type, PX_LIT("text/")) || ends(type, PX_LIT("+xml")) || ends(type, PX_LIT("+json"));
}

static bool is_text(px_str body) {
    return px_utf8_valid(body) && !memchr(body.p, 0, body.n);
}

static enum px_result_kind kind_of(const struct px_answer *answer, px_str body) {
    bool known = answer->type.n > 0;
    if (answer->body_json.p &&
        (known ? is_json_type(answer->type) : answer->body_json.p[0] == '{' || answer->body_json.p[0] == '['))
        return PX_RESULT_JSON;
    return (!known || is_text_type(answer->type)) && is_text(body) ? PX_RESULT_TEXT : PX_RESULT_BINARY;
}

/* ---- JSON ---- */

static int wrong(const struct px_route *route, struct px_err *err, const char *what, px_str at,
                 const char *there) {
    px_str name = route->upstream ? route->upstream->name : PX_LIT("the upstream");
    return px_err_set(err, -EPROTO, PX_FMT ": %s \"" PX_FMT "\"%s", PX_ARG(name), what, PX_ARG(at), there);
}

/* The value at a pointer. Below null everything is null; absent: nothing is there. */
static px_str at_or_null(px_str json, px_str pointer) {
    px_str value = px_at_or_absent(json, pointer);
    for (size_t n = pointer.n; n > 0 && !value.p; n--) {
        if (pointer.p[n - 1] != '/')
            continue;
        px_str around = px_at_or_absent(json, px_str_n(pointer.p, n - 1));
        if (around.p)
            return px_json_slice_type(around) == PX_JSON_NULL ? around : (px_str){0};
    }
    return value;
}

static px_str last_name(px_str pointer) {
    size_t n = pointer.n;
    while (n && pointer.p[n - 1] != '/')
        n--;
    return px_str_n(pointer.p + n, pointer.n - n);
}

/* A reference token as a quoted key (RFC 6901 §3). */
static px_str quoted_token(struct px_arena *arena, px_str token) {
    struct px_buf text, key;
    px_buf_init(&text, SHOWN_MAX);
    px_buf_init(&key, SHOWN_MAX);
    for (size_t i = 0; i < token.n; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        px_buf_char(&text, !escape ? token.p[i] : token.p[++i] == '0' ? '~' : '/');
    }
    px_str got =
        px_json_quote(&key, px_buf_view(&text)) ? (px_str){0} : px_arena_str(arena, px_buf_view(&key));
    px_buf_finish(&text);
    px_buf_finish(&key);
    return got;
}

static int read_kept(struct px_arena *arena, const struct px_route *route, struct px_answer *ret,
                     struct px_err *err) {
    ret->keep = px_arena_alloc(arena, route->n_keep * sizeof *ret->keep);
    if (!ret->keep)
        return px_err_set(err, -ENOMEM, "no memory for the answer");
    for (size_t i = 0; i < route->n_keep; i++) {
        px_str value = px_at_or_absent(ret->value, route->keep[i]);
        px_str key = value.p ? quoted_token(arena, last_name(route->keep[i])) : (px_str){0};
        bool twice = false;
        if (value.p && !key.p)
            return px_err_set(err, -ENOMEM, "no memory for the answer");
        for (size_t k = 0; k < ret->n_keep; k++)
            twice = twice || px_str_eq(ret->keep[k].key, key);
        if (value.p && !twice)
            ret->keep[ret->n_keep++] = (struct px_answer_member){key, value};
    }
    return 0;
}

static int not_json(struct px_arena *arena, const struct px_route *route, const struct px_http_result *result,
                    const struct px_answer_scan *scan, const struct px_answer *answer, struct px_err *err) {
    px_str name = route->upstream ? route->upstream->name : PX_LIT("the upstream");
    px_str type = answer->type.n ? answer->type : PX_LIT("no content type");
    if (scan->code == -ENOMEM)
        return px_err_set(err, -ENOMEM, "no memory for the answer");
    if (scan->code == -EMSGSIZE)
        return px_err_set(err, -EPROTO, PX_FMT ": the answer is more than can be shown: %s", PX_ARG(name),
                          scan->words);
    px_str begins = px_words_of_text(arena, result->body);
    begins.n = px_str_cut_utf8(begins, px_redact_cut(begins, BEGINS));
    return px_err_set(err, -EPROTO,
                      PX_FMT " answered %d with something that is not JSON (" PX_FMT ")%s" PX_FMT,
                      PX_ARG(name), result->status, PX_ARG(type), begins.n ? ": " : "", PX_ARG(begins));
}

static int read_json(struct px_arena *arena, const struct px_route *route, struct px_answer *ret,
                     struct px_err *err) {
    px_str errors = route->graphql ? px_at_or_absent(ret->body_json, PX_LIT("/errors")) : (px_str){0};
    px_str error;
    uint64_t pos = 0;
    if (px_json_slice_type(errors) == PX_JSON_ARRAY && px_json_slice_next(errors, &pos, NULL, &error) == 1)
        ret->errors = errors;
    ret->kind = PX_ANSWER_VALUE;
    ret->value = at_or_null(ret->body_json, route->at);
    if (!ret->value.p)
        return wrong(route, err, "the answer has nothing at", route->at, "");
    int r = read_kept(arena, route, ret, err);
    if (r)
        return r;
    enum px_json_type type = px_json_slice_type(ret->value);
    if (!route->items.p && type == PX_JSON_ARRAY)
        ret->items = ret->value;
    else if (route->items.p && type != PX_JSON_NULL)
        ret->items = px_at_or_absent(ret->value, route->items);
    else
        return 0;
    type = px_json_slice_type(ret->items);
    if (type == PX_JSON_NONE || type == PX_JSON_NULL) /* an empty list is often left out */
        ret->items = PX_LIT("[]");
    else if (type != PX_JSON_ARRAY)
        return wrong(route, err, "the answer has no list at", route->items, ", but something else");
    ret->kind = PX_ANSWER_ITEMS;
    return 0;
}

/* ---- a member that is base64 ---- */

/* The text in a base64 string, with blanks and line ends in it, quoted as JSON; absent: it is none, or no text. */
static px_str decoded_text(struct px_arena *arena, px_str value) {
    struct px_arena texts;
    struct px_buf bytes, quoted;
    px_str text = {0}, got = {0};
    px_arena_init(&texts, SHOWN_MAX);
    px_buf_init(&bytes, SHOWN_MAX);
    px_buf_init(&quoted, SHOWN_MAX);
    char *clean = px_json_slice_text(&texts, value, &text) ? NULL : px_arena_raw(&texts, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; clean && i < text.n; i++) {
        if ((unsigned char)text.p[i] > ' ')
            clean[n++] = text.p[i];
    }
    if (clean && px_base64_decode(&bytes, px_str_n(clean, n)) == 0 && is_text(px_buf_view(&bytes)) &&
        px_json_quote(&quoted, px_buf_view(&bytes)) == 0)
        got = px_arena_str(arena, px_buf_view(&quoted));
    px_arena_finish(&texts);
    px_buf_finish(&bytes);
    px_buf_finish(&quoted);
    return got;
}

/* `object` with the member `from` replaced by `to` with this value. */
static void put_renamed(struct px_buf *out, px_str object, px_str from, px_str to, px_str value) {
    uint64_t pos = 0;
    px_str key, member;
    bool any = false;
    px_buf_char(out, '{');
    while (px_json_slice_next(object, &pos, &key, &member) == 1) {
        bool here = member.p == from.p;
        if (!here && px_json_slice_is(key, to))
            continue; /* no key twice */
        if (any)
            px_buf_char(out, ',');
        any = true;
        if (here && to.p)
            px_json_quote(out, to);
        else
            px_buf_str(out, key);
        px_buf_char(out, ':');
        px_buf_str(out, here ? value : member);
    }
    px_buf_char(out, '}');
}

/* What is no base64, or no text in it, stays as it is. */
static int decode(struct px_arena *arena, const struct px_route *route, struct px_answer *answer,
                  struct px_err *err) {
    px_str at = route->decode_at, from = px_at_or_absent(answer->value, at), all = answer->value;
    size_t cut = at.n - last_name(at).n;
    px_str object = px_at_or_absent(all, px_str_n(at.p, cut ? cut - 1 : 0));
    if (px_json_slice_type(from) != PX_JSON_STRING || px_json_slice_type(object) != PX_JSON_OBJECT)
        return 0;
    px_str value = decoded_text(arena, from);
    if (!value.p)
        return 0;
    struct px_buf out;
    px_buf_init(&out, SHOWN_MAX);
    px_buf_add(&out, all.p, (size_t)(object.p - all.p));
    put_renamed(&out, object, from, route->decode_to, value);
    px_buf_add(&out, object.p + object.n, all.n - (size_t)(object.p - all.p) - object.n);
    px_str got = out.failed ? (px_str){0} : px_arena_str(arena, px_buf_view(&out));
    px_buf_finish(&out);
    if (!got.p)
        return px_err_set(err, -ENOMEM, "no memory for the answer");
    answer->value = got;
    return 0;
}

/* ---- text ---- */

/* ISO 8859-1, where the answer says so and UTF-8 is not what came. */
static px_str as_utf8(struct px_arena *arena, const struct px_http_result *result) {
    px_str type = px_header_of(result, PX_LIT("content-type")), body = result->body;
    if (!body.n)
        return PX_LIT("");
    if (!(px_rule_matches(PX_LIT("*charset=*iso-8859-1*"), type) ||
          px_rule_matches(PX_LIT("*charset=*latin1*"), type)) ||
        px_utf8_valid(body))
        return body;
    char *text = px_arena_raw(arena, 2 * body.n);
    size_t n = 0;
    if (!text)
        return body; /* its odd bytes will be replaced */
    for (size_t i = 0; i < body.n; i++) {
        unsigned char c = (unsigned char)body.p[i];
        if (c >= 0x80)
            text[n++] = (char)(0xc0 | c >> 6);
        text[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    return px_str_n(text, n);
}

/* ---- reading ---- */

int px_answer_read(struct px_arena *arena, const struct px_route *route, const struct px_http_result *result,
                   const struct px_answer_scan *scan, struct px_answer *ret, struct px_err *err) {
    *ret = (struct px_answer){.kind = PX_ANSWER_NOTHING,
                              .status = result->status,
                              .body_json = scan->json,
                              .type = media_type(arena, result),
                              .url = px_url_shown(result->url)};
    enum px_result_kind kind = route->result;
    bool empty = !result->body.n && (kind != PX_RESULT_TEXT || result->status == 204);
    if (kind == PX_RESULT_NONE || empty || px_str_is(route->method, "HEAD"))
        return 0;
    if (kind == PX_RESULT_AUTO)
        kind = kind_of(ret, result->body);
    if (kind == PX_RESULT_TEXT || kind == PX_RESULT_BINARY) {
        ret->kind = kind == PX_RESULT_TEXT ? PX_ANSWER_TEXT : PX_ANSWER_BINARY;
        ret->text = kind == PX_RESULT_TEXT ? as_utf8(arena, result) : result->body;
        return 0;
    }
    if (!ret->body_json.p)
        return not_json(arena, route, result, scan, ret, err);
    int r = read_json(arena, route, ret, err);
    return r || ret->kind != PX_ANSWER_VALUE || !route->decode_at.p ? r : decode(arena, route, ret, err);
}

/* ---- items ---- */

void px_answer_items_init(struct px_answer_items *items, const struct px_answer *answer,
                          const struct px_select *select, uint64_t skip) {
    px_str item;
    *items = (struct px_answer_items){.select = select};
    if (answer->kind != PX_ANSWER_ITEMS)
        return;
    items->array = answer->items;
    while (items->index < skip && px_json_slice_next(items->array, &items->pos, NULL, &item) == 1)
        items->index++;
}

static void take_back(struct px_buf *to, size_t n) {
    if (to->n > n) {
        to->n = n;
        to->p[n] = 0;
    }
}

int px_answer_items_next(struct px_answer_items *items, struct px_buf *to, uint64_t *left) {
    uint64_t pos = items->pos;
    size_t before = to->n;
    px_str item;
    if (!items->array.p || px_json_slice_next(items->array, &pos, NULL, &item) != 1)
        return 0;
    int r = items->select ? px_select_apply_seen(items->select, item, to, items->seen)
                          : px_json_slice_compact(to, item);
    uint64_t cost = r ? 0 : 1 + px_json_escaped_size(px_str_n(to->p + before, to->n - before));
    if (!r && cost > *left)
        r = -ENOSPC;
    if (r) {
        take_back(to, before);
        return r;
    }
    *left -= cost;
    items->pos = pos;
    items->index++;
    return 1;
}

uint64_t px_answer_items_left(const struct px_answer_items *items, uint64_t most) {
    uint64_t pos = items->pos, n = 0;
    px_str item;
    while (n < most && items->array.p && px_json_slice_next(items->array, &pos, NULL, &item) == 1)
        n++;
    return n;
}
