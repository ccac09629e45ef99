/* private.h: what the files of this room share, beside what was declared (declared.h).
 *
 *   api.c     api.json -> px_api            route.c     route.json -> px_route
 *   site.c    px_api + configuration -> px_site
 *   request.c px_route + px_site + arguments + place in the pages -> px_route_request -> px_http_req
 *   path.c    path templates; params.c: parameters of queries and forms; body.c: bodies; show.c: what a request looks like
 *   verdict.c px_http_result + rules -> px_route_verdict
 *   answer.c  px_http_result -> items, value, text; reply.c: as a reply; tail.c: the end of a text
 *   page.c    where in the pages a call is
 *   cursor.c  that place as a text for the planner
 *   values.c  looked-up values, fetched and kept
 *   exchange.c a request and its answer, for a person to look at
 *   judge.c   verdict.c, and then the plugin
 *   send.c    one request and its attempts (send.h); share.c: reads that are the same
 *   identity.c, site_auth.c  identities as declared, and as the configuration has them
 *   quota_read.c, quota.c    what answers say of rate limits
 *   call.c    the flow (flow.h)
 */
#ifndef PX_ROUTE_PRIVATE_H
#define PX_ROUTE_PRIVATE_H

#include "base/list.h"
#include "reactor/loop.h"
#include "route/call.h"
#include "route/declared.h"
#include "json/select.h"
#include "json/slice.h"
#include "json/template.h"
#include "json/tree.h"
#include "json/write.h"

/* api.schema.json and route.schema.json, as text. */
extern const unsigned char px_api_schema_text[], px_route_schema_text[];
extern const size_t px_api_schema_size, px_route_schema_size;

/* ---- bound ---- */

/** A header or parameter of an upstream, resolved. */
struct px_site_param {
    px_str name, text; /* text: a header's value; a parameter's "a=1&a=2", encoded */
    bool secret;       /* it holds a secret: never to another origin, never shown */
};
struct px_site_upstream {
    const struct px_upstream *decl;
    px_str base_url;  /* normalised, without a final "/"; absent: absolute URLs only */
    px_str shown_url; /* the same, but for what is secret in it */
    struct px_url base;
    struct px_egress *egress;
    struct px_site_param *headers, *query;
    size_t n_headers, n_query;
};
/** What an identity adds to a request; held by the site, registered for redaction. */
struct px_credential {
    const struct px_identity *decl; /* as it is declared, or as the configuration's `auth` makes it */
    px_str name, value;             /* the header, parameter or cookie; of one with a life the name alone */
    px_str why;                     /* it is missing: words; absent: the configuration has no such secret */
    bool missing;                   /* it cannot be made */
    struct px_auth *auth;           /* of a kind with a life; NULL: it has none */
};
struct px_site_hidden {
    struct px_site_hidden *next;
    px_str value;
};
struct px_kept_value; /* values.c */
struct px_site {
    struct px_site_opts opts; /* texts are the site's own */
    struct px_arena arena;
    struct px_site_upstream *upstreams;
    struct px_credential *credentials; /* beside api->identities */
    struct px_site_hidden *hidden;     /* registered for redaction; wiped at the end */
    struct px_list_node values;        /* px_kept_value */
    bool allow_private;                /* of opts.network, while the site is made */
    px_str proxy;
    const char *ca_file;
    struct px_guard *guard;      /* NULL: none stands between */
    struct px_share *share;      /* share.c: reads that are under way; NULL: none is shared */
    struct px_list_node reading; /* reading.c: large answers that are looked through, the first of them now */
    struct px_timer reading_turn; /* while there are any */
};
/** A value of the configuration, by pointer; -ENOENT. For templates. `secrets`: $secret is known too. */
struct px_site_source {
    struct px_template_source source;
    struct px_site *site;
    struct px_arena *arena;
    bool secrets, mask;   /* mask: secrets are "***" */
    const px_str *values; /* looked-up ones, beside api->values; NULL: none */
    px_str call_key;      /* $call; absent: there is none */
};
void px_site_source_init(struct px_site_source *source, struct px_site *site, struct px_arena *arena,
                         px_str args_json, bool secrets, const px_str *values);

