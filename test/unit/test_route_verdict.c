#include "unit/verdict_help.h"

static void by_status(void **state) {
    (void)state;
    JUDGED(200, NULL, "{\"error\":\"no\"}", PX_OK, false, 0, NULL, NULL);
    JUDGED(204, NULL, "", PX_OK, false, 0, NULL, NULL);
    JUDGED(299, "retry-after: 5", "", PX_OK, false, 0, NULL, NULL);
    JUDGED(400, NULL, "", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Bad Request",
           "Change the arguments");
    JUDGED(422, NULL, "{}", PX_INVALID_ARGUMENTS, false, 0, "api answered 422: Unprocessable Content",
           "Change the");
    JUDGED(401, NULL, "", PX_UNAUTHORIZED, false, 0, "api answered 401: Unauthorized",
           "Ask a person to check the credentials of service \"github\" (upstream \"api\"); until then");
    JUDGED(402, NULL, "", PX_FORBIDDEN, false, 0, "api answered 402: Payment Required", "plan");
    JUDGED(403, NULL, "", PX_FORBIDDEN, false, 0, "api answered 403: Forbidden", "permission");
    JUDGED(404, NULL, "", PX_NOT_FOUND, false, 0, "api answered 404: Not Found", "Check the names");
    JUDGED(410, NULL, "", PX_NOT_FOUND, false, 0, "api answered 410: Gone", "gone for good");
    JUDGED(408, NULL, "", PX_TIMEOUT, true, 0, "api answered 408: Request Timeout", "Try again");
    JUDGED(504, NULL, "", PX_TIMEOUT, true, 0, "api answered 504: Gateway Timeout", "Try again");
    JUDGED(409, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 409: Conflict", "read it again");
    JUDGED(412, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 412: Precondition Failed",
           "read it again");
    JUDGED(423, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 423: Locked", "locked");
    JUDGED(428, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 428: Precondition Required",
           "read it again");
    JUDGED(413, NULL, "", PX_TOO_LARGE, false, 0, "api answered 413: Content Too Large", "Send less");
    JUDGED(429, NULL, "", PX_RATE_LIMITED, true, 0, "api answered 429: Too Many Requests", "Wait a while");
    JUDGED(429, "retry-after: 2.5", "", PX_RATE_LIMITED, true, 2500, "api answered 429: Too Many Requests",
           "Wait 3 s, then call again; ask for less");
    JUDGED(500, NULL, "", PX_UPSTREAM_ERROR, true, 0, "api answered 500: Internal Server Error",
           "in a moment");
    JUDGED(501, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 501: Not Implemented", NULL);
    JUDGED(502, NULL, "", PX_UPSTREAM_ERROR, true, 0, "api answered 502: Bad Gateway", "in a moment");
    JUDGED(503, "retry-after: 120", "", PX_UNAVAILABLE, true, 120000, "api answered 503: Service Unavailable",
           "Wait 120 s, then call again.");
    JUDGED(599, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 599", NULL);
    JUDGED(418, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 418", NULL);
    JUDGED(999, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 999", NULL);
    JUDGED(302, "location: https://login.example.com/sso?token=abc#x", "", PX_UPSTREAM_ERROR, false, 0,
           "api answered 302: it points to https://login.example.com/sso, where this call does not follow",
           NULL);
    JUDGED(302, "location: https://x/\xff", "", PX_UPSTREAM_ERROR, false, 0, "api answered 302: Found", NULL);
    JUDGED(304, NULL, "", PX_UPSTREAM_ERROR, false, 0, "api answered 304: Not Modified", NULL);
}

/* ---- rules ---- */

static struct px_rule rule_of(int status, int32_t code) {
    struct px_rule rule = {.status = {.any = status == 0}, .code = code, .retryable = -1};
    if (status)
        status_add(&rule.status, status);
    return rule;
}

#define ONE(pointer, wanted)                                                                                 \
    { .list = (struct px_param[]){{.name = PX_LIT_INIT(pointer), .value = PX_LIT_INIT(wanted)}}, .n = 1 }

static void rules_come_first_and_in_order(void **state) {
    (void)state;
    struct px_rule routes[] = {rule_of(404, PX_OK)};
    struct px_rule upstreams[] = {rule_of(404, PX_FORBIDDEN), rule_of(4, PX_UNAVAILABLE),
                                  rule_of(500, PX_UPSTREAM_ERROR)};
    struct px_rule apis[] = {rule_of(403, PX_INVALID_ARGUMENTS), rule_of(0, PX_TIMEOUT)};
    struct px_route route = {.errors = {routes, 1}};
    struct px_upstream upstream = {.name = PX_LIT_INIT("api"), .errors = {upstreams, 3}};
    struct px_api api = {.errors = {apis, 2}};
    struct declared by = {&route, &upstream, &api, {0}};
    upstreams[1].retryable = 0;
    upstreams[2].retryable = 1;
    upstreams[1].advice = PX_LIT("Do this.");
    upstreams[1].message = PX_LIT("/why");
    judged_by(&by, 404, NULL, "", (struct want){PX_OK, false, 0, NULL, NULL});
    judged_by(&by, 403, NULL, "{\"message\":\"m\",\"why\":\"w\"}",
              (struct want){PX_UNAVAILABLE, false, 0, "api answered 403: w", "Do this."});
    judged_by(&by, 403, NULL, "{\"message\":\"m\",\"why\":null}",
              (struct want){PX_UNAVAILABLE, false, 0, "api answered 403: m", "Do this."});
    judged_by(&by, 500, NULL, "",
              (struct want){PX_UPSTREAM_ERROR, true, 0, "api answered 500: Internal Server Error", "moment"});
    judged_by(&by, 200, NULL, "",
              (struct want){PX_TIMEOUT, true, 0, "api answered with an error", "Try again"});
    by.route = NULL;
    judged_by(&by, 404, NULL, "",
              (struct want){PX_FORBIDDEN, false, 0, "api answered 404: Not Found", "permission"});
}

static bool holds(struct px_rule rule, const char *headers, const char *body) {
    struct px_rules rules = {&rule, 1};
    const struct px_rules *const lists[3] = {NULL, &rules, NULL};
    struct answer_help a;
    struct px_json_scan scan = {.value = {0}};
    answer_init(&a, 200, headers, body);
    bool json = px_json_scan(a.body, NULL, &scan, NULL, NULL) == 0;
    bool got = px_rules_find(lists, &a.result, json ? scan.value : (px_str){0}) == &rule;
    answer_finish(&a);
    return got;
}

static void every_condition_must_hold(void **state) {
    (void)state;
    struct px_rule rule = {.status = {.any = true}};
    rule.headers = (struct px_params)ONE("x-ratelimit-remaining", "\"0\"");
    assert_true(holds(rule, "x-ratelimit-remaining: 0", ""));
    assert_false(holds(rule, "x-ratelimit-remaining: 10", ""));
    assert_false(holds(rule, "x-other: 0", ""));
    assert_false(holds(rule, NULL, ""));
    rule.headers = (struct px_params)ONE("x-a", "\"Quota*LEFT*\"");
    assert_true(holds(rule, "x-b: 1\nx-a: no\nx-a: the\nx-a: quota: none left", ""));
    assert_false(holds(rule, "x-a: the quota: none left", ""));
    rule.body = (struct px_params)ONE("/ok", "false");
    assert_true(holds(rule, "x-a: quotaleft", "{\"ok\":false}"));
    assert_false(holds(rule, "x-a: quotaleft", "{\"ok\":true}"));
    assert_false(holds(rule, "x-a: quotaleft", "{\"ok\":\"false\"}"));
    assert_false(holds(rule, "x-a: quotaleft", "ok: false"));
    assert_false(holds(rule, "x-a: quot", "{\"ok\":false}"));
    memset(&rule.headers, 0, sizeof rule.headers);
    rule.body = (struct px_params)ONE("/error/code", "\"rate*\"");
    assert_true(holds(rule, NULL, "{\"error\":{\"code\":\"Rate\\u004cimited\"}}"));
    assert_false(holds(rule, NULL, "{\"error\":{\"code\":7}}"));
    assert_false(holds(rule, NULL, "{\"error\":\"rate\"}"));
    rule.body = (struct px_params)ONE("/n", "5000000000000001");
    assert_true(holds(rule, NULL, "{\"n\":5000000000000001}"));
    assert_true(holds(rule, NULL, "{\"n\":5000000000000001.0}"));
    assert_true(holds(rule, NULL, "{\"n\":50000000000000010e-1}"));
    assert_false(holds(rule, NULL, "{\"n\":5000000000000002}"));
    rule.body = (struct px_params)ONE("/x/y", "null");
    assert_true(holds(rule, NULL, "{\"x\":{\"y\":null}}"));
    assert_true(holds(rule, NULL, "{\"x\":1}"));
    assert_true(holds(rule, NULL, "not json"));
    assert_false(holds(rule, NULL, "{\"x\":{\"y\":false}}"));
}

/* A pattern that is too long never holds; a text that is too long, as far as it is looked at. */
static void long_patterns_and_texts(void **state) {
    (void)state;
    struct px_rule rule = {.status = {.any = true}};
    struct px_param one = {.name = PX_LIT_INIT("/a")};
    struct px_buf pattern, body;
    px_buf_init(&pattern, 10000);
    px_buf_init(&body, 10000);
    px_buf_char(&pattern, '"');
    for (int i = 0; i < 600; i++)
        px_buf_char(&pattern, '*');
    px_buf_char(&pattern, '"');
    px_buf_text(&body, "{\"a\":\"x");
    for (int i = 0; i < 6000; i++)
        px_buf_char(&body, 'y');
    px_buf_text(&body, "z\"}");
    one.value = px_buf_view(&pattern);
    rule.body = (struct px_params){&one, 1};
    assert_false(holds(rule, NULL, body.p));
    one.value = PX_LIT("\"X*y\"");
    assert_true(holds(rule, NULL, body.p));
    px_buf_finish(&pattern);
    px_buf_finish(&body);
}

static void waits_as_rules_say(void **state) {
    (void)state;
    struct px_rule rules[] = {rule_of(429, PX_RATE_LIMITED), rule_of(403, PX_RATE_LIMITED),
                              rule_of(200, PX_RATE_LIMITED)};
    struct px_upstream upstream = {.name = PX_LIT_INIT("api"), .errors = {rules, 3}};
    struct declared by = {.upstream = &upstream};
    rules[0].after_body = PX_LIT("/retry_after");
    rules[1].after_header = PX_LIT("x-ratelimit-reset");
    rules[1].after_unit = PX_LIT("unix");
    rules[2].after_body = PX_LIT("/wait");
    rules[2].after_unit = PX_LIT("ms");
    judged_by(&by, 429, "retry-after: 1", "{\"message\":\"m\",\"retry_after\":0.529}",
              (struct want){PX_RATE_LIMITED, true, 529, "api answered 429: m", "Wait 1 s"});
    judged_by(&by, 429, "retry-after: 1", "{\"message\":\"m\"}",
              (struct want){PX_RATE_LIMITED, true, 1000, "api answered 429: m", "Wait 1 s"});
    judged_by(&by, 403, "date: Sun, 06 Nov 1994 08:49:37 GMT\nx-ratelimit-reset: 784111797", "",
              (struct want){PX_RATE_LIMITED, true, 20000, "api answered 403: Forbidden", "Wait 20 s"});
    rules[1].after_body = PX_LIT("/after"); /* the header goes before */
    judged_by(
        &by, 403, "date: Sun, 06 Nov 1994 08:49:37 GMT\nx-ratelimit-reset: 784111797",
        "{\"after\":784111778}",
        (struct want){PX_RATE_LIMITED, true, 20000, "api answered 403: {\"after\":784111778}", "Wait 20 s"});
    judged_by(
        &by, 200, NULL, "{\"error\":\"ratelimited\",\"wait\":\"1500\"}",
        (struct want){PX_RATE_LIMITED, true, 1500, "api answered with an error: ratelimited", "Wait 2 s"});
}

/* Slack: everything is a 200. */
static void errors_in_a_200(void **state) {
    (void)state;
    struct px_rule rules[] = {rule_of(0, PX_RATE_LIMITED), rule_of(0, PX_NOT_FOUND),
                              rule_of(0, PX_UPSTREAM_ERROR)};
    struct px_param limited[] = {{.name = PX_LIT_INIT("/ok"), .value = PX_LIT_INIT("false")},
                                 {.name = PX_LIT_INIT("/error"), .value = PX_LIT_INIT("\"ratelimited\"")}};
    struct px_param missing[] = {{.name = PX_LIT_INIT("/ok"), .value = PX_LIT_INIT("false")},
                                 {.name = PX_LIT_INIT("/error"), .value = PX_LIT_INIT("\"*_not_found\"")}};
    struct px_param bad[] = {{.name = PX_LIT_INIT("/ok"), .value = PX_LIT_INIT("false")}};
    struct px_upstream upstream = {.name = PX_LIT_INIT("slack"), .errors = {rules, 3}};
    struct declared by = {.upstream = &upstream};
    rules[0].body = (struct px_params){limited, 2};
    rules[1].body = (struct px_params){missing, 2};
    rules[2].body = (struct px_params){bad, 1};
    judged_by(&by, 200, NULL, "{\"ok\":true,\"channel\":{}}", (struct want){PX_OK, false, 0, NULL, NULL});
    judged_by(&by, 200, "retry-after: 30", "{\"ok\":false,\"error\":\"ratelimited\"}",
              (struct want){PX_RATE_LIMITED, true, 30000, "slack answered with an error: ratelimited",
                            "Wait 30 s"});
    judged_by(
        &by, 200, NULL, "{\"ok\":false,\"error\":\"channel_not_found\"}",
        (struct want){PX_NOT_FOUND, false, 0, "slack answered with an error: channel_not_found", "Check"});
    judged_by(
        &by, 200, NULL,
        "{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"chat:write\",\"provided\":\"users:read\"}",
        (struct want){PX_UPSTREAM_ERROR, false, 0, "slack answered with an error: missing_scope", NULL});
}

static void graphql(void **state) {
    (void)state;
    struct px_route route = {
        .graphql = true, .read_only = true, .at = PX_LIT_INIT("/data"), .method = PX_LIT_INIT("POST")};
    struct declared by = {&route, &api_upstream, NULL, {0}};
    judged_by(&by, 200, NULL, "{\"data\":{\"viewer\":{\"login\":\"a\"}}}",
              (struct want){PX_OK, false, 0, NULL, NULL});
    judged_by(&by, 200, NULL, "{\"data\":{\"viewer\":null}}", (struct want){PX_OK, false, 0, NULL, NULL});
    judged_by(&by, 200, NULL, "{\"data\":{\"a\":1,\"b\":null},\"errors\":[{\"message\":\"b failed\"}]}",
              (struct want){PX_OK, false, 0, NULL, NULL});
    judged_by(&by, 200, NULL, "{\"data\":null,\"errors\":[]}", (struct want){PX_OK, false, 0, NULL, NULL});
    /* GitHub */
    judged_by(
        &by, 200, NULL,
        "{\"data\":{\"repository\":null},\"errors\":[{\"type\":\"NOT_FOUND\",\"path\":[\"repository\"],\"locations\":[{\"line\":1,"
        "\"column\":3}],\"message\":\"Could not resolve to a Repository with the name 'o/r'.\"}]}",
        (struct want){PX_NOT_FOUND, false, 0,
                      "api answered with an error: Could not resolve to a Repository with the name 'o/r'.",
                      "Check"});
    judged_by(&by, 200, NULL,
              "{\"errors\":[{\"type\":\"RATE_LIMITED\",\"message\":\"API rate limit exceeded\"}]}",
              (struct want){PX_RATE_LIMITED, true, 0, "api answered with an error: API rate limit exceeded",
                            "Wait"});
    judged_by(&by, 200, NULL, "{\"data\":{},\"errors\":[{\"type\":\"FORBIDDEN\",\"message\":\"no\"}]}",
              (struct want){PX_FORBIDDEN, false, 0, "api answered with an error: no", "permission"});
    /* Shopify */
    judged_by(
        &by, 200, NULL,
        "{\"errors\":[{\"message\":\"Throttled\",\"extensions\":{\"code\":\"THROTTLED\",\"documentation\":\"https://"
        "shopify.dev/api/usage/rate-limits\"}}],\"extensions\":{\"cost\":{\"requestedQueryCost\":202}}}",
        (struct want){PX_RATE_LIMITED, true, 0, "api answered with an error: Throttled", "Wait"});
    judged_by(
        &by, 200, NULL,
        "{\"data\":null,\"errors\":[{\"message\":\"1\",\"extensions\":{\"code\":\"UNAUTHENTICATED\"}},{\"message\":\"2\"},"
        "{\"message\":\"3\"},{\"message\":\"4\"}]}",
        (struct want){PX_UNAUTHORIZED, false, 0, "api answered with an error: 1; 2; 3", "credentials"});
    judged_by(&by, 200, NULL, "{\"errors\":[{\"message\":\"odd\"}]}",
              (struct want){PX_UPSTREAM_ERROR, false, 0, "api answered with an error: odd", NULL});
    judged_by(&by, 401, NULL, "{\"message\":\"Bad credentials\"}",
              (struct want){PX_UNAUTHORIZED, false, 0, "api answered 401: Bad credentials", "credentials"});
    route.at = PX_LIT("/data/repository");
    judged_by(
        &by, 200, NULL,
        "{\"data\":{\"repository\":null,\"rate\":1},\"errors\":[{\"type\":\"NOT_FOUND\",\"message\":\"m\"}]}",
        (struct want){PX_NOT_FOUND, false, 0, "api answered with an error: m", "Check"});
    route.graphql = false;
    judged_by(&by, 200, NULL, "{\"errors\":[{\"message\":\"odd\"}]}",
              (struct want){PX_OK, false, 0, NULL, NULL});
}

/* A write that may have been done is not called again without a look. */
static void writes_are_not_repeated_blindly(void **state) {
    (void)state;
    struct px_route route = {.method = PX_LIT_INIT("POST")};
    struct declared by = {&route, &api_upstream, NULL, {0}};
    struct px_rule rules[] = {rule_of(500, PX_UPSTREAM_ERROR)};
    judged_by(
        &by, 502, NULL, "",
        (struct want){PX_OUTCOME_UNKNOWN, false, 0, "api answered 502: Bad Gateway", "look whether it did"});
    judged_by(&by, 504, NULL, "",
              (struct want){PX_OUTCOME_UNKNOWN, false, 0, "api answered 504: Gateway Timeout",
                            "look whether it did"});
    judged_by(&by, 520, NULL, "",
              (struct want){PX_OUTCOME_UNKNOWN, false, 0,
                            "api answered 520: Web Server Returned an Unknown Error", "look whether it did"});
    judged_by(&by, 500, NULL, "",
              (struct want){PX_UPSTREAM_ERROR, false, 0, "api answered 500: Internal Server Error",
                            "look whether it did"});
    judged_by(&by, 503, NULL, "",
              (struct want){PX_UNAVAILABLE, true, 0, "api answered 503: Service Unavailable", "Try again"});
    judged_by(&by, 429, NULL, "",
              (struct want){PX_RATE_LIMITED, true, 0, "api answered 429: Too Many Requests", "Wait"});
    route.method = PX_LIT("PUT");
    judged_by(
        &by, 502, NULL, "",
        (struct want){PX_OUTCOME_UNKNOWN, false, 0, "api answered 502: Bad Gateway", "look whether it did"});
    judged_by(&by, 500, NULL, "",
              (struct want){PX_UPSTREAM_ERROR, true, 0, "api answered 500: Internal Server Error", "moment"});
    route.method = PX_LIT("POST");
    route.safe = true;
    judged_by(&by, 502, NULL, "",
              (struct want){PX_UPSTREAM_ERROR, true, 0, "api answered 502: Bad Gateway", "moment"});
    route.safe = false;
    route.graphql = true; /* says it with a 200 */
    judged_by(
        &by, 200, NULL, "{\"errors\":[{\"message\":\"m\",\"extensions\":{\"code\":\"GATEWAY_TIMEOUT\"}}]}",
        (struct want){PX_OUTCOME_UNKNOWN, false, 0, "api answered with an error: m", "look whether it did"});
    judged_by(
        &by, 200, NULL,
        "{\"errors\":[{\"message\":\"m\",\"extensions\":{\"code\":\"INTERNAL_SERVER_ERROR\"}}]}",
        (struct want){PX_UPSTREAM_ERROR, false, 0, "api answered with an error: m", "look whether it did"});
    judged_by(&by, 200, NULL, "{\"errors\":[{\"message\":\"m\",\"extensions\":{\"code\":\"THROTTLED\"}}]}",
              (struct want){PX_RATE_LIMITED, true, 0, "api answered with an error: m", "Wait"});
    route.graphql = false;
    rules[0].retryable = 1; /* the rule knows */
    route.errors = (struct px_rules){rules, 1};
    judged_by(&by, 500, NULL, "",
              (struct want){PX_UPSTREAM_ERROR, true, 0, "api answered 500: Internal Server Error", "moment"});
}

/* What answered behind a 301 is not what was written to; a 303 that is not followed says that it was. */
static void writes_that_point_elsewhere(void **state) {
    (void)state;
    struct px_route route = {.method = PX_LIT_INIT("POST")},
                    read = {.method = PX_LIT_INIT("POST"), .safe = true};
    struct px_rule rules[] = {rule_of(200, PX_OK)};
    struct px_route_verdict got;
    struct answer_help a;
    struct px_arena arena;
    px_arena_init(&arena, 4096);
    answer_init(&a, 200, NULL, "[]");
    a.result.moved = true;
    a.result.url = PX_LIT("https://a.test/things/?x=secret");
    px_verdict_judge(&arena, &route, &api_upstream, NULL, PX_LIT("s"), &a.result, PX_LIT("[]"), &got);
    assert_int_equal(got.code, PX_UPSTREAM_ERROR);
    assert_false(got.retryable || got.again);
    assert_text(got.message,
                "api answered with an error: it has moved for good (301), and what was to be written "
                "did not go along; now it is at https://a.test/things/");
    px_verdict_judge(&arena, &read, &api_upstream, NULL, PX_LIT("s"), &a.result, PX_LIT("[]"), &got);
    assert_int_equal(got.code, PX_OK);
    route.errors = (struct px_rules){rules, 1};
    px_verdict_judge(&arena, &route, &api_upstream, NULL, PX_LIT("s"), &a.result, PX_LIT("[]"), &got);
    assert_int_equal(got.code, PX_OK);
    answer_finish(&a);
    px_arena_finish(&arena);
    route.errors = (struct px_rules){NULL, 0};
    struct declared by = {&route, &api_upstream, NULL, {0}};
    judged_by(&by, 303, "location: /things/5", "",
              (struct want){PX_OUTCOME_UNKNOWN, false, 0,
                            "api answered 303: it points to /things/5, where this call does not follow",
                            "look whether it did"});
    judged_by(&by, 307, "location: /things/5", "",
              (struct want){PX_UPSTREAM_ERROR, false, 0,
                            "api answered 307: it points to /things/5, where this call does not follow",
                            NULL});
}

/* What is wrong where a followed 303 leads says nothing of what was written. */
static void behind_what_was_pointed_to(void **state) {
    (void)state;
    struct px_route post = {.method = PX_LIT_INIT("POST")},
                    read = {.method = PX_LIT_INIT("POST"), .safe = true};
    struct px_rule rules[] = {rule_of(404, PX_NOT_FOUND)};
    static const int statuses[] = {401, 403, 404, 422, 500, 503};
    struct px_route_verdict got;
    struct px_arena arena;
    px_arena_init(&arena, 16384);
    for (size_t i = 0; i < PX_COUNT(statuses); i++) {
        struct answer_help a;
        answer_init(&a, statuses[i], NULL, "");
        a.result.redirects = 1;
        px_verdict_judge(&arena, &post, &api_upstream, NULL, PX_LIT("s"), &a.result, (px_str){0}, &got);
        assert_int_not_equal(got.code, PX_OUTCOME_UNKNOWN);
        a.result.pointed = true;
        px_verdict_judge(&arena, &post, &api_upstream, NULL, PX_LIT("s"), &a.result, (px_str){0}, &got);
        assert_int_equal(got.code, PX_OUTCOME_UNKNOWN);
        assert_false(got.retryable);
        assert_non_null(strstr(got.advice.p, "look whether it did"));
        px_verdict_judge(&arena, &read, &api_upstream, NULL, PX_LIT("s"), &a.result, (px_str){0}, &got);
        assert_int_not_equal(got.code, PX_OUTCOME_UNKNOWN);
        a.result.fail = PX_HTTP_RESET;
        px_verdict_of_failure(&arena, &a.result, true, &got);
        assert_int_equal(got.code, PX_OUTCOME_UNKNOWN);
        answer_finish(&a);
    }
    struct answer_help a;
    answer_init(&a, 404, NULL, "");
    a.result.pointed = true;
    post.errors = (struct px_rules){rules, 1}; /* the rule knows */
    px_verdict_judge(&arena, &post, &api_upstream, NULL, PX_LIT("s"), &a.result, (px_str){0}, &got);
    assert_int_equal(got.code, PX_NOT_FOUND);
    answer_finish(&a);
    px_arena_finish(&arena);
}

/* ---- no answer ---- */

static void failed(enum px_http_fail fail, const char *why, int status, bool sent, bool write,
                   struct want want) {
    struct px_http_result result = {.fail = fail, .why = why, .status = status, .sent = sent};
    struct px_route_verdict got;
    struct px_arena arena;
    px_arena_init(&arena, 4096);
    px_verdict_of_failure(&arena, &result, write, &got);
    if (got.code != want.code || got.retryable != want.retryable)
        fail_msg("%d %s: %d %d", fail, why, got.code, got.retryable);
    assert_text(got.message, want.message);
    if (want.advice ? !got.advice.p || !strstr(got.advice.p, want.advice) : got.advice.p != NULL)
        fail_msg("%d %s: " PX_FMT, fail, why, PX_ARG(got.advice));
    px_arena_finish(&arena);
}

#define FAILED(fail, why, status, sent, write, ...)                                                          \
    failed(fail, why, status, sent, write, (struct want){__VA_ARGS__})

static void failures_have_codes(void **state) {
    (void)state;
    FAILED(PX_HTTP_BAD_REQUEST, "w", 0, false, true, PX_INVALID_ARGUMENTS, false, 0, "w", "Change");
    FAILED(PX_HTTP_FORBIDDEN, "w", 0, false, true, PX_FORBIDDEN, false, 0, "w", "configuration");
    FAILED(PX_HTTP_NO_NAME, "w", 0, false, false, PX_UNAVAILABLE, false, 0, "w", "address");
    FAILED(PX_HTTP_DNS, "w", 0, false, true, PX_UNAVAILABLE, true, 0, "w", "Try again");
    FAILED(PX_HTTP_CONNECT, "w", 0, false, true, PX_UNAVAILABLE, true, 0, "w", "Try again");
    FAILED(PX_HTTP_TLS, "x: no TLS connection: reset", 0, false, false, PX_UNAVAILABLE, true, 0,
           "x: no TLS connection: reset", "Try again");
    FAILED(PX_HTTP_TLS, "x: the certificate is for another host", 0, false, false, PX_UNAVAILABLE, false, 0,
           "x: the certificate is for another host", "do not try again");
    FAILED(PX_HTTP_TIMEOUT, "w", 0, true, false, PX_TIMEOUT, true, 0, "w", "Try again");
    FAILED(PX_HTTP_RESET, "w", 0, true, false, PX_UPSTREAM_ERROR, true, 0, "w", "moment");
    FAILED(PX_HTTP_PROTOCOL, "w", 0, true, false, PX_UPSTREAM_ERROR, false, 0, "w", NULL);
    FAILED(PX_HTTP_TOO_LARGE, "w", 200, true, false, PX_TOO_LARGE, false, 0, "w", "Ask for less");
    FAILED(PX_HTTP_REDIRECTS, "w", 302, true, false, PX_UPSTREAM_ERROR, false, 0, "w", NULL);
    FAILED(PX_HTTP_BUSY, "w", 0, false, true, PX_UNAVAILABLE, true, 0, "w", "wait for some");
    FAILED(PX_HTTP_INTERNAL, NULL, 0, false, false, PX_INTERNAL, false, 0, "the request failed", NULL);
}

static void a_write_that_left_is_unknown(void **state) {
    (void)state;
    FAILED(PX_HTTP_TIMEOUT, "w", 0, true, true, PX_OUTCOME_UNKNOWN, false, 0, "w", "look whether it did");
    FAILED(PX_HTTP_RESET, "w", 0, true, true, PX_OUTCOME_UNKNOWN, false, 0, "w", "look whether it did");
    FAILED(PX_HTTP_TOO_LARGE, "w", 201, true, true, PX_OUTCOME_UNKNOWN, false, 0, "w", "look whether it did");
    FAILED(PX_HTTP_TIMEOUT, "w", 0, false, true, PX_TIMEOUT, true, 0, "w", "Try again");
    FAILED(PX_HTTP_RESET, "w", 500, true, true, PX_OUTCOME_UNKNOWN, false, 0,
           "w (it had answered 500 Internal Server Error)", "look whether it did");
    /* it was refused: nothing happened */
    FAILED(PX_HTTP_RESET, "w", 413, true, true, PX_TOO_LARGE, false, 0,
           "w (it had answered 413 Content Too Large)", "Send less");
    struct px_http_result result = {.fail = PX_HTTP_FORBIDDEN, .why = "w", .redirects = 1};
    struct px_route_verdict got;
    struct px_arena arena;
    px_arena_init(&arena, 4096);
    px_verdict_of_failure(&arena, &result, true, &got);
    assert_int_equal(got.code, PX_OUTCOME_UNKNOWN); /* the first request was sent */
    px_arena_finish(&arena);
}

/* ---- the error ---- */

static void errors_say_where(void **state) {
    (void)state;
    struct px_route_verdict verdict = {.code = PX_RATE_LIMITED,
                                       .retryable = true,
                                       .retry_after_ms = 5,
                                       .message = PX_LIT_INIT("m"),
                                       .advice = PX_LIT_INIT("a")};
    struct px_upstream upstream = {.name = PX_LIT_INIT("api")};
    struct px_arena arena;
    struct answer_help a;
    px_arena_init(&arena, 4096);
    answer_init(&a, 429, "cf-ray: ray\nx-request-id: 1\"2", "");
    struct px_error error = px_verdict_error(&arena, &upstream, &a.result, &verdict);
    assert_int_equal(error.size, sizeof error);
    assert_int_equal(error.code, PX_RATE_LIMITED);
    assert_int_equal(error.flags, PX_ERROR_RETRYABLE);
    assert_int_equal(error.retry_after_ms, 5);
    assert_text(error.message, "m");
    assert_text(error.advice, "a");
    assert_text(
        error.details_json,
        "{\"status\":429,\"request_id\":\"1\\\"2\",\"upstream\":\"api\",\"url\":\"https://api.example.com/things/7\"}");
    upstream.request_id = PX_LIT("cf-ray");
    verdict.retryable = false;
    error = px_verdict_error(&arena, &upstream, &a.result, &verdict);
    assert_int_equal(error.flags, 0);
    assert_non_null(strstr(error.details_json.p, "\"request_id\":\"ray\""));
    /* Why it is not known whether it happened: what is told once it is known that it did not. */
    verdict.code = PX_OUTCOME_UNKNOWN;
    const struct {
        enum px_http_fail fail;
        int status;
        bool timeout;
    } causes[] = {{PX_HTTP_TIMEOUT, 0, true}, {PX_HTTP_OK, 504, true},  {PX_HTTP_OK, 524, true},
                  {PX_HTTP_RESET, 0, false},  {PX_HTTP_OK, 502, false}, {PX_HTTP_PROTOCOL, 0, false}};
    for (size_t i = 0; i < PX_COUNT(causes); i++) {
        a.result = (struct px_http_result){.fail = causes[i].fail, .status = causes[i].status};
        error = px_verdict_error(&arena, NULL, &a.result, &verdict);
        assert_int_equal(strstr(error.details_json.p, "\"cause\":\"timeout\"") != NULL, causes[i].timeout);
    }
    verdict.code = PX_RATE_LIMITED;
    a.result = (struct px_http_result){.fail = PX_HTTP_DNS};
    error = px_verdict_error(&arena, NULL, &a.result, &verdict);
    assert_text(error.details_json, "{}");
    answer_finish(&a);
    px_arena_finish(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_status),
        cmocka_unit_test(rules_come_first_and_in_order),
        cmocka_unit_test(every_condition_must_hold),
        cmocka_unit_test(long_patterns_and_texts),
        cmocka_unit_test(waits_as_rules_say),
        cmocka_unit_test(errors_in_a_200),
        cmocka_unit_test(graphql),
        cmocka_unit_test(writes_are_not_repeated_blindly),
        cmocka_unit_test(writes_that_point_elsewhere),
        cmocka_unit_test(behind_what_was_pointed_to),
        cmocka_unit_test(failures_have_codes),
        cmocka_unit_test(a_write_that_left_is_unknown),
        cmocka_unit_test(errors_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
