/* From a plugin's answer to what a planner gets: checked, redacted, within the budget. */
#include "call/private.h"
#include "route/route.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/tree.h"
#include "json/write.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { META_MAX = 64 * 1024, ROUTE_META_MAX = 1 << 20 };

px_str px_call_take(struct px_call *call, struct px_buf *buf, px_str otherwise) {
    px_str copy = buf->failed ? (px_str){0} : px_arena_str(&call->scope->arena, px_buf_view(buf));
    px_buf_finish(buf);
    return copy.p ? copy : otherwise;
}

static void put_block(struct px_jw *w, px_str text) {
    px_jw_object(w);
    px_jw_key(w, "type");
    px_jw_text(w, "text");
    px_jw_key(w, "text");
    px_jw_str(w, text);
    px_jw_object_end(w);
}

px_str px_text_blocks(struct px_call *call, px_str text, px_str more) {
    struct px_buf buf;
    struct px_jw w;
    px_buf_init(&buf, (text.n + more.n) * 6 + 256);
    (void)px_buf_room(&buf, text.n + text.n / 8 + 128); /* mostly enough; without it, it grows */
    px_jw_init(&w, &buf);
    px_jw_array(&w);
    put_block(&w, text.p ? text : PX_LIT(""));
    if (more.p)
        put_block(&w, more);
    px_jw_array_end(&w);
    return px_call_take(call, &buf, PX_LIT("[]"));
}

/* ---- too large ---- */

static void too_large(struct px_call *call, uint64_t bytes, uint64_t budget) {
    struct px_error error = px_failure(
        call, PX_TOO_LARGE, PX_LIT("Ask for less, or pass a larger plexus/max_bytes in _meta."),
        "the result has %llu bytes, the budget is %llu, and there is no list in it that could be cut",
        (unsigned long long)bytes, (unsigned long long)budget);
    px_shape_failure(call, &error);
}

/* For a person or a model to read; absent when nothing was cut. */
static px_str notice(struct px_call *call, const struct px_cut *cut) {
    if (!cut->done)
        return (px_str){0};
    return px_arena_fmt(
        &call->scope->arena,
        "[cut: %llu items are shown, %llu more were left out (%llu bytes in all). Ask for less, or "
        "pass a larger plexus/max_bytes.]",
        (unsigned long long)cut->kept, (unsigned long long)cut->dropped, (unsigned long long)cut->bytes);
}

/* ---- checking ---- */

static bool valid(struct px_call *call, const struct px_json_scan *scan, const struct px_schema *schema,
                  const char *what) {
    const struct px_json *tree;
    struct px_schema_report report;
    struct px_err err;
    char words[480];
    int r = px_json_parse_scanned(&call->scope->arena, scan, &tree, &err);
    if (r == -ENOMEM) {
        too_large(call, scan->value.n, call->req.result_bytes);
        return false;
    }
    if (!r && px_schema_validate(schema, tree, &report) == 0)
        return true;
    if (r)
        snprintf(words, sizeof words, "%s: %s", what, err.msg);
    else
        snprintf(words, sizeof words, "%s%.159s: %.239s", what, report.n ? report.problems[0].path : "",
                 report.n ? report.problems[0].message : "does not fit its schema");
    px_plugin_is_wrong(call, words);
    return false;
}

/* Strict JSON, on one line, without white space around; then, when there is one, the schema. */
static bool acceptable(struct px_call *call, px_str *json, const struct px_schema *schema, const char *what) {
    struct px_json_scan scan;
    struct px_err err;
    char words[320];
    int r = px_json_scan(*json, NULL, &scan, NULL, &err);
    if (r) {
        snprintf(words, sizeof words, "%s: %s", what, err.msg);
        px_plugin_is_wrong(call, words);
        return false;
    }
    px_json_one_line(scan.value);
    *json = scan.value;
    return !schema || valid(call, &scan, schema, what);
}

/* A route's result was scanned as it came, and written by the host: it is JSON, but may be on many lines. */
static bool acceptable_result(struct px_call *call, px_str *json, const struct px_schema *schema) {
    if (!call->item->route || schema)
        return acceptable(call, json, schema, "structured_json");
    assert(px_json_scan(*json, NULL, &(struct px_json_scan){0}, NULL, NULL) == 0);
    px_json_one_line(*json);
    return true;
}

/* ---- what goes along ---- */

static void put_truncated(struct px_jw *w, const struct px_cut *cut) {
    px_jw_key(w, "plexus/truncated");
    px_jw_object(w);
    px_jw_key(w, "kept_items");
    px_jw_u64(w, cut->kept);
    px_jw_key(w, "dropped_items");
    px_jw_u64(w, cut->dropped);
    px_jw_key(w, "bytes");
    px_jw_u64(w, cut->bytes);
    px_jw_key(w, "advice");
    px_jw_text(w,
               "Ask for less (a smaller page, fewer columns), or pass a larger plexus/max_bytes in _meta.");
    px_jw_object_end(w);
}

