#!/usr/bin/env python3
"""What planners get: calls over the socket with the whole gate on, start-up, memory, stalls.

Everything is a ratio against something that ran in the same minute: a bare epoll echo over the same kind of socket, a
reference server made with the official Node SDK, a program that only initialises the same libraries and reads the same
certificate authorities. Takes a minute.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("PX_BINARY_DIR", os.path.join(ROOT, "build", "release")))
TOOLS = os.path.join(BUILD, "test", "bench")
NODE = os.path.join(ROOT, "test", "e2e", "mcp")
AS_JSON = "--json" in sys.argv
ARGS = '{"message":"hello, world"}'
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))


def say(name, text, **figures):
    if AS_JSON:
        print(json.dumps({"bench": name, **figures}), flush=True)
    else:
        print(f"{name:28} {text}", flush=True)


def load(target, tool, args, in_flight, command=(), modern=False):
    env = dict(os.environ, MODERN="1") if modern else {k: v for k, v in os.environ.items() if k != "MODERN"}
    out = subprocess.run([f"{TOOLS}/tool_load", target, tool, args, str(in_flight), str(SECONDS), *command],
                         env=env, capture_output=True, text=True, timeout=SECONDS + 30)
    if not out.stdout:
        raise SystemExit(f"tool_load failed: {out.stderr}")
    return json.loads(out.stdout)


def wait_for(path, process, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"{process.args[0]} ended: {process.returncode}")
            time.sleep(0.002)
    raise SystemExit(f"nothing answers on {path}")


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("Private_Clean", "Private_Dirty")))


def request(path, method, params=None):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode() + b"\n")
        return json.loads(s.makefile().readline())["result"]


class Host:
    """plexusd with the plugin of 500 tools."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = os.path.join(folder, "planner.sock")
        plugins = os.path.join(folder, "plugins")
        if not os.path.isdir(plugins):
            os.mkdir(plugins, 0o755)
            shutil.copy(os.path.join(TOOLS, "plugins", "many.so"), plugins)
        config = {"state_dir": os.path.join(folder, "state"), "socket": self.socket, "plugin_dirs": [plugins],
                  "services": {"many": {"plugin": "many"}}, "log": {"level": "warning"},
                  "limits": {"calls_per_principal": 1024},
                  "principals": {"*": {"policy": "all", "admin": True}}, "policies": {"all": {"allow": ["*"]}}}
        with open(os.path.join(folder, "plexus.json"), "w") as f:
            json.dump(config, f)

    def start(self):
        """Seconds from exec to READY=1."""
        notify = os.path.join(self.folder, "notify")
        if os.path.exists(notify):
            os.unlink(notify)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(notify)
            began = time.monotonic()
            self.process = subprocess.Popen([f"{BUILD}/bin/plexusd", "--config", os.path.join(self.folder, "plexus.json")],
                                            env=dict(os.environ, NOTIFY_SOCKET=notify))
            s.settimeout(0.5)
            while True:
                try:
                    if b"READY=1" in s.recv(4096):
                        break
                except TimeoutError:
                    if self.process.poll() is not None or time.monotonic() - began > 20:
                        raise SystemExit("plexusd did not become ready") from None
            return time.monotonic() - began

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def bench_calls(host, folder):
    echo_socket = os.path.join(folder, "echo.sock")
    echo = subprocess.Popen([f"{TOOLS}/tool_echo", echo_socket])
    try:
        wait_for(echo_socket, echo)
        bare = load(echo_socket, "@echo", "100", 1)
        one = load(host.socket, "many_echo", ARGS, 1)
        say("one at a time", f"p50 {one['p50_us']:.1f} us, a bare epoll echo {bare['p50_us']:.1f} us: "
            f"ratio {one['p50_us'] / bare['p50_us']:.2f} (budget 1.3)", p50_us=one["p50_us"], bare_p50_us=bare["p50_us"],
            ratio=round(one["p50_us"] / bare["p50_us"], 3))
    finally:
        echo.kill()
        echo.wait()
    server = os.path.join(NODE, "echo_server.mjs")
    node_program = next(iter(glob.glob(os.path.join(NODE, "node_modules/node-linux-*/bin/node"))), "node")
    have_node = shutil.which(node_program) and os.path.isdir(os.path.join(NODE, "node_modules"))
    for in_flight in (1, 16, 64):
        ours = load(host.socket, "many_echo", ARGS, in_flight)
        modern = load(host.socket, "many_echo", ARGS, in_flight, modern=True)
        node = load("-", "echo", ARGS, in_flight, [node_program, server]) if have_node else None
        ratio = f", Node SDK {node['per_s']:,.0f}: {ours['per_s'] / node['per_s']:.1f} times" if node else ""
        say(f"echo calls, {in_flight} in flight",
            f"{ours['per_s']:,.0f}/s (p99 {ours['p99_us']:.0f} us; modern era {modern['per_s']:,.0f}/s){ratio}",
            in_flight=in_flight, per_s=ours["per_s"], modern_per_s=modern["per_s"], p99_us=ours["p99_us"],
            node_per_s=node["per_s"] if node else None, ratio=round(ours["per_s"] / node["per_s"], 2) if node else None)


