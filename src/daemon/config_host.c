/* The host's own keys: where things are, how much of everything, and how loud. */
#include "base/clock.h"
#include "daemon/config_build.h"
#include <fcntl.h>
#include <stdio.h>

static uint64_t integer(const struct px_json *object, const char *key, uint64_t otherwise) {
    int64_t value = 0;
    const struct px_json *node = px_json_get(object, key);
    return node && px_json_i64(node, &value) == 0 && value >= 0 ? (uint64_t)value : otherwise;
}

/* The folder that systemd made for us: the first of a list with colons. */
static const char *systemd_folder(struct px_config_build *b, const char *variable, const char *otherwise) {
    const char *value = getenv(variable);
    if (!value || value[0] != '/')
        return otherwise;
    px_str first = px_arena_str(b->arena, px_str_n(value, strcspn(value, ":")));
    return first.p ? first.p : otherwise;
}

/* ---- the socket ---- */

/* NSS may wait for a network, so groups are looked up where they are written: in /etc/group. */
static int group_find(px_str name, gid_t *ret) {
    char line[4096];
    uint64_t gid;
    int r = -ENOENT;
    FILE *file = fopen("/etc/group", "re");
    if (!file)
        return -errno;
    while (r == -ENOENT && fgets(line, sizeof line, file)) {
        char *password = strchr(line, ':');
        char *id = password ? strchr(password + 1, ':') : NULL;
        if (!id || !px_str_eq(px_str_n(line, (size_t)(password - line)), name))
            continue;
        if (px_str_u64(px_str_n(id + 1, strcspn(id + 1, ":\n")), &gid) == 0 && gid < UINT32_MAX) {
            *ret = (gid_t)gid;
            r = 0;
        }
    }
    fclose(file);
    return r;
}

static void socket_group(struct px_config_build *b, const struct px_json *group) {
    int64_t number;
    struct px_config_socket *socket = &b->config->socket;
    if (px_json_type(group) == PX_JSON_NUMBER && px_json_i64(group, &number) == 0)
        socket->group = (gid_t)number;
    else if (px_json_type(group) == PX_JSON_STRING && group_find(px_json_text(group), &socket->group) < 0)
        px_config_refuse(b, &b->files[0], PX_LIT("/socket"), "group",
                         "no group " PX_FMT " in /etc/group; a number is fine too",
                         PX_ARG(px_json_text(group)));
}

static void socket_build(struct px_config_build *b, const struct px_json *node) {
    struct px_config_socket *socket = &b->config->socket;
    const struct px_json *path = px_json_type(node) == PX_JSON_OBJECT ? px_json_get(node, "path") : node;
    *socket = (struct px_config_socket){.mode = 0660, .group = (gid_t)-1};
    if (path) {
        socket->path = px_config_path(b, px_json_text(path));
    } else {
        px_str made =
            px_arena_fmt(b->arena, "%s/planner.sock", systemd_folder(b, "RUNTIME_DIRECTORY", "/run/plexus"));
        socket->path = made.p ? made.p : "";
    }
    if (strlen(socket->path) > 107)
        px_config_refuse(b, &b->files[0], PX_LIT("/socket"), node == path ? NULL : "path",
                         "the absolute path has %zu bytes; a Unix socket takes 107: %s", strlen(socket->path),
                         socket->path);
    px_str mode = px_json_text(px_json_get(node, "mode"));
    if (mode.n == 4)
        socket->mode = (mode_t)((mode.p[1] - '0') << 6 | (mode.p[2] - '0') << 3 | (mode.p[3] - '0'));
    socket_group(b, px_json_get(node, "group"));
}

/* ---- the rest ---- */

