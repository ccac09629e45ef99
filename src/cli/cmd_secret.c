/* secret set, list, remove: what is in the host's sealed store. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/hidden.h"
#include "cli/pretty.h"
#include "cli/table.h"

enum { VALUE_MAX = 64 << 10, EXTRA = 64 };

/* ---- printing ---- */

static void put_services(struct px_buf *to, struct px_arena *arena, px_str result) {
    px_str services = px_field(result, "services"), service;
    uint64_t pos = 0;
    for (bool first = true; px_json_slice_next(services, &pos, NULL, &service) == 1; first = false) {
        px_buf_text(to, first ? "" : ", ");
        px_out_clean(to, px_value_text(arena, service), true);
    }
}

static int print_change(struct px_cli *cli, px_str result, bool removed) {
    struct px_arena arena;
    struct px_buf buf, services;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 1 << 20);
    px_buf_init(&services, 1 << 20);
    put_services(&services, &arena, result);
    px_buf_text(&buf, "secret ");
    px_out_clean(&buf, px_field_text(&arena, result, "name"), true);
    px_buf_text(&buf, removed ? " is removed" : " is set");
    if (services.n)
        px_buf_addf(&buf, "%s" PX_FMT "\n",
                    removed ? "; without it fails now: " : "; has it now: ", PX_ARG(px_buf_view(&services)));
    else
        px_buf_text(&buf, removed ? "\n" : "; no service refers to it yet\n");
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&services);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static void row(struct px_table *table, struct px_arena *arena, px_str secret) {
    struct px_buf text;
    px_str state = px_field_text(arena, secret, "state");
    bool fine = px_str_is(state, "set");
    px_buf_init(&text, 1 << 20);
    px_table_cell(table, px_field_text(arena, secret, "name"), PX_BOLD);
    px_table_cell(table, state, fine ? PX_GREEN : PX_RED);
    if (fine)
        px_out_time(&text, px_field_i64(secret, "changed_unix_ms", 0));
    px_table_cell(table, px_buf_view(&text), PX_DIM);
    px_buf_clear(&text, 1 << 20);
    put_services(&text, arena, secret);
    px_table_cell(table, px_buf_view(&text), PX_PLAIN);
    px_buf_finish(&text);
}

static int print_list(struct px_cli *cli, px_str result) {
    static const char *const titles[] = {"SECRET", "STATE", "CHANGED", "USED BY"};
    struct px_arena arena;
    struct px_table table;
    struct px_buf buf;
    px_str one;
    uint64_t pos = 0;
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 64u << 20);
    px_table_init(&table, &arena);
    for (size_t i = 0; i < PX_COUNT(titles); i++)
        px_table_column(&table, px_str_of(titles[i]), false);
    while (px_json_slice_next(px_field(result, "secrets"), &pos, NULL, &one) == 1)
        row(&table, &arena, one);
    for (pos = 0; px_json_slice_next(px_field(result, "missing"), &pos, NULL, &one) == 1;) {
        px_table_cell(&table, px_field_text(&arena, one, "name"), PX_BOLD);
        px_table_cell(&table, PX_LIT("missing"), PX_RED);
        px_table_cell(&table, PX_LIT(""), PX_PLAIN);
        px_table_cell(&table, px_field_text(&arena, one, "service"), PX_PLAIN);
    }
    if (table.n_cells)
        px_table_print(&table, &buf, &cli->out);
    else
        px_buf_text(&buf, "no secrets\n");
    int r = px_out_flush(&cli->out, &buf);
    px_table_finish(&table);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

/* ---- asking ---- */

static int ask(struct px_client *client, const char *method, px_str params, px_str *ret) {
    int code = px_client_ask(client, method, params, ret);
    if (code == 0 && client->cli->json)
        code = px_pretty_print(&client->cli->out, *ret) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    return code;
}

