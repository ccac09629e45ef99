/* Runs JSON Schema's own test suite against our validator.
 *   suite_schema DRAFT TESTS REMOTES [format]
 * DRAFT: 2020-12 or 07. TESTS: a folder of *.json. REMOTES: a folder that stands for http://localhost:1234/.
 * format: also assert formats. Exits with 77 when there is no such folder and CI is not set. */
#include "json/schema.h"
#include <dirent.h>
#include <stdio.h>

enum { MOST_DOCS = 1000, MOST_FILE = 4 << 20, SKIPPED = 77 };

static struct {
    struct px_schema_doc docs[MOST_DOCS];
    size_t n_docs;
    struct px_arena arena;
    enum px_schema_draft draft;
    bool format;
    size_t cases, failed;
} suite;

static px_str read_file(const char *path) {
    static char text[MOST_FILE];
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    return px_arena_str(&suite.arena, px_str_n(text, n));
}

static bool ends_with_json(const char *name) {
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* Every document below a folder. */
static void read_remotes(const char *folder, const char *uri) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[4096], name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(name, sizeof name, "%s/%s", uri, entry->d_name);
        if (!ends_with_json(entry->d_name))
            read_remotes(path, name);
        else if (suite.n_docs < MOST_DOCS)
            suite.docs[suite.n_docs++] = (struct px_schema_doc){
                .uri = px_arena_str(&suite.arena, px_str_of(name)), .text = read_file(path)};
    }
    if (dir)
        closedir(dir);
}

static void complain(const char *file, const struct px_json *group, const struct px_json *test,
                     const char *words) {
    suite.failed++;
    printf("FAILED %s: " PX_FMT " / " PX_FMT ": %s\n", file,
           PX_ARG(px_json_text(px_json_get(group, "description"))),
           PX_ARG(px_json_text(px_json_get(test, "description"))), words);
}

static void run_test(const char *file, const struct px_json *group, const struct px_schema *schema,
                     const struct px_json *test) {
    static struct px_schema_report report;
    bool valid = px_json_bool(px_json_get(test, "valid"));
    int r = px_schema_validate(schema, px_json_get(test, "data"), &report);
    int quick = px_schema_validate(schema, px_json_get(test, "data"), NULL);
    suite.cases++;
    if (r != quick)
        complain(file, group, test, "with and without a report the answers differ");
    else if (valid != (r == 0))
        complain(file, group, test, r ? report.problems[0].message : "is valid");
    else if (r && (report.n == 0 || !report.problems[0].message[0] || report.gave_up))
        complain(file, group, test, "there is no report");
}

static void run_group(const char *file, const struct px_json *group) {
    struct px_schema_opts opts = {
        .draft = suite.draft, .docs = suite.docs, .n_docs = suite.n_docs, .assert_format = suite.format};
    struct px_buf text;
    struct px_schema *schema = NULL;
    struct px_err err = {0};
    px_buf_init(&text, MOST_FILE);
    int r = px_json_print(&text, px_json_get(group, "schema"));
    if (!r)
        r = px_schema_compile(px_buf_view(&text), &opts, &schema, &err);
    px_buf_finish(&text); /* the schema must not need its text */
    const struct px_json *tests = px_json_get(group, "tests");
    for (const struct px_json *test = px_json_first(tests); test; test = px_json_next(test)) {
        if (r) {
            suite.cases++;
            complain(file, group, test, err.msg);
        } else {
            run_test(file, group, schema, test);
        }
    }
    px_schema_destroy(schema);
}

static int run_folder(const char *folder) {
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (ends_with_json(entries[i]->d_name)) {
            char path[4096];
            const struct px_json *groups;
            struct px_err err;
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            if (px_json_parse(&suite.arena, read_file(path), NULL, &groups, NULL, &err)) {
                printf("%s: %s\n", path, err.msg);
                suite.failed++;
                continue;
            }
            for (const struct px_json *group = px_json_first(groups); group; group = px_json_next(group))
                run_group(entries[i]->d_name, group);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return n;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: suite_schema 2020-12|07 TESTS REMOTES [format]\n");
        return 2;
    }
    px_arena_init(&suite.arena, (size_t)256 << 20);
    suite.draft = strcmp(argv[1], "07") == 0 ? PX_SCHEMA_07 : PX_SCHEMA_2020_12;
    suite.format = argc > 4;
    read_remotes(argv[3], "http://localhost:1234");
    run_folder(argv[2]);
    px_arena_finish(&suite.arena);
    if (!suite.cases) {
        printf("no cases in %s\n", argv[2]);
        return getenv("CI") ? 1 : SKIPPED;
    }
    printf("%zu cases, %zu failed\n", suite.cases, suite.failed);
    return suite.failed ? 1 : 0;
}
