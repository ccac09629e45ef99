/* html.c: a page to its title and text: which part of it is worth reading. */
#include "html.h"
#include "tree.h"
#include <errno.h>

enum { TITLE = 500, MAIN_LEAST = 200 };

void ht_text_free(struct ht_text *t) {
    ht_buf_free(&t->title);
    ht_buf_free(&t->text);
}

/* The main part, when the page says which it is and it holds a good part of the text. */
static const struct ht_node *part_of(const struct ht_tree *t, const struct ht_opts *opts) {
    if (opts->full || !t->main)
        return t->root;
    size_t all = ht_weight(t->root), main = ht_weight(t->main);
    return main >= MAIN_LEAST || main * 4 >= all ? t->main : t->root;
}

static void render(const struct ht_tree *t, const struct ht_opts *opts, struct ht_text *ret) {
    struct ht_opts all = *opts;
    bool cut = ht_render(t, part_of(t, opts), opts, false, &ret->text);
    all.full = true;
    if (!ret->text.n) /* better the navigation than nothing */
        cut = ht_render(t, t->root, &all, false, &ret->text);
    if (!ret->text.n)
        cut = ht_render(t, t->root, &all, true, &ret->text);
    ret->cut = cut || t->cut;
}

int ht_html_to_text(px_str html, const struct ht_opts *opts, struct ht_text *ret) {
    struct ht_tree tree;
    struct ht_opts title = {.max_text = TITLE, .full = true};
    int rc = ht_tree_read(html, opts, &tree);
    *ret = (struct ht_text){0};
    ht_buf_init(&ret->title, TITLE);
    ht_buf_init(&ret->text, opts->max_text);
    if (rc == 0) {
        struct ht_node inner = tree.title ? *tree.title : (struct ht_node){0};
        inner.tag = 0; /* HT_INLINE: shown */
        ht_render(&tree, &inner, &title, false, &ret->title);
        render(&tree, opts, ret);
        if (ret->text.failed && ret->text.n < opts->max_text / 2)
            rc = -ENOMEM;
    }
    ht_tree_free(&tree);
    if (rc)
        ht_text_free(ret);
    return rc;
}
