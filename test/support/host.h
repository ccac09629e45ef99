/* host.h: a whole host without its front: loop, state, services and gate in a temporary folder, for the tests of service/ and
 * call/. The plugin folder is the test's own; `px_vetter` (test/abi/vetter.c) plays plexusd for --vet and --worker. */
#ifndef PX_TEST_HOST_H
#define PX_TEST_HOST_H

#include "call/gate.h"
#include "net/http.h"
#include "reactor/loop.h"
#include "service/services.h"
#include "state/state.h"

struct test_host {
    char dir[64], plugins[96];
    const char *vfs; /* of SQLite's, for the state files; NULL: its own. */
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_state *state;
    bool web; /* requests can be made */
    struct px_dns *dns;
    struct px_http *http;
    struct px_services *services;
    struct px_gate *gate;
    struct px_session *session;
};

/** What a call came to; text is the test's to free with test_outcome_free. */
struct test_outcome {
    bool done;
    int32_t code;
    bool is_error, asks;
    char *structured, *content, *meta, *result, *message, *request_state;
    uint64_t progress[16];
    size_t n_progress, n_logs, n_waits;
    char waited_for[64]; /* the last of them */
    struct px_op *op;
};

void test_host_open(struct test_host *h);
/** The same, with the state files on a VFS of the test's. */
void test_host_open_on(struct test_host *h, const char *vfs);
/** The same, with names and HTTP. */
void test_host_open_web(struct test_host *h);
/** Another start on the same state and plugins. */
void test_host_restart(struct test_host *h);
void test_host_close(struct test_host *h);
/** Copy a built plugin (by target name, "rogue") into the plugin folder as `as`; atomically, by rename. */
void test_host_install(struct test_host *h, const char *plugin, const char *as);
/** One service of this plugin, or several: name, plugin, config triples, NULL-terminated. Waits until settled. */
void test_host_configure(struct test_host *h, const char *const *triples);
/** Turn the loop until `done` or two seconds have passed; true when done. */
bool test_host_until(struct test_host *h, bool (*done)(void *ctx), void *ctx);
void test_host_turns(struct test_host *h, unsigned ms);
/** Policy: everything is allowed (patterns "*"). */
void test_host_allow_all(struct test_host *h);

/** Begin a call of a tool; out must stay until it is done or cancelled. */
void test_call_start(struct test_host *h, const char *tool, const char *args, struct test_outcome *out);
/** The same with a request filled in (item and args are set here). */
void test_call_start_req(struct test_host *h, const char *tool, const char *args, struct px_call_req req,
                         struct test_outcome *out);
/** Begin, and wait for its end (at most timeout_ms and a little). */
void test_call(struct test_host *h, const char *tool, const char *args, unsigned timeout_ms,
               struct test_outcome *out);
void test_outcome_free(struct test_outcome *out);
/** The rows of the log, newest last; returns how many; *ret_last_code: of the last. */
size_t test_log_count(struct test_host *h, int32_t *ret_last_code);

#endif
