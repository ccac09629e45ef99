"""Providers as they are: what a token endpoint leaves out, or says strangely; what metadata must not say. One scripted server is provider and API."""

import json
import socket
import time
import urllib.parse

import pytest

from conftest import RpcError, until
from oauth_support import Answering, Browser, Login, auth_config, plexus
from test_secrets_store import look_everywhere


class World:
    """A provider and the API behind it. `first`, `more`: what a login's, a refresh's answer has beside the access token (None: without that member)."""

    def __init__(self):
        self.first, self.more, self.status = {"expires_in": 600, "refresh_token": "refresh-0-" + "r" * 20}, {}, 200
        self.forms, self.seen, self.delay, self.metadata, self.spoilt = [], [], 0, {}, set()
        self.server = Answering(self.answer)
        self.url = self.server.url

    def answer(self, request):
        if request.path.startswith("/.well-known/") or "/.well-known/" in request.path:
            return self.metadata.get(request.path, (404, {}))
        if request.path == "/token":
            self.forms.append(request.form)
            time.sleep(self.delay)
            more = self.first if request.form["grant_type"] == "authorization_code" else self.more
            if self.status != 200:
                return self.status, {"error": "temporarily_unavailable"}
            given = {"access_token": f"access-{len(self.forms)}-" + "a" * 20, "token_type": "Bearer", **more}
            return 200, {name: value for name, value in given.items() if value is not None}
        token = request.headers.get("authorization", "")
        self.seen.append(token)
        return (401, {}) if token in self.spoilt or not token.startswith("Bearer access-") else (200, {"token": int(token.split("-")[1])})

    def refreshes(self):
        return [form for form in self.forms if form["grant_type"] == "refresh_token"]


@pytest.fixture
def world():
    served = World()
    yield served
    served.server.stop()
    assert served.server.errors == []


def start(plexusd, world, **auth):
    host = plexusd(config={})
    spec = {"kind": "oauth2", "client_id": "c", "authorization_url": world.url + "/auth", "token_url": world.url + "/token", "scopes": ["a", "b"], **auth}
    host.write(auth_config(host.folder, {"web": (world.url, {key: value for key, value in spec.items() if value is not None})}))
    return host.start()


def log_in(planner, service="web", code="the-code-of-it", **more):
    """A login whose browser is this test."""
    planner.notes.clear()
    login = planner.begin("plexus/auth/login", {"service": service, "redirect_uri": "http://127.0.0.1:4711/cb"})
    while not any(note["method"] == "notifications/plexus/auth" for note in planner.notes):
        message = planner.line()
        if message.get("id") == login:
            raise RpcError(message["error"])
        planner.notes.append(message)
    url = next(note["params"]["url"] for note in planner.notes if note["method"] == "notifications/plexus/auth")
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    planner.request("plexus/auth/redirected", {"id": login, "query": urllib.parse.urlencode({"code": code, "state": asked["state"], **more})})
    message = planner.answer(login)
    if "error" in message:
        raise RpcError(message["error"])
    return message["result"], asked


def grant(host, service="web"):
    found, = json.loads(plexus(host, "auth", "status", service).stdout)["grants"]
    return found


def token(planner, service="web", n=[0]):
    n[0] += 1
    return planner.data_of(service + "_get", {"id": str(n[0])})["token"]


@pytest.mark.parametrize("expires_in, lives", [(None, None), ("600", 600), (600.0, 600), (0, None), (-5, None), ("", None), ("soon", None), (10**30, None), ("9" * 30, None),
                                               (2**53, "long"), ({}, None), (True, None), ("1e3", None)])
def test_how_long_a_token_lives(plexusd, world, expires_in, lives):
    """What cannot be, or says that it has ended already, is as if it were not said: the token is used until a 401. Nothing is asked for again and again."""
    world.first["expires_in"] = world.more["expires_in"] = expires_in
    host = start(plexusd, world)
    with host.planner() as planner:
        log_in(planner)
        assert [token(planner) for _ in range(10)] == [1] * 10
        one = grant(host)
        if lives is None:
            assert "expires_unix_ms" not in one and "next_refresh_unix_ms" not in one, one
        else:
            left = one["expires_unix_ms"] / 1000 - time.time()
            assert 590 < left <= 600 if lives == 600 else left > 86400 * 365, left
        time.sleep(0.5)
        assert len(world.forms) == 1
        world.spoilt.add(world.seen[-1])
        assert token(planner) == 2 and token(planner) == 2  # a 401 refreshes it all the same
        time.sleep(0.3)
        assert len(world.forms) == 2 and world.refreshes()[0]["refresh_token"].startswith("refresh-0-")


