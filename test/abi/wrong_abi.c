/* A plugin of an ABI from the far future. */
#define PX_ABI_MINOR_NEEDED 99u
#include <plexus/plugin.h>
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
PX_PLUGIN(.name = "wrong_abi", .open = on_open, .call = on_call);
