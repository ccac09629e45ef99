#include "base/buf.h"
#include "service/private.h"
#include "json/tree.h"
#include "json/write.h"
#include <errno.h>

enum { NAME_MAX_ = 64, TEXT_MAX = 1 << 20 };

struct px_item *px_item_ref(struct px_item *item) {
    item->refs++;
    return item;
}

void px_item_unref(struct px_item *item) {
    if (!item || --item->refs)
        return;
    px_schema_destroy(item->input);
    px_schema_destroy(item->output);
    if (item->instance)
        px_instance_unref(item->instance);
    free((char *)(uintptr_t)item->name.p);
    free((char *)(uintptr_t)item->own.p);
    free((char *)(uintptr_t)item->service.p);
    free((char *)(uintptr_t)item->listed.p);
    free(item);
}

static bool good_name(px_str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
              c == '-'))
            return false;
    }
    return name.n > 0;
}

/* `<service>_<name>`, shortened with a hash of the whole where it would be over 64 characters. */
static int offered_name(struct px_buf *to, px_str service, px_str own, bool no_prefix) {
    if (!no_prefix) {
        px_buf_str(to, service);
        px_buf_char(to, '_');
    }
    px_buf_str(to, own);
    if (to->failed || to->n <= NAME_MAX_)
        return to->failed;
    uint64_t hash = px_str_hash(px_buf_view(to));
    to->n = NAME_MAX_ - 9;
    return px_buf_addf(to, "_%08x", (unsigned)(hash >> 32));
}

static int keep(px_str *to, px_str text) {
    to->p = px_str_dup(text);
    to->n = text.n;
    return to->p ? 0 : -ENOMEM;
}

static struct px_item *item_new(enum px_list list, px_str service, px_str own, uint64_t id) {
    struct px_item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->refs = 1;
    item->list = list;
    item->id = id;
    if (keep(&item->service, service) || keep(&item->own, own)) {
        px_item_unref(item);
        return NULL;
    }
    return item;
}

/* ---- the listed object ---- */

static void optional_text(struct px_jw *w, const char *key, const char *text) {
    if (!text)
        return;
    px_jw_key(w, key);
    px_jw_text(w, text);
}

static bool one_of(px_str raw_key, const char *const *names) {
    for (; *names; names++) {
        if (px_json_slice_is(raw_key, px_str_of(*names)))
            return true;
    }
    return false;
}

/* One member as it stands; its key may hold escapes. */
static void copy_member(struct px_jw *w, px_str raw_key, px_str value) {
    struct px_arena arena;
    px_str key;
    px_arena_init(&arena, TEXT_MAX);
    if (px_json_slice_text(&arena, raw_key, &key) == 0) {
        px_jw_key_str(w, key);
        px_jw_raw(w, value);
    }
    px_arena_finish(&arena);
}

/* The members of `extra` but `_meta`, which *ret_meta gets. -EINVAL: not an object, or a member that is ours. */
static int add_extra(struct px_jw *w, const char *extra, const char *const *ours, px_str *ret_meta,
                     struct px_err *err) {
    struct px_json_scan scan;
    *ret_meta = (px_str){0};
    if (!extra)
        return 0;
    int r = px_json_scan(px_str_of(extra), NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, r, "extra: ");
    if (px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "extra: expected an object");
    uint64_t pos = 0;
    px_str key, value;
    while (px_json_slice_next(scan.value, &pos, &key, &value) == 1) {
        if (px_json_slice_is(key, PX_LIT("_meta"))) {
            *ret_meta = value;
            continue;
        }
        if (one_of(key, ours))
            return px_err_set(err, -EINVAL, "extra: member " PX_FMT " belongs to the host", PX_ARG(key));
        copy_member(w, key, value);
    }
    return 0;
}

static void add_meta(struct px_jw *w, px_str service, uint32_t labels, px_str plugin_meta) {
    px_jw_key(w, "_meta");
    px_jw_object(w);
    uint64_t pos = 0;
    px_str key, value;
    while (plugin_meta.p && px_json_slice_next(plugin_meta, &pos, &key, &value) == 1)
        copy_member(w, key, value);
    px_jw_key(w, "plexus/service");
    px_jw_str(w, service);
    if (labels) {
        px_jw_key(w, "plexus/labels");
        px_jw_array(w);
        if (labels & PX_LABEL_READS_PRIVATE)
            px_jw_text(w, "reads_private");
        if (labels & PX_LABEL_READS_UNTRUSTED)
            px_jw_text(w, "reads_untrusted");
        if (labels & PX_LABEL_SENDS_OUT)
            px_jw_text(w, "sends_out");
        px_jw_array_end(w);
    }
    px_jw_object_end(w);
}

