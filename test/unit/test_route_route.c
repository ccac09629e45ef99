/* Compiling routes: what is refused, in which words; what comes out. */
#include "route/route.h"
#include "unit/route_rig.h"

static struct px_api *api;

static int setup(void **state) {
    (void)state;
    api = make_api(
        "{'upstreams':{'api':{'base_url':'https://api.test/v3','identity':'token','headers':{'X-V':'1'}},"
        "'gql':{'join':{'upstream':'api','reference':'graphql'}},'away':{'hosts':['*.cdn.test']},"
        "'keyed':{'base_url':'https://k.test','identity':'key'}},"
        "'identities':{'token':{'kind':'bearer','secret':'/token'},"
        "'key':{'kind':'api_key','in':'query','name':'key','secret':'/key'},"
        "'xkey':{'kind':'api_key','name':'X-Key','secret':'/key'}},"
        "'values':{'location':{'route':{'path':'/locations'},'at':'/0/id'}}}");
    return 0;
}
static int teardown(void **state) {
    (void)state;
    px_api_destroy(api);
    px_arena_stock_free();
    return 0;
}

#define ID   "{'type':'object','properties':{'id':{'type':'integer'}},'required':['id']}"
#define A    "{'type':'object','properties':{'a':{'type':'string'}}}"
#define NONE NULL
#define GQL  "'upstream':'gql','graphql':"

