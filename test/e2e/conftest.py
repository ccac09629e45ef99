"""A real plexusd in a folder of its own, and a planner that speaks to it in JSON lines.

Every daemon of a test is stopped when the test ends, and must then have exited with 0, without a child left, and without a
word from a sanitizer; while it runs it has one thread."""

import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

BUILD = pathlib.Path(os.environ.get("PX_BINARY_DIR", "build/dev")).resolve()
SOURCE = pathlib.Path(os.environ.get("PX_SOURCE_DIR", ".")).resolve()
PLEXUSD = BUILD / "bin" / "plexusd"
PLEXUS = BUILD / "bin" / "plexus"
PLUGINS = BUILD / "plugins"
SETTLE = 4.0  # seconds; a little less than services.c's settle_ns
WAIT = 30.0  # seconds: for what must happen, on a slow and busy machine
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def until(condition, what, timeout=WAIT):
    """Wait for a condition, not for seconds; its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {timeout} s in vain: {what}"
        time.sleep(0.01)


def stress_seed():
    """The same chance each time, unless PX_STRESS_SEED names another one; "any" is another one each time. Printed, so that it can be had again."""
    asked = os.environ.get("PX_STRESS_SEED", "1")
    seed = time.time_ns() % 1000000 if asked == "any" else int(asked)
    print("PX_STRESS_SEED =", seed)
    return seed


def quiet_port():
    """A port where nobody listens, and that the kernel gives to nobody who asks for any: for what has to be told its port, and for what must be refused."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as given:
        first = int(given.read().split()[0])
    for _ in range(1000):
        port = random.randrange(10000, first) if first > 11000 else 0
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            try:
                stream.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", stream.getsockname()[1]))
                return stream.getsockname()[1]
            except OSError:  # a server's of this machine
                continue
    raise RuntimeError("no port is free")


