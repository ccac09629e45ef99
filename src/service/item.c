/* Items: what services offer, from what their plugins declare. Tools here; prompts and resources in item_other.c. */
#include "service/item_build.h"
#include "service/private.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

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
    px_str *const texts[] = {&item->name, &item->own, &item->service, &item->listed, &item->policy_name};
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        free((char *)(uintptr_t)texts[i]->p);
    free(item);
}

/* ---- names ---- */

bool px_item_good_name(px_str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
              c == '-'))
            return false;
    }
    return name.n > 0;
}

static int keep(px_str *to, px_str text) {
    to->p = px_str_dup(text);
    to->n = to->p ? text.n : 0;
    return to->p ? 0 : -ENOMEM;
}

struct px_item *px_item_new(enum px_list list, px_str service, px_str own, uint64_t id) {
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

int px_item_set_name(struct px_item *item, bool no_prefix) {
    struct px_buf name;
    px_buf_init(&name, 4096);
    if (!no_prefix) {
        px_buf_str(&name, item->service);
        px_buf_char(&name, '_');
    }
    px_buf_str(&name, item->own);
    if (!name.failed && name.n > PX_ITEM_NAME_MAX) {
        uint64_t hash = px_str_hash(px_buf_view(&name));
        name.n = PX_ITEM_NAME_MAX - 9;
        px_buf_addf(&name, "_%08x", (unsigned)(hash >> 32));
    }
    int r = name.failed ? name.failed : keep(&item->name, px_buf_view(&name));
    px_buf_finish(&name);
    return r;
}

/* ---- the listed object ---- */

void px_item_put_text(struct px_jw *w, const char *key, const char *text) {
    if (!text)
        return;
    px_jw_key(w, key);
    px_jw_text(w, text);
}

void px_item_put_json(struct px_jw *w, const char *key, px_str json) {
    struct px_buf compact;
    px_buf_init(&compact, PX_ITEM_TEXT_MAX);
    if (px_json_slice_compact(&compact, json) && !w->to->failed)
        w->to->failed = compact.failed ? compact.failed : -EINVAL;
    px_jw_key(w, key);
    px_jw_raw(w, px_buf_view(&compact));
    px_buf_finish(&compact);
}

static bool one_of(px_str raw_key, const char *const *names) {
    for (; *names; names++) {
        if (px_json_slice_is(raw_key, px_str_of(*names)))
            return true;
    }
    return false;
}

/* `compact`: of one object. Its members, but for `_meta`, which *ret_meta gets. */
static int put_extra(struct px_jw *w, px_str compact, const char *const *ours, px_str *ret_meta,
                     struct px_err *err) {
    uint64_t pos = 0;
    px_str key, value;
    while (px_json_slice_next(compact, &pos, &key, &value) == 1) {
        if (px_json_slice_is(key, PX_LIT("_meta"))) {
            *ret_meta = value;
            continue;
        }
        if (one_of(key, ours))
            return px_err_set(err, -EINVAL, "extra: member " PX_FMT " belongs to the host", PX_ARG(key));
        px_jw_key_raw(w, key);
        px_jw_raw(w, value);
    }
    if (ret_meta->p && px_json_slice_type(*ret_meta) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "extra: _meta: expected an object");
    return 0;
}

static int put_meta(struct px_jw *w, const struct px_item *item, px_str plugin_meta, struct px_err *err) {
    uint64_t pos = 0;
    px_str key, value;
    px_jw_key(w, "_meta");
    px_jw_object(w);
    while (plugin_meta.p && px_json_slice_next(plugin_meta, &pos, &key, &value) == 1) {
        if (px_str_starts(key, PX_LIT("\"plexus/")))
            return px_err_set(err, -EINVAL, "extra: _meta: " PX_FMT " belongs to the host", PX_ARG(key));
        px_jw_key_raw(w, key);
        px_jw_raw(w, value);
    }
    px_jw_key(w, "plexus/service");
    px_jw_str(w, item->service);
    if (item->labels) {
        px_jw_key(w, "plexus/labels");
        px_jw_array(w);
        if (item->labels & PX_LABEL_READS_PRIVATE)
            px_jw_text(w, "reads_private");
        if (item->labels & PX_LABEL_READS_UNTRUSTED)
            px_jw_text(w, "reads_untrusted");
        if (item->labels & PX_LABEL_SENDS_OUT)
            px_jw_text(w, "sends_out");
        px_jw_array_end(w);
    }
    px_jw_object_end(w);
    return 0;
}

int px_item_put_rest(struct px_jw *w, const struct px_item *item, const char *extra, const char *const *ours,
                     struct px_err *err) {
    struct px_json_scan scan;
    struct px_buf compact;
    px_str meta = {0};
    int r = 0;
    if (!extra)
        return put_meta(w, item, meta, err);
    r = px_json_scan(px_str_of(extra), NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, r, "extra: ");
    if (px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "extra: expected an object");
    px_buf_init(&compact, PX_ITEM_TEXT_MAX);
    if (px_json_slice_compact(&compact, scan.value))
        r = px_err_set(err, -EMSGSIZE, "extra: it is too long");
    if (!r)
        r = put_extra(w, px_buf_view(&compact), ours, &meta, err);
    if (!r)
        r = put_meta(w, item, meta, err);
    px_buf_finish(&compact);
    return r;
}

int px_item_take_listed(struct px_item *item, int r, struct px_buf *listed, struct px_err *err) {
    if (!r && listed->failed)
        r = px_err_errno(err, listed->failed, "its description");
    if (!r && keep(&item->listed, px_buf_view(listed)))
        r = px_err_set(err, -ENOMEM, "no memory");
    px_buf_finish(listed);
    return r;
}

/* ---- tools ---- */

static const char no_arguments[] = "{\"type\":\"object\",\"additionalProperties\":false}";

/* MCP asks for a root of type "object". *ret_value: the scanned text. What was vetted is known to compile. */
static int compile(const char *text, const char *which, bool vetted, struct px_schema **ret,
                   px_str *ret_value, struct px_err *err) {
    struct px_json_scan scan;
    px_str type;
    int r = px_json_scan(px_str_of(text), NULL, &scan, NULL, err);
    if (!r)
        r = vetted ? px_schema_defer(scan.value, ret) : px_schema_compile(scan.value, NULL, ret, err);
    if (r == -ENOMEM)
        px_err_set(err, r, "no memory");
    if (r)
        return px_err_prefix(err, r, "%s: ", which);
    *ret_value = scan.value;
    if (px_json_slice_get(scan.value, PX_LIT("type"), &type) || !px_json_slice_is(type, PX_LIT("object")))
        return px_err_set(err, -EINVAL, "%s: the root must have \"type\": \"object\"", which);
    return 0;
}

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

int px_item_of_tool(const struct px_tool *tool, px_str service, bool vetted, struct px_item **ret,
                    struct px_err *err) {
    px_str own = px_str_of(tool->name), input = {0}, output = {0};
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
    r = compile(tool->input_schema ? tool->input_schema : no_arguments, "input_schema", vetted, &item->input,
                &input, err);
    if (!r && tool->output_schema)
        r = compile(tool->output_schema, "output_schema", vetted, &item->output, &output, err);
    if (!r)
        r = list_tool(tool, item, input, output, err);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "tool \"%.64s\": ", tool->name);
    }
    *ret = item;
    return 0;
}
