/* callargs.h: a call's arguments from the command line, to JSON. Nothing is converted: `name=text` is a string whatever it
 * looks like, `name:=json` is JSON as it stands. */
#ifndef PX_CLI_CALLARGS_H
#define PX_CLI_CALLARGS_H

#include "base/buf.h"
#include "base/err.h"

struct px_callarg {
    px_str name, value;
    bool raw; /* name:=json */
};

/** Split one word at its first "=". -EINVAL: there is none, the name is empty, or a raw value is not JSON. */
PX_MUSTCHECK int px_callarg_read(const char *word, struct px_callarg *ret, struct px_err *err);

/** Write the arguments object: the members of `object` (absent: none), then the words'. -EINVAL: a word is wrong, a name
 *  comes twice, or `object` is not a JSON object; -EMSGSIZE. */
PX_MUSTCHECK int px_callargs_build(px_str object, const char *const *words, size_t n, struct px_buf *to,
                                   struct px_err *err);

#endif
