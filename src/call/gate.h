/* gate.h: the single path that every call takes, whoever asks: planner, and later plan steps, schedules, event rules.
 *
 *   1 principal and policy    may this caller use this tool, with what its session has already seen?
 *   2 arguments               against the tool's JSON Schema, before anything leaves
 *   3 approval                (its place; nothing asks yet)
 *   4 effect                  on record and committed, when the tool is not read-only (and it is no dry run)
 *   5 cache                   (its place)
 *   6 dispatch                the tool's route, or the plugin
 *   7 shape                   output schema, redaction, size budget
 *   8 log                     one row, then the answer
 *
 * Loop thread only. A call is a scope; its end ends everything that was started for it. */
#ifndef PX_CALL_GATE_H
#define PX_CALL_GATE_H

#include "call/policy.h"
#include "reactor/op.h"
#include "service/registry.h"
#include "state/effect.h"

struct px_loop;
struct px_state;
struct px_services;
struct px_gate;

struct px_gate_limits {
    uint32_t in_flight;               /* calls in flight in all; 0: 1024 */
    uint32_t in_flight_per_principal; /* 0: 64 */
    uint64_t timeout_ns;              /* a call's deadline when it names none; 0: 30 s */
    uint64_t max_timeout_ns;          /* the cap on what a caller may ask; 0: 10 min */
    uint64_t result_bytes; /* budget of a result when the call names none; 0: 64 KiB. It bounds the structured
                                         value, and the text or the blocks, each (and what the host adds: 1 KiB) */
    uint64_t max_result_bytes; /* the cap; 0: 4 MiB */
};
struct px_gate_opts {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_state *state;
    struct px_services *services;
    struct px_gate_limits limits;
};
PX_MUSTCHECK int px_gate_create(const struct px_gate_opts *opts, struct px_gate **ret, struct px_err *err);
void px_gate_destroy(struct px_gate **gate); /* no session is open any more */
void px_gate_set_limits(struct px_gate *gate, const struct px_gate_limits *limits);
/** Copied; sessions re-read it at their next call. Open sessions whose token has gone lose it: their calls are refused. */
PX_MUSTCHECK int px_gate_set_policy(struct px_gate *gate, const struct px_policy_set *set,
                                    struct px_err *err);

/* ---- sessions: one planner connection ---- */

struct px_session;
/** Who the kernel says is there. */
struct px_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    const gid_t *groups;
    size_t n_groups;
};
/** The principal is "uid:N". A session ends with px_session_close, or when `parent` closes (it must be closed all the same):
 *  its calls are cancelled (PX_WHY_GONE).
 *  -EACCES: this peer may not connect (policy). */
PX_MUSTCHECK int px_session_open(struct px_gate *gate, struct px_scope *parent, const struct px_peer *peer,
                                 struct px_session **ret, struct px_err *err);
void px_session_close(struct px_session **session);
struct px_scope *px_session_scope(struct px_session *session);
/** Become "token:NAME". -EACCES: no such token; -EBUSY: calls were made already. The token's text is wiped by the caller. */
PX_MUSTCHECK int px_session_token(struct px_session *session, px_str token, struct px_err *err);
/** Narrow to a profile. -ENOENT; -EBUSY: another profile is on already, or calls were made. */
PX_MUSTCHECK int px_session_profile(struct px_session *session, px_str profile, struct px_err *err);
px_str px_session_principal(const struct px_session *session); /* "uid:1000", "token:ci" */
px_str px_session_profile_name(const struct px_session *session);
bool px_session_admin(const struct px_session *session);
/** Whether the session may see and use this item at all (labels apart: those depend on what it has done). */
bool px_session_allows(struct px_session *session, const struct px_item *item, struct px_err *why);
/** Whether it may use any item of this service. */
bool px_session_sees_service(struct px_session *session, px_str service);

/* ---- calls ---- */

