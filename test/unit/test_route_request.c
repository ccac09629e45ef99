/* From routes and arguments to requests. */
#include "unit/route_rig.h"

static struct px_api *api;
static struct px_site *site;

#define CONFIG                                                                                               \
    "{'base_url':'https://API.test/v3/','region':'eu','org':'a b','n':7,'token':{'$secret':'/token'},'hosts':['*.cdn.test']}"

static int setup(void **state) {
    (void)state;
    api = make_api(
        "{'upstreams':{'api':{'base_url':{'$config':'/base_url'},'identity':'token','headers':{'Accept':'application/json',"
        "'X-Region':{'$config':'/region'},'X-None':{'$config':'/none'},'X-Sec':{'$concat':['s=',{'$secret':'/short'}]}},"
        "'query':{'v':'2','tags':['x','y']},'hosts':{'$config':'/hosts'},'timeout_ms':7000,'max_bytes':500},"
        "'gql':{'join':{'upstream':'api','reference':'graphql'}},"
        "'keyed':{'base_url':'https://k.test','identity':'key'},"
        "'cookie':{'base_url':'https://c.test','identity':'sid','hosts':['*']},"
        "'hook':{'base_url':{'$secret':'/hook'}},'typed':{'base_url':'https://t.test','headers':{'content-type':'a/json'}},"
        "'basic':{'base_url':'https://b.test','identity':'basic'},"
        "'lost':{'base_url':'https://l.test','identity':'lost'},"
        "'maybe':{'base_url':'https://m.test','identity':'maybe'}},"
        "'identities':{'token':{'kind':'bearer','secret':'/token'},"
        "'key':{'kind':'api_key','in':'query','name':'key','secret':'/key'},"
        "'sid':{'kind':'api_key','in':'cookie','name':'sid','secret':'/token'},"
        "'basic':{'kind':'basic','user':'me','secret':'/token'},"
        "'lost':{'kind':'bearer','secret':'/nothing'},"
        "'maybe':{'kind':'bearer','secret':'/nothing','optional':true}},"
        "'values':{'location':{'route':{'path':'/locations'},'at':'/0/id'}}}");
    site = make_site(api, CONFIG);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    px_site_destroy(&site);
    px_api_destroy(api);
    px_arena_stock_free();
    return 0;
}

struct made {
    struct px_arena arena;
    struct px_route *route;
    struct px_route_request req;
    struct px_err err;
    int r;
};

#define ANY                                                                                                            \
    "{'properties':{'a':{'type':'string'},'b':{},'n':{'type':'integer'},'o':{'type':'object'},'p':{'type':'string'}}," \
    "'required':['a','p','n']}"

/* Routes of these tests use any of a, b, n, o, p: "vetted", so that those they do not use are no error. */
static struct made make_at(const char *text, const char *args, const px_str *values,
                           const struct px_page_state *page) {
    struct made made = {.r = 0};
    char *json = args ? quotes(args) : NULL;
    px_arena_init(&made.arena, 1 << 24);
    if (try_route(api, text, ANY, strstr(text, "'method'") == NULL, true, &made.route, &made.err))
        fail_msg("%s: %s", text, made.err.msg);
    px_str exact = json ? exact_copy(px_str_of(json)) : (px_str){0};
    made.r = px_request_build(&made.arena, made.route, site, exact, values, page, &made.req, &made.err);
    free(json);
    exact_free(exact);
    return made;
}
static struct made make(const char *text, const char *args) {
    return make_at(text, args, NULL, NULL);
}
static void end(struct made *made) {
    px_route_destroy(made->route);
    px_arena_finish(&made->arena);
}

