/* One answer into bytes. */
#include "base/clock.h"
#include "net/http_head.h"
#include "net/serve_private.h"
#include <time.h>

const char *px_serve_status_words(int status) {
    static const struct {
        int status;
        const char *words;
    } known[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < PX_COUNT(known); i++)
        if (known[i].status == status)
            return known[i].words;
    return ""; /* RFC 9112 §4: may be empty */
}

static bool is_value(px_str s) {
    for (uint64_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_ours(px_str name) {
    static const char *const ours[] = {"date", "content-length", "connection", "transfer-encoding",
                                       "trailer"};
    for (size_t i = 0; i < PX_COUNT(ours); i++)
        if (px_str_eq_nocase(name, px_str_of(ours[i])))
            return true;
    return false;
}

/* The time does not change within a second, and formatting it costs more than all the rest. */
static void add_date(struct px_buf *to) {
    static time_t of = -1;
    static char text[40];
    time_t now = (time_t)(px_clock_unix_ms() / 1000);
    struct tm tm;
    if (now != of && gmtime_r(&now, &tm) && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        of = now;
    px_buf_text(to, "\r\nDate: ");
    px_buf_text(to, text);
}

int px_serve_write(struct px_buf *to, const struct px_serve_reply *reply, bool head_only, bool close) {
    bool bodiless = reply->status == 204 || reply->status == 304;
    if (reply->status < 200 || reply->status > 599)
        return -EINVAL;
    px_buf_addf(to, "HTTP/1.1 %d %s", reply->status, px_serve_status_words(reply->status));
    add_date(to);
    for (size_t i = 0; i < reply->n_headers; i++) {
        const px_pair *h = &reply->headers[i];
        if (!px_http_is_token(h->name) || is_ours(h->name) || !is_value(h->value))
            return -EINVAL;
        px_buf_text(to, "\r\n");
        px_buf_str(to, h->name);
        px_buf_text(to, ": ");
        px_buf_str(to, h->value);
    }
    if (!bodiless)
        px_buf_addf(to, "\r\nContent-Length: %llu", (unsigned long long)reply->body.n);
    px_buf_text(to, close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n");
    if (!bodiless && !head_only)
        px_buf_str(to, reply->body);
    return to->failed;
}
