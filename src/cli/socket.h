/* socket.h: where the host is, and how a session with it begins. */
#ifndef PX_CLI_SOCKET_H
#define PX_CLI_SOCKET_H

#include "cli/cli.h"

#define PX_SOCKET_DEFAULT "/run/plexus/planner.sock"
#define PX_SOCKET_LOCAL   "./run/planner.sock"

/** --socket, PLEXUS_SOCKET, the default one if it is there, ./run/planner.sock if it is a socket of ours or of root, the
 *  default one. Borrowed from the environment or static. */
const char *px_socket_path(const struct px_cli *cli);

/** Connect without waiting; the descriptor is non-blocking and close-on-exec. -errno; -EAGAIN: the host's backlog is full,
 *  try again soon. */
PX_MUSTCHECK int px_socket_connect(const char *path, int *ret_fd);
/** One sentence that helps with a failed connect. */
const char *px_socket_advice(int code);

/** The params of plexus/session when a token or a profile is wanted; otherwise `to` stays empty. Reads the token file now.
 *  -errno; err names the file, never what is in it. */
PX_MUSTCHECK int px_socket_session(const struct px_cli *cli, const char *client, struct px_buf *to,
                                   struct px_err *err);

#endif
