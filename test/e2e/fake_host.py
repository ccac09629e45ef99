"""A scripted host: JSON-RPC lines on a Unix socket, both eras of MCP and the host's own methods.

It stands in for plexusd where a test needs a host that dies at a chosen moment, comes back, is slow, or sends nonsense.
What it answers for a tool is in TOOLS below. By hand: fake_host.py SOCKET
"""
import json
import os
import socket
import sys
import threading
import time

VERSION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def tool(name, description, properties=None, required=(), read_only=True, **more):
    schema = {"type": "object", "properties": properties or {}, "required": list(required)}
    hints = {"readOnlyHint": True} if read_only else {"readOnlyHint": False, "destructiveHint": True}
    return {"name": name, "description": description, "inputSchema": schema, "annotations": hints, **more}


TOOLS = [
    tool("demo_echo", "Gives back its arguments", {"text": {"type": "string", "description": "Any text"},
                                                   "n": {"type": "integer", "default": 1}}, ["text"], title="Echo"),
    tool("demo_add", "Adds two integers", {"a": {"type": "integer"}, "b": {"type": "integer"}}, ["a", "b"]),
    tool("demo_query", "Rows of a table", {"sql": {"type": "string"}}, ["sql"]),
    tool("demo_list", "A list of flat objects"),
    tool("demo_text", "Plain text with an escape sequence"),
    tool("demo_image", "A picture"),
    tool("demo_slow", "Reports progress until it is cancelled"),
    tool("demo_never", "Never answers"),
    tool("demo_fail", "Fails with the code it is given", {"code": {"type": "string"}}),
    tool("demo_words", "Fails in its own words"),
    tool("demo_ask", "Asks before it goes on"),
    tool("demo_cut", "A result that was cut"),
    tool("demo_huge", "Answers with more than a line may hold"),
    tool("demo_noise", "Sends nonsense before its answer"),
    tool("demo_write", "Writes, and the host dies before it answers", read_only=False),
    tool("demo_refused", "Not allowed by policy", read_only=False),
]

STATUS = {
    "version": "0.1.0", "pid": 4242, "uptime_ms": 93784000, "ready": True, "stopping": False, "paused_all": False,
    "principal": "uid:0", "planners": 2, "calls": {"in_flight": 1, "total": 12345, "failed": 6},
    "services": [
        {"name": "demo", "plugin": "demo", "plugin_version": "1.2", "state": "ready", "error": None, "tools": 16,
         "in_flight": 1},
        {"name": "broken", "plugin": "demo", "plugin_version": "1.2", "state": "failed", "error": "no such host",
         "tools": 0, "in_flight": 0}],
    "plugins": [{"name": "bad", "file": "/plugins/bad.so", "version": "", "state": "refused", "error": "not ELF"}],
    "http": {"requests": 1234, "failed": 5, "refused": 2, "redirects": 0, "connections": 7, "reused": 1200, "running": 3, "waiting": 0},
    "dns": {"asked": 9, "hits": 1, "coalesced": 0, "failed": 0, "names": 4, "running": 0},
    "loop": {"turns": 10, "callbacks": 9876, "slow": 1, "slowest_us": 6100, "slowest": "storage", "lag_us": 40,
             "timers": 3, "sources": 4, "busy_ratio": 0.125},
    "state": {"health": "ok", "reason": None, "commits": 55, "commit_p50_us": 900, "commit_p99_us": 4100,
              "commit_max_us": 7000, "log_rows_dropped": 0},
    "memory": {"rss_bytes": 14200000}}


def log_row(number, name="demo_echo", code="ok"):
    return {"id": f"01ROW{number}", "parent": None, "principal": "uid:1000", "profile": None, "service": "demo",
            "tool": name, "args": "{\"text\":\"hi\"}", "digest": "d", "began_unix_ms": 1767225600000 + number,
            "duration_us": 1500, "code": code, "detail": None, "bytes": 12}


