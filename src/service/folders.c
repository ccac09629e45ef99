/* Which plugin files there are. The folders are watched with inotify, and looked through now and then in any case; each
 * file that is new or changed is queued to be looked at (vetting.c).
 *
 *   QUEUED -> VETTING -> LOADED
 *       \---------\---> REFUSED     until the file changes
 *
 * While a file that changed is looked at, and when it is refused, what was loaded from it before goes on. */
#include "base/log.h"
#include "service/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum { FILES_MAX = 256, NAMES_MAX = 4096 };
static const uint64_t scan_ns = 60 * PX_S, scan_unwatched_ns = 5 * PX_S, gather_ns = 50 * PX_MS;

static bool is_plugin_name(const char *name) {
    size_t n = strlen(name);
    return name[0] != '.' && n > 3 && strcmp(name + n - 3, ".so") == 0;
}

/* ---- files ---- */

static void forget_file(struct px_services *services, struct px_plugin_file *file) {
    px_vetting_forget(services, file);
    px_list_remove(&file->node);
    free(file->path);
    free(file);
}

static struct px_plugin_file *find_file(struct px_services *services, const char *path) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (strcmp(file->path, path) == 0)
            return file;
    }
    return NULL;
}

static uint64_t ns_of(struct timespec t) {
    return (uint64_t)t.tv_sec * PX_S + (uint64_t)t.tv_nsec;
}

/* Whether it is as it was when it was queued; it is now. */
static bool same_stat(struct px_plugin_file *file, const struct stat *st) {
    uint64_t mtime = ns_of(st->st_mtim), ctime = ns_of(st->st_ctim);
    bool same = file->dev == st->st_dev && file->ino == st->st_ino && file->size == (uint64_t)st->st_size &&
                file->mtime_ns == mtime && file->ctime_ns == ctime;
    file->dev = st->st_dev;
    file->ino = st->st_ino;
    file->size = (uint64_t)st->st_size;
    file->mtime_ns = mtime;
    file->ctime_ns = ctime;
    return same;
}

static void queue(struct px_services *services, struct px_plugin_file *file) {
    px_vetting_forget(services, file);
    file->state = PX_FILE_QUEUED;
    file->tries = 0;
    file->not_before_ns = 0;
    file->duplicate = false;
}

static int see(struct px_services *services, size_t folder, const char *path, const struct stat *st) {
    struct px_plugin_file *file = find_file(services, path);
    if (file) {
        file->seen = true;
        if (!same_stat(file, st))
            queue(services, file);
        return 0;
    }
    file = calloc(1, sizeof *file);
    char *copy = px_str_dup(px_str_of(path));
    if (!file || !copy) {
        free(file);
        free(copy);
        return -ENOMEM;
    }
    file->path = copy;
    file->folder = folder;
    file->seen = true;
    same_stat(file, st);
    px_list_init(&file->node);
    px_list_add(&services->files, &file->node);
    queue(services, file);
    return 0;
}

void px_folders_plugin_gone(struct px_services *services) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->duplicate)
            queue(services, file);
    }
    px_vetting_next(services);
}

/* ---- scanning ---- */

struct names {
    char *names[NAMES_MAX];
    size_t n;
};

static void names_free(struct names *names) {
    for (size_t i = 0; i < names->n; i++)
        free(names->names[i]);
    free(names);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *dir, struct names *names) {
    while (names->n < NAMES_MAX) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return -errno;
        if (!is_plugin_name(entry->d_name))
            continue;
        char *name = px_str_dup(px_str_of(entry->d_name));
        if (!name)
            return -ENOMEM;
        names->names[names->n++] = name;
    }
    return 0;
}

/* In byte order. */
static int list_folder(const char *folder, struct names **ret) {
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    struct names *names = calloc(1, sizeof *names);
    int r = names ? read_names(dir, names) : -ENOMEM;
    closedir(dir);
    if (r) {
        if (names)
            names_free(names);
        return r;
    }
    qsort(names->names, names->n, sizeof *names->names, by_text);
    *ret = names;
    return 0;
}

static int see_files(struct px_services *services, size_t folder, const struct names *names) {
    size_t n = PX_MIN(names->n, (size_t)FILES_MAX);
    if (n < names->n && !services->watch->folder[folder].full)
        px_log(PX_LOG_ERROR, "plugin", "too many files: the rest is not looked at",
               PX_KV("folder", services->folders[folder]), PX_KI("files", names->n), PX_KI("most", n));
    services->watch->folder[folder].full = n < names->n;
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        struct stat st;
        int len = snprintf(path, sizeof path, "%s/%s", services->folders[folder], names->names[i]);
        if (len < 0 || (size_t)len >= sizeof path)
            continue;
        int r = lstat(path, &st) < 0 ? -errno : see(services, folder, path, &st);
        if (r && r != -ENOENT) /* it may just have gone */
            return r;
    }
    return 0;
}