/** What a source knows beside the arguments, for whoever does not fill a template: "$config", "$secret", "$value". */
PX_MUSTCHECK int px_source_get(const struct px_site_source *source, const char *kind, px_str name,
                               px_str *ret, struct px_err *err);
struct px_site_upstream *px_site_upstream_of(struct px_site *site, const struct px_upstream *decl);
/** The identity's credential; NULL: no identity, or an optional one without its secret. -ENOENT with words. */
PX_MUSTCHECK int px_site_credential(struct px_site *site, const struct px_identity *identity,
                                    const struct px_credential **ret, struct px_err *err);
/** The api_key that the identity puts into the query, as px_param_put_text does; nothing for others. */
void px_credential_query(struct px_buf *query, const struct px_credential *credential, bool mask);
/** A value that can stand in a header: no control characters, ASCII. -EINVAL with words that begin with `where`. */
PX_MUSTCHECK int px_header_value_check(px_str value, const char *where, px_str name, struct px_err *err);
/** A template's text: a string, or a number or boolean as JSON has it; null and absent are absent. -EINVAL with words that begin
 *  with `where`. */
PX_MUSTCHECK int px_fill_text(const struct px_site_source *source, px_str template_json, const char *where,
                              px_str name, px_str *ret, struct px_err *err);
/** A template's JSON; absent when it is. */
PX_MUSTCHECK int px_fill_json(const struct px_site_source *source, px_str template_json, const char *where,
                              px_str name, px_str *ret, struct px_err *err);

/* ---- paths: path.c ---- */

/** -EINVAL with words that say at which character. */
PX_MUSTCHECK int px_path_parse(struct px_arena *arena, px_str text, struct px_path *ret, struct px_err *err);
/** Append the path that arguments, configuration and values make of it: whatever they are, as many segments as the template has
 *  (and as {+name} has), none empty, "." or "..". -EINVAL with words that name the argument. */
PX_MUSTCHECK int px_path_put(struct px_buf *to, const struct px_path *path, const struct px_site_source *from,
                             struct px_err *err);

/* ---- parameters: params.c ---- */

/** Append "name=value" for a JSON value, by style, with a '&' in front when `to` ends in something; nothing for null. */
PX_MUSTCHECK int px_param_put(struct px_buf *to, px_str name, px_str style, px_str json, bool mask,
                              struct px_err *err);
/** "name=text" */
int px_param_put_text(struct px_buf *to, px_str name, px_str text, bool mask);

/* ---- one request ---- */

/** Where in the pages: what the next request is to say. */
struct px_page_state {
    px_str url;    /* link: the whole next URL; absent: the route's own */
    px_str cursor; /* text; absent: the first page */
    uint64_t number, offset;
    bool started;  /* number, offset count */
    uint64_t size; /* of the page; 0: no parameter */
    uint64_t skip; /* items of this page that were given already */
};
struct px_route_request {
    px_str method, url;
    px_pair *headers, *credentials;
    size_t n_headers, n_credentials;
    px_str body; /* absent: none */
    px_str content_type;
    bool body_is_text; /* can be shown */
    bool url_secret;   /* the query holds a secret: no redirect to another origin */
    bool keyed;        /* it carries an idempotency key: however often it comes, it is done once */
    /* of a kind with a life: each attempt adds its token, for which there is room behind the credentials;
     * NULL: none */
    const struct px_credential *fresh;
    /* What it was made of, for showing it. */
    const px_str *values;
    struct px_page_state page;
    px_str key;
};
/** Arguments, values and the page become a request. Everything lives in `arena`. -EINVAL: an argument cannot stand where it would
 *  (words for the planner: which, why); -ENOENT: the identity's secret is missing (words: which configuration key). */
PX_MUSTCHECK int px_request_build(struct px_arena *arena, const struct px_route *route, struct px_site *site,
                                  px_str args_json, const px_str *values, const struct px_page_state *page,
                                  struct px_route_request *ret, struct px_err *err);
