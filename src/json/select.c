#include "json/select.h"
#include "json/slice.h"
#include "json/text.h"

enum {
    MOST_DEPTH = 512, /* of a value: as deep as any text that was scanned */
    ARENA_BYTES = 1024 * 1024
};

/* A name below the names in front of it; the fields are the leaves. */
struct node {
    px_str name; /* decoded */
    px_str written;
    struct node *first, *last, *next;
    bool star;  /* every member */
    bool whole; /* kept with all that is in it; nothing is below */
    size_t field;
};
struct px_select {
    struct px_arena arena;
    struct node root;
    px_str *paths;
    size_t n;
};

/* ---- compiling ---- */

struct parse {
    px_str text;
    size_t at, n; /* n: fields so far */
    struct px_arena *arena;
    struct px_err *err;
};

static int wrong(struct parse *p, size_t at, const char *what) {
    size_t character = 1;
    for (size_t i = 0; i < at; i++)
        character += ((unsigned char)p->text.p[i] & 0xc0) != 0x80;
    return px_err_set(p->err, -EINVAL, "fields: at character %zu: %s", character, what);
}

static void skip_blanks(struct parse *p) {
    while (p->at < p->text.n && px_is_space(p->text.p[p->at]))
        p->at++;
}

/* Past the blanks; 0 at the end. */
static char peek(struct parse *p) {
    skip_blanks(p);
    return p->at < p->text.n ? p->text.p[p->at] : 0;
}

