/* What plugins may answer, so that nothing they say can make us send a message that is not MCP. The shapes are those that
 * all revisions from 2025-06-18 to 2026-07-28 share (schema of each: ContentBlock, PromptMessage, ResourceContents,
 * CompleteResult). */
#include "call/private.h"

#define ANNOTATIONS                                                                                              \
    "\"annotations\":{\"type\":\"object\",\"properties\":{\"audience\":{\"type\":\"array\",\"items\":{\"enum\":" \
    "[\"user\",\"assistant\"]}},\"priority\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"                 \
    "\"lastModified\":{\"type\":\"string\"}}},\"_meta\":{\"type\":\"object\"}"

#define DEFS                                                                                                                    \
    "\"$defs\":{"                                                                                                               \
    "\"text\":{\"properties\":{\"type\":{\"const\":\"text\"},\"text\":{\"type\":\"string\"}," ANNOTATIONS                       \
    "},"                                                                                                                        \
    "\"required\":[\"type\",\"text\"]},"                                                                                        \
    "\"binary\":{\"properties\":{\"type\":{\"enum\":[\"image\",\"audio\"]},\"data\":{\"type\":\"string\","                      \
    "\"pattern\":\"^[A-Za-z0-9+/]*={0,2}$\"},\"mimeType\":{\"type\":\"string\"}," ANNOTATIONS "},"                              \
    "\"required\":[\"type\",\"data\",\"mimeType\"]},"                                                                           \
    "\"link\":{\"properties\":{\"type\":{\"const\":\"resource_link\"},\"uri\":{\"type\":\"string\"},"                           \
    "\"name\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"                     \
    "\"mimeType\":{\"type\":\"string\"},\"size\":{\"type\":\"integer\"}," ANNOTATIONS "},"                                      \
    "\"required\":[\"type\",\"uri\",\"name\"]},"                                                                                \
    "\"contents\":{\"type\":\"object\",\"properties\":{\"uri\":{\"type\":\"string\"},\"mimeType\":{\"type\":"                   \
    "\"string\"},\"text\":{\"type\":\"string\"},\"blob\":{\"type\":\"string\"},\"_meta\":{\"type\":\"object\"}},"               \
    "\"required\":[\"uri\"],\"oneOf\":[{\"required\":[\"text\"]},{\"required\":[\"blob\"]}]},"                                  \
    "\"embedded\":{\"properties\":{\"type\":{\"const\":\"resource\"},\"resource\":{\"$ref\":\"#/$defs/contents\"}," ANNOTATIONS \
    "},\"required\":[\"type\",\"resource\"]},"                                                                                  \
    "\"block\":{\"type\":\"object\",\"required\":[\"type\"],\"properties\":{\"type\":{\"enum\":[\"text\",\"image\","            \
    "\"audio\",\"resource_link\",\"resource\"]}},\"oneOf\":[{\"$ref\":\"#/$defs/text\"},{\"$ref\":\"#/$defs/binary\"},"         \
    "{\"$ref\":\"#/$defs/link\"},{\"$ref\":\"#/$defs/embedded\"}]}}"

static const char content_schema[] = "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/block\"}," DEFS "}";

static const char prompt_schema[] =
    "{\"type\":\"object\",\"required\":[\"messages\"],\"additionalProperties\":false,\"properties\":{"
    "\"description\":{\"type\":\"string\"},\"messages\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"role\",\"content\"],\"properties\":{\"role\":{\"enum\":[\"user\",\"assistant\"]},"
    "\"content\":{\"$ref\":\"#/$defs/block\"}}}}}," DEFS "}";

static const char read_schema[] =
    "{\"type\":\"object\",\"required\":[\"contents\"],\"additionalProperties\":false,\"properties\":{"
    "\"contents\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/contents\"}}}," DEFS "}";

static const char complete_schema[] =
    "{\"type\":\"object\",\"required\":[\"completion\"],\"additionalProperties\":false,\"properties\":{"
    "\"completion\":{\"type\":\"object\",\"required\":[\"values\"],\"additionalProperties\":false,\"properties\":{"
    "\"values\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"string\"}},"
    "\"total\":{\"type\":\"integer\"},\"hasMore\":{\"type\":\"boolean\"}}}}}";

/* InputRequests of 2026-07-28. Of a form's properties, only that each has one of the primitive types (or is an array of
 * choices). */
static const char ask_schema[] =
    "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":16,\"additionalProperties\":{\"type\":\"object\","
    "\"required\":[\"method\"],\"properties\":{\"method\":{\"enum\":[\"elicitation/create\",\"sampling/createMessage\","
    "\"roots/list\"]}},\"oneOf\":["
    "{\"properties\":{\"method\":{\"const\":\"roots/list\"},\"params\":{\"type\":\"object\"}}},"
    "{\"required\":[\"params\"],\"properties\":{\"method\":{\"const\":\"elicitation/create\"},\"params\":{\"oneOf\":["
    "{\"type\":\"object\",\"required\":[\"message\",\"requestedSchema\"],\"properties\":{\"mode\":{\"const\":\"form\"},"
    "\"message\":{\"type\":\"string\"},\"requestedSchema\":{\"type\":\"object\",\"required\":[\"type\",\"properties\"],"
    "\"properties\":{\"$schema\":{\"type\":\"string\"},\"type\":{\"const\":\"object\"},\"required\":{\"type\":\"array\","
    "\"items\":{\"type\":\"string\"}},\"properties\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\","
    "\"required\":[\"type\"],\"properties\":{\"type\":{\"enum\":[\"string\",\"number\",\"integer\",\"boolean\",\"array\"]},"
    "\"title\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"}}}}}}}},"
    "{\"type\":\"object\",\"required\":[\"mode\",\"message\",\"url\"],\"properties\":{\"mode\":{\"const\":\"url\"},"
    "\"message\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"}}}]}}},"
    "{\"required\":[\"params\"],\"properties\":{\"method\":{\"const\":\"sampling/createMessage\"},\"params\":{"
    "\"type\":\"object\",\"required\":[\"messages\",\"maxTokens\"],\"properties\":{\"maxTokens\":{\"type\":\"integer\"},"
    "\"messages\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"role\",\"content\"],\"properties\":{"
    "\"role\":{\"enum\":[\"user\",\"assistant\"]},\"content\":{\"$ref\":\"#/$defs/block\"}}}}}}}}]}," DEFS
    "}";

int px_shapes_init(struct px_gate *gate, struct px_err *err) {
    int r = px_schema_defer(px_str_of(content_schema), &gate->content);
    if (!r)
        r = px_schema_defer(px_str_of(prompt_schema), &gate->prompt);
    if (!r)
        r = px_schema_defer(px_str_of(read_schema), &gate->read);
    if (!r)
        r = px_schema_defer(px_str_of(complete_schema), &gate->complete);
    if (!r)
        r = px_schema_defer(px_str_of(ask_schema), &gate->ask);
    return r ? px_err_errno(err, r, "the shapes of answers") : 0; /* constants: compiled when first used */
}

void px_shapes_finish(struct px_gate *gate) {
    px_schema_destroy(gate->content);
    px_schema_destroy(gate->prompt);
    px_schema_destroy(gate->read);
    px_schema_destroy(gate->complete);
    px_schema_destroy(gate->ask);
}
