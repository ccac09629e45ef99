/* private.h: the structs that the files of this room share. */
#ifndef PX_SERVICE_PRIVATE_H
#define PX_SERVICE_PRIVATE_H

#include "base/map.h"
#include "base/slots.h"
#include "reactor/loop.h"
#include "reactor/op.h"
#include "reactor/timer.h"
#include "route/call.h"
#include "service/registry_private.h"
#include "service/run.h"
#include "service/services.h"

/* A plugin file that was loaded. Never unloaded: code may be on the stack, or in a timer, of anyone. */
struct px_lib {
    struct px_list_node node;
    char *path;              /* where it came from */
    int memfd;               /* the sealed copy; workers load it again */
    void *handle;            /* dlopen's */
    unsigned frames;         /* of this plugin on the stack: it is never entered twice */
    struct px_plugin vtable; /* with zeros for the members that the plugin's own is too small to have */
    bool has_worker;
    struct px_schema *config_schema; /* NULL: takes no configuration */
    struct px_api *api;              /* NULL: it declares none */
    uint64_t hash[4];                /* BLAKE2b-256 of the file */
};

/* A plugin folder's file, good or bad. */
struct px_plugin_file {
    struct px_list_node node;
    char *path;
    size_t folder;                               /* which of the folders it is in */
    uint64_t dev, ino, size, mtime_ns, ctime_ns; /* as it was looked at */
    bool seen;                                   /* in the scan that runs now */
    unsigned tries;                              /* that did not even get to look at it */
    uint64_t not_before_ns;
    bool duplicate; /* refused only because another file has its plugin: looked at again when that one goes */
    enum { PX_FILE_QUEUED, PX_FILE_VETTING, PX_FILE_LOADED, PX_FILE_REFUSED } state;
    char why[240];      /* refused */
    struct px_lib *lib; /* loaded; also while what the file holds now is looked at, or was refused */
};

enum px_instance_state {
    PX_INSTANCE_OPENING,
    PX_INSTANCE_READY,
    PX_INSTANCE_UNAVAILABLE,
    PX_INSTANCE_DRAINING,
    PX_INSTANCE_GONE
};

/** px_services_opts.on_stack, or somewhere that nobody looks at. */
extern char *px_host_on_stack;

struct px_host_routes; /* http_table.c: routes that were given as text */

/* A plugin opened with a configuration. */
struct px_instance {
    uint32_t refs; /* one for being alive, one for each run and each item */
    struct px_services *services;
    struct px_service *service; /* NULL: no longer the service's; draining or gone */
    struct px_lib *lib;
    char *name; /* the service's */
    enum px_instance_state state;
    void *self;
    uint64_t handle; /* px_service_h */
    struct px_scope *scope;
    uint64_t scope_handle; /* px_scope_h of that scope */
    char who[48];          /* "NAME/": whom the loop's clock blames; see px_instance_enter */
    size_t who_n;
    struct px_list_node runs;    /* px_run.in_instance */
    struct px_list_node closers; /* on_close functions that wait for a frame to return */
    uint32_t n_runs, n_children, n_requests;
    struct px_site *site;                           /* of a plugin with an api */
    struct px_host_routes *routes;                  /* NULL: none were given yet */
    struct px_item **staged[PX_LIST_TEMPLATES + 1]; /* lists set before it was ready */
    size_t n_staged[PX_LIST_TEMPLATES + 1];
    size_t n_tools; /* offered */
    char why[240];  /* unavailable, failed */
    struct px_service_secret *secrets;
    size_t n_secrets;
    struct px_list_node hidden; /* values given to secret->hide() */
    struct px_timer drain;
    struct px_list_node in_draining; /* services->draining */
    struct px_work finish;
    uint64_t opening_since_ns;
    bool opened, failed;
};

