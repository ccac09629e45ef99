/* worker.c: the worker process: lines in, one answer a line out. */
#include "worker.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { SLACK = 48 * 1024 }; /* room behind the rows, for what is said about them, and for errors */

struct worker {
    const struct px_worker_host *host;
    struct sq_config config;
    struct sq_guard guard;
    struct sq_conn conns[SQ_DBS_MAX];
    struct sq_out out;
};

static int32_t worker_open(const struct px_worker_host *host, px_scope_h scope, px_str config_json,
                           void **ret_self) {
    const struct rlimit no_core = {0, 0}; /* what a crash would leave on disk is private */
    struct worker *w = calloc(1, sizeof *w);
    char why[200] = "";
    int rc;
    if (!w)
        return -ENOMEM;
    w->host = host;
    setrlimit(RLIMIT_CORE, &no_core);
    umask(
        077); /* a database that is made here belongs to the service alone; files beside one take its mode */
    rc = sq_config_read(host->json, host->scope, scope, config_json, &w->config, why, sizeof why);
    if (rc == 0) {
        w->out =
            sq_out_over(malloc((size_t)w->config.max_bytes + SLACK), (size_t)w->config.max_bytes + SLACK);
        rc = w->out.p ? 0 : -ENOMEM;
    }
    if (rc) {
        fprintf(stderr, "%s\n", why[0] ? why : "out of memory");
        free(w);
        return rc;
    }
    sqlite3_hard_heap_limit64(w->config.memory_mb << 20);
    *ret_self = w;
    return 0;
}

int sq_arg(struct sq_run *r, px_str object, const char *pointer, px_str *ret) {
    px_str v;
    if (r->host->json->at(object, sq_str(pointer), &v) == 0 && r->host->json->text(r->scope, v, ret) == 0) {
        if (!ret->p)
            ret->p = "";
        return 0;
    }
    return sq_refuse(r, PX_INVALID_ARGUMENTS, NULL, "%s is missing, or too long", pointer + 1);
}

/* ---- errors ---- */

