/* Secret references: what is read, what is refused, and that nothing of a value stays behind. */
#include "auth/secret.h"
#include "base/redact.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct room {
    char dir[64];
    struct px_secrets *secrets;
    struct px_arena arena;
};

static int setup(void **state) {
    struct room *room = calloc(1, sizeof *room);
    snprintf(room->dir, sizeof room->dir, "/tmp/px-secret-XXXXXX");
    assert_non_null(mkdtemp(room->dir));
    assert_int_equal(px_secrets_create(room->dir, &room->secrets, NULL), 0);
    px_arena_init(&room->arena, 1 << 20);
    *state = room;
    return 0;
}

static int teardown(void **state) {
    struct room *room = *state;
    char command[96];
    px_secrets_destroy(&room->secrets);
    px_arena_finish(&room->arena);
    px_redact_forget_all();
    static const char *const names[] = {"s", "link", "fifo", "open"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        snprintf(command, sizeof command, "%s/%s", room->dir, names[i]);
        unlink(command);
    }
    rmdir(room->dir);
    free(room);
    return 0;
}

static void put(const struct room *room, const char *name, mode_t mode, const char *text, size_t n) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", room->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int resolve(struct room *room, px_str *ret, struct px_err *err, const char *format, ...) {
    char text[256];
    const struct px_json *ref;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    px_str copy = px_arena_str(&room->arena, px_str_of(text));
    assert_int_equal(px_json_parse(&room->arena, copy, NULL, &ref, NULL, NULL), 0);
    return px_secret_resolve(room->secrets, ref, ret, err);
}

static void file_without_its_newline(void **state) {
    struct room *room = *state;
    px_str value = {NULL, 0};
    put(room, "s", 0600, "a secret\n", 9);
    assert_int_equal(resolve(room, &value, NULL, "{\"file\":\"%s/s\"}", room->dir), 0);
    assert_true(px_str_is(value, "a secret"));
    assert_true(px_redact_hits(PX_LIT("this is a secret.")));
    px_secret_release(&value);
    assert_null(value.p);
    assert_false(px_redact_hits(PX_LIT("this is a secret.")));
    put(room, "s", 0400, "two\nlines\r\n", 11);
    assert_int_equal(resolve(room, &value, NULL, "{\"file\":\"%s/s\"}", room->dir), 0);
    assert_true(px_str_is(value, "two\nlines"));
    px_secret_release(&value);
}

static void refused(struct room *room, int code, const char *words, const char *name) {
    struct px_err err = {0};
    px_str value = {NULL, 0};
    assert_int_equal(resolve(room, &value, &err, "{\"file\":\"%s/%s\"}", room->dir, name), code);
    assert_null(value.p);
    assert_non_null(strstr(err.msg, words));
}

