/* A plugin for the benchmarks: routes to a web server whose address is in the configuration, as any service's would be. */
#include <plexus/plugin.h>

static const char api[] =
    "{\"upstreams\":{"
    "\"web\":{\"base_url\":{\"$config\":\"/base_url\"},\"headers\":{\"Accept\":\"application/json\"},\"identity\":\"token\"},"
    "\"slow\":{\"base_url\":{\"$config\":\"/slow_url\",\"default\":\"http://127.0.0.1:1\"}}},"
    "\"identities\":{\"token\":{\"kind\":\"bearer\",\"secret\":\"/token\",\"optional\":true}}}";

static const char config_schema[] =
    "{\"type\":\"object\",\"required\":[\"base_url\"],\"additionalProperties\":false,\"properties\":{"
    "\"base_url\":{\"type\":\"string\"},\"slow_url\":{\"type\":\"string\"},\"token\":{\"type\":\"string\"}}}";

#define ARGS                                                                                                 \
    "{\"type\":\"object\",\"required\":[\"name\"],\"additionalProperties\":false,\"properties\":{"           \
    "\"name\":{\"type\":\"string\",\"maxLength\":64,\"pattern\":\"^[a-z.]+$\",\"description\":\"Which one.\"}}}"

static const struct px_tool tools[] = {
    {.size = sizeof tools[0],
     .id = 1,
     .hints = PX_HINT_READ_ONLY,
     .name = "item",
     .description = "An item, with what matters of it.",
     .input_schema = ARGS,
     .route = "{\"path\":\"/{name}\",\"fields\":\"number,title,user/login,labels/name\"}"},
    {.size = sizeof tools[0],
     .id = 2,
     .hints = PX_HINT_READ_ONLY,
     .name = "list",
     .description = "A list, with what matters of each item.",
     .input_schema = ARGS,
     .route =
         "{\"path\":\"/{name}\",\"fields\":\"number,title\",\"page\":{\"kind\":\"link\",\"limit\":50,\"max_limit\":1000}}"},
    {.size = sizeof tools[0],
     .id = 3,
     .hints = PX_HINT_READ_ONLY,
     .name = "hang",
     .description = "Asks who does not answer.",
     .input_schema = ARGS,
     .route = "{\"upstream\":\"slow\",\"path\":\"/{name}\"}"},
};

PX_PLUGIN(.name = "web", .version = "1", .summary = "for the benchmarks", .config_schema = config_schema,
          .tools = tools, .n_tools = sizeof tools / sizeof *tools, .tool_size = sizeof tools[0], .api = api);