static void url_is(const char *text, const char *args, const char *want) {
    struct made made = make(text, args);
    if (made.r || !px_str_is(made.req.url, want))
        fail_msg("%s %s:\n   got: %d %s " PX_FMT "\n  want: %s", text, args, made.r, made.err.msg,
                 PX_ARG(made.req.url), want);
    end(&made);
}
static void refused(const char *text, const char *args, int code, const char *words) {
    struct made made = make(text, args);
    if (made.r != code || strcmp(made.err.msg, words) != 0)
        fail_msg("%s %s:\n   got: %d %s\n  want: %s", text, args, made.r, made.err.msg, words);
    end(&made);
}
static void body_is(const char *text, const char *args, const char *want, const char *type) {
    struct made made = make(text, args);
    char *json = quotes(want);
    if (made.r || !px_str_is(made.req.body, json))
        fail_msg("%s %s:\n   got: %d %s " PX_FMT "\n  want: %s", text, args, made.r, made.err.msg,
                 PX_ARG(made.req.body), json);
    assert_text(made.req.content_type, type);
    free(json);
    end(&made);
}
static px_str header(const struct made *made, const char *name) {
    for (size_t i = 0; i < made->req.n_headers; i++) {
        if (px_str_is(made->req.headers[i].name, name))
            return made->req.headers[i].value;
    }
    for (size_t i = 0; i < made->req.n_credentials; i++) {
        if (px_str_is(made->req.credentials[i].name, name))
            return made->req.credentials[i].value;
    }
    return (px_str){0};
}

#define V "?v=2&tags=x&tags=y"

static void paths(void **state) {
    (void)state;
    url_is("{'path':'/x'}", NULL, "https://api.test/v3/x" V);
    url_is("{'path':''}", NULL, "https://api.test/v3" V);
    url_is("{'path':'','upstream':'keyed','identity':null}", NULL, "https://k.test/");
    url_is("{'path':'/a/{a}/b.{p}'}", "{'a':'x y/z%2F?#&','p':'ü'}",
           "https://api.test/v3/a/x%20y%2Fz%252F%3F%23%26/b.%C3%BC" V);
    url_is("{'path':'/{+a}/z'}", "{'a':'x/y z/%2e'}", "https://api.test/v3/x/y%20z/%252e/z" V);
    url_is("{'path':'/{n}'}", "{'n':9007199254740993123}", "https://api.test/v3/9007199254740993123" V);
    url_is("{'path':'/{n}'}", "{'n':-5}", "https://api.test/v3/-5" V);
    url_is("{'path':'/{a}'}", "{'a':true}", "https://api.test/v3/true" V);
    url_is("{'path':'/{a}'}", "{'a':'a\\u0001;=\\\\'}", "https://api.test/v3/a%01%3B%3D%5C" V);
    url_is("{'path':'/{config:/org}/{config:/n}/'}", NULL, "https://api.test/v3/a%20b/7/" V);
    refused("{'path':'/{a}'}", "{}", -EINVAL, "the argument \"a\" is missing: the path needs it");
    refused("{'path':'/{a}'}", NULL, -EINVAL, "the argument \"a\" is missing: the path needs it");
    refused("{'path':'/{a}'}", "{'a':null}", -EINVAL, "the argument \"a\" is missing: the path needs it");
    refused("{'path':'/{a}'}", "{'a':''}", -EINVAL, "the argument \"a\" is empty: it stands in the path");
    refused("{'path':'/{a}'}", "{'a':'..'}", -EINVAL,
            "the argument \"a\" is or holds \".\" or \"..\" as a segment, which cannot stand in a path");
    refused("{'path':'/{a}'}", "{'a':'x/../y'}", -EINVAL,
            "the argument \"a\" is or holds \".\" or \"..\" as a segment, which cannot stand in a path");
    refused("{'path':'/{+a}'}", "{'a':'x\\\\..\\\\y'}", -EINVAL,
            "the argument \"a\" is or holds \".\" or \"..\" as a segment, which cannot stand in a path");
    refused("{'path':'/{+a}'}", "{'a':'x//y'}", -EINVAL,
            "the argument \"a\" has an empty segment: write a/b, without a slash before, behind or doubled");
    refused("{'path':'/{+a}'}", "{'a':'/x'}", -EINVAL,
            "the argument \"a\" has an empty segment: write a/b, without a slash before, behind or doubled");
    refused("{'path':'/{+a}'}", "{'a':'x/'}", -EINVAL,
            "the argument \"a\" has an empty segment: write a/b, without a slash before, behind or doubled");
    refused("{'path':'/{a}'}", "{'a':'x\\u0000'}", -EINVAL,
            "the argument \"a\" holds a NUL, which cannot stand in a path");
    refused("{'path':'/{n}'}", "{'n':1e3}", -EINVAL,
            "the argument \"n\" stands in the path, where a number must be a plain integer (42)");
    refused("{'path':'/{n}'}", "{'n':1.0}", -EINVAL,
            "the argument \"n\" stands in the path, where a number must be a plain integer (42)");
    refused("{'path':'/{b}'}", "{'b':[1]}", -EINVAL,
            "the argument \"b\" stands in the path: it must be a string, an integer, true or false");
    refused("{'path':'/{config:/none}'}", NULL, -EINVAL,
            "the configured value \"/none\" is missing: the path needs it");
    refused("{'path':'/{config:/token}'}", NULL, -EINVAL,
            "\"/token\" of the configuration is a secret: it can be used as $secret, not as $config");
    char *args = malloc(70000);
    snprintf(args, 70000, "{\"a\":\"%065000d\"}", 0);
    refused("{'path':'/{a}/{a}'}", args, -EINVAL, "the URL would be longer than 65536 bytes");
    free(args);
}

