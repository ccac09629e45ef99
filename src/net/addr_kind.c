/* What IANA's special-purpose registries say of each block, both families, and where the clouds keep what must not be
 * asked. The longest prefix that fits decides. Blocks that the registries call "globally reachable" although nothing but
 * the network's own machinery lives there (AS112, AMT, port control, TURN, ORCHID) are reserved here: no service has an
 * address in them, and some of them end at the nearest router. */
#include "net/addr_private.h"

struct block {
    uint8_t bytes[16];
    uint8_t bits;
    uint8_t kind;
};

static const struct block v4[] = {
    /* single addresses first, then the blocks, the longer before the shorter that holds them */
    {{169, 254, 169, 254}, 32, PX_ADDR_METADATA}, /* most clouds */
    {{169, 254, 170, 2}, 32, PX_ADDR_METADATA},   /* Amazon ECS: a task's credentials */
    {{169, 254, 170, 23}, 32, PX_ADDR_METADATA},  /* Amazon EKS: a pod's credentials */
    {{169, 254, 42, 42}, 32, PX_ADDR_METADATA},   /* Scaleway */
    {{169, 254, 0, 23}, 32, PX_ADDR_METADATA},    /* Tencent */
    {{168, 63, 129, 16}, 32, PX_ADDR_METADATA},   /* Azure: the host's wire server */
    {{100, 100, 100, 200}, 32, PX_ADDR_METADATA}, /* Alibaba */
    {{192, 0, 0, 192}, 32, PX_ADDR_METADATA},     /* Oracle, classic */
    {{0}, 8, PX_ADDR_UNSPECIFIED},                /* "this network", RFC 791 */
    {{10}, 8, PX_ADDR_PRIVATE},                   /* RFC 1918 */
    {{100, 64}, 10, PX_ADDR_SHARED},              /* RFC 6598 */
    {{127}, 8, PX_ADDR_LOOPBACK},                 /* RFC 1122 */
    {{169, 254}, 16, PX_ADDR_LINK_LOCAL},         /* RFC 3927 */
    {{172, 16}, 12, PX_ADDR_PRIVATE},             /* RFC 1918 */
    {{192, 0, 0}, 24, PX_ADDR_RESERVED},          /* protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24, PX_ADDR_RESERVED},          /* TEST-NET-1, RFC 5737 */
    {{192, 31, 196}, 24, PX_ADDR_RESERVED},       /* AS112, RFC 7535 */
    {{192, 52, 193}, 24, PX_ADDR_RESERVED},       /* AMT, RFC 7450 */
    {{192, 88, 99}, 24, PX_ADDR_RESERVED},        /* 6to4 relays, RFC 7526 */
    {{192, 168}, 16, PX_ADDR_PRIVATE},            /* RFC 1918 */
    {{192, 175, 48}, 24, PX_ADDR_RESERVED},       /* AS112, RFC 7534 */
    {{198, 18}, 15, PX_ADDR_RESERVED},            /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24, PX_ADDR_RESERVED},       /* TEST-NET-2 */
    {{203, 0, 113}, 24, PX_ADDR_RESERVED},        /* TEST-NET-3 */
    {{224}, 4, PX_ADDR_MULTICAST},                /* RFC 5771 */
    {{240}, 4, PX_ADDR_RESERVED},                 /* RFC 1112, and broadcast */
};

/* Kinds that the table alone knows: the address carries an IPv4 address, at this byte. */
enum { CARRIES_MAPPED = 100, CARRIES_LAST, CARRIES_6TO4, CARRIES_TEREDO };

