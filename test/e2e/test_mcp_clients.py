"""Real MCP clients against the real host, through `plexus mcp`: the official SDK 1.x, the official client 2.x in each of its
modes, and the inspector's command line. Everything the host says on the way is held against the JSON Schema of its era, by a
validator that is not ours."""

import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import BUILD, META, PLEXUS, SOURCE, Planner, base_config, until

NODE = SOURCE / "test" / "e2e" / "mcp"
SCHEMAS = SOURCE.parent / "shared" / "mcp"
ABI = BUILD / "test" / "abi" / "plugins"
NODE_PROGRAM = next(map(str, NODE.glob("node_modules/node-linux-*/bin/node")), "node")
MODES = ["legacy", "auto", "2026-07-28"]

if not (NODE / "node_modules").is_dir():
    if os.environ.get("CI") == "true":
        raise RuntimeError("test/e2e/mcp/node_modules is missing: scripts/setup test installs it")
    pytest.skip("test/e2e/mcp/node_modules is missing", allow_module_level=True)


@pytest.fixture
def served(plexusd, folder):
    """A host with a plugin folder of the test's own: tools that fail and hang, prompts, resources, lists that change."""
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755)
    for name in ("rogue", "lists"):
        shutil.copy(ABI / f"{name}.so", plugins)
    config = base_config(folder, plugin_dirs=[str(plugins)],
                         services={"r": {"plugin": "rogue"}, "l": {"plugin": "lists"}})
    return plexusd(config).start()


def bridge(host):
    return [str(PLEXUS), "--socket", str(host.socket), "mcp"]


def steps(script, plan, host, folder, mode=None, tap=None):
    """What each step came to."""
    command = [NODE_PROGRAM, str(NODE / script), json.dumps(plan)]
    if tap:
        command += [NODE_PROGRAM, str(NODE / "wire.mjs"), str(tap)]
    env = {**os.environ, **({"MODE": mode} if mode else {})}
    run = subprocess.run(command + bridge(host), env=env, capture_output=True, text=True, timeout=120, cwd=folder)
    assert run.returncode == 0, run.stderr + run.stdout
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def validate(*logs):
    if not SCHEMAS.is_dir():
        if os.environ.get("CI") == "true":
            raise AssertionError("the protocol's schemas are missing")
        pytest.skip("the protocol's schemas are not here")
    run = subprocess.run([NODE_PROGRAM, str(NODE / "validate.mjs"), str(SCHEMAS), *map(str, logs)], capture_output=True, text=True,
                         timeout=120)
    assert run.returncode == 0, run.stderr[:4000] + run.stdout
    print(run.stdout)


PLAN = [
    {"list": "tools"}, {"list": "prompts"}, {"list": "resources"}, {"list": "templates"},
    {"call": "r_version"},
    {"call": "r_good_output"},
    {"call": "r_progress", "progress": True},
    {"call": "r_bad_output"},
    {"call": "r_version", "args": {"x": 1}},
    {"call": "r_no_such_tool"},
    {"call": "r_never", "timeout": 400},
    {"call": "r_never", "cancel_after": 100},
    {"prompt": "l_greet", "args": {"who": "me"}},
    {"read": "test://one"}, {"read": "test://item/7"}, {"read": "test://nowhere/at/all"},
    {"complete": {"ref": {"type": "ref/prompt", "name": "l_greet"}, "argument": {"name": "who", "value": "m"}}},
    {"call": "l_more"}, {"wait_tools_changed": 5000}, {"list": "tools"},
]


