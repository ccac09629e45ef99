/* Items: what services offer, from what their plugins declare; what all kinds share. Tools are made in item_tool.c, prompts and
 * resources in item_other.c. */
#include "route/route.h"
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
    px_route_destroy(item->route);
    for (size_t i = 0; i < item->n_write_only; i++)
        free((char *)(uintptr_t)item->write_only[i].p);
    free(item->write_only);
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
