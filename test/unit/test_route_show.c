/* What a request looks like to whoever must not see its secrets. */
#include "unit/route_rig.h"

static struct px_api *api;
static struct px_site *site;

static int setup(void **state) {
    (void)state;
    api = make_api(
        "{'upstreams':{'api':{'base_url':'https://api.test','identity':'token','headers':{'X-S':{'$secret':'/short'},"
        "'X-P':'p'},'query':{'s':{'$secret':'/short'}}},"
        "'keyed':{'base_url':'https://k.test','identity':'key'},"
        "'hook':{'base_url':{'$secret':'/hook'}},'any':{'hosts':['*'],'identity':'token'}},"
        "'identities':{'token':{'kind':'bearer','secret':'/token'},"
        "'key':{'kind':'api_key','in':'query','name':'key','secret':'/key'}}}");
    site = make_site(api, "{'token':{'$secret':'/token'}}");
    return 0;
}
static int teardown(void **state) {
    (void)state;
    px_site_destroy(&site);
    px_api_destroy(api);
    px_arena_stock_free();
    return 0;
}

static void shows_page(const char *text, const char *args, const struct px_page_state *page,
                       const char *want) {
    struct px_arena arena;
    struct px_buf buf;
    struct px_route_request req;
    struct px_err err = {0};
    char *json = quotes(args), *expected = quotes(want);
    px_arena_init(&arena, 1 << 24);
    px_buf_init(&buf, 1 << 24);
    struct px_route *route = make_route(
        api, text,
        strstr(text, "'p'")
            ? "{'properties':{'p':{'type':'string','writeOnly':true},'q':{'type':'string'}},'required':['p','q']}"
            : NULL,
        strstr(text, "'method'") == NULL);
    if (px_request_build(&arena, route, site, px_str_of(json), NULL, page, &req, &err))
        fail_msg("%s: %s", text, err.msg);
    assert_int_equal(px_request_show(&buf, route, site, &req, px_str_of(json)), 0);
    struct px_json_scan scan;
    assert_int_equal(px_json_scan(px_buf_view(&buf), NULL, &scan, NULL, NULL), 0);
    if (!px_str_is(px_buf_view(&buf), expected))
        fail_msg("\n   got: " PX_FMT "\n  want: %s", PX_ARG(px_buf_view(&buf)), expected);
    px_route_destroy(route);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    free(json);
    free(expected);
}
static void shows(const char *text, const char *args, const char *want) {
    shows_page(text, args, NULL, want);
}

#define CRED "'headers':{'X-P':'p','X-S':'***','Authorization':'***'}"

static void secrets(void **state) {
    (void)state;
    shows("{'path':'/x','query':{'t':{'$concat':['a',{'$secret':'/short'}]},'u':1}}", "{}",
          "{'method':'GET','url':'https://api.test/x?s=***&t=a%2A%2A%2A&u=1'," CRED "}");
    shows("{'path':'/x','upstream':'keyed'}", "{}",
          "{'method':'GET','url':'https://k.test/x?key=***','headers':{}}");
    shows("{'path':'/x','upstream':'hook'}", "{}",
          "{'method':'GET','url':'https://hooks.test/***/x','headers':{}}");
    shows(
        "{'path':'/x','method':'POST','body':{'s':{'$secret':'/short'},'n':5000000000000001}}", "{}",
        "{'method':'POST','url':'https://api.test/x?s=***','headers':{'X-P':'p','Content-Type':'application/json','X-S':'***',"
        "'Authorization':'***'},'body':{'s':'***','n':5000000000000001}}");
}

