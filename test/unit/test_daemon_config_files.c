/* A configuration of several files: which are read, how they are merged, what is said of a wrong one. */
#include "daemon/config.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

struct tree {
    char dir[64];
};

static void put(const struct tree *t, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int load_tree(const struct tree *t, struct px_config **ret, struct px_report *report) {
    char path[128];
    snprintf(path, sizeof path, "%s/main.json", t->dir);
    px_report_init(report);
    return px_config_load(&(struct px_config_opts){.path = path, .shown = "etc/main.json"}, ret, report);
}

static int tree_setup(void **state) {
    struct tree *t = calloc(1, sizeof *t);
    char path[128];
    snprintf(t->dir, sizeof t->dir, "/tmp/px-config-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(path, sizeof path, "%s/conf.d", t->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = t;
    return 0;
}

static int tree_teardown(void **state) {
    static const char *const names[] = {"main.json",      "conf.d/a.json", "conf.d/b.json",
                                        "conf.d/.c.json", "conf.d/c.txt",  "conf.d"};
    struct tree *t = *state;
    char path[128];
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, names[i]);
        (void)remove(path);
    }
    rmdir(t->dir);
    free(t);
    return 0;
}

static void included_files_are_merged(void **state) {
    struct tree *t = *state;
    struct px_config *c = NULL;
    struct px_report report;
    put(t, "main.json",
        "{\"include\":\"conf.d\",\"services\":{\"m\":{\"plugin\":\"x\"}},\"policies\":{\"p\":{}}}");
    put(t, "conf.d/b.json",
        "{\"services\":{\"b\":{\"plugin\":\"x\"}},\"principals\":{\"uid:7\":{\"policy\":\"p\"}}}");
    put(t, "conf.d/a.json", "{\"services\":{\"a\":{\"plugin\":\"x\"}}}");
    put(t, "conf.d/.c.json", "not read");
    put(t, "conf.d/c.txt", "not read");
    int r = load_tree(t, &c, &report);
    if (r)
        print_message("%s", report.text.p);
    assert_int_equal(r, 0);
    assert_int_equal(c->n_services, 3);
    assert_true(px_str_is(c->services[0].conf.name, "m"));
    assert_true(px_str_is(c->services[1].conf.name, "a")); /* files in byte order */
    assert_true(px_str_is(c->services[2].conf.name, "b"));
    assert_int_equal(c->policy.n_principals, 1);
    px_report_finish(&report);
    px_config_destroy(&c);
}

static void what_is_wrong_in_them_names_the_file(void **state) {
    struct tree *t = *state;
    struct px_config *c = NULL;
    struct px_report report;
    put(t, "main.json", "{\"include\":\"conf.d\",\n\"services\":{\n  \"s\":{\"plugin\":\"x\"}}}");
    put(t, "conf.d/a.json", "{\"services\":{\"s\":{\"plugin\":\"x\"}}}");
    put(t, "conf.d/b.json", "{\"state_dir\":\"/x\"}");
    assert_int_equal(load_tree(t, &c, &report), -EBADMSG);
    assert_non_null(strstr(report.text.p,
                           "etc/conf.d/a.json:1:14: services.s: defined twice: also at etc/main.json:3:3\n"));
    assert_non_null(
        strstr(report.text.p, "etc/conf.d/b.json:1:2: state_dir: only the main file may say this"));
    assert_int_equal(report.errors, 2);
    px_report_finish(&report);
    put(t, "main.json", "{\"include\":\"nowhere\"}");
    assert_int_equal(load_tree(t, &c, &report), -EBADMSG);
    assert_non_null(strstr(report.text.p, "etc/main.json:1:12: include: cannot read the folder "));
    px_report_finish(&report);
}

static void files_that_cannot_be_read(void **state) {
    struct tree *t = *state;
    struct px_config *c = NULL;
    struct px_report report;
    char path[128];
    assert_int_equal(load_tree(t, &c, &report), -EBADMSG);
    assert_string_equal(report.text.p, "etc/main.json: cannot be read: No such file or directory\n");
    px_report_finish(&report);
    put(t, "main.json", "{}");
    snprintf(path, sizeof path, "%s/main.json", t->dir);
    assert_int_equal(chmod(path, 0602), 0);
    assert_int_equal(load_tree(t, &c, &report), 0);
    assert_non_null(strstr(report.text.p, "warning: everyone can write to this file"));
    px_report_finish(&report);
    px_config_destroy(&c);
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(load_tree(t, &c, &report), -EBADMSG);
    assert_string_equal(report.text.p, "etc/main.json: not a regular file\n");
    px_report_finish(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(included_files_are_merged, tree_setup, tree_teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_in_them_names_the_file, tree_setup, tree_teardown),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_read, tree_setup, tree_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
