/* Compiling what a plugin declares of its services. */
#include "unit/route_rig.h"

#define UP "'upstreams':{'a':{'base_url':'https://a.test'}}"

static const struct {
    const char *api, *words;
} broken[] = {
    {"[]", "api: expected an object, got an empty array"},
    {"{}", "api: "},
    {"{'upstreams':{}}", "api: /upstreams: "},
    {"{'upstreams':{'A':{}}}", "api: "},
    {"{" UP ",'upstream':{}}", "api: /upstream: "},
    {"{'upstreams':{'a':{}}}",
     "api: /upstreams/a: where is it? Say \"base_url\", \"join\", \"origins\" or \"hosts\""},
    {"{'upstreams':{'a':{'base_url':'x','join':{'upstream':'b','reference':'c'}}}}",
     "api: /upstreams/a: \"base_url\" or \"join\", not both"},
    {"{'upstreams':{'a':{'base_url':{'$arg':'x'}}}}", "api: /upstreams/a/base_url: $arg cannot stand here"},
    {"{'upstreams':{'a':{'base_url':'x','hosts':{'$secret':'/x'}}}}",
     "api: /upstreams/a/hosts: $secret cannot stand here: only in headers, query, form and body"},
    {"{'upstreams':{'a':{'base_url':{'$config':'url'}}}}",
     "api: /upstreams/a/base_url: $config takes a JSON pointer into the configuration (\"/name\"), not \"url\""},
    {"{'upstreams':{'a':{'base_url':'x','identity':'tokn'}},'identities':{'token':{'kind':'bearer','secret':'/t'}}}",
     "api: /upstreams/a/identity: there is no identity \"tokn\""},
    {"{'upstreams':{'a':{'join':{'upstream':'b','reference':'c'}}}}",
     "api: /upstreams/a/join/upstream: there is no upstream \"b\""},
    {"{'upstreams':{'a':{'hosts':['*']},'b':{'join':{'upstream':'a','reference':'c'}}}}",
     "api: /upstreams/b/join/upstream: \"a\" has no base_url of its own"},
    {"{'upstreams':{'a':{'base_url':'x'},'b':{'join':{'upstream':'a','reference':'https://evil.test'}}}}",
     "api: /upstreams/b/join: the reference must stay with its upstream: a path, without scheme and host"},
    {"{'upstreams':{'a':{'base_url':'x'},'b':{'join':{'upstream':'a','reference':'//evil.test'}}}}",
     "api: /upstreams/b/join: the reference must stay with its upstream: a path, without scheme and host"},
    {"{'upstreams':{'a':{'base_url':'x','headers':{'Connection':'close'}}}}",
     "api: /upstreams/a/headers/Connection: this header belongs to the host: leave it out"},
    {"{'upstreams':{'a':{'base_url':'x','identity':'t','headers':{'authorization':'y'}}},'identities':{'t':{'kind':"
     "'bearer','secret':'/t'}}}",
     "api: /upstreams/a/headers/authorization: the identity \"t\" gives this header: leave it out"},
    {"{'upstreams':{'a':{'base_url':'x','message':['message']}}}", "api: /upstreams/a/message/0: "},
    {"{" UP ",'identities':{'t':{'kind':'bearer'}}}",
     "api: /identities/t: \"secret\" must say where in the configuration the secret stands (\"/token\")"},
    {"{" UP ",'identities':{'t':{'kind':'oauth','secret':'/t'}}}", "api: /identities/t/kind: "},
    {"{" UP ",'identities':{'t':{'kind':'api_key','secret':'/t'}}}",
     "api: /identities/t: an api_key needs the \"name\" of its header, parameter or cookie"},
    {"{" UP ",'identities':{'t':{'kind':'bearer','secret':'/t','name':'X'}}}",
     "api: /identities/t: \"in\" and \"name\" are for an api_key: bearer stands in the header Authorization"},
    {"{" UP ",'identities':{'t':{'kind':'bearer','secret':'/t','user':'x'}}}",
     "api: /identities/t: \"user\" is for basic"},
    {"{" UP ",'identities':{'t':{'kind':'api_key','secret':'/t','name':'host'}}}",
     "api: /identities/t/headers/host: this header belongs to the host: leave it out"},
    {"{" UP ",'identities':{'t':{'kind':'api_key','in':'cookie','secret':'/t','name':'a b'}}}",
     "api: /identities/t: not the name of a cookie (RFC 6265)"},
    {"{" UP ",'identities':{'t':{'kind':'bearer','secret':'/t','prefix':'a\\r\\nb'}}}",
     "api: /identities/t: \"prefix\" can hold printable ASCII only"},
    {"{" UP ",'values':{'v':{'route':{'path':'/x'}}}}", "api: /values/v: "},
    {"{" UP ",'values':{'v':{'at':'','route':{'path':'/{x}'}}}}",
     "api: /values/v: route: /path: the input schema has no property for {x}: add it there"},
    {"{" UP ",'values':{'v':{'at':'','route':{'path':'/x','method':'POST'}}}}",
     "api: /values/v: route: /method: POST writes, "},
    {"{" UP ",'values':{'v':{'at':'','route':{'path':'/x','page':{'kind':'link'}}}}}",
     "api: /values/v: route: /page: a value is looked up with one request"},
    {"{" UP ",'values':{'v':{'at':'','route':{'path':'/{value:v}'}}}}",
     "api: /values/v: it is needed, by way of others or by itself, to look itself up"},
    {"{" UP
     ",'values':{'a':{'at':'','route':{'path':'/x'}},'b':{'at':'','route':{'path':'/x','query':{'q':{'$value':'c'}}}},'c':"
     "{'at':'','route':{'path':'/{value:b}'}}}}",
     "api: /values/b: it is needed, by way of others or by itself, to look itself up"},
    {"{" UP ",'errors':[{'code':'nope'}]}", "api: /errors/0/code: "},
    {"{" UP ",'errors':[{'code':'ok','retryable':3}]}", "api: /errors/0/retryable: "},
};

