#include "daemon/config.h"
#include "daemon/config_build.h"
#include "json/comments.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARENA = 64 << 20 };

void px_config_refuse(struct px_config_build *b, const struct px_config_file *file, px_str pointer,
                      const char *member, const char *format, ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (member)
        pointer = px_config_pointer(b, pointer, px_str_of(member));
    struct px_place place = px_config_place(file, pointer);
    px_report_error(b->report, &place, "%s", message);
}

void px_config_fault(struct px_config_build *b, struct px_config_service *service,
                     const struct px_config_file *file, px_str pointer, const char *advice,
                     const char *words) {
    struct px_place place = px_config_place(file, pointer);
    struct px_buf line;
    if (b->opts->check) {
        px_report_error(b->report, &place, "%s", words);
        return;
    }
    if (service->faults++)
        return;
    px_buf_init(&line, 8 << 10);
    px_report_place(&line, &place);
    px_buf_addf(&line, "%s; %s", words, advice);
    px_str kept = px_arena_str(b->arena, px_buf_view(&line));
    service->conf.fault =
        kept.p && !line.failed ? kept : PX_LIT("something is not there, and no memory to say what");
    px_buf_finish(&line);
}

void *px_config_alloc(struct px_config_build *b, size_t n) {
    void *p = px_arena_alloc(b->arena, n);
    if (!p)
        px_config_refuse(b, &b->files[0], PX_LIT(""), NULL, "takes too much memory");
    return p;
}

px_str px_config_pointer(struct px_config_build *b, px_str base, px_str key) {
    char *p = px_config_alloc(b, base.n + 1 + 2 * key.n + 1);
    size_t n = base.n;
    if (!p)
        return base;
    if (base.n)
        memcpy(p, base.p, base.n);
    p[n++] = '/';
    for (size_t i = 0; i < key.n; i++) {
        bool escape = key.p[i] == '/' || key.p[i] == '~';
        if (escape)
            p[n++] = '~';
        p[n++] = escape ? (key.p[i] == '/' ? '1' : '0') : key.p[i];
    }
    return px_str_n(p, n);
}

/* The folder's own path has no links in it, so a ".." at the beginning can be taken off both. */
const char *px_config_path(struct px_config_build *b, px_str path) {
    px_str dir = px_str_of(b->config->dir);
    while (px_str_starts(path, PX_LIT("../")) && dir.n > 1) {
        path = px_str_n(path.p + 3, path.n - 3);
        while (dir.n && dir.p[dir.n - 1] != '/')
            dir.n--;
        dir.n -= dir.n > 1;
    }
    px_str full = path.n && path.p[0] == '/'
                      ? px_arena_str(b->arena, path)
                      : px_arena_fmt(b->arena, PX_FMT "%s" PX_FMT, PX_ARG(dir),
                                     dir.n && dir.p[dir.n - 1] == '/' ? "" : "/", PX_ARG(path));
    return full.p ? full.p : "";
}

/* ---- merging ---- */

static void merge_file(struct px_config_build *b, const struct px_config_file *file, const char *section,
                       struct px_map *map, struct px_config_entry ***tail, size_t *n) {
    px_str base = px_arena_fmt(b->arena, "/%s", section);
    const struct px_json *node = px_json_first(px_json_get(file->root, section));
    for (; node; node = px_json_next(node)) {
        struct px_config_entry *entry = px_config_alloc(b, sizeof *entry);
        void *old = NULL;
        if (!entry)
            return;
        px_str key = px_json_key(node);
        *entry = (struct px_config_entry){file, node, key, px_config_pointer(b, base, key), NULL};
        struct px_config_entry *first = px_map_get(map, key);
        if (first) {
            unsigned row = 0, column = 0;
            size_t at = 0;
            if (px_json_locate(first->file->text, first->pointer, true, &at) == 0)
                px_json_line_of(first->file->text, at, &row, &column);
            const struct px_place place = {file->name, file->text, entry->pointer, true};
            px_report_error(b->report, &place, "defined twice: also at " PX_FMT ":%u:%u",
                            PX_ARG(first->file->name), row, column);
            continue;
        }
        if (px_map_put(map, key, entry, &old) < 0) {
            px_config_refuse(b, file, entry->pointer, NULL, "too many in all files together");
            return;
        }
        **tail = entry;
        *tail = &entry->next;
        (*n)++;
    }
}

struct px_config_entry *px_config_merge(struct px_config_build *b, const char *section, struct px_map *map,
                                        size_t *ret_n) {
    struct px_config_entry *first = NULL, **tail = &first;
    *ret_n = 0;
    px_map_init(map, 4096);
    for (size_t i = 0; i < b->n_files; i++)
        merge_file(b, &b->files[i], section, map, &tail, ret_n);
    return first;
}

/* ---- files ---- */

static void check_included(struct px_config_build *b, const struct px_config_file *file) {
    static const char *const allowed[] = {"$schema", "services", "principals", "policies", "profiles"};
    for (const struct px_json *m = px_json_first(file->root); m; m = px_json_next(m)) {
        bool ok = false;
        for (size_t i = 0; i < PX_COUNT(allowed); i++)
            ok = ok || px_str_is(px_json_key(m), allowed[i]);
        const struct px_place place = {file->name, file->text,
                                       px_config_pointer(b, PX_LIT(""), px_json_key(m)), true};
        if (!ok)
            px_report_error(b->report, &place,
                            "only the main file may say this; an included one holds services, principals, "
                            "policies and profiles");
    }
}