/* A configured service. */
enum { PX_SERVICE_WHY = 640 }; /* a place in a file, and what to do about what is there */
struct px_service {
    struct px_list_node node;
    char *name, *plugin, *config;
    char *fault;         /* px_service_conf.fault; NULL: none */
    bool fault_ends;     /* px_service_conf.fault_ends */
    char *auth, *limits; /* NULL: none */
    struct px_service_secret *secrets;
    size_t n_secrets;
    struct px_site_network network; /* texts are its own */
    uint64_t network_stamp;         /* of its files, as they were when it was configured */
    struct px_instance *current;    /* serves; NULL: none */
    struct px_instance *next;       /* opening; becomes current when it is ready */
    struct px_lib *tried;           /* the plugin that next or the failure belongs to */
    char why[PX_SERVICE_WHY];       /* why there is no instance, or why the last one failed */
    bool wanted, paused, dirty;
    bool taken;    /* a secret that `current` has was taken away */
    bool collides; /* the last instance could not be offered: a name is another service's */
};

/* PX_LIBS_MAX: versions of plugins that may be loaded in one life; PX_VET_SECONDS: how long one may
 * take to load, on a machine that is starting everything else too, with a disk that everyone reads. */
enum { PX_FOLDERS_MAX = 8, PX_LIBS_MAX = 512, PX_VET_SECONDS = 15 };

struct px_services {
    struct px_services_opts opts;
    char **folders;
    size_t n_folders;
    char *self_exe;
    struct px_scope *scope;
    struct px_registry *registry;
    struct px_list_node services; /* px_service */
    struct px_list_node draining; /* px_instance.in_draining */
    struct px_list_node libs;     /* px_lib, ever loaded: code is never unloaded */
    uint32_t n_libs;
    struct px_list_node files; /* px_plugin_file */
    struct px_folders *watch;
    bool pause_all, stopping, settled;
    uint8_t cursor_key[PX_SITE_KEY];
    struct px_work reconcile;
    struct px_timer settle; /* who is still opening when it fires is not waited for */
    void (*on_settled)(void *ctx);
    void *on_settled_ctx;
};

/* ---- services.c ---- */
/** Something changed (a plugin came or went, an instance is ready or has failed): look at every service again, soon. */
void px_services_poke(struct px_services *services);
/** The loaded plugin of that name; NULL: none. */
struct px_lib *px_services_lib(struct px_services *services, px_str plugin);

/* ---- configure.c ---- */
struct px_service *px_services_find(struct px_services *services, px_str name);
void px_service_free(struct px_service *service);

/* ---- limits.c ---- */
/** Whether these can be laid over those of the plugin that serves. */
int px_limits_check(const struct px_service *service, px_str limits_json, struct px_err *err);
/** service->limits has changed, and nothing else. */
void px_limits_apply(const struct px_service *service);

/* ---- instance.c ---- */
/** Open `lib` for `service`. *ret is NULL when it has failed at once (err says why). */
int px_instance_open(struct px_services *services, struct px_service *service, struct px_lib *lib,
                     struct px_instance **ret, struct px_err *err);
/** It becomes the service's current one: its lists are offered, all or none. -EEXIST: a name collides. */
int px_instance_publish(struct px_instance *instance, struct px_err *err);
/** close(), then drain for `grace_ns`, then cancel what is left, then fini(). */
void px_instance_drain(struct px_instance *instance, uint64_t grace_ns);
/** For the end of the process: cancel what is left and finish without waiting. */
void px_instance_finish_now(struct px_instance *instance);
void px_instance_ref(struct px_instance *instance);
void px_instance_unref(struct px_instance *instance);
/** A run has left it. */
void px_instance_run_left(struct px_instance *instance);
/** Around every entry into the plugin: `what` is a short constant. No frame of the plugin is on the stack (rule 1). */
void px_instance_enter(struct px_instance *instance, const char *what);
static inline void px_instance_leave(struct px_instance *instance) {
    instance->lib->frames--;
    px_host_on_stack[0] = 0;
}
/** Let go of the lists that were set and not offered. */
void px_instance_drop_lists(struct px_instance *instance);
/** Redact this value while the instance lives. -EMSGSIZE, -ENOSPC, -ENOMEM. */
int px_instance_hide(struct px_instance *instance, px_str value);
void px_secrets_free(struct px_service_secret *secrets, size_t n);
int px_secrets_copy(const struct px_service_secret *from, size_t n, struct px_service_secret **ret);

