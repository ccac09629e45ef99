#include "daemon/config_file.h"
#include "json/comments.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int fail(struct px_report *report, px_str name, const char *message) {
    px_report_error(report, &(struct px_place){.file = name}, "%s", message);
    return -EBADMSG;
}

/* Where a value stands matters more than that it does: keys that sound like a secret do not have theirs repeated. */
static bool sounds_secret(px_str pointer) {
    static const char *const words[] = {"token", "secret", "passw", "credential", "key"};
    for (size_t i = 0; i < PX_COUNT(words); i++) {
        if (pointer.n && memmem(pointer.p, pointer.n, words[i], strlen(words[i])))
            return true;
    }
    return false;
}

void px_config_file_problems(const struct px_config_file *file, px_str base,
                             const struct px_schema_report *found, struct px_report *report) {
    char pointer[512], message[240];
    struct px_place place = px_config_place(file, (px_str){NULL, 0});
    for (size_t i = 0; i < found->n; i++) {
        const struct px_schema_problem *problem = &found->problems[i];
        snprintf(pointer, sizeof pointer, "%.*s%s", (int)base.n, base.p, problem->path);
        place.pointer = px_str_of(pointer);
        place.of_key = strstr(problem->keyword, "Propert") != NULL; /* an unknown property, or a bad name */
        snprintf(message, sizeof message, "%s", problem->message);
        char *got = strstr(message, ", got ");
        if (got && sounds_secret(place.pointer))
            *got = 0;
        px_report_error(report, &place, "%s", message);
    }
    place = px_config_place(file, base);
    if (found->gave_up)
        px_report_error(report, &place, "too deep or too large to be checked");
    else if (found->more || found->n == 0)
        px_report_error(report, &place, "and more; these come first");
}

int px_config_file_parse(struct px_arena *arena, char *text, size_t n, px_str name,
                         const struct px_schema *schema, struct px_config_file *ret,
                         struct px_report *report) {
    static const struct px_json_limits limits = {.bytes = PX_CONFIG_FILE_MAX, .depth = PX_CONFIG_DEPTH};
    struct px_config_file file = {.name = name, .text = px_str_n(text, n)};
    struct px_schema_report found;
    struct px_err err = {0};
    size_t at = 0;
    if (px_json_blank_comments(text, n, &at, &err) < 0 ||
        px_json_parse(arena, file.text, &limits, &file.root, &at, &err) < 0) {
        px_report_error_at(report, name, file.text, at, err.msg);
        return -EBADMSG;
    }
    int r = px_schema_validate(schema, file.root, &found);
    if (r < 0) {
        px_config_file_problems(&file, PX_LIT(""), &found, report);
        return -EBADMSG;
    }
    *ret = file;
    return 0;
}

static int open_regular(const char *path, px_str name, int *ret_fd, struct px_report *report) {
    char message[240];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(message, sizeof message, "cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        snprintf(message, sizeof message, "not a regular file");
    } else if (st.st_size > PX_CONFIG_FILE_MAX) {
        snprintf(message, sizeof message, "larger than %d bytes", PX_CONFIG_FILE_MAX);
    } else {
        if (st.st_mode & S_IWOTH)
            px_report_warning(report, &(struct px_place){.file = name},
                              "everyone can write to this file, and so decide what the daemon does");
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    return fail(report, name, message);
}

int px_config_file_read(struct px_arena *arena, const char *path, px_str name, const struct px_schema *schema,
                        struct px_config_file *ret, struct px_report *report) {
    PX_AUTOCLOSE int fd = -1;
    struct stat st;
    size_t n = 0;
    ssize_t got = 0;
    int r = open_regular(path, name, &fd, report);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return fail(report, name, strerror(errno));
    size_t room = (size_t)st.st_size + 1; /* the byte more tells when it has grown */
    char *text = px_arena_alloc(arena, room);
    if (!text)
        return fail(report, name, "out of memory");
    while (n < room && (got = read(fd, text + n, room - n)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(report, name, strerror(errno));
        n += (size_t)got;
    }
    if (n == room)
        return fail(report, name, "changed while it was read");
    return px_config_file_parse(arena, text, n, name, schema, ret, report);
}
