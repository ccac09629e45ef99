"""auth login, status, logout, against the scripted host; the browser is this test."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import quiet_port
from cli_support import PLEXUS, cli, environment, host  # noqa: F401

AWAY = {"data": {"code": "forbidden", "retryable": False, "advice": "Ask an administrator."}}


class Provider:
    """Plays the host's part of a login; what it was given is kept."""

    def __init__(self, host, about=None, right="code=good"):
        self.host, self.right, self.login = host, right, None
        self.about = about or {"identity": "user", "device": False, "per_principal": False, "port": None, "path": None}
        self.queries, self.go = [], threading.Event()
        host.scripts = {"plexus/auth/redirect": self.redirect, "plexus/auth/login": self.begin,
                        "plexus/auth/redirected": self.redirected}

    def redirect(self, connection, ident, params):
        connection.send({"id": ident, "result": self.about})

    def begin(self, connection, ident, params):
        self.login = (connection, ident, params)
        note = {"id": ident, "url": "https://login.example/device", "user_code": "ABCD-EFGH", "expires_ms": 60000,
                "complete_url": "https://login.example/device?c=ABCD-EFGH"} if params.get("device") else {
                    "id": ident, "url": "https://login.example/auth?state=s", "expires_ms": 60000}
        connection.notify("notifications/plexus/auth", note)
        self.host.changed()

    def redirected(self, connection, ident, params):
        self.queries.append(params["query"])
        if params["id"] != self.login[1] or self.right not in params["query"]:
            connection.error(ident, -32602, "the answer is not to this login (state)")
            return
        connection.send({"id": ident, "result": {}})
        self.go.wait(20)
        self.finish()

    def finish(self, account="alice"):
        connection, ident, _ = self.login
        connection.send({"id": ident, "result": {"service": "mail", "identity": "user", "account": account,
                                                 "scopes": ["read", "write"]}})


def start(cli, *args, **more):
    return subprocess.Popen([PLEXUS, "--socket", cli.socket, "auth", "login", *args], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment(**more), cwd=cli.cwd)


@pytest.fixture
def begun(cli, host):
    """A login that waits for its browser."""
    provider = Provider(host)
    process = start(cli, "mail")
    host.wait(lambda: provider.login, "the login")
    uri = provider.login[2]["redirect_uri"]
    yield provider, process, uri
    provider.go.set()
    process.kill()
    process.communicate()