static void limits_build(struct px_config_build *b, const struct px_json *node) {
    struct px_config *c = b->config;
    struct px_gate_limits *l = &c->limits;
    c->front.connections = (uint32_t)integer(node, "planners", 0); /* 0: the front's own default */
    c->front.connections_per_uid = (uint32_t)integer(node, "planners_per_uid", 0);
    c->drain_ns = integer(node, "drain_ms", 10000) * PX_MS;
    l->in_flight = (uint32_t)integer(node, "calls", 1024);
    l->in_flight_per_principal = (uint32_t)integer(node, "calls_per_principal", 64);
    l->timeout_ns = integer(node, "timeout_ms", 30000) * PX_MS;
    l->max_timeout_ns = integer(node, "max_timeout_ms", 600000) * PX_MS;
    l->result_bytes = integer(node, "result_bytes", 65536);
    l->max_result_bytes = integer(node, "max_result_bytes", 4 << 20);
    if (l->timeout_ns > l->max_timeout_ns)
        px_config_refuse(b, &b->files[0], PX_LIT("/limits"),
                         px_json_get(node, "timeout_ms") ? "timeout_ms" : "max_timeout_ms",
                         "timeout_ms (%llu) is over max_timeout_ms (%llu)",
                         (unsigned long long)(l->timeout_ns / PX_MS),
                         (unsigned long long)(l->max_timeout_ns / PX_MS));
    if (l->result_bytes > l->max_result_bytes)
        px_config_refuse(b, &b->files[0], PX_LIT("/limits"),
                         px_json_get(node, "result_bytes") ? "result_bytes" : "max_result_bytes",
                         "result_bytes (%llu) is over max_result_bytes (%llu)",
                         (unsigned long long)l->result_bytes, (unsigned long long)l->max_result_bytes);
}

/* An effect that is forgotten takes its result with it, and the memory of its idempotency key. */
static void retention_build(struct px_config_build *b, const struct px_json *node) {
    struct px_state_keep *keep = &b->config->keep;
    *keep = (struct px_state_keep){
        .log_days = integer(node, "log_days", 0),
        .log_rows = integer(node, "log_rows", 0),
        .log_bytes = integer(node, "log_bytes", 0),
        .effect_days = integer(node, "effect_days", PX_STATE_EFFECT_DAYS),
        .effect_rows = integer(node, "effect_rows", 0),
        .result_days = integer(node, "result_days", 0),
        .result_rows = integer(node, "result_rows", 0),
    };
    if (keep->result_days > keep->effect_days)
        px_config_refuse(b, &b->files[0], PX_LIT("/retention"), "result_days",
                         "result_days (%llu) is over effect_days (%llu): a result is kept with its effect",
                         (unsigned long long)keep->result_days, (unsigned long long)keep->effect_days);
}

static void plugin_dirs_build(struct px_config_build *b, const struct px_json *node) {
    size_t n = 0;
    if (!node) {
        b->config->plugin_dirs[0] = PX_PLUGIN_DIR;
        return;
    }
    for (const struct px_json *dir = px_json_first(node); dir && n < PX_CONFIG_PLUGIN_DIRS;
         dir = px_json_next(dir))
        b->config->plugin_dirs[n++] = px_config_path(b, px_json_text(dir));
}

void px_config_build_host(struct px_config_build *b) {
    const struct px_json *root = b->files[0].root;
    const struct px_json *state = px_json_get(root, "state_dir");
    const struct px_json *level = px_json_get(px_json_get(root, "log"), "level");
    b->config->state_dir = state ? px_config_path(b, px_json_text(state))
                                 : systemd_folder(b, "STATE_DIRECTORY", "/var/lib/plexus");
    b->config->log_level = PX_LOG_INFO;
    if (level && px_log_parse_level(px_json_text(level), &b->config->log_level) < 0)
        px_config_refuse(b, &b->files[0], PX_LIT("/log"), "level", "not a level");
    socket_build(b, px_json_get(root, "socket"));
    plugin_dirs_build(b, px_json_get(root, "plugin_dirs"));
    limits_build(b, px_json_get(root, "limits"));
    retention_build(b, px_json_get(root, "retention"));
}
