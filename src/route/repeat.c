/* May a write be sent again? */
#include "route/private.h"
#include "route/verify.h"

bool px_route_repeatable(const struct px_route *route) {
    return px_str_is(route->method, "PUT") || px_str_is(route->method, "DELETE"); /* RFC 9110 §9.2.2 */
}
