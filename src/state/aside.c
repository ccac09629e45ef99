#include "state/aside.h"
#include "base/log.h"
#include "state/dir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *marker(const char *name, char buf[PX_ASIDE_NAME]) {
    snprintf(buf, PX_ASIDE_NAME, "%s.damaged", name);
    return buf;
}

bool px_aside_marked(const struct px_dir *dir, const char *name) {
    char buf[PX_ASIDE_NAME];
    return faccessat(dir->fd, marker(name, buf), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void sync_dir(const struct px_dir *dir) {
    if (!dir->no_sync && fsync(dir->fd) < 0)
        px_log(PX_LOG_WARNING, "state", "cannot sync the state directory", PX_KV("error", strerror(errno)));
}

void px_aside_mark(const struct px_dir *dir, const char *name) {
    char buf[PX_ASIDE_NAME];
    PX_AUTOCLOSE int fd =
        openat(dir->fd, marker(name, buf), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        px_log(PX_LOG_WARNING, "state", "cannot mark a damaged file", PX_KV("file", name),
               PX_KV("error", strerror(errno)));
    else
        sync_dir(dir);
}

/* A name that is free, also for what stands beside the file. */
static int find_name(const struct px_dir *dir, const char *name, char ret[PX_ASIDE_NAME]) {
    char stamp[32], beside[PX_ASIDE_NAME + 8];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    for (int i = 0; i < 1000; i++) {
        if (i == 0)
            snprintf(ret, PX_ASIDE_NAME, "%s.corrupt-%s", name, stamp);
        else
            snprintf(ret, PX_ASIDE_NAME, "%s.corrupt-%s.%d", name, stamp, i);
        snprintf(beside, sizeof beside, "%s-wal", ret);
        if (faccessat(dir->fd, ret, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
            faccessat(dir->fd, beside, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
    }
    return -EEXIST;
}

int px_aside(const struct px_dir *dir, const char *name, const char *why, char ret_name[PX_ASIDE_NAME],
             struct px_err *err) {
    static const char *const tails[] = {"-wal", "-shm", ""}; /* the file last: see the header */
    char from[PX_ASIDE_NAME], to[PX_ASIDE_NAME + 8], new_name[PX_ASIDE_NAME], buf[PX_ASIDE_NAME];
    int r = find_name(dir, name, new_name);
    if (r)
        return px_err_set(err, r, "%s/%s is damaged, and no name is free to set it aside", dir->path, name);
    px_aside_mark(dir, name);
    bool any = false;
    for (size_t i = 0; i < PX_COUNT(tails); i++) {
        snprintf(from, sizeof from, "%s%s", name, tails[i]);
        snprintf(to, sizeof to, "%s%s", new_name, tails[i]);
        if (renameat(dir->fd, from, dir->fd, to) == 0)
            any = true;
        else if (errno != ENOENT)
            return px_err_errno(err, -errno, "%s/%s is damaged, and cannot be renamed to %s", dir->path, from,
                                to);
    }
    sync_dir(dir);
    unlinkat(dir->fd, marker(name, buf), 0);
    sync_dir(dir);
    ret_name[0] = 0;
    if (any) {
        memcpy(ret_name, new_name, sizeof new_name);
        px_log(PX_LOG_CRITICAL, "state", "a damaged file was set aside, and a fresh one begins",
               PX_KV("file", name), PX_KV("renamed_to", new_name), PX_KV("dir", dir->path),
               PX_KV("why", why));
    }
    return 0;
}
