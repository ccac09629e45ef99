/* schema_describe.c: what a schema wants, in a few words for people and models. */
#include "json/schema_format.h"
#include "json/schema_run.h"
#include "json/schema_words.h"

enum {
    MOST_DISTANCE = 3, /* letters that may differ in a name that was meant */
    MOST_REFS = 8,
    MOST_LIST = 150, /* bytes of a list of values */
    MOST_PATTERN = 60,
    MOST_CANDIDATES = 200, /* names that are compared with a wrong one */
};

const struct px_schema_node *px_behind_refs(const struct px_schema_node *node) {
    for (int i = 0; i < MOST_REFS; i++) {
        const struct px_schema_logic *logic = node->logic;
        bool alone = logic && logic->ref && !logic->dynamic_ref && !logic->all.n && !logic->any.n &&
                     !logic->one.n && !logic->not_ && !logic->if_ && !node->enumeration && !node->constant &&
                     !node->number && !node->string && !node->array && !node->object &&
                     node->types == PX_TYPES_ANY;
        if (!alone)
            break;
        node = logic->ref;
    }
    return node;
}

uint16_t px_types_of(const struct px_schema_node *node) {
    node = px_behind_refs(node);
    if (node->verdict != PX_NODE_LOOKS)
        return node->verdict == PX_NODE_ALWAYS ? PX_TYPES_ANY : 0;
    uint16_t types = node->types;
    if (types & PX_TYPES_INTEGER && (node->constant || node->enumeration))
        types |= 1 << PX_JSON_NUMBER;
    if (node->constant)
        types &= node->constant->types;
    if (node->enumeration)
        types &= node->enumeration->types;
    return types;
}

bool px_describes_all(const struct px_schema_node *node) {
    node = px_behind_refs(node);
    if (node->verdict != PX_NODE_LOOKS)
        return node->verdict == PX_NODE_NEVER;
    return (node->types != PX_TYPES_ANY || node->enumeration || node->constant) && !node->array &&
           !node->object && !node->logic;
}

/* ---- values ---- */

static void value(struct px_words *w, const struct px_json *json) {
    enum px_json_type type = px_json_type(json);
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT) {
        px_words_value(w, json);
        return;
    }
    struct px_buf text;
    px_buf_init(&text, 4096);
    (void)px_json_print(&text, json);
    px_str all = px_buf_view(&text);
    size_t n = px_str_cut_utf8(all, PX_WORDS_VALUE);
    px_words_add(w, px_str_n(all.p, n));
    if (n < all.n || text.failed)
        px_words_add(w, PX_LIT("…"));
    px_buf_finish(&text);
}

void px_describe_values(struct px_words *w, const struct px_schema_values *values, const char *last_joint) {
    size_t n = values->n_strings + values->n_others, start = w->n;
    for (size_t i = 0; i < n; i++) {
        if (w->n - start > MOST_LIST) {
            px_words_fmt(w, " … (%zu more)", n - i);
            return;
        }
        if (i > 0)
            px_words_fmt(w, "%s", i + 1 == n ? last_joint : ", ");
        if (i < values->n_strings)
            px_words_quote(w, values->strings[i]);
        else
            value(w, values->others[i - values->n_strings].json);
    }
    if (!n)
        px_words_add(w, PX_LIT("nothing"));
}

/* ---- nouns ---- */

static void text_of(struct px_words *w, const char *before, const struct px_json *number) {
    px_words_fmt(w, "%s", before);
    px_words_value(w, number);
}

static void number(struct px_words *w, const struct px_schema_number *number) {
    if (number->minimum && number->maximum && !number->above && !number->below) {
        text_of(w, " from ", number->minimum);
        text_of(w, " to ", number->maximum);
    } else {
        const char *joint = " ";
        if (number->above)
            text_of(w, " above ", number->above);
        else if (number->minimum)
            text_of(w, " of at least ", number->minimum);
        joint = number->above || number->minimum ? " and " : joint;
        if (number->below || number->maximum) {
            px_words_fmt(w, "%s%s", joint,
                         number->below                      ? "below "
                         : number->above || number->minimum ? "at most "
                                                            : "of at most ");
            px_words_value(w, number->below ? number->below : number->maximum);
        }
    }
    if (number->multiple_of)
        text_of(w, " that is a multiple of ", number->multiple_of);
}

static void count(struct px_words *w, uint64_t min, uint64_t max, const char *what) {
    if (min == max)
        px_words_fmt(w, " of exactly %llu %s", (unsigned long long)min, what);
    else if (min > 0 && max != PX_NO_LIMIT)
        px_words_fmt(w, " of %llu to %llu %s", (unsigned long long)min, (unsigned long long)max, what);
    else if (max != PX_NO_LIMIT)
        px_words_fmt(w, " of at most %llu %s", (unsigned long long)max, what);
    else if (min > 1)
        px_words_fmt(w, " of at least %llu %s", (unsigned long long)min, what);
}

static void string(struct px_words *w, const struct px_schema_string *string) {
    if (string && string->format)
        px_words_fmt(w, "%s such as %s", string->format->noun, string->format->example);
    else
        px_words_add(w, string && string->min == 1 && string->max == PX_NO_LIMIT
                            ? PX_LIT("a string that is not empty")
                            : PX_LIT("a string"));
    if (!string)
        return;
    count(w, string->min, string->max, string->max == 1 ? "character" : "characters");
    if (string->pattern) {
        size_t n = px_str_cut_utf8(string->pattern_text, MOST_PATTERN);
        px_words_fmt(w, " that matches " PX_FMT "%s", PX_ARG(px_str_n(string->pattern_text.p, n)),
                     n < string->pattern_text.n ? "…" : "");
    }
}