/* ---- network.c ---- */
/** Copy; every text that is absent or empty is absent in the copy. */
int px_network_copy(const struct px_site_network *from, struct px_site_network *ret);
void px_network_free(struct px_site_network *network);
/** Of the files that it names, as they are now: another number when one has changed. */
uint64_t px_network_stamp(const struct px_site_network *network);
bool px_network_same(const struct px_site_network *a, const struct px_site_network *b);

/* ---- config.c ---- */
/** Whether the service's configuration is one that this plugin takes. */
int px_config_check(const struct px_lib *lib, const struct px_service *service, struct px_err *err);

/* ---- folders.c: which files there are; vetting.c: what comes of looking at each ---- */
int px_folders_start(struct px_services *services, struct px_err *err);
void px_folders_stop(struct px_services *services);
void px_folders_scan(struct px_services *services);
/** Nothing is queued or being vetted. */
bool px_folders_settled(const struct px_services *services);
/** Scan again at this time, or before. */
void px_folders_rescan_at(struct px_services *services, uint64_t when_ns);
/** A file holds its plugin no more: those that were refused because of it are looked at again. */
void px_folders_plugin_gone(struct px_services *services);
void px_vetting_init(struct px_services *services);
/** Look at the next file that is queued, soon. */
void px_vetting_next(struct px_services *services);
/** What is being looked at is of no interest any more: the file has changed, or is gone. */
void px_vetting_forget(struct px_services *services, const struct px_plugin_file *file);
void px_vetting_stop(struct px_services *services);
struct px_folders {
    int inotify;
    struct px_io *io;
    struct {
        int wd;    /* -1: not watched */
        bool told; /* that it cannot be used */
        bool full; /* that it has too many files */
    } folder[PX_FOLDERS_MAX];
    struct px_timer rescan; /* soon after a change; and now and then, in case inotify missed one */
    struct px_work next;    /* look at the next file */
    struct px_list_node vettings;
    uint32_t n_vettings;
    bool scanned;
};

/* ---- plugin_file.c: is this file a plugin? ---- */
/** Open without following links, check owner, mode, kind and size, copy into a sealed memfd, check header and note. `fd`: the
 *  memfd. Errors are one clear sentence. st may be NULL. */
int px_plugin_file_open(const char *path, int *ret_memfd, uint64_t ret_hash[4], struct px_err *err);
int px_plugin_elf_check(int memfd, struct px_err *err);
/** dlopen the memfd and check what it exports. Runs constructors. `vetted`: its api is known to compile. */
int px_lib_load(int memfd, const char *path, bool vetted, struct px_lib **ret, struct px_err *err);
/** Owned by root or us, writable by nobody else. */
int px_owner_check(uint32_t uid, uint32_t mode, const char *what, struct px_err *err);
void px_lib_free(struct px_lib *lib);

/* ---- call_table.c: an answer, copied; the call ends with it. Whole structs of ours (plugins' are extended first). ---- */
void px_run_reply(struct px_run *run, const struct px_reply *reply);
void px_run_fail(struct px_run *run, const struct px_error *error);

/* ---- tables.c and its neighbours: what plugins see ---- */
enum px_host_scope_kind { PX_SCOPE_OWN, PX_SCOPE_OF_CALL, PX_SCOPE_OF_SERVICE, PX_SCOPE_OF_EVENT };
/** A scope as a plugin knows it; lives in the scope's own arena. */
struct px_host_scope_ref {
    struct px_scope *scope;
    struct px_instance *instance; /* NULL in a worker */
    enum px_host_scope_kind kind;
    unsigned depth; /* scopes that the plugin has opened above it */
    uint64_t handle;
};
/** The one host of this process. The tables have no context argument, so it is global. */
struct px_host_global {
    struct px_services *services; /* NULL in a worker */
    struct px_loop *loop;
    struct px_slots instances, scopes, calls, ops;
    uint64_t stale;   /* handles that were refused */
    bool classifying; /* a plugin's classify() is on the stack: it may look, and nothing else */
    struct px_host_scope_ref event_ref;
};
extern struct px_host_global px_host_g;
extern const struct px_host px_host_table;
int px_host_init(struct px_services *services, struct px_loop *loop, struct px_err *err);
void px_host_finish(void);

