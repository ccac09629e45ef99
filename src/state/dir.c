#include "state/dir.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { MARK_SIZE = 32, PATH_CAP = 3800 };

static int find(struct px_dir *dir, const char *path, struct px_err *err) {
    if (path[0] != '/')
        return px_err_set(err, -EINVAL, "the state directory %s must be an absolute path", path);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return px_err_errno(err, -errno, "cannot make the state directory %s", path);
    dir->path = realpath(path, NULL);
    if (!dir->path)
        return px_err_errno(err, -errno, "the state directory %s", path);
    if (strlen(dir->path) > PATH_CAP)
        return px_err_set(err, -ENAMETOOLONG, "the path of the state directory is too long");
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->fd < 0)
        return px_err_errno(err, -errno, "cannot open the state directory %s", path);
    return 0;
}

static int check(const struct px_dir *dir, struct px_err *err) {
    struct stat st;
    if (fstat(dir->fd, &st) < 0)
        return px_err_errno(err, -errno, "cannot look at %s", dir->path);
    if (st.st_uid != geteuid())
        return px_err_set(
            err, -EACCES,
            "the state directory %s belongs to uid %u, not to uid %u: chown it, or name another", dir->path,
            (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & 077)
        return px_err_set(err, -EACCES, "others may enter the state directory %s (mode %03o): chmod 700 it",
                          dir->path, (unsigned)st.st_mode & 0777);
    return 0;
}

static void mark(const struct px_dir *dir, const char *word, long pid) {
    char text[MARK_SIZE + 1];
    int n = pid ? snprintf(text, sizeof text, "%s %ld", word, pid) : snprintf(text, sizeof text, "%s", word);
    memset(text + n, ' ', (size_t)(MARK_SIZE - n));
    text[MARK_SIZE - 1] = '\n';
    if (pwrite(dir->lock, text, MARK_SIZE, 0) != MARK_SIZE || (!dir->no_sync && fdatasync(dir->lock) < 0))
        px_log(PX_LOG_WARNING, "state", "cannot mark the lock file", PX_KV("dir", dir->path),
               PX_KV("error", strerror(errno)));
}

static int lock(struct px_dir *dir, struct px_err *err) {
    dir->lock = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dir->lock < 0)
        return px_err_errno(err, -errno, "cannot open %s/lock", dir->path);
    char text[MARK_SIZE + 1] = "";
    bool busy = flock(dir->lock, LOCK_EX | LOCK_NB) < 0;
    int failed = busy && errno != EWOULDBLOCK ? -errno : 0;
    ssize_t n = pread(dir->lock, text, MARK_SIZE, 0);
    text[n > 0 ? n : 0] = 0;
    if (failed)
        return px_err_errno(err, failed, "cannot lock %s/lock", dir->path);
    if (busy) {
        long pid = 0;
        if (sscanf(text, "running %ld", &pid) != 1)
            pid = 0;
        return px_err_set(err, -EBUSY, "another process (pid %ld) uses the state directory %s", pid,
                          dir->path);
    }
    dir->unclean = strncmp(text, "clean", 5) != 0;
    mark(dir, "running", (long)getpid());
    return 0;
}

int px_dir_open(struct px_dir *dir, const char *path, bool no_sync, struct px_err *err) {
    *dir = (struct px_dir){.fd = -1, .lock = -1, .no_sync = no_sync};
    int r = find(dir, path, err);
    if (!r)
        r = check(dir, err);
    if (!r)
        r = lock(dir, err);
    if (r)
        px_dir_close(dir, false);
    return r;
}

void px_dir_close(struct px_dir *dir, bool clean) {
    if (clean)
        mark(dir, "clean", 0);
    if (dir->lock >= 0)
        close(dir->lock);
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    *dir = (struct px_dir){.fd = -1, .lock = -1};
}
