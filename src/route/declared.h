/* declared.h: what api.json and route.json become (api.schema.json, route.schema.json): immutable, texts in the api's or route's own arena. */
#ifndef PX_ROUTE_DECLARED_H
#define PX_ROUTE_DECLARED_H

#include "base/arena.h"
#include "net/http.h"
#include <stdbool.h>

struct px_select;

/** A name and a template: a header, a parameter, a variable. */
struct px_param {
    px_str name, value; /* value: JSON, a template */
    px_str style;       /* of parameters; absent: repeat */
    bool secret;        /* the template uses $secret */
};
struct px_params {
    struct px_param *list;
    size_t n;
};

struct px_status_set {
    uint64_t bits[10]; /* 0 to 639; none set: any */
    bool any;
};
struct px_rule {
    struct px_status_set status;
    struct px_params headers, body; /* value: a JSON scalar; names: of headers in lower case, pointers */
    int32_t code;
    int retryable; /* -1: as the code is */
    px_str after_header, after_body, after_unit, message, advice;
};
struct px_rules {
    struct px_rule *list;
    size_t n;
};

/* What answers say of rate limits: quota_read.c reads the rules, quota.c answers. */
enum px_quota_field {
    PX_QUOTA_LIMIT,
    PX_QUOTA_REMAINING,
    PX_QUOTA_USED,
    PX_QUOTA_RESET,
    PX_QUOTA_RESTORE,
    PX_QUOTA_COST,
    PX_QUOTA_RETRY_AFTER,
    PX_QUOTA_FIELDS
};
struct px_quota_value {
    px_str header, body; /* where; both absent: `text` */
    px_str split, unit;  /* absent: none, "s" */
    px_str text;         /* as a text: said right there, or when nothing stands where it should */
};
struct px_quota_rule {
    struct px_rule when; /* only its conditions */
    struct px_quota_value group, bucket, global, values[PX_QUOTA_FIELDS];
};
struct px_quota_rules {
    struct px_quota_rule *list;
    size_t n;
};

/* From OAUTH2 on: those with a life, which px_auth keeps fresh. */
enum px_identity_kind {
    PX_IDENTITY_BEARER,
    PX_IDENTITY_BASIC,
    PX_IDENTITY_API_KEY,
    PX_IDENTITY_NONE,
    PX_IDENTITY_OAUTH2,
    PX_IDENTITY_JWT,
    PX_IDENTITY_GITHUB_APP
};
enum px_identity_place { PX_IN_HEADER, PX_IN_QUERY, PX_IN_COOKIE };
struct px_identity {
    px_str name, secret, user, in_name, prefix;
    px_str json, also, owner_arg; /* json: the whole, with templates; also: an array of such */
    enum px_identity_kind kind;
    enum px_identity_place place;
    bool optional;
};
struct px_upstream {
    px_str name;
    px_str base_url, join_upstream, join_reference, origins, hosts, ports, plain_http; /* templates */
    const struct px_identity *identity;                                                /* NULL: none */
    struct px_params headers, query;
    struct px_rules errors;
    px_str *message; /* pointers */
    size_t n_message;
    px_str request_id; /* lower case; absent: the usual ones */
    struct px_quota_rules quotas;
    px_str group, idempotency; /* idempotency: the header's name; absent: none */
    uint32_t key_hours;        /* for so long it knows a key */
    uint64_t timeout_ns, max_bytes;
};
struct px_value {
    px_str name, at;
    uint64_t ttl_ns;
    struct px_route *route;
};
struct px_api {
    struct px_arena arena;
    struct px_upstream *upstreams;
    struct px_identity *identities;
    struct px_value *values;
    size_t n_upstreams, n_identities, n_values;
    struct px_rules errors;
    px_str limits; /* JSON; absent: none */
};

/** A path template, cut into its parts. */
enum px_path_part_kind { PX_PATH_TEXT, PX_PATH_ARG, PX_PATH_ARGS, PX_PATH_VALUE, PX_PATH_CONFIG };
struct px_path_part {
    enum px_path_part_kind kind; /* PX_PATH_ARGS: {+name} */
    px_str text;                 /* literal, or the name */
    px_str fallback;             /* of an argument: the default of its schema, JSON; absent: it is required */
};
struct px_path {
    struct px_path_part *parts;
    size_t n;
};
enum px_result_kind { PX_RESULT_JSON, PX_RESULT_TEXT, PX_RESULT_BINARY, PX_RESULT_NONE, PX_RESULT_AUTO };
enum px_page_kind {
    PX_PAGE_NONE,
    PX_PAGE_LINK,
    PX_PAGE_CURSOR,
    PX_PAGE_NUMBER,
    PX_PAGE_OFFSET,
    PX_PAGE_GRAPHQL
};
struct px_page_spec {
    enum px_page_kind kind;
    px_str at, header, query, body, variable, more;
    uint32_t first;
    px_str size_query, size_body, size_variable;
    uint32_t size_max, limit, max_limit, max_pages; /* size_max 0: no parameter */
};
struct px_route {
    struct px_arena arena;
    const struct px_api *api;
    const struct px_upstream *upstream;
    const struct px_identity *identity; /* NULL: none */
    px_str label, method;
    px_str bucket;                            /* "GET /things/{id}" */
    px_str group;                             /* of rates; absent: none */
    uint32_t cost;                            /* 0: 1 */
    bool idempotent;                          /* doing it twice is as good as once */
    px_str idempotency;                       /* the header that takes the key of a write; absent: none */
    uint32_t key_hours;                       /* for so long the upstream knows one */
    struct px_verify *verify;                 /* NULL: none */
    bool safe, says_safe, read_only, graphql; /* says_safe: by itself, not by its method */
    struct px_path path;
    bool has_path;
    px_str url; /* a template; absent: path, or GraphQL */
    struct px_params query, headers, form, variables;
    px_str body;                /* a template; absent: none */
    px_str raw_value, raw_type; /* templates */
    bool raw_base64;
    px_str graphql_json, operation; /* the text as a JSON string; absent: no GraphQL, no name */
    uint32_t values;                /* a bit for each of the api's that is used */
    bool body_secret;               /* a body or form holds a $secret */
    enum px_result_kind result;
    px_str at, items; /* pointers; items absent: not said */
    px_str *keep;     /* pointers */
    size_t n_keep;
    px_str decode_at, decode_to;
    bool tail; /* of a text that is too large, the end is shown */
    struct px_page_spec page;
    px_str fields_text;
    struct px_select *fields; /* NULL: everything */
    bool no_fields;           /* there is nothing to choose from: the argument is not offered */
    struct px_rules errors;
    enum px_http_redirects redirects;
    uint64_t timeout_ns, max_bytes; /* 0: the upstream's */
    px_str *masked;                 /* arguments that are `writeOnly` in the input schema: shown as "***" */
    size_t n_masked;
};

/** How to find what a write may have done. */
struct px_verify_match {
    px_str at, value; /* a pointer, and a template */
    bool contains;
};
struct px_verify {
    struct px_route *route; /* reads */
    px_str at;              /* absent: its items, or all of it */
    struct px_verify_match *list;
    size_t n;
    bool absent_unknown;
};

#endif
