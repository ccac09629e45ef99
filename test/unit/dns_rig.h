/* dns_rig.h: a name server in the test's own loop, UDP and TCP on one port, that does what a name's first label says; and
 * a clock that runs with the real one but can be moved on.
 *
 *   a              198.51.100.7, TTL 300; no AAAA, SOA 30 s       slow          as `a`, 60 ms later
 *   two, six, both two A; AAAA alone; one of each                 silent        nothing, ever
 *   alias          CNAME, CNAME, A; TTLs 300, 20, 100             circle        aliases in a circle
 *   nx, none       NXDOMAIN; no addresses; SOA 30 s               nosoa         NXDOMAIN without SOA
 *   longsoa        NXDOMAIN, SOA 1 day                            ttl0, week    A with that TTL
 *   servfail, refused, notimp                                     trunc         cut over UDP, whole over TCP
 *   garbled        a header that promises what does not come      junk          bytes that are no packet
 *   half, late     A; AAAA is SERVFAIL, or silent                 nx6           A; AAAA is NXDOMAIN
 *   foreign        A for another name                             change        A, another one each time
 *   many           30 A and 30 AAAA, over TCP
 */
#ifndef PX_TEST_DNS_RIG_H
#define PX_TEST_DNS_RIG_H

#include "net/dns.h"
#include "reactor/loop.h"
#include "reactor/timer.h"
#include "support/fault.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

__attribute__((weak)) void fault_off(void);
__attribute__((weak)) void fault_on(void);

enum { RIG_DELAYED = 16, RIG_CONNS = 64 };

struct rig_query {
    uint8_t packet[512];
    size_t n, question; /* bytes of the question, behind the header */
    char name[256];
    int type;
};
struct rig_delayed {
    struct rig *rig;
    struct px_timer timer;
    struct rig_query query;
    struct sockaddr_in to;
};
struct rig_conn {
    struct rig *rig;
    int fd;
    struct px_io *io;
    uint8_t bytes[1024];
    size_t n;
};
struct rig {
    struct px_loop *loop;
    struct px_loop_clock clock;
    uint64_t skew_ns;
    int udp, tcp;
    struct px_io *udp_io, *tcp_io;
    uint16_t port;
    const char *address; /* before rig_try: where to be; NULL: 127.0.0.1, any port */
    char servers[64];
    unsigned queries, over_tcp, changes, next_delayed;
    char last[256]; /* the name that was asked for last */
    struct rig_delayed delayed[RIG_DELAYED];
    struct rig_conn *conns[RIG_CONNS];
    unsigned n_conns;
};

static inline uint64_t rig_now(void *ctx) {
    return px_clock_mono_ns() + ((const struct rig *)ctx)->skew_ns;
}
static inline void rig_advance(void *ctx, uint64_t to_ns) {
    uint64_t now = rig_now(ctx);
    if (to_ns > now)
        poll(NULL, 0, to_ns - now > PX_MS ? 1 : 0);
}

/* ---- writing packets ---- */