static const struct {
    const char *route, *schema;
    bool writes;
    const char *words;
} broken[] = {
    {"[]", NONE, false, "route: expected an object"},
    {"{'path':'/a','path':'/b'}", NONE, false,
     "route: not JSON at byte 13: the same key twice in one object, found '\"'"},
    {"{}", NONE, false, "route: exactly one of \"path\", \"url\" and \"graphql\" says where it leads"},
    {"{'path':'/a','url':'https://api.test'}", NONE, false,
     "route: exactly one of \"path\", \"url\" and \"graphql\" says where it leads"},
    {"{'path':'/a','querry':{}}", NONE, false, "route: /querry: "},
    {"{'path':5}", NONE, false, "route: /path: "},
    {"{'path':'a'}", NONE, false, "route: /path: "},
    {"{'path':'/a','method':'FETCH'}", NONE, false, "route: /method: "},
    {"{'path':'/a','timeout_ms':0}", NONE, false, "route: /timeout_ms: "},
    {"{'path':'/a','upstream':'apo'}", NONE, false, "route: /upstream: there is no upstream \"apo\""},
    {"{'path':'/a','identity':'tokn'}", NONE, false, "route: /identity: there is no identity \"tokn\""},
    /* paths */
    {"{'path':'/a?b=1'}", NONE, false,
     "route: /path: at character 3: a query stands in \"query\", not in the path"},
    {"{'path':'/a#b'}", NONE, false,
     "route: /path: at character 3: a character that cannot stand in a path: percent-encode it"},
    {"{'path':'/a b'}", NONE, false,
     "route: /path: at character 3: a character that cannot stand in a path: percent-encode it"},
    {"{'path':'/a//b'}", NONE, false, "route: /path: at character 4: an empty segment"},
    {"{'path':'/a/../b'}", NONE, false, "route: /path: at character 4: a segment cannot be \".\" or \"..\""},
    {"{'path':'/a/%2e%2e/b'}", NONE, false, "route: /path: at character 4: write a dot as it is"},
    {"{'path':'/a/%zz'}", NONE, false,
     "route: /path: at character 4: % must be followed by two hexadecimal digits"},
    {"{'path':'/a/{id'}", ID, false, "route: /path: at character 4: a { without its }"},
    {"{'path':'/a/id}'}", ID, false, "route: /path: at character 6: a } without its {"},
    {"{'path':'/a/{}'}", ID, false, "route: /path: at character 4: a placeholder without a name"},
    {"{'path':'/a/{+}'}", ID, false, "route: /path: at character 4: a placeholder without a name"},
    {"{'path':'/a/{vale:x}'}", ID, false,
     "route: /path: at character 4: expected {name}, {+name}, {value:name} or {config:/pointer}"},
    {"{'path':'/a/{config:x}'}", ID, false,
     "route: /path: at character 4: {config:…} takes a JSON pointer: {config:/name}"},
    {"{'path':'/a/{value:loc}'}", NONE, false,
     "route: /path: the api has no value \"loc\": add it under \"values\""},
    {"{'path':'/a/{id}'}", NONE, false,
     "route: /path: the input schema has no property for {id}: add it there"},
    {"{'path':'/a/{a}'}", A, false,
     "route: /path: the argument \"a\" must be required by the input schema, or have a \"default\""},
    {"{'path':'/a/{x}'}", "{'properties':{'x':{'type':'number'}},'required':['x']}", false,
     "route: /path: the argument \"x\" must be of type string, integer or boolean"},
    {"{'path':'/a/{x}'}", "{'properties':{'x':{'type':['string','null']}},'required':['x']}", false,
     "route: /path: the argument \"x\" must be of type string, integer or boolean"},
    {"{'path':'/a/{x}'}", "{'properties':{'x':{}},'required':['x']}", false,
     "route: /path: the argument \"x\" must be of type string, integer or boolean"},
    {"{'path':'/a','upstream':'away'}", NONE, false,
     "route: /path: the upstream \"away\" has no base_url: use \"url\", or give it one"},
    /* URLs */
    {"{'url':'ftp://api.test/'}", NONE, false, "route: /url: "},
    {"{'url':['x']}", NONE, false, "route: /url: expected a string, or a template of one"},
    {"{'url':{'$secret':'/hook'}}", NONE, false,
     "route: /url: $secret cannot stand here: only in headers, query, form and body"},
    /* arguments */
    {"{'path':'/a'}", A, false,
     "route: the argument \"a\" of the input schema is not used: put it into path, query, headers, body, form, raw, url or "
     "variables"},
    {"{'path':'/a','query':{'q':{'$arg':'b'}}}", NONE, false,
     "route: /query/q: the input schema has no property for the argument \"b\": add it there"},
    {"{'path':'/a','query':{'q':{'$arg':'/b/c'}}}", A, false,
     "route: /query/q: the input schema has no property for the argument \"/b/c\": add it there"},
    {"{'path':'/a','query':{'q':{'$arg':'a','defalt':1}}}", A, false, "route: /query/q: "},
    {"{'path':'/a','query':{'q':{'$value':'loc'}}}", NONE, false,
     "route: /query/q: the api has no value \"loc\": add it under \"values\""},
    {"{'path':'/a','query':{'q':{'$config':'region'}}}", NONE, false,
     "route: /query/q: $config takes a JSON pointer into the configuration (\"/name\"), not \"region\""},
    {"{'path':'/a','query':{'fields':{'$arg':'fields'}}}", "{'properties':{'fields':{}}}", false,
     "route: the host adds the argument \"fields\" itself: rename it in the input schema"},
    {"{'path':'/a','method':'POST','query':{'d':{'$arg':'dry_run'}}}", "{'properties':{'dry_run':{}}}", true,
     "route: the host adds the argument \"dry_run\" itself: rename it in the input schema"},
    {"{'path':'/a','page':{'kind':'link'},'query':{'d':{'$arg':'limit'}}}", "{'properties':{'limit':{}}}",
     false, "route: the host adds the argument \"limit\" itself: rename it in the input schema"},
    /* parameters and headers */
    {"{'path':'/a','query':{'labels':{'$arg':'a','style':'cvs'}}}", A, false,
     "route: /query/labels: style \"cvs\": expected one of repeat, csv, space, pipe, brackets, indexed, deep, json"},
    {"{'path':'/a','query':{'f':{'x':1}}}", NONE, false,
     "route: /query/f: an object cannot be a parameter: "},
    {"{'path':'/a','upstream':'keyed','query':{'key':'1'}}", NONE, false,
     "route: /query/key: the identity \"key\" gives this parameter: leave it out"},
    {"{'path':'/a','headers':{'Host':'x'}}", NONE, false,
     "route: /headers/Host: this header belongs to the host: leave it out"},
    {"{'path':'/a','headers':{'proxy-x':'x'}}", NONE, false,
     "route: /headers/proxy-x: this header belongs to the host: leave it out"},
    {"{'path':'/a','headers':{'AUTHORIZATION':'x'}}", NONE, false,
     "route: /headers/AUTHORIZATION: the identity \"token\" gives this header: leave it out"},
    {"{'path':'/a','headers':{'X-A':'x','x-a':'y'}}", NONE, false,
     "route: /headers/x-a: the header stands here twice"},
    {"{'path':'/a','headers':{'X A':'x'}}", NONE, false, "route: /headers/X A: "},
    /* methods and bodies */
    {"{'path':'/a','method':'POST'}", NONE, false,
     "route: /method: POST writes, but the tool is read-only: change its hint, or say \"safe\": true if it only reads"},
    {"{'path':'/a'}", NONE, true,
     "route: /method: GET only reads, but the tool is not marked read-only: set its hint, or another method"},
    {"{'path':'/a','body':{}}", NONE, false, "route: /body: GET has no body: set another \"method\""},
    {"{'path':'/a','method':'POST','body':{},'form':{}}", NONE, true,
     "route: /body: only one of \"body\", \"form\" and \"raw\""},
    {"{'path':'/a','method':'POST','raw':{}}", NONE, true, "route: /raw: "},
    {"{'path':'/a','method':'POST','raw':{'value':{'$secret':'/t'}}}", NONE, true,
     "route: /raw: $secret cannot stand here: only in headers, query, form and body"},
    {"{'path':'/a','variables':{}}", NONE, false, "route: /variables: these are for GraphQL"},
    {"{'path':'/a','method':'PUT','body':{'s':{'$secret':'/t'}},'redirects':'allowed'}", NONE, true,
     "route: /redirects: a body that holds a $secret cannot follow to other origins: say same_origin"},
    /* results and pages */
    {"{'path':'/a','fields':'a,('}", NONE, false, "route: /fields: "},
    {"{'path':'/a','fields':true}", NONE, false,
     "route: /fields: expected a string of at most 4096 characters or false, got true"},
    {"{'path':'/a','fields':'a','result':{'kind':'text'}}", NONE, false,
     "route: /fields: only JSON has fields: change result.kind"},
    {"{'path':'/a','result':{'kind':'text','items':'/a'}}", NONE, false,
     "route: /result: \"at\", \"items\", "},
    {"{'path':'/a','result':{'tail':true}}", NONE, false,
     "route: /result/tail: only text has an end that could be shown alone: set result.kind"},
    {"{'path':'/a','result':{'at':'/~2'}}", NONE, false,
     "route: /result/at: \"/~2\" is not a JSON pointer: \"\", or \"/name/name\" with ~1 for / and ~0 for ~"},
    {"{'path':'/a','page':{'kind':'link','query':'p'}}", NONE, false,
     "route: /page: link needs nothing but \"size\": the next page is where the Link header says"},
    {"{'path':'/a','page':{'kind':'cursor','query':'c'}}", NONE, false,
     "route: /page: say \"at\" or \"header\": where an answer holds the next cursor"},
    {"{'path':'/a','page':{'kind':'cursor','at':'/next'}}", NONE, false,
     "route: /page: say \"query\" or \"body\": where the next request says which page it wants"},
    {"{'path':'/a','page':{'kind':'page','query':'p','at':'/next'}}", NONE, false,
     "route: /page: \"at\" and \"header\" are for the kinds cursor and graphql: pages and offsets are counted"},
    {"{'path':'/a','page':{'kind':'offset','query':'p','first':1}}", NONE, false,
     "route: /page/first: it is for the kind page"},
    {"{'path':'/a','page':{'kind':'page','query':'p','limit':50,'max_limit':20}}", NONE, false,
     "route: /page/limit: it is above max_limit"},
    {"{'path':'/a','page':{'kind':'page','query':'p','size':{'max':9}}}", NONE, false,
     "route: /page/size: say \"query\" or \"body\": the parameter that takes it"},
    {"{'path':'/a','page':{'kind':'page','query':'p'},'query':{'p':1}}", NONE, false,
     "route: /page: the host sets the parameter \"p\": take it out of \"query\""},
    {"{'path':'/a','page':{'kind':'page','body':'/p'}}", NONE, false,
     "route: /page: \"body\" needs a request with a JSON body"},
    {"{'path':'/a','page':{'kind':'graphql','at':'/pageInfo'}}", NONE, false,
     "route: /page/kind: graphql is for routes of GraphQL"},
    {"{'path':'/a','method':'POST','page':{'kind':'page','query':'p'}}", NONE, true,
     "route: /page: only what reads has pages"},
    /* errors */
    {"{'path':'/a','errors':[{'status':403}]}", NONE, false, "route: /errors/0: a rule needs a \"code\""},
    {"{'path':'/a','errors':[{'status':'6xx','code':'ok'}]}", NONE, false,
     "route: /errors/0/status: expected a status from 100 to 599, or \"1xx\" to \"5xx\""},
    {"{'path':'/a','errors':[{'code':'teapot'}]}", NONE, false,
     "route: /errors/0/code: expected one of ok, "},
    {"{'path':'/a','errors':[{'code':'ok','body':{'x':1}}]}", NONE, false,
     "route: /errors/0/body: \"x\" is not a JSON pointer"},
    {"{'path':'/a','errors':[{'code':'ok','hedder':{}}]}", NONE, false,
     "route: /errors/0/hedder: there is no such key"},
    {"{'path':'/a','errors':[{'code':'ok','retry_after':{'unit':'s'}}]}", NONE, false,
     "route: /errors/0/retry_after: where does the time stand? Say \"header\" or \"body\""},
    /* GraphQL */
    {"{" GQL "'query Q($a: Int) { x(a: $a) }'}", NONE, false,
     "route: /graphql: nothing gives $a: add it to \"variables\", or a default to the operation"},
    {"{" GQL "'{ x }','variables':{'a':1}}", NONE, false,
     "route: /variables/a: the operation does not declare $a"},
    {"{" GQL "'mutation { x }'}", NONE, false,
     "route: /graphql: a mutation writes, but the tool is read-only: change its hint, or say \"safe\": true if it only reads"},
    {"{" GQL "'{ x }'}", NONE, true,
     "route: /graphql: a query only reads, but the tool is not marked read-only: set its hint, or another method"},
    {"{" GQL "'{ x } query B { y }'}", NONE, false,
     "route: /graphql: line 1: a second operation: a route has exactly one"},
    {"{" GQL "'{ x }','method':'GET'}", NONE, false, "route: /method: GraphQL is always POST: leave it out"},
    {"{" GQL "'{ x }','body':{}}", NONE, false, "route: /body: GraphQL has \"variables\" instead"},
    {"{" GQL "'{ x }','page':{'kind':'graphql','at':'/p'}}", NONE, false,
     "route: /page: the operation does not declare $after"},
    {"{" GQL "'{ x }','page':{'kind':'graphql'}}", NONE, false,
     "route: /page: \"at\" must say where pageInfo stands, below result.at"},
};

