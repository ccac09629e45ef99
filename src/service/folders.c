/* Which plugin files there are, and what came of looking at each. The folders are watched with inotify; each file that is
 * new or changed is checked here, vetted in a child (unless these very bytes passed before), and loaded.
 *
 *   QUEUED -> VETTING -> LOADED
 *       \---------\---> REFUSED     until the file changes
 */
#include "base/log.h"
#include "reactor/child.h"
#include "service/private.h"
#include "state/store.h"
#include "json/scan.h"
#include "json/slice.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum { FILES_MAX = 256, VETTING_MAX = 2, VET_OUTPUT_MAX = 16 << 20 };
static const uint64_t vet_timeout_ns = 5 * PX_S;

/* One file on its way through the child. */
struct vetting {
    struct px_services *services;
    struct px_plugin_file *file;
    int memfd;
    uint64_t hash[4];
    char key[80]; /* what the store knows these bytes by */
    struct px_child *child;
    struct px_op *look_up;
    struct px_buf out;
    struct px_timer timeout;
    bool timed_out;
    struct px_list_node node;
};

struct px_folders {
    int inotify;
    struct px_io *io;
    int wd[8];
    struct px_timer rescan; /* soon after a change; and now and then, in case inotify missed one */
    struct px_list_node vettings;
    bool scanned;
};

static void next_file(struct px_services *services);

static bool is_plugin_name(const char *name) {
    size_t n = strlen(name);
    return name[0] != '.' && n > 3 && strcmp(name + n - 3, ".so") == 0;
}

static void refuse(struct px_services *services, struct px_plugin_file *file, const struct px_err *err) {
    file->state = PX_FILE_REFUSED;
    memcpy(file->why, err->msg, sizeof file->why);
    px_log(PX_LOG_ERROR, "plugin", "refused", PX_KV("file", file->path), PX_KV("why", err->msg));
    px_services_poke(services);
}

/* ---- loading ---- */

static struct px_plugin_file *other_with_name(struct px_services *services, const struct px_plugin_file *file,
                                              const char *name) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *other = px_list_entry(node, struct px_plugin_file, node);
        if (other != file && other->state == PX_FILE_LOADED && strcmp(other->lib->vtable.name, name) == 0)
            return other;
    }
    return NULL;
}

/* The code of a descriptor once loaded stays; the same bytes loaded again are the same plugin. */
static struct px_lib *loaded_before(struct px_services *services, const uint64_t hash[4]) {
    PX_LIST_EACH (node, &services->libs) {
        struct px_lib *lib = px_list_entry(node, struct px_lib, node);
        if (memcmp(lib->hash, hash, sizeof lib->hash) == 0)
            return lib;
    }
    return NULL;
}

static void load(struct px_services *services, struct px_plugin_file *file, int memfd,
                 const uint64_t hash[4]) {
    struct px_err err;
    struct px_lib *lib = loaded_before(services, hash);
    if (lib) {
        close(memfd);
    } else {
        if (px_lib_load(memfd, file->path, &lib, &err)) {
            /* The descriptor stays open: its number must not come back under the name that dlopen knows. */
            refuse(services, file, &err);
            return;
        }
        memcpy(lib->hash, hash, sizeof lib->hash);
        px_list_add(&services->libs, &lib->node);
    }
    const struct px_plugin_file *other = other_with_name(services, file, lib->vtable.name);
    if (other) {
        px_err_set(&err, -EEXIST, "plugin \"%s\" is loaded already, from %.120s: remove one of them",
                   lib->vtable.name, other->path);
        refuse(services, file, &err);
        return;
    }
    file->lib = lib;
    file->state = PX_FILE_LOADED;
    file->why[0] = 0;
    px_log(PX_LOG_INFO, "plugin", "loaded", PX_KV("name", lib->vtable.name),
           PX_KV("version", lib->vtable.version ? lib->vtable.version : ""), PX_KV("file", file->path));
    px_services_poke(services);
}

/* ---- vetting ---- */

static void vetting_end(struct vetting *v) {
    struct px_services *services = v->services;
    if (v->memfd >= 0)
        close(v->memfd);
    px_timer_disarm(&v->timeout);
    px_op_cancel(&v->look_up);
    if (v->child) {
        struct px_op *op = px_child_op(v->child);
        px_op_cancel(&op);
    }
    px_buf_finish(&v->out);
    px_list_remove(&v->node);
    free(v);
    services->vetting--;
    next_file(services);
    px_services_poke(services);
}