/** What a request is made of, beside its route. */
struct px_request_from {
    px_str args_json;
    const px_str *values;
    const struct px_page_state *page;
    px_str key; /* idempotency key of the call; absent: none */
    bool mask;  /* with "***" for secrets and credentials */
};
PX_MUSTCHECK int px_request_make_from(struct px_arena *arena, const struct px_route *route,
                                      struct px_site *site, const struct px_request_from *from,
                                      struct px_route_request *ret, struct px_err *err);
/** As px_http_req, with timeouts and caps of route and upstream. */
void px_request_to_http(const struct px_route *route, struct px_site *site,
                        const struct px_route_request *req, struct px_http_req *ret);
/** As a JSON object {"method","url","headers",…,"body"}; credentials and secrets masked as "***", masked arguments too. For dry_run
 *  and verbose. The body as JSON when it is, else as text, else {"base64":…}; up to 64 KiB of it. */
PX_MUSTCHECK int px_request_show(struct px_buf *to, const struct px_route *route, struct px_site *site,
                                 const struct px_route_request *req, px_str args_json);
/** Which looked-up values the route uses: ret[i] for each of api->values. */
void px_route_values(const struct px_route *route, bool *ret);

/* ---- judging ---- */

/** The first rule of the lists (NULL: none) whose every condition holds; NULL. match.c. */
const struct px_rule *px_rules_find(const struct px_rules *const lists[3],
                                    const struct px_http_result *result, px_str body_json);
/** `*` is any run of characters; letters in either case. Of a longer text the first 4 KiB. */
bool px_rule_matches(px_str pattern, px_str text);
/** The first header of that name (lower case); absent. */
px_str px_header_of(const struct px_http_result *result, px_str name);
/** Whether every condition of a rule holds. match.c */
bool px_rule_holds(const struct px_rule *rule, const struct px_http_result *result, px_str body_json);
/** px_json_slice_at; absent for whatever is not there. */
px_str px_at_or_absent(px_str json, px_str pointer);

/** What HTTP statuses mean: status.c. */
struct px_status_meaning {
    int status;
    int32_t code;
    bool retryable;
    const char *phrase, *advice; /* advice NULL: that of the code */
};
/** Never NULL; a status that is not known gets its class's. Its phrase may be NULL. */
const struct px_status_meaning *px_status_meaning(int status);
/** What to do about a code; NULL: nothing can be said. */
const char *px_code_advice(int32_t code);

/** The answer's own Date, so that the two clocks need not agree; else ours. after.c. */
int64_t px_after_now(const struct px_http_result *result);
/** A decimal number, perhaps with a fraction or an exponent; no sign in front. */
bool px_number_of(px_str text, double *ret);
/** Milliseconds from now: a number of `unit` ("s" when absent, "ms", "unix") or an HTTP date; at most 30 days. 0: it says nothing, or
 *  the time is over. */
int64_t px_after_ms(px_str text, px_str unit, int64_t now_unix_ms);

/** The upstream's own words in an answer; absent: none. `pointer`: where a rule says they are; may be absent. words.c. */
px_str px_words_of(struct px_arena *arena, const struct px_upstream *upstream, px_str pointer,
                   const struct px_http_result *result, px_str body_json);
/** The first three messages of a GraphQL answer's `errors`. */
px_str px_words_of_errors(struct px_arena *arena, px_str errors);
/** The first line of a body that is not JSON, at most 200 bytes; absent or empty: it is no text. words_text.c. */
px_str px_words_of_text(struct px_arena *arena, px_str body);

/** What a body is in JSON. */
struct px_answer_scan {
    bool done;
    int code; /* -errno: it is not JSON, or more of it than can be shown (63 levels, 4,000,000 values), or -ENOMEM */
    px_str json;     /* absent: it has failed */
    char words[120]; /* of -EMSGSIZE */
};
/** `body_json`: the body, when it is valid JSON (px_answer_scan); else absent. Texts live in `arena`. `route` is NULL for a
 *  request started in code. `service`: its name, for advice; may be absent. */
void px_verdict_judge(struct px_arena *arena, const struct px_route *route,
                      const struct px_upstream *upstream, const struct px_api *api, px_str service,
                      const struct px_http_result *result, px_str body_json, struct px_route_verdict *ret);
