/* The plugin `border`: its life, and what is about calls and scopes. See border.h. */
#include "border.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BORDER_NAME
#define BORDER_NAME  "border"
#define BORDER_FLAGS 0
#endif

const struct px_host *host;
static int depth;
static char trace_path[256];
static px_scope_h somebody; /* the scope of the instance that was opened last */

void border_enter(void) {
    if (depth++) {
        fprintf(stderr, "border: entered while it is on the stack\n");
        abort();
    }
}

void border_leave(void) {
    depth--;
}

void border_trace(const struct border *b, const char *format, ...) {
    FILE *f = trace_path[0] ? fopen(trace_path, "ae") : NULL;
    va_list args;
    if (!f)
        return;
    fprintf(f, "%s ", b->name);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fputc('\n', f);
    fclose(f);
}

void border_text(px_call_h call, const char *words) {
    const struct px_reply reply = {.size = sizeof reply, .text = {words, strlen(words)}};
    host->call->reply(call, &reply);
}

void border_answer(struct job *job) {
    char words[64];
    snprintf(words, sizeof words, "failed at line %d (step %d)", job->bad, job->step);
    border_text(job->call, job->bad ? words : "ok");
}

/* ---- memory and scopes ---- */

static void memory(struct job *job) {
    px_scope_h scope = host->call->scope(job->call), own = {0}, chain = {0}, next;
    px_str kept = {0};
    for (uint64_t n = 0; n < 3000; n += 37) {
        unsigned char *p = host->scope->alloc(scope, n);
        CHECK(job, p && (uintptr_t)p % _Alignof(max_align_t) == 0);
        for (uint64_t i = 0; p && i < n; i++)
            CHECK(job, p[i] == 0);
        if (p)
            memset(p, 0xff, n);
    }
    CHECK(job, !host->scope->alloc(scope, 17u << 20));
    CHECK(job, host->scope->keep(scope, PX_LIT("text"), &kept) == 0 && kept.n == 4 && !kept.p[4]);
    CHECK(job, host->scope->keep(scope, (px_str){0}, &kept) == 0 && !kept.p);
    CHECK(job, host->scope->open(scope, &own) == 0 && own.v);
    CHECK(job, host->scope->alloc(own, 15u << 20) && !host->scope->alloc(own, 2u << 20)); /* 16 MiB each */
    CHECK(job, host->scope->close(own) == 0 && host->scope->close(own) == -ESTALE);
    CHECK(job, !host->scope->alloc(own, 1));
    chain = scope;
    int deep = 0, r = 0;
    while ((r = host->scope->open(chain, &next)) == 0 && deep++ < 1000)
        chain = next;
    CHECK(job, r == -E2BIG && deep == 64 && next.v == 0);
    CHECK(job, host->scope->on_close(scope, NULL, NULL) == -EINVAL);
    CHECK(job, host->scope->open(scope, NULL) == -EINVAL);
    border_answer(job);
}

static void closed_first(void *user) {
    struct border *b = user;
    border_enter();
    border_trace(b, "closed first");
    border_leave();
}
static void closed_second(void *user) {
    struct border *b = user;
    border_enter();
    border_trace(b, "closed second");
    border_leave();
}
static int32_t never(void *user, const struct px_ev *ev) {
    (void)user;
    (void)ev;
    abort();
}

/* Closing a scope: its operations end at once; what was registered runs later, in reverse, the inner scope's first. */
static void scope_order(struct border *self, struct job *job) {
    px_scope_h outer = {0}, inner = {0};
    px_op_h op = {0};
    CHECK(job, host->scope->open(host->call->scope(job->call), &outer) == 0);
    CHECK(job, host->scope->open(outer, &inner) == 0);
    CHECK(job, host->scope->on_close(outer, closed_second, self) == 0);
    CHECK(job, host->scope->on_close(inner, closed_second, self) == 0);
    CHECK(job, host->scope->on_close(inner, closed_first, self) == 0);
    CHECK(job, host->timer->start(inner, 1, 0, never, NULL, &op) == 0);
    CHECK(job, host->scope->close(outer) == 0);
    CHECK(job, host->op->resume(op) == -ESTALE);
    CHECK(job, host->scope->close(inner) == -ESTALE);
    border_trace(self, "closing returned");
    border_answer(job);
}

