/* http_private.h: what the files of the HTTP client share.
 *
 *   http.c        the client; requests that begin
 *   http_call.c   a request: waiting for a slot, hops, its end
 *   http_multi.c  curl's sockets and timer on the loop; which transfers have ended
 *   http_easy.c   one easy handle: its options, and what curl calls back
 *   http_out.c    what is sent: method, headers, trace context
 *   http_head.c   what comes: status line and headers
 *   http_redirect.c  where a redirect may lead
 *   http_pieces.c, sse.c  a body in pieces: raw, lines, events
 *   http_deliver.c  HEAD, DATA and END on their way to the caller; pausing
 *   http_pin.c    which addresses a host was last seen at, and the name under which curl keeps its connections
 *   http_trust.c  CA stores, client certificates, proxies: one set for each egress
 *   http_urls.c   the URLs that were read last
 *   http_time.c   the four timeouts
 *   http_words.c  failures, in words
 *   http_memory.c curl's memory, wiped
 *   http_idle.c   open connections that nobody will use any more
 */
#ifndef PX_NET_HTTP_PRIVATE_H
#define PX_NET_HTTP_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "net/http.h"
#include "net/http_head.h"
#include "net/http_pieces.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include <curl/curl.h>

/** curl_global_init; curl_global_cleanup undoes it. -ENOMEM. */
int px_http_global_init(void);

/* ---- trust: what belongs to one egress ---- */

struct x509_store_st;
struct px_http_trust {
    struct px_http *http;
    struct px_egress *egress; /* kept: its address is not given to another while this lives */
    struct px_egress_keeper keeper;
    struct px_list_node node;
    uint64_t serial; /* of the process; also the tag that keeps curl from sharing TLS connections */
    char tag[48];
    struct x509_store_st *store;
    const struct px_url *proxy; /* the egress's; NULL: none */
    uint32_t refs;              /* pins */
    bool stale;                 /* the bundle was read again since */
};
/** Read a bundle of certificates. `may_be_missing`: none is a bundle without certificates, and a line in the log. */
PX_MUSTCHECK int px_http_store_load(const char *file, bool may_be_missing, struct x509_store_st **ret,
                                    struct px_err *err);
void px_http_store_free(struct x509_store_st *store);
/** The one of this egress, made when there is none. */
PX_MUSTCHECK int px_http_trust_get(struct px_http *http, struct px_egress *egress, struct px_http_trust **ret,
                                   struct px_err *err);
void px_http_trust_unref(struct px_http_trust *trust);
/** For CURLOPT_SSL_CTX_FUNCTION: give the connection that is about to begin our store. */
int px_http_trust_use(const struct px_http_trust *trust, void *ssl_ctx);
/** What X509_V_… means; NULL: nothing is wrong. And OpenSSL's own words. */
const char *px_http_verify_words(long verify_result);
const char *px_http_verify_detail(long verify_result);

/* ---- pins: the addresses of a host, for one egress ---- */

enum { PX_HTTP_PINS = 4096, PX_HTTP_PIN_ADDRS = PX_DNS_ADDRS };
struct px_http_pin {
    struct px_http_trust *trust;
    px_str key;
    struct px_list_node lru;
    uint64_t used_ns;
    uint32_t refs; /* requests */
    uint64_t id;
    uint32_t generation;
    struct px_addr addrs[PX_HTTP_PIN_ADDRS];
    size_t n_addrs;
    struct px_addr dialled[PX_HTTP_PIN_ADDRS]; /* connections of this generation may be to these */
    size_t n_dialled;
    bool loaded;      /* curl has the addresses */
    bool detached;    /* not in the map any more: goes with its last request */
    char connect[48]; /* for CURLOPT_CONNECT_TO: "::px7-2:"; empty: through a proxy */
    uint16_t port;
    char host[]; /* the key's bytes */
};
/** The pin of this host, with a reference; new ones have no address. NULL: no memory. */
PX_MUSTCHECK int px_http_pin_get(struct px_http *http, struct px_egress *egress, const struct px_url *url,
                                 struct px_http_pin **ret, struct px_err *err);
void px_http_pin_unref(struct px_http_pin *pin);
/** These are its addresses now. Connections to others are not used again. */
void px_http_pin_set(struct px_http *http, struct px_http_pin *pin, const struct px_addr *addrs, size_t n);
/** A connection to this address is being made. */
void px_http_pin_dialled(struct px_http_pin *pin, const struct px_addr *addr);
/** For CURLOPT_RESOLVE. */
PX_MUSTCHECK int px_http_pin_resolve(struct px_http *http, const struct px_http_pin *pin,
                                     struct curl_slist **ret);
/** Append an entry of other names to a list for CURLOPT_RESOLVE. */
PX_MUSTCHECK int px_http_resolve_entry(px_str name, uint16_t port, const struct px_addr *addrs, size_t n,
                                       struct curl_slist **list);
/** Those of an egress whose owner has ended. */
void px_http_pins_forget(struct px_http *http, const struct px_http_trust *trust);
/** Begin anew for every host: what they were verified against has changed. */
void px_http_pins_drop(struct px_http *http);
void px_http_pins_destroy(struct px_http *http);

