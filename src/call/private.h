/* private.h: the structs that the files of this room share. */
#ifndef PX_CALL_PRIVATE_H
#define PX_CALL_PRIVATE_H

#include "base/id.h"
#include "base/map.h"
#include "call/gate.h"
#include "call/rules.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include "service/run.h"
#include "service/services.h"
#include "state/key.h"

enum { PX_PRINCIPAL_MAX = 80, PX_GROUPS_MAX = 64 };

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
    uint8_t digest_key[PX_KEY_SIZE], ask_key[PX_KEY_SIZE];
    struct px_schema *content, *prompt, *read, *complete, *ask; /* what plugins may answer; see shapes.c */
    struct px_gate_stats stats;
};

struct px_session {
    struct px_gate *gate;
    struct px_scope *scope;
    struct px_principal *principal;
    struct px_peer peer;
    gid_t groups[PX_GROUPS_MAX];
    char token[64], profile[64]; /* empty: none */
    struct px_standing standing;
    uint64_t rules_version; /* of `standing` */
    uint32_t seen;          /* PX_LABEL_… of what its calls have touched */
    bool used, closing;
};

enum px_call_state {
    PX_CALL_POSTED,  /* px_gate_call has returned; nothing was looked at yet */
    PX_CALL_EFFECT,  /* waits until the effect is on record */
    PX_CALL_RUNNING, /* at the plugin */
    PX_CALL_ENDED    /* its result is known; `done` is posted, or was called */
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
    bool counted, effect_open, running;
    uint64_t began_ns, progress;
    int64_t began_unix_ms;
    uint8_t digest[PX_DIGEST_SIZE];
    px_str ask_state; /* the plugin's own state, from a request state that was verified */
    struct px_result result;
};

/* session.c */
void px_principal_drop(struct px_gate *gate, struct px_principal *principal);
const struct px_standing *px_session_standing(struct px_session *session);
/** Policy, with what the session has seen so far. PX_POLICY_… */
int px_session_check(struct px_session *session, const struct px_item *item, struct px_err *err);

/* shape.c: from the plugin's answer to the call's result. */
/** Fill call->result from run.reply; a reply that is not acceptable becomes an `internal` failure. */
void px_shape_reply(struct px_call *call);
/** The same from a question: run.ask_requests, run.ask_state. */
void px_shape_ask(struct px_call *call);
/** Fill call->result with a failure. Words are redacted. */
void px_shape_failure(struct px_call *call, const struct px_error *error);
/** Make a px_error of these words, in the call's memory. */
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
/** Make `json` fit into `budget` bytes by dropping elements from the end of its longest array (the value itself, or one up to
 *  three objects down). -EMSGSIZE: there is nothing that could be cut. */
PX_MUSTCHECK int px_budget_cut(struct px_arena *arena, px_str json, uint64_t budget, px_str *ret,
                               struct px_cut *cut);
/** The same for text: whole lines from the beginning. */
px_str px_budget_cut_text(px_str text, uint64_t budget, struct px_cut *cut);

/* ask.c: the request state that a client hands back, signed. */
PX_MUSTCHECK int px_ask_seal(struct px_call *call, px_str state, px_str *ret);
/** Check what came back: ours, of this principal, tool and arguments, not too old. Sets call->ask_state. */
PX_MUSTCHECK int px_ask_open(struct px_call *call, struct px_err *err);

#endif
