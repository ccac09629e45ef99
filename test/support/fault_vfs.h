/* fault_vfs.h: a VFS of SQLite's for tests, over the usual one: a disk that is full, that fails, or that loses power.
 * Included by one test file each; everything is static. */
#ifndef PX_TEST_FAULT_VFS_H
#define PX_TEST_FAULT_VFS_H

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fault_vfs {
    /* what is wrong with files whose path contains `only` (NULL: all) */
    const char *only;
    bool full;         /* no file can grow */
    bool no_growth_db; /* the same for the .db files alone: their WALs have room */
    int io;            /* this answer to every write and sync; 0: none */
    int io_read;       /* and to every read */
    bool no_open;      /* no file can be opened */
    /* the nth step from now on (open, read, write, sync, truncate, size, map) ends with nth_error */
    unsigned nth;
    int nth_error;
    bool nth_lasts; /* and so do all after it */
    bool nth_hit;   /* it came to that */
    /* what was seen */
    unsigned syncs_db, syncs_wal, failed_writes;
    /* a copy of each file as of its last sync goes here: what would be left if the power failed now; NULL: no copies */
    const char *durable;
} fault_vfs;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
    const char *path;
};

static inline sqlite3_vfs *fault_real(void) {
    return sqlite3_vfs_find("unix");
}
static inline struct fault_file *fault_of(sqlite3_file *file) {
    return (struct fault_file *)(void *)file;
}
static inline bool fault_hits(const char *path) {
    return !fault_vfs.only || (path && strstr(path, fault_vfs.only));
}
static inline bool fault_is_wal(const char *path) {
    return path && strlen(path) > 4 && strcmp(path + strlen(path) - 4, "-wal") == 0;
}

static inline void fault_copy(const char *from, const char *to) {
    char bytes[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        abort();
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)n) != n)
            abort();
    close(in);
    close(out);
}
static inline void fault_durable_path(const char *path, char ret[4096]) {
    const char *slash = strrchr(path, '/');
    snprintf(ret, 4096, "%s/%s", fault_vfs.durable, slash ? slash + 1 : path);
}

static inline int fault_step(void) {
    if (!fault_vfs.nth)
        return SQLITE_OK;
    if (fault_vfs.nth > 1) {
        fault_vfs.nth--;
        return SQLITE_OK;
    }
    fault_vfs.nth = fault_vfs.nth_lasts ? 1 : 0;
    fault_vfs.nth_hit = true;
    return fault_vfs.nth_error;
}