/* ---- easy handles ---- */

struct px_http_call;
struct px_http_easy {
    struct px_http *http;
    CURL *curl;
    struct px_http_call *call; /* NULL: idle */
    struct px_list_node node;  /* idle ones */
    bool in_multi;
    /* what it is set to now */
    uint64_t trust_serial;
    uint64_t pin_id;
    uint32_t pin_generation;
    bool pipewait, fresh, custom, cert, proxied, resolve;
    bool broken; /* not for another request */
    uint64_t connect_ms;
    enum { EASY_GET, EASY_HEAD, EASY_POST } kind;
    CURLU *url; /* what curl makes of url_text */
    struct px_buf url_text;
    struct px_http_head head; /* buffers, lent to the call */
    struct curl_slist connect_to;
    char connect[48];
    char words[CURL_ERROR_SIZE];
};
struct px_http_easy *px_http_easy_take(struct px_http *http);
/** Give it back; it is out of the multi then. */
void px_http_easy_give(struct px_http_easy *easy);
void px_http_easies_destroy(struct px_http *http);
/** Set it up for the hop that `call` is about to make. */
PX_MUSTCHECK int px_http_easy_prepare(struct px_http_easy *easy, struct px_http_call *call);

/* ---- requests ---- */

enum px_http_class { LINE_PLAIN, LINE_CONTENT, LINE_PERSONAL, LINE_CREDENTIAL };
struct px_http_line {
    char *text; /* "Name: value" */
    enum px_http_class class
        ; /* CONTENT goes with the body; PERSONAL and CREDENTIAL stay at the first origin */
};

enum px_http_state { CALL_WAITING, CALL_RESOLVING, CALL_READY, CALL_RUNNING, CALL_ENDED };
enum px_http_phase { PHASE_WAIT, PHASE_CONNECT, PHASE_FIRST_BYTE, PHASE_BODY };
enum px_http_verdict { VERDICT_NONE, VERDICT_ANSWER, VERDICT_FOLLOW, VERDICT_REFUSED };

struct px_http_call {
    struct px_op op;
    struct px_http *http;
    px_http_cb cb;
    void *user;
    enum px_http_state state;
    struct px_list_node node; /* waiting, ready, or (running) all the others */
    struct px_arena arena;
    struct px_egress *egress;

    /* what was asked */
    px_str method, body;
    struct px_http_line *lines; /* of headers, in the arena */
    size_t n_lines;
    unsigned has; /* which of the headers that http_out.c knows */
    bool safe;    /* safe: the method (RFC 9110 §9.2.1) */
    enum px_http_frame frame_kind;
    enum px_http_redirects redirects;
    uint32_t max_redirects;
    struct px_http_timeouts timeouts;
    uint64_t max_bytes;
    bool fresh, url_secret, secret;

    /* the hop */
    struct px_url url;
    px_str first_origin;
    bool left_origin, body_dropped;
    px_pair *visited; /* method and URL of each hop that was made */
    struct px_http_pin *pin;
    struct px_op *dns;
    bool resolving_proxy;
    struct px_addr dial[PX_HTTP_PIN_ADDRS]; /* what curl may connect to */
    size_t n_dial;
    struct px_http_easy *easy;
    struct curl_slist *resolve;
    bool leaving; /* the request of this hop may have left */
    bool refused; /* the guard refused an address while connecting */
    bool resent;  /* and left once more */
    bool again;   /* curl was about to send it once too often */
    bool too_large, no_memory, io_failed;
    int head_failed;
    bool discard; /* the body of a redirect */
    uint64_t discarded;
    uint64_t got; /* bytes of the body */
    struct px_http_head head;
    enum px_http_verdict verdict;
    struct px_url next;

    /* the answer */
    struct px_http_result result;
    struct px_buf body_in;
    uint64_t announced; /* the length of the body; 0: not known */
    struct px_pieces pieces;
    struct px_work work; /* deliver */
    size_t undelivered;
    bool head_due, paused, held, delivering, cancelled;
    uint32_t holds; /* of the result, behind END; with the last one it all goes */
    char why[512];

    /* time */
    struct px_timer timer;
    enum px_http_phase phase;
    uint64_t began_ns, hop_ns, phase_ns, upload_seen;
};

extern const struct px_op_kind px_http_call_kind;
/** Make the first hop, or the next. */
void px_http_call_begin(struct px_http_call *call);
/** Leave the easy handle, the pin, the look-up. */
void px_http_call_detach(struct px_http_call *call);
/** It is over: END will come. */
void px_http_call_end(struct px_http_call *call, enum px_http_fail fail, const char *why);
/** The same, with words made for it: "host: …". */
void px_http_call_endf(struct px_http_call *call, enum px_http_fail fail, const char *format, ...)
    PX_PRINTF(3, 4);
/** Its transfer has ended: what follows? */
void px_http_call_done(struct px_http_call *call, CURLcode code);
void px_http_call_free(struct px_http_call *call);

