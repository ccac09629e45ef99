/* What the protocol costs: a session's lines in, answers out, over a gate that answers at once and does nothing. */
#include "base/log.h"
#include "mcp/mcp.h"
#include "support/fake_gate.h"
#include <stdio.h>

enum { IN_FLIGHT = 64 };

static void ignore_ready(void *ctx) {
    (void)ctx;
}
static void ignore_end(void *ctx, const char *why) {
    (void)ctx;
    fprintf(stderr, "ended: %s\n", why);
    exit(1);
}
static const struct px_mcp_sink sink = {ignore_ready, ignore_end};

struct rig {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_session *session;
    struct px_mcp *mcp;
    struct px_mcp_peer *peer;
};

static void send_line(struct rig *rig, const char *line) {
    char copy[4096];
    size_t n = strlen(line);
    memcpy(copy, line, n);
    px_mcp_peer_line(rig->peer, copy, n);
}

/* Of this process alone, so that a busy machine does not show. */
static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * PX_S + (uint64_t)t.tv_nsec;
}

/* What one costs, with IN_FLIGHT lines a turn. */
static void measure(struct rig *rig, const char *name, const char *format) {
    char line[4096];
    uint64_t began = cpu_ns(), took = 0, n = 0, bytes = 0;
    while (took < PX_S) {
        for (int i = 0; i < IN_FLIGHT; i++, n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(line, sizeof line, format, (unsigned)n);
#pragma GCC diagnostic pop
            send_line(rig, line);
        }
        if (px_loop_turn(rig->loop, 0))
            exit(1);
        px_str out = px_mcp_peer_output(rig->peer);
        bytes += out.n;
        px_mcp_peer_sent(rig->peer, out.n);
        took = cpu_ns() - began;
    }
    printf("%-28s %7.0f ns of CPU each, %u bytes of answer\n", name, (double)took / (double)n,
           (unsigned)(bytes / n));
}

#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"bench\",\"version\":\"1\"},"                         \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

int main(void) {
    struct rig rig;
    if (px_loop_create(NULL, &rig.loop, NULL))
        return 1;
    px_log_set_level(PX_LOG_CRITICAL);
    fake_init(rig.loop);
    fake_item(PX_LIST_TOOLS, "many_echo", "echo", NULL);
    const struct px_mcp_opts opts = {.loop = rig.loop};
    if (px_scope_open(rig.loop, NULL, "bench", 0, &rig.scope) || px_mcp_create(&opts, &rig.mcp, NULL) ||
        px_session_open(NULL, rig.scope, &(struct px_peer){.uid = 1}, &rig.session, NULL) ||
        px_mcp_peer_open(rig.mcp, rig.session, &sink, NULL, &rig.peer))
        return 1;
    send_line(
        &rig,
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    measure(&rig, "ping", "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}");
    measure(&rig, "tools/call, legacy",
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"many_echo\","
            "\"arguments\":{\"message\":\"hello, world\"}}}");
    measure(&rig, "tools/call, modern",
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"many_echo\","
            "\"arguments\":{\"message\":\"hello, world\"}," META "}}");
    px_mcp_peer_close(&rig.peer);
    px_session_close(&rig.session);
    px_mcp_destroy(&rig.mcp);
    px_scope_close(&rig.scope);
    if (px_loop_turn(rig.loop, 0))
        return 1;
    fake_finish();
    px_loop_destroy(rig.loop);
    return 0;
}
