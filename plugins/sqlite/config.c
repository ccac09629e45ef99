/* config.c: reading the service's configuration. The host has checked it against the schema, so that only what a schema
 * cannot say is checked here. */
#include "config.h"
#include "out.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

const char sq_config_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"databases\"],\"properties\":{"
    "\"databases\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":32,"
    "\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"
    "\"description\":\"The databases a planner may name. The key is the name it uses.\","
    "\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"path\"],"
    "\"properties\":{"
    "\"path\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1024,"
    "\"description\":\"The file; relative to the host's working directory, which is the folder of its configuration. "
    "Planners never see it.\"},"
    "\"read_only\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Refuse every write.\"},"
    "\"create\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Make the file when it is not there.\"},"
    "\"foreign_keys\":{\"type\":\"boolean\",\"default\":true,"
    "\"description\":\"Whether writes must respect foreign keys.\"},"
    "\"schema_changes\":{\"type\":\"boolean\",\"default\":true,"
    "\"description\":\"Whether `execute` may create, alter and drop tables, indexes, views and triggers.\"},"
    "\"budget_ms\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":600000,"
    "\"description\":\"Instead of the service's own.\"}}}},"
    "\"default\":{\"type\":\"string\",\"description\":\"The database of a call that names none. With one database, it is "
    "that one.\"},"
    "\"budget_ms\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":600000,\"default\":5000,"
    "\"description\":\"How long a call may run; at most until its deadline.\"},"
    "\"max_rows\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":1000,"
    "\"description\":\"Rows in one answer.\"},"
    "\"max_bytes\":{\"type\":\"integer\",\"minimum\":4096,\"maximum\":4194304,\"default\":1048576,"
    "\"description\":\"Bytes of JSON in one answer; fewer when the caller can take fewer.\"},"
    "\"workers\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":8,\"default\":2,"
    "\"description\":\"Processes that run statements, started when needed.\"},"
    "\"queue\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000,\"default\":64,"
    "\"description\":\"Calls that may wait for a worker.\"},"
    "\"idle_s\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400,\"default\":60,"
    "\"description\":\"A worker without work for so long is stopped.\"},"
    "\"memory_mb\":{\"type\":\"integer\",\"minimum\":8,\"maximum\":4096,\"default\":256,"
    "\"description\":\"Memory SQLite may use in each worker; sorting and temporary tables count.\"},"
    "\"untrusted_text\":{\"type\":\"boolean\",\"default\":true,"
    "\"description\":\"Whether outsiders may have written text into these databases. False takes the label "
    "reads_untrusted off the tools.\"}}}";

/* What the reader needs at hand. */
struct reader {
    const struct px_host_json *json;
    const struct px_host_scope *scopes;
    px_scope_h scope;
    struct sq_config *c;
    char *why;
    uint64_t why_size;
};

static bool member(const struct reader *r, px_str object, const char *pointer, px_str *ret) {
    return r->json->at(object, sq_str(pointer), ret) == 0;
}

static bool truth(const struct reader *r, px_str object, const char *pointer, bool otherwise) {
    px_str v;
    return member(r, object, pointer, &v) ? v.n == 4 : otherwise;
}

static int64_t number(const struct reader *r, px_str object, const char *pointer, int64_t otherwise) {
    px_str v;
    int64_t n;
    return member(r, object, pointer, &v) && r->json->i64(v, &n) == 0 ? n : otherwise;
}

/* A kept copy, with a NUL behind its end. */
static int text(const struct reader *r, px_str value, px_str *ret) {
    px_str decoded;
    if (r->json->text(r->scope, value, &decoded) || memchr(decoded.p, 0, decoded.n))
        return -EINVAL;
    return r->scopes->keep(r->scope, decoded, ret);
}

static int wrong(const struct reader *r, px_str name, const char *what) {
    snprintf(r->why, r->why_size, "databases: %.*s%s%s", (int)name.n, name.n ? name.p : "",
             name.n ? ": " : "", what);
    return -EINVAL;
}

/* With "./" before a relative path: to SQLite, ":memory:" and "file:…" would be no names of files. */
static int read_path(const struct reader *r, px_str value, px_str *ret) {
    px_str path;
    if (text(r, value, &path) || !path.n)
        return -EINVAL;
    *ret = path;
    if (path.p[0] == '/')
        return 0;
    char *p = r->scopes->alloc(r->scope, path.n + 3);
    if (!p)
        return -ENOMEM;
    memcpy(p, "./", 2);
    memcpy(p + 2, path.p, path.n);
    *ret = (px_str){p, path.n + 2};
    return 0;
}

static int read_db(const struct reader *r, px_str key, px_str value) {
    struct sq_db *db = &r->c->dbs[r->c->n];
    px_str path;
    if (text(r, key, &db->name))
        return wrong(r, key, "not a name");
    if (!member(r, value, "/path", &path) || read_path(r, path, &db->path))
        return wrong(r, db->name, "path is no path of a file");
    db->read_only = truth(r, value, "/read_only", false);
    db->create = truth(r, value, "/create", false);
    db->foreign_keys = truth(r, value, "/foreign_keys", true);
    db->schema_changes = truth(r, value, "/schema_changes", true);
    db->budget_ms = number(r, value, "/budget_ms", r->c->budget_ms);
    if (db->read_only && db->create)
        return wrong(r, db->name, "is read_only and create at once: leave one away");
    r->c->n++;
    return 0;
}

int sq_config_find(const struct sq_config *c, px_str name) {
    for (unsigned i = 0; i < c->n; i++)
        if (c->dbs[i].name.n == name.n && memcmp(c->dbs[i].name.p, name.p, name.n) == 0)
            return (int)i;
    return -1;
}

static int read_default(const struct reader *r, px_str config) {
    px_str v;
    r->c->default_db = r->c->n == 1 ? 0 : -1;
    if (!member(r, config, "/default", &v))
        return 0;
    if (text(r, v, &v) || (r->c->default_db = sq_config_find(r->c, v)) < 0)
        return wrong(r, v, "is the default, but not among them");
    return 0;
}

int sq_config_read(const struct px_host_json *json, const struct px_host_scope *scopes, px_scope_h scope,
                   px_str config, struct sq_config *c, char *why, uint64_t why_size) {
    const struct reader r = {json, scopes, scope, c, why, why_size};
    const px_str none = {"", 0};
    px_str dbs, key, value;
    uint64_t pos = 0;
    int more, rc;
    *c = (struct sq_config){.budget_ms = number(&r, config, "/budget_ms", 5000),
                            .max_rows = number(&r, config, "/max_rows", 1000),
                            .max_bytes = number(&r, config, "/max_bytes", 1048576),
                            .workers = number(&r, config, "/workers", 2),
                            .queue = number(&r, config, "/queue", 64),
                            .idle_s = number(&r, config, "/idle_s", 60),
                            .memory_mb = number(&r, config, "/memory_mb", 256),
                            .untrusted_text = truth(&r, config, "/untrusted_text", true)};
    if (!member(&r, config, "/databases", &dbs))
        return wrong(&r, none, "missing");
    while ((more = json->next(dbs, &pos, &key, &value)) == 1) {
        if (c->n == SQ_DBS_MAX)
            return wrong(&r, none, "too many");
        if ((rc = read_db(&r, key, value)))
            return rc;
    }
    if (more < 0 || !c->n)
        return wrong(&r, none, "there is none");
    return read_default(&r, config);
}
