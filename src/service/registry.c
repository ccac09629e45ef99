#include "base/log.h"
#include "base/map.h"
#include "reactor/loop.h"
#include "service/registry_private.h"
#include <errno.h>

enum { LISTS = PX_LIST_TEMPLATES + 1, ITEMS_MAX = 20000, TOUCHED_MAX = 4096, URI_MAX = 8192 };

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
    struct px_list_node touched; /* struct touch */
    struct px_map touched_uris;  /* the same, by URI */
    struct px_work announce;
};

/* A resource that somebody will be told of. */
struct touch {
    struct px_list_node node;
    px_str uri; /* behind this struct */
};

static void touch_free(struct px_registry *registry, struct touch *touch) {
    px_list_remove(&touch->node);
    px_map_remove(&registry->touched_uris, touch->uri);
    free(touch);
}

/* Those that are touched while this runs wait for the next time. */
static void announce_touched(struct px_registry *registry) {
    struct px_list_node now;
    px_list_init(&now);
    px_list_splice(&now, &registry->touched);
    while (!px_list_empty(&now)) {
        struct touch *touch = px_list_entry(now.next, struct touch, node);
        for (size_t i = 0; i < registry->n_sinks; i++)
            registry->sinks[i].touched(registry->sinks[i].ctx, touch->uri);
        touch_free(registry, touch);
    }
}

static void announce(void *user) {
    struct px_registry *registry = user;
    announce_touched(registry);
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
    px_list_init(&registry->touched);
    px_map_init(&registry->touched_uris, TOUCHED_MAX);
    *ret = registry;
    return 0;
}

