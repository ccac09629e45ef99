#include "base/log.h"
#include "front/conn.h"
#include <fcntl.h>
#include <sys/socket.h>

enum { ACCEPTS_A_TURN = 64, GROUPS = 1024 };
static const uint64_t pause_ns = PX_S / 2;

/* ---- how many each uid has ---- */

static px_str uid_key(const uid_t *uid) {
    return px_str_n((const char *)uid, sizeof *uid);
}

static struct px_front_uid *uid_get(struct px_front *front, uid_t uid) {
    struct px_front_uid *entry = px_map_get(&front->uids, uid_key(&uid));
    if (!entry) {
        entry = calloc(1, sizeof *entry);
        if (!entry)
            return NULL;
        entry->uid = uid;
        if (px_map_put(&front->uids, uid_key(&entry->uid), entry, NULL)) {
            free(entry);
            return NULL;
        }
    }
    entry->n++;
    return entry;
}

void px_front_uid_put(struct px_front *front, struct px_front_uid *entry) {
    if (!entry || --entry->n)
        return;
    px_map_remove(&front->uids, uid_key(&entry->uid));
    free(entry);
}

/* ---- refusing ---- */

/* A line that says why, if the socket takes it at once. */
static void refuse(struct px_front *front, int fd, int32_t code, const char *words) {
    struct px_buf line;
    px_buf_init(&line, 4096);
    if (px_mcp_refusal(&line, code, px_str_of(words)) == 0 &&
        send(fd, line.p, line.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        shutdown(fd, SHUT_WR);
    px_buf_finish(&line);
    close(fd);
    front->stats.refused++;
}

static void say_shed(struct px_front *front, const char *why) {
    uint64_t now = px_loop_now(front->loop);
    front->stats.shed++;
    if (front->said_ns && now - front->said_ns < 10 * PX_S)
        return;
    front->said_ns = now;
    px_log(PX_LOG_ERROR, "front", "cannot take connections", PX_KV("why", why),
           PX_KI("shed", front->stats.shed), PX_KI("connections", front->stats.connections));
}

static int spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_accepting(struct px_front *front) {
    if (px_io_want(front->io, 0) == 0)
        px_timer_arm_in(&front->resume, pause_ns);
}

void px_front_resume(void *user) {
    struct px_front *front = user;
    if (front->reserve < 0)
        front->reserve = spare();
    if (front->io && px_io_want(front->io, EPOLLIN))
        px_timer_arm_in(&front->resume, pause_ns);
}

/* No descriptor is left. The connection that waits would wake us for ever: take it with the one we kept, and close it, so
 * that the planner hears of it. -EAGAIN: none waits any more; another error: even that does not work. */
static int shed_one(struct px_front *front, int error) {
    if (error != EMFILE || front->reserve < 0) {
        say_shed(front, strerror(error));
        return -error;
    }
    close(px_take_fd(&front->reserve));
    int fd = accept4(front->fd, NULL, NULL, SOCK_CLOEXEC), r = fd < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
        say_shed(front, strerror(error));
    }
    front->reserve = spare();
    return r ? r : front->reserve < 0 ? -EMFILE : 0;
}

/* ---- who is there ---- */

static int read_peer(int fd, gid_t groups[GROUPS], struct px_peer *ret) {
    struct ucred who;
    socklen_t n = sizeof who, size = GROUPS * sizeof *groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return -errno;
    *ret = (struct px_peer){
        .uid = who.uid, .gid = who.gid, .pid = who.pid, .groups = groups, .n_groups = size / sizeof *groups};
    return 0;
}

static void take(struct px_front *front, int fd) {
    struct px_peer peer;
    gid_t groups[GROUPS];
    struct px_session *session;
    struct px_err err = {0};
    front->stats.accepted++;
    int r = read_peer(fd, groups, &peer);
    if (r) { /* whom we do not know in full is not let in: a rule might be about the rest */
        refuse(front, fd, PX_FORBIDDEN,
               r == -ERANGE ? "you are in more groups than this host can look at"
                            : "the kernel does not say who is connecting");
        return;
    }
    if (front->stats.connections >= front->limits.connections) {
        refuse(front, fd, PX_UNAVAILABLE, "too many planners are connected: try again later");
        return;
    }
    struct px_front_uid *uid = uid_get(front, peer.uid);
    if (!uid || uid->n > front->limits.connections_per_uid) {
        refuse(front, fd, PX_UNAVAILABLE, "too many planners of this user are connected: close some");
        px_front_uid_put(front, uid);
        return;
    }
    r = px_session_open(front->gate, front->scope, &peer, &session, &err);
    if (r) {
        refuse(front, fd, r == -EACCES ? PX_FORBIDDEN : PX_UNAVAILABLE, err.msg);
        px_front_uid_put(front, uid);
        return;
    }
    r = px_conn_open(front, fd, session, uid, peer.pid, &err);
    if (r)
        say_shed(front, err.msg);
}

void px_front_acceptable(void *user, uint32_t events) {
    struct px_front *front = user;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(front->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(front, fd);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        int r = shed_one(front, errno);
        if (r == -EAGAIN)
            return;
        if (r) {
            pause_accepting(front);
            return;
        }
    }
}
