/* schema_keywords.c: every keyword of both drafts, in one table. A keyword that is not in it is an
 * annotation. */
#include "json/schema_compile.h"

static const struct px_keyword keywords[] = {
    /* in the order of their names, by bytes */
    {"$anchor", PX_IN_2020_12, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_anchor},
    {"$comment", PX_IN_BOTH, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_string},
    {"$defs", PX_IN_2020_12, PX_VOCABULARY_CORE, PX_SHAPE_MAP, px_kw_schema_map},
    {"$dynamicAnchor", PX_IN_2020_12, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_anchor},
    {"$dynamicRef", PX_IN_2020_12, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_dynamic_ref},
    {"$id", PX_IN_BOTH, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_id},
    {"$ref", PX_IN_BOTH, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_ref},
    {"$schema", PX_IN_BOTH, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_string},
    {"$vocabulary", PX_IN_2020_12, PX_VOCABULARY_CORE, PX_SHAPE_NONE, px_kw_vocabulary},
    {"additionalItems", PX_IN_07, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_array_schema},
    {"additionalProperties", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_object_schema},
    {"allOf", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_LIST, px_kw_schema_list},
    {"anyOf", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_LIST, px_kw_schema_list},
    {"const", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_const},
    {"contains", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_array_schema},
    {"contentEncoding", PX_IN_BOTH, PX_VOCABULARY_CONTENT, PX_SHAPE_NONE, px_kw_string},
    {"contentMediaType", PX_IN_BOTH, PX_VOCABULARY_CONTENT, PX_SHAPE_NONE, px_kw_string},
    {"contentSchema", PX_IN_2020_12, PX_VOCABULARY_CONTENT, PX_SHAPE_SCHEMA, px_kw_schema},
    {"definitions", PX_IN_BOTH, PX_VOCABULARY_CORE, PX_SHAPE_MAP, px_kw_schema_map},
    {"dependencies", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_MAP, px_kw_dependencies},
    {"dependentRequired", PX_IN_2020_12, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_dependencies},
    {"dependentSchemas", PX_IN_2020_12, PX_VOCABULARY_APPLICATOR, PX_SHAPE_MAP, px_kw_dependencies},
    {"deprecated", PX_IN_2020_12, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_boolean},
    {"description", PX_IN_BOTH, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_string},
    {"else", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_schema},
    {"enum", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_enum},
    {"examples", PX_IN_BOTH, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_array},
    {"exclusiveMaximum", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_number_limit},
    {"exclusiveMinimum", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_number_limit},
    {"format", PX_IN_BOTH, PX_VOCABULARY_FORMAT, PX_SHAPE_NONE, px_kw_format},
    {"if", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_schema},
    {"items", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA_OR_LIST, px_kw_items},
    {"maxContains", PX_IN_2020_12, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_array_limit},
    {"maxItems", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_array_limit},
    {"maxLength", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_string_limit},
    {"maxProperties", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_object_limit},
    {"maximum", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_number_limit},
    {"minContains", PX_IN_2020_12, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_array_limit},
    {"minItems", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_array_limit},
    {"minLength", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_string_limit},
    {"minProperties", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_object_limit},
    {"minimum", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_number_limit},
    {"multipleOf", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_multiple_of},
    {"not", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_schema},
    {"oneOf", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_LIST, px_kw_schema_list},
    {"pattern", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_pattern},
    {"patternProperties", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_MAP, px_kw_pattern_properties},
    {"prefixItems", PX_IN_2020_12, PX_VOCABULARY_APPLICATOR, PX_SHAPE_LIST, px_kw_prefix_items},
    {"properties", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_MAP, px_kw_properties},
    {"propertyNames", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_object_schema},
    {"readOnly", PX_IN_BOTH, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_boolean},
    {"required", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_required},
    {"then", PX_IN_BOTH, PX_VOCABULARY_APPLICATOR, PX_SHAPE_SCHEMA, px_kw_schema},
    {"title", PX_IN_BOTH, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_string},
    {"type", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_type},
    {"unevaluatedItems", PX_IN_2020_12, PX_VOCABULARY_UNEVALUATED, PX_SHAPE_SCHEMA, px_kw_array_schema},
    {"unevaluatedProperties", PX_IN_2020_12, PX_VOCABULARY_UNEVALUATED, PX_SHAPE_SCHEMA, px_kw_object_schema},
    {"uniqueItems", PX_IN_BOTH, PX_VOCABULARY_VALIDATION, PX_SHAPE_NONE, px_kw_unique_items},
    {"writeOnly", PX_IN_BOTH, PX_VOCABULARY_META_DATA, PX_SHAPE_NONE, px_kw_boolean},
};

const struct px_keyword *px_keyword_find(px_str name, const struct px_schema_dialect *dialect) {
    size_t low = 0, high = PX_COUNT(keywords);
    unsigned draft = dialect->draft == PX_SCHEMA_07 ? PX_IN_07 : PX_IN_2020_12;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct px_keyword *keyword = &keywords[middle];
        int order = px_str_cmp(name, px_str_of(keyword->name));
        if (order == 0)
            return keyword->drafts & draft && keyword->vocabulary & dialect->vocabularies ? keyword : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
