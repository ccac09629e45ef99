/* border.h: what the plugin `border` is made of. It is well-behaved and suspicious: every entry into it is counted, and one
 * inside another ends the process (rule 1 of plugin.h); what it sees is written to a file that the test reads. */
#ifndef BORDER_H
#define BORDER_H

#include <plexus/plugin.h>
#include <stdint.h>

enum {
    STARTS_FAIL = 1,
    ENDS_ONCE,
    CANCELS,
    MEMORY,
    ANSWERS,
    REFUSED_ANSWER,
    HOLD,
    FILL_CHILDREN,
    ONE_CHILD,
    STOP_CHILD,
    WRITES_TO_CHILD,
    PAUSES,
    LINES,
    CLOSE_OTHER,
    SCOPE_ORDER,
    SECRETS,
    TALK,
    WRITE,
    W_CANCEL,
    W_DIE,
    W_FLOOD,
    W_LONG,
    W_BAD_OPEN,
    W_EXIT,
    W_END
};

struct border {
    px_service_h service;
    px_scope_h own; /* a scope below the service's, for CLOSE_OTHER */
    px_call_h old;  /* one that was answered */
    int in_cancel;  /* what cancel() answers: 0: nothing, 1: it is done, 2: it failed */
    char name[40];
};

/* One call: memory of its scope. */
struct job {
    struct border *self;
    px_call_h call;
    px_op_h op, other;
    int step, n, m, bad; /* bad: the line of the first check that failed */
    uint64_t bytes;
};

extern const struct px_host *host;
void border_trace(const struct border *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void border_enter(void);
void border_leave(void);
void border_text(px_call_h call, const char *words);
/** "ok", or the line of the check that failed. */
void border_answer(struct job *job);

#define CHECK(job, what)                                                                                     \
    do {                                                                                                     \
        if (!(what) && !(job)->bad)                                                                          \
            (job)->bad = __LINE__;                                                                           \
    } while (0)

void border_ops(struct border *self, struct job *job, const struct px_call_in *in);
void border_processes(struct border *self, struct job *job, const struct px_call_in *in);

#endif
