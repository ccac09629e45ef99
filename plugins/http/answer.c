/* answer.c: from a body to what a planner sees. */
#include "charset.h"
#include "http.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { AROUND = 1024, ERROR_TEXT = 2000 };

static const px_str none;

void ht_fail(struct ht_job *job, enum px_code code, const char *message, const char *advice) {
    const struct px_error error = {.size = sizeof error,
                                   .flags = code == PX_UNAVAILABLE ? PX_ERROR_RETRYABLE : 0,
                                   .code = (int32_t)code,
                                   .message = ht_str(message),
                                   .advice = ht_str(advice)};
    job->answered = true;
    job->service->host->call->fail(job->call, &error);
}

uint64_t ht_room(const struct ht_job *job) {
    uint64_t n = PX_HAS(job->in, result_bytes) ? job->in->result_bytes : 0;
    if (!n)
        n = HT_RESULT_BYTES;
    return n < HT_BYTES_MAX ? n : HT_BYTES_MAX;
}

/* ---- the parts ---- */

/* {"status":…,"url":…,"content_type":… */
static void put_about(struct ht_buf *b, const struct ht_job *job) {
    ht_buf_text(b, "{");
    ht_buf_key(b, "status");
    ht_buf_u64(b, job->status);
    ht_buf_member(b, "url", job->url);
    if (job->type.p)
        ht_buf_member(b, "content_type", (px_str){job->type.p, job->type.n < 256 ? job->type.n : 256});
}

/* What is known of the answer beside its content goes into the result's _meta: {"http":{"status":…,"url":…}}. */
static void reply(struct ht_job *job, struct px_reply *reply, bool truncated, uint64_t next) {
    struct ht_buf meta;
    ht_buf_init(&meta, 256 * 1024);
    ht_buf_text(&meta, "{\"http\":");
    put_about(&meta, job);
    ht_buf_key(&meta, "bytes");
    ht_buf_u64(&meta, job->bytes);
    ht_buf_key(&meta, "truncated");
    ht_buf_text(&meta, truncated ? "true" : "false");
    if (next) {
        ht_buf_key(&meta, "next_offset");
        ht_buf_u64(&meta, next);
    }
    ht_buf_text(&meta, "}}");
    reply->size = sizeof *reply;
    reply->meta_json = meta.failed ? none : ht_buf_view(&meta);
    job->answered = true;
    job->service->host->call->reply(job->call, reply);
    ht_buf_free(&meta);
}

/* A whole number of characters, and of lines when that costs little. */
static size_t cut_at(px_str text, size_t most) {
    size_t n = ht_utf8_fit(text, most);
    if (n == text.n)
        return n;
    for (size_t i = n; i > n - n / 8; i--)
        if (text.p[i - 1] == '\n')
            return i;
    return n;
}

/* ---- errors ---- */

static enum px_code code_of(uint32_t status) {
    switch (status) {
    case 401: return PX_UNAUTHORIZED;
    case 403: return PX_FORBIDDEN;
    case 404:
    case 410: return PX_NOT_FOUND;
    case 429: return PX_RATE_LIMITED;
    case 503: return PX_UNAVAILABLE;
    default: return PX_UPSTREAM_ERROR;
    }
}

/* The status, and what the page says. */
static void fail_with_page(struct ht_job *job, px_str title, px_str text) {
    struct ht_buf words, details;
    struct px_error error = job->verdict;
    size_t n = ht_utf8_fit(text, ERROR_TEXT);
    ht_buf_init(&words, 4000);
    ht_buf_text(&words, "HTTP ");
    ht_buf_u64(&words, job->status);
    if (title.n || text.n)
        ht_buf_text(&words, ": ");
    if (title.n && !ht_has((px_str){text.p, n}, title.p)) {
        ht_buf_add(&words, title.p, ht_utf8_fit(title, 300));
        ht_buf_text(&words, text.n ? "\n" : "");
    }
    ht_buf_add(&words, text.p, n);
    ht_buf_init(&details, 32 * 1024);
    put_about(&details, job);
    ht_buf_text(&details, "}");
    if (!error.code) {
        error = (struct px_error){.size = sizeof error, .code = (int32_t)code_of(job->status)};
        error.flags = job->status == 429 || job->status == 503 ? PX_ERROR_RETRYABLE : 0;
    }
    error.message = ht_buf_view(&words);
    error.details_json = details.failed ? none : ht_buf_view(&details);
    job->answered = true;
    job->service->host->call->fail(job->call, &error);
    ht_buf_free(&words);
    ht_buf_free(&details);
}

/* ---- text ---- */

