/* child.h: child processes, started in this one place. posix_spawn, every descriptor above 2 closed, signals reset, a
 * process group of its own, an environment that is given and not inherited.
 *
 * A child is an op of its scope. Its end, whether by px_child_stop, a cancel or a closing scope: stdin is closed, and what
 * still waited to be written is dropped; after `grace_ns` the group gets TERM; after as long again, KILL; then it is
 * reaped. A cancelled child's output is closed at once; it lives on as an orphan of the loop through these steps, and
 * counts in px_children_alive until it is reaped. px_children_kill is for those that are left when the loop has ended.
 *
 *   running --(exit)--> draining --(output read)--> EXIT --> freed
 *      \                  \--(cancel)--> freed
 *       \--(cancel)--> orphan --(exit)--> freed
 *
 * When the child exits, the rest of its group is killed, and what is in its pipes then is read: a process that left the
 * group and holds them open does not keep us. The `struct px_child` is valid until the EXIT callback returns or the op is
 * cancelled. Starting one ignores SIGPIPE for good, and undoes an inherited SIGCHLD that is ignored.
 */
#ifndef PX_REACTOR_CHILD_H
#define PX_REACTOR_CHILD_H

#include "base/str.h"
#include "reactor/op.h"

struct px_loop;
struct px_child;

enum px_child_ev_kind {
    PX_CHILD_OUT = 1, /* bytes of stdout */
    PX_CHILD_ERR,     /* bytes of stderr */
    PX_CHILD_ROOM,    /* the write queue has room again */
    PX_CHILD_EXIT     /* the last: it has exited, and all output was given; it counts as alive no more */
};
struct px_child_ev {
    enum px_child_ev_kind kind;
    px_str data;    /* OUT, ERR */
    int status;     /* EXIT: exit status (255: unknown, somebody else reaped it), or the signal */
    bool signalled; /* EXIT */
};
typedef void (*px_child_cb)(void *user, const struct px_child_ev *ev);

struct px_child_spec {
    const char *name;        /* a constant, for measuring */
    const char *const *argv; /* NULL-terminated; argv[0] is the file, an absolute path */
    const char *const *envp; /* NULL-terminated; NULL: empty */
    const char *cwd;         /* NULL: "/" */
    uint64_t grace_ns;       /* 0: 2 s */
    size_t write_cap;        /* bytes that may wait for its stdin; 0: 1 MiB */
    bool with_stdin;         /* else it reads /dev/null */
    int pass_fd;             /* > 2: becomes the child's descriptor 3; 0: none */
    /* Told once when it counts as alive no more: before EXIT, and for an orphan too. Not of a start that failed. */
    void (*gone)(void *ctx);
    void *gone_ctx;
};

enum { PX_CHILDREN_MAX = 256 };

/** `spec` is borrowed for this call only. -EAGAIN: PX_CHILDREN_MAX are alive; -ESHUTDOWN: the scope has closed. Otherwise
 *  the -errno of what failed, with words; no process is left then. */
PX_MUSTCHECK int px_child_start(struct px_loop *loop, struct px_scope *scope,
                                const struct px_child_spec *spec, px_child_cb cb, void *user,
                                struct px_child **ret, struct px_err *err);
/** The op to cancel it by. */
struct px_op *px_child_op(struct px_child *child);
pid_t px_child_pid(const struct px_child *child);
/** Whole or not at all; pieces of one turn leave together. -EAGAIN: no room now (write_cap bytes or 65,536 pieces wait):
 *  ROOM follows, unless it is stopped or exits first; -EMSGSIZE: more than the queue holds; -EPIPE: its stdin is closed;
 *  -ENOMEM. */
PX_MUSTCHECK int px_child_write(struct px_child *child, px_str bytes);
/** The same for a few bytes that should not be refused: they go in front of what waits, behind what is urgent too, but
 *  never inside a piece that was begun, and do not count against the cap. -EAGAIN: 64 KiB of them wait, and no ROOM will
 *  say when they do not; -EPIPE, -ENOMEM. */
PX_MUSTCHECK int px_child_write_urgent(struct px_child *child, px_str bytes);
/** Close its stdin when everything queued has been written. */
void px_child_close_stdin(struct px_child *child);
/** Hold back OUT (and the EXIT behind it), or let it come again. ERR comes all the same. */
void px_child_pause(struct px_child *child, bool paused);
/** End it as described above; its output and EXIT still come. Again does nothing. */
void px_child_stop(struct px_child *child);

/** Alive or not yet reaped, orphans included. */
uint32_t px_children_alive(const struct px_loop *loop);
/** KILL every group and reap, waiting up to 5 s in all (the one place that waits); for the very end of the process. No
 *  callback runs; the ops end as if cancelled. */
void px_children_kill(struct px_loop *loop);

#endif
