#include "call/policy.h"

static bool any_matches(struct px_patterns patterns, px_str name) {
    for (size_t i = 0; i < patterns.n; i++) {
        if (px_str_glob(patterns.p[i], name))
            return true;
    }
    return false;
}

static bool any_is(struct px_patterns patterns, px_str name) {
    for (size_t i = 0; i < patterns.n; i++) {
        if (px_str_eq(patterns.p[i], name))
            return true;
    }
    return false;
}

/* What a pattern is held against. A resource is known to planners by its URI, which is no name. */
static px_str policy_name(const struct px_item *item) {
    return item->policy_name.p ? item->policy_name : item->name;
}

static int check_profile(const struct px_profile *profile, const struct px_item *item, px_str name,
                         struct px_err *err) {
    bool reads = item->list != PX_LIST_TOOLS || px_item_read_only(item);
    if (profile->read_only && !reads)
        return px_err_set(err, PX_POLICY_REFUSED, PX_FMT " writes, and profile \"" PX_FMT "\" is read-only",
                          PX_ARG(name), PX_ARG(profile->name));
    if (any_matches(profile->deny, name) || (profile->allow.n && !any_matches(profile->allow, name)))
        return px_err_set(err, PX_POLICY_REFUSED, "profile \"" PX_FMT "\" does not include " PX_FMT,
                          PX_ARG(profile->name), PX_ARG(name));
    return PX_POLICY_ALLOWED;
}

static int check_writes(const struct px_policy *policy, const struct px_item *item, px_str name,
                        struct px_err *err) {
    bool named = any_is(policy->allow, name), destructive_ok = any_matches(policy->allow_destructive, name);
    if (!destructive_ok && !any_matches(policy->allow, name))
        return px_err_set(err, PX_POLICY_REFUSED,
                          PX_FMT " is not read-only, and policy \"" PX_FMT "\" has no \"allow\" for it",
                          PX_ARG(name), PX_ARG(policy->name));
    if (px_item_destructive(item) && !named && !destructive_ok)
        return px_err_set(
            err, PX_POLICY_REFUSED,
            PX_FMT " may destroy data: policy \"" PX_FMT
                   "\" must name it in \"allow\" (not by a pattern), or match it in \"allow_destructive\"",
            PX_ARG(name), PX_ARG(policy->name));
    return PX_POLICY_ALLOWED;
}

int px_policy_check(const struct px_policy *policy, const struct px_profile *profile,
                    const struct px_item *item, uint32_t seen, struct px_err *err) {
    px_str name = policy_name(item);
    bool reads = item->list != PX_LIST_TOOLS || px_item_read_only(item);
    if (any_matches(policy->deny, name))
        return px_err_set(err, PX_POLICY_REFUSED, "policy \"" PX_FMT "\" denies " PX_FMT,
                          PX_ARG(policy->name), PX_ARG(name));
    int r = profile ? check_profile(profile, item, name, err) : PX_POLICY_ALLOWED;
    if (r)
        return r;
    if (reads && !policy->allow_reads && !any_matches(policy->allow, name) &&
        !any_matches(policy->allow_destructive, name))
        return px_err_set(err, PX_POLICY_REFUSED, "policy \"" PX_FMT "\" has no \"allow\" for " PX_FMT,
                          PX_ARG(policy->name), PX_ARG(name));
    if (!reads && (r = check_writes(policy, item, name, err)))
        return r;
    const uint32_t both = PX_LABEL_READS_PRIVATE | PX_LABEL_READS_UNTRUSTED;
    if ((item->labels & PX_LABEL_SENDS_OUT) && (seen & both) == both && !policy->labels_allow)
        return px_err_set(
            err, PX_POLICY_REFUSED,
            PX_FMT " sends data out, and this session has read private data and untrusted text: what it read "
                   "could be telling it to leak what it knows",
            PX_ARG(name));
    return PX_POLICY_ALLOWED;
}