/* The plugin's members, but for those that are the host's to say. */
static void add_meta(struct px_call *call, px_str plugin_meta, const struct px_cut *cut) {
    struct px_buf buf;
    struct px_jw w;
    px_str key, value;
    uint64_t pos = 0;
    if (!cut->done && !plugin_meta.p)
        return;
    px_buf_init(&buf, plugin_meta.n + 1024);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    while (plugin_meta.p && px_json_slice_next(plugin_meta, &pos, &key, &value) == 1) {
        if (!call->item->route && px_str_starts(key, PX_LIT("\"plexus/")))
            continue;
        px_jw_key_raw(&w, key);
        px_jw_raw(&w, value);
    }
    if (cut->done)
        put_truncated(&w, cut);
    px_jw_object_end(&w);
    call->result.meta_json = px_call_take(call, &buf, (px_str){0});
}

static bool acceptable_meta(struct px_call *call, px_str *meta) {
    if (!meta->p)
        return true;
    if (!acceptable(call, meta, NULL, "meta_json"))
        return false;
    if (call->item->route && meta->n > ROUTE_META_MAX) { /* the exchange: nothing that the result needs */
        *meta = (px_str){0};
        return true;
    }
    if (px_json_slice_type(*meta) != PX_JSON_OBJECT || (!call->item->route && meta->n > META_MAX)) {
        px_plugin_is_wrong(call, "meta_json: expected an object of at most 64 KiB");
        return false;
    }
    *meta = px_clean_json(&call->scope->arena, *meta);
    return true;
}

/* ---- tools ---- */

/* What the tool promises of this answer: nothing of one that says it failed, of a dry run, and when the caller has chosen
 * what of it is shown. */
static const struct px_schema *promise(const struct px_call *call, bool is_error) {
    bool chosen = call->item->route && px_route_selects(call->item->route, call->req.args_json);
    return is_error || call->dry || chosen ? NULL : call->item->output;
}

/* A route has kept to the budget, and its next_cursor begins where it stopped: to cut its items again would lose some. So what
 * it gives may be a little over (escapes of the text beside it, redaction), and only a defect of ours is cut. */
static uint64_t budget_of(const struct px_call *call) {
    return call->item->route ? 2 * call->req.result_bytes + 4096 : call->req.result_bytes;
}

/* Within the budget; `escaped`: also as text inside a block. What was cut must still be what the tool promises. */
static bool fit_structured(struct px_call *call, px_str *json, bool escaped, struct px_cut *cut) {
    struct px_arena *arena = &call->scope->arena;
    escaped = escaped && !call->item->route;
    uint64_t bytes = json->n;
    struct px_json_scan scan;
    const struct px_json *tree;
    *json = px_clean_json(arena, *json);
    if (!json->p)
        *json = PX_LIT("{\"redacted\":true}");
    int r = px_budget_cut(arena, *json, budget_of(call), escaped, json, cut);
    if (!r && cut->done && promise(call, false)) {
        r = px_json_scan(*json, NULL, &scan, NULL, NULL);
        if (!r)
            r = px_json_parse_scanned(arena, &scan, &tree, NULL);
        if (!r)
            r = px_schema_validate(call->item->output, tree, NULL);
    }
    if (r)
        too_large(call, bytes, call->req.result_bytes);
    return !r;
}

/* One block alone is too large: of a text, the lines that fit. */
static px_str cut_first_block(struct px_call *call, px_str content, struct px_cut *cut) {
    struct px_arena *arena = &call->scope->arena;
    px_str block, type, raw, text;
    uint64_t pos = 0;
    if (px_json_slice_next(content, &pos, NULL, &block) != 1 ||
        px_json_slice_get(block, PX_LIT("type"), &type) || !px_json_slice_is(type, PX_LIT("text")) ||
        px_json_slice_get(block, PX_LIT("text"), &raw) || px_json_slice_text(arena, raw, &text))
        return (px_str){0};
    text = px_budget_cut_text(text, call->req.result_bytes, cut);
    cut->bytes = content.n;
    cut->done = true;
    return text.n ? px_text_blocks(call, text, notice(call, cut)) : (px_str){0};
}

/* The blocks that fit, and a word on the others. */
static px_str with_notice(struct px_call *call, px_str content, const struct px_cut *cut) {
    struct px_buf buf;
    struct px_jw w;
    px_str block;
    uint64_t pos = 0;
    px_buf_init(&buf, content.n + 1024);
    px_jw_init(&w, &buf);
    px_jw_array(&w);
    while (px_json_slice_next(content, &pos, NULL, &block) == 1)
        px_jw_raw(&w, block);
    put_block(&w, notice(call, cut));
    px_jw_array_end(&w);
    return px_call_take(call, &buf, content);
}

