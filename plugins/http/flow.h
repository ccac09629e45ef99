/* flow.h: the text that is being made of a tree. Blank lines, spaces and marks of items are asked for, and written when the next
 * visible character comes: so none is doubled, and nothing is left where there was no text.
 *
 *   flow.c    characters     render.c   elements     table.c   tables */
#ifndef HT_FLOW_H
#define HT_FLOW_H

#include "tree.h"

enum { HT_PREFIX = 96, HT_NOWHERE = -1 };

struct ht_out {
    const struct ht_opts *opts;
    const char *base; /* to resolve links; NULL: none */
    size_t origin;    /* the length of "https://host" in base */
    struct ht_buf *to;
    int lines;      /* line ends that are due: 0, 1, 2 (a blank line) */
    bool space;     /* a space is due */
    bool pre, flat; /* white space counts; all on one line (a heading, a cell) */
    bool opening;   /* of a <pre>: its first line end does not count */
    bool cell, noscript, cut;
    char prefix[HT_PREFIX],
        mark[32]; /* of every line; of the next one, behind the first n_marked bytes of prefix */
    size_t n_prefix, n_mark, n_marked, n_last; /* n_last: n_prefix as it was at the last line */
    ptrdiff_t seen; /* where the first visible character is since this was set to HT_NOWHERE */
    unsigned looked;
};

/** Bytes as they are, where the text ends now. */
void ht_put(struct ht_out *o, const char *p, size_t n);
/** Words of ours, behind what is due. */
void ht_words(struct ht_out *o, const char *text);
/** Put a character in front of what has been written since `at`. */
void ht_insert(struct ht_out *o, ptrdiff_t at, char c);
/** At least so many line ends before what comes next. */
void ht_want(struct ht_out *o, int lines);
/** Text of the page: white space counts as one blank, or as it stands. */
void ht_flowing(struct ht_out *o, const char *text, size_t n);
void ht_verbatim(struct ht_out *o, const char *text, size_t n);
/** A longer prefix for the lines to come; its length before. */
size_t ht_indent(struct ht_out *o, const char *by);
/** The next line begins with this. */
void ht_mark(struct ht_out *o, const char *text);

/** render.c */
void ht_render_node(struct ht_out *o, const struct ht_node *node);
/** The children; where their first visible character is, or HT_NOWHERE. */
ptrdiff_t ht_inside(struct ht_out *o, const struct ht_node *node);
void ht_block(struct ht_out *o, const struct ht_node *node, int lines);
/** table.c */
void ht_table(struct ht_out *o, const struct ht_node *node);

#endif
