/* What an upstream says in an answer, for people: where its words are, how many, and when there are none. */
#include "unit/verdict_help.h"

/* What they really answer. */
static void the_upstreams_words(void **state) {
    (void)state;
    /* GitHub */
    JUDGED(
        422, NULL,
        "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"Issue\",\"code\":\"missing_field\",\"field\":\"title\"}],"
        "\"documentation_url\":\"https://docs.github.com/rest/issues/issues#create-an-issue\",\"status\":\"422\"}",
        PX_INVALID_ARGUMENTS, false, 0,
        "api answered 422: Validation Failed: title is missing (Issue.title missing_field)",
        "Change the arguments");
    JUDGED(
        422, NULL,
        "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"PullRequest\",\"code\":\"custom\",\"message\":\"A pull "
        "request already exists for o:b.\"},{\"resource\":\"PullRequest\",\"field\":\"base\",\"code\":\"invalid\"}]}",
        PX_INVALID_ARGUMENTS, false, 0,
        "api answered 422: Validation Failed: A pull request already exists for o:b. (PullRequest); base is not valid "
        "(PullRequest.base invalid)",
        "Change");
    JUDGED(422, NULL, "{\"message\":\"Validation Failed\",\"errors\":[\"No commits between main and main\"]}",
           PX_INVALID_ARGUMENTS, false, 0,
           "api answered 422: Validation Failed: No commits between main and main", "Change");
    JUDGED(
        401, NULL,
        "{\"message\":\"Bad credentials\",\"documentation_url\":\"https://docs.github.com/rest\",\"status\":\"401\"}",
        PX_UNAUTHORIZED, false, 0, "api answered 401: Bad credentials", "credentials");
    JUDGED(
        404, NULL,
        "{\"message\":\"Not Found\",\"documentation_url\":\"https://docs.github.com/rest\",\"status\":\"404\"}",
        PX_NOT_FOUND, false, 0, "api answered 404: Not Found", "Check the names");
    /* Shopify, REST: three shapes of `errors` */
    JUDGED(422, NULL, "{\"errors\":{\"title\":[\"can't be blank\",\"is too short\"],\"base\":[\"no\"]}}",
           PX_INVALID_ARGUMENTS, false, 0,
           "api answered 422: title: can't be blank; title: is too short; base: no", "Change");
    JUDGED(401, NULL,
           "{\"errors\":\"[API] Invalid API key or access token (unrecognized login or wrong password)\"}",
           PX_UNAUTHORIZED, false, 0,
           "api answered 401: [API] Invalid API key or access token (unrecognized login or wrong password)",
           "credentials");
    JUDGED(429, "retry-after: 2.0", "{\"errors\":\"Exceeded 2 calls per second for api client.\"}",
           PX_RATE_LIMITED, true, 2000, "api answered 429: Exceeded 2 calls per second for api client.",
           "Wait 2 s");
    /* Stripe */
    JUDGED(
        404, NULL,
        "{\"error\":{\"code\":\"resource_missing\",\"doc_url\":\"https://stripe.com/docs/error-codes/resource-missing\",\"message\":\"No "
        "such customer: 'cus_x'\",\"param\":\"customer\",\"type\":\"invalid_request_error\"}}",
        PX_NOT_FOUND, false, 0, "api answered 404: No such customer: 'cus_x' (customer resource_missing)",
        "Check");
    /* Discord */
    JUDGED(
        400, NULL,
        "{\"code\":50035,\"errors\":{\"content\":{\"_errors\":[{\"code\":\"BASE_TYPE_REQUIRED\",\"message\":\"This field is "
        "required\"}]},\"embeds\":{\"0\":{\"title\":{\"_errors\":[{\"code\":\"X\",\"message\":\"Too "
        "long\"}]}}}},\"message\":\"Invalid Form Body\"}",
        PX_INVALID_ARGUMENTS, false, 0,
        "api answered 400: Invalid Form Body: content: This field is required (BASE_TYPE_REQUIRED); embeds.0.title: Too "
        "long (X)",
        "Change");
    JUDGED(429, "retry-after: 1",
           "{\"message\":\"You are being rate limited.\",\"retry_after\":0.529,\"global\":false}",
           PX_RATE_LIMITED, true, 1000, "api answered 429: You are being rate limited.", "Wait 1 s");
    /* OAuth (RFC 6749), problem details (RFC 9457), Google, FastAPI, JSON:API */
    JUDGED(400, NULL, "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been revoked.\"}",
           PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Token has been revoked.", "Change");
    JUDGED(403, NULL,
           "{\"type\":\"https://example.com/probs/out-of-credit\",\"title\":\"You do not have enough "
           "credit.\",\"detail\":\"Your current balance is 30, but that costs 50.\",\"status\":403}",
           PX_FORBIDDEN, false, 0, "api answered 403: Your current balance is 30, but that costs 50.",
           "permission");
    JUDGED(422, NULL,
           "{\"title\":\"Your request is not valid.\",\"errors\":[{\"detail\":\"must be a positive "
           "integer\",\"pointer\":\"#/age\"}]}",
           PX_INVALID_ARGUMENTS, false, 0,
           "api answered 422: Your request is not valid. must be a positive integer (#/age)", "Change");
    JUDGED(
        400, NULL,
        "{\"error\":{\"code\":400,\"message\":\"Invalid value at 'q'\",\"status\":\"INVALID_ARGUMENT\",\"errors\":[{}]}}",
        PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Invalid value at 'q' (INVALID_ARGUMENT)",
        "Change");
    JUDGED(
        422, NULL,
        "{\"detail\":[{\"loc\":[\"body\",\"items\",0],\"msg\":\"field required\",\"type\":\"value_error.missing\"}]}",
        PX_INVALID_ARGUMENTS, false, 0, "api answered 422: field required (body.items.0)", "Change");
    JUDGED(404, NULL, "{\"errors\":[{\"status\":\"404\",\"title\":\"Not here\"},{\"detail\":\"nor here\"}]}",
           PX_NOT_FOUND, false, 0, "api answered 404: Not here (404); nor here", "Check");
    /* nothing that is known */
    JUDGED(400, NULL, "{ \"code\" : 7, \"msgs\" : null }", PX_INVALID_ARGUMENTS, false, 0,
           "api answered 400: {\"code\":7,\"msgs\":null}", "Change");
    JUDGED(400, NULL, "\"just words\"", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: just words",
           "Change");
    JUDGED(400, NULL, "{\"message\":\"\",\"error\":\"second\"}", PX_INVALID_ARGUMENTS, false, 0,
           "api answered 400: second", "Change");
    JUDGED(400, NULL, "[[],{},[\"x\"]]", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: [[],{},[\"x\"]]",
           "Change");
    JUDGED(400, NULL, "{\"message\":\"same\",\"errors\":[\"same\",{\"message\":\"same\"},\"other\"]}",
           PX_INVALID_ARGUMENTS, false, 0, "api answered 400: same: other", "Change");
    JUDGED(400, NULL, "{\"errors\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]}", PX_INVALID_ARGUMENTS, false,
           0, "api answered 400: 1; 2; 3; 4; 5; and 2 more", "Change");
    JUDGED(400, NULL, "{\"message\":\"two\\nlines\\u0000\\u001b[31m\"}", PX_INVALID_ARGUMENTS, false, 0,
           "api answered 400: two lines  [31m", "Change");
}

static void words_of_pages(void **state) {
    (void)state;
    JUDGED(
        502, "content-type: text/html",
        "<html>\r\n<head><title>502 Bad &lt;Gateway&gt;</title></head>\r\n<body><center><h1>502</h1></center></body></html>",
        PX_UPSTREAM_ERROR, true, 0, "api answered 502: 502 Bad <Gateway>", "in a moment");
    JUDGED(
        500, NULL,
        "<!DOCTYPE html><html><style>p {}</style><script>var x = '<p>';</script><p>Something\n   went <b>wrong</b></p>",
        PX_UPSTREAM_ERROR, true, 0, "api answered 500: Something went wrong", "in a moment");
    JUDGED(
        403, NULL,
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access &amp; more</Message></Error>",
        PX_FORBIDDEN, false, 0, "api answered 403: Access & more", "permission");
    JUDGED(404, "content-type: text/plain", "\n\n  404: Not Found, really  \nmore\n", PX_NOT_FOUND, false, 0,
           "api answered 404: 404: Not Found, really", "Check");
    JUDGED(400, NULL, "{\"not\": json", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: {\"not\": json",
           "Change");
    JUDGED(400, NULL, "\x89PNG\r\n", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Bad Request",
           "Change");
    JUDGED(400, NULL, "<", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Bad Request", "Change");
    JUDGED(400, NULL, "<title", PX_INVALID_ARGUMENTS, false, 0, "api answered 400: Bad Request", "Change");
    JUDGED(400, NULL, "<title></title><script>", PX_INVALID_ARGUMENTS, false, 0,
           "api answered 400: Bad Request", "Change");
}

static void bytes_are_no_words(void **state) {
    (void)state;
    struct px_arena arena;
    px_arena_init(&arena, 4096);
    assert_text(px_words_of_text(&arena, px_str_n("a\0b", 3)), "");
    assert_text(px_words_of_text(&arena, px_str_n("a\xff", 2)), "");
    assert_text(px_words_of_text(&arena, PX_LIT(" a b \r\nc")), "a b");
    px_arena_finish(&arena);
}

static void words_are_bounded(void **state) {
    (void)state;
    struct px_buf body;
    struct px_arena arena;
    struct answer_help a;
    struct px_route_verdict got;
    px_buf_init(&body, 1 << 20);
    px_buf_text(&body, "{\"message\":\"");
    for (int i = 0; i < 3000; i++)
        px_buf_text(&body, "\xe2\x82\xac");
    px_buf_text(&body, "\",\"errors\":[");
    for (int i = 0; i < 1000; i++)
        px_buf_addf(&body,
                    "%s{\"resource\":\"RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR\",\"message\":\"m%d\"}",
                    i ? "," : "", i);
    px_buf_text(&body, "]}");
    answer_init(&a, 400, NULL, body.p);
    px_arena_init(&arena, 1 << 20);
    px_verdict_judge(&arena, NULL, &api_upstream, NULL, (px_str){0}, &a.result, a.body, &got);
    assert_true(got.message.n > 600 && got.message.n < 1100 && px_utf8_valid(got.message));
    assert_non_null(strstr(got.message.p, "\xe2\x82\xac…: m0 (RRR"));
    assert_non_null(strstr(got.message.p, "and 995 more"));
    answer_finish(&a);
    px_buf_clear(&body, 1 << 20);
    for (int i = 0; i < 400; i++)
        px_buf_char(&body, 'x');
    answer_init(&a, 400, NULL, body.p);
    px_verdict_judge(&arena, NULL, &api_upstream, NULL, (px_str){0}, &a.result, (px_str){0}, &got);
    assert_int_equal(got.message.n, strlen("api answered 400: ") + 200 + strlen("…"));
    answer_finish(&a);
    px_arena_finish(&arena);
    px_buf_finish(&body);
}

static void places_of_words_are_the_upstreams(void **state) {
    (void)state;
    px_str places[] = {PX_LIT("/fault/text"), PX_LIT("/reason")};
    struct px_upstream upstream = {.name = PX_LIT_INIT("api"), .message = places, .n_message = 2};
    struct declared by = {.upstream = &upstream};
    judged_by(&by, 400, NULL, "{\"message\":\"m\",\"reason\":\"r\"}",
              (struct want){PX_INVALID_ARGUMENTS, false, 0, "api answered 400: r", "Change"});
    judged_by(&by, 400, NULL, "{\"reason\":\"r\",\"fault\":{\"text\":\"t\",\"code\":\"c\"}}",
              (struct want){PX_INVALID_ARGUMENTS, false, 0, "api answered 400: t (c)", "Change"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_upstreams_words),
        cmocka_unit_test(words_of_pages),
        cmocka_unit_test(bytes_are_no_words),
        cmocka_unit_test(words_are_bounded),
        cmocka_unit_test(places_of_words_are_the_upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
