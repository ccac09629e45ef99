/* at_end.c: linked into every unit test. A test program ends with no loop and no arena alive; one that does not has
 * failed, whatever its tests say. (The loop itself asserts that no source, timer, work, hook, scope, op or child is left,
 * and LeakSanitizer looks after the heap.) */
#include <stdio.h>
#include <unistd.h>

/* NULL in a test that does not link them. */
__attribute__((weak)) unsigned px_loops_alive(void);
__attribute__((weak)) size_t px_arena_chunks_alive(void);

static pid_t self;

__attribute__((constructor)) static void at_begin(void) {
    self = getpid();
}

__attribute__((destructor)) static void at_end(void) {
    unsigned loops = px_loops_alive ? px_loops_alive() : 0;
    size_t chunks = px_arena_chunks_alive ? px_arena_chunks_alive() : 0;
    if (getpid() != self || (!loops && !chunks))
        return;
    fprintf(stderr, "at the end: %u loops and %zu chunks of arenas are alive\n", loops, chunks);
    _exit(1);
}