static bool fit_content(struct px_call *call, px_str *content, struct px_cut *cut) {
    struct px_arena *arena = &call->scope->arena;
    px_str clean = px_clean_json(arena, *content), fits;
    clean = clean.p ? clean : PX_LIT("[]");
    int r = px_budget_cut(arena, clean, call->req.result_bytes, false, &fits, cut);
    if (!r) {
        *content = cut->done ? with_notice(call, fits, cut) : fits;
        return true;
    }
    *content = cut_first_block(call, clean, cut);
    if (!content->p)
        too_large(call, clean.n, call->req.result_bytes);
    return content->p;
}

/* Text, whole lines of it; what follows says if some are missing. */
static px_str fit_text(struct px_call *call, px_str text, struct px_cut *cut) {
    text = px_clean_text(&call->scope->arena, text, false);
    text = px_budget_cut_text(text, call->req.result_bytes, cut);
    return px_text_blocks(call, text, notice(call, cut));
}

static void shape_tool(struct px_call *call, struct px_reply *reply) {
    bool is_error = reply->flags & PX_REPLY_IS_ERROR;
    const struct px_schema *output = promise(call, is_error);
    struct px_cut cut = {0}, content_cut = {0};
    px_str structured = reply->structured_json, content = reply->content_json;
    bool twin = !content.p && !reply->text.p; /* the structured value is shown as text */
    if (!structured.p && twin) {
        px_plugin_is_wrong(call, "it is empty: structured_json, content_json or text must be there");
        return;
    }
    if (!structured.p && output) {
        px_plugin_is_wrong(call, "structured_json is missing, and the tool has an output schema");
        return;
    }
    if (structured.p &&
        (!acceptable_result(call, &structured, output) || !fit_structured(call, &structured, twin, &cut)))
        return;
    if (content.p && (!acceptable(call, &content, call->gate->content, "content_json") ||
                      !fit_content(call, &content, &content_cut)))
        return;
    if (twin)
        content = px_text_blocks(call, structured, notice(call, &cut));
    else if (!content.p)
        content = fit_text(call, reply->text, &content_cut);
    call->result.structured_json = structured;
    call->result.content_json = content;
    call->result.is_error = is_error;
    add_meta(call, reply->meta_json, cut.done ? &cut : &content_cut);
}

/* ---- prompts, resources, completions ---- */

static void shape_other(struct px_call *call, const struct px_reply *reply) {
    const struct px_gate *gate = call->gate;
    const struct px_schema *schema = call->req.kind == PX_CALL_PROMPT ? gate->prompt
                                     : call->req.kind == PX_CALL_READ ? gate->read
                                                                      : gate->complete;
    px_str result = reply->result_json.p ? reply->result_json : PX_LIT("null");
    if (!acceptable(call, &result, schema, "result_json"))
        return;
    result = px_clean_json(&call->scope->arena, result);
    if (!result.p) {
        struct px_error error = px_failure(call, PX_FORBIDDEN, PX_LIT(""),
                                           "the answer holds secrets of this host, and cannot be shown");
        px_shape_failure(call, &error);
        return;
    }
    if (result.n > gate->limits.max_result_bytes) { /* not a thing to show a part of */
        too_large(call, result.n, gate->limits.max_result_bytes);
        return;
    }
    call->result.result_json = result;
    add_meta(call, reply->meta_json, &(struct px_cut){0});
}

void px_shape_reply(struct px_call *call) {
    struct px_reply *reply = &call->run.reply;
    call->result = (struct px_result){.id = px_str_of(call->id)};
    if (!acceptable_meta(call, &reply->meta_json))
        return;
    if (call->req.kind == PX_CALL_TOOL)
        shape_tool(call, reply);
    else
        shape_other(call, reply);
}

void px_shape_ask(struct px_call *call) {
    px_str requests = call->run.ask_requests, state = {0};
    if (requests.p && !acceptable(call, &requests, call->gate->ask, "the requests of ask()"))
        return;
    px_str clean = px_clean_json(&call->scope->arena, requests);
    if ((requests.p && !clean.p) || px_ask_seal(call, call->run.ask_state, &state)) {
        struct px_error error =
            px_failure(call, PX_INTERNAL, PX_LIT("Call again."), "the question cannot be passed on");
        px_shape_failure(call, &error);
        return;
    }
    call->result = (struct px_result){
        .id = px_str_of(call->id), .asks = true, .requests_json = clean, .request_state = state};
}
