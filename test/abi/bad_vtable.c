#include <plexus/plugin.h>
static int32_t on_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    (void)host;
    (void)in;
    *ret_self = NULL;
    return 0;
}
#ifndef NO_CALL
static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    (void)self;
    (void)call;
    (void)in;
}
#endif
static const struct px_tool tools[] = {
    {.size = sizeof(struct px_tool),
     .id = 1,
#ifdef BAD_NAME
     .name = "has a blank",
#else
     .name = "tool",
#endif
#ifdef BAD_SCHEMA
     .input_schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"strnig\"}}}",
#endif
     .description = "x"}};
PX_PLUGIN(.name = "bad_vtable", .tools = tools, .n_tools = 1, .tool_size = sizeof(struct px_tool),
          .open = on_open,
#ifndef NO_CALL
          .call = on_call
#endif
);
