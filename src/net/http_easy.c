#include "net/http_private.h"
#include <assert.h>
#include <sys/socket.h>

/* Options that are the same for all requests are set once; the others only when they are not what they were for the last
 * request of this handle. */

enum { IDLE_MAX = 128, PRESET_MAX = 256 * 1024, DISCARD_MAX = 64 * 1024, URL_KEPT = 1024 };

/* ---- what curl calls back; none of it calls further out ---- */

/* There is nothing to be resolved: curl was given the addresses. Were it to try, it would start a thread. */
static int on_resolve(void *state, void *reserved, void *user) {
    (void)state;
    (void)reserved;
    (void)user;
    return 1;
}

static bool may_dial(struct px_http_call *call, const struct px_addr *addr) {
    struct px_err err = {0};
    bool pinned = false;
    for (size_t i = 0; !pinned && i < call->n_dial; i++)
        pinned = px_addr_same_host(&call->dial[i], addr);
    if (!pinned)
        px_err_set(&err, -EACCES, "an address that was not asked for");
    else if (call->pin->trust->proxy ? !px_egress_check_proxy(call->egress, addr, &err)
                                     : !px_egress_check_addr(call->egress, &call->url, addr, &err))
        return true;
    if (!call->refused)
        px_str_copy(call->why, sizeof call->why, px_str_of(err.msg));
    call->refused = true;
    return false;
}

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *to) {
    struct px_http_easy *easy = user;
    struct px_addr addr;
    if (purpose != CURLSOCKTYPE_IPCXN || !easy->call || px_addr_of(&to->addr, to->addrlen, &addr) ||
        !may_dial(easy->call, &addr))
        return CURL_SOCKET_BAD;
    px_http_pin_dialled(easy->call->pin, &addr);
    easy->http->stats.connections++;
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
    if (fd < 0 || !px_http_multi_opened(easy->http, fd, easy->call->pin->trust->serial))
        return fd < 0 ? CURL_SOCKET_BAD : fd;
    close(fd);
    return CURL_SOCKET_BAD;
}

static int on_close(void *user, curl_socket_t fd) {
    px_http_multi_closing(user, fd);
    return close(fd);
}

