/* config.c: reading the service's configuration. The host has checked it against the schema, and takes origins, hosts, ports and
 * plain_http from it itself (the api in http.c); here is the rest. */
#include "http.h"
#include <errno.h>
#include <stdio.h>

#define URL_PATTERN "^https?://[^/?#@ ]+/?$"

const char ht_config_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"anyOf\":[{\"required\":[\"origins\"]},{\"required\":[\"hosts\"]}],\"properties\":{"
    "\"origins\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":256,\"items\":{\"type\":\"string\",\"maxLength\":300,"
    "\"pattern\":\"" URL_PATTERN "\"},"
    "\"description\":\"Origins that may be asked: https://api.example.com, http://127.0.0.1:8080. An address of this machine or a "
    "private network may be asked only when it stands here.\"},"
    "\"hosts\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":256,\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":253},"
    "\"description\":\"Further hosts, by name or pattern: www.example.com, *.example.com (not the domain itself), * (all). Only at "
    "public addresses, only https unless plain_http.\"},"
    "\"ports\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":65535},"
    "\"description\":\"Ports that hosts may be asked at. Default: 443, and 80 with plain_http.\"},"
    "\"plain_http\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Allow http:// for hosts.\"},"
    "\"max_bytes\":{\"type\":\"integer\",\"minimum\":1024,\"maximum\":4194304,\"default\":1048576,"
    "\"description\":\"Of an answer's body; what is over it is cut off.\"},"
    "\"timeout_ms\":{\"type\":\"integer\",\"minimum\":100,\"maximum\":600000,\"default\":30000,"
    "\"description\":\"Of a request, with its redirects; at most until the call's deadline.\"},"
    "\"headers\":{\"type\":\"object\",\"maxProperties\":16,\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9-]{1,64}$\",\"not\":{\"pattern\":"
    "\"^(?i:authorization|proxy-authorization|cookie|host|content-length|transfer-encoding|connection)$\"}},"
    "\"additionalProperties\":{\"type\":\"string\",\"maxLength\":1024},"
    "\"description\":\"Sent with every request, to every host that is asked: no place for credentials.\"},"
    "\"private\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"What is read here is not public (an intranet): the tools get the label reads_private.\"}}}";

struct reader {
    const struct px_host *host;
    px_scope_h scope;
    px_str config;
};

static bool truth(const struct reader *r, const char *pointer) {
    px_str v;
    return r->host->json->at(r->config, ht_str(pointer), &v) == 0 && ht_is(v, "true");
}

static int64_t number(const struct reader *r, const char *pointer, int64_t otherwise) {
    px_str v;
    int64_t n;
    return r->host->json->at(r->config, ht_str(pointer), &v) == 0 && r->host->json->i64(v, &n) == 0
               ? n
               : otherwise;
}

static int text(const struct reader *r, px_str value, px_str *ret) {
    px_str decoded;
    int rc = r->host->json->text(r->scope, value, &decoded);
    return rc ? rc : r->host->scope->keep(r->scope, decoded, ret);
}

static int read_headers(const struct reader *r, struct ht_config *c, char *why, size_t why_size) {
    px_str headers, key, value;
    uint64_t pos = 0;
    if (r->host->json->at(r->config, ht_str("/headers"), &headers))
        return 0;
    while (r->host->json->next(headers, &pos, &key, &value) == 1 && c->n_headers < HT_HEADERS) {
        px_pair *h = &c->headers[c->n_headers];
        if (text(r, key, &h->name) || text(r, value, &h->value)) {
            snprintf(why, why_size,
                     "headers: %.*s: a text is expected here; it goes to every host, so it can be no secret",
                     (int)key.n, key.p);
            return -EINVAL;
        }
        c->n_headers++;
    }
    return 0;
}

static void list(const struct reader *r, const char *pointer, struct ht_buf *to) {
    px_str items, value;
    uint64_t pos = 0;
    unsigned n = 0;
    if (r->host->json->at(r->config, ht_str(pointer), &items))
        return;
    while (r->host->json->next(items, &pos, NULL, &value) == 1) {
        px_str word;
        if (r->host->json->text(r->scope, value, &word))
            continue;
        if (++n > 12) {
            ht_buf_text(to, ", and more");
            return;
        }
        ht_buf_text(to, to->n ? ", " : "");
        ht_buf_str(to, ht_is(word, "*") ? ht_str("any public host") : word);
    }
}

int ht_config_read(const struct px_host *host, px_scope_h scope, px_str config_json, struct ht_config *c,
                   char *why, size_t why_size) {
    const struct reader r = {host, scope, config_json};
    struct ht_buf reach;
    *c = (struct ht_config){.max_bytes = number(&r, "/max_bytes", 1 << 20),
                            .timeout_ms = number(&r, "/timeout_ms", 30000),
                            .private_data = truth(&r, "/private")};
    int rc = read_headers(&r, c, why, why_size);
    ht_buf_init(&reach, 16 * 1024);
    list(&r, "/origins", &reach);
    list(&r, "/hosts", &reach);
    if (!rc)
        rc = reach.failed ? -ENOMEM : host->scope->keep(scope, ht_buf_view(&reach), &c->reach);
    ht_buf_free(&reach);
    return rc;
}
