/* child.h: child processes, started in this one place. posix_spawn, every descriptor above 2 closed, signals reset, a
 * process group of its own, an environment that is given and not inherited.
 *
 * A child is an op of its scope. Its end, whether by px_child_stop, a cancel or a closing scope: stdin is closed; after
 * `grace_ns` the group gets TERM; after as long again, KILL; then it is reaped. A cancelled child lives on as an orphan of
 * the loop through these steps, and counts in px_children_alive until it is reaped.
 *
 *   running --(exit, output read to its end)--> EXIT --> freed
 *      \--(cancel)--> orphan --(exit)--> freed
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
    PX_CHILD_EXIT     /* the last: it has exited, and all output was given */
};
struct px_child_ev {
    enum px_child_ev_kind kind;
    px_str data;    /* OUT, ERR */
    int status;     /* EXIT: exit status, or the signal */
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
};

enum { PX_CHILDREN_MAX = 256 };

/** -EAGAIN: PX_CHILDREN_MAX are alive. Otherwise the -errno of what failed, with words. */
PX_MUSTCHECK int px_child_start(struct px_loop *loop, struct px_scope *scope,
                                const struct px_child_spec *spec, px_child_cb cb, void *user,
                                struct px_child **ret, struct px_err *err);
/** The op to cancel it by. */
struct px_op *px_child_op(struct px_child *child);
pid_t px_child_pid(const struct px_child *child);
/** Whole or not at all. -EAGAIN: no room now, ROOM follows; -EMSGSIZE: more than the queue holds; -EPIPE: closed. */
PX_MUSTCHECK int px_child_write(struct px_child *child, px_str bytes);
/** The same for a few bytes that must not be refused: they go in front of what waits, but never inside a piece that was
 *  begun, and do not count against the cap. -EPIPE, -ENOMEM. */
PX_MUSTCHECK int px_child_write_urgent(struct px_child *child, px_str bytes);
/** Close its stdin when everything queued has been written. */
void px_child_close_stdin(struct px_child *child);
/** Hold back OUT (and the EXIT behind it), or let it come again. */
void px_child_pause(struct px_child *child, bool paused);
/** End it as described above; EXIT still comes. */
void px_child_stop(struct px_child *child);

/** Alive or not yet reaped, orphans included. */
uint32_t px_children_alive(const struct px_loop *loop);
/** KILL every group and reap, waiting up to 1 s in all; for the very end of the process. */
void px_children_kill(struct px_loop *loop);

#endif