/* The last line that the child wrote. */
static int verdict(const struct vetting *v, const struct px_child_ev *exit, struct px_err *err) {
    px_str text = px_buf_view(&v->out), value;
    struct px_json_scan scan;
    struct px_arena arena;
    if (v->timed_out)
        return px_err_set(err, -ETIMEDOUT,
                          "loading it took more than %u s: does a constructor wait for something?",
                          (unsigned)(vet_timeout_ns / PX_S));
    if (exit->signalled)
        return px_err_set(err, -ENOEXEC, "loading it ended the process with signal %d", exit->status);
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    const char *newline = text.n ? memrchr(text.p, '\n', text.n) : NULL;
    if (newline)
        text = px_str_n(newline + 1, text.n - (size_t)(newline + 1 - text.p));
    if (px_json_scan(text, NULL, &scan, NULL, NULL))
        return px_err_set(err, -ENOEXEC, "loading it ended the process with status %d", exit->status);
    if (exit->status == 0 && px_json_slice_get(scan.value, PX_LIT("ok"), &value) == 0 &&
        px_str_is(value, "true"))
        return 0;
    px_arena_init(&arena, 1 << 16);
    px_str words = {0};
    if (px_json_slice_get(scan.value, PX_LIT("error"), &value) || px_json_slice_text(&arena, value, &words))
        words = PX_LIT("it cannot be used");
    px_err_set(err, -ENOEXEC, PX_FMT, PX_ARG(words));
    px_arena_finish(&arena);
    return -ENOEXEC;
}

static void on_vet_child(void *user, const struct px_child_ev *ev) {
    struct vetting *v = user;
    struct px_err err;
    if (ev->kind == PX_CHILD_OUT && px_buf_str(&v->out, ev->data))
        px_child_stop(v->child);
    if (ev->kind != PX_CHILD_EXIT)
        return;
    v->child = NULL;
    if (!v->file) {
        vetting_end(v);
    } else if (verdict(v, ev, &err)) {
        struct px_plugin_file *file = v->file;
        refuse(v->services, file, &err);
        vetting_end(v);
    } else {
        if (px_store_put(v->services->opts.state, v->services->scope, PX_LIT("plexus"), px_str_of(v->key),
                         PX_LIT("1"), NULL, NULL, NULL))
            px_log(PX_LOG_DEBUG, "plugin", "the verdict is not remembered", PX_KV("file", v->file->path));
        load(v->services, v->file, px_take_fd(&v->memfd), v->hash);
        vetting_end(v);
    }
}

static void vet_timed_out(void *user) {
    struct vetting *v = user;
    v->timed_out = true;
    if (v->child)
        px_child_stop(v->child);
}

static void start_child(struct vetting *v) {
    static const char *const envp[] = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
    const char *argv[] = {v->services->self_exe, "--vet", NULL};
    struct px_child_spec spec = {
        .name = "plugin/vet", .argv = argv, .envp = envp, .pass_fd = v->memfd, .grace_ns = 100 * PX_MS};
    struct px_err err;
    if (px_child_start(v->services->opts.loop, v->services->scope, &spec, on_vet_child, v, &v->child, &err)) {
        refuse(v->services, v->file, &err);
        vetting_end(v);
        return;
    }
    px_timer_arm_in(&v->timeout, vet_timeout_ns);
}

static void looked_up(void *user, const struct px_store_result *result) {
    struct vetting *v = user;
    v->look_up = NULL;
    if (!v->file) {
        vetting_end(v);
    } else if (result->status == 0 && !result->absent) {
        load(v->services, v->file, px_take_fd(&v->memfd), v->hash);
        vetting_end(v);
    } else {
        start_child(v);
    }
}

static void look_at(struct px_services *services, struct px_plugin_file *file) {
    struct px_err err;
    struct vetting *v = calloc(1, sizeof *v);
    if (!v) {
        px_err_set(&err, -ENOMEM, "no memory to look at it");
        refuse(services, file, &err);
        return;
    }
    if (px_plugin_file_open(file->path, &v->memfd, v->hash, &err)) {
        free(v);
        refuse(services, file, &err);
        return;
    }
    v->services = services;
    v->file = file;
    px_buf_init(&v->out, VET_OUTPUT_MAX);
    px_timer_init(&v->timeout, services->opts.loop, "plugin/vet", vet_timed_out, v);
    px_list_init(&v->node);
    px_list_add(&services->watch->vettings, &v->node);
    services->vetting++;
    file->state = PX_FILE_VETTING;
    snprintf(v->key, sizeof v->key, "vet:" PX_VERSION ":%016llx%016llx%016llx",
             (unsigned long long)v->hash[0], (unsigned long long)v->hash[1], (unsigned long long)v->hash[2]);
    if (px_store_get(services->opts.state, services->scope, PX_LIT("plexus"), px_str_of(v->key), looked_up, v,
                     &v->look_up))
        start_child(v);
}

static void next_file(struct px_services *services) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->state != PX_FILE_QUEUED)
            continue;
        if (services->vetting >= VETTING_MAX)
            return;
        look_at(services, file);
        next_file(
            services); /* the list may have changed under us; the depth is bounded by VETTING_MAX and refusals */
        return;
    }
}

/* ---- scanning ---- */

