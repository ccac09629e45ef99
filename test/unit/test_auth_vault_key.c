/* The key of the sealed store: made once, never again; refused when it is another, or not trusted. */
#include "vault_help.h"

#include "base/crash.h"
#include "support/fault_vfs.h"
#include <sys/wait.h>

static const char hex_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

static void is_made_once_and_closed_to_others(void **unused) {
    (void)unused;
    struct rig rig;
    struct stat st;
    char first[80], second[80];
    mode_t mask = umask(0);
    rig_open(&rig);
    umask(mask);
    assert_int_equal(lstat(fix_path(&rig.f, "vault.key"), &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(read_file(fix_path(&rig.f, "vault.key"), first, sizeof first), 65);
    reopen(&rig); /* nothing was sealed, and it stays all the same */
    assert_int_equal(read_file(fix_path(&rig.f, "vault.key"), second, sizeof second), 65);
    assert_memory_equal(first, second, 65);
    assert_int_equal(fix_files(&rig.f, "vault.key"), 1);
    rig_close(&rig);
    rig_open(&rig);
    read_file(fix_path(&rig.f, "vault.key"), second, sizeof second);
    assert_memory_not_equal(first, second, 64);
    rig_close(&rig);
}

static void another_key_is_refused(void **unused) {
    (void)unused;
    struct rig rig;
    char right[80];
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    size_t n = read_file(fix_path(&rig.f, "vault.key"), right, sizeof right);
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED);
    assert_non_null(strstr(rig.f.err.msg, fix_path(&rig.f, "vault.key")));
    assert_non_null(strstr(rig.f.err.msg, "put the right one"));
    assert_null(rig.vault);
    fix_reopen(&rig.f);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED); /* nothing has become of it */
    write_file(fix_path(&rig.f, "vault.key"), right, n, 0600);
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    /* With nothing sealed any more, any key is as good. */
    drop(&rig, "secret/a");
    close_vault(&rig);
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    open_vault(&rig);
    put(&rig, "secret/b", "b");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/b"), "b");
    between_runs(&rig, "UPDATE sealed SET bytes = x'00' WHERE name = CAST('secret/b' AS BLOB)");
    open_vault(&rig); /* the check row is the new key's */
    rig_close(&rig);
}

static void a_key_that_is_gone_is_not_made_again(void **unused) {
    (void)unused;
    struct rig rig;
    char right[80];
    rig_open(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    size_t n = read_file(fix_path(&rig.f, "vault.key"), right, sizeof right);
    unlink(fix_path(&rig.f, "vault.key"));
    assert_int_equal(try_vault(&rig), -ENOENT);
    assert_non_null(strstr(rig.f.err.msg, fix_path(&rig.f, "vault.key")));
    assert_non_null(strstr(rig.f.err.msg, "put it back"));
    assert_int_equal(fix_files(&rig.f, "vault.key"), 0);
    write_file(fix_path(&rig.f, "vault.key"), right, n, 0600);
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    rig_close(&rig);
}

static void a_key_file_is_trusted_only_as_it_should_be(void **unused) {
    (void)unused;
    struct rig rig;
    const mode_t modes[] = {0640, 0604, 0610, 0601, 0660, 0644, 0777};
    rig_open(&rig);
    close_vault(&rig);
    char path[512], elsewhere[512];
    snprintf(path, sizeof path, "%s", fix_path(&rig.f, "vault.key"));
    snprintf(elsewhere, sizeof elsewhere, "%s", fix_path(&rig.f, "elsewhere"));
    for (size_t i = 0; i < PX_COUNT(modes); i++) {
        write_file(path, hex_key, 64, modes[i]);
        assert_int_equal(try_vault(&rig), -EPERM);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "chmod 0600"));
    }
    write_file(path, hex_key, 64, 0400);
    open_vault(&rig);
    close_vault(&rig);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_int_equal(try_vault(&rig), -EACCES);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "uid 12345"));
    }
    unlink(path);
    write_file(elsewhere, hex_key, 64, 0600);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(try_vault(&rig), -ELOOP);
    assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "link"));
    unlink(path);
    assert_int_equal(symlink("/no/such", path), 0); /* nor is a key made behind it */
    assert_int_equal(try_vault(&rig), -ELOOP);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(try_vault(&rig), -EINVAL);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_vault(&rig), -EINVAL);
    rmdir(path);
    fix_finish(&rig.f);
}

