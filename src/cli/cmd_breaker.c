/* breaker: circuit breakers, looked at and moved by hand. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/status.h"

static int print(struct px_cli *cli, px_str result) {
    struct px_arena arena;
    struct px_buf buf;
    px_str one, breakers = px_field(result, "breakers");
    uint64_t pos = 0;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&buf, 8 << 20);
    if (px_json_slice_next(breakers, &pos, NULL, &one) == 1)
        px_status_breakers(&buf, &arena, &cli->out, breakers);
    else
        px_buf_text(&buf, "no breakers yet: there was no request\n");
    int r = px_out_flush(&cli->out, &buf);
    px_buf_finish(&buf);
    px_arena_finish(&arena);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    static const char *const orders[] = {"open", "close", "reset"};
    const char *order = args->n_pos > 1 ? args->pos[1] : NULL, *upstream = px_args_get(args, "upstream");
    struct px_client client;
    struct px_buf params;
    struct px_jw w;
    px_str result;
    size_t i = 0;
    while (order && i < PX_COUNT(orders) && strcmp(order, orders[i]) != 0)
        i++;
    if (i == PX_COUNT(orders))
        return px_cli_fail(cli, PX_EXIT_USAGE, "See plexus breaker --help.",
                           "%s is none of open, close and reset", order);
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "service");
    px_jw_text(&w, args->pos[0]);
    if (upstream) {
        px_jw_key(&w, "upstream");
        px_jw_text(&w, upstream);
    }
    if (order) {
        px_jw_key(&w, "order");
        px_jw_text(&w, order);
    }
    px_jw_object_end(&w);
    int code = px_client_open(&client, cli);
    if (code == 0)
        code = px_client_ask(&client, "plexus/breaker", px_buf_view(&params), &result);
    if (code == 0 && cli->json)
        code = px_pretty_print(&cli->out, result) ? PX_EXIT_FAILURE : PX_EXIT_OK;
    else if (code == 0)
        code = print(cli, result);
    px_client_close(&client);
    px_buf_finish(&params);
    return code;
}

static const struct px_opt opts[] = {
    {"upstream", "NAME", "only this upstream of the service; all of them otherwise"},
};

const struct px_command px_cmd_breaker = {
    .name = "breaker",
    .synopsis = "SERVICE [open|close|reset] [options]",
    .summary = "show a service's circuit breakers, or move them",
    .help = "open   requests are answered at once, as circuit_open, until close or reset\n"
            "close  requests pass, whatever fails, until reset\n"
            "reset  closed, and counting from nothing: the breaker decides for itself again\n"
            "\nPrints the breakers as they are then. For administrators.\n"
            "\nExamples\n"
            "  plexus breaker github\n"
            "  plexus breaker github open\n"
            "  plexus breaker github reset --upstream uploads\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .min_pos = 1,
    .max_pos = 2,
    .run = run,
};