static void values(void **state) {
    (void)state;
    px_str got[1] = {PX_LIT("\"l/1\"")};
    struct made made = make_at(
        "{'path':'/{value:location}','upstream':'keyed','identity':null,'query':{'l':{'$value':'location'}}}",
        NULL, got, NULL);
    assert_int_equal(made.r, 0);
    assert_text(made.req.url, "https://k.test/l%2F1?l=l%2F1");
    end(&made);
    refused("{'path':'/{value:location}'}", NULL, -EINVAL,
            "the looked-up value \"location\" is missing: the path needs it");
}

#define Q(query) "{'path':'/x','upstream':'keyed','identity':null,'query':" query "}"

static void queries(void **state) {
    (void)state;
    url_is(Q("{'q':{'$arg':'a'}}"), "{'a':'a&b=c#d e+f'}", "https://k.test/x?q=a%26b%3Dc%23d%20e%2Bf");
    url_is(Q("{'q':{'$arg':'a'}}"), "{'a':''}", "https://k.test/x?q=");
    url_is(Q("{'q':{'$arg':'a'}}"), "{}", "https://k.test/x");
    url_is(Q("{'q':{'$arg':'a','default':'d'},'r':1}"), "{'a':null}", "https://k.test/x?r=1");
    url_is(Q("{'q':{'$arg':'a','default':'d'},'r':1}"), "{}", "https://k.test/x?q=d&r=1");
    url_is(Q("{'t':true,'f':false,'n':1.50,'z':null,'e':[]}"), "{}",
           "https://k.test/x?t=true&f=false&n=1.50");
    url_is(Q("{'q':{'$arg':'b'}}"), "{'b':['x','y&z',null,5]}", "https://k.test/x?q=x&q=y%26z&q=5");
    url_is(Q("{'q':{'$arg':'b','style':'csv'}}"), "{'b':['x','y,z',5]}", "https://k.test/x?q=x,y%2Cz,5");
    url_is(Q("{'q':{'$arg':'b','style':'csv'}}"), "{'b':[]}", "https://k.test/x");
    url_is(Q("{'q':{'$arg':'b','style':'csv'}}"), "{'b':'one'}", "https://k.test/x?q=one");
    url_is(Q("{'q':{'$arg':'b','style':'space'}}"), "{'b':['x','y']}", "https://k.test/x?q=x%20y");
    url_is(Q("{'q':{'$arg':'b','style':'pipe'}}"), "{'b':['x','y']}", "https://k.test/x?q=x%7Cy");
    url_is(Q("{'q':{'$arg':'b','style':'brackets'}}"), "{'b':['x','y']}",
           "https://k.test/x?q%5B%5D=x&q%5B%5D=y");
    url_is(Q("{'q':{'$arg':'b','style':'indexed'}}"), "{'b':['x',{'k':'y'}]}",
           "https://k.test/x?q%5B0%5D=x&q%5B1%5D%5Bk%5D=y");
    url_is(Q("{'q':{'$arg':'o','style':'deep'}}"), "{'o':{'a':1,'b&':{'c':[true,2]}}}",
           "https://k.test/x?q%5Ba%5D=1&q%5Bb%26%5D%5Bc%5D%5B0%5D=true&q%5Bb%26%5D%5Bc%5D%5B1%5D=2");
    url_is(Q("{'q':{'$arg':'o','style':'json'}}"), "{'o':{'a': [1, 2]}}",
           "https://k.test/x?q=%7B%22a%22%3A%5B1%2C2%5D%7D");
    url_is(Q("{'$top':5,'a&b':1,'c d':2}"), "{}", "https://k.test/x?$top=5&a%26b=1&c%20d=2");
    url_is(Q("{'q':{'$concat':['is:open ',{'$arg':'a'}]}}"), "{'a':'x'}", "https://k.test/x?q=is%3Aopen%20x");
    url_is("{'path':'/x','query':{'v':'3'}}", NULL, "https://api.test/v3/x?tags=x&tags=y&v=3");
    refused(Q("{'q':{'$arg':'o'}}"), "{'o':{}}", -EINVAL, "the parameter \"q\" cannot be an object");
    refused(Q("{'q':{'$arg':'b'}}"), "{'b':[[1]]}", -EINVAL,
            "the parameter \"q\" takes a list of plain values");
    refused(Q("{'q':{'$arg':'b','style':'csv'}}"), "{'b':[{}]}", -EINVAL,
            "the parameter \"q\" takes a list of plain values");
    refused(Q("{'q':{'$arg':'b','style':'deep'}}"), "{'b':[[[[[[[[[1]]]]]]]]]}", -EINVAL,
            "the parameter \"q\" is nested too deeply");
}

