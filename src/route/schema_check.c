/* api.schema.json and route.schema.json. */
#include "route/read.h"
#include "json/schema_own.h"

static struct px_schema_own api_schema = {px_api_schema_text, &px_api_schema_size, NULL};
static struct px_schema_own route_schema = {px_route_schema_text, &px_route_schema_size, NULL};

/* Also at the end of the process, so that its leaks are real ones. */
__attribute__((destructor)) void px_route_forget(void) {
    px_schema_own_forget(&api_schema);
    px_schema_own_forget(&route_schema);
}

int px_route_schema_check(struct px_read *r, bool api, px_str json) {
    return px_schema_own_check(api ? &api_schema : &route_schema, json, r->what, r->err);
}
