#include "base/slots.h"
#include <assert.h>
#include <errno.h>

void px_slots_init(struct px_slots *s, uint32_t cap) {
    *s = (struct px_slots){.cap = PX_MIN(cap, 1u << 30)};
}

void px_slots_finish(struct px_slots *s) {
    free(s->slots);
    *s = (struct px_slots){.cap = s->cap};
}

int px_slots_add(struct px_slots *s, void *p, uint64_t *ret_handle) {
    uint32_t i;
    assert(p);
    if (s->live >= s->cap)
        return -ENOSPC;
    if (s->free_head) {
        i = s->free_head - 1;
        s->free_head = s->slots[i].next_free;
    } else {
        if (s->n == s->room) {
            uint32_t room = s->room ? s->room * 2 : PX_MIN(32u, s->cap);
            struct px_slot *slots = realloc(s->slots, room * sizeof *slots);
            if (!slots)
                return -ENOMEM;
            s->slots = slots;
            s->room = room;
        }
        i = s->n++;
        s->slots[i].generation = 1;
    }
    s->slots[i].p = p;
    s->live++;
    *ret_handle = (uint64_t)s->slots[i].generation << 32 | i;
    return 0;
}

void *px_slots_remove(struct px_slots *s, uint64_t handle) {
    void *p = px_slots_get(s, handle);
    if (!p)
        return NULL;
    struct px_slot *slot = &s->slots[(uint32_t)handle];
    slot->p = NULL;
    s->live--;
    if (++slot->generation == 0) /* every handle it could give has been given */
        return p;
    slot->next_free = s->free_head;
    s->free_head = (uint32_t)handle + 1;
    return p;
}
