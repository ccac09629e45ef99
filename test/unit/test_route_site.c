/* An api bound to a configuration; requests that code starts. */
#include "base/redact.h"
#include "unit/reactor_help.h"
#include "unit/route_rig.h"

static const char *const plain =
    "{'upstreams':{'api':{'base_url':{'$config':'/url','default':'https://api.test/'}},"
    "'gql':{'join':{'upstream':'api','reference':'../graphql'}}}}";

static void base_is(const char *url, const char *want, const char *joined) {
    char config[300];
    struct px_api *api = make_api(plain);
    snprintf(config, sizeof config, url ? "{'url':'%s'}" : "{}", url);
    struct px_site *site = make_site(api, config);
    assert_text(site->upstreams[0].base_url, want);
    assert_text(site->upstreams[1].base_url, joined);
    px_site_destroy(&site);
    assert_null(site);
    px_api_destroy(api);
}

static void addresses(void **state) {
    (void)state;
    base_is(NULL, "https://api.test", "https://api.test/graphql");
    base_is("https://GHE.example.com/api/v3", "https://ghe.example.com/api/v3",
            "https://ghe.example.com/graphql");
    base_is("https://ghe.example.com:443/api/v3///", "https://ghe.example.com/api/v3",
            "https://ghe.example.com/graphql");
    base_is("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/graphql");
}

static void refuses(const char *api_text, const char *config, const char *words) {
    struct px_api *api = make_api(api_text);
    struct px_site *site = NULL;
    struct px_err err = {0};
    int r = try_site(api, config, &site, &err);
    size_t n = strlen(words);
    if (r != -EINVAL || site || (words[n - 1] == ' ' ? strncmp(err.msg, words, n) : strcmp(err.msg, words)))
        fail_msg("%s %s:\n   got: %d %s\n  want: %s", api_text, config, r, err.msg, words);
    assert_null(strstr(err.msg, "end-123"));
    px_api_destroy(api);
}

#define ONE(members) "{'upstreams':{'api':{" members "}}}"

static void errors(void **state) {
    (void)state;
    refuses(plain, "{'url':'ftp://x.test'}",
            "upstream api: base_url (configuration: /url): the URL does not begin with https:// or http://");
    refuses(plain, "{'url':'https://u:p@x.test'}", "upstream api: base_url (configuration: /url): ");
    refuses(
        plain, "{'url':'https://x.test/?a=1'}",
        "upstream api: base_url (configuration: /url): an address ends with its path: no query (?) and no fragment (#)");
    refuses(
        plain, "{'url':'https://x.test/#a'}",
        "upstream api: base_url (configuration: /url): an address ends with its path: no query (?) and no fragment (#)");
    refuses(plain, "{'url':['https://x.test']}",
            "upstream api: base_url (configuration: /url): not an address: expected a string, got array");
    refuses(
        plain, "{'url':{'$secret':'/hook'}}",
        "upstream api: base_url (configuration: /url): not an address: \"/url\" of the configuration is a secret: it can be "
        "used as $secret, not as $config");
    refuses(
        ONE("'base_url':{'$config':'/url'}"), "{}",
        "upstream api: base_url (configuration: /url): the configuration does not say it, and there is no default");
    refuses(
        ONE("'base_url':{'$secret':'/broken'}"), "{}",
        "upstream api: base_url (configuration: /broken): the secret is not an http or https address that can be used");
    refuses(ONE("'base_url':'https://x.test','hosts':{'$config':'/h'}"), "{'h':'*'}",
            "upstream api: hosts (configuration: /h): expected an array, got string");
    refuses(ONE("'base_url':'https://x.test','hosts':{'$config':'/h'}"), "{'h':[1]}",
            "upstream api: hosts (configuration: /h): expected strings");
    refuses(ONE("'base_url':'https://x.test','hosts':{'$config':'/h'}"), "{'h':['a b']}", "upstream api: ");
    refuses(ONE("'base_url':'https://x.test','ports':{'$config':'/p'}"), "{'p':[0]}",
            "upstream api: ports (configuration: /p): a port is a number from 1 to 65535");
    refuses(ONE("'base_url':'https://x.test','plain_http':{'$config':'/p'}"), "{'p':'yes'}",
            "upstream api: plain_http (configuration: /p): expected true or false");
    refuses(ONE("'base_url':'https://x.test','headers':{'X':{'$config':'/x'}}"), "{'x':'a\\nb'}",
            "upstream api: header X: a line end or control character cannot stand in a header");
    refuses(
        "{'upstreams':{'a':{'base_url':'https://x.test'}},'identities':{'t':{'kind':'bearer','secret':'/broken'}}}",
        "{}", "the secret of identity t: a line end or control character cannot stand in a header");
    refuses(
        "{'upstreams':{'a':{'base_url':'https://x.test'}},'identities':{'t':{'kind':'basic','user':'a:b','secret':'/token'}}}",
        "{}", "identity \"t\": a user name cannot hold a colon (RFC 7617)");
}

