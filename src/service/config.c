/* Does a service's configuration fit the plugin's schema? */
#include "service/private.h"
#include "json/tree.h"
#include "json/write.h"
#include <errno.h>

enum { CONFIG_MAX = 16 << 20 };

/* {"$secret": "/pointer"}: which of the secrets; NULL: it is no such object. */
static const struct px_service_secret *secret_of(const struct px_service_secret *secrets, size_t n,
                                                 px_str value) {
    px_str raw, key, pointer = {0};
    uint64_t pos = 0;
    if (px_json_slice_type(value) != PX_JSON_OBJECT || px_json_slice_next(value, &pos, &key, &raw) != 1 ||
        !px_json_slice_is(key, PX_LIT("$secret")) || px_json_slice_next(value, &pos, NULL, &pointer) != 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (px_json_slice_is(raw, secrets[i].pointer))
            return &secrets[i];
    }
    return NULL;
}

/* The configuration with as many "x" as a secret has bytes in the place of each: the schema says what stands in the
 * file, a string, and nothing of the value is copied. */
static void write_masked(struct px_jw *w, const struct px_service_secret *secrets, size_t n, px_str value) {
    const struct px_service_secret *secret = secret_of(secrets, n, value);
    enum px_json_type type = px_json_slice_type(value);
    px_str key, member;
    uint64_t pos = 0;
    if (secret) {
        char *mask = malloc(secret->value.n + 1);
        if (mask)
            memset(mask, 'x', secret->value.n);
        else
            w->to->failed = -ENOMEM;
        px_jw_str(w, px_str_n(mask, mask ? secret->value.n : 0));
        free(mask);
    } else if (type == PX_JSON_OBJECT) {
        px_jw_object(w);
        while (px_json_slice_next(value, &pos, &key, &member) == 1) {
            px_jw_key_raw(w, key);
            write_masked(w, secrets, n, member);
        }
        px_jw_object_end(w);
    } else if (type == PX_JSON_ARRAY) {
        px_jw_array(w);
        while (px_json_slice_next(value, &pos, NULL, &member) == 1)
            write_masked(w, secrets, n, member);
        px_jw_array_end(w);
    } else {
        px_jw_raw(w, value);
    }
}

int px_service_config_mask(struct px_buf *to, px_str config_json, const struct px_service_secret *secrets,
                           size_t n) {
    struct px_jw w;
    px_jw_init(&w, to);
    write_masked(&w, secrets, n, config_json);
    return to->failed;
}

static int validate(const struct px_lib *lib, px_str text, struct px_err *err) {
    struct px_arena arena;
    const struct px_json *config;
    struct px_schema_report report;
    px_arena_init(&arena, CONFIG_MAX);
    int r = px_json_parse(&arena, text, NULL, &config, NULL, err);
    if (r)
        px_err_prefix(err, r, "config: ");
    else if (px_schema_validate(lib->config_schema, config, &report) < 0)
        r = px_err_set(err, -EINVAL, "config%.80s: %.140s", report.n ? report.problems[0].path : "",
                       report.n ? report.problems[0].message : "does not fit the plugin's schema");
    px_arena_finish(&arena);
    return r;
}

/* A plugin that takes no configuration may be given an empty one. */
static int check_empty(const struct px_lib *lib, px_str config, struct px_err *err) {
    px_str member;
    uint64_t pos = 0;
    if (px_json_slice_next(config, &pos, NULL, &member) != 0)
        return px_err_set(err, -EINVAL, "config: plugin %s takes none", lib->vtable.name);
    return 0;
}

int px_config_check(const struct px_lib *lib, const struct px_service *service, struct px_err *err) {
    struct px_json_scan scan;
    struct px_buf masked;
    px_str text = px_str_of(service->config);
    int r = px_json_scan(text, NULL, &scan, NULL, err);
    if (r)
        return px_err_prefix(err, r, "config: ");
    if (!lib->config_schema)
        return check_empty(lib, scan.value, err);
    if (!service->n_secrets)
        return validate(lib, scan.value, err);
    px_buf_init(&masked, CONFIG_MAX);
    r = px_service_config_mask(&masked, scan.value, service->secrets, service->n_secrets);
    r = r ? px_err_errno(err, r, "config") : validate(lib, px_buf_view(&masked), err);
    px_buf_finish(&masked);
    /* A schema may also ask for the reference itself. */
    return r && validate(lib, scan.value, NULL) == 0 ? 0 : r;
}
