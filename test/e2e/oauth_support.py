"""Providers on loopback, for tests that log in: a certified one (oauth/op.mjs), one whose every answer a test writes itself, and a
browser without a window."""

import http.cookiejar
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import BUILD, PLEXUS, SOURCE, WAIT, base_config, until

OAUTH = SOURCE / "test" / "e2e" / "oauth"
ROUTES = BUILD / "test" / "abi" / "plugins" / "routes.so"
NODE = next(map(str, (SOURCE / "test" / "e2e" / "mcp").glob("node_modules/node-linux-*/bin/node")), "node")

def need_provider(**more):
    """Node and its packages, or the test is skipped; in CI it fails. (allow_module_level: all of the file's tests.)"""
    if (OAUTH / "node_modules").is_dir():
        return
    if os.environ.get("CI") == "true":
        raise RuntimeError("test/e2e/oauth/node_modules is missing: scripts/setup test installs it")
    pytest.skip("test/e2e/oauth/node_modules is missing", **more)


class Op:
    """oidc-provider; `keys`: a folder for the keys of its clients that sign."""

    def __init__(self, keys, **options):
        need_provider()
        self.keys = keys
        self.process = subprocess.Popen([NODE, "op.mjs", json.dumps({"keys": str(keys), **options})], cwd=OAUTH, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(keys / "op.stderr", "w"), text=True)
        line = self.process.stdout.readline()
        assert line, (keys / "op.stderr").read_text()
        ready = json.loads(line)
        self.issuer, self.api = ready["issuer"], ready["api"]

    def control(self, what, wish=None):
        data = None if wish is None else json.dumps(wish).encode()
        with urllib.request.urlopen(urllib.request.Request(self.issuer + "/_test/" + what, data), timeout=WAIT) as answer:
            return json.load(answer)

    def log(self):
        return self.control("log")

    def fail(self, times, status=503, headers=None, body=None):
        """The next token requests are answered so; status 0: the connection is closed."""
        self.control("fail", {"times": times, "status": status, "headers": headers or {}, **({"body": body} if body else {})})

    def gate(self, at, drop=False, skip=0):
        """Token requests wait "before" the provider, or their answers "after" it, when so many have passed; None: they go on, or their connections are
        closed."""
        self.control("gate", {"at": at, "drop": drop, "skip": skip})

    def end(self, *kinds):
        """The provider forgets all its AccessToken, RefreshToken."""
        self.control("end", kinds)

    def says(self, expires_in):
        """How long tokens live from now on, if its answers are to be believed."""
        self.control("options", {"expires_in": expires_in})

    def stop(self):
        self.process.stdin.close()
        self.process.wait(WAIT)
        self.process.stdout.close()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """Follows redirects, keeps cookies, fills in the forms of the provider's pages. Shares nothing with another one."""

    def __init__(self, user="alice"):
        self.user = user
        self.opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def ask(self, url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with self.opener.open(urllib.request.Request(url, data), timeout=WAIT) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def walk(self, url, stop="http://127.0.0.1:", refuse=False):
        """Open a page and do what it asks for; where it leads outside the provider (or `stop` begins another's), that address: (url, None); or the last
        page: (url, text)."""
        home = urllib.parse.urlsplit(url).netloc
        fields = None
        for _ in range(20):
            status, headers, text = self.ask(url, fields)
            fields = None
            if 300 <= status < 400:
                url = urllib.parse.urljoin(url, headers["location"])
                if urllib.parse.urlsplit(url).netloc != home and url.startswith(stop):
                    return url, None
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', text, re.S)
            if not form or status >= 400:
                return url, text
            if refuse:
                cancel = re.search(r'href="([^"]*/abort)"', text)
                if cancel:
                    url = urllib.parse.urljoin(url, cancel[1])
                    continue
            fields = {}
            for tag in re.findall(r"<input[^>]*>", form[2]):
                name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
                if name:
                    fields[name[1]] = value[1] if value else ""
            if "login" in fields:
                fields.update(login=self.user, password="x")
            url = urllib.parse.urljoin(url, form[1])
        raise AssertionError(f"it goes round and round: {url}")

    def log_in(self, url, **more):
        """All of it, the command's own page at the end: its text."""
        back, text = self.walk(url, **more)
        assert text is None, text
        _, _, page = self.ask(back)
        return page


class Answering:
    """A server whose every answer a test makes: `answer(request)` gives (status, body[, headers]) or "reset". What went wrong in it is in `errors`."""

    class Request:
        def __init__(self, handler, body):
            self.method, self.target, self.body = handler.command, handler.path, body
            self.path, _, query = self.target.partition("?")
            self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            self.headers = {name.lower(): value for name, value in handler.headers.items()}

        @property
        def form(self):
            return dict(urllib.parse.parse_qsl(self.body.decode(), strict_parsing=True))

        def __repr__(self):
            return f"{self.method} {self.target}"

    def __init__(self, answer):
        served = self
        self.answer, self.requests, self.errors = answer, [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def any(self):
                request = Answering.Request(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                served.requests.append(request)
                try:
                    given = served.answer(request)
                except Exception as error:  # an assertion, a signature that does not fit
                    served.errors.append(f"{request}: {type(error).__name__}: {error}")
                    given = (500, {"message": "the test's server is not content"})
                if given == "reset":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, body, headers = (*given, {})[:3]
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Scripted:
    """A provider whose answers are written by the test: `tokens` and `codes` are lists of (status, body) or functions of the form; the last one stays."""

    def __init__(self, **metadata):
        provider = self
        self.tokens, self.codes, self.seen = [(400, {"error": "invalid_request"})], [], []
        self.authorize = None  # function of the query: the query that goes back

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, body, headers=()):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if path.startswith("/.well-known/"):
                    self.reply(200, provider.metadata) if provider.metadata else self.reply(404, {})
                elif path == "/auth":
                    asked = dict(urllib.parse.parse_qsl(query))
                    provider.seen.append(("auth", asked, time.monotonic()))
                    back = asked["redirect_uri"] + "?" + urllib.parse.urlencode(provider.authorize(asked))
                    self.reply(302, b"", [("Location", back)])
                else:
                    self.reply(404, {})

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                kind = self.path.strip("/")
                provider.seen.append((kind, form, time.monotonic()))
                answers = provider.codes if kind == "device" else provider.tokens
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer == "reset":
                    self.close_connection = True
                    self.connection.close()
                    return
                self.reply(*(answer(form) if callable(answer) else answer))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = self.api = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.metadata = {"issuer": self.issuer, "authorization_endpoint": self.issuer + "/auth", "token_endpoint": self.issuer + "/token",
                         "device_authorization_endpoint": self.issuer + "/device", **metadata}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def times(self, kind):
        return [at for one, _, at in self.seen if one == kind]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def auth_config(folder, services, **more):
    """A host whose services are the test's routes plugin, each with an upstream and an `auth`: {name: (base_url, auth)}."""
    plugins = folder / "more"
    plugins.mkdir(exist_ok=True)
    shutil.copy(ROUTES, plugins / "routes.so")
    os.chmod(plugins / "routes.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(plugins))
    for name, (base_url, auth) in services.items():
        config["services"][name] = {"plugin": "routes", "config": {"base_url": base_url}, **({"auth": auth} if auth else {})}
    config.update(more)
    return config


def plexus(host, *args, env=None):
    return subprocess.run([str(PLEXUS), "--socket", str(host.socket), *map(str, args)], capture_output=True, text=True, timeout=2 * WAIT,
                          env={**os.environ, **(env or {})})


class Login:
    """`plexus auth login`, and what it prints as it comes."""

    def __init__(self, host, *args, options=(), program=PLEXUS, uid=None):
        process = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        self.process = subprocess.Popen([str(program), "--socket", str(host.socket), *map(str, options), "auth", "login", *map(str, args)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **process)
        self.said = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.said += line

    def url(self):
        """Where to go: the first address alone on its line."""
        found = until(lambda: re.search(r"^  (https?://\S+)$", self.said, re.M) or self.process.poll() is not None, "an address")
        assert not isinstance(found, bool), self.said
        return found[1]

    def complete_url(self):
        until(lambda: "Waiting" in self.said, "the wait")
        return re.findall(r"^  (https?://\S+)$", self.said, re.M)[-1]

    def end(self):
        """(exit code, what it printed as JSON or None, stderr)."""
        out = self.process.stdout.read()
        code = self.process.wait(WAIT)
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, json.loads(out) if out else None, self.said

    def kill(self):
        self.process.kill()
        self.end()
