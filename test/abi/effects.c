/* Tools that write, for the tests of effects: one whose upstream takes idempotency keys, one of which can be looked for, one of which
 * nothing is known. Data alone. */
#include <plexus/plugin.h>

#define TOOL(n, more)                                                                                        \
    {                                                                                                        \
        .size = sizeof(struct px_tool), .id = 1, .name = n, .description = "a new thing",                    \
        .input_schema = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"               \
                        "\"secret\":{\"type\":\"string\",\"writeOnly\":true}},"                              \
                        "\"required\":[\"name\"],\"additionalProperties\":false}",                           \
        .route = "{\"method\":\"POST\",\"path\":\"/things\",\"body\":{\"name\":{\"$arg\":\"name\"},"         \
                 "\"secret\":{\"$arg\":\"secret\"}}" more "}"                                                \
    }

static const struct px_tool tools[] = {
    TOOL("plain", ""),
    TOOL("keyed", ",\"idempotency\":{\"header\":\"Idempotency-Key\"}"),
    TOOL("found", ",\"verify\":{\"route\":{\"path\":\"/things\"},\"match\":{\"/name\":{\"$arg\":\"name\"}}}"),
};

PX_PLUGIN(.name = "effects", .version = "1",
          .config_schema = "{\"type\":\"object\",\"properties\":{\"base_url\":{\"type\":\"string\"}}}",
          .tools = tools, .n_tools = sizeof tools / sizeof tools[0], .tool_size = sizeof tools[0],
          .api = "{\"upstreams\":{\"api\":{\"base_url\":{\"$config\":\"/base_url\"},\"identity\":\"token\"}},"
                 "\"identities\":{\"token\":{\"kind\":\"bearer\",\"secret\":\"/token\",\"optional\":true}}}");
