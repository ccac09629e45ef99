#include "cli/socket.h"
#include "json/write.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { TOKEN_MIN = 20, TOKEN_MAX = 512 };

/* A folder anyone may have written must not lead us, and our token, to a host that poses as one. */
static bool local_is_ours(void) {
    struct stat st;
    return stat(PX_SOCKET_LOCAL, &st) == 0 && S_ISSOCK(st.st_mode) &&
           (st.st_uid == 0 || st.st_uid == geteuid());
}

const char *px_socket_path(const struct px_cli *cli) {
    const char *named = cli->socket ? cli->socket : getenv("PLEXUS_SOCKET");
    if (named && *named)
        return named;
    if (access(PX_SOCKET_DEFAULT, F_OK) != 0 && local_is_ours())
        return PX_SOCKET_LOCAL;
    return PX_SOCKET_DEFAULT;
}

int px_socket_connect(const char *path, int *ret_fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, n + 1);
    PX_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != EINTR)
            return -errno;
    }
    *ret_fd = px_take_fd(&fd);
    return 0;
}

const char *px_socket_advice(int code) {
    switch (code) {
    case -EACCES:
    case -EPERM: return "Ask its administrator to let you into the group that may use the socket.";
    case -ENAMETOOLONG: return "A socket's path has at most 107 bytes: name a shorter one with --socket.";
    case -ECONNREFUSED: return "The socket is left over from a host that is gone: start plexusd.";
    default: return "Start plexusd, or name its socket with --socket or PLEXUS_SOCKET.";
    }
}

/* Printable, without blanks, of a length that a token has. */
static bool is_token(px_str text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
            return false;
    return text.n >= TOKEN_MIN;
}

/* The token without the white space around it. */
static int read_token(const char *path, char token[TOKEN_MAX + 2], px_str *ret, struct px_err *err) {
    PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t n = 0;
    if (fd < 0)
        return px_err_errno(err, -errno, "cannot read the token file %s", path);
    for (;;) {
        ssize_t got = read(fd, token + n, TOKEN_MAX + 2 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return px_err_errno(err, -errno, "cannot read the token file %s", path);
        n += (size_t)got;
        if (got == 0 || n == TOKEN_MAX + 2)
            break;
    }
    while (n && (token[n - 1] == '\n' || token[n - 1] == '\r' || token[n - 1] == ' '))
        n--;
    *ret = px_str_n(token, n);
    if (!is_token(*ret))
        return px_err_set(err, -EINVAL, "the token file %s does not hold one token and nothing else", path);
    return 0;
}

int px_socket_session(const struct px_cli *cli, const char *client, struct px_buf *to, struct px_err *err) {
    const char *path = cli->token_file ? cli->token_file : getenv("PLEXUS_TOKEN_FILE");
    char memory[TOKEN_MAX + 2]; /* room for a newline */
    px_str token = {0};
    struct px_jw w;
    if (path && *path) {
        int r = read_token(path, memory, &token, err);
        if (r)
            return r;
    }
    if (!token.p && !cli->profile)
        return 0;
    px_jw_init(&w, to);
    px_jw_object(&w);
    if (token.p) {
        px_jw_key(&w, "token");
        px_jw_str(&w, token);
    }
    if (cli->profile) {
        px_jw_key(&w, "profile");
        px_jw_text(&w, cli->profile);
    }
    px_jw_key(&w, "client");
    px_jw_text(&w, client);
    px_jw_object_end(&w);
    explicit_bzero(memory, sizeof memory);
    return to->failed ? px_err_set(err, to->failed, "the profile's name is too long") : 0;
}
