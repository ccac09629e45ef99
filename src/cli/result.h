/* result.h: a tool's result for a person, or as JSON. */
#ifndef PX_CLI_RESULT_H
#define PX_CLI_RESULT_H

#include "base/arena.h"
#include "cli/client.h"

/** Print a CallToolResult: as JSON on one line (whole), or readably. A failed call's words go to stderr. Returns the exit
 *  code: 0, PX_EXIT_TOOL, PX_EXIT_REFUSED for `forbidden`, PX_EXIT_FAILURE when stdout cannot be written. */
int px_result_print(struct px_cli *cli, px_str result);

/** The error's code of a failed call, for hints; absent: it did not fail, or in the tool's own words. In the arena. */
px_str px_result_error_code(struct px_arena *arena, px_str result);

#endif
