"""Keys and passwords that do not change: where they stand in a request, and where they never do. The upstream says back whatever it was sent."""

import base64
import itertools
import json
import socket

import pytest

from conftest import until
from oauth_support import Answering, auth_config, plexus
from test_secrets_store import look_everywhere

KEY = "Key+of/the=service&that?nobody%may#see"
FORMS = [KEY, "Key%2Bof%2Fthe%3Dservice%26that%3Fnobody%25may%23see", "Key%2bof%2fthe%3dservice%26that%3fnobody%25may%23see",
         base64.b64encode(f"user:{KEY}".encode()).decode(), base64.b64encode(f":{KEY}".encode()).decode(), "nobody%may", "nobody%25may"]
KINDS = {
    "bearer": {"kind": "bearer"},
    "bearer in another header": {"kind": "bearer", "name": "X-Token"},
    "header": {"kind": "api_key", "name": "X-Api-Key"},
    "header with a prefix": {"kind": "api_key", "in": "header", "name": "Authorization", "prefix": "token "},
    "query": {"kind": "api_key", "in": "query", "name": "api_key"},
    "cookie": {"kind": "api_key", "in": "cookie", "name": "session"},
    "basic": {"kind": "basic", "user": "user"},
    "basic without a user": {"kind": "basic"},
}
PLAIN = "key-of-the-service-that-nobody-may-see"  # what a cookie can hold


class World:
    def __init__(self):
        self.away = Answering(self.elsewhere)
        self.server = Answering(self.answer)
        self.url, self.how = self.server.url, lambda request: (200, {"id": 7})

    def elsewhere(self, request):
        return 200, {"there": request.target, "headers": request.headers}

    def answer(self, request):
        return self.how(request)

    def last(self):
        return self.server.requests[-1]


@pytest.fixture
def world():
    served = World()
    yield served
    for server in (served.server, served.away):
        server.stop()
        assert server.errors == []


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def secret_of(kind):
    return PLAIN if kind == "cookie" else KEY


@pytest.fixture
def host(plexusd, world, kind):
    daemon = plexusd(config={})
    (daemon.folder / "key").write_text(secret_of(kind) + "\n")
    (daemon.folder / "key").chmod(0o600)
    config = auth_config(daemon.folder, {"web": (world.url, {**KINDS[kind], "secret": {"file": str(daemon.folder / "key")}})},
                         http={"listen": f"unix:{daemon.folder}/metrics.sock"}, log={"level": "debug"})
    config["services"]["web"]["limits"] = {"retry": {"attempts": 1}}
    daemon.write(config)
    return daemon.start()


def right(kind, request):
    """Where it stands, and that it stands nowhere else."""
    head = {name: value for name, value in request.headers.items() if name in ("authorization", "x-token", "x-api-key", "cookie")}
    basic = lambda user: "Basic " + base64.b64encode(f"{user}:{KEY}".encode()).decode()
    want = {"bearer": {"authorization": "Bearer " + KEY}, "bearer in another header": {"x-token": KEY}, "header": {"x-api-key": KEY},
            "header with a prefix": {"authorization": "token " + KEY}, "query": {}, "cookie": {"cookie": "session=" + PLAIN},
            "basic": {"authorization": basic("user")}, "basic without a user": {"authorization": basic("")}}[kind]
    assert head == want and request.query.get("api_key") == (KEY if kind == "query" else None), request.target
    return True


def hidden(kind, host, planner, *shown):
    forms = [PLAIN] if kind == "cookie" else FORMS
    (host.folder / "key").rename(host.folder.parent / (host.folder.name + "-key"))  # the one place where it may stand
    try:
        look_everywhere(host, planner, *forms)
    finally:
        (host.folder.parent / (host.folder.name + "-key")).rename(host.folder / "key")
    for text in [json.dumps(one) for one in shown] + [plexus(host, *command).stdout for command in (("status",), ("log", "--json"), ("effects", "--all"))]:
        for form in forms:
            assert form not in text and json.dumps(form)[1:-1] not in text, text


def echo(request):
    """All that came, in the shapes that upstreams say it back in."""
    return {"message": f"not for {request.target} with {request.headers}", "url": request.target, "headers": request.headers, "query": request.query}


def test_where_it_stands(host, world, kind):
    with host.planner() as planner:
        assert planner.data_of("web_get", {"id": "a"}) == {"id": 7} and right(kind, world.last())
        assert planner.data_of("web_create", {"name": "n"}) == {"id": 7} and right(kind, world.last())
        planner.call("web_fetch", {"path": "/x"})
        assert right(kind, world.last()) and world.last().path == "/x"


