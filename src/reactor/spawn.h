/* spawn.h: the system calls that start a child process. Private to the reactor. */
#ifndef PX_REACTOR_SPAWN_H
#define PX_REACTOR_SPAWN_H

#include "reactor/child.h"

/** Our ends of the child's pipes, close-on-exec, not blocking; -1 where there is none. */
struct px_spawned {
    pid_t pid;
    int pidfd, in, out, err;
};

/** Nothing is left behind on failure, no process either. */
PX_MUSTCHECK int px_spawn(const struct px_child_spec *spec, struct px_spawned *ret, struct px_err *err);
/** KILL its group and wait for its end, which is near. */
void px_spawn_undo(pid_t pid);

#endif
