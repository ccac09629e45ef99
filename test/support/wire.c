#include "support/wire.h"
#include "json/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const versions[] = {"none",       "2024-11-05", "2025-03-26",
                                       "2025-06-18", "2025-11-25", "2026-07-28"};

static void wrong(px_str line, const char *format, ...) PX_PRINTF(2, 3);
static void wrong(px_str line, const char *format, ...) {
    char words[600];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    fail_msg("%s: %.*s", words, (int)PX_MIN(line.n, (uint64_t)1000), line.p);
}

/* ---- the specification's schemas ---- */

struct checked {
    const char *def;
    enum wire_version version;
    struct px_schema *schema;
};
static struct checked cache[256];
static size_t n_cached;

static char *read_file(const char *path) {
    FILE *f = fopen(path, "re");
    char *text = NULL;
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    if (n > 0 && (text = calloc(1, (size_t)n + 1)) && fread(text, 1, (size_t)n, f) != (size_t)n)
        *text = 0;
    fclose(f);
    return text;
}

static const char *schema_dir(void) {
    const char *dir = getenv("PX_MCP_SCHEMAS");
    return dir && *dir ? dir : PX_SOURCE_DIR "/../shared/mcp";
}

/* Read before a test takes away the last descriptor. */
static char *texts[PX_COUNT(versions)];

static char *read_schema(enum wire_version version) {
    const char *dir = schema_dir();
    char path[1024];
    snprintf(path, sizeof path, "%s/schema-%s.json", dir, versions[version]);
    char *text = read_file(path);
    if (text)
        return text;
    snprintf(path, sizeof path, "%s/%s/schema.json", dir, versions[version]);
    return read_file(path);
}

static const char *schema_text(enum wire_version version) {
    if (!texts[version])
        texts[version] = read_schema(version);
    return texts[version];
}

/* Where everything is tested, that is a failure, but for the oldest two, which need not be there; elsewhere it is said once
 * a program and version. */
static void missing(enum wire_version version) {
    static bool said[PX_COUNT(versions)];
    const char *ci = getenv("CI"), *dir = schema_dir();
    if (ci && strcmp(ci, "true") == 0 && version >= WIRE_2025_06_18)
        fail_msg("no schema of %s in %s: set PX_MCP_SCHEMAS", versions[version], dir);
    if (!said[version])
        print_message(
            "[  SKIPPED ] messages of %s are not checked against its schema: none in %s (PX_MCP_SCHEMAS)\n",
            versions[version], dir);
    said[version] = true;
}

static struct px_schema *compile(enum wire_version version, const char *def) {
    const char *text = schema_text(version);
    char root[256];
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    if (!text) {
        missing(version);
        return NULL;
    }
    snprintf(root, sizeof root, "{\"$ref\":\"urn:mcp:%s#/%s/%s\"}", versions[version],
             strstr(text, "\"$defs\"") ? "$defs" : "definitions", def);
    const struct px_schema_doc doc = {PX_LIT("urn:mcp:"), px_str_of(text)};
    char uri[64];
    snprintf(uri, sizeof uri, "urn:mcp:%s", versions[version]);
    struct px_schema_doc docs[] = {{px_str_of(uri), doc.text}};
    const struct px_schema_opts opts = {
        .draft = version < WIRE_2025_11_25 ? PX_SCHEMA_07 : PX_SCHEMA_2020_12, .docs = docs, .n_docs = 1};
    if (px_schema_compile(px_str_of(root), &opts, &schema, &err))
        fail_msg("schema %s %s: %s", versions[version], def, err.msg);
    return schema;
}

static const struct px_schema *schema_of(enum wire_version version, const char *def) {
    for (size_t i = 0; i < n_cached; i++) {
        if (cache[i].version == version && strcmp(cache[i].def, def) == 0)
            return cache[i].schema;
    }
    struct px_schema *schema = compile(version, def);
    assert_true(n_cached < PX_COUNT(cache));
    cache[n_cached++] = (struct checked){def, version, schema};
    return schema;
}

static void check_schema(px_str line, const struct px_json *node, enum wire_version version,
                         const char *def) {
    struct px_schema_report report;
    const struct px_schema *schema = version == WIRE_NONE || !def ? NULL : schema_of(version, def);
    if (!schema || px_schema_validate(schema, node, &report) == 0)
        return;
    wrong(line, "not a %s of %s: at \"%s\": %s", def, versions[version],
          report.n ? report.problems[0].path : "?", report.n ? report.problems[0].message : "?");
}

