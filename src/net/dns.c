#include "net/dns_private.h"
#include <assert.h>
#include <stdio.h>

static const char etc_resolv[] = "/etc/resolv.conf", etc_hosts[] = "/etc/hosts";

/* ---- who waits ---- */

static void wait_free(struct px_dns_wait *wait) {
    px_dns_result_unref(wait->result);
    free(wait);
}

static void wait_cancel(struct px_op *op) {
    struct px_dns_wait *wait = px_container_of(op, struct px_dns_wait, op);
    px_list_remove(&wait->node);
    px_work_cancel(&wait->work);
    wait_free(wait);
}

static const struct px_op_kind wait_kind = {"net/dns", wait_cancel};

static void wait_deliver(void *user) {
    struct px_dns_wait *wait = user;
    const struct px_dns_result *result = wait->result;
    char why[PX_DNS_NAME + 128];
    struct px_dns_answer answer = {.status = result->status,
                                   .addrs = result->addrs,
                                   .n = result->n,
                                   .expires_ns = result->expires_ns,
                                   .cached = wait->cached};
    if (result->status < 0) {
        snprintf(why, sizeof why, "%s %s", result->name[0] ? result->name : "the name", result->why);
        answer.why = why;
    }
    px_op_done(&wait->op);
    wait->cb(wait->user, &answer);
    wait_free(wait);
}

void px_dns_wait_answer(struct px_loop *loop, struct px_dns_wait *wait, struct px_dns_result *result) {
    result->refs++;
    wait->result = result;
    px_work_post(loop, &wait->work);
}

/* ---- settings ---- */

static int dup_or_null(const char *text, char **ret) {
    *ret = text ? px_str_dup(px_str_of(text)) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static void settings_finish(struct px_dns *dns) {
    free(dns->servers);
    free(dns->search);
    free(dns->resolv_conf);
    px_dns_hosts_finish(&dns->hosts);
}

/* Into `fresh`, whose channel is among `all`. */
static int settings_take(struct px_dns *fresh, const struct px_dns_opts *opts, struct px_list_node *all,
                         struct px_err *err) {
    int r = px_dns_hosts_init(&fresh->hosts, opts->hosts_file ? opts->hosts_file : etc_hosts);
    if (r == 0)
        r = dup_or_null(opts->servers, &fresh->servers);
    if (r == 0)
        r = dup_or_null(opts->search, &fresh->search);
    if (r == 0)
        r = dup_or_null(opts->resolv_conf ? opts->resolv_conf : etc_resolv, &fresh->resolv_conf);
    if (r < 0)
        r = px_err_set(err, r, "dns: out of memory");
    fresh->timeout_ms = opts->timeout_ms ? opts->timeout_ms : 5000;
    if (r == 0) {
        fresh->resolv = px_dns_stamp_of(fresh->resolv_conf);
        r = px_dns_chan_create(opts, all, &fresh->chan, err);
    }
    if (r < 0)
        settings_finish(fresh);
    return r;
}

int px_dns_create(const struct px_dns_opts *opts, struct px_dns **ret, struct px_err *err) {
    struct px_dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return px_err_set(err, -ENOMEM, "dns: out of memory");
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc != ARES_SUCCESS) {
        free(dns);
        return px_err_set(err, -EIO, "dns: c-ares: %s", ares_strerror(rc));
    }
    dns->loop = opts->loop;
    px_list_init(&dns->chans);
    px_list_init(&dns->lookups);
    px_map_init(&dns->running, PX_DNS_LOOKUPS);
    px_dns_cache_init(&dns->cache, opts->max_names ? opts->max_names : 4096);
    int r = settings_take(dns, opts, &dns->chans, err);
    if (r < 0) {
        ares_library_cleanup();
        free(dns);
        return r;
    }
    px_dns_hosts_look(&dns->hosts);
    dns->looked_ns = px_loop_now(dns->loop);
    *ret = dns;
    return 0;
}

void px_dns_destroy(struct px_dns **dns) {
    struct px_dns *self = px_take(dns);
    if (!self)
        return;
    px_dns_lookups_destroy(self);
    while (!px_list_empty(&self->chans))
        px_dns_chan_destroy(px_list_entry(self->chans.next, struct px_dns_chan, in_dns));
    assert(self->queries == 0);
    px_dns_cache_finish(&self->cache);
    px_map_finish(&self->running);
    settings_finish(self);
    ares_library_cleanup();
    free(self);
}

static void use_chan(struct px_dns *dns, struct px_dns_chan *chan) {
    px_dns_chan_retire(dns->chan);
    dns->chan = chan;
    px_dns_lookups_detach(dns);
    px_dns_cache_clear(&dns->cache);
}

int px_dns_configure(struct px_dns *dns, const struct px_dns_opts *opts, struct px_err *err) {
    struct px_dns fresh = {0};
    struct px_dns_opts with = *opts;
    with.loop = dns->loop;
    int r = settings_take(&fresh, &with, &dns->chans, err);
    if (r < 0)
        return r;
    settings_finish(dns);
    dns->servers = fresh.servers;
    dns->search = fresh.search;
    dns->resolv_conf = fresh.resolv_conf;
    dns->hosts = fresh.hosts;
    dns->resolv = fresh.resolv;
    dns->timeout_ms = fresh.timeout_ms;
    use_chan(dns, fresh.chan);
    px_dns_cache_finish(&dns->cache);
    px_dns_cache_init(&dns->cache, opts->max_names ? opts->max_names : 4096);
    px_dns_hosts_look(&dns->hosts);
    dns->looked_ns = px_loop_now(dns->loop);
    return 0;
}

