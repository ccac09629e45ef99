/* Every allocation of compiling, binding and building goes wrong once: an error with words, and nothing left behind. */
#include "support/fault.h"
#include "unit/route_rig.h"

static char *api_text, *route_text, *graphql_text, *schema, *config, *args;

static int compile(const char *text, const struct px_api *api, struct px_route **ret, struct px_err *err) {
    struct px_route_opts opts = {
        .api = api, .input_schema = px_str_of(schema), .read_only = true, .vetted = true};
    return px_route_compile(px_str_of(text), &opts, ret, err);
}

static int build(const struct px_route *route, struct px_site *site, struct px_err *err) {
    struct px_route_request req;
    struct px_page_state page = {.cursor = PX_LIT("abc"), .size = 5};
    const px_str values[] = {PX_LIT("\"v\"")};
    struct px_arena arena;
    struct px_buf shown;
    px_arena_init(&arena, 1 << 24);
    px_buf_init(&shown, 1 << 20);
    int r = px_request_build(&arena, route, site, px_str_of(args), values, &page, &req, err);
    if (!r && (r = px_request_show(&shown, route, site, &req, px_str_of(args))))
        px_err_set(err, r, "not shown");
    px_buf_finish(&shown);
    px_arena_finish(&arena);
    return r;
}

static int scenario(void *user) {
    struct px_api *api = NULL;
    struct px_route *rest = NULL, *graphql = NULL;
    struct px_site *site = NULL;
    struct px_err err = {0};
    struct px_site_opts opts = {
        .service = PX_LIT("shop"), .config_json = px_str_of(config), .secret = help_secret};
    bool vetted = *(bool *)user;
    int r = px_api_compile(px_str_of(api_text), vetted, &api, &err);
    if (!r)
        r = compile(route_text, api, &rest, &err);
    if (!r)
        r = compile(graphql_text, api, &graphql, &err);
    opts.api = api;
    if (!r)
        r = px_site_create(&opts, &site, &err);
    if (!r)
        r = build(rest, site, &err);
    if (!r)
        r = build(graphql, site, &err);
    px_site_destroy(&site);
    px_route_destroy(graphql);
    px_route_destroy(rest);
    px_api_destroy(api);
    fault_off();
    px_arena_stock_free();
    if (r && (err.code != r || !err.msg[0]))
        fail_msg("%d without words: %d \"%s\"", r, err.code, err.msg);
    fault_on();
    return r;
}

static void survives(void **state) {
    (void)state;
    api_text = quotes(
        "{'upstreams':{'api':{'base_url':{'$config':'/url'},'identity':'basic','headers':{'X-S':{'$secret':'/short'}},"
        "'query':{'q':['a','b']},'hosts':['*.x.test'],'message':['/a'],'request_id':'X-Id','errors':[{'status':[404,'5xx'],"
        "'header':{'X':'y'},'body':{'/a':1},'retry_after':{'header':'Z'},'code':'ok'}]},"
        "'gql':{'join':{'upstream':'api','reference':'g'},'identity':'key'},'hook':{'base_url':{'$secret':'/hook'}}},"
        "'identities':{'basic':{'kind':'basic','user':{'$config':'/u'},'secret':'/token'},'key':{'kind':'api_key','in':'query',"
        "'name':'k','secret':'/key'}},'values':{'v':{'route':{'path':'/v'},'at':'/\\u0061'}}}");
    route_text = quotes(
        "{'path':'/x/{a}/{value:v}','method':'POST','safe':true,'query':{'l':{'$arg':'l','style':'csv'},'d':{'$arg':'o','style':'deep'},"
        "'j':{'$arg':'o','style':'json'}},'headers':{'X-A':{'$arg':'a'},'X-S':{'$secret':'/short'}},'body':{'a':{'$arg':'a'},"
        "'s':{'$secret':'/key'}},'result':{'keep':['/k']},'fields':'a,b(c)','page':{'kind':'cursor','at':'/c','body':'/p/c',"
        "'size':{'body':'/p/n','max':9}}}");
    graphql_text = quotes(
        "{'upstream':'gql','graphql':'query Q($a: A, $first: I, $after: S) {\\n a }','variables':{'a':{'$arg':'a'}},"
        "'page':{'kind':'graphql','at':'/p','size':{'max':5}}}");
    schema = quotes(
        "{'properties':{'a':{'type':'string','default':'d'},'l':{},'o':{},'w':{'writeOnly':true}},'required':['l']}");
    config = quotes("{'url':'https://api.test/v1','u':'me'}");
    args = quotes("{'a':'x\\ny','l':['1','2'],'o':{'k':[1,'\\u00fc']},'w':'w'}");
    args[strcspn(args, "\\")] = '_';
    bool vetted = true;
    assert_true(fault_sweep(FAULT_FAIL, scenario, &vetted) > 50);
    free(api_text);
    free(route_text);
    free(graphql_text);
    free(schema);
    free(config);
    free(args);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives)};
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