static const struct {
    uint16_t types;
    const char *noun;
} nouns[] = {
    {1 << PX_JSON_NULL, "null"},        {PX_TYPES_BOOLEAN, "true or false"}, {PX_TYPES_INTEGER, "an integer"},
    {1 << PX_JSON_NUMBER, "a number"},  {1 << PX_JSON_STRING, "a string"},   {1 << PX_JSON_ARRAY, "an array"},
    {1 << PX_JSON_OBJECT, "an object"},
};

static void types_of(struct px_words *w, const struct px_schema_node *node, uint16_t types) {
    size_t left = 0, written = 0;
    if (types & 1 << PX_JSON_NUMBER)
        types &= (uint16_t)~PX_TYPES_INTEGER;
    for (size_t i = 0; i < PX_COUNT(nouns); i++)
        left += (types & nouns[i].types) != 0;
    for (size_t i = 0; i < PX_COUNT(nouns); i++) {
        if (!(types & nouns[i].types))
            continue;
        if (written++)
            px_words_add(w, --left == 1 ? PX_LIT(" or ") : PX_LIT(", "));
        if (nouns[i].types == 1 << PX_JSON_STRING)
            string(w, node->string);
        else
            px_words_fmt(w, "%s", nouns[i].noun);
        if (nouns[i].types & (1 << PX_JSON_NUMBER | PX_TYPES_INTEGER) && node->number)
            number(w, node->number);
    }
}

void px_describe(struct px_words *w, const struct px_schema_node *node, uint16_t types) {
    node = px_behind_refs(node);
    const struct px_schema_values *values = node->constant ? node->constant : node->enumeration;
    if (values) {
        px_words_fmt(w, "%s", values->n_strings + values->n_others > 1 ? "one of " : "");
        px_describe_values(w, values, ", ");
        return;
    }
    types &= node->types & PX_TYPES_INTEGER ? (uint16_t)(node->types | 1 << PX_JSON_NUMBER) : node->types;
    if (node->types & PX_TYPES_INTEGER && !(node->types & 1 << PX_JSON_NUMBER) && types & 1 << PX_JSON_NUMBER)
        types = (uint16_t)((types & ~(1 << PX_JSON_NUMBER)) | PX_TYPES_INTEGER);
    if (node->verdict == PX_NODE_NEVER || !types)
        px_words_add(w, PX_LIT("nothing"));
    else if ((types & PX_TYPES_ANY) == PX_TYPES_ANY)
        px_words_add(w, PX_LIT("any value"));
    else
        types_of(w, node, types);
}

/* ---- did you mean ---- */

struct nearest {
    px_str name, best;
    size_t distance, left;
};

static void consider(struct nearest *n, px_str candidate) {
    size_t shorter = PX_MIN(n->name.n, candidate.n), longer = PX_MAX(n->name.n, candidate.n);
    if (!n->left || longer - shorter > MOST_DISTANCE)
        return;
    n->left--;
    size_t distance = px_str_distance(n->name, candidate);
    if (distance < n->distance) {
        n->distance = distance;
        n->best = candidate;
    }
}

/* Near: about a third of the letters, at most three, may differ; two letters that changed places are two. */
static px_str near_enough(const struct nearest *n) {
    size_t most = PX_MIN((PX_MAX(n->name.n, n->best.n) + 1) / 3, (size_t)MOST_DISTANCE);
    return n->best.p && n->distance <= PX_MAX(most, (size_t)1) && n->distance < n->name.n ? n->best
                                                                                          : (px_str){0};
}

static void consider_properties(struct nearest *n, const struct px_schema_node *node, int depth);

static void consider_list(struct nearest *n, const struct px_schema_list *list, int depth) {
    for (size_t i = 0; i < list->n && n->left; i++)
        consider_properties(n, list->nodes[i], depth);
}

static void consider_properties(struct nearest *n, const struct px_schema_node *node, int depth) {
    const struct px_schema_object *object = node->object;
    const struct px_schema_logic *logic = node->logic;
    for (size_t i = 0; object && i < object->n_properties; i++) {
        if (object->properties[i].schema && object->properties[i].schema->verdict != PX_NODE_NEVER)
            consider(n, object->properties[i].name);
    }
    if (!logic || depth == 0)
        return;
    if (logic->ref)
        consider_properties(n, logic->ref, depth - 1);
    consider_list(n, &logic->all, depth - 1);
    consider_list(n, &logic->any, depth - 1);
    consider_list(n, &logic->one, depth - 1);
    if (logic->then_)
        consider_properties(n, logic->then_, depth - 1);
    if (logic->else_)
        consider_properties(n, logic->else_, depth - 1);
}

px_str px_nearest_property(const struct px_schema_node *node, px_str name) {
    struct nearest n = {.name = name, .distance = SIZE_MAX, .left = MOST_CANDIDATES};
    consider_properties(&n, node, 4);
    return near_enough(&n);
}

px_str px_nearest_value(const struct px_schema_values *values, px_str text) {
    struct nearest n = {.name = text, .distance = SIZE_MAX, .left = MOST_CANDIDATES};
    for (size_t i = 0; i < values->n_strings; i++)
        consider(&n, values->strings[i]);
    return near_enough(&n);
}
