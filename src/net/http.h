/* http.h: outgoing HTTP over one curl multi handle.
 *
 * A request goes: URL checked -> name resolved (dns.h) -> addresses checked (egress.h) -> curl, pinned to those addresses ->
 * perhaps a redirect, which goes the same way from its beginning -> END. Never a resolver thread, never curl's own redirects, never a
 * proxy from the environment, never an unverified certificate.
 *
 * Owns the CURLM, every easy handle, the connections and the CA store (loaded once, by px_http_create). Loop thread only.
 * Never blocks. Nothing here retries: whoever asks decides.
 *
 *   WAITING (a slot) -> RESOLVING -> RUNNING <-> PAUSED -> ENDED (END is posted, or came)
 *                ^------ redirect ------/
 */
#ifndef PX_NET_HTTP_H
#define PX_NET_HTTP_H

#include "net/dns.h"
#include "net/egress.h"
#include "reactor/op.h"

struct px_http;

struct px_http_opts {
    struct px_loop *loop;
    struct px_dns *dns;
    const char *ca_file; /* the system's bundle; NULL: /etc/ssl/certs/ca-certificates.crt, if it is there */
    const char *user_agent;   /* NULL: "plexus/VERSION" */
    uint32_t max_running;     /* transfers at curl at once; the rest waits in order; 0: 512 */
    uint32_t max_waiting;     /* 0: 4,096; over it a request ends with BUSY */
    uint32_t max_connections; /* kept open; at least max_running */
};
PX_MUSTCHECK int px_http_create(const struct px_http_opts *opts, struct px_http **ret, struct px_err *err);
/** No request is wanted any more (their scopes have closed). Clears *http; NULL is fine. */
void px_http_destroy(struct px_http **http);
/** Read the CA bundle again, if its file has changed (some 30 ms for what a system has). What runs goes on; connections that are open are not used by later requests. On failure the old
 *  one stays. */
PX_MUSTCHECK int px_http_reload_ca(struct px_http *http, struct px_err *err);

enum px_http_frame {
    PX_HTTP_WHOLE = 0, /* the body comes with END */
    PX_HTTP_RAW,       /* DATA as it arrives */
    PX_HTTP_LINE,      /* DATA a line, without its end (LF or CRLF) */
    PX_HTTP_SSE        /* DATA an event of text/event-stream (WHATWG HTML §9.2.6); comments are dropped */
};
enum px_http_redirects {
    PX_HTTP_REDIRECT_SAME_ORIGIN = 0, /* follow up to max_redirects, to the same origin */
    PX_HTTP_REDIRECT_NONE,            /* a 3xx is an answer like any other */
    PX_HTTP_REDIRECT_ALLOWED /* also to other origins that egress allows; credentials do not go along */
};

struct px_http_timeouts {   /* 0: the default */
    uint64_t connect_ns;    /* name, TCP, TLS; 10 s */
    uint64_t first_byte_ns; /* from the request being sent to the status line; 0: none but total */
    uint64_t idle_ns;       /* without a byte while the body comes (not while paused); 30 s */
    uint64_t total_ns;      /* everything, redirects included; 60 s; a stream may have PX_HTTP_NO_TIMEOUT */
};
#define PX_HTTP_NO_TIMEOUT UINT64_MAX

struct px_http_req {
    struct px_egress *egress;
    px_str method; /* a token (RFC 9110 §5.6.2), as it is sent */
    px_str url;
    const px_pair *
        headers; /* sent to every origin of the chain (Authorization and Cookie to the first alone). Names are tokens; values hold
                    no control characters; those that frame a message (Host, Content-Length, Connection, …) are ours: BAD_REQUEST */
    size_t n_headers;
    const px_pair *
        credentials; /* headers that are sent to the first origin alone, and only if it is a configured one */
    size_t n_credentials;
    px_str body;        /* absent: none; POST, PUT and PATCH then say "Content-Length: 0" (RFC 9110 §8.6) */
    px_str traceparent; /* W3C trace context; absent, and not among the headers: made anew */
    enum px_http_frame frame;
    enum px_http_redirects redirects;
    uint32_t max_redirects; /* 0: 5 */
    struct px_http_timeouts timeouts;
    /* of the body after decoding (WHOLE), of a line or event (LINE, SSE); 0: 16 MiB (WHOLE), 1 MiB */
    uint64_t max_bytes;
    bool fresh;      /* over a new connection */
    bool url_secret; /* a key stands in the URL: nothing of it is kept behind the request */
    /* secrets stand in the body, or in the answer's: our memory of both is wiped. For WHOLE; max_bytes are
     * taken at once */
    bool secret;
};

