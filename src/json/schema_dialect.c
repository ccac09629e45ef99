#include "json/schema_compile.h"
#include "json/schema_words.h"
#include "json/uri.h"

#define DRAFT_2020_12 "https://json-schema.org/draft/2020-12/"

static struct px_schema_dialect dialect(enum px_schema_draft draft) {
    return (struct px_schema_dialect){.draft = draft, .vocabularies = PX_VOCABULARY_ALL};
}

static bool is_known(px_str uri, struct px_schema_dialect *ret) {
    bool is_07 = px_str_is(uri, "http://json-schema.org/draft-07/schema") ||
                 px_str_is(uri, "https://json-schema.org/draft-07/schema");
    if (!is_07 && !px_str_is(uri, DRAFT_2020_12 "schema"))
        return false;
    *ret = dialect(is_07 ? PX_SCHEMA_07 : PX_SCHEMA_2020_12);
    return true;
}

static unsigned vocabulary(px_str uri) {
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"core", PX_VOCABULARY_CORE},
        {"applicator", PX_VOCABULARY_APPLICATOR},
        {"unevaluated", PX_VOCABULARY_UNEVALUATED},
        {"validation", PX_VOCABULARY_VALIDATION},
        {"meta-data", PX_VOCABULARY_META_DATA},
        {"format-annotation", PX_VOCABULARY_FORMAT},
        {"format-assertion", PX_VOCABULARY_FORMAT | PX_VOCABULARY_FORMAT_ASSERTION},
        {"content", PX_VOCABULARY_CONTENT},
    };
    px_str prefix = PX_LIT(DRAFT_2020_12 "vocab/");
    if (!px_str_starts(uri, prefix))
        return 0;
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (px_str_is(px_str_n(uri.p + prefix.n, uri.n - prefix.n), known[i].name))
            return known[i].bit;
    }
    return 0;
}

/* A metaschema that is given as a document: it names its vocabularies, and builds on a draft that we know. */
static int read_metaschema(struct px_compiler *c, px_str uri, const struct px_json *meta,
                           struct px_schema_dialect *ret) {
    struct px_schema_dialect d;
    px_str base = px_uri_without_fragment(px_json_text(px_json_get(meta, "$schema")), NULL);
    if (!is_known(base, &d))
        return px_err_set(c->err, -ENOTSUP,
                          "the metaschema " PX_FMT " is written in a dialect that is not known", PX_ARG(uri));
    const struct px_json *vocabularies = d.draft == PX_SCHEMA_07 ? NULL : px_json_get(meta, "$vocabulary");
    if (px_json_type(vocabularies) == PX_JSON_OBJECT)
        d.vocabularies = PX_VOCABULARY_CORE;
    for (const struct px_json *v = px_json_first(vocabularies); v; v = px_json_next(v)) {
        unsigned bit = vocabulary(px_json_key(v));
        if (!bit && px_json_bool(v))
            return px_err_set(c->err, -ENOTSUP,
                              "the metaschema " PX_FMT " needs the vocabulary " PX_FMT ", which is not known",
                              PX_ARG(uri), PX_ARG(px_json_key(v)));
        d.vocabularies |= bit;
    }
    *ret = d;
    return 0;
}

static int custom(struct px_compiler *c, const struct px_schema_site *site, px_str uri,
                  struct px_schema_dialect *ret) {
    px_str text = px_document_text(c, uri);
    const struct px_json *meta;
    struct px_arena arena;
    char name[PX_WORDS_QUOTED];
    if (!text.p)
        return px_site_error(
            c, site, -ENOTSUP,
            "$schema names a dialect that is not known, %s: known are draft 2020-12, draft-07, and documents that are given",
            px_words_quoted(name, uri));
    px_arena_init(&arena, 64 * c->max_bytes);
    int r = text.n > c->max_bytes ? px_err_set(c->err, -EMSGSIZE, "more than %zu bytes", c->max_bytes)
                                  : px_json_parse(&arena, text, NULL, &meta, NULL, c->err);
    if (r)
        (void)px_err_prefix(c->err, r, "the metaschema " PX_FMT ": ", PX_ARG(uri));
    else
        r = read_metaschema(c, uri, meta, ret);
    px_arena_finish(&arena);
    return r;
}

int px_dialect_of(struct px_compiler *c, const struct px_schema_site *site,
                  const struct px_schema_dialect *outer, struct px_schema_dialect *ret) {
    const struct px_json *schema = px_json_get(site->json, "$schema");
    px_str uri = px_uri_without_fragment(px_json_text(schema), NULL);
    *ret = outer ? *outer : dialect(c->opts->draft);
    if (!schema)
        return 0;
    if (!uri.p)
        return px_site_error(c, site, -EINVAL, "$schema must be a string");
    return is_known(uri, ret) ? 0 : custom(c, site, uri, ret);
}
