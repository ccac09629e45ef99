#include "cli/client.h"
#include "base/clock.h"
#include "cli/fields.h"
#include "cli/interrupt.h"
#include "cli/socket.h"
#include "json/scan.h"
#include <poll.h>
#include <sys/socket.h>

enum { CONTROL_TIMEOUT_MS = 30000, CONNECT_TIMEOUT_MS = 5000, WRITE_TIMEOUT_MS = 10000, READ_BYTES = 65536 };

/* 0, -ETIMEDOUT, -EINTR. deadline_ns 0: none. */
static int wait_for(struct px_client *c, short events, uint64_t deadline_ns) {
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = events};
        struct timespec left = {0};
        uint64_t now = px_clock_mono_ns();
        if (deadline_ns && now >= deadline_ns)
            return -ETIMEDOUT;
        if (deadline_ns) {
            left.tv_sec = (time_t)((deadline_ns - now) / PX_S);
            left.tv_nsec = (long)((deadline_ns - now) % PX_S);
        }
        int n = px_interrupt_poll(&p, 1, deadline_ns ? &left : NULL);
        if (n > 0)
            return 0;
        if (n < 0 && (errno != EINTR || px_interrupted()))
            return -errno;
    }
}

static int write_all(struct px_client *c, px_str bytes, uint64_t timeout_ms) {
    uint64_t deadline = px_clock_mono_ns() + timeout_ms * PX_MS;
    while (bytes.n) {
        ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes.p += n;
            bytes.n -= (size_t)n;
        } else if (errno == EAGAIN) {
            int r = wait_for(c, POLLOUT, deadline);
            if (r)
                return r;
        } else if (errno != EINTR) {
            return -EPIPE;
        }
    }
    return 0;
}

/* 0: *ret_line is the next line. */
static int read_line(struct px_client *c, uint64_t deadline_ns, px_str *ret_line) {
    for (;;) {
        int r = px_lines_next(&c->in, ret_line);
        if (r)
            return r > 0 ? 0 : r;
        char *room = px_lines_room(&c->in, READ_BYTES);
        if (!room)
            return -EMSGSIZE;
        ssize_t n = recv(c->fd, room, READ_BYTES, 0);
        if (n > 0) {
            px_lines_added(&c->in, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return -EPIPE;
        } else {
            r = wait_for(c, POLLIN, deadline_ns);
            if (r)
                return r;
        }
    }
}

static bool is_answer(px_str message, uint64_t id) {
    px_str text;
    uint64_t got;
    return px_json_slice_get(message, PX_LIT("id"), &text) == 0 && px_json_slice_u64(text, &got) == 0 &&
           got == id;
}

/* An error without an id: the host could not read what it was sent. There is one request at a time, so it was that. */
static bool is_complaint(px_str message) {
    px_str id, error;
    return px_json_slice_get(message, PX_LIT("error"), &error) == 0 &&
           (px_json_slice_get(message, PX_LIT("id"), &id) != 0 || px_json_slice_type(id) == PX_JSON_NULL);
}

/* The answer's line is kept, because the next read overwrites the buffer it stands in. */
static int keep_answer(struct px_client *c, px_str message, struct px_answer *ret) {
    px_buf_clear(&c->answer, 1 << 20);
    if (px_buf_str(&c->answer, message))
        return c->answer.failed;
    *ret = (struct px_answer){0};
    px_str whole = px_buf_view(&c->answer);
    if (px_json_slice_get(whole, PX_LIT("result"), &ret->result) == 0 ||
        px_json_slice_get(whole, PX_LIT("error"), &ret->error) == 0)
        return 0;
    return -EBADMSG;
}

static int send_message(struct px_client *c, const char *method, px_str params, bool request,
                        uint64_t timeout_ms) {
    struct px_buf line;
    struct px_jw w;
    px_buf_init(&line, PX_CLIENT_LINE_MAX);
    px_jw_init(&w, &line);
    px_jw_object(&w);
    px_jw_key(&w, "jsonrpc");
    px_jw_text(&w, "2.0");
    if (request) {
        px_jw_key(&w, "id");
        px_jw_u64(&w, ++c->last_id);
    }
    px_jw_key(&w, "method");
    px_jw_text(&w, method);
    px_jw_key(&w, "params");
    px_jw_raw(&w, params.p ? params : PX_LIT("{}"));
    px_jw_object_end(&w);
    /* A message is one line; in JSON, newlines stand only between tokens. */
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '\n' || line.p[i] == '\r')
            line.p[i] = ' ';
    }
    px_buf_char(&line, '\n');
    int r = line.failed ? line.failed : write_all(c, px_buf_view(&line), timeout_ms);
    if (line.p)
        explicit_bzero(line.p, line.n); /* it may hold a token */
    px_buf_finish(&line);
    return r;
}

