/* mcp: a bridge between an MCP client on stdin and stdout, and the host's socket. What it knows is in bridge.h; here are the
 * descriptors. One poll; nothing is read that cannot be passed on. */
#include "base/clock.h"
#include "cli/bridge.h"
#include "cli/commands.h"
#include "cli/feed.h"
#include "cli/socket.h"
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
    SAFE_WRITE = 4096, /* what a pipe takes without blocking once poll says it is ready (PIPE_BUF) */
    WORDS_MAX = 200    /* lines on stderr, in a bridge's life */
};

struct mcp {
    struct px_bridge *bridge;
    const char *path;
    int fd; /* the host; -1: none */
    struct px_feed from_client, from_host;
    bool client_ended, host_ended, half_closed, mute, /* mute: the host takes nothing any more */
        out_is_socket, out_gone;
    unsigned words;
};

/* stderr may be a pipe that nobody reads: words are dropped rather than waited for. */
static void say(void *user, const char *words) {
    struct mcp *m = user;
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (m->words++ < WORDS_MAX && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
        fprintf(stderr, "plexus mcp: %s\n", words);
}

/* ---- the host -------------------------------------------------------------------------------------------------- */

static void hang_up(struct mcp *m, uint64_t now_ns) {
    close(m->fd);
    m->fd = -1;
    m->host_ended = m->half_closed = m->mute = false;
    px_feed_finish(&m->from_host);
    px_feed_init(&m->from_host, PX_BRIDGE_LINE_MAX);
    px_bridge_host_down(m->bridge, now_ns);
}

static void connect_when_due(struct mcp *m, uint64_t now_ns) {
    if (m->fd >= 0 || !px_bridge_wants_connect(m->bridge, now_ns))
        return;
    int r = px_socket_connect(m->path, &m->fd);
    if (r)
        px_bridge_connect_failed(m->bridge, r, now_ns);
    else
        px_bridge_host_up(m->bridge, now_ns);
}

static void read_host(struct mcp *m) {
    size_t n;
    char *room = px_feed_room(&m->from_host, &n);
    ssize_t got = room ? recv(m->fd, room, n, MSG_DONTWAIT) : 0;
    if (got > 0)
        px_feed_added(&m->from_host, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        m->host_ended = true;
}

/* false: the connection is broken. */
static bool write_host(struct mcp *m) {
    for (;;) {
        px_str bytes = px_bridge_to_host(m->bridge);
        if (!bytes.n)
            break;
        ssize_t n = send(m->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        px_bridge_host_wrote(m->bridge, (size_t)n);
    }
    if (px_bridge_half_closes(m->bridge) && !m->half_closed) {
        shutdown(m->fd, SHUT_WR);
        m->half_closed = true;
    }
    return true;
}

/* ---- the client ------------------------------------------------------------------------------------------------- */

static void read_client(struct mcp *m) {
    size_t n;
    char *room = px_feed_room(&m->from_client, &n);
    ssize_t got = room ? read(STDIN_FILENO, room, n - 1) : 0;
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        if (room) {
            room[0] = '\n'; /* a last line may lack its own */
            px_feed_added(&m->from_client, 1);
        }
        m->client_ended = true;
        return;
    }
    px_feed_added(&m->from_client, (size_t)got);
}

/* stdin and stdout may be shared with others, so they stay blocking: a pipe is written by what it surely takes. */
static void write_client(struct mcp *m) {
    px_str out = px_bridge_to_client(m->bridge);
    ssize_t n = m->out_is_socket ? send(STDOUT_FILENO, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(STDOUT_FILENO, out.p, PX_MIN(out.n, (uint64_t)SAFE_WRITE));
    if (n > 0)
        px_bridge_client_wrote(m->bridge, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        m->out_gone = true;
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

/* Lines that are here already, as far as there is room for what they lead to. */
static void pass_lines(struct mcp *m, uint64_t now_ns) {
    px_str line;
    int r = 0;
    while (px_bridge_wants_client(m->bridge) && (r = px_feed_next(&m->from_client, &line)) != 0) {
        if (r > 0)
            px_bridge_client_line(m->bridge, line, now_ns);
        else
            px_bridge_client_long(m->bridge, line);
    }
    if (r == 0 && m->client_ended && px_bridge_wants_client(m->bridge))
        px_bridge_client_eof(m->bridge);
    r = 0;
    while (m->fd >= 0 && px_bridge_wants_host(m->bridge) && (r = px_feed_next(&m->from_host, &line)) != 0) {
        if (r > 0)
            px_bridge_host_line(m->bridge, line, now_ns);
        else
            px_bridge_host_long(m->bridge, line);
    }
    bool all = r == 0 && px_bridge_wants_host(m->bridge);
    if (m->fd >= 0 && (px_bridge_hangs_up(m->bridge) || (m->host_ended && all)))
        hang_up(m, now_ns);
}

static int timeout_ms(const struct mcp *m, uint64_t now_ns) {
    uint64_t at = px_bridge_deadline(m->bridge);
    if (!at)
        return -1;
    return at <= now_ns ? 0 : (int)PX_MIN((at - now_ns) / PX_MS + 1, (uint64_t)INT_MAX);
}

static void wait(struct mcp *m, uint64_t now_ns) {
    bool read_in = !m->client_ended && px_bridge_wants_client(m->bridge);
    bool read_fd = m->fd >= 0 && !m->host_ended && px_bridge_wants_host(m->bridge);
    bool write_fd = m->fd >= 0 && !m->mute && px_bridge_to_host(m->bridge).n;
    struct pollfd p[3] = {
        {.fd = read_in ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = STDOUT_FILENO, .events = (short)(px_bridge_to_client(m->bridge).n ? POLLOUT : 0)},
        {.fd = m->fd, .events = (short)((read_fd ? POLLIN : 0) | (write_fd ? POLLOUT : 0))}};
    if (m->host_ended || !p[2].events)
        p[2].fd = -1; /* or its hanging up would be reported without end */
    if (poll(p, 3, timeout_ms(m, now_ns)) <= 0)
        return;
    if (p[1].revents & POLLOUT)
        write_client(m);
    else if (p[1].revents)
        m->out_gone = true;
    if (p[0].revents)
        read_client(m);
    if (p[2].revents & (POLLIN | POLLHUP | POLLERR) && read_fd)
        read_host(m);
}

static int serve(struct mcp *m) {
    int code;
    for (;;) {
        uint64_t now_ns = px_clock_mono_ns();
        connect_when_due(m, now_ns);
        px_bridge_tick(m->bridge, now_ns);
        pass_lines(m, now_ns);
        if (m->fd >= 0 && !m->mute && !write_host(m))
            m->mute = true; /* what it still said is read, up to its end */
        if (px_bridge_done(m->bridge, &code))
            return code;
        if (m->out_gone)
            return PX_EXIT_FAILURE;
        wait(m, now_ns);
    }
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct mcp m = {.fd = -1, .path = px_socket_path(cli)};
    struct px_bridge_opts opts = {.where = m.path, .log = say, .user = &m};
    struct px_buf session;
    struct px_err err;
    struct stat st;
    (void)args;
    px_buf_init(&session, 64 << 10);
    if (px_socket_session(cli, "plexus-mcp/" PX_VERSION, &session, &err))
        return px_cli_fail(cli, PX_EXIT_FAILURE, "Check --token-file or PLEXUS_TOKEN_FILE.", "%s", err.msg);
    opts.session = px_buf_view(&session);
    if (px_bridge_create(&opts, &m.bridge))
        return px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "out of memory");
    m.out_is_socket = fstat(STDOUT_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
    signal(SIGPIPE, SIG_IGN);
    px_feed_init(&m.from_client, PX_BRIDGE_LINE_MAX);
    px_feed_init(&m.from_host, PX_BRIDGE_LINE_MAX);
    int code = serve(&m);
    if (m.fd >= 0)
        close(m.fd);
    px_feed_finish(&m.from_client);
    px_feed_finish(&m.from_host);
    px_bridge_destroy(m.bridge);
    px_buf_finish(&session);
    return code;
}

const struct px_command px_cmd_mcp = {
    .name = "mcp",
    .synopsis = "",
    .summary = "be an MCP server on stdin and stdout, for any MCP client",
    .help =
        "Passes messages between an MCP client and the host, byte for byte. When the host restarts, it connects again, takes\n"
        "the session and its subscriptions up again, and answers what was in flight with an error that says whether it may\n"
        "be tried again. Requests wait up to 10 seconds for a host that is away. Ends with stdin.\n"
        "\nExamples\n"
        "  claude mcp add plexus -- plexus mcp\n"
        "  claude mcp add plexus-readonly -- plexus mcp --profile readonly\n"
        "  {\"mcpServers\": {\"plexus\": {\"command\": \"plexus\", \"args\": [\"mcp\"]}}}\n",
    .run = run,
};
