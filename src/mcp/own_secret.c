#include "auth/secret.h"
#include "auth/vault.h"
#include "mcp/peer.h"
#include <stdio.h>

/* plexus/secret/…: what administrators keep in the sealed store. A value comes in and never goes out: not in an answer, not in an error. */
enum { PREFIX = 7, MAX_NAME = PREFIX + PX_SECRET_NAME_MAX };

struct change {
    char name[MAX_NAME + 1]; /* "secret/NAME" */
};

static px_str bare(px_str name) {
    return px_str_n(name.p + PREFIX, name.n - PREFIX);
}

/* ---- who uses what ---- */

struct uses {
    struct px_jw *w;
    struct px_vault *vault;
    px_str name, last; /* last: the service that was written last */
};

static void write_use(void *user, px_str secret, px_str service) {
    struct uses *uses = user;
    if (!px_str_eq(secret, uses->name) || px_str_eq(service, uses->last))
        return;
    uses->last = service;
    px_jw_str(uses->w, service);
}

static void write_services(const struct px_mcp *mcp, struct px_jw *w, px_str name) {
    struct uses uses = {.w = w, .name = name};
    px_jw_key(w, "services");
    px_jw_array(w);
    if (mcp->secrets.uses)
        mcp->secrets.uses(mcp->secrets.ctx, write_use, &uses);
    px_jw_array_end(w);
}

/* ---- set, remove ---- */

static bool may(struct px_mcp_ask *ask) {
    if (!px_session_admin(ask->peer->session)) {
        px_mcp_refuse_own(ask, PX_FORBIDDEN, "ask an administrator of this host",
                          "only administrators see and change secrets");
        return false;
    }
    if (!ask->peer->mcp->secrets.vault)
        px_mcp_refuse_own(ask, PX_UNAVAILABLE, NULL, "this host has no sealed store");
    return ask->peer->mcp->secrets.vault != NULL;
}

static bool read_name(struct px_mcp_ask *ask, px_str raw, char to[MAX_NAME + 1]) {
    px_str name = {0};
    if (!px_mcp_text(ask, "name", raw, true, &name))
        return false;
    if (!px_secret_name_ok(name)) {
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS,
                      "params.name is not the name of a secret: " PX_SECRET_NAME_WORDS);
        return false;
    }
    snprintf(to, MAX_NAME + 1, "secret/" PX_FMT, PX_ARG(name));
    return true;
}

static void refuse_status(struct px_mcp_req *req, int status) {
    px_str words = status == -ENOSPC ? PX_LIT("the secret is as it was: the disk of the state is full")
                                     : PX_LIT("the secret is as it was: the state cannot be written now");
    px_mcp_error(
        req->peer, req->batch, req->id, req->version, PX_MCP_OWN + PX_UNAVAILABLE, words,
        PX_LIT(
            "{\"code\":\"unavailable\",\"retryable\":true,\"advice\":\"plexus status says what is wrong\"}"));
}

static void on_written(void *user, int status) {
    struct px_mcp_req *req = user;
    const struct change *change = req->own;
    struct px_mcp_msg msg;
    req->op = NULL;
    if (status) {
        refuse_status(req, status);
    } else {
        px_str name = bare(px_str_of(change->name));
        px_mcp_result(&msg, req->peer, req->batch, req->id, req->version, "complete");
        px_jw_key(&msg.w, "name");
        px_jw_str(&msg.w, name);
        write_services(req->peer->mcp, &msg.w, name);
        px_mcp_result_end(&msg);
    }
    px_mcp_req_end(req);
}

static void free_change(struct px_mcp_req *req) {
    free(req->own);
}

/* `value` absent: remove. */
static void begin(struct px_mcp_ask *ask, const struct change *change, px_str value) {
    struct px_vault *vault = ask->peer->mcp->secrets.vault;
    struct px_scope *scope = px_session_scope(ask->peer->session);
    struct px_mcp_req *req = px_mcp_req_new(ask, PX_MCP_REQ_SECRET);
    if (!req)
        return;
    struct change *kept = malloc(sizeof *kept);
    int r = kept ? 0 : -ENOMEM;
    req->own = kept;
    req->free_own = free_change;
    if (!r) {
        *kept = *change;
        px_str name = px_str_of(kept->name);
        r = value.p ? px_vault_put(vault, scope, name, value, on_written, req, &req->op)
                    : px_vault_remove(vault, scope, name, on_written, req, &req->op);
    }
    if (!r)
        return;
    if (r == -ENOSPC)
        px_mcp_refuse_own(ask, PX_TOO_LARGE, "remove what is not used any more",
                          "there are too many secrets");
    else
        px_mcp_refuse_err(ask, r, NULL);
    px_mcp_req_end(req);
}

