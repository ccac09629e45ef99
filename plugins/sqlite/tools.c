/* tools.c: the tools as a planner sees them. The names of the databases stand in the descriptions and schemas, so that a
 * model need not guess them. Schemas are written here with ' for ", which quoted() puts right. */
#include "sqlite.h"
#include <errno.h>
#include <string.h>

#define CELLS                                                                                                           \
    "'columns':{'type':'array','items':{'type':'object','required':['name'],'properties':{"                             \
    "'name':{'type':'string'},"                                                                                         \
    "'type':{'type':'string','description':'As declared; absent for an expression.'}}}},"                               \
    "'rows':{'type':'array','description':'Each row is an array in the order of columns. Integers are exact, "          \
    "also above 2^53. A blob is {\\'base64\\':…}; text that is not UTF-8 is {\\'text\\':…,\\'text_base64\\':…}; " \
    "an infinite number is {\\'real\\':\\'Infinity\\'}.',"                                                              \
    "'items':{'type':'array','items':{'type':['null','number','string','object']}}},"                                   \
    "'row_count':{'type':'integer','description':'Rows in this answer.'},"                                              \
    "'truncated':{'type':'boolean','description':'There are more rows; advice says how to get them.'},"                 \
    "'advice':{'type':'string'}"

#define SQL                                                                                                  \
    "'sql':{'type':'string','minLength':1,'maxLength':262144,'description':'One statement. Strings take "    \
    "single quotes, names double quotes.'}"

#define PARAMS                                                                                                 \
    "'params':{'type':['array','object'],'description':'Values for the parameters of the statement: an array " \
    "for ?, an object of names for :name, @name and $name. Use null, booleans (stored as 1 and 0), numbers "   \
    "and strings; {\\'base64\\':…} for bytes. Never write values into the SQL itself.'}"

#define KIND "'type':{'type':'string','enum':['table','view','virtual']}"

static const char query_out[] =
    "{'type':'object','required':['columns','rows','row_count','truncated'],'properties':{" CELLS "}}";

static const char execute_out[] =
    "{'type':'object','required':['changes','results'],'properties':{"
    "'changes':{'type':'integer','description':'Rows inserted, updated or deleted, in all.'},"
    "'results':{'type':'array','description':'One for each statement.','items':{'type':'object',"
    "'required':['changes'],'properties':{'changes':{'type':'integer'},"
    "'last_insert_rowid':{'type':'integer'}," CELLS "}}}}}";

static const char list_out[] =
    "{'type':'object','required':['tables','truncated'],'properties':{'tables':{'type':'array','items':{"
    "'type':'object','required':['name','type','columns'],'properties':{'name':{'type':'string'}," KIND ","
    "'columns':{'type':'array','items':{'type':'string'}},"
    "'error':{'type':'string','description':'Why its columns cannot be told.'}}}},"
    "'truncated':{'type':'boolean'},'advice':{'type':'string'}}}";

static const char describe_out[] =
    "{'type':'object','required':['name','type','columns','indexes','foreign_keys','triggers'],'properties':{"
    "'name':{'type':'string'}," KIND ",'without_rowid':{'type':'boolean'},'strict':{'type':'boolean'},"
    "'columns':{'type':'array','items':{'type':'object','required':['name','type','not_null'],'properties':{"
    "'name':{'type':'string'},'type':{'type':'string'},'not_null':{'type':'boolean'},"
    "'default':{'type':'string','description':'An SQL expression.'},"
    "'primary_key':{'type':'integer','description':'Its place in the primary key, from 1.'},"
    "'generated':{'type':'boolean'},'hidden':{'type':'boolean'}}}},"
    "'indexes':{'type':'array','items':{'type':'object','required':['name','unique','columns'],'properties':{"
    "'name':{'type':'string'},'unique':{'type':'boolean'},'partial':{'type':'boolean'},"
    "'columns':{'type':'array','items':{'type':['string','null']},'description':'null: an expression.'}}}},"
    "'foreign_keys':{'type':'array','items':{'type':'object','required':['columns','table','references'],"
    "'properties':{'columns':{'type':'array','items':{'type':'string'}},'table':{'type':'string'},"
    "'references':{'type':'array','items':{'type':['string','null']},'description':'null: its primary key.'},"
    "'on_update':{'type':'string'},'on_delete':{'type':'string'}}}},"
    "'triggers':{'type':'array','items':{'type':'string'}},"
    "'sql':{'type':'string','description':'The statement that made it.'}}}";