static void refuses(void **state) {
    (void)state;
    unsigned bad = 0;
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        struct px_api *api = NULL;
        struct px_err err = {0};
        char *json = quotes(broken[i].api);
        int r = px_api_compile(px_str_of(json), false, &api, &err);
        size_t n = strlen(broken[i].words);
        bool same = broken[i].words[n - 1] == ' '
                        ? !strncmp(err.msg, broken[i].words, n) && strlen(err.msg) > n
                        : !strcmp(err.msg, broken[i].words);
        if (r != -EINVAL || api || !same) {
            bad++;
            print_error("%s:\n   got: %d %s\n  want: %s\n", broken[i].api, r, err.msg, broken[i].words);
        }
        /* Without the schema: never a crash, and nothing is left behind. */
        r = px_api_compile(px_str_of(json), true, &api, NULL);
        assert_true(r == 0 || r == -EINVAL);
        px_api_destroy(api);
        free(json);
    }
    assert_int_equal(bad, 0);
}

static void a_whole_one(void **state) {
    (void)state;
    struct px_api *api = make_api(
        "{'upstreams':{'api':{'base_url':{'$config':'/base_url','default':'https://api.test'},'identity':'token',"
        "'headers':{'Accept':'application/json','X-S':{'$secret':'/s'}},'query':{'v':['1','2'],'k':{'$config':'/k','style':'csv'}},"
        "'message':['/error/text',''],'request_id':'X-Req','timeout_ms':1500,'max_bytes':77,'errors':[{'status':'4xx',"
        "'code':'not_found'}],'x-y':0},"
        "'gql':{'join':{'upstream':'api','reference':'../graphql'}},'up':{'origins':['https://b.test'],'hosts':['*.c.test'],"
        "'ports':[8443],'plain_http':false}},"
        "'identities':{'token':{'kind':'bearer','secret':'/token','prefix':'token '},'b':{'kind':'basic','user':{'$config':"
        "'/u'},'secret':'/p','optional':true},'k':{'kind':'api_key','in':'cookie','name':'sid','secret':'/c'}},"
        "'values':{'x':{'route':{'path':'/x','query':{'a':{'$value':'y'}}},'at':'/0','ttl_s':60},'y':{'route':{'path':'/y'},"
        "'at':''}},'errors':[{'code':'ok'}]}");
    assert_int_equal(api->n_upstreams, 3);
    const struct px_upstream *up = &api->upstreams[0];
    assert_ptr_equal(up->identity, &api->identities[0]);
    assert_text(up->request_id, "x-req");
    assert_true(up->timeout_ns == UINT64_C(1500000000) && up->max_bytes == 77);
    assert_int_equal(up->n_message, 2);
    assert_text(up->message[1], "");
    assert_false(up->headers.list[0].secret);
    assert_true(up->headers.list[1].secret);
    assert_text(up->query.list[1].style, "csv");
    assert_false(up->errors.list[0].status.any);
    assert_true(api->errors.list[0].status.any);
    assert_int_equal(api->errors.list[0].retryable, -1);
    assert_text(api->upstreams[1].join_reference, "../graphql");
    assert_null(api->upstreams[1].identity);
    assert_text(api->upstreams[2].ports, "[8443]");
    assert_int_equal(api->identities[1].kind, PX_IDENTITY_BASIC);
    assert_int_equal(api->identities[2].place, PX_IN_COOKIE);
    assert_true(api->values[0].ttl_ns == UINT64_C(60000000000));
    assert_true(api->values[1].ttl_ns == UINT64_C(3600000000000));
    assert_int_equal(api->values[0].route->values, 2);
    px_api_destroy(api);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
