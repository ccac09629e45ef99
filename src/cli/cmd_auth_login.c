/* auth login: a person allows the host to use a service in their name. The host keeps the verifier and the tokens; this command
 * listens where the browser comes back to, and hands on what it brings. */
#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/interrupt.h"
#include "cli/loopback.h"
#include "cli/pretty.h"
#include <fcntl.h>
#include <spawn.h>

enum { PATIENCE_MS = 11 * 60 * 1000 /* the host itself gives up after ten */ };

struct login {
    struct px_cli *cli;
    struct px_client *client;
    const char *service, *identity;
    bool device, no_browser;
    struct px_loopback loopback;
    uint64_t id, handed; /* of the requests: the login; what the browser brought */
    struct px_arena arena;
};

/* ---- what is asked of the host ---- */

static void put_names(const struct login *login, struct px_jw *w) {
    px_jw_key(w, "service");
    px_jw_text(w, login->service);
    if (login->identity) {
        px_jw_key(w, "identity");
        px_jw_text(w, login->identity);
    }
}

/* Which port and path the provider wants, or that there is no browser at all. */
static int prepare(struct login *login) {
    struct px_buf params;
    struct px_jw w;
    struct px_err err;
    px_str about;
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    put_names(login, &w);
    px_jw_object_end(&w);
    int code = px_client_ask(login->client, "plexus/auth/redirect", px_buf_view(&params), &about);
    px_buf_finish(&params);
    if (code)
        return code;
    login->device = login->device || px_field_true(about, "device");
    if (login->device)
        return 0;
    uint64_t port = px_field_u64(about, "port");
    px_str path = px_field_text(&login->arena, about, "path");
    if (px_loopback_open(&login->loopback, port <= UINT16_MAX ? (uint16_t)port : 0, path.n ? path.p : NULL,
                         &err))
        return px_cli_fail(login->cli, PX_EXIT_FAILURE,
                           port ? "The provider knows this port only: free it, or use --device."
                                : "Is the loopback interface up? --device needs no listener.",
                           "%s", err.msg);
    return 0;
}

static int begin(struct login *login) {
    struct px_buf params, uri;
    struct px_jw w;
    px_buf_init(&params, 1 << 20);
    px_buf_init(&uri, 1024);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    put_names(login, &w);
    if (login->device) {
        px_jw_key(&w, "device");
        px_jw_bool(&w, true);
    } else {
        px_loopback_uri(&login->loopback, &uri);
        px_jw_key(&w, "redirect_uri");
        px_jw_str(&w, px_buf_view(&uri));
    }
    px_jw_object_end(&w);
    int r = params.failed ? params.failed
                          : px_client_send(login->client, "plexus/auth/login", px_buf_view(&params));
    login->id = login->client->last_id;
    px_buf_finish(&params);
    px_buf_finish(&uri);
    return r ? px_client_failed(login->client, r) : 0;
}

static int hand_on(struct login *login, px_str query) {
    struct px_buf params;
    struct px_jw w;
    px_buf_init(&params, 1 << 20);
    px_jw_init(&w, &params);
    px_jw_object(&w);
    px_jw_key(&w, "id");
    px_jw_u64(&w, login->id);
    px_jw_key(&w, "query");
    px_jw_str(&w, query);
    px_jw_object_end(&w);
    int r = px_client_send(login->client, "plexus/auth/redirected", px_buf_view(&params));
    login->handed = login->client->last_id;
    if (params.p)
        explicit_bzero(params.p, params.n);
    px_buf_finish(&params);
    return r ? px_client_failed(login->client, r) : 0;
}

/* ---- what a person sees ---- */