static int hex_digit(char c) {
    return px_is_digit(c)         ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* `written` with its %XX decoded; `at`: where it stands. */
static int decode(struct parse *p, size_t at, px_str written, px_str *ret) {
    char *name = px_arena_raw(p->arena, written.n);
    size_t n = 0;
    if (!name)
        return px_err_set(p->err, -ENOMEM, "fields: no memory");
    for (size_t i = 0; i < written.n; i++) {
        name[n++] = written.p[i];
        if (written.p[i] != '%')
            continue;
        int high = written.n - i > 2 ? hex_digit(written.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(written.p[i + 2]) : -1;
        if (low < 0)
            return wrong(p, at + i, "behind % stand two hexadecimal digits (a percent sign itself is %25)");
        name[n - 1] = (char)(high << 4 | low);
        i += 2;
    }
    *ret = px_str_n(name, n);
    return 0;
}

static struct node *find(struct node *parent, bool star, px_str name) {
    for (struct node *node = parent->first; node; node = node->next) {
        if (node->star == star && px_str_eq(node->name, name))
            return node;
    }
    return NULL;
}

/* A name at *at, below `parent`. */
static int parse_name(struct parse *p, struct node *parent, struct node **ret) {
    skip_blanks(p);
    size_t at = p->at;
    while (p->at < p->text.n && !px_is_space(p->text.p[p->at]) && !memchr(",/()", p->text.p[p->at], 4))
        p->at++;
    px_str written = px_str_n(p->text.p + at, p->at - at), name;
    if (!written.n)
        return wrong(p, at, "a name is missing");
    bool star = px_str_is(written, "*");
    int r = decode(p, at, written, &name);
    if (r)
        return r;
    struct node *node = find(parent, star, name);
    if (!node) {
        node = px_arena_alloc(p->arena, sizeof *node);
        if (!node)
            return px_err_set(p->err, -ENOMEM, "fields: no memory");
        *node = (struct node){.name = name, .star = star, .written = px_arena_str(p->arena, written)};
        if (!node->written.p)
            return px_err_set(p->err, -ENOMEM, "fields: no memory");
        *(parent->last ? &parent->last->next : &parent->first) = node;
        parent->last = node;
    }
    *ret = node;
    return 0;
}

static int parse_selection(struct parse *p, struct node *parent, unsigned depth);

static int parse_field(struct parse *p, struct node *parent, unsigned depth) {
    struct node *node = parent;
    for (bool more = true; more;) {
        if (depth++ == PX_SELECT_DEPTH_MAX)
            return px_err_set(p->err, -EMSGSIZE, "fields: deeper than %d names", PX_SELECT_DEPTH_MAX);
        int r = parse_name(p, node, &node);
        if (r)
            return r;
        more = peek(p) == '/';
        p->at += more;
    }
    if (peek(p) != '(') {
        node->whole = true;
        return p->n++ < PX_SELECT_FIELDS_MAX
                   ? 0
                   : px_err_set(p->err, -EMSGSIZE, "fields: more than %d of them", PX_SELECT_FIELDS_MAX);
    }
    size_t open = p->at++;
    int r = parse_selection(p, node, depth);
    if (r)
        return r;
    if (peek(p) == 0)
        return wrong(p, open, "there is no ) for this (");
    if (peek(p) != ')')
        return wrong(p, p->at, "expected , or )");
    p->at++;
    return 0;
}

static int parse_selection(struct parse *p, struct node *parent, unsigned depth) {
    for (;;) {
        int r = parse_field(p, parent, depth);
        if (r || peek(p) != ',')
            return r;
        p->at++;
    }
}

/* What is asked for in a whole is in it anyway; a whole "*" makes its parent one. */
static void fold(struct node *node) {
    struct node *star = NULL;
    for (struct node *child = node->first; child; child = child->next) {
        fold(child);
        if (child->star && child->whole)
            star = child;
    }
    if (!node->whole && star) {
        node->whole = true;
        node->first = star; /* its name stays in the path */
        star->next = star->first = NULL;
    } else if (node->whole) {
        node->first = NULL;
    }
}

static size_t count_leaves(const struct node *node) {
    size_t n = node->whole;
    for (const struct node *child = node->first; child && !node->whole; child = child->next)
        n += count_leaves(child);
    return n;
}

/* Number the leaves below `node`, whose path is in `path`. */
static int number(struct px_select *select, struct node *node, struct px_buf *path) {
    size_t before = path->n;
    int r = 0;
    if (node->whole) {
        if (node->first) /* "labels/star" */
            px_buf_addf(path, "%s" PX_FMT, path->n ? "/" : "", PX_ARG(node->first->written));
        node->field = select->n++;
        select->paths[node->field] = px_arena_str(&select->arena, px_buf_view(path));
        node->first = NULL;
        r = path->failed || !select->paths[node->field].p ? -ENOMEM : 0;
    }
    for (struct node *child = node->first; child && !r; child = child->next) {
        size_t here = path->n;
        px_buf_addf(path, "%s" PX_FMT, path->n ? "/" : "", PX_ARG(child->written));
        r = number(select, child, path);
        path->n = here;
    }
    path->n = before;
    return r;
}

static int finish_compile(struct px_select *select, struct px_err *err) {
    struct px_buf path;
    fold(&select->root);
    size_t n = count_leaves(&select->root);
    select->paths = px_arena_alloc(&select->arena, n * sizeof *select->paths);
    px_buf_init(&path, PX_SELECT_TEXT_MAX + PX_SELECT_DEPTH_MAX);
    int r = select->paths ? number(select, &select->root, &path) : -ENOMEM;
    px_buf_finish(&path);
    return r ? px_err_set(err, r, "fields: no memory") : 0;
}

int px_select_compile(px_str text, struct px_select **ret, struct px_err *err) {
    if (text.n > PX_SELECT_TEXT_MAX)
        return px_err_set(err, -EMSGSIZE, "fields: longer than %d bytes", PX_SELECT_TEXT_MAX);
    struct px_select *select = calloc(1, sizeof *select);
    if (!select)
        return px_err_set(err, -ENOMEM, "fields: no memory");
    px_arena_init_small(&select->arena, ARENA_BYTES);
    struct parse p = {.text = text, .arena = &select->arena, .err = err};
    int r = parse_selection(&p, &select->root, 0);
    if (!r && peek(&p))
        r = wrong(&p, p.at, peek(&p) == ')' ? "there is no ( for this )" : "expected , / or (");
    if (!r)
        r = finish_compile(select, err);
    if (r) {
        px_select_destroy(select);
        return r;
    }
    *ret = select;
    return 0;
}

void px_select_destroy(struct px_select *select) {
    if (!select)
        return;
    px_arena_finish(&select->arena);
    free(select);
}

size_t px_select_count(const struct px_select *select) {
    return select->n;
}

px_str px_select_path(const struct px_select *select, size_t field) {
    return field < select->n ? select->paths[field] : (px_str){0};
}

/* ---- applying: one pass over the text, so that nesting costs nothing ---- */

struct walk {
    const char *p, *end;
    struct px_buf *to;
    uint64_t *seen; /* NULL: nobody asks */
    unsigned depth;
};
/* The names that a value is looked at for: one, unless a "*" meets another. Their leaves are distinct. */
struct wanted {
    const struct node *nodes[PX_SELECT_FIELDS_MAX];
    size_t n;
};

static void saw(struct walk *w, const struct node *node) {
    if (w->seen)
        w->seen[node->field / 64] |= 1ull << node->field % 64;
}

/* Nothing is there that could say whether a field exists. */
static void saw_below(struct walk *w, const struct node *node) {
    if (node->whole)
        saw(w, node);
    for (const struct node *child = node->first; child; child = child->next)
        saw_below(w, child);
}

static void saw_all_below(struct walk *w, const struct wanted *wanted) {
    for (size_t i = 0; w->seen && i < wanted->n; i++)
        saw_below(w, wanted->nodes[i]);
}

/* Past the value that begins at w->p. */
static int take(struct walk *w, px_str *ret) {
    const char *stop = px_json_value_end(w->p, w->end);
    if (!stop)
        return -EINVAL;
    *ret = px_str_n(w->p, (size_t)(stop - w->p));
    w->p = stop;
    return 0;
}

static int copy(struct walk *w) {
    px_str value;
    int r = take(w, &value);
    return r ? r : px_json_slice_compact(w->to, value);
}

static int keep(struct walk *w, const struct wanted *wanted);

/* Which of the children of what is wanted this member is; true: all of it. */
static bool match(struct walk *w, const struct wanted *wanted, px_str key, struct wanted *ret) {
    bool whole = false;
    ret->n = 0;
    for (size_t i = 0; i < wanted->n; i++) {
        for (const struct node *child = wanted->nodes[i]->first; child; child = child->next) {
            if (!child->star && !px_json_slice_is(key, child->name))
                continue;
            if (child->whole) {
                saw(w, child);
                whole = true;
            } else if (ret->n < PX_COUNT(ret->nodes)) {
                ret->nodes[ret->n++] = child;
            }
        }
    }
    return whole;
}

static int keep_member(struct walk *w, const struct wanted *wanted, bool *any) {
    struct wanted below;
    px_str key, value;
    int r = w->p < w->end && *w->p == '"' ? take(w, &key) : -EINVAL;
    if (r)
        return r;
    w->p = px_skip_space(w->p, w->end);
    if (w->p == w->end || *w->p != ':')
        return -EINVAL;
    w->p = px_skip_space(w->p + 1, w->end);
    bool whole = match(w, wanted, key, &below);
    if (!whole && !below.n)
        return take(w, &value);
    if (*any)
        px_buf_char(w->to, ',');
    *any = true;
    px_buf_str(w->to, key);
    px_buf_char(w->to, ':');
    return whole ? copy(w) : keep(w, &below);
}

static int keep_container(struct walk *w, const struct wanted *wanted) {
    bool object = *w->p++ == '{', any = false;
    char close = object ? '}' : ']';
    int r = px_buf_char(w->to, object ? '{' : '[');
    w->p = px_skip_space(w->p, w->end);
    if (w->p < w->end && *w->p == close) {
        if (!object)
            saw_all_below(w, wanted);
        w->p++;
        return px_buf_char(w->to, close);
    }
    while (!r) {
        if (object) {
            r = keep_member(w, wanted, &any);
        } else {
            if (any)
                px_buf_char(w->to, ',');
            any = true;
            r = keep(w, wanted);
        }
        w->p = px_skip_space(w->p, w->end);
        if (r || w->p == w->end)
            break;
        char c = *w->p++;
        if (c == close)
            return px_buf_char(w->to, close);
        if (c != ',')
            break;
        w->p = px_skip_space(w->p, w->end);
    }
    return r ? r : -EINVAL;
}

static int keep(struct walk *w, const struct wanted *wanted) {
    if (w->p == w->end)
        return -EINVAL;
    if (*w->p != '{' && *w->p != '[') {
        if (*w->p == 'n')
            saw_all_below(w, wanted);
        return copy(w);
    }
    if (w->depth == MOST_DEPTH)
        return -EINVAL;
    w->depth++;
    int r = keep_container(w, wanted);
    w->depth--;
    return r;
}

int px_select_apply_seen(const struct px_select *select, px_str value, struct px_buf *to,
                         uint64_t seen[PX_SELECT_FIELDS_MAX / 64]) {
    struct wanted wanted;
    value = px_trim(value);
    if (!value.n)
        return -EINVAL;
    struct walk w = {.p = value.p, .end = value.p + value.n, .to = to, .seen = seen};
    wanted.nodes[0] = &select->root;
    wanted.n = 1;
    if (select->root.whole)
        saw(&w, &select->root);
    int r = select->root.whole ? copy(&w) : keep(&w, &wanted);
    if (!r && w.p != w.end)
        r = -EINVAL;
    return to->failed ? to->failed : r;
}
