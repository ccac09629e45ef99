/* registry.h: everything that services offer: tools, prompts, resources, resource templates; by name, in a stable order.
 *
 * An item is immutable and counted: a list may be replaced while calls still hold items of the old one. Lists are sorted by
 * name (resources: by URI) in byte order, so they are the same for every connection.
 * Names: `<service>_<name>`, or the plugin's own with PX_TOOL_NO_PREFIX; over 64 characters, the first 55 and "_" and 8
 * hexadecimal digits of a hash of the whole. Two services whose names collide: the second is refused, with a clear line.
 * Loop thread only. */
#ifndef PX_SERVICE_REGISTRY_H
#define PX_SERVICE_REGISTRY_H

#include "base/err.h"
#include "base/str.h"
#include "json/schema.h"

struct px_instance; /* the configured plugin that stands behind an item */
struct px_route;

struct px_item {
    uint32_t refs;
    enum px_list list;
    px_str name;    /* as offered; resources and templates: the URI or URI template */
    px_str own;     /* the plugin's own name for it */
    px_str service; /* the service's name */
    uint64_t id;
    uint32_t hints, labels;   /* tools */
    struct px_schema *input;  /* tools and prompts: of the arguments */
    struct px_schema *output; /* tools: may be NULL */
    struct px_route *route;   /* tools: the host makes the requests itself; NULL: the plugin is called */
    /* pointers to the arguments that the input schema marks "writeOnly": not to be shown */
    px_str *write_only;
    size_t n_write_only;
    px_str listed; /* the MCP object (Tool, Prompt, Resource, ResourceTemplate), ready to be sent */
    struct px_instance *instance; /* held; it may have ended: px_run_start says so */
    /* what policies call it, when that is not `name`: `<service>_<own>` of a resource or template */
    px_str policy_name;
};

static inline bool px_item_read_only(const struct px_item *item) {
    return (item->hints & PX_HINT_READ_ONLY) == PX_HINT_READ_ONLY;
}
/** MCP's default for an unset hint is "destructive". */
static inline bool px_item_destructive(const struct px_item *item) {
    return !px_item_read_only(item) && ((item->hints & PX_HINT_DESTRUCTIVE_SET) == 0 ||
                                        (item->hints & PX_HINT_DESTRUCTIVE) == PX_HINT_DESTRUCTIVE);
}

struct px_item *px_item_ref(struct px_item *item);
void px_item_unref(struct px_item *item);

struct px_registry;
/** Told after a list changed, and when a resource was touched: from the loop, at most once a turn for each list and each
 *  URI, and never while a plugin is on the stack. A list that its plugin set to what it was has not changed. */
struct px_registry_sink {
    void (*changed)(void *ctx, enum px_list list);
    void (*touched)(void *ctx, px_str uri);
    void *ctx;
};
enum { PX_REGISTRY_SINKS = 4 };
/** -ENOSPC: there are PX_REGISTRY_SINKS. */
PX_MUSTCHECK int px_registry_listen(struct px_registry *registry, const struct px_registry_sink *sink);
/** No more for the sink with this ctx. Not from inside a sink. */
void px_registry_unlisten(struct px_registry *registry, const void *ctx);

/** Borrowed; NULL: none. Names exact. */
struct px_item *px_registry_find(const struct px_registry *registry, enum px_list list, px_str name);
/** The resource with this URI, or else the first template that matches it. */
struct px_item *px_registry_find_uri(const struct px_registry *registry, px_str uri);
size_t px_registry_count(const struct px_registry *registry, enum px_list list);
/** In order; i < count. Borrowed. */
struct px_item *px_registry_at(const struct px_registry *registry, enum px_list list, size_t i);
/** The nearest offered tool name, for "did you mean"; absent: none is near. */
px_str px_registry_nearest(const struct px_registry *registry, px_str name);

#endif
