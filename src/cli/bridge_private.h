/* bridge_private.h: the inside of the bridge, shared by its files. */
#ifndef PX_CLI_BRIDGE_PRIVATE_H
#define PX_CLI_BRIDGE_PRIVATE_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "cli/bridge.h"
#include "json/write.h"

#define PX_BRIDGE_OWN "plexus-bridge/" /* our own request ids begin so */

enum {
    PX_BRIDGE_REQUESTS = 1024,
    PX_BRIDGE_QUEUE_BYTES = 8 << 20,  /* unsent; more is not read from the client */
    PX_BRIDGE_CLIENT_HIGH = 1 << 20,  /* unread by the client; more is not read from the host */
    PX_BRIDGE_CLIENT_CAP = 16 << 20,  /* above HIGH: one line, and our own answers */
    PX_BRIDGE_KEEP_BYTES = 256 << 10, /* a line that can be sent again */
    PX_BRIDGE_SUBSCRIPTIONS = 1024,
    PX_BRIDGE_SERVER_REQUESTS = 256,
    PX_BRIDGE_TOOLS = 8192,
    PX_BRIDGE_PAGES = 1000,
    PX_BRIDGE_HOLD_MS = 30000, /* how long an ended subscription may turn out to be a restart */
    PX_BRIDGE_ID_BYTES = 512
};

enum px_bridge_state { PX_BRIDGE_AWAY, PX_BRIDGE_GREETING, PX_BRIDGE_REPLAYING, PX_BRIDGE_READY };

enum px_bridge_kind {
    PX_BRIDGE_OTHER,
    PX_BRIDGE_CALL,
    PX_BRIDGE_TOOLS_LIST,
    PX_BRIDGE_INITIALIZE, /* this and the next: sent again if the host went before it answered */
    PX_BRIDGE_DISCOVER,
    PX_BRIDGE_LISTEN, /* stays, and is sent again to every new host */
    PX_BRIDGE_SUBSCRIBE,
    PX_BRIDGE_UNSUBSCRIBE,
    PX_BRIDGE_SET_LEVEL
};

struct px_bridge_msg;

/* A request of the client that has no answer yet. */
struct px_bridge_req {
    struct px_list_node node; /* in requests, in order of arrival */
    char *key, *id;           /* the id as a key, and as raw JSON */
    enum px_bridge_kind kind;
    bool modern, acked, answered; /* answered: a subscription whose answer is held back */
    struct px_bridge_msg *msg;    /* its line while it is not sent; NULL: sent */
    uint64_t deadline_ns;         /* while not sent: fail then; 0: none */
    char *subject;                /* tool: its name; subscribe: the raw URI; set level: the raw level */
    char *line;                   /* kinds that are sent again: the whole line */
    struct px_buf ending;         /* a subscription's end, held back until ending_ns */
    uint64_t ending_ns;
};

/* A request of the host to the client. */
struct px_bridge_ask {
    char *shown, *id,
        *key; /* the raw id as the client sees it, and as the host gave it; the key of the former */
};

/* A line for the host. */
struct px_bridge_msg {
    struct px_list_node node;
    struct px_bridge_req *req; /* NULL: a notification or a response */
    size_t n;
    char bytes[]; /* with its newline */
};

struct px_bridge {
    struct px_bridge_opts opts;
    enum px_bridge_state state;
    bool eof, broken, ever_up, unreachable, hang_up, complained;
    bool listed; /* the client has asked for tools: so the bridge does, of every new host */

    struct px_buf to_client;
    size_t client_sent; /* bytes of it that are written */

    struct px_buf control; /* what is replayed; goes before the queue */
    size_t control_sent;
    struct px_list_node queue;
    size_t queue_bytes, head_sent; /* head_sent: bytes of the first message that are written */

    struct px_map by_key; /* key -> px_bridge_req */
    struct px_list_node requests;

    /* the legacy session, as far as it must be replayed */
    char *init_params; /* NULL: none was answered */
    bool initialized, tools_changed, prompts_changed, resources_changed;
    char *log_level;
    struct px_map subscriptions; /* raw URI -> itself */

