/* `plexusd --worker`: the other side of process_table.c; process.h has the protocol. A plugin's px_worker_v1 in a process of its own, where it may block.
 * Plain blocking code: read a line, let the plugin work on it, write what it emits. */
#include "base/clock.h"
#include "base/lines.h"
#include "service/private.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

enum { READ_SIZE = 64 * 1024, INPUT_MAX = 9 << 20 };

struct worker {
    int in, out; /* private copies of stdin and stdout */
    struct px_lines lines;
    struct px_buf queue; /* complete lines that were read ahead, newlines included */
    size_t queue_at;
    uint64_t current;   /* the number of the line that is worked on, from 1 */
    uint64_t cancelled; /* lines up to this number are */
    bool eof;
    uint64_t looked_ns;
    uint64_t max_line;    /* that may be emitted; 0: the first line has not come */
    struct px_buf config; /* from the first line */
    bool failed;          /* no memory for what the host writes */
    struct px_loop *loop;
    struct px_scope *scope, *line_scope;
    uint64_t scope_handle, line_scope_handle;
};

static volatile sig_atomic_t terminated;

static void on_term(int sig) {
    (void)sig;
    terminated = 1;
}

/* ---- input ---- */

/* "MAX CONFIG": the first line, but for a cancel that has overtaken it. */
static void first_line(struct worker *w, px_str line) {
    const char *blank = memchr(line.p, ' ', line.n);
    if (!blank || px_str_u64(px_str_n(line.p, (size_t)(blank - line.p)), &w->max_line) || !w->max_line)
        w->eof = true;
    else
        px_buf_str(&w->config, px_str_n(blank + 1, line.n - (size_t)(blank + 1 - line.p)));
}

/* A line for line(), or a word of the protocol. */
static void sort_line(struct worker *w, px_str line) {
    uint64_t n;
    if (px_str_starts(line, PX_LIT("x "))) {
        if (px_str_u64(px_str_n(line.p + 2, line.n - 2), &n) == 0)
            w->cancelled = PX_MAX(w->cancelled, n);
    } else if (!w->max_line) {
        first_line(w, line);
    } else if (line.n && line.p[0] == '=') {
        px_buf_add(&w->queue, line.p + 1, line.n - 1);
        px_buf_char(&w->queue, '\n');
    } else if (px_str_is(line, ".")) {
        w->eof = true;
    }
}

/* Reads once. `wait`: for as long as it takes. */
static void read_more(struct worker *w, bool wait) {
    struct pollfd p = {.fd = w->in, .events = POLLIN};
    px_str line;
    if (w->eof || poll(&p, 1, wait ? -1 : 0) <= 0)
        return;
    char *room = px_lines_room(&w->lines, READ_SIZE);
    ssize_t n = room ? read(w->in, room, READ_SIZE) : 0;
    if (n > 0)
        px_lines_added(&w->lines, (size_t)n);
    else if (n == 0 || errno != EINTR)
        w->eof = true;
    while (px_lines_next(&w->lines, &line) > 0) /* none is too long: the host bounds what it writes */
        sort_line(w, line);
    if (w->queue.failed || w->config.failed)
        w->failed = w->eof = true;
}

/* The next line, in the queue's memory until the one after; false: no more will come. */
static bool next_line(struct worker *w, px_str *ret) {
    if (w->queue_at == w->queue.n && w->queue_at) {
        px_buf_clear(&w->queue, READ_SIZE);
        w->queue_at = 0;
    }
    while (w->queue_at == w->queue.n) {
        if (w->eof)
            return false;
        read_more(w, true);
    }
    const char *from = w->queue.p + w->queue_at, *end = memchr(from, '\n', w->queue.n - w->queue_at);
    *ret = px_str_n(from, (size_t)(end - from));
    w->queue_at += ret->n + 1;
    w->current++;
    return true;
}

/* ---- what the plugin gets ---- */

