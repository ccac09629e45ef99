/* process.h: one child process that a plugin has started. process_table.c starts it and does what the plugin asks;
 * process_out.c gives the plugin what it says. Private to them.
 *
 * A worker is such a process: the plugin's own px_worker_v1 (worker.c). It speaks a protocol of lines.
 *   its stdin   first "MAX CONFIG": the longest line it may emit, and its configuration; then
 *               "=TEXT"  a line for line()
 *               "x N"    the first N of those lines are no longer wanted; comes in front of what waits
 *               "."      no more will come
 *   its stdout  "+"      open() has returned 0: HEAD
 *               "-N"     open() has failed with -N: END with that status
 *               "=TEXT"  a line for the plugin */
#ifndef PX_SERVICE_PROCESS_H
#define PX_SERVICE_PROCESS_H

#include "base/lines.h"
#include "reactor/child.h"
#include "service/private.h"

enum { PX_PROCESS_LINE = 1 << 20, PX_PROCESS_MOST = 64 << 20 };

struct px_process_stream {
    struct px_lines lines;
    uint32_t sub;    /* 1: stdout, 2: stderr */
    bool gap;        /* a line over its cap is being skipped */
    bool rest_given; /* what stood behind the last newline, at the end */
};

struct px_process_op {
    struct px_host_op_ref ref;
    struct px_child *child; /* NULL: it has exited */
    struct px_process_stream out, err;
    struct px_buf whole;
    uint32_t frame;
    bool worker, headed, paused, exited, timed_out;
    bool over, no_memory; /* it was stopped: its output is over max_bytes; there was no memory for it */
    bool opened_badly;    /* a worker's open() has failed, with open_status */
    int32_t open_status;
    struct px_child_ev exit;
    struct px_timer timeout;
    struct px_work more; /* HEAD, and what waited while it was paused */
    /* what goes to its stdin */
    bool ended;            /* nothing more will be written */
    bool end_due;          /* a worker has not been told so yet: there was no room */
    bool refused;          /* the plugin waits for ROOM */
    uint64_t lines;        /* to a worker, so far */
    uint64_t cancel, told; /* how many of them are cancelled; how many the worker was told */
    struct px_timer retry; /* tell it, when there is room */
};

/** For px_child_start. */
void px_process_on_child(void *user, const struct px_child_ev *ev);
/** HEAD of a command; and what was held back by a pause. */
void px_process_give_more(void *user);
/** In process_table.c: the child's stdin has room again. False: the operation is over. */
bool px_process_room(struct px_process_op *p);

#endif
