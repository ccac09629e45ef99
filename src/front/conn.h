/* conn.h: what the files of this room share; private to it. */
#ifndef PX_FRONT_CONN_H
#define PX_FRONT_CONN_H

#include "base/lines.h"
#include "base/list.h"
#include "base/map.h"
#include "front/front.h"
#include "net/listen.h"
#include "reactor/loop.h"
#include "reactor/timer.h"

enum { PX_FRONT_SCRATCH = 64 * 1024 };

/* How many connections a uid has. */
struct px_front_uid {
    uid_t uid; /* the map's key are its bytes */
    uint32_t n;
};

struct px_front {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_gate *gate;
    struct px_mcp *mcp;
    struct px_front_limits limits;
    struct px_front_stats stats;
    int fd;      /* -1: not listening any more */
    int reserve; /* a descriptor to spare, for when there are none left; -1: none */
    struct px_io *io;
    struct px_listen_file file;
    struct px_list_node conns;
    struct px_list_node dirty; /* those that have to be looked at when the turn ends */
    struct px_list_node warm;  /* those that may hold buffers they do not need */
    struct px_map uids;
    struct px_hook flush;
    struct px_work wake; /* keeps the loop from waiting while there is a dirty one */
    struct px_timer sweep, resume;
    uint64_t said_ns; /* when a shed connection was last logged */
    bool draining, told;
    struct px_work drained;
    void (*on_drained)(void *ctx);
    void *on_drained_ctx;
    char scratch[PX_FRONT_SCRATCH]; /* what was read, until it is cut into lines */
};

enum px_conn_state { PX_CONN_OPEN, PX_CONN_INPUT_ENDED, PX_CONN_LINGERING };
struct px_conn {
    struct px_front *front;
    int fd;
    struct px_io *io;
    struct px_session *session;
    struct px_mcp_peer *peer;
    struct px_list_node node, in_dirty, in_warm;
    struct px_front_uid *uid;
    pid_t pid;
    enum px_conn_state state;
    const char *why;       /* we end it, because */
    struct px_lines lines; /* what came and was not handled yet */
    struct px_work more;   /* goes on with whole lines that wait */
    struct px_timer timer; /* output does not move; or the end of lingering */
    int unread;            /* bytes that it had not read when the timer was armed */
    size_t held;           /* bytes of its buffers, as counted in stats.buffers */
    bool backlog;          /* whole lines may wait in `lines` */
    bool blocked;          /* the socket takes no more output */
    bool shut;             /* lingering: our side is shut down */
    bool active;           /* since the last sweep */
};

/* listen.c */
int px_front_listen(struct px_front *front, const char *path, mode_t mode, gid_t group, struct px_err *err);
int px_front_adopt(struct px_front *front, int fd, struct px_err *err);
/** Stop listening; a socket file of ours goes. */
void px_front_unlisten(struct px_front *front);

/* accept.c */
void px_front_acceptable(void *user, uint32_t events);
void px_front_resume(void *user);
void px_front_uid_put(struct px_front *front, struct px_front_uid *uid);

/* conn.c */
/** Takes the descriptor and the session, also when it fails. */
int px_conn_open(struct px_front *front, int fd, struct px_session *session, struct px_front_uid *uid,
                 pid_t pid, struct px_err *err);
void px_conn_close(struct px_conn *conn);
/** To be looked at when this turn ends. */
void px_conn_dirty(struct px_conn *conn);
/** Send what waits, and see what follows from it. The connection may be gone after this. */
void px_conn_flush(struct px_conn *conn);
/** Give back buffers that are not in use. */
void px_conn_relax(struct px_conn *conn);

#endif
