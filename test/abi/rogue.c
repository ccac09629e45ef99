/* A plugin that misbehaves in every way it can. Each tool is one way; the host must stay up and say clearly what was wrong. */
#include <plexus/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ROGUE_VERSION
#define ROGUE_VERSION "1"
#endif

enum id {
    TWICE = 1,
    NEVER,
    LATE,
    BAD_JSON,
    EMPTY,
    HUGE,
    BAD_CONTENT,
    BAD_OUTPUT,
    GOOD_OUTPUT,
    STALE,
    STALE_OP,
    PROGRESS,
    ALLOC,
    OP_AFTER_ANSWER,
    EVENT_SCOPE,
    PARTIAL,
    ANSWER_IN_CANCEL,
    ASK,
    ASK_AGAIN,
    WRITES,
    DESTROYS,
    SECRET,
    BIG_LIST,
    BIG_TEXT,
    WRONG_CODE,
    ON_CLOSE,
    STORE,
    CHILD,
    NOT_UTF8,
    CANCEL_SELF,
    CLOSE_FOREIGN,
    ENDLESS_TIMER,
    READS_PRIVATE,
    READS_UNTRUSTED,
    SENDS_OUT,
    BAD_META,
    VERSION,
    WORKER,
    BAD_ASK
};

struct rogue {
    const struct px_host *host;
    px_service_h service;
    px_call_h old_call;
    px_op_h old_op;
    px_scope_h old_scope;
    int cancelled, closed_scopes;
};

#define TOOL(i, n, ...)                                                                                      \
    {                                                                                                        \
        .size = sizeof(struct px_tool), .id = i, .name = n, .description = n, .hints = PX_HINT_READ_ONLY,    \
        __VA_ARGS__                                                                                          \
    }
static const struct px_tool tools[] = {
    TOOL(TWICE, "twice"),
    TOOL(NEVER, "never"),
    TOOL(LATE, "late"),
    TOOL(BAD_JSON, "bad_json"),
    TOOL(EMPTY, "empty"),
    TOOL(HUGE, "huge"),
    TOOL(BAD_CONTENT, "bad_content"),
    TOOL(BAD_OUTPUT, "bad_output",
         .output_schema =
             "{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\"}}}"),
    TOOL(GOOD_OUTPUT, "good_output",
         .output_schema =
             "{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\"}}}"),
    TOOL(STALE, "stale"),
    TOOL(STALE_OP, "stale_op"),
    TOOL(PROGRESS, "progress"),
    TOOL(ALLOC, "alloc"),
    TOOL(OP_AFTER_ANSWER, "op_after_answer"),
    TOOL(EVENT_SCOPE, "event_scope",
         .input_schema = "{\"type\":\"object\",\"properties\":{\"once\":{\"type\":\"boolean\"}},"
                         "\"additionalProperties\":false}"),
    TOOL(PARTIAL, "partial"),
    TOOL(ANSWER_IN_CANCEL, "answer_in_cancel"),
    TOOL(ASK, "ask"),
    TOOL(ASK_AGAIN, "ask_again"),
    {.size = sizeof(struct px_tool),
     .id = WRITES,
     .name = "writes",
     .hints = PX_HINT_DESTRUCTIVE_SET,
     .description = "w",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"wait\":{\"type\":\"boolean\"}},\"additionalProperties\":false}"},
    {.size = sizeof(struct px_tool), .id = DESTROYS, .name = "destroys", .description = "d"},
    TOOL(SECRET, "secret"),
    TOOL(BIG_LIST, "big_list"),
    TOOL(BIG_TEXT, "big_text"),
    TOOL(WRONG_CODE, "wrong_code"),
    TOOL(ON_CLOSE, "on_close"),
    TOOL(STORE, "store"),
    TOOL(CHILD, "child"),
    TOOL(NOT_UTF8, "not_utf8"),
    TOOL(CANCEL_SELF, "cancel_self"),
    TOOL(CLOSE_FOREIGN, "close_foreign"),
    TOOL(ENDLESS_TIMER, "endless_timer"),
    TOOL(READS_PRIVATE, "reads_private", .labels = PX_LABEL_READS_PRIVATE),
    TOOL(READS_UNTRUSTED, "reads_untrusted", .labels = PX_LABEL_READS_UNTRUSTED),
    TOOL(SENDS_OUT, "sends_out", .labels = PX_LABEL_SENDS_OUT),
    TOOL(BAD_META, "bad_meta"),
    TOOL(VERSION, "version"),
    TOOL(WORKER, "worker"),
    TOOL(BAD_ASK, "bad_ask"),
};