static void refuses(void **state) {
    (void)state;
    unsigned bad = 0;
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        struct px_route *route = NULL;
        struct px_err err = {0};
        int r = try_route(api, broken[i].route, broken[i].schema, !broken[i].writes, false, &route, &err);
        size_t n = strlen(broken[i].words);
        /* Words that end in a blank are the beginning: the rest is the schema's, or another room's. */
        bool same = n && broken[i].words[n - 1] == ' '
                        ? !strncmp(err.msg, broken[i].words, n) && strlen(err.msg) > n
                        : !strcmp(err.msg, broken[i].words);
        if (r != -EINVAL || err.code != -EINVAL || route || !same) {
            print_error("%s:\n   got: %d %s\n  want: %s\n", broken[i].route, r, err.msg, broken[i].words);
            bad++;
        }
        px_route_destroy(route);
    }
    assert_int_equal(bad, 0);
}

static void a_whole_one(void **state) {
    (void)state;
    struct px_route *route = make_route(
        api,
        "{'path':'/repos/{owner}/contents/{+path}','query':{'labels':{'$arg':'labels','style':'csv'},'q':'x'},"
        "'headers':{'X-Key':{'$secret':'/key'}},'result':{'items':'/items','keep':['/total_count'],"
        "'decode':{'at':'/content','to':'text'}},'page':{'kind':'link','size':{'query':'per_page','max':100},'limit':20},"
        "'fields':'number,title','errors':[{'status':[404,'5xx'],'header':{'X-A':'b*'},'body':{'/ok':false,'':null},'code':"
        "'rate_limited','retryable':false,'retry_after':{'header':'X-Reset','unit':'unix'},'advice':'Wait.'}],"
        "'redirects':'allowed','timeout_ms':5000,'max_bytes':1000,'x-note':1}",
        "{'type':'object','properties':{'owner':{'type':'string','default':'me'},'path':{'enum':['a','b']},'labels':{'type':"
        "'array'}},'required':['path']}",
        true);
    assert_text(px_route_method(route), "GET");
    assert_text(px_route_upstream(route), "api");
    assert_text(px_route_label(route), "/repos/{owner}/contents/{+path}");
    assert_true(px_route_safe(route) && px_route_paged(route));
    assert_int_equal(route->path.n, 4);
    assert_int_equal(route->path.parts[1].kind, PX_PATH_ARG);
    assert_text(route->path.parts[1].fallback, "\"me\"");
    assert_int_equal(route->path.parts[3].kind, PX_PATH_ARGS);
    assert_null(route->path.parts[3].fallback.p);
    assert_text(route->query.list[0].style, "csv");
    assert_null(route->query.list[1].style.p);
    assert_true(route->headers.list[0].secret);
    assert_false(route->query.list[0].secret);
    assert_ptr_equal(route->identity, &api->identities[0]);
    assert_text(route->items, "/items");
    assert_int_equal(route->n_keep, 1);
    assert_text(route->decode_to, "text");
    assert_int_equal(route->page.kind, PX_PAGE_LINK);
    assert_int_equal(route->page.size_max, 100);
    assert_int_equal(route->page.limit, 20);
    assert_int_equal(route->page.max_limit, 1000);
    assert_int_equal(route->page.max_pages, 20);
    assert_non_null(route->fields);
    const struct px_rule *rule = &route->errors.list[0];
    assert_true(rule->status.bits[404 / 64] >> 404 % 64 & 1);
    assert_true(rule->status.bits[599 / 64] >> 599 % 64 & 1);
    assert_false(rule->status.bits[403 / 64] >> 403 % 64 & 1);
    assert_text(rule->headers.list[0].name, "x-a");
    assert_int_equal(rule->body.n, 2);
    assert_int_equal(rule->code, PX_RATE_LIMITED);
    assert_int_equal(rule->retryable, 0);
    assert_text(rule->after_header, "x-reset");
    assert_text(rule->after_unit, "unix");
    assert_int_equal(route->redirects, PX_HTTP_REDIRECT_ALLOWED);
    assert_int_equal(route->timeout_ns, UINT64_C(5000000000));
    px_route_destroy(route);
}

