#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mcp_fixture.h"

#define CALL(id, params)                                                                                     \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{" params "}}"
#define REQ(id, method, params)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define HOLD "\"name\":\"svc_hold\""

static void offer(void) {
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fake_item(PX_LIST_PROMPTS, "svc_prompt", "hold", NULL);
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fake_item(PX_LIST_TEMPLATES, "test://t/{x}", "hold", NULL);
}

static void test_a_call_in_both_eras(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    const char *answer =
        fix_ask(&f, CALL("1", "\"name\":\"svc_echo\",\"arguments\":{\"n\":5000000000000001}," META));
    wire_is(answer, "/result/structuredContent", "{\"n\":5000000000000001}");
    wire_is(answer, "/result/content/0/text", "\"{\\\"n\\\":5000000000000001}\"");
    assert_non_null(wire_at(answer, "/result/_meta/plexus~1call_id"));
    assert_null(wire_at(answer, "/result/isError"));
    fix_initialize(&f, "2025-06-18");
    answer = fix_ask(&f, CALL("2", "\"name\":\"svc_echo\""));
    wire_is(answer, "/result/structuredContent", "{}");
    assert_non_null(wire_at(answer, "/result/_meta/plexus~1call_id"));
    fix_close(&f);
}

static void test_what_the_gate_gets(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(
        &f,
        CALL(
            "1", HOLD
            ",\"arguments\":{\"a\":[1, 2]},\"inputResponses\":{\"k\":{}},\"requestState\":\"s\\u0074\","
            "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
            "\"io.modelcontextprotocol/clientCapabilities\":{\"roots\":{}},"
            "\"io.modelcontextprotocol/logLevel\":\"error\",\"progressToken\":7,"
            "\"traceparent\":\"00-1-2-03\",\"com.example/x\":{\"y\":1},"
            "\"plexus/timeout_ms\":1500,\"plexus/max_bytes\":4096,\"plexus/idempotency_key\":\"k1\",\"plexus/dry_run\":true,"
            "\"plexus/verbose\":false}"));
    const struct px_call_req *req = &fake_call()->req;
    assert_int_equal(req->kind, PX_CALL_TOOL);
    assert_true(px_str_is(req->item->name, "svc_hold"));
    assert_true(px_str_is(req->args_json, "{\"a\":[1, 2]}"));
    assert_true(px_str_is(req->responses_json, "{\"k\":{}}"));
    assert_true(px_str_is(req->request_state, "st"));
    assert_true(px_str_is(req->meta_json, "{\"traceparent\":\"00-1-2-03\",\"com.example/x\":{\"y\":1}}"));
    assert_true(px_str_is(req->caps_json, "{\"roots\":{}}"));
    assert_true(px_str_is(req->idempotency_key, "k1"));
    assert_true(req->timeout_ns == 1500 * PX_MS);
    assert_int_equal(req->result_bytes, 4096);
    assert_int_equal(req->log_level, PX_LEVEL_ERROR);
    assert_true(req->wants_progress);
    assert_true(req->dry_run);
    assert_false(req->verbose);
    fake_reply_text(fake_call(), "");
    /* Nothing said: nothing given. */
    fix_send(&f, CALL("2", HOLD ",\"arguments\":null," META));
    req = &fake_call()->req;
    assert_null(req->args_json.p);
    assert_null(req->meta_json.p);
    assert_null(req->idempotency_key.p);
    assert_null(req->request_state.p);
    assert_true(px_str_is(req->caps_json, "{}"));
    assert_int_equal(req->timeout_ns, 0);
    assert_int_equal(req->log_level, 8);
    assert_false(req->wants_progress);
    assert_false(req->dry_run);
    assert_false(req->verbose);
    fake_reply_text(fake_call(), "");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "1");
    wire_is(wire_next(&f.wire), "/id", "2");
    /* A legacy planner cannot be asked, whatever it says. */
    fix_initialize(&f, "2025-11-25");
    fix_send(&f, CALL("3", HOLD ",\"requestState\":\"x\",\"inputResponses\":{}"));
    req = &fake_call()->req;
    assert_null(req->caps_json.p);
    assert_null(req->request_state.p);
    assert_null(req->responses_json.p);
    fake_reply_text(fake_call(), "");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "3");
    fix_close(&f);
}

