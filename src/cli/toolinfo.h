/* toolinfo.h: the list of tools, page by page, and what a tool's description says. */
#ifndef PX_CLI_TOOLINFO_H
#define PX_CLI_TOOLINFO_H

#include "cli/client.h"
#include "cli/fields.h"

enum { PX_TOOLS_MAX = 20000, PX_TOOLS_PAGES = 2000 };

struct px_tools {
    struct px_arena arena; /* holds every tool's JSON */
    px_str *items;         /* MCP Tool objects */
    size_t n, room;
};

/** All pages. Prints what fails; an exit code. `tools` must be finished either way. */
PX_MUSTCHECK int px_tools_fetch(struct px_client *client, struct px_tools *tools);
void px_tools_finish(struct px_tools *tools);
/** The tool whose name is nearest to `name`; absent when none is near. */
px_str px_tools_nearest(struct px_tools *tools, px_str name);

/** The host does not know the tool `name`, and said so in `error`: name the nearest, unless the host did. */
void px_tools_hint(struct px_client *client, px_str name, px_str error);

/** "read-only", "writes" or "destructive", by the tool's annotations and MCP's defaults for those that are not there. */
const char *px_tool_effect(px_str tool, enum px_style *ret_style);
/** The type of a property's schema, for a person: "integer", "string or null", "\"open\" | \"closed\"". In the arena. */
px_str px_schema_type(struct px_arena *arena, px_str schema);
/** Whether a string can satisfy this schema, as far as its "type", "enum" and "const" say; true when they say nothing. */
bool px_schema_takes_text(px_str schema);

#endif
