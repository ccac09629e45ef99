/* SPDX-License-Identifier: Apache-2.0
 *
 * plexus/plugin.h: the plugin ABI, draft 0.3.
 *
 * A plugin is one shared object that teaches the host one kind of service. It exports one constant,
 * `px_plugin_v1`, made with PX_PLUGIN(...); the host hands it one table of tables, `struct px_host`. This header
 * is all there is: a plugin links nothing of ours. plugins/example/ is the one to learn from, and
 * `plexus plugin new NAME` writes a skeleton that compiles.
 *
 * The ABI is a DRAFT while its major number is 0: a layout may still change, and then PX_ABI_MINOR_OLDEST moves up. The
 * host loads plugins of its own major and of minors from its PX_ABI_MINOR_OLDEST to its PX_ABI_MINOR: between those,
 * structs only grew at their end. From 1.0 on they never do anything else.
 *
 * How the parts fit
 *   open()   is called for every configured instance of the plugin (a "service"), with its configuration.
 *   call()   is called for everything a planner asks of that service: a tool, a prompt, a resource, a
 *            completion. The plugin answers then or later with host->call->reply() or ->fail(). For a tool with a
 *            `route` it is not called: the host makes the requests, as the plugin's `api` and the route say.
 *   cancel() tells the plugin that a call ended some other way.
 *   close()  asks the instance to stop; fini() frees it, when everything it started has ended.
 *
 * Conventions
 *   - Little-endian 64-bit Linux only. Strings are (pointer, length) without a NUL at the end, UTF-8 unless said
 *     otherwise; p == NULL is "absent", n == 0 is "empty". Members of type `const char *` are NUL-terminated and
 *     may be NULL where the text says "optional".
 *   - Functions return 0 or a negative errno (`-EINVAL`, …). PX_MORE (1) is the one positive answer.
 *   - Structs that cross the border begin with `size` (px_plugin and px_worker have it third; px_str, px_pair and
 *     handles have none and never change): whoever fills one in sets it to sizeof, the reader looks at no member
 *     beyond it (PX_HAS). Zero is the default of every member. `reserved` members must be 0.
 *   - New kinds may come: fail a call of an unknown kind with PX_NOT_FOUND, return PX_GO for an unknown event, ignore
 *     unknown flags. Before you use a newer table: PX_HAS(host, table) && host->table.
 *   - A `ret_op` may be NULL. `on` may be NULL only where it says so.
 *   - Times named `_ns` are nanoseconds on the clock of host->timer->now_ns(); 0 means "none". Wall-clock times are
 *     named `_unix_ms`.
 *
 * What always holds
 *    1. The host never enters a plugin while a frame of that plugin is on the stack. Host functions record or
 *       post what you ask; they do not call back.
 *    2. There is one thread, the loop's. Never start another, never block, never call a host function from a
 *       signal handler. What cannot be asynchronous goes into a worker (struct px_worker).
 *    3. When a start function fails, its callback never runs and the handle is 0. Otherwise PX_EV_END comes exactly
 *       once, unless the operation is cancelled. What a callback returns for a cancelled operation is ignored.
 *    4. Cancelling does not undo: bytes may have left.
 *    5. What you give the host is copied before the function returns. What a callback receives dies when it
 *       returns; host->scope->keep() copies it into a scope. `struct px_call_in` lives until the call has ended and
 *       the plugin has returned.
 *    6. Memory from a scope is zeroed, aligned for any type, NULL over the cap (16 MiB each), and freed whole at the end
 *       of the loop turn in which the scope closes. Every event brings a scope of its own (px_ev.scope) for what is
 *       needed only while it is handled, so that nothing grows for ever.
 *    7. Answering inside call() is legal. The first answer wins; a second one gets -EALREADY while the call is known,
 *       -ESTALE later. An answer's 0 means that the call has ended, even where rule 9 replaced the answer. Its operations
 *       are cancelled before that function returns.
 *    8. cancel() runs once for every end that the plugin did not cause (an answer that was refused causes none), and
 *       before the call's scope goes. For a deadline the plugin may still answer inside cancel() (partial results).
 *    9. Every call ends by its deadline, whatever the plugin does. An answer that is invalid JSON or does not fit the
 *       tool's output schema becomes an `internal` error that names the plugin; one over max_answer, `too_large`. A tool
 *       that is not read-only and is ended by the host is reported as `outcome_unknown`.
 *   10. After ask(), the planner's responses come as a new call of the same effect: it is not approved or recorded twice.
 *   11. On a configuration change the new instance is opened first, and the old one serves until the new one is ready; if
 *       that fails, the old one stays. Ending an instance is: close(); a grace period for its running calls; cancel() with
 *       PX_WHY_CLOSE for the rest; its scope closes (operations cancelled, on_close run); fini(). A plugin with
 *       PX_PLUGIN_EXCLUSIVE is ended before the new one is opened. If open() fails, its operations are cancelled, its
 *       on_close functions run, and nothing else is called. Before an instance is ready, its calls fail as `unavailable`.
 *   12. Lists set with catalog->set() belong to the instance; stored values belong to the service's name, and
 *       outlive instances and restarts.
 *   13. A child process is a process group. Its end is: stdin closed, a grace period, TERM, a grace period, KILL, reaped.
 *       It counts against the limit of children until it is reaped.
 *   14. Write queues are bounded. A write is taken whole or refused: -EAGAIN, and PX_EV_ROOM follows; -EMSGSIZE: it would
 *       never fit; -EPIPE: the other side has closed.
 *   15. Handles are values (slot and generation), never pointers. A stale handle is refused with -ESTALE and
 *       counted; it is safe to hold one for ever.
 *   16. Everything stored in one loop turn commits together; PX_EV_END of a store operation means it is durable.
 *   17. Exceptions and longjmp never cross the border.
 *   18. After the first byte of an answer was handed on, or a byte of a request may have left that can do harm when it
 *       comes twice, the host does not send it again. Harmless are safe requests, PUT and DELETE, and those with an idempotency
 *       key; and a 401 to a token that the host could renew means that nothing was done.
 *   19. Plugins are trusted code: a loop that never returns is not contained (the watchdog restarts the host).
 *
 * Changes
 *   0.1  first draft: calls, scopes, operations, JSON, timers, store, catalog, log, secrets, processes, workers.
 *   0.2  services over HTTP: px_tool.route, px_plugin.api and .classify, px_ev.resp, host->http.
 *   0.3  idempotency keys (px_call_in, px_http_request); a request's rate group, cost and identity.
 */
