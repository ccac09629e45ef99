#include "net/addr.h"
#include "net/addr_private.h"
#include <arpa/inet.h>

int px_addr_parse(px_str text, uint16_t port, struct px_addr *ret) {
    char host[64];
    bool brackets = text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    if (brackets)
        text = px_str_n(text.p + 1, text.n - 2);
    if (text.n == 0 || text.n >= sizeof host || memchr(text.p, 0, text.n))
        return -EINVAL;
    px_str_copy(host, sizeof host, text);
    struct px_addr addr = {0};
    if (!brackets && inet_pton(AF_INET, host, &addr.v4.sin_addr) == 1) {
        addr.v4.sin_family = AF_INET;
        addr.v4.sin_port = htons(port);
        addr.size = sizeof addr.v4;
    } else if (inet_pton(AF_INET6, host, &addr.v6.sin6_addr) == 1) {
        addr.v6.sin6_family = AF_INET6;
        addr.v6.sin6_port = htons(port);
        addr.size = sizeof addr.v6;
    } else {
        return -EINVAL;
    }
    *ret = addr;
    return 0;
}

int px_addr_of(const struct sockaddr *sa, socklen_t size, struct px_addr *ret) {
    struct px_addr addr = {0};
    if (size >= sizeof addr.v4 && sa->sa_family == AF_INET)
        addr.size = sizeof addr.v4;
    else if (size >= sizeof addr.v6 && sa->sa_family == AF_INET6)
        addr.size = sizeof addr.v6;
    else
        return -EAFNOSUPPORT;
    memcpy(&addr.any, sa, addr.size);
    *ret = addr;
    return 0;
}

void px_addr_text(const struct px_addr *addr, char to[PX_ADDR_TEXT]) {
    const void *bytes =
        addr->any.sa_family == AF_INET ? (const void *)&addr->v4.sin_addr : (const void *)&addr->v6.sin6_addr;
    if (!inet_ntop(addr->any.sa_family, bytes, to, PX_ADDR_TEXT))
        px_str_copy(to, PX_ADDR_TEXT, PX_LIT("no address"));
}

uint16_t px_addr_port(const struct px_addr *addr) {
    return ntohs(addr->any.sa_family == AF_INET ? addr->v4.sin_port : addr->v6.sin6_port);
}

void px_addr_set_port(struct px_addr *addr, uint16_t port) {
    if (addr->any.sa_family == AF_INET)
        addr->v4.sin_port = htons(port);
    else
        addr->v6.sin6_port = htons(port);
}

void px_addr_bytes(const struct px_addr *addr, uint8_t to[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(to, 0, 16);
    if (addr->any.sa_family == AF_INET) {
        memcpy(to, mapped, sizeof mapped);
        memcpy(to + 12, &addr->v4.sin_addr, 4);
    } else if (addr->any.sa_family == AF_INET6) {
        memcpy(to, &addr->v6.sin6_addr, 16);
    }
}

bool px_addr_same_host(const struct px_addr *a, const struct px_addr *b) {
    uint8_t x[16], y[16];
    px_addr_bytes(a, x);
    px_addr_bytes(b, y);
    return memcmp(x, y, sizeof x) == 0;
}
