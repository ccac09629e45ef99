/* 4: the effect. It is on record before anything leaves; and a call whose idempotency key was used before gets what the record
 * says of that one:
 *   DONE: its result again · OPEN: it still runs · ASKED: it goes on · UNKNOWN: it is looked for, or sent again under the same key,
 *   where that is safe · FAILED: the record does not hand it over, and a new one begins */
#include "base/crash.h"
#include "call/private.h"
#include "json/slice.h"
#include "json/write.h"
#include <errno.h>

enum { TRIES = 3, SHOWN_MAX = 64 * 1024 };

static const char again_advice[] =
    "Look whether it happened; a person can say so with `plexus effects settle`, or call with a new key.";

/* ---- keys ---- */

static void add_part(struct px_buf *to, px_str part) {
    px_buf_add(to, &part.n, sizeof part.n);
    px_buf_str(to, part);
}

/* Of the caller's key, or of the effect. Nobody who does not have the host's key can make one, nor tell whose it is. */
static int make_key(struct px_call *call) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[PX_DIGEST_SIZE];
    struct px_buf from;
    px_buf_init(&from, 64 * 1024);
    if (call->req.idempotency_key.p) {
        px_buf_text(&from, "key");
        add_part(&from, call->principal->name);
        add_part(&from, call->item->service);
        add_part(&from, call->item->name);
        add_part(&from, call->req.idempotency_key);
    } else {
        px_buf_text(&from, "effect");
        add_part(&from, px_str_of(call->effect_id));
    }
    int r = from.failed;
    if (!r)
        px_key_digest(call->gate->effect_key, px_buf_view(&from), digest);
    for (size_t i = 0; !r && i < PX_SENT_KEY / 2; i++) {
        call->sent_key[2 * i] = digits[digest[i] >> 4];
        call->sent_key[2 * i + 1] = digits[digest[i] & 15];
    }
    px_buf_finish(&from);
    return r;
}

/* An effect that goes on has the key that it had. */
static void take_key(struct px_call *call, const struct px_effect *effect) {
    if (effect && effect->sent_key.n == PX_SENT_KEY)
        px_str_copy(call->sent_key, sizeof call->sent_key, effect->sent_key);
}

/* ---- what was told ---- */

void px_effect_put_result(struct px_buf *to, const struct px_call *call) {
    const struct px_result *result = &call->result;
    struct px_jw w;
    px_jw_init(&w, to);
    px_jw_object(&w);
    if (result->structured_json.p) {
        px_jw_key(&w, "structured");
        px_jw_raw(&w, result->structured_json);
    }
    if (result->content_json.p) {
        px_jw_key(&w, "content");
        px_jw_raw(&w, result->content_json);
    }
    if (result->meta_json.p && !call->req.verbose) {
        px_jw_key(&w, "meta");
        px_jw_raw(&w, result->meta_json);
    }
    px_jw_object_end(&w);
}

void px_result_mark(struct px_call *call, const char *name, px_str json) {
    struct px_buf buf;
    struct px_jw w;
    px_str key, value, meta = call->result.meta_json;
    uint64_t pos = 0;
    px_buf_init(&buf, meta.n + 1024);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    while (meta.p && px_json_slice_next(meta, &pos, &key, &value) == 1) {
        if (px_json_slice_is(key, px_str_of(name)))
            continue;
        px_jw_key_raw(&w, key);
        px_jw_raw(&w, value);
    }
    px_jw_key(&w, name);
    px_jw_raw(&w, json);
    px_jw_object_end(&w);
    call->result.meta_json = px_call_take(call, &buf, meta);
}

struct px_error px_call_carried_out(struct px_call *call, px_str call_id) {
    struct px_error error =
        px_failure(call, PX_UNAVAILABLE,
                   PX_LIT("It has been carried out: do not call again, look at what it did instead."),
                   "it was carried out (call " PX_FMT "), and its result is not kept", PX_ARG(call_id));
    error.flags = 0;
    return error;
}

static px_str stored(struct px_call *call, px_str result, px_str name) {
    px_str value;
    return px_json_slice_get(result, name, &value) ? (px_str){0} : px_clean_json(&call->scope->arena, value);
}

static void replay(struct px_call *call, const struct px_effect *earlier) {
    px_str kept = px_arena_str(&call->scope->arena, earlier->result);
    struct px_result *result = &call->result;
    *result = (struct px_result){.id = px_str_of(call->id)};
    if (kept.p) {
        result->structured_json = stored(call, kept, PX_LIT("structured"));
        result->content_json = stored(call, kept, PX_LIT("content"));
        result->meta_json = stored(call, kept, PX_LIT("meta"));
    }
    if (!result->content_json.p && result->structured_json.p)
        result->content_json = px_text_blocks(call, result->structured_json, (px_str){0});
    uint64_t budget = 2 * call->req.result_bytes + 4096;
    bool fits = result->structured_json.n <= budget && result->content_json.n <= budget;
    if (!result->content_json.p || !fits || (call->item->output && !result->structured_json.p)) {
        struct px_error error = px_call_carried_out(call, earlier->call_id);
        px_shape_failure(call, &error);
    }
    px_result_mark(call, "plexus/replayed", PX_LIT("true"));
    call->session->seen |= call->item->labels;
    px_call_end(call);
}

/* ---- an earlier one has the key ---- */

static void on_recorded(void *user, int status, const struct px_effect *earlier);

