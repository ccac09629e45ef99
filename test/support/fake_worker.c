/* fake_worker.c: the other side: what a worker's process looks like from within, and one in the test's own process. */
#include "base/lines.h"
#include "fake_private.h"
#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>

/* ---- forked ---- */

static struct {
    int out, cancels;
    uint64_t max_line, line, cancelled_to;
    volatile sig_atomic_t term;
} child;

static void on_term(int sig) {
    (void)sig;
    child.term = 1;
}

static int32_t child_emit(void *ctx, px_str line) {
    (void)ctx;
    if (memchr(line.p, '\n', line.n))
        return -EINVAL;
    if (line.n > child.max_line)
        return -EMSGSIZE;
    for (size_t at = 0; at <= line.n;) {
        ssize_t n = at < line.n ? write(child.out, line.p + at, line.n - at) : write(child.out, "\n", 1);
        if (n < 0 && errno != EINTR)
            return -EPIPE;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int32_t child_cancelled(void *ctx) {
    uint64_t to;
    (void)ctx;
    while (recv(child.cancels, &to, sizeof to, MSG_DONTWAIT) == (ssize_t)sizeof to)
        child.cancelled_to = to;
    return child.term || child.line <= child.cancelled_to;
}

_Noreturn void fake_worker_main(int lines_in, int lines_out, int cancels, px_str config, uint64_t max_line);
_Noreturn void fake_worker_main(int lines_in, int lines_out, int cancels, px_str config, uint64_t max_line) {
    static struct px_worker_host host = {.size = sizeof host,
                                         .json = &fake_json_table,
                                         .scope = &fake_scope_table,
                                         .emit = child_emit,
                                         .cancelled = child_cancelled};
    px_scope_h life = fake_scope_memory(), turn = fake_scope_memory();
    const struct px_worker *worker = the.worker;
    struct px_lines lines;
    void *self = NULL;
    px_str line, copy;
    signal(SIGTERM, on_term);
    child.out = lines_out;
    child.cancels = cancels;
    child.max_line = max_line;
    if (worker->open(&host, life, config, &self))
        _exit(70);
    child_emit(NULL, PX_LIT("!"));
    px_lines_init(&lines, (size_t)16 << 20);
    for (;;) {
        char *room = px_lines_room(&lines, 65536);
        ssize_t n = read(lines_in, room, 65536);
        if (n <= 0 && errno != EINTR)
            break;
        px_lines_added(&lines, n > 0 ? (size_t)n : 0);
        while (px_lines_next(&lines, &line) == 1) {
            child.line++;
            if (fake_scope_table.keep(turn, line, &copy) == 0)
                worker->line(self, turn, copy);
            fake_scope_empty(turn);
        }
    }
    if (worker->close)
        worker->close(self);
    _exit(0);
}

/* ---- in this process ---- */

static struct {
    const struct px_worker *worker;
    void *self;
    px_scope_h life, turn;
    struct px_buf answer;
    unsigned answers;
    int cancel_after, asked;
} own;

static int32_t own_emit(void *ctx, px_str line) {
    (void)ctx;
    if (memchr(line.p, '\n', line.n))
        return -EINVAL;
    px_buf_clear(&own.answer, SIZE_MAX);
    px_buf_str(&own.answer, line);
    own.answers++;
    return own.answer.failed;
}

static int32_t own_cancelled(void *ctx) {
    (void)ctx;
    return own.cancel_after >= 0 && own.asked++ >= own.cancel_after;
}

int fake_worker_open(const char *path, const char *config) {
    static const struct px_worker_host host = {.size = sizeof host,
                                               .json = &fake_json_table,
                                               .scope = &fake_scope_table,
                                               .emit = own_emit,
                                               .cancelled = own_cancelled};
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail_msg("%s", dlerror());
    the = (struct fake){.module = module};
    px_slots_init(&the.slots, 16);
    own.worker = dlsym(module, "px_worker_v1");
    assert_non_null(own.worker);
    own.life = fake_scope_memory();
    own.turn = fake_scope_memory();
    own.cancel_after = -1;
    px_buf_init(&own.answer, (size_t)16 << 20);
    return own.worker->open(&host, own.life, px_str_of(config), &own.self);
}

px_str fake_worker_line(const char *line) {
    px_str copy;
    px_buf_clear(&own.answer, SIZE_MAX);
    own.answers = 0;
    own.asked = 0;
    assert_int_equal(fake_scope_table.keep(own.turn, px_str_of(line), &copy), 0);
    own.worker->line(own.self, own.turn, copy);
    fake_scope_empty(own.turn);
    return px_buf_view(&own.answer);
}

void fake_worker_cancel_after(int asks) {
    own.cancel_after = asks;
}

unsigned fake_worker_answers(void) {
    return own.answers;
}

void fake_worker_close(void) {
    if (own.self && own.worker->close)
        own.worker->close(own.self);
    fake_scope_forget(own.life);
    fake_scope_forget(own.turn);
    px_buf_finish(&own.answer);
    px_slots_finish(&the.slots);
    px_arena_stock_free();
    own.self = NULL;
}