/* Text with ' for ". */
static void quoted(struct sq_out *o, const char *text) {
    size_t at = o->n;
    sq_out_words(o, text);
    for (; at < o->n; at++)
        if (o->p[at] == '\'')
            o->p[at] = '"';
}

/* End a text: its NUL. */
static const char *ended(struct sq_out *o, size_t at) {
    sq_out_bytes(o, "", 1);
    return o->p + at;
}

static void database(struct sq_out *o, const struct sq_config *c, bool writes) {
    quoted(o, ",'database':{'type':'string','enum':[");
    for (unsigned i = 0; i < c->n; i++)
        if (!writes || !c->dbs[i].read_only)
            sq_out_text(o, c->dbs[i].name);
    sq_out_words(o, "]");
    if (c->default_db >= 0 && !(writes && c->dbs[c->default_db].read_only)) {
        sq_out_key(o, "default");
        sq_out_text(o, c->dbs[c->default_db].name);
    }
    sq_out_words(o, "}");
}

/* The schema of a tool's arguments. `required`: the one argument besides the database that must be there, or NULL;
 * max_rows: its most, or 0 when the tool has none. */
static const char *input(struct sq_out *o, const struct sq_config *c, bool writes, const char *required,
                         int64_t max_rows, const char *properties) {
    size_t at = o->n;
    bool named = c->default_db < 0 || (writes && c->dbs[c->default_db].read_only);
    quoted(o, "{'type':'object','additionalProperties':false,");
    if (required || named) {
        quoted(o, "'required':[");
        if (required)
            sq_out_text(o, sq_str(required));
        if (named)
            sq_out_text(o, sq_str("database"));
        sq_out_words(o, "],");
    }
    quoted(o, "'properties':{");
    quoted(o, properties);
    if (max_rows) {
        quoted(o, ",'max_rows':{'type':'integer','minimum':1,'maximum':");
        sq_out_i64(o, max_rows);
        sq_out_words(o, "}");
    }
    database(o, c, writes);
    sq_out_words(o, "}}");
    return ended(o, at);
}

/* The words, then the databases they apply to. */
static const char *about(struct sq_out *o, const struct sq_config *c, bool writes, const char *words) {
    size_t at = o->n;
    const char *before = " Databases: ";
    sq_out_words(o, words);
    for (unsigned i = 0; i < c->n; i++) {
        const struct sq_db *db = &c->dbs[i];
        if (writes && db->read_only)
            continue;
        sq_out_words(o, before);
        before = ", ";
        sq_out_bytes(o, db->name.p, db->name.n);
        if ((int)i == c->default_db && c->n > 1)
            sq_out_words(o, " (default)");
        if (db->read_only)
            sq_out_words(o, " (read-only)");
    }
    sq_out_words(o, ".");
    return ended(o, at);
}

static struct px_tool reading(struct sq_out *o, enum sq_tool id, const char *name, const char *title,
                              const char *output, uint32_t labels) {
    size_t at = o->n;
    quoted(o, output);
    return (struct px_tool){.size = sizeof(struct px_tool),
                            .id = id,
                            .name = name,
                            .title = title,
                            .output_schema = ended(o, at),
                            .hints = PX_HINT_READ_ONLY | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT |
                                     PX_HINT_OPEN_WORLD_SET,
                            .labels = labels};
}

