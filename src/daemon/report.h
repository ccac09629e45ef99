/* report.h: what is wrong with a configuration: one line for each problem, as compilers write them, so that editors find
 * the place:   plexus.json:12:18: services.data.config.budget_ms: expected a number above 0, got "2s" */
#ifndef PX_DAEMON_REPORT_H
#define PX_DAEMON_REPORT_H

#include "base/buf.h"

enum { PX_REPORT_MAX = 200 };

struct px_report {
    struct px_buf text; /* lines; those over PX_REPORT_MAX are only counted */
    unsigned errors, warnings;
};

/** A place: a file, and a value in it. */
struct px_place {
    px_str file;    /* as a person would write it */
    px_str text;    /* of the file, scanned; absent: no line and column */
    px_str pointer; /* RFC 6901; "" is the whole */
    bool of_key;    /* the key that leads to the value, rather than the value */
};

void px_report_init(struct px_report *report);
void px_report_finish(struct px_report *report);
void px_report_error(struct px_report *report, const struct px_place *place, const char *format, ...)
    PX_PRINTF(3, 4);
/** The same with "warning: " in front; does not count as an error. */
void px_report_warning(struct px_report *report, const struct px_place *place, const char *format, ...)
    PX_PRINTF(3, 4);
/** The place alone, as it stands in front of a problem: "plexus.json:12:18: services.data.config: ". to->failed. */
void px_report_place(struct px_buf *to, const struct px_place *place);
/** An error at a byte of the file, for text that is not JSON. */
void px_report_error_at(struct px_report *report, px_str file, px_str text, size_t at, const char *message);

#endif
