/* Answers in the bridge's own words, each in the shape that its method and era ask for. */
#include "cli/bridge_private.h"
#include "json/slice.h"
#include <stdarg.h>
#include <stdio.h>

/* Codes of JSON-RPC errors: 1000 and the number of the code in plexus/plugin.h. */
enum { CODE_BASE = 1000 };

void px_bridge_say(struct px_bridge *b, const char *format, ...) {
    char words[512];
    va_list args;
    if (!b->opts.log)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    b->opts.log(b->opts.user, words);
}

void px_bridge_forward(struct px_bridge *b, px_str line) {
    px_buf_str(&b->to_client, line);
    px_buf_char(&b->to_client, '\n');
    if (b->to_client.failed)
        b->broken = true;
}

static void begin(struct px_jw *w, struct px_buf *line, px_str raw_id) {
    px_buf_init(line, 1 << 20);
    px_jw_init(w, line);
    px_jw_object(w);
    px_jw_key(w, "jsonrpc");
    px_jw_text(w, "2.0");
    if (raw_id.n) {
        px_jw_key(w, "id");
        px_jw_raw(w, raw_id);
    }
}

static void end(struct px_bridge *b, struct px_jw *w, struct px_buf *line) {
    px_jw_object_end(w);
    if (line->failed)
        b->broken = true;
    else
        px_bridge_forward(b, px_buf_view(line));
    px_buf_finish(line);
}

void px_bridge_error(struct px_bridge *b, px_str raw_id, int code, const char *name, bool retryable,
                     const char *message, const char *advice) {
    struct px_buf line;
    struct px_jw w;
    begin(&w, &line, raw_id);
    px_jw_key(&w, "error");
    px_jw_object(&w);
    px_jw_key(&w, "code");
    px_jw_i64(&w, code);
    px_jw_key(&w, "message");
    px_jw_text(&w, message);
    if (name) {
        px_jw_key(&w, "data");
        px_jw_object(&w);
        px_jw_key(&w, "code");
        px_jw_text(&w, name);
        px_jw_key(&w, "retryable");
        px_jw_bool(&w, retryable);
        px_jw_key(&w, "advice");
        px_jw_text(&w, advice);
        px_jw_object_end(&w);
    }
    px_jw_object_end(&w);
    end(b, &w, &line);
}

static void error_object(struct px_jw *w, const char *name, bool retryable, const char *message,
                         const char *advice) {
    px_jw_object(w);
    px_jw_key(w, "code");
    px_jw_text(w, name);
    px_jw_key(w, "message");
    px_jw_text(w, message);
    px_jw_key(w, "retryable");
    px_jw_bool(w, retryable);
    px_jw_key(w, "advice");
    px_jw_text(w, advice);
    px_jw_object_end(w);
}

/* A tool's failure is a result: in the modern era with a resultType. Legacy clients hold the structured content of a failure against the
 * tool's output schema too, and would throw the words away: then the error stands in _meta. */
static void tool_error(struct px_bridge *b, const struct px_bridge_req *req, const char *name, bool retryable,
                       const char *message, const char *advice) {
    struct px_buf line;
    struct px_jw w;
    char text[1024];
    snprintf(text, sizeof text, "%s: %s. %s", name, message, advice);
    begin(&w, &line, px_str_of(req->id));
    px_jw_key(&w, "result");
    px_jw_object(&w);
    if (req->modern) {
        px_jw_key(&w, "resultType");
        px_jw_text(&w, "complete");
    }
    px_jw_key(&w, "content");
    px_jw_array(&w);
    px_jw_object(&w);
    px_jw_key(&w, "type");
    px_jw_text(&w, "text");
    px_jw_key(&w, "text");
    px_jw_text(&w, text);
    px_jw_object_end(&w);
    px_jw_array_end(&w);
    bool strict = !req->modern && px_map_get(&b->strict, px_str_of(req->subject));
    px_jw_key(&w, strict ? "_meta" : "structuredContent");
    px_jw_object(&w);
    px_jw_key(&w, strict ? "plexus/error" : "error");
    error_object(&w, name, retryable, message, advice);
    px_jw_object_end(&w);
    px_jw_key(&w, "isError");
    px_jw_bool(&w, true);
    px_jw_object_end(&w);
    end(b, &w, &line);
}

static void answer(struct px_bridge *b, struct px_bridge_req *req, int code, const char *name, bool retryable,
                   const char *message, const char *advice) {
    if (req->kind == PX_BRIDGE_CALL)
        tool_error(b, req, name, retryable, message, advice);
    else
        px_bridge_error(b, px_str_of(req->id), CODE_BASE + code, name, retryable, message, advice);
    px_bridge_req_end(b, req);
}

void px_bridge_fail(struct px_bridge *b, struct px_bridge_req *req, bool sent) {
    char message[320];
    if (req->kind == PX_BRIDGE_CALL && sent && !px_map_get(&b->readonly, px_str_of(req->subject))) {
        answer(b, req, PX_OUTCOME_UNKNOWN, "outcome_unknown", false,
               "the Plexus host went away while this call was running, so it may have taken effect",
               "Find out with a tool that only reads whether it did, before you call it again.");
        return;
    }
    if (sent)
        snprintf(message, sizeof message, "the Plexus host went away before it answered");
    else
        snprintf(message, sizeof message, "no Plexus host answers on %s%s%s", b->opts.where,
                 b->connect_code ? ": " : "", b->connect_code ? strerror(-b->connect_code) : "");
    answer(b, req, PX_UNAVAILABLE, "unavailable", true, message,
           "Try again in a few seconds: the connection comes back by itself when the host does.");
}

void px_bridge_fail_too_large(struct px_bridge *b, struct px_bridge_req *req) {
    answer(b, req, PX_TOO_LARGE, "too_large", false,
           "the answer is longer than the 4 MiB that a message may have",
           "Ask for less: fewer fields, fewer rows, a page at a time.");
}

void px_bridge_fail_refused(struct px_bridge *b, px_str raw_id) {
    struct px_buf line;
    struct px_jw w;
    begin(&w, &line, raw_id);
    px_jw_key(&w, "error");
    px_jw_raw(&w, px_buf_view(&b->refused));
    end(b, &w, &line);
}
