/* example.c: the plugin to learn from. Three tools: one answers at once, one takes its time, one remembers.
 * All it may use is plexus/plugin.h; the rules at its top explain why so little here is freed or checked. */
#include "tools.h" /* what a planner sees: tools[], and their ids */
#include <errno.h>
#include <stdio.h>

static const struct px_host *host; /* one for the life of the process */

struct service { /* one configured instance: memory of its scope, as there may be several */
    px_service_h handle;
    long long count;
};
struct job { /* one call: memory of the call's scope, gone when the call is */
    px_call_h call;
    long long number, total;
};

static void fail(px_call_h call, int32_t code, px_str message) {
    const struct px_error error = {.size = sizeof error, .code = code, .message = message};
    host->call->fail(call, &error); /* it copies; what is too late is refused and harms nothing */
}

static void reply_number(px_call_h call, const char *key, long long number) {
    char text[64];
    int n = snprintf(text, sizeof text, "{\"%s\":%lld}", key, number);
    const struct px_reply reply = {.size = sizeof reply, .structured_json = {text, (uint64_t)n}};
    host->call->reply(call, &reply);
}

/* echo: the arguments are valid against the schema; what is needed of them is cut out, not parsed. */
static void echo(px_call_h call, px_str args) {
    struct px_reply reply = {.size = sizeof reply};
    px_str value;
    if (host->json->at(args, PX_LIT("/text"), &value) ||
        host->json->text(host->call->scope(call), value, &reply.text) || host->call->reply(call, &reply))
        fail(call, PX_INVALID_ARGUMENTS, PX_LIT("text is missing, or too long"));
}

/* wait: a timer in the call's scope. Its callback runs from the loop; however the call ends, the timer ends with it. */
static int32_t on_second(void *user, const struct px_ev *ev) {
    struct job *job = user;
    job->number += (long long)ev->count; /* periods: more than one, should the loop be late */
    if (job->number < job->total)
        host->call->progress(job->call, (uint64_t)job->number, (uint64_t)job->total, (px_str){0});
    else
        reply_number(job->call, "waited", job->number);
    return PX_GO;
}

static void start_wait(struct job *job, px_str args) {
    px_str value;
    int64_t n;
    if (host->json->at(args, PX_LIT("/seconds"), &value) || host->json->i64(value, &n) ||
        host->timer->start(host->call->scope(job->call), 1000000000, 1000000000, on_second, job,
                           NULL)) /* ns */
        fail(job->call, PX_UNAVAILABLE, PX_LIT("no timer"));
    else
        job->total = n;
}

/* count: kept in memory, answered when the store says that it is durable. */
static int32_t on_stored(void *user, const struct px_ev *ev) {
    struct job *job = user;
    if (ev->error)
        host->call->fail(job->call, ev->error);
    else
        reply_number(job->call, "count", job->number);
    return PX_GO;
}

static void start_count(struct service *s, struct job *job) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", job->number = ++s->count);
    if (host->store->put(host->call->scope(job->call), PX_LIT("count"), (px_str){text, (uint64_t)n},
                         on_stored, job, NULL))
        fail(job->call, PX_UNAVAILABLE, PX_LIT("the count cannot be stored"));
}

static void example_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct job *job = host->scope->alloc(host->call->scope(call), sizeof *job); /* a new scope has room */
    job->call = call;
    host->call->set_user(call, job); /* for cancel() */
    switch (in->id) {
    case ECHO: echo(call, in->args_json); break;
    case WAIT: start_wait(job, in->args_json); break;
    case COUNT: start_count(self, job); break;
    default: fail(call, PX_NOT_FOUND, PX_LIT("there is no such tool"));
    }
}

/* The host stops the timer of a cancelled wait. At its deadline, though, a call may still be answered. */
static void example_cancel(void *self __attribute__((unused)), px_call_h call, void *user, uint32_t why) {
    const struct job *job = user;
    if (why == PX_WHY_DEADLINE && job->total)
        reply_number(call, "waited", job->number);
}

/* The instance is ready when its count is there. */
static int32_t on_loaded(void *user, const struct px_ev *ev) {
    struct service *s = user;
    int64_t count;
    if (ev->data.n && host->json->i64(ev->data, &count) == 0)
        s->count = count;
    host->catalog->ready(s->handle, ev->error);
    return PX_GO;
}

static int32_t example_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    px_scope_h scope = (host = h)->scope->of_service(in->service);
    struct service *s = *ret_self = host->scope->alloc(scope, sizeof *s);
    s->handle = in->service;
    return host->store->get(scope, PX_LIT("count"), on_loaded, s, NULL) ? -EIO : PX_MORE;
}

/* EXCLUSIVE: the count is in memory, and two instances at once would count apart. */
PX_PLUGIN(.name = "example", .version = "0.1.0", .summary = "The plugin to learn from",
          .flags = PX_PLUGIN_EXCLUSIVE, .tools = tools, .n_tools = 3, .tool_size = sizeof tools[0],
          .open = example_open, .call = example_call, .cancel = example_cancel);