int px_client_request(struct px_client *c, const char *method, px_str params, uint64_t timeout_ms,
                      struct px_answer *ret) {
    uint64_t deadline = timeout_ms ? px_clock_mono_ns() + timeout_ms * PX_MS : 0;
    int r = send_message(c, method, params, true, WRITE_TIMEOUT_MS);
    while (r == 0) {
        px_str line, name, notified = {0};
        struct px_json_scan scan;
        const struct px_json_limits limits = {.bytes = PX_CLIENT_LINE_MAX, .depth = 512, .values = 8000000};
        r = read_line(c, deadline, &line);
        if (r)
            break;
        if (px_json_scan(line, &limits, &scan, NULL, NULL) ||
            px_json_slice_type(scan.value) != PX_JSON_OBJECT)
            return -EBADMSG;
        if (px_json_slice_get(scan.value, PX_LIT("method"), &name) == 0) {
            px_json_slice_get(scan.value, PX_LIT("params"), &notified);
            if (c->notify && px_json_slice_type(name) == PX_JSON_STRING &&
                !c->notify(c->user, px_str_n(name.p + 1, name.n - 2), notified))
                return px_interrupted() ? -EINTR : -ECANCELED;
        } else if (is_answer(scan.value, c->last_id) || is_complaint(scan.value)) {
            return keep_answer(c, scan.value, ret);
        }
    }
    return r;
}

int px_client_send(struct px_client *c, const char *method, px_str params) {
    return send_message(c, method, params, true, WRITE_TIMEOUT_MS);
}