static void headers(void **state) {
    (void)state;
    struct made made = make(
        "{'path':'/x','headers':{'x-region':{'$arg':'a'},'X-N':{'$arg':'n'},'X-No':{'$arg':'b'},'X-S2':{'$secret':"
        "'/short'}}}",
        "{'a':'us','n':5000000000000001}");
    assert_int_equal(made.r, 0);
    assert_text(header(&made, "Accept"), "application/json");
    assert_null(header(&made, "X-Region").p);
    assert_text(header(&made, "x-region"), "us");
    assert_text(header(&made, "X-N"), "5000000000000001");
    assert_null(header(&made, "X-No").p);
    assert_null(header(&made, "X-None").p);
    assert_null(header(&made, "Content-Type").p);
    assert_text(header(&made, "Authorization"), "Bearer tok-12345678");
    assert_text(header(&made, "X-Sec"), "s=s3c");
    /* What is secret is a credential: it goes to no other origin. */
    assert_int_equal(made.req.n_credentials, 3);
    assert_int_equal(made.req.n_headers, 3);
    end(&made);
    made = make("{'path':'/x','headers':{'X-Region':{'$arg':'a'}}}", "{}"); /* absent: the upstream's stays */
    assert_text(header(&made, "X-Region"), "eu");
    end(&made);
    refused("{'path':'/x','headers':{'X-A':{'$arg':'a'}}}", "{'a':'x\\r\\nEvil: 1'}", -EINVAL,
            "the header X-A: a line end or control character cannot stand in a header");
    refused("{'path':'/x','headers':{'X-A':{'$arg':'a'}}}", "{'a':'x\\u0000'}", -EINVAL,
            "the header X-A: a line end or control character cannot stand in a header");
    refused("{'path':'/x','headers':{'X-A':{'$arg':'a'}}}", "{'a':'ü'}", -EINVAL,
            "the header X-A: only ASCII can stand in a header");
    refused("{'path':'/x','headers':{'X-A':{'$arg':'b'}}}", "{'b':[1]}", -EINVAL,
            "the header X-A: expected a string, got array");
}