/** A failed transfer: code, words, whether it may be tried again. `write`: a byte that left means PX_OUTCOME_UNKNOWN. */
void px_verdict_of_failure(struct px_arena *arena, const struct px_http_result *result, bool write,
                           struct px_route_verdict *ret);
/** A px_error with details {"status","request_id","upstream","url" (without query)}. */
struct px_error px_verdict_error(struct px_arena *arena, const struct px_upstream *upstream,
                                 const struct px_http_result *result, const struct px_route_verdict *verdict);

/** A URL as it is shown: without query and fragment, which may hold secrets. */
px_str px_url_shown(px_str url);

/** The one place where an answer, or a transfer that failed, is judged: what it is in JSON (`scan`, done here when it has not been), the
 *  rules, then `sink`'s classify (may be NULL). Whether to try again is decided behind this. Texts live in `arena`. */
void px_judge(struct px_arena *arena, const struct px_route *route, struct px_site *site,
              const struct px_http_result *result, struct px_answer_scan *scan,
              const struct px_route_sink *sink, void *user, struct px_route_verdict *ret);

/* ---- the answer: answer.c ---- */

enum px_answer_kind {
    PX_ANSWER_NOTHING, /* only the status: no body, HEAD, result "none" */
    PX_ANSWER_VALUE,   /* JSON: `value` */
    PX_ANSWER_ITEMS,   /* JSON: `items`, an array (and `value`, in which it stands) */
    PX_ANSWER_TEXT,    /* `text`, UTF-8 or not */
    PX_ANSWER_BINARY   /* `text`: bytes, `type` */
};
struct px_answer_member {
    px_str key, value; /* key: quoted, as JSON */
};
/** An answer that was judged to be good. Texts point into the result's body or live in the arena. */
struct px_answer {
    enum px_answer_kind kind;
    int status;
    px_str body_json; /* the whole body, when it is JSON */
    px_str value, items;
    struct px_answer_member *keep; /* those of route->keep that are there */
    size_t n_keep;
    px_str errors;     /* GraphQL: what stands beside the data, an array; absent: none */
    px_str text, type; /* type: "image/png", lower case, without parameters */
    px_str url;        /* that answered, without its query */
};

/** The body as one JSON value without the white space around it. Its one scan: for px_verdict_judge and px_answer_read. */
void px_answer_scan(const struct px_http_result *result, struct px_answer_scan *ret);
/** The same in steps of about so many bytes, until ret->done. The result stays until the scanner is destroyed. NULL: no memory. */
struct px_json_scanner *px_answer_scanner(const struct px_http_result *result);
void px_answer_scan_step(struct px_json_scanner *scanner, size_t bytes, struct px_answer_scan *ret);
/** -EPROTO: it is not what the route says (not JSON, nothing at `at`, no list at `items`), with words for the planner that begin
 *  with the upstream's name; -ENOMEM. */
PX_MUSTCHECK int px_answer_read(struct px_arena *arena, const struct px_route *route,
                                const struct px_http_result *result, const struct px_answer_scan *scan,
                                struct px_answer *ret, struct px_err *err);

/** The items of an answer one by one, selected. */
struct px_answer_items {
    px_str array;
    const struct px_select *select; /* NULL: whole */
    uint64_t pos, index;            /* index: items passed, of this page */
    uint64_t *seen;                 /* px_select_apply_seen; NULL */
};
/** `skip`: so many were given already. An answer that is no list has none. */
void px_answer_items_init(struct px_answer_items *items, const struct px_answer *answer,
                          const struct px_select *select, uint64_t skip);
/** Append the next item to `to`, without a comma. 1: done, and *left is less by its cost (as it will stand inside a JSON string,
 *  with a comma); 0: there is none; -ENOSPC: it costs more than *left: nothing was appended, and the next call gives the same item;
 *  errors of the buffer, likewise. */
PX_MUSTCHECK int px_answer_items_next(struct px_answer_items *items, struct px_buf *to, uint64_t *left);
/** How many are left, counted up to `most`; walks. */
uint64_t px_answer_items_left(const struct px_answer_items *items, uint64_t most);