def test_what_comes_back(host, world, kind):
    """Results, errors, exchanges, dry runs, effects, logs, metrics: it stands in none."""
    with host.planner() as planner:
        shown = [planner.call("web_get", {"id": "d"}, {"plexus/dry_run": True})]
        for n, status in enumerate((200, 400, 401, 403, 404, 500, 503)):
            world.how = lambda request: (status, echo(request), {"X-Echo": request.target, "Retry-After": "0"})
            for verbose in (False, True):
                shown.append(planner.call("web_get", {"id": f"r{n}{verbose}"}, {"plexus/verbose": verbose}))
                shown.append(planner.call("web_create", {"name": f"w{n}{verbose}"}, {"plexus/verbose": verbose, "plexus/idempotency_key": f"k{n}{verbose}"}))
            shown.append(planner.call("web_fetch", {"path": f"/f{n}"}))
        shown.append(planner.call("web_create", {"name": "w0False"}, {"plexus/idempotency_key": "k0False"}))  # the result again
        assert len(world.server.requests) == 7 * 5, len(world.server.requests)
        world.how = lambda request: "reset"
        shown += [planner.call("web_get", {"id": "gone"}, {"plexus/verbose": True}), planner.call("web_create", {"name": "gone"}, {"plexus/verbose": True})]
        assert all(right(kind, request) for request in world.server.requests)
        hidden(kind, host, planner, *shown, planner.status(), planner.request("plexus/effects", {"settled": True}))
    with metrics(host) as answer:
        assert not any(form in answer for form in FORMS + [PLAIN])


class metrics:
    def __init__(self, host):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(host.folder / "metrics.sock"))

    def __enter__(self):
        self.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := self.socket.recv(1 << 16):
            data += piece
        assert data.startswith(b"HTTP/1.1 200"), data[:100]
        return data.decode()

    def __exit__(self, *_):
        self.socket.close()


def test_redirects(host, world, kind):
    """Within the origin it goes along; beyond it it never does, and a Location that says it back is not told."""
    shown = []
    with host.planner() as planner:
        for status in (301, 302, 303, 307, 308):
            world.how = lambda request: (200, {"id": 8}) if request.path == "/new" else (status, {}, {"Location": "/new?was=" + request.target})
            del world.server.requests[:]
            shown.append(planner.call("web_get", {"id": f"a{status}"}, {"plexus/verbose": True}))
            moved = [request for request in world.server.requests if request.path == "/new"]
            assert len(moved) == 1 and (kind == "query" or right(kind, moved[0]))  # a key in the query is a part of the address, which is the upstream's now
            for target in (world.away.url + "/", world.away.url + "/?was=", "//" + world.away.url.split("//")[1] + "/x?"):
                world.how = lambda request: (status, {}, {"Location": target + request.target})
                for call in (("web_get", {"id": f"b{status}"}, {"plexus/verbose": True}), ("web_create", {"name": "b"}, {"plexus/verbose": True}),
                             ("web_fetch", {"path": "/b"})):
                    shown.append(planner.call(*call))
        assert not world.away.requests  # an origin that nobody has configured
        hidden(kind, host, planner, *shown)


def test_a_secret_that_cannot_stand_there(plexusd, world):
    """What would change a request, or end a header, is refused at the start in words that do not show it."""
    for kind, auth, secret in [(name, KINDS[name], text) for name, text in itertools.product(("bearer", "header", "cookie"), ("two\r\nX-Evil: 1", "a\x01b", "ä"))] + [
            ("cookie", KINDS["cookie"], "a; admin=1"), ("cookie", KINDS["cookie"], "a,b")]:
        daemon = plexusd(config={})
        (daemon.folder / "key").write_text(secret)
        (daemon.folder / "key").chmod(0o600)
        daemon.write(auth_config(daemon.folder, {"web": (world.url, {**auth, "secret": {"file": str(daemon.folder / "key")}})}))
        daemon.start()
        with daemon.planner() as planner:
            result = next(one for one in planner.status()["services"] if one["name"] == "web")
            assert result["state"] == "failed", (kind, secret, result)
            until(lambda: "web" in daemon.log(), "the log says so")
            assert secret not in daemon.log() and json.dumps(secret)[1:-1] not in daemon.log() + json.dumps(result)
            assert not planner.call("demo_echo", {"text": "x"}).get("isError")
        daemon.stop()
    assert not world.server.requests
