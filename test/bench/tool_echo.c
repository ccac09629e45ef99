/* tool_echo SOCKET: the least that an epoll server on a Unix socket can do: read what is there, write it back. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char bytes[1 << 20];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), loop = epoll_create1(EPOLL_CLOEXEC);
    if (argc != 2)
        return 2;
    snprintf(at.sun_path, sizeof at.sun_path, "%s", argv[1]);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 16) < 0)
        return 1;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        if (epoll_wait(loop, &ev, 1, -1) < 1)
            continue;
        if (ev.data.fd == listener) {
            struct epoll_event peer = {.events = EPOLLIN, .data.fd = accept(listener, NULL, NULL)};
            epoll_ctl(loop, EPOLL_CTL_ADD, peer.data.fd, &peer);
            continue;
        }
        ssize_t n = read(ev.data.fd, bytes, sizeof bytes), at_byte = 0;
        if (n <= 0)
            close(ev.data.fd);
        while (n > 0 && at_byte < n) {
            ssize_t sent = write(ev.data.fd, bytes + at_byte, (size_t)(n - at_byte));
            if (sent <= 0)
                break;
            at_byte += sent;
        }
    }
}