/** Give `scope` a handle, which goes when the scope closes. */
int px_host_scope_name(struct px_scope *scope, struct px_instance *instance, enum px_host_scope_kind kind,
                       uint64_t *ret_handle);
struct px_host_scope_ref *px_host_scope_get(px_scope_h h); /* NULL: stale */
/** The call that a scope belongs to, itself or by way of those above it; NULL: none. */
const struct px_run *px_host_scope_run(const struct px_host_scope_ref *ref);
int px_host_event_scope_open(void);
void px_host_event_scope_close(void);
/** Around the callback of an event: its scope is this instance's, and empty again at the end. */
px_scope_h px_host_event_begin(struct px_instance *instance);
void px_host_event_end(void);
/** Run the on_close functions that wait for a frame to return; none is on the stack. */
void px_host_closers_run(struct px_instance *instance);

/** A plugin's operation: the part that all kinds share; embedded in each. */
struct px_host_op_ref;
struct px_host_op_kind {
    const char *name;
    void (*release)(struct px_host_op_ref *op); /* stop what is underneath and free the struct */
    int32_t (*resume)(struct px_host_op_ref *op);
    int32_t (*write)(struct px_host_op_ref *op, uint32_t kind, px_str bytes);
    int32_t (*end)(struct px_host_op_ref *op);
    int32_t (*stop)(struct px_host_op_ref *op);
    void (*pause)(struct px_host_op_ref *op);
};
struct px_host_op_ref {
    struct px_op op;
    const struct px_host_op_kind *kind;
    uint64_t handle;
    struct px_instance *instance;
    px_on on;
    void *user;
    bool in_callback, ended;
};
/** Begin: enters the scope, makes a handle. On failure nothing was begun (and the caller frees the struct). */
int px_host_op_begin(struct px_host_op_ref *op, const struct px_host_op_kind *kind, px_scope_h scope,
                     px_on on, void *user, px_op_h *ret);
/** Undo a begin whose rest has failed; does not free, nor clear the handle that was given. */
void px_host_op_unbegin(struct px_host_op_ref *op);
/* ---- requests.c: what requests of an instance have in common, whoever started them ---- */
/** An answer as a plugin sees it; NULL: no status line came. Lives as long as `result` and `room`. */
const struct px_http_response *px_host_response(const struct px_http_result *result,
                                                struct px_http_response *room);
/** Ask the plugin's classify(), if it has one; what it says replaces *verdict, its texts are copied into `arena`. */
void px_host_classify(struct px_instance *instance, struct px_arena *arena, px_str upstream, uint64_t id,
                      const struct px_http_result *result, struct px_route_verdict *verdict);

/** Run the callback. False: the operation is over (END, PX_ENOUGH or a cancel inside), and the struct has been released. */
bool px_host_op_deliver(struct px_host_op_ref *op, struct px_ev *ev);

extern const struct px_host_json px_host_json_table;
extern const struct px_host_scope px_host_scope_table;
extern const struct px_host_op px_host_op_table;
extern const struct px_host_timer px_host_timer_table;
extern const struct px_host_store px_host_store_table;
extern const struct px_host_process px_host_process_table;
extern const struct px_host_http px_host_http_table;
extern const struct px_host_call px_host_call_table;
extern const struct px_host_catalog px_host_catalog_table;
extern const struct px_host_log px_host_log_table;
extern const struct px_host_secret px_host_secret_table;
struct px_instance *px_host_instance(px_service_h h); /* NULL: stale */
/** Forget the routes that were given as text. */
void px_host_routes_free(struct px_instance *instance);

/** Copy as many bytes of a plugin's struct as it says it has; the rest is zero. */
static inline void px_sized_copy(void *to, size_t room, const void *from, size_t size) {
    memset(to, 0, room);
    memcpy(to, from, PX_MIN(room, size));
}

#endif