static void forget_file(struct px_services *services, struct px_plugin_file *file) {
    PX_LIST_EACH (node, &services->watch->vettings) {
        struct vetting *v = px_list_entry(node, struct vetting, node);
        if (v->file == file)
            v->file = NULL; /* its child goes on to its end, for nobody */
    }
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

static void see(struct px_services *services, const char *path, const struct stat *st) {
    struct px_plugin_file *file = find_file(services, path);
    struct px_plugin_file now = {.dev = st->st_dev,
                                 .ino = st->st_ino,
                                 .size = (uint64_t)st->st_size,
                                 .mtime_ns = ns_of(st->st_mtim),
                                 .ctime_ns = ns_of(st->st_ctim)};
    if (file && file->dev == now.dev && file->ino == now.ino && file->size == now.size &&
        file->mtime_ns == now.mtime_ns && file->ctime_ns == now.ctime_ns) {
        file->seen = true;
        return;
    }
    if (file)
        forget_file(services, file);
    file = malloc(sizeof *file);
    char *copy = px_str_dup(px_str_of(path));
    if (!file || !copy) {
        free(file);
        free(copy);
        return; /* the next scan tries again */
    }
    *file = now;
    file->path = copy;
    file->seen = true;
    file->state = PX_FILE_QUEUED;
    px_list_init(&file->node);
    px_list_add(&services->files, &file->node);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in byte order, so that of two files with one plugin it is always the same that wins. */
static void scan_folder(struct px_services *services, const char *folder) {
    struct stat st;
    struct px_err err;
    char *names[FILES_MAX];
    size_t n = 0;
    if (stat(folder, &st) < 0 || px_owner_check(st.st_uid, st.st_mode, "the folder", &err)) {
        static bool said;
        if (!said)
            px_log(PX_LOG_WARNING, "plugin", "folder not used", PX_KV("folder", folder),
                   PX_KV("why", stat(folder, &st) < 0 ? strerror(errno) : err.msg));
        said = true;
        return;
    }
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct dirent *entry;
    while (n < FILES_MAX && (entry = readdir(dir))) {
        if (is_plugin_name(entry->d_name) && (names[n] = px_str_dup(px_str_of(entry->d_name))))
            n++;
    }
    closedir(dir);
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (len > 0 && (size_t)len < sizeof path && lstat(path, &st) == 0)
            see(services, path, &st);
        free(names[i]);
    }
}

void px_folders_scan(struct px_services *services) {
    PX_LIST_EACH (node, &services->files)
        px_list_entry(node, struct px_plugin_file, node)->seen = false;
    for (size_t i = 0; i < services->n_folders; i++)
        scan_folder(services, services->folders[i]);
    PX_LIST_EACH_SAFE (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->seen)
            continue;
        px_log(PX_LOG_INFO, "plugin", "removed", PX_KV("file", file->path));
        forget_file(services, file);
    }
    services->watch->scanned = true;
    next_file(services);
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

static void rescan(void *user) {
    struct px_services *services = user;
    px_folders_scan(services);
    px_timer_arm_in(&services->watch->rescan, 60 * PX_S);
}

static void on_inotify(void *user, uint32_t events) {
    struct px_services *services = user;
    char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)events;
    /* What it says does not matter: a scan looks at everything. A short wait gathers several changes into one. */
    if (read(services->watch->inotify, bytes, sizeof bytes) > 0)
        px_timer_arm_in(&services->watch->rescan, 50 * PX_MS);
}

int px_folders_start(struct px_services *services, struct px_err *err) {
    struct px_folders *f = calloc(1, sizeof *f);
    if (!f)
        return px_err_set(err, -ENOMEM, "no memory to watch the plugin folders");
    services->watch = f;
    px_list_init(&f->vettings);
    px_timer_init(&f->rescan, services->opts.loop, "plugin/folders", rescan, services);
    f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->inotify < 0)
        return px_err_errno(err, -errno, "inotify");
    for (size_t i = 0; i < services->n_folders; i++) {
        f->wd[i] = inotify_add_watch(f->inotify, services->folders[i],
                                     IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                                         IN_ONLYDIR);
        if (f->wd[i] < 0)
            px_log(PX_LOG_WARNING, "plugin", "folder not watched", PX_KV("folder", services->folders[i]),
                   PX_KV("why", strerror(errno)));
    }
    int r = px_io_start(services->opts.loop, f->inotify, EPOLLIN, "plugin/folders", on_inotify, services,
                        &f->io, err);
    if (r)
        return r;
    px_timer_arm_in(&f->rescan, 0);
    return 0;
}

void px_folders_stop(struct px_services *services) {
    struct px_folders *f = services->watch;
    if (!f)
        return;
    PX_LIST_EACH_SAFE (node, &services->files)
        forget_file(services, px_list_entry(node, struct px_plugin_file, node));
    while (!px_list_empty(&f->vettings))
        vetting_end(px_list_entry(f->vettings.next, struct vetting, node));
    px_timer_disarm(&f->rescan);
    px_io_stop(&f->io);
    if (f->inotify >= 0)
        close(f->inotify);
    services->watch = NULL;
    free(f);
}
