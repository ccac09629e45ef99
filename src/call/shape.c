/* From a plugin's answer to what a planner gets: checked, redacted, within the budget. */
#include "base/log.h"
#include "base/redact.h"
#include "call/private.h"
#include "json/write.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- failures ---- */

struct px_error px_failure(struct px_call *call, int32_t code, px_str advice, const char *format, ...) {
    char words[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(words, sizeof words, format, args);
    va_end(args);
    px_str message = px_str_n(words, n < 0 ? 0 : PX_MIN((size_t)n, sizeof words - 1));
    message.n = px_str_cut_utf8(message, message.n);
    return (struct px_error){.size = sizeof(struct px_error),
                             .code = code,
                             .flags = px_code_retryable(code) ? PX_ERROR_RETRYABLE : 0,
                             .message = px_arena_str(&call->scope->arena, message),
                             .advice = advice};
}

static px_str redacted(struct px_arena *arena, px_str text) {
    if (!px_redact_hits(text))
        return text;
    struct px_buf clean;
    px_buf_init(&clean, text.n * 2 + 64);
    px_redact_append(&clean, text);
    px_str copy = clean.failed ? PX_LIT("\"[redacted]\"") : px_arena_str(arena, px_buf_view(&clean));
    px_buf_finish(&clean);
    return copy.p ? copy : PX_LIT("\"[redacted]\"");
}

/* Moves what was written into the call's memory. */
static px_str take(struct px_call *call, struct px_buf *buf, px_str otherwise) {
    px_str copy = buf->failed ? (px_str){0} : px_arena_str(&call->scope->arena, px_buf_view(buf));
    px_buf_finish(buf);
    return copy.p ? copy : otherwise;
}

static void write_error(struct px_jw *w, const struct px_error *error) {
    px_jw_object(w);
    px_jw_key(w, "error");
    px_jw_object(w);
    px_jw_key(w, "code");
    px_jw_text(w, px_code_name(error->code));
    px_jw_key(w, "message");
    px_jw_str(w, error->message.p ? error->message : PX_LIT("the plugin gave no words"));
    px_jw_key(w, "retryable");
    px_jw_bool(w, error->flags & PX_ERROR_RETRYABLE);
    if (error->retry_after_ms > 0) {
        px_jw_key(w, "retry_after_ms");
        px_jw_i64(w, error->retry_after_ms);
    }
    if (error->advice.n) {
        px_jw_key(w, "advice");
        px_jw_str(w, error->advice);
    }
    if (error->details_json.p) {
        px_jw_key(w, "details");
        px_jw_raw(w, error->details_json);
    }
    px_jw_object_end(w);
    px_jw_object_end(w);
}

static px_str text_block(struct px_call *call, px_str text) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, text.n * 6 + 256);
    px_jw_init(&w, &buf);
    px_jw_array(&w);
    px_jw_object(&w);
    px_jw_key(&w, "type");
    px_jw_text(&w, "text");
    px_jw_key(&w, "text");
    px_jw_str(&w, text);
    px_jw_object_end(&w);
    px_jw_array_end(&w);
    return take(call, &buf, PX_LIT("[]"));
}

void px_shape_failure(struct px_call *call, const struct px_error *given) {
    struct px_arena *arena = &call->scope->arena;
    struct px_error error = *given;
    struct px_json_scan scan;
    struct px_buf buf;
    struct px_jw w;
    if (error.details_json.p && (px_json_scan(error.details_json, NULL, &scan, NULL, NULL) ||
                                 px_json_slice_type(scan.value) != PX_JSON_OBJECT))
        error.details_json = (px_str){0};
    error.message = redacted(arena, error.message);
    error.advice = redacted(arena, error.advice);
    if (px_redact_hits(error.details_json))
        error.details_json = (px_str){0};
    px_buf_init(&buf, 256 * 1024);
    px_jw_init(&w, &buf);
    write_error(&w, &error);
    call->result =
        (struct px_result){.id = px_str_of(call->id), .code = error.code, .is_error = true, .error = error};
    call->result.structured_json =
        take(call, &buf, PX_LIT("{\"error\":{\"code\":\"internal\",\"message\":\"no memory\"}}"));
    px_str words = px_arena_fmt(arena, "%s: " PX_FMT "%s" PX_FMT, px_code_name(error.code),
                                PX_ARG(error.message), error.advice.n ? " " : "", PX_ARG(error.advice));
    call->result.content_json = text_block(call, words);
}

