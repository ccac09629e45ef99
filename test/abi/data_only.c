/* A plugin that is data alone: no open(), no call(). BAD: many tools that are wrong, each in its own way. */
#include <plexus/plugin.h>

#ifdef BAD
#define TOOL(n, r)                                                                                           \
    { .size = sizeof(struct px_tool), .id = 1, .hints = PX_HINT_READ_ONLY, .name = n, .route = r }
static const struct px_tool tools[] = {
    TOOL("no_such_argument", "{\"path\":\"/{id}\"}"),
    TOOL("good", "{\"path\":\"/\"}"),
    TOOL("no_such_upstream", "{\"path\":\"/\",\"upstream\":\"none\"}"),
    TOOL("no_json", "{\"path\":"),
    TOOL("writes", "{\"path\":\"/\",\"method\":\"POST\"}"),
};
#define NAME "data_bad"
#else
static const struct px_tool tools[] = {{.size = sizeof(struct px_tool),
                                        .id = 1,
                                        .hints = PX_HINT_READ_ONLY,
                                        .name = "get",
                                        .description = "one item",
                                        .route = "{\"path\":\"/items/1\"}"}};
#define NAME "data_only"
#endif

PX_PLUGIN(.name = NAME, .version = "1",
          .config_schema = "{\"type\":\"object\",\"properties\":{\"base_url\":{\"type\":\"string\"}}}",
          .tools = tools, .n_tools = sizeof tools / sizeof tools[0], .tool_size = sizeof tools[0],
          .api = "{\"upstreams\":{\"api\":{\"base_url\":{\"$config\":\"/base_url\"}}}}");
