/* peer.h: what the files of this room share; private to it.
 *
 *   line.c    text -> message -> ask            reply.c    results, errors, notifications -> output
 *   meta.c    `_meta`                           methods.c  which method is which function
 *   request.c requests in flight                the rest   one family of methods each */
#ifndef PX_MCP_PEER_H
#define PX_MCP_PEER_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "mcp/mcp.h"
#include "reactor/loop.h"
#include "json/slice.h"

struct px_calllog_row;

/* JSON-RPC's codes and MCP's; the host's own are PX_MCP_OWN + enum px_code. */
enum {
    PX_MCP_PARSE = -32700,
    PX_MCP_INVALID_REQUEST = -32600,
    PX_MCP_NO_METHOD = -32601,
    PX_MCP_BAD_PARAMS = -32602,
    PX_MCP_INTERNAL = -32603,
    PX_MCP_NO_RESOURCE = -32002, /* legacy */
    PX_MCP_CAPABILITY = -32021,  /* modern */
    PX_MCP_VERSION = -32022,     /* modern */
    PX_MCP_OWN = 1000
};

/* In the order of time. */
enum px_mcp_version {
    PX_MCP_UNKNOWN = 0, /* nothing has said so far */
    PX_MCP_2024_11_05,
    PX_MCP_2025_03_26,
    PX_MCP_2025_06_18,
    PX_MCP_2025_11_25,
    PX_MCP_2026_07_28
};
static inline bool px_mcp_modern(enum px_mcp_version v) {
    return v >= PX_MCP_2026_07_28;
}
/** PX_MCP_UNKNOWN: we do not speak it. */
enum px_mcp_version px_mcp_version_of(px_str name);
const char *px_mcp_version_name(enum px_mcp_version v);

enum { PX_MCP_EXTENSIONS = 16, PX_MCP_MAX_ID = 512, PX_MCP_NO_LOG = 8, PX_MCP_MEMBERS = 8 };

struct px_mcp {
    struct px_loop *loop;
    struct px_gate *gate;
    struct px_services *services;
    struct px_registry *registry;
    struct px_state *state;
    struct px_mcp_secrets secrets;
    struct px_grants *grants;
    struct px_logins *logins;
    struct px_mcp_limits limits;
    struct px_list_node peers;
    struct px_list_node changed;   /* peers that are to hear of changes */
    struct px_work tell;           /* does so, some at a time */
    struct px_map uris;            /* watched resources: struct uri (watch.c) */
    struct px_list_node followers; /* of the log of calls: struct px_mcp_req, by its in_group */
    struct px_mcp_extension {
        const char *name;
        px_mcp_method fn;
        void *ctx;
    } extensions[PX_MCP_EXTENSIONS];
    size_t n_extensions;
    struct px_arena scratch; /* of the line that is being worked on */
    bool draining;
};

/* What a peer has still to hear. */
enum {
    PX_MCP_TOOLS = 1,
    PX_MCP_PROMPTS = 2,
    PX_MCP_RESOURCES = 4,
    PX_MCP_UPDATED = 8 /* some of its watched resources */
};

struct px_mcp_peer {
    struct px_mcp *mcp;
    struct px_session *session;
    const struct px_mcp_sink *sink;
    void *ctx;
    struct px_list_node in_mcp, in_changed;
    struct px_list_node reqs;    /* struct px_mcp_req: the oldest first */
    struct px_map in_flight;     /* the same, by id */
    struct px_list_node watches; /* of resources/subscribe */
    struct px_buf output;
    size_t sent;    /* bytes of output that are gone already */
    size_t batched; /* bytes of answers that wait in batches */
    uint32_t n_listens, n_watches;
    uint32_t changes;           /* PX_MCP_TOOLS … */
    uint32_t log_level;         /* legacy: logging/setLevel */
    enum px_mcp_version legacy; /* what `initialize` settled on */
    bool initialized;           /* legacy: it told us so */
    bool input_ended, ended;
};

/* ---- asks: a request that is being looked at ---- */