/* More members than are kept: they are looked for in the text. */
static void test_many_params(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    wire_is(fix_ask(&f, CALL("1", "\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
                                  "\"n\\u0061me\":\"svc_echo\",\"arguments\":{\"x\":1}," META)),
            "/result/structuredContent", "{\"x\":1}");
    wire_is(fix_ask(&f, CALL("2", "\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,"
                                  "\"n\\u0061me\":\"svc_echo\",\"arguments\":{\"x\":2}," META)),
            "/result/structuredContent", "{\"x\":2}");
    fix_close(&f);
}

static void test_bad_params(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    static const char *const bad[] = {
        REQ("1", "tools/call", META),
        REQ("2", "tools/call", "\"name\":7," META),
        REQ("3", "tools/call", "\"name\":\"svc_hold\",\"arguments\":[]," META),
        REQ("4", "tools/call", "\"name\":\"svc_hold\",\"arguments\":\"{}\"," META),
        REQ("5", "tools/call", "\"name\":\"svc_holt\"," META),
        REQ("6", "tools/call", "\"name\":\"\"," META),
        REQ("7", "tools/call", "\"name\":\"svc_hold\",\"requestState\":{}," META),
        REQ("8", "tools/call", "\"name\":\"svc_hold\",\"inputResponses\":[]," META),
        REQ("9", "prompts/get", "\"name\":\"none\"," META),
        REQ("10", "prompts/get", "\"name\":\"svc_prompt\",\"arguments\":{\"a\":1}," META),
        REQ("11", "resources/read", META),
        REQ("12", "resources/read", "\"uri\":\"test://none\"," META),
        REQ("13", "completion/complete", META),
        REQ("14", "completion/complete", "\"ref\":{},\"argument\":{\"name\":\"a\",\"value\":\"\"}," META),
        REQ("15", "completion/complete",
            "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"none\"},\"argument\":{\"name\":\"a\",\"value\":\"\"}," META),
        REQ("16", "completion/complete",
            "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"svc_prompt\"},\"argument\":{\"name\":\"a\"}," META),
        REQ("17", "completion/complete",
            "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"svc_prompt\"},\"argument\":[]," META),
        REQ("18", "tools/list", "\"cursor\":{}," META),
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        wire_is(fix_ask(&f, bad[i]), "/error/code", "-32602");
    assert_int_equal(fake.n_calls, 0);
    assert_non_null(
        strstr(fix_ask(&f, CALL("20", "\"name\":\"svc_holt\"," META)), "did you mean \\\"svc_hold\\\""));
    fake.deny = "svc_hold"; /* what it may not use is not suggested */
    assert_null(strstr(fix_ask(&f, CALL("21", "\"name\":\"svc_holt\"," META)), "svc_hold"));
    fix_close(&f);
}

/* A tool of a service that has failed: what is said depends on who asks. */
static void test_tools_of_failed_services(void **state) {
    static const char secret_place[] = "/etc/x.json:1:2: environment variable X is not set";
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fake.missing = "web";
    fake.why = secret_place;
    fake.admin = true;
    const char *said = fix_ask(&f, CALL("1", "\"name\":\"web_get\"," META));
    wire_is(said, "/error/code", "-32602");
    assert_non_null(
        strstr(said, "unknown tool \\\"web_get\\\": the service \\\"web\\\" has failed and has no tools: "
                     "/etc/x.json:1:2: environment variable X is not set"));
    fake.admin = false;
    said = fix_ask(&f, CALL("2", "\"name\":\"web_get\"," META));
    assert_non_null(
        strstr(said, "has failed and has no tools: an administrator sees why with plexus status"));
    assert_null(strstr(said, "x.json"));
    fake.why = "";
    assert_non_null(
        strstr(fix_ask(&f, CALL("3", "\"name\":\"web_get\"," META)), "\\\"web\\\" is still starting"));
    fake.deny = "web_*";
    assert_null(strstr(fix_ask(&f, CALL("4", "\"name\":\"web_get\"," META)), "the service"));
    assert_int_equal(fake.n_calls, 0);
    fix_close(&f);
}

static void test_answers_of_tools(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(&f, CALL("1", HOLD "," META));
    fake_reply(fake_call(),
               &(struct px_result){
                   .code = PX_TIMEOUT,
                   .is_error = true,
                   .content_json = PX_LIT("[{\"type\":\"text\",\"text\":\"no answer\"}]"),
                   .structured_json = PX_LIT("{\"error\":{\"code\":\"timeout\"}}"),
                   .meta_json = PX_LIT("{\"plexus/truncated\":{\"bytes\":1},\"plexus/call_id\":\"forged\","
                                       "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"forged\"}}")});
    fix_turn(&f);
    const char *answer = wire_next(&f.wire);
    wire_is(answer, "/result/isError", "true");
    wire_is(answer, "/result/structuredContent/error/code", "\"timeout\"");
    wire_is(answer, "/result/_meta/plexus~1truncated/bytes", "1");
    assert_null(strstr(answer, "forged"));
    /* Structured content that is no object exists only in the modern era. */
    fix_send(&f, CALL("2", HOLD "," META));
    fake_reply(fake_call(),
               &(struct px_result){.content_json = PX_LIT("[]"), .structured_json = PX_LIT("[1]")});
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/structuredContent", "[1]");
    fix_initialize(&f, "2025-11-25");
    fix_send(&f, CALL("3", HOLD));
    fake_reply(fake_call(),
               &(struct px_result){.content_json = PX_LIT("[]"), .structured_json = PX_LIT("[1]")});
    fix_turn(&f);
    assert_null(wire_at(wire_next(&f.wire), "/result/structuredContent"));
    fix_close(&f);
}

/* JSON of a plugin's may stand on several lines; a message may not. */
static void test_a_message_is_one_line(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fake_item(PX_LIST_TOOLS, "svc_lines", "hold",
              "{\r\n  \"name\": \"svc_lines\",\n\"inputSchema\":\n{\"type\":\"object\"}}");
    wire_is(fix_ask(&f, REQ("1", "tools/list", META)), "/result/tools/2/name", "\"svc_lines\"");
    fix_send(&f, CALL("2", HOLD ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                                "\"io.modelcontextprotocol/clientCapabilities\":{},"
                                "\"io.modelcontextprotocol/logLevel\":\"debug\"}"));
    fake_log(fake_call(), PX_LEVEL_INFO, "", "{\n\"a\":\n1}");
    fake_reply(fake_call(), &(struct px_result){.content_json = PX_LIT("[\n]"),
                                                .structured_json = PX_LIT("{\r\n \"s\": \"a\\nb\"\n}"),
                                                .meta_json = PX_LIT("{\n\"m\":\n1\n}")});
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/params/data", "{\"a\":1}");
    wire_is(wire_next(&f.wire), "/result/structuredContent", "{\"s\":\"a\\nb\"}");
    fix_close(&f);
}

/* A tool with an output schema: some legacy clients hold even a failure against it, so there it stands in _meta. */
static void test_failures_of_typed_tools(void **state) {
    static const struct px_result failure = {.code = PX_TIMEOUT,
                                             .is_error = true,
                                             .typed = true,
                                             .content_json = PX_LIT_INIT("[]"),
                                             .structured_json =
                                                 PX_LIT_INIT("{\"error\":{\"code\":\"timeout\"}}")};
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(&f, CALL("1", HOLD "," META));
    fake_reply(fake_call(), &failure);
    fix_turn(&f);
    const char *answer = wire_next(&f.wire);
    wire_is(answer, "/result/structuredContent/error/code", "\"timeout\"");
    assert_null(wire_at(answer, "/result/_meta/plexus~1error"));
    fix_initialize(&f, "2025-11-25");
    fix_send(&f, CALL("2", HOLD));
    fake_reply(fake_call(), &failure);
    fix_turn(&f);
    answer = wire_next(&f.wire);
    wire_is(answer, "/result/isError", "true");
    wire_is(answer, "/result/_meta/plexus~1error/code", "\"timeout\"");
    assert_null(wire_at(answer, "/result/structuredContent"));
    fix_close(&f);
}

#define BLOCKS                                                                                               \
    "[{\"type\":\"audio\",\"data\":\"\",\"mimeType\":\"audio/wav\"},"                                        \
    "{\"type\":\"resource_link\",\"uri\":\"test://a\",\"name\":\"a\"},{\"type\":\"text\",\"text\":\"t\"}]"

/* Kinds of content that a version does not know arrive as text. */
static void test_content_of_old_versions(void **state) {
    static const struct {
        const char *version, *first, *second;
    } cases[] = {{"2024-11-05", "\"text\"", "\"text\""},
                 {"2025-03-26", "\"audio\"", "\"text\""},
                 {"2025-06-18", "\"audio\"", "\"resource_link\""}};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct fix f;
        fix_open(&f);
        offer();
        fix_initialize(&f, cases[i].version);
        fix_send(&f, CALL("1", HOLD));
        fake_reply(fake_call(), &(struct px_result){.content_json = PX_LIT(BLOCKS)});
        fix_turn(&f);
        const char *answer = wire_next(&f.wire);
        wire_is(answer, "/result/content/0/type", cases[i].first);
        wire_is(answer, "/result/content/1/type", cases[i].second);
        wire_is(answer, "/result/content/2", "{\"type\":\"text\",\"text\":\"t\"}");
        fix_close(&f);
    }
}

