/* schema_own.h: JSON against a schema that is part of the program: compiled when it is first used. */
#ifndef PX_JSON_SCHEMA_OWN_H
#define PX_JSON_SCHEMA_OWN_H

#include "json/schema.h"

struct px_schema_own {
    const unsigned char *text;
    const size_t *size;
    struct px_schema *compiled; /* NULL: not yet */
};
/** Parse and check. -EINVAL with words ("what: /pointer: expected …"); errors of px_json_parse and px_schema_compile, with "what: " in
 *  front. */
PX_MUSTCHECK int px_schema_own_check(struct px_schema_own *own, px_str json, const char *what,
                                     struct px_err *err);
/** For the end of the process, so that its leaks are real ones. */
void px_schema_own_forget(struct px_schema_own *own);

#endif