def get(url, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def test_login(begun):
    provider, process, uri = begun
    parts = urllib.parse.urlsplit(uri)
    assert parts.hostname == "127.0.0.1" and re.fullmatch("/[0-9a-f]{32}", parts.path)
    base = f"http://127.0.0.1:{parts.port}"
    for other in ("/favicon.ico", "/", parts.path + "x?code=good", "/x" + parts.path):
        assert get(base + other)[0] == 404
    assert get(uri + "?code=good", method="POST")[0] == 404
    assert get(uri + "?code=good", method="HEAD")[0] == 404
    assert provider.queries == []
    page = []
    browser = threading.Thread(target=lambda: page.append(get(uri + "?code=good&state=%41%26b")))
    browser.start()
    while not provider.queries:
        time.sleep(0.01)
    assert get(uri + "?code=good")[0] == 409  # one answer
    time.sleep(0.1)
    assert page == []  # nothing is promised before the host has said so
    provider.go.set()
    out, err = process.communicate(timeout=20)
    browser.join()
    assert process.returncode == 0, err
    assert json.loads(out) == {"service": "mail", "identity": "user", "account": "alice", "scopes": ["read", "write"]}
    assert "\n  https://login.example/auth?state=s\n" in err
    status, text, headers = page[0]
    assert status == 200 and "Connected" in text and "mail: connected as alice with read, write" in text
    assert "close this page" in text and headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer" and "default-src 'none'" in headers["Content-Security-Policy"]
    assert provider.queries == ["code=good&state=%41%26b"]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", parts.port))


def test_text(cli, host):
    provider = Provider(host)
    provider.go.set()
    process = start(cli, "mail", "--text", "--identity", "user")
    host.wait(lambda: provider.login, "the login")
    assert provider.login[2]["identity"] == "user"
    get(provider.login[2]["redirect_uri"] + "?code=good")
    out, _ = process.communicate(timeout=20)
    assert out == "mail: connected as alice with read, write\n"


def test_a_wrong_answer_changes_nothing(begun):
    provider, process, uri = begun
    status, text, _ = get(uri + "?code=bad&state=<b>")
    assert status == 200 and "Not connected" in text and "not to this login" in text
    provider.go.set()
    assert "Connected" in get(uri + "?code=good")[1]
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0 and "still waiting" in err


def test_connections_that_say_nothing(begun):
    provider, process, uri = begun
    port = urllib.parse.urlsplit(uri).port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    silent[-1].sendall(b"GET /never")
    provider.go.set()
    assert "Connected" in get(uri + "?code=good")[1]
    process.communicate(timeout=20)
    assert process.returncode == 0
    for one in silent:
        one.close()


def test_a_request_that_is_too_long(begun):
    provider, process, uri = begun
    port = urllib.parse.urlsplit(uri).port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as talker:
        with pytest.raises(OSError):
            for _ in range(200):
                talker.sendall(b"X-A: " + b"a" * 4000 + b"\r\n")
            while talker.recv(4096):
                pass
            raise OSError
    # byte by byte is fine
    provider.go.set()
    path = urllib.parse.urlsplit(uri).path
    with socket.create_connection(("127.0.0.1", port), timeout=20) as talker:
        for byte in f"GET {path}?code=good HTTP/1.1\r\nHost: x\r\n\r\n".encode():
            talker.sendall(bytes([byte]))
        assert b"Connected" in talker.makefile("rb").read()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_the_provider_says_no(begun):
    provider, process, uri = begun
    connection, ident, _ = provider.login
    provider.right = "error="
    provider.finish = lambda: connection.error(
        ident, 1003, "the provider answered access_denied: the <b>login</b> was not allowed", AWAY["data"])
    provider.go.set()
    status, text, _ = get(uri + "?error=access_denied")
    assert status == 200 and "Not connected" in text and "access_denied" in text and "<b>" not in text
    out, err = process.communicate(timeout=20)
    assert process.returncode == 3 and out == "" and "access_denied" in err and "Ask an administrator." in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(begun, host, number):
    provider, process, uri = begun
    while "Waiting" not in process.stderr.readline():  # all of the notification has come: the host reads on
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "given up" in err
    host.wait(lambda: provider.login[1] in provider.login[0].cancelled, "the cancel")


def test_the_host_goes(begun, host):
    provider, process, uri = begun
    host.stop()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 4 and "closed the connection" in err


def test_device(cli, host):
    provider = Provider(host)
    process = start(cli, "mail", "--device")
    host.wait(lambda: provider.login, "the login")
    assert provider.login[2] == {"service": "mail", "device": True}
    provider.finish(account=None)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and json.loads(out)["account"] is None
    assert "https://login.example/device\n" in err and "ABCD-EFGH" in err and "?c=ABCD-EFGH" in err


def test_a_service_with_devices_only(cli, host):
    provider = Provider(host, {"identity": "user", "device": True, "per_principal": True, "port": None, "path": None})
    process = start(cli, "mail")
    host.wait(lambda: provider.login, "the login")
    assert provider.login[2]["device"] is True and "redirect_uri" not in provider.login[2]
    provider.finish()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_fixed_redirect(cli, host):
    port = quiet_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        about = {"identity": "user", "device": False, "per_principal": False, "port": port, "path": "/cb/here"}
        provider = Provider(host, about)
        provider.go.set()
        process = start(cli, "mail")
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1 and str(port) in err and "--device" in err
    process = start(cli, "mail")
    host.wait(lambda: provider.login, "the login")
    assert provider.login[2]["redirect_uri"] == f"http://127.0.0.1:{port}/cb/here"
    assert "Connected" in get(f"http://127.0.0.1:{port}/cb/here?code=good")[1]
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_refused(cli, host):
    host.scripts = {"plexus/auth/redirect": lambda connection, ident, params: connection.error(
        ident, 1004, 'there is no service "x" with a login', {"code": "not_found", "retryable": False})}
    done = cli.run("auth", "login", "x")
    assert done.returncode == 1 and "not_found" in done.stderr
    assert cli.run("auth", "login").returncode == 2
    assert cli.run("auth", "log").returncode == 2


def test_a_browser_is_opened_on_a_screen_only(cli, host, tmp_path):
    program, said = tmp_path / "xdg-open", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$1" >> {said}\n')
    program.chmod(0o755)
    env = environment(TERM="xterm", DISPLAY=":9", PATH=f"{tmp_path}:{os.environ['PATH']}")
    for args, opened in (((), True), (("--no-browser",), False)):
        provider = Provider(host)
        provider.go.set()
        terminal = cli.terminal("auth", "login", "mail", *args, env=env)
        host.wait(lambda: provider.login, "the login")
        terminal.until("Waiting")
        if opened:
            host.wait(lambda: said.exists() and said.read_text(), "the browser", seconds=20)
        assert "Connected" in get(provider.login[2]["redirect_uri"] + "?code=good")[1]
        code, output = terminal.finish()
        assert code == 0 and "connected as alice" in output
        assert said.exists() == opened
        said.unlink(missing_ok=True)
    del env["DISPLAY"]
    provider = Provider(host)
    provider.go.set()
    terminal = cli.terminal("auth", "login", "mail", env=env)
    host.wait(lambda: provider.login, "the login")
    get(provider.login[2]["redirect_uri"] + "?code=good")
    terminal.finish()
    assert not said.exists()


def test_status(cli, host):
    now = int(time.time() * 1000)
    grants = [{"service": "mail", "identity": "user", "kind": "oauth2", "holder": None, "account": "alice\x1b[31m",
               "state": "fresh", "scopes": ["read", "write"], "expires_unix_ms": now + 5400000,
               "last_refresh_unix_ms": now - 61000, "next_refresh_unix_ms": now + 3330000, "error": None},
              {"service": "crm", "identity": "user", "kind": "oauth2", "holder": "uid:7", "account": None,
               "state": "needs_person", "scopes": "a b", "expires_unix_ms": None, "last_refresh_unix_ms": None,
               "next_refresh_unix_ms": None, "error": "the provider refused the refresh token"}]
    asked = []

    def status(connection, ident, params):
        asked.append(params)
        connection.send({"id": ident, "result": {"grants": grants}})
    host.scripts = {"plexus/auth/status": status}
    assert cli.json("auth", "status")["grants"] == grants
    text = cli.ok("auth", "status", "mail", "--text")
    assert asked == [{}, {"service": "mail"}]
    lines = text.split("\n")
    assert lines[0].split()[:3] == ["SERVICE", "ACCOUNT", "STATE"]
    assert "mail/user" in lines[1] and "alice" in lines[1] and "fresh" in lines[1] and "read write" in lines[1]
    assert "in 1 h" in lines[1] and "ago" in lines[1] and "in 55 m" in lines[1]
    assert "crm/user (uid:7)" in lines[2] and "needs_person" in lines[2]
    assert "crm/user (uid:7): the provider refused the refresh token" in text and "\x1b" not in text
    grants.clear()
    assert "no service logs in" in cli.ok("auth", "status", "--text")


def test_logout(cli, host):
    results = [{"service": "mail", "revoked": True, "why": None},
               {"service": "mail", "revoked": False, "why": "the provider names no revocation endpoint"}]
    asked = []

    def logout(connection, ident, params):
        asked.append(params)
        connection.send({"id": ident, "result": results[len(asked) - 1]})
    host.scripts = {"plexus/auth/logout": logout}
    assert "has revoked" in cli.ok("auth", "logout", "mail", "--text")
    text = cli.ok("auth", "logout", "mail", "--text", "--identity", "user", "--principal", "uid:7")
    assert "not revoked" in text and "no revocation endpoint" in text
    assert asked == [{"service": "mail"}, {"service": "mail", "identity": "user", "principal": "uid:7"}]