static int is_json(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void include_one(struct px_config_build *b, const char *folder, px_str shown, const char *name) {
    px_str path = px_arena_fmt(b->arena, "%s/%s", folder, name);
    px_str title = px_arena_fmt(b->arena, PX_FMT "/%s", PX_ARG(shown), name);
    struct px_config_file *file = &b->files[b->n_files];
    if (path.p && title.p && px_config_file_read(b->arena, path.p, title, b->schema, file, b->report) == 0) {
        check_included(b, file);
        b->n_files++;
    }
}

/* What an included file is called: beside the main file, as that was named. */
static px_str shown_beside(const struct px_config_build *b, px_str include) {
    const char *slash = strrchr(b->shown, '/');
    if (!slash || (include.n && include.p[0] == '/'))
        return px_arena_str(b->arena, include);
    return px_arena_fmt(b->arena, "%.*s/" PX_FMT, (int)(slash - b->shown), b->shown, PX_ARG(include));
}

static void include(struct px_config_build *b) {
    struct dirent **names = NULL;
    const struct px_json *node = px_json_get(b->files[0].root, "include");
    if (!node)
        return;
    const char *folder = px_config_path(b, px_json_text(node));
    int n = scandir(folder, &names, is_json, by_bytes);
    if (n < 0) {
        px_config_refuse(b, &b->files[0], PX_LIT("/include"), NULL, "cannot read the folder %s: %s", folder,
                         strerror(errno));
        return;
    }
    if ((size_t)n >= PX_CONFIG_FILES_MAX)
        px_config_refuse(b, &b->files[0], PX_LIT("/include"), NULL, "%d files; %d are the most", n,
                         PX_CONFIG_FILES_MAX - 1);
    for (int i = 0; i < n; i++) {
        if ((size_t)n < PX_CONFIG_FILES_MAX)
            include_one(b, folder, shown_beside(b, px_json_text(node)), names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

/* ---- the whole ---- */

static int build(struct px_config_build *b) {
    if (b->n_files == 0)
        return -EBADMSG;
    include(b);
    px_config_build_host(b);
    px_config_build_policy(b);
    px_config_build_network(b);
    px_config_build_http(b);
    px_config_build_services(b);
    px_map_finish(&b->services);
    px_map_finish(&b->principals);
    px_map_finish(&b->policies);
    px_map_finish(&b->profiles);
    return b->report->errors ? -EBADMSG : 0;
}

static int prepare(struct px_config_build *b, const char *path) {
    struct px_config *config = calloc(1, sizeof *config);
    if (!config)
        return -ENOMEM;
    px_arena_init(&config->arena, ARENA);
    b->config = config;
    b->arena = &config->arena;
    const char *slash = strrchr(path, '/');
    config->file = px_arena_str(b->arena, px_str_of(path)).p;
    config->dir =
        px_arena_fmt(b->arena, "%.*s", slash ? PX_MAX((int)(slash - path), 1) : 1, slash ? path : ".").p;
    return config->file && config->dir ? 0 : -ENOMEM;
}

static void read_main(struct px_config_build *b) {
    px_str name = px_arena_str(b->arena, px_str_of(b->shown));
    px_str copy = px_arena_str(b->arena, b->opts->text);
    int r;
    if (!b->opts->text.p)
        r = px_config_file_read(b->arena, b->opts->path, name, b->schema, &b->files[0], b->report);
    else
        r = px_config_file_parse(b->arena, (char *)(uintptr_t)copy.p, copy.n, name, b->schema, &b->files[0],
                                 b->report);
    b->n_files = r == 0;
}

int px_config_load(const struct px_config_opts *opts, struct px_config **ret, struct px_report *report) {
    PX_AUTOFREE struct px_config_build *b = calloc(1, sizeof *b);
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    const char *shown = opts->shown ? opts->shown : opts->path;
    int r = b ? prepare(b, opts->path) : -ENOMEM;
    if (r == 0)
        r = px_schema_compile(px_str_n((const char *)px_config_schema_text, px_config_schema_size), NULL,
                              &schema, &err);
    if (r < 0) {
        px_report_error(report, &(struct px_place){.file = px_str_of(shown)}, "%s",
                        err.msg[0] ? err.msg : strerror(-r));
    } else {
        b->opts = opts;
        b->shown = shown;
        b->schema = schema;
        b->report = report;
        read_main(b);
        r = build(b);
        px_schema_destroy(schema);
        px_schema_destroy(b->limits_schema);
        px_schema_destroy(b->auth_schema);
    }
    if (r < 0) {
        if (b)
            px_config_destroy(&b->config);
        return -EBADMSG;
    }
    *ret = b->config;
    return 0;
}

void px_config_destroy(struct px_config **config) {
    struct px_config *c = px_take(config);
    if (!c)
        return;
    for (size_t i = 0; i < c->n_secrets; i++)
        px_secret_release(&c->secrets[i]);
    free(c->secrets);
    px_arena_finish(&c->arena);
    free(c);
}
