/* The end of a call, but for its answer: its row in the log, how its effect ended, the counters. */
#include "base/redact.h"
#include "call/private.h"
#include "state/calllog.h"
#include "state/effect.h"

/* As much of the arguments as a row keeps, redacted. Where they are cut, the last few bytes could be the beginning of a
 * secret that is too short to be known by it: they go. */
static px_str logged_subject(const struct px_call *call, struct px_buf *masked, struct px_buf *clean) {
    px_str subject = px_call_subject(call);
    if (call->item->n_write_only && call->req.args_json.p) {
        if (px_call_mask(call, subject, masked))
            return PX_LIT("[redacted]");
        subject = px_buf_view(masked);
    }
    bool cut = subject.n > PX_CALLLOG_MAX_ARGS;
    if (cut)
        subject.n = PX_CALLLOG_MAX_ARGS;
    if (!cut && !px_redact_hits(subject))
        return subject;
    if (cut)
        px_redact_append_cut(clean, subject);
    else
        px_redact_append(clean, subject);
    if (clean->failed)
        return PX_LIT("[redacted]");
    subject = px_buf_view(clean);
    if (cut)
        subject.n = px_str_cut_utf8(subject, subject.n - PX_MIN(subject.n, (uint64_t)PX_REDACT_MIN - 1));
    return subject;
}

static void write_row(struct px_call *call) {
    struct px_buf clean, masked;
    const struct px_result *result = &call->result;
    px_buf_init(&clean, (size_t)64 * 1024);
    px_buf_init(&masked, call->req.args_json.n * 2 + 1024);
    struct px_calllog_row row = {
        .id = px_str_of(call->id),
        .parent = call->req.parent,
        .principal = call->principal->name,
        .profile = px_str_of(call->session->profile),
        .service = call->item->service,
        .tool = call->item->name,
        .args = logged_subject(call, &masked, &clean),
        .digest = px_str_n((const char *)call->digest, sizeof call->digest),
        .detail = result->error.message,
        .began_unix_ms = call->began_unix_ms,
        .duration_us = (px_loop_now(call->gate->opts.loop) - call->began_ns) / PX_US,
        .code = result->code,
        .bytes = result->content_json.n + result->structured_json.n + result->result_json.n,
    };
    px_calllog_add(call->gate->opts.state, &row);
    px_buf_finish(&masked);
    px_buf_finish(&clean);
}

/* What is known of the world. A failure that the plugin reports means that it did not happen, unless its words are that
 * it does not know, or that it had no end. */
static enum px_effect_outcome outcome_of(const struct px_call *call) {
    const struct px_run *run = &call->run;
    if (!call->dispatched)
        return call->resumed ? PX_EFFECT_ASKED : PX_EFFECT_FAILED;
    if (run->replied) /* also when its answer could not be passed on */
        return run->answer == PX_RUN_REPLY && run->reply.flags & PX_REPLY_IS_ERROR ? PX_EFFECT_FAILED
                                                                                   : PX_EFFECT_DONE;
    if (run->answer == PX_RUN_ASK)
        return PX_EFFECT_ASKED;
    if (run->not_done || (run->answer == PX_RUN_FAIL && run->error.flags & PX_ERROR_NOT_DONE))
        return PX_EFFECT_FAILED;
    if (run->answer == PX_RUN_NONE || run->ended_by_host)
        return PX_EFFECT_UNKNOWN;
    switch (run->error.code) {
    case PX_OUTCOME_UNKNOWN:
    case PX_TIMEOUT:
    case PX_CANCELLED:
    case PX_INTERNAL: return PX_EFFECT_UNKNOWN;
    default: return PX_EFFECT_FAILED;
    }
}

void px_call_drop_effect(struct px_call *call) {
    if (!call->effect)
        return;
    px_op_cancel(&call->effect);
    call->effect_begun = false;
}

void px_call_settle(struct px_call *call) {
    struct px_gate *gate = call->gate;
    px_timer_disarm(&call->deadline);
    px_work_cancel(&call->work);
    px_call_drop_effect(call);
    px_tell_finish(call);
    if (call->dispatched)
        px_run_finish(&call->run);
    write_row(call);
    if (call->effect_begun)
        px_effect_end(gate->opts.state, px_str_of(call->effect_id),
                      &(struct px_effect_ending){.outcome = outcome_of(call), .by = PX_EFFECT_BY_ANSWER});
    gate->stats.total++;
    gate->stats.failed += call->result.code != PX_OK;
    if (call->counted) {
        gate->stats.in_flight--;
        call->principal->in_flight--;
    }
}
