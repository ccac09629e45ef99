#include "daemon/plugins.h"
#include "reactor/child.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include <dirent.h>
#include <stdio.h>

enum { OUTPUT = 8 << 20, LIMIT_S = 10, ARENA = 64 << 20 };

/* One child at a time: its output, and whether it has ended. */
struct look {
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_buf out;
    struct px_child *child;
    struct px_timer limit;
    bool ended, late;
};

static void on_child(void *user, const struct px_child_ev *ev) {
    struct look *look = user;
    if (ev->kind == PX_CHILD_OUT && px_buf_str(&look->out, ev->data) < 0)
        px_child_stop(look->child);
    if (ev->kind == PX_CHILD_EXIT) {
        look->ended = true;
        look->child = NULL;
    }
}

static void on_limit(void *user) {
    struct look *look = user;
    look->late = true;
    if (look->child)
        px_child_stop(look->child);
}

static int run_vet(struct look *look, const char *self, const char *file, struct px_err *err) {
    static const char *const envp[] = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
    const char *const argv[] = {self, "--vet", file, NULL};
    const struct px_child_spec spec = {.name = "daemon/vet", .argv = argv, .envp = envp};
    px_buf_clear(&look->out, OUTPUT);
    look->ended = look->late = false;
    int r = px_child_start(look->loop, look->scope, &spec, on_child, look, &look->child, err);
    if (r < 0)
        return r;
    px_timer_arm_in(&look->limit, LIMIT_S * PX_S);
    while (!look->ended && r == 0)
        r = px_loop_turn(look->loop, UINT64_MAX);
    px_timer_disarm(&look->limit);
    return r < 0 ? px_err_errno(err, r, "plexusd --vet") : 0;
}

static px_str last_line(const struct px_buf *out) {
    px_str text = px_buf_view(out);
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    const char *newline = text.n ? memrchr(text.p, '\n', text.n) : NULL;
    return newline ? px_str_n(newline + 1, text.n - (size_t)(newline + 1 - text.p)) : text;
}

/* The verdict is the child's last line: {"ok":true,"name":…,"config_schema":"…" or null}. */
static void take_verdict(struct px_known_plugins *plugins, const struct look *look, const char *file,
                         struct px_report *report) {
    const struct px_json *verdict;
    const struct px_place place = {.file = px_str_of(file)};
    struct px_err err = {0};
    px_str text = px_arena_str(&plugins->arena, last_line(&look->out));
    if (look->late) {
        px_report_error(report, &place, "loading it took more than %d s", LIMIT_S);
    } else if (!text.p || px_json_parse(&plugins->arena, text, NULL, &verdict, NULL, NULL) < 0) {
        px_report_error(report, &place, "loading it ended the process that tried");
    } else if (!px_json_bool(px_json_get(verdict, "ok"))) {
        const struct px_json *problem = px_json_first(px_json_get(verdict, "problems"));
        for (; problem; problem = px_json_next(problem))
            px_report_error(report, &place, PX_FMT, PX_ARG(px_json_text(problem)));
        if (!px_json_first(px_json_get(verdict, "problems")))
            px_report_error(report, &place, PX_FMT, PX_ARG(px_json_text(px_json_get(verdict, "error"))));
    } else if (plugins->n < PX_PLUGINS_MAX) {
        struct px_known_plugin *known = &plugins->plugins[plugins->n];
        px_str schema = px_json_text(px_json_get(verdict, "config_schema"));
        px_str api = px_json_text(px_json_get(verdict, "api"));
        *known = (struct px_known_plugin){.name = px_json_text(px_json_get(verdict, "name")),
                                          .file = px_arena_str(&plugins->arena, px_str_of(file))};
        const struct px_known_plugin *other = px_known_plugin_get(plugins, known->name);
        if (other)
            px_report_error(report, &place, "plugin \"" PX_FMT "\" is also in " PX_FMT ": remove one of them",
                            PX_ARG(known->name), PX_ARG(other->file));
        else if (schema.p && px_schema_compile(schema, NULL, &known->schema, &err) < 0)
            px_report_error(report, &place, "its config_schema: %s", err.msg);
        else if (api.p && px_api_compile(api, true, &known->api, &err) < 0)
            px_report_error(report, &place, "%s", err.msg);
        else
            plugins->n++;
    }
}

static int is_plugin(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 3 && strcmp(entry->d_name + n - 3, ".so") == 0;
}

static int look_into(struct px_known_plugins *plugins, struct look *look, const char *folder,
                     const char *self, struct px_report *report, struct px_err *err) {
    struct dirent **names = NULL;
    int r = 0, n = scandir(folder, &names, is_plugin, alphasort);
    if (n < 0)
        px_report_warning(report, &(struct px_place){.file = px_str_of(folder)}, "plugin folder: %s",
                          strerror(errno));
    for (int i = 0; i < n; i++) {
        px_str file = px_arena_fmt(&plugins->arena, "%s/%s", folder, names[i]->d_name);
        free(names[i]);
        if (r == 0 && file.p && (r = run_vet(look, self, file.p, err)) == 0)
            take_verdict(plugins, look, file.p, report);
    }
    free(names);
    return r;
}

int px_known_plugins_find(const char *const *folders, const char *self, struct px_known_plugins *ret,
                          struct px_report *report, struct px_err *err) {
    struct look look = {.loop = NULL};
    *ret = (struct px_known_plugins){.n = 0};
    px_arena_init(&ret->arena, ARENA);
    int r = px_loop_create(NULL, &look.loop, err);
    if (r < 0)
        return r;
    px_buf_init(&look.out, OUTPUT);
    px_timer_init(&look.limit, look.loop, "daemon/vet", on_limit, &look);
    r = px_scope_open(look.loop, NULL, "check", 0, &look.scope);
    for (size_t i = 0; r == 0 && folders[i]; i++)
        r = look_into(ret, &look, folders[i], self, report, err);
    px_scope_close(&look.scope);
    px_children_kill(look.loop);
    if (px_loop_turn(look.loop, 0) < 0)
        r = r < 0 ? r : px_err_set(err, -EIO, "the loop");
    px_loop_destroy(look.loop);
    px_buf_finish(&look.out);
    return r;
}

void px_known_plugins_finish(struct px_known_plugins *plugins) {
    for (size_t i = 0; i < plugins->n; i++) {
        px_schema_destroy(plugins->plugins[i].schema);
        px_api_destroy(plugins->plugins[i].api);
    }
    px_arena_finish(&plugins->arena);
}

const struct px_known_plugin *px_known_plugin_get(const struct px_known_plugins *plugins, px_str name) {
    for (size_t i = 0; i < plugins->n; i++) {
        if (px_str_eq(plugins->plugins[i].name, name))
            return &plugins->plugins[i];
    }
    return NULL;
}