static const struct block v6[] = {
    {{0xfd, 0, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128, PX_ADDR_METADATA}, /* fd00:ec2::254, Amazon */
    {{0xfd, 0, 0x0e, 0xc2, [15] = 0x23}, 128, PX_ADDR_METADATA},       /* fd00:ec2::23, Amazon EKS */
    {{0xfd, 0x20, 0, 0xce, [14] = 0x02, 0x54}, 128, PX_ADDR_METADATA}, /* fd20:ce::254, Google */
    {{0xfd, 0, 0, 0x42, [15] = 0x42}, 128, PX_ADDR_METADATA},          /* fd00:42::42, Scaleway */
    {{0xfd, 0, 0, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe},
     128,
     PX_ADDR_METADATA},                                                   /* fd00:c1::a9fe:a9fe, Oracle */
    {{0xfe, 0x80, [12] = 0xa9, 0xfe, 0xa9, 0xfe}, 128, PX_ADDR_METADATA}, /* fe80::a9fe:a9fe, OpenStack */
    {{0}, 128, PX_ADDR_UNSPECIFIED},
    {{[15] = 1}, 128, PX_ADDR_LOOPBACK},
    {{[10] = 0xff, 0xff}, 96, CARRIES_MAPPED}, /* ::ffff:0:0/96: to the kernel, IPv4 itself */
    {{[8] = 0xff, 0xff}, 96, CARRIES_LAST},    /* ::ffff:0:0:0/96, SIIT, RFC 7915 */
    {{0}, 96, CARRIES_LAST},                   /* ::/96, IPv4-compatible, RFC 4291 */
    {{0, 0x64, 0xff, 0x9b}, 96, CARRIES_LAST}, /* 64:ff9b::/96, NAT64, RFC 6052 */
    {{0, 0x64, 0xff, 0x9b, 0, 1},
     48,
     PX_ADDR_TRANSLATED},                  /* NAT64 of the network's own, RFC 8215: who knows where in it */
    {{0x20, 0x01, 0}, 32, CARRIES_TEREDO}, /* 2001::/32, RFC 4380 */
    {{0x20, 0x01}, 23, PX_ADDR_RESERVED},  /* protocol assignments: benchmarks, ORCHID, AMT, AS112 … */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, PX_ADDR_RESERVED},    /* documentation, RFC 3849 */
    {{0x20, 0x02}, 16, CARRIES_6TO4},                    /* 2002::/16, RFC 3056 */
    {{0x26, 0x20, 0, 0x4f, 0x80}, 48, PX_ADDR_RESERVED}, /* AS112, RFC 7534 */
    {{0x3f, 0xff}, 20, PX_ADDR_RESERVED},                /* documentation, RFC 9637 */
    {{0xfc}, 7, PX_ADDR_PRIVATE},                        /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10, PX_ADDR_LINK_LOCAL},              /* RFC 4291 */
    {{0xfe, 0xc0}, 10, PX_ADDR_LINK_LOCAL},              /* site-local, given up by RFC 3879 */
    {{0xff}, 8, PX_ADDR_MULTICAST},
    {{0x20},
     3,
     PX_ADDR_PUBLIC}, /* 2000::/3; all the rest (discard, SRv6, what nobody was given) is reserved */
};

static bool within(const uint8_t *address, const struct block *block) {
    unsigned whole = block->bits / 8u, rest = block->bits % 8u;
    if (whole && address[0] != block->bytes[0]) /* most differ here: that takes no call */
        return false;
    if (memcmp(address, block->bytes, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ block->bytes[whole]) >> (8 - rest)) == 0;
}

static enum px_addr_kind kind_v4(const uint8_t address[4]) {
    for (size_t i = 0; i < PX_COUNT(v4); i++)
        if (within(address, &v4[i]))
            return (enum px_addr_kind)v4[i].kind;
    return PX_ADDR_PUBLIC;
}

/* Of something that leads to an IPv4 address by way of somebody else. */
static enum px_addr_kind translated(const uint8_t address[4]) {
    enum px_addr_kind kind = kind_v4(address);
    return kind == PX_ADDR_PUBLIC ? PX_ADDR_TRANSLATED : kind;
}

static enum px_addr_kind teredo(const uint8_t address[16]) {
    uint8_t client[4];
    for (unsigned i = 0; i < sizeof client; i++)
        client[i] = (uint8_t)~address[12 + i];
    enum px_addr_kind kind = translated(client);
    return kind == PX_ADDR_TRANSLATED ? translated(address + 4) : kind;
}

/* ISATAP (RFC 5214): an IPv4 address in the interface's half, below any prefix. */
static bool is_isatap(const uint8_t address[16]) {
    return (address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

static enum px_addr_kind kind_v6(const uint8_t address[16]) {
    unsigned kind = PX_ADDR_RESERVED;
    for (size_t i = 0; i < PX_COUNT(v6); i++)
        if (within(address, &v6[i])) {
            kind = v6[i].kind;
            break;
        }
    switch (kind) {
    case CARRIES_MAPPED: return kind_v4(address + 12);
    case CARRIES_LAST: return translated(address + 12);
    case CARRIES_6TO4: return translated(address + 2);
    case CARRIES_TEREDO: return teredo(address);
    case PX_ADDR_PUBLIC: return is_isatap(address) ? translated(address + 12) : PX_ADDR_PUBLIC;
    default: return (enum px_addr_kind)kind;
    }
}

enum px_addr_kind px_addr_kind(const struct px_addr *addr) {
    uint8_t bytes[16];
    px_addr_bytes(addr, bytes);
    if (addr->any.sa_family == AF_INET)
        return kind_v4(bytes + 12);
    return addr->any.sa_family == AF_INET6 ? kind_v6(bytes) : PX_ADDR_RESERVED;
}

const char *px_addr_kind_name(enum px_addr_kind kind) {
    static const char *const names[] = {
        [PX_ADDR_PUBLIC] = "public",         [PX_ADDR_LOOPBACK] = "loopback",
        [PX_ADDR_PRIVATE] = "private",       [PX_ADDR_SHARED] = "shared (carrier-grade NAT)",
        [PX_ADDR_LINK_LOCAL] = "link-local", [PX_ADDR_METADATA] = "cloud metadata",
        [PX_ADDR_MULTICAST] = "multicast",   [PX_ADDR_UNSPECIFIED] = "unspecified",
        [PX_ADDR_RESERVED] = "reserved",     [PX_ADDR_TRANSLATED] = "translated (IPv4 inside IPv6)",
    };
    return (size_t)kind < PX_COUNT(names) ? names[kind] : "unknown";
}
