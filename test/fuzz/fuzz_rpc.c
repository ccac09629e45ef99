/* A planner's session, line by line. A line that begins with "!" is not sent: it makes something happen on the other side
 * (see act). What the host sends must be whole lines of strict JSON, answers and notifications of JSON-RPC 2.0, and at the
 * end nothing is left. */
#include "mcp/mcp.h"
#include "support/clock.h"
#include "support/fake_gate.h"
#include <stdio.h>

static void must(bool holds, const char *what, px_str line) {
    if (holds)
        return;
    fprintf(stderr, "%s: %.*s\n", what, (int)PX_MIN(line.n, (uint64_t)2000), line.p);
    abort();
}

struct rig {
    struct px_loop *loop;
    struct px_mcp_peer *peer;
    bool ended;
};

static void on_ready(void *ctx) {
    (void)ctx;
}
static void on_end(void *ctx, const char *why) {
    struct rig *rig = ctx;
    must(!rig->ended, "ended twice", px_str_of(why));
    rig->ended = true;
}
static const struct px_mcp_sink sink = {on_ready, on_end};

static void check_message(px_str line) {
    px_str version, unused;
    must(px_json_slice_get(line, PX_LIT("jsonrpc"), &version) == 0 &&
             px_json_slice_is(version, PX_LIT("2.0")),
         "not JSON-RPC", line);
    int kinds = (px_json_slice_get(line, PX_LIT("result"), &unused) == 0) +
                (px_json_slice_get(line, PX_LIT("error"), &unused) == 0) +
                (px_json_slice_get(line, PX_LIT("method"), &unused) == 0);
    must(kinds == 1, "neither result, error nor notification", line);
}

static void check_line(px_str line) {
    struct px_json_scan scan;
    struct px_err err = {0};
    px_str message;
    uint64_t at = 0;
    must(px_json_scan(line, &(struct px_json_limits){.depth = 512}, &scan, NULL, &err) == 0, err.msg, line);
    if (px_json_slice_type(line) == PX_JSON_OBJECT) {
        check_message(line);
        return;
    }
    must(px_json_slice_type(line) == PX_JSON_ARRAY, "no message", line);
    while (px_json_slice_next(line, &at, NULL, &message) == 1)
        check_message(message);
}

static void take(struct rig *rig) {
    px_str out = px_mcp_peer_output(rig->peer);
    for (const char *at = out.p, *end = out.p + out.n, *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        must(stop != NULL, "half a line", px_str_n(at, (size_t)(end - at)));
        check_line(px_str_n(at, (size_t)(stop - at)));
    }
    if (out.n)
        px_mcp_peer_sent(rig->peer, out.n);
}

static void turn(struct rig *rig) {
    if (px_loop_turn(rig->loop, 0))
        abort();
}

/* The plugin's JSON has been checked by the gate; only what passes here may reach the peer. */
static px_str json_or(px_str text, char first, px_str otherwise) {
    struct px_json_scan scan;
    bool fine = px_json_scan(text, NULL, &scan, NULL, NULL) == 0 && scan.value.p[0] == first;
    return fine ? scan.value : otherwise;
}

