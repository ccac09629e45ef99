/* config_build.h: how a configuration is put together; between config.c and the files that read its sections. */
#ifndef PX_DAEMON_CONFIG_BUILD_H
#define PX_DAEMON_CONFIG_BUILD_H

#include "base/map.h"
#include "daemon/config.h"

struct px_config_build {
    struct px_config *config;
    struct px_arena *arena; /* config's */
    const struct px_config_opts *opts;
    const char *shown;
    const struct px_schema *schema;
    struct px_schema *limits_schema, *auth_schema; /* of services; NULL: not needed yet */
    struct px_report *report;
    struct px_config_file files[PX_CONFIG_FILES_MAX]; /* the main file, then included ones */
    size_t n_files;
    /* the sections that are merged, by key; values are px_config_entry */
    struct px_map services, principals, policies, profiles;
};
/** A member of a merged section. */
struct px_config_entry {
    const struct px_config_file *file;
    const struct px_json *node;
    px_str key, pointer;
    struct px_config_entry *next; /* in the order of the configuration */
};
/** The members of a section in all files, in order; duplicates are reported. `map` (made here) finds them by key. */
struct px_config_entry *px_config_merge(struct px_config_build *b, const char *section, struct px_map *map,
                                        size_t *ret_n);

/** "/a/b" and "/c d" of it: a pointer one step longer, escaped. */
px_str px_config_pointer(struct px_config_build *b, px_str base, px_str key);
/** An error at a value; `member` may be NULL. */
void px_config_refuse(struct px_config_build *b, const struct px_config_file *file, px_str pointer,
                      const char *member, const char *format, ...) PX_PRINTF(5, 6);
/** What a service cannot be opened without is not there: its own fault, not the configuration's (px_service_conf.fault; the first is said,
 *  the others are counted). `advice`: what to do about it. In a check it is an error as any other. */
void px_config_fault(struct px_config_build *b, struct px_config_service *service,
                     const struct px_config_file *file, px_str pointer, const char *advice,
                     const char *words);
/** Memory of the configuration; NULL is reported, so that a configuration that lacks something is never used. */
void *px_config_alloc(struct px_config_build *b, size_t n);
/** A path of the configuration, absolute. */
const char *px_config_path(struct px_config_build *b, px_str path);

/* state_dir, socket, plugin_dirs, limits, retention, log */
void px_config_build_host(struct px_config_build *b);
void px_config_build_policy(struct px_config_build *b);  /* principals, policies, profiles */
void px_config_build_http(struct px_config_build *b);    /* http */
void px_config_build_network(struct px_config_build *b); /* network; before services */
/** services.NAME.network, over the host's own. */
void px_config_service_network(struct px_config_build *b, const struct px_config_entry *entry,
                               struct px_config_service *service);
/** services.NAME.limits, checked, as text; absent: there is none, or it is wrong. */
px_str px_config_service_limits(struct px_config_build *b, const struct px_config_entry *entry);
/** services.NAME.auth, with {"$secret": …} in the place of its secrets. */
void px_config_check_auth(struct px_config_build *b, const struct px_config_entry *entry, px_str auth_json);
void px_config_build_services(struct px_config_build *b); /* services, and their secrets */

/* config_secrets.c: the secrets of one service, from every member in which they may stand. */
enum { PX_CONFIG_SERVICE_SECRETS = 64, PX_CONFIG_PART = 1 << 20 };
struct px_config_secrets {
    struct px_config_build *b;
    const struct px_config_entry *entry; /* the service */
    struct px_config_service *service;
    struct px_service_secret list[PX_CONFIG_SERVICE_SECRETS];
    px_str stored[PX_CONFIG_SERVICE_SECRETS]; /* its name in the sealed store; absent: it has its value */
    size_t n;
};
/** Print `node`, which is this member of the service, with {"$secret": PREFIX/pointer} in the place of each reference. What is wrong with
 *  one is reported; that what it refers to is not there is the service's fault. -EMSGSIZE: over PX_CONFIG_PART bytes; -ENOMEM. */
PX_MUSTCHECK int px_config_secrets_take(struct px_config_secrets *secrets, const struct px_json *node,
                                        const char *member, px_str prefix, px_str *ret_json);
/** Give them all to the service. -ENOMEM. */
PX_MUSTCHECK int px_config_secrets_end(struct px_config_secrets *secrets, struct px_service_conf *conf);

#endif