#ifndef PLEXUS_PLUGIN_H
#define PLEXUS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PX_ABI_MAJOR        0u
#define PX_ABI_MINOR        3u
#define PX_ABI_MINOR_OLDEST 1u /* the oldest minor whose layouts are beginnings of these */

/* ---- values ----------------------------------------------------------------------------------------------- */

typedef struct px_str {
    const char *p;
    uint64_t n;
} px_str;

typedef struct px_pair {
    px_str name, value;
} px_pair;

/* Handles. v == 0 is "none". */
typedef struct px_service_h {
    uint64_t v;
} px_service_h; /* a configured instance of this plugin; valid from open() until fini() returns */
typedef struct px_scope_h {
    uint64_t v;
} px_scope_h; /* what operations and memory belong to */
typedef struct px_call_h {
    uint64_t v;
} px_call_h; /* one request of a planner; valid until it is answered or cancelled */
typedef struct px_op_h {
    uint64_t v;
} px_op_h; /* one asynchronous operation; valid until PX_EV_END or cancel */

/** True when the struct behind `ptr` is new enough to have `member`. */
#define PX_HAS(ptr, member)                                                                                  \
    ((ptr) && (size_t)((const char *)(&(ptr)->member + 1) - (const char *)(ptr)) <= (ptr)->size)

/** A px_str of a string literal: an expression, and an initialiser for static data. */
#define PX_LIT_INIT(s)                                                                                       \
    { (s), sizeof(s) - 1 }
#ifdef __cplusplus
#define PX_LIT(s) (px_str{(s), sizeof(s) - 1})
#else
#define PX_LIT(s) ((px_str){(s), sizeof(s) - 1})
#endif

/** Returned by open(): "not ready yet; I will call catalog->ready()". */
#define PX_MORE 1

/* ---- errors ----------------------------------------------------------------------------------------------- */

/* What went wrong, as a planner sees it. A planner gets the name in lower case ("rate_limited"). */
enum px_code {
    PX_OK = 0,
    PX_INVALID_ARGUMENTS = 1, /* the caller must change the arguments */
    PX_UNAUTHORIZED = 2,      /* no or bad credentials for the upstream */
    PX_FORBIDDEN = 3,         /* policy or the upstream refuses this caller */
    PX_NOT_FOUND = 4,
    PX_RATE_LIMITED = 5,
    PX_CIRCUIT_OPEN = 6,
    PX_TIMEOUT = 7,
    PX_CANCELLED = 8,
    PX_UPSTREAM_ERROR = 9,   /* the upstream answered with an error of its own */
    PX_OUTCOME_UNKNOWN = 10, /* a write whose answer was lost: it may have happened */
    PX_TOO_LARGE = 11,       /* an argument, an answer or a result over a budget */
    PX_UNAVAILABLE = 12,     /* cannot work now: starting, paused, draining, a full disk */
    PX_INTERNAL = 13         /* a defect of the plugin or the host */
};

#define PX_ERROR_RETRYABLE 1u /* the same call may succeed later, unchanged */
#define PX_ERROR_NOT_DONE                                                                                    \
    2u /* nothing was changed, whatever the code may mean: a timeout before anything was sent */

struct px_error {
    uint32_t size, flags; /* flags: PX_ERROR_… */
    int32_t code;         /* enum px_code */
    uint32_t reserved;
    int64_t retry_after_ms; /* 0: not known */
    px_str message;         /* what happened, with the upstream's own words; at most 4 KiB are kept */
    px_str advice;          /* optional: what to do next, one sentence that a model can act on */
    px_str details_json;    /* optional: an object with more, shown to the planner */
};

/* ---- events: the one callback ------------------------------------------------------------------------------ */

enum px_ev_kind {
    /* it has begun: a child runs (count: its pid); status line and headers are there (resp) */
    PX_EV_HEAD = 1,
    /* a piece: a line or chunk of output (sub: 1 stdout, 2 stderr) or of a body, a tick of a periodic timer */
    PX_EV_DATA = 2,
    PX_EV_ROOM = 3, /* a refused write may be tried again */
    PX_EV_GAP = 4,  /* something was dropped (count: bytes; sub as in DATA): a line over its cap */
    PX_EV_END = 5   /* the last event */
};

#define PX_EV_SIGNALLED 1u /* END of a child: status is the signal that ended it */
#define PX_EV_ABSENT    2u /* END of store->get(): there is no such key (status 0, error NULL) */
#define PX_EV_TIMED_OUT 4u /* END: the operation's own timeout */

struct px_http_response;

