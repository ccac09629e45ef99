/* Built against an older, smaller header (test/abi/old): no fini, no extra, no hints on prompts, a reply without meta. */
#include <plexus/plugin.h>

static const struct px_host *host;

static int32_t on_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    (void)in;
    host = h;
    *ret_self = (void *)0;
    return 0;
}

static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct px_reply reply = {.size = sizeof reply, .text = PX_LIT("small but well")};
    struct px_error error = {.size = sizeof error, .code = PX_NOT_FOUND, .message = PX_LIT("nothing here")};
    (void)self;
    if (in->id == 1)
        host->call->reply(call, &reply);
    else
        host->call->fail(call, &error);
}

static const struct px_tool tools[] = {{.size = sizeof(struct px_tool),
                                        .id = 1,
                                        .hints = PX_HINT_READ_ONLY,
                                        .name = "hello",
                                        .description = "says hello"},
                                       {.size = sizeof(struct px_tool),
                                        .id = 2,
                                        .hints = PX_HINT_READ_ONLY,
                                        .name = "fails",
                                        .description = "fails"}};

PX_PLUGIN(.name = "small", .version = "0.0", .open = on_open, .call = on_call, .tools = tools, .n_tools = 2,
          .tool_size = sizeof tools[0]);