/* Only where somebody sits in front of a screen; nobody is told when it does not work, because the address is printed too. */
static void open_browser(const struct login *login, px_str url) {
    char name[] = "xdg-open", *text = px_str_dup(url);
    char *const argv[] = {name, text, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid;
    bool screen = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (text && screen && login->cli->out.tty && !login->no_browser &&
        posix_spawn_file_actions_init(&actions) == 0) {
        if (posix_spawnattr_init(&attr) == 0) {
            posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
            if (posix_spawnp(&pid, name, &actions, &attr, argv, environ)) /* there is none: no matter */
                pid = 0;
            posix_spawnattr_destroy(&attr);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    free(text);
}

/* An address alone on its line, so that it can be copied whole. */
static void put_line(struct px_buf *to, px_str text) {
    px_buf_text(to, "\n  ");
    px_out_clean(to, text, true);
    px_buf_text(to, "\n\n");
}

static void show(const struct login *login, px_str params) {
    struct px_arena arena;
    struct px_buf text;
    px_arena_init(&arena, 1 << 20);
    px_buf_init(&text, 1 << 20);
    px_str url = px_field_text(&arena, params, "url"), code = px_field_text(&arena, params, "user_code");
    px_str complete = px_field_text(&arena, params, "complete_url");
    if (code.n) {
        px_buf_text(&text, "Open this address, and enter the code there:\n");
        put_line(&text, url);
        px_buf_text(&text, px_style(&login->cli->err, PX_BOLD));
        px_buf_text(&text, "  ");
        px_out_clean(&text, code, true);
        px_buf_text(&text, px_style_end(&login->cli->err, PX_BOLD));
        px_buf_text(&text, "\n\n");
        if (complete.n) {
            px_buf_text(&text, "Or this one, which has the code in it:\n");
            put_line(&text, complete);
        }
    } else {
        px_buf_text(&text, "Open this address in a browser on this machine:\n");
        put_line(&text, url);
    }
    px_buf_text(&text, "Waiting (Ctrl-C gives up) …\n");
    px_out_flush(&login->cli->err, &text);
    if (px_str_starts(url, PX_LIT("https://")) || px_str_starts(url, PX_LIT("http://")))
        open_browser(login, complete.n ? complete : url);
    px_buf_finish(&text);
    px_arena_finish(&arena);
}

static void put_scopes(struct px_buf *to, struct px_arena *arena, px_str scopes) {
    px_str scope;
    uint64_t pos = 0;
    bool any = false;
    while (px_json_slice_next(scopes, &pos, NULL, &scope) == 1) {
        px_buf_text(to, any ? ", " : " with ");
        px_out_clean(to, px_value_text(arena, scope), true);
        any = true;
    }
}

/* "github: connected as alice with repo, read:org" */
static void put_connected(const struct login *login, struct px_buf *to, struct px_arena *arena,
                          px_str result) {
    px_str account = px_field_text(arena, result, "account");
    px_out_clean(to, px_str_of(login->service), true);
    px_buf_text(to, ": connected");
    if (account.n) {
        px_buf_text(to, " as ");
        px_out_clean(to, account, true);
    }
    put_scopes(to, arena, px_field(result, "scopes"));
}

static int connected(struct login *login, px_str result) {
    struct px_buf text;
    px_buf_init(&text, 1 << 20);
    put_connected(login, &text, &login->arena, result);
    px_loopback_answer(
        &login->loopback, true,
        px_arena_fmt(&login->arena, PX_FMT ". You can close this page.", PX_ARG(px_buf_view(&text))));
    px_loopback_close(&login->loopback);
    int r;
    px_buf_char(&text, '\n');
    if (login->cli->json)
        r = px_pretty_print(&login->cli->out, result);
    else
        r = px_out_flush(&login->cli->out, &text);
    px_buf_finish(&text);
    return r ? PX_EXIT_FAILURE : PX_EXIT_OK;
}

static int refused(struct login *login, px_str error) {
    px_str words = px_field_text(&login->arena, error, "message");
    px_loopback_answer(&login->loopback, false,
                       px_arena_fmt(&login->arena, PX_FMT ". The command has more to say.", PX_ARG(words)));
    return px_client_refused(login->client, error);
}

/* ---- waiting ---- */

/* What the host says. 1: it goes on; else *ret_code is how it ended. */
static int on_message(struct login *login, const struct px_client_message *message, int *ret_code) {
    if (message->method.p) {
        if (px_str_is(message->method, "notifications/plexus/auth") &&
            px_field_u64(message->params, "id") == login->id)
            show(login, message->params);
        return 1;
    }
    if (message->id == login->id) {
        *ret_code = message->answer.error.p ? refused(login, message->answer.error)
                                            : connected(login, message->answer.result);
        return 0;
    }
    if (message->id == login->handed &&
        message->answer.error.p) { /* somebody else's: the right one may come yet */
        px_str words = px_field_text(&login->arena, message->answer.error, "message");
        px_loopback_answer(&login->loopback, false, words);
        fprintf(login->cli->err.file, "an answer came that is not to this login; still waiting …\n");
    }
    return 1;
}

/* Everything that the host has sent. 1: it goes on. */
static int listen_to_host(struct login *login, int *ret_code) {
    struct px_client_message message;
    for (;;) {
        int r = px_client_take(login->client, &message);
        if (r == 0)
            return 1;
        if (r < 0) {
            *ret_code = px_client_failed(login->client, r);
            return 0;
        }
        if (on_message(login, &message, ret_code) == 0)
            return 0;
    }
}

static int give_up(struct login *login) {
    login->client->last_id = login->id;
    px_client_cancel(login->client);
    px_loopback_answer(&login->loopback, false, PX_LIT("The login was given up."));
    return px_cli_fail(login->cli, PX_EXIT_FAILURE, NULL, "the login was given up");
}

static int wait_for_end(struct login *login) {
    uint64_t until = px_clock_mono_ns() + PATIENCE_MS * PX_MS;
    int code = 0;
    while (listen_to_host(login, &code)) {
        struct pollfd fds[1 + PX_LOOPBACK_FDS] = {{.fd = login->client->fd, .events = POLLIN}};
        size_t n = 1 + px_loopback_fds(&login->loopback, fds + 1);
        const struct timespec slice = {.tv_sec = 5};
        px_str query;
        if (px_interrupt_poll(fds, (nfds_t)n, &slice) < 0 && px_interrupted())
            return give_up(login);
        if (px_clock_mono_ns() > until)
            return px_client_failed(login->client, -ETIMEDOUT);
        if (px_loopback_turn(&login->loopback, &query) && (code = hand_on(login, query)))
            return code;
    }
    return code;
}

static int run(struct px_cli *cli, const struct px_args *args) {
    struct px_client client;
    struct login login = {.cli = cli,
                          .client = &client,
                          .service = args->pos[0],
                          .identity = px_args_get(args, "identity"),
                          .device = px_args_has(args, "device"),
                          .no_browser = px_args_has(args, "no-browser"),
                          .loopback = {.fd = -1}};
    px_arena_init(&login.arena, 4 << 20);
    int code = px_client_open(&client, cli);
    if (code == 0) {
        px_interrupt_catch();
        code = prepare(&login);
    }
    if (code == 0)
        code = begin(&login);
    if (code == 0)
        code = wait_for_end(&login);
    px_loopback_close(&login.loopback);
    px_client_close(&client);
    px_arena_finish(&login.arena);
    return code;
}

static const struct px_opt opts[] = {
    {"device", NULL, "enter a code in any browser, instead of one on this machine"},
    {"identity", "NAME", "which of the service's identities (the one that needs a login)"},
    {"no-browser", NULL, "only print the address"},
};

const struct px_command px_cmd_auth_login = {
    .name = "auth login",
    .synopsis = "SERVICE [options]",
    .summary = "let the host use a service in your name",
    .help =
        "Prints an address to open. The browser comes back to a listener of this command on 127.0.0.1; the host gets\n"
        "the tokens, keeps them sealed, and refreshes them. With --device, a code is entered in any browser.\n"
        "A grant that everybody shares is for administrators to make; with \"grant\": \"per_principal\" each principal\n"
        "makes its own.\n"
        "\nExamples\n"
        "  plexus auth login github\n"
        "  plexus auth login github --device\n"
        "  plexus --token-file ci.token auth login mail\n",
    .opts = opts,
    .n_opts = PX_COUNT(opts),
    .min_pos = 1,
    .max_pos = 1,
    .run = run,
};
