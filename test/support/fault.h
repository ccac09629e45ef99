/* fault.h: run a scenario again and again, and let one call of it go wrong each time: the first, the second, … until a
 * run gets through without. The calls are those to the functions that fault.c wraps (allocation, and the system calls
 * that can fail), made by our own objects; those inside shared libraries are not seen.
 *
 * A test that wants this is named test_<room>_<file>_fault.c, or says px_fault_test(<target>) in CMake.
 *
 * Every run must end clean, whatever went wrong: the same descriptors open as before, no child process, no arena, no
 * leak (LeakSanitizer, looked for after every few runs; PX_FAULT_LEAK_RUNS=1: after each), no crash, within 20 seconds.
 * What went wrong is printed when it does not. */
#ifndef PX_TEST_FAULT_H
#define PX_TEST_FAULT_H

enum fault_how {
    FAULT_FAIL,      /* it fails (ENOMEM, EMFILE, EIO, …); the scenario says so, or has coped */
    FAULT_INTERRUPT, /* EINTR, where that can be; the scenario must get through */
    FAULT_SHORT      /* a read or write moves one byte; the scenario must get through */
};

/** 0: it got through; negative: it reported the failure. Anything else that is wrong is an assertion of its own. It must
 *  do the same every time, as far as it can. */
typedef int (*fault_scenario)(void *user);

/** Returns the number of runs. */
unsigned fault_sweep(enum fault_how how, fault_scenario scenario, void *user);
/** Inside a scenario: what follows is the test's own, and is left alone. */
void fault_off(void);
void fault_on(void);

#endif
