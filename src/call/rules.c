#include "call/rules.h"
#include "auth/token.h"
#include <errno.h>
#include <stdio.h>

static const struct px_policy default_policy = {.name = PX_LIT_INIT("default"), .allow_reads = true};
/* Someone whose token has gone, or whose configuration names a policy that is not there, may do nothing. */
static const px_str everything = PX_LIT_INIT("*");
static const struct px_policy no_policy = {.name = PX_LIT_INIT("none"), .deny = {&everything, 1}};

static struct px_patterns copy_patterns(struct px_arena *arena, struct px_patterns from, bool *failed) {
    px_str *copy = px_arena_alloc(arena, from.n * sizeof *copy);
    for (size_t i = 0; copy && i < from.n; i++) {
        copy[i] = px_arena_str(arena, from.p[i]);
        *failed |= from.p[i].p && !copy[i].p;
    }
    *failed |= !copy;
    return (struct px_patterns){copy, copy ? from.n : 0};
}

static px_str copy_str(struct px_arena *arena, px_str from, bool *failed) {
    px_str copy = px_arena_str(arena, from);
    *failed |= from.p && !copy.p;
    return copy;
}

int px_rules_init(struct px_rules *rules, const struct px_policy_set *set, struct px_err *err) {
    bool failed = false;
    px_arena_init(&rules->arena, (size_t)8 << 20);
    struct px_policy *policies = px_arena_alloc(&rules->arena, set->n_policies * sizeof *policies);
    struct px_profile *profiles = px_arena_alloc(&rules->arena, set->n_profiles * sizeof *profiles);
    struct px_principal_conf *who = px_arena_alloc(&rules->arena, set->n_principals * sizeof *who);
    if (!policies || !profiles || !who)
        failed = true;
    for (size_t i = 0; !failed && i < set->n_policies; i++) {
        policies[i] = set->policies[i];
        policies[i].name = copy_str(&rules->arena, policies[i].name, &failed);
        policies[i].allow = copy_patterns(&rules->arena, policies[i].allow, &failed);
        policies[i].allow_destructive = copy_patterns(&rules->arena, policies[i].allow_destructive, &failed);
        policies[i].deny = copy_patterns(&rules->arena, policies[i].deny, &failed);
    }
    for (size_t i = 0; !failed && i < set->n_profiles; i++) {
        profiles[i] = set->profiles[i];
        profiles[i].name = copy_str(&rules->arena, profiles[i].name, &failed);
        profiles[i].allow = copy_patterns(&rules->arena, profiles[i].allow, &failed);
        profiles[i].deny = copy_patterns(&rules->arena, profiles[i].deny, &failed);
    }
    for (size_t i = 0; !failed && i < set->n_principals; i++) {
        who[i] = set->principals[i];
        who[i].who = copy_str(&rules->arena, who[i].who, &failed);
        who[i].policy = copy_str(&rules->arena, who[i].policy, &failed);
        who[i].token_hash = copy_str(&rules->arena, who[i].token_hash, &failed);
        who[i].profile = copy_str(&rules->arena, who[i].profile, &failed);
    }
    if (failed) {
        px_arena_finish(&rules->arena);
        return px_err_set(err, -ENOMEM, "the policies take too much memory");
    }
    rules->set =
        (struct px_policy_set){policies, set->n_policies, profiles, set->n_profiles, who, set->n_principals};
    return 0;
}

void px_rules_finish(struct px_rules *rules) {
    px_arena_finish(&rules->arena);
    rules->set = (struct px_policy_set){0};
}

static const struct px_policy *policy_named(const struct px_rules *rules, px_str name) {
    for (size_t i = 0; i < rules->set.n_policies; i++) {
        if (px_str_eq(rules->set.policies[i].name, name))
            return &rules->set.policies[i];
    }
    return px_str_is(name, "default") ? &default_policy : &no_policy;
}

const struct px_profile *px_rules_profile(const struct px_rules *rules, px_str name) {
    for (size_t i = 0; i < rules->set.n_profiles; i++) {
        if (px_str_eq(rules->set.profiles[i].name, name))
            return &rules->set.profiles[i];
    }
    return NULL;
}

px_str px_rules_token(const struct px_rules *rules, px_str token) {
    static const px_str prefix = PX_LIT_INIT("token:");
    px_str found = {0};
    for (size_t i = 0; i < rules->set.n_principals; i++) {
        const struct px_principal_conf *who = &rules->set.principals[i];
        if (who->token_hash.p && px_str_starts(who->who, prefix) && px_token_matches(who->token_hash, token))
            found = px_str_n(who->who.p + prefix.n, who->who.n - prefix.n);
    }
    return found;
}

static bool in_groups(const struct px_peer *peer, px_str gid) {
    uint64_t want;
    if (px_str_u64(gid, &want))
        return false;
    if (want == peer->gid)
        return true;
    for (size_t i = 0; i < peer->n_groups; i++) {
        if (want == peer->groups[i])
            return true;
    }
    return false;
}

/* The configuration's line for this peer: its token's, else its uid's, else the first of its groups, else "*". */
static const struct px_principal_conf *find(const struct px_rules *rules, const struct px_peer *peer,
                                            px_str token) {
    const struct px_principal_conf *group = NULL, *anyone = NULL;
    char uid[32], name[96];
    snprintf(uid, sizeof uid, "uid:%u", peer->uid);
    snprintf(name, sizeof name, "token:" PX_FMT, PX_ARG(token));
    for (size_t i = 0; i < rules->set.n_principals; i++) {
        const struct px_principal_conf *who = &rules->set.principals[i];
        if (px_str_is(who->who, token.p ? name : uid))
            return who;
        if (!group && px_str_starts(who->who, PX_LIT("gid:")) &&
            in_groups(peer, px_str_n(who->who.p + 4, who->who.n - 4)))
            group = who;
        if (!anyone && px_str_is(who->who, "*"))
            anyone = who;
    }
    return token.p ? NULL : group ? group : anyone;
}

void px_rules_resolve(const struct px_rules *rules, const struct px_peer *peer, px_str token, px_str profile,
                      struct px_standing *ret) {
    const struct px_principal_conf *who = find(rules, peer, token);
    bool trusted_uid = !token.p && (peer->uid == 0 || peer->uid == geteuid());
    *ret = (struct px_standing){.policy = &default_policy, .admin = trusted_uid};
    if (who) {
        ret->policy = policy_named(rules, who->policy.p ? who->policy : PX_LIT("default"));
        ret->admin = who->admin ? who->admin > 0 : trusted_uid;
        ret->refuse = who->refuse;
        if (who->profile.n && !(ret->forced = px_rules_profile(rules, who->profile)))
            ret->policy = &no_policy; /* a profile that is not there must not mean "none" */
    } else {
        ret->policy = token.p ? &no_policy : policy_named(rules, PX_LIT("default"));
        ret->refuse = token.p != NULL; /* the token has gone */
    }
    ret->admin = ret->admin && !ret->refuse;
    if (profile.n && !(ret->chosen = px_rules_profile(rules, profile)))
        ret->policy = &no_policy;
}
