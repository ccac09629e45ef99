/* private.h: the structs that the files of this room share. */
#ifndef PX_CALL_PRIVATE_H
#define PX_CALL_PRIVATE_H

#include "base/id.h"
#include "base/map.h"
#include "call/gate.h"
#include "call/recover.h"
#include "call/rules.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include "service/run.h"
#include "service/services.h"
#include "state/effect.h"
#include "state/key.h"

enum { PX_PRINCIPAL_MAX = 80, PX_IDEMPOTENCY_MAX = 256, PX_SENT_KEY = 32 };

/** What all sessions of one principal share. */
struct px_principal {
    px_str name;
    uint32_t refs, in_flight;
    char text[PX_PRINCIPAL_MAX];
};

struct px_gate {
    struct px_gate_opts opts;
    struct px_gate_limits limits;
    struct px_rules rules;
    uint64_t rules_version;
    struct px_map principals; /* px_principal by name */
    uint8_t digest_key[PX_KEY_SIZE], ask_key[PX_KEY_SIZE], effect_key[PX_KEY_SIZE];
    struct px_schema *content, *prompt, *read, *complete, *ask; /* what plugins may answer; see shapes.c */
    struct px_gate_stats stats;
    struct px_recover recover;
};

struct px_session {
    struct px_gate *gate;
    struct px_scope *scope; /* NULL: it has closed, perhaps with its parent's */
    struct px_principal *principal;
    struct px_peer peer;         /* its groups are ours */
    char token[64], profile[64]; /* empty: none */
    struct px_standing standing;
    uint64_t rules_version; /* of `standing` */
    uint32_t seen;          /* PX_LABEL_… of what its calls have touched */
    bool used;
    gid_t groups[];
};
static inline bool px_session_ended(const struct px_session *session) {
    return !session->scope || session->scope->closed;
}

/* A call that waits at the plugin has `run` in use from RUNNING on, until it is settled. */
enum px_call_state {
    PX_CALL_POSTED,    /* px_gate_call has returned; nothing was looked at yet */
    PX_CALL_EFFECT,    /* waits until the effect is on record */
    PX_CALL_VERIFYING, /* looks whether it was done: an earlier call with its key, or this one */
    PX_CALL_RUNNING,   /* at the plugin */
    PX_CALL_ENDED      /* its result is known; `done` is posted, or was called */
};

/* Looking whether a write was done (verify.c). That it is not there counts when it was seen twice, a second apart: a request that
 * was given up may still arrive. */
struct px_look {
    struct px_run run; /* in use: item is set */
    struct px_timer pause;
    unsigned absent; /* how often it was not there */
    bool wanted;     /* an earlier call's, before anything is sent */
    bool before;     /* that is what goes on */
    enum px_verified verified;
    px_str words;
};

struct px_call {
    struct px_op op; /* in the session's scope */
    struct px_gate *gate;
    struct px_session *session;
    struct px_principal *principal; /* held */
    struct px_scope *scope;         /* its own, below the session's */
    enum px_call_state state;
    char id[PX_ID_SIZE], effect_id[PX_ID_SIZE];
    struct px_call_req req; /* text copied into the scope */
    const struct px_call_sink *sink;
    void *user;
    struct px_item *item; /* held */
    struct px_work work;
    struct px_timer deadline;
    struct px_run run;
    struct px_op *effect;
    bool counted;      /* among those in flight */
    bool effect_begun; /* it will be on record; so its end must be, too */
    bool dispatched;   /* the plugin has seen it */
    bool dry;          /* a dry run */
    /* What the effect is when nothing is sent: FAILED; ASKED, UNKNOWN: it is an earlier call's. */
    enum px_effect_outcome before;
    bool repeatable;                /* an earlier call's, whose outcome is not known: it may be sent again */
    unsigned tries;                 /* to put it on record */
    uint64_t ends_ns;               /* the whole deadline; the run's may come sooner (verify.c) */
    char sent_key[PX_SENT_KEY + 1]; /* what goes to the upstream as idempotency key */
    struct px_look look;
    bool gone; /* only the memory is left, until the turn ends */
    uint64_t began_ns;
    int64_t began_unix_ms;
    bool progressed;
    uint64_t progress;
    struct px_buf told; /* progress and log lines that nobody was told yet; see tell.c */
    struct px_work tell;
    uint8_t digest[PX_DIGEST_SIZE];
    px_str ask_state; /* the plugin's own state, from a request state that was verified */
    struct px_result result;
};

/* session.c */
void px_principal_drop(struct px_gate *gate, struct px_principal *principal);
const struct px_standing *px_session_standing(struct px_session *session);
/** Policy, with what the session has seen so far. PX_POLICY_… */
int px_session_check(struct px_session *session, const struct px_item *item, struct px_err *err);

/** The most that a plugin may answer with, and the memory of a call that gets as much. */
static inline uint64_t px_gate_max_answer(const struct px_gate *gate) {
    return PX_MAX(gate->limits.max_result_bytes, (uint64_t)4 << 20);
}
static inline size_t px_gate_call_memory(const struct px_gate *gate) {
    return 16 * px_gate_max_answer(gate);
}

/** What the call is about: the arguments; of a completion, its parameters; of a read, the URI. */
static inline px_str px_call_subject(const struct px_call *call) {
    const struct px_call_req *req = &call->req;
    return req->args_json.p ? req->args_json : req->params_json.p ? req->params_json : req->uri;
}

/* call.c: where the steps of other files go on */
void px_call_dispatch(struct px_call *call);
void px_call_end(struct px_call *call);
void px_call_fail(struct px_call *call, struct px_error error);

