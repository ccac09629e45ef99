/* rules.h: the policy set in force: a copy of the configuration's, and who falls under what. Private to the room. */
#ifndef PX_CALL_RULES_H
#define PX_CALL_RULES_H

#include "base/arena.h"
#include "call/gate.h"

struct px_rules {
    struct px_arena arena;
    struct px_policy_set set;
};

/** What a session may do: resolved from the rules, and again after they change. */
struct px_standing {
    const struct px_policy *policy;
    const struct px_profile *forced, *chosen; /* NULL: none */
    bool admin, refuse;
};

PX_MUSTCHECK int px_rules_init(struct px_rules *rules, const struct px_policy_set *set, struct px_err *err);
void px_rules_finish(struct px_rules *rules);
/** `token`: the token's name ("ci"), or absent. */
void px_rules_resolve(const struct px_rules *rules, const struct px_peer *peer, px_str token, px_str profile,
                      struct px_standing *ret);
/** The name ("ci") of the token with this text; absent: none. Takes the same time whichever it is. */
px_str px_rules_token(const struct px_rules *rules, px_str token);
const struct px_profile *px_rules_profile(const struct px_rules *rules, px_str name);

#endif