static void text(struct rogue *r, px_call_h call, const char *words) {
    struct px_reply reply = {.size = sizeof reply, .text = {words, strlen(words)}};
    r->host->call->reply(call, &reply);
}

struct pending {
    struct rogue *r;
    px_call_h call;
    int n;
};

static struct pending *pend(struct rogue *r, px_call_h call) {
    struct pending *p = r->host->scope->alloc(r->host->call->scope(call), sizeof *p);
    if (p) {
        p->r = r;
        p->call = call;
    }
    return p;
}

static int32_t late_answer(void *user, const struct px_ev *ev) {
    struct rogue *r = user; /* in the service's scope: it fires long after the call has ended */
    (void)ev;
    text(r, r->old_call, "too late");
    return PX_GO;
}

static int32_t answer_ok(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    (void)ev;
    text(p->r, p->call, "ok");
    return PX_GO;
}

static int32_t event_scope(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    const struct px_host *h = p->r->host;
    px_op_h op = {0};
    px_scope_h scope = {0};
    px_str quoted = {0};
    int bad = h->timer->start(ev->scope, 1, 0, answer_ok, p, &op) != -1 /* -EPERM */ || op.v ||
              h->scope->open(ev->scope, &scope) >= 0 ||
              h->json->quote(ev->scope, PX_LIT("x\"y"), &quoted) != 0 ||
              !h->scope->alloc(ev->scope, 1 << 20) || h->scope->alloc(ev->scope, (uint64_t)64 << 20);
    if (++p->n < 50 && !bad)
        return PX_GO;
    text(p->r, p->call, bad ? "bad" : "ok");
    return PX_ENOUGH;
}

static int32_t cancel_self(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    px_op_h op = ev->op;
    p->r->host->op->cancel(&op);
    text(p->r, p->call, op.v ? "bad" : "ok");
    return PX_PAUSE;
}

static int32_t endless(void *user, const struct px_ev *ev) {
    (void)user;
    (void)ev;
    return PX_GO;
}

static void scope_closed(void *user) {
    ((struct rogue *)user)->closed_scopes++;
}

static int32_t stored(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    const struct px_host *h = p->r->host;
    if (ev->status) {
        text(p->r, p->call, "store failed");
        return PX_GO;
    }
    switch (p->n++) {
    case 0: h->store->get(h->call->scope(p->call), PX_LIT("k"), stored, p, NULL); break;
    case 1: {
        px_str got = {0};
        h->scope->keep(h->call->scope(p->call), ev->data, &got);
        text(p->r, p->call, got.n == 5 ? got.p : "wrong value");
        break;
    }
    default: break;
    }
    return PX_GO;
}

static int32_t child_event(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    if (ev->kind == PX_EV_END) {
        struct px_reply reply = {.size = sizeof reply, .text = ev->data};
        if (ev->error)
            reply.text = ev->error->message;
        p->r->host->call->reply(p->call, &reply);
    }
    return PX_GO;
}

static int32_t worker_event(void *user, const struct px_ev *ev) {
    struct pending *p = user;
    px_op_h op = ev->op;
    switch (ev->kind) {
    case PX_EV_HEAD: p->r->host->op->write(op, PX_WRITE_DATA, PX_LIT("{\"say\":\"hello\"}")); break;
    case PX_EV_DATA:
        if (ev->sub == 1) {
            px_str got = {0};
            p->r->host->scope->keep(p->r->host->call->scope(p->call), ev->data, &got);
            text(p->r, p->call, got.p ? got.p : "");
            return PX_ENOUGH;
        }
        break;
    case PX_EV_END: text(p->r, p->call, "the worker ended"); break;
    default: break;
    }
    return PX_GO;
}

