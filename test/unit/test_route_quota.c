/* What answers say of rate limits, with the headers and bodies that services send: does the next request wait, and how long? */
#include "unit/send_help.h"

#define DATE "date: Sun, 06 Nov 1994 08:49:37 GMT" /* 784111777 */
#define GITHUB                                                                                               \
    "[{'group':{'header':'x-ratelimit-resource'},'limit':{'header':'x-ratelimit-limit'},"                    \
    "'remaining':{'header':'x-ratelimit-remaining'},'reset':{'header':'x-ratelimit-reset','unit':'unix'}},"  \
    "{'when':{'status':[403,429],'body':{'/message':'*secondary rate limit*'}},'global':true,"               \
    "'retry_after':{'header':'retry-after','default':60}}]"
#define SHOPIFY "[{'used':{'header':'x-shopify-shop-api-call-limit','split':'/'},'restore':2}]"
#define SHOPIFY_GRAPHQL                                                                                      \
    "[{'limit':{'body':'/extensions/cost/throttleStatus/maximumAvailable'},"                                 \
    "'remaining':{'body':'/extensions/cost/throttleStatus/currentlyAvailable'},"                             \
    "'restore':{'body':'/extensions/cost/throttleStatus/restoreRate'},"                                      \
    "'cost':{'body':'/extensions/cost/actualQueryCost'}}]"
#define GITHUB_GRAPHQL                                                                                       \
    "[{'cost':{'body':'/data/rateLimit/cost'},'limit':{'body':'/data/rateLimit/limit'},"                     \
    "'remaining':{'body':'/data/rateLimit/remaining'},'reset':{'body':'/data/rateLimit/resetAt','unit':'date'}}]"
#define DISCORD                                                                                              \
    "[{'bucket':{'header':'x-ratelimit-bucket'},'limit':{'header':'x-ratelimit-limit'},"                     \
    "'remaining':{'header':'x-ratelimit-remaining'},'reset':{'header':'x-ratelimit-reset-after'}},"          \
    "{'when':{'status':429,'body':{'/global':true}},'global':true,'retry_after':{'body':'/retry_after'}}]"

static struct px_route *another(struct flow_rig *f, const char *text) {
    struct px_route *route = NULL;
    struct px_err err = {0};
    char *json = unquote(text);
    const struct px_route_opts opts = {.api = f->api, .read_only = true};
    if (px_route_compile(px_str_of(json), &opts, &route, &err))
        fail_msg("%s", err.msg);
    free(json);
    return route;
}

/* What a call without time to wait is told: 0: it went through; else after how many milliseconds it may come back. */
static int64_t asked(struct flow_rig *f, struct px_route *route) {
    struct px_route *own = f->route;
    struct px_route_call_opts opts = {.deadline_ns = px_loop_now(f->rig.loop) + 20 * PX_MS};
    struct told told = {0};
    size_t before = f->script.at;
    if (route)
        f->route = route;
    call_run(f, &told, NULL, &opts);
    f->route = own;
    bool left = f->script.at > before;
    if (!left && told.error.code != PX_RATE_LIMITED)
        fail_msg("%d %s", told.error.code, told.message);
    int64_t ms = left ? 0 : told.error.retry_after_ms;
    told_free(&told);
    return ms;
}

