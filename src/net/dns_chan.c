#include "base/log.h"
#include "net/dns_private.h"
#include <assert.h>
#include <stdio.h>

/* A whole look-up takes at most the caller's time; within it each server is asked thrice, each time waiting twice as long. */
enum { TRIES = 3, SHARES = 1 + 2 + 4, LEAST_MS = 50, SERVERS_MAX = 8 };
enum { SEARCH_MAX = PX_COUNT(((struct px_dns_chan *)0)->domains) };

/* One of c-ares' sockets. */
struct sock {
    struct px_dns_chan *chan;
    struct px_list_node node;
    struct px_io *io; /* NULL: it could not be watched; its queries will time out */
    int fd;
};

static void sock_free(struct sock *sock) {
    px_io_stop(&sock->io);
    px_list_remove(&sock->node);
    free(sock);
}

/* c-ares may close the socket, and say so, inside: `sock` is not looked at behind that. */
static void on_socket(void *user, uint32_t events) {
    struct sock *sock = user;
    struct px_dns_chan *chan = sock->chan;
    int fd = sock->fd;
    bool broken = events & (EPOLLERR | EPOLLHUP);
    ares_process_fd(chan->ares, broken || (events & EPOLLIN) ? fd : ARES_SOCKET_BAD,
                    broken || (events & EPOLLOUT) ? fd : ARES_SOCKET_BAD);
    px_work_post(chan->loop, &chan->settle);
}

static struct sock *find_sock(struct px_dns_chan *chan, int fd) {
    PX_LIST_EACH (node, &chan->socks) {
        struct sock *sock = px_list_entry(node, struct sock, node);
        if (sock->fd == fd)
            return sock;
    }
    return NULL;
}

static void on_state(void *user, ares_socket_t fd, int readable, int writable) {
    struct px_dns_chan *chan = user;
    struct sock *sock = find_sock(chan, fd);
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    if (!events) {
        if (sock)
            sock_free(sock);
        return;
    }
    if (sock && sock->io) {
        if (px_io_want(sock->io, events) < 0)
            px_log(PX_LOG_WARNING, "net/dns", "a socket cannot be watched", PX_KI("fd", fd));
        return;
    }
    if (!sock) {
        sock = calloc(1, sizeof *sock);
        if (!sock)
            return; /* as if it were silent */
        sock->chan = chan;
        sock->fd = fd;
        px_list_add(&chan->socks, &sock->node);
    }
    struct px_err err;
    if (px_io_start(chan->loop, fd, events, "net/dns", on_socket, sock, &sock->io, &err) < 0)
        px_log(PX_LOG_WARNING, "net/dns", "a socket cannot be watched", PX_KV("error", err.msg));
}

