/* fake_worker.c: what a worker sees of its process, in the test's own. */
#include "fake_private.h"
#include <dlfcn.h>

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
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail_msg("%s", dlerror());
    return fake_worker_open_with(dlsym(module, "px_worker_v1"), config);
}

int fake_worker_open_with(const struct px_worker *worker, const char *config) {
    static const struct px_worker_host host = {.size = sizeof host,
                                               .json = &fake_json_table,
                                               .scope = &fake_scope_table,
                                               .emit = own_emit,
                                               .cancelled = own_cancelled};
    the = (struct fake){0};
    px_slots_init(&the.slots, 16);
    own.worker = worker;
    assert_non_null(worker);
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
