#include "auth/tokens.h"
#include "base/locked.h"
#include "base/redact.h"
#include "reactor/scope.h"
#include <assert.h>

int px_token_keep(px_str *to, px_str value) {
    *to = (px_str){0};
    return value.n ? px_redact_keep(value, to) : 0;
}

void px_tokens_drop(struct px_tokens *tokens) {
    px_redact_drop(&tokens->access);
    px_redact_drop(&tokens->refresh);
    px_redact_drop(&tokens->previous);
    px_header_drop(&tokens->header);
    *tokens = (struct px_tokens){0};
}

void px_tokens_live(struct px_tokens *tokens, int64_t since_ms, uint64_t since_ns, int64_t expires_in_s) {
    tokens->got_ms = since_ms;
    tokens->got_ns = since_ns;
    tokens->expires_ms = expires_in_s < 0 ? 0 : tokens->got_ms + expires_in_s * 1000;
    tokens->expires_ns = expires_in_s < 0 ? 0 : tokens->got_ns + (uint64_t)expires_in_s * PX_S;
}

uint64_t px_tokens_life(const struct px_tokens *tokens) {
    return tokens->expires_ms > tokens->got_ms ? (uint64_t)(tokens->expires_ms - tokens->got_ms) * PX_MS : 0;
}

uint64_t px_tokens_left(const struct px_tokens *tokens, uint64_t now, int64_t wall_ms) {
    if (!tokens->access.p)
        return 0;
    if (!tokens->expires_ms)
        return UINT64_MAX;
    if (now >= tokens->expires_ns || wall_ms >= tokens->expires_ms)
        return 0;
    return PX_MIN(tokens->expires_ns - now, (uint64_t)(tokens->expires_ms - wall_ms) * PX_MS);
}

/* ---- headers ---- */

static px_str secret_of(const struct px_header *header) {
    return px_str_n(header->value.p + header->secret_at, header->value.n - header->secret_at);
}

static void header_free(struct px_header *header) {
    px_list_remove(&header->node);
    px_redact_remove(secret_of(header));
    px_locked_drop(&header->value);
    free(header);
}

static void free_all(struct px_list_node *list) {
    while (!px_list_empty(list))
        header_free(px_list_entry(list->next, struct px_header, node));
}

/* A turn after they were replaced, or later. */
static void on_retire(void *user) {
    struct px_headers *all = user;
    free_all(&all->retired_before);
    px_list_splice(&all->retired_before, &all->retired);
    if (!px_list_empty(&all->retired_before))
        px_timer_arm_in(&all->retire, 0);
}

void px_headers_init(struct px_headers *all, struct px_loop *loop) {
    px_list_init(&all->retired);
    px_list_init(&all->retired_before);
    px_list_init(&all->kept);
    px_timer_init(&all->retire, loop, "auth/retire", on_retire, all);
}

void px_headers_finish(struct px_headers *all) {
    px_timer_disarm(&all->retire);
    free_all(&all->retired);
    free_all(&all->retired_before);
    assert(px_list_empty(&all->kept));
}

static void retire(struct px_header *header) {
    struct px_headers *all = header->all;
    px_list_remove(&header->node);
    px_list_add(header->keeps ? &all->kept : &all->retired, &header->node);
    if (!header->keeps && !all->retire.armed)
        px_timer_arm_in(&all->retire, 0);
}

void px_header_drop(struct px_header **header) {
    struct px_header *old = px_take(header);
    if (!old)
        return;
    old->replaced = true;
    retire(old);
}

static void on_kept_closed(void *user) {
    struct px_header *header = user;
    if (--header->keeps == 0 && header->replaced)
        retire(header);
}

int px_header_keep(struct px_header *header, struct px_scope *scope) {
    int r = px_scope_on_close(scope, on_kept_closed, header);
    if (r)
        return r;
    header->keeps++;
    if (header->replaced) /* already, in this turn */
        retire(header);
    return 0;
}

int px_tokens_header(struct px_tokens *tokens, px_str prefix, struct px_headers *all) {
    size_t n = prefix.n + tokens->access.n;
    px_header_drop(&tokens->header);
    if (!tokens->access.p)
        return 0;
    struct px_header *header = calloc(1, sizeof *header);
    char *p = header ? px_locked_alloc(n + 1) : NULL;
    if (!p) {
        free(header);
        return -ENOMEM;
    }
    if (prefix.n)
        memcpy(p, prefix.p, prefix.n);
    memcpy(p + prefix.n, tokens->access.p, tokens->access.n);
    px_list_init(&header->node);
    header->all = all;
    header->value = px_str_n(p, n);
    header->secret_at = prefix.n;
    int r = px_redact_add(secret_of(header)); /* once more: it may outlive its token */
    if (r) {
        px_locked_drop(&header->value);
        free(header);
        return r;
    }
    tokens->header = header;
    return 0;
}
