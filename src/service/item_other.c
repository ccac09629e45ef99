/* Prompts, resources and resource templates as items. */
#include "service/item_build.h"
#include "json/scan.h"
#include "json/slice.h"
#include <errno.h>

/* ---- prompts ---- */

/* A schema of what a prompt's `arguments` say: strings, some of them required. `list` is absent, or has been scanned. */
static int write_schema(struct px_buf *to, px_str list, struct px_err *err) {
    struct px_buf required;
    px_str one, name, flag;
    uint64_t pos = 0;
    int r = 0;
    px_buf_init(&required, PX_ITEM_TEXT_MAX);
    px_buf_text(to, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; !r && list.p && px_json_slice_next(list, &pos, NULL, &one) == 1; i++) {
        if (px_json_slice_get(one, PX_LIT("name"), &name) || px_json_slice_type(name) != PX_JSON_STRING) {
            r = px_err_set(err, -EINVAL, "arguments/%zu: expected an object with a \"name\"", i);
            break;
        }
        px_buf_text(to, i ? "," : "");
        px_buf_str(to, name);
        px_buf_text(to, ":{\"type\":\"string\"}");
        if (px_json_slice_get(one, PX_LIT("required"), &flag) == 0 && px_str_is(flag, "true")) {
            px_buf_text(&required, required.n ? "," : "");
            px_buf_str(&required, name);
        }
    }
    px_buf_text(to, "},\"required\":[");
    px_buf_str(to, px_buf_view(&required));
    px_buf_text(to, "]}");
    if (!r && (to->failed || required.failed))
        r = px_err_errno(err, to->failed ? to->failed : required.failed, "arguments");
    px_buf_finish(&required);
    return r;
}

static int compile_arguments(struct px_item *item, const char *arguments, px_str *ret_list,
                             struct px_err *err) {
    struct px_json_scan scan;
    struct px_buf schema;
    int r = 0;
    *ret_list = (px_str){0};
    if (arguments) {
        r = px_json_scan(px_str_of(arguments), NULL, &scan, NULL, err);
        if (r)
            return px_err_prefix(err, r, "arguments: ");
        if (px_json_slice_type(scan.value) != PX_JSON_ARRAY)
            return px_err_set(err, -EINVAL, "arguments: expected an array");
        *ret_list = scan.value;
    }
    px_buf_init(&schema, PX_ITEM_TEXT_MAX);
    r = write_schema(&schema, *ret_list, err);
    if (!r) {
        r = px_schema_compile(px_buf_view(&schema), NULL, &item->input, err);
        if (r)
            px_err_prefix(err, r, "arguments: ");
    }
    px_buf_finish(&schema);
    return r;
}

static int list_prompt(const struct px_prompt *prompt, struct px_item *item, px_str arguments,
                       struct px_err *err) {
    static const char *const ours[] = {"name", "title", "description", "arguments", NULL};
    struct px_buf listed;
    struct px_jw w;
    px_buf_init(&listed, PX_ITEM_TEXT_MAX);
    px_jw_init(&w, &listed);
    px_jw_object(&w);
    px_jw_key(&w, "name");
    px_jw_str(&w, item->name);
    px_item_put_text(&w, "title", prompt->title);
    px_item_put_text(&w, "description", prompt->description);
    if (arguments.p)
        px_item_put_json(&w, "arguments", arguments);
    int r = px_item_put_rest(&w, item, prompt->extra, ours, err);
    px_jw_object_end(&w);
    return px_item_take_listed(item, r, &listed, err);
}

