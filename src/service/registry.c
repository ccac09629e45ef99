#include "base/log.h"
#include "base/map.h"
#include "reactor/loop.h"
#include "service/registry_private.h"
#include <errno.h>

enum { LISTS = PX_LIST_TEMPLATES + 1, ITEMS_MAX = 20000 };

struct list {
    struct px_item **all; /* every service's, sorted by name and service; holds the references */
    size_t n_all;
    struct px_item **items; /* what is offered: one for each name */
    size_t n;
    struct px_map by_name;
    bool changed;
};
struct px_registry {
    struct px_loop *loop;
    struct list lists[LISTS];
    struct px_registry_sink sinks[PX_REGISTRY_SINKS];
    size_t n_sinks;
    struct px_work announce;
};

static void announce(void *user) {
    struct px_registry *registry = user;
    for (int list = PX_LIST_TOOLS; list < LISTS; list++) {
        if (!registry->lists[list].changed)
            continue;
        registry->lists[list].changed = false;
        for (size_t i = 0; i < registry->n_sinks; i++)
            registry->sinks[i].changed(registry->sinks[i].ctx, (enum px_list)list);
    }
}

int px_registry_create(struct px_loop *loop, struct px_registry **ret, struct px_err *err) {
    struct px_registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return px_err_set(err, -ENOMEM, "no memory for the registry");
    registry->loop = loop;
    for (int list = 0; list < LISTS; list++)
        px_map_init(&registry->lists[list].by_name, ITEMS_MAX);
    px_work_init(&registry->announce, "service/registry", announce, registry);
    *ret = registry;
    return 0;
}

void px_registry_destroy(struct px_registry **pregistry) {
    struct px_registry *registry = *pregistry;
    *pregistry = NULL;
    if (!registry)
        return;
    px_work_cancel(&registry->announce);
    for (int list = 0; list < LISTS; list++) {
        for (size_t i = 0; i < registry->lists[list].n_all; i++)
            px_item_unref(registry->lists[list].all[i]);
        free(registry->lists[list].all);
        free(registry->lists[list].items);
        px_map_finish(&registry->lists[list].by_name);
    }
    free(registry);
}

int px_registry_listen(struct px_registry *registry, const struct px_registry_sink *sink) {
    if (registry->n_sinks == PX_REGISTRY_SINKS)
        return -ENOSPC;
    registry->sinks[registry->n_sinks++] = *sink;
    return 0;
}

void px_registry_unlisten(struct px_registry *registry, const void *ctx) {
    size_t kept = 0;
    for (size_t i = 0; i < registry->n_sinks; i++) {
        if (registry->sinks[i].ctx != ctx)
            registry->sinks[kept++] = registry->sinks[i];
    }
    registry->n_sinks = kept;
}

void px_registry_touch(struct px_registry *registry, px_str uri) {
    for (size_t i = 0; i < registry->n_sinks; i++)
        registry->sinks[i].touched(registry->sinks[i].ctx, uri);
}

/* ---- looking up ---- */

struct px_item *px_registry_find(const struct px_registry *registry, enum px_list list, px_str name) {
    return px_map_get(&registry->lists[list].by_name, name);
}

size_t px_registry_count(const struct px_registry *registry, enum px_list list) {
    return registry->lists[list].n;
}

struct px_item *px_registry_at(const struct px_registry *registry, enum px_list list, size_t i) {
    return registry->lists[list].items[i];
}

/* RFC 6570 level 1: an expression stands for one or more characters, none of them "/", "?" or "#" (expansion would have
 * encoded those). Backs up to the last expression only, as a glob does. */
static bool template_matches(px_str template, px_str uri) {
    size_t t = 0, u = 0, resume_t = SIZE_MAX, resume_u = 0;
    for (;;) {
        if (t < template.n && template.p[t] == '{') {
            const char *end = memchr(template.p + t, '}', template.n - t);
            if (!end || u >= uri.n || memchr("/?#", uri.p[u], 3))
                return false;
            t = (size_t)(end - template.p) + 1;
            resume_t = t;
            resume_u = ++u;
        } else if (t < template.n && u < uri.n && template.p[t] == uri.p[u]) {
            t++;
            u++;
        } else if (t == template.n && u == uri.n) {
            return true;
        } else if (resume_t != SIZE_MAX && resume_u < uri.n && !memchr("/?#", uri.p[resume_u], 3)) {
            t = resume_t;
            u = ++resume_u;
        } else {
            return false;
        }
    }
}

