/* May a write be sent again? */
#include "route/private.h"
#include "route/verify.h"

bool px_route_repeatable(const struct px_route *route) {
    return route->safe || route->idempotent || route->idempotency.p;
}
