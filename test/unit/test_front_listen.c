#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/front_fixture.h"
#include <fcntl.h>
#include <sys/resource.h>

/* Everything but the front. */
static void open_without_front(struct fix *f) {
    fix_init(f);
    const struct px_mcp_opts opts = {.loop = f->loop};
    assert_int_equal(px_mcp_create(&opts, &f->mcp, NULL), 0);
}

static int create(struct fix *f) {
    const struct px_front_opts opts = fix_opts(f);
    return px_front_create(&opts, &f->front, &f->err);
}

static void make_file(const char *path) {
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "keep", 4), 4);
    close(fd);
}

static int listening(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void test_mode_and_group(void **state) {
    struct fix f;
    struct stat st;
    (void)state;
    open_without_front(&f);
    struct px_front_opts opts = fix_opts(&f);
    opts.mode = 0620;
    opts.group = getegid();
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), 0);
    assert_int_equal(lstat(f.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0620);
    assert_int_equal(st.st_gid, getegid());
    px_front_destroy(&f.front);
    assert_int_equal(lstat(f.path, &st), -1); /* it takes its file with it */
    fix_close(&f);
}

static void test_what_stands_at_the_path(void **state) {
    struct fix f;
    struct stat st;
    (void)state;
    open_without_front(&f);
    /* No socket: left alone. */
    make_file(f.path);
    assert_int_equal(create(&f), -EEXIST);
    assert_non_null(strstr(f.err.msg, "not a socket"));
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_size, 4);
    unlink(f.path);
    /* A link is no socket, wherever it leads. */
    char other[100];
    snprintf(other, sizeof other, "%s/other", f.dir);
    int fd = listening(other);
    assert_int_equal(symlink(other, f.path), 0);
    assert_int_equal(create(&f), -EEXIST);
    unlink(f.path);
    /* Somebody answers. */
    assert_int_equal(rename(other, f.path), 0);
    assert_int_equal(create(&f), -EADDRINUSE);
    close(fd);
    /* Nobody does, any more. */
    assert_int_equal(create(&f), 0);
    struct planner p;
    planner_open(&f, &p);
    planner_send(&p, PING("1"));
    wire_is(planner_next(&p), "/id", "1");
    planner_close(&p);
    fix_close(&f);
}

static void test_paths_that_cannot_be(void **state) {
    struct fix f;
    (void)state;
    open_without_front(&f);
    struct px_front_opts opts = fix_opts(&f);
    char path[300] = "/";
    memset(path + 1, 'x', 200);
    opts.path = path;
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -EINVAL);
    opts.path = "relative";
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -EINVAL);
    snprintf(path, sizeof path, "%s/none/sock", f.dir);
    opts.path = path;
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -ENOENT);
    assert_non_null(strstr(f.err.msg, path));
    fix_close(&f);
}

/* Whoever may take our socket away may put another in its place. */
static void test_a_folder_of_everyone(void **state) {
    struct fix f;
    (void)state;
    open_without_front(&f);
    struct px_front_opts opts = fix_opts(&f);
    assert_int_equal(chmod(f.dir, 0777), 0);
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -EPERM);
    assert_non_null(strstr(f.err.msg, f.dir));
    assert_int_equal(access(f.path, F_OK), -1);
    assert_int_equal(chmod(f.dir, 01777), 0); /* as /tmp is: only its owner takes it away */
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), 0);
    fix_close(&f);
}

/* A newer process may have put its own socket there. */
static void test_only_its_own_file_is_removed(void **state) {
    struct fix f;
    struct stat st;
    (void)state;
    fix_open(&f);
    unlink(f.path);
    int fd = listening(f.path);
    px_front_destroy(&f.front);
    assert_int_equal(lstat(f.path, &st), 0);
    close(fd);
    fix_close(&f);
}

