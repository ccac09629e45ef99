"""GitHub, played on loopback: `steady` over GitHub's own OpenAPI description, a GraphQL server over its own schema, and an
upstream whose every answer a test writes itself."""

import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from conftest import SOURCE, base_config, quiet_port

NODE = SOURCE / "test" / "e2e" / "github"
MODULES = NODE / "node_modules"
DESCRIPTION = MODULES / "@octokit" / "openapi" / "generated" / "api.github.com.json"
TOKEN = "ghp_ThisIsNoTokenButLooksLikeOne00000000"
SETS = ["repos", "issues", "pulls", "search", "users", "actions", "discussions", "projects", "graphql"]
SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"

if not MODULES.is_dir():
    if os.environ.get("CI") == "true":
        raise RuntimeError("test/e2e/github/node_modules is missing: scripts/setup test installs it")
    pytest.skip("test/e2e/github/node_modules is missing", allow_module_level=True)


class Request:
    def __init__(self, handler, body):
        self.method, self.target = handler.command, handler.path
        self.path, _, query = self.target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.text = body
        self.steady = {}

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.method} {self.target} {self.text[:500]!r}"


class Upstream:
    """An HTTP server on a port the kernel chooses. `answer(request)` gives (status, headers, body); requests are kept."""

    def __init__(self, answer, address="127.0.0.1"):
        upstream = self
        self.requests, self.answer = [], answer

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = Request(self, body)
                upstream.requests.append(request)
                status, headers, body = upstream.answer(request)
                if not isinstance(body, bytes):
                    headers = {"content-type": "application/json; charset=utf-8", **headers}
                    body = json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                if status not in (204, 304):
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://{address}:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def take(self):
        taken, self.requests[:] = list(self.requests), []
        return taken

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def ask(port, request, path, more=()):
    """Hand a request on to a server of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection", "accept-encoding")}
        headers.update(more)
        connection.request(request.method, path, request.text or None, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def start(command, port_of):
    """A server of this machine, and the port that it says."""
    process = subprocess.Popen(command, cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in process.stdout:
        said.append(line)
        port = port_of(line)
        if port:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, port
    raise RuntimeError(f"{command} does not start: status {process.wait()}\n{''.join(said[-20:])}")


def stop(process):
    process.terminate()
    process.wait()
    process.stdout.close()


def start_steady():
    """It cannot be asked for any free port: another may have been told of the one we found, then again. What it says is not waited for: now and then
    its words never leave it."""
    program = next(MODULES.glob("@stdy/cli-linux-*/bin/steady"))
    for _ in range(3):
        port = quiet_port()
        process = subprocess.Popen([str(program), "--quiet", "--no-color", "--host", "127.0.0.1", "-p", str(port), str(DESCRIPTION)],
                                   cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=process.stdout.read, daemon=True).start()
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return process, port
            except OSError:
                time.sleep(0.05)
        process.kill()
        process.wait()
    raise RuntimeError(f"{program} does not start")


@pytest.fixture(scope="module")
def graphql_port():
    process, port = start(["node", "gqlmock.mjs"], lambda line: int(line))
    yield port
    stop(process)


@pytest.fixture(scope="module")
def github(graphql_port):
    """All of GitHub: requests go to steady or to the GraphQL server. What steady says of one stands in request.steady."""
    process, steady = start_steady()
    logs = Upstream(lambda request: (200, {"content-type": "text/plain"}, b"2026-01-02 the log\n"), "127.0.0.2")

    def answer(request):
        if request.path == "/graphql":
            status, headers, body = ask(graphql_port, request, request.target)
            return status, {"content-type": headers["content-type"]}, body
        # A file's path has segments, which the description does not know.
        target = re.sub(r"(/contents/)([^?]*)", lambda m: m[1] + m[2].replace("/", "%2F"), request.target)
        accept = {"accept": "application/json"} if "/contents/" in target else {} # else it makes no JSON of a file
        status, headers, body = ask(steady, request, target, accept)
        request.steady = {name[9:]: value for name, value in headers.items() if name.startswith("x-steady-")}
        if status == 302: # the example leads to a host of GitHub's
            return 302, {"location": logs.origin + "/log?sig=secret"}, b""
        return status, {"content-type": headers.get("content-type", "application/json")}, body

    upstream = Upstream(answer)
    upstream.logs = logs
    yield upstream
    upstream.close()
    logs.close()
    stop(process)


@pytest.fixture
def upstream():
    """upstream(answer, …) makes one."""
    made = []

    def make(*args):
        made.append(Upstream(*args))
        return made[-1]

    yield make
    for one in made:
        one.close()


def github_config(folder, origin, **config):
    """A host with the one service `github`."""
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    config = {"base_url": origin, "token": {"file": "token"}, "toolsets": SETS, **config}
    config = {key: value for key, value in config.items() if value is not None}
    return base_config(folder, services={"github": {"plugin": "github", "config": config}})