class Connection:
    def __init__(self, host, sock):
        self.host, self.sock, self.lock = host, sock, threading.Lock()
        self.legacy = False
        self.calls = 0
        self.listens = []      # (id, filter)
        self.subscribed = []   # URIs
        self.cancelled = set()
        self.follow = None
        self.open = True

    # -- writing --------------------------------------------------------------------------------------------
    def raw(self, data):
        with self.lock:
            try:
                self.sock.sendall(data)
            except OSError:
                self.open = False

    def send(self, message):
        self.raw(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def notify(self, method, params):
        self.send({"method": method, "params": params})

    def result(self, ident, result, modern):
        if modern:
            result = {"resultType": "complete", **result}
        self.send({"id": ident, "result": result})

    def error(self, ident, code, message, data=None):
        self.send({"id": ident, "error": {"code": code, "message": message, **({"data": data} if data else {})}})

    def close(self):
        self.open = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    # -- reading --------------------------------------------------------------------------------------------
    def serve(self):
        buffer = b""
        while self.open:
            while self.host.deaf.is_set() and self.open:
                time.sleep(0.01)
            try:
                data = self.sock.recv(65536)
            except OSError:
                break
            if not data:
                break
            buffer += data
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                self.line(line)
        self.host.gone(self)
        # like the real one: answers that are still being made go out before the end
        deadline = time.monotonic() + 5
        while self.open and self.calls and time.monotonic() < deadline:
            time.sleep(0.01)
        self.close()

    def line(self, line):
        try:
            message = json.loads(line)
        except ValueError:
            self.error(None, -32700, "not JSON")
            return
        self.host.seen.append((self, message))
        self.host.changed()
        if "method" not in message:
            return
        params = message.get("params") or {}
        if "id" not in message:
            self.notification(message["method"], params)
            return
        method, ident = message["method"], message["id"]
        if method in self.host.scripts:
            self.host.scripts[method](self, ident, params)
            return
        modern = VERSION in (params.get("_meta") or {})
        handler = getattr(self, "do_" + method.replace("/", "_").replace("-", "_"), None)
        if handler is None:
            self.error(ident, -32601, f"unknown method {method}")
        elif not modern and not self.legacy and not method.startswith("plexus/") and method not in ("initialize", "ping"):
            self.error(ident, -32602, "_meta is missing: call initialize, or speak 2026-07-28")
        else:
            handler(ident, params, modern)

    def notification(self, method, params):
        if method == "notifications/cancelled":
            self.cancelled.add(params.get("requestId"))
            self.listens = [one for one in self.listens if one[0] != params.get("requestId")]

    # -- MCP ------------------------------------------------------------------------------------------------
    def do_initialize(self, ident, params, modern):
        self.legacy = True
        self.result(ident, {"protocolVersion": params.get("protocolVersion"), "serverInfo": {"name": "fake", "version": "1"},
                            "capabilities": {"tools": {"listChanged": True}, "logging": {},
                                             "resources": {"subscribe": True, "listChanged": True}}}, False)

    def do_ping(self, ident, params, modern):
        self.result(ident, {}, modern)

    def do_server_discover(self, ident, params, modern):
        self.result(ident, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": True}},
                            "ttlMs": 0, "cacheScope": "private"}, modern)

    def do_tools_list(self, ident, params, modern):
        start = int(params.get("cursor", "0"))
        page = self.host.tools[start:start + self.host.page]
        result = {"tools": page}
        if modern:
            result.update(ttlMs=0, cacheScope="private")
        if start + self.host.page < len(self.host.tools):
            result["nextCursor"] = str(start + self.host.page)
        self.result(ident, result, modern)

    def do_resources_subscribe(self, ident, params, modern):
        self.subscribed.append(params["uri"])
        self.result(ident, {}, modern)

    def do_resources_unsubscribe(self, ident, params, modern):
        self.subscribed.remove(params["uri"])
        self.result(ident, {}, modern)

    def do_logging_setLevel(self, ident, params, modern):
        self.result(ident, {}, modern)

    def do_resources_read(self, ident, params, modern):
        if params.get("uri") == "demo://never":
            return
        self.result(ident, {"contents": []}, modern)

    def do_subscriptions_listen(self, ident, params, modern):
        wanted = params.get("notifications") or {}
        self.listens.append((ident, wanted))
        self.notify("notifications/subscriptions/acknowledged", {"notifications": wanted, "_meta": {SUBSCRIPTION: ident}})

    def do_tools_call(self, ident, params, modern):
        self.calls += 1
        threading.Thread(target=self.call, args=(ident, params, modern), daemon=True).start()

    def call(self, ident, params, modern):
        try:
            name = params.get("name", "")
            act = getattr(self, "tool_" + name.removeprefix("demo_"), None)
            if name not in [one["name"] for one in self.host.tools] or act is None:
                self.error(ident, -32602, f"there is no tool {name}")
                return
            result = act(ident, params.get("arguments") or {}, params)
            if result is not None:
                result["_meta"] = {"plexus/call_id": "01CALL", **result.get("_meta", {})}
                self.result(ident, result, modern)
        finally:
            self.calls -= 1

    @staticmethod
    def text(text, **more):
        return {"content": [{"type": "text", "text": text}], **more}

    def failure(self, code, message, **more):
        error = {"code": code, "message": message, "retryable": False, **more}
        return self.text(json.dumps({"error": error}), structuredContent={"error": error}, isError=True)

    def tool_echo(self, ident, args, params):
        return self.text(json.dumps(args), structuredContent={"arguments": args, "meta": params.get("_meta", {})})

    def tool_add(self, ident, args, params):
        for key in ("a", "b"):
            if not isinstance(args.get(key), int):
                return self.failure("invalid_arguments", f"/{key}: expected an integer, got {json.dumps(args.get(key))}")
        return self.text(str(args["a"] + args["b"]))

    def tool_query(self, ident, args, params):
        rows = {"columns": ["id", "name"], "rows": [[5000000000000001, "Ada"], [2, None], [3, "x" * 300]]}
        return self.text(json.dumps(rows), structuredContent=rows)

    def tool_list(self, ident, args, params):
        return self.text("[]", structuredContent=[{"name": "one", "size": 1}, {"name": "two", "ok": True}])

    def tool_text(self, ident, args, params):
        return self.text("plain \x1b[31mred\x1b[0m \u202edecoy\nsecond line")

    def tool_image(self, ident, args, params):
        return {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"},
                            {"type": "resource_link", "uri": "demo://r", "name": "R"}]}

    def tool_slow(self, ident, args, params):
        token = (params.get("_meta") or {}).get("progressToken")
        for i in range(int(args.get("steps", 200))):
            if ident in self.cancelled or not self.open:
                return None
            if token is not None:
                self.notify("notifications/progress", {"progressToken": token, "progress": i + 1, "total": 200,
                                                       "message": "working"})
            time.sleep(0.02)
        return self.text("done")

    def tool_never(self, ident, args, params):
        return None

    tool_write = tool_never

    def tool_fail(self, ident, args, params):
        return self.failure(args.get("code", "upstream_error"), "the upstream said no", retryable=True,
                            retry_after_ms=1500, advice="Wait a little.")

    def tool_refused(self, ident, args, params):
        return self.failure("forbidden", "policy refuses demo_refused", advice="Ask an administrator.")

    def tool_words(self, ident, args, params):
        return self.text("it is not there", isError=True)

    def tool_ask(self, ident, args, params):
        answers = params.get("inputResponses")
        if answers:
            return self.text(json.dumps({"answers": answers, "state": params.get("requestState")}))
        return {"resultType": "input_required", "requestState": "state with 'quotes'", "inputRequests": {
            "confirm": {"method": "elicitation/create", "params": {
                "mode": "form", "message": "Really do it?", "requestedSchema": {
                    "type": "object", "properties": {"sure": {"type": "boolean", "description": "Are you sure"}}}}},
            "login": {"method": "elicitation/create", "params": {"mode": "url", "message": "Log in",
                                                                 "url": "https://example.test/login"}}}}

    def tool_cut(self, ident, args, params):
        return self.text("part", _meta={"plexus/truncated": {"kept_items": 3, "dropped_items": 7, "bytes": 99,
                                                             "advice": "Ask for fewer columns."}})

    def tool_huge(self, ident, args, params):
        self.result(ident, self.text("x" * (5 << 20)), True)

    def tool_noise(self, ident, args, params):
        self.raw(b"this is no JSON\n")
        self.raw(b"[1,2,3]\n")
        self.raw(b'{"jsonrpc":"2.0","id":"nobody","result":{}}\n')
        return self.text("after the noise")

    # -- the host's own methods -----------------------------------------------------------------------------
    def do_plexus_session(self, ident, params, modern):
        self.host.sessions.append(params)
        if params.get("profile") == "nonsense" or params.get("token", "px_good" + 20 * "x") != "px_good" + 20 * "x":
            self.error(ident, 1003, "there is no such profile, or the token is not known",
                       {"code": "forbidden", "retryable": False, "advice": "Look at the configuration."})
            return
        self.send({"id": ident, "result": {"principal": "uid:0", "admin": True, "profile": params.get("profile"),
                                           "host": "plexusd 0.1.0"}})

    def do_plexus_status(self, ident, params, modern):
        self.send({"id": ident, "result": STATUS})

    def do_plexus_describe(self, ident, params, modern):
        for one in self.host.tools:
            if one["name"] == params["name"]:
                allowed = one["name"] != "demo_refused"
                self.send({"id": ident, "result": {
                    "tool": one, "service": "demo", "plugin": "demo",
                    "policy": {"allowed": allowed, "why": "read-only" if allowed else "not in the policy"}}})
                return
        self.error(ident, 1004, f"there is no tool {params['name']}", {"code": "not_found", "retryable": False})

    def do_plexus_log(self, ident, params, modern):
        self.host.log_params.append(params)
        rows = [log_row(1), log_row(2, "demo_fail", "timeout")]
        if not params.get("follow"):
            self.send({"id": ident, "result": {"rows": rows}})
            return
        for row in rows:
            self.notify("notifications/plexus/log", {"id": ident, "row": row})
        self.follow = ident

    def pause(self, ident, service, on):
        if service not in ("all", "demo"):
            self.error(ident, 1004, f"there is no service {service}", {"code": "not_found", "retryable": False})
            return
        if self.host.not_admin:
            self.error(ident, 1003, "only administrators pause", {"code": "forbidden", "retryable": False})
            return
        self.send({"id": ident, "result": {"paused": ["demo"] if on else []}})

    def do_plexus_pause(self, ident, params, modern):
        self.pause(ident, params["service"], True)

    def do_plexus_resume(self, ident, params, modern):
        self.pause(ident, params["service"], False)

    def do_plexus_effects(self, ident, params, modern):
        self.send({"id": ident, "result": {"open": self.host.effects}})


