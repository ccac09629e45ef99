/* asked.h: a result that asks for more (MCP's input_required), for a person. */
#ifndef PX_CLI_ASKED_H
#define PX_CLI_ASKED_H

#include "cli/client.h"

bool px_asked(px_str result);
/** Print what is asked, and the command that answers it. `words`: the call's own words on the command line, for that command.
 *  Returns PX_EXIT_FAILURE: the call has not been done. */
int px_asked_print(struct px_cli *cli, px_str result, const char *const *words, size_t n);

#endif