/* ---- answers ---- */

static int32_t later(void *user, const struct px_ev *ev) {
    struct border *self = user;
    const struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("late")};
    (void)ev;
    border_enter();
    border_trace(self, "late reply %d", host->call->reply(self->old, &reply) == -ESTALE);
    border_leave();
    return PX_GO;
}

static void answers(struct border *self, struct job *job) {
    px_scope_h scope = host->call->scope(job->call);
    px_op_h op = {0}, get = {0};
    const struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("ok")};
    const struct px_error error = {.size = sizeof error, .code = PX_NOT_FOUND};
    struct job seen = *job; /* the job's memory is the scope's */
    CHECK(&seen, host->timer->start(scope, 1, 0, never, NULL, &op) == 0 && op.v);
    CHECK(&seen, host->store->get(scope, PX_LIT("k"), never, NULL, &get) == 0 && get.v);
    CHECK(&seen, host->call->reply(job->call, &reply) == 0);
    CHECK(&seen, host->op->resume(op) == -ESTALE && host->op->cancel(&get) == -ESTALE && get.v == 0);
    CHECK(&seen, host->call->scope(seen.call).v == 0 && !host->scope->alloc(scope, 1));
    CHECK(&seen, host->call->reply(seen.call, &reply) == -EALREADY);
    CHECK(&seen, host->call->fail(seen.call, &error) == -EALREADY);
    CHECK(&seen, host->call->ask(seen.call, PX_LIT("{}"), PX_LIT("s")) == -EALREADY);
    CHECK(&seen, host->call->progress(seen.call, 1, 2, PX_LIT("x")) == -EALREADY);
    border_trace(self, "answers %d", seen.bad);
    self->old = seen.call;
    host->timer->start(host->scope->of_service(self->service), 50000000, 0, later, self, NULL);
}

static void refused_answer(struct job *job) {
    struct px_reply small = {.size = 8};
    struct px_error none = {0};
    px_str s = {0}, big = {"x", 17 * 1024};
    CHECK(job, host->call->reply(job->call, NULL) == -EINVAL);
    CHECK(job, host->call->reply(job->call, &small) == -EINVAL);
    CHECK(job, host->call->fail(job->call, NULL) == -EINVAL);
    CHECK(job, host->call->fail(job->call, &none) == -EINVAL);
    CHECK(job, host->call->ask(job->call, s, s) == -EINVAL);
    CHECK(job, host->call->ask(job->call, PX_LIT("[]"), s) == -EINVAL);
    CHECK(job, host->call->ask(job->call, PX_LIT("{\"a\":1}"), s) == -EINVAL);
    CHECK(job, host->call->ask(job->call, s, big) == -EMSGSIZE);
    CHECK(job, host->call->ask(job->call, PX_LIT("{\"a\":{\"method\":\"sampling/createMessage\"}}"), s) ==
                   -ENOTSUP);
    CHECK(job, host->call->ask(job->call, PX_LIT("{\"a\":{\"method\":\"system/exec\"}}"), s) == -ENOTSUP);
    CHECK(job, host->call->log(job->call, 8, s, PX_LIT("1")) == -EINVAL);
    border_answer(job);
}

