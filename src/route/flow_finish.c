/* The end of a flow: what is told, with what stands beside it. */
#include "route/flow.h"
#include <stdarg.h>
#include <stdio.h>

enum { NAMES_MAX = 40 };

static void release(struct px_flow *flow) {
    px_arena_finish(&flow->page);
    px_flow_list_finish(&flow->list);
    px_buf_finish(&flow->exchanges);
    px_select_destroy(flow->own_select);
    flow->own_select = NULL;
}

void px_flow_closed(void *user) {
    struct px_flow *flow = user;
    flow->state = PX_FLOW_ENDED;
    px_work_cancel(&flow->work);
    px_flow_let_go(flow);
    if (!flow->telling)
        release(flow);
}

/* `done` may close the scope in which all this stands: its memory is there until the turn ends, and what was told until
 * it returns. */
static void tell(void *user) {
    struct px_flow *flow = user;
    struct px_scope *scope = flow->scope;
    px_op_done(&flow->op);
    flow->telling = true;
    px_scope_pin(scope);
    flow->sink.done(flow->user, flow->failed ? NULL : &flow->reply, flow->failed ? &flow->error : NULL);
    flow->telling = false;
    release(flow);
    px_scope_unpin(scope);
    px_scope_close(&scope);
}

static void end(struct px_flow *flow) {
    flow->state = PX_FLOW_ENDED;
    px_op_cancel(&flow->inner);
    if (!flow->starting) {
        tell(flow);
        return;
    }
    px_work_init(&flow->work, "route/call", tell, flow);
    px_work_post(flow->scope->loop, &flow->work);
}

static void put_exchanges(const struct px_flow *flow, struct px_jw *w) {
    px_jw_array(w);
    px_buf_str(w->to, px_buf_view(&flow->exchanges));
    px_jw_array_end(w);
}

/* ---- an error ---- */

/* The exchanges are what one who asked for them wants to see then. */
static px_str with_exchanges(struct px_flow *flow, px_str details) {
    struct px_buf buf;
    struct px_jw w;
    px_str key, value;
    uint64_t pos = 0;
    px_buf_init(&buf, details.n + flow->exchanges.n + 64);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    while (details.p && px_json_slice_next(details, &pos, &key, &value) == 1) {
        px_jw_key_raw(&w, key);
        px_jw_raw(&w, value);
    }
    px_jw_key(&w, "exchange");
    put_exchanges(flow, &w);
    px_jw_object_end(&w);
    px_str copy = buf.failed ? (px_str){0} : px_arena_str(&flow->page, px_buf_view(&buf));
    px_buf_finish(&buf);
    return copy.p ? copy : details;
}

/* A write that the upstream has answered as done, and what is wrong is the rest: its answer, the fields, our memory. Whoever
 * reads that it failed would do it again. */
static void carried_out(struct px_flow *flow) {
    struct px_error *error = &flow->error;
    px_str message = px_arena_fmt(&flow->page, "the upstream has accepted the request, but: " PX_FMT,
                                  PX_ARG(error->message));
    error->code = PX_OUTCOME_UNKNOWN;
    error->flags = 0;
    error->retry_after_ms = 0;
    error->message = message.p ? message : error->message;
    error->advice =
        PX_LIT("It has most likely been carried out: do not call again, look at what it did instead.");
}

void px_flow_fail_with(struct px_flow *flow, const struct px_error *error) {
    flow->failed = true;
    flow->error = *error;
    flow->error.flags &= ~PX_ERROR_NOT_DONE;
    if (!flow->left)
        flow->error.flags |= PX_ERROR_NOT_DONE;
    if (flow->acted)
        carried_out(flow);
    if (flow->n_exchanges)
        flow->error.details_json = with_exchanges(flow, error->details_json);
    end(flow);
}

void px_flow_fail(struct px_flow *flow, int32_t code, px_str advice, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    px_str message = px_str_of(text);
    message = px_arena_str(&flow->page, px_str_n(text, px_str_cut_utf8(message, message.n)));
    px_flow_fail_with(flow, &(struct px_error){.size = sizeof(struct px_error),
                                               .code = code,
                                               .message = message.p ? message : PX_LIT("out of memory"),
                                               .advice = advice});
}

