/* config.h: the configuration: files merged, checked against the schema and against itself, secrets resolved.
 *
 * What a service alone lacks (a secret's file, a variable, its certificate) is that service's fault, not the configuration's: it fails
 * with these words, and what ran before goes on.
 *
 * A configuration is immutable. A reload makes a new one beside the old and throws one of the two away, so an invalid one
 * changes nothing. See etc/config.schema.json for what every key means. */
#ifndef PX_DAEMON_CONFIG_H
#define PX_DAEMON_CONFIG_H

#include "auth/secret.h"
#include "base/log.h"
#include "call/gate.h"
#include "daemon/config_file.h"
#include "front/front.h"
#include "front/http.h"
#include "service/services.h"
#include "state/state.h"
#include <sys/stat.h>

enum { PX_CONFIG_PLUGIN_DIRS = 8, PX_CONFIG_SERVICES = 256 };

struct px_config_socket {
    const char *path; /* absolute */
    mode_t mode;
    gid_t group; /* (gid_t)-1: as it comes */
};
/** Where monitoring connects: http. */
struct px_config_http {
    bool on;
    struct px_addr addr; /* size 0: a socket file */
    const char *path;    /* absolute; NULL: none */
    mode_t mode;
    const char *hosts[PX_FRONT_HTTP_HOSTS + 1]; /* NULL-terminated */
};
/** How requests leave: network. */
struct px_config_network {
    const char *dns_servers;          /* "192.0.2.53:53,[::1]:53"; NULL: /etc/resolv.conf */
    const char *hosts_file, *ca_file; /* absolute; NULL: the defaults */
    px_str proxy;                     /* absent: none */
    uint32_t max_requests;            /* 0: the default */
};
/** A service of the configuration, enabled or not, and where it is said. */
struct px_config_service {
    struct px_service_conf conf;
    px_str pointer; /* of the service: "/services/data" */
    const struct px_config_file *file;
    bool enabled;
    unsigned faults; /* of its own, which stop nobody else; conf.fault says the first */
};
/** {"stored": NAME}: a reference that stays open until the configuration is applied (stored.c). */
struct px_config_stored {
    struct px_config_stored *next;
    px_str name, service;
    struct px_service_secret *secret; /* of that service's conf */
};
struct px_config {
    struct px_arena arena;  /* of everything here */
    const char *file, *dir; /* absolute: the main file, its folder */
    const char *state_dir;  /* absolute */
    struct px_config_socket socket;
    const char *plugin_dirs[PX_CONFIG_PLUGIN_DIRS + 1]; /* absolute, NULL-terminated */
    struct px_config_service *services;
    size_t n_services;
    struct px_service_conf *confs; /* of the enabled ones, in the same order; faults come and go (stored.c) */
    size_t n_confs;
    struct px_policy_set policy;
    struct px_config_network network;
    struct px_config_http http;
    struct px_gate_limits limits;
    struct px_front_limits front;
    uint64_t drain_ns;
    struct px_state_keep keep; /* 0: the state's own default */
    enum px_log_level log_level;
    px_str *secrets; /* values, to be released */
    size_t n_secrets, room_secrets;
    struct px_config_stored *stored;
};

struct px_config_opts {
    const char *path;  /* absolute; its folder should be the working directory: relative paths of secret
                                   files count from there */
    const char *shown; /* what messages call it; NULL: path */
    px_str text;       /* instead of the file's content; absent: read it */
    struct px_secrets *secrets; /* resolves references; NULL (for fuzzing): they stand for nothing */
    bool check; /* a look from outside: what only the service's own environment has is a warning */
};
/** Read the file and what it includes. 0; -EBADMSG: the report holds errors, all that were found. Warnings may be there in
 *  both cases. */
PX_MUSTCHECK int px_config_load(const struct px_config_opts *opts, struct px_config **ret,
                                struct px_report *report);
/** Wipes the secrets. NULL is fine. */
void px_config_destroy(struct px_config **config);

#endif