static void secrets(struct border *self, struct job *job) {
    px_str value = {0}, again = {0};
    px_scope_h scope = host->call->scope(job->call);
    CHECK(job, host->secret->get(scope, PX_LIT("/token"), &value) == 0);
    CHECK(job, value.n == 20 && memcmp(value.p, "hunter2-hunter2-hunt", 20) == 0);
    CHECK(job, host->secret->get(host->scope->of_service(self->service), PX_LIT("/token"), &again) == 0);
    CHECK(job, host->secret->get(scope, PX_LIT("/nothing"), &again) == -ENOENT);
    CHECK(job, host->secret->get((px_scope_h){5}, PX_LIT("/token"), &again) == -ESTALE);
    for (int i = 0; i < 100; i++)
        CHECK(job, host->secret->hide(self->service, PX_LIT("learnt-at-run-time")) == 0);
    CHECK(job, host->secret->hide(self->service, PX_LIT("short")) == 0);
    border_answer(job);
}

/* Everything that a plugin can say, with a secret in it. */
static void talk(struct job *job, const struct px_call_in *in) {
    struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("hunter2-hunter2-hunt in text")};
    struct px_error error = {.size = sizeof error,
                             .code = PX_UPSTREAM_ERROR,
                             .message = PX_LIT("it said hunter2-hunter2-hunt"),
                             .advice = PX_LIT("try hunter2-hunter2-hunt"),
                             .details_json = PX_LIT("{\n\"token\":\"hunter2-hunter2-hunt\",\n\"n\":1}")};
    px_str how = {0};
    static char wide[5000];
    host->json->at(in->args_json, PX_LIT("/how"), &how);
    host->call->progress(job->call, 1, 2, PX_LIT("hunter2-hunter2-hunt in progress"));
    host->call->log(job->call, PX_LEVEL_ERROR, PX_LIT("hunter2-hunter2-hunt"),
                    PX_LIT("{\n\"log\":\"hunter2-hunter2-hunt\"}"));
    reply.meta_json = PX_LIT("{\"m\":\"hunter2-hunter2-hunt\",\n\"plexus/call_id\":\"forged\"}");
    switch (how.n > 1 ? how.p[1] : 't') {
    case 'f': host->call->fail(job->call, &error); break;
    case 'c': /* a secret that a cut goes through */
        memset(wide, 'w', sizeof wide);
        memcpy(wide + 4096 - 12, "hunter2-hunter2-hunt", 20);
        error.message = (px_str){wide, sizeof wide};
        host->call->fail(job->call, &error);
        break;
    case 's':
        reply.text = (px_str){0};
        reply.structured_json = PX_LIT("{\n  \"s\": \"hunter2-hunter2-hunt\"\r\n}");
        host->call->reply(job->call, &reply);
        break;
    case 'b':
        reply.text = (px_str){0};
        reply.content_json = PX_LIT("[{\"type\":\"text\",\n\"text\":\"hunter2-hunter2-hunt\"}]");
        host->call->reply(job->call, &reply);
        break;
    case 'a':
        host->call->ask(
            job->call,
            PX_LIT("{\"q\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"hunter2-hunter2-"
                   "hunt?\",\n\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}}"),
            PX_LIT("hunter2-hunter2-hunt"));
        break;
    default: host->call->reply(job->call, &reply);
    }
}

/* A tool that changes the world, and the ways in which that can end. */
static void fail_with(px_call_h call, int32_t code) {
    const struct px_error error = {.size = sizeof error, .code = code, .message = PX_LIT("as was asked")};
    host->call->fail(call, &error);
}

static const char *how_of(px_str args, char to[32]) {
    px_str how = {0};
    if (host->json->at(args, PX_LIT("/how"), &how))
        return "ok";
    snprintf(to, 32, "%.*s", how.n < 2 ? 0 : (int)how.n - 2, how.p + 1);
    return to;
}

