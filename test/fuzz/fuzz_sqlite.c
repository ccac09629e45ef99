/* Any text as SQL, for the worker of plugins/sqlite. The first line of an input says what it is: the tool ("query", "execute",
 * "list", "describe") and, behind a blank, params as JSON; the rest is the SQL (or the name). Whatever it is: one answer, of
 * valid JSON, within its limit; a query changes no byte of the file; nothing but the file and its journals appears. */
#include "base/buf.h"
#include "fake_private.h"
#include "json/scan.h"
#include "json/write.h"
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "%s\n", #what);                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

enum { BYTES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
extern const struct px_worker px_worker_v1;

static char folder[64], file[80];

static void make_file(void) {
    sqlite3 *db;
    unlink(file);
    CHECK(sqlite3_open(file, &db) == SQLITE_OK);
    CHECK(
        sqlite3_exec(
            db,
            "PRAGMA synchronous=off; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL);"
            "CREATE TABLE u(t REFERENCES t(id), n INT UNIQUE, g GENERATED ALWAYS AS (n * 2));"
            "CREATE VIEW v AS SELECT a, n FROM t JOIN u ON u.t = t.id;"
            "CREATE VIRTUAL TABLE f USING fts5(body); CREATE VIRTUAL TABLE r USING rtree(id, x, y);"
            "CREATE TRIGGER tr AFTER INSERT ON u BEGIN UPDATE t SET c = c + 1; END;"
            "INSERT INTO t VALUES(1, 'one', x'00ff', 1.5), (2, CAST(x'e9' AS TEXT), NULL, 9e999);"
            "INSERT INTO u(t, n) VALUES(1, 1), (2, 2); INSERT INTO f VALUES('a fox'); INSERT INTO r VALUES(1, 0, 1)",
            NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

static void end(void) {
    char path[400];
    fake_worker_close();
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

static void begin(void) {
    char config[400];
    snprintf(folder, sizeof folder, "%s/px_fuzz_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/f.db", folder);
    snprintf(config, sizeof config,
             "{\"databases\":{\"f\":{\"path\":\"%s\"}},\"memory_mb\":16,\"max_bytes\":%d}", file, BYTES);
    make_file();
    CHECK(fake_worker_open_with(&px_worker_v1, config) == 0);
    atexit(end);
}

static uint64_t file_hash(void) {
    static char bytes[1 << 20];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    return n < 0 ? 0 : px_str_hash(px_str_n(bytes, (size_t)n));
}

static void look_around(void) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        CHECK(entry->d_name[0] == '.' || strncmp(entry->d_name, "f.db", 4) == 0);
    closedir(dir);
}

static int tool_of(px_str word) {
    static const char *const words[] = {"query", "execute", "list", "describe"};
    for (int i = 0; i < 4; i++)
        if (px_str_is(word, words[i]))
            return i + 1;
    return 1;
}

static px_str line_of(struct px_buf *b, int tool, px_str params, px_str text) {
    static const char *const members[] = {"sql", "sql", "pattern", "table"};
    struct px_json_scan scan;
    px_buf_addf(b, "{\"tool\":%d,\"db\":0,\"ms\":100,\"rows\":50,\"bytes\":%d,\"args\":{\"%s\":", tool, BYTES,
                members[tool - 1]);
    px_json_quote(b, text);
    if (params.n && px_json_scan(params, NULL, &scan, NULL, NULL) == 0)
        px_buf_addf(b, ",\"params\":" PX_FMT, PX_ARG(params));
    px_buf_text(b, "}}");
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] == '\n')
            b->p[i] = ' ';
    return px_buf_view(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static unsigned changes;
    struct px_json_scan scan;
    struct px_buf b;
    if (!folder[0])
        begin();
    px_str all = px_str_n((const char *)data, n), head = all, params = {0}, text = {"", 0};
    const char *newline = n ? memchr(all.p, '\n', n) : NULL;
    if (newline) {
        head.n = (size_t)(newline - all.p);
        text = px_str_n(newline + 1, n - head.n - 1);
    }
    const char *blank = head.n ? memchr(head.p, ' ', head.n) : NULL;
    if (blank) {
        params = px_str_n(blank + 1, head.n - (size_t)(blank + 1 - head.p));
        head.n = (size_t)(blank - head.p);
    }
    int tool = tool_of(head);
    px_buf_init(&b, (size_t)8 << 20);
    px_str line = line_of(&b, tool, params, text);
    if (b.failed || memchr(line.p, 0, line.n)) {
        px_buf_finish(&b);
        return 0;
    }
    uint64_t before = tool == 2 ? 0 : file_hash();
    px_str answer = fake_worker_line(line.p);
    CHECK(fake_worker_answers() == 1);
    CHECK(answer.n > 2 && (answer.p[0] == '+' || answer.p[0] == '-'));
    CHECK(px_json_scan(px_str_n(answer.p + 1, answer.n - 1), NULL, &scan, NULL, NULL) == 0);
    CHECK(answer.p[0] == '-' || answer.n - 1 <= BYTES);
    if (!memmem(data, n, "px_fuzz", 7)) /* unless it was told the folder's name */
        CHECK(!memmem(answer.p, answer.n, folder, strlen(folder)));
    if (tool != 2)
        CHECK(file_hash() == before);
    px_buf_finish(&b);
    look_around();
    if (tool == 2 && answer.p[0] == '+' && ++changes % 64 == 0)
        make_file(); /* another file at the path, which the worker has to notice */
    return 0;
}