static const struct {
    const char *method, *result;
} results[] = {
    {"initialize", "InitializeResult"},
    {"server/discover", "DiscoverResult"},
    {"ping", "EmptyResult"},
    {"logging/setLevel", "EmptyResult"},
    {"resources/subscribe", "EmptyResult"},
    {"resources/unsubscribe", "EmptyResult"},
    {"tools/list", "ListToolsResult"},
    {"prompts/list", "ListPromptsResult"},
    {"resources/list", "ListResourcesResult"},
    {"resources/templates/list", "ListResourceTemplatesResult"},
    {"tools/call", "CallToolResult"},
    {"prompts/get", "GetPromptResult"},
    {"resources/read", "ReadResourceResult"},
    {"completion/complete", "CompleteResult"},
    {"subscriptions/listen", "SubscriptionsListenResult"},
};
static const struct {
    const char *method, *def;
} notifications[] = {
    {"notifications/progress", "ProgressNotification"},
    {"notifications/message", "LoggingMessageNotification"},
    {"notifications/cancelled", "CancelledNotification"},
    {"notifications/tools/list_changed", "ToolListChangedNotification"},
    {"notifications/prompts/list_changed", "PromptListChangedNotification"},
    {"notifications/resources/list_changed", "ResourceListChangedNotification"},
    {"notifications/resources/updated", "ResourceUpdatedNotification"},
    {"notifications/subscriptions/acknowledged", "SubscriptionsAcknowledgedNotification"},
};

/* ---- small helpers ---- */

static const struct px_json *get(const struct px_json *node, const char *key) {
    return node ? px_json_get(node, key) : NULL;
}

static bool text_is(const struct px_json *node, const char *text) {
    return px_json_type(node) == PX_JSON_STRING && px_str_is(px_json_text(node), text);
}

/* The raw text of an id, as it stands in the message. */
static px_str raw_at(px_str message, const char *pointer) {
    px_str raw = {0};
    if (px_json_slice_at(message, px_str_of(pointer), &raw))
        return (px_str){0};
    return raw;
}

static struct wire_req *find(struct wire *w, px_str id) {
    for (size_t i = w->n_reqs; i-- > 0;) {
        if (px_str_is(id, w->reqs[i].id))
            return &w->reqs[i];
    }
    return NULL;
}

void wire_init(struct wire *w) {
    *w = (struct wire){0};
    for (enum wire_version version = WIRE_2025_06_18; version <= WIRE_2026_07_28; version++)
        schema_text(version);
}

void wire_finish(struct wire *w) {
    for (size_t i = 0; i < w->n_reqs; i++) {
        free(w->reqs[i].id);
        free(w->reqs[i].method);
        free(w->reqs[i].token);
    }
    for (size_t i = 0; i < w->n; i++)
        free(w->messages[i]);
    for (size_t i = 0; i < n_cached; i++)
        px_schema_destroy(cache[i].schema);
    n_cached = 0;
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        free(texts[i]);
        texts[i] = NULL;
    }
    *w = (struct wire){0};
}

/* ---- what the planner sends ---- */

static void sent_cancel(struct wire *w, px_str message) {
    px_str id = raw_at(message, "/params/requestId");
    struct wire_req *req = id.p ? find(w, id) : NULL;
    if (req && !req->answered)
        req->cancelled = true;
}

static void sent_one(struct wire *w, px_str message) {
    px_str id = raw_at(message, "/id"), method = raw_at(message, "/method");
    px_str token = raw_at(message, "/params/_meta/progressToken"), version;
    if (px_json_slice_is(method, PX_LIT("notifications/cancelled")))
        sent_cancel(w, message);
    struct wire_req *old = id.p ? find(w, id) : NULL;
    if (!id.p || method.n < 2 || (old && !old->answered && !old->cancelled))
        return;
    assert_true(w->n_reqs < WIRE_REQS);
    struct wire_req *req = &w->reqs[w->n_reqs++];
    req->id = px_str_dup(id);
    struct px_arena arena;
    px_str name = {0};
    px_arena_init(&arena, 1 << 20);
    if (px_json_slice_text(&arena, method, &name) == 0)
        req->method = px_str_dup(name);
    px_arena_finish(&arena);
    req->method = req->method ? req->method : px_str_dup(PX_LIT(""));
    req->token = token.p ? px_str_dup(token) : NULL;
    req->version = w->legacy;
    if (px_json_slice_at(message, PX_LIT("/params/_meta/io.modelcontextprotocol~1protocolVersion"),
                         &version) == 0)
        req->version = WIRE_2026_07_28;
}