static void set(struct px_mcp_ask *ask, px_str raw_name, px_str value) {
    struct change change;
    if (!read_name(ask, raw_name, change.name))
        return;
    if (!value.n || value.n > PX_SECRET_MAX || memchr(value.p, 0, value.n))
        px_mcp_refuse(ask, PX_MCP_BAD_PARAMS, "params.value must have 1 to %d bytes, none of them 0",
                      PX_SECRET_MAX);
    else
        begin(ask, &change, value);
}

/* The entry says PX_MCP_WIPE: what stands in the line is overwritten after this. */
void px_mcp_own_secret_set(struct px_mcp_ask *ask) {
    px_str raw_name = {0}, raw_value = {0}, value = {0};
    px_mcp_params(
        ask, (struct px_mcp_want[]){PX_MCP_WANT("name", &raw_name), PX_MCP_WANT("value", &raw_value)}, 2);
    if (!may(ask) || !px_mcp_text(ask, "value", raw_value, true, &value))
        return;
    set(ask, raw_name, value);
    explicit_bzero((char *)(uintptr_t)value.p, value.n);
}

void px_mcp_own_secret_remove(struct px_mcp_ask *ask) {
    px_str raw = {0}, old;
    struct change change;
    px_mcp_params_one(ask, "name", &raw);
    if (!may(ask) || !read_name(ask, raw, change.name))
        return;
    if (px_vault_get(ask->peer->mcp->secrets.vault, px_str_of(change.name), &old) == -ENOENT)
        px_mcp_refuse_own(ask, PX_NOT_FOUND, "plexus secret list has them", "there is no secret \"%s\"",
                          change.name + PREFIX);
    else
        begin(ask, &change, (px_str){0});
}

/* ---- list ---- */

struct list {
    const struct px_mcp *mcp;
    struct px_jw *w;
};

static void write_secret(void *ctx, px_str name, int64_t changed_unix_ms) {
    struct list *list = ctx;
    name = bare(name);
    px_jw_object(list->w);
    px_jw_key(list->w, "name");
    px_jw_str(list->w, name);
    px_jw_key(list->w, "state");
    px_jw_text(list->w, changed_unix_ms ? "set" : "damaged");
    px_jw_key(list->w, "changed_unix_ms");
    changed_unix_ms ? px_jw_i64(list->w, changed_unix_ms) : px_jw_null(list->w);
    write_services(list->mcp, list->w, name);
    px_jw_object_end(list->w);
}

/* What is referred to and not there; of several references to one, each. */
static void write_missing(void *user, px_str secret, px_str service) {
    struct uses *uses = user;
    char name[MAX_NAME + 1];
    px_str value;
    snprintf(name, sizeof name, "secret/" PX_FMT, PX_ARG(secret));
    if (px_vault_get(uses->vault, px_str_of(name), &value) != -ENOENT)
        return;
    px_jw_object(uses->w);
    px_jw_key(uses->w, "name");
    px_jw_str(uses->w, secret);
    px_jw_key(uses->w, "service");
    px_jw_str(uses->w, service);
    px_jw_object_end(uses->w);
}

void px_mcp_own_secret_list(struct px_mcp_ask *ask) {
    const struct px_mcp *mcp = ask->peer->mcp;
    struct px_mcp_msg msg;
    if (!may(ask))
        return;
    px_mcp_answer(ask, &msg);
    px_jw_key(&msg.w, "secrets");
    px_jw_array(&msg.w);
    px_vault_each(mcp->secrets.vault, PX_LIT("secret/"), write_secret, &(struct list){mcp, &msg.w});
    px_jw_array_end(&msg.w);
    px_jw_key(&msg.w, "missing");
    px_jw_array(&msg.w);
    if (mcp->secrets.uses)
        mcp->secrets.uses(mcp->secrets.ctx, write_missing,
                          &(struct uses){.w = &msg.w, .vault = mcp->secrets.vault});
    px_jw_array_end(&msg.w);
    px_mcp_result_end(&msg);
}
