/* github.h: the words in which the tools of this plugin are written. Every tool is data: repos.h, issues.h, … hold the elements
 * of one array (in github.c), a file a toolset; the host does the rest. */
#ifndef GITHUB_H
#define GITHUB_H

#include <plexus/plugin.h>

/* The id of a tool is its toolset's and a number. Those up to GH_USERS are offered by default. */
enum gh_toolset {
    GH_REPOS,
    GH_ISSUES,
    GH_PULLS,
    GH_SEARCH,
    GH_USERS,
    GH_ACTIONS,
    GH_DISCUSSIONS,
    GH_PROJECTS,
    GH_GRAPHQL,
    GH_TOOLSETS
};
#define GH_ID(toolset, n) ((uint64_t)(toolset) << 8 | (n))
#define GH_TOOLSET_OF(id) ((id) >> 8)

extern const char gh_api[], gh_config_schema[];

/* ---- hints: what a tool does to what is there ---- */
#define READS     (PX_HINT_READ_ONLY | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD)
#define ADDS      (PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT_SET | PX_HINT_OPEN_WORLD)
#define ADDS_ONCE (PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD)
#define CHANGES   (PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE | PX_HINT_IDEMPOTENT_SET | PX_HINT_OPEN_WORLD)
#define SETS      (PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD)

/* ---- labels ---- */
#define SEES    (PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED) /* what others wrote, perhaps in private */
#define PRIVATE PX_LABEL_READS_PRIVATE
#define PUBLIC  PX_LABEL_READS_UNTRUSTED
#define TELLS   PX_LABEL_SENDS_OUT /* and its answer has nothing that the caller did not send */

/* ---- JSON as it is: J({"a": [1]}) is its text ---- */
#define J(...)       #__VA_ARGS__
#define TOOL(set, n) .size = sizeof(struct px_tool), .id = GH_ID(set, n)
/* The schema of arguments: J("owner","repo"), then properties with commas between them. */
#define INPUT(required, ...)                                                                                 \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                            \
    "],\"properties\":{" __VA_ARGS__ "}}"
#define ROUTE(...)  "{" __VA_ARGS__ "}"
#define FIELDS(...) "\"fields\":\"" __VA_ARGS__ "\""

/* ---- parts of many tools ---- */
/* clang-format off */
#define NAMED      J({"type":"string","pattern":"^[\\w.-]+$"}) /* of an account, a repository */
#define OWNER      "\"owner\":" NAMED
#define REPOSITORY OWNER ",\"repo\":" NAMED
#define NUMBER     J("number":{"type":"integer","minimum":1})
#define TEXT(most) "{\"type\":\"string\",\"minLength\":1,\"maxLength\":" #most "}"
#define BODY       J("body":{"type":"string","maxLength":65536,"description":"Markdown"})
#define LINKED     J("page":{"kind":"link","size":{"query":"per_page","max":100}})
#define HERE       "/repos/{owner}/{repo}"
/* clang-format on */

#endif
