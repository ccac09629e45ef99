/* schema.c: list_tables and describe_table. They ask with bound names, through the same fences as a query. */
#include "worker.h"
#include <stdio.h>
#include <string.h>

typedef int (*row_fn)(struct sq_run *r, sqlite3_stmt *stmt, void *user);

static const px_str none = {NULL, 0};

/* Run `sql` with ?1 bound to `arg` (absent: NULL); `fn` may return 1 for "enough". */
static int each(struct sq_run *r, const char *sql, px_str arg, row_fn fn, void *user) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(r->sql, sql, -1, &stmt, NULL), more = 0;
    if (rc == SQLITE_OK && arg.p)
        rc = sqlite3_bind_text64(stmt, 1, arg.p, arg.n, SQLITE_STATIC, SQLITE_UTF8);
    while (rc == SQLITE_OK && !more) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
            break;
        if (rc == SQLITE_ROW) {
            rc = SQLITE_OK;
            more = fn(r, stmt, user);
        }
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        more = sq_failed(r, rc, none);
    sqlite3_finalize(stmt);
    return more < 0 ? -1 : 0;
}

static px_str column(sqlite3_stmt *stmt, int i) {
    const char *p = (const char *)sqlite3_column_text(stmt, i);
    return (px_str){p ? p : "", p ? (uint64_t)sqlite3_column_bytes(stmt, i) : 0};
}

static void text_member(struct sq_out *o, const char *key, px_str text) {
    sq_out_key(o, key);
    sq_out_text(o, text);
}

static void flag_member(struct sq_out *o, const char *key, bool v) {
    sq_out_key(o, key);
    sq_out_bool(o, v);
}

static void kind_member(struct sq_out *o, px_str kind) {
    bool shadow = kind.n == 6 && memcmp(kind.p, "shadow", 6) == 0;
    text_member(o, "type", shadow ? sq_str("table") : kind);
}

/* ---- list_tables ---- */

static int add_name(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    (void)user;
    sq_out_text(r->out, column(stmt, 0));
    return 0;
}

static int add_table(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    bool *truncated = user;
    struct sq_out *o = r->out;
    size_t before = o->n, names;
    px_str name = column(stmt, 0);
    sq_out_open(o, '{');
    text_member(o, "name", name);
    kind_member(o, column(stmt, 1));
    sq_out_key(o, "columns");
    sq_out_open(o, '[');
    names = o->n;
    if (each(r, "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden<>1", name, add_name, NULL)) {
        if (r->guard->stopped)
            return -1;
        sq_out_back(o, names); /* a view whose table is gone: say so, and go on */
        sq_out_close(o, ']');
        text_member(o, "error", sq_str(r->error.message));
        r->error = (struct sq_error){.statement = -1, .offset = -1};
    } else {
        sq_out_close(o, ']');
    }
    sq_out_close(o, '}');
    if (!o->failed && o->n <= r->bytes)
        return 0;
    sq_out_back(o, before);
    *truncated = true;
    return 1;
}

int sq_list_tables(struct sq_run *r) {
    bool truncated = false;
    px_str pattern = none;
    px_str v;
    r->bytes = r->bytes > 512 ? r->bytes - 512 : 0;
    if (r->host->json->at(r->args, sq_str("/pattern"), &v) == 0 && sq_arg(r, r->args, "/pattern", &pattern))
        return -1;
    if (sq_conn_use(r, false))
        return -1;
    sq_out_open(r->out, '{');
    sq_out_key(r->out, "tables");
    sq_out_open(r->out, '[');
    if (each(
            r,
            "SELECT name, type FROM pragma_table_list WHERE schema='main' AND type IN ('table','view','virtual') AND "
            "substr(name,1,7)<>'sqlite_' AND (?1 IS NULL OR name GLOB ?1) ORDER BY name",
            pattern, add_table, &truncated))
        return -1;
    sq_out_close(r->out, ']');
    flag_member(r->out, "truncated", truncated);
    if (truncated)
        text_member(r->out, "advice",
                    sq_str("There are more tables: ask again with a pattern, such as \"order*\"."));
    sq_out_close(r->out, '}');
    return 0;
}

/* ---- describe_table ---- */

static int begin(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    struct sq_out *o = r->out;
    *(px_str *)user = column(stmt, 0);
    if (r->host->scope->keep(r->scope, *(px_str *)user, user))
        return sq_refuse(r, PX_TOO_LARGE, NULL, "the name is too long");
    text_member(o, "name", *(px_str *)user);
    kind_member(o, column(stmt, 1));
    flag_member(o, "without_rowid", sqlite3_column_int(stmt, 2) != 0);
    flag_member(o, "strict", sqlite3_column_int(stmt, 3) != 0);
    return 1;
}