static void graphql_one(void **state) {
    (void)state;
    struct px_route *route = make_route(
        api,
        "{'upstream':'gql','graphql':'query Issues($o: String!, $first: Int, $after: String, $n: [Int!]! = [1]) { x }',"
        "'variables':{'o':{'$arg':'o'}},'page':{'kind':'graphql','at':'/x/pageInfo','size':{'max':50}}}",
        "{'properties':{'o':{'type':'string'}}}", true);
    assert_text(px_route_label(route), "Issues");
    assert_text(px_route_method(route), "POST");
    assert_true(px_route_safe(route));
    assert_text(route->at, "/data");
    assert_text(route->page.variable, "after");
    assert_text(route->page.size_variable, "first");
    assert_null(route->identity);
    px_route_destroy(route);
    route = make_route(api, "{'upstream':'gql','graphql':'mutation { x }'}", NULL, false);
    assert_text(px_route_label(route), "graphql");
    assert_false(px_route_safe(route));
    px_route_destroy(route);
}

static void identities(void **state) {
    (void)state;
    struct px_route *route = make_route(api, "{'path':'/a','identity':null}", NULL, true);
    assert_null(route->identity);
    px_route_destroy(route);
    route = make_route(api, "{'path':'/a','identity':'xkey','headers':{'Authorization':'none'}}", NULL, true);
    assert_text(route->identity->name, "xkey");
    px_route_destroy(route);
    route = make_route(api, "{'path':'/a','query':{'l':{'$value':'location'}}}", NULL, true);
    bool used[1] = {false};
    px_route_values(route, used);
    assert_true(used[0]);
    px_route_destroy(route);
}

