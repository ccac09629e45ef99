/* Every allocation and every system call of ours on the way of a name goes wrong once. */
#include "base/log.h"
#include "dns_rig.h"
#include "net/egress.h"
#include "net/url.h"
#include "support/fault.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char folder[] = "/tmp/px_dnsf_XXXXXX", hosts[64], resolv[64], pem[64], key[64];

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup_all(void **state) {
    (void)state;
    px_log_set_fd(-1);
    assert_non_null(mkdtemp(folder));
    snprintf(hosts, sizeof hosts, "%s/hosts", folder);
    snprintf(resolv, sizeof resolv, "%s/resolv.conf", folder);
    snprintf(pem, sizeof pem, "%s/pem", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    write_file(resolv, "nameserver 127.0.0.1\nsearch a.test b.test\n");
    write_file(pem, "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUEhbK\n-----END CERTIFICATE-----\n");
    write_file(key, "-----BEGIN PRIVATE KEY-----\nMIIBszCCAVmgAwIBAgIUEhbK\n-----END PRIVATE KEY-----\n");
    return 0;
}

static int teardown_all(void **state) {
    (void)state;
    unlink(hosts);
    unlink(resolv);
    unlink(pem);
    unlink(key);
    return rmdir(folder);
}

struct world {
    struct rig rig;
    struct px_loop *loop;
    struct px_scope *scope;
    struct px_dns *dns;
};

/* The loop and the server are not what goes wrong here. */
static void world_open(struct world *w) {
    fault_off();
    memset(w, 0, sizeof *w);
    w->rig.clock = (struct px_loop_clock){rig_now, rig_advance, &w->rig};
    assert_int_equal(px_loop_create(&(struct px_loop_opts){.clock = &w->rig.clock}, &w->loop, NULL), 0);
    assert_int_equal(px_scope_open(w->loop, NULL, "test", 0, &w->scope), 0);
    rig_open(&w->rig, w->loop);
    write_file(hosts, "198.51.100.1 filed.test\n198.51.100.2 filed.test other.test\n");
    fault_on();
}

static void world_close(struct world *w) {
    fault_off();
    px_scope_close(&w->scope);
    px_dns_destroy(&w->dns);
    rig_close(&w->rig);
    assert_int_equal(px_loop_turn(w->loop, 0), 0);
    px_loop_destroy(w->loop);
    px_arena_stock_free();
    fault_on();
}

/* 0 when it was told that this is the status, else a negative. */
static int ask(struct world *w, const char *host, int status) {
    struct got got = {.loop = w->loop};
    struct px_err err;
    int r = px_dns_resolve(w->dns, w->scope, px_str_of(host), on_answer, &got, NULL, &err);
    if (r < 0) {
        assert_int_equal(err.code, r);
        return r;
    }
    uint64_t end = px_clock_mono_ns() + 10 * PX_S;
    while (!got.calls && px_clock_mono_ns() < end) {
        r = px_loop_turn(w->loop, 20 * PX_MS); /* its wait may fail as well */
        (void)r;
    }
    assert_int_equal(got.calls, 1);
    if (got.status == status)
        return 0;
    assert_true(got.status < 0 && got.why[0]);
    return got.status;
}

static int names(void *user) {
    struct world w;
    (void)user;
    world_open(&w);
    const struct px_dns_opts opts = {
        .loop = w.loop, .servers = w.rig.servers, .search = "x.test", .hosts_file = hosts, .timeout_ms = 800};
    int r = px_dns_create(&opts, &w.dns, NULL), all = r;
    static const struct {
        const char *host;
        int status;
    } questions[] = {{"both.test", 0}, {"filed.test", 0}, {"nx.test", -ENOENT},
                     {"single", 0},    {"trunc.test", 0}, {"localhost", 0},
                     {"a b", -EINVAL}, {"both.test", 0},  {"192.0.2.1", 0}};
    for (size_t i = 0; r == 0 && i < PX_COUNT(questions); i++) {
        int one = ask(&w, questions[i].host, questions[i].status);
        all = all ? all : one;
    }
    world_close(&w);
    return all;
}

static int changes(void *user) {
    struct world w;
    (void)user;
    world_open(&w);
    const struct px_dns_opts file = {
        .loop = w.loop, .resolv_conf = resolv, .hosts_file = hosts, .timeout_ms = 800};
    const struct px_dns_opts given = {
        .loop = w.loop, .servers = w.rig.servers, .hosts_file = hosts, .timeout_ms = 800};
    int r = px_dns_create(&file, &w.dns, NULL);
    if (r == 0) {
        w.rig.skew_ns += 2 * PX_S;
        fault_off();
        write_file(hosts, "198.51.100.3 filed.test\n");
        write_file(resolv, "nameserver 127.0.0.2\n");
        fault_on();
        r = ask(&w, "filed.test", 0);
        int configured = px_dns_configure(w.dns, &given, NULL);
        r = r ? r : configured;
        configured = r ? r : ask(&w, "a.test", 0);
        r = r ? r : configured;
    }
    fault_off();
    write_file(resolv, "nameserver 127.0.0.1\nsearch a.test b.test\n");
    fault_on();
    world_close(&w);
    return r;
}

static int guard(void *user) {
    (void)user;
    const px_str origins[] = {PX_LIT("https://api.example.com")},
                 patterns[] = {PX_LIT("*.example.org"), PX_LIT("::1")};
    const struct px_egress_conf conf = {.origins = origins,
                                        .n_origins = 1,
                                        .hosts = patterns,
                                        .n_hosts = 2,
                                        .proxy = PX_LIT("http://proxy:3128"),
                                        .ca_file = pem,
                                        .cert_file = pem,
                                        .key_file = key};
    struct px_egress *egress = NULL;
    struct px_arena arena;
    struct px_url base, url;
    px_arena_init(&arena, 1 << 20);
    int r = px_egress_create(&conf, &egress, NULL);
    if (r == 0)
        r = px_url_parse(&arena,
                         PX_LIT("https://b\xc3\xbc"
                                "cher.example.org/a"),
                         &base, NULL);
    if (r == 0)
        r = px_url_join(&arena, &base, PX_LIT("../c?d"), &url, NULL);
    if (r == 0)
        r = px_egress_check_url(egress, &url, NULL);
    px_egress_unref(egress);
    px_arena_finish(&arena);
    px_arena_stock_free();
    return r;
}

static void test_faults(void **state) {
    (void)state;
    assert_true(fault_sweep(FAULT_FAIL, names, NULL) > 20);
    assert_true(fault_sweep(FAULT_FAIL, changes, NULL) > 20);
    assert_true(fault_sweep(FAULT_FAIL, guard, NULL) > 10);
}

static void test_interrupted_and_short(void **state) {
    (void)state;
    fault_sweep(FAULT_INTERRUPT, guard, NULL);
    fault_sweep(FAULT_SHORT, guard, NULL);
    fault_sweep(FAULT_INTERRUPT, changes, NULL);
    fault_sweep(FAULT_SHORT, changes, NULL);
    assert_int_equal(threads(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_interrupted_and_short)};
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