/** The members beside value or items, for a writer inside an object: what is kept, and "errors" of GraphQL. A name in
 *  `taken` (NULL-terminated; may be NULL) is left out. */
void px_answer_put_members(const struct px_answer *answer, const char *const *taken, struct px_jw *w);
/** A text that costs more than `budget` as JSON: its last lines, under one that says what is missing. Else as it is. Looks at no more
 *  than the end. absent: no memory. */
px_str px_answer_tail(struct px_arena *arena, px_str text, uint64_t budget);
/** A whole reply, for all but PX_ANSWER_ITEMS: structured value (selected; an object stays as it is, with what is kept inside it; anything else becomes
 *  {"value":…}), {"status":204}, text, or one image, audio or resource block. Lives in `arena`. -ENOMEM. */
PX_MUSTCHECK int px_answer_reply(struct px_arena *arena, const struct px_answer *answer,
                                 const struct px_select *select, uint64_t *seen, struct px_reply *ret);

/* ---- pages: page.c ---- */

/** The first page for a call that wants `limit` items (0: the route's own number). Not for PX_PAGE_NONE. */
void px_page_first(const struct px_route *route, uint64_t limit, struct px_page_state *ret);
/** Behind an answer to a request that said `page`: 1: there is another page, *ret says where (it lives in `arena`; it may have been
 *  asked for before); 0: that was the last; -EPROTO: its place cannot be used (words for the planner); -ENOMEM. */
PX_MUSTCHECK int px_page_next(struct px_arena *arena, const struct px_route *route,
                              const struct px_http_result *result, const struct px_answer *answer,
                              const struct px_page_state *page, struct px_page_state *ret,
                              struct px_err *err);
/** The target of the first link of a Link header (RFC 8288) that is "next": 1; 0: there is none; -ENOMEM. */
PX_MUSTCHECK int px_link_next(struct px_arena *arena, px_str header, px_str *ret_target);

/* ---- looked-up values: values.c ---- */

/** For whom: what is looked up with a grant is that grant's. The owner is that of the arguments; without them, `owner`. */
struct px_values_for {
    px_str principal, owner, args_json;
};
/** All values that the route uses, fetched if they are not kept; shared with whoever waits for the same with the same grants. `done` from the loop.
 *  Either `values`, beside api->values (absent: not used; they live as long as `scope`), or `error`. `who` lives as long as `scope`. */
typedef void (*px_values_cb)(void *user, const px_str *values, const struct px_error *error);
PX_MUSTCHECK int px_values_get(struct px_site *site, struct px_scope *scope, const struct px_route *route,
                               const struct px_values_for *who, px_values_cb done, void *user,
                               struct px_op **ret_op, struct px_err *err);
/** What is kept now, beside api->values, without asking anybody; what is not is shown as "<value:NAME>". Lives in `arena`. */
PX_MUSTCHECK int px_values_show(struct px_arena *arena, struct px_site *site, const struct px_route *route,
                                const struct px_values_for *who, const px_str **ret);
void px_values_finish(struct px_site *site);

/* ---- what was said, for a person to look at: exchange.c ---- */

enum { PX_EXCHANGES_MAX = 8, PX_EXCHANGE_BYTES = 16 * 1024, PX_EXCHANGE_BODY = 4 * 1024 };
/** Append one exchange as JSON, at most PX_EXCHANGE_BYTES; credentials and cookies are masked. Errors of the buffer. */
PX_MUSTCHECK int px_exchange_put(struct px_buf *to, const struct px_route *route, struct px_site *site,
                                 const struct px_route_request *req, px_str args_json,
                                 const struct px_http_result *result);

/* ---- cursors: cursor.c ---- */

/** Sealed, and bound to service, tool, principal and the arguments (without limit, cursor, fields, dry_run). */
PX_MUSTCHECK int px_cursor_seal(struct px_arena *arena, const struct px_route_call_opts *call,
                                const struct px_page_state *page, px_str *ret);
/** -EINVAL with words: it is not ours, or for another call. */
PX_MUSTCHECK int px_cursor_open(struct px_arena *arena, const struct px_route_call_opts *call, px_str text,
                                struct px_page_state *ret, struct px_err *err);

#endif