static void credentials(void **state) {
    (void)state;
    url_is("{'path':'/x','upstream':'keyed','query':{'a':1}}", NULL,
           "https://k.test/x?a=1&key=key%2F87654321%26x");
    struct made made = make("{'path':'/x','upstream':'cookie'}", NULL);
    assert_text(header(&made, "Cookie"), "sid=tok-12345678");
    end(&made);
    made = make("{'path':'/x','upstream':'basic'}", NULL);
    assert_text(header(&made, "Authorization"), "Basic bWU6dG9rLTEyMzQ1Njc4");
    end(&made);
    made = make("{'path':'/x','upstream':'maybe'}", NULL);
    assert_int_equal(made.r, 0);
    assert_int_equal(made.req.n_credentials, 0);
    end(&made);
    made = make("{'path':'/x','identity':null}", NULL);
    assert_null(header(&made, "Authorization").p);
    end(&made);
    refused("{'path':'/x','upstream':'lost'}", NULL, -ENOENT,
            "service shop has no credentials: its configuration needs a secret at /nothing");
}

/* Elsewhere, nothing secret goes along. */
static void urls(void **state) {
    (void)state;
    struct made made = make("{'url':{'$arg':'a'}}", "{'a':'https://api.test/v9/x?y=1#z'}");
    assert_int_equal(made.r, 0);
    assert_text(made.req.url, "https://api.test/v9/x?y=1&v=2&tags=x&tags=y");
    assert_text(header(&made, "Authorization"), "Bearer tok-12345678");
    end(&made);
    made = make("{'url':{'$arg':'a'}}", "{'a':'https://x.cdn.test/f'}");
    assert_int_equal(made.r, 0);
    assert_int_equal(made.req.n_credentials, 0);
    end(&made);
    made = make("{'url':{'$arg':'a'}}", "{'a':'https://evil.test/f'}");
    assert_int_equal(made.r, -EINVAL);
    assert_non_null(strstr(made.err.msg, "this URL cannot be asked: "));
    end(&made);
    made = make("{'url':{'$arg':'a'},'headers':{'X':{'$secret':'/short'}}}", "{'a':'https://x.cdn.test/f'}");
    assert_int_equal(made.r, -EINVAL);
    assert_string_equal(made.err.msg, "the header X holds a secret, which goes only to configured origins");
    end(&made);
    refused("{'url':{'$arg':'a'},'query':{'x':{'$secret':'/short'}}}", "{'a':'https://x.cdn.test/f'}",
            -EINVAL, "the query holds a secret, which goes only to configured origins");
    refused("{'url':{'$arg':'a'},'method':'POST','body':{'x':{'$secret':'/short'}}}",
            "{'a':'https://x.cdn.test/f'}", -EINVAL,
            "the body holds a secret, which goes only to configured origins");
    refused("{'url':{'$arg':'a'}}", "{}", -EINVAL,
            "url: there is none: the argument that holds it is missing");
}

#define POST(body) "{'path':'/x','method':'POST'," body "}"

static void bodies(void **state) {
    (void)state;
    body_is(POST("'body':{'n':{'$arg':'n'},'a':{'$arg':'a'},'l':[1,{'$arg':'b'}],'s':{'$secret':'/short'}}"),
            "{'n':5000000000000001,'b':{'x': 1.0}}", "{'n':5000000000000001,'l':[1,{'x': 1.0}],'s':'s3c'}",
            "application/json");
    body_is(POST("'form':{'a':{'$arg':'a'},'l':{'$arg':'b','style':'brackets'}}"), "{'a':'x y&z','b':[1,2]}",
            "a=x%20y%26z&l%5B%5D=1&l%5B%5D=2", "application/x-www-form-urlencoded");
    body_is(POST("'form':{'a':{'$arg':'a'}}"), "{}", "", "application/x-www-form-urlencoded");
    body_is(POST("'raw':{'value':{'$arg':'a'},'type':'text/plain'}"), "{'a':'x ü'}", "x ü", "text/plain");
    body_is(POST("'raw':{'value':{'$arg':'a'},'base64':true}"), "{'a':'aGk='}", "hi",
            "application/octet-stream");
    refused(POST("'raw':{'value':{'$arg':'a'},'base64':true}"), "{'a':'a GK'}", -EINVAL,
            "raw: expected base64 (RFC 4648), without blanks and line ends");
    refused(POST("'raw':{'value':'x','type':{'$arg':'a'}}"), "{'a':'a\\nb'}", -EINVAL,
            "the type of raw: a line end or control character cannot stand in a header");
    struct made made = make(
        POST("'body':{'$arg':'b'},'headers':{'content-type':'application/merge-patch+json'}"), "{'b':{}}");
    assert_text(made.req.content_type, "application/merge-patch+json");
    assert_null(header(&made, "Content-Type").p);
    end(&made);
    made = make(POST("'body':{'$arg':'b'}"), "{}");
    assert_null(made.req.body.p);
    assert_null(header(&made, "Content-Type").p);
    end(&made);
    made = make(POST("'body':{}"), "{}");
    assert_text(header(&made, "Content-Type"), "application/json");
    end(&made);
}

