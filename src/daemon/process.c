#include "daemon/process.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MOST_DESCRIPTORS = 1 << 20, KEPT_BYTES = 32 << 20, SPARE_BYTES = 2 << 20, LARGE_BYTES = 4 << 20 };

/* With one of them closed, the next file or socket that is opened would become our stderr. */
static void open_standard(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR); /* not close-on-exec: 0 to 2 are inherited */
    } while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t most = PX_MIN(limit.rlim_max, (rlim_t)MOST_DESCRIPTORS);
    if (limit.rlim_cur < most) {
        limit.rlim_cur = most;
        (void)!setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Answers and curl's buffers come and go with each turn. By default the heap ends 128 KB behind what is in use, so each turn
 * asks the kernel for the same pages again, and pays for each of them being zeroed: half of what a large answer costs. */
static void keep_memory(void) {
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_TOP_PAD, SPARE_BYTES);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* growing one of these moves pages, not bytes */
}

void px_process_give_back(bool all) {
    if (all || mallinfo2().keepcost > 2 * SPARE_BYTES)
        malloc_trim(all ? 0 : SPARE_BYTES);
}

void px_process_prepare(bool allow_core) {
    open_standard();
    keep_memory();
    umask(077);
    raise_descriptors();
    if (!allow_core) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

int px_process_self(const char **ret, struct px_err *err) {
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return px_err_errno(err, -errno, "/proc/self/exe");
    path[n] = 0;
    *ret = path;
    return 0;
}

uint64_t px_process_rss(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t px_process_fds(void) {
    uint64_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* without the folder's own */
}
