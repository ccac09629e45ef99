/* front_fixture.h: the planners' socket over the fake gate, and planners that a test plays itself, in the same thread.
 * Included by one test file each; everything is static. Include cmocka before it. */
#ifndef PX_TEST_FRONT_FIXTURE_H
#define PX_TEST_FRONT_FIXTURE_H

#include "front/front.h"
#include "support/clock.h"
#include "support/fake_gate.h"
#include "support/wire.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define CALL(id, tool)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"," META   \
    "}}\n"
#define PING(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}\n"

struct fix {
    struct fake_clock clock;
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_mcp *mcp;
    struct px_front *front;
    struct px_err err;
    char dir[64], path[80];
};

static inline void fix_init(struct fix *f) {
    *f = (struct fix){.clock.now_ns = PX_S};
    struct px_loop_clock clock = fake_clock(&f->clock);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%.40s/px-front-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/sock", f->dir);
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &clock}, &f->loop, NULL), 0);
    fake_init(f->loop);
    assert_int_equal(px_scope_open(f->loop, NULL, "test", 0, &f->scope), 0);
    fake_item(PX_LIST_TOOLS, "svc_echo", "echo", NULL);
    fake_item(PX_LIST_TOOLS, "svc_hold", "hold", NULL);
}
static inline struct px_front_opts fix_opts(struct fix *f) {
    return (struct px_front_opts){.loop = f->loop,
                                  .scope = f->scope,
                                  .mcp = f->mcp,
                                  .listen_fd = -1,
                                  .path = f->path,
                                  .mode = 0600,
                                  .group = (gid_t)-1};
}
static inline void fix_open_limits(struct fix *f, struct px_mcp_limits mcp, struct px_front_limits front) {
    fix_init(f);
    const struct px_mcp_opts opts = {.loop = f->loop, .limits = mcp};
    assert_int_equal(px_mcp_create(&opts, &f->mcp, NULL), 0);
    struct px_front_opts front_opts = fix_opts(f);
    front_opts.limits = front;
    assert_int_equal(px_front_create(&front_opts, &f->front, &f->err), 0);
}
static inline void fix_open(struct fix *f) {
    fix_open_limits(f, (struct px_mcp_limits){0}, (struct px_front_limits){0});
}
static inline void fix_turn(struct fix *f) {
    assert_int_equal(px_loop_turn(f->loop, 0), 0);
}
static inline void fix_turns(struct fix *f, int n) {
    while (n--)
        fix_turn(f);
}
/** Let time pass: timers that are due fire. */
static inline void fix_pass(struct fix *f, uint64_t ns) {
    f->clock.now_ns += ns;
    fix_turns(f, 3);
}
static inline struct px_front_stats fix_stats(struct fix *f) {
    struct px_front_stats stats;
    px_front_stats_get(f->front, &stats);
    return stats;
}
static inline void fix_close(struct fix *f) {
    px_front_destroy(&f->front);
    px_mcp_destroy(&f->mcp);
    px_scope_close(&f->scope);
    fix_turn(f);
    fake_finish();
    px_loop_destroy(f->loop);
    px_arena_stock_free();
    unlink(f->path);
    rmdir(f->dir);
}

/* ---- a planner ---- */

struct planner {
    struct fix *fix;
    int fd;
    bool eof;
    struct px_buf in;
    struct wire wire;
};

static inline int planner_connect(struct fix *f) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}
static inline void planner_open(struct fix *f, struct planner *p) {
    *p = (struct planner){.fix = f};
    px_buf_init(&p->in, (size_t)64 << 20);
    wire_init(&p->wire);
    p->fd = planner_connect(f);
    assert_true(p->fd >= 0);
    fix_turn(f);
}
static inline void planner_close(struct planner *p) {
    if (p->fd >= 0)
        close(p->fd);
    px_buf_finish(&p->in);
    wire_finish(&p->wire);
    fix_turns(p->fix, 2);
}
/** Bytes as they are; the tap sees the whole lines in them. */
static inline void planner_send_n(struct planner *p, const char *bytes, size_t n) {
    for (const char *at = bytes, *end = bytes + n, *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            break;
        wire_sent(&p->wire, px_str_n(at, (size_t)(stop - at)));
    }
    while (n) {
        ssize_t done = send(p->fd, bytes, n, MSG_NOSIGNAL);
        if (done < 0) {
            assert_int_equal(errno, EAGAIN);
            fix_turn(p->fix);
            continue;
        }
        bytes += done;
        n -= (size_t)done;
    }
}
static inline void planner_send(struct planner *p, const char *text) {
    planner_send_n(p, text, strlen(text));
}
/** Read what is there; whole lines go to the tap. */
static inline void planner_read(struct planner *p) {
    char bytes[65536];
    ssize_t n;
    while (!p->eof && (n = recv(p->fd, bytes, sizeof bytes, 0)) >= 0) {
        p->eof = n == 0;
        assert_int_equal(px_buf_add(&p->in, bytes, (size_t)n), 0);
    }
    size_t done = 0;
    while (done < p->in.n) {
        const char *at = p->in.p + done, *stop = memchr(at, '\n', p->in.n - done);
        if (!stop)
            break;
        wire_got(&p->wire, px_str_n(at, (size_t)(stop - at)));
        done = (size_t)(stop + 1 - p->in.p);
    }
    px_buf_drop(&p->in, done);
}
/** Turn the loop and read, some times. */
static inline void planner_turns(struct planner *p, int n) {
    while (n--) {
        fix_turn(p->fix);
        planner_read(p);
    }
}
/** The next message; waits for it. */
static inline const char *planner_next(struct planner *p) {
    const char *message = wire_next(&p->wire);
    for (int i = 0; !message && i < 200; i++) {
        planner_turns(p, 1);
        message = wire_next(&p->wire);
    }
    return message;
}
static inline bool planner_sees_end(struct planner *p) {
    for (int i = 0; !p->eof && i < 200; i++)
        planner_turns(p, 1);
    return p->eof;
}

#endif
