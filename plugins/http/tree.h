/* tree.h: what tree.c keeps of a page, and render.c reads. */
#ifndef HT_TREE_H
#define HT_TREE_H

#include "html.h"

enum { HT_DEPTH = 256, HT_NODES = 1000000, HT_NESTED = 50000 };

/* What becomes of an element. Its own kinds for what is written in its own way. */
enum ht_tag {
    HT_INLINE = 0, /* also what is not known */
    HT_TEXT,       /* no element: characters */
    HT_BLOCK,      /* begins and ends a line */
    HT_PARAGRAPH,  /* and has blank lines around it */
    HT_HEADING,    /* n: 1 to 6 */
    HT_LINK,       /* attr: href */
    HT_IMAGE,      /* attr: alt */
    HT_BREAK,
    HT_RULE,
    HT_PRE,  /* attr: class */
    HT_CODE, /* attr: class */
    HT_QUOTE,
    HT_LIST,
    HT_NUMBERED, /* n: its first number */
    HT_ITEM,
    HT_DEFINED,    /* dt */
    HT_DEFINITION, /* dd */
    HT_TABLE,      /* n: 1 for layout alone */
    HT_ROW,
    HT_CELL, /* n: colspan, m: rowspan */
    HT_HEADCELL,
    HT_CAPTION,
    HT_NOSCRIPT,
    HT_NOISE, /* nav, footer: not shown unless asked for */
    HT_MAIN,
    HT_TITLE,
    HT_VOID, /* <wbr>, <source>: nothing, and nothing is inside */
    HT_DROP  /* script, style, svg …: never in the tree */
};

struct ht_node {
    struct ht_node *next, *first, *last;
    const char *text; /* of HT_TEXT, or the attribute; not NUL-terminated; NULL: none */
    uint32_t n_text;
    uint8_t tag;
    uint8_t n, m;
    uint8_t reserved;
};

struct ht_chunk;
struct ht_tree {
    struct ht_chunk *chunks;
    size_t nodes;
    struct ht_node *root;
    struct ht_node *title, *main; /* the first ones; NULL: none */
    char *base;                   /* <base href>; NULL: none */
    bool cut;
};

/** -ENOMEM. What was read before that stays; ht_tree_free either way. */
int ht_tree_read(px_str html, const struct ht_opts *opts, struct ht_tree *ret);
void ht_tree_free(struct ht_tree *t);

/** render.c: append the text. `noscript`: that, too. True: it was cut. */
bool ht_render(const struct ht_tree *t, const struct ht_node *from, const struct ht_opts *opts, bool noscript,
               struct ht_buf *to);
/** Bytes of text below a node. */
size_t ht_weight(const struct ht_node *node);

#endif
