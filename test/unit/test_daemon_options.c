/* The command line, in every shape. */
#include "daemon/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct shape {
    const char *words[4];
    int status;
    enum px_mode mode;
    const char *config, *file; /* config NULL: the default one */
    const char *error;
};

static const struct shape shapes[] = {
    {{NULL}, 0, PX_MODE_SERVE, NULL, NULL, NULL},
    {{"--config", "a"}, 0, PX_MODE_SERVE, "a", NULL, NULL},
    {{"--config=a"}, 0, PX_MODE_SERVE, "a", NULL, NULL},
    {{"--check"}, 0, PX_MODE_CHECK, NULL, NULL, NULL},
    {{"--check", "a"}, 0, PX_MODE_CHECK, "a", NULL, NULL},
    {{"--check", "--config", "a"}, 0, PX_MODE_CHECK, "a", NULL, NULL},
    {{"--vet", "x.so"}, 0, PX_MODE_VET, NULL, "x.so", NULL},
    {{"--vet"}, 0, PX_MODE_VET, NULL, NULL, NULL},
    {{"--worker"}, 0, PX_MODE_WORKER, NULL, NULL, NULL},
    {{"--quick-check", "s.db"}, 0, PX_MODE_QUICK_CHECK, NULL, "s.db", NULL},
    {{"--version"}, 0, PX_MODE_VERSION, NULL, NULL, NULL},
    {{"-h"}, 0, PX_MODE_HELP, NULL, NULL, NULL},
    {{"--quick-check"}, -EINVAL, 0, NULL, NULL, "needs a file"},
    {{"--config"}, -EINVAL, 0, NULL, NULL, "needs a file"},
    {{"plexus.json"}, -EINVAL, 0, NULL, NULL, "named with --config"},
    {{"--chek"}, -EINVAL, 0, NULL, NULL, "no option --chek"},
    {{"--check", "--vet"}, -EINVAL, 0, NULL, NULL, "cannot be combined"},
    {{"--check", "a", "b"}, -EINVAL, 0, NULL, NULL, "\"b\" is too many"},
};

static void every_shape(void **state) {
    (void)state;
    for (size_t i = 0; i < PX_COUNT(shapes); i++) {
        const struct shape *shape = &shapes[i];
        char *argv[6] = {(char *)(uintptr_t) "plexusd"};
        int argc = 1;
        struct px_options o;
        struct px_err err = {0};
        for (size_t k = 0; k < 4 && shape->words[k]; k++)
            argv[argc++] = (char *)(uintptr_t)shape->words[k];
        int r = px_options_read(argc, argv, &o, &err);
        assert_int_equal(r, shape->status);
        if (r < 0) {
            assert_non_null(strstr(err.msg, shape->error));
            continue;
        }
        assert_int_equal(o.mode, shape->mode);
        if (shape->config)
            assert_string_equal(o.config, shape->config);
        else
            assert_non_null(strstr(o.config, "/plexus/plexus.json"));
        assert_true(shape->file ? o.file && strcmp(o.file, shape->file) == 0 : !o.file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