static void test_prompts_reads_completions(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(&f, REQ("1", "prompts/get", "\"name\":\"svc_prompt\",\"arguments\":{\"a\":\"b\"}," META));
    assert_int_equal(fake_call()->req.kind, PX_CALL_PROMPT);
    assert_true(px_str_is(fake_call()->req.args_json, "{\"a\":\"b\"}"));
    fake_reply(fake_call(),
               &(struct px_result){.result_json =
                                       PX_LIT("{\"messages\":[],\"resultType\":\"forged\",\"_meta\":{}}")});
    fix_turn(&f);
    const char *answer = wire_next(&f.wire);
    wire_is(answer, "/result/messages", "[]");
    wire_is(answer, "/result/resultType", "\"complete\"");

    fix_send(&f, REQ("2", "resources/read", "\"uri\":\"test://t/9\"," META));
    assert_int_equal(fake_call()->req.kind, PX_CALL_READ);
    assert_true(px_str_is(fake_call()->req.uri, "test://t/9"));
    fake_reply(fake_call(),
               &(struct px_result){.result_json =
                                       PX_LIT("{\"contents\":[{\"uri\":\"test://t/9\",\"text\":\"x\"}]}")});
    fix_turn(&f);
    answer = wire_next(&f.wire);
    wire_is(answer, "/result/ttlMs", "0");
    wire_is(answer, "/result/cacheScope", "\"private\"");

    /* Caching hints of the plugin's own are kept, where they are known. */
    fix_send(&f, REQ("3", "resources/read", "\"uri\":\"test://a\"," META));
    fake_reply(fake_call(),
               &(struct px_result){.result_json =
                                       PX_LIT("{\"contents\":[],\"ttlMs\":5,\"cacheScope\":\"public\"}")});
    fix_turn(&f);
    answer = wire_next(&f.wire);
    wire_is(answer, "/result/ttlMs", "5");
    wire_is(answer, "/result/cacheScope", "\"public\"");
    fix_initialize(&f, "2025-11-25");
    fix_send(&f, REQ("4", "resources/read", "\"uri\":\"test://a\""));
    fake_reply(fake_call(),
               &(struct px_result){.result_json =
                                       PX_LIT("{\"contents\":[],\"ttlMs\":5,\"cacheScope\":\"public\"}")});
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/contents", "[]");

    fix_send(&f, REQ("5", "completion/complete",
                     "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"svc_prompt\"},"
                     "\"argument\":{\"name\":\"a\",\"value\":\"b\"},\"context\":{\"arguments\":{}},\"x\":1"));
    assert_int_equal(fake_call()->req.kind, PX_CALL_COMPLETE);
    assert_true(
        px_str_is(fake_call()->req.params_json,
                  "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"svc_prompt\"},\"argument\":{\"name\":\"a\","
                  "\"value\":\"b\"},\"context\":{\"arguments\":{}}}"));
    fake_reply(fake_call(),
               &(struct px_result){.result_json = PX_LIT("{\"completion\":{\"values\":[\"bc\"]}}")});
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/result/completion/values", "[\"bc\"]");
    static const char *const refs[] = {"test://t/{x}", "test://t/5", "test://a"};
    for (size_t i = 0; i < PX_COUNT(refs); i++) {
        char line[512];
        snprintf(
            line, sizeof line,
            "{\"jsonrpc\":\"2.0\",\"id\":\"c%zu\",\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":"
            "\"ref/resource\",\"uri\":\"%s\"},\"argument\":{\"name\":\"x\",\"value\":\"\"}}}",
            i, refs[i]);
        fix_send(&f, line);
        fake_reply(fake_call(), &(struct px_result){.code = PX_NOT_FOUND}); /* it completes nothing */
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/result/completion/values", "[]");
    }
    fix_close(&f);
}