struct px_ev {
    uint32_t size, kind; /* enum px_ev_kind */
    uint32_t sub, flags; /* flags: PX_EV_… */
    px_op_h op;
    px_scope_h scope; /* for memory that is needed only until the callback returns */
    /* END: 0 or a negative errno; of a child that ran: its exit status (0 to 255) or signal */
    int32_t status;
    uint32_t reserved;
    uint64_t count;
    px_str data; /* bytes, unchecked */
    px_str json; /* one JSON value */
    /* END: NULL when the operation did what it was asked (a child: it ran and ended, however; not: it
     * could not start, timed out, or went over max_bytes; a request: NULL when its answer was judged to be
     * good) */
    const struct px_error *error;
    const struct px_http_response *resp; /* HTTP: there whenever a status line came; else NULL */
};

/** Returns PX_GO, PX_PAUSE (no DATA, nor the END behind it, until op->resume(); a child's stderr comes all the same) or
 *  PX_ENOUGH (cancel this operation; no END comes). */
typedef int32_t (*px_on)(void *user, const struct px_ev *ev);
enum { PX_GO = 0, PX_PAUSE = 1, PX_ENOUGH = 2 };

/* ---- what a plugin declares: data -------------------------------------------------------------------------- */

/* The four hints of MCP. One that is not set is distinct from one set to false. MCP's defaults for an unset hint:
 * read_only false, destructive true, idempotent false, open_world true. */
#define PX_HINT_READ_ONLY_SET   0x01u
#define PX_HINT_READ_ONLY       0x03u
#define PX_HINT_DESTRUCTIVE_SET 0x04u
#define PX_HINT_DESTRUCTIVE     0x0cu
#define PX_HINT_IDEMPOTENT_SET  0x10u
#define PX_HINT_IDEMPOTENT      0x30u
#define PX_HINT_OPEN_WORLD_SET  0x40u
#define PX_HINT_OPEN_WORLD      0xc0u

/* Labels: what a session has touched after this tool. A session that has read private data and untrusted text is
 * refused a tool that sends out, unless policy says otherwise. */
#define PX_LABEL_READS_PRIVATE   1u
#define PX_LABEL_READS_UNTRUSTED 2u
#define PX_LABEL_SENDS_OUT       4u

#define PX_TOOL_NO_PREFIX        1u /* offer as `name`, not as `<service>_<name>` */

/** One tool. The host offers it as `<service>_<name>`, at most 64 characters of [A-Za-z0-9_-]; a longer name is
 *  shortened, deterministically, with a hash at its end. */
struct px_tool {
    uint32_t size, flags;    /* flags: PX_TOOL_… */
    uint64_t id;             /* yours: call() gets it back, so that no names are compared */
    uint32_t hints, labels;  /* PX_HINT_…, PX_LABEL_… */
    const char *name;        /* [A-Za-z0-9_-]+; map other characters yourself, `id` tells the original */
    const char *title;       /* optional */
    const char *description; /* for a model: what it does, when to use it */
    /* JSON Schema 2020-12 of the arguments, root type "object"; NULL: no arguments. What it marks "writeOnly" is shown in
     * no log and no dry run */
    const char *input_schema;
    const char *output_schema; /* optional: JSON Schema of structured_json, root type "object" */
    /* optional: JSON object of more members of MCP's Tool ("_meta", "icons"), as they are */
    const char *extra;
    /** Optional: JSON that fits route.schema.json, which documents every key; both schemas of this kind are installed in
     *  share/plexus. The host does the tool then, and call() is not asked for it. The host adds `fields`, `limit`, `cursor`
     *  and `dry_run` to the arguments, where they apply. Every argument needs its place in the route, every place its
     *  argument: `plexus plugin check` says what is missing. */
    const char *route;
};

/** Offered as `<service>_<name>`, like a tool. */
struct px_prompt {
    uint32_t size, reserved;
    uint64_t id;
    const char *name, *title, *description; /* title, description: optional */
    const char *arguments;                  /* optional: JSON array of {"name","description","required"} */
    const char *extra;                      /* optional: as in px_tool */
};

/** A resource with a fixed address, or (in PX_LIST_TEMPLATES) a family of them: `uri` is then an RFC 6570 template of
 *  level 1. A URI that two services list belongs to the service whose name comes first; one that none lists goes to the
 *  first whose template matches. */
struct px_resource {
    uint32_t size, reserved;
    uint64_t id;
    const char *uri, *name;
    const char *title, *description, *mime_type; /* optional */
    const char *extra; /* optional: as in px_tool ("annotations", "size", "icons", "_meta") */
};

/* ---- what a plugin is asked --------------------------------------------------------------------------------- */

enum px_call_kind { PX_CALL_TOOL = 1, PX_CALL_PROMPT = 2, PX_CALL_READ = 3, PX_CALL_COMPLETE = 4 };

/* MCP's log levels (RFC 5424), for call->log() and log->write(). */
enum px_level {
    PX_LEVEL_DEBUG = 0,
    PX_LEVEL_INFO = 1,
    PX_LEVEL_NOTICE = 2,
    PX_LEVEL_WARNING = 3,
    PX_LEVEL_ERROR = 4,
    PX_LEVEL_CRITICAL = 5,
    PX_LEVEL_ALERT = 6,
    PX_LEVEL_EMERGENCY = 7
};

#define PX_CALL_DRY_RUN 1u /* reserved for a later draft; never set by this host */

