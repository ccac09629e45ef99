/* route_help.h: what the tests of the route room share: answers and rules without a network and without a declaration. */
#ifndef PX_TEST_ROUTE_HELP_H
#define PX_TEST_ROUTE_HELP_H

#include "route/private.h"
#include "unit/json_help.h"

enum { HELP_HEADERS = 16 };

/** "name: value\nname: value" */
struct answer_help {
    px_pair headers[HELP_HEADERS];
    struct px_http_result result;
    px_str body; /* exact */
};

static inline void answer_init(struct answer_help *a, int status, const char *headers, const char *body) {
    *a = (struct answer_help){.result = {.status = status}};
    for (size_t n = 0; headers && *headers; n++) {
        const char *colon = strchr(headers, ':'), *end = strchr(headers, '\n');
        size_t rest = end ? (size_t)(end - colon) : strlen(colon);
        assert_true(n < HELP_HEADERS);
        a->headers[n].name = px_str_n(headers, (size_t)(colon - headers));
        a->headers[n].value = px_str_n(colon + 2, rest - 2);
        a->result.n_headers = n + 1;
        headers = colon + rest + (end != NULL);
    }
    a->result.headers = a->headers;
    a->body = exact_copy(px_str_of(body ? body : ""));
    a->result.body = a->body;
    a->result.url = PX_LIT("https://api.example.com/things/7?key=secret");
    a->result.sent = true;
}

static inline void answer_finish(struct answer_help *a) {
    exact_free(a->body);
}

/** Bits of a status set: 403, or 400 to 499 as 4. */
static inline void status_add(struct px_status_set *set, int status) {
    int from = status < 10 ? status * 100 : status, to = status < 10 ? from + 99 : status;
    for (int i = from; i <= to; i++)
        set->bits[i / 64] |= 1ull << i % 64;
    set->any = false;
}

#endif
