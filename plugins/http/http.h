/* http.h: what the files of the loop's side share, and what they and the worker agree on.
 *
 * The worker gets one line: {"html":true,"charset":"…","url":"…","full":false,"offset":0,"max":65536}, a tab, and the body,
 * as ht_line_put() writes bytes into a line. It answers with one: '+' {"cut":true,"title":"…"}, a tab, and the text from
 * `offset` on; or '-' and words. Each page has a worker process of its own, so that what one page does to the parser is
 * the end of one call. */
#ifndef HT_HTTP_H
#define HT_HTTP_H

#include "buf.h"
#include <plexus/plugin.h>

enum ht_tool { HT_GET = 1, HT_HEAD = 2, HT_POST = 3 };
enum ht_as { HT_AS_AUTO = 0, HT_AS_TEXT, HT_AS_JSON, HT_AS_HTML, HT_AS_RAW };
enum { HT_HEADERS = 16, HT_CONVERTING = 8, HT_QUEUE = 64 };
#define HT_BYTES_MAX    (4 << 20) /* of a body; the worker's line has to take it */
#define HT_CONVERT_NS   (10 * 1000000000ull)
#define HT_RESULT_BYTES (64 * 1024)
#define HT_LINE_EXTRA   (16 * 1024)

struct ht_config {
    px_pair headers[HT_HEADERS];
    uint32_t n_headers;
    int64_t max_bytes, timeout_ms;
    bool private_data;
    px_str reach; /* what may be asked, for the tools' descriptions */
};

struct ht_job;
struct ht_service {
    const struct px_host *host;
    px_service_h handle;
    struct ht_config config;
    unsigned converting, queued;
    struct ht_job *first, *last; /* that wait for a worker */
};

/* One call; in its scope. What it owns besides goes when the scope closes (ht_job_gone). */
struct ht_job {
    struct ht_service *service;
    struct ht_job *prev, *next;
    enum { HT_IDLE = 0, HT_WAITING, HT_RUNNING } converting;
    px_call_h call;
    px_scope_h scope;
    const struct px_call_in *in;
    enum ht_tool tool;
    enum ht_as as;
    bool full;
    uint64_t offset;

    uint32_t status; /* 0: no answer came */
    px_str url, type;
    struct ht_buf body;
    uint64_t bytes;          /* of the body, as far as it was read */
    bool truncated;          /* it goes on */
    struct px_error verdict; /* of an answer with an error's status */
    bool answered;
    const char *note; /* something to know about the answer; a literal, or NULL */
};

/** config.c: the JSON Schema; reading. -EINVAL: `why` says what is wrong. */
extern const char ht_config_schema[];
int ht_config_read(const struct px_host *host, px_scope_h scope, px_str config_json, struct ht_config *ret,
                   char *why, size_t why_size);
/** tools.c: offer the tools. */
int ht_tools_set(const struct px_host *host, px_service_h service, px_scope_h scope,
                 const struct ht_config *c);

/** fetch.c: send the request; answers the call, now or later. */
void ht_fetch(struct ht_job *job);
/** convert.c: have the body made text by a worker. Ends in ht_answer_text or a failure. */
void ht_convert(struct ht_job *job, bool html, px_str charset);
/** The call's scope closes: leave the queue, free the body. */
void ht_job_gone(void *user);

/** answer.c: the body is there, or as much of it as may be. */
void ht_answer(struct ht_job *job);
/** `text`: from job->offset on; `more`: it goes on. */
void ht_answer_text(struct ht_job *job, px_str title, px_str text, bool more);
/** For HEAD: what the headers say. */
void ht_answer_head(struct ht_job *job, const struct px_http_response *resp);
void ht_fail(struct ht_job *job, enum px_code code, const char *message, const char *advice);
/** How many bytes of text the caller can take. */
uint64_t ht_room(const struct ht_job *job);

#endif
