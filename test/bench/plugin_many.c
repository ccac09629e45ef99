/* A plugin for the benchmarks: `echo`, `write` (which is not read-only), and 498 tools with schemas of the size that real ones have. */
#include <plexus/plugin.h>
#include <stdio.h>
#include <string.h>

enum { TOOLS = 500, WRITE = TOOLS - 1 };

static const struct px_host *host;
static struct px_tool tools[TOOLS];
static char names[TOOLS][16];

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\",\"maxLength\":4096,\"description\":\"What to say.\"},"
    "\"times\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},\"loud\":{\"type\":\"boolean\"}},"
    "\"required\":[\"message\"],\"additionalProperties\":false}";

/* The table is 500 lines that nobody wants to read: it is made when the file is loaded. */
__attribute__((constructor)) static void make_tools(void) {
    for (int i = 0; i < TOOLS; i++) {
        snprintf(names[i], sizeof names[i], i == 0 ? "echo" : i == WRITE ? "write" : "tool_%03d", i);
        tools[i] =
            (struct px_tool){.size = sizeof tools[i],
                             .id = (uint64_t)i,
                             .hints = i == WRITE ? PX_HINT_DESTRUCTIVE_SET : PX_HINT_READ_ONLY,
                             .name = names[i],
                             .description = "Says what it was told. One of many, to see what many cost.",
                             .input_schema = schema};
    }
}

static int32_t on_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    (void)in;
    host = h;
    *ret_self = NULL;
    return 0;
}

static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct px_reply reply = {.size = sizeof reply};
    px_str said;
    (void)self;
    if (host->json->at(in->args_json, PX_LIT("/message"), &said) == 0 &&
        host->json->text(host->call->scope(call), said, &said) == 0)
        reply.text = said;
    else
        reply.text = PX_LIT("");
    host->call->reply(call, &reply);
}

PX_PLUGIN(.name = "many", .version = "1", .summary = "for the benchmarks", .tools = tools, .n_tools = TOOLS,
          .tool_size = sizeof tools[0], .open = on_open, .call = on_call);