static struct px_tool query(struct sq_out *o, const struct sq_config *c, uint32_t labels) {
    struct px_tool t = reading(o, SQ_QUERY, "query", "Query a database", query_out, labels);
    t.description = about(
        o, c, false,
        "Run one read-only SQL statement (SQLite) and get its rows: SELECT, WITH, VALUES, EXPLAIN QUERY "
        "PLAN, or a PRAGMA that only reads. Look names up first with list_tables and describe_table. Ask "
        "for no more than you need (columns, WHERE, LIMIT, aggregates): an answer has a limit of rows and "
        "bytes.");
    t.input_schema = input(o, c, false, "sql", c->max_rows, SQL "," PARAMS);
    return t;
}

static struct px_tool execute(struct sq_out *o, const struct sq_config *c, uint32_t labels) {
    struct px_tool t = reading(o, SQ_EXECUTE, "execute", "Change a database", execute_out, labels);
    t.hints = PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE | PX_HINT_IDEMPOTENT_SET | PX_HINT_OPEN_WORLD_SET;
    t.description =
        about(o, c, true,
              "Run one SQL statement (SQLite) that writes: INSERT, UPDATE, DELETE, also with RETURNING, or "
              "CREATE, ALTER and DROP. Give either sql (with params) or statements: several that take effect "
              "together or not at all. When it fails, nothing was changed.");
    t.input_schema = input(
        o, c, true, NULL, c->max_rows,
        SQL "," PARAMS ",'statements':{'type':'array','minItems':1,'maxItems':100,'description':"
            "'Run in this order in one transaction; do not write BEGIN and COMMIT.','items':{'type':"
            "'object','additionalProperties':false,'required':['sql'],'properties':{" SQL "," PARAMS "}}}");
    return t;
}

static struct px_tool list(struct sq_out *o, const struct sq_config *c, uint32_t labels) {
    struct px_tool t = reading(o, SQ_LIST, "list_tables", "List the tables of a database", list_out, labels);
    t.description =
        about(o, c, false, "The tables and views of a database with the names of their columns. Begin here.");
    t.input_schema =
        input(o, c, false, NULL, 0,
              "'pattern':{'type':'string','maxLength':200,'description':'Only names like this: * stands for "
              "any characters, ? for one; upper and lower case differ.'}");
    return t;
}

static struct px_tool describe(struct sq_out *o, const struct sq_config *c, uint32_t labels) {
    struct px_tool t = reading(o, SQ_DESCRIBE, "describe_table", "Describe a table", describe_out, labels);
    t.description =
        about(o, c, false,
              "Columns, keys, indexes, foreign keys and triggers of one table or view, and the SQL that made "
              "it. Look here before writing SQL for it.");
    t.input_schema =
        input(o, c, false, "table", 0, "'table':{'type':'string','minLength':1,'maxLength':1000}");
    return t;
}

int sq_tools_set(const struct px_host *host, px_service_h service, px_scope_h scope,
                 const struct sq_config *c) {
    enum { ROOM = 64 * 1024 }; /* 32 names of 64 bytes, twice in each of four tools, are 16 KiB */
    struct sq_out o = sq_out_over(host->scope->alloc(scope, ROOM), ROOM);
    struct px_tool tools[4];
    uint32_t n = 0, labels = PX_LABEL_READS_PRIVATE | (c->untrusted_text ? PX_LABEL_READS_UNTRUSTED : 0);
    bool writable = false;
    if (!o.p)
        return -ENOMEM;
    for (unsigned i = 0; i < c->n; i++)
        writable = writable || !c->dbs[i].read_only;
    tools[n++] = query(&o, c, labels);
    if (writable)
        tools[n++] = execute(&o, c, labels);
    tools[n++] = list(&o, c, labels);
    tools[n++] = describe(&o, c, labels);
    if (o.failed)
        return -EMSGSIZE;
    return host->catalog->set(service, PX_LIST_TOOLS, tools, n, sizeof tools[0], NULL);
}
