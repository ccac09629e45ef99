/* The header alone, as a plugin in C or C++ uses it. */
#include <plexus/plugin.h>

static int32_t on_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    *ret_self = PX_HAS(host, process) && host->process ? (void *)0 : (void *)0;
    return in->name.n ? 0 : -1;
}
static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    (void)self;
    (void)call;
    (void)in;
}
static int32_t worker_open(const struct px_worker_host *host, px_scope_h scope, px_str config,
                           void **ret_self) {
    (void)host;
    (void)scope;
    (void)config;
    *ret_self = (void *)0;
    return 0;
}
static void worker_line(void *self, px_scope_h scope, px_str line) {
    (void)self;
    (void)scope;
    (void)line;
}
PX_PLUGIN(.name = "header", .open = on_open, .call = on_call);
PX_WORKER(.open = worker_open, .line = worker_line);
