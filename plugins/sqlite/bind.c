/* bind.c: a call's params into a statement: bound, never pasted, and as exact as they came. */
#include "worker.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KINDS "Use null, a boolean, a number, a string, or {\"base64\": \"…\"} for bytes."

/* Which parameter, for an error: its name, or its place from 1. */
struct which {
    const char *name;
    int i;
};

static int refuse(struct sq_run *r, struct which w, const char *what, const char *advice) {
    if (w.name)
        return sq_refuse(r, PX_INVALID_ARGUMENTS, advice, "parameter %.100s %s", w.name, what);
    return sq_refuse(r, PX_INVALID_ARGUMENTS, advice, "parameter %d %s", w.i, what);
}

static int done(struct sq_run *r, int rc) {
    return rc == SQLITE_OK ? 0 : sq_failed(r, rc, (px_str){NULL, 0});
}

static int bind_bytes(struct sq_run *r, sqlite3_stmt *stmt, int i, px_str bytes, bool as_text) {
    const char *p = bytes.p ? bytes.p : "";
    if (as_text)
        return done(r, sqlite3_bind_text64(stmt, i, p, bytes.n, SQLITE_STATIC, SQLITE_UTF8));
    return done(r, sqlite3_bind_blob64(stmt, i, p, bytes.n, SQLITE_STATIC));
}

static int bind_number(struct sq_run *r, sqlite3_stmt *stmt, struct which w, px_str v) {
    int64_t n;
    bool real = memchr(v.p, '.', v.n) || memchr(v.p, 'e', v.n) || memchr(v.p, 'E', v.n);
    if (!real) {
        if (r->host->json->i64(v, &n))
            return refuse(r, w, "does not fit a 64-bit integer",
                          "Pass it as a string, if the column is text.");
        return done(r, sqlite3_bind_int64(stmt, w.i, n));
    }
    if (r->host->scope->keep(r->scope, v, &v))
        return sq_refuse(r, PX_TOO_LARGE, NULL, "the params are too long");
    char *end;
    double d = strtod(v.p, &end);
    if (*end || !isfinite(d))
        return refuse(r, w, "does not fit a 64-bit real", "{\"real\": \"Infinity\"} is the infinite number.");
    return done(r, sqlite3_bind_double(stmt, w.i, d));
}

/* {"base64": …}, {"text_base64": …} with or without "text", {"real": "Infinity"}: as cells come out. */
static int bind_object(struct sq_run *r, sqlite3_stmt *stmt, struct which w, px_str object) {
    const struct px_host_json *json = r->host->json;
    px_str v, rest;
    uint64_t pos = 0;
    int n = 0;
    while (json->next(object, &pos, &v, &rest) == 1)
        n++;
    if (n == 1 && json->at(object, sq_str("/real"), &v) == 0 && json->text(r->scope, v, &v) == 0) {
        bool negative = v.n && v.p[0] == '-';
        if (v.n - negative == 8 && memcmp(v.p + negative, "Infinity", 8) == 0)
            return done(r, sqlite3_bind_double(stmt, w.i, negative ? -INFINITY : INFINITY));
        return refuse(r, w, "is no real number",
                      "Write {\"real\": \"Infinity\"} or {\"real\": \"-Infinity\"}.");
    }
    bool as_text = json->at(object, sq_str("/text_base64"), &v) == 0;
    bool known = as_text ? n == 1 || (n == 2 && json->at(object, sq_str("/text"), &rest) == 0)
                         : n == 1 && json->at(object, sq_str("/base64"), &v) == 0;
    if (!known)
        return refuse(r, w, "is an object", KINDS " An object of data is stored as a string of JSON.");
    if (json->text(r->scope, v, &v) || json->unbase64(r->scope, v, &v))
        return refuse(r, w, "is not base64", "Encode the bytes as RFC 4648 base64.");
    return bind_bytes(r, stmt, w.i, v, as_text);
}