struct px_call_in {
    uint32_t size, kind; /* enum px_call_kind */
    /* log_level: the least level that the planner wants from call->log(); 8: none */
    uint32_t flags, log_level;
    uint64_t id;           /* the id of the tool, prompt, resource or template */
    uint64_t deadline_ns;  /* when the host ends the call */
    uint64_t max_answer;   /* bytes: a larger answer fails as too_large */
    px_str name;           /* tool, prompt: its own name (without the service); read: the URI */
    px_str args_json;      /* tool, prompt: the arguments, an object, already valid against the schema */
    px_str params_json;    /* complete: {"ref":…,"argument":{"name","value"},"context":…} */
    px_str principal;      /* who asks: "uid:1000", "token:ci" */
    px_str caps_json;      /* what the planner's client can do, an object: look here before ask() */
    px_str responses_json; /* after ask(): the planner's responses, keyed as the requests were; else absent */
    px_str state;          /* after ask(): the state you gave; else absent */
    px_str meta_json; /* the request's _meta, an object, without what belongs to the protocol; or absent */
    /** The budget of the result, in bytes: what is over it is cut, on whole items; 0: not known. */
    uint64_t result_bytes;
    /** Of a tool that is not read-only: what to send as the idempotency key, where the upstream takes one; 32 characters. The
     *  same for each attempt at one effect, also after a restart, and another for every other; else absent. */
    px_str idempotency_key;
};

/* Why a call ended without the plugin: cancel()'s last argument. */
enum px_why {
    PX_WHY_CALLER = 1,   /* the planner cancelled it */
    PX_WHY_DEADLINE = 2, /* its time is up */
    PX_WHY_GONE = 3,     /* the planner's connection ended */
    PX_WHY_CLOSE = 4     /* the service is being replaced or the host is stopping */
};

/* ---- what a plugin answers ---------------------------------------------------------------------------------- */

/** An answer. For a tool: `structured_json` (one value; an object when there is an output schema), or `content_json` (an
 *  array of MCP content blocks), or `text` (plain text, made into one block), or structured together with one of the two.
 *  Structured data without content is also shown as text. In `text` and in an error's words, bytes that are not UTF-8
 *  become U+FFFD. For a prompt, a resource read or a completion: `result_json`, the MCP result object without `resultType`
 *  and `_meta`. */
struct px_reply {
    uint32_t size, flags; /* flags: PX_REPLY_… */
    px_str structured_json, content_json, text;
    px_str meta_json; /* optional: an object, merged into `_meta` */
    px_str result_json;
};
#define PX_REPLY_IS_ERROR                                                                                    \
    1u /* the tool ran and reports a failure in its own words (MCP's isError); no output schema applies */

/* ---- the host's tables ---------------------------------------------------------------------------------------- */

/** Answers and what surrounds them. -ESTALE: no such call any more; -EALREADY: it has its answer. */
struct px_host_call {
    uint32_t size, reserved;
    px_scope_h (*scope)(px_call_h call);             /* the call's own scope: ends with the call */
    int32_t (*set_user)(px_call_h call, void *user); /* one pointer of yours, given back to cancel() */
    void *(*user)(px_call_h call);
    int32_t (*reply)(px_call_h call, const struct px_reply *reply);
    int32_t (*fail)(px_call_h call, const struct px_error *error);
    /** Ask the planner for more (MCP's input_required). `requests_json`: an object of named requests, each
     *  {"method":…,"params":…} of a kind that caps_json declares; `state`: at most 16 KiB, sealed by the host and bound to
     *  principal, tool and arguments. Either may be absent, not both. This call ends here. Later call() runs again, as a
     *  new call, with the responses and the state; perhaps at another instance or after a restart, so keep nothing that
     *  it needs only in memory; perhaps never. -ENOTSUP: this planner cannot be asked that; -EMSGSIZE; -EINVAL: the call
     *  is still open. */
    int32_t (*ask)(px_call_h call, px_str requests_json, px_str state);
    /** done must grow; total 0: not known; message: at most 4 KiB are kept. Dropped, without an error, when the planner did
     *  not ask for progress, and beyond 256 KiB in a turn (log() too). */
    int32_t (*progress)(px_call_h call, uint64_t done, uint64_t total, px_str message);
    /** data_json: at most 64 KiB (-EMSGSIZE). */
    int32_t (*log)(px_call_h call, uint32_t level, px_str logger, px_str data_json);
};

/** Scopes own operations and memory. A call has one, a service has one, and you may open more below either. */
struct px_host_scope {
    uint32_t size, reserved;
    px_scope_h (*of_service)(px_service_h service);
    int32_t (*open)(px_scope_h parent, px_scope_h *ret_scope); /* -E2BIG: 64 in one another */
    int32_t (*close)(
        px_scope_h scope); /* cancels its operations; not for a call's or service's own scope: -EPERM */
    int32_t (*on_close)(px_scope_h scope, void (*fn)(void *user), void *user); /* run in reverse order */
    void *(*alloc)(px_scope_h scope, uint64_t n); /* NULL: the scope is closed, or over its cap (16 MiB) */
    int32_t (*keep)(px_scope_h scope, px_str s, px_str *ret_copy); /* the copy has a NUL behind its end */
};

