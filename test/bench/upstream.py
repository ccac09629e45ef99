#!/usr/bin/env python3
"""Tools over HTTP: calls through a route, with schema, selection and log on, to nginx on loopback.

Everything is a ratio against something that ran in the same minute: a bare curl-multi loop, wrk, and a program with httpx as
people write it. Takes two minutes.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("PX_BINARY_DIR", os.path.join(ROOT, "build", "release")))
TOOLS = os.path.join(BUILD, "test", "bench")
AS_JSON = "--json" in sys.argv
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))

HTTPX = """
import asyncio, json, sys, time
import httpx
url, in_flight, seconds, ca = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
async def main():
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    done = 0
    async with httpx.AsyncClient(verify=ca or True, limits=limits, trust_env=False) as client:
        until = time.monotonic() + seconds
        async def worker():
            nonlocal done
            while time.monotonic() < until:
                response = await client.get(url)
                response.raise_for_status()
                item = response.json()
                done += 1 if item else 0
        began = time.monotonic()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        print(json.dumps({"per_s": done / (time.monotonic() - began)}))
asyncio.run(main())
"""

NGINX = """worker_processes 1; daemon off; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.err crit; user root;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 100000000; default_type application/json;
 client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3; uwsgi_temp_path %(dir)s/t4;
 scgi_temp_path %(dir)s/t5;
 ssl_certificate %(dir)s/cert.pem; ssl_certificate_key %(dir)s/key.pem;
 server { listen 127.0.0.1:%(port)d; listen 127.0.0.1:%(tls)d ssl; root %(dir)s/www; } }
