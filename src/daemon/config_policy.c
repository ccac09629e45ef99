/* Who may do what: principals, policies, profiles. */
#include "auth/token.h"
#include "daemon/config_build.h"
#include <stdio.h>

static bool flag(const struct px_json *object, const char *key, bool otherwise) {
    const struct px_json *node = px_json_get(object, key);
    return node ? px_json_bool(node) : otherwise;
}

static struct px_patterns patterns(struct px_config_build *b, const struct px_json *object, const char *key) {
    const struct px_json *list = px_json_get(object, key);
    size_t n = px_json_count(list);
    px_str *p = n ? px_config_alloc(b, n * sizeof *p) : NULL;
    struct px_patterns made = {p, 0};
    for (const struct px_json *item = p ? px_json_first(list) : NULL; item; item = px_json_next(item))
        p[made.n++] = px_json_text(item);
    return made;
}

static void policies_build(struct px_config_build *b) {
    size_t n, i = 0;
    int64_t number;
    struct px_config_entry *entry = px_config_merge(b, "policies", &b->policies, &n);
    struct px_policy *made = px_config_alloc(b, (n + 1) * sizeof *made);
    for (; entry && made; entry = entry->next) {
        const struct px_json *node = entry->node, *calls = px_json_get(node, "max_calls");
        made[i++] = (struct px_policy){
            .name = entry->key,
            .allow = patterns(b, node, "allow"),
            .allow_destructive = patterns(b, node, "allow_destructive"),
            .deny = patterns(b, node, "deny"),
            .allow_reads = flag(node, "allow_reads", true),
            .labels_allow = px_str_is(px_json_text(px_json_get(node, "labels")), "allow"),
            .in_flight = calls && px_json_i64(calls, &number) == 0 ? (uint32_t)number : 0,
        };
    }
    b->config->policy.policies = made;
    b->config->policy.n_policies = i;
}

static void profiles_build(struct px_config_build *b) {
    size_t n, i = 0;
    struct px_config_entry *entry = px_config_merge(b, "profiles", &b->profiles, &n);
    struct px_profile *made = px_config_alloc(b, (n + 1) * sizeof *made);
    for (; entry && made; entry = entry->next) {
        made[i++] = (struct px_profile){
            .name = entry->key,
            .read_only = flag(entry->node, "read_only", false),
            .allow = patterns(b, entry->node, "allow"),
            .deny = patterns(b, entry->node, "deny"),
        };
    }
    b->config->policy.profiles = made;
    b->config->policy.n_profiles = i;
}

/* "did you mean": the nearest key of a section, when it is near. */
static px_str nearest(const struct px_map *map, px_str name) {
    px_str best = {NULL, 0};
    size_t least = 3;
    PX_MAP_EACH (slot, map) {
        size_t distance = px_str_distance(slot->key, name);
        if (distance < least) {
            least = distance;
            best = slot->key;
        }
    }
    return best;
}

static void check_name(struct px_config_build *b, const struct px_config_entry *entry, const char *member,
                       const char *section, const struct px_map *map, px_str name) {
    if (!name.p || px_map_get(map, name) || (map == &b->policies && px_str_is(name, "default")))
        return;
    px_str near = nearest(map, name);
    if (near.p)
        px_config_refuse(b, entry->file, entry->pointer, member,
                         "no \"" PX_FMT "\" in %s: did you mean \"" PX_FMT "\"?", PX_ARG(name), section,
                         PX_ARG(near));
    else
        px_config_refuse(b, entry->file, entry->pointer, member, "no \"" PX_FMT "\" in %s", PX_ARG(name),
                         section);
}

/* What is said counts, also of root. */
static int admin_of(const struct px_json *node, px_str who) {
    char own[32];
    const struct px_json *said = px_json_get(node, "admin");
    if (said)
        return px_json_bool(said) ? 1 : -1;
    snprintf(own, sizeof own, "uid:%u", (unsigned)geteuid());
    return px_str_is(who, "uid:0") || px_str_is(who, own);
}

static void principal_build(struct px_config_build *b, const struct px_config_entry *entry,
                            struct px_principal_conf *ret) {
    const struct px_json *node = entry->node;
    bool token = px_str_starts(entry->key, PX_LIT("token:"));
    uint64_t id;
    *ret = (struct px_principal_conf){
        .who = entry->key,
        .policy = px_json_text(px_json_get(node, "policy")),
        .token_hash = px_json_text(px_json_get(node, "token_hash")),
        .profile = px_json_text(px_json_get(node, "profile")),
        .admin = admin_of(node, entry->key),
        .refuse = flag(node, "refuse", false),
    };
    check_name(b, entry, "policy", "policies", &b->policies, ret->policy);
    check_name(b, entry, "profile", "profiles", &b->profiles, ret->profile);
    if (!ret->policy.p)
        ret->policy = PX_LIT("default");
    if (token && !ret->token_hash.p)
        px_config_refuse(b, entry->file, entry->pointer, NULL,
                         "needs a token_hash: printf %%s \"$TOKEN\" | b2sum -l 256");
    if (!token && ret->token_hash.p)
        px_config_refuse(b, entry->file, entry->pointer, "token_hash",
                         "only a token:NAME has one; " PX_FMT " is known by the kernel", PX_ARG(entry->key));
    if (px_str_starts(entry->key, PX_LIT("uid:")) || px_str_starts(entry->key, PX_LIT("gid:"))) {
        if (px_str_u64(px_str_n(entry->key.p + 4, entry->key.n - 4), &id) < 0 || id >= UINT32_MAX)
            px_config_refuse(b, entry->file, entry->pointer, NULL, "ids end at %u", UINT32_MAX - 1);
        else if (entry->key.p[0] == 'u' && id >= 61184 && id <= 65519)
            px_report_warning(b->report,
                              &(struct px_place){entry->file->name, entry->file->text, entry->pointer, true},
                              "a uid of systemd's dynamic range is given to another service tomorrow: use a "
                              "group or a token");
    }
}

void px_config_build_policy(struct px_config_build *b) {
    size_t n, i = 0;
    policies_build(b);
    profiles_build(b);
    struct px_config_entry *entry = px_config_merge(b, "principals", &b->principals, &n);
    struct px_principal_conf *made = px_config_alloc(b, (n + 1) * sizeof *made);
    for (; entry && made; entry = entry->next)
        principal_build(b, entry, &made[i++]);
    b->config->policy.principals = made;
    b->config->policy.n_principals = i;
}