def check_plan(came, modern):
    came = [c for c in came if "step" in c]
    assert len(came) == len(PLAN)
    tools, prompts, resources, templates = came[:4]
    assert "r_version" in tools["tools"] and tools["tools"] == sorted(tools["tools"])
    assert prompts["prompts"] == ["l_greet"] and resources["resources"] == ["test://one"]
    assert templates["templates"] == ["test://item/{id}"]
    by_call = {(c["step"].get("call"), json.dumps(c["step"].get("args"))): c for c in came}
    assert by_call[("r_version", "null")]["result"]["content"][0]["text"] == "1"
    progress = by_call[("r_progress", "null")]
    assert progress["progress"] == [5, 9]
    assert by_call[("r_bad_output", "null")]["result"]["isError"] is True
    if modern:
        assert by_call[("r_bad_output", "null")]["result"]["structuredContent"]["error"]["code"] == "internal"
    else:
        assert by_call[("r_bad_output", "null")]["result"]["_meta"]["plexus/error"]["code"] == "internal"
    bad = by_call[("r_version", '{"x": 1}')]
    assert bad["result"]["isError"] is True
    assert bad["result"]["structuredContent"]["error"]["code"] == "invalid_arguments"
    assert by_call[("r_no_such_tool", "null")]["code"] == -32602
    for c in came:
        if c["step"].get("call") == "r_never":
            assert "error" in c
    assert came[12]["prompt"]["messages"][0]["content"]["text"] == "hello"
    assert came[13]["read"]["contents"][0]["text"] == "1" and came[14]["read"]["contents"][0]["text"] == "7"
    assert "error" in came[15]
    assert came[16]["complete"]["completion"]["values"] == ["a", "b"]
    assert came[18]["toolsChanged"] >= 1
    assert "l_extra" in came[19]["tools"]


def test_sdk1(served, folder):
    tap = folder / "wire"
    check_plan(steps("sdk1.mjs", PLAN, served, folder, tap=tap), False)
    validate(tap)


@pytest.mark.parametrize("mode", [None, *MODES])
def test_client2(served, folder, mode):
    tap = folder / "wire"
    came = steps("sdk2.mjs", PLAN, served, folder, mode=mode, tap=tap)
    negotiated = came[0]["negotiated"]
    assert negotiated == ("2026-07-28" if mode in ("auto", "2026-07-28") else "2025-11-25")
    check_plan(came, negotiated == "2026-07-28")
    validate(tap)


class Slow(http.server.BaseHTTPRequestHandler):
    """Wants each thing to be asked for twice."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        again = self.path in self.server.asked
        self.server.asked.add(self.path)
        body = b'{"id":7}' if again else b"{}"
        self.send_response(200 if again else 503)
        if not again:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def waits(plexusd, folder):
    """A host whose one service has to wait: for its rate, and before it tries again."""
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    upstream.asked = {"/v1/items/first"}
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755)
    shutil.copy(ABI / "routes.so", plugins)
    config = base_config(folder, plugin_dirs=[str(plugins)], services={"web": {
        "plugin": "routes", "config": {"base_url": "http://127.0.0.1:%d/v1" % upstream.server_address[1], "token": "a-token-of-the-test"},
        "limits": {"rates": [{"kind": "fixed", "requests": 1, "per_ms": 5000}]}}})
    yield plexusd(config).start()
    upstream.shutdown()
    upstream.server_close()


@pytest.mark.parametrize("script, mode", [("sdk1.mjs", None), ("sdk2.mjs", "2026-07-28")])
def test_who_waits_is_told_why(waits, folder, script, mode):
    tap = folder / "wire"
    plan = [{"call": "web_get", "args": {"id": "first"}}, {"call": "web_get", "args": {"id": "second"}, "progress": True}]
    came = [c for c in steps(script, plan, waits, folder, mode=mode, tap=tap) if "step" in c]
    assert came[1]["result"]["structuredContent"]["id"] == 7, came[1]
    told, messages = came[1]["progress"], came[1]["messages"]
    assert any(re.match(r"rate limit: \d", m) for m in messages), messages
    assert any(m.startswith("retry 1 in ") or m.startswith("rate limit") for m in messages[1:]), messages
    assert told[0] == 0 and all(a < b for a, b in zip(told, told[1:])) and told[-1] < 1, told
    validate(tap)


def test_cancelled_work_ends(served, folder):
    """A cancel of the client's reaches the plugin: nothing of it is in flight any more."""
    steps("sdk1.mjs", [{"call": "r_never", "cancel_after": 100}], served, folder)
    with served.planner() as planner:
        until(lambda: planner.status()["calls"]["in_flight"] == 0, "the cancelled call ends")


def inspector(host, *args):
    home = host.folder / "home"
    home.mkdir(exist_ok=True)
    run = subprocess.run([str(NODE / "node_modules" / ".bin" / "mcp-inspector"), "--cli", *bridge(host), *args],
                         capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home),
                                                              "PATH": f"{os.path.dirname(NODE_PROGRAM)}:{os.environ['PATH']}"})
    return run


