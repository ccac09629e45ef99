#include "net/http_private.h"

enum { AT_ONCE = 128 }; /* events before others have their turn */

void px_http_deliver_post(struct px_http_call *call) {
    px_work_post(call->http->loop, &call->work);
}

void px_http_hold(const struct px_http_result *result) {
    px_container_of(result, struct px_http_call, result)->holds++;
}

void px_http_drop(const struct px_http_result *result) {
    struct px_http_call *call = px_container_of(result, struct px_http_call, result);
    if (--call->holds == 0)
        px_http_call_free(call);
}

/* False: the call has gone with its callback. */
static bool tell(struct px_http_call *call, const struct px_http_ev *ev) {
    call->delivering = true;
    call->cb(call->user, ev);
    call->delivering = false;
    if (!call->cancelled)
        return true;
    px_http_call_free(call);
    return false;
}

static void tell_end(struct px_http_call *call) {
    struct px_http_result *result = &call->result;
    result->body = call->frame_kind == PX_HTTP_WHOLE ? px_buf_view(&call->body_in) : (px_str){0};
    px_op_done(&call->op);
    call->delivering = true;
    px_http_hold(result);
    call->cb(call->user, &(struct px_http_ev){.kind = PX_HTTP_END, .result = result});
    px_http_drop(result);
}

/* 1: something was told; 0: nothing is due; negative: the call has gone. */
static int tell_next(struct px_http_call *call) {
    struct px_piece piece;
    if (call->head_due) {
        call->head_due = false;
        call->result.url = call->url.text;
        return tell(call, &(struct px_http_ev){.kind = PX_HTTP_HEAD, .result = &call->result}) ? 1 : -1;
    }
    int r = px_pieces_next(&call->pieces, &piece);
    if (r == 0)
        return 0;
    if (r < 0) {
        if (call->state != CALL_ENDED)
            px_http_call_endf(call, PX_HTTP_INTERNAL, "no memory for the answer");
        return 0;
    }
    const struct px_http_ev ev = {
        .kind = piece.kind, .data = piece.data, .event = piece.event, .id = piece.id, .count = piece.count};
    return tell(call, &ev) ? 1 : -1;
}

/* The caller has taken everything: let the upstream go on. */
static void release(struct px_http_call *call) {
    call->undelivered = 0;
    if (!call->held || call->state != CALL_RUNNING)
        return;
    call->held = false;
    px_http_time_phase(call, PHASE_BODY);
    CURLcode code = curl_easy_pause(call->easy->curl, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        px_http_call_done(call, code);
}

void px_http_deliver(void *user) {
    struct px_http_call *call = user;
    for (int n = 0; call->frame_kind != PX_HTTP_WHOLE && !call->paused; n++) {
        if (n == AT_ONCE) {
            px_http_deliver_post(call);
            return;
        }
        int r = tell_next(call);
        if (r < 0)
            return;
        if (r == 0)
            break;
    }
    if (call->paused)
        return;
    release(call);
    if (call->state == CALL_ENDED && !px_work_posted(&call->work))
        tell_end(call);
}

void px_http_pause(struct px_op *op, bool paused) {
    struct px_http_call *call = px_container_of(op, struct px_http_call, op);
    if (call->frame_kind == PX_HTTP_WHOLE || call->paused == paused)
        return;
    call->paused = paused;
    if (paused)
        return;
    if (call->phase == PHASE_BODY && call->state == CALL_RUNNING)
        px_http_time_phase(call, PHASE_BODY); /* the time of the pause does not count */
    px_http_deliver_post(call);
}
