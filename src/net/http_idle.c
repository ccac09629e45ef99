/* Connections that curl keeps open though nobody will use them any more: those of an instance that has ended (a reload replaced it), and those
 * that the other side has closed. curl looks for what is dead when a transfer begins, once a second at most, and has no call that closes
 * a connection. So the socket is shut down, and a little later a transfer to nowhere begins, which ends before anything is resolved. */
#include "net/http_private.h"
#include <sys/socket.h>
#include <sys/stat.h>

enum { PRUNE_MS = 1100 };

static int nowhere(void *state, void *reserved, void *user) {
    (void)state;
    (void)reserved;
    (void)user;
    return 1;
}

void px_http_idle_pruned(struct px_http *http) {
    CURL *curl = px_take(&http->pruner);
    curl_multi_remove_handle(http->multi, curl);
    curl_easy_cleanup(curl);
}

static void on_prune(void *user) {
    struct px_http *http = user;
    if (http->prune_again) /* curl may have looked right before */
        px_timer_arm_in(&http->prune, PRUNE_MS * PX_MS);
    http->prune_again = false;
    CURL *curl = http->pruner ? NULL : curl_easy_init();
    if (!curl)
        return;
    bool failed = curl_easy_setopt(curl, CURLOPT_URL, "http://px.invalid/") ||
                  curl_easy_setopt(curl, CURLOPT_RESOLVER_START_FUNCTION, nowhere) ||
                  curl_easy_setopt(curl, CURLOPT_PROXY, "") || curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") ||
                  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (failed || curl_multi_add_handle(http->multi, curl))
        curl_easy_cleanup(curl);
    else
        http->pruner = curl;
}

void px_http_idle_died(struct px_http *http) {
    http->prune_again = http->prune.armed;
    if (!http->prune.armed)
        px_timer_arm_in(&http->prune, PRUNE_MS * PX_MS);
}

static void shut(struct px_http *http, uint64_t trust) {
    struct stat st;
    for (size_t fd = 0; fd < http->sock_room; fd++) {
        struct px_http_own *own = &http->owns[fd];
        if (own->trust != trust)
            continue;
        if (!fstat((int)fd, &st) && S_ISSOCK(st.st_mode) && st.st_ino == own->ino)
            shutdown((int)fd, SHUT_RDWR);
        *own = (struct px_http_own){0};
    }
}

/* Handles that wait for their next request hold copies of the client's key. */
static void forget_keys(struct px_http *http, const struct px_http_trust *trust) {
    PX_LIST_EACH (node, &http->idle) {
        struct px_http_easy *easy = px_list_entry(node, struct px_http_easy, node);
        if (!easy->cert || easy->trust_serial != trust->serial)
            continue;
        curl_easy_setopt(easy->curl, CURLOPT_SSLCERT_BLOB, NULL);
        curl_easy_setopt(easy->curl, CURLOPT_SSLKEY_BLOB, NULL);
        easy->cert = false;
        easy->trust_serial = 0;
    }
}

static void on_sweep(void *user) {
    struct px_http *http = user;
    PX_LIST_EACH_SAFE (node, &http->trusts) {
        struct px_http_trust *trust = px_list_entry(node, struct px_http_trust, node);
        if (!px_egress_is_alone(trust->egress))
            continue;
        shut(http, trust->serial);
        forget_keys(http, trust);
        px_http_pins_forget(http, trust); /* the trust goes with the last */
        px_http_idle_died(http);
    }
}

void px_http_idle_alone(struct px_egress_keeper *keeper) {
    struct px_http *http = px_container_of(keeper, struct px_http_trust, keeper)->http;
    px_work_post(http->loop, &http->sweep);
}

void px_http_idle_init(struct px_http *http) {
    px_work_init(&http->sweep, "net/http", on_sweep, http);
    px_timer_init(&http->prune, http->loop, "net/http", on_prune, http);
}

void px_http_idle_finish(struct px_http *http) {
    px_work_cancel(&http->sweep);
    px_timer_disarm(&http->prune);
    if (http->pruner)
        px_http_idle_pruned(http);
}
