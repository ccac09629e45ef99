/* Was it done? When the answer to a write was lost, the upstream is asked, if the tool's route says how: inside the call while its
 * deadline has time, otherwise behind it (recover.c).
 *
 *   RUNNING --its outcome is not known--> VERIFYING --done | absent | cannot be said, no time--> ENDED
 *   EFFECT --an earlier call's outcome is not known--> VERIFYING --done--> ENDED
 *                                                            \--absent, or it may be sent again--> RUNNING */
#include "call/private.h"
#include "json/slice.h"
#include <errno.h>

static const uint64_t most_ns = 5 * PX_S, pause_ns = 1 * PX_S, least_ns = 20 * PX_MS;
enum { ENOUGH_ABSENT = 2 };

static uint64_t now(const struct px_call *call) {
    return px_loop_now(call->gate->opts.loop);
}

void px_verify_arm(struct px_call *call) {
    uint64_t left = call->ends_ns > now(call) ? call->ends_ns - now(call) : 0;
    uint64_t keep = call->effect_begun && px_item_verifies(call->item) ? PX_MIN(left / 4, most_ns) : 0;
    px_timer_arm(&call->deadline, call->ends_ns - keep);
}

/* ---- one look ---- */

static void look_done(void *user);

static const struct px_run_sink look_sink = {.done = look_done};

static int look(struct px_call *call) {
    const struct px_call_in in = {.kind = PX_CALL_TOOL,
                                  .deadline_ns = call->ends_ns,
                                  .max_answer = px_gate_max_answer(call->gate),
                                  .args_json = call->req.args_json,
                                  .principal = call->principal->name,
                                  .idempotency_key = px_str_of(call->sent_key),
                                  .result_bytes = call->req.result_bytes};
    struct px_err err;
    int r =
        px_run_start(&call->look.run, call->item, &in, PX_RUN_VERIFY, call->scope, &look_sink, call, &err);
    if (r)
        call->look.words = px_arena_fmt(&call->scope->arena, "it could not be looked for: %s", err.msg);
    return r;
}

static void again(void *user) {
    struct px_call *call = user;
    if (look(call)) {
        call->look.verified = PX_VERIFIED_UNKNOWN;
        look_done(call);
    }
}

static int begin(struct px_call *call, bool before) {
    call->look.before = before;
    call->look.absent = 0;
    call->look.verified = PX_VERIFIED_UNKNOWN;
    px_timer_init(&call->look.pause, call->gate->opts.loop, "call/look", again, call);
    int r = look(call);
    if (r)
        return r;
    call->state = PX_CALL_VERIFYING;
    px_timer_arm(&call->deadline, call->ends_ns);
    return 0;
}

/* ---- what comes of it ---- */

/* Told as the plugin's own reply would be. */
static void tell_found(struct px_call *call) {
    struct px_look *look = &call->look;
    px_str found = look->run.reply.structured_json;
    if (!call->run.instance)
        call->run.instance = look->run.instance; /* whom a fault would be blamed on */
    call->run.reply = (struct px_reply){.size = sizeof call->run.reply, .structured_json = found};
    if (!found.p)
        call->run.reply.text = PX_LIT("It has been carried out.");
    call->run.replied = true;
    if (look->run.answer != PX_RUN_REPLY || (!found.p && call->item->output)) {
        struct px_error error = px_call_carried_out(call, px_str_of(call->id));
        px_shape_failure(call, &error);
    } else {
        px_shape_reply(call);
    }
    px_result_mark(call, "plexus/settled", PX_LIT("\"verify\""));
    if (look->before)
        px_result_mark(call, "plexus/replayed", PX_LIT("true"));
    call->session->seen |= call->item->labels;
    px_call_end(call);
}

/* Whoever was cut off by a timeout was, whatever is known since. */
static bool was_timeout(const struct px_run *run) {
    px_str cause;
    return run->error.details_json.n &&
           !px_json_slice_at(run->error.details_json, PX_LIT("/cause"), &cause) &&
           px_str_is(cause, "\"timeout\"");
}

