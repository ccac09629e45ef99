/* Any answer: a status, headers and a body, for routes of every kind. What is judged has words and a bounded wait; what is read
 * becomes valid JSON without a key twice, within the budget that was reckoned; cursors open to what was sealed.
 * The input: a byte that says which route, one that says which status, lines of headers, an empty line, the body. */
#include "base/date.h"
#include "route/private.h"
#include "json/scan.h"
#include <sodium.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

enum { CAP = 64 << 20, HEADERS = 32, ROUTES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char api_text[] =
    "{\"upstreams\":{\"api\":{\"base_url\":\"https://api.example.com\",\"errors\":["
    "{\"body\":{\"/ok\":false,\"/error\":\"rate*\"},\"code\":\"rate_limited\",\"retry_after\":{\"body\":\"/after\",\"unit\":\"ms\"}},"
    "{\"status\":\"2xx\",\"body\":{\"/ok\":false,\"/n\":5000000000000001},\"code\":\"upstream_error\",\"message\":\"/why\"},"
    "{\"status\":403,\"header\":{\"x-left\":\"0*\"},\"code\":\"rate_limited\",\"retry_after\":{\"header\":\"x-reset\",\"unit\":\"unix\"}}]}}}";
static const char *const route_texts[ROUTES] = {
    "{\"path\":\"/x\"}",
    "{\"path\":\"/x\",\"result\":{\"at\":\"/a\",\"items\":\"/b\",\"keep\":[\"/n\",\"/c/n\",\"/c~1d\"]},\"page\":{\"kind\":\"cursor\",\"at\":"
    "\"/next\",\"query\":\"c\",\"more\":\"/more\"}}",
    "{\"path\":\"/x\",\"page\":{\"kind\":\"link\"}}",
    "{\"path\":\"/x\",\"result\":{\"decode\":{\"at\":\"/a/b\",\"to\":\"c\"},\"keep\":[\"/a\",\"/d/a\"]},\"fields\":\"a,*/c,d(b)\"}",
    "{\"path\":\"/x\",\"result\":{\"kind\":\"auto\"}}",
    "{\"path\":\"/x\",\"result\":{\"kind\":\"binary\"}}",
    "{\"graphql\":\"query Q($after: String) { a(after: $after) { b } }\",\"result\":{\"at\":\"/data/a\",\"items\":\"/b\"},\"page\":{\"kind\":"
    "\"graphql\",\"at\":\"/pageInfo\"}}",
    "{\"path\":\"/x\",\"page\":{\"kind\":\"page\",\"query\":\"p\",\"size\":{\"query\":\"s\",\"max\":3}}}",
};
static const int statuses[] = {200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 999};

static struct px_api *api;
static struct px_route *routes[ROUTES];
static uint8_t key[PX_SITE_KEY];
static struct px_site site = {.opts = {.service = PX_LIT_INIT("s"), .cursor_key = key}};

static void begin(void) {
    if (api)
        return;
    CHECK(sodium_init() >= 0);
    CHECK(px_api_compile(px_str_of(api_text), false, &api, NULL) == 0);
    for (size_t i = 0; i < ROUTES; i++) {
        struct px_route_opts opts = {.api = api, .read_only = true};
        CHECK(px_route_compile(px_str_of(route_texts[i]), &opts, &routes[i], NULL) == 0);
    }
}

static void check_json(px_str json) {
    struct px_json_limits limits = {.depth = 70, .values = 8000000};
    struct px_json_scan scan;
    CHECK(json.p && px_json_scan(json, &limits, &scan, NULL, NULL) == 0);
}

/* Lines of "name: value" up to an empty one; the rest is the body. */
static px_str read_headers(px_str text, px_pair *headers, size_t *n) {
    for (*n = 0; *n < HEADERS && text.n;) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t line = end ? (size_t)(end - text.p) : text.n;
        const char *colon = memchr(text.p, ':', line);
        px_str at = text;
        text = px_str_n(text.p + line + (end != NULL), text.n - line - (end != NULL));
        if (!line)
            break;
        size_t name = colon ? (size_t)(colon - at.p) : line;
        headers[*n].name = px_str_n(at.p, name);
        headers[*n].value = px_str_n(at.p + PX_MIN(name + 2, line), line - PX_MIN(name + 2, line));
        ++*n;
    }
    return text;
}

