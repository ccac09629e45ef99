/* daemon.h: the rooms, put together; what plexusd is between main() and exit().
 *
 *   starting --(every service has settled)--> ready --(TERM)--> draining --(calls have ended, or their time is up)--> ended
 *                                               \--(HUP)--> reloading --(settled)--> ready
 *
 * Private to this room. Loop thread only. */
#ifndef PX_DAEMON_DAEMON_H
#define PX_DAEMON_DAEMON_H

#include "auth/login.h"
#include "auth/vault.h"
#include "daemon/config.h"
#include "daemon/culprit.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "front/front.h"
#include "front/http.h"
#include "guard/guard.h"
#include "mcp/mcp.h"
#include "net/http.h"
#include "reactor/loop.h"
#include "reactor/signal.h"
#include "state/state.h"

struct px_daemon {
    struct px_options options;
    const char *self;        /* the program, for children */
    const char *config_path; /* absolute */
    uint64_t began_ns;
    struct px_loop *loop;
    struct px_scope *scope; /* everything belongs to it */
    struct px_signals *signals;
    struct px_notify notify;
    struct px_secrets *secrets;
    struct px_config *config;
    struct px_state *state;
    struct px_vault *vault;
    struct px_dns *dns;
    struct px_http *http;
    struct px_guards *guards;
    struct px_grants *grants;
    struct px_logins *logins;
    struct px_culprit culprit;
    struct px_services *services;
    struct px_gate *gate;
    struct px_mcp *mcp;
    struct px_front *front;
    struct px_front_http *front_http; /* NULL: no HTTP listener */
    bool activated;                   /* the service manager passed the planner socket */
    bool http_activated;              /* and that of HTTP */
    bool ready;                       /* READY was said once */
    bool reloading;                   /* READY is to be said again when the services have settled */
    bool draining;
    bool left;                /* while draining: every planner has its answers and is gone */
    bool hurry;               /* a second signal, or no more time */
    struct px_hook watch;     /* while draining: is it over? */
    struct px_timer deadline; /* of draining */
    struct px_timer memory;   /* when to give back what a busy time has left */
    struct px_work reload;
};

/** Serve until a signal ends it. Returns the exit status. */
int px_daemon_main(const struct px_options *options);

/* start.c */
/** Everything up to serving. On failure what was made is still there: px_daemon_finish. */
PX_MUSTCHECK int px_daemon_start(struct px_daemon *d, struct px_err *err);
/** Undo it, in reverse; what has not ended by itself is cut off. */
void px_daemon_finish(struct px_daemon *d);

/* network.c */
/** Names and requests: before the services. Reads the certificate authorities. */
PX_MUSTCHECK int px_daemon_open_network(struct px_daemon *d, struct px_err *err);
/** No service is there any more. */
void px_daemon_close_network(struct px_daemon *d);
/** Another configuration, and certificate authorities that may have changed: in place. What cannot be taken is logged, and stays as it
 *  was. */
void px_daemon_reload_network(struct px_daemon *d, const struct px_config *old,
                              const struct px_config *config);
/** How services' requests leave. */
struct px_site_transport px_daemon_transport(struct px_daemon *d);
/** Members "http" and "dns" of plexus/status. */
void px_daemon_status_network(const struct px_daemon *d, struct px_jw *w);

/* http.c */
/** The HTTP listener, as the configuration has it, or on a descriptor that was passed (-1: none). On failure it is still the caller's. */
PX_MUSTCHECK int px_daemon_open_http(struct px_daemon *d, int fd, struct px_err *err);
/** Another configuration: what cannot be done is logged, and stays as it was. */
void px_daemon_reload_http(struct px_daemon *d, const struct px_config *old, const struct px_config *config);

/* metrics.c */
/** For the HTTP listener. */
void px_daemon_metrics(void *daemon, struct px_metrics *m);

/* reload.c */
void px_daemon_reload(void *daemon);
/** Apply what a configuration says and can be changed while running. */
PX_MUSTCHECK int px_daemon_apply(struct px_daemon *d, const struct px_config *config, struct px_err *err);

/* stored.c */
/** The sealed store: after the state, before whatever uses it. */
PX_MUSTCHECK int px_daemon_open_vault(struct px_daemon *d, struct px_err *err);
/** Configure the services, with the secrets that are in the sealed store now. */
PX_MUSTCHECK int px_daemon_configure(struct px_daemon *d, const struct px_config *config, struct px_err *err);
/** Every reference of the configuration to the sealed store. */
void px_daemon_secret_uses(void *daemon, void (*fn)(void *user, px_str secret, px_str service), void *user);

/* stop.c */
/** The first time: end well; the second time: end. */
void px_daemon_stop(struct px_daemon *d, int signal);

/* status.c */
/** plexus/status. */
int px_daemon_status(void *daemon, struct px_session *session, px_str params, struct px_jw *w,
                     struct px_err *err);
/* breaker.c */
/** plexus/breaker. */
int px_daemon_breaker(void *daemon, struct px_session *session, px_str params, struct px_jw *w,
                      struct px_err *err);

/* status.c */
void px_daemon_log_status(struct px_daemon *d);
/** One line for the service manager. */
void px_daemon_notify_status(struct px_daemon *d);

#endif