struct px_host_op {
    uint32_t size, reserved;
    int32_t (*cancel)(px_op_h *op);                            /* clears *op; its callback never runs again */
    int32_t (*resume)(px_op_h op);                             /* after PX_PAUSE */
    int32_t (*write)(px_op_h op, uint32_t kind, px_str bytes); /* kind: PX_WRITE_…; legal before HEAD */
    /** No more writes will come (a child's stdin is closed). code and reason: 0 and absent for a child. */
    int32_t (*end)(px_op_h op, uint32_t code, px_str reason);
    int32_t (*stop)(px_op_h op); /* end a child as rule 13 says; its END still comes */
};
/* PX_WRITE_DATA: bytes as they are; a line without its newline for a worker (-EINVAL: a newline inside).
 * PX_WRITE_CANCEL, workers only: everything written so far is no longer wanted. It is never refused and overtakes what is
 * queued. Each unfinished line written before it is still handed to line(), in order, with cancelled() at 1; lines written
 * after it see 0; a line that has finished is not affected. `bytes` is not used. */
enum { PX_WRITE_DATA = 0, PX_WRITE_CANCEL = 1 };

/** JSON without a library: slices of the text, exact numbers. `doc` must be valid JSON. What a call brings and px_ev.json
 *  are; px_ev.data is not: check() it first. (On invalid text these functions return -EINVAL or a wrong slice within the
 *  text; they never read outside it.) Slices returned by at() and next() point into the text given. */
struct px_host_json {
    uint32_t size, reserved;
    int32_t (*check)(px_str text,
                     px_str *ret_value); /* strict RFC 8259, no duplicate keys; -EINVAL otherwise */
    int32_t (*at)(px_str doc, px_str pointer, px_str *ret_value); /* RFC 6901 pointer; -ENOENT */
    /** Walks an object or an array: start with *pos = 0; 1: *ret_value is the next (and *ret_key, raw and quoted, for an
     *  object; absent for an array), 0: the end, -EINVAL: not a container. */
    int32_t (*next)(px_str container, uint64_t *pos, px_str *ret_key, px_str *ret_value);
    int32_t (*text)(px_scope_h scope, px_str value,
                    px_str *ret_text);          /* decode a JSON string; -EINVAL: not one */
    int32_t (*i64)(px_str value, int64_t *ret); /* exact; -EINVAL: not an integer, -ERANGE: does not fit */
    int32_t (*quote)(px_scope_h scope, px_str text, px_str *ret_value); /* -EILSEQ: not UTF-8 */
    /** Fill a template: {"$arg": "name"} is replaced by that member of args (a name beginning with "/" is a pointer); an
     *  absent one drops the member or element it stands in. */
    int32_t (*fill)(px_scope_h scope, px_str template_json, px_str args_json, px_str *ret_value);
    int32_t (*base64)(px_scope_h scope, px_str bytes, px_str *ret_text);
    int32_t (*unbase64)(px_scope_h scope, px_str text, px_str *ret_bytes); /* -EINVAL */
};

struct px_host_timer {
    uint32_t size, reserved;
    uint64_t (*now_ns)(void);
    int64_t (*now_unix_ms)(void);
    /** One END after delay_ns; with period_ns (at least 1 ms), first a DATA after delay_ns and then one every period_ns
     *  (count: how many periods have passed since the last) until cancelled. */
    int32_t (*start)(px_scope_h scope, uint64_t delay_ns, uint64_t period_ns, px_on on, void *user,
                     px_op_h *ret_op);
};

/** A durable key-value store of the service's own. Keys: UTF-8, 1 to 256 bytes; values: any bytes, up to 256 KiB; 64 MiB
 *  a service. -EMSGSIZE: over a limit; END with -ENOSPC: the service's share, or the disk, is full. Operations of one
 *  service take effect in the order they were started, and reads see what was started before. A put or remove that returned
 *  0 is carried out even if its scope ends; its `on` may be NULL. */
struct px_host_store {
    uint32_t size, reserved;
    int32_t (*get)(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret_op); /* END: data */
    int32_t (*put)(px_scope_h scope, px_str key, px_str value, px_on on, void *user, px_op_h *ret_op);
    int32_t (*remove)(px_scope_h scope, px_str key, px_on on, void *user, px_op_h *ret_op);
    /** END: json is an array of up to 1,000 keys that begin with `prefix` and come after `after`, in byte order. */
    int32_t (*list)(px_scope_h scope, px_str prefix, px_str after, px_on on, void *user, px_op_h *ret_op);
};

enum px_list { PX_LIST_TOOLS = 1, PX_LIST_PROMPTS = 2, PX_LIST_RESOURCES = 3, PX_LIST_TEMPLATES = 4 };

struct px_host_catalog {
    uint32_t size, reserved;
    /** Replace a whole list of this instance, atomically: planners see the old one or the new one, and are told once.
     *  `items`: px_tool, px_prompt or px_resource[n], each `item_size` bytes apart. The vtable's tools are the first list
     *  of tools; set() replaces them. A list with any item that is not acceptable is refused whole: -EINVAL, the log says
     *  why, and *ret_bad (optional) is its index; -E2BIG: over 2,000 items. A call that was admitted under an older list
     *  still arrives, with its old id: never give an id another meaning within an instance. */
    int32_t (*set)(px_service_h service, uint32_t list, const void *items, uint32_t n, uint32_t item_size,
                   uint32_t *ret_bad);
    /** The instance is ready (error NULL), or cannot work: its calls fail as `unavailable` with these words. To be called
     *  after open() returned PX_MORE (an error then means that the instance has failed to open, and it is ended), and at
     *  any time later. */
    int32_t (*ready)(px_service_h service, const struct px_error *error);
    /** A resource changed: planners that subscribed to it are told; the host knows which. -EAGAIN: thousands wait to be
     *  told already. */
    int32_t (*touched)(px_service_h service, px_str uri);
};