static int fault_close(sqlite3_file *f) {
    struct fault_file *file = fault_of(f);
    int rc = file->real->pMethods ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
    free(file->real);
    return rc;
}
static int fault_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
    int step = fault_step();
    if (step)
        return step;
    struct fault_file *file = fault_of(f);
    if (fault_vfs.io_read && fault_hits(file->path))
        return fault_vfs.io_read;
    return file->real->pMethods->xRead(file->real, to, n, at);
}
static int fault_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
    int step = fault_step();
    if (step)
        return step;
    struct fault_file *file = fault_of(f);
    if (fault_hits(file->path)) {
        sqlite3_int64 size = 0;
        if (fault_vfs.io) {
            fault_vfs.failed_writes++;
            return fault_vfs.io;
        }
        file->real->pMethods->xFileSize(file->real, &size);
        if (at + n > size && (fault_vfs.full || (fault_vfs.no_growth_db && !fault_is_wal(file->path))))
            return SQLITE_FULL;
    }
    return file->real->pMethods->xWrite(file->real, from, n, at);
}
static int fault_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int step = fault_step();
    if (step)
        return step;
    return fault_of(f)->real->pMethods->xTruncate(fault_of(f)->real, size);
}
static int fault_sync(sqlite3_file *f, int flags) {
    int step = fault_step();
    if (step)
        return step;
    struct fault_file *file = fault_of(f);
    (void)flags;
    if (fault_vfs.io && fault_hits(file->path))
        return SQLITE_IOERR_FSYNC;
    if (fault_is_wal(file->path))
        fault_vfs.syncs_wal++;
    else
        fault_vfs.syncs_db++;
    if (fault_vfs.durable && file->path) {
        char to[4096];
        fault_durable_path(file->path, to);
        fault_copy(file->path, to);
    }
    return SQLITE_OK;
}
static int fault_size(sqlite3_file *f, sqlite3_int64 *ret) {
    int step = fault_step();
    if (step)
        return step;
    return fault_of(f)->real->pMethods->xFileSize(fault_of(f)->real, ret);
}
static int fault_lock(sqlite3_file *f, int level) {
    return fault_of(f)->real->pMethods->xLock(fault_of(f)->real, level);
}
static int fault_unlock(sqlite3_file *f, int level) {
    return fault_of(f)->real->pMethods->xUnlock(fault_of(f)->real, level);
}
static int fault_check_lock(sqlite3_file *f, int *ret) {
    return fault_of(f)->real->pMethods->xCheckReservedLock(fault_of(f)->real, ret);
}
static int fault_control(sqlite3_file *f, int op, void *arg) {
    return fault_of(f)->real->pMethods->xFileControl(fault_of(f)->real, op, arg);
}
static int fault_sector(sqlite3_file *f) {
    return fault_of(f)->real->pMethods->xSectorSize(fault_of(f)->real);
}
static int fault_traits(sqlite3_file *f) {
    return fault_of(f)->real->pMethods->xDeviceCharacteristics(fault_of(f)->real);
}
static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret) {
    int step = fault_step();
    if (step)
        return step;
    return fault_of(f)->real->pMethods->xShmMap(fault_of(f)->real, page, size, extend, ret);
}
static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    return fault_of(f)->real->pMethods->xShmLock(fault_of(f)->real, offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f) {
    fault_of(f)->real->pMethods->xShmBarrier(fault_of(f)->real);
}
static int fault_shm_unmap(sqlite3_file *f, int delete) {
    return fault_of(f)->real->pMethods->xShmUnmap(fault_of(f)->real, delete);
}

static int fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags) {
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = fault_close,
        .xRead = fault_read,
        .xWrite = fault_write,
        .xTruncate = fault_truncate,
        .xSync = fault_sync,
        .xFileSize = fault_size,
        .xLock = fault_lock,
        .xUnlock = fault_unlock,
        .xCheckReservedLock = fault_check_lock,
        .xFileControl = fault_control,
        .xSectorSize = fault_sector,
        .xDeviceCharacteristics = fault_traits,
        .xShmMap = fault_shm_map,
        .xShmLock = fault_shm_lock,
        .xShmBarrier = fault_shm_barrier,
        .xShmUnmap = fault_shm_unmap,
    };
    struct fault_file *file = fault_of(f);
    (void)vfs;
    *file = (struct fault_file){.path = path};
    int step = fault_step();
    if (step)
        return step;
    if (fault_vfs.no_open && fault_hits(path))
        return SQLITE_CANTOPEN;
    file->real = calloc(1, (size_t)fault_real()->szOsFile);
    if (!file->real)
        return SQLITE_NOMEM;
    int rc = fault_real()->xOpen(fault_real(), path, file->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        file->base.pMethods = &methods;
    else
        free(file->real);
    return rc;
}
static int fault_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    (void)vfs;
    if (fault_vfs.durable) {
        char gone[4096];
        fault_durable_path(path, gone);
        unlink(gone);
    }
    return fault_real()->xDelete(fault_real(), path, sync);
}

/** The name to give as px_state_opts.vfs. */
static inline const char *fault_vfs_name(void) {
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        vfs = *fault_real();
        vfs.zName = "px_fault";
        vfs.szOsFile = sizeof(struct fault_file);
        vfs.xOpen = fault_open;
        vfs.xDelete = fault_delete;
        vfs.pNext = NULL;
        if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
            abort();
    }
    fault_vfs = (struct fault_vfs){0};
    return vfs.zName;
}

#endif
