/* sqlite.c: SQLite databases as tools. This is the loop's side: it decides which database a call means and hands it to a
 * worker (pool.c); the SQL runs there (worker.c). */
#include "pool.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct service {
    const struct px_host *host;
    struct sq_config config;
    struct sq_pool pool;
};

/* A copy as one line, as workers get it. Line breaks in JSON are only ever white space. */
static int keep_line(const struct px_host *host, px_scope_h scope, px_str json, px_str *ret) {
    char *p = host->scope->alloc(scope, json.n + 1);
    if (!p)
        return -ENOMEM;
    for (uint64_t i = 0; i < json.n; i++)
        p[i] = json.p[i] == '\n' ? ' ' : json.p[i];
    *ret = (px_str){p, json.n};
    return 0;
}

static int32_t sqlite_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    px_scope_h scope = host->scope->of_service(in->service);
    struct service *s = calloc(1, sizeof *s);
    char why[200] = "";
    int rc;
    if (!s)
        return -ENOMEM;
    s->host = host;
    s->pool = (struct sq_pool){.host = host, .service = in->service, .scope = scope, .config = &s->config};
    rc = sq_config_read(host->json, host->scope, scope, in->config_json, &s->config, why, sizeof why);
    if (rc == 0)
        rc = keep_line(host, scope, in->config_json, &s->pool.config_json);
    if (rc == 0)
        rc = sq_tools_set(host, in->service, scope, &s->config);
    if (rc) {
        if (!why[0])
            snprintf(why, sizeof why, "the service cannot begin (error %d)", -rc);
        host->log->write(in->service, PX_LEVEL_ERROR, sq_str(why), (px_str){NULL, 0});
        free(s);
        return rc;
    }
    for (int i = 0; i < SQ_WORKERS_MAX; i++)
        s->pool.workers[i].pool = &s->pool;
    *ret_self = s;
    return 0;
}

/* The database a call means; -1: none, and the call has failed. */
static int database_of(struct service *s, px_call_h call, const struct px_call_in *in) {
    px_str v;
    int i = s->config.default_db;
    if (s->host->json->at(in->args_json, sq_str("/database"), &v) == 0)
        i = s->host->json->text(s->host->call->scope(call), v, &v) ? -1 : sq_config_find(&s->config, v);
    if (i < 0)
        sq_fail(s->host, call, PX_INVALID_ARGUMENTS, 0, "no database of that name, or none named",
                "Set `database` to one of the names in the tool's description.");
    return i;
}

static void sqlite_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct service *s = self;
    px_str v;
    if (in->kind != PX_CALL_TOOL || in->id < SQ_QUERY || in->id > SQ_DESCRIBE) {
        sq_fail(s->host, call, PX_NOT_FOUND, 0, "this service has only tools", NULL);
        return;
    }
    int db = database_of(s, call, in);
    if (db < 0)
        return;
    if (in->id == SQ_EXECUTE && s->config.dbs[db].read_only) {
        sq_fail(s->host, call, PX_FORBIDDEN, 0, "this database is read-only by configuration", NULL);
        return;
    }
    struct sq_job *job = s->host->scope->alloc(s->host->call->scope(call), sizeof *job);
    if (!job) {
        sq_fail(s->host, call, PX_UNAVAILABLE, 0, "out of memory", NULL);
        return;
    }
    *job = (struct sq_job){
        .in = in, .call = call, .db = db, .tool = (enum sq_tool)in->id, .rows = s->config.max_rows};
    if (s->host->json->at(in->args_json, sq_str("/max_rows"), &v) == 0)
        s->host->json->i64(v, &job->rows);
    if (job->rows < 1 || job->rows > s->config.max_rows)
        job->rows = s->config.max_rows;
    s->host->call->set_user(call, job);
    sq_pool_add(&s->pool, job);
}

static void sqlite_cancel(void *self, px_call_h call, void *user, uint32_t why) {
    struct service *s = self;
    struct sq_job *job = user;
    if (!job)
        return;
    bool waiting = !job->worker || job->worker->unsent;
    sq_pool_drop(&s->pool, job);
    if (why == PX_WHY_DEADLINE && waiting) /* better than what the host can know: a write did not happen */
        sq_fail(s->host, call, PX_UNAVAILABLE, 0,
                "the call waited for a free database worker until its time was up",
                "Nothing was run. Try again, with fewer calls at once.");
}

static void sqlite_close(void *self) {
    sq_pool_close(&((struct service *)self)->pool);
}

static void sqlite_fini(void *self) {
    free(self);
}

PX_PLUGIN(.name = "sqlite", .version = "0.1.0",
          .summary = "SQLite databases: query, change and describe them", .config_schema = sq_config_schema,
          .open = sqlite_open, .call = sqlite_call, .cancel = sqlite_cancel, .close = sqlite_close,
          .fini = sqlite_fini);