struct rig_out {
    uint8_t p[4096];
    size_t n;
};
static inline void put(struct rig_out *o, unsigned value, unsigned bytes) {
    while (bytes--)
        o->p[o->n++] = (uint8_t)(value >> (8 * bytes));
}
static inline void put_name(struct rig_out *o, const char *name) { /* NULL: the question's */
    if (!name) {
        put(o, 0xc00c, 2);
        return;
    }
    while (*name) {
        size_t n = strcspn(name, ".");
        put(o, (unsigned)n, 1);
        memcpy(o->p + o->n, name, n);
        o->n += n;
        name += n + (name[n] == '.');
    }
    put(o, 0, 1);
}
static inline void put_record(struct rig_out *o, const char *owner, int type, unsigned ttl) {
    put_name(o, owner);
    put(o, (unsigned)type, 2);
    put(o, 1, 2);
    put(o, ttl, 4);
    o->p[o->n + 1] = 0;
}
static inline void put_address(struct rig_out *o, const char *owner, unsigned ttl, const char *address) {
    bool v6 = strchr(address, ':');
    put_record(o, owner, v6 ? 28 : 1, ttl);
    put(o, v6 ? 16 : 4, 2);
    inet_pton(v6 ? AF_INET6 : AF_INET, address, o->p + o->n);
    o->n += v6 ? 16 : 4;
    o->p[7]++;
}
static inline void put_alias(struct rig_out *o, const char *owner, unsigned ttl, const char *to) {
    put_record(o, owner, 5, ttl);
    size_t at = o->n;
    put(o, 0, 2);
    put_name(o, to);
    o->p[at + 1] = (uint8_t)(o->n - at - 2);
    o->p[7]++;
}
static inline void put_soa(struct rig_out *o, unsigned ttl) {
    put_record(o, "test", 6, ttl);
    size_t at = o->n;
    put(o, 0, 2);
    put_name(o, "ns.test");
    put_name(o, "root.test");
    for (int i = 0; i < 4; i++)
        put(o, 3600, 4);
    put(o, ttl, 4);
    o->p[at + 1] = (uint8_t)(o->n - at - 2);
    o->p[9]++;
}

/* ---- what each name says ---- */

static inline bool is(const struct rig_query *q, const char *label) {
    size_t n = strlen(label);
    return strncmp(q->name, label, n) == 0 && (q->name[n] == '.' || !q->name[n]);
}

static inline void rig_body(struct rig *rig, const struct rig_query *q, struct rig_out *o, bool tcp) {
    bool v6 = q->type == 28;
    char text[64];
    if (is(q, "nx") || is(q, "none") || is(q, "longsoa")) {
        o->p[3] |= is(q, "none") ? 0 : 3;
        put_soa(o, is(q, "longsoa") ? 86400 : 30);
    } else if (is(q, "nosoa")) {
        o->p[3] |= 3;
    } else if (is(q, "servfail") || is(q, "refused") || is(q, "notimp") || (v6 && is(q, "half"))) {
        o->p[3] |= is(q, "refused") ? 5 : is(q, "notimp") ? 4 : 2;
    } else if (v6 && is(q, "nx6")) {
        o->p[3] |= 3;
        put_soa(o, 30);
    } else if (is(q, "trunc") && !tcp) {
        o->p[2] |= 2;
    } else if (is(q, "garbled")) {
        o->p[7] = 3;
        put(o, 0xc00c, 2);
        put(o, 1, 1);
    } else if (is(q, "circle")) {
        put_alias(o, NULL, 300, "x.test");
        put_alias(o, "x.test", 300, "circle.test");
        put_alias(o, "circle.test", 300, "x.test");
    } else if (is(q, "many")) {
        if (!tcp)
            o->p[2] |= 2;
        for (int i = 0; i < 30 && tcp; i++) {
            snprintf(text, sizeof text, v6 ? "2001:db8::%d" : "198.51.100.%d", i + 1);
            put_address(o, NULL, 300, text);
        }
    } else if (v6 ? is(q, "six") || is(q, "both") : false) {
        put_address(o, NULL, 300, "2001:db8::7");
    } else if (v6 || is(q, "six")) {
        put_soa(o, 30);
    } else if (is(q, "alias")) {
        put_address(o, "End.Test", 100, "198.51.100.9"); /* in no order, and in another case */
        put_alias(o, NULL, 300, "mid.test");
        put_alias(o, "MID.test", 20, "end.test");
    } else if (is(q, "foreign")) {
        put_address(o, "other.test", 300, "198.51.100.66");
    } else {
        snprintf(text, sizeof text, "198.51.100.%u", is(q, "change") ? 100 + rig->changes++ : 7);
        put_address(o, NULL, is(q, "ttl0") ? 0 : is(q, "week") ? 604800 : is(q, "change") ? 10 : 300, text);
        if (is(q, "two"))
            put_address(o, NULL, 60, "198.51.100.8");
    }
}