def test_a_life_that_is_shorter_than_its_way(plexusd, world):
    """It has ended by the time it is here: the next one is asked for after a while, however many wait, and they are told when."""
    world.first["expires_in"] = world.more["expires_in"] = 1
    host = start(plexusd, world)
    with host.planner() as planner:
        log_in(planner)
        world.delay = 1.3
        begun = time.monotonic()
        while time.monotonic() - begun < 6:
            result = planner.call("web_get", {"id": "x"})
            error = result["structuredContent"].get("error")
            assert not error or (error["code"] == "unavailable" and error["retry_after_ms"] > 0), error
            time.sleep(0.1)
        assert len(world.refreshes()) <= (time.monotonic() - begun) / 1.3 + 1, world.forms  # one after the other
        assert grant(host)["state"] in ("failing", "refreshing")
        world.delay = 0
        until(lambda: not planner.call("web_get", {"id": "x"}).get("isError"), "it works again")


def test_a_refresh_that_leaves_things_out(plexusd, world):
    """Without a refresh token the old one stays; without a scope those that were granted; both for the next host too."""
    world.first["scope"] = "a b c"
    world.more = {"expires_in": None, "token_type": None}
    host = start(plexusd, world)
    with host.planner() as planner:
        said, _ = log_in(planner)
        assert said["scopes"] == ["a", "b", "c"] and token(planner) == 1
        world.spoilt.add(world.seen[-1])
        assert token(planner) == 2
    host.stop()
    host.start()
    assert grant(host)["scopes"] == "a b c" and "expires_unix_ms" not in grant(host)
    with host.planner() as planner:
        assert token(planner) == 2
        world.spoilt.add(world.seen[-1])
        assert token(planner) == 3
    assert [form["refresh_token"] for form in world.refreshes()] == ["refresh-0-" + "r" * 20] * 2
    assert all("scope" not in form for form in world.refreshes())  # what is not asked for is not changed (RFC 6749 section 6)


def test_scopes_get_fewer(plexusd, world):
    world.more = {"scope": "a", "refresh_token": "refresh-1-" + "r" * 20}
    host = start(plexusd, world, resource="https://api.example/")
    with host.planner() as planner:
        said, asked = log_in(planner)
        assert said["scopes"] == ["a", "b"] and asked["scope"] == "a b" and asked["resource"] == "https://api.example/"
        assert token(planner) == 1
        world.spoilt.add(world.seen[-1])
        assert token(planner) == 2 and grant(host)["scopes"] == "a"
    assert all(form["resource"] == "https://api.example/" for form in world.forms)
    host.kill()
    host.start()
    assert grant(host)["scopes"] == "a"


WELL = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize("issuer, places, words", [
    ("", [WELL], None), ("/", [WELL], None), ("/t/1", [WELL + "/t/1"], None), ("/t/1", ["/t/1/.well-known/openid-configuration"], None),
    ("/t", ["/.well-known/openid-configuration/t"], "404"), ("/t", [WELL], "404"),  # those are another issuer's places
    ("/t", [WELL + "/t", "another"], "another issuer"), ("/t", [WELL + "/t", "http"], "https only"), ("/t", [WELL + "/t", "elsewhere"], "only the configuration may name")])