static void shows_properties(const char *text, bool read_only, const char *want) {
    struct px_route *route = make_route(api, text, NULL, read_only);
    struct px_buf buf;
    px_buf_init(&buf, 4096);
    assert_int_equal(px_route_put_properties(route, &buf), 0);
    assert_text(px_buf_view(&buf), want);
    px_buf_finish(&buf);
    px_route_destroy(route);
}

#define FIELDS                                                                                               \
    "\"fields\":{\"type\":\"string\",\"description\":\"Members to return, e.g. number,title,user/login; * for all\"}"
#define DRY "\"dry_run\":{\"type\":\"boolean\",\"description\":\"Show the request, send nothing\"}"

static void properties(void **state) {
    (void)state;
    shows_properties("{'path':'/a'}", true, FIELDS);
    shows_properties("{'path':'/a','result':{'kind':'text'}}", true, "");
    shows_properties("{'path':'/a','method':'DELETE','result':{'kind':'none'}}", false, DRY);
    shows_properties("{'path':'/a','method':'POST'}", false, FIELDS "," DRY);
    shows_properties("{'path':'/a','fields':'a,b'}", true, FIELDS);
    shows_properties("{'path':'/a','fields':false}", true, "");
    shows_properties("{'path':'/a','fields':false,'method':'POST'}", false, DRY);
    shows_properties("{'path':'/a','page':{'kind':'link','max_limit':200}}", true,
                     FIELDS
                     ",\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":200},"
                     "\"cursor\":{\"type\":\"string\",\"description\":\"next_cursor of the previous page\"}");
}

