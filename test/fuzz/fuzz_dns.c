/* Any bytes as a name server's answer: read without a step outside, and what comes out makes sense. */
#include "net/dns_private.h"

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t f = 0; f < PX_COUNT(families); f++) {
        struct px_dns_reply reply;
        px_dns_packet_read(data, n, families[f], &reply);
        CHECK(reply.status == 0 || reply.status == -ENOENT || reply.status == -EBADMSG);
        CHECK(reply.n <= PX_DNS_ADDRS && (reply.status == 0) == (reply.n > 0));
        for (size_t i = 0; i < reply.n; i++)
            CHECK(reply.addrs[i].any.sa_family == families[f]);
        CHECK(reply.status != 0 || reply.ttl_s <= INT32_MAX);
        CHECK(!reply.has_soa || (reply.status == -ENOENT && reply.ttl_s <= INT32_MAX));
    }
    return 0;
}
