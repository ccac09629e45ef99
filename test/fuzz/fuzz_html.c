/* Any bytes as a page, for plugins/http: charset, parser, tree, text. Whatever it is: text that is UTF-8 and within its limit, in
 * time. The first byte says how: with an address or without, all of it or the main part, how much. */
#include "charset.h"
#include "html.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "%s\n", #what);                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool late(void *ctx) {
    return time(NULL) > *(const time_t *)ctx + 2;
}

static void through_a_line(px_str bytes) {
    struct ht_buf line;
    ht_buf_init(&line, 2 * bytes.n + 1);
    ht_line_put(&line, bytes);
    CHECK(!line.failed && (!line.n || (!memchr(line.p, '\n', line.n) && !memchr(line.p, 0, line.n))));
    CHECK(ht_line_take(line.p, line.n) == (ptrdiff_t)bytes.n &&
          (!bytes.n || memcmp(line.p, bytes.p, bytes.n) == 0));
    ht_buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const size_t most[] = {1 << 20, 100, 1000, 1};
    unsigned how = n ? data[0] : 0;
    px_str bytes = {(const char *)data + (n ? 1 : 0), n ? n - 1 : 0};
    time_t began = time(NULL);
    struct ht_opts opts = {.url = how & 1 ? "https://a.example/b/c?d" : NULL,
                           .full = how & 2,
                           .max_text = most[how >> 2 & 3],
                           .stop = late,
                           .stop_ctx = &began};
    struct ht_buf utf8;
    struct ht_text text;
    through_a_line(bytes);
    ht_buf_init(&utf8, 3 * bytes.n + 16);
    CHECK(ht_charset_decode(bytes, ht_charset_of_type(bytes), true, &utf8) == 0);
    CHECK(ht_is_utf8(ht_buf_view(&utf8)) && (!utf8.n || !memchr(utf8.p, 0, utf8.n)));
    CHECK(ht_html_to_text(ht_buf_view(&utf8), &opts, &text) == 0);
    CHECK(text.text.n <= opts.max_text && ht_is_utf8(ht_buf_view(&text.text)) &&
          ht_is_utf8(ht_buf_view(&text.title)));
    CHECK(!text.text.n || (text.text.p[0] != '\n' && (text.cut || text.text.p[text.text.n - 1] != '\n')));
    ht_text_free(&text);
    ht_buf_free(&utf8);
    return 0;
}