static const char *checks(int failed) {
    return failed ? "bad" : "ok";
}

static void big(struct rogue *r, px_call_h call, int list) {
    size_t n = list ? 4000 : 200000;
    char *bytes = malloc(n * 32 + 64);
    size_t at = 0;
    struct px_reply reply = {.size = sizeof reply};
    if (list) {
        at += (size_t)sprintf(bytes, "{\"rows\":[");
        for (size_t i = 0; i < n; i++)
            at += (size_t)sprintf(bytes + at, "%s{\"i\":%zu,\"t\":\"xxxxxxx\"}", i ? "," : "", i);
        at += (size_t)sprintf(bytes + at, "],\"total\":4000}");
        reply.structured_json = (px_str){bytes, at};
    } else {
        for (size_t i = 0; i < n / 10; i++)
            at += (size_t)sprintf(bytes + at, "line %zu\n", i);
        reply.text = (px_str){bytes, at};
    }
    r->host->call->reply(call, &reply);
    free(bytes);
}

static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct rogue *r = self;
    const struct px_host *h = r->host;
    struct px_reply reply = {.size = sizeof reply};
    px_scope_h scope = h->call->scope(call), service = h->scope->of_service(r->service);
    px_op_h op = {0};
    px_str s = {0};
    struct pending *p = pend(r, call);
    if (!p) {
        text(r, call, "no memory");
        return;
    }
    switch ((enum id)in->id) {
    case TWICE:
        text(r, call, "first");
        reply.text = PX_LIT("second");
        if (h->call->reply(call, &reply) >= 0)
            abort();
        break;
    case NEVER: break;
    case LATE:
        r->old_call = call;
        h->timer->start(service, 700000000, 0, late_answer, r, NULL);
        break;
    case BAD_JSON:
        reply.structured_json = PX_LIT("{\"a\":1,}");
        h->call->reply(call, &reply);
        break;
    case EMPTY: h->call->reply(call, &reply); break;
    case HUGE: {
        char *huge = malloc(32 << 20);
        memset(huge, 'x', 32 << 20);
        reply.text = (px_str){huge, 32 << 20};
        h->call->reply(call, &reply);
        free(huge);
        break;
    }
    case BAD_CONTENT:
        reply.content_json = PX_LIT("[{\"type\":\"text\"}]");
        h->call->reply(call, &reply);
        break;
    case BAD_OUTPUT:
        reply.structured_json = PX_LIT("{\"n\":\"seven\"}");
        h->call->reply(call, &reply);
        break;
    case GOOD_OUTPUT:
        reply.structured_json = PX_LIT(" {\"n\":12345678901234567890} ");
        h->call->reply(call, &reply);
        break;
    case STALE: {
        px_call_h never = {0xdeadbeefcafef00dull};
        reply.text = PX_LIT("x");
        text(r, call,
             checks(h->call->reply(never, &reply) >= 0 || h->call->fail(never, NULL) >= 0 ||
                    h->call->scope(never).v || h->call->user(never) ||
                    h->call->progress(never, 1, 1, s) >= 0 ||
                    h->catalog->ready((px_service_h){7}, NULL) >= 0 || h->scope->alloc((px_scope_h){9}, 1) ||
                    h->timer->start((px_scope_h){9}, 1, 0, endless, NULL, &op) >= 0 || op.v ||
                    h->call->reply(call, NULL) >= 0));
        break;
    }
    case STALE_OP:
        h->timer->start(scope, 1000000000, 0, endless, NULL, &r->old_op);
        op = r->old_op;
        h->op->cancel(&op);
        op = r->old_op;
        text(r, call,
             checks(h->op->cancel(&op) >= 0 || h->op->write(r->old_op, 0, s) >= 0 ||
                    h->op->resume(r->old_op) >= 0));
        break;
    case PROGRESS:
        h->call->progress(call, 5, 10, PX_LIT("half"));
        h->call->progress(call, 4, 10, PX_LIT("back"));
        h->call->progress(call, 5, 10, PX_LIT("same"));
        h->call->progress(call, 9, 10, PX_LIT("nearly"));
        h->call->log(call, PX_LEVEL_INFO, PX_LIT("rogue"), PX_LIT("{\"x\":1}"));
        if (h->call->log(call, PX_LEVEL_INFO, PX_LIT("rogue"), PX_LIT("{nonsense")) >= 0)
            abort();
        h->timer->start(scope, 50000000, 0, answer_ok, p, NULL);
        break;
    case ALLOC: {
        uint64_t got = 0;
        while (h->scope->alloc(scope, 1 << 20) && got < 1000)
            got++;
        text(r, call, checks(got > 16));
        break;
    }
    case OP_AFTER_ANSWER:
        text(r, call, "ok");
        if (h->timer->start(scope, 1, 0, endless, NULL, &op) >= 0 || op.v)
            abort();
        break;
    case EVENT_SCOPE:
        p->n = h->json->at(in->args_json, PX_LIT("/once"), &s) == 0 ? 49 : 0;
        h->timer->start(scope, 1000000, 1000000, event_scope, p, NULL);
        break;
    case PARTIAL:
    case ANSWER_IN_CANCEL: h->call->set_user(call, r); break;
    case ASK: {
        px_str state = PX_LIT("s1");
        if (in->responses_json.p) {
            int good = in->state.n == 2 && memcmp(in->state.p, "s1", 2) == 0;
            text(r, call, good ? "thank you" : "wrong state");
        } else if (
            h->call->ask(
                call,
                PX_LIT(
                    "{\"q\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}}"),
                state) < 0) {
            text(r, call, "cannot ask");
        }
        break;
    }
    case BAD_ASK:
        h->call->ask(call, PX_LIT("{\"q\":{\"method\":\"elicitation/create\",\"params\":{\"message\":7}}}"),
                     s);
        break;
    case ASK_AGAIN:
        text(r, call,
             checks(h->call->ask(call, s, s) >= 0 || h->call->ask(call, PX_LIT("[1"), s) >= 0 ||
                    h->call->ask(call, PX_LIT("[1]"), s) >= 0));
        break;
    case WRITES:
        if (h->json->at(in->args_json, PX_LIT("/wait"), &s) != 0)
            text(r, call, "written");
        break;
    case DESTROYS: text(r, call, "destroyed"); break;
    case SECRET:
        h->secret->hide(r->service, PX_LIT("correct-horse-battery"));
        h->log->write(r->service, PX_LEVEL_WARNING, PX_LIT("the word is correct-horse-battery"), s);
        reply.structured_json = PX_LIT("{\"echo\":\"correct-horse-battery\"}");
        h->call->reply(call, &reply);
        break;
    case BIG_LIST: big(r, call, 1); break;
    case BIG_TEXT: big(r, call, 0); break;
    case WRONG_CODE: {
        struct px_error e = {
            .size = sizeof e, .code = 4711, .message = PX_LIT("?"), .details_json = PX_LIT("{bad")};
        h->call->fail(call, &e);
        break;
    }
    case ON_CLOSE: {
        px_scope_h own = {0};
        int bad = h->scope->open(scope, &own) != 0 || h->scope->on_close(own, scope_closed, r) != 0;
        int before = r->closed_scopes;
        h->scope->close(own);
        bad |= r->closed_scopes != before; /* not inside our own frame */
        bad |= h->scope->close(own) >= 0;
        text(r, call, checks(bad));
        break;
    }
    case STORE: {
        h->store->put(scope, PX_LIT("k"), PX_LIT("value"), stored, p, NULL);
        if (h->store->put(scope, PX_LIT(""), PX_LIT("value"), stored, p, NULL) >= 0)
            abort();
        break;
    }
    case CHILD: {
        px_str argv[] = {PX_LIT("/bin/sh"), PX_LIT("-c"), PX_LIT("echo $PATH-$X; exit 3")};
        px_pair env[] = {{PX_LIT("X"), PX_LIT("y z")}};
        struct px_process_req req = {.size = sizeof req, .argv = argv, .n_argv = 3, .env = env, .n_env = 1};
        if (h->process->start(scope, &req, child_event, p, NULL) < 0)
            text(r, call, "no child");
        break;
    }
    case NOT_UTF8:
        reply.text = PX_LIT("a\xff"
                            "b");
        h->call->reply(call, &reply);
        break;
    case CANCEL_SELF: h->timer->start(scope, 1000, 1000000, cancel_self, p, NULL); break;
    case CLOSE_FOREIGN:
        text(r, call, checks(h->scope->close(scope) >= 0 || h->scope->close(service) >= 0));
        break;
    case ENDLESS_TIMER: h->timer->start(scope, 1000000, 1000000, endless, NULL, NULL); break;
    case READS_PRIVATE:
    case READS_UNTRUSTED:
    case SENDS_OUT: text(r, call, "ok"); break;
    case BAD_META:
        reply.text = PX_LIT("x");
        reply.meta_json = PX_LIT("[1]");
        h->call->reply(call, &reply);
        break;
    case VERSION: text(r, call, ROGUE_VERSION); break;
    case WORKER: {
        struct px_process_req req = {
            .size = sizeof req, .flags = PX_PROCESS_WORKER, .config_json = PX_LIT("{\"greet\":\"hi\"}")};
        if (h->process->start(scope, &req, worker_event, p, NULL) < 0)
            text(r, call, "no worker");
        break;
    }
    default: {
        struct px_error e = {.size = sizeof e, .code = PX_NOT_FOUND, .message = PX_LIT("unknown")};
        h->call->fail(call, &e);
    }
    }
}

