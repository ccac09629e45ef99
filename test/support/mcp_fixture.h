/* mcp_fixture.h: a peer between the fake gate and a wire tap. Included by one test file each; everything is static.
 * Include cmocka before it. */
#ifndef PX_TEST_MCP_FIXTURE_H
#define PX_TEST_MCP_FIXTURE_H

#include "mcp/mcp.h"
#include "support/clock.h"
#include "support/fake_gate.h"
#include "support/wire.h"
#include <stdio.h>

#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

struct fix {
    struct fake_clock clock;
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_mcp *mcp;
    struct px_session *session;
    struct px_mcp_peer *peer;
    const char *ended; /* why the peer was ended */
    unsigned ready;
    struct wire wire;
};

static inline void fix_ready(void *ctx) {
    ((struct fix *)ctx)->ready++;
}
static inline void fix_end(void *ctx, const char *why) {
    struct fix *f = ctx;
    assert_null(f->ended);
    f->ended = why;
}
static const struct px_mcp_sink fix_sink = {fix_ready, fix_end};

/* "shop" uses "token" twice, and "gone"; "other" uses "token". */
static inline void fix_uses(void *ctx, void (*fn)(void *user, px_str secret, px_str service), void *user) {
    (void)ctx;
    fn(user, PX_LIT("token"), PX_LIT("shop"));
    fn(user, PX_LIT("gone"), PX_LIT("shop"));
    fn(user, PX_LIT("token"), PX_LIT("shop"));
    fn(user, PX_LIT("token"), PX_LIT("other"));
}
static inline void fix_open_limits(struct fix *f, struct px_mcp_limits limits) {
    *f = (struct fix){0};
    struct px_loop_clock clock = fake_clock(&f->clock);
    static char state; /* the fake one has no content */
    wire_init(&f->wire);
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &clock}, &f->loop, NULL), 0);
    fake_init(f->loop);
    assert_int_equal(px_scope_open(f->loop, NULL, "test", 0, &f->scope), 0);
    const struct px_mcp_opts opts = {.loop = f->loop,
                                     .state = (struct px_state *)(void *)&state,
                                     .secrets = {(struct px_vault *)(void *)&state, fix_uses, NULL},
                                     .limits = limits};
    assert_int_equal(px_mcp_create(&opts, &f->mcp, NULL), 0);
    assert_int_equal(px_session_open(NULL, f->scope, &(struct px_peer){.uid = 1000}, &f->session, NULL), 0);
    assert_int_equal(px_mcp_peer_open(f->mcp, f->session, &fix_sink, f, &f->peer), 0);
}
static inline void fix_open(struct fix *f) {
    fix_open_limits(f, (struct px_mcp_limits){0});
}

/** Take what waits, at most n bytes of it; whole lines go to the tap. */
static inline void fix_take(struct fix *f) {
    px_str out = px_mcp_peer_output(f->peer);
    const char *p = out.p, *end = p + out.n;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(stop); /* messages are whole */
        wire_got(&f->wire, px_str_n(p, (size_t)(stop - p)));
        p = stop + 1;
    }
    if (out.n)
        px_mcp_peer_sent(f->peer, out.n);
}
static inline void fix_turn(struct fix *f) {
    for (int i = 0; i < 4; i++) {
        assert_int_equal(px_loop_turn(f->loop, 0), 0);
        fix_take(f);
    }
}
/** Send a line without looking at what comes of it. */
static inline void fix_send_n(struct fix *f, const char *line, size_t n) {
    char *copy = malloc(n + 1);
    memcpy(copy, line, n);
    wire_sent(&f->wire, px_str_n(line, n));
    px_mcp_peer_line(f->peer, copy, n);
    free(copy);
}
static inline void fix_send(struct fix *f, const char *line) {
    fix_send_n(f, line, strlen(line));
}
/** Send, turn, and give the next message. */
static inline const char *fix_ask(struct fix *f, const char *line) {
    fix_send(f, line);
    fix_turn(f);
    return wire_next(&f->wire);
}
/** A legacy handshake. */
static inline void fix_initialize(struct fix *f, const char *version) {
    char line[512];
    snprintf(
        line, sizeof line,
        "{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        version);
    wire_is(fix_ask(f, line), "/id", "\"init\"");
    fix_send(f, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

static inline void fix_close(struct fix *f) {
    assert_null(wire_next(&f->wire)); /* every message was looked at */
    px_mcp_peer_close(&f->peer);
    px_session_close(&f->session);
    px_mcp_destroy(&f->mcp);
    px_scope_close(&f->scope);
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
    fake_finish();
    px_loop_destroy(f->loop);
    px_arena_stock_free();
    wire_finish(&f->wire);
}

#endif
