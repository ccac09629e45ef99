/* Routes that plugins give as text (host->http->route): each is compiled once and kept, the most recently used ones. */
#include "service/http_routes.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

enum { ROUTES_MAX = 64, TEXT_MAX = 64 * 1024 };

struct px_host_routes {
    struct px_map by_text;
    struct px_list_node used; /* px_host_route.node */
};

static struct px_host_routes *routes_of(struct px_instance *inst) {
    if (inst->routes)
        return inst->routes;
    inst->routes = calloc(1, sizeof *inst->routes);
    if (inst->routes) {
        px_map_init(&inst->routes->by_text, ROUTES_MAX);
        px_list_init(&inst->routes->used);
    }
    return inst->routes;
}

static void forget(struct px_host_routes *routes, struct px_host_route *one) {
    px_map_remove(&routes->by_text, one->text);
    px_list_remove(&one->node);
    px_route_destroy(one->route);
    free((char *)(uintptr_t)one->text.p);
    free(one);
}

void px_host_routes_free(struct px_instance *inst) {
    struct px_host_routes *routes = inst->routes;
    inst->routes = NULL;
    if (!routes)
        return;
    while (!px_list_empty(&routes->used))
        forget(routes, px_list_entry(routes->used.next, struct px_host_route, node));
    px_map_finish(&routes->by_text);
    free(routes);
}

/* The one that was used longest ago, and not now, goes. */
static int make_room(struct px_host_routes *routes, struct px_err *err) {
    if (routes->by_text.n < ROUTES_MAX)
        return 0;
    for (struct px_list_node *node = routes->used.prev; node != &routes->used; node = node->prev) {
        struct px_host_route *one = px_list_entry(node, struct px_host_route, node);
        if (one->uses)
            continue;
        forget(routes, one);
        return 0;
    }
    return px_err_set(err, -EAGAIN, "%d different routes run at once: put what differs into arguments",
                      ROUTES_MAX);
}

static int compile(const struct px_instance *inst, px_str text, struct px_route **ret, struct px_err *err) {
    const struct px_route_opts opts = {.api = inst->lib->api, .in_code = true};
    return px_route_compile(text, &opts, ret, err);
}

static int add(struct px_instance *inst, struct px_host_routes *routes, px_str text,
               struct px_host_route **ret, struct px_err *err) {
    struct px_host_route *one = calloc(1, sizeof *one);
    if (!one)
        return px_err_set(err, -ENOMEM, "no memory for a route");
    px_list_init(&one->node);
    one->text = (px_str){px_str_dup(text), text.n};
    int r = one->text.p ? compile(inst, text, &one->route, err)
                        : px_err_set(err, -ENOMEM, "no memory for a route");
    if (!r && (r = px_map_put(&routes->by_text, one->text, one, NULL)) < 0)
        px_err_errno(err, r, "a route");
    if (r) {
        px_route_destroy(one->route);
        free((char *)(uintptr_t)one->text.p);
        free(one);
        return r;
    }
    *ret = one;
    return 0;
}

int px_host_route_get(struct px_instance *inst, px_str text, struct px_host_route **ret, struct px_err *err) {
    struct px_host_routes *routes = routes_of(inst);
    struct px_host_route *one;
    if (!routes)
        return px_err_set(err, -ENOMEM, "no memory for routes");
    if (text.n > TEXT_MAX)
        return px_err_set(err, -EINVAL, "route: longer than %d bytes", TEXT_MAX);
    one = px_map_get(&routes->by_text, text);
    if (!one) {
        int r = make_room(routes, err);
        if (!r)
            r = add(inst, routes, text, &one, err);
        if (r)
            return r;
    }
    px_list_remove(&one->node);
    px_list_add(routes->used.next, &one->node);
    one->uses++;
    *ret = one;
    return 0;
}

void px_host_route_put(struct px_host_route *one) {
    one->uses--;
}

int px_host_args(struct px_arena *arena, px_str args_json, px_str *ret, struct px_err *err) {
    struct px_json_scan scan;
    px_str copy = px_arena_str(arena, args_json.p ? args_json : PX_LIT("{}"));
    if (!copy.p)
        return px_err_set(err, -ENOMEM, "no memory for the arguments");
    int r = px_json_scan(copy, NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, -EINVAL, "args_json: ");
    if (px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "args_json: expected an object");
    *ret = scan.value;
    return 0;
}
