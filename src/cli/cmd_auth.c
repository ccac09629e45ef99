/* auth status, auth logout: the grants there are, and the end of one. */
#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/status.h"
#include "cli/table.h"

/* ---- status ---- */

static enum px_style style_of(px_str state) {
    if (px_str_is(state, "fresh") || px_str_is(state, "refreshing"))
        return PX_GREEN;
    return px_str_is(state, "needs_person") ? PX_RED : PX_YELLOW;
}

/* When something is, seen from now: "in 4 m 2 s", "12 s ago". */
static px_str moment(struct px_arena *arena, px_str grant, const char *key) {
    int64_t at = px_field_i64(grant, key, 0), away = at - px_clock_unix_ms();
    struct px_buf text;
    if (at <= 0)
        return PX_LIT("-");
    px_buf_init(&text, 64);
    px_buf_text(&text, away >= 0 ? "in " : "");
    px_out_span(&text, 1000 * (uint64_t)(away >= 0 ? away : -away));
    px_buf_text(&text, away >= 0 ? "" : " ago");
    px_str kept = px_arena_str(arena, px_buf_view(&text));
    px_buf_finish(&text);
    return kept;
}

static px_str words(struct px_arena *arena, px_str value) {
    px_str one;
    uint64_t pos = 0;
    struct px_buf text;
    if (px_json_slice_type(value) != PX_JSON_ARRAY)
        return px_value_text(arena, px_json_slice_type(value) == PX_JSON_NULL ? (px_str){0} : value);
    px_buf_init(&text, 64 << 10);
    while (px_json_slice_next(value, &pos, NULL, &one) == 1) {
        px_buf_text(&text, text.n ? " " : "");
        px_buf_str(&text, px_value_text(arena, one));
    }
    px_str kept = px_arena_str(arena, px_buf_view(&text));
    px_buf_finish(&text);
    return kept;
}

/* "uid:1000" of a grant that is one principal's own; an owner's installation. */
static px_str service_of(struct px_arena *arena, px_str grant) {
    px_str service = px_field_text(arena, grant, "service"), holder = words(arena, px_field(grant, "holder"));
    px_str identity = words(arena, px_field(grant, "identity"));
    if (identity.n)
        service = px_arena_fmt(arena, PX_FMT "/" PX_FMT, PX_ARG(service), PX_ARG(identity));
    if (holder.n && !px_str_is(holder, "shared"))
        service = px_arena_fmt(arena, PX_FMT " (" PX_FMT ")", PX_ARG(service), PX_ARG(holder));
    return service;
}

void px_status_grants(struct px_buf *to, struct px_arena *arena, const struct px_out *out, px_str result) {
    static const char *const titles[] = {"SERVICE",      "ACCOUNT",      "STATE", "EXPIRES",
                                         "LAST REFRESH", "NEXT REFRESH", "SCOPES"};
    struct px_table table;
    px_str grant;
    uint64_t pos = 0;
    px_table_init(&table, arena);
    for (size_t i = 0; i < PX_COUNT(titles); i++)
        px_table_column(&table, px_str_of(titles[i]), false);
    while (px_json_slice_next(px_field(result, "grants"), &pos, NULL, &grant) == 1) {
        px_str state = px_field_text(arena, grant, "state"),
               account = words(arena, px_field(grant, "account"));
        px_table_cell(&table, service_of(arena, grant), PX_BOLD);
        px_table_cell(&table, account.n ? account : PX_LIT("-"), PX_PLAIN);
        px_table_cell(&table, state, style_of(state));
        px_table_cell(&table, moment(arena, grant, "expires_unix_ms"), PX_PLAIN);
        px_table_cell(&table, moment(arena, grant, "last_refresh_unix_ms"), PX_DIM);
        px_table_cell(&table, moment(arena, grant, "next_refresh_unix_ms"), PX_DIM);
        px_table_cell(&table, words(arena, px_field(grant, "scopes")), PX_PLAIN);
    }
    if (table.n_cells)
        px_table_print(&table, to, out);
    else
        px_buf_text(to, "no credentials that expire: no service logs in anywhere\n");
    px_table_finish(&table);
    for (pos = 0; px_json_slice_next(px_field(result, "grants"), &pos, NULL, &grant) == 1;) {
        px_str error = words(arena, px_field(grant, "error"));
        if (!error.n)
            continue;
        px_out_clean(to, service_of(arena, grant), true);
        px_buf_text(to, ": ");
        px_out_clean(to, error, true);
        px_buf_char(to, '\n');
    }
}

