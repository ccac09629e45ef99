#include "net/http_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *px_http_fail_name(enum px_http_fail fail) {
    static const char *const names[] = {"ok",        "bad_request", "forbidden", "no_name", "dns",
                                        "connect",   "tls",         "timeout",   "reset",   "protocol",
                                        "too_large", "redirects",   "busy",      "internal"};
    return (size_t)fail < PX_COUNT(names) ? names[fail] : "internal";
}

static void say(struct px_http_call *call, enum px_http_fail fail, const char *format, ...) PX_PRINTF(3, 4);
static void say(struct px_http_call *call, enum px_http_fail fail, const char *format, ...) {
    char words[sizeof call->why];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    call->result.fail = fail;
    snprintf(call->why, sizeof call->why, "%.*s: %.250s", (int)PX_MIN(call->url.host.n, (uint64_t)253),
             call->url.host.p ? call->url.host.p : "", words);
}

/* What OpenSSL said, without our own name for the host. */
static const char *tls_detail(struct px_http_call *call) {
    char *words = call->easy->words, *end = strstr(words, " in connection to ");
    if (end)
        *end = 0;
    return words[0] ? words : "no reason was given";
}

static void tls_words(struct px_http_call *call) {
    long verify = 0;
    curl_easy_getinfo(call->easy->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
    const char *meaning = px_http_verify_words(verify);
    if (meaning)
        say(call, PX_HTTP_TLS, "%s (%s)", meaning, px_http_verify_detail(verify));
    else if (strstr(call->easy->words, "subject name") || strstr(call->easy->words, "matches target"))
        say(call, PX_HTTP_TLS, "the certificate is for another host");
    else
        say(call, PX_HTTP_TLS, "no TLS connection: %s", tls_detail(call));
}

static void connect_words(struct px_http_call *call) {
    char text[PX_ADDR_TEXT] = "";
    long code = 0;
    curl_easy_getinfo(call->easy->curl, CURLINFO_OS_ERRNO, &code);
    if (call->n_dial)
        px_addr_text(&call->dial[0], text);
    say(call, PX_HTTP_CONNECT, "no connection to %s port %u%s: %s", text, px_addr_port(&call->dial[0]),
        call->n_dial > 1 ? ", nor to its other addresses" : "",
        code ? strerror((int)code) : "it does not answer");
}

/* Whether it ended with what the proxy answered to CONNECT. */
static bool proxy_words(struct px_http_call *call) {
    long code = 0;
    if (call->leaving || !call->pin->trust->proxy)
        return false;
    curl_easy_getinfo(call->easy->curl, CURLINFO_HTTP_CONNECTCODE, &code);
    if (code < 300)
        return false;
    if (code == 407)
        say(call, PX_HTTP_CONNECT,
            "the proxy asks for credentials (407); it has to let this host through without any");
    else
        say(call, PX_HTTP_CONNECT, "the proxy does not lead there: it answered %ld", code);
    return true;
}

static void cut_words(struct px_http_call *call, const char *what) {
    if (proxy_words(call))
        return;
    if (!call->leaving)
        say(call, PX_HTTP_CONNECT, "the connection ended before anything could be sent (%s)", what);
    else if (!call->head.status)
        say(call, PX_HTTP_RESET, "the connection ended before an answer came (%s)%s", what,
            call->result.reused ? "; it was one that had been used before" : "");
    else
        say(call, PX_HTTP_RESET, "the connection ended in the middle of the answer (%s)", what);
}

/* What we ended ourselves, inside a callback. */
static bool own_words(struct px_http_call *call) {
    if (call->no_memory)
        say(call, PX_HTTP_INTERNAL, "no memory for the answer");
    else if (call->too_large)
        say(call, PX_HTTP_TOO_LARGE, "the answer is larger than %llu bytes",
            (unsigned long long)call->max_bytes);
    else if (call->head_failed == -E2BIG)
        say(call, PX_HTTP_PROTOCOL, "the answer has more than %d headers, or %d bytes of them",
            PX_HTTP_HEADERS, PX_HTTP_HEADER_BYTES);
    else if (call->head_failed == -EBADMSG)
        say(call, PX_HTTP_PROTOCOL, "the answer has a Content-Length that is none, or more than one");
    else if (call->head_failed)
        say(call, PX_HTTP_PROTOCOL, "what came does not begin like an HTTP answer");
    else if (call->again)
        say(call, PX_HTTP_RESET,
            "the connection ended before an answer came; it was one that had been used before, and "
            "the request is not sent again");
    else if (call->refused) {
        char guard[256];
        px_str_copy(guard, sizeof guard, px_str_of(call->why));
        call->http->stats.refused++;
        say(call, PX_HTTP_FORBIDDEN, "%s", guard);
    } else {
        return false;
    }
    return true;
}

static void other_words(struct px_http_call *call, CURLcode code) {
    const char *words = call->easy->words;
    bool chunked = strstr(words, "chunk") != NULL, alert = strstr(words, "alert") != NULL;
    switch (code) {
    case CURLE_OK: cut_words(call, "inside its headers"); break;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY: connect_words(call); break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT: tls_words(call); break;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (chunked)
            say(call, PX_HTTP_PROTOCOL, "the body is not cut into chunks as it should be");
        else if (alert)
            say(call, PX_HTTP_TLS, "the TLS connection was refused: %s", tls_detail(call));
        else
            cut_words(call, curl_easy_strerror(code));
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: cut_words(call, curl_easy_strerror(code)); break;
    case CURLE_HTTP2_STREAM: cut_words(call, words[0] ? words : curl_easy_strerror(code)); break;
    case CURLE_BAD_CONTENT_ENCODING: say(call, PX_HTTP_PROTOCOL, "the body is not encoded as it says"); break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: say(call, PX_HTTP_PROTOCOL, "what came is not HTTP"); break;
    case CURLE_WRITE_ERROR:
    case CURLE_HTTP2:
        say(call, PX_HTTP_PROTOCOL, "the answer is broken (%s)", curl_easy_strerror(code));
        break;
    case CURLE_OUT_OF_MEMORY: /* curl also says so of a header over its limit of 100 KB */
        if (call->leaving && !call->head.done)
            say(call, PX_HTTP_PROTOCOL, "the answer has a header that is too long");
        else
            say(call, PX_HTTP_INTERNAL, "no memory for the answer");
        break;
    default: say(call, PX_HTTP_INTERNAL, "%s", curl_easy_strerror(code)); break;
    }
}

void px_http_words(struct px_http_call *call, CURLcode code) {
    if (own_words(call))
        return;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        px_http_time_words(call, call->leaving ? "total" : "connect");
        return;
    }
    other_words(call, code);
}

static void duration(uint64_t ns, char to[32]) {
    if (ns % PX_S == 0)
        snprintf(to, 32, "%llu s", (unsigned long long)(ns / PX_S));
    else
        snprintf(to, 32, "%llu ms", (unsigned long long)(ns / PX_MS));
}

void px_http_time_words(struct px_http_call *call, const char *which) {
    char text[32];
    call->result.timeout = which;
    if (strcmp(which, "connect") == 0) {
        duration(call->timeouts.connect_ns, text);
        say(call, PX_HTTP_TIMEOUT, "no connection within %s", text);
    } else if (strcmp(which, "first_byte") == 0) {
        duration(call->timeouts.first_byte_ns, text);
        say(call, PX_HTTP_TIMEOUT, "no answer began within %s", text);
    } else if (strcmp(which, "idle") == 0) {
        duration(call->timeouts.idle_ns, text);
        say(call, PX_HTTP_TIMEOUT, "the answer stopped in the middle: nothing came for %s", text);
    } else {
        duration(call->timeouts.total_ns, text);
        say(call, PX_HTTP_TIMEOUT, "it was not done within %s", text);
    }
}
