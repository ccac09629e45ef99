/* What an administrator says of a service's network, as the service keeps it. */
#include "service/private.h"
#include <errno.h>
#include <sys/stat.h>

static int keep(px_str from, char **ret) {
    *ret = from.n ? px_str_dup(from) : NULL;
    return from.n && !*ret ? -ENOMEM : 0;
}

int px_network_copy(const struct px_site_network *from, struct px_site_network *ret) {
    const px_str texts[] = {from->proxy, px_str_of(from->ca_file), px_str_of(from->cert_file),
                            px_str_of(from->key_file)};
    char *copies[PX_COUNT(texts)] = {NULL};
    int r = 0;
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        r = keep(texts[i], &copies[i]) ? -ENOMEM : r;
    *ret = (struct px_site_network){.allow_private = from->allow_private,
                                    .proxy = px_str_of(copies[0]),
                                    .ca_file = copies[1],
                                    .cert_file = copies[2],
                                    .key_file = copies[3]};
    if (r)
        px_network_free(ret);
    return r;
}

void px_network_free(struct px_site_network *network) {
    free((char *)(uintptr_t)network->proxy.p);
    free((char *)(uintptr_t)network->ca_file);
    free((char *)(uintptr_t)network->cert_file);
    free((char *)(uintptr_t)network->key_file);
    *network = (struct px_site_network){0};
}

/* A certificate that was renewed is another file under the same name. */
uint64_t px_network_stamp(const struct px_site_network *network) {
    const char *const files[] = {network->ca_file, network->cert_file, network->key_file};
    uint64_t all[PX_COUNT(files)][4] = {{0}};
    for (size_t i = 0; i < PX_COUNT(files); i++) {
        struct stat st;
        if (!files[i] || stat(files[i], &st) < 0)
            continue;
        all[i][0] = st.st_ino;
        all[i][1] = (uint64_t)st.st_size;
        all[i][2] = (uint64_t)st.st_mtim.tv_sec;
        all[i][3] = (uint64_t)st.st_mtim.tv_nsec;
    }
    return px_str_hash(px_str_n((const char *)all, sizeof all));
}

bool px_network_same(const struct px_site_network *a, const struct px_site_network *b) {
    return a->allow_private == b->allow_private && px_str_eq(a->proxy, b->proxy) &&
           px_str_eq(px_str_of(a->ca_file), px_str_of(b->ca_file)) &&
           px_str_eq(px_str_of(a->cert_file), px_str_of(b->cert_file)) &&
           px_str_eq(px_str_of(a->key_file), px_str_of(b->key_file));
}
