#include "net/http_private.h"
#include <stdio.h>

/* curl keeps connections by the name they were made to, whatever address that had. So each host of each egress is given a
 * name of our own (CURLOPT_CONNECT_TO; SNI, certificate and Host stay the host's): connections of two egresses never mix,
 * plain or not, and when the addresses change so that an open connection could be to one that is gone, the name changes
 * too, and what was open under the old one is not found again. */

enum { IDLE_MINUTES = 10 };

static void forget_name(struct px_http *http, const struct px_http_pin *pin) {
    char entry[64];
    if (!pin->loaded || !pin->connect[0])
        return;
    snprintf(entry, sizeof entry, "-px%llu-%u:%u", (unsigned long long)pin->id, pin->generation, pin->port);
    struct curl_slist *more = curl_slist_append(http->unload, entry);
    if (more) /* else some bytes stay with curl */
        http->unload = more;
}

static void pin_free(struct px_http_pin *pin) {
    struct px_http *http = pin->trust->http;
    forget_name(http, pin);
    if (!pin->detached)
        px_map_remove(&http->pins, pin->key);
    px_list_remove(&pin->lru);
    px_http_trust_unref(pin->trust);
    free(pin);
}

/* The ones that nobody has asked for in a while; at least one, when the table is full. */
static void age(struct px_http *http, bool one_at_least) {
    PX_LIST_EACH_SAFE (node, &http->pin_lru) {
        struct px_http_pin *pin = px_list_entry(node, struct px_http_pin, lru);
        bool old = px_loop_now(http->loop) - pin->used_ns > IDLE_MINUTES * 60 * PX_S;
        if (!old && !one_at_least)
            return;
        if (pin->refs)
            continue;
        pin_free(pin);
        one_at_least = false;
    }
}

static void name_anew(struct px_http_pin *pin) {
    pin->generation++;
    pin->loaded = false;
    pin->n_dialled = 0;
    if (!pin->trust->proxy)
        snprintf(pin->connect, sizeof pin->connect, "::px%llu-%u:", (unsigned long long)pin->id,
                 pin->generation);
}

static struct px_http_pin *make(struct px_http *http, struct px_egress *egress, px_str key, uint16_t port,
                                struct px_err *err) {
    if (http->pins.n >= PX_HTTP_PINS)
        age(http, true);
    struct px_http_pin *pin = calloc(1, sizeof *pin + key.n);
    if (!pin || px_http_trust_get(http, egress, &pin->trust, err)) {
        if (!pin)
            px_err_set(err, -ENOMEM, "no memory for a request");
        free(pin);
        return NULL;
    }
    memcpy(pin->host, key.p, key.n);
    pin->key = px_str_n(pin->host, key.n);
    pin->id = ++http->serial;
    pin->port = port;
    px_list_init(&pin->lru);
    if (px_map_put(&http->pins, pin->key, pin, NULL)) {
        px_err_set(err, -ENOMEM, "too many hosts are being asked at once");
        px_http_trust_unref(pin->trust);
        free(pin);
        return NULL;
    }
    name_anew(pin);
    return pin;
}

int px_http_pin_get(struct px_http *http, struct px_egress *egress, const struct px_url *url,
                    struct px_http_pin **ret, struct px_err *err) {
    enum { FIRST = sizeof egress + sizeof url->port + 1 };
    char key[FIRST + 256];
    size_t n = PX_MIN(url->host.n, sizeof key - FIRST);
    memcpy(key, &egress, sizeof egress);
    memcpy(key + sizeof egress, &url->port, sizeof url->port);
    key[FIRST - 1] = url->https;
    memcpy(key + FIRST, url->host.p, n);
    px_str text = px_str_n(key, FIRST + n);
    struct px_http_pin *pin = px_map_get(&http->pins, text);
    if (!pin)
        pin = make(http, egress, text, url->port, err);
    if (!pin)
        return err && err->code ? err->code : -ENOMEM;
    pin->refs++;
    pin->used_ns = px_loop_now(http->loop);
    px_list_remove(&pin->lru);
    px_list_add(&http->pin_lru, &pin->lru);
    age(http, false);
    *ret = pin;
    return 0;
}

void px_http_pin_unref(struct px_http_pin *pin) {
    if (pin && --pin->refs == 0 && pin->detached)
        pin_free(pin);
}