static void act(struct rig *rig, struct px_mcp *mcp, char what, px_str rest) {
    static const struct px_calllog_row row = {.id = PX_LIT_INIT("A"), .principal = PX_LIT_INIT("uid:1000")};
    struct fake_call *call = fake_call();
    switch (what) {
    case 'r':
        if (call)
            fake_reply(call, &(struct px_result){.content_json = json_or(rest, '[', PX_LIT("[]")),
                                                 .structured_json = json_or(rest, '{', (px_str){0}),
                                                 .meta_json = json_or(rest, '{', (px_str){0}),
                                                 .result_json = json_or(rest, '{', PX_LIT("{}"))});
        break;
    case 'f':
        if (call)
            fake_reply(call, &(struct px_result){.code = 1 + (int32_t)(rest.n % PX_INTERNAL),
                                                 .is_error = true,
                                                 .content_json = PX_LIT("[]"),
                                                 .error = {.message = rest}});
        break;
    case 'a':
        if (call)
            fake_reply(call, &(struct px_result){.asks = true,
                                                 .requests_json = json_or(rest, '{', (px_str){0}),
                                                 .request_state = rest});
        break;
    case 'p':
        if (call)
            call->sink->progress(call->user, rest.n, rest.n * 2, rest);
        break;
    case 'l':
        if (call)
            call->sink->log(call->user, (uint32_t)rest.n % 8, rest, json_or(rest, '{', PX_LIT("null")));
        break;
    case 'c': fake_changed((enum px_list)(1 + rest.n % 4)); break;
    case 't': fake_touched("test://a"); break;
    case 'q':
        if (fake.query && fake.query->effects.limit)
            fake_effects(0, NULL, 0);
        else if (fake.query)
            fake_rows(rest.n % 2 ? -EIO : 0, &row, 1);
        break;
    case 'w': fake_row(&row); break;
    case 'e': px_mcp_peer_input_ended(rig->peer); break;
    case 'd': px_mcp_drain(mcp); break;
    case 'o': take(rig); break;
    case 'x': px_mcp_peer_relax(rig->peer); break;
    case 'A': fake.admin = !fake.admin; break;
    default: turn(rig);
    }
}

static void run(struct rig *rig, struct px_mcp *mcp, px_str input) {
    const char *at = input.p, *end = input.p + input.n;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        px_str line = px_str_n(at, (size_t)(stop - at));
        at = stop + 1;
        if (line.n > 1 && line.p[0] == '!') {
            act(rig, mcp, line.p[1], px_str_n(line.p + 2, line.n - 2));
        } else {
            char *copy = malloc(line.n + 1); /* of just this size: who reads beyond it is seen */
            memcpy(copy, line.p, line.n);
            px_mcp_peer_line(rig->peer, copy, line.n);
            free(copy);
        }
        if (fake.query && line.n > 40 && fake.query->op.scope) /* the fake keeps one */
            act(rig, mcp, 'q', (px_str){0});
    }
    take(rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct fake_clock clock = {0};
    struct px_loop_clock loop_clock = fake_clock(&clock);
    struct rig rig = {0};
    struct px_scope *scope;
    struct px_session *session;
    struct px_mcp *mcp;
    static char state;
    if (px_loop_create(&(struct px_loop_opts){.clock = &loop_clock}, &rig.loop, NULL))
        return 0;
    fake_init(rig.loop);
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
    fake_item(PX_LIST_PROMPTS, "svc_prompt", "hold", NULL);
    fake_item(PX_LIST_RESOURCES, "test://a", "hold", NULL);
    fake_item(PX_LIST_TEMPLATES, "test://t/{x}", "hold", NULL);
    const struct px_mcp_opts opts = {.loop = rig.loop,
                                     .state = (struct px_state *)(void *)&state,
                                     .limits = {.in_flight = 8,
                                                .listens = 4,
                                                .watches = 4,
                                                .batch = 4,
                                                .page_items = 1,
                                                .quiet_bytes = 4000,
                                                .output_bytes = 16000}};
    if (px_scope_open(rig.loop, NULL, "fuzz", 0, &scope) || px_mcp_create(&opts, &mcp, NULL) ||
        px_session_open(NULL, scope, &(struct px_peer){.uid = 1000}, &session, NULL) ||
        px_mcp_peer_open(mcp, session, &sink, &rig, &rig.peer))
        abort();
    run(&rig, mcp, px_str_n((const char *)data, n));
    turn(&rig);
    take(&rig);
    px_mcp_peer_close(&rig.peer);
    px_session_close(&session);
    px_mcp_destroy(&mcp);
    px_scope_close(&scope);
    turn(&rig);
    fake_finish();
    px_loop_destroy(rig.loop);
    return 0;
}