void wire_sent(struct wire *w, px_str line) {
    struct px_json_scan scan;
    px_str message;
    uint64_t at = 0;
    if (px_json_scan(line, NULL, &scan, NULL, NULL))
        return;
    if (px_json_slice_type(scan.value) == PX_JSON_OBJECT)
        sent_one(w, scan.value);
    if (px_json_slice_type(scan.value) != PX_JSON_ARRAY)
        return;
    while (px_json_slice_next(scan.value, &at, NULL, &message) == 1) {
        if (px_json_slice_type(message) == PX_JSON_OBJECT)
            sent_one(w, message);
    }
}

/* ---- what the host sends ---- */

static void got_notification(struct wire *w, px_str line, const struct px_json *message) {
    const struct px_json *params = get(message, "params"), *meta = get(params, "_meta");
    px_str method = px_json_text(get(message, "method"));
    px_str subscription = raw_at(line, "/params/_meta/io.modelcontextprotocol~1subscriptionId");
    struct wire_req *listen = subscription.p ? find(w, subscription) : NULL;
    enum wire_version version = listen ? listen->version : w->legacy;
    (void)meta;
    if (get(message, "id"))
        wrong(line, "a request from the host");
    if (subscription.p && (!listen || strcmp(listen->method, "subscriptions/listen") != 0))
        wrong(line, "no such subscription");
    if (listen && listen->cancelled)
        wrong(line, "a message on a subscription that was cancelled");
    bool acknowledges = px_str_is(method, "notifications/subscriptions/acknowledged");
    if (listen && acknowledges == listen->acknowledged)
        wrong(line, acknowledges ? "acknowledged twice" : "not acknowledged first");
    if (listen)
        listen->acknowledged = true;
    if (px_str_is(method, "notifications/progress")) {
        px_str token = raw_at(line, "/params/progressToken");
        struct wire_req *req = NULL;
        for (size_t i = 0; i < w->n_reqs && !req; i++) {
            struct wire_req *r = &w->reqs[i];
            if (r->token && px_str_is(token, r->token) && !r->answered && !r->cancelled)
                req = r;
        }
        if (!req)
            wrong(line, "progress of nothing that runs");
        double progress = px_json_number(get(params, "progress"), NULL);
        if (req->progressed && progress <= req->progress)
            wrong(line, "progress does not grow");
        req->progressed = true;
        req->progress = progress;
        version = req->version;
    }
    if (px_str_is(method, "notifications/message") && version == WIRE_NONE)
        version = WIRE_2026_07_28;
    if (!subscription.p && version == WIRE_NONE && !px_str_starts(method, PX_LIT("notifications/plexus/")))
        wrong(line, "nobody asked for this");
    for (size_t i = 0; i < PX_COUNT(notifications); i++) {
        if (px_str_is(method, notifications[i].method)) {
            check_schema(line, message, version, notifications[i].def);
            return;
        }
    }
    if (!px_str_starts(method, PX_LIT("notifications/plexus/")))
        wrong(line, "no notification of MCP");
}

static void check_result(px_str line, const struct wire_req *req, const struct px_json *result) {
    bool modern = req->version == WIRE_2026_07_28, own = strncmp(req->method, "plexus/", 7) == 0;
    const struct px_json *info = get(get(result, "_meta"), "io.modelcontextprotocol/serverInfo");
    const char *def = NULL;
    if (px_json_type(result) != PX_JSON_OBJECT)
        wrong(line, "a result must be an object");
    if (modern && (px_json_type(get(result, "resultType")) != PX_JSON_STRING || !get(info, "version")))
        wrong(line, "a modern result without resultType or serverInfo");
    if (!modern && (get(result, "resultType") || get(result, "ttlMs") || get(result, "cacheScope") || info))
        wrong(line, "a legacy result with modern members");
    for (size_t i = 0; i < PX_COUNT(results); i++) {
        if (strcmp(results[i].method, req->method) == 0)
            def = results[i].result;
    }
    if (!def && !own)
        wrong(line, "a result of an unknown method");
    if (text_is(get(result, "resultType"), "input_required"))
        def = "InputRequiredResult";
    check_schema(line, result, req->version, def);
}

