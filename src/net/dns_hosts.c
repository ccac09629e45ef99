/* hosts(5), read by us and not by c-ares, which would read it anew for every name. */
#include "base/log.h"
#include "net/dns_private.h"
#include <fcntl.h>

enum { FILE_MAX = 1024 * 1024, NAMES_MAX = 65536 };

struct px_dns_stamp px_dns_stamp_of(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct px_dns_stamp){0};
    return (struct px_dns_stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
}

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool px_dns_stamp_same(const struct px_dns_stamp *a, const struct px_dns_stamp *b) {
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(a->mtime, b->mtime) &&
           same_time(a->ctime, b->ctime);
}

static void table_init(struct px_dns_hosts *hosts) {
    px_arena_init_small(&hosts->arena, 16 * FILE_MAX);
    px_map_init(&hosts->names, NAMES_MAX);
}

static void table_finish(struct px_dns_hosts *hosts) {
    px_map_finish(&hosts->names);
    px_arena_finish(&hosts->arena);
}

int px_dns_hosts_init(struct px_dns_hosts *hosts, const char *path) {
    *hosts = (struct px_dns_hosts){.path = px_str_dup(px_str_of(path))};
    table_init(hosts);
    return hosts->path ? 0 : -ENOMEM;
}

void px_dns_hosts_finish(struct px_dns_hosts *hosts) {
    table_finish(hosts);
    free(hosts->path);
    hosts->path = NULL;
}

static px_str next_word(px_str *line) {
    size_t from = 0;
    while (from < line->n && strchr(" \t\r", line->p[from]))
        from++;
    size_t end = from;
    while (end < line->n && !strchr(" \t\r", line->p[end]))
        end++;
    px_str word = px_str_n(line->p + from, end - from);
    *line = px_str_n(line->p + end, line->n - end);
    return word;
}

static int add(struct px_dns_hosts *hosts, px_str word, const struct px_addr *addr) {
    char name[PX_DNS_NAME];
    if (word.n > PX_HOST_MAX)
        return 0;
    for (size_t i = 0; i < word.n; i++)
        name[i] = word.p[i] >= 'A' && word.p[i] <= 'Z' ? (char)(word.p[i] + 32) : word.p[i];
    px_str lower = px_str_n(name, word.n);
    if (px_host_name_wrong(lower))
        return 0;
    struct px_dns_host *host = px_arena_alloc(&hosts->arena, sizeof *host),
                       *first = px_map_get(&hosts->names, lower);
    if (!host)
        return -ENOMEM;
    host->addr = *addr;
    if (first) {
        unsigned n = 1;
        for (; first->next; n++)
            first = first->next;
        if (n < PX_DNS_ADDRS)
            first->next = host;
        return 0;
    }
    px_str key = px_arena_str(&hosts->arena, lower);
    return key.p ? px_map_put(&hosts->names, key, host, NULL) : -ENOMEM;
}

static int read_line(struct px_dns_hosts *hosts, px_str line) {
    const char *comment = memchr(line.p, '#', line.n);
    struct px_addr addr;
    if (comment)
        line.n = (size_t)(comment - line.p);
    if (memchr(line.p, 0, line.n) || px_addr_parse(next_word(&line), 0, &addr) < 0)
        return 0; /* not ours to complain about: the system reads over it too */
    for (px_str word; (word = next_word(&line)).n;) {
        int r = add(hosts, word, &addr);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_text(struct px_dns_hosts *hosts, px_str text) {
    while (text.n) {
        const char *newline = memchr(text.p, '\n', text.n);
        size_t n = newline ? (size_t)(newline - text.p) : text.n;
        int r = read_line(hosts, px_str_n(text.p, n));
        if (r < 0)
            return r;
        n += newline != NULL;
        text = px_str_n(text.p + n, text.n - n);
    }
    return 0;
}

/* The whole file; one that is not there is empty. */
static int slurp(const char *path, struct px_buf *to) {
    PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    for (;;) {
        char *room = px_buf_room(to, 4096);
        if (!room)
            return to->failed;
        ssize_t n = read(fd, room, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        px_buf_added(to, (size_t)n);
    }
}

void px_dns_hosts_look(struct px_dns_hosts *hosts) {
    struct px_dns_stamp stamp = px_dns_stamp_of(hosts->path);
    if (px_dns_stamp_same(&stamp, &hosts->stamp))
        return;
    struct px_dns_hosts fresh = {.path = hosts->path, .stamp = stamp};
    struct px_buf text;
    px_buf_init(&text, FILE_MAX);
    table_init(&fresh);
    int r = slurp(hosts->path, &text);
    if (r == 0)
        r = read_text(&fresh, px_buf_view(&text));
    px_buf_finish(&text);
    if (r < 0) {
        px_log(PX_LOG_WARNING, "net/dns", "the hosts file cannot be read; names stay as they were",
               PX_KV("file", hosts->path), PX_KV("error", strerror(-r)));
        table_finish(&fresh);
        if (r != -ENOMEM && r != -EMFILE)
            hosts->stamp = stamp; /* said once, until it changes again */
        return;
    }
    table_finish(hosts);
    *hosts = fresh;
}

size_t px_dns_hosts_find(const struct px_dns_hosts *hosts, px_str name, struct px_addr *to) {
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    size_t n = 0;
    for (const struct px_dns_host *host = px_map_get(&hosts->names, name); host && n < PX_DNS_ADDRS;
         host = host->next)
        to[n++] = host->addr;
    return n;
}