static void write_tool(struct border *self, px_call_h call, const struct px_call_in *in) {
    struct px_reply reply = {.size = sizeof reply, .structured_json = PX_LIT("{\"done\":true}")};
    char *huge = malloc(5 << 20); /* static memory would be there once for each load */
    char room[32];
    const char *how = how_of(in->args_json, room);
    border_trace(self, "writes %s%s", how, in->responses_json.p ? " with an answer" : "");
    if (strcmp(how, "error") == 0)
        reply.flags = PX_REPLY_IS_ERROR;
    if (strcmp(how, "bad json") == 0)
        reply.structured_json = PX_LIT("{\"done\":");
    if (strcmp(how, "bad shape") == 0)
        reply.structured_json = PX_LIT("{\"done\":1}");
    if (strcmp(how, "huge") == 0) {
        memset(huge, 'x', 5 << 20);
        reply.structured_json = (px_str){huge, 5 << 20};
    }
    if (strcmp(how, "large") == 0) { /* more than the budget, and nothing to cut */
        memset(huge, 'x', 100000);
        memcpy(huge, "{\"done\":true,\"text\":\"", 21);
        memcpy(huge + 100000, "\"}", 2);
        reply.structured_json = (px_str){huge, 100002};
    }
    if (strncmp(how, "fail ", 5) == 0)
        fail_with(call, atoi(how + 5));
    else if (strcmp(how, "ask") == 0 && !in->responses_json.p)
        host->call->ask(
            call,
            PX_LIT("{\"sure\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"Sure?\","
                   "\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}}"),
            PX_LIT("asked"));
    else if (strncmp(how, "hold", 4) != 0)
        host->call->reply(call, &reply);
    free(huge);
    self->in_cancel = strcmp(how, "hold fail") == 0 ? 2 : strcmp(how, "hold ok") == 0;
}

/* ---- the plugin ---- */

static void on_call(void *user, px_call_h call, const struct px_call_in *in) {
    struct border *self = user;
    border_enter();
    struct job *job = host->scope->alloc(host->call->scope(call), sizeof *job);
    job->self = self;
    job->call = call;
    host->call->set_user(call, self);
    switch (in->id) {
    case MEMORY: memory(job); break;
    case SCOPE_ORDER: scope_order(self, job); break;
    case ANSWERS: answers(self, job); break;
    case REFUSED_ANSWER: refused_answer(job); break;
    case SECRETS: secrets(self, job); break;
    case TALK: talk(job, in); break;
    case WRITE: write_tool(self, call, in); break;
    case HOLD: border_trace(self, "holds"); break;
    case CLOSE_OTHER:
        CHECK(job, host->scope->close(somebody) == 0);
        border_trace(self, "closed the other's");
        border_answer(job);
        break;
    default:
        if (in->id < FILL_CHILDREN)
            border_ops(self, job, in);
        else
            border_processes(self, job, in);
    }
    border_leave();
}

static void on_cancel(void *user, px_call_h call, void *call_user, uint32_t why) {
    border_enter();
    struct border *self = user;
    const struct px_reply reply = {.size = sizeof reply, .structured_json = PX_LIT("{\"done\":true}")};
    border_trace(user, "cancel %u %d %d", why, call_user == user, host->call->scope(call).v != 0);
    if (self->in_cancel == 1)
        host->call->reply(call, &reply);
    if (self->in_cancel == 2)
        fail_with(call, PX_NOT_FOUND);
    self->in_cancel = 0;
    border_leave();
}

static void own_closed(void *user) {
    border_enter();
    border_trace(user, "on_close");
    border_leave();
}

static int32_t ready_later(void *user, const struct px_ev *ev) {
    struct border *self = user;
    const struct px_error error = {.size = sizeof error, .message = PX_LIT("the upstream is away")};
    border_enter();
    host->catalog->ready(self->service, ev->count > 1 ? NULL : &error);
    border_leave();
    return PX_GO;
}

