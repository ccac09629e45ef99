/* dns_help.h: names that are asked for in a loop of the test's own, of the servers of dns_rig.h. */
#ifndef PX_TEST_DNS_HELP_H
#define PX_TEST_DNS_HELP_H

#include "base/log.h"
#include "dns_rig.h"
#include "net/dns_private.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct rig rig;
static struct px_loop *loop;
static struct px_scope *scope;
static struct px_dns *dns;
static char folder[] = "/tmp/px_dns_XXXXXX", hosts[64], resolv[64];

static inline void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline struct px_dns_opts opts(void) {
    return (struct px_dns_opts){
        .loop = loop, .servers = rig.servers, .hosts_file = hosts, .timeout_ms = 5000};
}

static inline int setup(void **state) {
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.clock = (struct px_loop_clock){rig_now, rig_advance, &rig};
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &rig.clock}, &loop, NULL), 0);
    rig_open(&rig, loop);
    assert_int_equal(px_scope_open(loop, NULL, "test", 0, &scope), 0);
    write_file(
        hosts,
        "127.0.0.9 localhost\n198.51.100.1 filed.test Filed2.Test # filed3.test\n2001:db8::1\tfiled.test\n"
        "fe80::1%lo zoned.test\nnonsense\n1.2.3 bad.test\n198.51.100.2 -x y..z\n198.51.100.3");
    struct px_dns_opts with = opts();
    assert_int_equal(px_dns_create(&with, &dns, NULL), 0);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    px_scope_close(&scope);
    px_dns_destroy(&dns);
    assert_null(dns);
    rig_close(&rig);
    assert_int_equal(px_loop_turn(loop, 0), 0);
    px_loop_destroy(loop);
    px_arena_stock_free();
    unlink(hosts);
    assert_int_equal(threads(), 1);
    return 0;
}

static inline int setup_all(void **state) {
    (void)state;
    px_log_set_fd(-1);
    assert_non_null(mkdtemp(folder));
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    snprintf(resolv, sizeof resolv, "%s/resolv.conf", folder);
    return 0;
}

static inline int teardown_all(void **state) {
    (void)state;
    return rmdir(folder);
}

static inline void configure(struct px_dns_opts with) {
    struct px_err err;
    if (px_dns_configure(dns, &with, &err) < 0)
        fail_msg("%s", err.msg);
}

/* Where silence is waited for. */
static inline void be_impatient(void) {
    struct px_dns_opts with = opts();
    with.timeout_ms = 400;
    configure(with);
}

static inline void start(const char *host, struct got *got, struct px_op **ret_op) {
    *got = (struct got){.loop = loop};
    assert_int_equal(px_dns_resolve(dns, scope, px_str_of(host), on_answer, got, ret_op, NULL), 0);
    assert_int_equal(got->calls, 0); /* never inside */
}

static inline void turn_until(const struct got *got, unsigned calls) {
    uint64_t end = px_clock_mono_ns() + 20 * PX_S;
    while (got->calls < calls && px_clock_mono_ns() < end)
        assert_int_equal(px_loop_turn(loop, 50 * PX_MS), 0);
    assert_int_equal(got->calls, calls);
}

static inline void turn_for(uint64_t ns) {
    uint64_t end = px_clock_mono_ns() + ns;
    for (unsigned turns = 0; turns < 16 || px_clock_mono_ns() < end;
         turns++) /* a busy machine may take the time away */
        assert_int_equal(px_loop_turn(loop, px_clock_mono_ns() < end ? 5 * PX_MS : 0), 0);
}

static inline struct got ask(const char *host) {
    struct got got;
    start(host, &got, NULL);
    turn_until(&got, 1);
    return got;
}

static inline bool has(const struct got *got, const char *address) {
    struct px_addr addr;
    assert_int_equal(px_addr_parse(px_str_of(address), 0, &addr), 0);
    for (size_t i = 0; i < got->n; i++)
        if (px_addr_same_host(&addr, &got->addrs[i]) && px_addr_port(&got->addrs[i]) == 0)
            return true;
    return false;
}

static inline void expect_ttl(const struct got *got, uint64_t seconds) {
    if (got->lives_ns > seconds * PX_S || got->lives_ns + PX_S < seconds * PX_S)
        fail_msg("it lives %.3f s, not %u", (double)got->lives_ns / 1e9, (unsigned)seconds);
}

static inline void expect_fail(const char *host, int status, const char *word, uint64_t ttl) {
    struct got got = ask(host);
    if (got.status != status || !strstr(got.why, word) || !strstr(got.why, host) || got.n)
        fail_msg("%s: %d, %s", host, got.status, got.why);
    expect_ttl(&got, ttl);
}

#endif