static void got_answer(struct wire *w, px_str line, const struct px_json *message) {
    const struct px_json *result = get(message, "result"), *error = get(message, "error");
    px_str id = raw_at(line, "/id");
    struct wire_req *req = id.p ? find(w, id) : NULL;
    if (!result == !error)
        wrong(line, "either a result or an error");
    if (error &&
        (px_json_type(get(error, "message")) != PX_JSON_STRING || !px_json_is_integer(get(error, "code"))))
        wrong(line, "an error has a code and a message");
    if (error && !req && (!id.p || px_str_is(id, "null"))) {
        bool null_wanted = w->legacy != WIRE_NONE && w->legacy < WIRE_2025_11_25;
        if (null_wanted != (id.p != NULL))
            wrong(line, "an id that this version does not have here");
        return;
    }
    int64_t code = 0;
    if (error && px_json_i64(get(error, "code"), &code) == 0 && code == -32600)
        return; /* of what was no request, or of a second one with this id */
    if (!req)
        wrong(line, "an answer to nothing");
    if (req->cancelled)
        wrong(line, "an answer to what was cancelled");
    if (req->answered)
        wrong(line, "a second answer");
    req->answered = true;
    if (result)
        check_result(line, req, result);
    else
        check_schema(line, message, req->version,
                     req->version < WIRE_2025_11_25 ? "JSONRPCError" : "JSONRPCErrorResponse");
    if (result && strcmp(req->method, "initialize") == 0) {
        for (int v = WIRE_2024_11_05; v < WIRE_2026_07_28; v++) {
            if (text_is(get(result, "protocolVersion"), versions[v]))
                w->legacy = (enum wire_version)v;
        }
    }
}

static void got_one(struct wire *w, px_str line, const struct px_json *message) {
    if (px_json_type(message) != PX_JSON_OBJECT || !text_is(get(message, "jsonrpc"), "2.0"))
        wrong(line, "not a JSON-RPC message");
    if (get(message, "method"))
        got_notification(w, line, message);
    else
        got_answer(w, line, message);
}

static void keep(struct wire *w, px_str line) {
    assert_true(w->n < WIRE_MESSAGES);
    w->messages[w->n++] = px_str_dup(line);
}

void wire_got(struct wire *w, px_str line) {
    struct px_arena arena;
    const struct px_json *message;
    struct px_err err = {0};
    px_str one;
    uint64_t at = 0;
    px_arena_init(&arena, (size_t)512 << 20);
    if (memchr(line.p, '\n', line.n) || memchr(line.p, '\r', line.n) ||
        px_json_parse(&arena, line, NULL, &message, NULL, &err))
        wrong(line, "not a line of JSON (%s)", err.msg);
    if (px_json_type(message) == PX_JSON_ARRAY) {
        if (w->legacy != WIRE_2025_03_26)
            wrong(line, "a batch, in a version that has none");
        const struct px_json *each = px_json_first(message);
        for (; px_json_slice_next(line, &at, NULL, &one) == 1; each = px_json_next(each)) {
            got_one(w, one, each);
            keep(w, one);
        }
    } else {
        got_one(w, line, message);
        keep(w, line);
    }
    px_arena_finish(&arena);
}

/* ---- looking at it ---- */

const char *wire_next(struct wire *w) {
    return w->next < w->n ? w->messages[w->next++] : NULL;
}

const char *wire_answer(struct wire *w, const char *id) {
    const char *message;
    while ((message = wire_next(w))) {
        if (px_str_is(raw_at(px_str_of(message), "/id"), id))
            return message;
    }
    return NULL;
}

size_t wire_left(const struct wire *w) {
    return w->n - w->next;
}

const char *wire_at(const char *message, const char *pointer) {
    static char *kept[8];
    static unsigned next;
    px_str raw = raw_at(px_str_of(message), pointer);
    if (!raw.p)
        return NULL;
    char **slot = &kept[next++ % PX_COUNT(kept)];
    free(*slot);
    *slot = px_str_dup(raw);
    return *slot;
}

void wire_is_(const char *message, const char *pointer, const char *json, const char *file, int line) {
    struct px_arena arena;
    const struct px_json *is = NULL, *wanted = NULL;
    if (!message) {
        print_error("%s:%d: there is no message\n", file, line);
        _fail(file, line);
        return;
    }
    px_str raw = raw_at(px_str_of(message), pointer);
    px_arena_init(&arena, (size_t)256 << 20);
    bool fine = raw.p && px_json_parse(&arena, raw, NULL, &is, NULL, NULL) == 0 &&
                px_json_parse(&arena, px_str_of(json), NULL, &wanted, NULL, NULL) == 0 &&
                px_json_equal(is, wanted);
    px_arena_finish(&arena);
    if (fine)
        return;
    print_error("%s is not %s in %.1000s\n", pointer, json, message);
    _fail(file, line);
}
