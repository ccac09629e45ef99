/* crash.h: places where the process can be made to die as `kill -9` makes it, so that tests can look at what is left. Only in builds with
 * PX_CRASH_POINTS (the dev preset); in others nothing is compiled. PLEXUS_CRASH=NAME[:N] in the environment: at the Nth time (1) that NAME is
 * reached. */
#ifndef PX_BASE_CRASH_H
#define PX_BASE_CRASH_H

#ifdef PX_CRASH_POINTS
void px_crash_point(const char *name);
#else
#define px_crash_point(name) ((void)0)
#endif

#endif