struct px_call_req {
    enum px_call_kind kind;
    struct px_item *item; /* from the registry; PX_CALL_COMPLETE: the prompt or template it completes for */
    px_str uri;           /* PX_CALL_READ: what is read */
    px_str args_json;     /* absent: {} */
    px_str params_json;   /* PX_CALL_COMPLETE */
    px_str meta_json, caps_json;
    px_str responses_json;  /* MCP's inputResponses; only with request_state */
    px_str request_state;   /* MCP's requestState, as the client sent it; absent: none */
    px_str idempotency_key; /* absent: none; recorded with the effect; at most 256 bytes */
    px_str parent;          /* id of the call that made this one; absent: none */
    uint64_t timeout_ns;    /* 0: the default; capped */
    uint64_t result_bytes;  /* 0: the default; capped */
    uint32_t log_level;     /* enum px_level; 8: none */
    bool wants_progress;
    /* of a tool with a route: show the request. Checked as always, but nothing is sent, no effect is
     * recorded, and the session has seen nothing by it. Of another: invalid_arguments */
    bool dry_run;
    /* of a tool with a route: what was sent and what came, in the result's meta: "plexus/exchange" */
    bool verbose;
};

/** How a call ended. Everything points into the call's own memory and lives until the `done` callback returns. JSON has no
 *  line ends in it, and secrets are redacted everywhere. */
struct px_result {
    px_str id;              /* of the call, 26 characters */
    int32_t code;           /* enum px_code; PX_OK also when is_error */
    bool is_error;          /* the tool says it failed, or code is not PX_OK */
    bool typed;             /* the tool has an output schema */
    px_str structured_json; /* tools; absent: none. For a failure {"error":{…}} */
    px_str content_json;    /* tools: an array, always there */
    px_str meta_json;       /* an object, or absent */
    px_str result_json;     /* prompts, reads, completions: the result object's members; absent on failure */
    px_str requests_json;   /* asks (input_required): the requests; absent: none */
    px_str request_state;   /* asks: sealed, for the client to hand back; absent: none */
    bool asks;
    struct px_error error; /* when code is not PX_OK */
};

/** All of them come from the loop, never while a plugin is on the stack; they may do anything, even close the session. */
struct px_call_sink {
    /** Once, from the loop; not after the op was cancelled. */
    void (*done)(void *user, const struct px_result *result);
    /** May be NULL. Strictly increasing. */
    void (*progress)(void *user, uint64_t done, uint64_t total, px_str message);
    void (*log)(void *user, uint32_t level, px_str logger, px_str data_json);
    /** May be NULL. Nothing has been done since, and this is why: "rate limit: 3.2 s". */
    void (*waiting)(void *user, px_str message);
};

/** Begin a call. Text in `req` is copied. Every refusal (policy, arguments, limits) is a result like any other, through
 *  `done`, and has its row in the log. Fails only with -ENOMEM and -ESHUTDOWN (the session has ended). px_op_cancel(&op)
 *  cancels it: the plugin hears PX_WHY_CALLER at once, and `done` does not come. */
PX_MUSTCHECK int px_gate_call(struct px_gate *gate, struct px_session *session, const struct px_call_req *req,
                              const struct px_call_sink *sink, void *user, struct px_op **ret_op,
                              struct px_err *err);

/* ---- effects whose outcome is not known ---- */

/** Services are ready: look for what an earlier run left (once; recover.h). */
void px_gate_recover(struct px_gate *gate);

/** Once, from the loop, unless cancelled. 0: it is settled as `outcome`, with `words`; -ENOENT: there is no such effect, or it is
 *  another's; -EBUSY: its call runs, or it is being looked for; -EALREADY: it was settled as `outcome` before; -ENOTSUP (verify):
 *  it cannot be looked for, `words` say why; -EAGAIN (verify): it still is not known; -ENOSPC, -EROFS, -EIO: the record. */
typedef void (*px_gate_effect_cb)(void *user, int status, enum px_effect_outcome outcome, px_str words);
/** A person has looked: it was `done`, or not. For administrators, and for one's own. The op is the session's. -EINVAL: no
 *  identifier; -ESHUTDOWN, -ENOMEM, -ENOBUFS. */
PX_MUSTCHECK int px_gate_effect_settle(struct px_session *session, px_str id, bool done, px_str note,
                                       px_gate_effect_cb cb, void *user, struct px_op **ret_op);
/** Look for it now. As above. */
PX_MUSTCHECK int px_gate_effect_verify(struct px_session *session, px_str id, px_gate_effect_cb cb,
                                       void *user, struct px_op **ret_op);

struct px_gate_stats {
    uint64_t total, failed;
    uint32_t in_flight, sessions;
};
void px_gate_stats_get(const struct px_gate *gate, struct px_gate_stats *ret);

#endif