struct px_host_log {
    uint32_t size, reserved;
    /** A line in the host's log, under the service's name. `fields_json`: optional, an object. Secrets are redacted. */
    int32_t (*write)(px_service_h service, uint32_t level, px_str message, px_str fields_json);
};

/** Secrets of the configuration. In config_json a secret stands as {"$secret": "/pointer"}; get() gives its value. */
struct px_host_secret {
    uint32_t size, reserved;
    int32_t (*get)(px_scope_h scope, px_str pointer,
                   px_str *ret_value); /* lives as long as the scope; do not copy it; -ENOENT */
    /** Redact a value learnt at run time (8 characters or more) wherever the host writes, while the service lives. */
    int32_t (*hide)(px_service_h service, px_str value);
};

/* How output is cut into DATA events. */
enum px_frame {
    PX_FRAME_WHOLE = 0, /* not at all: it comes with END */
    PX_FRAME_RAW = 1,   /* as it arrives */
    PX_FRAME_LINE = 2,  /* lines, without their ends */
    PX_FRAME_SSE = 3    /* HTTP only: the data of each event of a text/event-stream */
};

#define PX_PROCESS_WORKER 1u /* run this plugin's own px_worker_v1; argv is not used, frame is LINE */

struct px_process_req {
    uint32_t size, flags; /* flags: PX_PROCESS_… */
    const px_str *argv;   /* argv[0] is an absolute path; no shell is involved */
    uint32_t n_argv, n_env;
    const px_pair *env; /* the whole environment; a child inherits none of the host's */
    px_str cwd;         /* optional; "/" otherwise. A worker is always where the host is */
    px_str config_json; /* a worker's configuration, one JSON value */
    uint32_t frame;     /* enum px_frame: of stdout; stderr comes in lines */
    uint32_t reserved;
    uint64_t timeout_ns; /* 0: as long as its scope */
    /* WHOLE only: more output ends the child, and END brings -EMSGSIZE; 0: 1 MiB; at most 64 MiB */
    uint64_t max_bytes;
    /* LINE, and stderr: a longer line is dropped and reported as GAP; 0: 1 MiB; at most 64 MiB */
    uint64_t max_line;
};

struct px_host_process {
    uint32_t size, reserved;
    /** HEAD when it runs; DATA for its output (WHOLE: all of stdout comes with END, in data, also after a timeout); END
     *  when it has exited and its output is read. -EAGAIN: too many children (64 a service, 256 in all). */
    int32_t (*start)(px_scope_h scope, const struct px_process_req *req, px_on on, void *user,
                     px_op_h *ret_op);
};

/* ---- HTTP ---- */

#define PX_REQUEST_SAFE        1u /* it only reads, although its method does not say so */
#define PX_REQUEST_NO_IDENTITY 2u /* without the upstream's credentials */

/* Which redirects are followed (at most 5). Credentials never go to another origin. */
enum px_redirects {
    PX_REDIRECTS_SAME_ORIGIN = 0,
    PX_REDIRECTS_NONE = 1,   /* a 3xx is an answer like any other */
    PX_REDIRECTS_ALLOWED = 2 /* also to the upstream's origins and hosts */
};

/** A request to one of the api's upstreams. The host resolves names, guards addresses, adds the upstream's headers, query
 *  and credentials, verifies TLS, and judges the answer. */
struct px_http_request {
    uint32_t size, flags; /* flags: PX_REQUEST_… */
    px_str upstream;      /* absent: the api's first */
    px_str method;        /* absent: GET */
    /* A template as in a route: "/items/{id}", filled from args_json (and {config:/pointer}, but no {value:…}); values are
     * percent-encoded. Absent: the base URL itself */
    px_str path;
    px_str args_json;              /* an object; absent: {} */
    px_str url;                    /* instead of path: absolute, within the upstream's origins and hosts */
    const px_pair *headers;        /* over the upstream's, by name; at most 256 */
    uint32_t n_headers, pair_size; /* pair_size: sizeof(px_pair) */
    px_str body, content_type;     /* body absent: none. content_type absent: application/json */
    uint32_t frame;                /* enum px_frame: of the body */
    uint32_t redirects;            /* enum px_redirects */
    /* Of everything, redirects included. 0: the upstream's (60 s); a stream (frame not WHOLE) has none but its scope */
    uint64_t timeout_ns;
    uint64_t idle_ns; /* without a byte of the body, while it is not paused; 0: 30 s */
    /* WHOLE: of the body, decoded; 0: the upstream's, 16 MiB. LINE, SSE: of a piece; 0: 1 MiB; a longer one is dropped and
     * reported as GAP. At most 64 MiB */
    uint64_t max_bytes;
    /* 0.3 */
    /* Of a write: goes into the header that the api names, if it names one; each write of a call needs its own. Absent: the
     * host makes one, for its own attempts */
    px_str idempotency_key;

    px_str rate_group; /* absent: the upstream's */
    px_str auth;       /* the name of an identity of the api; absent: the upstream's */
    uint32_t cost;     /* of the rates; 0: 1 */
    uint32_t reserved;
};

/** What came. Lives as the event does. */
struct px_http_response {
    uint32_t size, status;
    const px_pair *headers; /* names in lower case */
    uint32_t n_headers, pair_size;
    px_str body; /* END of a WHOLE: decoded; unchecked bytes */
    px_str url;  /* that answered, after redirects */
};

/** A judgement of an answer: classify()'s. Filled in already from the rules of the route and the api; change what is
 *  wrong. */
