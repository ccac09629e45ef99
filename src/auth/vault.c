#include "auth/vault_private.h"
#include "base/clock.h"
#include "base/locked.h"
#include <errno.h>
#include <sodium.h>

/* One put or remove, until its commit. The caller's op may end before: the write goes on, for memory must know what became of it. */
struct px_vault_write {
    struct px_op op; /* the caller's */
    struct px_list_node node;
    struct px_vault *vault;
    struct px_vault_entry *entry;
    struct px_vault_value *value; /* NULL: remove */
    struct px_op *sealed;
    px_vault_cb cb; /* NULL: nobody waits, or no more */
    void *user;
};

/* ---- entries ---- */

static px_str name_of(const struct px_vault_entry *entry) {
    return px_str_n(entry->name, entry->n);
}

/* Where the name is, or would be. */
static size_t place_of(const struct px_vault *vault, px_str name) {
    size_t low = 0, high = vault->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (px_str_cmp(name_of(vault->entries[mid]), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct px_vault_entry *find(const struct px_vault *vault, px_str name) {
    size_t i = place_of(vault, name);
    return i < vault->n && px_str_eq(name_of(vault->entries[i]), name) ? vault->entries[i] : NULL;
}

struct px_vault_entry *px_vault_entry_make(struct px_vault *vault, px_str name) {
    struct px_vault_entry *entry = find(vault, name);
    if (entry)
        return entry;
    if (vault->n == vault->room) {
        size_t room = vault->room ? 2 * vault->room : 32;
        struct px_vault_entry **grown = reallocarray(vault->entries, room, sizeof(struct px_vault_entry *));
        if (!grown)
            return NULL;
        vault->entries = grown;
        vault->room = room;
    }
    entry = calloc(1, sizeof *entry + name.n);
    if (!entry)
        return NULL;
    memcpy(entry->name, name.p, name.n);
    entry->n = name.n;
    size_t i = place_of(vault, name);
    memmove(&vault->entries[i + 1], &vault->entries[i], (vault->n - i) * sizeof(struct px_vault_entry *));
    vault->entries[i] = entry;
    vault->n++;
    return entry;
}

static void entry_free(struct px_vault_entry *entry) {
    px_vault_value_unref(entry->now);
    px_vault_value_unref(entry->durable);
    free(entry);
}

/* When nothing is left of it. */
static void tidy(struct px_vault *vault, struct px_vault_entry *entry) {
    if (entry->now || entry->durable || entry->writes)
        return;
    size_t i = place_of(vault, name_of(entry));
    vault->n--;
    memmove(&vault->entries[i], &vault->entries[i + 1], (vault->n - i) * sizeof(struct px_vault_entry *));
    entry_free(entry);
}

static void replace(struct px_vault_value **at, struct px_vault_value *with) {
    struct px_vault_value *old = *at;
    *at = px_vault_value_ref(with);
    px_vault_value_unref(old);
}

/* ---- writing ---- */

static void write_free(struct px_vault_write *write) {
    px_list_remove(&write->node);
    px_op_done(&write->op);
    px_vault_value_unref(write->value);
    free(write);
}

static void forget(struct px_op *op) {
    px_container_of(op, struct px_vault_write, op)->cb = NULL;
}

static const struct px_op_kind write_kind = {"vault", forget};

/* Writes of a name end in the order they began, so the last to succeed is what is durable. */
static void settle(struct px_vault *vault, struct px_vault_write *write, int status) {
    struct px_vault_entry *entry = write->entry;
    if (status == 0)
        replace(&entry->durable, write->value);
    else if (entry->last == write)
        replace(&entry->now, entry->durable);
    if (entry->last == write)
        entry->last = NULL;
    entry->writes--;
    vault->checked |= status == 0 && write->value;
    if (status == 0 && vault->on_change)
        vault->on_change(vault->ctx, name_of(entry));
    tidy(vault, entry);
}

static void on_written(void *user, int status) {
    struct px_vault_write *write = user;
    write->sealed = NULL;
    settle(write->vault, write, status);
    px_vault_cb cb = write->cb;
    void *caller = write->user;
    write_free(write);
    if (cb)
        cb(caller, status);
}

static int seal_row(struct px_vault *vault, px_str name, const struct px_vault_value *value, px_sealed_cb cb,
                    void *user, struct px_op **ret_op) {
    size_t n = value->n + PX_VAULT_OVER;
    PX_AUTOFREE unsigned char *bytes = malloc(n);
    if (!bytes)
        return -ENOMEM;
    px_vault_seal(vault->key, name, value, bytes);
    return px_sealed_put(vault->state, vault->scope, name, px_str_n((char *)bytes, n), cb, user, ret_op);
}

/* In the transaction of the value that is put: one is never there without the other. */
static int write_check(struct px_vault *vault) {
    struct px_vault_value *value;
    if (vault->checked)
        return 0;
    int r = px_vault_value_new(PX_VAULT_CHECK, PX_LIT("plexus"), px_clock_unix_ms(), &value);
    if (r)
        return r;
    r = seal_row(vault, PX_VAULT_CHECK, value, NULL, NULL, NULL);
    px_vault_value_unref(value);
    return r;
}

static int start_write(struct px_vault *vault, struct px_vault_write *write, px_str name) {
    if (!write->value)
        return px_sealed_remove(vault->state, vault->scope, name, on_written, write, &write->sealed);
    int r = write_check(vault);
    return r ? r : seal_row(vault, name, write->value, on_written, write, &write->sealed);
}

/* `value` (given away; NULL: remove) is what memory holds from now on. */
static int change(struct px_vault *vault, struct px_scope *scope, px_str name, struct px_vault_value *value,
                  px_vault_cb cb, void *user, struct px_op **ret_op) {
    struct px_vault_write *write = calloc(1, sizeof *write);
    struct px_vault_entry *entry = write ? px_vault_entry_make(vault, name) : NULL;
    if (!entry) {
        px_vault_value_unref(value);
        free(write);
        return -ENOMEM;
    }
    *write = (struct px_vault_write){.vault = vault, .entry = entry, .value = value, .cb = cb, .user = user};
    px_list_add(&vault->writes, &write->node);
    int r = cb ? px_op_begin(&write->op, &write_kind, scope) : 0;
    if (!r)
        r = start_write(vault, write, name);
    if (r) {
        write_free(write);
        tidy(vault, entry);
        return r;
    }
    entry->last = write;
    entry->writes++;
    replace(&entry->now, value);
    if (ret_op)
        *ret_op = cb ? &write->op : NULL;
    return 0;
}

static int check_name(px_str name) {
    if (name.n > PX_VAULT_MAX_NAME)
        return -EMSGSIZE;
    return name.n && memchr(name.p, '/', name.n) ? 0 : -EINVAL;
}

int px_vault_put(struct px_vault *vault, struct px_scope *scope, px_str name, px_str value, px_vault_cb cb,
                 void *user, struct px_op **ret_op) {
    struct px_vault_value *fresh;
    int r = check_name(name);
    if (ret_op)
        *ret_op = NULL;
    if (!r && value.n > PX_VAULT_MAX_VALUE)
        r = -EMSGSIZE;
    if (!r)
        r = px_vault_value_new(name, value, px_clock_unix_ms(), &fresh);
    return r ? r : change(vault, scope, name, fresh, cb, user, ret_op);
}

int px_vault_remove(struct px_vault *vault, struct px_scope *scope, px_str name, px_vault_cb cb, void *user,
                    struct px_op **ret_op) {
    int r = check_name(name);
    if (ret_op)
        *ret_op = NULL;
    return r ? r : change(vault, scope, name, NULL, cb, user, ret_op);
}

/* ---- reading ---- */

int px_vault_get(struct px_vault *vault, px_str name, px_str *ret) {
    const struct px_vault_entry *entry = find(vault, name);
    if (!entry || !entry->now)
        return -ENOENT;
    if (entry->now->damaged)
        return -EBADMSG;
    *ret = px_vault_value_bytes(entry->now);
    return 0;
}

void px_vault_each(struct px_vault *vault, px_str prefix,
                   void (*fn)(void *ctx, px_str name, int64_t changed_unix_ms), void *ctx) {
    for (size_t i = place_of(vault, prefix); i < vault->n; i++) {
        const struct px_vault_entry *entry = vault->entries[i];
        if (!px_str_starts(name_of(entry), prefix))
            break;
        if (entry->now)
            fn(ctx, name_of(entry), entry->now->damaged ? 0 : px_vault_value_time(entry->now));
    }
}

/* ---- beginning and end ---- */

int px_vault_open(const struct px_vault_opts *opts, struct px_vault **ret, struct px_err *err) {
    if (sodium_init() < 0)
        return px_err_set(err, -EIO, "libsodium does not start");
    struct px_vault *vault = calloc(1, sizeof *vault);
    if (!vault)
        return px_err_errno(err, -ENOMEM, "the sealed store");
    vault->state = opts->state;
    vault->on_change = opts->on_change;
    vault->ctx = opts->ctx;
    px_list_init(&vault->writes);
    vault->key = px_locked_alloc(PX_VAULT_KEY);
    int r = vault->key ? px_scope_open(opts->loop, NULL, "vault", 0, &vault->scope) : -ENOMEM;
    r = r ? px_err_errno(err, r, "the sealed store") : px_vault_load(vault, opts, err);
    if (r)
        px_vault_close(&vault);
    else
        *ret = vault;
    return r;
}

/* What was put goes on to the commit: the state has it. */
void px_vault_close(struct px_vault **pvault) {
    struct px_vault *vault = px_take(pvault);
    if (!vault)
        return;
    PX_LIST_EACH_SAFE (node, &vault->writes) {
        struct px_vault_write *write = px_list_entry(node, struct px_vault_write, node);
        px_op_cancel(&write->sealed);
        write_free(write);
    }
    px_scope_close(&vault->scope);
    for (size_t i = 0; i < vault->n; i++)
        entry_free(vault->entries[i]);
    free(vault->entries);
    px_locked_free(vault->key, PX_VAULT_KEY);
    free(vault);
}