static void check_verdict(struct px_arena *arena, const struct px_route *route,
                          const struct px_http_result *result, px_str json,
                          struct px_route_verdict *verdict) {
    px_verdict_judge(arena, route, route->upstream, api, site.opts.service, result, json, verdict);
    CHECK(verdict->retry_after_ms >= 0 && verdict->retry_after_ms <= 30ll * 24 * 3600 * 1000);
    if (verdict->code == PX_OK) {
        CHECK(!verdict->retryable && !verdict->message.p);
        return;
    }
    CHECK(verdict->message.n && verdict->message.n < 2048 && px_utf8_valid(verdict->message));
    struct px_error error = px_verdict_error(arena, route->upstream, result, verdict);
    check_json(error.details_json);
}

static void check_items(const struct px_route *route, const struct px_answer *answer, uint64_t budget) {
    struct px_answer_items items;
    struct px_buf out;
    uint64_t left = budget, n = 0;
    int r;
    px_buf_init(&out, CAP);
    px_answer_items_init(&items, answer, route->fields, 0);
    px_buf_char(&out, '[');
    for (;; n++) {
        if (n)
            px_buf_char(&out, ',');
        r = px_answer_items_next(&items, &out, &left);
        if (r != 1)
            break;
    }
    CHECK(r == 0 || r == -ENOSPC);
    CHECK(px_answer_items_left(&items, UINT64_MAX) == 0 || r == -ENOSPC);
    out.n -= n > 0;
    px_buf_char(&out, ']');
    check_json(px_buf_view(&out));
    CHECK(px_json_escaped_size(px_buf_view(&out)) == budget - left + 2 - (n > 0));
    px_buf_finish(&out);
}

static void check_page(struct px_arena *arena, const struct px_route *route,
                       const struct px_http_result *result, const struct px_answer *answer) {
    struct px_page_state page, next, back;
    struct px_err err = {0};
    if (route->page.kind == PX_PAGE_NONE)
        return;
    px_page_first(route, 0, &page);
    int r = px_page_next(arena, route, result, answer, &page, &next, &err);
    CHECK(r >= 0 || (err.code == r && err.msg[0]));
    if (r != 1)
        return;
    struct px_route_call_opts call = {
        .site = &site, .tool = PX_LIT("t"), .principal = PX_LIT("p"), .args_json = PX_LIT("{}")};
    px_str text;
    CHECK(px_cursor_seal(arena, &call, &next, &text) == 0 &&
          px_cursor_open(arena, &call, text, &back, &err) == 0);
    CHECK(px_str_eq(back.url, next.url) && px_str_eq(back.cursor, next.cursor) &&
          back.number == next.number && back.offset == next.offset && back.size == next.size);
    CHECK(px_cursor_open(arena, &call, result->body, &back, &err) < 0);
}

static void check_answer(struct px_arena *arena, const struct px_route *route,
                         const struct px_http_result *result, const struct px_answer_scan *scan) {
    struct px_answer answer;
    struct px_reply reply;
    struct px_err err = {0};
    int r = px_answer_read(arena, route, result, scan, &answer, &err);
    CHECK(r == 0 || (r == -EPROTO && err.msg[0]));
    if (r)
        return;
    if (answer.kind == PX_ANSWER_ITEMS) {
        check_items(route, &answer, UINT64_MAX / 2);
        check_items(route, &answer, 20);
    } else {
        CHECK(px_answer_reply(arena, &answer, route->fields, NULL, &reply) == 0);
        CHECK(reply.text.p || reply.structured_json.p || reply.content_json.p);
        if (reply.structured_json.p)
            check_json(reply.structured_json);
        if (reply.content_json.p)
            check_json(reply.content_json);
    }
    check_page(arena, route, result, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    px_pair headers[HEADERS];
    struct px_http_result result = {
        .url = PX_LIT_INIT("https://api.example.com/x?p=1"), .headers = headers, .sent = true};
    struct px_route_verdict verdict;
    struct px_arena arena;
    if (n < 2)
        return 0;
    begin();
    const struct px_route *route = routes[data[0] % ROUTES];
    result.status = statuses[data[1] % PX_COUNT(statuses)];
    result.body = read_headers(px_str_n((const char *)data + 2, n - 2), headers, &result.n_headers);
    px_arena_init(&arena, CAP);
    struct px_answer_scan scan;
    px_answer_scan(&result, &scan);
    check_verdict(&arena, route, &result, scan.json, &verdict);
    if (verdict.code == PX_OK)
        check_answer(&arena, route, &result, &scan);
    int64_t ms;
    if (px_date_http(result.body, 0, &ms) == 0)
        CHECK(ms >= -62200000000000 && ms < 253402300801000);
    if (px_date_rfc3339(result.body, &ms) == 0) /* and an offset of 99:99 */
        CHECK(ms >= -62600000000000 && ms < 253402800801000);
    px_arena_finish(&arena);
    return 0;
}