static bool hidden(const char *text) {
    return px_redact_hits(px_str_of(text));
}

/* Credentials are kept out of everything the host writes, in each form in which they travel, as long as the site lives. */
static void redaction(void **state) {
    (void)state;
    struct px_api *api = make_api(
        "{'upstreams':{'a':{'base_url':{'$secret':'/hook'},'headers':{'X':{'$concat':['p-',{'$secret':'/key'}]}}}},"
        "'identities':{'t':{'kind':'bearer','secret':'/token'},'b':{'kind':'basic','user':'me','secret':'/token'},"
        "'e':{'kind':'bearer','secret':'/empty'},'o':{'kind':'api_key','name':'X-O','secret':'/open'}}}");
    struct px_site *site = make_site(api, "{'open':'said-openly'}");
    assert_true(hidden("x tok-12345678 y"));
    assert_true(hidden("Basic bWU6dG9rLTEyMzQ1Njc4"));
    assert_true(hidden("GET /services/T0/B0/XYZ123 "));
    assert_true(hidden("p-key/87654321&x"));
    assert_true(hidden("said-openly"));
    assert_text(site->credentials[0].value, "Bearer tok-12345678");
    assert_true(site->credentials[2].missing);
    assert_text(site->credentials[3].name, "X-O");
    assert_text(site->credentials[3].value, "said-openly");
    px_site_destroy(&site);
    assert_false(
        hidden("tok-12345678 bWU6dG9rLTEyMzQ1Njc4 /services/T0/B0/XYZ123 p-key/87654321&x said-openly"));
    px_api_destroy(api);
    px_site_destroy(&site);
}

/* ---- requests of code ---- */

static struct sent {
    unsigned n;
    char method[16], url[300], headers[600], credentials[300], body[100];
    struct px_http_req req;
} sent;

static void join_pairs(char *to, size_t room, const px_pair *pairs, size_t n) {
    size_t at = 0;
    to[0] = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(to + at, room - at, "%s" PX_FMT ": " PX_FMT, i ? "; " : "",
                               PX_ARG(pairs[i].name), PX_ARG(pairs[i].value));
}

static int start(void *ctx, struct px_scope *scope, const struct px_http_req *req, px_http_cb cb, void *user,
                 struct px_op **ret_op, struct px_err *err) {
    (void)scope, (void)cb, (void)user, (void)ret_op, (void)err;
    assert_ptr_equal(ctx, &sent);
    sent.n++;
    sent.req = *req;
    px_str_copy(sent.method, sizeof sent.method, req->method);
    px_str_copy(sent.url, sizeof sent.url, req->url);
    px_str_copy(sent.body, sizeof sent.body, req->body);
    join_pairs(sent.headers, sizeof sent.headers, req->headers, req->n_headers);
    join_pairs(sent.credentials, sizeof sent.credentials, req->credentials, req->n_credentials);
    return 0;
}

