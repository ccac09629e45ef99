/* token new: a secret for a named principal. */
#include "base/codec.h"
#include "cli/commands.h"
#include "json/write.h"
#include <sodium.h>

enum { RANDOM_BYTES = 32, NAME_BYTES = 32 };

/* As the configuration wants it: [a-z0-9][a-z0-9_.-]{0,31}. */
static bool is_name(px_str name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    for (size_t i = 0; i < name.n; i++)
        if (!memchr(allowed, name.p[i], i ? sizeof allowed - 1 : 36))
            return false;
    return name.n >= 1 && name.n <= NAME_BYTES;
}

/* px_ and 43 characters of base64url: 256 random bits. */
static void make_token(struct px_buf *to) {
    unsigned char bytes[RANDOM_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    px_buf_text(to, "px_");
    px_base64_add(to, px_str_n((const char *)bytes, sizeof bytes));
    to->n--; /* the padding */
    to->p[to->n] = 0;
    for (size_t i = 3; i < to->n; i++)
        to->p[i] = to->p[i] == '+' ? '-' : to->p[i] == '/' ? '_' : to->p[i];
    sodium_memzero(bytes, sizeof bytes);
}

static void print_line(struct px_buf *to, const char *name, px_str token) {
    unsigned char digest[32];
    crypto_generichash(digest, sizeof digest, (const unsigned char *)token.p, token.n, NULL, 0);
    px_buf_addf(to, "{\"principals\":{\"token:%s\":{\"token_hash\":\"blake2b:", name);
    px_hex_add(to, px_str_n((const char *)digest, sizeof digest));
    px_buf_text(to, "\"}}}\n");
}

static int run(struct px_cli *cli, const struct px_args *args) {
    const char *name = args->pos[0];
    struct px_buf token, line;
    int code = PX_EXIT_OK;
    if (!is_name(px_str_of(name)))
        return px_cli_fail(
            cli, PX_EXIT_USAGE, NULL,
            "a token's name has 1 to 32 of a-z 0-9 _ . - and begins with one of a-z 0-9, not %s", name);
    if (sodium_init() < 0)
        return px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "no source of random numbers");
    px_buf_init(&token, 256);
    px_buf_init(&line, 1024);
    make_token(&token);
    print_line(&line, name, px_buf_view(&token));
    px_buf_char(&token, '\n');
    if (token.failed || line.failed)
        code = px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "out of memory");
    else if (fwrite(token.p, 1, token.n, cli->out.file) != token.n || fflush(cli->out.file) != 0)
        code = px_cli_fail(cli, PX_EXIT_FAILURE, NULL, "cannot write to stdout");
    else
        fputs(line.p, cli->err.file);
    if (token.p)
        sodium_memzero(token.p, token.n);
    px_buf_finish(&token);
    px_buf_finish(&line);
    return code;
}

const struct px_command px_cmd_token_new = {
    .name = "token new",
    .synopsis = "NAME",
    .summary = "make a token for a named principal",
    .help =
        "The token goes to stdout, once: keep it in a file that only its user can read. The line for the host's\n"
        "configuration, which holds only a hash, goes to stderr. Nothing is stored, and no host is asked.\n"
        "\nExamples\n"
        "  (umask 077; plexus token new ci > ci.token)\n"
        "  plexus --token-file ci.token tools\n",
    .min_pos = 1,
    .max_pos = 1,
    .run = run,
};