static void test_a_socket_that_is_given(void **state) {
    struct fix f;
    struct stat st;
    (void)state;
    open_without_front(&f);
    struct px_front_opts opts = fix_opts(&f);
    opts.listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int bad = opts.listen_fd;
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -EINVAL);
    assert_int_equal(fcntl(bad, F_GETFD), FD_CLOEXEC); /* still the caller's */
    close(bad);
    opts.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bad = opts.listen_fd;
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), -EINVAL); /* it does not listen */
    close(bad);
    opts.listen_fd = listening(f.path);
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), 0);
    struct planner p;
    planner_open(&f, &p);
    planner_send(&p, PING("1"));
    wire_is(planner_next(&p), "/id", "1");
    planner_close(&p);
    px_front_destroy(&f.front);
    assert_int_equal(lstat(f.path, &st), 0); /* the file is not ours */
    fix_close(&f);
}

/* ---- who may not ---- */

/* A line that says why, then the end. */
static void refused(struct fix *f, const char *code, const char *words) {
    struct planner p;
    planner_open(f, &p);
    const char *m = planner_next(&p);
    wire_is(m, "/error/data/code", code);
    assert_non_null(strstr(m, words));
    assert_true(planner_sees_end(&p));
    planner_close(&p);
}

static void test_limits(void **state) {
    struct fix f;
    struct planner p[3];
    (void)state;
    fix_open_limits(&f, (struct px_mcp_limits){0},
                    (struct px_front_limits){.connections = 3, .connections_per_uid = 2});
    planner_open(&f, &p[0]);
    planner_open(&f, &p[1]);
    refused(&f, "\"unavailable\"", "this user");
    px_front_set_limits(f.front, &(struct px_front_limits){.connections = 2, .connections_per_uid = 9});
    refused(&f, "\"unavailable\"", "too many planners are connected");
    assert_int_equal(fix_stats(&f).refused, 2);
    planner_close(&p[0]);
    planner_open(&f, &p[2]);
    planner_send(&p[2], PING("1"));
    wire_is(planner_next(&p[2]), "/id", "1");
    planner_close(&p[1]);
    planner_close(&p[2]);
    fake.refuse = true;
    refused(&f, "\"forbidden\"", "may not connect");
    fix_close(&f);
}

/* ---- out of descriptors ---- */

