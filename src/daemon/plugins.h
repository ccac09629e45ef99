/* plugins.h: what the plugin files in some folders are, found out as the daemon would: by running `plexusd --vet` on each.
 * For --check, which loads nothing itself. */
#ifndef PX_DAEMON_PLUGINS_H
#define PX_DAEMON_PLUGINS_H

#include "daemon/report.h"
#include "route/api.h"
#include "json/schema.h"

enum { PX_PLUGINS_MAX = 256 };
struct px_known_plugin {
    px_str name, file;
    struct px_schema *schema; /* of its configuration; NULL: it takes none */
    struct px_api *api;       /* NULL: it declares none */
};
struct px_known_plugins {
    struct px_arena arena;
    size_t n;
    struct px_known_plugin plugins[PX_PLUGINS_MAX];
};

/** `folders`: absolute, NULL-terminated. Files that are no plugins become errors of the report, missing folders warnings.
 *  Takes as long as the files take to load, at most 10 s each. */
PX_MUSTCHECK int px_known_plugins_find(const char *const *folders, const char *self,
                                       struct px_known_plugins *ret, struct px_report *report,
                                       struct px_err *err);
void px_known_plugins_finish(struct px_known_plugins *plugins);
const struct px_known_plugin *px_known_plugin_get(const struct px_known_plugins *plugins, px_str name);

#endif
