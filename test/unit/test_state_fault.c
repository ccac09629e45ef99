/* Every allocation and system call of the room goes wrong once; then every allocation of SQLite's, and every step it takes
 * on its files. Whatever it is: nothing crashes or leaks, every operation ends, and what was told to be durable is. */
#include "base/log.h"
#include "state/key.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/fault_vfs.h"
#include "support/state_fixture.h"

enum { KEYS = 12 };

struct scene {
    struct fix f;
    struct got puts[KEYS], lists, gets;
    int begun, effects, queries, started;
};

/* Only where the calls of our own objects are what goes wrong. */
static bool ours;
static void leave_alone(void) {
    if (ours)
        fault_off();
}
static void go_on(void) {
    if (ours)
        fault_on();
}

static void on_begun(void *user, int status, const struct px_effect *earlier) {
    (void)earlier;
    (void)status;
    ++*(int *)user;
}
static void on_effects(void *user, const struct px_effect_list *list) {
    (void)list;
    ++*(int *)user;
}
static void on_rows(void *user, const struct px_calllog_rows *rows) {
    (void)rows;
    ++*(int *)user;
}

/* What was started must end, in a bounded number of turns. */
static int settle(struct scene *s, const int *ended, int wanted) {
    for (int i = 0; i < 1000 && *ended < wanted; i++) {
        int r = px_loop_turn(s->f.loop, PX_MS);
        if (r && r != -EINTR)
            return r;
    }
    leave_alone();
    assert_int_equal(*ended, wanted);
    go_on();
    return 0;
}

static int put_some(struct scene *s, int from, int to) {
    static const char value[300] = "value";
    int started = 0, ended = 0;
    for (int i = from; i < to; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        started += px_store_put(s->f.state, s->f.work, PX_LIT("svc"), px_str_of(key),
                                px_str_n(value, sizeof value), on_got, &s->puts[i], NULL) == 0;
    }
    for (int i = 0; i < 1000 && ended < started; i++) {
        int r = px_loop_turn(s->f.loop, PX_MS);
        if (r && r != -EINTR)
            return r;
        ended = 0;
        for (int k = from; k < to; k++)
            ended += s->puts[k].calls;
    }
    leave_alone();
    assert_int_equal(ended, started);
    go_on();
    return 0;
}

static int work(struct scene *s) {
    struct px_state *state = s->f.state;
    uint8_t key[PX_KEY_SIZE];
    px_str id = PX_LIT("01ARYZ6S41TSV4RRFFQ69G5FAV");
    struct px_effect effect = {.id = id, .call_id = id, .digest = PX_LIT("digest")};
    struct px_calllog_row row = {.id = id, .args = PX_LIT("{}"), .principal = PX_LIT("uid:0")};
    struct px_calllog_filter filter = {.principal = PX_LIT("uid:0")};
    struct px_effect_filter with_open = {.with_open = true};
    int r = px_state_key(state, "digest", key, &s->f.err);
    if (!r)
        r = put_some(s, 0, KEYS / 2);
    int wanted = px_effect_begin(state, s->f.work, &effect, on_begun, &s->begun, NULL) == 0;
    if (!r)
        r = settle(s, &s->begun, wanted);
    px_effect_end(state, id, &(struct px_effect_ending){.outcome = PX_EFFECT_DONE});
    px_calllog_add(state, &row);
    wanted = px_calllog_query(state, s->f.work, &filter, on_rows, &s->queries, NULL) == 0;
    if (!r)
        r = settle(s, &s->queries, wanted);
    wanted = px_effect_list(state, s->f.work, &with_open, on_effects, &s->effects, NULL) == 0;
    if (!r)
        r = settle(s, &s->effects, wanted);
    wanted =
        px_store_list(state, s->f.work, PX_LIT("svc"), PX_LIT("k"), PX_LIT(""), on_got, &s->lists, NULL) == 0;
    if (!r)
        r = settle(s, &s->lists.calls, wanted);
    if (!r)
        r = put_some(s, KEYS / 2, KEYS);
    wanted = px_store_get(state, s->f.work, PX_LIT("svc"), PX_LIT("k1"), on_got, &s->gets, NULL) == 0;
    if (!r)
        r = settle(s, &s->gets.calls, wanted);
    return r;
}

static void verify(struct scene *s) {
    struct fix *f = &s->f;
    fix_open(f);
    assert_int_equal(fix_stats(f).set_aside, 0);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        if (s->puts[i].calls && s->puts[i].status == 0)
            assert_false(fix_read(f, key).absent);
    }
    fix_close(f);
}

/* The directory and what is in it are made first, so that `no_open` and its kind meet a state that exists. */
static int scene(void *user) {
    struct scene s = {.f = {.err = {.msg = ""}}};
    leave_alone();
    fix_init(&s.f);
    s.f.opts.vfs = user;
    s.f.opts.no_sync = user == NULL;
    go_on();
    int r = fix_try_open(&s.f);
    if (!r)
        r = work(&s);
    px_scope_close(&s.f.work);
    px_state_close(&s.f.state);
    leave_alone();
    fault_vfs.nth = 0;
    fix_turn(&s.f);
    assert_int_equal(px_scope_open(s.f.loop, NULL, "test/work", 0, &s.f.work), 0);
    verify(&s);
    fix_finish(&s.f);
    go_on();
    return r;
}

