#include "cli/fields.h"

px_str px_field(px_str object, const char *key) {
    px_str value;
    if (!object.p || px_json_slice_get(object, px_str_of(key), &value))
        return (px_str){0};
    return value;
}

px_str px_field_text(struct px_arena *arena, px_str object, const char *key) {
    px_str value = px_field(object, key);
    return px_json_slice_type(value) == PX_JSON_STRING ? px_value_text(arena, value) : (px_str){0};
}

int64_t px_field_i64(px_str object, const char *key, int64_t otherwise) {
    px_str value = px_field(object, key);
    int64_t n;
    return value.p && px_json_slice_i64(value, &n) == 0 ? n : otherwise;
}

uint64_t px_field_u64(px_str object, const char *key) {
    px_str value = px_field(object, key);
    uint64_t n;
    return value.p && px_json_slice_u64(value, &n) == 0 ? n : 0;
}

bool px_field_true(px_str object, const char *key) {
    return px_json_slice_type(px_field(object, key)) == PX_JSON_TRUE;
}

px_str px_value_text(struct px_arena *arena, px_str value) {
    px_str text = value;
    if (px_json_slice_type(value) == PX_JSON_STRING && px_json_slice_text(arena, value, &text))
        return (px_str){0};
    return px_arena_str(arena, text);
}
