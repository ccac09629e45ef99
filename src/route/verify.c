#include "route/verify.h"
#include <errno.h>

bool px_route_verifies(const struct px_route *route) {
    (void)route;
    return false;
}

int px_route_verify(struct px_scope *scope, const struct px_route_verify_opts *opts, px_route_verify_cb cb,
                    void *user, struct px_op **ret_op, struct px_err *err) {
    (void)scope, (void)opts, (void)cb, (void)user, (void)ret_op;
    return px_err_set(err, -ENOTSUP, "the route has no verify");
}
