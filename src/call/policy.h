/* policy.h: what a principal may do. Data from the configuration; evaluated by the gate.
 *
 * For a tool, in this order; the first that applies decides:
 *   1. a `deny` pattern matches                                     refused
 *   2. the session's profile does not let it through                refused
 *   3. read-only tool: `allow_reads` is false and no `allow` or `allow_destructive` pattern matches   refused
 *   4. tool that writes: no `allow` pattern matches                 refused
 *   5. destructive tool: no `allow` entry is exactly its name, and no `allow_destructive` pattern matches   refused
 *   6. label rule: it sends out, and the session has read private data and untrusted text   refused (unless labels: allow)
 * Patterns are tool names with `*`. Prompts, resources and completions count as read-only tools named `<service>_<name>`
 * (resources: by the service's name and "_" and the resource's name). */
#ifndef PX_CALL_POLICY_H
#define PX_CALL_POLICY_H

#include "base/err.h"
#include "base/str.h"
#include "service/registry.h"

struct px_patterns {
    const px_str *p;
    size_t n;
};
struct px_policy {
    px_str name;
    struct px_patterns allow, allow_destructive, deny;
    bool allow_reads;   /* default true */
    bool labels_allow;  /* the label rule does not apply */
    uint32_t in_flight; /* 0: the gate's limit for a principal */
};
struct px_profile {
    px_str name;
    bool read_only;
    struct px_patterns allow; /* when n > 0: only these */
    struct px_patterns deny;
};
/** Who is under which policy. `who`: "uid:1000", "gid:100" (any of the peer's groups), "token:ci", "*". */
struct px_principal_conf {
    px_str who;
    px_str policy; /* a policy's name */
    /* tokens: "blake2b:" and 64 hexadecimal digits (BLAKE2b-256 of the token); else absent */
    px_str token_hash;
    px_str profile; /* always on; absent: none */
    int admin;      /* 1: an administrator; -1: not; 0: not said (root and the daemon's own uid are) */
    bool refuse;    /* may not connect */
};
/** The first that matches in this order: token, uid, the gids in the order of the configuration, "*". Without any: the
 *  policy "default" (read-only tools) applies. root and the daemon's own uid are administrators, unless said otherwise. */
struct px_policy_set {
    const struct px_policy *policies;
    size_t n_policies;
    const struct px_profile *profiles;
    size_t n_profiles;
    const struct px_principal_conf *principals;
    size_t n_principals;
};

enum { PX_POLICY_ALLOWED = 0, PX_POLICY_REFUSED = 1 };
/** `seen`: the PX_LABEL_… bits of the session so far. err says which rule refused, and what would allow it. */
int px_policy_check(const struct px_policy *policy, const struct px_profile *profile,
                    const struct px_item *item, uint32_t seen, struct px_err *err);

#endif
