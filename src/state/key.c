#include "state/key.h"
#include "base/log.h"
#include "state/state_private.h"
#include <errno.h>
#include <sodium.h>

enum { MAX_NAME = 64, MAX_KEYS = 64 };

/* Keys in use are remembered, so that a fresh state.db (the old one was damaged, or could not be read) gets them too:
 * what was made with a key in this run stays comparable in the next. */
struct key {
    struct px_list_node node;
    char name[MAX_NAME + 1];
    uint8_t key[PX_KEY_SIZE];
};

static int load(struct px_db *db, px_str name, uint8_t ret[PX_KEY_SIZE], struct px_err *err) {
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_KEY_GET);
    if (stmt)
        px_db_bind_text(stmt, 1, name);
    int r = px_db_step(db, stmt);
    if (r == 0)
        return -ENOENT;
    if (r < 0)
        return px_err_set(err, r, "cannot read the key " PX_FMT ": %s", PX_ARG(name), db->words);
    px_str value = px_db_blob(stmt, 0);
    bool fits = value.n == PX_KEY_SIZE;
    if (fits)
        memcpy(ret, value.p, PX_KEY_SIZE);
    px_db_reset(stmt);
    return fits ? 0 : px_err_set(err, -EIO, "the key " PX_FMT " in %s is not one", PX_ARG(name), db->path);
}

static void store(struct px_db *db, const struct key *key) {
    if (px_db_write(db))
        return;
    sqlite3_stmt *stmt = px_db_stmt(db, PX_SQL_KEY_PUT);
    px_db_bind_text(stmt, 1, px_str_of(key->name));
    px_db_bind_blob(stmt, 2, px_str_n((const char *)key->key, PX_KEY_SIZE));
    if (px_db_run(db, stmt))
        px_log(PX_LOG_WARNING, "state", "a key could not be stored", PX_KV("name", key->name));
}

static struct key *find(struct px_state *state, px_str name) {
    unsigned n = 0;
    PX_LIST_EACH (node, &state->keys) {
        struct key *key = px_list_entry(node, struct key, node);
        if (px_str_is(name, key->name))
            return key;
        n++;
    }
    struct key *key = n < MAX_KEYS ? calloc(1, sizeof *key) : NULL;
    if (key)
        px_str_copy(key->name, sizeof key->name, name);
    return key;
}

int px_state_key(struct px_state *state, const char *name, uint8_t ret[PX_KEY_SIZE], struct px_err *err) {
    struct px_db *db = &state->dbs[PX_STATE_DB];
    px_str text = px_str_of(name);
    if (text.n == 0 || text.n > MAX_NAME)
        return px_err_set(err, -EINVAL, "the name of a key has 1 to %d bytes", MAX_NAME);
    if (sodium_init() < 0)
        return px_err_set(err, -EIO, "libsodium does not start");
    struct key *key = find(state, text);
    if (!key)
        return px_err_set(err, -ENOMEM, "no memory for a key");
    if (!key->node.next) {
        px_list_init(&key->node);
        int r = db->sqlite ? load(db, text, key->key, err) : -ENOENT;
        if (r && r != -ENOENT && !db->trouble) {
            free(key);
            return r;
        }
        px_list_add(&state->keys, &key->node);
        if (r) {
            randombytes_buf(key->key, sizeof key->key);
            store(db, key);
            px_db_commit(db); /* when that fails, it is stored when the trouble is over */
        }
    }
    memcpy(ret, key->key, PX_KEY_SIZE);
    return 0;
}

void px_keys_catch_up(struct px_state *state) {
    PX_LIST_EACH (node, &state->keys)
        store(&state->dbs[PX_STATE_DB], px_list_entry(node, struct key, node));
}

void px_keys_finish(struct px_state *state) {
    PX_LIST_EACH_SAFE (node, &state->keys) {
        struct key *key = px_list_entry(node, struct key, node);
        px_list_remove(node);
        sodium_memzero(key, sizeof *key);
        free(key);
    }
}

void px_key_digest(const uint8_t key[PX_KEY_SIZE], px_str bytes, uint8_t ret[PX_DIGEST_SIZE]) {
    crypto_generichash(ret, PX_DIGEST_SIZE, (const unsigned char *)bytes.p, bytes.n, key, PX_KEY_SIZE);
}