static void arguments(void **state) {
    (void)state;
    shows(
        "{'path':'/x/{p}/{q}','identity':null,'query':{'p':{'$arg':'p'}},'headers':{'X-P':{'$arg':'p'}}}",
        "{'p':'hunter2','q':'a b'}",
        "{'method':'GET','url':'https://api.test/x/***/a%20b?s=***&p=***','headers':{'X-P':'***','X-S':'***'}}");
    shows("{'url':{'$arg':'p'},'upstream':'any','headers':{'X-Q':{'$arg':'q'}}}",
          "{'p':'https://u.test/hunter2','q':'1'}", "{'method':'GET','url':'***','headers':{'X-Q':'1'}}");
    shows(
        "{'path':'/x/{q}','upstream':'keyed','identity':null,'method':'PUT','raw':{'value':{'$arg':'p'},'base64':true}}",
        "{'p':'aHVudGVyMg==','q':'1'}",
        "{'method':'PUT','url':'https://k.test/x/1','headers':{'Content-Type':'application/octet-stream'},'body':'***'}");
    shows(
        "{'path':'/x/{q}','upstream':'keyed','identity':null,'method':'PUT','form':{'p':{'$arg':'p'}}}",
        "{'p':'hunter2','q':'1'}",
        "{'method':'PUT','url':'https://k.test/x/1','headers':{'Content-Type':'application/x-www-form-urlencoded'},'body':'p=***'}");
}

static void bodies(void **state) {
    (void)state;
    shows(
        "{'path':'/x','upstream':'keyed','identity':null,'method':'PUT','raw':{'value':'/wAB','base64':true}}",
        "{}",
        "{'method':'PUT','url':'https://k.test/x','headers':{'Content-Type':'application/octet-stream'},'body':{'base64':'/wAB'}}");
    shows(
        "{'path':'/x','upstream':'keyed','identity':null,'method':'PUT','raw':{'value':'hé','type':'text/plain'}}",
        "{}",
        "{'method':'PUT','url':'https://k.test/x','headers':{'Content-Type':'text/plain'},'body':'hé'}");
}

static void next_pages(void **state) {
    (void)state;
    struct px_page_state page = {.url = PX_LIT("https://k.test/x?page=2&key=key%2F87654321%26x")};
    shows_page("{'path':'/x','upstream':'keyed','page':{'kind':'link'}}", "{}", &page,
               "{'method':'GET','url':'https://k.test/x?page=2&key=***','headers':{}}");
    page = (struct px_page_state){.url = PX_LIT("https://api.test/x?s=s3c&page=2&t=s3c&u=1")};
    shows_page("{'path':'/x','query':{'t':{'$secret':'/short'},'u':1},'page':{'kind':'link'}}", "{}", &page,
               "{'method':'GET','url':'https://api.test/x?page=2&u=1&s=***&t=***'," CRED "}");
    page = (struct px_page_state){.size = 7};
    shows_page("{'path':'/x','upstream':'keyed','page':{'kind':'link','size':{'query':'n','max':9}}}", "{}",
               &page, "{'method':'GET','url':'https://k.test/x?n=7&key=***','headers':{}}");
}

/* A large body is shown in part, as text. */
static void large(void **state) {
    (void)state;
    struct px_arena arena;
    struct px_buf buf;
    struct px_route_request req;
    enum { N = 100000 };
    char *args = malloc(N + 20);
    snprintf(args, N + 20, "{\"q\":\"%0*d\"}", N, 0);
    px_arena_init(&arena, 1 << 24);
    px_buf_init(&buf, 1 << 24);
    struct px_route *route = make_route(api, "{'path':'/x','method':'POST','body':{'q':{'$arg':'q'}}}",
                                        "{'properties':{'q':{'type':'string'}}}", false);
    assert_int_equal(px_request_build(&arena, route, site, px_str_of(args), NULL, NULL, &req, NULL), 0);
    assert_int_equal(px_request_show(&buf, route, site, &req, px_str_of(args)), 0);
    assert_true(buf.n < 70000);
    assert_non_null(strstr(buf.p, "\"body_bytes\":100008}"));
    px_route_destroy(route);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    free(args);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets),    cmocka_unit_test(arguments), cmocka_unit_test(bodies),
        cmocka_unit_test(next_pages), cmocka_unit_test(large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
