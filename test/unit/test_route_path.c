/* No argument leaves its place: random and hostile strings at paths, queries, headers and forms; the result is read again. */
#include "unit/route_rig.h"

static struct px_api *api;
static struct px_site *site;
static uint64_t random_state = 88172645463325252u;

static int setup(void **state) {
    (void)state;
    api = make_api("{'upstreams':{'api':{'base_url':'https://api.test/base/v3'}}}");
    site = make_site(api, "{}");
    return 0;
}
static int teardown(void **state) {
    (void)state;
    px_site_destroy(&site);
    px_api_destroy(api);
    px_arena_stock_free();
    return 0;
}

static const char *const pieces[] = {"..",
                                     ".",
                                     "/",
                                     "\\",
                                     "%2e%2e",
                                     "%2E",
                                     "%2F",
                                     "%5c",
                                     "?",
                                     "#",
                                     "&",
                                     "=",
                                     ";",
                                     ":",
                                     "@",
                                     "//",
                                     "a",
                                     "Z9",
                                     "~",
                                     "-",
                                     "_",
                                     " ",
                                     "+",
                                     "%",
                                     "%00",
                                     "\r\n",
                                     "\n",
                                     "\t",
                                     "\x01",
                                     "[]",
                                     "{x}",
                                     "*",
                                     "\xc3\xbc",
                                     "\xe2\x80\xae",
                                     "\xf0\x9f\x98\x80",
                                     "\xef\xbc\x8f" /* fullwidth slash */,
                                     "\xe2\x80\xa5",
                                     "http://evil.test/",
                                     "@evil.test",
                                     "..;",
                                     "%252e%252e",
                                     "\"",
                                     "'",
                                     "<",
                                     "$arg",
                                     ",",
                                     "|",
                                     "Host: evil"};

static size_t random_text(char *to, size_t room) {
    size_t n = 0, count = next_random(&random_state) % 6;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[next_random(&random_state) % PX_COUNT(pieces)];
        if (n + strlen(piece) < room) {
            memcpy(to + n, piece, strlen(piece));
            n += strlen(piece);
        }
    }
    if (next_random(&random_state) % 16 == 0 && n + 1 < room)
        to[n++] = 0;
    return n;
}

/* Decode %XX, which must be well formed; '+' stays. */
static size_t decode(px_str text, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%') {
            to[n++] = text.p[i];
            continue;
        }
        unsigned byte = 0;
        assert_true(i + 2 < text.n);
        assert_int_equal(sscanf(text.p + i + 1, "%2x", &byte), 1);
        to[n++] = (char)byte;
        i += 2;
    }
    return n;
}

static void decodes_to(px_str encoded, px_str want) {
    char plain[600];
    assert_true(encoded.n < sizeof plain);
    size_t n = decode(encoded, plain);
    if (!px_str_eq(px_str_n(plain, n), want))
        fail_msg("<" PX_FMT "> is not <" PX_FMT ">", PX_ARG(encoded), PX_ARG(want));
}

/* The next piece up to one of `ends`. */
static px_str cut(px_str *rest, const char *ends) {
    size_t n = 0;
    while (n < rest->n && !strchr(ends, rest->p[n]))
        n++;
    px_str piece = px_str_n(rest->p, n);
    rest->p += PX_MIN(n + 1, (size_t)rest->n);
    rest->n -= PX_MIN(n + 1, (size_t)rest->n);
    return piece;
}

struct args {
    char text[4][200];
    px_str value[4]; /* a, b, q, h */
    struct px_buf json;
};
static void random_args(struct args *args) {
    static const char *const names[] = {"a", "b", "q", "h"};
    px_buf_init(&args->json, 1 << 16);
    for (size_t i = 0; i < 4; i++) {
        args->value[i] = px_str_n(args->text[i], random_text(args->text[i], sizeof args->text[i]));
        px_buf_text(&args->json, i ? ",\"" : "{\"");
        px_buf_text(&args->json, names[i]);
        px_buf_text(&args->json, "\":");
        px_json_quote(&args->json, args->value[i]);
    }
    px_buf_char(&args->json, '}');
}

/* How many segments {+b} has. */
static size_t count_slashes(px_str text) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '/';
    return n;
}