struct px_verdict {
    uint32_t size, flags; /* flags: PX_ERROR_RETRYABLE */
    int32_t code;         /* enum px_code; PX_OK: a good answer */
    uint32_t reserved;
    int64_t retry_after_ms; /* 0: not known */
    px_str message, advice; /* copied when classify() returns */
};

struct px_host_http {
    uint32_t size, reserved;
    /** WHOLE: END (resp with body; error when it was judged bad, or when there is no answer). Else HEAD, DATA (sub is 0),
     *  GAP, END. PX_PAUSE holds the upstream back. END's status: 0 when an answer came, judged as it may be; else why none
     *  did, or not the whole of it: -EACCES (the address guard, or a redirect, refused), -ENOENT (no such name),
     *  -EHOSTUNREACH (no answer from name servers), -ECONNREFUSED (no connection), -EPROTO (TLS; not HTTP), -ETIMEDOUT
     *  (with PX_EV_TIMED_OUT), -ECONNRESET, -EMSGSIZE (over max_bytes), -ELOOP (redirects), -EINVAL (a `url` that is
     *  none), -EAGAIN (too many requests wait, of all services), -EIO; `error` has the words.
     *  Fails with -ENOENT: no such upstream, or no api; -EINVAL: the request cannot be made; -EACCES: the configuration
     *  lacks the identity's secret (the log says which); -EAGAIN: 256 requests of this service are in flight, routes that
     *  run in code too. */
    int32_t (*start)(px_scope_h scope, const struct px_http_request *req, px_on on, void *user,
                     px_op_h *ret_op);
    /** A route (JSON, at most 64 KiB) with these arguments (an object; absent: {}): it may use any, and read or write. Its
     *  text is compiled once and kept (the 64 used last): put what differs into arguments. END: json is the structured
     *  result (or content blocks) or absent, data the text; error as usual; its status is 0. -EINVAL: it is no route;
     *  -EAGAIN as above, or 64 different routes run. */
    int32_t (*route)(px_scope_h scope, px_str route_json, px_str args_json, px_on on, void *user,
                     px_op_h *ret_op);
};

/** All tables. Constant for the life of the process; keep the pointer. A table this host does not have is NULL. */
struct px_host {
    uint32_t size, abi_minor;
    const struct px_host_call *call;
    const struct px_host_scope *scope;
    const struct px_host_op *op;
    const struct px_host_json *json;
    const struct px_host_timer *timer;
    const struct px_host_store *store;
    const struct px_host_catalog *catalog;
    const struct px_host_log *log;
    const struct px_host_secret *secret;
    const struct px_host_process *process;
    const struct px_host_http *http;
};

/* ---- the vtable ------------------------------------------------------------------------------------------------ */

struct px_open_in {
    uint32_t size, flags;
    px_service_h service;
    px_str name; /* the service's: "github_work" */
    /* its "config", an object on one line, valid against config_schema. Secrets stand as {"$secret": "/pointer"}; for the
     * schema each is a string, of which it knows the length alone (so many "x") */
    px_str config_json;
};

#define PX_PLUGIN_EXCLUSIVE 1u /* two instances of one service must not live at once */

struct px_plugin {
    uint32_t abi_major, abi_minor_needed; /* the least minor it works with; PX_PLUGIN sets both */
    uint32_t size, flags;                 /* flags: PX_PLUGIN_… */
    const char *name;                     /* [a-z][a-z0-9_]*, at most 32 */
    const char *version, *summary;
    const char *config_schema; /* JSON Schema of the service's "config"; NULL: it takes none */
    const struct px_tool *tools;
    uint32_t n_tools, tool_size; /* tool_size: sizeof(struct px_tool) */

    /** A service begins. 0: ready, *ret_self is yours; PX_MORE: ready later (catalog->ready()); negative: failed, and
     *  log->write() has said why. May be NULL in a plugin with an api: there is nothing to open, and `self` is NULL. */
    int32_t (*open)(const struct px_host *host, const struct px_open_in *in, void **ret_self);
    /** May be NULL in a plugin with an api whose tools all have routes, and that offers nothing else. */
    void (*call)(void *self, px_call_h call, const struct px_call_in *in);
    /** Optional. */
    void (*cancel)(void *self, px_call_h call, void *user, uint32_t why);
    /** Optional: stop taking part. Running calls may still be answered for a grace period; the rest is cancelled. */
    void (*close)(void *self);
    /** Optional: free `self`. Nothing of the service is alive any more; only log->write() may be used. */
    void (*fini)(void *self);
    /** Optional: JSON that fits api.schema.json: upstreams, identities, looked-up values, error rules. What routes and
     *  host->http need. */
    const char *api;
    /** Optional: judge an answer, after the rules that are data; before the host decides whether to try again. `id`: the
     *  tool's; 0 for requests started in code. `resp` and `verdict` live until it returns. Host functions that start or
     *  answer anything are refused here (-EPERM): look, and fill in. */
    void (*classify)(void *self, px_str upstream, uint64_t id, const struct px_http_response *resp,
                     struct px_verdict *verdict);
};

/** A worker: the part of a plugin that may block. The host runs it in a child process of its own, one request line at a
 *  time, outside the loop. The process is fresh: nothing of the plugin's state is inherited. HEAD comes after open()
 *  returned 0; a negative open() becomes END with that status. Lines and config_json travel on private descriptors; what
 *  the worker prints on stdout or stderr arrives as stderr. TERM only makes cancelled() say 1; when the plugin ends the
 *  operation, queued lines are finished, then close() runs. */
