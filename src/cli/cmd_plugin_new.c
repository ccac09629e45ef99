/* plugin new: a folder with a plugin that compiles. */
#include "base/buf.h"
#include "cli/commands.h"
#include "cli/skeleton.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { NAME_BYTES = 32, MARK_BYTES = 6 /* @NAME@ */ };

/* [a-z][a-z0-9_]*, as the host wants it. */
static bool is_name(px_str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(i && ((c >= '0' && c <= '9') || c == '_')))
            return false;
    }
    return name.n >= 1 && name.n <= NAME_BYTES;
}

static void fill(struct px_buf *to, px_str text, const char *name) {
    while (text.n) {
        const char *mark = memmem(text.p, text.n, "@NAME@", MARK_BYTES);
        size_t n = mark ? (size_t)(mark - text.p) : text.n;
        px_buf_add(to, text.p, n);
        if (mark) {
            px_buf_text(to, name);
            n += MARK_BYTES;
        }
        text.p += n;
        text.n -= n;
    }
}

static int write_file(const char *path, px_str text, struct px_err *err) {
    PX_AUTOCLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return px_err_errno(err, -errno, "cannot make %s", path);
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return px_err_errno(err, -errno, "cannot write %s", path);
        text.p += n > 0 ? n : 0;
        text.n -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void path_of(char path[PATH_MAX], const char *folder, size_t i, const char *name) {
    struct px_buf file;
    px_buf_init(&file, 256);
    fill(&file, px_str_of(px_skeleton[i].name), name);
    snprintf(path, PATH_MAX, "%s/%s", folder, file.p ? file.p : "");
    px_buf_finish(&file);
}

/* Nothing that is there is written over: first a look at every name, then O_EXCL. */
static int write_all(const char *folder, const char *name, struct px_err *err) {
    char path[PATH_MAX];
    for (size_t i = 0; i < px_skeleton_n; i++) {
        struct stat st;
        path_of(path, folder, i, name);
        if (lstat(path, &st) == 0)
            return px_err_set(err, -EEXIST, "%s is there already, and is not written over", path);
    }
    for (size_t i = 0; i < px_skeleton_n; i++) {
        struct px_buf text;
        px_buf_init(&text, 1 << 20);
        fill(&text, px_str_n((const char *)px_skeleton[i].text, px_skeleton[i].n), name);
        path_of(path, folder, i, name);
        int r = text.failed ? px_err_errno(err, text.failed, "cannot make %s", path)
                            : write_file(path, px_buf_view(&text), err);
        px_buf_finish(&text);
        if (r)
            return r;
    }
    return 0;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    const char *name = args->pos[0], *folder = args->n_pos > 1 ? args->pos[1] : name;
    struct px_err err;
    if (!is_name(px_str_of(name)))
        return px_cli_fail(cli, PX_EXIT_USAGE, NULL,
                           "a plugin's name has 1 to 32 of a-z 0-9 _ and begins with a letter, not %s", name);
    if (strlen(folder) > PATH_MAX - 100)
        return px_cli_fail(cli, PX_EXIT_USAGE, NULL, "the folder's name is too long");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot make %s: %s", folder, strerror(errno));
    if (write_all(folder, name, &err))
        return px_cli_fail(cli, PX_EXIT_FAILURE, "Choose another folder: plexus plugin new NAME DIR.", "%s",
                           err.msg);
    fprintf(cli->out.file,
            "%s/ is a plugin that compiles. Next:\n"
            "  cmake -S %s -B %s/build && cmake --build %s/build\n"
            "  plexus plugin check %s/build/%s.so\n",
            folder, folder, folder, folder, folder, name);
    return PX_EXIT_OK;
}

const struct px_command px_cmd_plugin_new = {
    .name = "plugin new",
    .synopsis = "NAME [DIR]",
    .summary = "write the skeleton of a plugin",
    .help =
        "Writes NAME.c, CMakeLists.txt and README.md into DIR (default: NAME). It compiles as it is: in the Plexus tree\n"
        "under plugins/, and anywhere else against the installed header. No file is written over.\n"
        "\nExamples\n"
        "  plexus plugin new weather\n"
        "  plexus plugin new weather plugins/weather     in the Plexus tree\n",
    .min_pos = 1,
    .max_pos = 2,
    .run = run,
};
