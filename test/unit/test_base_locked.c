/* Memory for secrets. The pool is tested by itself, because with AddressSanitizer nothing else uses it. */
#include "base/locked.h"
#include "base/locked_pool.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

static void a_copy_is_terminated(void **unused) {
    (void)unused;
    uint64_t locked, unlocked;
    px_str a = px_locked_dup(PX_LIT("token")), empty = px_locked_dup(PX_LIT("")),
           none = px_locked_dup((px_str){0});
    assert_string_equal(a.p, "token");
    assert_true(empty.p && empty.n == 0 && empty.p[0] == 0);
    assert_null(none.p);
    px_locked_stats(&locked, &unlocked);
    assert_true(locked + unlocked > 0);
    px_locked_drop(&a);
    px_locked_drop(&empty);
    px_locked_drop(&none);
    assert_null(a.p);
    void *p = px_locked_alloc(100000);
    assert_non_null(p);
    px_locked_free(p, 100000);
    px_locked_free(NULL, 1);
    px_locked_stats(&locked, &unlocked);
    assert_int_equal(locked + unlocked, 0);
}

static bool is_zero(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

/* Values of many sizes, in and out in an order of chance: none touches another, and each is zeroed when it is new. */
static void values_do_not_touch(void **unused) {
    (void)unused;
    enum { N = 3000 };
    static struct {
        unsigned char *p;
        size_t n;
        unsigned char mark;
    } held[N];
    static struct px_locked_pool pool;
    uint32_t chance = 1;
    px_locked_pool_init(&pool);
    for (unsigned step = 0; step < 60000; step++) {
        chance = chance * 1664525 + 1013904223;
        unsigned i = (chance >> 8) % N;
        if (held[i].p) {
            for (size_t k = 0; k < held[i].n; k++)
                assert_int_equal(held[i].p[k], held[i].mark);
            px_locked_pool_free(&pool, held[i].p, held[i].n);
            held[i].p = NULL;
            continue;
        }
        size_t n = (chance >> 20) % 100 == 0 ? 70000 : ((size_t)chance >> 16) % (33u << ((chance >> 4) % 8));
        held[i].p = px_locked_pool_alloc(&pool, n);
        held[i].n = n;
        held[i].mark = (unsigned char)(step % 255 + 1);
        assert_non_null(held[i].p);
        assert_int_equal((uintptr_t)held[i].p % 16, 0);
        assert_true(is_zero((char *)held[i].p, n));
        memset(held[i].p, held[i].mark, n);
    }
    for (unsigned i = 0; i < N; i++) {
        if (held[i].p)
            px_locked_pool_free(&pool, held[i].p, held[i].n);
        held[i].p = NULL;
    }
    assert_int_equal(pool.locked + pool.unlocked, 0);
}

static void small_values_share_pages(void **unused) {
    (void)unused;
    enum { N = 5000 };
    static void *held[N];
    static struct px_locked_pool pool;
    px_locked_pool_init(&pool);
    for (int i = 0; i < N; i++)
        assert_non_null(held[i] = px_locked_pool_alloc(&pool, 40));
    assert_true(pool.locked + pool.unlocked < N * 64 * 11 / 10);
    for (int i = 0; i < N; i++)
        px_locked_pool_free(&pool, held[i], 40);
    assert_int_equal(pool.locked + pool.unlocked, 0);
}

static int allowed;
static int lock_some(const void *p, size_t n) {
    (void)p;
    (void)n;
    if (allowed-- > 0)
        return 0;
    errno = ENOMEM;
    return -1;
}

static void what_may_not_be_locked_is_counted(void **unused) {
    (void)unused;
    static struct px_locked_pool pool;
    px_locked_pool_init(&pool);
    pool.lock = lock_some;
    allowed = 2;
    void *a = px_locked_pool_alloc(&pool, 10), *b = px_locked_pool_alloc(&pool, 100),
         *c = px_locked_pool_alloc(&pool, 1000);
    void *large = px_locked_pool_alloc(&pool, 50000);
    assert_true(a && b && c && large);
    assert_int_equal(pool.locked, 2 * PX_LOCKED_REGION);
    assert_in_range(pool.unlocked, PX_LOCKED_REGION + 50000, PX_LOCKED_REGION + 60000);
    memset(large, 'x', 50000);
    px_locked_pool_free(&pool, c, 1000);
    px_locked_pool_free(&pool, large, 50000);
    assert_int_equal(pool.unlocked, 0);
    px_locked_pool_free(&pool, a, 10);
    px_locked_pool_free(&pool, b, 100);
    assert_int_equal(pool.locked, 0);
}

/* Of the kernel itself: "lo" (locked) and "dd" (not dumped) in the flags of the mapping. */
static bool has_flag(const void *p, const char *flag) {
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long from, to, low = 0, high = 0;
    bool found = false;
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            low = from;
            high = to;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && (uintptr_t)p >= low && (uintptr_t)p < high) {
            found = strstr(line, flag) != NULL;
        }
    }
    if (maps)
        fclose(maps);
    return found;
}

