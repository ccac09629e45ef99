"""An HTTP server that behaves as badly as it is told to, by the path of the request. On loopback, on a port of the kernel's.

With `context` (ssl.SSLContext) it speaks TLS. `sent` counts the bytes of bodies that left."""

import gzip
import socket
import ssl
import struct
import threading
import time
import zlib

JSON = b'{"ok":true,"id":5000000000000001}'


def answer(body=JSON, status="200 OK", type="application/json", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Peer:
    def __init__(self, context=None):
        self.context, self.sent, self.requests, self.closing = context, 0, [], False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.ending = threading.Event()
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def origin(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def close(self):
        self.closing = True
        self.ending.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # accept() would keep it open
        except OSError:
            pass
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.open.add(connection)
            while self.one(connection):
                pass
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.open.discard(connection)
            try:
                connection.close()
            except OSError:
                pass

    def one(self, c):
        """A request and its answer; whether the connection goes on."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = c.recv(65536)
            if not piece:
                return False
            data += piece
        head, rest = data.split(b"\r\n\r\n", 1)
        method, path = head.split(b"\r\n")[0].decode().split(" ")[:2]
        for line in head.split(b"\r\n")[1:]:
            name, value = line.decode("latin1").split(":", 1)
            if name.lower() == "content-length":
                while len(rest) < int(value):
                    rest += c.recv(65536)
        self.requests.append((method, path, head, rest))
        name, _, arg = path[1:].partition("?")[0].partition("/")
        return bool(getattr(self, "do_" + name.replace("-", "_"))(c, arg))

    # ---- what there is ----

    def do_ok(self, c, arg):
        c.sendall(answer())
        return True

    def do_echo(self, c, arg):
        c.sendall(answer(self.requests[-1][3], type="text/plain"))
        return True

    def do_page(self, c, arg):
        c.sendall(answer(b"<title>A page</title><nav>menu</nav><p>With <a href='/ok'>a link</a>", type="text/html"))
        return True

    def do_status(self, c, arg):
        body = f"<title>{arg}</title><h1>No luck</h1><p>It is {arg} today.".encode()
        more = ["Retry-After: 7"] if arg in ("429", "503") else []
        c.sendall(answer(body, f"{arg} Whatever", "text/html", *more))
        return True

    # ---- connections that end ----

    def reset(self, c):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def do_reset(self, c, arg):
        sent = {"before": b"", "headers": b"HTTP/1.1 200 OK\r\nContent-Ty",
                "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":"}[arg]
        c.sendall(sent)
        time.sleep(0.05)
        return self.reset(c)

    def do_end(self, c, arg):
        c.sendall({"before": b"", "headers": b"HTTP/1.1 200 OK\r\nContent-Ty",
                   "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":"}[arg])
        return False

    # ---- time ----

    def do_hang(self, c, arg):
        c.sendall({"before": b"", "headers": b"HTTP/1.1 200 OK\r\nContent-Ty",
                   "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":"}[arg])
        self.ending.wait(60)
        return False

    def do_drip(self, c, arg):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not self.ending.wait(0.05):
            c.sendall(b"x")
        return False

    # ---- lies ----

    def do_raw(self, c, arg):
        c.sendall({
            "short": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nConnection: close\r\n\r\n" + JSON,
            "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}    ",
            "no-length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
            "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\nzz\r\n1}\r\n0\r\n\r\n",
            "cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{\"a\":",
            "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
            "garbage": bytes(range(256)) * 4,
            "headers": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(400)) + b"Content-Length: 2\r\n\r\n{}",
            "header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 400000 + b"\r\nContent-Length: 2\r\n\r\n{}",
            "json": answer(b'{"a": 1,}'),
            "utf8": answer(b'{"a": "\xff\xfe"}'),
            "encoding": answer(JSON, "200 OK", "application/json", "Content-Encoding: gzip"),
        }[arg])
        return False

    # ---- too much ----

    def flood(self, c, size, piece):
        while size > 0 and not self.closing:
            c.sendall(piece[:size])
            self.sent += len(piece)
            size -= len(piece)

    def do_huge(self, c, arg):
        size = 1 << 30
        if arg == "length":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size)
        else:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        self.flood(c, size, b"[" + b"1," * 32767 + b"2")
        return False

    def do_bomb(self, c, arg):
        """A gigabyte of blanks, in a megabyte."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        blanks = b" " * (1 << 20)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
        for _ in range(1024):
            c.sendall(packer.compress(blanks))
        c.sendall(packer.flush())
        return False

    def do_gzip(self, c, arg):
        c.sendall(answer(gzip.compress(JSON), "200 OK", "application/json", "Content-Encoding: gzip"))
        return True

    # ---- elsewhere ----

    def do_redirects(self, c, arg):
        to = f"/redirects/{int(arg) - 1}" if int(arg) else "/ok"
        c.sendall(answer(b"", "302 Found", "text/plain", f"Location: {to}"))
        return True

    def do_to(self, c, arg):
        """/to/http/host:port/path"""
        scheme, _, rest = arg.partition("/")
        c.sendall(answer(b"", "302 Found", "text/plain", f"Location: {scheme}://{rest}"))
        return True

    def do_nowhere(self, c, arg):
        c.sendall(answer(b"", "302 Found", "text/plain", "Location: http://[::bad/"))
        return True