int px_item_of_prompt(const struct px_prompt *prompt, px_str service, struct px_item **ret,
                      struct px_err *err) {
    px_str own = px_str_of(prompt->name), arguments;
    if (!px_item_good_name(own))
        return px_err_set(err, -EINVAL, "prompt name \"%.64s\": expected [A-Za-z0-9_-]+",
                          prompt->name ? prompt->name : "");
    struct px_item *item = px_item_new(PX_LIST_PROMPTS, service, own, prompt->id);
    int r = item ? px_item_set_name(item, false) : -ENOMEM;
    if (r) {
        px_item_unref(item);
        return px_err_errno(err, r, "prompt \"%.64s\"", prompt->name);
    }
    r = compile_arguments(item, prompt->arguments, &arguments, err);
    if (!r)
        r = list_prompt(prompt, item, arguments, err);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "prompt \"%.64s\": ", prompt->name);
    }
    *ret = item;
    return 0;
}

/* ---- resources ---- */

enum { URI_MAX = 2048, RESOURCE_NAME_MAX = 128 };

static int set_uri(struct px_item *item, px_str uri) {
    struct px_buf name;
    item->name.p = px_str_dup(uri);
    item->name.n = uri.n;
    if (!item->name.p)
        return -ENOMEM;
    px_buf_init(&name, 4096);
    px_buf_str(&name, item->service);
    px_buf_char(&name, '_');
    px_buf_str(&name, item->own);
    if (!name.failed)
        item->policy_name = px_str_n(px_str_dup(px_buf_view(&name)), name.n);
    px_buf_finish(&name);
    return item->policy_name.p ? 0 : -ENOMEM;
}

static int list_resource(const struct px_resource *resource, struct px_item *item, struct px_err *err) {
    static const char *const ours[] = {"uri",         "uriTemplate", "name", "title",
                                       "description", "mimeType",    NULL};
    struct px_buf listed;
    struct px_jw w;
    px_buf_init(&listed, PX_ITEM_TEXT_MAX);
    px_jw_init(&w, &listed);
    px_jw_object(&w);
    px_jw_key(&w, item->list == PX_LIST_TEMPLATES ? "uriTemplate" : "uri");
    px_jw_str(&w, item->name);
    px_item_put_text(&w, "name", resource->name);
    px_item_put_text(&w, "title", resource->title);
    px_item_put_text(&w, "description", resource->description);
    px_item_put_text(&w, "mimeType", resource->mime_type);
    int r = px_item_put_rest(&w, item, resource->extra, ours, err);
    px_jw_object_end(&w);
    return px_item_take_listed(item, r, &listed, err);
}

/* Printable ASCII and what lies beyond it: a URI is compared and shown as it is. */
static bool good_uri(px_str uri) {
    for (size_t i = 0; i < uri.n; i++) {
        if ((unsigned char)uri.p[i] <= ' ' || uri.p[i] == 0x7f)
            return false;
    }
    return uri.n >= 3 && uri.n <= URI_MAX && memchr(uri.p, ':', uri.n) && px_utf8_valid(uri);
}

int px_item_of_resource(const struct px_resource *resource, enum px_list list, px_str service,
                        struct px_item **ret, struct px_err *err) {
    px_str uri = px_str_of(resource->uri), own = px_str_of(resource->name);
    if (!good_uri(uri))
        return px_err_set(err, -EINVAL, "resource URI \"%.64s\": expected scheme:…, at most %d bytes",
                          resource->uri ? resource->uri : "", URI_MAX);
    if (own.n == 0 || own.n > RESOURCE_NAME_MAX)
        return px_err_set(err, -EINVAL, "resource \"%.64s\": expected a name of 1 to %d bytes", resource->uri,
                          RESOURCE_NAME_MAX);
    struct px_item *item = px_item_new(list, service, own, resource->id);
    int r = item ? set_uri(item, uri) : -ENOMEM;
    if (r) {
        px_item_unref(item);
        return px_err_errno(err, r, "resource \"%.64s\"", resource->uri);
    }
    r = list_resource(resource, item, err);
    if (r) {
        px_item_unref(item);
        return px_err_prefix(err, r, "resource \"%.64s\": ", resource->uri);
    }
    *ret = item;
    return 0;
}