/* `value` absent: remove. The room is there before the value is: nothing of it is left in memory that was given back. */
static int change(struct px_client *client, const char *name, px_str value) {
    struct px_buf params;
    px_str result = {0};
    px_buf_init(&params, 1 << 20);
    int code = PX_EXIT_OK;
    if (!px_buf_room(&params, 6 * (value.n + strlen(name)) + EXTRA)) {
        code = px_cli_fail(client->cli, PX_EXIT_FAILURE, NULL, "out of memory");
    } else {
        px_buf_text(&params, "{\"name\":");
        px_json_quote(&params, px_str_of(name));
        px_buf_text(&params, value.p ? ",\"value\":" : "");
        if (value.p)
            px_json_quote(&params, value);
        px_buf_char(&params, '}');
        code = ask(client, value.p ? "plexus/secret/set" : "plexus/secret/remove", px_buf_view(&params),
                   &result);
    }
    if (code == 0 && !client->cli->json)
        code = print_change(client->cli, result, !value.p);
    if (params.p)
        explicit_bzero(params.p, params.room);
    px_buf_finish(&params);
    return code;
}

/* More words are taken than there may be, so that none of them is repeated in an error: they might be the secret. */
static int run_set(struct px_cli *cli, const struct px_args *args) {
    static char bytes[VALUE_MAX + 3]; /* a newline of two bytes, and one too many */
    struct px_client client;
    char what[200];
    px_str value;
    if (args->n_pos > 1)
        return px_cli_fail(
            cli, PX_EXIT_USAGE, "plexus secret set NAME < FILE, or alone on a terminal: it asks.",
            "a secret does not belong on the command line, where others can see it: it is read from "
            "standard input (this one should be replaced)");
    snprintf(what, sizeof what, "Value of %.128s", args->pos[0]);
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_hidden_read(cli, what, bytes, sizeof bytes - 1, &value);
    if (code == 0)
        code = change(&client, args->pos[0], value);
    explicit_bzero(bytes, sizeof bytes);
    px_client_close(&client);
    return code;
}

static int run_remove(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = change(&client, args->pos[0], (px_str){0});
    px_client_close(&client);
    return code;
}

static int run_list(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    px_str result = {0};
    (void)args;
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = ask(&client, "plexus/secret/list", PX_LIT("{}"), &result);
    if (code == 0 && !cli->json)
        code = print_list(cli, result);
    px_client_close(&client);
    return code;
}

const struct px_command px_cmd_secret_set = {
    .name = "secret set",
    .synopsis = "NAME",
    .summary = "keep a secret in the host's sealed store",
    .help =
        "The value comes from standard input (one newline at its end is not part of it); on a terminal it is asked\n"
        "for and not shown. A service's configuration refers to it as {\"stored\": \"NAME\"}; services that do have the\n"
        "new value at once. It is never shown again. For administrators.\n"
        "\nExamples\n"
        "  plexus secret set shop_token\n"
        "  plexus secret set shop_token < token.txt\n"
        "  pass show shop | plexus secret set shop_token\n",
    .min_pos = 1,
    .max_pos = SIZE_MAX,
    .run = run_set,
};

const struct px_command px_cmd_secret_list = {
    .name = "secret list",
    .synopsis = "",
    .summary = "list the secrets in the sealed store, and who uses them",
    .help =
        "Names, when each was set, and the services that refer to it; also what they refer to and is missing. Never a\n"
        "value. For administrators.\n"
        "\nExamples\n"
        "  plexus secret list\n"
        "  plexus secret list --json | jq -r '.missing[].name'\n",
    .run = run_list,
};

const struct px_command px_cmd_secret_remove = {
    .name = "secret remove",
    .synopsis = "NAME",
    .summary = "remove a secret from the sealed store",
    .help =
        "At once, and for good. Services that refer to it fail from now on, and are named. For administrators.\n"
        "\nExamples\n"
        "  plexus secret remove shop_token\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run_remove,
};