static void hint(struct px_jw *w, uint32_t hints, uint32_t set, uint32_t yes, const char *key) {
    if (!(hints & set))
        return;
    px_jw_key(w, key);
    px_jw_bool(w, (hints & yes) == yes);
}

static int take_listed(struct px_item *item, struct px_buf *listed, struct px_err *err) {
    if (listed->failed)
        return px_err_errno(err, listed->failed, "its description");
    return keep(&item->listed, px_buf_view(listed)) ? px_err_set(err, -ENOMEM, "no memory") : 0;
}

/* ---- tools ---- */

static const char no_arguments[] = "{\"type\":\"object\",\"additionalProperties\":false}";

/* MCP asks for a root of type "object"; the text that is listed is the scanned value. */
static int compile(const char *text, const char *which, struct px_schema **ret, px_str *ret_value,
                   struct px_err *err) {
    struct px_json_scan scan;
    px_str type;
    int r = px_json_scan(px_str_of(text), NULL, &scan, NULL, err);
    if (!r)
        r = px_schema_compile(scan.value, NULL, ret, err);
    if (r)
        return px_err_prefix(err, r, "%s: ", which);
    *ret_value = scan.value;
    if (px_json_slice_get(scan.value, PX_LIT("type"), &type) || !px_json_slice_is(type, PX_LIT("object")))
        return px_err_set(err, -EINVAL, "%s: the root must have \"type\": \"object\"", which);
    return 0;
}

static int list_tool(const struct px_tool *tool, struct px_item *item, px_str input, px_str output,
                     struct px_err *err) {
    static const char *const ours[] = {"name",         "title",       "description", "inputSchema",
                                       "outputSchema", "annotations", NULL};
    struct px_buf listed;
    struct px_jw w;
    px_str meta;
    px_buf_init(&listed, TEXT_MAX);
    px_jw_init(&w, &listed);
    px_jw_object(&w);
    px_jw_key(&w, "name");
    px_jw_str(&w, item->name);
    optional_text(&w, "title", tool->title);
    optional_text(&w, "description", tool->description);
    px_jw_key(&w, "inputSchema");
    px_jw_raw(&w, input);
    if (output.p) {
        px_jw_key(&w, "outputSchema");
        px_jw_raw(&w, output);
    }
    if (tool->hints) {
        px_jw_key(&w, "annotations");
        px_jw_object(&w);
        hint(&w, tool->hints, PX_HINT_READ_ONLY_SET, PX_HINT_READ_ONLY, "readOnlyHint");
        hint(&w, tool->hints, PX_HINT_DESTRUCTIVE_SET, PX_HINT_DESTRUCTIVE, "destructiveHint");
        hint(&w, tool->hints, PX_HINT_IDEMPOTENT_SET, PX_HINT_IDEMPOTENT, "idempotentHint");
        hint(&w, tool->hints, PX_HINT_OPEN_WORLD_SET, PX_HINT_OPEN_WORLD, "openWorldHint");
        px_jw_object_end(&w);
    }
    int r = add_extra(&w, tool->extra, ours, &meta, err);
    add_meta(&w, item->service, tool->labels, meta);
    px_jw_object_end(&w);
    if (!r)
        r = take_listed(item, &listed, err);
    px_buf_finish(&listed);
    return r;
}

int px_item_of_tool(const struct px_tool *tool, px_str service, struct px_item **ret, struct px_err *err) {
    px_str own = px_str_of(tool->name), input = {0}, output = {0};
    if (!good_name(own))
        return px_err_set(err, -EINVAL, "tool name \"%.64s\": expected [A-Za-z0-9_-]+",
                          tool->name ? tool->name : "");
    struct px_item *item = item_new(PX_LIST_TOOLS, service, own, tool->id);
    if (!item)
        return px_err_set(err, -ENOMEM, "no memory");
    item->hints = tool->hints;
    item->labels = tool->labels;
    struct px_buf name;
    px_buf_init(&name, 4096);
    int r = offered_name(&name, service, own, tool->flags & PX_TOOL_NO_PREFIX);
    if (!r)
        r = keep(&item->name, px_buf_view(&name));
    px_buf_finish(&name);
    if (r)
        px_err_errno(err, r, "tool \"%.64s\"", tool->name);
    if (!r && (r = compile(tool->input_schema ? tool->input_schema : no_arguments, "input_schema",
                           &item->input, &input, err)) < 0)
        px_err_prefix(err, r, "tool \"%.64s\": ", tool->name);
    if (!r && tool->output_schema &&
        (r = compile(tool->output_schema, "output_schema", &item->output, &output, err)) < 0)
        px_err_prefix(err, r, "tool \"%.64s\": ", tool->name);
    if (!r && (r = list_tool(tool, item, input, output, err)) < 0)
        px_err_prefix(err, r, "tool \"%.64s\": ", tool->name);
    if (r) {
        px_item_unref(item);
        return r;
    }
    *ret = item;
    return 0;
}