static void on_cancel(void *self, px_call_h call, void *user, uint32_t why) {
    struct rogue *r = self;
    (void)why;
    r->cancelled++;
    if (user)
        text(r, call, "partial");
}

static int32_t on_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    struct rogue *r = calloc(1, sizeof *r);
    r->host = host;
    r->service = in->service;
    *ret_self = r;
    return 0;
}

static void on_fini(void *self) {
    free(self);
}

PX_PLUGIN(.name = "rogue", .version = ROGUE_VERSION, .tools = tools, .n_tools = sizeof tools / sizeof *tools,
          .tool_size = sizeof *tools, .open = on_open, .call = on_call, .cancel = on_cancel, .fini = on_fini);

/* ---- the worker ---- */

static const struct px_worker_host *worker_host;
static px_str greeting;

static int32_t worker_open(const struct px_worker_host *host, px_scope_h scope, px_str config,
                           void **ret_self) {
    px_str raw;
    worker_host = host;
    *ret_self = NULL;
    printf("printed by the worker\n"); /* must not spoil the protocol */
    fflush(stdout);
    if (host->json->at(config, PX_LIT("/greet"), &raw) || host->json->text(scope, raw, &raw))
        return -22;
    return host->scope->keep(scope, raw, &greeting);
}

static void worker_line(void *self, px_scope_h scope, px_str line) {
    px_str say, out;
    char *both;
    (void)self;
    if (worker_host->json->at(line, PX_LIT("/say"), &say) || worker_host->json->text(scope, say, &say))
        return;
    both = worker_host->scope->alloc(scope, greeting.n + say.n + 2);
    memcpy(both, greeting.p, greeting.n);
    both[greeting.n] = ' ';
    memcpy(both + greeting.n + 1, say.p, say.n);
    out = (px_str){both, greeting.n + 1 + say.n};
    worker_host->emit(worker_host->ctx, out);
}

PX_WORKER(.open = worker_open, .line = worker_line);
