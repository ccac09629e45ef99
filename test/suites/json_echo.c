/* Each line of the input is a JSON text; each line of the output is what our tree prints for it, or "error: …". */
#include "json/tree.h"
#include <stdio.h>

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        struct px_arena arena;
        struct px_buf out;
        const struct px_json *root;
        struct px_json_limits limits = {.depth = 512};
        struct px_err err = {0};
        px_arena_init(&arena, (size_t)64 << 20);
        px_buf_init(&out, (size_t)64 << 20);
        if (px_json_parse(&arena, px_str_n(line, (size_t)n), &limits, &root, NULL, &err))
            printf("error: %s\n", err.msg);
        else if (px_json_print(&out, root))
            printf("error: cannot print\n");
        else
            puts(out.p);
        px_buf_finish(&out);
        px_arena_finish(&arena);
    }
    free(line);
    px_arena_stock_free();
    return 0;
}
