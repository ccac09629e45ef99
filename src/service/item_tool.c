/* Tools as items: schemas, routes, what tools/list shows. */
#include "route/route.h"
#include "service/item_build.h"
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

enum { WRITE_ONLY_MAX = 64, POINTER_MAX = 1024, DEPTH_MAX = 8 };

static const char no_arguments[] = "{\"type\":\"object\",\"additionalProperties\":false}";

/* ---- schemas ---- */

/* MCP asks for a root of type "object". *ret_value: the scanned text. */
static int scan_schema(const char *text, const char *which, px_str *ret_value, struct px_err *err) {
    struct px_json_scan scan;
    px_str type;
    int r = px_json_scan(px_str_of(text), NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, r, "%s: ", which);
    *ret_value = scan.value;
    if (px_json_slice_get(scan.value, PX_LIT("type"), &type) || !px_json_slice_is(type, PX_LIT("object")))
        return px_err_set(err, -EINVAL, "%s: the root must have \"type\": \"object\"", which);
    return 0;
}

/* What was vetted is known to compile. */
static int compile(px_str text, const char *which, bool vetted, struct px_schema **ret, struct px_err *err) {
    int r = vetted ? px_schema_defer(text, ret) : px_schema_compile(text, NULL, ret, err);
    if (r == -ENOMEM)
        px_err_set(err, r, "no memory");
    return r ? px_err_prefix(err, r, "%s: ", which) : 0;
}

/* ---- arguments that are not to be shown ---- */

static bool mentions(px_str text) {
    return text.n && memmem(text.p, text.n, "writeOnly", sizeof "writeOnly" - 1);
}

