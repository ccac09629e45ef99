/* What comes of looking at a plugin file: it is checked here, vetted in a child (unless these very bytes passed before),
 * and loaded. One file at a time is read, each in a callback of its own; two are in their children at once. */
#include "base/log.h"
#include "reactor/child.h"
#include "service/private.h"
#include "state/store.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>
#include <stdio.h>

enum { VETTING_MAX = 2, VET_OUTPUT_MAX = 16 << 20, TRIES_MAX = 5 };
static const uint64_t vet_timeout_ns = (PX_VET_SECONDS + 1) * PX_S, try_again_ns = 1 * PX_S;
/* In the store; no service can have this name. */
static const px_str store_name = PX_LIT_INIT("/plugins");

/* One file on its way through the child. */
struct vetting {
    struct px_services *services;
    /* NULL: it has changed, or is gone; the child goes on to its end, for nobody */
    struct px_plugin_file *file;
    int memfd;
    uint64_t hash[4];
    char key[96]; /* what the store knows these bytes by */
    struct px_child *child;
    struct px_op *look_up;
    struct px_buf out;
    struct px_timer timeout;
    bool timed_out;
    struct px_list_node node;
};

static void refuse(struct px_services *services, struct px_plugin_file *file, const struct px_err *err) {
    file->state = PX_FILE_REFUSED;
    file->duplicate = false;
    memcpy(file->why, err->msg, sizeof file->why);
    px_log(PX_LOG_ERROR, "plugin", file->lib ? "refused; what was loaded before goes on" : "refused",
           PX_KV("file", file->path), PX_KV("why", err->msg));
    px_services_poke(services);
}

/* It could not even be looked at. When that may pass, it is tried again, some times. */
static void not_looked_at(struct px_services *services, struct px_plugin_file *file, int r,
                          const struct px_err *err) {
    bool passes = r == -EAGAIN || r == -ENOMEM || r == -EMFILE || r == -ENFILE;
    if (!passes || ++file->tries == TRIES_MAX) {
        refuse(services, file, err);
        return;
    }
    px_log(PX_LOG_WARNING, "plugin", "will be tried again", PX_KV("file", file->path),
           PX_KV("why", err->msg));
    file->state = PX_FILE_QUEUED;
    file->not_before_ns = px_loop_now(services->opts.loop) + try_again_ns;
    px_folders_rescan_at(services, file->not_before_ns);
}

/* ---- loading ---- */

static struct px_plugin_file *other_with_name(struct px_services *services, const struct px_plugin_file *file,
                                              const char *name) {
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *other = px_list_entry(node, struct px_plugin_file, node);
        if (other != file && other->lib && strcmp(other->lib->vtable.name, name) == 0)
            return other;
    }
    return NULL;
}

/* The same bytes loaded again are the same plugin. */
static struct px_lib *loaded_before(struct px_services *services, const uint64_t hash[4]) {
    PX_LIST_EACH (node, &services->libs) {
        struct px_lib *lib = px_list_entry(node, struct px_lib, node);
        if (memcmp(lib->hash, hash, sizeof lib->hash) == 0)
            return lib;
    }
    return NULL;
}

/* Of two files with one plugin it is always the same that wins, whichever was ready first. */
static bool comes_before(const struct px_plugin_file *a, const struct px_plugin_file *b) {
    return a->folder != b->folder ? a->folder < b->folder : strcmp(a->path, b->path) < 0;
}

static void refuse_duplicate(struct px_services *services, struct px_plugin_file *file, const char *name,
                             const struct px_plugin_file *other) {
    struct px_err err;
    px_err_set(&err, -EEXIST, "plugin \"%s\" is loaded already, from %.120s: remove one of them", name,
               other->path);
    file->lib = NULL;
    refuse(services, file, &err);
    file->duplicate = true;
}

static void loaded(struct px_services *services, struct px_plugin_file *file, struct px_lib *lib) {
    const char *name = lib->vtable.name;
    struct px_plugin_file *other = other_with_name(services, file, name);
    if (other && comes_before(other, file)) {
        refuse_duplicate(services, file, name, other);
        return;
    }
    bool another = file->lib && strcmp(file->lib->vtable.name, name) != 0;
    file->lib = lib;
    file->state = PX_FILE_LOADED;
    file->why[0] = 0;
    if (another)
        px_folders_plugin_gone(services);
    if (other)
        refuse_duplicate(services, other, name, file);
    px_log(PX_LOG_INFO, "plugin", "loaded", PX_KV("name", name),
           PX_KV("version", lib->vtable.version ? lib->vtable.version : ""), PX_KV("file", file->path));
    px_services_poke(services);
}

/* The memfd becomes the library's, or stays with the vetting. */
static void load(struct vetting *v) {
    struct px_services *services = v->services;
    struct px_lib *lib = loaded_before(services, v->hash);
    struct px_err err;
    if (!lib) {
        if (services->n_libs >= PX_LIBS_MAX) {
            px_err_set(&err, -ENOSPC, "%d versions of plugins were loaded since the start: restart the host",
                       PX_LIBS_MAX);
            refuse(services, v->file, &err);
            return;
        }
        if (px_lib_load(v->memfd, v->file->path, true, &lib, &err)) {
            refuse(services, v->file, &err);
            return;
        }
        v->memfd = -1;
        memcpy(lib->hash, v->hash, sizeof lib->hash);
        px_list_add(&services->libs, &lib->node);
        services->n_libs++;
    }
    loaded(services, v->file, lib);
}

/* ---- the child ---- */

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
    services->watch->n_vettings--;
    px_vetting_next(services);
    px_services_poke(services);
}

