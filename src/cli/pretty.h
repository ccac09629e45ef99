/* pretty.h: JSON for a person: indented, coloured on a terminal, every value as it was written. */
#ifndef PX_CLI_PRETTY_H
#define PX_CLI_PRETTY_H

#include "cli/out.h"

/** `value` must have passed px_json_scan. Numbers and strings stay byte for byte, but that control characters which JSON
 *  allows raw (DEL, C1, marks that reorder text) are written as escapes. Without a newline at the end. */
void px_pretty(struct px_buf *to, px_str value, const struct px_out *out, unsigned indent);

/** Print JSON as a command's output, with a newline: indented on a terminal, else on one line. */
int px_pretty_print(struct px_out *out, px_str value);

#endif