/** Look whether more may be handed to curl, or begun. */
void px_http_admit_post(struct px_http *http);
void px_http_admit(void *http);
/** The headers that leave with this hop. */
PX_MUSTCHECK int px_http_out_headers(struct px_http_call *call, struct curl_slist **ret);
PX_MUSTCHECK int px_http_out_init(struct px_http *http, const char *agent);
/** Check and copy the headers of the request. -EINVAL with words. */
PX_MUSTCHECK int px_http_out_copy(struct px_http_call *call, const struct px_http_req *req,
                                  struct px_err *err);
/** Decide about a redirect when the head of an answer is there. Fills call->next, or call->result.fail and call->why. */
enum px_http_verdict px_http_redirect_decide(struct px_http_call *call);
/** What the next hop asks for, after VERDICT_FOLLOW. */
void px_http_redirect_turn(struct px_http_call *call);

/** Words and kind of failure of a transfer that curl ended. */
void px_http_words(struct px_http_call *call, CURLcode code);
void px_http_time_words(struct px_http_call *call, const char *which);

void px_http_deliver_post(struct px_http_call *call);
void px_http_deliver(void *call);

/** The phase changes; begins to count anew. */
void px_http_time_phase(struct px_http_call *call, enum px_http_phase phase);
/** A byte of the body came, or it was resumed. */
static inline void px_http_time_byte(struct px_http_call *call);
/** From the request's beginning. */
void px_http_time_init(struct px_http_call *call);

/* ---- URLs that were read before ---- */

enum { PX_HTTP_URLS = 64 };
struct px_http_memo;
/** px_url_parse, or what it said about the same text not long ago. One that holds a secret is not kept. */
PX_MUSTCHECK int px_http_url(struct px_http *http, struct px_arena *arena, px_str raw, bool secret,
                             struct px_url *ret, struct px_err *err);
void px_http_urls_destroy(struct px_http *http);

/** A file as it was when it was read. No padding: compared as bytes. */
struct px_http_file {
    uint64_t dev, ino, size;
    int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

/* ---- curl on the loop ---- */

struct px_http_sock {
    struct px_io *io;
    struct px_http *http;
    int fd;
    uint32_t wanted; /* 0: curl does not care about it now */
};
/* A socket that was made for curl; the number may be another's by now: its inode tells. */
struct px_http_own {
    uint64_t trust, ino;
};
struct px_http {
    struct px_loop *loop;
    struct px_dns *dns;
    struct px_scope *scope;
    CURLM *multi;
    char *agent, *encoding; /* header lines */
    char *ca_file;
    bool ca_usual; /* nobody named it */
    struct px_http_file ca_seen;
    struct x509_store_st *store;
    uint32_t max_running, max_waiting, max_connections;
    uint64_t serial;

    struct px_http_sock **socks; /* by descriptor */
    struct px_http_own *owns;    /* by descriptor, too */
    size_t sock_room;
    struct px_timer timer;
    struct px_work kick, admit;
    bool io_failed;       /* a socket of some call could not be watched */
    struct px_work sweep; /* http_idle.c */
    struct px_timer prune;
    bool prune_again;
    CURL *pruner; /* in the multi; NULL: not now */

    struct px_list_node calls; /* those that neither wait nor are ready */
    struct px_list_node waiting, ready;
    uint32_t running, n_waiting;
    struct px_list_node idle; /* easy handles */
    uint32_t n_idle;
    struct px_list_node trusts;
    struct px_map pins;
    struct px_list_node pin_lru; /* the longest unused first */
    struct curl_slist *unload;   /* addresses that curl is to forget */
    unsigned char random[512];
    size_t random_left;
    struct px_http_memo *urls[PX_HTTP_URLS];
    struct px_http_stats stats;
};
PX_MUSTCHECK int px_http_multi_create(struct px_http *http, struct px_err *err);
void px_http_multi_destroy(struct px_http *http);
/** Hand a transfer to curl. -ENOMEM. */
PX_MUSTCHECK int px_http_multi_add(struct px_http *http, struct px_http_easy *easy);
void px_http_multi_remove(struct px_http *http, struct px_http_easy *easy);
/** For CURLOPT_OPENSOCKETFUNCTION, when the socket is there, and CURLOPT_CLOSESOCKETFUNCTION. */
PX_MUSTCHECK int px_http_multi_opened(struct px_http *http, int fd, uint64_t trust);
void px_http_multi_closing(struct px_http *http, int fd);

/* ---- connections that nobody will use any more ---- */

void px_http_idle_init(struct px_http *http);
void px_http_idle_finish(struct px_http *http);
/** For px_egress_keeper: whoever had this egress has ended. */
void px_http_idle_alone(struct px_egress_keeper *keeper);
/** A connection that is kept open was closed by the other side: curl is made to look, soon. */
void px_http_idle_died(struct px_http *http);
/** A transfer of ours has ended. */
void px_http_idle_pruned(struct px_http *http);

static inline void px_http_time_byte(struct px_http_call *call) {
    call->phase_ns = px_loop_now(call->http->loop);
}

#endif
