/* dns.h: names to addresses, on the loop, with c-ares.
 *
 * Answers are kept for their TTL (5 s to 1 h; an answer for one family while the other failed, 1 min at most; "no such name" and "no
 * addresses" 5 to 60 s, after their SOA; timeouts and server failures 1 s, so that a dead server is not asked by every call). Look-ups of one
 * name that run at the same time are one. The hosts file and resolv.conf are read again when they have changed (a look at most once a second).
 * `localhost` and what ends in `.localhost` is loopback and never asked for (RFC 6761 §6.3), nor is `.onion` (RFC 7686). IP literals are
 * answered as they are.
 *
 * Both families are asked for; one that fails, or is 200 ms later than the other, does not keep the look-up. A name with as many dots as
 * resolv.conf's `ndots` (1), or with a final dot, is asked for as it is and no other way; one with fewer dots as it is and then with the domains of
 * the search list behind it; one without a dot with the search list first.
 *
 * Loop thread only; never blocks; never starts a thread. */
#ifndef PX_NET_DNS_H
#define PX_NET_DNS_H

#include "net/addr.h"
#include "reactor/op.h"

struct px_loop;
struct px_dns;

struct px_dns_opts {
    struct px_loop *loop;
    const char *servers; /* "127.0.0.1:5353,[::1]:53", in their order, at most 8; NULL: as resolv.conf says */
    /* "a.example b.example", at most 8; NULL: as resolv.conf says, or none when `servers` are given */
    const char *search;
    const char *resolv_conf; /* NULL: /etc/resolv.conf; not read when `servers` are given */
    const char *hosts_file;  /* NULL: /etc/hosts */
    uint32_t timeout_ms;     /* of a whole look-up; 0: 5,000 */
    uint32_t max_names;      /* kept; 0: 4,096; the one that was used longest ago goes */
};
/** All is copied. -EINVAL with words that name the part; -ENOMEM. */
PX_MUSTCHECK int px_dns_create(const struct px_dns_opts *opts, struct px_dns **ret, struct px_err *err);
/** No look-up is wanted any more (their scopes have closed). Clears *dns; NULL is fine. */
void px_dns_destroy(struct px_dns **dns);
/** Other servers or limits (`loop` stays); the cache is emptied, look-ups that run go on. On failure nothing has changed. */
PX_MUSTCHECK int px_dns_configure(struct px_dns *dns, const struct px_dns_opts *opts, struct px_err *err);

enum { PX_DNS_ADDRS = 16 };
struct px_dns_answer {
    int status; /* 0; -ENOENT: no such name, or it has no addresses; -ETIMEDOUT; -EIO: the servers fail, refuse, or answer nonsense; -EINVAL: not a name; -ENOMEM */
    const char *why; /* of a failure: one sentence that names the host */
    /* port 0; IPv6 and IPv4, what is worth trying first first (RFC 6724): IPv6, unless there is no route */
    const struct px_addr *addrs;
    size_t n;
    uint64_t expires_ns; /* of the loop's clock */
    bool cached;
};
/** Runs at most once, from the loop, never inside px_dns_resolve. `answer` lives until it returns. */
typedef void (*px_dns_cb)(void *user, const struct px_dns_answer *answer);
/** `host`: without brackets. -ENOMEM, -ESHUTDOWN, -EAGAIN: 1,024 names are being looked up. */
PX_MUSTCHECK int px_dns_resolve(struct px_dns *dns, struct px_scope *scope, px_str host, px_dns_cb cb,
                                void *user, struct px_op **ret_op, struct px_err *err);
/** Forget what is kept of a name: a connection to its address has failed. */
void px_dns_forget(struct px_dns *dns, px_str host);

struct px_dns_stats {
    uint64_t asked, hits, coalesced, failed;
    uint32_t names, running; /* kept; being looked up */
};
void px_dns_stats_get(const struct px_dns *dns, struct px_dns_stats *ret);

#endif