def test_metadata(plexusd, world, issuer, places, words):
    """RFC 8414 puts the well-known part in front of the issuer's path, OpenID behind it; what it says must be about this very issuer."""
    name = world.url + issuer
    said = {"issuer": name, "authorization_endpoint": world.url + "/auth", "token_endpoint": world.url + "/token"}
    said.update({"another": {"issuer": world.url + "/other"}, "http": {"token_endpoint": "http://id.example/token"},
                 "elsewhere": {"token_endpoint": "https://169.254.169.254/token"}}.get(places[-1], {}))
    world.metadata[places[0]] = (200, said)
    host = start(plexusd, world, issuer=name, authorization_url=None, token_url=None)
    with host.planner() as planner:
        if not words:
            log_in(planner, iss=name)
            assert token(planner) == 1
            return
        with pytest.raises(RpcError) as refused:
            log_in(planner)
        assert words in refused.value.message, refused.value.message
        assert planner.error_of("web_get", {"id": "a"})["code"] == "unauthorized" and not world.forms and not world.seen


def test_metadata_that_redirects(plexusd, world):
    world.metadata[WELL] = (302, {}, {"Location": world.url + "/meta"})
    world.metadata["/.well-known/openid-configuration"] = (307, {}, {"Location": "http://169.254.169.254/"})
    host = start(plexusd, world, issuer=world.url, authorization_url=None, token_url=None)
    with host.planner() as planner, pytest.raises(RpcError) as refused:
        log_in(planner)
    assert "307" in refused.value.message and {request.path for request in world.server.requests} == {WELL, "/.well-known/openid-configuration"}


def test_the_answer_of_a_browser(plexusd, world):
    """The command, the host, and a browser that does everything wrong before it does it right. Neither code nor state is seen anywhere."""
    host = start(plexusd, world)
    login = Login(host, "web")
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(login.url()).query))
    uri, browser = asked["redirect_uri"], Browser()
    root = urllib.parse.urljoin(uri, "/")
    silent = socket.create_connection(urllib.parse.urlsplit(uri).netloc.rsplit(":", 1))
    seen = b"".join(open(f"/proc/{pid}/cmdline", "rb").read() for pid in (host.pid, login.process.pid))
    assert asked["state"].encode() not in seen
    # nobody else of this machine's network can come
    listening = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
    port = urllib.parse.urlsplit(uri).port
    assert [line[1] for line in listening if line[1].endswith(":%04X" % port) and line[3] == "0A"] == ["0100007F:%04X" % port]
    for path in ("", "favicon.ico", uri[len(root):] + "/x?code=1"):
        assert browser.ask(root + path)[0] == 404
    for query in ("", "?code=evil", "?code=evil&state=", "?code=evil&state=" + "A" * 43, "?code=evil&code=evil&state=" + asked["state"],
                  "?error=access_denied", "?code=evil&state=" + asked["state"] + "&state=" + asked["state"]):
        status, _, page = browser.ask(uri + query)
        assert status == 200 and "Not connected" in page and "evil" not in page, query
    assert login.process.poll() is None and "still waiting" in login.said and not world.forms
    code = "the-code-that-was-given"
    status, headers, page = browser.ask(uri + "?" + urllib.parse.urlencode({"code": code, "state": asked["state"]}))
    assert "Connected" in page and headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    ended = login.end()
    assert ended[0] == 0 and world.forms[0]["code"] == code and len(world.forms[0]["code_verifier"]) == 43
    with pytest.raises(OSError):  # one shot: nobody listens any more
        browser.ask(uri + "?code=again&state=" + asked["state"])
    silent.close()
    with host.planner() as planner:
        look_everywhere(host, planner, code, asked["state"], world.forms[0]["code_verifier"], "access-1-" + "a" * 20, world.first["refresh_token"])
    assert code not in json.dumps(ended[1]) + ended[2] and len(world.forms) == 1


@pytest.mark.parametrize("query, status, words", [("error=access_denied", 3, "not allowed"), ("error=server_error&error_description=broken+%1b%5b2J", 1, "server_error"),
                                                  ("error=access_denied&error_description=No%2C+thanks", 3, "No, thanks"), ("", 1, "no code")])
def test_an_answer_that_says_no(plexusd, world, query, status, words):
    host = start(plexusd, world)
    login = Login(host, "web")
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(login.url()).query))
    page = Browser().ask(asked["redirect_uri"] + "?state=" + asked["state"] + "&" + query)[2]
    code, said, err = login.end()
    assert code == status and said is None and words in err and words in page and "\x1b" not in err + page, (code, err, page)
    assert not world.forms