struct px_mcp_batch;
struct px_mcp_ask {
    struct px_mcp_peer *peer;
    struct px_mcp_batch *batch; /* NULL: the message came alone */
    enum px_mcp_version version;
    const struct px_mcp_entry *entry;
    px_str id;     /* raw; absent: a notification, or it could not be read */
    px_str method; /* decoded */
    px_str params; /* an object, or absent */
    struct px_mcp_member {
        px_str key, value;     /* raw */
    } members[PX_MCP_MEMBERS]; /* of params, so that they are walked once */
    uint32_t n_members;        /* one more than there is room for: params has more */
    /* of params._meta (meta.c) */
    px_str meta;  /* an object, or absent */
    px_str token; /* progressToken, raw */
    px_str caps;  /* modern: clientCapabilities, raw */
    px_str key;   /* plexus/idempotency_key */
    uint64_t timeout_ns, max_bytes;
    bool dry_run, verbose;
    uint32_t log_level; /* PX_MCP_NO_LOG: none */
    bool other_meta;    /* it has members that are not the protocol's */
};

/** Look at params._meta: 0; or -EINVAL: refused, an error was written. */
PX_MUSTCHECK int px_mcp_meta_read(struct px_mcp_ask *ask);
/** What of `_meta` is for the plugin; into mcp->scratch. Absent: nothing is. */
px_str px_mcp_meta_rest(struct px_mcp_ask *ask);

typedef void (*px_mcp_fn)(struct px_mcp_ask *ask);
enum {
    PX_MCP_LEGACY_ERA = 1,
    PX_MCP_MODERN_ERA = 2,
    PX_MCP_ANY = 3,
    PX_MCP_EARLY = 4,  /* legacy: also before initialize */
    PX_MCP_LATE = 8,   /* also while the host is stopping */
    PX_MCP_HOST = 16,  /* the host's own: of no era */
    PX_MCP_ALONE = 32, /* not in a batch */
    PX_MCP_WIPE = 64   /* its params hold a secret: whatever comes of it, they are overwritten */
};
struct px_mcp_entry {
    px_str name;
    px_mcp_fn fn;
    unsigned flags;
};
const struct px_mcp_entry *px_mcp_request_of(const struct px_mcp *mcp, px_str method);
const struct px_mcp_entry *px_mcp_notification_of(px_str method);

/** A message: one object that passed the scan. */
void px_mcp_message(struct px_mcp_peer *peer, px_str object, struct px_mcp_batch *batch);

/* ---- reading params ---- */

struct px_mcp_want {
    px_str name;
    px_str *to; /* the raw value; untouched when it is not there */
};
#define PX_MCP_WANT(name, to)                                                                                \
    { PX_LIT_INIT(name), to }
void px_mcp_find(px_str object, const struct px_mcp_want *wants, size_t n);
#define px_mcp_find_one(object, name, to) px_mcp_find((object), &(struct px_mcp_want)PX_MCP_WANT(name, to), 1)
/** The same in the params of an ask. */
void px_mcp_params(const struct px_mcp_ask *ask, const struct px_mcp_want *wants, size_t n);
#define px_mcp_params_one(ask, name, to) px_mcp_params((ask), &(struct px_mcp_want)PX_MCP_WANT(name, to), 1)
/** Whether a raw key is this name, which needs no escape. */
static inline bool px_mcp_key_is(px_str key, px_str name) {
    if (key.n == name.n + 2) /* an escape is longer than what it stands for */
        return memcmp(key.p + 1, name.p, name.n) == 0;
    return key.n > name.n + 2 && memchr(key.p, '\\', key.n) && px_json_slice_is(key, name);
}
/** A member that must be a string (`required`), or may be absent: decoded into *ret. false: refused, an error was written. */
bool px_mcp_text(struct px_mcp_ask *ask, const char *name, px_str raw, bool required, px_str *ret);
/** The same for an object, which stays raw. */
bool px_mcp_object(struct px_mcp_ask *ask, const char *name, px_str raw, bool required);
bool px_mcp_bool(struct px_mcp_ask *ask, const char *name, px_str raw, bool *ret);

/* ---- answers ---- */

struct px_mcp_msg {
    struct px_mcp_peer *peer;
    struct px_mcp_batch *batch;
    struct px_buf *to;
    size_t mark;
    enum px_mcp_version version;
    bool meta; /* _meta is open */
    struct px_jw w;
};
/** Open a result: its members go into msg->w. */
void px_mcp_result(struct px_mcp_msg *msg, struct px_mcp_peer *peer, struct px_mcp_batch *batch, px_str id,
                   enum px_mcp_version version, const char *result_type);
