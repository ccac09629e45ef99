#include "cli/callargs.h"
#include "base/map.h"
#include "json/scan.h"
#include "json/slice.h"
#include "json/write.h"

enum { ARGS_MAX = 4096 };

int px_callarg_read(const char *word, struct px_callarg *ret, struct px_err *err) {
    const char *equals = strchr(word, '=');
    struct px_json_scan scan;
    struct px_err why;
    if (!equals)
        return px_err_set(err, -EINVAL, "%s is no argument: write name=text, or name:=json", word);
    bool raw = equals > word && equals[-1] == ':';
    size_t n = (size_t)(equals - word) - raw;
    if (n == 0)
        return px_err_set(err, -EINVAL, "%s has no name before its =", word);
    *ret = (struct px_callarg){px_str_n(word, n), px_str_of(equals + 1), raw};
    if (raw && px_json_scan(ret->value, NULL, &scan, NULL, &why))
        return px_err_set(err, -EINVAL, PX_FMT ":= wants JSON: %s (for text, write " PX_FMT "=…)",
                          PX_ARG(ret->name), why.msg, PX_ARG(ret->name));
    if (!raw && !px_utf8_valid(ret->value))
        return px_err_set(err, -EINVAL, PX_FMT "=: the text is not UTF-8", PX_ARG(ret->name));
    return 0;
}

static int claim(struct px_map *names, px_str name, struct px_err *err) {
    void *old = NULL;
    int r = px_map_put(names, name, names, &old);
    if (r)
        return px_err_set(err, r, "too many arguments: at most %d", ARGS_MAX);
    return old ? px_err_set(err, -EINVAL, "the argument " PX_FMT " comes twice", PX_ARG(name)) : 0;
}

static int add_object(px_str object, struct px_jw *w, struct px_map *names, struct px_arena *arena,
                      struct px_err *err) {
    struct px_json_scan scan;
    struct px_err why;
    px_str key, value, name;
    uint64_t pos = 0;
    if (!object.p)
        return 0;
    if (px_json_scan(object, NULL, &scan, NULL, &why))
        return px_err_set(err, -EINVAL, "--args wants a JSON object: %s", why.msg);
    if (px_json_slice_type(scan.value) != PX_JSON_OBJECT)
        return px_err_set(err, -EINVAL, "--args wants a JSON object, not %s",
                          px_json_type_name(px_json_slice_type(scan.value)));
    while (px_json_slice_next(scan.value, &pos, &key, &value) == 1) {
        int r = px_json_slice_text(arena, key, &name);
        r = r ? r : claim(names, name, err);
        if (r)
            return r;
        px_jw_key_str(w, name);
        px_jw_raw(w, value);
    }
    return 0;
}

int px_callargs_build(px_str object, const char *const *words, size_t n, struct px_buf *to,
                      struct px_err *err) {
    struct px_arena arena;
    struct px_map names;
    struct px_jw w;
    px_arena_init(&arena, 16 << 20);
    px_map_init(&names, ARGS_MAX);
    px_jw_init(&w, to);
    px_jw_object(&w);
    int r = add_object(object, &w, &names, &arena, err);
    for (size_t i = 0; i < n && r == 0; i++) {
        struct px_callarg arg;
        r = px_callarg_read(words[i], &arg, err);
        r = r ? r : claim(&names, arg.name, err);
        if (r)
            break;
        px_jw_key_str(&w, arg.name);
        if (arg.raw)
            px_jw_raw(&w, arg.value);
        else
            px_jw_str(&w, arg.value);
    }
    px_jw_object_end(&w);
    px_map_finish(&names);
    px_arena_finish(&arena);
    if (r == 0 && to->failed)
        r = px_err_set(err, to->failed, "the arguments are too long");
    return r;
}