/* effect.c: step 4 */
/** Put it on record, then dispatch; or go on as the record says when its key was used before. */
void px_call_record(struct px_call *call);
/** What was told, for a repeat with its key; appended. */
void px_effect_put_result(struct px_buf *to, const struct px_call *call);
/** A member of the result's meta: `json`, a value. */
void px_result_mark(struct px_call *call, const char *name, px_str json);
/** It was done, and what it told cannot be told again. */
struct px_error px_call_carried_out(struct px_call *call, px_str call_id);

/* verify.c */
/** Arm the deadline of the run: the call's, or sooner when time is to be left for looking. */
void px_verify_arm(struct px_call *call);
/** The run has ended and its outcome is not known: look, when the tool can and there is time. False: it cannot be. */
bool px_verify_after(struct px_call *call);
/** Look whether an earlier call's was done, before anything is sent. */
void px_verify_before(struct px_call *call);
/** Stop looking. */
void px_verify_stop(struct px_call *call);
void px_verify_finish(struct px_call *call);

/* settle.c: the end of a call, but for its answer: the row, the effect's end, the counters. Once. */
void px_call_settle(struct px_call *call);
/** What is known of the world. */
enum px_effect_outcome px_call_outcome(const struct px_call *call);
/** As much of the arguments as is kept, redacted and masked: at most `most` bytes. *ret_whole (may be NULL): nothing is missing. */
px_str px_call_shown(const struct px_call *call, size_t most, struct px_buf *masked, struct px_buf *clean,
                     bool *ret_whole);
/** It will not be waited for that the effect is on record; who keeps the records knows what that means for it. */
void px_call_drop_effect(struct px_call *call);

/* mask.c: arguments that are not to be shown. */
/** Whether this pointer into the arguments is one that the tool's schema marks "writeOnly", or lies below one. */
bool px_call_hides(const struct px_call *call, px_str pointer);
/** The arguments with "***" in the place of each of these. Appended; the subject itself when there are none. */
PX_MUSTCHECK int px_call_mask(const struct px_call *call, px_str args_json, struct px_buf *to);

/* tell.c: progress and log lines. The first two are called with a plugin on the stack. */
void px_tell_init(struct px_call *call);
void px_tell_finish(struct px_call *call);
void px_tell_progress(struct px_call *call, uint64_t done, uint64_t total, px_str message);
void px_tell_waiting(struct px_call *call, px_str message);
void px_tell_log(struct px_call *call, uint32_t level, px_str logger, px_str data_json);
/** What waits, now. The call may be `gone` afterwards. */
void px_tell_now(struct px_call *call);

/* clean.c: what leaves the host. */
/** Secrets redacted; `cut`: it may end in the middle of one. Absent stays absent. */
px_str px_clean_text(struct px_arena *arena, px_str text, bool cut);
/** The same for JSON on one line; absent: it cannot be shown without spoiling it. */
px_str px_clean_json(struct px_arena *arena, px_str json);
/** In place, so the text must be a copy of ours: line ends between tokens become blanks. One message is one line. */
void px_json_one_line(px_str json);

/* shape.c: from the plugin's answer to the call's result. */
/** Fill call->result from run.reply; a reply that is not acceptable becomes an `internal` failure. */
void px_shape_reply(struct px_call *call);
/** Fill call->result with the plugin's question. */
void px_shape_ask(struct px_call *call);
/** MCP content: the text, and, when there is more, that in a block of its own. */
px_str px_text_blocks(struct px_call *call, px_str text, px_str more);
/** Move what was written into the call's memory; `otherwise` when that failed. Ends the buffer. */
px_str px_call_take(struct px_call *call, struct px_buf *buf, px_str otherwise);

/* failure.c */
/** Fill call->result with a failure. Words are redacted. */
void px_shape_failure(struct px_call *call, const struct px_error *error);
/** With an `internal` one that names the plugin. */
void px_plugin_is_wrong(struct px_call *call, const char *what);
/** Make a px_error of these words (at most 2,047 bytes), in the call's memory. */
struct px_error px_failure(struct px_call *call, int32_t code, px_str advice, const char *format, ...)
    PX_PRINTF(4, 5);

/* shapes.c: what plugins may answer, as JSON Schema. */
int px_shapes_init(struct px_gate *gate, struct px_err *err);
void px_shapes_finish(struct px_gate *gate);

/* budget.c: whole items only. */
struct px_cut {
    uint64_t kept, dropped, bytes; /* items kept and dropped; bytes before the cut */
    bool done;
};
/** Bytes of a text; `escaped`: as it stands inside a JSON string. */
uint64_t px_budget_cost(px_str text, bool escaped);
/** Make `json` fit into `budget` by dropping elements from the end of its longest arrays (the value itself, or some up to
 *  three objects down). -EMSGSIZE: it cannot be done, or nothing of the lists would be left; -ENOMEM. */
PX_MUSTCHECK int px_budget_cut(struct px_arena *arena, px_str json, uint64_t budget, bool escaped,
                               px_str *ret, struct px_cut *cut);
/** Text as it stands in a JSON string: whole lines from its beginning; or, when not even one fits, a part of the first. */
px_str px_budget_cut_text(px_str text, uint64_t budget, struct px_cut *cut);

/* ask.c: the request state that a client hands back, sealed. */
PX_MUSTCHECK int px_ask_seal(struct px_call *call, px_str state, px_str *ret);
/** Open what came back: ours, of this principal, tool and arguments, not too old. Sets call->ask_state, and effect_id when the
 *  question was about an effect. */
PX_MUSTCHECK int px_ask_open(struct px_call *call, struct px_err *err);

#endif
