/* The host as plugins see it: one table of tables. Each table stands in a file of its own: calls in call_table.c; catalog,
 * log and secrets in catalog.c; *_table.c for the rest. */
#include "service/private.h"
#include <errno.h>

struct px_host_global px_host_g;
static char nobody_looks[PX_ON_STACK];
char *px_host_on_stack = nobody_looks;

const struct px_host px_host_table = {.size = sizeof(struct px_host),
                                      .abi_minor = PX_ABI_MINOR,
                                      .call = &px_host_call_table,
                                      .scope = &px_host_scope_table,
                                      .op = &px_host_op_table,
                                      .json = &px_host_json_table,
                                      .timer = &px_host_timer_table,
                                      .store = &px_host_store_table,
                                      .catalog = &px_host_catalog_table,
                                      .log = &px_host_log_table,
                                      .secret = &px_host_secret_table,
                                      .process = &px_host_process_table,
                                      .http = &px_host_http_table};

enum { HANDLES_MAX = 1 << 20, INSTANCES_MAX = 4096 };

int px_host_init(struct px_services *services, struct px_loop *loop, struct px_err *err) {
    px_host_g = (struct px_host_global){.services = services, .loop = loop};
    px_host_on_stack = services && services->opts.on_stack ? services->opts.on_stack : nobody_looks;
    px_slots_init(&px_host_g.instances, INSTANCES_MAX);
    px_slots_init(&px_host_g.scopes, HANDLES_MAX);
    px_slots_init(&px_host_g.calls, HANDLES_MAX);
    px_slots_init(&px_host_g.ops, HANDLES_MAX);
    int r = px_host_event_scope_open();
    return r ? px_err_errno(err, r, "the host tables") : 0;
}

void px_host_finish(void) {
    if (!px_host_g.loop)
        return;
    px_host_event_scope_close();
    px_slots_finish(&px_host_g.instances);
    px_slots_finish(&px_host_g.scopes);
    px_slots_finish(&px_host_g.calls);
    px_slots_finish(&px_host_g.ops);
    px_host_g = (struct px_host_global){0};
    px_host_on_stack = nobody_looks;
}

struct px_instance *px_host_instance(px_service_h h) {
    struct px_instance *inst = px_slots_get(&px_host_g.instances, h.v);
    if (!inst)
        px_host_g.stale++;
    return inst;
}