static int bind_value(struct sq_run *r, sqlite3_stmt *stmt, struct which w, px_str v) {
    switch (v.n ? v.p[0] : 0) {
    case 'n': return done(r, sqlite3_bind_null(stmt, w.i));
    case 't': return done(r, sqlite3_bind_int64(stmt, w.i, 1));
    case 'f': return done(r, sqlite3_bind_int64(stmt, w.i, 0));
    case '"':
        if (r->host->json->text(r->scope, v, &v))
            return sq_refuse(r, PX_TOO_LARGE, NULL, "the params are too long");
        return bind_bytes(r, stmt, w.i, v, true);
    case '{': return bind_object(r, stmt, w, v);
    case '[':
        return refuse(r, w, "is an array",
                      KINDS " For IN (…) write one ? for each value, or json_each(?) of a string.");
    default: return bind_number(r, stmt, w, v);
    }
}

static int bind_array(struct sq_run *r, sqlite3_stmt *stmt, px_str params) {
    int want = sqlite3_bind_parameter_count(stmt), n = 0;
    uint64_t pos = 0;
    px_str v;
    while (r->host->json->next(params, &pos, NULL, &v) == 1)
        if (++n <= want && bind_value(r, stmt, (struct which){NULL, n}, v))
            return -1;
    if (n == want)
        return 0;
    return sq_refuse(r, PX_INVALID_ARGUMENTS, "Give one value for each ? in the statement.",
                     "the statement has %d parameter%s, params has %d value%s", want, want == 1 ? "" : "s", n,
                     n == 1 ? "" : "s");
}

/* The place of a named parameter; 0: the statement has none of that name. */
static int find(struct sq_run *r, sqlite3_stmt *stmt, px_str key, const char **ret_name) {
    char *name = r->host->scope->alloc(r->scope, key.n + 2);
    int i = 0;
    if (!name || !key.n || memchr(key.p, 0, key.n))
        return 0;
    memcpy(name + 1, key.p, key.n);
    *ret_name = name + 1;
    if (strchr(":@$", key.p[0]))
        return sqlite3_bind_parameter_index(stmt, name + 1);
    for (const char *sign = ":@$"; *sign && !i; sign++) {
        name[0] = *sign;
        i = sqlite3_bind_parameter_index(stmt, name);
    }
    return i;
}

static int bind_named(struct sq_run *r, sqlite3_stmt *stmt, px_str params) {
    int want = sqlite3_bind_parameter_count(stmt), i;
    bool *given = r->host->scope->alloc(r->scope, (uint64_t)want + 1);
    uint64_t pos = 0;
    px_str key, v;
    if (!given)
        return sq_refuse(r, PX_TOO_LARGE, NULL, "the params are too long");
    while (r->host->json->next(params, &pos, &key, &v) == 1) {
        const char *name = "";
        if (r->host->json->text(r->scope, key, &key))
            return sq_refuse(r, PX_TOO_LARGE, NULL, "the params are too long");
        if (!(i = find(r, stmt, key, &name)))
            return sq_refuse(r, PX_INVALID_ARGUMENTS,
                             "Name it :name in the statement, or leave it out of params.",
                             "the statement has no parameter \"%.100s\"", name);
        if (bind_value(r, stmt, (struct which){name, i}, v))
            return -1;
        given[i] = true;
    }
    for (i = 1; i <= want; i++)
        if (!given[i]) {
            const char *name = sqlite3_bind_parameter_name(stmt, i);
            return sq_refuse(r, PX_INVALID_ARGUMENTS,
                             "Use only :name, @name or $name with an object, only ? with an array.",
                             "params has no value for parameter %.100s (the statement's number %d)",
                             name ? name : "?", i);
        }
    return 0;
}

int sq_bind(struct sq_run *r, sqlite3_stmt *stmt, px_str params) {
    if (params.p && params.n && params.p[0] == '{')
        return bind_named(r, stmt, params);
    return bind_array(r, stmt, params.p ? params : sq_str("[]"));
}
