#include "daemon/culprit.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static const char magic[8] = "plexus1";

struct px_culprit_file {
    char magic[8];
    char now[PX_ON_STACK];  /* the host writes it: "NAME/what"; empty: none */
    char last[PX_ON_STACK]; /* the service of the last end */
    uint32_t ends;          /* in a row, of it */
};

static struct px_culprit_file *map(const char *state_dir, int *ret_errno) {
    char path[4096];
    struct px_culprit_file *file = MAP_FAILED;
    snprintf(path, sizeof path, "%s/on-stack", state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* A hole on a full disk would be a SIGBUS. */
    *ret_errno = fd < 0 ? errno : posix_fallocate(fd, 0, sizeof *file);
    if (fd >= 0 && !*ret_errno) {
        file = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        *ret_errno = file == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0)
        close(fd);
    return file == MAP_FAILED ? NULL : file;
}

/* "NAME/what" -> "NAME" */
static void service_of(const char *now, char to[PX_ON_STACK]) {
    size_t n = strnlen(now, PX_ON_STACK - 1);
    const char *slash = memchr(now, '/', n);
    snprintf(to, PX_ON_STACK, "%.*s", (int)(slash ? (size_t)(slash - now) : n), now);
}

static void look_back(struct px_culprit *culprit) {
    struct px_culprit_file *file = culprit->file;
    char service[PX_ON_STACK];
    if (memcmp(file->magic, magic, sizeof magic) != 0) {
        memset(file, 0, sizeof *file);
        memcpy(file->magic, magic, sizeof magic);
    }
    file->last[PX_ON_STACK - 1] = 0;
    service_of(file->now, service);
    if (!service[0]) {
        file->ends = 0;
        return;
    }
    file->ends = strcmp(service, file->last) == 0 ? file->ends + 1 : 1;
    memcpy(file->last, service, sizeof service);
    px_log(PX_LOG_ERROR, "daemon", "the last process was ended while this service's plugin ran",
           PX_KV("service", service), PX_KI("in_a_row", file->ends));
    if (file->ends >= 2)
        memcpy(culprit->disabled, service, sizeof service);
    file->now[0] = 0;
}

void px_culprit_open(struct px_culprit *culprit, const char *state_dir) {
    int code = 0;
    culprit->file = map(state_dir, &code);
    if (culprit->file)
        look_back(culprit);
    else
        px_log(PX_LOG_WARNING, "daemon", "a plugin that ends the host would not be noticed",
               PX_KV("why", strerror(code)));
}

char *px_culprit_mark(struct px_culprit *culprit) {
    return culprit->file ? culprit->file->now : NULL;
}

void px_culprit_close(struct px_culprit *culprit) {
    if (culprit->file)
        munmap(culprit->file, sizeof *culprit->file);
    culprit->file = NULL;
}