/* "[HTTP 200, text/html, https://…]", and what else is to be said first. */
static void put_first(struct ht_buf *b, const struct ht_job *job) {
    px_str type = job->type.p ? job->type : PX_LIT("no Content-Type");
    ht_buf_text(b, "[HTTP ");
    ht_buf_u64(b, job->status);
    ht_buf_text(b, ", ");
    ht_buf_add(b, type.p, ht_utf8_fit(type, 100));
    ht_buf_text(b, ", ");
    ht_buf_add(b, job->url.p, ht_utf8_fit(job->url, 400));
    ht_buf_text(b, "]\n");
    if (job->note) {
        ht_buf_text(b, "[");
        ht_buf_text(b, job->note);
        ht_buf_text(b, "]\n");
    }
}

/* A title that the text begins with is not said twice. */
static bool is_said(px_str title, px_str text) {
    return text.n > title.n + 2 && memcmp(text.p, "# ", 2) == 0 && memcmp(text.p + 2, title.p, title.n) == 0;
}

void ht_answer_text(struct ht_job *job, px_str title, px_str text, bool more) {
    struct ht_buf b;
    uint64_t room = ht_room(job), next = 0;
    if (job->status >= 400) {
        fail_with_page(job, title, text);
        return;
    }
    size_t n = cut_at(text, room > 4 * AROUND ? room - AROUND : room / 2);
    if (n && (n < text.n || more)) /* else nothing of it fits, or a page that was stopped had nothing more */
        next = job->offset + n;
    ht_buf_init(&b, room + 32 * 1024);
    put_first(&b, job);
    ht_buf_text(&b, "\n");
    if (title.n && !job->offset && !is_said(title, text)) {
        ht_buf_text(&b, "# ");
        ht_buf_str(&b, title);
        ht_buf_text(&b, "\n\n");
    }
    ht_buf_add(&b, text.p, n);
    if (next) {
        ht_buf_text(&b, "\n\n[There is more: ask again with offset ");
        ht_buf_u64(&b, next);
        ht_buf_text(&b, ".]");
    } else if (job->truncated || more) {
        ht_buf_text(&b, "\n\n[It is longer, but no more of it could be read.]");
    }
    if (b.failed)
        ht_fail(job, PX_UNAVAILABLE, "out of memory", NULL);
    else
        reply(job, &(struct px_reply){.text = ht_buf_view(&b)}, next || more || job->truncated, next);
    ht_buf_free(&b);
}

/* Text that needs no worker. */
static void plain(struct ht_job *job) {
    px_str text = ht_buf_view(&job->body);
    size_t from = job->offset < text.n ? (size_t)job->offset : text.n;
    while (from < text.n && ((unsigned char)text.p[from] & 0xc0) == 0x80)
        from++;
    ht_answer_text(job, none, (px_str){text.p + from, text.n - from}, false);
}

/* ---- JSON ---- */

