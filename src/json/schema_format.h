/* schema_format.h: the formats that may be asserted. A format that is not among them is never wrong. */
#ifndef PX_JSON_SCHEMA_FORMAT_H
#define PX_JSON_SCHEMA_FORMAT_H

#include "base/str.h"

struct px_format {
    const char *name;
    const char *noun;    /* "a date and time" */
    const char *example; /* "2026-03-01T12:00:00Z" */
    bool (*check)(px_str text);
};

/** NULL: unknown. */
const struct px_format *px_format_find(px_str name);

#endif
