/* plexus/status, fetched and kept as it came: it may be drawn again when the window changes. */
#include "cli/fields.h"
#include "cli/pretty.h"
#include "cli/status_watch.h"

enum { TEXT = 64 << 20, TIMEOUT_MS = 30000 };

void px_view_init(struct px_view *view, struct px_cli *cli, const char *service) {
    *view = (struct px_view){.cli = cli, .service = service};
    px_buf_init(&view->status, TEXT);
    px_buf_init(&view->grants, TEXT);
}

void px_view_finish(struct px_view *view) {
    px_buf_finish(&view->status);
    px_buf_finish(&view->grants);
}

static int keep(struct px_view *view, struct px_buf *to, px_str text) {
    px_buf_clear(to, TEXT);
    return px_buf_str(to, text) ? px_cli_fail(view->cli, PX_EXIT_FAILURE, NULL, "the answer is too long") : 0;
}

static int no_such_service(struct px_view *view, px_str status) {
    const char *names[256];
    size_t n = 0;
    struct px_arena arena;
    px_str one;
    uint64_t pos = 0;
    px_arena_init(&arena, 1 << 20);
    while (n < PX_COUNT(names) && px_json_slice_next(px_field(status, "services"), &pos, NULL, &one) == 1) {
        px_str name = px_field_text(&arena, one, "name");
        if (name.n)
            names[n++] = name.p;
    }
    const char *near = px_cli_nearest(px_str_of(view->service), names, n, sizeof names[0]);
    px_cli_fail(view->cli, PX_EXIT_FAILURE, "plexus status lists the services that you may see.",
                near ? "there is no service %s; did you mean %s?" : "there is no service %s", view->service,
                near);
    px_arena_finish(&arena);
    return PX_EXIT_FAILURE;
}

/* Only beside the rest: a host that knows no grants has none. */
static int fetch_grants(struct px_view *view, struct px_client *client) {
    struct px_answer answer;
    struct px_buf params;
    px_buf_init(&params, 4096);
    px_buf_text(&params, "{\"service\":");
    px_json_quote(&params, px_str_of(view->service));
    px_buf_char(&params, '}');
    int r = px_client_request(client, "plexus/auth/status", px_buf_view(&params), TIMEOUT_MS, &answer);
    px_buf_finish(&params);
    if (r)
        return px_client_failed(client, r);
    return keep(view, &view->grants, answer.error.p ? PX_LIT("{}") : answer.result);
}

int px_view_fetch(struct px_view *view, struct px_client *client) {
    px_str status;
    struct px_arena arena;
    int code = px_client_ask(client, "plexus/status", PX_LIT("{}"), &status);
    if (code == 0 && view->service) {
        px_arena_init(&arena, TEXT);
        if (!px_status_find(&arena, status, px_str_of(view->service)).p)
            code = no_such_service(view, status);
        px_arena_finish(&arena);
    }
    if (code == 0)
        code = keep(view, &view->status, status);
    if (code == 0 && view->service && !view->cli->json)
        code = fetch_grants(view, client);
    return code;
}

void px_view_print(struct px_view *view, struct px_buf *to) {
    struct px_arena arena;
    px_arena_init(&arena, TEXT);
    px_str shown = px_buf_view(&view->status);
    if (view->service)
        shown = px_status_find(&arena, shown, px_str_of(view->service));
    if (view->cli->json && view->cli->out.tty)
        px_pretty(to, shown, &view->cli->out, 0);
    else if (view->cli->json)
        px_json_slice_compact(to, shown);
    else if (view->service)
        px_status_service(to, &arena, &view->cli->out, shown, px_buf_view(&view->grants));
    else
        px_status_print(to, &arena, &view->cli->out, shown);
    if (view->cli->json)
        px_buf_char(to, '\n');
    px_arena_finish(&arena);
}