def alive(pid):
    """Runs, and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    """Of the process, and theirs."""
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listed:
            for child in map(int, listed.read().split()):
                found += [child] + children(child)
    except OSError:
        pass
    return found


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message, self.data = error["code"], error["message"], error.get("data")


class Planner:
    """One connection. request() skips, and keeps in `notes`, what is not its answer."""

    def __init__(self, path, timeout=WAIT):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.data, self.next_id, self.notes, self.answers = b"", 0, [], {}

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, method, params=None, id=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if id is not None:
            message["id"] = id
        self.raw(json.dumps(message).encode() + b"\n")

    def line(self):
        """The next line, parsed; None at the end of the stream."""
        while b"\n" not in self.data:
            piece = self.socket.recv(1 << 20)
            if not piece:
                return None
            self.data += piece
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def begin(self, method, params=None, meta=None):
        """Send a request and return its id."""
        self.next_id += 1
        params = dict(params or {})
        if not method.startswith("plexus/"):
            params["_meta"] = {**META, **(meta or {})}
        self.send(method, params, self.next_id)
        return self.next_id

    def answer(self, id):
        """The whole message that answers a request."""
        while id not in self.answers:
            message = self.line()
            assert message is not None, "the host closed the connection"
            if "id" in message and "method" not in message:
                self.answers[message["id"]] = message
            else:
                self.notes.append(message)
        return self.answers.pop(id)

    def request(self, method, params=None, meta=None):
        message = self.answer(self.begin(method, params, meta))
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    def begin_call(self, tool, arguments=None, meta=None):
        return self.begin("tools/call", {"name": tool, "arguments": arguments or {}}, meta)

    def call(self, tool, arguments=None, meta=None):
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}}, meta)

    def data_of(self, tool, arguments=None, meta=None):
        """structuredContent of a call that must go well."""
        result = self.call(tool, arguments, meta)
        assert not result.get("isError"), result
        return result["structuredContent"]

    def error_of(self, tool, arguments=None, meta=None):
        """The error of a call that must fail."""
        result = self.call(tool, arguments, meta)
        assert result.get("isError"), result
        return result["structuredContent"]["error"]

    def tools(self):
        names, cursor = [], None
        while True:
            page = self.request("tools/list", {"cursor": cursor} if cursor else {})
            names += [tool["name"] for tool in page["tools"]]
            cursor = page.get("nextCursor")
            if not cursor:
                return names

    def status(self):
        return self.request("plexus/status")


class Daemon:
    made = []

    def __init__(self, folder, config, env=None, prefix=(), args=(), pass_fds=()):
        self.folder = folder
        self.config = config
        self.file = folder / "plexus.json"
        self.socket = folder / "planner.sock"
        self.stderr = folder / "stderr"
        self.env, self.prefix, self.args, self.pass_fds = env or {}, prefix, args, pass_fds
        self.process, self.notified, self.manager = None, [], None
        self.expect = 0  # exit status
        Daemon.made.append(self)
        self.write(config)

    def write(self, config):
        self.config = config
        self.file.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))

    def spawn(self):
        """Start it, and do not wait."""
        if self.manager:
            self.manager.close()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        self.manager.bind(str(path))
        self.manager.setblocking(False)
        self.notified = []
        env = {
            "PATH": "/usr/bin:/bin",
            "NOTIFY_SOCKET": str(path),
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
            **{k: v for k, v in os.environ.items() if k.startswith("PX_TEST_")},
            **self.env,
        }
        with open(self.stderr, "ab") as err:
            self.process = subprocess.Popen(
                [*self.prefix, str(PLEXUSD), "--config", str(self.file), *self.args],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=env, cwd="/",
                pass_fds=self.pass_fds)
        return self

    def start(self):
        began = time.monotonic()
        self.spawn()
        self.wait_for("READY=1")
        if time.monotonic() - began > SETTLE:
            self.wait_settled()
        return self

    def wait_settled(self):
        """READY does not wait for a service that takes longer than SETTLE to open, and on a machine that stands still every one may."""
        end = time.monotonic() + 2 * SETTLE
        with contextlib.suppress(OSError, RpcError, AssertionError), self.planner() as planner:
            while time.monotonic() < end and any(one["state"] == "starting" for one in planner.status()["services"]):
                time.sleep(0.05)

    @property
    def pid(self):
        return self.process.pid

    def notifications(self):
        """Lines the service manager got so far."""
        while select.select([self.manager], [], [], 0)[0]:
            self.notified += self.manager.recv(65536).decode().split("\n")
        return self.notified

    def wait_for(self, line, times=1):
        def came():
            got = [n for n in self.notifications() if n.startswith(line)]
            if len(got) >= times:
                return got[-1]
            assert self.process.poll() is None, f"it ended ({self.process.returncode}):\n{self.log()}"
            return None
        return until(came, f"{line} ({times}): {self.notified}\n{self.log()}")

    def log(self):
        return self.stderr.read_text(errors="replace") if self.stderr.exists() else ""

    def logged(self, text, times=1):
        return until(lambda: self.log().count(text) >= times, f"{text!r} in the log:\n{self.log()}")

    def planner(self, **options):
        return Planner(self.socket, **options)

    def reload(self, config=None):
        """With another configuration; returns when the host says that it is done."""
        if config is not None:
            self.write(config)
        ready = sum(line == "READY=1" for line in self.notifications())
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("READY=1", ready + 1)

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def memory(self):
        """Private bytes: what is ours alone."""
        total = 0
        with open(f"/proc/{self.pid}/smaps_rollup") as rollup:
            for line in rollup:
                if line.startswith(("Private_Clean:", "Private_Dirty:")):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self, sig=signal.SIGTERM):
        """End it, and look at what it leaves."""
        if self.process is None:
            return
        left = children(self.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            assert self.threads() == 1, "more than one thread"
            self.process.send_signal(sig)
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not stop:\n{self.log()}")
        if self.manager:
            self.notifications()
            self.manager.close()
            self.manager = None
        self.process = None
        log = self.log()
        assert "Sanitizer" not in log and "runtime error:" not in log, log
        assert status == self.expect, f"status {status}:\n{log}"
        for pid in left:
            until(lambda: not alive(pid), f"child {pid} is still there")

    def kill(self):
        """As a crash would."""
        left = children(self.pid)
        self.process.kill()
        self.process.wait()
        self.process = None
        for pid in left:
            until(lambda: not alive(pid), f"child {pid} outlives its host")


def base_config(folder, **more):
    """Two services: a database (data) and the example (demo). Keys given here replace its own, None removes them."""
    config = {
        "state_dir": "state",
        "socket": "planner.sock",
        "plugin_dirs": [str(PLUGINS)],
        "services": {
            "data": {
                "plugin": "sqlite",
                "config": {"databases": {"main": {"path": str(folder / "data.db"), "create": True}}},
            },
            "demo": {"plugin": "example"},
        },
        "principals": {"uid:%d" % os.getuid(): {"policy": "all", "admin": True}},
        "policies": {"all": {"allow": ["*"], "allow_destructive": ["*"], "labels": "allow"}},
    }
    config.update(more)
    return {key: value for key, value in config.items() if value is not None}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a test that fails, the last that its daemons said."""
    report = (yield).get_result()
    if report.failed and call.when == "call":
        for daemon in Daemon.made:
            said = daemon.log().splitlines()[-40:]
            if said:
                report.sections.append((f"stderr of {daemon.folder.name}", "\n".join(line[:500] for line in said)))
    if call.when == "teardown":
        Daemon.made.clear()


@pytest.fixture
def folder():
    """A short path (a socket's has 107 bytes), removed at the end."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def plexusd(folder):
    """plexusd(config=…, …) makes a Daemon; start() it. The first one lives in `folder`, further ones below it."""
    daemons = []

    def make(config=None, **options):
        place = folder / f"host{len(daemons)}" if daemons else folder
        place.mkdir(exist_ok=True)
        daemon = Daemon(place, base_config(place) if config is None else config, **options)
        daemons.append(daemon)
        return daemon

    yield make
    problems = []
    for daemon in daemons:
        try:
            daemon.stop()
        except AssertionError as problem:
            problems.append(problem)
    if problems:
        raise problems[0]


@pytest.fixture
def host(plexusd):
    """A daemon with the base configuration, started."""
    return plexusd().start()


def run_plexusd(*args, env=None, cwd="/"):
    """plexusd as a command that ends by itself."""
    return subprocess.run([str(PLEXUSD), *map(str, args)], capture_output=True, text=True, timeout=WAIT, cwd=cwd,
                          env={"PATH": "/usr/bin:/bin", **(env or {})})
