/* Just enough of GraphQL (spec, October 2021, section 2): which operation a document holds, its name and its variables.
 * What is inside selection sets is skipped by its brackets; the upstream knows its own schema. */
#include "route/read.h"

enum kind { END, NAME, PUNCT, TEXT, OTHER, BAD };
struct lexer {
    const char *p, *end;
    unsigned line;
    enum kind kind;
    px_str token;
    const char *why; /* BAD */
};

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_name_part(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static enum kind bad(struct lexer *l, const char *why) {
    l->why = why;
    return BAD;
}

/* Behind """ : up to the next one that is not \""" . */
static enum kind skip_block(struct lexer *l) {
    for (; l->p < l->end; l->p++) {
        size_t left = (size_t)(l->end - l->p);
        if (left >= 4 && !memcmp(l->p, "\\\"\"\"", 4)) {
            l->p += 3;
        } else if (left >= 3 && !memcmp(l->p, "\"\"\"", 3)) {
            l->p += 3;
            return TEXT;
        }
        l->line += *l->p == '\n';
    }
    return bad(l, "a block string that does not end");
}

static enum kind skip_text(struct lexer *l) {
    if (l->end - l->p >= 3 && !memcmp(l->p, "\"\"\"", 3)) {
        l->p += 3;
        return skip_block(l);
    }
    for (l->p++; l->p < l->end && *l->p != '\n' && *l->p != '\r'; l->p++) {
        if (*l->p == '"') {
            l->p++;
            return TEXT;
        }
        if (*l->p == '\\' && l->end - l->p > 1 && l->p[1] != '\n')
            l->p++;
    }
    return bad(l, "a string that does not end");
}

static void skip_ignored(struct lexer *l) {
    for (; l->p < l->end; l->p++) {
        if (*l->p == '#') {
            while (l->p < l->end && *l->p != '\n' && *l->p != '\r')
                l->p++;
            if (l->p == l->end)
                return;
        }
        if (!strchr(" \t\r\n,", *l->p) || !*l->p) {
            if (l->end - l->p >= 3 && !memcmp(l->p, "\xef\xbb\xbf", 3)) {
                l->p += 2;
                continue;
            }
            return;
        }
        l->line += *l->p == '\n';
    }
}

static enum kind next(struct lexer *l) {
    skip_ignored(l);
    const char *from = l->p;
    if (l->p == l->end) {
        l->kind = END;
    } else if (is_name_start(*l->p)) {
        while (l->p < l->end && is_name_part(*l->p))
            l->p++;
        l->kind = NAME;
    } else if (*l->p == '"') {
        l->kind = skip_text(l);
    } else if (*l->p && strchr("!$&()[]{}:=|@.", *l->p)) {
        l->p++;
        l->kind = PUNCT;
    } else if ((*l->p >= '0' && *l->p <= '9') || *l->p == '-' || *l->p == '+') {
        l->p++;
        l->kind = OTHER;
    } else {
        l->kind = bad(l, "a character that cannot stand there");
    }
    l->token = px_str_n(from, (size_t)(l->p - from));
    return l->kind;
}

static bool at(const struct lexer *l, char c) {
    return l->kind == PUNCT && l->token.p[0] == c;
}

static int fail(const struct lexer *l, struct px_err *err, const char *what) {
    return px_err_set(err, -EINVAL, "line %u: %s", l->line, l->kind == BAD ? l->why : what);
}

enum { DEEP = 256 };
/* At an opening bracket: to the token behind the one that closes it. */
static int skip_brackets(struct lexer *l, struct px_err *err) {
    char open[DEEP];
    unsigned depth = 0;
    do {
        char c = l->kind == PUNCT ? l->token.p[0] : 0;
        if (l->kind == END || l->kind == BAD)
            return fail(l, err, "a bracket that is not closed");
        if (c == '{' || c == '(' || c == '[') {
            if (depth == DEEP)
                return fail(l, err, "nested too deeply");
            open[depth++] = c;
        } else if (c == '}' || c == ')' || c == ']') {
            char want = open[depth - 1] == '{' ? '}' : open[depth - 1] == '(' ? ')' : ']';
            if (c != want)
                return fail(l, err, "brackets that do not match");
            depth--;
        }
        next(l);
    } while (depth);
    return 0;
}

static int skip_type(struct lexer *l, struct px_err *err) {
    unsigned depth = 0;
    for (; at(l, '['); next(l))
        depth++;
    if (l->kind != NAME)
        return fail(l, err, "a variable needs a type: $name: Type");
    next(l);
    for (;;) {
        if (at(l, '!'))
            next(l);
        if (!depth)
            return 0;
        if (!at(l, ']'))
            return fail(l, err, "a list type that is not closed");
        depth--;
        next(l);
    }
}

static int skip_value(struct lexer *l, struct px_err *err) {
    if (at(l, '[') || at(l, '{'))
        return skip_brackets(l, err);
    if (l->kind == OTHER) { /* a number: its pieces */
        while (l->kind == OTHER || at(l, '.') ||
               (l->kind == NAME && (l->token.p[0] == 'e' || l->token.p[0] == 'E')))
            next(l);
        return 0;
    }
    if (l->kind != NAME && l->kind != TEXT)
        return fail(l, err, "a default that is no constant");
    next(l);
    return 0;
}

static int skip_directives(struct lexer *l, struct px_err *err) {
    while (at(l, '@')) {
        if (next(l) != NAME)
            return fail(l, err, "a directive needs a name");
        next(l);
        int e = at(l, '(') ? skip_brackets(l, err) : 0;
        if (e)
            return e;
    }
    return 0;
}

/* How many there are at most: as many as there are dollars. */
static int make_room(struct px_arena *arena, const struct lexer *l, struct px_graphql *ret,
                     struct px_err *err) {
    size_t n = 0;
    for (const char *p = l->p; p < l->end; p++)
        n += *p == '$';
    ret->vars = px_arena_alloc(arena, n * sizeof *ret->vars);
    return ret->vars ? 0 : px_err_set(err, -ENOMEM, "out of memory");
}

/* Behind "(": $name: Type = default @directive … ")" */
static int read_vars(struct px_arena *arena, struct lexer *l, struct px_graphql *ret, struct px_err *err) {
    int e = make_room(arena, l, ret, err);
    next(l);
    while (!e && !at(l, ')')) {
        if (!at(l, '$') || next(l) != NAME)
            return fail(l, err, "expected a variable: $name: Type");
        struct px_graphql_var *var = &ret->vars[ret->n_vars];
        *var = (struct px_graphql_var){.name = l->token};
        for (size_t i = 0; i < ret->n_vars; i++) {
            if (px_str_eq(ret->vars[i].name, var->name))
                return px_err_set(err, -EINVAL, "line %u: the variable $" PX_FMT " is declared twice",
                                  l->line, PX_ARG(var->name));
        }
        ret->n_vars++;
        next(l);
        if (!at(l, ':'))
            return fail(l, err, "a variable needs a type: $name: Type");
        next(l);
        e = skip_type(l, err);
        if (!e && at(l, '=')) {
            var->has_default = true;
            next(l);
            e = skip_value(l, err);
        }
        if (!e)
            e = skip_directives(l, err);
    }
    if (!e)
        next(l);
    return e;
}

static int read_operation(struct px_arena *arena, struct lexer *l, struct px_graphql *ret,
                          struct px_err *err) {
    int e = 0;
    if (l->kind == NAME) {
        if (px_str_is(l->token, "subscription"))
            return fail(l, err, "a subscription cannot be a route: only a query or a mutation");
        ret->mutation = px_str_is(l->token, "mutation");
        if (next(l) == NAME) {
            ret->name = l->token;
            next(l);
        }
        if (at(l, '('))
            e = read_vars(arena, l, ret, err);
        if (!e)
            e = skip_directives(l, err);
    }
    if (e)
        return e;
    if (!at(l, '{'))
        return fail(l, err, "expected the operation's selection: { … }");
    return skip_brackets(l, err);
}

static int skip_fragment(struct lexer *l, struct px_err *err) {
    if (next(l) != NAME)
        return fail(l, err, "a fragment needs a name");
    if (next(l) != NAME || !px_str_is(l->token, "on") || next(l) != NAME)
        return fail(l, err, "a fragment needs a type: fragment name on Type { … }");
    next(l);
    int e = skip_directives(l, err);
    if (e)
        return e;
    return at(l, '{') ? skip_brackets(l, err) : fail(l, err, "expected the fragment's selection: { … }");
}

int px_graphql_read(struct px_arena *arena, px_str text, struct px_graphql *ret, struct px_err *err) {
    struct lexer l = {.p = text.p, .end = text.p + text.n, .line = 1};
    struct px_graphql found = {0};
    unsigned operations = 0;
    int e = 0;
    next(&l);
    while (!e && l.kind != END) {
        bool named = px_str_is(l.token, "query") || px_str_is(l.token, "mutation") ||
                     px_str_is(l.token, "subscription");
        if (l.kind == NAME && px_str_is(l.token, "fragment")) {
            e = skip_fragment(&l, err);
        } else if (at(&l, '{') || (l.kind == NAME && named)) {
            if (operations++)
                return fail(&l, err, "a second operation: a route has exactly one");
            e = read_operation(arena, &l, &found, err);
        } else {
            return fail(&l, err, "expected query, mutation, fragment or {");
        }
    }
    if (!e && !operations)
        return px_err_set(err, -EINVAL,
                          "there is no operation: write query Name { … } or mutation Name { … }");
    if (!e)
        *ret = found;
    return e;
}