static int add_column(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    struct sq_out *o = r->out;
    int hidden = sqlite3_column_int(stmt, 5);
    (void)user;
    sq_out_open(o, '{');
    text_member(o, "name", column(stmt, 0));
    text_member(o, "type", column(stmt, 1));
    flag_member(o, "not_null", sqlite3_column_int(stmt, 2) != 0);
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL)
        text_member(o, "default", column(stmt, 3));
    if (sqlite3_column_int(stmt, 4)) {
        sq_out_key(o, "primary_key");
        sq_out_i64(o, sqlite3_column_int(stmt, 4));
    }
    if (hidden)
        flag_member(o, hidden == 1 ? "hidden" : "generated", true);
    sq_out_close(o, '}');
    return 0;
}

static int add_index_column(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    (void)user;
    if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
        sq_out_json(r->out, sq_str("null"));
    else
        sq_out_text(r->out, column(stmt, 0));
    return 0;
}

static int add_index(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    struct sq_out *o = r->out;
    (void)user;
    sq_out_open(o, '{');
    text_member(o, "name", column(stmt, 0));
    flag_member(o, "unique", sqlite3_column_int(stmt, 1) != 0);
    if (sqlite3_column_int(stmt, 2))
        flag_member(o, "partial", true);
    sq_out_key(o, "columns");
    sq_out_open(o, '[');
    if (each(r, "SELECT name FROM pragma_index_info(?1) ORDER BY seqno", column(stmt, 0), add_index_column,
             NULL))
        return -1;
    sq_out_close(o, ']');
    sq_out_close(o, '}');
    return 0;
}

/* One row a key: its columns come as JSON arrays. */
static int add_key(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    struct sq_out *o = r->out;
    (void)user;
    sq_out_open(o, '{');
    sq_out_key(o, "columns");
    sq_out_json(o, column(stmt, 0));
    text_member(o, "table", column(stmt, 1));
    sq_out_key(o, "references");
    sq_out_json(o, column(stmt, 2));
    text_member(o, "on_update", column(stmt, 3));
    text_member(o, "on_delete", column(stmt, 4));
    sq_out_close(o, '}');
    return 0;
}

static int add_sql(struct sq_run *r, sqlite3_stmt *stmt, void *user) {
    (void)user;
    if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        text_member(r->out, "sql", column(stmt, 0));
    return 1;
}

static int section(struct sq_run *r, const char *key, const char *sql, px_str table, row_fn fn) {
    int rc;
    sq_out_key(r->out, key);
    sq_out_open(r->out, '[');
    rc = each(r, sql, table, fn, NULL);
    sq_out_close(r->out, ']');
    return rc;
}

int sq_describe_table(struct sq_run *r) {
    px_str asked, table = none;
    if (sq_arg(r, r->args, "/table", &asked) || sq_conn_use(r, false))
        return -1;
    sq_out_open(r->out, '{');
    if (each(
            r,
            "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema='main' AND name=?1 COLLATE NOCASE",
            asked, begin, &table))
        return -1;
    if (!table.p)
        return sq_refuse(r, PX_NOT_FOUND, "list_tables shows the tables and views there are.",
                         "there is no table or view \"%.*s\"", asked.n > 200 ? 200 : (int)asked.n, asked.p);
    if (section(
            r, "columns",
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid",
            table, add_column) ||
        section(r, "indexes", "SELECT name, \"unique\", partial FROM pragma_index_list(?1) ORDER BY seq DESC",
                table, add_index) ||
        section(
            r, "foreign_keys",
            "SELECT json_group_array(\"from\"), \"table\", json_group_array(\"to\"), on_update, on_delete FROM "
            "(SELECT * FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq) GROUP BY id ORDER BY id DESC",
            table, add_key) ||
        section(
            r, "triggers",
            "SELECT name FROM sqlite_schema WHERE type='trigger' AND tbl_name=?1 COLLATE NOCASE ORDER BY 1",
            table, add_name) ||
        each(r, "SELECT sql FROM sqlite_schema WHERE type IN ('table','view') AND name=?1 COLLATE NOCASE",
             table, add_sql, NULL))
        return -1;
    sq_out_close(r->out, '}');
    if (!r->out->failed && r->out->n <= r->bytes)
        return 0;
    return sq_refuse(r, PX_TOO_LARGE,
                     "Ask for a part: SELECT name, type FROM pragma_table_info('…') with LIMIT in `query`.",
                     "the description of the table does not fit an answer");
}