static void is_kept_out_of_core_dumps_and_swap(void **unused) {
    (void)unused;
    static struct px_locked_pool pool;
    px_locked_pool_init(&pool);
    void *p = px_locked_pool_alloc(&pool, 64), *large = px_locked_pool_alloc(&pool, 9000);
    assert_true(has_flag(p, " dd"));
    assert_true(has_flag(large, " dd"));
    assert_int_equal(has_flag(p, " lo"), pool.locked > 0);
    px_locked_pool_free(&pool, p, 64);
    px_locked_pool_free(&pool, large, 9000);
}

static void is_wiped(void **unused) {
    (void)unused;
    static struct px_locked_pool pool;
    px_locked_pool_init(&pool);
    char *keeps_it_mapped = px_locked_pool_alloc(&pool, 64), *p = px_locked_pool_alloc(&pool, 64);
    memset(p, 's', 64);
    px_locked_pool_free(&pool, p, 64);
    assert_true(is_zero(p, 64)); /* the region is still there */
    px_locked_pool_free(&pool, keeps_it_mapped, 64);
}

/* What is given back wrongly ends the process. */
static void dies(void (*fn)(struct px_locked_pool *pool, char *p)) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static struct px_locked_pool pool;
        signal(SIGABRT, SIG_DFL);
        px_locked_pool_init(&pool);
        px_locked_pool_alloc(&pool, 64);
        px_locked_pool_alloc(&pool, 5000);
        fn(&pool, px_locked_pool_alloc(&pool, 64));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}
static void twice(struct px_locked_pool *pool, char *p) {
    px_locked_pool_free(pool, p, 64);
    px_locked_pool_free(pool, p, 64);
}
static void inside(struct px_locked_pool *pool, char *p) {
    px_locked_pool_free(pool, p + 16, 64);
}
static void another_size(struct px_locked_pool *pool, char *p) {
    px_locked_pool_free(pool, p, 65);
}
static void as_if_large(struct px_locked_pool *pool, char *p) {
    px_locked_pool_free(pool, p, 5000);
}
static void never_given(struct px_locked_pool *pool, char *p) {
    px_locked_pool_free(pool, p + 64, 64);
}

static void a_wrong_free_ends_the_process(void **unused) {
    (void)unused;
    dies(twice);
    dies(inside);
    dies(another_size);
    dies(as_if_large);
    dies(never_given);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_terminated),
        cmocka_unit_test(values_do_not_touch),
        cmocka_unit_test(small_values_share_pages),
        cmocka_unit_test(what_may_not_be_locked_is_counted),
        cmocka_unit_test(is_kept_out_of_core_dumps_and_swap),
        cmocka_unit_test(is_wiped),
        cmocka_unit_test(a_wrong_free_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
