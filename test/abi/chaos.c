/* One tool for each class of methods, and one for each way in which upstreams speak of their limits: what the host does with requests that go
 * wrong is seen by an upstream that counts (test/e2e/chaos). */
#include <plexus/plugin.h>

#define JSON(...) #__VA_ARGS__
#define CASE                                                                                                 \
    JSON({                                                                                                   \
        "type" : "object",                                                                                   \
        "properties" : {"case" : {"type" : "string"}},                                                       \
        "required" : ["case"],                                                                               \
        "additionalProperties" : false                                                                       \
    })
#define READ(tool, route_json)                                                                               \
    {                                                                                                        \
        .size = sizeof(struct px_tool), .hints = PX_HINT_READ_ONLY, .name = tool, .description = "reads",    \
        .input_schema = CASE, .route = route_json                                                            \
    }
#define WRITE(tool, more, route_json)                                                                        \
    {                                                                                                        \
        .size = sizeof(struct px_tool), .hints = more, .name = tool, .description = "writes",                \
        .input_schema = CASE, .route = route_json                                                            \
    }

static const struct px_tool tools[] = {
    READ("get", JSON({"path" : "/c/{case}"})),
    READ("search",
         JSON({"method" : "POST", "safe" : true, "path" : "/c/{case}", "body" : {"q" : {"$arg" : "case"}}})),
    WRITE("put", PX_HINT_IDEMPOTENT, JSON({"method" : "PUT", "path" : "/c/{case}", "body" : {"v" : 1}})),
    WRITE("delete", PX_HINT_IDEMPOTENT, JSON({"method" : "DELETE", "path" : "/c/{case}"})),
    WRITE("post", 0, JSON({"method" : "POST", "path" : "/c/{case}", "body" : {"v" : 1}})),
    WRITE("post_key", 0, JSON({
              "method" : "POST",
              "path" : "/c/{case}",
              "body" : {"v" : 1},
              "idempotency" : {"header" : "Idempotency-Key"}
          })),
    WRITE("post_verify", 0, JSON({
              "method" : "POST",
              "path" : "/c/{case}",
              "body" : {"marker" : {"$call" : "key"}},
              "verify" : {
                  "route" : {"path" : "/found/{case}"},
                  "at" : "/items",
                  "match" : {"/marker" : {"$call" : "key"}}
              }
          })),
    READ("cheap", JSON({"path" : "/c/{case}", "group" : "scarce"})),
    READ("dear", JSON({"path" : "/c/{case}", "query" : {"cost" : 5}, "group" : "scarce", "cost" : 5})),
    READ("calm", JSON({"path" : "/c/{case}", "upstream" : "patient"})),
    READ("github", JSON({"path" : "/c/{case}", "upstream" : "github"})),
    READ("shopify", JSON({"path" : "/c/{case}", "upstream" : "shopify"})),
    READ("discord", JSON({"path" : "/c/{case}", "upstream" : "discord"})),
    READ("throttle", JSON({"path" : "/c/{case}", "upstream" : "throttle"})),
    READ("graphql_cost", JSON({"path" : "/c/{case}", "upstream" : "graphql_cost"})),
};

static const char api[] = JSON({
    "upstreams" : {
        "api" : {"base_url" : {"$config" : "/base_url"}, "timeout_ms" : 3000},
        "patient" : {"base_url" : {"$config" : "/base_url"}},
        "github" : {
            "base_url" : {"$config" : "/base_url"},
            "group" : "core",
            "quotas" : [
                {
                    "group" : {"header" : "x-ratelimit-resource"},
                    "limit" : {"header" : "x-ratelimit-limit"},
                    "remaining" : {"header" : "x-ratelimit-remaining"},
                    "reset" : {"header" : "x-ratelimit-reset", "unit" : "unix"}
                },
                {
                    "when" : {"status" : 403, "body" : {"/message" : "*secondary rate limit*"}},
                    "global" : true,
                    "retry_after" : {"header" : "retry-after", "default" : 60}
                }
            ],
            "errors" : [ {"status" : 403, "body" : {"/message" : "*rate limit*"}, "code" : "rate_limited"} ]
        },
        "shopify" : {
            "base_url" : {"$config" : "/base_url"},
            "quotas" :
                [ {"used" : {"header" : "x-shopify-shop-api-call-limit", "split" : "/"}, "restore" : 2} ]
        },
        "discord" : {
            "base_url" : {"$config" : "/base_url"},
            "quotas" : [
                {
                    "bucket" : {"header" : "x-ratelimit-bucket"},
                    "limit" : {"header" : "x-ratelimit-limit"},
                    "remaining" : {"header" : "x-ratelimit-remaining"},
                    "reset" : {"header" : "x-ratelimit-reset-after"}
                },
                {
                    "when" : {"status" : 429},
                    "global" : {"body" : "/global"},
                    "retry_after" : {"body" : "/retry_after"}
                }
            ]
        },
        "throttle" : {
            "base_url" : {"$config" : "/base_url"},
            "quotas" : [ {
                "limit" : {"body" : "/extensions/cost/throttleStatus/maximumAvailable"},
                "remaining" : {"body" : "/extensions/cost/throttleStatus/currentlyAvailable"},
                "restore" : {"body" : "/extensions/cost/throttleStatus/restoreRate"},
                "cost" : {"body" : "/extensions/cost/actualQueryCost"}
            } ]
        },
        "graphql_cost" : {
            "base_url" : {"$config" : "/base_url"},
            "quotas" : [ {
                "limit" : {"body" : "/data/rateLimit/limit"},
                "remaining" : {"body" : "/data/rateLimit/remaining"},
                "reset" : {"body" : "/data/rateLimit/resetAt", "unit" : "date"},
                "cost" : {"body" : "/data/rateLimit/cost"}
            } ]
        }
    }
});

PX_PLUGIN(.name = "chaos", .version = "1.0", .summary = "Every class of methods", .tools = tools,
          .n_tools = sizeof tools / sizeof tools[0], .tool_size = sizeof tools[0],
          .config_schema = JSON({
              "type" : "object",
              "properties" : {"base_url" : {"type" : "string"}},
              "required" : ["base_url"]
          }),
          .api = api);
