/* tools.c: the tools as a planner sees them. Schemas are written with ' for ", which quoted() puts right. */
#include "http.h"
#include <errno.h>
#include <string.h>

#define URL                                                                                                  \
    "'url':{'type':'string','minLength':8,'maxLength':8192,'description':'Absolute: https://host/path?query.'}"
#define SHAPE                                                                                                              \
    "'as':{'type':'string','enum':['auto','text','json','html','raw'],'default':'auto','description':'auto: as its "       \
    "Content-Type says (HTML becomes readable text, JSON stays JSON). html, json: whatever its type says. text: readable " \
    "text in any case. raw: the body as it is (the source of a page).'},"                                                  \
    "'full':{'type':'boolean','default':false,'description':'HTML: with navigation, headers and footers.'},"               \
    "'offset':{'type':'integer','minimum':0,'maximum':1000000000,'default':0,'description':'Begin at this byte of the "    \
    "text: next_offset of the answer before.'},"                                                                           \
    "'headers':{'type':'object','additionalProperties':false,'properties':{"                                               \
    "'accept':{'type':'string','maxLength':256,'pattern':'^[ -~]*$'},"                                                     \
    "'accept-language':{'type':'string','maxLength':256,'pattern':'^[ -~]*$'}}}"

static const char head_out[] =
    "{'type':'object','required':['status','url','headers'],'properties':{"
    "'status':{'type':'integer'},'url':{'type':'string','description':'That answered, after redirects.'},"
    "'content_type':{'type':'string'},"
    "'headers':{'type':'object','additionalProperties':{'type':'string'}}}}";

static void quoted(struct ht_buf *b, const char *text) {
    size_t at = b->n;
    ht_buf_text(b, text);
    for (; at < b->n; at++)
        if (b->p[at] == '\'')
            b->p[at] = '"';
}

/* The finished text, with its NUL, in the scope. NULL: no memory. */
static const char *done(const struct px_host *host, px_scope_h scope, struct ht_buf *b) {
    px_str kept = {NULL, 0};
    bool bad = b->failed || host->scope->keep(scope, ht_buf_view(b), &kept);
    ht_buf_free(b);
    return bad ? NULL : kept.p;
}

static const char *schema(const struct px_host *host, px_scope_h scope, const char *text) {
    struct ht_buf b;
    ht_buf_init(&b, 16 * 1024);
    quoted(&b, text);
    return done(host, scope, &b);
}

static const char *about(const struct px_host *host, px_scope_h scope, const struct ht_config *c,
                         const char *words) {
    struct ht_buf b;
    ht_buf_init(&b, 32 * 1024);
    ht_buf_text(&b, words);
    ht_buf_text(&b, " May ask: ");
    ht_buf_str(&b, c->reach);
    ht_buf_text(&b, ".");
    return done(host, scope, &b);
}

int ht_tools_set(const struct px_host *host, px_service_h service, px_scope_h scope,
                 const struct ht_config *c) {
    const uint32_t labels =
        PX_LABEL_READS_UNTRUSTED | PX_LABEL_SENDS_OUT | (c->private_data ? PX_LABEL_READS_PRIVATE : 0);
    const uint32_t reads =
        PX_HINT_READ_ONLY | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT | PX_HINT_OPEN_WORLD;
    const struct px_tool tools[] = {
        {.size = sizeof(struct px_tool),
         .id = HT_GET,
         .name = "get",
         .title = "Read a web page or resource",
         .description = about(
             host, scope, c,
             "Read what is at an http(s) address. A page of HTML comes as readable text with its links, JSON as "
             "JSON, other text as it is. Long texts come in parts (next_offset)."),
         .input_schema =
             schema(host, scope,
                    "{'type':'object','additionalProperties':false,'required':['url'],'properties':{" URL
                    "," SHAPE "}}"),
         .hints = reads,
         .labels = labels},
        {.size = sizeof(struct px_tool),
         .id = HT_HEAD,
         .name = "head",
         .title = "Look at a web address",
         .description =
             about(host, scope, c, "Status and headers of an http(s) address, without its content."),
         .input_schema = schema(
             host, scope,
             "{'type':'object','additionalProperties':false,'required':['url'],'properties':{" URL "}}"),
         .output_schema = schema(host, scope, head_out),
         .hints = reads,
         .labels = labels},
        {.size = sizeof(struct px_tool),
         .id = HT_POST,
         .name = "post",
         .title = "Send to a web address",
         .description = about(
             host, scope, c,
             "Send data to an http(s) address (POST) and get its answer, as `get` shows it. Give json, or body with its "
             "content_type."),
         .input_schema = schema(
             host, scope,
             "{'type':'object','additionalProperties':false,'required':['url'],'properties':{" URL
             ",'json':{'description':'Any value, sent as application/json.'},"
             "'body':{'type':'string','maxLength':1048576},"
             "'content_type':{'type':'string','maxLength':128,'pattern':'^[ -~]+$','default':'text/plain; "
             "charset=utf-8'}," SHAPE "}}"),
         .hints =
             PX_HINT_READ_ONLY_SET | PX_HINT_DESTRUCTIVE_SET | PX_HINT_IDEMPOTENT_SET | PX_HINT_OPEN_WORLD,
         .labels = labels}};
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
        if (!tools[i].description || !tools[i].input_schema)
            return -ENOMEM;
    return host->catalog->set(service, PX_LIST_TOOLS, tools, sizeof tools / sizeof tools[0], sizeof tools[0],
                              NULL);
}