struct px_item *px_registry_find_uri(const struct px_registry *registry, px_str uri) {
    struct px_item *item = px_registry_find(registry, PX_LIST_RESOURCES, uri);
    const struct list *templates = &registry->lists[PX_LIST_TEMPLATES];
    for (size_t i = 0; !item && i < templates->n; i++) {
        if (template_matches(templates->items[i]->name, uri))
            item = templates->items[i];
    }
    return item;
}

px_str px_registry_nearest(const struct px_registry *registry, px_str name) {
    const struct list *tools = &registry->lists[PX_LIST_TOOLS];
    px_str nearest = {0};
    size_t best = PX_MAX(name.n / 3, (size_t)2) + 1;
    for (size_t i = 0; i < tools->n; i++) {
        size_t distance = px_str_distance(tools->items[i]->name, name);
        if (distance < best) {
            best = distance;
            nearest = tools->items[i]->name;
        }
    }
    return nearest;
}

/* ---- replacing ---- */

static int by_name(const void *a, const void *b) {
    const struct px_item *const *x = a, *const *y = b;
    int order = px_str_cmp((*x)->name, (*y)->name);
    return order ? order : px_str_cmp((*x)->service, (*y)->service);
}

/* A name is one service's. A URI may be listed by several: it belongs to the one whose name comes first. */
static bool may_share(enum px_list which) {
    return which == PX_LIST_RESOURCES || which == PX_LIST_TEMPLATES;
}

static int collides(const struct list *fresh, enum px_list which, px_str service, struct px_item **items,
                    size_t n, uint32_t *ret_bad, struct px_err *err) {
    for (size_t i = 1; i < fresh->n_all; i++) {
        const struct px_item *one = fresh->all[i - 1], *two = fresh->all[i];
        bool same_service = px_str_eq(one->service, two->service);
        if (!px_str_eq(one->name, two->name) || (may_share(which) && !same_service))
            continue;
        const struct px_item *other = px_str_eq(one->service, service) ? two : one;
        for (size_t bad = 0; bad < n; bad++) {
            if (items[bad] == one || items[bad] == two)
                *ret_bad = (uint32_t)bad;
        }
        return px_err_set(err, -EEXIST, "\"" PX_FMT "\" is offered already, by service " PX_FMT,
                          PX_ARG(one->name), PX_ARG(other->service));
    }
    return 0;
}

static void list_finish(struct list *list) {
    free(list->all);
    free(list->items);
    px_map_finish(&list->by_name);
}

/* A fresh list of the others' items and the new ones. */
static int build(const struct list *old, enum px_list which, px_str service, struct px_item **items, size_t n,
                 struct list *fresh, uint32_t *ret_bad, struct px_err *err) {
    px_map_init(&fresh->by_name, ITEMS_MAX);
    fresh->all = calloc(old->n_all + n + 1, sizeof *fresh->all);
    fresh->items = calloc(old->n_all + n + 1, sizeof *fresh->items);
    if (!fresh->all || !fresh->items)
        return px_err_set(err, -ENOMEM, "no memory for the list");
    for (size_t i = 0; i < old->n_all; i++) {
        if (!px_str_eq(old->all[i]->service, service))
            fresh->all[fresh->n_all++] = old->all[i];
    }
    for (size_t i = 0; i < n; i++)
        fresh->all[fresh->n_all++] = items[i];
    if (fresh->n_all > ITEMS_MAX)
        return px_err_set(err, -E2BIG, "at most %d items in all services", ITEMS_MAX);
    qsort(fresh->all, fresh->n_all, sizeof *fresh->all, by_name);
    int r = collides(fresh, which, service, items, n, ret_bad, err);
    for (size_t i = 0; !r && i < fresh->n_all; i++) {
        if (i && px_str_eq(fresh->all[i]->name, fresh->all[i - 1]->name))
            continue;
        fresh->items[fresh->n++] = fresh->all[i];
        if (px_map_put(&fresh->by_name, fresh->all[i]->name, fresh->all[i], NULL))
            r = px_err_set(err, -ENOMEM, "no memory for the list");
    }
    return r;
}

int px_registry_replace(struct px_registry *registry, enum px_list which, px_str service,
                        struct px_item **items, size_t n, uint32_t *ret_bad, struct px_err *err) {
    struct list *list = &registry->lists[which], fresh = {0};
    int r = build(list, which, service, items, n, &fresh, ret_bad, err);
    if (r) {
        list_finish(&fresh);
        return r;
    }
    size_t gone = 0;
    for (size_t i = 0; i < list->n_all; i++) {
        if (px_str_eq(list->all[i]->service, service)) {
            px_item_unref(list->all[i]);
            gone++;
        }
    }
    list_finish(list);
    fresh.changed = list->changed;
    *list = fresh;
    if (gone || n) {
        list->changed = true;
        px_work_post(registry->loop, &registry->announce);
    }
    return 0;
}
