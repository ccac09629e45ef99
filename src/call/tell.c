/* Progress and log lines on their way from a plugin to the caller. The plugin is on the stack when it says them, so they
 * are recorded, and told from the loop: whoever is told may end the call, or all of a connection. */
#include "call/private.h"

enum { TOLD_MAX = 256 * 1024 }; /* bytes in one turn; more is dropped */

enum kind { PROGRESS, WAITING, LOG };
struct record {
    enum kind kind;
    uint32_t level;
    uint64_t done, total;
    size_t n_first, n_second; /* progress, waiting: the message; log: the logger, the data */
};

static void add(struct px_call *call, const struct record *record, px_str first, px_str second) {
    struct px_buf *told = &call->told;
    if (told->cap - told->n < sizeof *record + first.n + second.n)
        return;
    px_buf_add(told, record, sizeof *record);
    px_buf_str(told, first);
    px_buf_str(told, second);
    px_work_post(call->gate->opts.loop, &call->tell);
}

void px_tell_progress(struct px_call *call, uint64_t done, uint64_t total, px_str message) {
    if (!call->req.wants_progress || !call->sink->progress || (call->progressed && done <= call->progress))
        return;
    call->progressed = true;
    call->progress = done;
    add(call, &(struct record){.done = done, .total = total, .n_first = message.n}, message, (px_str){0});
}

void px_tell_waiting(struct px_call *call, px_str message) {
    if (call->req.wants_progress && call->sink->waiting)
        add(call, &(struct record){.kind = WAITING, .n_first = message.n}, message, (px_str){0});
}

void px_tell_log(struct px_call *call, uint32_t level, px_str logger, px_str data_json) {
    if (call->sink->log)
        add(call, &(struct record){.kind = LOG, .level = level, .n_first = logger.n, .n_second = data_json.n},
            logger, data_json);
}

static void tell_one(struct px_call *call, const struct record *record, px_str first, px_str second) {
    struct px_arena arena;
    px_arena_init(&arena, (size_t)1 << 20);
    first = px_clean_text(&arena, first, true);
    px_json_one_line(second);
    second = px_clean_json(&arena, second);
    if (record->kind == PROGRESS)
        call->sink->progress(call->user, record->done, record->total, first);
    else if (record->kind == WAITING)
        call->sink->waiting(call->user, first);
    else if (second.p)
        call->sink->log(call->user, record->level, first, second);
    px_arena_finish(&arena);
}

void px_tell_now(struct px_call *call) {
    struct px_buf told = call->told;
    px_work_cancel(&call->tell);
    if (!told.n)
        return;
    px_buf_init(&call->told, TOLD_MAX);
    for (size_t at = 0; !told.failed && at < told.n && !call->gone;) {
        struct record record;
        memcpy(&record, told.p + at, sizeof record);
        at += sizeof record;
        px_str first = px_str_n(told.p + at, record.n_first);
        px_str second = px_str_n(told.p + at + record.n_first, record.n_second);
        at += record.n_first + record.n_second;
        tell_one(call, &record, first, second);
    }
    px_buf_finish(&told);
}

static void tell(void *user) {
    px_tell_now(user);
}

void px_tell_init(struct px_call *call) {
    px_buf_init(&call->told, TOLD_MAX);
    px_work_init(&call->tell, "call/tell", tell, call);
}

void px_tell_finish(struct px_call *call) {
    px_work_cancel(&call->tell);
    px_buf_finish(&call->told);
}
