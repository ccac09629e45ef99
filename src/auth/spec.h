/* spec.h: from what is configured (auth.schema.json) to a provider. */
#ifndef PX_AUTH_SPEC_H
#define PX_AUTH_SPEC_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>

struct px_provider;
struct px_spec_opts {
    px_str spec_json; /* fits auth.schema.json */
    /** The value of {"$secret": pointer}; -ENOENT. Called inside the function that takes this, only. */
    int (*secret)(void *ctx, px_str pointer, px_str *ret);
    void *secret_ctx;
    bool allow_private; /* of the service's network */
    px_str proxy;
    const char *ca_file;
};
/** Into a provider that was only initialised. -EINVAL: it cannot be used (words: which member, why). -ENOENT: it refers to a secret that is not there.
 *  Copies. Whatever comes of it, the provider is to be finished. */
PX_MUSTCHECK int px_spec_read(struct px_provider *provider, const struct px_spec_opts *opts,
                              struct px_err *err);
/** Whether px_spec_read would take it; nothing comes of it. */
PX_MUSTCHECK int px_spec_check(const struct px_spec_opts *opts, struct px_err *err);

#endif