/** Open the result's `_meta`, its last member; px_mcp_result_end closes it. */
void px_mcp_result_meta(struct px_mcp_msg *msg);
void px_mcp_result_end(struct px_mcp_msg *msg);
/** The same for an ask. */
void px_mcp_answer(struct px_mcp_ask *ask, struct px_mcp_msg *msg);
void px_mcp_answer_empty(struct px_mcp_ask *ask);
/** Open a notification: the members of its params go into msg->w. */
void px_mcp_note(struct px_mcp_msg *msg, struct px_mcp_peer *peer, const char *method);
void px_mcp_note_end(struct px_mcp_msg *msg);

/** What was written into a buffer, or absent when not all of it could be. */
static inline px_str px_mcp_whole(const struct px_buf *b) {
    return b->failed ? (px_str){0} : px_buf_view(b);
}
/** `data`: JSON, or absent. */
void px_mcp_error(struct px_mcp_peer *peer, struct px_mcp_batch *batch, px_str id,
                  enum px_mcp_version version, int code, px_str message, px_str data);
void px_mcp_refuse(struct px_mcp_ask *ask, int code, const char *format, ...) PX_PRINTF(3, 4);
/** One of the host's own: code 1000 + `code`, with data {code, retryable, advice?}. */
void px_mcp_refuse_own(struct px_mcp_ask *ask, int32_t code, const char *advice, const char *format, ...)
    PX_PRINTF(4, 5);
/** From an -errno of a method. */
void px_mcp_refuse_err(struct px_mcp_ask *ask, int r, const struct px_err *err);
/** The peer is at its end. */
void px_mcp_peer_end(struct px_mcp_peer *peer, const char *why);

/* ---- batches (2025-03-26) ---- */

void px_mcp_batch_line(struct px_mcp_peer *peer, px_str array);
struct px_buf *px_mcp_batch_buf(struct px_mcp_batch *batch);
void px_mcp_batch_hold(struct px_mcp_batch *batch);
/** One of its requests has ended. */
void px_mcp_batch_release(struct px_mcp_batch *batch);

/* ---- requests in flight ---- */

enum px_mcp_kind {
    PX_MCP_REQ_TOOL,
    PX_MCP_REQ_PROMPT,
    PX_MCP_REQ_READ,
    PX_MCP_REQ_COMPLETE,
    PX_MCP_REQ_LISTEN,
    PX_MCP_REQ_LOG,
    PX_MCP_REQ_EFFECTS,
    PX_MCP_REQ_EFFECT,
    PX_MCP_REQ_SECRET,
    PX_MCP_REQ_LOGIN,
    PX_MCP_REQ_LOGOUT
};
struct px_mcp_req {
    struct px_mcp_peer *peer;
    struct px_mcp_batch *batch;
    struct px_list_node in_peer;
    struct px_list_node in_group; /* LOG: the followers */
    struct px_op *op;
    px_str id, token; /* raw, in `text` or `more` */
    enum px_mcp_kind kind;
    enum px_mcp_version version;
    uint32_t can;      /* what the client can be asked (ask.c) */
    uint32_t changes;  /* LISTEN: PX_MCP_TOOLS … that it wants */
    uint64_t progress; /* the last one sent */
    uint32_t waits;    /* told since */
    bool progressed;
    struct px_list_node watches; /* LISTEN */
    void *own;                   /* LOG, EFFECTS, SECRET, LOGIN, LOGOUT: what their file keeps */
    void (*free_own)(struct px_mcp_req *req);
    char *more;
    char text[64];
};
/** NULL: refused, an error was written. */
struct px_mcp_req *px_mcp_req_new(struct px_mcp_ask *ask, enum px_mcp_kind kind);
/** It has its answer, or is not to have one: cancel what runs for it and forget it. */
void px_mcp_req_end(struct px_mcp_req *req);

/** What a call tells the request that it was made for (result.c). `user`: the px_mcp_req. */
extern const struct px_call_sink px_mcp_call_sink;
/** Members of an error's `data`: code, retryable, retry_after_ms, advice. result.c. */
void px_mcp_put_error(struct px_jw *w, int32_t code, const struct px_error *error);