/* The value as it is. False: it is no JSON. */
static bool json(struct ht_job *job) {
    px_str body = ht_buf_view(&job->body), value;
    if (body.n >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
        body = (px_str){body.p + 3, body.n - 3};
    if (job->truncated || job->service->host->json->check(body, &value))
        return false;
    reply(job, &(struct px_reply){.structured_json = value}, false, 0);
    return true;
}

/* ---- what is no text ---- */

static bool is_image(px_str type) {
    static const char *const shown[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
    for (int i = 0; i < 4; i++)
        if (ht_begins(type, shown[i]))
            return true;
    return false;
}

/* "image/png" of "image/png; x=y". */
static px_str plain_type(px_str type) {
    size_t n = 0;
    while (n < type.n && type.p[n] > ' ' && type.p[n] != ';')
        n++;
    return (px_str){type.p, n};
}

static void binary(struct ht_job *job) {
    const struct px_host *host = job->service->host;
    struct ht_buf text, content;
    px_str base64 = none;
    bool image = is_image(job->type) && !job->truncated && job->body.n / 3 * 4 + 2 * AROUND < ht_room(job) &&
                 host->json->base64(job->scope, ht_buf_view(&job->body), &base64) == 0;
    job->note = image                 ? "an image"
                : is_image(job->type) ? "an image that is too large to be shown"
                                      : "this is no text: it is not shown";
    ht_buf_init(&text, 4 * AROUND);
    put_first(&text, job);
    if (!image) {
        reply(job, &(struct px_reply){.text = ht_buf_view(&text)}, true, 0);
        ht_buf_free(&text);
        return;
    }
    ht_buf_init(&content, base64.n + 16 * AROUND);
    ht_buf_text(&content, "[{\"type\":\"text\",\"text\":");
    ht_buf_json(&content, ht_buf_view(&text));
    ht_buf_text(&content, "},{\"type\":\"image\",\"data\":\"");
    ht_buf_str(&content, base64);
    ht_buf_text(&content, "\"");
    ht_buf_member(&content, "mimeType", plain_type(job->type));
    ht_buf_text(&content, "}]");
    if (content.failed)
        ht_fail(job, PX_UNAVAILABLE, "out of memory", NULL);
    else
        reply(job, &(struct px_reply){.content_json = ht_buf_view(&content)}, false, 0);
    ht_buf_free(&text);
    ht_buf_free(&content);
}

/* ---- which of them it is ---- */

enum kind { HTML, JSON, TEXT, BINARY };

static bool is_text_type(px_str t) {
    static const char *const types[] = {
        "application/xml",  "application/javascript",   "application/ecmascript", "application/x-yaml",
        "application/yaml", "application/toml",         "application/x-ndjson",   "application/sql",
        "application/x-sh", "application/x-javascript", "image/svg+xml"};
    if (ht_begins(t, "text/") || ht_has(t, "+xml"))
        return true;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (ht_begins(t, types[i]))
            return true;
    return false;
}

static enum kind sniff(px_str body) {
    size_t at = 0;
    while (at < body.n && (unsigned char)body.p[at] <= ' ')
        at++;
    px_str rest = {body.p + at, body.n - at};
    if (ht_begins(rest, "<!doctype html") || ht_begins(rest, "<html"))
        return HTML;
    if (memchr(body.p, 0, body.n) || !ht_utf8_whole(body))
        return BINARY;
    return rest.n && (rest.p[0] == '{' || rest.p[0] == '[') ? JSON : TEXT;
}

static enum kind kind_of(const struct ht_job *job) {
    px_str t = job->type;
    if (ht_begins(t, "text/html") || ht_begins(t, "application/xhtml+xml"))
        return HTML;
    if (ht_begins(t, "application/json") || ht_begins(t, "text/json") ||
        (ht_has(t, "+json") && ht_begins(t, "application/")))
        return JSON;
    if (is_text_type(t))
        return TEXT;
    if (ht_begins(t, "image/") || ht_begins(t, "audio/") || ht_begins(t, "video/") || ht_begins(t, "font/"))
        return BINARY;
    return sniff(ht_buf_view(&job->body));
}

/* Text in another encoding is a worker's work; so is what only pretends to be UTF-8. */
static void as_text(struct ht_job *job) {
    px_str body = ht_buf_view(&job->body), charset = ht_charset_of_type(job->type);
    bool simple =
        !charset.p || ht_is(charset, "utf-8") || ht_is(charset, "utf8") || ht_is(charset, "us-ascii");
    size_t whole = job->truncated ? ht_utf8_whole(body) : ht_is_utf8(body) ? body.n : 0;
    if (simple && whole && !memchr(body.p, 0, body.n)) {
        job->body.n = whole;
        plain(job);
    } else {
        ht_convert(job, false, charset);
    }
}

void ht_answer(struct ht_job *job) {
    enum kind kind = kind_of(job);
    job->bytes = job->body.n;
    if (!job->body.n) {
        plain(job);
        return;
    }
    if (job->as == HT_AS_JSON && job->status < 400) {
        if (!json(job))
            ht_fail(job, job->truncated ? PX_TOO_LARGE : PX_UPSTREAM_ERROR,
                    job->truncated ? "the answer is larger than this service may read"
                                   : "the answer is not valid JSON",
                    "as: \"raw\" shows it as text.");
        return;
    }
    if (job->as == HT_AS_HTML || (kind == HTML && job->as != HT_AS_RAW)) {
        ht_convert(job, true, ht_charset_of_type(job->type));
        return;
    }
    if (kind == JSON && job->as == HT_AS_AUTO && job->status < 400) {
        if (json(job))
            return;
        job->note =
            job->truncated ? "JSON that is cut off: shown as text" : "this is not valid JSON: shown as text";
    }
    if (kind == BINARY && job->status < 400)
        binary(job);
    else
        as_text(job);
}

void ht_answer_head(struct ht_job *job, const struct px_http_response *resp) {
    struct ht_buf b;
    ht_buf_init(&b, 300 * 1024);
    put_about(&b, job);
    ht_buf_key(&b, "headers");
    ht_buf_text(&b, "{");
    for (uint32_t i = 0; i < resp->n_headers; i++) {
        const px_pair *h = (const px_pair *)((const char *)resp->headers + (size_t)i * resp->pair_size);
        bool again = ht_is(h->name, "set-cookie");
        for (uint32_t k = 0; k < i && !again; k++) { /* the first of a name */
            const px_pair *before =
                (const px_pair *)((const char *)resp->headers + (size_t)k * resp->pair_size);
            again = before->name.n == h->name.n && memcmp(before->name.p, h->name.p, h->name.n) == 0;
        }
        if (again)
            continue;
        if (b.n && b.p[b.n - 1] != '{')
            ht_buf_text(&b, ",");
        ht_buf_json(&b, h->name);
        ht_buf_text(&b, ":");
        ht_buf_json(&b, h->value);
    }
    ht_buf_text(&b, "}}");
    const struct px_reply reply = {.size = sizeof reply, .structured_json = ht_buf_view(&b)};
    if (b.failed)
        ht_fail(job, PX_TOO_LARGE, "the headers are too large to pass on", NULL);
    else
        job->service->host->call->reply(job->call, &reply);
    ht_buf_free(&b);
}