static bool among(const struct px_addr *addrs, size_t n, const struct px_addr *addr) {
    for (size_t i = 0; i < n; i++)
        if (px_addr_same_host(&addrs[i], addr))
            return true;
    return false;
}

static bool all_among(const struct px_addr *some, size_t n_some, const struct px_addr *addrs, size_t n) {
    for (size_t i = 0; i < n_some; i++)
        if (!among(addrs, n, &some[i]))
            return false;
    return true;
}

void px_http_pin_set(struct px_http *http, struct px_http_pin *pin, const struct px_addr *addrs, size_t n) {
    if (n == pin->n_addrs && all_among(addrs, n, pin->addrs, n))
        return;
    /* Connections are to addresses that were dialled, or, while others are at it, may be to any that were pinned. */
    bool stale = !all_among(pin->dialled, pin->n_dialled, addrs, n) ||
                 (pin->refs > 1 && !all_among(pin->addrs, pin->n_addrs, addrs, n));
    if (stale) {
        forget_name(http, pin);
        name_anew(pin);
    }
    pin->loaded = false;
    pin->n_addrs = PX_MIN(n, (size_t)PX_HTTP_PIN_ADDRS);
    memcpy(pin->addrs, addrs, pin->n_addrs * sizeof *addrs);
}

void px_http_pin_dialled(struct px_http_pin *pin, const struct px_addr *addr) {
    if (among(pin->dialled, pin->n_dialled, addr))
        return;
    if (pin->n_dialled < PX_HTTP_PIN_ADDRS)
        pin->dialled[pin->n_dialled++] = *addr;
}

/* "name:443:192.0.2.1,[2001:db8::1]" */
int px_http_resolve_entry(px_str name, uint16_t port, const struct px_addr *addrs, size_t n,
                          struct curl_slist **list) {
    char entry[512 + PX_HTTP_PIN_ADDRS * (PX_ADDR_TEXT + 3)], text[PX_ADDR_TEXT];
    size_t at = (size_t)snprintf(entry, sizeof entry, PX_FMT ":%u:", PX_ARG(name), port);
    for (size_t i = 0; i < n && at < sizeof entry; i++) {
        px_addr_text(&addrs[i], text);
        bool v6 = addrs[i].any.sa_family == AF_INET6;
        at += (size_t)snprintf(entry + at, sizeof entry - at, "%s%s%s%s", i ? "," : "", v6 ? "[" : "", text,
                               v6 ? "]" : "");
    }
    if (at >= sizeof entry)
        return -EMSGSIZE;
    struct curl_slist *more = curl_slist_append(*list, entry);
    if (!more)
        return -ENOMEM;
    *list = more;
    return 0;
}

int px_http_pin_resolve(struct px_http *http, const struct px_http_pin *pin, struct curl_slist **ret) {
    struct curl_slist *list = px_take(&http->unload);
    px_str name = px_str_n(pin->connect + 2, strlen(pin->connect) - 3);
    int r = px_http_resolve_entry(name, pin->port, pin->addrs, pin->n_addrs, &list);
    if (r)
        http->unload = list;
    else
        *ret = list;
    return r;
}

void px_http_pins_forget(struct px_http *http, const struct px_http_trust *trust) {
    PX_LIST_EACH_SAFE (node, &http->pin_lru) {
        struct px_http_pin *pin = px_list_entry(node, struct px_http_pin, lru);
        if (pin->trust == trust && !pin->refs)
            pin_free(pin);
    }
}

void px_http_pins_drop(struct px_http *http) {
    PX_LIST_EACH_SAFE (node, &http->pin_lru) {
        struct px_http_pin *pin = px_list_entry(node, struct px_http_pin, lru);
        if (!pin->refs) {
            pin_free(pin);
        } else if (!pin->detached) {
            px_map_remove(&http->pins, pin->key);
            pin->detached = true;
        }
    }
}

void px_http_pins_destroy(struct px_http *http) {
    while (!px_list_empty(&http->pin_lru)) {
        struct px_http_pin *pin = px_list_entry(http->pin_lru.next, struct px_http_pin, lru);
        pin->loaded = false;
        pin_free(pin);
    }
    px_map_finish(&http->pins);
    curl_slist_free_all(http->unload);
}
