/* How a call's failure looks to whoever made it. */
#include "base/log.h"
#include "call/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/write.h"
#include <stdarg.h>
#include <stdio.h>

enum { WORDS_MAX = 2048, RESULT_MAX = 512 * 1024 };

struct px_error px_failure(struct px_call *call, int32_t code, px_str advice, const char *format, ...) {
    char words[WORDS_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(words, sizeof words, format, args);
    va_end(args);
    px_str message = px_str_n(words, n < 0 ? 0 : PX_MIN((size_t)n, sizeof words - 1));
    return (struct px_error){.size = sizeof(struct px_error),
                             .code = code,
                             .flags = px_code_retryable(code) ? PX_ERROR_RETRYABLE : 0,
                             .message = px_arena_str(&call->scope->arena, message),
                             .advice = advice};
}

static void write_error(struct px_jw *w, const struct px_error *error) {
    px_jw_object(w);
    px_jw_key(w, "error");
    px_jw_object(w);
    px_jw_key(w, "code");
    px_jw_text(w, px_code_name(error->code));
    px_jw_key(w, "message");
    px_jw_str(w, error->message);
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

/* An object on one line, redacted; or absent. */
static px_str clean_details(struct px_call *call, px_str details) {
    struct px_json_scan scan;
    if (!details.p || px_json_scan(details, NULL, &scan, NULL, NULL) ||
        px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return (px_str){0};
    px_json_one_line(scan.value);
    return px_clean_json(&call->scope->arena, scan.value);
}

/* "rate_limited: words", and the advice on a line of its own: one block of text. */
static px_str words_of(struct px_call *call, const struct px_error *error) {
    struct px_buf words;
    px_buf_init(&words, 64 * 1024);
    px_buf_text(&words, px_code_name(error->code));
    px_buf_text(&words, ": ");
    px_buf_str(&words, error->message);
    px_buf_text(&words, error->advice.n ? "\n" : "");
    px_buf_str(&words, error->advice);
    px_str content = px_text_blocks(call, px_buf_view(&words), (px_str){0});
    px_buf_finish(&words);
    return content;
}

void px_shape_failure(struct px_call *call, const struct px_error *given) {
    static const px_str no_memory =
        PX_LIT_INIT("{\"error\":{\"code\":\"internal\",\"message\":\"no memory\",\"retryable\":true}}");
    struct px_arena *arena = &call->scope->arena;
    struct px_error error = *given;
    struct px_buf buf;
    struct px_jw w;
    error.details_json = clean_details(call, error.details_json);
    if (!error.message.p)
        error.message = PX_LIT("the plugin gave no words");
    if (call->effect_begun && call->run.replied) { /* it did its work; what it said of it cannot be shown */
        error.flags = 0;
        error.advice = PX_LIT("It has been carried out: do not call again, look at what it did instead.");
    }
    error.message = px_clean_text(arena, error.message, true);
    error.advice = px_clean_text(arena, error.advice, true);
    px_buf_init(&buf, RESULT_MAX);
    px_jw_init(&w, &buf);
    write_error(&w, &error);
    call->result =
        (struct px_result){.id = px_str_of(call->id), .code = error.code, .is_error = true, .error = error};
    call->result.structured_json = px_call_take(call, &buf, no_memory);
    call->result.content_json = words_of(call, &error);
}

void px_plugin_is_wrong(struct px_call *call, const char *what) {
    const char *plugin = px_run_plugin(&call->run);
    px_log(PX_LOG_ERROR, "call", "a plugin's answer was refused", PX_KV("plugin", plugin),
           PX_KS("service", call->item->service), PX_KS("tool", call->item->name), PX_KV("why", what));
    struct px_error error =
        px_failure(call, PX_INTERNAL, PX_LIT("This is a defect of the plugin; tell its author."),
                   "plugin %s (service " PX_FMT ") gave an answer that cannot be used: %s", plugin,
                   PX_ARG(call->item->service), what);
    px_shape_failure(call, &error);
}