static void requests(void **state) {
    static const struct px_site_request_sink sink;
    struct rig rig = {0};
    (void)state;
    rig_open(&rig, true);
    struct px_api *api = make_api(
        "{'upstreams':{'api':{'base_url':'https://api.test/v1','identity':'t','headers':{'Accept':'a/b'},'query':{'v':1},'hosts':["
        "'*.cdn.test'],'timeout_ms':5,'max_bytes':6},'lost':{'base_url':'https://l.test','identity':'l'}},"
        "'identities':{'t':{'kind':'bearer','secret':'/token'},'l':{'kind':'bearer','secret':'/nothing'}},"
        "'values':{'v':{'route':{'path':'/v'},'at':''}}}");
    struct px_site *site = make_site(api, "{}");
    struct px_err err = {0};
    struct px_op *op = NULL;
    site->opts.transport = (struct px_site_transport){.start = start, .ctx = &sent};
    px_pair own[] = {{PX_LIT("accept"), PX_LIT("c/d")}, {PX_LIT("X"), PX_LIT("1")}};
    struct px_site_request req = {.method = PX_LIT("PUT"),
                                  .path = PX_LIT("/i/{id}"),
                                  .args_json = PX_LIT("{\"id\":\"a/b\"}"),
                                  .headers = own,
                                  .n_headers = 2,
                                  .body = PX_LIT("{}")};
    assert_int_equal(px_site_request(site, rig.scope, &req, &sink, NULL, &op, &err), 0);
    assert_string_equal(sent.method, "PUT");
    assert_string_equal(sent.url, "https://api.test/v1/i/a%2Fb?v=1");
    assert_string_equal(sent.headers, "accept: c/d; X: 1; Content-Type: application/json");
    assert_string_equal(sent.credentials, "Authorization: Bearer tok-12345678");
    assert_string_equal(sent.body, "{}");
    assert_true(sent.req.timeouts.total_ns == 5000000 && sent.req.max_bytes == 6);

    req = (struct px_site_request){.url = PX_LIT("https://x.cdn.test/y"), .frame = PX_HTTP_SSE};
    assert_int_equal(px_site_request(site, rig.scope, &req, &sink, NULL, &op, &err), 0);
    assert_string_equal(sent.method, "GET");
    assert_string_equal(sent.credentials, "");
    assert_true(sent.req.timeouts.total_ns == 0 && sent.req.max_bytes == 0);

    req = (struct px_site_request){.no_identity = true};
    assert_int_equal(px_site_request(site, rig.scope, &req, &sink, NULL, &op, &err), 0);
    assert_string_equal(sent.url, "https://api.test/v1?v=1");
    assert_string_equal(sent.credentials, "");
    assert_int_equal(sent.n, 3);

    const struct {
        struct px_site_request req;
        int code;
        const char *words;
    } bad[] = {
        {{.upstream = PX_LIT_INIT("apo")}, -ENOENT, "there is no upstream \"apo\""},
        {{.upstream = PX_LIT_INIT("lost")},
         -EACCES,
         "service shop has no credentials: its configuration needs a secret at /nothing"},
        {{.path = PX_LIT_INIT("/{id}")}, -EINVAL, "the argument \"id\" is missing: the path needs it"},
        {{.path = PX_LIT_INIT("/{id")}, -EINVAL, "path: at character 2: a { without its }"},
        {{.path = PX_LIT_INIT("/{value:v}")},
         -EINVAL,
         "path: {value:v} is for routes: give the value as an argument"},
        {{.headers = (px_pair[]){{PX_LIT_INIT("HOST"), PX_LIT_INIT("x")}}, .n_headers = 1},
         -EINVAL,
         "the header HOST belongs to the host"},
        {{.headers = (px_pair[]){{PX_LIT_INIT("X"), PX_LIT_INIT("a\nb")}}, .n_headers = 1},
         -EINVAL,
         "the header X: a line end or control character cannot stand in a header"},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        int r = px_site_request(site, rig.scope, &bad[i].req, &sink, NULL, &op, &err);
        if (r != bad[i].code || err.code != r || strcmp(err.msg, bad[i].words) != 0)
            fail_msg("%zu: %d %d %s", i, r, err.code, err.msg);
    }
    assert_int_equal(sent.n, 3);
    px_scope_close(&rig.scope);
    px_site_destroy(&site);
    px_api_destroy(api);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(errors),
        cmocka_unit_test(redaction),
        cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
