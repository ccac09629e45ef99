/* bridge_rig.h: a bridge on a bench: a clock by hand, both sides as text. */
#ifndef PX_TEST_BRIDGE_RIG_H
#define PX_TEST_BRIDGE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* after those four */
#include <cmocka.h>

#include "base/clock.h"
#include "cli/bridge.h"
#include "cli/cli.h"

#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

struct rig {
    struct px_bridge *b;
    uint64_t now;
    struct px_buf got; /* what client() or host() last took */
    struct px_buf said;
};

static inline void rig_log(void *user, const char *words) {
    struct rig *rig = user;
    px_buf_addf(&rig->said, "%s\n", words);
}

static inline void rig_begin(struct rig *rig, const char *session) {
    *rig = (struct rig){.now = 1000 * PX_S};
    const struct px_bridge_opts opts = {
        .session = px_str_of(session ? session : ""), .where = "/s", .log = rig_log, .user = rig};
    px_buf_init(&rig->got, 64 << 20);
    px_buf_init(&rig->said, 1 << 20);
    assert_int_equal(px_bridge_create(&opts, &rig->b), 0);
}

static inline void rig_end(struct rig *rig) {
    px_bridge_destroy(rig->b);
    px_buf_finish(&rig->got);
    px_buf_finish(&rig->said);
}

static inline void rig_up(struct rig *rig) {
    assert_true(px_bridge_wants_connect(rig->b, rig->now));
    px_bridge_host_up(rig->b, rig->now);
}

static inline void rig_down(struct rig *rig) {
    px_bridge_host_down(rig->b, rig->now);
}

/* Let time pass, and the host come back when it is due. */
static inline void rig_back(struct rig *rig) {
    rig->now += 3 * PX_S;
    px_bridge_tick(rig->b, rig->now);
    rig_up(rig);
}

static inline void rig_pass(struct rig *rig, uint64_t ms) {
    rig->now += ms * PX_MS;
    px_bridge_tick(rig->b, rig->now);
}

/* The client says. */
static inline void says(struct rig *rig, const char *line) {
    assert_true(px_bridge_wants_client(rig->b));
    px_bridge_client_line(rig->b, px_str_of(line), rig->now);
}

/* The host says. */
static inline void answers(struct rig *rig, const char *line) {
    assert_true(px_bridge_wants_host(rig->b));
    px_bridge_host_line(rig->b, px_str_of(line), rig->now);
}

/* Everything that is to go to the host, at most `n` bytes a write, written. */
static inline const char *host_gets_in(struct rig *rig, size_t n) {
    px_buf_clear(&rig->got, 1 << 20);
    for (;;) {
        px_str bytes = px_bridge_to_host(rig->b);
        bytes.n = PX_MIN(bytes.n, n);
        if (!bytes.n)
            break;
        px_buf_str(&rig->got, bytes);
        px_bridge_host_wrote(rig->b, bytes.n);
    }
    return px_buf_view(&rig->got).p;
}
static inline const char *host_gets(struct rig *rig) {
    return host_gets_in(rig, 1 << 20);
}
static inline const char *client_gets(struct rig *rig) {
    px_str bytes = px_bridge_to_client(rig->b);
    px_buf_clear(&rig->got, 1 << 20);
    px_buf_str(&rig->got, bytes);
    px_bridge_client_wrote(rig->b, bytes.n);
    return px_buf_view(&rig->got).p;
}

static inline void has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("%s\n  is not in\n%s", part, text);
}

static inline int rig_exit(struct rig *rig) {
    int code = -1;
    px_bridge_client_eof(rig->b);
    assert_true(px_bridge_done(rig->b, &code));
    return code;
}

#endif