static void cannot_say(struct px_call *call, const struct px_effect *earlier, const char *why) {
    px_call_fail(call, px_failure(call, PX_OUTCOME_UNKNOWN, px_str_of(again_advice),
                                  "an earlier call with this key (" PX_FMT ") may or may not have happened%s",
                                  PX_ARG(earlier->call_id), why));
}

/* It becomes this call's. In between it may have been settled: then the record is asked again. */
static void take_up(struct px_call *call, const struct px_effect *earlier) {
    bool unknown = earlier->outcome == PX_EFFECT_UNKNOWN;
    call->repeatable =
        unknown && px_item_repeatable(call->item, call->began_unix_ms - earlier->began_unix_ms);
    if (unknown && !px_item_verifies(call->item) && !call->repeatable) {
        cannot_say(call, earlier, "");
        return;
    }
    if (unknown && px_item_other_account(call->item, call->principal->name, earlier->began_unix_ms)) {
        cannot_say(call, earlier, "; the service has been connected to another account since");
        return;
    }
    px_recover_forget(call->gate, earlier->id);
    px_str_copy(call->effect_id, sizeof call->effect_id, earlier->id);
    int r = px_effect_resume(call->gate->opts.state, call->scope, earlier->id, earlier->outcome,
                             px_str_of(call->id), on_recorded, call, &call->effect);
    if (r == -ENOENT && call->tries < TRIES) {
        call->effect_id[0] = 0;
        px_call_record(call);
        return;
    }
    call->effect_begun = r == 0;
    call->before = earlier->outcome;
    call->look.wanted = unknown && px_item_verifies(call->item);
    if (r)
        px_call_fail(call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Try again later."),
                                      "the effect cannot be put on record: %s", strerror(-r)));
}

static void repeat(struct px_call *call, const struct px_effect *earlier) {
    struct px_error error;
    if (!px_str_eq(earlier->digest, px_str_n((const char *)call->digest, sizeof call->digest))) {
        px_call_fail(call, px_failure(call, PX_INVALID_ARGUMENTS,
                                      PX_LIT("Use another key for another call; or repeat the first one's "
                                             "arguments byte for byte."),
                                      "idempotency key: it was used with other arguments (call " PX_FMT ")",
                                      PX_ARG(earlier->call_id)));
        return;
    }
    switch (earlier->outcome) {
    case PX_EFFECT_DONE: replay(call, earlier); return;
    case PX_EFFECT_ASKED:
    case PX_EFFECT_UNKNOWN: take_up(call, earlier); return;
    case PX_EFFECT_FAILED: /* not handed over */
    case PX_EFFECT_OPEN: break;
    }
    error = px_failure(call, PX_UNAVAILABLE,
                       PX_LIT("Wait for it; then call again with the same key to get its result."),
                       "a call with this key is still running (call " PX_FMT ")", PX_ARG(earlier->call_id));
    error.retry_after_ms = 1000;
    px_call_fail(call, error);
}

/* ---- on record ---- */

static void on_recorded(void *user, int status, const struct px_effect *earlier) {
    struct px_call *call = user;
    call->effect = NULL;
    call->effect_begun = status == 0;
    px_crash_point("effect/recorded");
    if (status == -EEXIST) {
        repeat(call, earlier);
        return;
    }
    if (status) {
        px_call_fail(
            call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Only read-only tools work until this is mended."),
                             "the effect cannot be put on record (%s), so nothing was done",
                             status == -ENOSPC ? "the disk is full" : "the state file cannot be written"));
        return;
    }
    take_key(call, earlier);
    if (call->look.wanted)
        px_verify_before(call);
    else
        px_call_dispatch(call);
}

/* The effect of an earlier call, which asked something first: on record once. -ENOENT: it is not waiting any more. */
static int resume(struct px_call *call) {
    if (!call->effect_id[0])
        return -ENOENT;
    int r = px_effect_resume(call->gate->opts.state, call->scope, px_str_of(call->effect_id), PX_EFFECT_ASKED,
                             px_str_of(call->id), on_recorded, call, &call->effect);
    call->before = r ? PX_EFFECT_FAILED : PX_EFFECT_ASKED;
    return r ? r : make_key(call);
}

static int begin(struct px_call *call) {
    struct px_buf masked, clean;
    px_id_make(call->effect_id);
    int r = make_key(call);
    if (r)
        return r;
    px_buf_init(&masked, call->req.args_json.n * 2 + 1024);
    px_buf_init(&clean, SHOWN_MAX);
    struct px_effect effect = {.id = px_str_of(call->effect_id),
                               .call_id = px_str_of(call->id),
                               .principal = call->principal->name,
                               .service = call->item->service,
                               .tool = call->item->name,
                               .digest = px_str_n((const char *)call->digest, sizeof call->digest),
                               .idempotency_key = call->req.idempotency_key,
                               .sent_key = px_str_of(call->sent_key),
                               .began_unix_ms = call->began_unix_ms};
    effect.args = px_call_shown(call, PX_EFFECT_MAX_ARGS, &masked, &clean, &effect.args_whole);
    r = px_effect_begin(call->gate->opts.state, call->scope, &effect, on_recorded, call, &call->effect);
    px_buf_finish(&masked);
    px_buf_finish(&clean);
    return r;
}

void px_call_record(struct px_call *call) {
    call->state = PX_CALL_EFFECT;
    call->tries++;
    int r = resume(call);
    if (r == -ENOENT)
        r = begin(call);
    call->effect_begun = r == 0;
    if (r)
        px_call_fail(call, px_failure(call, PX_UNAVAILABLE, PX_LIT("Try again later."),
                                      "the effect cannot be put on record: %s", strerror(-r)));
}
