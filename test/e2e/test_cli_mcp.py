"""mcp: the bridge, with a host that dies, comes back, is slow, and sends nonsense."""
import json
import os
import selectors
import subprocess
import time

import pytest
from cli_support import PLEXUS, cli, environment, host  # noqa: F401
from fake_host import SUBSCRIPTION, VERSION

META = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


class Client:
    """An MCP client with the bridge as its server."""

    def __init__(self, socket, *args, env=None):
        self.process = subprocess.Popen([PLEXUS, "--socket", str(socket), "mcp", *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or environment())
        self.buffer, self.others = b"", []
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def send(self, method, ident=None, params=None, modern=True):
        message = {"jsonrpc": "2.0", "method": method}
        if ident is not None:
            message["id"] = ident
        if params is not None or modern:
            message["params"] = {**(params or {}), **({"_meta": META} if modern and ident is not None else {})}
        self.raw(json.dumps(message).encode() + b"\n")

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def message(self, seconds=20):
        """The next message, or None at the end."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            assert self.selector.select(max(deadline - time.monotonic(), 0)), f"nothing came: {self.buffer[:200]!r}"
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                assert self.buffer == b""
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def answer(self, ident):
        """The answer to a request; what comes before it goes to self.others."""
        while True:
            message = self.message()
            assert message is not None, "ended without an answer"
            if message.get("id") == ident and "method" not in message:
                return message
            self.others.append(message)

    def notified(self, method):
        for message in self.others:
            if message.get("method") == method:
                self.others.remove(message)
                return message
        while True:
            message = self.message()
            assert message is not None, f"ended without {method}"
            if message.get("method") == method:
                return message
            self.others.append(message)

    def initialize(self):
        self.send("initialize", 0, {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo":
                                    {"name": "t", "version": "1"}}, modern=False)
        result = self.answer(0)["result"]
        self.send("notifications/initialized", modern=False)
        return result

    def call(self, ident, name, arguments=None, modern=True):
        self.send("tools/call", ident, {"name": name, "arguments": arguments or {}}, modern)

    def finish(self):
        """Close stdin; (exit code, the messages that still came, stderr)."""
        self.process.stdin.close()
        rest = []
        while (message := self.message()) is not None:
            rest.append(message)
        code = self.process.wait(20)
        return code, rest, self.process.stderr.read().decode()


@pytest.fixture
def client(cli, host):
    clients = []

    def start(*args, **more):
        clients.append(Client(cli.socket, *args, **more))
        return clients[-1]
    yield start
    for one in clients:
        one.process.kill()
        one.process.wait()


def test_modern_conversation(client, host):
    c = client()
    c.send("server/discover", "d")
    assert c.answer("d")["result"]["supportedVersions"] == ["2026-07-28"]
    c.call(1, "demo_add", {"a": 1, "b": 2})
    assert c.answer(1)["result"]["content"][0]["text"] == "3"
    assert host.sessions == []  # no token and no profile: no session
    assert c.finish() == (0, [], "")


def test_legacy_conversation(client, host):
    c = client()
    assert c.initialize()["serverInfo"]["name"] == "fake"
    c.call(1, "demo_add", {"a": 1, "b": 2}, modern=False)
    assert "resultType" not in c.answer(1)["result"]
    assert c.finish() == (0, [], "")


def test_end_of_stdin_drains_answers(client, host):
    c = client()
    c.call(1, "demo_slow", {"steps": 10})
    code, rest, _ = c.finish()
    assert code == 0 and rest[-1]["id"] == 1 and rest[-1]["result"]["content"][0]["text"] == "done"


def test_a_last_line_without_a_newline_counts(client, host):
    c = client()
    c.raw(b'{"jsonrpc":"2.0","id":5,"method":"ping"}')
    code, rest, _ = c.finish()
    assert code == 0 and rest[0]["id"] == 5 and "result" in rest[0]


def test_what_is_in_flight_when_the_host_dies(client, host):
    c = client()
    for page in ("0", "5", "10", "15"):
        c.send("tools/list", f"list {page}", {"cursor": page})
        c.answer(f"list {page}")
    c.call(1, "demo_never")
    c.call(2, "demo_write")
    c.send("resources/read", 3, {"uri": "demo://never"})
    host.received("resources/read")
    host.received("tools/call", 2)
    host.stop()
    one, two, three = c.answer(1), c.answer(2), c.answer(3)
    assert one["result"]["resultType"] == "complete" and one["result"]["isError"] is True
    assert one["result"]["structuredContent"]["error"]["code"] == "unavailable"
    assert one["result"]["structuredContent"]["error"]["retryable"] is True
    assert two["result"]["structuredContent"]["error"]["code"] == "outcome_unknown"
    assert two["result"]["structuredContent"]["error"]["retryable"] is False
    assert three["error"]["code"] == 1012 and three["error"]["data"]["code"] == "unavailable"
    host.start()
    c.call(4, "demo_add", {"a": 1, "b": 2})
    assert c.answer(4)["result"]["content"][0]["text"] == "3"
    code, _, words = c.finish()
    assert code == 0 and "closed the connection; waiting for it" in words and "is back" in words
    names = [m["params"]["name"] for _, m in host.seen if m["method"] == "tools/call"]
    assert names == ["demo_never", "demo_write", "demo_add"]  # nothing was sent twice


def test_legacy_session_is_replayed(client, host):
    c = client("--profile", "readonly")
    c.initialize()
    c.send("resources/subscribe", 1, {"uri": "demo://r"}, modern=False)
    c.send("logging/setLevel", 2, {"level": "info"}, modern=False)
    c.answer(1), c.answer(2)
    host.seen.clear()
    host.restart()
    c.notified("notifications/tools/list_changed")
    assert c.notified("notifications/resources/updated")["params"]["uri"] == "demo://r"
    c.call(3, "demo_add", {"a": 1, "b": 2}, modern=False)
    assert c.answer(3)["result"]["content"][0]["text"] == "3"
    methods = [m["method"] for _, m in host.seen]
    assert methods == ["plexus/session", "initialize", "notifications/initialized", "logging/setLevel",
                       "resources/subscribe", "tools/call"]
    assert host.sessions == [{"profile": "readonly", "client": "plexus-mcp/0.1.0"}] * 2
    assert [m for m in c.others if "id" in m] == []  # no answer but those asked for
    assert host.last().subscribed == ["demo://r"]


def test_listening_goes_on_after_a_restart(client, host):
    c = client()
    c.send("subscriptions/listen", "l", {"notifications": {"toolsListChanged": True}})
    assert c.notified("notifications/subscriptions/acknowledged")["params"]["_meta"][SUBSCRIPTION] == "l"
    connection = host.last()
    connection.send({"id": "l", "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: "l"}}})  # a graceful end
    connection.notify("notifications/cancelled", {"requestId": "l"})
    host.restart()
    assert c.notified("notifications/tools/list_changed")["params"]["_meta"][SUBSCRIPTION] == "l"
    host.last().notify("notifications/tools/list_changed", {"_meta": {SUBSCRIPTION: "l"}})
    c.notified("notifications/tools/list_changed")
    assert c.others == []
    code, rest, _ = c.finish()
    assert (code, rest) == (0, [])


def test_requests_wait_for_a_host_that_starts_later(cli, tmp_path):
    from fake_host import FakeHost
    c = Client(cli.socket)
    c.send("server/discover", 1)
    assert b"waiting for it" in c.process.stderr.readline()
    fake = FakeHost(cli.socket)
    try:
        assert "result" in c.answer(1)
        assert c.finish()[0] == 0
    finally:
        fake.stop()


def test_no_host_at_all(cli):
    began = time.monotonic()
    c = Client(cli.socket)
    c.send("initialize", 1, {}, modern=False)
    c.call(2, "demo_write")
    assert c.answer(1)["error"]["code"] == 1012
    assert time.monotonic() - began > 9.5
    assert c.answer(2)["result"]["structuredContent"]["error"]["code"] == "unavailable"
    assert c.finish()[0] == 4


def test_no_host_and_nothing_asked(cli):
    done = subprocess.run([PLEXUS, "--socket", cli.socket, "mcp"], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=9, env=environment())  # it does not wait ten seconds for one
    assert done.returncode == 4 and done.stdout == b"" and b"no host answers on" in done.stderr


def test_a_refused_session(client, host):
    c = client("--profile", "nonsense")
    c.send("server/discover", 1)
    error = c.answer(1)["error"]
    assert error["code"] == 1003 and error["data"]["advice"] == "Look at the configuration."
    code, _, words = c.finish()
    assert code == 3 and "refuses the session" in words
    assert [m["method"] for _, m in host.seen] == ["plexus/session"]


def test_oversized_lines_both_ways(client, host):
    c = client()
    c.raw(b'{"method":"tools/call","params":{"x":"' + b"x" * (5 << 20) + b'"},"jsonrpc":"2.0","id":77}\n')
    assert c.answer(77)["error"]["data"]["code"] == "too_large"
    c.call(78, "demo_huge")
    assert c.answer(78)["result"]["structuredContent"]["error"]["code"] == "too_large"
    c.call(79, "demo_add", {"a": 1, "b": 2})
    assert c.answer(79)["result"]["content"][0]["text"] == "3"
    assert c.finish()[0] == 0
    assert not [m for _, m in host.seen if m.get("id") == 77]


def test_large_messages_pass(client, host):
    c = client()
    text = "y" * (1900 << 10)  # comes back twice
    c.call(1, "demo_echo", {"text": text})
    assert c.answer(1)["result"]["structuredContent"]["arguments"]["text"] == text


def test_noise_does_not_reach_the_client(client, host):
    c = client()
    c.call(1, "demo_noise")
    assert c.answer(1)["result"]["content"][0]["text"] == "after the noise"
    assert c.others == []
    code, _, words = c.finish()
    assert code == 0 and "a line that is no message" in words


def test_garbage_from_the_client_is_answered(client, host):
    c = client()
    c.raw(b"garbage\n\xff\xfe\n")
    assert c.message()["error"]["code"] == -32700
    assert c.message()["error"]["code"] == -32700
    c.send("ping", 1)
    assert "result" in c.answer(1)


def resident(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_a_deaf_host_is_back_pressure(client, host):
    c = client()
    c.send("ping", "first")
    c.answer("first")
    host.deaf.set()
    os.set_blocking(c.process.stdin.fileno(), False)
    line = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "ping", "params": {"x": "x" * 60000}}).encode() + b"\n"
    total, number, data = 0, 0, b""
    deadline = time.monotonic() + 20
    still = time.monotonic()
    while time.monotonic() - still < 1 and time.monotonic() < deadline:
        if not data:
            number += 1
            data = line.replace(b'"id": 0', b'"id": %d' % number)
        try:
            n = os.write(c.process.stdin.fileno(), data)
            data, total, still = data[n:], total + n, time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    assert total < 24 << 20, "the bridge reads on without end"
    assert resident(c.process) < 200000
    os.set_blocking(c.process.stdin.fileno(), True)
    host.deaf.clear()
    if data:
        c.raw(data)
    got = [c.message()["id"] for _ in range(number)]
    assert got == list(range(1, number + 1))


def test_a_client_that_does_not_read_is_back_pressure(client, host):
    c = client()
    c.send("ping", 1)
    c.answer(1)
    connection = host.last()
    connection.sock.settimeout(1)
    sent = 0
    try:
        while sent < 64 << 20:
            connection.sock.sendall(json.dumps({"jsonrpc": "2.0", "method": "n", "params": "x" * 100000}).encode() + b"\n")
            sent += 100000
        raise AssertionError("the bridge reads on without end")
    except (TimeoutError, OSError):
        pass
    assert sent < 16 << 20
    assert resident(c.process) < 200000


def test_a_client_that_goes_ends_it(client, host):
    c = client()
    c.send("ping", 1)
    c.answer(1)
    c.process.stdout.close()
    assert c.process.wait(20) == 1
    host.wait(lambda: not host.connections, "the bridge to go")


def test_idle_uses_no_time(client, host):
    c = client()
    c.send("ping", 1)
    c.answer(1)

    end = time.monotonic() + 20

    def ticks():
        with open(f"/proc/{c.process.pid}/status") as status:
            return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    while (before := ticks()) != (time.sleep(0.2), ticks())[1]:  # it has come to rest
        assert time.monotonic() < end
    time.sleep(1)
    assert ticks() - before <= 2


def test_many_at_once_in_order_of_their_answers(client, host):
    c = client()
    for i in range(300):
        c.call(i, "demo_add", {"a": i, "b": 1})
    got = {}
    while len(got) < 300:
        message = c.message()
        got[message["id"]] = message["result"]["content"][0]["text"]
    assert got == {i: str(i + 1) for i in range(300)}


def test_a_restart_in_a_storm_loses_and_doubles_nothing(client, host):
    """Every request gets exactly one answer, and no call reaches a host twice, whenever the host goes."""
    c = client()
    answers = {}
    number = 0
    for round_ in range(8):
        for _ in range(40):
            number += 1
            c.call(number, "demo_add", {"a": number, "b": 0})
        if round_ % 2:
            host.restart()
        while len(answers) < number - 20:
            message = c.message()
            if "method" not in message:
                assert message["id"] not in answers
                answers[message["id"]] = message["result"]
    while len(answers) < number:
        message = c.message()
        assert message["id"] not in answers
        answers[message["id"]] = message["result"]
    assert sorted(answers) == list(range(1, number + 1))
    calls = [m["id"] for _, m in host.seen if m.get("method") == "tools/call"]
    assert len(calls) == len(set(calls))
    for ident, result in answers.items():
        if result.get("isError"):
            assert result["structuredContent"]["error"]["code"] in ("outcome_unknown", "unavailable")
        else:
            assert result["content"][0]["text"] == str(ident)
