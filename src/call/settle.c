/* The end of a call, but for its answer: its row in the log, how its effect ended, the counters. */
#include "base/redact.h"
#include "call/private.h"
#include "state/calllog.h"
#include "state/effect.h"
#include "json/slice.h"

/* But for white space. */
static bool same_json(px_str a, px_str b) {
    struct px_buf x, y;
    px_buf_init(&x, a.n + 1);
    px_buf_init(&y, b.n + 1);
    bool same = px_json_slice_compact(&x, a) == 0 && px_json_slice_compact(&y, b) == 0 &&
                px_str_eq(px_buf_view(&x), px_buf_view(&y));
    px_buf_finish(&x);
    px_buf_finish(&y);
    return same;
}

/* Where they are cut, the last few bytes could be the beginning of a secret that is too short to be known by it: they go. */
px_str px_call_shown(const struct px_call *call, size_t most, struct px_buf *masked, struct px_buf *clean,
                     bool *ret_whole) {
    px_str subject = px_call_subject(call);
    bool whole = true;
    ret_whole = ret_whole ? ret_whole : &whole;
    *ret_whole = true;
    if (call->item->n_write_only && call->req.args_json.p) {
        *ret_whole = false;
        if (px_call_mask(call, subject, masked))
            return PX_LIT("[redacted]");
        *ret_whole = same_json(subject, px_buf_view(masked));
        subject = px_buf_view(masked);
    }
    bool cut = subject.n > most;
    if (cut)
        subject.n = most;
    if (!cut && !px_redact_hits(subject))
        return subject;
    *ret_whole = false;
    if (cut)
        px_redact_append_cut(clean, subject);
    else
        px_redact_append(clean, subject);
    if (clean->failed)
        return PX_LIT("[redacted]");
    subject = px_buf_view(clean);
    if (cut || subject.n > most) {
        uint64_t tail = subject.n > most ? subject.n - most : 0;
        subject.n = px_str_cut_utf8(subject, subject.n - PX_MIN(subject.n, tail + PX_REDACT_MIN - 1));
    }
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
        .args = px_call_shown(call, PX_CALLLOG_MAX_ARGS, &masked, &clean, NULL),
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

/* A failure that the plugin reports means that it did not happen, unless its words are that it does not know, or that it had no
 * end. */
static enum px_effect_outcome of_run(const struct px_run *run) {
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

enum px_effect_outcome px_call_outcome(const struct px_call *call) {
    const struct px_look *look = &call->look;
    if (look->verified == PX_VERIFIED_DONE)
        return PX_EFFECT_DONE;
    if (look->verified == PX_VERIFIED_ABSENT)
        return PX_EFFECT_FAILED;
    if (!call->dispatched)
        return call->before;
    enum px_effect_outcome outcome = of_run(&call->run);
    /* That this attempt failed says nothing of the one before it. */
    if (outcome == PX_EFFECT_FAILED && call->before == PX_EFFECT_UNKNOWN)
        return PX_EFFECT_UNKNOWN;
    return outcome;
}

static void end_effect(struct px_call *call) {
    const struct px_look *look = &call->look;
    struct px_buf result;
    struct px_effect_ending ending = {.outcome = px_call_outcome(call), .by = PX_EFFECT_BY_ANSWER};
    px_buf_init(&result, PX_EFFECT_MAX_RESULT + 1);
    bool looked = look->verified != PX_VERIFIED_UNKNOWN;
    if (looked)
        ending.by = PX_EFFECT_BY_VERIFY;
    if (call->result.code != PX_OK)
        ending.words = call->result.error.message;
    if ((looked || ending.outcome == PX_EFFECT_UNKNOWN) && look->words.p)
        ending.words = px_clean_text(&call->scope->arena, look->words, true);
    if (ending.outcome == PX_EFFECT_DONE && call->req.idempotency_key.p && call->result.code == PX_OK) {
        px_effect_put_result(&result, call);
        ending.result = result.failed ? (px_str){0} : px_buf_view(&result);
    }
    px_effect_end(call->gate->opts.state, px_str_of(call->effect_id), &ending);
    px_buf_finish(&result);
    if (ending.outcome == PX_EFFECT_UNKNOWN && px_item_verifies(call->item))
        px_recover_add(call->gate, px_str_of(call->effect_id), call->req.args_json);
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
    px_verify_finish(call);
    px_tell_finish(call);
    if (call->dispatched)
        px_run_finish(&call->run);
    write_row(call);
    if (call->effect_begun)
        end_effect(call);
    gate->stats.total++;
    gate->stats.failed += call->result.code != PX_OK;
    if (call->counted) {
        gate->stats.in_flight--;
        call->principal->in_flight--;
    }
}