/* ---- a damaged file ---- */

static const char junk[] = "this was never a database, but somebody's all the same";

static unsigned files_of_junk(struct fix *f) {
    unsigned n = 0;
    DIR *dir = opendir(f->state_dir);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char bytes[sizeof junk] = "";
        int fd = open(fix_path(f, e->d_name), O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, bytes, sizeof bytes) == sizeof bytes)
            n += memcmp(bytes, junk, sizeof junk) == 0;
        close(fd);
    }
    closedir(dir);
    return n;
}

static int damaged_scene(void *user) {
    struct fix f;
    (void)user;
    leave_alone();
    fix_init(&f);
    assert_int_equal(mkdir(f.state_dir, 0700), 0);
    int fd = open(fix_path(&f, "state.db"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    f.opts.no_sync = false;
    go_on();
    int r = fix_try_open(&f);
    px_state_close(&f.state);
    leave_alone();
    assert_int_equal(files_of_junk(&f), 1);
    fix_open(&f); /* and it finds its way */
    assert_int_equal(fix_health(&f), PX_HEALTH_OK);
    assert_int_equal(fix_write(&f, "k", "v"), 0);
    assert_int_equal(files_of_junk(&f), 1);
    assert_int_equal(fix_files(&f, "state.db.damaged"), 0);
    fix_finish(&f);
    go_on();
    return r;
}

static void everything_of_ours(void **unused) {
    (void)unused;
    ours = true;
    assert_true(fault_sweep(FAULT_FAIL, scene, NULL) > 40);
    fault_sweep(FAULT_INTERRUPT, scene, NULL);
    assert_true(fault_sweep(FAULT_FAIL, damaged_scene, NULL) > 10);
    ours = false;
}

/* Not each of them in every run: PX_FAULT_STRIDE=1 says otherwise, and takes minutes. */
static unsigned stride(unsigned usual) {
    const char *text = getenv("PX_FAULT_STRIDE");
    uint64_t n = usual;
    if (text)
        assert_int_equal(px_str_u64(px_str_of(text), &n), 0);
    return (unsigned)n;
}

static void every_step_on_a_file(void **unused) {
    (void)unused;
    const struct {
        int error;
        bool lasts;
    } cases[] = {{SQLITE_IOERR, false}, {SQLITE_FULL, true}, {SQLITE_IOERR_NOMEM, false}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        unsigned n = 1, runs = 0;
        for (;; n += stride(3)) {
            void *vfs = (void *)(uintptr_t)fault_vfs_name();
            fault_vfs.nth = n;
            fault_vfs.nth_error = cases[i].error;
            fault_vfs.nth_lasts = cases[i].lasts;
            scene(vfs);
            if (!fault_vfs.nth_hit)
                break;
            runs++;
        }
        print_message("%u of %u steps failed, one %s\n", runs, n,
                      cases[i].lasts ? "and all after it" : "at a time");
        assert_true(n > 50);
    }
}

/* ---- SQLite's own memory ---- */

static sqlite3_mem_methods real_memory;
static struct {
    unsigned n, at;
    bool hit;
} memory;

static bool no_memory(void) {
    if (!memory.at || ++memory.n != memory.at)
        return false;
    return memory.hit = true;
}
static void *memory_malloc(int n) {
    return no_memory() ? NULL : real_memory.xMalloc(n);
}
static void *memory_realloc(void *p, int n) {
    return no_memory() ? NULL : real_memory.xRealloc(p, n);
}

static void every_allocation_of_sqlite(void **unused) {
    (void)unused;
    unsigned runs = 0;
    for (unsigned at = 1;; at += stride(29)) {
        struct scene s = {.f = {.err = {.msg = ""}}};
        fix_init(&s.f);
        memory.n = 0;
        memory.hit = false;
        memory.at = at;
        if (fix_try_open(&s.f) == 0)
            work(&s);
        px_scope_close(&s.f.work);
        px_state_close(&s.f.state);
        memory.at = 0;
        fix_turn(&s.f);
        assert_int_equal(px_scope_open(s.f.loop, NULL, "test/work", 0, &s.f.work), 0);
        verify(&s);
        fix_finish(&s.f);
        runs++;
        if (!memory.hit)
            break;
    }
    print_message("%u allocations failed, one at a time\n", runs - 1);
    assert_true(runs > 1000 / stride(29));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_of_ours),
        cmocka_unit_test(every_step_on_a_file),
        cmocka_unit_test(every_allocation_of_sqlite),
    };
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
        return 1;
    sqlite3_mem_methods wrapped = real_memory;
    wrapped.xMalloc = memory_malloc;
    wrapped.xRealloc = memory_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped) != SQLITE_OK)
        return 1;
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
