/* services.h: the configured services, and the plugin files behind them.
 *
 * A plugin file is found in a plugin folder (watched with inotify), checked (header, note, owner), vetted in a child,
 * loaded from a sealed copy, and kept loaded for ever. A service is a plugin and a configuration; while both are there, an
 * *instance* runs:
 *
 *   waiting (no such plugin yet) -> opening -> ready <-> unavailable
 *                                      \-> failed      \-> draining -> gone
 *
 * When its configuration or its plugin file changes, the new instance is opened first; the old one drains (10 s), then its
 * calls are cancelled. Loop thread only; nothing here blocks. */
#ifndef PX_SERVICE_SERVICES_H
#define PX_SERVICE_SERVICES_H

#include "base/err.h"
#include "reactor/scope.h"
#include "route/site.h"
#include "service/registry.h"
#include "json/write.h"

struct px_loop;
struct px_state;
struct px_services;

/** One secret of a service's configuration. */
struct px_service_secret {
    px_str pointer; /* where it stands: "/token" */
    px_str value;
    px_str stored; /* its name in the sealed store; absent: it is not from there */
};
/** What the configuration says of a service. config_json is an object in which secrets are {"$secret": "/pointer"}. */
struct px_service_conf {
    px_str name;   /* [a-z][a-z0-9_]*, at most 32 */
    px_str plugin; /* the plugin's name */
    px_str config_json;
    const struct px_service_secret *secrets;
    size_t n_secrets;
    struct px_site_network network;
    px_str auth_json; /* `auth`; absent: none. Secrets are {"$secret": "auth:/pointer"} */
    /* why it cannot be opened, known beforehand (a secret is not there); absent: nothing. It fails with these words; an instance that runs
     * goes on as when its next one fails, unless fault_ends */
    px_str fault;
    bool fault_ends;
    px_str limits_json; /* `limits`; absent: none. A change is applied to what runs */
};

/** A configuration as the plugin's schema sees it: in the place of each secret, as many "x" as it has bytes. `config_json`: valid,
 *  with {"$secret": …}. to->failed. */
PX_MUSTCHECK int px_service_config_mask(struct px_buf *to, px_str config_json,
                                        const struct px_service_secret *secrets, size_t n);

enum { PX_ON_STACK = 64 };
struct px_services_opts {
    struct px_loop *loop;
    struct px_scope *scope; /* the daemon's */
    struct px_state *state;
    const char *const *folders; /* of plugin files, absolute, NULL-terminated; at most 8 */
    const char *self_exe;       /* plexusd: run with --vet FILE and --worker FILE */
    uint64_t drain_ns;          /* 0: 10 s */
    /* how requests leave; start NULL: none do, and a plugin with an api does not open */
    struct px_site_transport transport;
    struct px_guards *guards; /* NULL: requests leave unguarded */
    struct px_grants *grants; /* NULL: only credentials without a life */
    /* PX_ON_STACK bytes: "NAME/what" while a plugin is entered, else ""; NULL: nobody looks */
    char *on_stack;
};

PX_MUSTCHECK int px_services_create(const struct px_services_opts *opts, struct px_services **ret,
                                    struct px_err *err);
/** Ends every instance at once; their calls have been cancelled before. Clears *services; NULL is fine. */
void px_services_destroy(struct px_services **services);

/** The whole desired set, copied: new services open, changed ones are replaced, missing ones drain and go; what did not
 *  change keeps running. Returns before any of it is done. -E2BIG, -EEXIST (a name is there twice), -ENOMEM: nothing has
 *  changed. */
PX_MUSTCHECK int px_services_configure(struct px_services *services, const struct px_service_conf *confs,
                                       size_t n, struct px_err *err);
/** No service is opening (but for those that take longer than 5 s), and every plugin file has been looked at: the daemon
 *  can say READY. */
bool px_services_settled(const struct px_services *services);
/** Told (from the loop) each time that px_services_settled becomes true. */
void px_services_on_settled(struct px_services *services, void (*fn)(void *ctx), void *ctx);
/** Look at every plugin folder again, now. */
void px_services_rescan(struct px_services *services);
/** Ask every instance to stop, for shutdown: close() now, and the rest when calls have ended or drain_ns has passed. */
void px_services_drain(struct px_services *services);
bool px_services_drained(const struct px_services *services);

/** Calls of a paused service fail as `unavailable`. "all" is every service, those to come too. -ENOENT. */
PX_MUSTCHECK int px_services_pause(struct px_services *services, px_str name, bool paused);
bool px_services_paused_all(const struct px_services *services);
/** Writes a JSON array of what is paused: names of services, or ["all"]. */
void px_services_paused_names(const struct px_services *services, struct px_jw *w);
/** This secret of the sealed store was taken away. Whoever has it still, because a newer configuration that does not name it does not open,
 *  ends. (Who names it is configured anew, with fault_ends.) */
void px_services_take_away(struct px_services *services, px_str stored);
/** The service that would offer a tool of this name and offers nothing, because it has failed or is still starting; absent: there is
 *  none. *ret_why: why it has failed; "": it is starting. Borrowed until the next turn. */
px_str px_services_missing(const struct px_services *services, px_str tool, const char **ret_why);
/** The name of the plugin that a service is made of; absent: no such service. */
px_str px_services_plugin(const struct px_services *services, px_str name);

struct px_registry *px_services_registry(struct px_services *services);
/** Writes a JSON array with an object for each service (see plexus/status); `visible` (may be NULL: all) chooses. */
void px_services_status(struct px_services *services, struct px_jw *w,
                        bool (*visible)(void *ctx, px_str service), void *ctx);
/** The same without JSON: for metrics and readiness. `state`: "ready", "starting", "unavailable", "failed", "paused". */
void px_services_each(const struct px_services *services,
                      void (*fn)(void *ctx, px_str name, const char *state), void *ctx);
/** Writes a JSON array with an object for each plugin file. One that is "refused" and has a name goes on with what was loaded from it before. */
void px_plugins_status(struct px_services *services, struct px_jw *w);
/** How many stale handles plugins have used so far: each is a defect of a plugin, which did no harm. */
uint64_t px_services_stale_handles(void);

/* ---- for `plexusd` itself: the two things it does in a short-lived child of its own ---- */

/** `plexusd --vet FILE`: look at a file as the loader would, load it here, check its vtable and tools, and print one JSON
 *  line on stdout: {"ok":true,"name","version","abi":"0.3","tools":[…],"worker":bool,"config_schema":"…","api":"…"} or
 *  {"ok":false,"error":"…","problems":["…"]}: the first problem, and each, up to 20.
 *  Returns the exit status: 0 or 1. */
int px_plugin_vet(const char *file);
/** `plexusd --worker`: the plugin file is descriptor 3, the first line of stdin is the configuration. Returns the exit
 *  status when stdin ends. */
int px_plugin_worker(void);

#endif
