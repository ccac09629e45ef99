/* services.NAME.limits and .auth: each held against the schema of the room that it is for. */
#include "daemon/config_build.h"
#include "guard/limits.h"

enum { TEXT = 1 << 20, ARENA = 8 << 20 };

static const struct px_schema *schema(struct px_config_build *b, struct px_schema **kept,
                                      const unsigned char *text, size_t n) {
    struct px_err err;
    if (!*kept && px_schema_compile(px_str_n((const char *)text, n), NULL, kept, &err) < 0)
        px_config_refuse(b, &b->files[0], PX_LIT(""), NULL, "a schema of the host's own: %s", err.msg);
    return *kept;
}

static bool fits(struct px_config_build *b, const struct px_config_entry *entry, px_str base,
                 const struct px_schema *schema, const struct px_json *node) {
    struct px_schema_report found;
    if (schema && px_schema_validate(schema, node, &found) == 0)
        return true;
    if (schema)
        px_config_file_problems(entry->file, base, &found, b->report);
    return false;
}

/* "limits: /rates/0/burst: words" at the place that it names. */
static void refuse_words(struct px_config_build *b, const struct px_config_entry *entry, px_str base,
                         px_str words) {
    static const px_str mine = {"limits: ", 8};
    if (px_str_starts(words, mine))
        words = px_str_n(words.p + mine.n, words.n - mine.n);
    const char *colon = words.n && words.p[0] == '/' ? memmem(words.p, words.n, ": ", 2) : NULL;
    if (colon) {
        size_t n = (size_t)(colon - words.p);
        px_str pointer = px_arena_fmt(b->arena, PX_FMT PX_FMT, PX_ARG(base), PX_ARG(px_str_n(words.p, n)));
        base = pointer.p ? pointer : base;
        words = px_str_n(colon + 2, words.n - n - 2);
    }
    px_config_refuse(b, entry->file, base, NULL, PX_FMT, PX_ARG(words));
}

/* What the schema cannot say: one member against another. */
static void read_limits(struct px_config_build *b, const struct px_config_entry *entry, px_str base,
                        px_str text) {
    struct px_limits limits;
    struct px_arena arena;
    struct px_err err = {0};
    px_arena_init(&arena, ARENA);
    if (px_limits_read(&arena, (px_str){0}, text, &limits, &err) < 0)
        refuse_words(b, entry, base, px_str_of(err.msg));
    px_arena_finish(&arena);
}

px_str px_config_service_limits(struct px_config_build *b, const struct px_config_entry *entry) {
    const struct px_json *node = px_json_get(entry->node, "limits");
    px_str base = px_config_pointer(b, entry->pointer, PX_LIT("limits"));
    struct px_buf buf;
    if (!node || !fits(b, entry, base,
                       schema(b, &b->limits_schema, px_limits_schema_text, px_limits_schema_size), node))
        return (px_str){0};
    px_buf_init(&buf, TEXT);
    int r = px_json_print(&buf, node);
    px_str text = px_arena_str(b->arena, px_buf_view(&buf));
    px_buf_finish(&buf);
    if (r < 0 || !text.p) {
        px_config_refuse(b, entry->file, base, NULL, "larger than %d bytes", TEXT);
        return (px_str){0};
    }
    read_limits(b, entry, base, text);
    return text;
}

/* Secrets that are written in another way than as a reference: what the schema sees are references that are read already. */
static bool has_references(struct px_config_build *b, const struct px_config_entry *entry, px_str base,
                           const struct px_json *node) {
    static const char *const secrets[] = {"secret", "client_secret", "private_key"};
    bool good = true;
    for (size_t i = 0; i < PX_COUNT(secrets); i++) {
        const struct px_json *value = px_json_get(node, secrets[i]);
        if (!value || px_json_get(value, "$secret"))
            continue;
        px_config_refuse(
            b, entry->file, base, secrets[i],
            "a secret is not written here but named: {\"stored\": NAME} (plexus secret set NAME), "
            "{\"file\": PATH}, {\"credential\": NAME} or {\"env\": NAME}");
        good = false;
    }
    return good;
}

void px_config_check_auth(struct px_config_build *b, const struct px_config_entry *entry, px_str auth_json) {
    px_str base = px_config_pointer(b, entry->pointer, PX_LIT("auth"));
    const struct px_json *node;
    struct px_arena arena;
    px_arena_init(&arena, ARENA);
    if (px_json_parse(&arena, auth_json, NULL, &node, NULL, NULL) < 0)
        px_config_refuse(b, entry->file, base, NULL, "takes too much memory");
    else if (has_references(b, entry, base, node))
        (void)fits(b, entry, base, schema(b, &b->auth_schema, px_auth_schema_text, px_auth_schema_size),
                   node);
    px_arena_finish(&arena);
}