void px_registry_destroy(struct px_registry **pregistry) {
    struct px_registry *registry = *pregistry;
    *pregistry = NULL;
    if (!registry)
        return;
    px_work_cancel(&registry->announce);
    PX_LIST_EACH_SAFE (node, &registry->touched)
        touch_free(registry, px_list_entry(node, struct touch, node));
    px_map_finish(&registry->touched_uris);
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

int px_registry_touch(struct px_registry *registry, px_str uri) {
    if (!uri.n || uri.n > URI_MAX)
        return -EINVAL;
    if (px_map_get(&registry->touched_uris, uri))
        return 0;
    struct touch *touch = malloc(sizeof *touch + uri.n);
    if (!touch)
        return -ENOMEM;
    memcpy(touch + 1, uri.p, uri.n);
    touch->uri = px_str_n((const char *)(touch + 1), uri.n);
    int r = px_map_put(&registry->touched_uris, touch->uri, touch, NULL);
    if (r) {
        free(touch);
        return r == -ENOMEM ? r : -EAGAIN;
    }
    px_list_init(&touch->node);
    px_list_add(&registry->touched, &touch->node);
    px_work_post(registry->loop, &registry->announce);
    return 0;
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
 * encoded those). And {+path} of level 2, which may hold them. Backs up to the last expression only, as a glob does. */
static bool in_expression(char c, bool reserved) {
    return reserved || (c != '/' && c != '?' && c != '#');
}

static bool template_matches(px_str template, px_str uri) {
    size_t t = 0, u = 0, resume_t = SIZE_MAX, resume_u = 0;
    bool reserved = false;
    for (;;) {
        if (t < template.n && template.p[t] == '{') {
            const char *end = memchr(template.p + t, '}', template.n - t);
            reserved = end && template.p[t + 1] == '+';
            if (!end || u >= uri.n || !in_expression(uri.p[u], reserved))
                return false;
            t = (size_t)(end - template.p) + 1;
            resume_t = t;
            resume_u = ++u;
        } else if (t < template.n && u < uri.n && template.p[t] == uri.p[u]) {
            t++;
            u++;
        } else if (t == template.n && u == uri.n) {
            return true;
        } else if (resume_t != SIZE_MAX && resume_u < uri.n && in_expression(uri.p[resume_u], reserved)) {
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
        px_str other = tools->items[i]->name;
        if ((other.n > name.n ? other.n - name.n : name.n - other.n) >= best)
            continue; /* at least that far */
        size_t distance = px_str_distance(other, name);
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
        if (same_service)
            return px_err_set(err, -EEXIST, "\"" PX_FMT "\" is offered twice", PX_ARG(one->name));
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

/* Whether planners would see anything else than before. Both are in order. */
static bool differs(const struct list *old, const struct list *fresh, px_str service) {
    size_t i = 0, j = 0;
    for (;;) {
        while (i < old->n_all && !px_str_eq(old->all[i]->service, service))
            i++;
        while (j < fresh->n_all && !px_str_eq(fresh->all[j]->service, service))
            j++;
        if (i == old->n_all || j == fresh->n_all)
            return i != old->n_all || j != fresh->n_all;
        if (!px_str_eq(old->all[i++]->listed, fresh->all[j++]->listed))
            return true;
    }
}

/* `fresh` takes the place of the list. */
static void commit(struct px_registry *registry, enum px_list which, px_str service, const struct list *fresh,
                   bool differs_from_old) {
    struct list *list = &registry->lists[which], old = *list;
    *list = *fresh;
    list->changed = old.changed || differs_from_old;
    if (list->changed)
        px_work_post(registry->loop, &registry->announce);
    for (size_t i = 0; i < old.n_all; i++) {
        if (px_str_eq(old.all[i]->service, service))
            px_item_unref(old.all[i]);
    }
    list_finish(&old);
}

int px_registry_replace(struct px_registry *registry, enum px_list which, px_str service,
                        struct px_item **items, size_t n, uint32_t *ret_bad, struct px_err *err) {
    struct list fresh = {0};
    int r = build(&registry->lists[which], which, service, items, n, &fresh, ret_bad, err);
    if (r)
        list_finish(&fresh);
    else
        commit(registry, which, service, &fresh, differs(&registry->lists[which], &fresh, service));
    return r;
}

static bool offers(const struct list *list, px_str service) {
    for (size_t i = 0; i < list->n_all; i++) {
        if (px_str_eq(list->all[i]->service, service))
            return true;
    }
    return false;
}

/* Of another instance: what is listed may look the same, and do something else. */
int px_registry_replace_all(struct px_registry *registry, px_str service, struct px_item **const items[],
                            const size_t n[], struct px_err *err) {
    struct list fresh[LISTS] = {0};
    uint32_t bad;
    int r = 0, built = PX_LIST_TOOLS;
    for (; built < LISTS && !r; built++)
        r = build(&registry->lists[built], (enum px_list)built, service, items[built], n[built],
                  &fresh[built], &bad, err);
    for (int list = PX_LIST_TOOLS; list < built; list++) {
        if (r)
            list_finish(&fresh[list]);
        else
            commit(registry, (enum px_list)list, service, &fresh[list],
                   n[list] || offers(&registry->lists[list], service));
    }
    return r;
}

/* In place: this needs no memory, so it cannot fail. */
static bool clear(struct list *list, px_str service) {
    size_t kept = 0, before = list->n_all;
    for (size_t i = 0; i < before; i++) {
        struct px_item *item = list->all[i];
        if (!px_str_eq(item->service, service)) {
            list->all[kept++] = item;
            continue;
        }
        if (px_map_get(&list->by_name, item->name) == item)
            px_map_remove(&list->by_name, item->name);
        px_item_unref(item);
    }
    list->n_all = kept;
    list->n = 0;
    for (size_t i = 0; i < kept; i++) {
        if (i && px_str_eq(list->all[i]->name, list->all[i - 1]->name))
            continue;
        list->items[list->n++] = list->all[i];
        /* A URI may be another service's now; there is room, because more has gone than comes. */
        if (px_map_get(&list->by_name, list->all[i]->name) != list->all[i] &&
            px_map_put(&list->by_name, list->all[i]->name, list->all[i], NULL))
            list->n--;
    }
    return kept != before;
}

void px_registry_clear(struct px_registry *registry, px_str service) {
    for (int which = PX_LIST_TOOLS; which < LISTS; which++) {
        if (!clear(&registry->lists[which], service))
            continue;
        registry->lists[which].changed = true;
        px_work_post(registry->loop, &registry->announce);
    }
}