    /* requests of the host that the client has not answered: shown key -> px_bridge_ask */
    struct px_map asked;
    struct px_map stale;    /* keys of those that were withdrawn, and may still be answered -> itself */
    bool rename_all;        /* too many of those to be remembered */
    struct px_map readonly; /* names of tools that say they only read -> itself */
    struct px_map strict;   /* names of tools with an output schema -> itself */
    uint64_t list_id;       /* the own tools/list that is under way; 0: none */
    unsigned pages;         /* asked for so far by it and those before it */

    uint64_t own_id, awaited; /* awaited: the own id that moves the state on */
    uint64_t retry_ns, up_ns, handshake_ns, backoff_ms;
    bool heard; /* the host has said something since it is up */
    int connect_code;
    struct px_buf refused; /* the host's own error object, when it refused the session */
};

static inline size_t px_bridge_unread(const struct px_bridge *b) {
    return b->to_client.n - b->client_sent;
}

/* ---- bridge_request.c ---- */
/** The key of a raw id: 's' or 'n' and its value. 0, or -EINVAL: no id. `key`: of PX_BRIDGE_ID_BYTES. */
int px_bridge_key(px_str raw_id, char *key, px_str *ret);
struct px_bridge_req *px_bridge_find(struct px_bridge *b, px_str raw_id);
/** NULL: out of memory. Not yet queued. */
struct px_bridge_req *px_bridge_req_add(struct px_bridge *b, px_str key, px_str raw_id);
/** Forget it; its message, unless a part of it is written, goes too. */
void px_bridge_req_end(struct px_bridge *b, struct px_bridge_req *req);
bool px_bridge_enqueue(struct px_bridge *b, struct px_bridge_req *req, px_str line, bool first);
/** After the connection is lost: what is left in the queue, is to be written from its beginning. */
void px_bridge_rewind(struct px_bridge *b);
void px_bridge_msg_sent(struct px_bridge *b);
bool px_bridge_set_add(struct px_map *set, px_str text);
void px_bridge_set_remove(struct px_map *set, px_str text);
void px_bridge_set_clear(struct px_map *set);

/* ---- bridge_host.c ---- */
/** Remember what a page of tools says about them. */
void px_bridge_learn_tools(struct px_bridge *b, px_str result);

/* ---- bridge_fail.c ---- */
void px_bridge_say(struct px_bridge *b, const char *format, ...) PX_PRINTF(2, 3);
void px_bridge_forward(struct px_bridge *b, px_str line);
/** A JSON-RPC error in the bridge's own words; id may be empty. */
void px_bridge_error(struct px_bridge *b, px_str raw_id, int code, const char *name, bool retryable,
                     const char *message, const char *advice);
/** Answer a request because of the host's absence, in the shape of its kind and era, and end it. `sent`: the host may have seen
 *  all of it. */
void px_bridge_fail(struct px_bridge *b, struct px_bridge_req *req, bool sent);
void px_bridge_fail_too_large(struct px_bridge *b, struct px_bridge_req *req);
void px_bridge_fail_refused(struct px_bridge *b, px_str raw_id);

/* ---- bridge_ask.c ---- */
void px_bridge_ask(struct px_bridge *b, px_str line, px_str id);
void px_bridge_ask_free(struct px_bridge_ask *ask);
/** The client answered. `id` is a slice of `line`. */
void px_bridge_ask_answer(struct px_bridge *b, px_str line, px_str id);
/** The host withdraws a question. `id` is a slice of `line`. */
void px_bridge_ask_cancel(struct px_bridge *b, px_str line, px_str id);
/** The host is gone: tell the client about every open question. */
void px_bridge_ask_withdraw(struct px_bridge *b);

/* ---- bridge_replay.c ---- */
/** Go on with the handshake from here. */
void px_bridge_advance(struct px_bridge *b, uint64_t now_ns);
/** An answer to one of our own requests. */
void px_bridge_own_answer(struct px_bridge *b, px_str raw_id, px_str message, uint64_t now_ns);
/** Tell the client that lists may have changed while the host was away. */
void px_bridge_changed_legacy(struct px_bridge *b);
void px_bridge_changed_listen(struct px_bridge *b, const struct px_bridge_req *req, px_str honoured);

#endif
