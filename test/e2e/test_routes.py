"""Tools that are requests of the host's own: a real upstream, the real daemon, and the `plexus` command."""
import http.server
import json
import re
import os
import shutil
import subprocess
import threading

import pytest
from conftest import BUILD, PLEXUS, Daemon, base_config, until

PLUGIN = BUILD / "test/abi/plugins/routes.so"
TOKEN = "e2e-token-that-nobody-may-see"


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.hold = [], threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/v1" % self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path.endswith("/hold"):
            self.server.hold.wait(20)
        status = 404 if self.path.endswith("/none") else 200
        reply = {"message": "there is none"} if status == 404 else {"id": 7, "title": "a title", "user": {"login": "me"}}
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(folder, upstream, monkeypatch):
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "routes.so")
    os.chmod(folder / "more" / "routes.so", 0o644)
    monkeypatch.setenv("PX_TEST_ROUTES_TOKEN", TOKEN)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    config["services"]["web"] = {"plugin": "routes", "config": {"base_url": upstream.url, "token": {"env": "PX_TEST_ROUTES_TOKEN"}}}
    daemon = Daemon(folder, config).start()
    yield daemon
    daemon.stop()


def plexus(host, *args):
    return subprocess.run([str(PLEXUS), "--socket", str(host.socket), *args], capture_output=True, text=True, timeout=60)


def test_a_call(host, upstream):
    with host.planner() as planner:
        assert planner.data_of("web_get", {"id": "a/b", "fields": "id,user/login"}) == {"id": 7, "user": {"login": "me"}}
        method, path, headers, _ = upstream.seen[-1]
        assert (method, path) == ("GET", "/v1/items/a%2Fb")
        assert headers["Authorization"] == "Bearer " + TOKEN
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", headers["traceparent"]), "a trace of our own"
        error = planner.error_of("web_get", {"id": "none"})
        assert error["code"] == "not_found" and "there is none" in error["message"]
        status = planner.status()
        assert status["http"]["requests"] == 2 and status["http"]["connections"] == 1 and status["http"]["reused"] == 1
        assert status["dns"]["running"] == 0
        describe = planner.request("plexus/describe", {"name": "web_get"})
        assert describe["route"] == {"method": "GET", "path": "/items/{id}", "upstream": "api"}
    assert host.threads() == 1


def test_the_callers_trace_goes_on(host, upstream):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with host.planner() as planner:
        planner.data_of("web_get", {"id": "a"}, {"traceparent": trace})
        assert upstream.seen[-1][2]["traceparent"] == trace
        planner.data_of("web_get", {"id": "a"}, {"traceparent": "00-none\r\nX-Evil: 1"})
        assert "X-Evil" not in upstream.seen[-1][2] and upstream.seen[-1][2]["traceparent"] != trace


def test_dry_run(host, upstream):
    done = plexus(host, "call", "web_create", "name=x", "password=open-sesame", "--dry-run")
    assert done.returncode == 0, done
    request = json.loads(done.stdout)["structuredContent"]["request"]
    assert request["method"] == "POST" and request["url"] == upstream.url + "/items"
    assert request["body"]["name"] == "x" and request["body"]["password"] == "***"
    assert TOKEN not in done.stdout and "open-sesame" not in done.stdout
    assert not upstream.seen
    assert json.loads(plexus(host, "effects", "--json").stdout)["open"] == []
    with host.planner() as planner:
        assert planner.data_of("web_create", {"name": "x", "dry_run": True})["dry_run"] is True
        error = planner.error_of("demo_echo", {"text": "x"}, {"plexus/dry_run": True})
        assert error["code"] == "invalid_arguments" and error["advice"]
    assert not upstream.seen