static int add_write_only(struct px_item *item, px_str pointer) {
    if (item->n_write_only == WRITE_ONLY_MAX)
        return -E2BIG;
    px_str *grown = reallocarray(item->write_only, item->n_write_only + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    item->write_only = grown;
    grown[item->n_write_only] = (px_str){px_str_dup(pointer), pointer.n};
    return grown[item->n_write_only].p ? (int)(item->n_write_only++, 0) : -ENOMEM;
}

static int find_write_only(struct px_item *item, px_str schema, struct px_buf *pointer, int depth);

static int find_in_properties(struct px_item *item, px_str properties, struct px_buf *pointer, int depth) {
    px_str raw, key, property;
    uint64_t pos = 0;
    int r = 0;
    while (!r && px_json_slice_next(properties, &pos, &raw, &property) == 1) {
        struct px_arena arena;
        size_t mark = pointer->n;
        if (!mentions(property))
            continue;
        px_arena_init(&arena, PX_ITEM_TEXT_MAX);
        r = px_json_slice_text(&arena, raw, &key);
        px_buf_char(pointer, '/');
        for (size_t i = 0; !r && i < key.n; i++) {
            if (key.p[i] == '~' || key.p[i] == '/')
                px_buf_text(pointer, key.p[i] == '~' ? "~0" : "~1");
            else
                px_buf_char(pointer, key.p[i]);
        }
        px_arena_finish(&arena);
        if (!r)
            r = pointer->failed ? pointer->failed : find_write_only(item, property, pointer, depth - 1);
        pointer->n = mark;
    }
    return r;
}

/* Of an argument that says it only somewhere below (in an array's items, in a branch), all is hidden. */
static int find_write_only(struct px_item *item, px_str schema, struct px_buf *pointer, int depth) {
    px_str key, value, properties = {0};
    uint64_t pos = 0;
    bool whole = depth == 0;
    while (px_json_slice_next(schema, &pos, &key, &value) == 1) {
        if (px_json_slice_is(key, PX_LIT("properties")))
            properties = value;
        else if (px_json_slice_is(key, PX_LIT("writeOnly")))
            whole = whole || px_str_is(value, "true");
        else if (!px_json_slice_is(key, PX_LIT("description")) && mentions(value))
            whole = true;
    }
    if (whole && pointer->n)
        return add_write_only(item, px_buf_view(pointer));
    return mentions(properties) ? find_in_properties(item, properties, pointer, depth) : 0;
}

static int note_write_only(struct px_item *item, px_str input, struct px_err *err) {
    struct px_buf pointer;
    if (!mentions(input))
        return 0;
    px_buf_init(&pointer, POINTER_MAX);
    int r = find_write_only(item, input, &pointer, DEPTH_MAX);
    px_buf_finish(&pointer);
    return r ? px_err_errno(err, r, "input_schema: arguments with \"writeOnly\" (at most %d)", WRITE_ONLY_MAX)
             : 0;
}

/* ---- routes ---- */

static void put_members(struct px_jw *w, px_str object) {
    px_str key, value;
    uint64_t pos = 0;
    while (px_json_slice_next(object, &pos, &key, &value) == 1) {
        px_jw_key_raw(w, key);
        px_jw_raw(w, value);
    }
}

/* The schema, and among its properties those of `added`. */
static void put_merged(struct px_jw *w, px_str input, px_str added) {
    px_str key, value;
    uint64_t pos = 0;
    bool merged = false;
    px_jw_object(w);
    while (px_json_slice_next(input, &pos, &key, &value) == 1) {
        px_jw_key_raw(w, key);
        if (!px_json_slice_is(key, PX_LIT("properties"))) {
            px_jw_raw(w, value);
            continue;
        }
        px_jw_object(w);
        put_members(w, value);
        put_members(w, added);
        px_jw_object_end(w);
        merged = true;
    }
    if (!merged) {
        px_jw_key(w, "properties");
        px_jw_object(w);
        put_members(w, added);
        px_jw_object_end(w);
    }
    px_jw_object_end(w);
}

/* The input schema as planners see it: `merged` has it when the host adds anything, else it stays empty. */
static int merge(const struct px_route *route, px_str input, struct px_buf *merged, struct px_err *err) {
    struct px_buf added;
    struct px_jw w;
    px_buf_init(&added, PX_ITEM_TEXT_MAX);
    px_buf_char(&added, '{');
    int r = px_route_put_properties(route, &added);
    px_buf_char(&added, '}');
    if (!r)
        r = added.failed;
    if (r) {
        px_err_errno(err, r, "route: the arguments that the host adds");
    } else if (added.n > 2) {
        px_jw_init(&w, merged);
        put_merged(&w, input, px_buf_view(&added));
        if (merged->failed)
            r = px_err_errno(err, merged->failed, "input_schema");
    }
    px_buf_finish(&added);
    return r;
}

static int compile_route(const struct px_tool *tool, struct px_item *item, const struct px_api *api,
                         px_str input, bool vetted, struct px_err *err) {
    const struct px_route_opts opts = {.api = api,
                                       .input_schema = input,
                                       .read_only = px_item_read_only(item),
                                       .idempotent = (tool->hints & PX_HINT_IDEMPOTENT) == PX_HINT_IDEMPOTENT,
                                       .vetted = vetted};
    if (!api)
        return px_err_set(err, -EINVAL, "route: the plugin has no api (px_plugin.api)");
    return px_route_compile(px_str_of(tool->route), &opts, &item->route, err);
}

/* ---- the listed object ---- */

static void hint(struct px_jw *w, uint32_t hints, uint32_t set, uint32_t yes, const char *key) {
    if (!(hints & set))
        return;
    px_jw_key(w, key);
    px_jw_bool(w, (hints & yes) == yes);
}

static int list_tool(const struct px_tool *tool, struct px_item *item, px_str input, px_str output,
                     struct px_err *err) {
    static const char *const ours[] = {"name",         "title",       "description", "inputSchema",
                                       "outputSchema", "annotations", NULL};
    struct px_buf listed;
    struct px_jw w;
    px_buf_init(&listed, PX_ITEM_TEXT_MAX);
    px_jw_init(&w, &listed);
    px_jw_object(&w);
    px_jw_key(&w, "name");
    px_jw_str(&w, item->name);
    px_item_put_text(&w, "title", tool->title);
    px_item_put_text(&w, "description", tool->description);
    px_item_put_json(&w, "inputSchema", input);
    if (output.p)
        px_item_put_json(&w, "outputSchema", output);
    if (tool->hints) {
        px_jw_key(&w, "annotations");
        px_jw_object(&w);
        hint(&w, tool->hints, PX_HINT_READ_ONLY_SET, PX_HINT_READ_ONLY, "readOnlyHint");
        hint(&w, tool->hints, PX_HINT_DESTRUCTIVE_SET, PX_HINT_DESTRUCTIVE, "destructiveHint");
        hint(&w, tool->hints, PX_HINT_IDEMPOTENT_SET, PX_HINT_IDEMPOTENT, "idempotentHint");
        hint(&w, tool->hints, PX_HINT_OPEN_WORLD_SET, PX_HINT_OPEN_WORLD, "openWorldHint");
        px_jw_object_end(&w);
    }
    int r = px_item_put_rest(&w, item, tool->extra, ours, err);
    px_jw_object_end(&w);
    return px_item_take_listed(item, r, &listed, err);
}

/* ---- the whole ---- */

static int fill(const struct px_tool *tool, struct px_item *item, const struct px_api *api, bool vetted,
                struct px_err *err) {
    px_str input = {0}, output = {0};
    struct px_buf merged;
    px_buf_init(&merged, PX_ITEM_TEXT_MAX);
    int r = scan_schema(tool->input_schema ? tool->input_schema : no_arguments, "input_schema", &input, err);
    if (!r)
        r = note_write_only(item, input, err);
    if (!r && tool->route)
        r = compile_route(tool, item, api, tool->input_schema ? input : (px_str){0}, vetted, err);
    if (!r && item->route)
        r = merge(item->route, input, &merged, err);
    if (!r) {
        input = merged.n ? px_buf_view(&merged) : input;
        r = compile(input, "input_schema", vetted, &item->input, err);
    }
    if (!r && tool->output_schema)
        r = scan_schema(tool->output_schema, "output_schema", &output, err);
    if (!r && output.p)
        r = compile(output, "output_schema", vetted, &item->output, err);
    if (!r)
        r = list_tool(tool, item, input, output, err);
    px_buf_finish(&merged);
    return r;
}

int px_item_of_tool(const struct px_tool *tool, px_str service, const struct px_api *api, bool vetted,
                    struct px_item **ret, struct px_err *err) {
    px_str own = px_str_of(tool->name);
    if (!px_item_good_name(own))
        return px_err_set(err, -EINVAL, "tool name \"%.64s\": expected [A-Za-z0-9_-]+",
                          tool->name ? tool->name : "");
    struct px_item *item = px_item_new(PX_LIST_TOOLS, service, own, tool->id);
    int r = item ? px_item_set_name(item, tool->flags & PX_TOOL_NO_PREFIX) : -ENOMEM;
    if (r) {
        px_item_unref(item);
        return px_err_errno(err, r, "tool \"%.64s\"", tool->name);
    }
    item->hints = tool->hints;
    item->labels = tool->labels;
    r = fill(tool, item, api, vetted, err);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "tool \"%.64s\": ", tool->name);
    }
    *ret = item;
    return 0;
}