/* What is not a tool has no result that could hold a failure. */
static void test_failures_become_errors(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_initialize(&f, "2025-11-25");
    static const struct {
        int32_t code;
        const char *legacy, *modern;
    } cases[] = {{PX_INVALID_ARGUMENTS, "-32602", "-32602"}, {PX_NOT_FOUND, "-32002", "-32602"},
                 {PX_INTERNAL, "-32603", "-32603"},          {PX_FORBIDDEN, "1003", "1003"},
                 {PX_UNAVAILABLE, "1012", "1012"},           {PX_RATE_LIMITED, "1005", "1005"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct px_result result = {.code = cases[i].code,
                                   .is_error = true,
                                   .error = {.code = cases[i].code,
                                             .flags = PX_ERROR_RETRYABLE,
                                             .message = PX_LIT("because"),
                                             .retry_after_ms = 250,
                                             .advice = PX_LIT("wait"),
                                             .details_json = PX_LIT("{\"d\":1}")}};
        char line[256];
        snprintf(line, sizeof line, REQ("\"l%zu\"", "resources/read", "\"uri\":\"test://a\""), i);
        fix_send(&f, line);
        fake_reply(fake_call(), &result);
        fix_turn(&f);
        const char *answer = wire_next(&f.wire);
        wire_is(answer, "/error/code", cases[i].legacy);
        wire_is(answer, "/error/message", "\"because\"");
        wire_is(answer, "/error/data/uri", "\"test://a\"");
        wire_is(answer, "/error/data/advice", "\"wait\"");
        wire_is(answer, "/error/data/retryable", "true");
        wire_is(answer, "/error/data/retry_after_ms", "250");
        wire_is(answer, "/error/data/details/d", "1");
        char modern[512];
        snprintf(modern, sizeof modern, REQ("\"m%zu\"", "resources/read", "\"uri\":\"test://a\"," META), i);
        fix_send(&f, modern);
        fake_reply(fake_call(), &result);
        fix_turn(&f);
        wire_is(wire_next(&f.wire), "/error/code", cases[i].modern);
    }
    wire_is(fix_ask(&f, REQ("\"u\"", "resources/read", "\"uri\":\"test://none\"")), "/error",
            "{\"code\":-32002,\"message\":\"there is no such resource\",\"data\":{\"uri\":\"test://none\"}}");
    fix_close(&f);
}

static void test_progress_and_log(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(&f, CALL("1",
                      HOLD ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                           "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":\"t\\u00e9\","
                           "\"io.modelcontextprotocol/logLevel\":\"debug\"}"));
    struct fake_call *call = fake_call();
    fake_progress(call, 0, 0, "");
    fake_progress(call, 0, 3, ""); /* does not grow: dropped */
    fake_progress(call, 2, 3, "two");
    fake_progress(call, 1, 3, "");
    fake_log(call, PX_LEVEL_WARNING, "db", "{\"x\":1}");
    fake_log(call, PX_LEVEL_INFO, "", "\"text\"");
    fake_reply_text(call, "done");
    fix_turn(&f);
    const char *m = wire_next(&f.wire);
    wire_is(m, "/params", "{\"progressToken\":\"t\\u00e9\",\"progress\":0}");
    assert_string_equal(wire_at(m, "/params/progressToken"), "\"t\\u00e9\"");
    wire_is(wire_next(&f.wire), "/params",
            "{\"progressToken\":\"t\\u00e9\",\"progress\":2,\"total\":3,\"message\":\"two\"}");
    wire_is(wire_next(&f.wire), "/params", "{\"level\":\"warning\",\"logger\":\"db\",\"data\":{\"x\":1}}");
    wire_is(wire_next(&f.wire), "/params", "{\"level\":\"info\",\"data\":\"text\"}");
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"done\"");
    /* Nobody asked: nobody is told. */
    fix_send(&f, CALL("2", HOLD "," META));
    fake_progress(fake_call(), 1, 2, "");
    fake_reply_text(fake_call(), "x");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "2");
    fix_close(&f);
}

