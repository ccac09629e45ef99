/* Runs JSONTestSuite: y_ must be accepted, n_ refused, i_ (and what has no prefix) may be either. What is accepted must
 * also survive tree, print and scan; and in steps each gets the same verdict. The folder holds the cases as files (y_….json), or is the npm package, whose
 * data/….js are JSON arrays of {"name", "input"} behind `export default`. */
#include "support/scan_steps.h"
#include "json/tree.h"
#include <dirent.h>
#include <stdio.h>

enum { SKIPPED = 77, MOST_BYTES = 8 << 20 };

static unsigned n_run, n_failed;

/* Valid for RFC 8259, but two members of one name are what we refuse on purpose (RFC 7493 §2.3). */
static bool is_duplicate(const char *name) {
    return strncmp(name, "y_object_duplicated_key", strlen("y_object_duplicated_key")) == 0;
}

static void failed(const char *name, const char *words) {
    printf("%s: %s\n", name, words);
    n_failed++;
}

/* text -> tree -> text -> tree: both trees are equal. */
static void check_tree(const char *name, const struct px_json_scan *scan) {
    struct px_arena arena;
    struct px_buf text;
    const struct px_json *root, *again;
    struct px_err err = {0};
    px_arena_init(&arena, 16 * MOST_BYTES);
    px_buf_init(&text, 4 * MOST_BYTES);
    int r = px_json_parse_scanned(&arena, scan, &root, &err);
    if (r)
        failed(name, err.msg);
    else if (px_json_print(&text, root) ||
             px_json_parse(&arena, px_buf_view(&text), NULL, &again, NULL, &err))
        failed(name, "what was printed cannot be read");
    else if (!px_json_equal(root, again))
        failed(name, "what was printed is not what was read");
    px_buf_finish(&text);
    px_arena_finish(&arena);
}

static void run_case(const char *name, px_str input) {
    struct px_json_scan scan;
    struct px_err err = {0};
    bool refused = px_json_scan(input, NULL, &scan, NULL, &err) != 0;
    n_run++;
    if (strncmp(name, "y_", 2) == 0 && refused != is_duplicate(name))
        failed(name, refused ? err.msg : "accepted the same key twice");
    else if (strncmp(name, "n_", 2) == 0 && !refused)
        failed(name, "accepted");
    if (!scan_steps_agree_everywhere(input, NULL))
        failed(name, "in steps it is not the same");
    if (!refused)
        check_tree(name, &scan);
}

static char *read_file(const char *folder, const char *name, size_t *ret_n) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(MOST_BYTES) : NULL;
    *ret_n = text ? fread(text, 1, MOST_BYTES, file) : 0;
    if (file)
        fclose(file);
    return text;
}

static void run_files(const char *folder) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t n, length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0 || entry->d_name[1] != '_')
            continue;
        char *text = read_file(folder, entry->d_name, &n);
        if (text)
            run_case(entry->d_name, px_str_n(text, n));
        free(text);
    }
    if (dir)
        closedir(dir);
}

static void run_package(const char *folder, const char *name) {
    size_t n;
    char *text = read_file(folder, name, &n);
    char *begin = text ? memchr(text, '[', n) : NULL;
    if (begin) {
        struct px_arena arena;
        const struct px_json *root = NULL;
        struct px_err err = {0};
        px_arena_init(&arena, 16 * MOST_BYTES);
        if (px_json_parse(&arena, px_str_n(begin, n - (size_t)(begin - text)), NULL, &root, NULL, &err))
            failed(name, err.msg);
        for (const struct px_json *one = px_json_first(root); one; one = px_json_next(one))
            run_case(px_json_text(px_json_get(one, "name")).p, px_json_text(px_json_get(one, "input")));
        px_arena_finish(&arena);
    }
    free(text);
}

int main(int argc, char **argv) {
    const char *ci = getenv("CI"), *folder = argc > 1 ? argv[1] : ".";
    run_files(folder);
    run_package(folder, "data/parsing.js");
    run_package(folder, "data/transform.js");
    px_arena_stock_free();
    printf("%u cases, %u failed\n", n_run, n_failed);
    if (!n_run) {
        printf("no cases in %s: run `npm ci` in test/suites\n", folder);
        return ci && strcmp(ci, "true") == 0 ? 1 : SKIPPED;
    }
    return n_failed ? 1 : 0;
}