/* 1: *ret_line is the next line; 0: it has not come. */
static int next_line(struct px_client *c, px_str *ret_line) {
    for (;;) {
        int r = px_lines_next(&c->in, ret_line);
        if (r)
            return r;
        char *room = px_lines_room(&c->in, READ_BYTES);
        if (!room)
            return -EMSGSIZE;
        ssize_t n = recv(c->fd, room, READ_BYTES, 0);
        if (n > 0)
            px_lines_added(&c->in, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return 0;
        else if (n == 0 || errno != EINTR)
            return -EPIPE;
    }
}

int px_client_take(struct px_client *c, struct px_client_message *ret) {
    px_str line, id, name;
    struct px_json_scan scan;
    int r = next_line(c, &line);
    if (r <= 0)
        return r;
    *ret = (struct px_client_message){0};
    if (px_json_scan(line, NULL, &scan, NULL, NULL) || px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return -EBADMSG;
    if (px_json_slice_get(scan.value, PX_LIT("method"), &name) == 0) {
        if (px_json_slice_type(name) == PX_JSON_STRING)
            ret->method = px_str_n(name.p + 1, name.n - 2);
        px_json_slice_get(scan.value, PX_LIT("params"), &ret->params);
        return 1;
    }
    if (px_json_slice_get(scan.value, PX_LIT("id"), &id) || px_json_slice_u64(id, &ret->id))
        ret->id = c->last_id; /* it could not read what it was sent last */
    r = keep_answer(c, scan.value, &ret->answer);
    return r ? r : 1;
}

void px_client_cancel(struct px_client *c) {
    struct px_buf params;
    px_buf_init(&params, 256);
    px_buf_addf(&params, "{\"requestId\":%llu,\"reason\":\"interrupted\"}", (unsigned long long)c->last_id);
    /* what does not fit into the socket at once is not waited for: closing it cancels the call too */
    if (send_message(c, "notifications/cancelled", px_buf_view(&params), false, 0) == 0)
        shutdown(c->fd, SHUT_WR);
    px_buf_finish(&params);
}

int px_client_failed(struct px_client *c, int r) {
    switch (r) {
    case -EINTR: return px_cli_fail(c->cli, PX_EXIT_FAILURE, NULL, "interrupted");
    case -ETIMEDOUT:
        return px_cli_fail(c->cli, PX_EXIT_UNREACHABLE,
                           c->lost ? c->lost : "Look at the host's log; `plexus status` shows its loop.",
                           "the host on %s does not answer in time", c->path);
    case -EPIPE:
        return px_cli_fail(c->cli, PX_EXIT_UNREACHABLE,
                           c->lost ? c->lost : "Look at the host's log, then try again.",
                           "the host on %s closed the connection before it answered", c->path);
    case -EMSGSIZE:
        return px_cli_fail(c->cli, PX_EXIT_FAILURE, "Ask for less: `--max-bytes` limits a call's result.",
                           "the answer, or the request, is longer than 64 MiB");
    case -EBADMSG:
        return px_cli_fail(c->cli, PX_EXIT_FAILURE, "Is it a Plexus host? Name another with --socket.",
                           "what listens on %s does not speak JSON-RPC 2.0", c->path);
    default: return px_cli_fail(c->cli, PX_EXIT_FAILURE, NULL, "%s", strerror(-r));
    }
}

int px_client_refused(struct px_client *c, px_str error) {
    struct px_arena arena;
    px_arena_init(&arena, 1 << 20);
    px_str data = px_field(error, "data"), code = px_field_text(&arena, data, "code");
    px_str advice = px_field_text(&arena, data, "advice"), message = px_field_text(&arena, error, "message");
    int64_t number = px_field_i64(error, "code", 0);
    int exit_code = PX_EXIT_FAILURE;
    if (px_str_is(code, "forbidden") || px_str_is(code, "unauthorized") || number == 1002 || number == 1003)
        exit_code = PX_EXIT_REFUSED;
    if (!advice.n && number == -32601)
        advice = PX_LIT("This host does not know the request: it may be older than this program.");
    if (code.n && !px_str_starts(message, code))
        px_cli_fail(c->cli, exit_code, advice.p, PX_FMT ": " PX_FMT, PX_ARG(code), PX_ARG(message));
    else
        px_cli_fail(c->cli, exit_code, advice.p, PX_FMT, PX_ARG(message));
    px_arena_finish(&arena);
    return exit_code;
}

int px_client_ask(struct px_client *c, const char *method, px_str params, px_str *ret_result) {
    struct px_answer answer;
    int r = px_client_request(c, method, params, CONTROL_TIMEOUT_MS, &answer);
    if (r)
        return px_client_failed(c, r);
    if (answer.error.p)
        return px_client_refused(c, answer.error);
    *ret_result = answer.result;
    return PX_EXIT_OK;
}

static int begin_session(struct px_client *c) {
    struct px_err err;
    struct px_buf params;
    px_str result;
    px_buf_init(&params, 64 << 10);
    int r = px_socket_session(c->cli, "plexus/" PX_VERSION, &params, &err);
    if (r)
        r = px_cli_fail(c->cli, PX_EXIT_FAILURE, "Check --token-file or PLEXUS_TOKEN_FILE.", "%s", err.msg);
    else if (params.n)
        r = px_client_ask(c, "plexus/session", px_buf_view(&params), &result);
    if (params.p)
        explicit_bzero(params.p, params.n);
    px_buf_finish(&params);
    return r;
}

int px_client_open(struct px_client *c, struct px_cli *cli) {
    uint64_t deadline = px_clock_mono_ns() + CONNECT_TIMEOUT_MS * PX_MS;
    *c = (struct px_client){.cli = cli, .path = px_socket_path(cli), .fd = -1};
    px_lines_init(&c->in, PX_CLIENT_LINE_MAX);
    px_buf_init(&c->answer, PX_CLIENT_LINE_MAX);
    int r = px_socket_connect(c->path, &c->fd);
    while (r == -EAGAIN && px_clock_mono_ns() < deadline) {
        poll(NULL, 0, 20);
        r = px_socket_connect(c->path, &c->fd);
    }
    if (r)
        return px_cli_fail(cli, PX_EXIT_UNREACHABLE, px_socket_advice(r), "no host answers on %s: %s",
                           c->path, strerror(-r));
    return begin_session(c);
}

void px_client_close(struct px_client *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    px_lines_finish(&c->in);
    px_buf_finish(&c->answer);
}

void px_client_meta(struct px_jw *w) {
    px_jw_key(w, "_meta");
    px_jw_object(w);
    px_jw_key(w, "io.modelcontextprotocol/protocolVersion");
    px_jw_text(w, "2026-07-28");
    px_jw_key(w, "io.modelcontextprotocol/clientInfo");
    px_jw_raw(w, PX_LIT("{\"name\":\"plexus\",\"version\":\"" PX_VERSION "\"}"));
    px_jw_key(w, "io.modelcontextprotocol/clientCapabilities");
    px_jw_raw(w, PX_LIT("{\"elicitation\":{\"form\":{},\"url\":{}}}"));
}