def bench_writes(host):
    """Tools that are not read-only wait until their effect is on record: this is what the disk allows, and what it costs the
    loop; with as many reads beside them."""
    host.stop()
    host.start()  # fresh maxima
    reads = subprocess.Popen([f"{TOOLS}/tool_load", host.socket, "many_echo", ARGS, "16", str(SECONDS)], stdout=subprocess.PIPE)
    writes = load(host.socket, "many_write", ARGS, 64)
    beside = json.loads(reads.communicate()[0])
    status = request(host.socket, "plexus/status")
    loop, state = status["loop"], status["state"]
    say("writes, 64 in flight", f"{writes['per_s']:,.0f}/s on record before they leave (p99 {writes['p99_us'] / 1000:.1f} ms), "
        f"beside {beside['per_s']:,.0f} reads/s", per_s=writes["per_s"], p99_us=writes["p99_us"], reads_per_s=beside["per_s"])
    say("the loop under that", f"slowest callback {loop['slowest_us'] / 1000:.1f} ms ({loop['slowest']}; budget 5), commit p99 "
        f"{state['commit_p99_us'] / 1000:.1f} ms (budget 10), {state['log_rows_dropped']} log rows dropped",
        slowest_us=loop["slowest_us"], slowest=loop["slowest"], commit_p99_us=state["commit_p99_us"],
        log_rows_dropped=state["log_rows_dropped"])


def bench_bridge(host):
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n"
    times = []
    for _ in range(21):
        began = time.monotonic()
        bridge = subprocess.Popen([f"{BUILD}/bin/plexus", "--socket", host.socket, "mcp"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        bridge.stdin.write(hello)
        bridge.stdin.flush()
        bridge.stdout.readline()
        times.append(time.monotonic() - began)
        bridge.communicate()
    ms = sorted(times)[10] * 1000
    say("plexus mcp", f"{ms:.1f} ms from its start to the first answer (budget 10)", ms=round(ms, 2))


def bench_start(host):
    bare_times, host_times = [], []
    for _ in range(7):
        began = time.monotonic()
        bare = subprocess.Popen([f"{TOOLS}/tool_bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        bare.stdout.readline()
        bare_times.append(time.monotonic() - began)
        bare_kb = private_kb(bare.pid)
        bare.communicate()
        host_times.append(host.start())
        host_kb = private_kb(host.process.pid)
        host.stop()
    bare_ms, host_ms = sorted(bare_times)[3] * 1000, sorted(host_times)[3] * 1000
    say("start to READY, 500 tools", f"{host_ms:.1f} ms, the bare libraries with the CA bundle {bare_ms:.1f} ms: "
        f"ratio {host_ms / bare_ms:.2f} (budget 2)",
        ms=round(host_ms, 2), bare_ms=round(bare_ms, 2), ratio=round(host_ms / bare_ms, 2))
    say("private memory, 500 tools", f"{host_kb / 1024:.2f} MiB, the bare libraries with the CA bundle {bare_kb / 1024:.2f} MiB: "
        f"{(host_kb - bare_kb) / 1024:.2f} MiB above (budget 6)", kb=host_kb, bare_kb=bare_kb, above_kb=host_kb - bare_kb)


def bench_idle(host):
    before = private_kb(host.process.pid)
    planners = []
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "idle", "version": "1"}}}).encode() + b"\n"
    for _ in range(1000):
        s = socket.socket(socket.AF_UNIX)
        s.connect(host.socket)
        s.sendall(hello)
        s.recv(65536)
        planners.append(s)
    time.sleep(0.3)
    after = private_kb(host.process.pid)
    for s in planners:
        s.close()
    each = (after - before) / 1000
    say("1,000 idle planners", f"{each:.2f} KiB of private memory each (budget 8)", kb_each=round(each, 2))


def main():
    with tempfile.TemporaryDirectory(prefix="px-bench-") as folder:
        host = Host(folder)
        host.start()
        host.stop()  # the first start vets the plugin; what follows is warm
        bench_start(host)
        host.start()
        try:
            bench_idle(host)
            bench_calls(host, folder)
            bench_bridge(host)
            bench_writes(host)
        finally:
            host.stop()


main()