"""


def say(name, text, **figures):
    if AS_JSON:
        print(json.dumps({"bench": name, **figures}), flush=True)
    else:
        print(f"{name:34} {text}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(connect, process, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            connect()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"{process.args[0]} ended: {process.returncode}") from None
            time.sleep(0.01)
    raise SystemExit(f"{process.args[0]} does not answer")


def run(*command, fails=False):
    out = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60)
    if out.returncode and not fails:
        raise SystemExit(f"{command[0]} failed: {out.stderr}{out.stdout}")
    return out.stdout


class Web:
    """nginx with an item of 2 KB and a list of 1 MB, plain and over TLS."""

    def __init__(self, folder):
        self.folder = folder
        self.port, self.tls = free_port(), free_port()
        os.makedirs(os.path.join(folder, "www"))
        user = {"login": "octocat", "id": 5000000000000001, "type": "User", "url": "https://api.example.com/users/octocat"}
        item = {"number": 1347, "id": 5000000000000001, "title": "A title as people write them", "user": user,
                "labels": [{"id": n, "name": f"label {n}", "color": "f29513"} for n in range(4)], "state": "open",
                "body": "words " * 200}
        self.write("item.json", item)
        items = []
        while len(json.dumps(items)) < 1_000_000:
            items += [dict(item, number=len(items) + n) for n in range(50)]
        self.write("list.json", items)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out",
            f"{folder}/cert.pem")
        with open(os.path.join(folder, "nginx.conf"), "w") as f:
            f.write(NGINX % {"dir": folder, "port": self.port, "tls": self.tls})
        self.process = subprocess.Popen([shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", folder, "-c", os.path.join(folder, "nginx.conf")],
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: socket.create_connection(("127.0.0.1", self.port)).close(), self.process)

    def write(self, name, value):
        with open(os.path.join(self.folder, "www", name), "w") as f:
            json.dump(value, f)

    def base(self, tls):
        return f"https://127.0.0.1:{self.tls}" if tls else f"http://127.0.0.1:{self.port}"

    def ca(self, tls):
        return os.path.join(self.folder, "cert.pem") if tls else ""

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Host:
    """plexusd with the same routes to three places: nginx, nginx over TLS, and a peer that accepts and says nothing."""

    def __init__(self, folder, web, silent):
        self.socket = os.path.join(folder, "planner.sock")
        plugins = os.path.join(folder, "plugins")
        os.mkdir(plugins, 0o755)
        shutil.copy(os.path.join(TOOLS, "plugins", "web.so"), plugins)
        # Each call is a request of its own, and none waits for a place: what is measured is what the way costs.
        limits = {"coalesce": False, "in_flight": 10000, "queue": 10000}
        service = {"plugin": "web", "limits": limits,
                   "config": {"base_url": web.base(False), "slow_url": f"http://127.0.0.1:{silent}"}}
        # With nothing that the guard can do without, and with one of everything, none of which is ever reached.
        plain = {**limits, "spacing_percent": 0, "retry": {"attempts": 0}, "breaker": {"enabled": False}}
        rate = {"requests": 1000000000, "per_ms": 3600000}
        guarded = {**limits, "rates": [{"kind": kind, **rate} for kind in ("bucket", "sliding", "fixed")],
                   "upstreams": {"web": {"in_flight": 10000, "rates": [{"kind": "sliding", **rate}]}}}
        config = {"state_dir": os.path.join(folder, "state"), "socket": self.socket, "plugin_dirs": [plugins],
                  "services": {"web": service, "plain": {**service, "limits": plain}, "guarded": {**service, "limits": guarded},
                               "tls": {"plugin": "web", "limits": limits, "config": {"base_url": web.base(True)},
                                       "network": {"ca_file": web.ca(True)}}},
                  "log": {"level": "warning"}, "limits": {"calls_per_principal": 1024}}
        with open(os.path.join(folder, "plexus.json"), "w") as f:
            json.dump(config, f)
        with open(os.path.join(folder, "plexusd.log"), "w") as log:
            self.process = subprocess.Popen([f"{BUILD}/bin/plexusd", "--config", os.path.join(folder, "plexus.json")], stderr=log)
        wait_for(self.connect, self.process)
        until = time.monotonic() + 15
        while not self.request("plexus/status")["ready"] and time.monotonic() < until:
            time.sleep(0.02)

    def connect(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)

    def request(self, method, params=None):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode() + b"\n")
            return json.loads(s.makefile().readline())["result"]

    def load(self, tool, args, in_flight, refused=False):
        out = run(f"{TOOLS}/tool_load", self.socket, tool, json.dumps(args), str(in_flight), str(SECONDS), fails=refused)
        told = json.loads(out)
        if refused and told["wrong"] < told["calls"]:
            raise SystemExit(f"{tool}: {told['calls'] - told['wrong']} calls were not refused")
        return told

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def bare(url, in_flight, ca):
    return json.loads(run(f"{TOOLS}/tool_curl", url, str(in_flight), str(SECONDS), *([ca] if ca else [])))


def wrk(url, in_flight):
    out = run("wrk", "-t1", f"-c{in_flight}", f"-d{max(1, int(SECONDS))}s", url)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1])


def httpx(url, in_flight, ca):
    return json.loads(run("/usr/bin/python3", "-c", HTTPX, url, str(in_flight), str(SECONDS), ca))["per_s"]


def compare(host, web, what, tls, tool, name, in_flights):
    url, ca = f"{web.base(tls)}/{name}", web.ca(tls)
    for in_flight in in_flights:
        ours = host.load(tool, {"name": name}, in_flight)
        least = bare(url, in_flight, ca)
        most, people = wrk(url, in_flight), httpx(url, in_flight, ca)
        ratio = ours["per_s"] / least["per_s"]
        say(f"{what}, {in_flight} in flight",
            f"{ours['per_s']:,.0f}/s (p50 {ours['p50_us']:,.0f}, p99 {ours['p99_us']:,.0f} us); bare curl loop {least['per_s']:,.0f}/s: "
            f"ratio {ratio:.2f} (budget 0.8); wrk {most:,.0f}/s; httpx {people:,.0f}/s: {ours['per_s'] / people:.1f} times",
            in_flight=in_flight, per_s=ours["per_s"], p50_us=ours["p50_us"], p99_us=ours["p99_us"], bare_per_s=least["per_s"],
            ratio=round(ratio, 3), wrk_per_s=most, httpx_per_s=round(people))


def what_the_guard_costs(host):
    """The same calls with everything on and with everything off, in turns; then those that a breaker answers."""
    off, on = [], []
    for _ in range(3):
        off.append(host.load("plain_item", {"name": "item.json"}, 64)["per_s"])
        on.append(host.load("guarded_item", {"name": "item.json"}, 64)["per_s"])
    off, on = sorted(off)[1], sorted(on)[1]
    say("the guard, 64 in flight", f"{on:,.0f}/s with everything on, {off:,.0f}/s off: ratio {on / off:.2f}",
        on_per_s=on, off_per_s=off, ratio=round(on / off, 3))
    host.request("plexus/breaker", {"service": "guarded", "order": "open"})
    refused = host.load("guarded_item", {"name": "item.json"}, 64, refused=True)
    host.request("plexus/breaker", {"service": "guarded", "order": "reset"})
    say("through an open breaker", f"{refused['per_s']:,.0f} answers/s (p50 {refused['p50_us']:,.0f} us): "
        f"{refused['per_s'] / off:.1f} times those of calls that are made", per_s=refused["per_s"], p50_us=refused["p50_us"])


def beside_a_hang(host):
    """What callers of a service that works notice of one that hangs."""
    alone = host.load("web_item", {"name": "item.json"}, 16)
    stuck = threading.Thread(target=hang, args=(host,), daemon=True)
    stuck.start()
    time.sleep(0.3)
    beside = host.load("web_item", {"name": "item.json"}, 16)
    status = host.request("plexus/status")
    say("a fast service, another hangs", f"p99 {beside['p99_us']:,.0f} us, alone {alone['p99_us']:,.0f} us: ratio "
        f"{beside['p99_us'] / alone['p99_us']:.2f}; {status['calls']['in_flight']} calls hang; slowest callback "
        f"{status['loop']['slowest_us'] / 1000:.1f} ms ({status['loop']['slowest']}; budget 5)",
        p99_us=beside["p99_us"], alone_p99_us=alone["p99_us"], slowest_us=status["loop"]["slowest_us"],
        slowest=status["loop"]["slowest"])


def hang(host):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(host.socket)
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "hang", "version": "1"}}
        lines = [{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello},
                 {"jsonrpc": "2.0", "method": "notifications/initialized"}]
        lines += [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "web_hang", "arguments": {"name": "x"}}}
                  for n in range(1, 201)]
        s.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        s.settimeout(SECONDS + 20)
        try:
            while s.recv(65536):
                pass
        except OSError:
            pass


def main():
    with tempfile.TemporaryDirectory(prefix="px-bench-") as folder, socket.socket() as silent:
        os.chmod(folder, 0o755)
        silent.bind(("127.0.0.1", 0))
        silent.listen(512)
        web = Web(folder)
        try:
            host = Host(folder, web, silent.getsockname()[1])
            try:
                compare(host, web, "2 KB of JSON", False, "web_item", "item.json", (1, 16, 64, 256))
                compare(host, web, "2 KB of JSON over TLS", True, "tls_item", "item.json", (1, 16, 64, 256))
                compare(host, web, "1 MB of JSON, selected", False, "web_list", "list.json", (1, 16))
                what_the_guard_costs(host)
                beside_a_hang(host)
            finally:
                host.stop()
        finally:
            web.stop()


main()
