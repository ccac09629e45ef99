#include "daemon/load.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

int px_config_enter(const char *name, char **ret_path, struct px_err *err) {
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    char folder[PATH_MAX], real[PATH_MAX];
    size_t n = slash ? (size_t)(slash - name) : 0;
    if (!*base || n >= sizeof folder)
        return px_err_set(err, -EINVAL, "%.150s is no file", name);
    snprintf(folder, sizeof folder, "%.*s", (int)(slash ? PX_MAX(n, 1) : 1), slash ? name : ".");
    if (!realpath(folder, real) || chdir(real) < 0)
        return px_err_set(err, -errno, "%.150s cannot be read: %s: %s. Name another one: %s", name, folder,
                          strerror(errno), "plexusd --config FILE");
    char *path = NULL;
    if (asprintf(&path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base) < 0)
        return px_err_errno(err, -ENOMEM, "%.150s", name);
    *ret_path = path;
    return 0;
}

void px_config_log_report(const struct px_report *report) {
    px_str text = px_buf_view(&report->text);
    for (size_t at = 0; at < text.n;) {
        const char *line = text.p + at, *end = memchr(line, '\n', text.n - at);
        px_str one = px_str_n(line, end ? (size_t)(end - line) : text.n - at);
        bool warning = one.n && memmem(one.p, one.n, ": warning: ", 11);
        px_log(warning ? PX_LOG_WARNING : PX_LOG_ERROR, "daemon", "configuration", PX_KS("problem", one));
        at += one.n + 1;
    }
}
