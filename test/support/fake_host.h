/* fake_host.h: a host for one plugin, for its tests: the tables of plexus/plugin.h over base, json and reactor, as small as
 * they can be, strict about the rules. It enters the plugin from its own functions only, and asserts that it never does so
 * from inside the plugin. One at a time in a process.
 *
 * Children are played by the test, and the clock is the test's: nothing here waits. What a real host does with a real worker
 * is tested with the real host (test_plugin_<name>_host.c). */
#ifndef PX_TEST_FAKE_HOST_H
#define PX_TEST_FAKE_HOST_H

#include "base/buf.h"
#include "reactor/loop.h"
#include "reactor/timer.h"

struct fake_call {
    px_call_h handle;
    struct px_call_in in;
    struct px_scope *scope;
    px_scope_h scope_h;
    struct px_timer deadline;
    void *user;
    uint64_t max_answer;
    bool ended,
        cancelled; /* cancelled: without the plugin; then no answer is there, and code says how the host ended it */
    /* The answer; all NUL-terminated. */
    int code; /* enum px_code; PX_OK: a reply */
    uint32_t flags;
    int64_t retry_after_ms;
    char *result; /* structured, else content, else text, else result_json */
    char *message, *advice, *details;
    char *progress; /* the last message */
    uint64_t done, total;
    unsigned n_progress;
};

/* A child that the test plays. */
struct fake_child {
    uint64_t op; /* 0: it has ended, or was cancelled */
    bool cancelled, stopped, ended_input;
    unsigned cancels;      /* PX_WRITE_CANCEL */
    int write_rc;          /* what writes return; 0 takes the line */
    struct px_buf written; /* lines, each with a newline */
    char *config;
    uint64_t max_line;
};

enum { FAKE_CHILDREN = 64, FAKE_TOOLS = 64 };

struct fake_tool {
    uint64_t id;
    uint32_t hints, labels;
    char *name, *description, *input, *output;
};

struct fake_opts {
    const char *config;      /* the service's */
    const char *name;        /* its name; NULL: "test" */
    const char *key, *value; /* what the store holds already; NULL: nothing */
};

/** Load `path`, open a service. Stops the test when that fails, unless `ret_rc` is given. */
void fake_open(const char *path, const struct fake_opts *opts, int *ret_rc);
/** close(), cancel what runs, fini(), and look that nothing is left. */
void fake_close(void);
/** Only close() for now; fake_close() does the rest. */
void fake_close_begin(void);

struct px_loop *fake_loop(void);
/** The catalog as it is. NULL: no such tool. */
const struct fake_tool *fake_tool(const char *name);
/** What catalog->ready said last: 1 ready, 0 nothing, -1 an error. */
int fake_ready(void);
/** What was logged, one line each. */
const char *fake_logged(void);

/** Call a tool. `args` must be JSON; deadline_ms 0: none. The call is freed by fake_close. */
struct fake_call *fake_call(const char *tool, const char *args, unsigned deadline_ms);
/** End it from outside. */
void fake_cancel(struct fake_call *call, enum px_why why);
/** Let so much time pass. */
void fake_run_ms(unsigned ms);
/** Everything that is due now. */
void fake_settle(void);

/** The children started so far, in order. */
unsigned fake_children(void);
struct fake_child *fake_child(unsigned i);
void fake_child_head(struct fake_child *c);
void fake_child_line(struct fake_child *c, const char *line);
void fake_child_error_line(struct fake_child *c, const char *line);
void fake_child_gap(struct fake_child *c);
void fake_child_room(struct fake_child *c);
void fake_child_end(struct fake_child *c, int status, bool signalled);
/** Make process->start fail with this from now on; 0: no longer. */
void fake_start_fails(int rc);

/* ---- a worker in this process ---- */

/** Open the plugin's worker by itself (no fake_open needed). Returns what its open() returned. */
int fake_worker_open(const char *path, const char *config);
int fake_worker_open_with(const struct px_worker *worker, const char *config);
/** One line; its answer, valid until the next. */
px_str fake_worker_line(const char *line);
/** From now on, cancelled() says 1 after it was asked so often; -1: never. */
void fake_worker_cancel_after(int asks);
/** How many lines the last one brought; more or fewer than one is a defect. */
unsigned fake_worker_answers(void);
void fake_worker_close(void);

#endif
