/* fake_gate.h: what stands below mcp/, for its tests and front's: sessions, the gate, the registry, services, the log of
 * calls. Linked in place of the real ones, whose names these functions have. The test says what is offered, sees every
 * call, and answers it when it likes. One at a time, in globals. */
#ifndef PX_TEST_FAKE_GATE_H
#define PX_TEST_FAKE_GATE_H

#include "auth/vault.h"
#include "call/gate.h"
#include "reactor/loop.h"
#include "service/services.h"
#include "state/calllog.h"
#include "state/effect.h"

enum { FAKE_ITEMS = 3000 };

struct fake_call {
    struct px_op op;
    struct px_list_node node;
    struct px_call_req req; /* its text is a copy */
    struct px_arena arena;
    struct px_work work;
    const struct px_call_sink *sink;
    void *user;
    char id[27];
};
struct fake_query {
    struct px_op op;
    void (*cb)(void);
    void *user;
    struct px_calllog_filter log;
    struct px_effect_filter effects;
    bool done; /* px_gate_effect_settle; `tool` has the id, `service` the note */
    char principal[64], tool[64], service[64];
    char secret[160], value[64]; /* of a write to the sealed store; value "": remove */
};
/* In the sealed store; value "": damaged. */
struct fake_secret {
    char name[160], value[64];
};

extern struct fake {
    struct px_loop *loop;
    struct px_item *items[5][FAKE_ITEMS];
    size_t n_items[5];
    struct px_registry_sink sink;
    struct px_list_node calls; /* that wait for an answer: the oldest first */
    unsigned n_calls, n_cancelled, n_sessions, n_opened;
    int call_error; /* what px_gate_call fails with */
    /* sessions */
    bool admin, refuse;
    const char *deny; /* items with this name are not allowed */
    char principal[64], profile[64];
    struct px_peer peer; /* of the last one opened */
    bool used;
    /* services */
    char paused[64];
    const char *missing, *why; /* a service that offers nothing; NULL: each is there */
    /* log of calls, effects */
    px_calllog_row_cb on_row;
    void *on_row_user;
    struct fake_query *query; /* the one that waits */
    int query_error;
    struct fake_secret secrets[8]; /* sorted by name */
    size_t n_secrets;
} fake;

void fake_init(struct px_loop *loop);
/** Everything has ended. */
void fake_finish(void);

/** Offer something. `own`: "echo" answers at once with its arguments; anything else waits for the test. `listed`: NULL for a
 *  plain one. Kept sorted by name. */
struct px_item *fake_item(enum px_list list, const char *name, const char *own, const char *listed);
void fake_items_clear(enum px_list list);
void fake_changed(enum px_list list);
void fake_touched(const char *uri);

/** The oldest call that waits; NULL: none. */
struct fake_call *fake_call(void);
void fake_reply(struct fake_call *call, const struct px_result *result);
void fake_reply_text(struct fake_call *call, const char *text);
void fake_waiting(struct fake_call *call, const char *message);
void fake_progress(struct fake_call *call, uint64_t done, uint64_t total, const char *message);
void fake_log(struct fake_call *call, uint32_t level, const char *logger, const char *data);

void fake_rows(int status, const struct px_calllog_row *rows, uint32_t n);
void fake_row(const struct px_calllog_row *row);
/** The write to the sealed store that waits has ended. */
void fake_written(int status);
void fake_effects(int status, const struct px_effect *effects, uint32_t n);
void fake_effect(int status, enum px_effect_outcome outcome, const char *words);

#endif