/* The last line that the child wrote. */
static px_str last_line(px_str text) {
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    const char *newline = text.n ? memrchr(text.p, '\n', text.n) : NULL;
    return newline ? px_str_n(newline + 1, text.n - (size_t)(newline + 1 - text.p)) : text;
}

static int verdict(const struct vetting *v, const struct px_child_ev *exit, struct px_err *err) {
    struct px_json_scan scan;
    struct px_arena arena;
    px_str value, words = {0};
    if (v->timed_out)
        return px_err_set(err, -ETIMEDOUT,
                          "loading it took more than %u s: does a constructor wait for something?",
                          PX_VET_SECONDS);
    if (exit->signalled)
        return px_err_set(err, -ENOEXEC, "loading it ended the process with signal %d", exit->status);
    if (px_json_scan(last_line(px_buf_view(&v->out)), NULL, &scan, NULL, NULL) ||
        px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return px_err_set(err, -ENOEXEC, "loading it ended the process with status %d", exit->status);
    if (exit->status == 0 && px_json_slice_get(scan.value, PX_LIT("ok"), &value) == 0 &&
        px_str_is(value, "true"))
        return 0;
    px_arena_init(&arena, 1 << 16);
    if (px_json_slice_get(scan.value, PX_LIT("error"), &value) || px_json_slice_text(&arena, value, &words))
        words = PX_LIT("it cannot be used");
    px_err_set(err, -ENOEXEC, PX_FMT, PX_ARG(words));
    px_arena_finish(&arena);
    return -ENOEXEC;
}

static void judge(struct vetting *v, const struct px_child_ev *exit) {
    struct px_err err;
    if (!v->file)
        return;
    if (verdict(v, exit, &err)) {
        refuse(v->services, v->file, &err);
        return;
    }
    if (px_store_put(v->services->opts.state, v->services->scope, store_name, px_str_of(v->key), PX_LIT("1"),
                     NULL, NULL, NULL))
        px_log(PX_LOG_DEBUG, "plugin", "the verdict is not remembered", PX_KV("file", v->file->path));
    load(v);
}

static void on_vet_child(void *user, const struct px_child_ev *ev) {
    struct vetting *v = user;
    if (ev->kind == PX_CHILD_OUT && px_buf_str(&v->out, ev->data))
        px_child_stop(v->child);
    if (ev->kind != PX_CHILD_EXIT)
        return;
    v->child = NULL;
    judge(v, ev);
    vetting_end(v);
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
    int r =
        px_child_start(v->services->opts.loop, v->services->scope, &spec, on_vet_child, v, &v->child, &err);
    if (!r) {
        px_timer_arm_in(&v->timeout, vet_timeout_ns);
        return;
    }
    not_looked_at(v->services, v->file, r, &err);
    vetting_end(v);
}

static void looked_up(void *user, const struct px_store_result *result) {
    struct vetting *v = user;
    v->look_up = NULL;
    if (!v->file) {
        vetting_end(v);
    } else if (result->status == 0 && !result->absent) {
        load(v);
        vetting_end(v);
    } else {
        start_child(v);
    }
}

/* ---- one file after the other ---- */

static void look_at(struct px_services *services, struct px_plugin_file *file) {
    struct px_folders *watch = services->watch;
    struct px_err err;
    struct vetting *v = calloc(1, sizeof *v);
    int r = v ? px_plugin_file_open(file->path, &v->memfd, v->hash, &err)
              : px_err_set(&err, -ENOMEM, "no memory to look at it");
    if (r) {
        free(v);
        not_looked_at(services, file, r, &err);
        return;
    }
    v->services = services;
    v->file = file;
    px_buf_init(&v->out, VET_OUTPUT_MAX);
    px_timer_init(&v->timeout, services->opts.loop, "plugin/vet", vet_timed_out, v);
    px_list_init(&v->node);
    px_list_add(&watch->vettings, &v->node);
    watch->n_vettings++;
    file->state = PX_FILE_VETTING;
    snprintf(v->key, sizeof v->key, "vet:" PX_VERSION ":%016llx%016llx%016llx%016llx",
             (unsigned long long)v->hash[0], (unsigned long long)v->hash[1], (unsigned long long)v->hash[2],
             (unsigned long long)v->hash[3]);
    if (px_store_get(services->opts.state, services->scope, store_name, px_str_of(v->key), looked_up, v,
                     &v->look_up))
        start_child(v);
}

static void next_file(void *user) {
    struct px_services *services = user;
    if (services->watch->n_vettings >= VETTING_MAX)
        return;
    PX_LIST_EACH (node, &services->files) {
        struct px_plugin_file *file = px_list_entry(node, struct px_plugin_file, node);
        if (file->state != PX_FILE_QUEUED || file->not_before_ns > px_loop_now(services->opts.loop))
            continue;
        look_at(services, file);
        px_vetting_next(services);
        return;
    }
}

void px_vetting_init(struct px_services *services) {
    px_list_init(&services->watch->vettings);
    px_work_init(&services->watch->next, "plugin/look", next_file, services);
}

void px_vetting_next(struct px_services *services) {
    px_work_post(services->opts.loop, &services->watch->next);
}

void px_vetting_forget(struct px_services *services, const struct px_plugin_file *file) {
    PX_LIST_EACH (node, &services->watch->vettings) {
        struct vetting *v = px_list_entry(node, struct vetting, node);
        if (v->file == file)
            v->file = NULL;
    }
}

void px_vetting_stop(struct px_services *services) {
    while (!px_list_empty(&services->watch->vettings))
        vetting_end(px_list_entry(services->watch->vettings.next, struct vetting, node));
    px_work_cancel(&services->watch->next);
}
