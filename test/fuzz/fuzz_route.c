/* A route, arguments and an input schema, a line each: whatever they are, nothing crashes, no request leaves the upstream's
 * base path, no header holds a line end, and what is shown holds no secret. */
#include "route/private.h"
#include "json/scan.h"
#include <assert.h>

void px_values_finish(struct px_site *site);
__attribute__((weak)) void px_values_finish(struct px_site *site) {
    (void)site;
}

#define TOKEN "tok-0123456789abcdef"
#define BASE  "https://api.test/base/v3"

static struct px_api *api;
static struct px_site *site;

static int secret(void *ctx, px_str pointer, px_str *ret) {
    (void)ctx;
    if (!px_str_is(pointer, "/token"))
        return -ENOENT;
    *ret = PX_LIT(TOKEN);
    return 0;
}

static void set_up(void) {
    static const char text[] =
        "{\"upstreams\":{\"api\":{\"base_url\":\"" BASE
        "\",\"identity\":\"token\",\"hosts\":[\"*.cdn.test\"]},"
        "\"key\":{\"base_url\":\"" BASE
        "\",\"identity\":\"key\",\"query\":{\"s\":{\"$secret\":\"/token\"}}}},"
        "\"identities\":{\"token\":{\"kind\":\"bearer\",\"secret\":\"/token\"},"
        "\"key\":{\"kind\":\"api_key\",\"in\":\"query\",\"name\":\"key\",\"secret\":\"/token\"}},"
        "\"values\":{\"v\":{\"route\":{\"path\":\"/v\"},\"at\":\"\"}}}";
    if (api)
        return;
    if (px_api_compile(px_str_of(text), false, &api, NULL))
        abort();
    struct px_site_opts opts = {
        .api = api,
        .service = PX_LIT("fuzz"),
        .config_json = PX_LIT("{\"a\":\"b/../c\",\"n\":1,\"o\":{},\"token\":{\"$secret\":\"/token\"}}"),
        .secret = secret};
    if (px_site_create(&opts, &site, NULL))
        abort();
}

__attribute__((destructor)) static void tear_down(void) {
    px_site_destroy(&site);
    px_api_destroy(api);
    px_arena_stock_free();
}

static void check_url(struct px_arena *arena, const struct px_route *route, px_str url) {
    struct px_url parsed;
    int e = px_url_parse(arena, url, &parsed, NULL);
    assert(e == 0 || e == -ENOMEM);
    if (e || route->url.p)
        return;
    assert(px_str_eq(parsed.text, url)); /* it means what it says */
    px_str rest = px_str_n(parsed.text.p + strlen(BASE), parsed.text.n - strlen(BASE));
    assert(px_str_starts(parsed.text, px_str_of(BASE)));
    assert(!rest.n || rest.p[0] == '/' || rest.p[0] == '?');
}

static void check_header(px_pair pair) {
    for (size_t i = 0; i < pair.value.n; i++)
        assert(pair.value.p[i] != '\r' && pair.value.p[i] != '\n' && pair.value.p[i] != 0);
}

static void check_shown(const struct px_route *route, const struct px_route_request *req, px_str args) {
    struct px_json_scan scan;
    struct px_buf shown;
    px_buf_init(&shown, 64 << 20);
    if (px_request_show(&shown, route, site, req, args) == 0) {
        assert(px_json_scan(px_buf_view(&shown), NULL, &scan, NULL, NULL) == 0);
        assert(!memmem(shown.p, shown.n, TOKEN, strlen(TOKEN)));
    }
    px_buf_finish(&shown);
}

static void build(const struct px_route *route, px_str args) {
    static const px_str values[] = {PX_LIT_INIT("\"x/y\"")};
    static const struct px_page_state pages[] = {
        {.size = 0},
        {.cursor = PX_LIT_INIT("c&d\"e\r\n"), .number = 2, .offset = 10, .started = true, .size = 5},
        {.url = PX_LIT_INIT(BASE "/next?key=1&b=2")}};
    for (size_t i = 0; i < PX_COUNT(pages); i++) {
        struct px_route_request req;
        struct px_err err = {0};
        struct px_arena arena;
        px_arena_init(&arena, 64 << 20);
        int e = px_request_build(&arena, route, site, args, values, &pages[i], &req, &err);
        assert(e <= 0 && !e == !err.msg[0]);
        if (!e) {
            check_url(&arena, route, req.url);
            for (size_t j = 0; j < req.n_headers; j++)
                check_header(req.headers[j]);
            for (size_t j = 0; j < req.n_credentials; j++)
                check_header(req.credentials[j]);
            check_shown(route, &req, args);
        }
        px_arena_finish(&arena);
    }
}

static px_str line(const uint8_t **data, size_t *n) {
    const uint8_t *end = *n ? memchr(*data, '\n', *n) : NULL;
    px_str text = px_str_n((const char *)*data, end ? (size_t)(end - *data) : *n);
    size_t used = text.n + (end != NULL);
    *data += used;
    *n -= used;
    return text;
}

static bool is_json(px_str text, enum px_json_type type) {
    struct px_json_scan scan;
    return px_json_scan(text, NULL, &scan, NULL, NULL) == 0 && px_json_slice_type(scan.value) == type &&
           scan.value.n == text.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    px_str text = line(&data, &n), args = line(&data, &n), schema = line(&data, &n);
    set_up();
    if (memmem(text.p, text.n, TOKEN, strlen(TOKEN)) ||
        (args.n && memmem(args.p, args.n, TOKEN, strlen(TOKEN))))
        return 0;
    struct px_route_opts opts = {.api = api,
                                 .input_schema = is_json(schema, PX_JSON_OBJECT) ? schema : (px_str){0}};
    for (int i = 0; i < 4; i++) {
        struct px_route *route = NULL;
        struct px_err err = {0};
        opts.read_only = i & 1;
        opts.vetted = i & 2;
        int e = px_route_compile(text, &opts, &route, &err);
        assert(e <= 0 && !e == !err.msg[0]);
        if (!e)
            build(route, is_json(args, PX_JSON_OBJECT) ? args : (px_str){0});
        px_route_destroy(route);
    }
    return 0;
}