/* The request is about to leave, over a new connection or one that was there. */
static int on_leave(void *user, char *peer, char *local, int port, int local_port) {
    (void)local;
    (void)local_port;
    struct px_http_easy *easy = user;
    struct px_http_call *call = easy->call;
    struct px_addr addr;
    /* curl sends it again when a connection that was used before dies: as often as there are such connections. */
    if (call->leaving && (!call->safe || call->resent)) {
        call->again = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (px_addr_parse(px_str_of(peer), (uint16_t)port, &addr) || !may_dial(call, &addr))
        return CURL_PREREQFUNC_ABORT;
    px_str_copy(call->result.peer, sizeof call->result.peer, px_str_of(peer));
    if (easy->pin_id == call->pin->id && easy->pin_generation == call->pin->generation)
        call->pin->loaded = call->pin->loaded || call->resolve;
    call->resent = call->leaving;
    call->leaving = call->result.sent = true;
    px_http_time_phase(call, PHASE_FIRST_BYTE);
    return CURL_PREREQFUNC_OK;
}

/* The head of an answer is complete. False: that is enough. */
static bool look_at_head(struct px_http_call *call) {
    uint64_t length;
    call->head_failed = px_http_head_length(&call->head, &length);
    if (call->head_failed)
        return false;
    call->result.http_version = call->head.version;
    call->result.url = call->url.text;
    call->verdict = px_http_redirect_decide(call);
    call->result.headers = px_http_head_copy(&call->head, &call->arena, &call->result.n_headers);
    if (!call->result.headers && call->result.n_headers) {
        call->result.n_headers = 0;
        call->no_memory = true;
        return false;
    }
    if (call->verdict != VERDICT_ANSWER)
        return true;
    if (call->frame_kind != PX_HTTP_WHOLE) {
        call->head_due = true;
        px_http_deliver_post(call);
        return true;
    }
    /* Then the length is of what does not come. */
    bool bare = px_str_is(call->method, "HEAD") || call->head.status == 304;
    call->too_large = !bare && length != UINT64_MAX && length > call->max_bytes;
    if (!bare && length != UINT64_MAX && !call->too_large) {
        call->announced = length;
        (void)px_buf_room(&call->body_in, (size_t)PX_MIN(length, (uint64_t)PRESET_MAX));
    }
    return !call->too_large;
}

static size_t on_header(char *line, size_t size, size_t n, void *user) {
    struct px_http_call *call = ((struct px_http_easy *)user)->call;
    (void)size;
    px_http_time_byte(call);
    int r = px_http_head_line(&call->head, px_str_n(line, n));
    if (call->phase == PHASE_FIRST_BYTE && call->head.status >= 200)
        px_http_time_phase(call, PHASE_BODY);
    if (call->head.status >= 200)
        call->result.status = call->head.status;
    if (r < 0) {
        call->no_memory = r == -ENOMEM;
        call->head_failed = r;
        return 0;
    }
    return r == 0 || look_at_head(call) ? n : 0;
}

static size_t keep_whole(struct px_http_call *call, px_str bytes) {
    if (bytes.n > call->max_bytes - call->body_in.n) {
        call->too_large = true;
        return 0;
    }
    /* Who has sent a good part of what was announced is believed: growing as it comes would copy it again and again. */
    uint64_t got = call->body_in.n + bytes.n;
    if (got > PRESET_MAX && got < call->announced)
        (void)px_buf_room(&call->body_in, (size_t)(call->announced - call->body_in.n));
    if (!px_buf_str(&call->body_in, bytes))
        return bytes.n;
    call->no_memory = true;
    return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *user) {
    enum { IN_FLIGHT = 64 * 1024 };
    struct px_http_call *call = ((struct px_http_easy *)user)->call;
    (void)size;
    px_http_time_byte(call);
    if (call->frame_kind == PX_HTTP_WHOLE && call->verdict != VERDICT_FOLLOW)
        return keep_whole(call, px_str_n(p, n));
    if (call->verdict != VERDICT_ANSWER) { /* read what is short, so that the connection can be used again */
        call->discarded += n;
        return call->discarded > DISCARD_MAX ? 0 : n;
    }
    if (call->undelivered >= IN_FLIGHT) {
        call->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (px_pieces_feed(&call->pieces, px_str_n(p, n))) {
        call->no_memory = true;
        return 0;
    }
    call->undelivered += n;
    px_http_deliver_post(call);
    return n;
}

static CURLcode on_tls(CURL *curl, void *ctx, void *user) {
    (void)curl;
    const struct px_http_easy *easy = user;
    return easy->call && !px_http_trust_use(easy->call->pin->trust, ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* ---- options ---- */

#define SET(option, value) (failed |= curl_easy_setopt(curl, CURLOPT_##option, value) != CURLE_OK)

static bool set_always(struct px_http_easy *easy) {
    CURL *curl = easy->curl;
    bool failed = false;
    SET(PRIVATE, easy);
    SET(ERRORBUFFER, easy->words);
    SET(NOSIGNAL, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(REDIR_PROTOCOLS_STR, "https");
    SET(FOLLOWLOCATION, 0L);
    SET(PATH_AS_IS, 1L); /* url.h has made it what it is */
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(HTTP09_ALLOWED, 0L);
    SET(ACCEPT_ENCODING, "");           /* decode; what is said is in http_out.c */
    SET(UPLOAD_BUFFERSIZE, 16 * 1024L); /* with TLS each request takes one: 64 KB to be found, and wiped */
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(CAINFO, NULL); /* ours is put in place by on_tls */
    SET(PROXY_CAINFO, NULL);
    SET(PROXY_CAPATH, NULL);
    SET(SSL_CTX_FUNCTION, on_tls);
    SET(SSL_CTX_DATA, easy);
    SET(RESOLVER_START_FUNCTION, on_resolve);
    SET(DNS_CACHE_TIMEOUT, -1L);
    SET(OPENSOCKETFUNCTION, on_open);
    SET(OPENSOCKETDATA, easy);
    SET(CLOSESOCKETFUNCTION, on_close);
    SET(CLOSESOCKETDATA, easy->http);
    SET(PREREQFUNCTION, on_leave);
    SET(PREREQDATA, easy);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, easy);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, easy);
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    SET(PROXY, "");
    SET(NOPROXY, "*");
    SET(TCP_KEEPALIVE, 1L);
    return !failed;
}

static bool set_trust(struct px_http_easy *easy, const struct px_http_trust *trust) {
    CURL *curl = easy->curl;
    px_str cert = px_egress_cert_pem(trust->egress), key = px_egress_key_pem(trust->egress);
    bool failed = false, proxied = trust->proxy != NULL;
    /* curl shares a TLS connection, and its sessions, among handles with the same CAPATH; there is nothing in this one. */
    SET(CAPATH, trust->tag);
    if (cert.n || easy->cert) {
        struct curl_blob cert_blob = {(void *)(uintptr_t)cert.p, cert.n, CURL_BLOB_COPY};
        struct curl_blob key_blob = {(void *)(uintptr_t)key.p, key.n, CURL_BLOB_COPY};
        SET(SSLCERT_BLOB, cert.n ? &cert_blob : NULL);
        SET(SSLKEY_BLOB, key.n ? &key_blob : NULL);
    }
    easy->cert = cert.n > 0;
    if (proxied || easy->proxied) {
        SET(PROXY, proxied ? trust->proxy->text.p : "");
        SET(NOPROXY, proxied ? "" : "*");
    }
    easy->proxied = proxied;
    easy->trust_serial = failed ? 0 : trust->serial;
    return !failed;
}

static bool set_method(struct px_http_easy *easy, const struct px_http_call *call) {
    static const char *const with_body[] = {"POST", "PUT", "PATCH"};
    CURL *curl = easy->curl;
    bool failed = false, head = px_str_is(call->method, "HEAD");
    px_str body = call->body_dropped ? (px_str){0} : call->body;
    for (size_t i = 0; !body.p && i < PX_COUNT(with_body); i++)
        if (px_str_is(call->method, with_body[i]))
            body = PX_LIT("");
    int kind = head ? EASY_HEAD : body.p ? EASY_POST : EASY_GET;
    if (kind == EASY_POST) {
        SET(POST, 1L);
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        SET(POSTFIELDS, body.p);
    } else if (kind != (int)easy->kind) {
        if (easy->kind == EASY_HEAD)
            SET(NOBODY, 0L);
        SET(HTTPGET, 1L);
        if (head)
            SET(NOBODY, 1L);
    }
    easy->kind = (unsigned)kind;
    bool custom = !head && !px_str_is(call->method, kind == EASY_POST ? "POST" : "GET");
    if (custom || easy->custom)
        SET(CUSTOMREQUEST, custom ? call->method.p : NULL);
    easy->custom = custom;
    return !failed;
}

static bool set_pin(struct px_http_easy *easy, struct px_http_call *call) {
    CURL *curl = easy->curl;
    struct px_http_pin *pin = call->pin;
    bool failed = false;
    if (easy->pin_id != pin->id || easy->pin_generation != pin->generation) {
        memcpy(easy->connect, pin->connect, sizeof easy->connect);
        easy->connect_to = (struct curl_slist){easy->connect, NULL};
        SET(CONNECT_TO, pin->connect[0] ? &easy->connect_to : NULL);
        easy->pin_id = failed ? 0 : pin->id;
        easy->pin_generation = pin->generation;
    }
    easy->resolve = call->resolve != NULL;
    if (call->resolve)
        SET(RESOLVE, call->resolve);
    return !failed;
}

/* curl, given a text, parses it, writes it anew, and takes it to pieces for each request, which is a fifth of what a request
 * costs it. So it is given what it has parsed, which stays when the next request of this handle has the same URL. */
static int set_url(struct px_http_easy *easy, const struct px_http_call *call) {
    CURL *curl = easy->curl;
    px_str text = call->url.text;
    bool failed = false, keep = !call->url_secret && text.n <= URL_KEPT;
    if (px_str_eq(px_buf_view(&easy->url_text), text))
        return 0;
    px_buf_clear(&easy->url_text, SIZE_MAX);
    if (curl_url_set(easy->url, CURLUPART_URL, text.p, CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) != CURLUE_OK)
        return -ENOMEM;
    SET(URL, text.p); /* for what curl says of it */
    SET(CURLU, easy->url);
    return failed ? -ENOMEM : keep ? px_buf_str(&easy->url_text, text) : 0;
}

int px_http_easy_prepare(struct px_http_easy *easy, struct px_http_call *call) {
    CURL *curl = easy->curl;
    struct curl_slist *headers;
    bool failed = false;
    uint64_t connect_ms = PX_MAX(call->timeouts.connect_ns / PX_MS, 1);
    if (px_http_out_headers(call, &headers))
        return -ENOMEM;
    easy->call = call;
    easy->words[0] = 0;
    failed = set_url(easy, call) != 0;
    SET(HTTPHEADER, headers);
    if (easy->connect_ms != connect_ms) /* our own clock ends it; curl's shares it out among addresses */
        SET(CONNECTTIMEOUT_MS, (long)PX_MIN(connect_ms, (uint64_t)INT32_MAX));
    easy->connect_ms = connect_ms;
    if (easy->pipewait != call->url.https)
        SET(PIPEWAIT, (long)call->url.https);
    easy->pipewait = call->url.https;
    if (easy->fresh != call->fresh)
        SET(FRESH_CONNECT, (long)call->fresh);
    easy->fresh = call->fresh;
    if (easy->trust_serial != call->pin->trust->serial)
        failed |= !set_trust(easy, call->pin->trust);
    failed |= !set_method(easy, call) || !set_pin(easy, call);
    easy->broken = failed; /* who knows what it is set to */
    return failed ? -ENOMEM : 0;
}

/* ---- the pool ---- */

static void easy_free(struct px_http_easy *easy) {
    curl_easy_cleanup(easy->curl);
    curl_url_cleanup(easy->url);
    px_buf_finish(&easy->url_text);
    px_http_head_finish(&easy->head);
    free(easy);
}

struct px_http_easy *px_http_easy_take(struct px_http *http) {
    if (!px_list_empty(&http->idle)) {
        struct px_http_easy *easy = px_list_entry(http->idle.prev, struct px_http_easy, node);
        px_list_remove(&easy->node);
        http->n_idle--;
        return easy;
    }
    struct px_http_easy *easy = calloc(1, sizeof *easy);
    if (!easy)
        return NULL;
    easy->http = http;
    px_list_init(&easy->node);
    px_http_head_init(&easy->head);
    px_buf_init(&easy->url_text, URL_KEPT);
    easy->curl = curl_easy_init();
    easy->url = curl_url();
    if (!easy->curl || !easy->url || !set_always(easy)) {
        easy_free(easy);
        return NULL;
    }
    return easy;
}

void px_http_easy_give(struct px_http_easy *easy) {
    struct px_http *http = easy->http;
    assert(!easy->in_multi);
    easy->call = NULL;
    /* A request that ended before curl began it has left its addresses there, for the next one to read; and they are freed. */
    if (easy->resolve)
        curl_easy_setopt(easy->curl, CURLOPT_RESOLVE, NULL);
    easy->resolve = false;
    if (http->n_idle >= IDLE_MAX || easy->broken) {
        easy_free(easy);
        return;
    }
    px_list_add(&http->idle, &easy->node);
    http->n_idle++;
}

void px_http_easies_destroy(struct px_http *http) {
    while (!px_list_empty(&http->idle)) {
        struct px_http_easy *easy = px_list_entry(http->idle.next, struct px_http_easy, node);
        px_list_remove(&easy->node);
        easy_free(easy);
    }
}