static int scan_folder(struct px_services *services, size_t i, struct px_err *err) {
    const char *folder = services->folders[i];
    struct names *names = NULL;
    struct stat st;
    if (stat(folder, &st) < 0)
        return px_err_errno(err, -errno, "stat");
    int r = px_owner_check(st.st_uid, st.st_mode, "the folder", err);
    if (r)
        return r;
    r = list_folder(folder, &names);
    if (!r) {
        r = see_files(services, i, names);
        names_free(names);
    }
    return r ? px_err_errno(err, r, "it cannot be read") : 0;
}

/* What a scan could not say must not look like "gone": what is known of the folder stays. */
static void keep_folder(struct px_services *services, size_t folder) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->folder == folder)
            file->seen = true;
    }
}

/* A folder that was made again is another one. Adding a watch that is there changes nothing. */
static void watch_folder(struct px_services *services, size_t i) {
    const uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                          IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    services->watch->folder[i].wd = inotify_add_watch(services->watch->inotify, services->folders[i], what);
}

static void scan_one(struct px_services *services, size_t i) {
    struct px_err err;
    bool *told = &services->watch->folder[i].told;
    watch_folder(services, i); /* first: what changes from now on is another event */
    int r = scan_folder(services, i, &err);
    if (r && r != -ENOENT && r != -ENOTDIR)
        keep_folder(services, i);
    if (r && !*told)
        px_log(PX_LOG_WARNING, "plugin", "folder not used", PX_KV("folder", services->folders[i]),
               PX_KV("why", err.msg));
    *told = r != 0;
}

void px_folders_scan(struct px_services *services) {
    bool gone = false;
    PX_LIST_EACH (node, &services->files)
        px_list_entry(node, struct px_plugin_file, node)->seen = false;
    for (size_t i = 0; i < services->n_folders; i++)
        scan_one(services, i);
    PX_LIST_EACH_SAFE (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->seen)
            continue;
        px_log(PX_LOG_INFO, "plugin", "removed", PX_KV("file", file->path));
        forget_file(services, file);
        gone = true;
    }
    if (gone)
        px_folders_plugin_gone(services);
    services->watch->scanned = true;
    px_vetting_next(services);
    px_services_poke(services);
}

bool px_folders_settled(const struct px_services *services) {
    PX_LIST_EACH (node, &services->files) {
        const struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->state == PX_FILE_QUEUED || file->state == PX_FILE_VETTING)
            return false;
    }
    return services->watch && services->watch->scanned;
}

/* ---- watching ---- */

void px_folders_rescan_at(struct px_services *services, uint64_t when_ns) {
    struct px_timer *rescan = &services->watch->rescan;
    if (!rescan->armed || rescan->deadline_ns > when_ns)
        px_timer_arm(rescan, when_ns);
}

static void rescan(void *user) {
    struct px_services *services = user;
    uint64_t next = scan_ns;
    px_folders_scan(services);
    for (size_t i = 0; i < services->n_folders; i++) {
        if (services->watch->folder[i].wd < 0)
            next = scan_unwatched_ns; /* not there yet, or no watches left */
    }
    px_folders_rescan_at(services, px_loop_now(services->opts.loop) + next);
}

/* What it says does not matter, an overflow neither: a scan looks at everything. A short wait gathers several changes
 * into one. */
static void on_inotify(void *user, uint32_t events) {
    struct px_services *services = user;
    char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)events;
    if (read(services->watch->inotify, bytes, sizeof bytes) > 0)
        px_folders_rescan_at(services, px_loop_now(services->opts.loop) + gather_ns);
}

int px_folders_start(struct px_services *services, struct px_err *err) {
    struct px_folders *f = calloc(1, sizeof *f);
    if (!f)
        return px_err_set(err, -ENOMEM, "no memory to watch the plugin folders");
    services->watch = f;
    px_vetting_init(services);
    px_timer_init(&f->rescan, services->opts.loop, "plugin/folders", rescan, services);
    f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->inotify < 0)
        return px_err_errno(err, -errno, "inotify");
    int r = px_io_start(services->opts.loop, f->inotify, EPOLLIN, "plugin/folders", on_inotify, services,
                        &f->io, err);
    if (!r)
        px_timer_arm_in(&f->rescan, 0);
    return r;
}

void px_folders_stop(struct px_services *services) {
    struct px_folders *f = services->watch;
    if (!f)
        return;
    PX_LIST_EACH_SAFE (node, &services->files)
        forget_file(services, px_list_entry(node, struct px_plugin_file, node));
    px_vetting_stop(services);
    px_timer_disarm(&f->rescan);
    px_io_stop(&f->io);
    if (f->inotify >= 0)
        close(f->inotify);
    services->watch = NULL;
    free(f);
}