/* The number has to grow although nothing was done. */
static void test_waiting_is_progress(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fix_send(&f, CALL("1", HOLD ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                                "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":7}"));
    struct fake_call *call = fake_call();
    fake_waiting(call, "rate limit: 3.2 s");
    fake_waiting(call, "rate limit: 1.0 s");
    fake_waiting(call, "a place");
    fake_progress(call, 2, 3, "two");
    fake_waiting(call, "retry: 0.4 s");
    fake_progress(call, 3, 3, "three");
    fake_progress(call, (uint64_t)1 << 40, 0, "far");
    fake_waiting(call, "no number lies between"); /* as a double */
    fake_reply_text(call, "done");
    fix_turn(&f);
    static const char *const told[] = {
        "{\"progressToken\":7,\"progress\":0,\"message\":\"rate limit: 3.2 s\"}",
        "{\"progressToken\":7,\"progress\":0.000001,\"message\":\"rate limit: 1.0 s\"}",
        "{\"progressToken\":7,\"progress\":0.000002,\"message\":\"a place\"}",
        "{\"progressToken\":7,\"progress\":2,\"total\":3,\"message\":\"two\"}",
        "{\"progressToken\":7,\"progress\":2.000001,\"message\":\"retry: 0.4 s\"}",
        "{\"progressToken\":7,\"progress\":3,\"total\":3,\"message\":\"three\"}",
        "{\"progressToken\":7,\"progress\":1099511627776,\"message\":\"far\"}"};
    for (size_t i = 0; i < PX_COUNT(told); i++)
        wire_is(wire_next(&f.wire), "/params", told[i]);
    wire_is(wire_next(&f.wire), "/result/content/0/text", "\"done\"");
    fix_send(&f, CALL("2", HOLD "," META));
    fake_waiting(fake_call(), "nobody asked");
    fake_reply_text(fake_call(), "x");
    fix_turn(&f);
    wire_is(wire_next(&f.wire), "/id", "2");
    fix_close(&f);
}

/* ---- input_required ---- */

#define CAPS(c)                                                                                              \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":" c "}"

static const char *ask_for(struct fix *f, const char *line, const char *requests) {
    fix_send(f, line);
    fake_reply(fake_call(), &(struct px_result){.asks = true,
                                                .requests_json = px_str_of(requests),
                                                .request_state = PX_LIT("sealed")});
    fix_turn(f);
    return wire_next(&f->wire);
}

#define FORM                                                                                                 \
    "{\"f\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}}"
#define URL                                                                                                  \
    "{\"u\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"?\",\"url\":\"https://e.example/\",\"elicitationId\":\"1\"}}}"
#define SAMPLE "{\"s\":{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":1}}}"
#define SAMPLE_TOOLS                                                                                         \
    "{\"s\":{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":1,\"tools\":[]}}}"
#define ROOTS "{\"r\":{\"method\":\"roots/list\"}}"

static void test_asking_the_client(void **state) {
    static const struct {
        const char *line, *requests, *missing;
    } cases[] = {
        {CALL("1", HOLD "," CAPS("{\"elicitation\":{}}")), FORM, NULL},
        {CALL("2", HOLD "," CAPS("{\"elicitation\":{\"form\":{}}}")), FORM, NULL},
        {CALL("3", HOLD "," CAPS("{\"elicitation\":{\"url\":{}}}")), FORM, "{\"elicitation\":{\"form\":{}}}"},
        {CALL("4", HOLD "," CAPS("{}")), FORM, "{\"elicitation\":{\"form\":{}}}"},
        {CALL("5", HOLD "," CAPS("{\"elicitation\":{}}")), URL, "{\"elicitation\":{\"url\":{}}}"},
        {CALL("6", HOLD "," CAPS("{\"elicitation\":{\"url\":{}}}")), URL, NULL},
        {CALL("7", HOLD "," CAPS("{}")), SAMPLE, "{\"sampling\":{}}"},
        {CALL("8", HOLD "," CAPS("{\"sampling\":{}}")), SAMPLE, NULL},
        {CALL("9", HOLD "," CAPS("{\"sampling\":{}}")), SAMPLE_TOOLS, "{\"sampling\":{\"tools\":{}}}"},
        {CALL("10", HOLD "," CAPS("{}")), SAMPLE_TOOLS, "{\"sampling\":{\"tools\":{}}}"},
        {CALL("11", HOLD "," CAPS("{\"sampling\":{\"tools\":{}}}")), SAMPLE_TOOLS, NULL},
        {CALL("12", HOLD "," CAPS("{}")), ROOTS, "{\"roots\":{}}"},
        {CALL("13", HOLD "," CAPS("{\"roots\":{}}")), ROOTS, NULL},
        {CALL("14", HOLD "," META),
         "{\"r\":{\"method\":\"roots/list\"},\"s\":{\"method\":\"sampling/createMessage\"}}",
         "{\"sampling\":{},\"roots\":{}}"},
    };
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const char *answer = ask_for(&f, cases[i].line, cases[i].requests);
        if (cases[i].missing) {
            wire_is(answer, "/error/code", "-32021");
            wire_is(answer, "/error/data/requiredCapabilities", cases[i].missing);
        } else {
            wire_is(answer, "/result/resultType", "\"input_required\"");
            wire_is(answer, "/result/inputRequests", cases[i].requests);
            wire_is(answer, "/result/requestState", "\"sealed\"");
            assert_null(wire_at(answer, "/result/content"));
        }
    }
    /* State alone needs nothing of the client. */
    fix_send(&f, CALL("20", HOLD "," META));
    fake_reply(fake_call(), &(struct px_result){.asks = true, .request_state = PX_LIT("s")});
    fix_turn(&f);
    const char *answer = wire_next(&f.wire);
    wire_is(answer, "/result/requestState", "\"s\"");
    assert_null(wire_at(answer, "/result/inputRequests"));
    /* Prompts and reads may ask as well. */
    wire_is(ask_for(&f, REQ("21", "prompts/get", "\"name\":\"svc_prompt\"," CAPS("{\"roots\":{}}")), ROOTS),
            "/result/resultType", "\"input_required\"");
    wire_is(ask_for(&f, REQ("22", "resources/read", "\"uri\":\"test://a\"," CAPS("{\"roots\":{}}")), ROOTS),
            "/result/resultType", "\"input_required\"");
    fix_close(&f);
}

static void test_a_gate_that_refuses(void **state) {
    struct fix f;
    (void)state;
    fix_open(&f);
    offer();
    fake.call_error = -ESHUTDOWN;
    wire_is(fix_ask(&f, CALL("1", HOLD "," META)), "/error/code", "1012");
    fake.call_error = -ENOMEM;
    wire_is(fix_ask(&f, CALL("1", HOLD "," META)), "/error/code", "1013");
    assert_int_equal(px_mcp_peer_in_flight(f.peer), 0);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_in_both_eras),
        cmocka_unit_test(test_what_the_gate_gets),
        cmocka_unit_test(test_many_params),
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_tools_of_failed_services),
        cmocka_unit_test(test_answers_of_tools),
        cmocka_unit_test(test_a_message_is_one_line),
        cmocka_unit_test(test_failures_of_typed_tools),
        cmocka_unit_test(test_content_of_old_versions),
        cmocka_unit_test(test_prompts_reads_completions),
        cmocka_unit_test(test_failures_become_errors),
        cmocka_unit_test(test_progress_and_log),
        cmocka_unit_test(test_waiting_is_progress),
        cmocka_unit_test(test_asking_the_client),
        cmocka_unit_test(test_a_gate_that_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
