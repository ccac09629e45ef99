/* Code that runs when the file is loaded: it must only ever run in the vetting child. */
#include <plexus/plugin.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void at_load(void) {
#if defined(HANG)
    for (;;)
        pause();
#elif defined(CRASH)
    abort();
#else
    _exit(0);
#endif
}
static int32_t on_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    (void)host;
    (void)in;
    *ret_self = NULL;
    return 0;
}
static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    (void)self;
    (void)call;
    (void)in;
}
PX_PLUGIN(.name = "constructor", .open = on_open, .call = on_call);
