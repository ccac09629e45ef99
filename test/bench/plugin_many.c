/* A plugin for the benchmarks: `echo`, and 499 tools with schemas of the size that real ones have. */
#include <plexus/plugin.h>
#include <stdio.h>
#include <string.h>

static const struct px_host *host;
static struct px_tool tools[500];
static char names[500][16];

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\",\"maxLength\":4096,\"description\":\"What to say.\"},"
    "\"times\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},\"loud\":{\"type\":\"boolean\"}},"
    "\"required\":[\"message\"],\"additionalProperties\":false}";

static int32_t on_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    host = h;
    *ret_self = NULL;
    for (int i = 0; i < 500; i++) {
        snprintf(names[i], sizeof names[i], i ? "tool_%03d" : "echo", i);
        tools[i] =
            (struct px_tool){.size = sizeof tools[i],
                             .id = (uint64_t)i,
                             .hints = PX_HINT_READ_ONLY,
                             .name = names[i],
                             .description = "Says what it was told. One of many, to see what many cost.",
                             .input_schema = schema};
    }
    return h->catalog->set(in->service, PX_LIST_TOOLS, tools, 500, sizeof tools[0], NULL);
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

PX_PLUGIN(.name = "many", .version = "1", .summary = "for the benchmarks", .open = on_open, .call = on_call);
