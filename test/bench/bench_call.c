/* How fast a call passes the gate: policy, arguments against their schema, the plugin, the shape of its answer, the log; in
 * this process, without a socket. The tool is `echo` of plugin_many.c, among 500; 64 calls are in flight. */
#include "base/redact.h"
#include "call/gate.h"
#include "reactor/loop.h"
#include "service/services.h"
#include "state/state.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { IN_FLIGHT = 64 };

struct bench {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_state *state;
    struct px_services *services;
    struct px_gate *gate;
    struct px_session *session;
    struct px_call_req req;
    uint64_t done, until_ns;
    unsigned running;
};

static void on_done(void *user, const struct px_result *result) {
    struct bench *b = user;
    if (result->code || !result->content_json.n) {
        fprintf(stderr, "the call failed: %.*s\n", (int)result->error.message.n, result->error.message.p);
        exit(1);
    }
    b->done++;
    b->running--;
}

static void start(struct bench *b) {
    static const struct px_call_sink sink = {.done = on_done};
    struct px_err err;
    struct px_op *op;
    if (px_gate_call(b->gate, b->session, &b->req, &sink, b, &op, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    b->running++;
}

/* At the end of each turn, as if answers had gone out and the next requests come in: so a turn has so many calls. */
static void next_calls(void *user) {
    struct bench *b = user;
    while (b->running < IN_FLIGHT && px_loop_now(b->loop) < b->until_ns)
        start(b);
    if (!b->running)
        px_loop_stop(b->loop);
}

static void measure(struct bench *b, const char *name, px_str args, double seconds) {
    struct timespec from, to;
    b->req.args_json = args;
    b->done = 0;
    b->until_ns = px_clock_mono_ns() + (uint64_t)(seconds * 1e9);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    uint64_t began = px_clock_mono_ns();
    struct px_hook hook = {.name = "bench", .fn = next_calls, .user = b};
    px_hook_add(b->loop, &hook);
    next_calls(b);
    if (px_loop_run(b->loop) < 0)
        exit(1);
    px_hook_remove(&hook);
    double took = (double)(px_clock_mono_ns() - began) / 1e9;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double cpu = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("  %-34s %9.0f calls/s %7.0f ns each (%.0f ns of the processor)\n", name, (double)b->done / took,
           took * 1e9 / (double)b->done, cpu * 1e9 / (double)b->done);
}

static void must(int r, const struct px_err *err) {
    if (!r)
        return;
    fprintf(stderr, "bench_call: %s\n", err->msg);
    exit(1);
}

static void open_host(struct bench *b, const char *dir, const char *plugins) {
    const char *folders[] = {plugins, NULL};
    struct px_err err = {0};
    must(px_loop_create(NULL, &b->loop, &err), &err);
    must(px_scope_open(b->loop, NULL, "bench", 0, &b->scope), &err);
    must(px_state_open(&(struct px_state_opts){.loop = b->loop, .scope = b->scope, .dir = dir}, &b->state,
                       &err),
         &err);
    must(px_services_create(&(struct px_services_opts){.loop = b->loop,
                                                       .scope = b->scope,
                                                       .state = b->state,
                                                       .folders = folders,
                                                       .self_exe = "/proc/self/exe"},
                            &b->services, &err),
         &err);
    must(px_gate_create(
             &(struct px_gate_opts){
                 .loop = b->loop, .scope = b->scope, .state = b->state, .services = b->services},
             &b->gate, &err),
         &err);
    const struct px_service_conf conf = {.name = PX_LIT("many"), .plugin = PX_LIT("many")};
    must(px_services_configure(b->services, &conf, 1, &err), &err);
    while (!px_services_settled(b->services))
        must(px_loop_turn(b->loop, 10 * PX_MS), &err);
    must(px_session_open(b->gate, b->scope, &(struct px_peer){.uid = 4242, .gid = 4242}, &b->session, &err),
         &err);
    b->req.kind = PX_CALL_TOOL;
    b->req.item = px_registry_find(px_services_registry(b->services), PX_LIST_TOOLS, PX_LIT("many_echo"));
    b->req.log_level = 8;
    if (!b->req.item)
        must(-1, &(struct px_err){.msg = "the plugin has not loaded; is the folder yours alone to write?"});
}

/* Ten patterns, as a policy may have them. */
static void set_policy(struct bench *b) {
    static const px_str allow[] = {PX_LIT_INIT("github_create_*"), PX_LIT_INIT("shop_*"),
                                   PX_LIT_INIT("mail_send"), PX_LIT_INIT("many_write_*")},
                        deny[] = {PX_LIT_INIT("github_delete_*"), PX_LIT_INIT("*_drop_*"),
                                  PX_LIT_INIT("admin_*")};
    const struct px_policy policy = {
        .name = PX_LIT("default"), .allow = {allow, 4}, .deny = {deny, 3}, .allow_reads = true};
    struct px_err err;
    must(px_gate_set_policy(b->gate, &(struct px_policy_set){.policies = &policy, .n_policies = 1}, &err),
         &err);
}

static void close_host(struct bench *b) {
    struct px_state_stats stats;
    px_session_close(&b->session);
    px_services_drain(b->services);
    while (!px_services_drained(b->services))
        must(px_loop_turn(b->loop, PX_MS), &(struct px_err){0});
    px_services_destroy(&b->services);
    px_gate_destroy(&b->gate);
    px_scope_close(&b->scope);
    must(px_loop_turn(b->loop, 0), &(struct px_err){0});
    px_state_stats_get(b->state, &stats);
    printf("  %llu rows were logged, %llu dropped\n", (unsigned long long)stats.log_rows,
           (unsigned long long)stats.log_rows_dropped);
    px_state_close(&b->state);
    px_loop_destroy(b->loop);
}

int main(int argc, char **argv) {
    static const char *const secrets[] = {"ghp_0123456789abcdefghij", "xoxb-9876543210-abcdefghijkl",
                                          "postgres-password-of-orders"};
    char dir[] = "/tmp/px-bench-XXXXXX";
    struct bench b = {0};
    if (argc >= 2 && strcmp(argv[1], "--vet") == 0)
        return px_plugin_vet(argc > 2 ? argv[2] : NULL);
    if (!mkdtemp(dir))
        return 1;
    open_host(&b, dir, argc > 1 ? argv[1] : PX_BENCH_PLUGINS);
    set_policy(&b);
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    printf("the gate, one plugin tool, %d in flight\n", IN_FLIGHT);
    measure(&b, "small", PX_LIT("{\"message\":\"hello\"}"), seconds);
    for (size_t i = 0; i < PX_COUNT(secrets); i++)
        must(px_redact_add(px_str_of(secrets[i])), &(struct px_err){.msg = "no memory"});
    measure(&b, "small, three secrets to look for", PX_LIT("{\"message\":\"hello\"}"), seconds);
    static char large[4096 + 32];
    size_t n = (size_t)snprintf(large, sizeof large, "{\"message\":\"%4000s\"}", "x");
    measure(&b, "4 KB in, 8 KB out", px_str_n(large, n), seconds);
    close_host(&b);
    px_redact_forget_all();
    return 0;
}
