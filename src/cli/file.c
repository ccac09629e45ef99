#include "cli/file.h"
#include <fcntl.h>

int px_file_read(const char *path, struct px_buf *to, struct px_err *err) {
    bool is_stdin = strcmp(path, "-") == 0;
    PX_AUTOCLOSE int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int fd = is_stdin ? STDIN_FILENO : opened;
    if (fd < 0)
        return px_err_errno(err, -errno, "cannot read %s", path);
    for (;;) {
        char *room = px_buf_room(to, PX_MIN((size_t)65536, to->cap - to->n + 1));
        if (!room)
            return px_err_set(err, to->failed, "%s is longer than %zu bytes", path, to->cap);
        ssize_t n = read(fd, room, PX_MIN((size_t)65536, to->cap - to->n + 1));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return px_err_errno(err, -errno, "cannot read %s", path);
        if (n == 0)
            return 0;
        px_buf_added(to, (size_t)n);
    }
}
