/* worker.c: the worker process: one body in, its text out. Here, and nowhere else, HTML of strangers is parsed. */
#include "charset.h"
#include "html.h"
#include "http.h"
#include <errno.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define BUDGET_NS (5 * 1000000000ull) /* then what was read so far is the answer */

struct worker {
    const struct px_worker_host *host;
    uint64_t until_ns;
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int32_t worker_open(const struct px_worker_host *host, px_scope_h scope, px_str config_json,
                           void **ret_self) {
    static struct worker worker;
    const struct rlimit no_core = {0, 0}; /* pages may be private */
    (void)scope;
    (void)config_json;
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    xmlInitParser();
    worker = (struct worker){.host = host};
    *ret_self = &worker;
    return 0;
}

static bool stop(void *ctx) {
    struct worker *w = ctx;
    return now_ns() > w->until_ns || w->host->cancelled(w->host->ctx);
}

static uint64_t number(const struct worker *w, px_str json, const char *pointer) {
    px_str v;
    int64_t n;
    return w->host->json->at(json, ht_str(pointer), &v) || w->host->json->i64(v, &n) || n < 0 ? 0
                                                                                              : (uint64_t)n;
}

static px_str text(const struct worker *w, px_scope_h scope, px_str json, const char *pointer) {
    px_str v;
    return w->host->json->at(json, ht_str(pointer), &v) || w->host->json->text(scope, v, &v)
               ? (px_str){NULL, 0}
               : v;
}

static bool truth(const struct worker *w, px_str json, const char *pointer) {
    px_str v;
    return w->host->json->at(json, ht_str(pointer), &v) == 0 && ht_is(v, "true");
}

/* The text from `offset` on, or from the next whole character. */
static void answer(struct worker *w, struct ht_text *t, uint64_t offset) {
    struct ht_buf line;
    px_str all = ht_buf_view(&t->text);
    size_t from = offset < all.n ? (size_t)offset : all.n;
    while (from < all.n && ((unsigned char)all.p[from] & 0xc0) == 0x80)
        from++;
    ht_buf_init(&line, 2 * (all.n - from) + HT_LINE_EXTRA);
    ht_buf_text(&line, t->cut ? "+{\"cut\":true" : "+{\"cut\":false");
    ht_buf_member(&line, "title", ht_buf_view(&t->title));
    ht_buf_text(&line, "}\t");
    ht_line_put(&line, (px_str){all.p + from, all.n - from});
    if (line.failed || w->host->emit(w->host->ctx, ht_buf_view(&line)) == -EMSGSIZE)
        w->host->emit(w->host->ctx, PX_LIT("-out of memory"));
    ht_buf_free(&line);
}

static int convert(struct worker *w, px_scope_h scope, px_str head, px_str body, struct ht_text *ret) {
    struct ht_buf utf8;
    const uint64_t most = number(w, head, "/offset") + number(w, head, "/max");
    px_str url = text(w, scope, head, "/url");
    if (url.p && w->host->scope->keep(scope, url, &url)) /* with a NUL behind its end */
        return -ENOMEM;
    const struct ht_opts opts = {
        .url = url.p, .full = truth(w, head, "/full"), .max_text = (size_t)most, .stop = stop, .stop_ctx = w};
    bool html = truth(w, head, "/html");
    ht_buf_init(&utf8, 3 * body.n + 16);
    int rc = ht_charset_decode(body, text(w, scope, head, "/charset"), html, &utf8);
    if (rc == 0 && html) {
        rc = ht_html_to_text(ht_buf_view(&utf8), &opts, ret);
    } else if (rc == 0) {
        ret->cut = utf8.n > opts.max_text;
        utf8.n = ret->cut ? ht_utf8_whole((px_str){utf8.p, opts.max_text}) : utf8.n;
        ret->text = utf8;
        utf8 = (struct ht_buf){0};
    }
    ht_buf_free(&utf8);
    return rc;
}

static void worker_line(void *self, px_scope_h scope, px_str line) {
    struct worker *w = self;
    struct ht_text t = {0};
    const char *tab = line.n ? memchr(line.p, '\t', line.n) : NULL;
    px_str head = {line.p, tab ? (uint64_t)(tab - line.p) : 0};
    size_t n = tab ? line.n - head.n - 1 : 0;
    char *body = n ? malloc(n) : NULL;
    ptrdiff_t length = 0;
    if (body) {
        memcpy(body, tab + 1, n);
        length = ht_line_take(body, n);
    }
    w->until_ns = now_ns() + BUDGET_NS;
    if (!tab || w->host->json->check(head, &head) || (n && !body) || length < 0)
        w->host->emit(w->host->ctx, PX_LIT("-the request makes no sense"));
    else if (convert(w, scope, head, (px_str){body ? body : "", (uint64_t)length}, &t))
        w->host->emit(w->host->ctx, PX_LIT("-out of memory"));
    else
        answer(w, &t, number(w, head, "/offset"));
    ht_text_free(&t);
    free(body);
}

PX_WORKER(.open = worker_open, .line = worker_line);
