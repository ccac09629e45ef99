#include "auth/vault_private.h"
#include "base/log.h"
#include <errno.h>

struct load {
    struct px_vault *vault;
    struct px_err *err;
    size_t values, opened, damaged;
    bool check_opened;
};

static int count(void *ctx, px_str name, px_str bytes) {
    struct load *load = ctx;
    (void)bytes;
    load->values += !px_str_eq(name, PX_VAULT_CHECK);
    return 0;
}

static int take(struct load *load, px_str name, px_str sealed) {
    struct px_vault_value *value = NULL;
    int r = px_vault_unseal(load->vault->key, name, sealed, &value);
    if (px_str_eq(name, PX_VAULT_CHECK)) {
        load->check_opened = r == 0;
        px_vault_value_unref(value);
        return r == -EBADMSG ? 0 : r;
    }
    load->opened += r == 0;
    load->damaged += r == -EBADMSG;
    if (r == -EBADMSG)
        r = px_vault_value_damaged(&value);
    struct px_vault_entry *entry = r ? NULL : px_vault_entry_make(load->vault, name);
    if (!entry) {
        px_vault_value_unref(value);
        return r ? r : -ENOMEM;
    }
    entry->now = value;
    entry->durable = px_vault_value_ref(value);
    return 0;
}

static int on_row(void *ctx, px_str name, px_str sealed) {
    struct load *load = ctx;
    int r = take(load, name, sealed);
    return r ? px_err_errno(load->err, r, "a sealed value") : 0;
}

static void name_damaged(const struct px_vault *vault) {
    for (size_t i = 0; i < vault->n; i++) {
        const struct px_vault_entry *entry = vault->entries[i];
        if (entry->now->damaged)
            px_log(PX_LOG_ERROR, "auth",
                   "a sealed value does not open: its row is damaged, and left as it is",
                   PX_KS("name", px_str_n(entry->name, entry->n)));
    }
}

int px_vault_load(struct px_vault *vault, const struct px_vault_opts *opts, struct px_err *err) {
    struct load load = {.vault = vault, .err = err};
    char where[PX_VAULT_WHERE] = "";
    int r = px_sealed_load(vault->state, count, &load, err);
    if (!r)
        r = px_vault_key(opts, load.values == 0, vault->key, where, err);
    if (!r)
        r = px_sealed_load(vault->state, on_row, &load, err);
    if (r)
        return r;
    if (load.values && !load.opened && !load.check_opened)
        return px_err_set(
            err, -EKEYREJECTED,
            "%s is not the key that the secrets in state.db were sealed with: put the right one in "
            "its place",
            where);
    vault->checked = load.check_opened;
    name_damaged(vault);
    px_log(PX_LOG_INFO, "auth", "the sealed store is open", PX_KV("key", where), PX_KI("values", load.opened),
           PX_KI("damaged", load.damaged));
    return 0;
}
