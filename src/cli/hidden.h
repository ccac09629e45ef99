/* hidden.h: a secret from standard input. On a terminal: asked for, one line, without echo; otherwise all there is. Blocking;
 * Ctrl-C ends it, with the terminal as it was. */
#ifndef PX_CLI_HIDDEN_H
#define PX_CLI_HIDDEN_H

#include "cli/cli.h"

/** Into `to`, which has room for `cap` bytes, without one newline at its end; prints what is wrong with it: empty, over cap - 2 bytes, not
 *  text. An exit code. `what`: "Value of shop_token". Wiping `to` is the caller's. */
PX_MUSTCHECK int px_hidden_read(struct px_cli *cli, const char *what, char *to, size_t cap, px_str *ret);

#endif