/* An upstream's Content-Type is for JSON; a form keeps its own. */
static void types(void **state) {
    (void)state;
    struct made made = make("{'path':'/x','upstream':'typed','method':'POST','body':{}}", "{}");
    assert_text(made.req.content_type, "a/json");
    assert_int_equal(made.req.n_headers, 1);
    end(&made);
    made = make("{'path':'/x','upstream':'typed','method':'POST','form':{'a':1}}", "{}");
    assert_text(made.req.content_type, "application/x-www-form-urlencoded");
    assert_int_equal(made.req.n_headers, 1);
    assert_text(made.req.headers[0].value, "application/x-www-form-urlencoded");
    end(&made);
}

static void graphql(void **state) {
    (void)state;
    body_is(
        "{'upstream':'gql','graphql':'query Q($a: A, $b: B) {\\n x }','variables':{'a':{'$arg':'a'},'b':{'$arg':'b'}}}",
        "{'b':[1e2]}",
        "{'query':'query Q($a: A, $b: B) {\\n x }','operationName':'Q','variables':{'b':[1e2]}}",
        "application/json");
    struct px_page_state page = {.cursor = PX_LIT("c\"1"), .size = 20};
    struct made made =
        make_at("{'upstream':'gql','graphql':'{ x }','page':{'kind':'graphql','at':'/p','size':{'max':50}}}",
                NULL, NULL, &page);
    assert_text(made.req.url, "https://api.test/graphql");
    assert_text(made.req.body, "{\"query\":\"{ x }\",\"variables\":{\"first\":20,\"after\":\"c\\\"1\"}}");
    end(&made);
}

static void pages(void **state) {
    (void)state;
    static const struct {
        const char *page;
        struct px_page_state state;
        const char *url;
    } cases[] = {
        {"{'kind':'link','size':{'query':'n','max':9}}", {.size = 9}, "https://k.test/x?q=1&n=9"},
        {"{'kind':'link','size':{'query':'n','max':9}}",
         {.url = PX_LIT("https://k.test/z?p=2&n=9"), .size = 9},
         "https://k.test/z?p=2&n=9"},
        {"{'kind':'cursor','at':'/c','query':'cur'}", {.size = 9}, "https://k.test/x?q=1"},
        {"{'kind':'cursor','at':'/c','query':'cur'}",
         {.cursor = PX_LIT("a&b=")},
         "https://k.test/x?q=1&cur=a%26b%3D"},
        {"{'kind':'page','query':'p'}", {.number = 0}, "https://k.test/x?q=1"},
        {"{'kind':'page','query':'p'}", {.started = true, .number = 3}, "https://k.test/x?q=1&p=3"},
        {"{'kind':'offset','query':'o','size':{'query':'l','max':5}}",
         {.started = true, .offset = 50, .size = 5},
         "https://k.test/x?q=1&l=5&o=50"},
    };
    char text[400];
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        snprintf(text, sizeof text,
                 "{'path':'/x','upstream':'keyed','identity':null,'query':{'q':1},'page':%s}", cases[i].page);
        struct made made = make_at(text, NULL, NULL, &cases[i].state);
        if (made.r || !px_str_is(made.req.url, cases[i].url))
            fail_msg("%s: %d %s " PX_FMT, text, made.r, made.err.msg, PX_ARG(made.req.url));
        end(&made);
    }
    /* The key is put into the next page's URL again, once. */
    struct px_page_state next = {.url = PX_LIT("https://k.test/z?key=old&p=2&key=")};
    struct made made = make_at("{'path':'/x','upstream':'keyed','page':{'kind':'link'}}", NULL, NULL, &next);
    assert_text(made.req.url, "https://k.test/z?p=2&key=key%2F87654321%26x");
    end(&made);
    next.url = PX_LIT("https://evil.test/z");
    made = make_at("{'path':'/x','upstream':'keyed','page':{'kind':'link'}}", NULL, NULL, &next);
    assert_int_equal(made.r, -EINVAL);
    assert_string_equal(
        made.err.msg,
        "the next page is at https://evil.test, which is not where this one came from (https://k.test)");
    end(&made);
}