def test_verbose(host, upstream):
    done = plexus(host, "call", "web_get", "id=a", "--verbose")
    assert done.returncode == 0, done
    lines = done.stderr.splitlines()
    assert lines[0] == f"> GET {upstream.url}/items/a"
    assert any(line.startswith("< 200 HTTP/1.1") and "first_byte" in line for line in lines), lines
    assert any(line.lower() == "< content-type: application/json" for line in lines)
    assert any(line.lower().startswith("> authorization:") and "***" in line for line in lines), lines
    assert TOKEN not in done.stderr + done.stdout
    done = plexus(host, "call", "web_get", "id=none", "--verbose")
    assert done.returncode == 5 and "< 404" in done.stderr and "there is none" in done.stderr


def test_describe_and_log(host, upstream):
    described = json.loads(plexus(host, "describe", "web_create").stdout)
    assert described["route"]["method"] == "POST" and "dry_run" in described["tool"]["inputSchema"]["properties"]
    plexus(host, "call", "web_create", "name=x", "password=open-sesame")
    assert upstream.seen[-1][0] == "POST" and b"open-sesame" in upstream.seen[-1][3]
    rows = [json.loads(line) for line in plexus(host, "log", "--json").stdout.splitlines()]
    assert json.loads(rows[-1]["args"]) == {"name": "x", "password": "***"}


def test_a_network_that_changes_replaces_the_service(host, upstream):
    with host.planner() as planner:
        planner.data_of("web_get", {"id": "a"})
        held = planner.begin_call("web_get", {"id": "hold"})
        until(lambda: len(upstream.seen) == 2, "the request")
        config = json.loads(host.file.read_text())
        config["services"]["web"]["network"] = {"proxy": upstream.url.removesuffix("/v1")}
        host.reload(config)
        upstream.hold.set()
        assert planner.answer(held)["result"]["structuredContent"]["id"] == 7
        planner.data_of("web_get", {"id": "b"})
        assert upstream.seen[-1][1] == upstream.url + "/items/b", "a proxy is asked for the whole URL"
        config["services"]["web"]["network"] = {"proxy": None}
        config["network"] = {"dns_servers": ["127.0.0.1:5353"]}
        host.reload(config)
        planner.data_of("web_get", {"id": "c"})
        assert upstream.seen[-1][1] == "/v1/items/c"


def test_the_groups_and_costs_of_requests(host, upstream):
    """What a plugin's code sends names its group and its cost; what is used up there holds nothing else back."""
    config = host.config
    config["services"]["web"]["limits"] = {"groups": {"fetches": {"rates": [{"kind": "fixed", "requests": 5, "per_ms": 600000}]}}}
    host.reload(config)
    with host.planner() as planner:
        fetch = "web_fetch", {"upstream": "api", "path": "/a"}, {"plexus/timeout_ms": 3000}
        results = [planner.call(*fetch) for _ in range(3)]
        refused = ["the limit of rate group fetches of web is used up: 5 in 10 min" in one["content"][0]["text"] for one in results]
        assert refused == [False, False, True], results
        assert len(upstream.seen) == 2
        assert planner.data_of("web_get", {"id": "a"})["id"] == 7


def test_check_says_what_is_wrong_with_a_plugin():
    bad = PLUGIN.with_name("data_bad.so")
    done = subprocess.run([str(PLEXUS), "plugin", "check", str(bad)], capture_output=True, text=True)
    verdict = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 1 and verdict["ok"] is False
    assert [p.split('"')[1] for p in verdict["problems"]] == ["no_such_argument", "no_such_upstream", "no_json", "writes"]
    assert verdict["error"] == verdict["problems"][0]
    done = subprocess.run([str(PLEXUS), "--text", "plugin", "check", str(bad)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and lines[0] == f"{bad}: the host would not load it"
    assert lines[1:] == ["  " + problem for problem in verdict["problems"]]


def test_check_says_what_a_plugin_is():
    good = PLUGIN.with_name("data_only.so")
    done = subprocess.run([str(PLEXUS), "--text", "plugin", "check", str(good)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[0] == f"{good}: the host would load it"
    assert done.stdout.splitlines()[-1] == "    data_only_get"
    dies = PLUGIN.with_name("crashes.so")
    done = subprocess.run([str(PLEXUS), "--text", "plugin", "check", str(dies)], capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout and "could not be looked at to the end" in done.stderr, done
