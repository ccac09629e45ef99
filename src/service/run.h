/* run.h: one request at a plugin: what stands between the gate's call and the plugin's call(), reply(), cancel().
 *
 *   started -> in the plugin -> answered (reply, fail, ask) -> done is posted
 *                        \-> ended by px_run_end: the plugin's cancel() runs, then no answer counts any more
 *
 * The gate embeds a px_run in its call. `done` comes once, from the loop, never from inside px_run_start; not after
 * px_run_end (unless the plugin answered inside its cancel(): then px_run_end says so). */
#ifndef PX_SERVICE_RUN_H
#define PX_SERVICE_RUN_H

#include "reactor/loop.h"
#include "reactor/scope.h"
#include "route/verify.h"
#include "service/registry.h"

struct px_run;
struct px_run_sink {
    void (*done)(void *user);
    /* The others may be NULL. */
    /** Perhaps from inside the plugin's frame: record what is said, and do nothing else: whoever is told might end the call, and a
     *  plugin is not entered while it is on the stack. */
    void (*progress)(void *user, uint64_t done, uint64_t total, px_str message);
    void (*log)(void *user, uint32_t level, px_str logger, px_str data_json);
    /** It waits, and says for what. */
    void (*waiting)(void *user, px_str message);
};

/* For an item with a route, which the host does itself; nothing of it reaches a plugin. */
enum {
    PX_RUN_DRY = 1,     /* show the request, send nothing */
    PX_RUN_VERBOSE = 2, /* the exchange goes into the reply's meta, as "plexus/exchange" */
    PX_RUN_VERIFY =
        4 /* of one that px_item_verifies: look whether the write of these arguments was done: run.verified, with
                           reply.structured_json: what was found, or error.message: words */
};

/** Whether the host can look for itself if a write of this item was done. */
bool px_item_verifies(const struct px_item *item);
/** Whether the service belongs to another account than then, so that neither looking there nor sending it again says or does what
 *  was meant. */
bool px_item_other_account(const struct px_item *item, px_str principal, int64_t since_unix_ms);
/** Whether a write of this item that was first sent so long ago may be sent again under the same key when its outcome is not known. */
bool px_item_repeatable(const struct px_item *item, int64_t age_ms);

enum px_run_answer { PX_RUN_NONE = 0, PX_RUN_REPLY, PX_RUN_FAIL, PX_RUN_ASK };

struct px_run {
    uint64_t handle;       /* the px_call_h */
    uint64_t scope_handle; /* the px_scope_h of op_scope; 0: the plugin has not asked for it */
    struct px_instance *instance;
    struct px_item *item;
    struct px_list_node in_instance;
    struct px_scope *scope;    /* the call's; borrowed */
    struct px_scope *op_scope; /* below it: closed as soon as there is an answer, so that operations end */
    struct px_call_in in;      /* what the plugin was given; its text lives in the scope */
    void *plugin_user;
    const struct px_run_sink *sink;
    void *user;
    struct px_work done;
    struct px_op *route;       /* of an item with a route; NULL: it has ended, or there is none */
    bool verifying;            /* PX_RUN_VERIFY */
    enum px_verified verified; /* UNKNOWN until it is known */
    uint64_t items;            /* of a route, as it was told last */
    bool told;                 /* it was */
    bool not_done;             /* it was ended before anything of its route was sent */
    bool ended;                /* px_run_end has run: cancel() does not come again */
    bool ended_by_host;        /* the answer is the host's own: the instance was stopped */
    /* the plugin said that it went well (the answer may be a failure all the same: too large) */
    bool replied;
    /* the answer, copied into the scope */
    enum px_run_answer answer;
    struct px_reply reply;
    struct px_error error;
    px_str ask_requests, ask_state;
};

/** Begin: the plugin's call(), or the item's route. `flags`: PX_RUN_…. `in` lacks only size and what the item knows (id, name); its text must live in `scope`. The item is held until
 *  px_run_finish. 0, or, with words in err: -ENOENT: the instance has gone; -EAGAIN: it is not ready or paused. */
PX_MUSTCHECK int px_run_start(struct px_run *run, struct px_item *item, const struct px_call_in *in,
                              uint32_t flags, struct px_scope *scope, const struct px_run_sink *sink,
                              void *user, struct px_err *err);
/** The host ends it: cancel() runs, once, unless there is an answer already. No frame of that plugin may be on the stack.
 *  True: there is an answer, from before or from inside cancel(). After this `done` does not come. */
bool px_run_end(struct px_run *run, enum px_why why);
/** Let go of the item and the instance; after done or px_run_end. */
void px_run_finish(struct px_run *run);

/** The name of the plugin that it is at. */
const char *px_run_plugin(const struct px_run *run);
/** "rate_limited" … for a px_code; "ok" for 0. */
const char *px_code_name(int32_t code);
/** Whether it is one of enum px_code, and a failure. */
bool px_code_known(int32_t code);
/** Whether a call that failed so may be tried again unchanged, when the plugin did not say. */
bool px_code_retryable(int32_t code);

#endif