static const struct sample {
    const char *name, *quotas;
    const char *route; /* NULL: one without a group */
    struct answer answer;
    int64_t same, other, grouped; /* the same again; another path; another path of another group */
} samples[] = {
    {"nothing said", "[]", NULL, {.body = "{}"}, 0, 0, 0},
    {"plenty left",
     GITHUB,
     "{'path':'/a','group':'core'}",
     {.headers = {DATE, "x-ratelimit-limit: 5000", "x-ratelimit-remaining: 4999",
                  "x-ratelimit-reset: 784115377", "x-ratelimit-resource: core"},
      .body = "{}"},
     0,
     0,
     0},
    {"GitHub, primary",
     GITHUB,
     "{'path':'/a','group':'core'}",
     {.status = 403,
      .headers = {DATE, "x-ratelimit-limit: 5000", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 784111837",
                  "x-ratelimit-resource: core"},
      .body = "{\"message\":\"API rate limit exceeded for user ID 1.\"}"},
     60000,
     0,
     60000},
    {"GitHub, a 304 costs what it says",
     GITHUB,
     "{'path':'/a','group':'core'}",
     {.status = 304,
      .headers = {DATE, "x-ratelimit-limit: 5000", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 784111787",
                  "x-ratelimit-resource: core"}},
     10000,
     0,
     10000},
    {"GitHub, the search's own",
     GITHUB,
     "{'path':'/a','group':'search'}",
     {.headers = {DATE, "x-ratelimit-limit: 30", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 784111797",
                  "x-ratelimit-resource: search"},
      .body = "{}"},
     20000,
     0,
     0},
    {"GitHub, secondary",
     GITHUB,
     "{'path':'/a','group':'core'}",
     {.status = 403,
      .headers = {DATE, "x-ratelimit-remaining: 4900", "x-ratelimit-limit: 5000",
                  "x-ratelimit-resource: core"},
      .body =
          "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\"}"},
     60000,
     60000,
     60000},
    {"GitHub, secondary with a time",
     GITHUB,
     NULL,
     {.status = 429,
      .headers = {DATE, "retry-after: 12"},
      .body = "{\"message\":\"You have exceeded a secondary rate limit\"}"},
     12000,
     12000,
     12000},
    {"Shopify, full",
     SHOPIFY,
     NULL,
     {.headers = {"x-shopify-shop-api-call-limit: 40/40"}, .body = "{}"},
     500,
     500,
     0},
    {"Shopify, room",
     SHOPIFY,
     NULL,
     {.headers = {"x-shopify-shop-api-call-limit: 10/40"}, .body = "{}"},
     0,
     0,
     0},
    {"Shopify, points",
     SHOPIFY_GRAPHQL,
     "{'path':'/a','cost':60}",
     {.body =
          "{\"data\":{},\"extensions\":{\"cost\":{\"requestedQueryCost\":101,\"actualQueryCost\":46,\"throttleStatus\":"
          "{\"maximumAvailable\":1000.0,\"currentlyAvailable\":10,\"restoreRate\":50.0}}}}"},
     1000,
     0,
     0},
    {"GitHub, points",
     GITHUB_GRAPHQL,
     NULL,
     {.headers = {DATE},
      .body =
          "{\"data\":{\"rateLimit\":{\"limit\":5000,\"cost\":1,\"remaining\":0,\"resetAt\":\"1994-11-06T08:50:07Z\"}}}"},
     30000,
     30000,
     0},
    {"Discord, a bucket",
     DISCORD,
     NULL,
     {.headers = {"x-ratelimit-limit: 5", "x-ratelimit-remaining: 0", "x-ratelimit-reset-after: 1.5",
                  "x-ratelimit-bucket: abcd1234"},
      .body = "{}"},
     1500,
     0,
     0},
    {"Discord, global",
     DISCORD,
     NULL,
     {.status = 429,
      .headers = {"x-ratelimit-global: true"},
      .body = "{\"message\":\"You are being rate limited.\",\"retry_after\":64.57,\"global\":true}"},
     64570,
     64570,
     64570},
    {"the draft",
     "[]",
     NULL,
     {.headers = {"ratelimit-policy: \"burst\";q=100;w=60, \"daily\";q=1000;w=86400",
                  "ratelimit: \"daily\";r=900;t=5000, \"burst\";r=0;t=30"},
      .body = "{}"},
     30000,
     30000,
     0},
    {"the draft before",
     "[]",
     NULL,
     {.headers = {"ratelimit-limit: 100, 100;w=60", "ratelimit-remaining: 0", "ratelimit-reset: 7"},
      .body = "{}"},
     7000,
     7000,
     0},
    {"the draft, its seventh version",
     "[]",
     NULL,
     {.headers = {"ratelimit-policy: 100;w=60", "ratelimit: limit=100, remaining=0, reset=9"}, .body = "{}"},
     9000,
     9000,
     0},
    {"the draft, in two lines",
     "[]",
     NULL,
     {.headers = {"ratelimit: \"a\"; r=7; t=30", "ratelimit: \"b\"; r=0; t=8",
                  "ratelimit-policy: \"a\"; q=10; w=60; pk=:a;r=0:", "ratelimit-policy: \"b\"; q=5; w=60"},
      .body = "{}"},
     8000,
     8000,
     0},
    {"the draft, two that are used up",
     "[]",
     NULL,
     {.headers = {"ratelimit: \"s\";r=0;t=1, \"h\";r=0;t=600, \"m\";r=0;t=30"}, .body = "{}"},
     600000,
     600000,
     0},
    {"the draft, what is not counted in requests",
     "[]",
     NULL,
     {.headers =
          {"ratelimit-policy: \"bytes\";q=65535;qu=\"content-bytes\";w=10, \"n\";q=10;qu=\"requests\";w=60",
           "ratelimit: \"bytes\";r=0;t=10, \"n\";r=9;t=60"},
      .body = "{}"},
     0,
     0,
     0},
    {"the draft, names like parameters",
     "[]",
     NULL,
     {.headers = {"ratelimit: \"a;r=0;t=9,\\\"\";r=5;t=9"}, .body = "{}"},
     0,
     0,
     0},
    {"the draft, without a time",
     "[]",
     NULL,
     {.headers = {"ratelimit-policy: \"p\";q=100;w=200", "ratelimit: \"p\";r=0"}, .body = "{}"},
     2000,
     2000,
     0},
    {"the draft, one in half an hour, without a time",
     "[]",
     NULL,
     {.headers = {"ratelimit-policy: \"p\";q=1;w=1800", "ratelimit: \"p\";r=0"}, .body = "{}"},
     1800000,
     1800000,
     0},
    {"a rule's own time, where nothing else is said",
     "[],'errors':[{'status':403,'body':{'/error':'slow_down'},'code':'rate_limited','retry_after':{'body':'/wait'}}]",
     NULL,
     {.status = 403, .body = "{\"error\":\"slow_down\",\"wait\":4.5}"},
     4500,
     4500,
     0},
    {"Retry-After of a 403 that a rule calls a limit",
     "[],'errors':[{'status':403,'code':'rate_limited'}]",
     NULL,
     {.status = 403, .headers = {"retry-after: 3"}, .body = "{}"},
     3000,
     3000,
     0},
    {"Retry-After of a 403 that is none",
     "[]",
     NULL,
     {.status = 403, .headers = {"retry-after: 3"}, .body = "{}"},
     0,
     0,
     0},
    {"a fraction of a date",
     GITHUB_GRAPHQL,
     NULL,
     {.headers = {DATE},
      .body =
          "{\"data\":{\"rateLimit\":{\"limit\":50,\"cost\":1,\"remaining\":0,\"resetAt\":\"1994-11-06T08:49:40.900Z\"}}}"},
     3900,
     3900,
     0},
    {"Retry-After", "[]", NULL, {.status = 429, .headers = {"retry-after: 120"}}, 120000, 120000, 0},
    {"with a fraction", "[]", NULL, {.status = 429, .headers = {"retry-after: 2.5"}}, 2500, 2500, 0},
    {"a date",
     "[]",
     NULL,
     {.status = 429, .headers = {DATE, "retry-after: Sun, 06 Nov 1994 08:49:57 GMT"}},
     20000,
     20000,
     0},
    {"unavailable", "[]", NULL, {.status = 503, .headers = {"retry-after: 9"}}, 9000, 9000, 0},
    {"of a redirect it is none",
     "[]",
     NULL,
     {.status = 200, .headers = {"retry-after: 9"}, .body = "{}"},
     0,
     0,
     0},
    {"nonsense",
     "[]",
     NULL,
     {.headers = {"ratelimit: ;;,\"a", "ratelimit-policy: ,,\"\\", "ratelimit-limit: x",
                  "ratelimit-reset: -1"},
      .body = "{}"},
     0,
     0,
     0},
};