static void plugin_is_wrong(struct px_call *call, const char *what) {
    const char *plugin = call->item->service.p;
    px_log(PX_LOG_ERROR, "call", "a plugin's answer was refused", PX_KV("service", plugin),
           PX_KS("tool", call->item->name), PX_KV("why", what));
    struct px_error error =
        px_failure(call, PX_INTERNAL, PX_LIT("This is a defect of the service's plugin; tell its author."),
                   "the plugin of service " PX_FMT " gave an answer that cannot be used: %s",
                   PX_ARG(call->item->service), what);
    px_shape_failure(call, &error);
}

/* ---- replies ---- */

/* Strict JSON, without white space around; then, when there is one, the schema. */
static bool acceptable(struct px_call *call, px_str *json, const struct px_schema *schema, const char *what) {
    struct px_json_scan scan;
    const struct px_json *tree;
    struct px_schema_report report;
    struct px_err err;
    char words[360];
    if (px_json_scan(*json, NULL, &scan, NULL, &err)) {
        snprintf(words, sizeof words, "%s: %s", what, err.msg);
        plugin_is_wrong(call, words);
        return false;
    }
    *json = scan.value;
    if (!schema)
        return true;
    if (px_json_parse_scanned(&call->scope->arena, &scan, &tree, &err)) {
        snprintf(words, sizeof words, "%s: %s", what, err.msg);
        plugin_is_wrong(call, words);
        return false;
    }
    if (px_schema_validate(schema, tree, &report) == 0)
        return true;
    snprintf(words, sizeof words, "%s%.120s: %.200s", what, report.n ? report.problems[0].path : "",
             report.n ? report.problems[0].message : "does not fit its schema");
    plugin_is_wrong(call, words);
    return false;
}

/* Redaction may have spoilt a number that looked like a secret; then the whole value is withheld. */
static px_str redacted_json(struct px_call *call, px_str json, const char *otherwise) {
    struct px_json_scan scan;
    if (!px_redact_hits(json))
        return json;
    px_str clean = redacted(&call->scope->arena, json);
    return px_json_scan(clean, NULL, &scan, NULL, NULL) ? px_str_of(otherwise) : clean;
}

static void add_meta(struct px_call *call, px_str plugin_meta, const struct px_cut *cut) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, plugin_meta.n * 2 + 1024);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    uint64_t pos = 0;
    px_str key, value, text;
    while (plugin_meta.p && px_json_slice_next(plugin_meta, &pos, &key, &value) == 1) {
        if (px_json_slice_text(&call->scope->arena, key, &text))
            continue;
        px_jw_key_str(&w, text);
        px_jw_raw(&w, value);
    }
    if (cut->done) {
        px_jw_key(&w, "plexus/truncated");
        px_jw_object(&w);
        px_jw_key(&w, "kept_items");
        px_jw_u64(&w, cut->kept);
        px_jw_key(&w, "dropped_items");
        px_jw_u64(&w, cut->dropped);
        px_jw_key(&w, "bytes");
        px_jw_u64(&w, cut->bytes);
        px_jw_key(&w, "advice");
        px_jw_text(
            &w, "Ask for less (a smaller page, fewer columns), or pass a larger plexus/max_bytes in _meta.");
        px_jw_object_end(&w);
    }
    px_jw_object_end(&w);
    if (cut->done || plugin_meta.p)
        call->result.meta_json = take(call, &buf, (px_str){0});
    else
        px_buf_finish(&buf);
}

static px_str with_notice(struct px_call *call, px_str text, const struct px_cut *cut) {
    if (!cut->done)
        return text;
    return px_arena_fmt(
        &call->scope->arena,
        PX_FMT "%s[cut: %llu items are shown, %llu more were left out (%llu bytes in all). Ask for less, or "
               "pass a larger plexus/max_bytes.]",
        PX_ARG(text), text.n && text.p[text.n - 1] == '\n' ? "" : "\n", (unsigned long long)cut->kept,
        (unsigned long long)cut->dropped, (unsigned long long)cut->bytes);
}