static void on_timeout(void *user) {
    struct px_dns_chan *chan = user;
    ares_process_fd(chan->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    px_work_post(chan->loop, &chan->settle);
}

static void settle(void *user) {
    struct px_dns_chan *chan = user;
    if (chan->retired && chan->users == 0) {
        px_dns_chan_destroy(chan);
        return;
    }
    struct timeval in, *next = ares_timeout(chan->ares, NULL, &in);
    if (next)
        px_timer_arm_in(&chan->timer, (uint64_t)next->tv_sec * PX_S + ((uint64_t)next->tv_usec + 1) * PX_US);
    else
        px_timer_disarm(&chan->timer);
}

/* One of "192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53". */
static int read_server(px_str one, struct px_addr *ret) {
    const char *bracket = one.n && one.p[0] == '[' ? memchr(one.p, ']', one.n) : NULL;
    size_t from = bracket ? (size_t)(bracket - one.p) : 0;
    const char *colon = memchr(one.p + from, ':', one.n - from);
    px_str host = px_str_n(one.p, colon ? (size_t)(colon - one.p) : one.n);
    uint64_t port = 53;
    if (colon &&
        (px_str_u64(px_str_n(colon + 1, one.n - host.n - 1), &port) < 0 || port == 0 || port > 65535))
        return -EINVAL;
    return px_addr_parse(host, (uint16_t)port, ret);
}

static int read_servers(px_str list, struct ares_addr_port_node *nodes, struct px_err *err) {
    int n = 0;
    for (bool more = true; more; n++) {
        const char *comma = memchr(list.p, ',', list.n);
        px_str one = px_str_n(list.p, comma ? (size_t)(comma - list.p) : list.n);
        struct px_addr addr;
        if (n == SERVERS_MAX)
            return px_err_set(err, -EINVAL, "dns servers: more than %d", SERVERS_MAX);
        if (read_server(one, &addr) < 0)
            return px_err_set(err, -EINVAL,
                              "dns servers: \"" PX_FMT
                              "\" is no address, nor one with a port, as 192.0.2.1:53 or "
                              "[2001:db8::1]:53",
                              PX_ARG(one));
        nodes[n].family = addr.any.sa_family;
        nodes[n].udp_port = nodes[n].tcp_port = px_addr_port(&addr);
        if (addr.any.sa_family == AF_INET)
            nodes[n].addr.addr4 = addr.v4.sin_addr;
        else
            memcpy(&nodes[n].addr.addr6, &addr.v6.sin6_addr, 16);
        if (n > 0)
            nodes[n - 1].next = &nodes[n];
        more = comma;
        list = comma ? px_str_n(comma + 1, list.n - one.n - 1) : list;
    }
    return 0;
}

/* One more domain of the search list; "search ." and the like, which list nothing, are left out. */
static int add_domain(struct px_dns_chan *chan, px_str domain) {
    char name[PX_DNS_NAME];
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    if (domain.n > PX_HOST_MAX || chan->n_domains == SEARCH_MAX)
        return -EINVAL;
    for (size_t i = 0; i < domain.n; i++)
        name[i] = domain.p[i] >= 'A' && domain.p[i] <= 'Z' ? (char)(domain.p[i] + 32) : domain.p[i];
    if (px_host_name_wrong(px_str_n(name, domain.n)))
        return -EINVAL;
    char *copy = px_str_dup(px_str_n(name, domain.n));
    if (!copy)
        return -ENOMEM;
    chan->domains[chan->n_domains++] = copy;
    return 0;
}

static int given_search(struct px_dns_chan *chan, px_str list, struct px_err *err) {
    while (list.n) {
        const char *blank = memchr(list.p, ' ', list.n);
        px_str one = px_str_n(list.p, blank ? (size_t)(blank - list.p) : list.n);
        int r = one.n ? add_domain(chan, one) : 0;
        if (r < 0)
            return px_err_set(err, r, "dns search: \"" PX_FMT "\" is no domain, or one too many",
                              PX_ARG(one));
        list = px_str_n(list.p + one.n + (blank != NULL), list.n - one.n - (blank != NULL));
    }
    return 0;
}

/* The search list that was given, or the one that c-ares found. */
static int take_search(struct px_dns_chan *chan, const struct px_dns_opts *opts, struct px_err *err) {
    struct ares_options found;
    int mask, r = 0;
    chan->ndots = 1;
    if (opts->search)
        return given_search(chan, px_str_of(opts->search), err);
    if (opts->servers)
        return 0;
    memset(&found, 0, sizeof found);
    if (ares_save_options(chan->ares, &found, &mask) != ARES_SUCCESS)
        r = -ENOMEM;
    else
        chan->ndots = found.ndots;
    for (int i = 0; i < found.ndomains && r != -ENOMEM; i++)
        r = add_domain(chan, px_str_of(found.domains[i]));
    ares_destroy_options(&found);
    return r == -ENOMEM ? px_err_set(err, r, "dns: out of memory") : 0;
}

static int open_ares(struct px_dns_chan *chan, const struct px_dns_opts *opts, struct px_err *err) {
    struct ares_addr_port_node servers[SERVERS_MAX] = {0};
    int r = opts->servers ? read_servers(px_str_of(opts->servers), servers, err) : 0;
    if (r < 0)
        return r;
    static char lookups[] = "b", nowhere[] = "/dev/null";
    struct ares_options with;
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    uint32_t ms = opts->timeout_ms ? opts->timeout_ms : 5000;
    memset(&with, 0, sizeof with);
    with.timeout = (int)PX_MAX(ms / SHARES, (uint32_t)LEAST_MS);
    with.tries = TRIES;
    with.lookups = lookups;
    with.sock_state_cb = on_state;
    with.sock_state_cb_data = chan;
    if (opts->servers || opts->resolv_conf) {
        with.resolvconf_path = opts->servers ? nowhere : (char *)opts->resolv_conf;
        mask |= ARES_OPT_RESOLVCONF;
    }
    int rc = ares_init_options(&chan->ares, &with, mask);
    if (rc != ARES_SUCCESS)
        chan->ares = NULL;
    else if (opts->servers)
        rc = ares_set_servers_ports(chan->ares, servers);
    if (rc == ARES_SUCCESS)
        return 0;
    return px_err_set(err, rc == ARES_ENOMEM ? -ENOMEM : -EIO, "dns: c-ares: %s", ares_strerror(rc));
}

int px_dns_chan_create(const struct px_dns_opts *opts, struct px_list_node *all, struct px_dns_chan **ret,
                       struct px_err *err) {
    struct px_dns_chan *chan = calloc(1, sizeof *chan);
    if (!chan)
        return px_err_set(err, -ENOMEM, "dns: out of memory");
    chan->loop = opts->loop;
    px_list_init(&chan->socks);
    px_list_init(&chan->in_dns);
    px_timer_init(&chan->timer, chan->loop, "net/dns", on_timeout, chan);
    px_work_init(&chan->settle, "net/dns", settle, chan);
    int r = open_ares(chan, opts, err);
    if (r == 0)
        r = take_search(chan, opts, err);
    if (r < 0) {
        px_dns_chan_destroy(chan);
        return r;
    }
    px_list_add(all, &chan->in_dns);
    *ret = chan;
    return 0;
}

void px_dns_chan_destroy(struct px_dns_chan *chan) {
    if (chan->ares)
        ares_destroy(chan->ares);
    while (!px_list_empty(&chan->socks)) /* c-ares has closed them all */
        sock_free(px_list_entry(chan->socks.next, struct sock, node));
    px_timer_disarm(&chan->timer);
    px_work_cancel(&chan->settle);
    px_list_remove(&chan->in_dns);
    for (int i = 0; i < chan->n_domains; i++)
        free(chan->domains[i]);
    free(chan);
}

void px_dns_chan_use(struct px_dns_chan *chan) {
    chan->users++;
}

void px_dns_chan_unuse(struct px_dns_chan *chan) {
    assert(chan->users > 0);
    if (--chan->users == 0 && chan->retired)
        px_work_post(chan->loop, &chan->settle);
}

void px_dns_chan_retire(struct px_dns_chan *chan) {
    chan->retired = true;
    px_work_post(chan->loop, &chan->settle);
}

void px_dns_chan_query(struct px_dns_chan *chan, const char *name, int family, ares_callback callback,
                       void *arg) {
    enum { CLASS_IN = 1, TYPE_A = 1, TYPE_AAAA = 28 };
    ares_query(chan->ares, name, CLASS_IN, family == AF_INET ? TYPE_A : TYPE_AAAA, callback, arg);
    px_work_post(chan->loop, &chan->settle);
}