/* At most once a second: have the files changed? */
static void look_at_files(struct px_dns *dns) {
    uint64_t now = px_loop_now(dns->loop);
    if (now - dns->looked_ns < PX_S)
        return;
    dns->looked_ns = now;
    px_dns_hosts_look(&dns->hosts);
    if (dns->servers)
        return;
    struct px_dns_stamp stamp = px_dns_stamp_of(dns->resolv_conf);
    if (px_dns_stamp_same(&stamp, &dns->resolv))
        return;
    struct px_dns_opts opts = {.loop = dns->loop,
                               .search = dns->search,
                               .resolv_conf = dns->resolv_conf,
                               .timeout_ms = dns->timeout_ms};
    struct px_dns_chan *chan;
    if (px_dns_chan_create(&opts, &dns->chans, &chan, NULL) < 0)
        return; /* the old servers, until the next look */
    dns->resolv = stamp;
    use_chan(dns, chan);
}

/* ---- questions ---- */

/* In lower case. NULL, or what is wrong. */
static const char *read_name(px_str host, char to[PX_DNS_NAME], px_str *ret) {
    static const char wrong[] = "is not a host name";
    if (host.n == 0 || host.n >= PX_DNS_NAME)
        return wrong;
    for (size_t i = 0; i < host.n; i++)
        to[i] = host.p[i] >= 'A' && host.p[i] <= 'Z' ? (char)(host.p[i] + 32) : host.p[i];
    to[host.n] = 0;
    *ret = px_str_n(to, host.n);
    px_str name = px_str_n(to, host.n - (host.n > 1 && to[host.n - 1] == '.'));
    return px_host_name_wrong(name) || px_host_ends_in_number(name) ? wrong : NULL;
}

static bool ends_with(px_str name, const char *tail) {
    size_t n = strlen(tail);
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    return name.n == n - 1 ? memcmp(name.p, tail + 1, n - 1) == 0
                           : name.n >= n && memcmp(name.p + name.n - n, tail, n) == 0;
}

/* What was asked for, as far as it may stand in an error. */
static struct px_dns_result *no_host_name(px_str host, const char *wrong) {
    char text[64];
    size_t n = PX_MIN(host.n, sizeof text);
    for (size_t i = 0; i < n; i++)
        text[i] = host.p[i] > ' ' && host.p[i] < 0x7f ? host.p[i] : '?';
    return px_dns_result_create(px_str_n(text, n), -EINVAL, wrong, NULL, 0);
}

/* What is known without asking anybody; one reference, or NULL. */
static struct px_dns_result *known(struct px_dns *dns, px_str host, px_str name, const char *wrong) {
    struct px_addr addrs[PX_DNS_ADDRS];
    size_t n = 0;
    if (host.n && host.p[0] != '[' && px_addr_parse(host, 0, &addrs[0]) == 0) {
        n = 1;
    } else if (wrong) {
        return no_host_name(host, wrong);
    } else if (ends_with(name, ".localhost")) {
        if (px_addr_parse(PX_LIT("::1"), 0, &addrs[0]) == 0 &&
            px_addr_parse(PX_LIT("127.0.0.1"), 0, &addrs[1]) == 0)
            n = 2;
        px_dns_sort(addrs, n);
    } else if (ends_with(name, ".onion")) {
        return px_dns_result_create(name, -ENOENT, "is no name of the DNS, and is not asked for", NULL, 0);
    } else {
        n = px_dns_hosts_find(&dns->hosts, name, addrs);
        px_dns_sort(addrs, n);
    }
    return n ? px_dns_result_create(name, 0, NULL, addrs, n) : NULL;
}

static int ask(struct px_dns *dns, px_str host, struct px_dns_wait *wait) {
    char text[PX_DNS_NAME];
    px_str name = {0};
    const char *wrong = read_name(host, text, &name);
    look_at_files(dns);
    dns->stats.asked++;
    struct px_dns_result *result = known(dns, host, name, wrong);
    if (result) {
        result->expires_ns = px_loop_now(dns->loop) + 5 * PX_S;
        px_dns_wait_answer(dns->loop, wait, result);
        px_dns_result_unref(result);
        return 0;
    }
    result = px_dns_cache_get(&dns->cache, name, px_loop_now(dns->loop));
    if (!result)
        return px_dns_lookup_join(dns, name, wait);
    dns->stats.hits++;
    wait->cached = true;
    px_dns_wait_answer(dns->loop, wait, result);
    return 0;
}

int px_dns_resolve(struct px_dns *dns, struct px_scope *scope, px_str host, px_dns_cb cb, void *user,
                   struct px_op **ret_op, struct px_err *err) {
    struct px_dns_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return px_err_set(err, -ENOMEM, "dns: out of memory");
    wait->cb = cb;
    wait->user = user;
    px_list_init(&wait->node);
    px_work_init(&wait->work, "net/dns", wait_deliver, wait);
    int r = px_op_begin(&wait->op, &wait_kind, scope);
    if (r < 0) {
        wait_free(wait);
        return px_err_errno(err, r, "dns");
    }
    r = ask(dns, host, wait);
    if (r < 0) {
        px_op_done(&wait->op);
        wait_free(wait);
        return r == -EAGAIN
                   ? px_err_set(err, r, "dns: %d names are being looked up; try again soon", PX_DNS_LOOKUPS)
                   : px_err_set(err, r, "dns: out of memory");
    }
    if (ret_op)
        *ret_op = &wait->op;
    return 0;
}

void px_dns_forget(struct px_dns *dns, px_str host) {
    char text[PX_DNS_NAME];
    px_str name;
    if (!read_name(host, text, &name))
        px_dns_cache_forget(&dns->cache, name);
}

void px_dns_stats_get(const struct px_dns *dns, struct px_dns_stats *ret) {
    *ret = dns->stats;
    ret->names = (uint32_t)dns->cache.names.n;
    ret->running = dns->n_lookups;
}