/* 0: no answer. */
static inline size_t rig_answer(struct rig *rig, const struct rig_query *q, struct rig_out *o, bool tcp) {
    memset(o, 0, sizeof *o);
    if (is(q, "silent") || (q->type == 28 && is(q, "late")))
        return 0;
    if (is(q, "junk")) {
        memset(o->p, 0x55, 100);
        return o->n = 100;
    }
    memcpy(o->p, q->packet, 12 + q->question);
    o->n = 12 + q->question;
    o->p[2] = 0x81;
    o->p[3] = 0x80;
    memset(o->p + 6, 0, 6);
    rig_body(rig, q, o, tcp);
    return o->n;
}

/* ---- sockets ---- */

static inline bool rig_parse(struct rig *rig, struct rig_query *q) {
    size_t at = 12, n = 0;
    while (at < q->n && q->packet[at]) {
        for (size_t i = 0; i < q->packet[at]; i++)
            q->name[n++] = (char)q->packet[at + 1 + i];
        q->name[n++] = '.';
        at += 1u + q->packet[at];
    }
    q->name[n ? n - 1 : 0] = 0;
    q->type = q->packet[at + 2];
    q->question = at + 5 - 12;
    snprintf(rig->last, sizeof rig->last, "%s", q->name);
    rig->queries++;
    return at + 5 <= q->n;
}

static inline void rig_delayed_send(void *user) {
    struct rig_delayed *d = user;
    struct rig_out out;
    size_t n = rig_answer(d->rig, &d->query, &out, false);
    sendto(d->rig->udp, out.p, n, 0, (struct sockaddr *)&d->to, sizeof d->to);
}

