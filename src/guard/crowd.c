/* How many of each principal wait, and whose newest makes room when the queue is full. Principals with equally many are in a ring,
 * and there is one ring for each number: all that is asked here is answered without a search. */
#include "guard/private.h"
#include <errno.h>

enum { ROOM_MIN = 8, ROOM_KEPT = 64 };

static int grow(struct px_crowd *crowd, uint32_t n) {
    size_t room = PX_MAX(crowd->room, (size_t)ROOM_MIN);
    while (room <= n)
        room *= 2;
    struct px_list_node **rings =
        room > crowd->room ? realloc(crowd->rings, room * sizeof *rings) : crowd->rings;
    if (!rings)
        return -ENOMEM;
    for (size_t i = crowd->room; i < room; i++)
        rings[i] = NULL;
    crowd->rings = rings;
    crowd->room = room;
    return 0;
}

static void ring_add(struct px_crowd *crowd, struct px_principal *principal) {
    struct px_list_node **ring = &crowd->rings[principal->waiting];
    if (*ring)
        px_list_add(*ring, &principal->equals);
    else
        *ring = &principal->equals;
}

static void ring_remove(struct px_crowd *crowd, struct px_principal *principal) {
    struct px_list_node **ring = &crowd->rings[principal->waiting], *self = &principal->equals;
    if (*ring == self)
        *ring = px_list_linked(self) ? self->next : NULL;
    px_list_remove(self);
}

int px_crowd_join(struct px_crowd *crowd, struct px_principal *principal, struct px_guard_pass *pass) {
    int r = grow(crowd, principal->waiting + 1);
    if (r)
        return r;
    if (principal->waiting)
        ring_remove(crowd, principal);
    principal->waiting++;
    ring_add(crowd, principal);
    crowd->most = PX_MAX(crowd->most, principal->waiting);
    px_list_add(&principal->passes, &pass->of_principal);
    return 0;
}

void px_crowd_leave(struct px_crowd *crowd, struct px_principal *principal, struct px_guard_pass *pass) {
    px_list_remove(&pass->of_principal);
    ring_remove(crowd, principal);
    if (--principal->waiting)
        ring_add(crowd, principal);
    if (!crowd->rings[crowd->most]) /* that was the only one with so many: it has one less now */
        crowd->most--;
    if (!crowd->most && crowd->room > ROOM_KEPT)
        px_crowd_free(crowd);
}

bool px_crowd_yields(const struct px_crowd *crowd, const struct px_principal *principal) {
    uint32_t own = principal ? principal->waiting : 0;
    return own + 1 < crowd->most;
}

struct px_guard_pass *px_crowd_newest(const struct px_crowd *crowd) {
    const struct px_principal *principal =
        px_list_entry(crowd->rings[crowd->most], struct px_principal, equals);
    return px_list_entry(principal->passes.prev, struct px_guard_pass, of_principal);
}

void px_crowd_free(struct px_crowd *crowd) {
    free(crowd->rings);
    *crowd = (struct px_crowd){0};
}
