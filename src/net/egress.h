/* egress.h: where the requests of one service may go: the address guard.
 *
 * A *configured origin* stands literally in the configuration. It may be an address of any kind, when that stands there literally
 * (http://127.0.0.1:8080, http://localhost:8080); a configured *name* must resolve to public addresses, unless the service has
 * `allow_private`, which adds loopback, private and shared ones. Every other origin (an upstream's further hosts, a
 * redirect, a URL from an argument) must match a pattern of hosts and its ports, and is only ever connected to at public
 * addresses. Link-local, metadata, multicast, unspecified, reserved and translated addresses are never connected to, unless one
 * stands literally in the configuration (but for a configured name that DNS64 gives a public IPv4 address in 64:ff9b::/96); our own listeners are never. The name `localhost` (and `*.localhost`) in a configured
 * origin stands for loopback addresses as literally as 127.0.0.1 does.
 *
 * Both questions are asked again for every connection, new or reused, before a byte is sent. Immutable, counted. */
#ifndef PX_NET_EGRESS_H
#define PX_NET_EGRESS_H

#include "base/list.h"
#include "net/addr.h"
#include "net/url.h"

struct px_egress;

struct px_egress_conf {
    /* configured: "https://api.example.com"; parsed with px_url_parse; a path is left aside. At most 64 */
    const px_str *origins;
    size_t n_origins;
    /* patterns of other hosts: "uploads.example.com", "*.example.com" (any depth, not the domain itself),
     * "*"; at most 256 */
    const px_str *hosts;
    size_t n_hosts;
    const uint16_t *ports; /* allowed for `hosts`; none: 443, and 80 with plain_http */
    size_t n_ports;
    bool plain_http; /* http:// is allowed for `hosts` */
    bool allow_private;
    /* an http:// or https:// URL, literally configured; absent: none. With one, names are resolved here
     * all the same, and the guard looks at the target's addresses */
    px_str proxy;
    const char *ca_file;              /* PEM, trusted besides the system's; NULL: none. Read now */
    const char *cert_file, *key_file; /* client certificate and its key, PEM; NULL: none. Read now */
};
/** Everything is copied; files are read. -EINVAL with words that name the part. */
PX_MUSTCHECK int px_egress_create(const struct px_egress_conf *conf, struct px_egress **ret,
                                  struct px_err *err);
struct px_egress *px_egress_ref(struct px_egress *egress);
void px_egress_unref(struct px_egress *egress); /* NULL is fine */

/** Whoever keeps something for an egress beyond its requests (open connections) holds it so, and is told when nobody else does any more: whoever it was
 *  made for has ended. `alone` is called inside px_egress_unref, and ends nothing there. */
struct px_egress_keeper {
    struct px_list_node node;
    void (*alone)(struct px_egress_keeper *keeper);
};
void px_egress_keep(struct px_egress *egress, struct px_egress_keeper *keeper);
void px_egress_unkeep(struct px_egress *egress, struct px_egress_keeper *keeper);
/** Only keepers hold it. */
bool px_egress_is_alone(const struct px_egress *egress);

/** Whether this is a configured origin: credentials may go there. */
bool px_egress_configured(const struct px_egress *egress, const struct px_url *url);
/** May this URL be asked? -EACCES with words: what was refused, why, and which setting would allow it. */
PX_MUSTCHECK int px_egress_check_url(const struct px_egress *egress, const struct px_url *url,
                                     struct px_err *err);
/** May this address be connected to for that URL? Its port is the URL's, or 0 (not yet set). -EACCES with words. */
PX_MUSTCHECK int px_egress_check_addr(const struct px_egress *egress, const struct px_url *url,
                                      const struct px_addr *addr, struct px_err *err);
/** May this address be connected to as the proxy? Loopback, private and shared ones may: a proxy is always configured. The
 *  rest as above. */
PX_MUSTCHECK int px_egress_check_proxy(const struct px_egress *egress, const struct px_addr *addr,
                                       struct px_err *err);

/** What the files held; absent: none was named. They live as long as the egress; the key is wiped then. */
px_str px_egress_ca_pem(const struct px_egress *egress);
px_str px_egress_cert_pem(const struct px_egress *egress);
px_str px_egress_key_pem(const struct px_egress *egress);
/** "http://proxy.example:3128", parsed; NULL: none. */
const struct px_url *px_egress_proxy_url(const struct px_egress *egress);

/** Our own listeners: added when one is opened. A wildcard address stands for every address that
 *  this machine has then, with that port. Counted. -ENOSPC: 64. */
PX_MUSTCHECK int px_egress_own_add(const struct px_addr *addr);
void px_egress_own_remove(const struct px_addr *addr);

#endif