class FakeHost:
    def __init__(self, path):
        self.path = str(path)
        self.tools, self.page = list(TOOLS), 5
        self.seen, self.sessions, self.log_params, self.connections = [], [], [], []
        self.scripts = {}               # method -> function(connection, id, params), instead of the handler
        self.effects = []
        self.not_admin = False
        self.deaf = threading.Event()   # set: nothing is read
        self.cond = threading.Condition()
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connection = Connection(self, sock)
            self.connections.append(connection)
            self.changed()
            threading.Thread(target=connection.serve, daemon=True).start()

    def stop(self):
        """Die: the socket's name goes first, then every connection, without a word."""
        if self.listener:
            os.unlink(self.path)
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None
        for connection in list(self.connections):
            connection.close()
        self.connections = []

    def restart(self):
        self.stop()
        self.start()

    def gone(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)
        self.changed()

    def changed(self):
        with self.cond:
            self.cond.notify_all()

    def wait(self, true, what, seconds=20):
        """Wait until true() is, and return what it gave."""
        deadline = time.monotonic() + seconds
        with self.cond:
            while True:
                value = true()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {seconds} s for {what}; seen: {[m for _, m in self.seen][-20:]}")
                self.cond.wait(min(left, 0.1))

    def received(self, method, n=1):
        """Wait until n messages with this method have come; the messages."""
        def look():
            found = [m for _, m in self.seen if m.get("method") == method]
            return found if len(found) >= n else None
        return self.wait(look, f"{n} × {method}")

    def last(self):
        return self.wait(lambda: self.connections[-1] if self.connections else None, "a connection")


if __name__ == "__main__":
    host = FakeHost(sys.argv[1])
    print(f"listening on {sys.argv[1]}; Ctrl-C ends it")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        host.stop()