static inline void rig_on_udp(void *user, uint32_t events) {
    struct rig *rig = user;
    struct rig_query q = {0};
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    struct rig_out out;
    (void)events;
    if (fault_off)
        fault_off();
    ssize_t n = recvfrom(rig->udp, q.packet, sizeof q.packet, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    q.n = n > 0 ? (size_t)n : 0;
    if (n > 16 && rig_parse(rig, &q)) {
        if (is(&q, "slow")) {
            struct rig_delayed *d = &rig->delayed[rig->next_delayed++ % RIG_DELAYED];
            d->query = q;
            d->to = from;
            px_timer_arm_in(&d->timer, 60 * PX_MS);
        } else if (rig_answer(rig, &q, &out, false)) {
            sendto(rig->udp, out.p, out.n, 0, (struct sockaddr *)&from, sizeof from);
        }
    }
    if (fault_on)
        fault_on();
}

static inline void rig_conn_end(struct rig_conn *conn) {
    px_io_stop(&conn->io);
    close(conn->fd);
    conn->fd = -1;
}

static inline void rig_on_conn(void *user, uint32_t events) {
    struct rig_conn *conn = user;
    struct rig_out out;
    (void)events;
    if (fault_off)
        fault_off();
    ssize_t n = recv(conn->fd, conn->bytes + conn->n, sizeof conn->bytes - conn->n, MSG_DONTWAIT);
    if (n <= 0)
        rig_conn_end(conn);
    conn->n += n > 0 ? (size_t)n : 0;
    while (conn->fd >= 0 && conn->n >= 2) {
        struct rig_query q = {.n = (size_t)(conn->bytes[0] << 8 | conn->bytes[1])};
        if (conn->n < 2 + q.n || q.n > sizeof q.packet)
            break;
        memcpy(q.packet, conn->bytes + 2, q.n);
        memmove(conn->bytes, conn->bytes + 2 + q.n, conn->n -= 2 + q.n);
        conn->rig->over_tcp++;
        if (rig_parse(conn->rig, &q) && rig_answer(conn->rig, &q, &out, true)) {
            uint8_t length[2] = {(uint8_t)(out.n >> 8), (uint8_t)out.n};
            if (send(conn->fd, length, 2, MSG_NOSIGNAL) != 2 ||
                send(conn->fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n)
                break;
        }
    }
    if (fault_on)
        fault_on();
}

static inline void rig_on_tcp(void *user, uint32_t events) {
    struct rig *rig = user;
    (void)events;
    if (fault_off)
        fault_off();
    struct rig_conn *conn = calloc(1, sizeof *conn);
    conn->rig = rig;
    conn->fd = accept4(rig->tcp, NULL, NULL, SOCK_CLOEXEC);
    rig->conns[rig->n_conns++] = conn;
    if (rig->n_conns == RIG_CONNS ||
        px_io_start(rig->loop, conn->fd, EPOLLIN, "rig", rig_on_conn, conn, &conn->io, NULL))
        abort();
    if (fault_on)
        fault_on();
}

/* The same port for both. */
static inline bool rig_bind(struct rig *rig) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (rig->address) {
        inet_pton(AF_INET, rig->address, &at.sin_addr);
        at.sin_port = htons(53);
    }
    rig->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    rig->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = bind(rig->udp, (struct sockaddr *)&at, sizeof at) == 0 &&
              getsockname(rig->udp, (struct sockaddr *)&at, &size) == 0 &&
              bind(rig->tcp, (struct sockaddr *)&at, sizeof at) == 0 && listen(rig->tcp, 16) == 0;
    rig->port = ntohs(at.sin_port);
    if (!ok) {
        close(rig->udp);
        close(rig->tcp);
    }
    return ok;
}

/* False: it may not be there. */
static inline bool rig_try(struct rig *rig, struct px_loop *loop) {
    rig->loop = loop;
    for (int i = 0; !rig_bind(rig); i++)
        if (i > 100 || rig->address)
            return false;
    snprintf(rig->servers, sizeof rig->servers, "127.0.0.1:%u", rig->port);
    for (int i = 0; i < RIG_DELAYED; i++) {
        rig->delayed[i].rig = rig;
        px_timer_init(&rig->delayed[i].timer, loop, "rig", rig_delayed_send, &rig->delayed[i]);
    }
    if (px_io_start(loop, rig->udp, EPOLLIN, "rig", rig_on_udp, rig, &rig->udp_io, NULL) ||
        px_io_start(loop, rig->tcp, EPOLLIN, "rig", rig_on_tcp, rig, &rig->tcp_io, NULL))
        abort();
    return true;
}

static inline void rig_open(struct rig *rig, struct px_loop *loop) {
    if (!rig_try(rig, loop))
        abort();
}

static inline void rig_close(struct rig *rig) {
    px_io_stop(&rig->udp_io);
    px_io_stop(&rig->tcp_io);
    close(rig->udp);
    close(rig->tcp);
    for (int i = 0; i < RIG_DELAYED; i++)
        px_timer_disarm(&rig->delayed[i].timer);
    for (unsigned i = 0; i < rig->n_conns; i++) {
        if (rig->conns[i]->fd >= 0)
            rig_conn_end(rig->conns[i]);
        free(rig->conns[i]);
    }
    rig->n_conns = 0;
}

/* ---- asking ---- */

struct got {
    unsigned calls;
    int status;
    char why[512];
    size_t n;
    struct px_addr addrs[PX_DNS_ADDRS];
    uint64_t lives_ns;
    bool cached;
    struct px_loop *loop;
};

static inline void on_answer(void *user, const struct px_dns_answer *answer) {
    struct got *got = user;
    got->calls++;
    got->status = answer->status;
    snprintf(got->why, sizeof got->why, "%s", answer->why ? answer->why : "");
    got->n = answer->n;
    if (answer->n)
        memcpy(got->addrs, answer->addrs, answer->n * sizeof *answer->addrs);
    uint64_t now = px_loop_now(got->loop);
    got->lives_ns = answer->expires_ns > now ? answer->expires_ns - now : 0;
    got->cached = answer->cached;
}

static inline int threads(void) {
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

#endif