static void test_no_descriptors(void **state) {
    struct fix f;
    struct planner p;
    struct rlimit old, tight;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    /* The planners' own ends first, then no descriptor is left for ours. */
    int fds[5];
    for (size_t i = 0; i < PX_COUNT(fds); i++)
        fds[i] = planner_connect(&f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)fds[4] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    fix_turns(&f, 5);
    struct px_front_stats stats = fix_stats(&f);
    assert_int_equal(stats.shed, 5); /* each hears of it: nobody hangs */
    for (size_t i = 0; i < PX_COUNT(fds); i++) {
        char c;
        assert_int_equal(recv(fds[i], &c, 1, 0), 0);
    }
    /* The others go on. */
    planner_send(&p, CALL("1", "svc_echo"));
    wire_is(planner_next(&p), "/id", "1");
    close(fds[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    struct planner late;
    planner_open(&f, &late);
    planner_send(&late, PING("1"));
    wire_is(planner_next(&late), "/id", "1");
    for (size_t i = 1; i < PX_COUNT(fds); i++)
        close(fds[i]);
    planner_close(&late);
    planner_close(&p);
    fix_close(&f);
}

/* Not even one to spare: it waits, without spinning. */
static void test_no_descriptor_to_spare(void **state) {
    struct fix f;
    struct rlimit old, tight;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    open_without_front(&f);
    int fd = listening(f.path), planner = planner_connect(&f), top = planner;
    struct px_front_opts opts = fix_opts(&f);
    opts.listen_fd = fd;
    tight = old;
    tight.rlim_cur = (rlim_t)top + 1;
    int epoll_spare = dup(top); /* so that nothing is free below the limit */
    close(epoll_spare);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(px_front_create(&opts, &f.front, &f.err), 0); /* without a reserve */
    uint64_t callbacks;
    struct px_loop_stats stats;
    fix_turns(&f, 3);
    px_loop_stats_get(f.loop, &stats);
    callbacks = stats.callbacks;
    fix_turns(&f, 50);
    px_loop_stats_get(f.loop, &stats);
    assert_true(stats.callbacks - callbacks <= 60); /* the turn-end hook, and no more accepting */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    fix_pass(&f, PX_S);
    assert_int_equal(fix_stats(&f).connections, 1); /* it was only late */
    close(planner);
    fix_turns(&f, 2);
    fix_close(&f);
}

/* ---- the end ---- */

static void note(void *ctx) {
    ++*(int *)ctx;
}

static void test_draining(void **state) {
    struct fix f;
    struct planner idle, busy, listens;
    int done = 0;
    struct stat st;
    (void)state;
    fix_open(&f);
    planner_open(&f, &idle);
    planner_open(&f, &busy);
    planner_open(&f, &listens);
    planner_send(&busy, CALL("1", "svc_hold"));
    planner_send(&listens, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{"
                           "\"notifications\":{\"toolsListChanged\":true}," META "}}\n");
    wire_is(planner_next(&listens), "/method", "\"notifications/subscriptions/acknowledged\"");
    px_front_drain(f.front, note, &done);
    assert_int_equal(lstat(f.path, &st), -1);
    assert_int_equal(planner_connect(&f), -ENOENT);
    wire_is(planner_next(&listens), "/result/resultType", "\"complete\"");
    wire_is(planner_next(&listens), "/method", "\"notifications/cancelled\"");
    assert_true(planner_sees_end(&listens));
    assert_true(planner_sees_end(&idle));
    /* What runs goes on; what is new is refused. */
    planner_send(&busy, CALL("2", "svc_hold"));
    wire_is(planner_next(&busy), "/error/code", "1012");
    assert_int_equal(done, 0);
    fake_reply_text(fake_call(), "in time");
    wire_is(planner_next(&busy), "/result/content/0/text", "\"in time\"");
    assert_true(planner_sees_end(&busy));
    fix_turn(&f);
    assert_int_equal(done, 1);
    planner_close(&idle);
    planner_close(&busy);
    planner_close(&listens);
    fix_close(&f);
}

static void test_draining_when_nobody_is_there(void **state) {
    struct fix f;
    int done = 0;
    (void)state;
    fix_open(&f);
    px_front_drain(f.front, note, &done);
    assert_int_equal(done, 0);
    fix_turn(&f);
    assert_int_equal(done, 1);
    px_front_drain(f.front, note, &done);
    fix_turn(&f);
    assert_int_equal(done, 1);
    fix_close(&f);
}

/* The end does not wait for anyone. */
static void test_destroyed_in_the_middle(void **state) {
    struct fix f;
    struct planner p;
    int done = 0;
    (void)state;
    fix_open(&f);
    planner_open(&f, &p);
    planner_send(&p, CALL("1", "svc_hold") CALL("2", "svc_echo"));
    assert_int_equal(px_loop_turn(f.loop, 0), 0);
    px_front_drain(f.front, note, &done);
    px_front_destroy(&f.front);
    assert_int_equal(fake.n_cancelled, 1);
    assert_int_equal(fake.n_sessions, 0);
    fix_turn(&f);
    assert_int_equal(done, 0);
    p.eof = true;
    planner_close(&p);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode_and_group),
        cmocka_unit_test(test_what_stands_at_the_path),
        cmocka_unit_test(test_paths_that_cannot_be),
        cmocka_unit_test(test_a_folder_of_everyone),
        cmocka_unit_test(test_only_its_own_file_is_removed),
        cmocka_unit_test(test_a_socket_that_is_given),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_no_descriptor_to_spare),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_draining_when_nobody_is_there),
        cmocka_unit_test(test_destroyed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
