/* list.h: an intrusive doubly linked list. A node is in at most one list; a node on its own points to itself. */
#ifndef PX_BASE_LIST_H
#define PX_BASE_LIST_H

#include <stdbool.h>

struct px_list_node {
    struct px_list_node *prev, *next;
};

static inline void px_list_init(struct px_list_node *n) {
    n->prev = n->next = n;
}
static inline bool px_list_empty(const struct px_list_node *head) {
    return head->next == head;
}
static inline bool px_list_linked(const struct px_list_node *n) {
    return n->next != n;
}
/** Insert `n` before `at`: at the end, when `at` is the head. */
static inline void px_list_add(struct px_list_node *at, struct px_list_node *n) {
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}
static inline void px_list_remove(struct px_list_node *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->prev = n->next = n;
}
/** Move everything in `from` to the end of `to`. */
static inline void px_list_splice(struct px_list_node *to, struct px_list_node *from) {
    if (px_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    px_list_init(from);
}

#define px_list_entry(n, type, member) px_container_of(n, type, member)
#define PX_LIST_EACH(n, head)          for (struct px_list_node *n = (head)->next; n != (head); n = n->next)
/** Safe when the body removes `n` itself (and nothing else). */
#define PX_LIST_EACH_SAFE(n, head)                                                                           \
    for (struct px_list_node *n = (head)->next, *next_##n = n->next; n != (head);                            \
         n = next_##n, next_##n = n->next)

#endif