static void pages_in_bodies(void **state) {
    (void)state;
    static const struct {
        const char *route;
        struct px_page_state state;
        const char *body;
    } cases[] = {
        {"'body':{'a':1},'page':{'kind':'cursor','at':'/c','body':'/page/c~1r','size':{'body':'/page/n','max':9}}",
         {.cursor = PX_LIT("x\""), .size = 9},
         "{'a':1,'page':{'n':9,'c/r':'x\\''}}"},
        {"'body':{'page':{'n':1,'z':2},'b':0},'page':{'kind':'page','body':'/p','size':{'body':'/page/n','max':9}}",
         {.started = true, .number = 4, .size = 9},
         "{'page':{'n':9,'z':2},'b':0,'p':4}"},
        {"'page':{'kind':'offset','body':'/o'}", {.started = true, .offset = 7}, "{'o':7}"},
        {"'body':{'x':null},'page':{'kind':'offset','body':'/x/o'}",
         {.started = true, .offset = 7},
         "{'x':{'o':7}}"},
    };
    char text[400];
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        snprintf(text, sizeof text, "{'path':'/x','method':'POST','safe':true,%s}", cases[i].route);
        struct made made = make_at(text, NULL, NULL, &cases[i].state);
        char *want = quotes(cases[i].body);
        if (made.r || !px_str_is(made.req.body, want))
            fail_msg("%s: %d %s " PX_FMT, text, made.r, made.err.msg, PX_ARG(made.req.body));
        free(want);
        end(&made);
    }
    struct px_page_state at = {.started = true, .offset = 7};
    struct made made = make_at(
        "{'path':'/x','method':'POST','safe':true,'body':{'x':[]},'page':{'kind':'offset','body':'/x/o'}}",
        NULL, NULL, &at);
    assert_int_equal(made.r, -EINVAL);
    end(&made);
}

static void as_http(void **state) {
    (void)state;
    struct px_http_req http;
    struct made made = make("{'path':'/x','redirects':'allowed','timeout_ms':9}", NULL);
    px_request_to_http(made.route, site, &made.req, &http);
    assert_true(http.timeouts.total_ns == 9000000 && http.max_bytes == 500);
    assert_int_equal(http.redirects, PX_HTTP_REDIRECT_ALLOWED);
    assert_int_equal(http.n_credentials, 2);
    assert_non_null(http.egress);
    assert_null(http.body.p);
    end(&made);
    made = make("{'path':'/x','method':'DELETE','upstream':'keyed','redirects':'allowed'}", NULL);
    px_request_to_http(made.route, site, &made.req, &http);
    assert_int_equal(http.redirects, PX_HTTP_REDIRECT_SAME_ORIGIN); /* its URL holds the key */
    assert_text(http.method, "DELETE");
    end(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),   cmocka_unit_test(values),          cmocka_unit_test(queries),
        cmocka_unit_test(headers), cmocka_unit_test(credentials),     cmocka_unit_test(urls),
        cmocka_unit_test(bodies),  cmocka_unit_test(graphql),         cmocka_unit_test(types),
        cmocka_unit_test(pages),   cmocka_unit_test(pages_in_bodies), cmocka_unit_test(as_http),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
