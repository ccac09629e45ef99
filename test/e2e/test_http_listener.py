"""The HTTP listener: /healthz, /readyz and /metrics of a real daemon, read by those who would, and by those who mean no good."""
import collections
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import RpcError, base_config, quiet_port, until

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def address(host, times=1):
    """Where it listens: the log says."""
    host.logged("listening for HTTP at=", times)
    return re.findall(r"listening for HTTP at=(\S+)", host.log())[-1]


def port(host, times=1):
    return int(address(host, times).rsplit(":", 1)[1])


def ask(at, path, method="GET", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", at, timeout=30)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), body.decode()


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


@pytest.fixture
def host(plexusd, folder):
    return plexusd(config=base_config(folder, http={"listen": "127.0.0.1:0", "hosts": ["plexus.example"]})).start()


# ---- a strict reader of the format --------------------------------------------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? (-?[0-9]+(?:\.[0-9]+)?)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')
ENDINGS = {"counter": ("_total",), "gauge": ("",), "summary": ("", "_count", "_sum"), "info": ("_info",)}


def read_metrics(text):
    """{name: {labels: value}}; every rule of OpenMetrics 1.0 that could be broken here is looked at."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    found, families, family = collections.defaultdict(dict), {}, None
    for line in text[:-len("# EOF\n")].splitlines():
        if line.startswith("# "):
            word, name, rest = line[2:].split(" ", 2)
            assert word in ("TYPE", "UNIT", "HELP"), line
            if word == "TYPE":
                assert name not in families, f"{name} is there twice"
                family = families[name] = {"name": name, "type": rest, "unit": None, "samples": 0, "help": False}
                assert rest in ENDINGS and not name.endswith(("_total", "_info", "_count")), line
            assert name == family["name"] and not family["samples"], f"out of place: {line}"
            if word == "UNIT":
                assert name.endswith("_" + rest), line
                family["unit"] = rest
            if word == "HELP":
                assert rest.endswith(".") and not family["help"]
                family["help"] = True
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, labels, value = match.group(1), LABEL.findall(match.group(2) or ""), float(match.group(3))
        assert name.startswith(family["name"]) and name[len(family["name"]):] in ENDINGS[family["type"]], line
        assert len({key for key, _ in labels}) == len(labels), line
        assert ("quantile" in dict(labels)) == (family["type"] == "summary" and name == family["name"]), line
        key = tuple(sorted(labels))
        assert key not in found[name], f"twice: {line}"
        assert family["type"] != "counter" or value >= 0
        family["samples"] += 1
        found[name][key] = value
    for family in families.values():
        assert family["help"], family
        assert family["unit"] or not family["name"].endswith(("_seconds", "_bytes")), family
    return found


def metrics(at):
    status, headers, body = ask(at, "/metrics")
    assert status == 200 and headers["content-type"] == OPEN
    return read_metrics(body)


def one(found, name, **labels):
    return found[name][tuple(sorted(labels.items()))]


# ---- what it says -------------------------------------------------------------------------------------------------------


def test_three_places(host):
    at = port(host)
    assert ask(at, "/healthz")[::2] == (200, "ok\n")
    assert ask(at, "/readyz")[::2] == (200, "ready\n")
    status, headers, body = ask(at, "/healthz", "HEAD")
    assert (status, body, headers["content-length"]) == (200, "", "3")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = ask(at, "/metrics", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD"), method
    for path in ("/", "/nothing", "/metrics/", "/healthz/..", "//healthz", "/HEALTHZ", "/%68ealthz"):
        assert ask(at, path)[0] == 404, path
    assert ask(at, "/healthz?verbose")[0] == 200
    log = host.log()
    assert "error" not in log


def test_hosts(host):
    """A web page whose name leads here must not read what stands here."""
    at = port(host)
    for name in ("localhost", f"localhost:{at}", f"127.0.0.1:{at}", "[::1]:1", "127.1.2.3", "LOCALHOST", "plexus.example", "Plexus.Example:80"):
        assert ask(at, "/healthz", headers={"Host": name})[0] == 200, name
    for name in ("evil.example", "localhost.evil.example", "10.0.0.1", "plexus.example.evil", "127.0.0.1.nip.io", "0.0.0.0"):
        status, _, body = ask(at, "/metrics", headers={"Host": name})
        assert status == 421 and "plexus_" not in body, name


def test_metrics(host):
    at = port(host)
    with host.planner() as planner:
        before = metrics(at)
        planner.data_of("data_query", {"sql": "select 1"})
        planner.error_of("data_query", {"wrong": 1})
        with pytest.raises(RpcError):
            planner.call("no_such_tool_of_anybody")
        after = metrics(at)
        assert one(after, "plexus_calls_total") == one(before, "plexus_calls_total") + 2
        assert one(after, "plexus_calls_failed_total") == one(before, "plexus_calls_failed_total") + 1
        assert one(after, "plexus_planners") == 1
        status = planner.status()
    assert one(after, "plexus_build_info", version=status["version"]) == 1
    assert one(after, "plexus_services", state="ready") == 2
    assert sum(after["plexus_services"].values()) == 2
    assert one(after, "plexus_ready") == 1
    assert 0 < one(after, "plexus_uptime_seconds") < 600
    assert abs(one(after, "plexus_open_fds") - len(os.listdir(f"/proc/{host.pid}/fd"))) < 5  # connections have come and gone
    assert one(after, "plexus_resident_memory_bytes") > 1 << 20
    assert one(after, "plexus_state_health", health="ok") == 1
    assert one(after, "plexus_loop_turns_total") > one(before, "plexus_loop_turns_total")
    assert one(after, "plexus_http_server_requests_total") == 2
    assert after["plexus_state_stall_seconds_count"]
    assert one(after, "plexus_grants") == 0
    assert "no_such_tool" not in repr(after) and "uid" not in repr(after), "what a planner wrote is no label"


def test_effects_without_an_end(host):
    """Those that are open when the host is killed are of unknown outcome at the next start; and counted."""
    found = metrics(port(host))
    assert one(found, "plexus_effects", outcome="open") == 0 and one(found, "plexus_effects", outcome="outcome_unknown") == 0
    host.stop()
    with sqlite3.connect(host.folder / "state" / "state.db") as db:
        for i in range(3):
            db.execute("insert into effects(id, call_id, principal, service, tool, began_unix_ms, outcome) values (?, ?, 'uid:0', 'data', 'data_execute', ?, ?)",
                       (f"01ARZ3NDEKTSV4RRFFQ69G5FA{i}", f"01ARZ3NDEKTSV4RRFFQ69G5FB{i}", int(time.time() * 1000), i))
    db.close()
    host.start()
    found = metrics(port(host))
    assert one(found, "plexus_effects", outcome="open") == 0 and one(found, "plexus_effects", outcome="outcome_unknown") == 2


def test_both_formats(host):
    at = port(host)
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
    assert ask(at, "/metrics", headers={"Accept": prometheus})[1]["content-type"] == OPEN
    assert ask(at, "/metrics", headers={"Accept": "*/*"})[1]["content-type"] == OPEN
    _, headers, body = ask(at, "/metrics", headers={"Accept": "text/plain"})
    assert headers["content-type"] == PLAIN
    assert "# EOF" not in body and "# UNIT" not in body and "# TYPE plexus_calls_total counter\n" in body
    parser = pytest.importorskip("prometheus_client.parser")
    old = {family.name for family in parser.text_string_to_metric_families(body)}
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    new = {family.name for family in parser.text_string_to_metric_families(ask(at, "/metrics")[2])}
    assert len(new) > 60 and {name.removesuffix("_info") for name in old} == new


def test_readiness(plexusd, folder):
    """What it takes to be ready; a service that fails is no reason not to be."""
    config = base_config(folder, http={"listen": "127.0.0.1:0"})
    config["services"]["lost"] = {"plugin": "no_such_plugin"}
    host = plexusd(config=config).start()
    at = port(host)
    status, _, body = ask(at, "/readyz")
    assert status == 200 and re.fullmatch(r"ready\nservice lost: (failed|starting)\n", body), body
    with host.planner() as planner:
        planner.begin_call("demo_wait", {"seconds": 20})
        until(lambda: planner.status()["calls"]["in_flight"], "the call runs")
        host.process.send_signal(signal.SIGTERM)
        assert until(lambda: ask(at, "/readyz")[0] == 503, "it says that it stops")
        assert "stopping" in ask(at, "/readyz")[2]
        assert ask(at, "/healthz")[0] == 200


def test_a_socket_file(plexusd, folder):
    path = folder / "http.sock"
    host = plexusd(config=base_config(folder, http={"listen": f"unix:{path}", "mode": "0600"})).start()
    assert os.stat(path).st_mode & 0o777 == 0o600
    connection = Unix(path)
    for name in ("/healthz", "/readyz"):  # over one connection; whatever Host says
        connection.request("GET", name, headers={"Host": "anything.example"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) in ((200, b"ok\n"), (200, b"ready\n"))
    connection.close()
    host.stop()
    assert not path.exists()


def test_activation(plexusd, folder):
    """Sockets of the service manager: both, in any order."""
    planner, web = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket()
    planner.bind(str(folder / "passed.sock"))
    web.bind(("127.0.0.1", 0))
    planner.listen(8)
    web.listen(8)
    script = f'exec 8<&{web.fileno()} 9<&{planner.fileno()} {web.fileno()}<&- {planner.fileno()}<&-; exec 3<&8 4<&9 8<&- 9<&-; export LISTEN_PID=$$; exec "$@"'
    host = plexusd(prefix=("/bin/bash", "-c", script, "sh"), pass_fds=(web.fileno(), planner.fileno()),
                   env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:planner"})
    at = web.getsockname()[1]
    with planner, web:
        host.start()
    assert address(host) == "(passed)"
    assert ask(at, "/readyz")[0] == 200
    host.reload(base_config(folder, http={"listen": "127.0.0.1:0"}))
    assert "a change that needs a restart key=http" in host.log()
    assert ask(at, "/readyz")[0] == 200


@pytest.mark.parametrize("listen, words", [
    ("0.0.0.0:9464", "neither TLS nor authentication"), ("192.0.2.1:80", "neither TLS nor authentication"), ("[::]:80", "neither TLS nor"),
    ("localhost:9464", "expected an address and a port"), ("127.0.0.1", "expected an address"), ("127.0.0.1:65536", "expected an address"),
    ("9464", "expected an address"), ("unix:relative.sock", "absolute"), ("unix:", "absolute"), ("unix:/" + "x" * 120, "at most 107"),
])
def test_what_is_refused(plexusd, folder, listen, words):
    from conftest import run_plexusd
    (folder / "c.json").write_text(json.dumps(base_config(folder, http={"listen": listen})))
    done = run_plexusd("--check", folder / "c.json")
    assert done.returncode == 1 and "http.listen" in done.stdout + done.stderr and words in done.stdout + done.stderr, done


def test_a_port_that_is_taken(plexusd, folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        host = plexusd(config=base_config(folder, http={"listen": "127.0.0.1:%d" % taken.getsockname()[1]}))
        host.expect = 1
        host.spawn().process.wait(30)
        assert "http: 127.0.0.1 port" in host.log() and "Address already in use" in host.log()


def test_reload(host, folder):
    """Only the listener changes; a wrong one changes nothing."""
    at = port(host)
    host.reload(base_config(folder, http={"listen": "127.0.0.1:0", "hosts": ["other.example"]}))
    at = port(host, 2)
    assert ask(at, "/healthz", headers={"Host": "other.example"})[0] == 200
    assert ask(at, "/healthz", headers={"Host": "plexus.example"})[0] == 421
    host.reload(base_config(folder, http={"listen": f"unix:{folder}/http.sock"}))
    with pytest.raises(OSError):
        ask(at, "/healthz")
    connection = Unix(folder / "http.sock")
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        host.reload(base_config(folder, http={"listen": "127.0.0.1:%d" % taken.getsockname()[1]}))
        host.logged("the HTTP listener stays where it was")
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    host.reload(base_config(folder))
    assert not (folder / "http.sock").exists()
    host.reload(base_config(folder, http={"listen": "127.0.0.1:0"}))
    assert ask(port(host, 4), "/healthz")[0] == 200


# ---- those who mean no good ---------------------------------------------------------------------------------------------


def connect(at):
    sock = socket.create_connection(("127.0.0.1", at), timeout=30)
    return sock


def median(host):
    """Seconds, of a planner's query."""
    times = []
    with host.planner() as planner:
        for _ in range(100):
            begun = time.monotonic()
            planner.data_of("data_query", {"sql": "select 1"})
            times.append(time.monotonic() - begun)
    return sorted(times)[50]


def test_a_thousand_idle_connections(host):
    """They take the listener's places, in turn; planners notice nothing, and who asks is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1500:
        if hard < 1500:
            pytest.skip("too few descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (1500, hard))
    at, alone = port(host), median(host)
    memory = host.memory()
    idle = [connect(at) for _ in range(1000)]
    try:
        found = metrics(at)
        assert one(found, "plexus_http_server_connections") <= 512
        assert one(found, "plexus_http_server_evicted_total") >= 400
        assert median(host) < max(0.2, 10 * alone)
        print(f"\n1000 idle connections: {(host.memory() - memory) // 1024} KiB")
    finally:
        for sock in idle:
            sock.close()


def test_slow_ones_beside_planners(host):
    """Heads that never end: each has ten seconds, whatever it sends; others are served meanwhile."""
    at = port(host)
    slow = [connect(at) for _ in range(300)]
    begun = time.monotonic()
    for sock in slow:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
    with host.planner() as planner:
        open_ones, answered = set(slow), 0
        while open_ones and time.monotonic() - begun < 40:
            for sock in list(open_ones):
                try:
                    piece = sock.recv(1000, socket.MSG_DONTWAIT)
                    answered += piece.startswith(b"HTTP/1.1 408")
                    open_ones.discard(sock)
                except BlockingIOError:
                    with contextlib.suppress(OSError):
                        sock.sendall(b"X-A: b\r\n")
                except OSError:
                    open_ones.discard(sock)
            planner.data_of("data_query", {"sql": "select 1"})
            assert ask(at, "/readyz")[0] == 200
            time.sleep(0.3)
        took = time.monotonic() - begun
    for sock in slow:
        sock.close()
    assert not open_ones and took > 9
    assert answered >= 290
    assert one(metrics(at), "plexus_http_server_slow_total") >= 290


def test_killed_in_the_middle_of_answers(plexusd, folder):
    """Readers see an end, not half an answer that looks whole; the next one listens at the same place."""
    path = folder / "http.sock"
    host = plexusd(config=base_config(folder, http={"listen": f"unix:{path}"})).start()
    whole, stop = [0], threading.Event()

    def read():
        while not stop.is_set():
            connection = Unix(path)
            try:
                connection.request("GET", "/metrics")
                body = connection.getresponse().read()
                assert body.endswith(b"# EOF\n")
                whole[0] += 1
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
            finally:
                connection.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(3):
            seen = whole[0]
            until(lambda: whole[0] > seen + 20, "answers")
            host.kill()
            host.start()
        seen = whole[0]
        until(lambda: whole[0] > seen + 20, "answers after all")
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_services_do_not_ask_it(plexusd, folder):
    """A planner cannot make a service read our own listener for it."""
    at = quiet_port()
    config = base_config(folder, http={"listen": f"127.0.0.1:{at}"})
    config["services"]["web"] = {"plugin": "http", "config": {"origins": [f"http://127.0.0.1:{at}"]}}
    host = plexusd(config=config).start()
    with host.planner() as planner:
        error = planner.error_of("web_get", {"url": f"http://127.0.0.1:{at}/metrics"})
    assert error["code"] == "forbidden" and "listen" in error["message"], error


def test_curl(host):
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", "10", f"http://127.0.0.1:{port(host)}/readyz"], capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"HTTP/1.1 200 OK\r\n") and done.stdout.endswith(b"\r\n\r\nready\n"), done