static int print_status(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_status_grants(&buf, &arena, &cli->out, result);
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

/* ---- logout ---- */

static int print_logout(struct px_cli *cli, px_str result, const char *service) {
    struct px_arena arena;
    struct px_buf buf;
    bool revoked = px_field_true(result, "revoked");
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    px_str why = words(&arena, px_field(result, "why"));
    px_out_clean(&buf, px_str_of(service), true);
    px_buf_text(&buf, revoked ? ": logged out, and the provider has revoked the tokens"
                              : ": logged out here, but the provider has not revoked the tokens");
    if (!revoked && why.n) {
        px_buf_text(&buf, ": ");
        px_out_clean(&buf, why, true);
    }
    px_buf_char(&buf, '\n');
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

/* ---- both ---- */

static int ask(struct px_cli *cli, const struct px_args *args, const char *method, bool logout) {
    struct px_client client;
    struct px_buf params;
    struct px_jw w;
    px_str result;
    const char *service = args->n_pos ? args->pos[0] : NULL;
    const char *identity = logout ? px_args_get(args, "identity") : NULL;
    const char *principal = logout ? px_args_get(args, "principal") : NULL;
    const struct {
        const char *key, *value;
    } members[] = {{"service", service}, {"identity", identity}, {"principal", principal}};
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    for (size_t i = 0; i < PX_COUNT(members); i++) {
        if (!members[i].value)
            continue;
        px_jw_key(&w, members[i].key);
        px_jw_text(&w, members[i].value);
    }
    px_jw_object_end(&w);
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_client_ask(&client, method, px_buf_view(&params), &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = logout ? print_logout(cli, result, service) : print_status(cli, result);
    px_client_close(&client);
    px_buf_finish(&params);
    return code;
}

static int run_status(struct px_cli *cli, const struct px_args *args) {
    return ask(cli, args, "plexus/auth/status", false);
}

static int run_logout(struct px_cli *cli, const struct px_args *args) {
    return ask(cli, args, "plexus/auth/logout", true);
}

const struct px_command px_cmd_auth_status = {
    .name = "auth status",
    .synopsis = "[SERVICE]",
    .summary = "show who is logged in where, and until when",
    .help =
        "Never shows a token. Administrators see every principal's grants, others their own and the shared ones of the\n"
        "services that they may use. A grant that \"needs_person\" wants plexus auth login again.\n"
        "\nExamples\n"
        "  plexus auth status\n"
        "  plexus auth status --json | jq '.grants[] | select(.state == \"needs_person\") | .service'\n",
    .max_pos = 1,
    .run = run_status,
};

static const struct px_opt logout_opts[] = {
    {"identity", "NAME", "which of the service's identities"},
    {"principal", "NAME", "whose, of grants that each principal has its own of (for administrators)"},
};

const struct px_command px_cmd_auth_logout = {
    .name = "auth logout",
    .synopsis = "SERVICE [options]",
    .summary = "forget a grant, and revoke it at the provider",
    .help =
        "The grant is gone here whatever the provider says; it is asked to revoke the tokens (RFC 7009), and what came of\n"
        "that is printed.\n"
        "\nExamples\n"
        "  plexus auth logout github\n",
    .opts = logout_opts,
    .n_opts = PX_COUNT(logout_opts),
    .min_pos = 1,
    .max_pos = 1,
    .run = run_logout,
};