/* Where the host does not offer `fields`, a tool may have one of its own. */
static void no_fields(void **state) {
    (void)state;
    static const char own[] = "{'properties':{'fields':{}}}";
    struct px_route *route =
        make_route(api, "{'path':'/a','fields':false,'query':{'fields':{'$arg':'fields'}}}", own, true);
    assert_null(route->fields);
    assert_false(px_route_selects(route, PX_LIT("{\"fields\":\"a\"}")));
    px_route_destroy(route);
    route = make_route(api, "{'path':'/a'}", NULL, true);
    assert_true(px_route_selects(route, PX_LIT("{\"fields\":\"a\"}")));
    assert_false(px_route_selects(route, PX_LIT("{}")));
    assert_false(px_route_selects(route, (px_str){0}));
    px_route_destroy(route);
}

static void dry_runs(void **state) {
    (void)state;
    struct px_route *route = make_route(api, "{'path':'/a','method':'POST'}", NULL, false);
    assert_true(px_route_dry_run(route, PX_LIT("{\"dry_run\":true}")));
    assert_false(px_route_dry_run(route, PX_LIT("{\"dry_run\":false}")));
    assert_false(px_route_dry_run(route, PX_LIT("{}")));
    assert_false(px_route_dry_run(route, (px_str){0}));
    px_route_destroy(route);
    route = make_route(api, "{'path':'/a'}", NULL, true);
    assert_false(px_route_dry_run(route, PX_LIT("{\"dry_run\":true}")));
    px_route_destroy(route);
}

/* What was compiled before is not checked again, but never crashes either. */
static void vetted(void **state) {
    (void)state;
    for (size_t i = 0; i < PX_COUNT(broken); i++) {
        struct px_route *route = NULL;
        int r = try_route(api, broken[i].route, broken[i].schema, !broken[i].writes, true, &route, NULL);
        assert_true(r == 0 || r == -EINVAL);
        assert_true(!route == !!r);
        px_route_destroy(route);
    }
}

static void write_only(void **state) {
    (void)state;
    struct px_route *route = make_route(
        api, "{'path':'/a','method':'POST','body':{'p':{'$arg':'p'},'q':{'$arg':'q'},'r':{'$arg':'/r/x'}}}",
        "{'properties':{'p':{'type':'string','writeOnly':true},'q':{'writeOnly':false,'description':'writeOnly'},'r':{"
        "'properties':{'x':{'\\u0077riteOnly':true}}}}}",
        false);
    assert_int_equal(route->n_masked, 2);
    assert_text(route->masked[0], "p");
    assert_text(route->masked[1], "r");
    px_route_destroy(route);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),    cmocka_unit_test(a_whole_one), cmocka_unit_test(graphql_one),
        cmocka_unit_test(identities), cmocka_unit_test(properties),  cmocka_unit_test(no_fields),
        cmocka_unit_test(dry_runs),   cmocka_unit_test(vetted),      cmocka_unit_test(write_only),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
