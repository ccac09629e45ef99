/* dns_private.h: for dns*.c.
 *
 *   dns.c ─ who asks (waiters), the two files, the settings
 *     ├─ dns_lookup  one name being looked up: candidates of the search list, both families, the time it may take
 *     │    ├─ dns_chan    c-ares on the loop
 *     │    ├─ dns_packet  what a server answered
 *     │    └─ dns_sort    which address first
 *     ├─ dns_cache   results, kept
 *     └─ dns_hosts   /etc/hosts
 */
#ifndef PX_NET_DNS_PRIVATE_H
#define PX_NET_DNS_PRIVATE_H

#include "base/map.h"
#include "net/dns.h"
#include "net/url_private.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include <ares.h>
#include <sys/stat.h>

enum { PX_DNS_NAME = PX_HOST_MAX + 2, PX_DNS_LOOKUPS = 1024, PX_DNS_QUERIES = 8192 };

/* ---- a file that may change ---- */

struct px_dns_stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
};
/** Of what is there now; zeros: nothing. */
struct px_dns_stamp px_dns_stamp_of(const char *path);
bool px_dns_stamp_same(const struct px_dns_stamp *a, const struct px_dns_stamp *b);

/* ---- results ---- */

/** What came out for a name; shared by the cache and by who waits for it. */
struct px_dns_result {
    unsigned refs;
    int status;
    const char *why; /* of a failure: a constant that follows the name in the sentence */
    uint64_t expires_ns;
    struct px_list_node used; /* in the cache: the longest unused first */
    bool kept;                /* by the cache */
    char name[PX_DNS_NAME];
    size_t n;
    struct px_addr addrs[];
};
/** One reference, the caller's. Never NULL: out of memory gives one that says so. */
struct px_dns_result *px_dns_result_create(px_str name, int status, const char *why,
                                           const struct px_addr *addrs, size_t n);
void px_dns_result_unref(struct px_dns_result *result);

struct px_dns_cache {
    struct px_map names;
    struct px_list_node used;
    uint32_t max;
};
void px_dns_cache_init(struct px_dns_cache *cache, uint32_t max);
void px_dns_cache_finish(struct px_dns_cache *cache);
void px_dns_cache_clear(struct px_dns_cache *cache);
/** Borrowed; NULL: not kept, or no longer good. */
struct px_dns_result *px_dns_cache_get(struct px_dns_cache *cache, px_str name, uint64_t now_ns);
/** Takes a reference of its own, if there is memory for it. */
void px_dns_cache_put(struct px_dns_cache *cache, struct px_dns_result *result);
void px_dns_cache_forget(struct px_dns_cache *cache, px_str name);

/* ---- hosts ---- */

struct px_dns_hosts {
    char *path;
    struct px_dns_stamp stamp;
    struct px_arena arena;
    struct px_map names; /* struct px_dns_host */
};
struct px_dns_host {
    struct px_dns_host *next; /* another address of the name */
    struct px_addr addr;
};
/** Reads nothing yet. -ENOMEM. */
PX_MUSTCHECK int px_dns_hosts_init(struct px_dns_hosts *hosts, const char *path);
void px_dns_hosts_finish(struct px_dns_hosts *hosts);
/** Read it when it has changed since. What cannot be read leaves what was there. */
void px_dns_hosts_look(struct px_dns_hosts *hosts);
/** In the order of the file; `to` has PX_DNS_ADDRS. */
size_t px_dns_hosts_find(const struct px_dns_hosts *hosts, px_str name, struct px_addr *to);

/* ---- answers ---- */

struct px_dns_reply {
    int status;      /* 0; -ENOENT; -EBADMSG; or what the query's end was */
    const char *why; /* see px_dns_result */
    bool no_name;    /* NXDOMAIN: of the name, not of the family */
    bool has_soa;    /* a negative answer said how long it holds */
    uint32_t ttl_s;  /* of addresses: the least on the way to them; of a negative answer: of its SOA */
    size_t n;
    struct px_addr addrs[PX_DNS_ADDRS];
};
/** Read a server's packet for A (AF_INET) or AAAA (AF_INET6): follow CNAMEs, collect addresses, or the SOA. Any bytes are
 *  fine. Sets all but `why`. */
void px_dns_packet_read(const uint8_t *packet, size_t size, int family, struct px_dns_reply *ret);

/** In the order in which they are worth trying (RFC 6724, rules 1, 5, 6; else as they came). */
void px_dns_sort(struct px_addr *addrs, size_t n);

/* ---- c-ares ---- */

/** A channel with its sockets and its timer. It lives until it is retired and unused, or destroyed. */
struct px_dns_chan {
    struct px_loop *loop;
    ares_channel ares;
    struct px_timer timer;
    struct px_work settle;      /* after c-ares did something: its next timeout, or its end */
    struct px_list_node socks;  /* struct sock */
    struct px_list_node in_dns; /* all that are alive */
    unsigned users;             /* look-ups, and queries that c-ares holds */
    bool retired;
    char *domains[8]; /* the search list */
    int n_domains, ndots;
};
PX_MUSTCHECK int px_dns_chan_create(const struct px_dns_opts *opts, struct px_list_node *all,
                                    struct px_dns_chan **ret, struct px_err *err);
void px_dns_chan_use(struct px_dns_chan *chan);
void px_dns_chan_unuse(struct px_dns_chan *chan);
/** No new look-ups; it goes when those that run have ended. */
void px_dns_chan_retire(struct px_dns_chan *chan);
/** At once: queries end with ARES_EDESTRUCTION. */
void px_dns_chan_destroy(struct px_dns_chan *chan);
/** The callback comes from c-ares, perhaps inside this call; it must do no more than note what it was told. */
void px_dns_chan_query(struct px_dns_chan *chan, const char *name, int family, ares_callback callback,
                       void *arg);

/* ---- look-ups ---- */

struct px_dns {
    struct px_loop *loop;
    char *servers, *search, *resolv_conf; /* NULL: not given */
    struct px_dns_chan *chan;
    struct px_list_node chans, lookups;
    struct px_map running; /* those that may be joined */
    uint32_t n_lookups;
    struct px_dns_cache cache;
    struct px_dns_hosts hosts;
    struct px_dns_stamp resolv;
    uint32_t timeout_ms;
    unsigned queries; /* that c-ares holds */
    uint64_t looked_ns;
    struct px_dns_stats stats;
};

/** Who waits for a name. */
struct px_dns_wait {
    struct px_op op;
    struct px_list_node node; /* among a look-up's waiters */
    struct px_work work;
    struct px_dns_result *result; /* there: work is posted */
    bool cached;
    px_dns_cb cb;
    void *user;
};
/** Give it its answer, from the loop. Takes a reference. */
void px_dns_wait_answer(struct px_loop *loop, struct px_dns_wait *wait, struct px_dns_result *result);

/** Join the look-up of that name, or start one. -ENOMEM, -EAGAIN. */
PX_MUSTCHECK int px_dns_lookup_join(struct px_dns *dns, px_str name, struct px_dns_wait *wait);
/** The settings have changed: those that run go on for who waits for them, but nobody else joins them. */
void px_dns_lookups_detach(struct px_dns *dns);
/** End all: nobody waits any more. */
void px_dns_lookups_destroy(struct px_dns *dns);

#endif