static bool near(int64_t got, int64_t want) {
    return want ? got > 0 && got <= want + 50 && got >= want - 50 : got == 0;
}

static void play(const struct sample *sample) {
    const struct answer answers[] = {sample->answer, GOOD, GOOD, GOOD};
    char api[2048];
    struct flow_rig f;
    snprintf(api, sizeof api, "{'upstreams':{'api':{'base_url':'https://api.example.com','quotas':%s}}}",
             sample->quotas);
    send_open(&f, api, sample->route ? sample->route : "{'path':'/a'}",
              "{'retry':{'attempts':0},'breaker':{'enabled':false},'spacing_percent':0}", true, answers,
              PX_COUNT(answers));
    struct px_route *other = another(&f, "{'path':'/b'}"),
                    *core = another(&f, "{'path':'/c','group':'core'}");
    asked(&f, NULL);
    int64_t same = asked(&f, NULL), else_ = asked(&f, other), grouped = asked(&f, core);
    if (!near(same, sample->same) || !near(else_, sample->other) || !near(grouped, sample->grouped))
        fail_msg("%s: %lld %lld %lld", sample->name, (long long)same, (long long)else_, (long long)grouped);
    px_route_destroy(other);
    px_route_destroy(core);
    flow_close(&f);
}

static void samples_of_services(void **state) {
    (void)state;
    for (size_t i = 0; i < PX_COUNT(samples); i++)
        play(&samples[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples_of_services)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