static int32_t first_code(const struct px_run *run) {
    if (run->answer == PX_RUN_NONE)
        return PX_TIMEOUT;
    switch (run->error.code) {
    case PX_OUTCOME_UNKNOWN:
        if (was_timeout(run))
            return PX_TIMEOUT;
        return PX_UPSTREAM_ERROR;
    case PX_OK:
    case PX_INTERNAL: return PX_UPSTREAM_ERROR;
    default: return run->error.code;
    }
}

static void tell_absent(struct px_call *call) {
    px_str first = call->run.answer == PX_RUN_FAIL ? call->run.error.message : PX_LIT("no answer in time");
    struct px_error error = px_failure(call, first_code(&call->run), PX_LIT("Call again."),
                                       PX_FMT "; it was looked for and is not there", PX_ARG(first));
    error.flags |= PX_ERROR_RETRYABLE;
    px_shape_failure(call, &error);
    px_result_mark(call, "plexus/settled", PX_LIT("\"verify\""));
    px_call_end(call);
}

static void tell_unknown(struct px_call *call) {
    px_call_fail(call, px_failure(call, PX_OUTCOME_UNKNOWN,
                                  PX_LIT("Call again later with the same key, or look whether it happened."),
                                  "an earlier call with this key may or may not have happened; " PX_FMT,
                                  PX_ARG(call->look.words)));
}

static void go_on(struct px_call *call) {
    struct px_look *look = &call->look;
    if (look->verified == PX_VERIFIED_DONE) {
        tell_found(call);
    } else if (!look->before) { /* call->result says already that the outcome is not known */
        look->verified == PX_VERIFIED_ABSENT ? tell_absent(call) : px_call_end(call);
    } else if (look->verified == PX_VERIFIED_ABSENT || call->repeatable) {
        if (look->verified == PX_VERIFIED_ABSENT)
            call->before = PX_EFFECT_FAILED;
        look->verified = PX_VERIFIED_UNKNOWN;
        px_run_finish(&look->run);
        px_call_dispatch(call);
    } else {
        tell_unknown(call);
    }
}

static void look_done(void *user) {
    struct px_call *call = user;
    struct px_look *look = &call->look;
    if (look->run.item) {
        look->verified = look->run.verified;
        if (look->run.answer == PX_RUN_FAIL)
            look->words = look->run.error.message;
    }
    if (look->verified == PX_VERIFIED_DONE)
        look->words = PX_LIT("it was looked for and found");
    if (look->verified == PX_VERIFIED_ABSENT && ++look->absent < ENOUGH_ABSENT) {
        look->verified = PX_VERIFIED_UNKNOWN;
        look->words = PX_LIT("it was looked for and was not there yet");
        if (now(call) + pause_ns + least_ns < call->ends_ns) {
            px_run_finish(&look->run);
            px_timer_arm_in(&look->pause, pause_ns);
            return;
        }
    } else if (look->verified == PX_VERIFIED_ABSENT) {
        look->words = PX_LIT("it was looked for and is not there");
    }
    go_on(call);
}

bool px_verify_after(struct px_call *call) {
    if (!call->effect_begun || !call->dispatched || px_call_outcome(call) != PX_EFFECT_UNKNOWN ||
        !px_item_verifies(call->item) || now(call) + least_ns >= call->ends_ns ||
        px_item_other_account(call->item, call->principal->name, call->began_unix_ms))
        return false;
    return begin(call, false) == 0;
}

void px_verify_before(struct px_call *call) {
    if (begin(call, true))
        go_on(call);
}

void px_verify_stop(struct px_call *call) {
    struct px_look *look = &call->look;
    if (call->state != PX_CALL_VERIFYING)
        return;
    px_timer_disarm(&look->pause);
    if (look->run.item)
        (void)px_run_end(&look->run, PX_WHY_DEADLINE);
    look->verified = PX_VERIFIED_UNKNOWN;
}

void px_verify_finish(struct px_call *call) {
    if (call->look.pause.loop)
        px_timer_disarm(&call->look.pause);
    px_run_finish(&call->look.run);
}