static int write_all(struct worker *w, px_str bytes) {
    while (bytes.n) {
        ssize_t n = write(w->out, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        bytes.p += n;
        bytes.n -= (uint64_t)n;
    }
    return 0;
}

static int send_line(struct worker *w, char kind, px_str text) {
    struct px_buf line;
    px_buf_init(&line, text.n + 2);
    px_buf_char(&line, kind);
    px_buf_str(&line, text);
    px_buf_char(&line, '\n');
    int r = line.failed ? line.failed : write_all(w, px_buf_view(&line));
    px_buf_finish(&line);
    return r;
}

static int32_t worker_emit(void *ctx, px_str text) {
    struct worker *w = ctx;
    if (text.n && memchr(text.p, '\n', text.n))
        return -EINVAL;
    if (text.n > w->max_line)
        return -EMSGSIZE;
    return send_line(w, '=', text);
}

static int32_t worker_cancelled(void *ctx) {
    struct worker *w = ctx;
    uint64_t now = px_clock_mono_ns();
    if (now - w->looked_ns >= PX_MS) {
        w->looked_ns = now;
        if (w->queue.n < INPUT_MAX)
            read_more(w, false);
    }
    return w->current <= w->cancelled || terminated;
}

static px_scope_h no_of_service(px_service_h h) {
    (void)h;
    return (px_scope_h){0};
}
static int32_t no_open(px_scope_h parent, px_scope_h *ret) {
    (void)parent;
    (void)ret;
    return -ENOTSUP;
}
static int32_t no_close(px_scope_h h) {
    (void)h;
    return -ENOTSUP;
}

/* ---- the run ---- */

static int fresh_line_scope(struct worker *w) {
    px_scope_close(&w->line_scope);
    int r = px_loop_turn(w->loop, 0); /* frees it */
    if (!r)
        r = px_scope_open(w->loop, NULL, "line", 0, &w->line_scope);
    return r ? r : px_host_scope_name(w->line_scope, NULL, PX_SCOPE_OF_CALL, &w->line_scope_handle);
}

/* stdin and stdout become private; a library that prints must not spoil the protocol. */
static int take_descriptors(struct worker *w) {
    w->in = fcntl(0, F_DUPFD_CLOEXEC, 10);
    w->out = fcntl(1, F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (w->in < 0 || w->out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0)
        return -errno;
    close(null);
    return 0;
}

/* The plugin's open() may keep slices of it: it lives in the worker's scope. */
static int take_config(struct worker *w, px_str *ret_config) {
    while (!w->max_line && !w->eof)
        read_more(w, true);
    if (!w->max_line)
        return w->failed ? -ENOMEM : -EPROTO;
    *ret_config = px_arena_str(&w->scope->arena, px_buf_view(&w->config));
    px_buf_finish(&w->config);
    return ret_config->p ? 0 : -ENOMEM;
}

static int load(struct px_worker *ret, struct px_err *err) {
    struct px_lib *lib;
    int r = px_lib_load(3, "the plugin", true, &lib, err);
    if (r)
        return r;
    const struct px_worker *worker = dlsym(lib->handle, "px_worker_v1");
    px_lib_free(lib); /* the code stays loaded */
    if (!worker || worker->size < offsetof(struct px_worker, close) || worker->abi_major != PX_ABI_MAJOR)
        return px_err_set(err, -ENOEXEC, "px_worker_v1 is missing or of another ABI");
    px_sized_copy(ret, sizeof *ret, worker, worker->size);
    return ret->open && ret->line ? 0
                                  : px_err_set(err, -ENOEXEC, "px_worker_v1: open and line must be there");
}

static int work(struct worker *w, const struct px_worker *plugin) {
    struct px_host_scope scopes = px_host_scope_table;
    scopes.of_service = no_of_service;
    scopes.open = no_open;
    scopes.close = no_close;
    struct px_worker_host host = {.size = sizeof host,
                                  .json = &px_host_json_table,
                                  .scope = &scopes,
                                  .emit = worker_emit,
                                  .cancelled = worker_cancelled,
                                  .ctx = w};
    px_str config, line;
    void *self = NULL;
    int r = take_config(w, &config);
    if (!r)
        r = plugin->open(&host, (px_scope_h){w->scope_handle}, config, &self);
    if (r < 0) {
        char status[16];
        snprintf(status, sizeof status, "%d", r > -4096 ? -r : EIO);
        (void)send_line(w, '-', px_str_of(status));
        return 1;
    }
    r = send_line(w, '+', PX_LIT(""));
    while (!r && next_line(w, &line)) {
        r = fresh_line_scope(w);
        /* A copy: the queue's memory moves when cancelled() reads ahead. */
        if (!r && !(line = px_arena_str(&w->line_scope->arena, line)).p)
            r = -ENOMEM;
        if (!r)
            plugin->line(self, (px_scope_h){w->line_scope_handle}, line);
    }
    if (plugin->close)
        plugin->close(self);
    return r || w->failed ? 1 : 0;
}

int px_plugin_worker(void) {
    struct worker w = {.in = -1, .out = -1};
    struct px_worker plugin;
    struct px_err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    struct sigaction term = {.sa_handler = on_term}; /* no SA_RESTART: a wait ends */
    sigaction(SIGTERM, &term, NULL);
    px_lines_init(&w.lines, INPUT_MAX);
    px_buf_init(&w.queue, 2 * (size_t)INPUT_MAX + 2 * (size_t)READ_SIZE);
    px_buf_init(&w.config, INPUT_MAX);
    int r = take_descriptors(&w);
    if (!r)
        r = px_loop_create(NULL, &w.loop, &err);
    if (!r)
        r = px_host_init(NULL, w.loop, &err);
    if (!r)
        r = px_scope_open(w.loop, NULL, "worker", 0, &w.scope);
    if (!r)
        r = px_host_scope_name(w.scope, NULL, PX_SCOPE_OF_SERVICE, &w.scope_handle);
    if (!r)
        r = load(&plugin, &err);
    int status = 1;
    if (r)
        fprintf(stderr, "worker: %s\n", err.msg[0] ? err.msg : strerror(-r));
    else
        status = work(&w, &plugin);
    px_scope_close(&w.line_scope);
    px_scope_close(&w.scope);
    px_host_finish();
    px_loop_destroy(w.loop);
    px_lines_finish(&w.lines);
    px_buf_finish(&w.queue);
    px_buf_finish(&w.config);
    return status;
}