static void files_that_are_refused(void **state) {
    struct room *room = *state;
    char path[96];
    refused(room, -ENOENT, "No such file", "s");
    put(room, "s", 0604, "readable by all", 15);
    refused(room, -EPERM, "chmod 0600", "s");
    put(room, "s", 0620, "group writes", 12);
    refused(room, -EPERM, "mode 0620", "s");
    put(room, "s", 0600, "\n", 1);
    refused(room, -ENODATA, "is empty", "s");
    snprintf(path, sizeof path, "%s/link", room->dir);
    assert_int_equal(symlink("s", path), 0);
    refused(room, -ELOOP, "symbolic link", "link");
    snprintf(path, sizeof path, "%s/fifo", room->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(room, -ENOTSUP, "not a regular file", "fifo");
    if (geteuid() == 0) {
        put(room, "s", 0600, "someone's", 9);
        snprintf(path, sizeof path, "%s/s", room->dir);
        assert_int_equal(chown(path, 12345, 0), 0);
        refused(room, -EACCES, "uid 12345", "s");
    }
}

static void size_limit_is_exact(void **state) {
    struct room *room = *state;
    px_str value = {NULL, 0};
    char *text = malloc(PX_SECRET_MAX + 2);
    memset(text, 'x', PX_SECRET_MAX);
    text[PX_SECRET_MAX] = '\n';
    put(room, "s", 0600, text, PX_SECRET_MAX + 1);
    assert_int_equal(resolve(room, &value, NULL, "{\"file\":\"%s/s\"}", room->dir), 0);
    assert_int_equal(value.n, PX_SECRET_MAX);
    px_secret_release(&value);
    text[PX_SECRET_MAX] = 'x';
    put(room, "s", 0600, text, PX_SECRET_MAX + 1);
    refused(room, -EMSGSIZE, "more than 65536 bytes", "s");
    free(text);
}

/* The memory of the environment itself is what /proc/PID/environ shows. */
static void variable_is_blanked_and_remembered(void **state) {
    struct room *room = *state;
    px_str value = {NULL, 0}, again = {NULL, 0};
    struct px_err err = {0};
    assert_int_equal(setenv("PX_TEST_SECRET", "from the environment", 1), 0);
    const char *there = getenv("PX_TEST_SECRET");
    assert_int_equal(resolve(room, &value, NULL, "{\"env\":\"PX_TEST_SECRET\"}"), 0);
    assert_true(px_str_is(value, "from the environment"));
    assert_string_equal(there, "");
    assert_int_equal(resolve(room, &again, NULL, "{\"env\":\"PX_TEST_SECRET\"}"), 0);
    assert_true(px_str_is(again, "from the environment"));
    px_secret_release(&value);
    assert_true(px_redact_hits(PX_LIT("from the environment")));
    px_secret_release(&again);
    assert_false(px_redact_hits(PX_LIT("from the environment")));
    assert_int_equal(resolve(room, &value, &err, "{\"env\":\"PX_TEST_NOT_SET\"}"), -ENOENT);
    assert_non_null(strstr(err.msg, "PX_TEST_NOT_SET is not set"));
    assert_int_equal(resolve(room, &value, &err, "{\"env\":\"A=B\"}"), -EINVAL);
}

static void credentials(void **state) {
    struct room *room = *state;
    px_str value = {NULL, 0};
    struct px_err err = {0};
    put(room, "s", 0400, "a credential", 12);
    assert_int_equal(resolve(room, &value, NULL, "{\"credential\":\"s\"}"), 0);
    assert_true(px_str_is(value, "a credential"));
    px_secret_release(&value);
    assert_int_equal(resolve(room, &value, &err, "{\"credential\":\"../s\"}"), -EINVAL);
    assert_int_equal(resolve(room, &value, &err, "{\"credential\":\"\"}"), -EINVAL);
    px_secrets_destroy(&room->secrets);
    assert_int_equal(px_secrets_create(NULL, &room->secrets, NULL), 0);
    assert_int_equal(resolve(room, &value, &err, "{\"credential\":\"s\"}"), -ENOENT);
    assert_non_null(strstr(err.msg, "LoadCredential="));
}

static void what_is_a_reference(void **state) {
    struct room *room = *state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"{\"env\":\"A\"}", true},
                 {"{\"file\":\"/a\"}", true},
                 {"{\"credential\":\"a\"}", true},
                 {"{\"env\":\"A\",\"file\":\"b\"}", false},
                 {"{\"env\":{\"A\":\"b\"}}", false},
                 {"{\"env\":1}", false},
                 {"{\"ENV\":\"A\"}", false},
                 {"{}", false},
                 {"\"env\"", false},
                 {"[\"env\"]", false}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct px_json *node;
        assert_int_equal(px_json_parse(&room->arena, px_str_of(cases[i].text), NULL, &node, NULL, NULL), 0);
        assert_int_equal(px_secret_is_ref(node), cases[i].is);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_without_its_newline, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(size_limit_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(variable_is_blanked_and_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_a_reference, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