/* ---- changes and watches ---- */

void px_mcp_changes_init(struct px_mcp *mcp);
void px_mcp_touched(void *ctx, px_str uri);
/** There is something to tell this peer: `changes` more than before. */
void px_mcp_changed(struct px_mcp_peer *peer, uint32_t changes);
/** -EDQUOT: the peer watches too many; -ENOMEM. `listen`: NULL for resources/subscribe. Watching twice is fine. */
PX_MUSTCHECK int px_mcp_watch(struct px_mcp_peer *peer, struct px_mcp_req *listen, px_str uri);
/** false: it was not watched. */
bool px_mcp_unwatch(struct px_mcp_peer *peer, px_str uri);
void px_mcp_unwatch_all(struct px_mcp_peer *peer, struct px_list_node *watches);
/** End a subscription from our side: answer and notification. Ends the request. */
void px_mcp_listen_close(struct px_mcp_req *req);
/** Answer a followed log. Ends the request. */
void px_mcp_follow_close(struct px_mcp_req *req);
/** The host is stopping: a login is told so. Ends the request. */
void px_mcp_login_close(struct px_mcp_req *req);
void px_mcp_log_row(void *ctx, const struct px_calllog_row *row);

/* ---- what a client can be asked ---- */

uint32_t px_mcp_can(px_str caps);
/** Whether all of `requests` (the input requests of a call) may be sent to a client that can do `can`. If not,
 *  `missing` gets the JSON of the capabilities it lacks. */
bool px_mcp_can_ask(uint32_t can, px_str requests, struct px_buf *missing);

/* ---- methods, one family a file ---- */

void px_mcp_discover(struct px_mcp_ask *ask);
void px_mcp_initialize(struct px_mcp_ask *ask);
void px_mcp_initialized(struct px_mcp_ask *ask);
void px_mcp_ping(struct px_mcp_ask *ask);
void px_mcp_set_level(struct px_mcp_ask *ask);
void px_mcp_cancelled(struct px_mcp_ask *ask);
void px_mcp_list_tools(struct px_mcp_ask *ask);
void px_mcp_list_prompts(struct px_mcp_ask *ask);
void px_mcp_list_resources(struct px_mcp_ask *ask);
void px_mcp_list_templates(struct px_mcp_ask *ask);
void px_mcp_call_tool(struct px_mcp_ask *ask);
void px_mcp_get_prompt(struct px_mcp_ask *ask);
void px_mcp_read_resource(struct px_mcp_ask *ask);
void px_mcp_complete(struct px_mcp_ask *ask);
void px_mcp_listen(struct px_mcp_ask *ask);
void px_mcp_subscribe(struct px_mcp_ask *ask);
void px_mcp_unsubscribe(struct px_mcp_ask *ask);
void px_mcp_own_extension(struct px_mcp_ask *ask); /* what px_mcp_extend brought */
void px_mcp_own_session(struct px_mcp_ask *ask);
void px_mcp_own_describe(struct px_mcp_ask *ask);
void px_mcp_own_pause(struct px_mcp_ask *ask);
void px_mcp_own_resume(struct px_mcp_ask *ask);
void px_mcp_own_log(struct px_mcp_ask *ask);
void px_mcp_own_effects(struct px_mcp_ask *ask);
void px_mcp_own_effect_settle(struct px_mcp_ask *ask);
void px_mcp_own_effect_verify(struct px_mcp_ask *ask);
void px_mcp_own_secret_set(struct px_mcp_ask *ask);
void px_mcp_own_secret_remove(struct px_mcp_ask *ask);
void px_mcp_own_secret_list(struct px_mcp_ask *ask);
void px_mcp_own_auth_login(struct px_mcp_ask *ask);
void px_mcp_own_auth_redirected(struct px_mcp_ask *ask);
void px_mcp_own_auth_redirect(struct px_mcp_ask *ask);
void px_mcp_own_auth_status(struct px_mcp_ask *ask);
void px_mcp_own_auth_logout(struct px_mcp_ask *ask);
/** "debug" … "emergency" -> 0 … 7; -1. */
int px_mcp_level_of(px_str name);
const char *px_mcp_level_name(uint32_t level);

#endif