static void a_key_has_one_of_two_forms(void **unused) {
    (void)unused;
    struct rig rig;
    char path[512], raw[33];
    const struct {
        const char *text;
        size_t n;
    } bad[] = {{"", 0},
               {"0001", 4},
               {hex_key, 63},
               {hex_key, 31},
               {raw, 33},
               {"zz0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F", 64},
               {" 00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F0", 64},
               {"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n\n", 66}};
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char)i;
    rig_open(&rig);
    snprintf(path, sizeof path, "%s", fix_path(&rig.f, "vault.key"));
    close_vault(&rig);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        write_file(path, bad[i].text, bad[i].n, 0600);
        assert_int_equal(try_vault(&rig), -EINVAL);
        assert_true(strstr(rig.f.err.msg, path) && strstr(rig.f.err.msg, "64 hexadecimal"));
    }
    write_file(path, raw, 32, 0600);
    open_vault(&rig);
    put(&rig, "secret/a", "a value");
    close_vault(&rig);
    write_file(path, hex_key, 64, 0600); /* the same key */
    open_vault(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    rig_close(&rig);
}

static void a_credential_comes_before_the_file(void **unused) {
    (void)unused;
    struct rig rig = {0};
    char dir[512], key[600];
    fix_init_fake(&rig.f);
    fix_open(&rig.f);
    snprintf(dir, sizeof dir, "%s/credentials", rig.f.dir);
    snprintf(key, sizeof key, "%s/plexus-key", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    write_file(key, hex_key, 64, 0440); /* as the service manager may leave it */
    rig.opts.credentials_dir = dir;
    open_vault(&rig);
    assert_int_equal(fix_files(&rig.f, "vault.key"), 0);
    put(&rig, "secret/a", "a value");
    reopen(&rig);
    assert_string_equal(get(&rig, "secret/a"), "a value");
    close_vault(&rig);
    unlink(key); /* then the file's, which is not there */
    assert_int_equal(try_vault(&rig), -ENOENT);
    assert_non_null(strstr(rig.f.err.msg, "plexus-key"));
    write_file(fix_path(&rig.f, "vault.key"), hex_key, 64, 0600);
    open_vault(&rig);
    close_vault(&rig);
    write_file(key, "0123456789abcdef0123456789abcdef", 32, 0400);
    assert_int_equal(try_vault(&rig), -EKEYREJECTED);
    assert_non_null(strstr(rig.f.err.msg, "the credential plexus-key"));
    write_file(key, "short", 5, 0400);
    assert_int_equal(try_vault(&rig), -EINVAL);
    assert_non_null(strstr(rig.f.err.msg, "the credential plexus-key"));
    write_file(key, hex_key, 64, 0444);
    assert_int_equal(try_vault(&rig), -EPERM);
    rig.opts.credentials_dir = "/no/such/folder";
    assert_int_equal(try_vault(&rig), -ENOENT);
    rig.opts.credentials_dir = NULL;
    fix_finish(&rig.f);
}

static void what_cannot_be_read_is_said(void **unused) {
    (void)unused;
    struct rig rig;
    rig_open(&rig);
    close_vault(&rig);
    px_state_close(&rig.f.state);
    rig.f.opts.vfs = fault_vfs_name();
    fault_vfs.no_open = true;
    fix_open(&rig.f);
    assert_int_equal(try_vault(&rig), -EROFS);
    assert_non_null(strstr(rig.f.err.msg, "state.db"));
    fault_vfs.no_open = false;
    fix_finish(&rig.f);
}

#ifdef PX_CRASH_POINTS
/* Killed at each step of the first start: the next one finds its way, and has one key from then on. */
static void a_crash_while_the_key_is_made(void **unused) {
    (void)unused;
    static const char *const points[] = {"vault/key-written", "vault/key-linked", "vault/key-made"};
    for (size_t i = 0; i < PX_COUNT(points); i++) {
        struct rig rig = {0};
        fix_init_fake(&rig.f);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("PLEXUS_CRASH", points[i], 1);
            fix_open(&rig.f);
            open_vault(&rig);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        fix_open(&rig.f);
        open_vault(&rig);
        assert_int_equal(put(&rig, "secret/a", "a value"), 0);
        reopen(&rig);
        assert_string_equal(get(&rig, "secret/a"), "a value");
        assert_int_equal(fix_files(&rig.f, "vault.key"), 1);
        rig_close(&rig);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_once_and_closed_to_others),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(a_key_that_is_gone_is_not_made_again),
        cmocka_unit_test(a_key_file_is_trusted_only_as_it_should_be),
        cmocka_unit_test(a_key_has_one_of_two_forms),
        cmocka_unit_test(a_credential_comes_before_the_file),
        cmocka_unit_test(what_cannot_be_read_is_said),
#ifdef PX_CRASH_POINTS
        cmocka_unit_test(a_crash_while_the_key_is_made),
#endif
    };
    px_log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