struct px_worker_host {
    uint32_t size, reserved;
    const struct px_host_json *json;
    const struct px_host_scope *scope; /* alloc and keep; the rest is -ENOTSUP */
    /** Send one line (without its newline) to the plugin's callback. May block. -EINVAL: a newline inside, -EMSGSIZE: over
     *  max_line, -EPIPE: the host is gone, stop. */
    int32_t (*emit)(void *ctx, px_str line);
    /** 1 when what is being worked on is no longer wanted. Cheap; ask often (it looks at most once a millisecond). */
    int32_t (*cancelled)(void *ctx);
    void *ctx;
};

struct px_worker {
    uint32_t abi_major, abi_minor_needed;
    uint32_t size, flags;
    /** `scope` lives as long as the worker; `host` too. */
    int32_t (*open)(const struct px_worker_host *host, px_scope_h scope, px_str config_json, void **ret_self);
    /** `scope` is emptied when line() returns. */
    void (*line)(void *self, px_scope_h scope, px_str line);
    void (*close)(void *self); /* optional */
};

/* ---- export ---------------------------------------------------------------------------------------------------- */

#define PX_EXPORT __attribute__((visibility("default")))

/* The least minor a plugin can work with; one that tests what it uses with PX_HAS may define a lower one. */
#ifndef PX_ABI_MINOR_NEEDED
#define PX_ABI_MINOR_NEEDED PX_ABI_MINOR
#endif

/* An ELF note, so that the host can tell a plugin (and its ABI) from any other file without running it. */
struct px_note {
    uint32_t name_size, desc_size, type;
    char name[8];
    uint32_t abi_major, abi_minor_needed;
};
#define PX_NOTE_TYPE 1u

#ifdef __cplusplus
#define PX_C_LINKAGE_ extern "C"
#else
#define PX_C_LINKAGE_ extern
#endif

/** Exports the plugin: PX_PLUGIN(.name = "hello", .open = …, …); once, at file scope. */
#define PX_PLUGIN(...)                                                                                       \
    __attribute__((section(".note.plexus"), used, aligned(4))) static const struct px_note px_note_ = {      \
        8, 8, PX_NOTE_TYPE, {'P', 'l', 'e', 'x', 'u', 's', 0, 0}, PX_ABI_MAJOR, PX_ABI_MINOR_NEEDED};        \
    PX_C_LINKAGE_ PX_EXPORT const struct px_plugin px_plugin_v1;                                             \
    const struct px_plugin px_plugin_v1 = {.abi_major = PX_ABI_MAJOR,                                        \
                                           .abi_minor_needed = PX_ABI_MINOR_NEEDED,                          \
                                           .size = sizeof(struct px_plugin),                                 \
                                           __VA_ARGS__}

/** Exports the worker: PX_WORKER(.open = …, .line = …); beside PX_PLUGIN. */
#define PX_WORKER(...)                                                                                       \
    PX_C_LINKAGE_ PX_EXPORT const struct px_worker px_worker_v1;                                             \
    const struct px_worker px_worker_v1 = {.abi_major = PX_ABI_MAJOR,                                        \
                                           .abi_minor_needed = PX_ABI_MINOR_NEEDED,                          \
                                           .size = sizeof(struct px_worker),                                 \
                                           __VA_ARGS__}

#ifdef __cplusplus
}
#endif

/* No struct may end in padding where a later member could hide. */
#ifdef __cplusplus
#define PX_ENDS_WITH_(type, member)                                                                          \
    static_assert(offsetof(type, member) + sizeof(((type *)0)->member) == sizeof(type), #type)
#else
#define PX_ENDS_WITH_(type, member)                                                                          \
    _Static_assert(offsetof(type, member) + sizeof(((type *)0)->member) == sizeof(type), #type)
#endif
PX_ENDS_WITH_(struct px_error, details_json);
PX_ENDS_WITH_(struct px_ev, resp);
PX_ENDS_WITH_(struct px_http_request, reserved);
PX_ENDS_WITH_(struct px_http_response, url);
PX_ENDS_WITH_(struct px_verdict, advice);
PX_ENDS_WITH_(struct px_host_http, route);
PX_ENDS_WITH_(struct px_tool, route);
PX_ENDS_WITH_(struct px_prompt, extra);
PX_ENDS_WITH_(struct px_resource, extra);
PX_ENDS_WITH_(struct px_call_in, idempotency_key);
PX_ENDS_WITH_(struct px_reply, result_json);
PX_ENDS_WITH_(struct px_host_call, log);
PX_ENDS_WITH_(struct px_host_scope, keep);
PX_ENDS_WITH_(struct px_host_op, stop);
PX_ENDS_WITH_(struct px_host_json, unbase64);
PX_ENDS_WITH_(struct px_host_timer, start);
PX_ENDS_WITH_(struct px_host_store, list);
PX_ENDS_WITH_(struct px_host_catalog, touched);
PX_ENDS_WITH_(struct px_host_log, write);
PX_ENDS_WITH_(struct px_host_secret, hide);
PX_ENDS_WITH_(struct px_process_req, max_line);
PX_ENDS_WITH_(struct px_host_process, start);
PX_ENDS_WITH_(struct px_host, http);
PX_ENDS_WITH_(struct px_open_in, config_json);
PX_ENDS_WITH_(struct px_plugin, classify);
PX_ENDS_WITH_(struct px_worker_host, ctx);
PX_ENDS_WITH_(struct px_worker, close);
PX_ENDS_WITH_(struct px_note, abi_minor_needed);
typedef char px_assert_64_bit_only_[sizeof(void *) == 8 ? 1 : -1];

#endif /* PLEXUS_PLUGIN_H */
