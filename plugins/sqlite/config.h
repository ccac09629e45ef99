/* config.h: the service's configuration, read alike on both sides of the plugin. */
#ifndef SQ_CONFIG_H
#define SQ_CONFIG_H

#include <plexus/plugin.h>
#include <stdbool.h>

enum { SQ_DBS_MAX = 32, SQ_WORKERS_MAX = 8 };

struct sq_db {
    px_str name, path; /* path: with a NUL behind its end */
    bool read_only, create, foreign_keys, schema_changes;
    int64_t budget_ms;
};
struct sq_config {
    struct sq_db dbs[SQ_DBS_MAX];
    unsigned n;
    int default_db; /* -1: the caller has to name one */
    int64_t budget_ms, max_rows, max_bytes, workers, queue, idle_s, memory_mb;
    bool untrusted_text;
};

/** The JSON Schema of it. */
extern const char sq_config_schema[];

/** Read it; texts are kept in `scope`. -EINVAL, -ENOMEM: `why` says what is wrong. */
int sq_config_read(const struct px_host_json *json, const struct px_host_scope *scopes, px_scope_h scope,
                   px_str config_json, struct sq_config *ret, char *why, uint64_t why_size);
/** -1: none of that name. */
int sq_config_find(const struct sq_config *c, px_str name);

#endif