static int32_t on_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    struct border *self = calloc(1, sizeof *self);
    px_str path, value;
    int r = 0;
    border_enter();
    host = h;
    *ret_self = self;
    self->service = in->service;
    snprintf(self->name, sizeof self->name, "%.*s", (int)in->name.n, in->name.p);
    px_scope_h scope = h->scope->of_service(in->service);
    if (h->json->at(in->config_json, PX_LIT("/trace"), &path) == 0 && h->json->text(scope, path, &path) == 0)
        snprintf(trace_path, sizeof trace_path, "%.*s", (int)path.n, path.p);
    border_trace(self, "open");
    if (memchr(in->config_json.p, '\n', in->config_json.n))
        abort();
    bool fails = h->json->at(in->config_json, PX_LIT("/fail"), &value) == 0;
    if (fails)
        h->scope->on_close(scope, free, self); /* the first to be registered, the last to run */
    h->scope->on_close(scope, own_closed, self);
    h->scope->open(scope, &self->own);
    h->scope->on_close(self->own, own_closed, self);
    somebody = self->own;
    if (fails) {
        h->timer->start(scope, 1, 0, never, self, NULL);
        r = -EACCES;
    } else if (h->json->at(in->config_json, PX_LIT("/more"), &value) == 0) {
        r = PX_MORE;
        if (value.p[1] == 'f') /* "fails" */
            h->timer->start(scope, 20000000, 0, ready_later, self, NULL);
    }
    border_leave();
    return r;
}

static void on_close(void *user) {
    border_enter();
    border_trace(user, "close");
    border_leave();
}

static void on_fini(void *user) {
    struct border *self = user;
    border_enter();
    border_trace(self, "fini");
    host->log->write(self->service, PX_LEVEL_DEBUG, PX_LIT("still possible"), (px_str){0});
    free(self);
    border_leave();
}

#define READS(i, n)                                                                                          \
    { .size = sizeof(struct px_tool), .id = i, .name = n, .hints = PX_HINT_READ_ONLY }
static const struct px_tool tools[] = {
    READS(STARTS_FAIL, "starts_fail"),
    READS(ENDS_ONCE, "ends_once"),
    READS(CANCELS, "cancels"),
    READS(MEMORY, "memory"),
    READS(ANSWERS, "answers"),
    READS(REFUSED_ANSWER, "refused_answer"),
    READS(HOLD, "hold"),
    READS(FILL_CHILDREN, "fill_children"),
    READS(ONE_CHILD, "one_child"),
    READS(STOP_CHILD, "stop_child"),
    READS(WRITES_TO_CHILD, "writes_to_child"),
    READS(PAUSES, "pauses"),
    READS(LINES, "lines"),
    READS(CLOSE_OTHER, "close_other"),
    READS(SCOPE_ORDER, "scope_order"),
    READS(SECRETS, "secrets"),
    {.size = sizeof(struct px_tool),
     .id = TALK,
     .name = "talk",
     .hints = PX_HINT_READ_ONLY,
     .input_schema = "{\"type\":\"object\",\"properties\":{\"how\":{\"type\":\"string\"}}}"},
    {.size = sizeof(struct px_tool),
     .id = WRITE,
     .name = "write",
     .hints = PX_HINT_DESTRUCTIVE_SET,
     .input_schema = "{\"type\":\"object\",\"properties\":{\"how\":{\"type\":\"string\"}}}",
     .output_schema = "{\"type\":\"object\",\"properties\":{\"done\":{\"type\":\"boolean\"}}}"},
    READS(W_CANCEL, "w_cancel"),
    READS(W_DIE, "w_die"),
    READS(W_FLOOD, "w_flood"),
    READS(W_LONG, "w_long"),
    READS(W_BAD_OPEN, "w_bad_open"),
    READS(W_EXIT, "w_exit"),
    READS(W_END, "w_end"),
};

PX_PLUGIN(
        .name = BORDER_NAME, .version = "1", .flags = BORDER_FLAGS,
        .config_schema =
            "{\"type\":\"object\",\"properties\":{\"token\":{\"type\":\"string\"},\"strict\":{\"type\":\"string\"}}}",
        .tools = tools, .n_tools = sizeof tools / sizeof *tools, .tool_size = sizeof *tools, .open = on_open,
        .call = on_call, .cancel = on_cancel, .close = on_close, .fini = on_fini);