/* ---- prompts and resources ---- */

int px_item_of_prompt(const struct px_prompt *prompt, px_str service, struct px_item **ret,
                      struct px_err *err) {
    static const char *const ours[] = {"name", "title", "description", "arguments", NULL};
    px_str own = px_str_of(prompt->name), meta;
    if (!good_name(own))
        return px_err_set(err, -EINVAL, "prompt name \"%.64s\": expected [A-Za-z0-9_-]+",
                          prompt->name ? prompt->name : "");
    struct px_item *item = item_new(PX_LIST_PROMPTS, service, own, prompt->id);
    struct px_buf text;
    struct px_jw w;
    struct px_json_scan scan;
    px_buf_init(&text, TEXT_MAX);
    px_jw_init(&w, &text);
    int r = item ? offered_name(&text, service, own, false) : -ENOMEM;
    if (!r)
        r = keep(&item->name, px_buf_view(&text));
    if (r)
        px_err_errno(err, r, "prompt");
    px_buf_clear(&text, TEXT_MAX);
    if (!r && prompt->arguments)
        r = px_json_scan(px_str_of(prompt->arguments), NULL, &scan, NULL, err);
    if (!r) {
        px_jw_object(&w);
        px_jw_key(&w, "name");
        px_jw_str(&w, item->name);
        optional_text(&w, "title", prompt->title);
        optional_text(&w, "description", prompt->description);
        if (prompt->arguments) {
            px_jw_key(&w, "arguments");
            px_jw_raw(&w, scan.value);
        }
        r = add_extra(&w, prompt->extra, ours, &meta, err);
        add_meta(&w, item->service, 0, meta);
        px_jw_object_end(&w);
    }
    if (!r)
        r = take_listed(item, &text, err);
    px_buf_finish(&text);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "prompt \"%.64s\": ", prompt->name);
    }
    *ret = item;
    return 0;
}

int px_item_of_resource(const struct px_resource *resource, enum px_list list, px_str service,
                        struct px_item **ret, struct px_err *err) {
    static const char *const ours[] = {"uri",         "uriTemplate", "name", "title",
                                       "description", "mimeType",    NULL};
    px_str uri = px_str_of(resource->uri), meta;
    if (uri.n < 3 || uri.n > 2048 || !memchr(uri.p, ':', uri.n))
        return px_err_set(err, -EINVAL, "resource URI \"%.64s\": expected scheme:…, at most 2048 bytes",
                          resource->uri ? resource->uri : "");
    if (!resource->name || !*resource->name)
        return px_err_set(err, -EINVAL, "resource \"%.64s\": it has no name", resource->uri);
    struct px_item *item = item_new(list, service, px_str_of(resource->name), resource->id);
    struct px_buf text;
    struct px_jw w;
    px_buf_init(&text, TEXT_MAX);
    px_jw_init(&w, &text);
    int r = item ? keep(&item->name, uri) : -ENOMEM;
    if (r)
        px_err_errno(err, r, "resource");
    if (!r) {
        px_jw_object(&w);
        px_jw_key(&w, list == PX_LIST_TEMPLATES ? "uriTemplate" : "uri");
        px_jw_str(&w, uri);
        optional_text(&w, "name", resource->name);
        optional_text(&w, "title", resource->title);
        optional_text(&w, "description", resource->description);
        optional_text(&w, "mimeType", resource->mime_type);
        r = add_extra(&w, resource->extra, ours, &meta, err);
        add_meta(&w, item->service, 0, meta);
        px_jw_object_end(&w);
    }
    if (!r)
        r = take_listed(item, &text, err);
    px_buf_finish(&text);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "resource \"%.64s\": ", resource->uri);
    }
    *ret = item;
    return 0;
}