enum px_http_fail { /* why there is no (whole) answer */
                    PX_HTTP_OK = 0,
                    PX_HTTP_BAD_REQUEST, /* the URL or a header cannot be sent */
                    PX_HTTP_FORBIDDEN,   /* the address guard, or the redirect policy */
                    PX_HTTP_NO_NAME,     /* DNS: no such name */
                    PX_HTTP_DNS,         /* DNS: no answer */
                    PX_HTTP_CONNECT,     /* refused, unreachable */
                    PX_HTTP_TLS,         /* certificate or handshake */
                    PX_HTTP_TIMEOUT,     /* which one: `timeout` */
                    PX_HTTP_RESET,       /* the connection ended before the answer did */
                    PX_HTTP_PROTOCOL,    /* it is not HTTP, or lies about its length or encoding */
                    PX_HTTP_TOO_LARGE,
                    PX_HTTP_REDIRECTS, /* too many, a loop, or a Location that is none */
                    PX_HTTP_BUSY,      /* max_waiting */
                    PX_HTTP_INTERNAL
};
/** "connect", "tls" … */
const char *px_http_fail_name(enum px_http_fail fail);

struct px_http_result {
    enum px_http_fail fail;
    const char *why;     /* of a failure: one sentence that names the host; no secret of the URL's query */
    const char *timeout; /* "connect", "first_byte", "idle", "total"; NULL */
    bool sent;           /* a byte of the request, or of one before its redirects, may have left */
    bool reused;         /* over a connection that was there */
    int status;          /* 0: no status line came. With a failure, that of the answer that was cut */
    int http_version;    /* 10, 11, 20 */
    const px_pair *
        headers; /* names in lower case; values trimmed; in their order; trailers are dropped. At most 256 and 256 KiB: else PROTOCOL */
    size_t n_headers;
    px_str body; /* WHOLE: decoded; with a failure, what had come */
    px_str url;  /* the one that answered */
    uint32_t redirects;
    bool moved;   /* a 301 made a GET of the POST: what that carried was taken by nobody */
    bool pointed; /* a 302 or 303 made a GET of what was none: it was taken, and this is what came of it */
    char peer[PX_ADDR_TEXT];
    uint64_t dns_ns, connect_ns, tls_ns, first_byte_ns, total_ns; /* from the beginning (of the last hop) */
    uint64_t bytes_in, bytes_out;                                 /* bodies, on the wire */
};
/** The first header of that name (lower case); absent: none. */
px_str px_http_header(const struct px_http_result *result, const char *name);

enum px_http_ev_kind {
    PX_HTTP_HEAD =
        1,        /* not for WHOLE: `result` has status, version, headers and URL; the rest comes with END */
    PX_HTTP_DATA, /* not for WHOLE */
    PX_HTTP_GAP,  /* LINE, SSE: one over max_bytes was dropped (count: its bytes) */
    PX_HTTP_END   /* the last; `result` */
};
struct px_http_ev {
    enum px_http_ev_kind kind;
    px_str data;
    px_str event, id; /* SSE: the event's type ("message" when it says none) and the last id */
    uint64_t count;
    const struct px_http_result *result;
};
/** From the loop, never inside px_http_start or curl; at most one END, none after a cancel. Everything in `ev` lives until it returns (END's, until it is dropped). It may cancel
 *  the op, close the scope, pause. */
typedef void (*px_http_cb)(void *user, const struct px_http_ev *ev);

/** Begin a request. `req` and all it points to is copied. Also what is refused (the guard, a bad URL) ends with END. Fails only with -ENOMEM and
 *  -ESHUTDOWN. A cancel closes the connection (HTTP/1.1) or the stream; bytes may have left. */
PX_MUSTCHECK int px_http_start(struct px_http *http, struct px_scope *scope, const struct px_http_req *req,
                               px_http_cb cb, void *user, struct px_op **ret_op, struct px_err *err);
/** In the callback of END: what it tells stays, until as many px_http_drop. It may be held again while it is. */
void px_http_hold(const struct px_http_result *result);
void px_http_drop(const struct px_http_result *result);
/** Whether a byte of a request in flight, or of one before its redirects, may have left. */
bool px_http_left(const struct px_op *op);
/** Streams: no DATA, nor the END behind it, until it is resumed; the upstream is held back (64 KiB or so are in flight). */
void px_http_pause(struct px_op *op, bool paused);

struct px_http_stats {
    uint64_t requests, failed, redirects, refused; /* refused: by the guard */
    uint64_t connections, reused;                  /* opened; requests on one that was there */
    uint32_t running, waiting;
};
void px_http_stats_get(const struct px_http *http, struct px_http_stats *ret);

#endif
