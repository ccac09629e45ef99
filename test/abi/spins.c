/* A tool that never returns. */
#include <plexus/plugin.h>

static const struct px_host *host;

static int32_t on_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    (void)in;
    host = h;
    *ret_self = (void *)0;
    return 0;
}

static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    const struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("fine")};
    volatile int on = 1;
    (void)self;
    while (in->id == 1 && on)
        ;
    host->call->reply(call, &reply);
}

static const struct px_tool tools[] = {{.size = sizeof(struct px_tool),
                                        .id = 1,
                                        .hints = PX_HINT_READ_ONLY,
                                        .name = "spin",
                                        .description = "never returns"},
                                       {.size = sizeof(struct px_tool),
                                        .id = 2,
                                        .hints = PX_HINT_READ_ONLY,
                                        .name = "fine",
                                        .description = "does"}};

PX_PLUGIN(.name = "spins", .version = "1.0", .open = on_open, .call = on_call, .tools = tools, .n_tools = 2,
          .tool_size = sizeof tools[0]);
