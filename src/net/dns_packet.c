/* RFC 1035 §4, as much of it as an answer for A or AAAA needs. Any bytes may come: each read is within the packet, and a
 * name's pointers only lead back. */
#include "net/dns_private.h"

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_AAAA = 28, CLASS_IN = 1, HEADER = 12, HOPS = 16 };

struct reader {
    const uint8_t *p;
    size_t n, at;
    bool bad; /* it ended too early, or makes no sense */
};

/* A name in lower case, as it stands in packets. */
struct wire_name {
    uint8_t bytes[256];
    size_t n;
};

struct record {
    struct wire_name owner;
    uint16_t type, class;
    uint32_t ttl_s;
    size_t data, size; /* where its data are */
};

static uint32_t number(struct reader *r, unsigned bytes) {
    uint32_t value = 0;
    if (r->n - r->at < bytes) {
        r->bad = true;
        return 0;
    }
    while (bytes--)
        value = value << 8 | r->p[r->at++];
    return value;
}

static void name(struct reader *r, struct wire_name *to) {
    size_t at = r->at, lowest = r->at;
    bool jumped = false;
    to->n = 0;
    while (at < r->n) {
        uint8_t length = r->p[at];
        if ((length & 0xc0) == 0xc0 && r->n - at >= 2) {
            size_t target = (size_t)(length & 0x3f) << 8 | r->p[at + 1];
            if (!jumped)
                r->at = at + 2;
            jumped = true;
            if (target >= lowest)
                break;
            at = lowest = target;
            continue;
        }
        if ((length & 0xc0) || r->n - at - 1 < length || to->n + 1u + length > 255)
            break;
        to->bytes[to->n++] = length;
        for (size_t i = 0; i < length; i++) {
            uint8_t c = r->p[at + 1 + i];
            to->bytes[to->n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
        at += 1u + length;
        if (length == 0) {
            if (!jumped)
                r->at = at;
            return;
        }
    }
    r->bad = true;
}

static bool same_name(const struct wire_name *a, const struct wire_name *b) {
    return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

static bool record(struct reader *r, struct record *to) {
    name(r, &to->owner);
    if (r->bad)
        return false;
    to->type = (uint16_t)number(r, 2);
    to->class = (uint16_t)number(r, 2);
    to->ttl_s = number(r, 4);
    if (to->ttl_s > INT32_MAX) /* RFC 2181 §8 */
        to->ttl_s = 0;
    to->size = number(r, 2);
    to->data = r->at;
    if (r->bad || r->n - r->at < to->size) {
        r->bad = true;
        return false;
    }
    r->at += to->size;
    return true;
}

static void add_address(const struct reader *r, const struct record *rr, struct px_dns_reply *ret) {
    struct px_addr addr = {0};
    if (ret->n == PX_DNS_ADDRS)
        return;
    if (rr->type == TYPE_A) {
        addr.size = sizeof addr.v4;
        addr.v4.sin_family = AF_INET;
        memcpy(&addr.v4.sin_addr, r->p + rr->data, 4);
    } else {
        addr.size = sizeof addr.v6;
        addr.v6.sin6_family = AF_INET6;
        memcpy(&addr.v6.sin6_addr, r->p + rr->data, 16);
    }
    ret->addrs[ret->n++] = addr;
}

/* One pass over the answers for what `owner` has. True: it is another name for what now stands in `owner`. */
static bool collect(struct reader r, unsigned answers, uint16_t type, struct wire_name *owner,
                    struct px_dns_reply *ret) {
    struct record rr;
    struct wire_name canonical = {.n = 0};
    while (answers-- && record(&r, &rr)) {
        if (rr.class != CLASS_IN || !same_name(&rr.owner, owner))
            continue;
        if (rr.type == type && rr.size == (type == TYPE_A ? 4u : 16u)) {
            add_address(&r, &rr, ret);
        } else if (rr.type == TYPE_CNAME && canonical.n == 0) {
            struct reader inner = {r.p, r.n, rr.data, false};
            name(&inner, &canonical);
            if (inner.bad)
                canonical.n = 0;
        } else {
            continue;
        }
        ret->ttl_s = PX_MIN(ret->ttl_s, rr.ttl_s);
    }
    if (ret->n || canonical.n == 0)
        return false;
    *owner = canonical;
    return true;
}

/* RFC 2308 §5 */
static void read_soa(struct reader *r, unsigned answers, unsigned authorities, struct px_dns_reply *ret) {
    struct record rr;
    for (unsigned i = 0; i < answers + authorities && record(r, &rr); i++) {
        if (i < answers || rr.type != TYPE_SOA || rr.class != CLASS_IN || rr.size < 22)
            continue;
        struct reader end = {r->p, r->n, rr.data + rr.size - 4, false};
        uint32_t minimum = number(&end, 4);
        ret->ttl_s = PX_MIN(rr.ttl_s, minimum);
        ret->has_soa = true;
        return;
    }
}

void px_dns_packet_read(const uint8_t *packet, size_t size, int family, struct px_dns_reply *ret) {
    struct reader r = {packet, size, 2, size < HEADER};
    struct wire_name owner = {.n = 0};
    uint16_t type = family == AF_INET ? TYPE_A : TYPE_AAAA;
    *ret = (struct px_dns_reply){.status = -EBADMSG, .ttl_s = UINT32_MAX};
    if (r.bad)
        return;
    unsigned flags = number(&r, 2), questions = number(&r, 2), answers = number(&r, 2),
             authorities = number(&r, 2);
    r.at = HEADER;
    if (questions != 1)
        return;
    name(&r, &owner);
    number(&r, 4);
    if (r.bad)
        return;
    unsigned hops = 0;
    while (collect(r, answers, type, &owner, ret))
        if (++hops > HOPS)
            return; /* aliases in a circle */
    if (ret->n) {
        ret->status = 0;
        return;
    }
    struct reader whole = r;
    struct record rr;
    for (unsigned i = 0; i < answers && record(&whole, &rr); i++) {
    }
    if (whole.bad)
        return;
    ret->status = -ENOENT;
    ret->no_name = (flags & 15) == 3;
    read_soa(&r, answers, authorities, ret);
}