static const char *name_of(int rc) {
    static const struct {
        int rc;
        const char *name;
    } names[] = {{SQLITE_ERROR, "SQLITE_ERROR"},
                 {SQLITE_AUTH, "SQLITE_AUTH"},
                 {SQLITE_BUSY, "SQLITE_BUSY"},
                 {SQLITE_LOCKED, "SQLITE_LOCKED"},
                 {SQLITE_NOMEM, "SQLITE_NOMEM"},
                 {SQLITE_READONLY, "SQLITE_READONLY"},
                 {SQLITE_INTERRUPT, "SQLITE_INTERRUPT"},
                 {SQLITE_IOERR, "SQLITE_IOERR"},
                 {SQLITE_CORRUPT, "SQLITE_CORRUPT"},
                 {SQLITE_FULL, "SQLITE_FULL"},
                 {SQLITE_CANTOPEN, "SQLITE_CANTOPEN"},
                 {SQLITE_SCHEMA, "SQLITE_SCHEMA"},
                 {SQLITE_TOOBIG, "SQLITE_TOOBIG"},
                 {SQLITE_MISMATCH, "SQLITE_MISMATCH"},
                 {SQLITE_RANGE, "SQLITE_RANGE"},
                 {SQLITE_NOTADB, "SQLITE_NOTADB"},
                 {SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"},
                 {SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"},
                 {SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"},
                 {SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"},
                 {SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"},
                 {SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"},
                 {SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"},
                 {SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"},
                 {SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"}};
    const char *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].rc == rc || (names[i].rc == (rc & 0xff) && !name))
            name = names[i].name;
    return name;
}

static void write_error(struct sq_out *o, const struct sq_error *e) {
    char words[sizeof e->message + 40] = "";
    const char *name = name_of(e->rc);
    if (e->statement >= 0)
        snprintf(words, sizeof words, "statement %d: ", e->statement + 1);
    strncat(words, e->message, sizeof words - strlen(words) - 1);
    sq_out_back(o, 0);
    sq_out_words(o, "-{");
    sq_out_key(o, "code");
    sq_out_i64(o, e->code);
    sq_out_key(o, "flags");
    sq_out_i64(o, e->retryable ? PX_ERROR_RETRYABLE : 0);
    sq_out_key(o, "message");
    sq_out_text(o, sq_str(words));
    if (e->advice) {
        sq_out_key(o, "advice");
        sq_out_text(o, sq_str(e->advice));
    }
    if (name || e->offset >= 0 || e->statement >= 0) {
        sq_out_key(o, "details");
        sq_out_open(o, '{');
        if (name) {
            sq_out_key(o, "sqlite");
            sq_out_text(o, sq_str(name));
        }
        if (e->offset >= 0) {
            sq_out_key(o, "offset");
            sq_out_i64(o, e->offset);
        }
        if (e->statement >= 0) {
            sq_out_key(o, "statement");
            sq_out_i64(o, e->statement);
        }
        sq_out_close(o, '}');
    }
    sq_out_close(o, '}');
}

/* ---- a call ---- */

static int run_tool(struct sq_run *r, int64_t tool) {
    sq_out_back(r->out, 0);
    sq_out_words(r->out, "+");
    r->error = (struct sq_error){.offset = -1, .statement = -1};
    switch (tool) {
    case SQ_QUERY: return sq_query(r);
    case SQ_EXECUTE: return sq_execute(r);
    case SQ_LIST: return sq_list_tables(r);
    case SQ_DESCRIBE: return sq_describe_table(r);
    default: return sq_refuse(r, PX_INTERNAL, NULL, "there is no tool %lld", (long long)tool);
    }
}

static bool needs_recovery(const struct sq_error *e) {
    return e->rc == SQLITE_READONLY_RECOVERY || e->rc == SQLITE_READONLY_ROLLBACK ||
           e->rc == SQLITE_READONLY_CANTINIT;
}

static int work(struct worker *w, struct sq_run *r, px_str line) {
    const struct px_host_json *json = w->host->json;
    int64_t n[5];
    static const char *const pointers[5] = {"/tool", "/db", "/ms", "/rows", "/bytes"};
    px_str v;
    r->error = (struct sq_error){.offset = -1, .statement = -1};
    for (int i = 0; i < 5; i++)
        if (json->at(line, sq_str(pointers[i]), &v) || json->i64(v, &n[i]))
            return sq_refuse(r, PX_INTERNAL, NULL, "%s is missing in the request", pointers[i]);
    if (json->at(line, sq_str("/args"), &r->args) || n[1] < 0 || n[1] >= w->config.n)
        return sq_refuse(r, PX_INTERNAL, NULL, "the request makes no sense");
    sq_guard_begin(&w->guard, w->host, n[2]);
    r->db = &w->config.dbs[n[1]];
    r->conn = &w->conns[n[1]];
    for (int try = 0;; try++) {
        int rc;
        r->rows = n[3];
        r->bytes = n[4] < w->config.max_bytes ? (size_t)(n[4] > 0 ? n[4] : 0) : (size_t)w->config.max_bytes;
        rc = run_tool(r, n[0]);
        if (rc == 0 || try || !needs_recovery(&r->error) || sq_conn_recover(r))
            return rc;
    }
}

static void worker_line(void *self, px_scope_h scope, px_str line) {
    struct worker *w = self;
    struct sq_run r = {.host = w->host, .scope = scope, .guard = &w->guard, .out = &w->out};
    int rc;
    if (w->host->cancelled(w->host->ctx)) {
        rc = sq_refuse(&r, PX_CANCELLED, NULL, "the call was cancelled");
        r.error.statement = -1;
    } else {
        rc = work(w, &r, line);
    }
    if (rc == 0 && w->out.failed) /* a change is done by now: say that, not less */
        rc = sq_refuse(&r, r.changing ? PX_OUTCOME_UNKNOWN : PX_TOO_LARGE, NULL,
                       "the answer was too long to pass on");
    if (rc)
        write_error(&w->out, &r.error);
    rc = w->host->emit(w->host->ctx, sq_out_view(&w->out));
    if (rc == 0 || rc == -EPIPE)
        return;
    sq_refuse(&r, PX_INTERNAL, NULL, "the answer could not be passed on (error %d)", -rc);
    r.error.statement = -1;
    write_error(&w->out, &r.error);
    w->host->emit(w->host->ctx, sq_out_view(&w->out));
}

static void worker_close(void *self) {
    struct worker *w = self;
    for (unsigned i = 0; i < w->config.n; i++)
        sq_conn_close(&w->conns[i]);
    free(w->out.p);
    free(w);
}

PX_WORKER(.open = worker_open, .line = worker_line, .close = worker_close);
