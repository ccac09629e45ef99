/* tools.h: the tools of the example, as a planner sees them: data, no code. Descriptions are for a model: what a tool does
 * and when to use it. Hints are promises; one that is not set means MCP's default. */
#ifndef EXAMPLE_TOOLS_H
#define EXAMPLE_TOOLS_H

#include <plexus/plugin.h>

enum { ECHO = 1, WAIT = 2, COUNT = 3 }; /* px_tool.id: call() gets it back, so that no names are compared */

static const struct px_tool tools[] = {
    {.size = sizeof(struct px_tool),
     .id = ECHO,
     .name = "echo",
     .description = "Give a text back as it came. Use it to see that the service works.",
     .input_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"text\"],"
                     "\"properties\":{\"text\":{\"type\":\"string\"}}}",
     .hints =
         PX_HINT_READ_ONLY | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD_SET}, /* set, not open: a closed world */
    {.size = sizeof(struct px_tool),
     .id = WAIT,
     .name = "wait",
     .description = "Answer after some seconds, with progress each second until then.",
     .input_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"seconds\"],"
                     "\"properties\":{\"seconds\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":60}}}",
     .output_schema = "{\"type\":\"object\",\"required\":[\"waited\"],"
                      "\"properties\":{\"waited\":{\"type\":\"integer\"}}}",
     .hints = PX_HINT_READ_ONLY | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD_SET},
    {.size = sizeof(struct px_tool),
     .id = COUNT,
     .name = "count",
     .description = "Add one to a number that outlives restarts, and answer with it.",
     .output_schema = "{\"type\":\"object\",\"required\":[\"count\"],"
                      "\"properties\":{\"count\":{\"type\":\"integer\"}}}",
     .hints = PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE_SET |
              PX_HINT_OPEN_WORLD_SET}, /* writes, destroys nothing */
};

#endif