def test_inspector(served):
    listed = inspector(served, "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    names = [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    assert "r_version" in names
    called = inspector(served, "--method", "tools/call", "--tool-name", "r_version")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["content"][0]["text"] == "1"
    read = inspector(served, "--method", "resources/read", "--uri", "test://one")
    assert json.loads(read.stdout)["contents"][0]["text"] == "1"
    got = inspector(served, "--method", "prompts/get", "--prompt-name", "l_greet", "--prompt-args", "who=me")
    assert json.loads(got.stdout)["messages"][0]["role"] == "user"


class Tap:
    """A planner whose wire is written down as wire.mjs does it."""

    def __init__(self, host, log):
        self.planner, self.log = host.planner(), open(log, "a")
        self.pid = id(self)
        sendall, line = self.planner.raw, self.planner.line

        def raw(data):
            for text in data.decode().splitlines():
                self.note(">", text)
            sendall(data)

        def read():
            message = line()
            if message is not None:
                self.note("<", json.dumps(message))
            return message

        self.planner.raw, self.planner.line = raw, read

    def note(self, direction, text):
        self.log.write(json.dumps({"pid": self.pid, "dir": direction, "line": text}) + "\n")
        self.log.flush()


def test_modern_wire(served, folder):
    """What clients do not do on their own: input_required and its second half, subscriptions, logging, every error."""
    tap = Tap(served, folder / "wire")
    p = tap.planner
    caps = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    asked = p.request("tools/call", {"name": "r_ask", "arguments": {}}, caps)
    assert asked["resultType"] == "input_required" and list(asked["inputRequests"]) == ["q"]
    answered = p.request("tools/call", {"name": "r_ask", "arguments": {}, "requestState": asked["requestState"],
                                        "inputResponses": {"q": {"action": "accept", "content": {}}}}, caps)
    assert answered["content"][0]["text"] == "thank you"
    cannot = p.call("r_ask") # the plugin is told that this planner cannot be asked, and answers in its own words
    assert cannot["content"][0]["text"] == "cannot ask"
    forged = p.request("tools/call", {"name": "r_ask", "arguments": {}, "requestState": "AAAA" * 20,
                                      "inputResponses": {}}, caps)
    assert forged["isError"]
    listen = p.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    p.call("l_more")
    until(lambda: any(n["method"] == "notifications/tools/list_changed" for n in p.notes) or p.request("server/discover") is None,
          "the change is announced")
    p.send("notifications/cancelled", {"requestId": listen})
    p.call("r_progress", meta={"progressToken": "t", "io.modelcontextprotocol/logLevel": "debug"})
    assert any(n["method"] == "notifications/message" for n in p.notes)
    for method, params in [("no/such", {}), ("tools/call", {}), ("tools/call", {"name": "nope"}), ("tools/list", {"cursor": "?"}),
                           ("resources/read", {"uri": "x:y"}), ("prompts/get", {"name": "nope"})]:
        message = p.answer(p.begin(method, params))
        assert "error" in message, method
    for tool in ("r_bad_json", "r_empty", "r_huge", "r_big_list", "r_big_text", "r_secret", "r_not_utf8", "r_wrong_code",
                 "r_bad_meta"):
        p.call(tool)
    p.close()
    validate(folder / "wire")


def test_survives_restart(served, folder):
    """The bridge outlives the host: the same client goes on when it is back."""
    process = subprocess.Popen(bridge(served), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(id, method, params):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n")
        process.stdin.flush()
        while True:
            message = json.loads(process.stdout.readline())
            if message.get("id") == id:
                return message

    hello = ask(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
    assert hello["result"]["protocolVersion"] == "2025-11-25"
    process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    assert ask(2, "tools/call", {"name": "r_version"})["result"]["content"][0]["text"] == "1"
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "r_writes", "arguments": {"wait": True}}}) + "\n")
    process.stdin.flush()
    with served.planner() as planner:
        until(lambda: planner.status()["calls"]["in_flight"] >= 1, "the call is in flight")
    served.kill()
    lost = json.loads(process.stdout.readline())
    assert lost["id"] == 3 and lost["result"]["structuredContent"]["error"]["code"] == "outcome_unknown"
    served.start()
    assert ask(4, "tools/call", {"name": "r_version"})["result"]["content"][0]["text"] == "1"
    process.stdin.close()
    assert process.wait(10) == 0
    with served.planner() as planner:
        effects = planner.request("plexus/effects")["open"]
        assert [e["tool"] for e in effects] == ["r_writes"]
