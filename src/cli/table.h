/* table.h: rows and columns that fit the terminal. The widest columns give way first; what is cut ends with "…". */
#ifndef PX_CLI_TABLE_H
#define PX_CLI_TABLE_H

#include "base/arena.h"
#include "cli/out.h"

enum { PX_TABLE_COLUMNS = 64, PX_TABLE_CELLS = 1 << 20, PX_TABLE_SHOWN = 512 };

struct px_cell {
    px_str text;
    enum px_style style;
};
struct px_column {
    px_str title;
    bool right; /* numbers */
    size_t width;
};
struct px_table {
    struct px_arena *arena;
    struct px_column columns[PX_TABLE_COLUMNS];
    size_t n_columns, n_cells, room;
    struct px_cell *cells;
    int failed;
};

/** Cells live in the arena (their text is cleaned and copied into it); the rest on the heap until px_table_finish. */
void px_table_init(struct px_table *t, struct px_arena *arena);
void px_table_finish(struct px_table *t);
/** All columns before the first cell. One too many is dropped, and `failed` set. */
void px_table_column(struct px_table *t, px_str title, bool right);
/** The next cell, row by row. */
void px_table_cell(struct px_table *t, px_str text, enum px_style style);
void px_table_cellf(struct px_table *t, enum px_style style, const char *format, ...) PX_PRINTF(3, 4);
void px_table_print(struct px_table *t, struct px_buf *to, const struct px_out *out);

#endif