static void too_large(struct px_call *call, uint64_t bytes) {
    struct px_error error = px_failure(
        call, PX_TOO_LARGE, PX_LIT("Ask for less, or pass a larger plexus/max_bytes in _meta."),
        "the result has %llu bytes, the budget is %llu, and there is no list in it that could be cut",
        (unsigned long long)bytes, (unsigned long long)call->req.result_bytes);
    px_shape_failure(call, &error);
}

static void shape_tool(struct px_call *call, struct px_reply *reply) {
    bool is_error = reply->flags & PX_REPLY_IS_ERROR;
    struct px_arena *arena = &call->scope->arena;
    struct px_cut cut = {0};
    px_str structured = reply->structured_json, content = reply->content_json;
    if (!structured.p && !content.p && !reply->text.p) {
        plugin_is_wrong(call, "it is empty: structured_json, content_json or text must be there");
        return;
    }
    if (!structured.p && call->item->output && !is_error) {
        plugin_is_wrong(call, "structured_json is missing, and the tool has an output schema");
        return;
    }
    if (structured.p &&
        !acceptable(call, &structured, is_error ? NULL : call->item->output, "structured_json"))
        return;
    if (content.p && !acceptable(call, &content, call->gate->content, "content_json"))
        return;
    uint64_t budget = call->req.result_bytes;
    if (structured.p) {
        structured = redacted_json(call, structured, "{\"redacted\":true}");
        if (px_budget_cut(arena, structured, budget, &structured, &cut)) {
            too_large(call, structured.n);
            return;
        }
    }
    if (content.p) {
        struct px_cut content_cut;
        content = redacted_json(call, content, "[]");
        if (px_budget_cut(arena, content, budget, &content, &content_cut)) {
            too_large(call, content.n);
            return;
        }
        if (!cut.done)
            cut = content_cut;
    } else {
        px_str text = structured;
        if (reply->text.p) {
            struct px_cut text_cut;
            text = px_budget_cut_text(redacted(arena, reply->text), budget, &text_cut);
            if (!cut.done)
                cut = text_cut;
        }
        content = text_block(call, with_notice(call, text, &cut));
    }
    call->result.structured_json = structured;
    call->result.content_json = content;
    call->result.is_error = is_error;
    add_meta(call, reply->meta_json, &cut);
}

void px_shape_reply(struct px_call *call) {
    struct px_reply *reply = &call->run.reply;
    const struct px_gate *gate = call->gate;
    struct px_cut none = {0};
    call->result = (struct px_result){.id = px_str_of(call->id)};
    if (reply->meta_json.p && (!acceptable(call, &reply->meta_json, NULL, "meta_json")))
        return;
    if (reply->meta_json.p && px_json_slice_type(reply->meta_json) != PX_JSON_OBJECT) {
        plugin_is_wrong(call, "meta_json: expected an object");
        return;
    }
    if (call->req.kind == PX_CALL_TOOL) {
        shape_tool(call, reply);
        return;
    }
    const struct px_schema *schema = call->req.kind == PX_CALL_PROMPT ? gate->prompt
                                     : call->req.kind == PX_CALL_READ ? gate->read
                                                                      : gate->complete;
    px_str result = reply->result_json.p ? reply->result_json : PX_LIT("null");
    if (!acceptable(call, &result, schema, "result_json"))
        return;
    result = redacted_json(call, result, "{}");
    if (result.n > gate->limits.max_result_bytes) {
        too_large(call, result.n);
        return;
    }
    call->result.result_json = result;
    add_meta(call, reply->meta_json, &none);
}

void px_shape_ask(struct px_call *call) {
    px_str requests = call->run.ask_requests, state = {0};
    if (requests.p && !acceptable(call, &requests, call->gate->ask, "the requests of ask()"))
        return;
    if (px_ask_seal(call, call->run.ask_state, &state)) {
        struct px_error error =
            px_failure(call, PX_INTERNAL, PX_LIT(""), "no memory for the request's state");
        px_shape_failure(call, &error);
        return;
    }
    call->result = (struct px_result){.id = px_str_of(call->id), .asks = true, .request_state = state};
    if (requests.p)
        call->result.requests_json = redacted_json(call, requests, "{}");
}
