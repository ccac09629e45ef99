"""An upstream that fails as it is told to, and counts. Standard library alone; a thread for each connection, one request a connection.

    upstream = Upstream()
    upstream.script("a", status(503), status(503))     # the first two requests to /c/a; 200 for those behind. Or functions that make a step
    upstream.seen("a")                                  # what came: method, headers, body, idempotency key, when

By hand:  python3 test/e2e/chaos/server.py [PORT]       then
    curl -d '[{"do": "status", "status": 503}]' http://127.0.0.1:PORT/control/a      and GET /seen/a

Steps ("do"):
    status                 answer with status, headers, body (JSON), after a `delay`, or when the event `until` is set
    reset, close           read the request, then end the connection by RST, by FIN
    reset_unread, close_unread   the same without reading the request's body
    reset_after_head, reset_in_body, close_in_body       200, and not all of it
    stall, stall_in_body   200 never, 200 and half of it, until the client has gone
    garbage                something that is no HTTP
With "did": true, a write has been carried out before it fails: /found/CASE then lists its marker. Answers with 2xx always carry it out.
"""
import json
import os
import select
import socket
import struct
import sys
import threading
import time


def status(code, headers=None, body=None, delay=0, did=False, until=None):
    return {"do": "status", "status": code, "headers": headers or {}, "body": body, "delay": delay, "did": did, "until": until}


def do(what, did=False):
    return {"do": what, "did": did}


class Seen:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body, self.at = method, path, headers, body, time.monotonic()
        self.key = headers.get("idempotency-key")


class Upstream:
    def __init__(self, port=0):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(256)
        self.port = self.socket.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.lock, self.scripts, self.requests, self.marks, self.looked = threading.Lock(), {}, {}, {}, {}
        self.connections, self.ended = 0, threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.ended.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    # ---- what the test says and asks ----

    def script(self, case, *steps):
        with self.lock:
            self.scripts[case] = list(steps)

    def seen(self, case):
        with self.lock:
            return list(self.requests.get(case, []))

    def count(self, case, method=None):
        return sum(method in (None, one.method) for one in self.seen(case))

    # ---- what it does ----

    def accept(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.one(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def one(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        place, _, case = path.split("?")[0].lstrip("/").partition("/")
        step = self.take(place, case, method, path, headers)
        if step["do"] not in ("reset_unread", "close_unread"):
            while len(body) < int(headers.get("content-length", 0)):
                piece = connection.recv(65536)
                if not piece:
                    return
                body += piece
        with self.lock:
            if place == "c":
                self.requests[case][-1].body = body
        self.answer(connection, place, case, body, step)

    def take(self, place, case, method, path, headers):
        with self.lock:
            if place != "c":
                if place == "found":
                    self.looked[case] = self.looked.get(case, 0) + 1
                return {"do": "status", "status": 200}
            self.requests.setdefault(case, []).append(Seen(method, path, headers, b""))
            steps = self.scripts.get(case)
            step = steps.pop(0) if steps else {"do": "status", "status": 200}
            return step() if callable(step) else step  # what names a time names it now

    def answer(self, connection, place, case, body, step):
        reply, code = {"ok": True, "case": case}, step.get("status", 200)
        with self.lock:
            if place == "control":
                self.scripts[case] = json.loads(body)
            elif place == "seen":
                reply = [{"method": one.method, "key": one.key} for one in self.requests.get(case, [])]
            elif place == "found":
                reply = {"items": [{"marker": mark} for mark in self.marks.get(case, [])]}
            elif step.get("did") or (step["do"] == "status" and code < 300):
                marker = json.loads(body or b"null")
                if isinstance(marker, dict) and "marker" in marker:
                    self.marks.setdefault(case, []).append(marker["marker"])
        if step.get("body") is not None:
            reply = step["body"]
        text = json.dumps(reply).encode()
        lines = ["HTTP/1.1 %d Chaos" % code, "Content-Type: application/json", "Content-Length: %d" % len(text), "Connection: close"]
        head = "\r\n".join(lines + ["%s: %s" % pair for pair in step.get("headers", {}).items()]).encode() + b"\r\n\r\n"
        what = step["do"]
        if step.get("until"):
            step["until"].wait(60)
        time.sleep(step.get("delay", 0))
        if what == "status":
            connection.sendall(head + text)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(65536):
                pass
        elif what in ("reset", "reset_unread"):
            self.reset(connection)
        elif what == "reset_after_head":
            connection.sendall(head)
            self.settle(connection)
            self.reset(connection)
        elif what == "reset_in_body":
            connection.sendall(head + text[:5])
            self.settle(connection)
            self.reset(connection)
        elif what == "close_in_body":
            connection.sendall(head + text[:5])
        elif what == "garbage":
            connection.sendall(b"\x15\x03\x01 this is no HTTP\r\n\r\n")
        elif what in ("stall", "stall_in_body"):
            if what == "stall_in_body":
                connection.sendall(head + text[:5])
            connection.settimeout(60)
            while connection.recv(65536):
                pass
        elif what not in ("close", "close_unread"):
            raise AssertionError(what)

    @staticmethod
    def settle(connection):
        """Until the other side's kernel has it: a reset would take it back. (TIOCOUTQ: what is not acknowledged.)"""
        import fcntl
        import termios
        for _ in range(200):
            if struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))[0] == 0:
                break
            time.sleep(0.005)
        time.sleep(0.05)  # and that the client has read it

    @staticmethod
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Full:
    """A port whose backlog is full: a connection is neither accepted nor refused."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.fill = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
            self.fill.append(one)
        select.select([], self.fill, [], 0.2)

    def close(self):
        for one in self.fill:
            one.close()
        self.socket.close()


if __name__ == "__main__":
    upstream = Upstream(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(upstream.url, os.getpid(), flush=True)
    threading.Event().wait()
