/* args.h: the command line: options by a table, the rest in order. No globals, no permutation of argv. */
#ifndef PX_CLI_ARGS_H
#define PX_CLI_ARGS_H

#include "base/err.h"
#include "base/str.h"

struct px_opt {
    const char *name; /* without its dashes */
    const char *arg;  /* what its value is called; NULL: a flag */
    const char *help;
};

enum { PX_ARGS_OPTS = 32 };
struct px_args {
    const struct px_opt *opts[PX_ARGS_OPTS]; /* what is allowed */
    const char *values[PX_ARGS_OPTS];        /* NULL: not given; "" for a flag that is */
    size_t n_opts;
    const char **pos; /* what is not an option, in order; freed by px_args_finish */
    size_t n_pos;
    bool options_ended; /* "--" was seen */
};

void px_args_init(struct px_args *args);
void px_args_finish(struct px_args *args);
/** Allow more options. Those added first come first in error messages' suggestions. */
void px_args_allow(struct px_args *args, const struct px_opt *opts, size_t n);
/** Read argv[from..argc). With `stop_at_word`, stop before the first word that is not an option and return its index;
 *  otherwise argc. Strings are borrowed from argv. -EINVAL: err says which option, and names the nearest; -ENOMEM. */
PX_MUSTCHECK int px_args_read(struct px_args *args, int argc, char **argv, int from, bool stop_at_word,
                              struct px_err *err);
/** The value of an option that is in the table; NULL when it was not given. The last one counts. */
const char *px_args_get(const struct px_args *args, const char *name);
static inline bool px_args_has(const struct px_args *args, const char *name) {
    return px_args_get(args, name) != NULL;
}

/** "90", "1.5s", "500ms", "2m", "1h", "7d": *ret in milliseconds, 1 ms to ten years. A number alone counts seconds.
 *  -EINVAL. */
PX_MUSTCHECK int px_args_duration(const char *text, uint64_t *ret_ms);

#endif