/* ---- fields that are not there ---- */

static bool is_seen(const struct px_flow *flow, size_t field) {
    return flow->seen[field / 64] >> (field % 64) & 1;
}

static size_t n_unknown(const struct px_flow *flow) {
    size_t n = 0;
    for (size_t i = 0; flow->own_select && i < px_select_count(flow->own_select); i++)
        n += !is_seen(flow, i);
    return n;
}

static void put_unknown(const struct px_flow *flow, struct px_jw *w) {
    px_jw_array(w);
    for (size_t i = 0; i < px_select_count(flow->own_select); i++)
        if (!is_seen(flow, i))
            px_jw_str(w, px_select_path(flow->own_select, i));
    px_jw_array_end(w);
}

/* The members of an object, for one who guessed. */
static px_str names_of(struct px_flow *flow, px_str object) {
    struct px_buf buf;
    px_str key, value, text;
    uint64_t pos = 0;
    px_buf_init(&buf, 768);
    for (int n = 0; n < NAMES_MAX && px_json_slice_next(object, &pos, &key, &value) == 1; n++) {
        if (px_json_slice_text(&flow->page, key, &text))
            break;
        if (px_buf_addf(&buf, "%s" PX_FMT, buf.n ? ", " : "", PX_ARG(text)))
            break;
    }
    px_str copy = px_arena_str(&flow->page, px_buf_view(&buf));
    px_buf_finish(&buf);
    return copy;
}

bool px_flow_none_known(const struct px_flow *flow) {
    return flow->own_select && n_unknown(flow) == px_select_count(flow->own_select);
}

bool px_flow_all_unknown(struct px_flow *flow, px_str first) {
    size_t n = flow->own_select ? px_select_count(flow->own_select) : 0;
    px_str names, path;
    if (!n || flow->acted || !px_flow_none_known(flow) || px_json_slice_type(first) != PX_JSON_OBJECT)
        return false;
    names = names_of(flow, first);
    if (!names.n)
        return false;
    path = px_select_path(flow->own_select, 0);
    px_flow_fail(flow, PX_INVALID_ARGUMENTS,
                 PX_LIT("Name fields that are there, or pass fields \"*\" for all of them."),
                 "fields: \"" PX_FMT "\"%s is not in the answer; there are: " PX_FMT,
                 (int)PX_MIN(path.n, 100), path.p, n > 1 ? " (nor anything else that was named)" : "",
                 PX_ARG(names));
    return true;
}

/* ---- a reply ---- */

/* The reply's own members first. */
static px_str meta_of(struct px_flow *flow, px_str meta) {
    bool unknown = flow->selected && n_unknown(flow);
    struct px_buf buf;
    struct px_jw w;
    px_str key, value;
    uint64_t pos = 0;
    if (!unknown && !flow->n_exchanges)
        return meta;
    px_buf_init(&buf, meta.n + flow->exchanges.n + 2 * (size_t)PX_SELECT_TEXT_MAX * 6);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    while (meta.p && px_json_slice_next(meta, &pos, &key, &value) == 1) {
        px_jw_key_raw(&w, key);
        px_jw_raw(&w, value);
    }
    if (unknown) {
        px_jw_key(&w, "plexus/unknown_fields");
        put_unknown(flow, &w);
    }
    if (flow->n_exchanges) {
        px_jw_key(&w, "plexus/exchange");
        put_exchanges(flow, &w);
    }
    px_jw_object_end(&w);
    px_str copy = buf.failed ? (px_str){0} : px_arena_str(&flow->page, px_buf_view(&buf));
    px_buf_finish(&buf);
    return copy.p ? copy : meta;
}

void px_flow_reply(struct px_flow *flow, const struct px_reply *reply) {
    flow->reply = *reply;
    flow->reply.size = sizeof flow->reply;
    flow->reply.meta_json = meta_of(flow, reply->meta_json);
    end(flow);
}
