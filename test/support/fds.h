/* fds.h: which descriptors this process has open. */
#ifndef PX_TEST_FDS_H
#define PX_TEST_FDS_H

#include <dirent.h>
#include <fcntl.h>

static inline int open_fds(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 3; /* ".", ".." and the folder itself */
}

/** How many of the first 1,000 an exec would pass on. */
static inline int inheritable_fds(void) {
    int n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        int flags = fcntl(fd, F_GETFD);
        n += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return n;
}

#endif