static void check_segments(px_str path, const struct args *args) {
    static const char prefix[] = "/base/v3/x/";
    assert_true(px_str_starts(path, px_str_of(prefix)));
    px_str rest = px_str_n(path.p + strlen(prefix), path.n - strlen(prefix));
    decodes_to(cut(&rest, "/"), args->value[0]);
    assert_text(cut(&rest, "/"), "y");
    px_str wanted = args->value[1];
    for (size_t i = 0, n = count_slashes(args->value[1]) + 1; i < n; i++) {
        px_str segment = cut(&rest, "/");
        assert_true(segment.n > 0 && !px_str_is(segment, ".") && !px_str_is(segment, ".."));
        decodes_to(segment, cut(&wanted, "/"));
    }
    assert_text(rest, "z");
}

static void check_url(px_str url, const struct args *args) {
    struct px_arena arena;
    struct px_url parsed;
    struct px_err err = {0};
    px_arena_init(&arena, 1 << 20);
    if (px_url_parse(&arena, url, &parsed, &err))
        fail_msg(PX_FMT ": %s", PX_ARG(url), err.msg);
    /* Nothing in it is read in another way than it is written. */
    assert_true(px_str_eq(parsed.text, url));
    assert_text(parsed.origin, "https://api.test");
    px_str target = parsed.target, path = cut(&target, "?");
    check_segments(path, args);
    assert_text(cut(&target, "="), "q");
    decodes_to(cut(&target, "&"), args->value[2]);
    assert_text(target, "end=1");
    px_arena_finish(&arena);
}

static bool is_header_text(px_str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c < 0x20 && c != '\t') || c >= 0x7f)
            return false;
    }
    return true;
}

static void arguments_stay_in_their_places(void **state) {
    (void)state;
    static const char *const schema =
        "{'properties':{'a':{'type':'string'},'b':{'type':'string'},'q':{},'h':{}},'required':['a','b']}";
    struct px_route *route =
        make_route(api,
                   "{'path':'/x/{a}/y/{+b}/z','method':'POST','query':{'q':{'$arg':'q'},'end':1},"
                   "'headers':{'X-H':{'$arg':'h'}},'form':{'h':{'$arg':'h'},'end':1}}",
                   schema, false);
    unsigned made = 0, refused = 0;
    for (unsigned i = 0; i < 40000; i++) {
        struct args args;
        struct px_arena arena;
        struct px_route_request req = {0};
        struct px_err err = {0};
        random_args(&args);
        px_arena_init(&arena, 1 << 20);
        int r = px_request_build(&arena, route, site, px_buf_view(&args.json), NULL, NULL, &req, &err);
        assert_true(r == 0 || r == -EINVAL);
        if (r) {
            refused++;
            assert_true(err.msg[0]);
        } else {
            made++;
            check_url(req.url, &args);
            assert_true(is_header_text(req.headers[0].value));
            assert_true(px_str_eq(req.headers[0].value, args.value[3]));
            px_str body = req.body;
            assert_text(cut(&body, "="), "h");
            decodes_to(cut(&body, "&"), args.value[3]);
            assert_text(body, "end=1");
        }
        px_arena_finish(&arena);
        px_buf_finish(&args.json);
    }
    assert_true(made > 1000 && refused > 1000);
    px_route_destroy(route);
}

static void parts(const char *text, const char *want) {
    struct px_arena arena;
    struct px_path path;
    struct px_err err = {0};
    char got[200] = "";
    size_t n = 0;
    px_arena_init(&arena, 1 << 16);
    if (px_path_parse(&arena, px_str_of(text), &path, &err))
        fail_msg("%s: %s", text, err.msg);
    for (size_t i = 0; i < path.n; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%d:" PX_FMT, i ? " " : "", (int)path.parts[i].kind,
                              PX_ARG(path.parts[i].text));
    assert_string_equal(got, want);
    px_arena_finish(&arena);
}

static void templates(void **state) {
    (void)state;
    parts("", "");
    parts("/", "0:/");
    parts("/a/b/", "0:/a/b/");
    parts("/{a}{b}.json", "0:/ 1:a 1:b 0:.json");
    parts("/{+a}/{value:v}/{config:/x/y}", "0:/ 2:a 0:/ 3:v 0:/ 4:/x/y");
    parts("/a%20b:c;d=1,2/@~", "0:/a%20b:c;d=1,2/@~");
    parts("/.../.a/a./..a", "0:/.../.a/a./..a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates),
        cmocka_unit_test(arguments_stay_in_their_places),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
