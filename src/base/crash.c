#include "base/crash.h"

#ifdef PX_CRASH_POINTS
#include "base/str.h"
#include <signal.h>
#include <stdlib.h>

void px_crash_point(const char *name) {
    static unsigned reached;
    const char *wanted = getenv("PLEXUS_CRASH");
    size_t n = strlen(name);
    if (!wanted || strncmp(wanted, name, n) != 0 || (wanted[n] && wanted[n] != ':'))
        return;
    unsigned at = 0;
    for (const char *p = wanted[n] ? wanted + n + 1 : "1"; *p >= '0' && *p <= '9' && at < 1000000; p++)
        at = at * 10 + (unsigned)(*p - '0');
    if (++reached == at)
        raise(SIGKILL);
}
#else
typedef int px_crash_points_are_off;
#endif
