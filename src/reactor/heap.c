#include "reactor/heap.h"
#include <stddef.h>

static bool before(const struct px_timer *a, const struct px_timer *b) {
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->order < b->order;
}

/* Two roots become one: the later one is the first child of the earlier. */
static struct px_timer *meld(struct px_timer *a, struct px_timer *b) {
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        struct px_timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* Meld a row of siblings, in pairs from the left, then all of those from the right. A loop, not recursion: a row may be
 * a hundred thousand long. */
static struct px_timer *meld_row(struct px_timer *first) {
    struct px_timer *pairs = NULL;
    while (first) {
        struct px_timer *a = first, *b = first->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct px_timer *root = NULL;
    while (pairs) {
        struct px_timer *pair = pairs;
        pairs = pair->next;
        pair->next = pair->prev = NULL;
        root = meld(root, pair);
    }
    return root;
}

void px_timer_heap_add(struct px_timer_heap *heap, struct px_timer *timer) {
    timer->child = timer->next = timer->prev = NULL;
    timer->order = heap->order++;
    timer->armed = true;
    heap->root = meld(heap->root, timer);
    heap->n++;
}

void px_timer_heap_remove(struct px_timer_heap *heap, struct px_timer *timer) {
    struct px_timer *row = meld_row(timer->child);
    if (timer == heap->root) {
        heap->root = row;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        heap->root = meld(heap->root, row);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
    heap->n--;
}
