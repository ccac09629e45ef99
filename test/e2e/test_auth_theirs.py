"""A grant for each principal, and two who try to get at each other's: by calls of every kind, at once, by keys, by pages, by status and logs, by logging in and
out, after a crash, and with the state in their hands. The upstream says whose token came."""

import collections
import hashlib
import json
import os
import shutil
import sqlite3
import threading
import time
import urllib.parse

import pytest

from conftest import BUILD, RpcError, until
from oauth_support import Answering, auth_config

NAMES = ("alice", "bob")
TOKENS = {name: f"px_{name}-" + "t" * 40 for name in NAMES}
KEY = "plexus/idempotency_key"


class World:
    """Provider and API. A code "for-NAME" is worth tokens of NAME's."""

    def __init__(self):
        self.lock, self.n, self.seen, self.things, self.lose = threading.Lock(), 0, [], collections.defaultdict(list), 0
        self.gate, self.expires_in, self.revoked, self.deaf = None, 600, [], False
        self.server = Answering(self.answer)
        self.url = self.server.url

    def answer(self, request):
        if request.path == "/token":
            form = request.form
            name = form["code"][4:] if "code" in form else form["refresh_token"].split("-")[1]
            with self.lock:
                self.n += 1
                return 200, {"access_token": f"access-{name}-{self.n}-" + "a" * 20, "refresh_token": f"refresh-{name}-{self.n}-" + "r" * 20, "expires_in": self.expires_in}
        if request.path == "/revoke":
            self.revoked.append(request.form["token"].split("-")[1])
            return 200, {}
        given = request.headers.get("authorization", "")
        name = given.split("-")[1] if given.startswith("Bearer access-") else None
        if request.path == "/who":
            return 200, {"email": f"{name}@example.test"}
        with self.lock:
            self.seen.append((request.method, request.path, name))
        if self.gate:
            assert self.gate.wait(30)
        if self.deaf:
            return "reset"
        if request.path == "/things":
            return self.thing(request, name)
        if request.path == "/items" and "page" in request.query:
            return 200, [{"of": name, "n": request.query["page"]}] * int(request.query.get("per_page", 1))
        return 200, {"of": name, "path": request.path}

    def thing(self, request, name):
        if request.method == "GET":
            return 200, self.things[name]
        with self.lock:
            thing = {"id": len(self.things[name]) + 1, "of": name, "name": json.loads(request.body)["name"]}
            self.things[name].append(thing)
            lost, self.lose = self.lose > 0, max(0, self.lose - 1)
        return "reset" if lost else (201, thing)

    def came(self, name):
        return [one for one in self.seen if one[2] == name]


@pytest.fixture
def world():
    served = World()
    yield served
    served.server.stop()
    assert served.server.errors == []


def digest(token):
    return "blake2b:" + hashlib.blake2b(token.encode(), digest_size=32).hexdigest()


@pytest.fixture
def make(plexusd, world):
    """A host with three services: `own` (routes), `up` (effects), and `loose` (optional: without a grant, without credentials)."""
    def make(**limits):
        host = plexusd(config={})
        auth = {"kind": "oauth2", "grant": "per_principal", "client_id": "c", "authorization_url": world.url + "/auth", "token_url": world.url + "/token",
                "revocation_url": world.url + "/revoke", "account_url": world.url + "/who", "scopes": ["a"]}
        config = auth_config(host.folder, {"own": (world.url, auth), "loose": (world.url, {**auth, "optional": True})},
                             principals={"uid:%d" % os.getuid(): {"policy": "all", "admin": True},
                                         **{f"token:{name}": {"policy": "all", "token_hash": digest(TOKENS[name])} for name in NAMES}})
        shutil.copy(BUILD / "test/abi/plugins/effects.so", host.folder / "more" / "effects.so")
        os.chmod(host.folder / "more" / "effects.so", 0o644)
        config["services"]["up"] = {"plugin": "effects", "config": {"base_url": world.url}, "auth": auth}
        for service in ("own", "loose", "up"):
            config["services"][service]["limits"] = {"retry": {"attempts": 1}, "in_flight": 100, **limits}
        host.write(config)
        return host.start()
    return make


def as_(host, name):
    planner = host.planner()
    assert planner.request("plexus/session", {"token": TOKENS[name]})["principal"] == "token:" + name
    return planner


def log_in(planner, service, name):
    planner.notes.clear()
    login = planner.begin("plexus/auth/login", {"service": service, "redirect_uri": "http://127.0.0.1:4711/cb"})
    while not planner.notes:
        planner.notes.append(planner.line())
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(planner.notes[0]["params"]["url"]).query))
    planner.request("plexus/auth/redirected", {"id": login, "query": f"code=for-{name}&state={asked['state']}"})
    answer = planner.answer(login)
    assert answer["result"]["account"] == f"{name}@example.test", answer


def refused(planner, method, code, params):
    with pytest.raises(RpcError) as error:
        planner.request(method, params)
    assert error.value.data["code"] == code, (method, error.value)


def unauthorized(planner, tool, arguments, meta=None):
    error = planner.error_of(tool, arguments, meta)
    service = tool.split("_")[0]
    assert error["code"] == "unauthorized" and f"plexus auth login {service}" in error["advice"] and "alice" not in json.dumps(error), error


def test_one_who_has_none(make, world):
    """Alice has logged in, Bob has not: nothing that he can ask brings her token on its way, and nothing tells him of her."""
    host = make()
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        for service in ("own", "up"):
            log_in(alice, service, "alice")
        assert alice.data_of("own_get", {"id": "1"})["of"] == "alice"
        page = alice.data_of("own_list", {"limit": 1})
        assert page["items"] == [{"of": "alice", "n": "1"}]
        first = alice.call("up_plain", {"name": "hers"}, {KEY: "shared-key"})["structuredContent"]
        assert first["of"] == "alice"
        before = len(world.came("alice"))
        unauthorized(bob, "own_get", {"id": "1"})  # what she has just read
        unauthorized(bob, "own_get", {"id": "1"}, {"plexus/verbose": True})
        unauthorized(bob, "own_get", {"id": "1"}, {"plexus/principal": "token:alice", "principal": "token:alice", "plexus/token": TOKENS["alice"]})
        unauthorized(bob, "own_create", {"name": "x"})
        error = bob.error_of("own_list", {"limit": 1, "cursor": page["next_cursor"]})  # her next page
        assert error["code"] == "invalid_arguments" and "alice" not in json.dumps(error), error
        unauthorized(bob, "up_plain", {"name": "hers"}, {KEY: "shared-key"})  # her result again
        unauthorized(bob, "up_found", {"name": "hers"}, {KEY: "shared-key"})
        for arguments in ({"path": "/1"}, {"path": "/1", "auth": "token"}, {"path": "/1", "args": {"principal": "token:alice"}}):
            result = bob.call("own_fetch", arguments)  # code of the plugin
            assert "alice" not in json.dumps(result) and "nobody has logged in" in json.dumps(result), result
        unauthorized(bob, "own_route", {"route": {"path": "/items/1"}, "args": {}})
        shown = bob.call("own_get", {"id": "1"}, {"plexus/dry_run": True})
        assert "alice" not in json.dumps(shown) and "access-" not in json.dumps(shown)
        for method in ("plexus/auth/status", "plexus/status", "plexus/effects", "tools/list"):
            assert "alice" not in json.dumps(bob.request(method, {"settled": True} if method == "plexus/effects" else {})), method
        effect = alice.request("plexus/effects", {"settled": True})["effects"][0]["id"]
        refused(bob, "plexus/effect/verify", "not_found", {"id": effect})
        refused(bob, "plexus/effect/settle", "not_found", {"id": effect, "outcome": "failed"})
        refused(bob, "plexus/auth/logout", "not_found", {"service": "own"})
        refused(bob, "plexus/auth/logout", "forbidden", {"service": "own", "principal": "token:alice"})
        with pytest.raises(RpcError):
            bob.request("plexus/session", {"token": TOKENS["alice"]})  # taken once
        assert len(world.came("alice")) == before and not world.came(None) and not world.revoked
        assert alice.data_of("own_get", {"id": "2"})["of"] == "alice"


def test_both_at_once(make, world):
    """Reads that are the same are shared: each principal's own."""
    host = make()
    with as_(host, "alice") as alice, as_(host, "bob") as bob, as_(host, "bob") as again:
        log_in(alice, "own", "alice")
        log_in(alice, "loose", "alice")
        log_in(bob, "own", "bob")
        world.gate = threading.Event()
        calls = [(planner, name, planner.begin_call(tool, {"id": "same"})) for _ in range(10)
                 for planner, name, tool in ((alice, "alice", "own_get"), (bob, "bob", "own_get"), (again, "bob", "own_get"),
                                             (alice, "alice", "loose_get"), (bob, None, "loose_get"))]
        until(lambda: len(world.seen) >= 4, "a request of each")
        world.gate.set()
        for planner, name, call in calls:
            assert planner.answer(call)["result"]["structuredContent"]["of"] == name
        assert 4 <= len(world.seen) <= 8, world.seen  # shared, but not among them: alice's, bob's, and those of `loose`
        world.gate = None


def test_the_same_key(make, world):
    """An idempotency key is a principal's: the same one of another is another write, with that one's token."""
    host = make()
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        for planner, name in ((alice, "alice"), (bob, "bob")):
            log_in(planner, "up", name)
            for tool in ("up_plain", "up_keyed", "up_found"):
                assert planner.data_of(tool, {"name": tool}, {KEY: "k"})["of"] == name
                again = planner.call(tool, {"name": tool}, {KEY: "k"})
                assert again["structuredContent"]["of"] == name and again["_meta"]["plexus/replayed"]
        assert {name: len(things) for name, things in world.things.items()} == {"alice": 3, "bob": 3}


def test_what_is_looked_up(make, world):
    """A value that routes need (who am I?) is asked for once, and is each principal's own; of another account, when one logs in as another."""
    host = make()
    route = {"route": {"path": "/of/{value:me}"}, "args": {}}
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        log_in(alice, "own", "alice")
        for _ in range(3):
            assert alice.data_of("own_route", route)["path"] == "/of/alice"
        unauthorized(bob, "own_route", route)
        log_in(bob, "own", "bob")
        calls = [(planner, name, planner.begin_call("own_route", route)) for _ in range(10) for planner, name in ((alice, "alice"), (bob, "bob"))]
        for planner, name, call in calls:
            answer = planner.answer(call)["result"]["structuredContent"]
            assert answer["path"] == f"/of/{name}" and answer["of"] == name
        looked = collections.Counter(name for _, path, name in world.seen if path == "/me")
        assert looked == {"alice": 1, "bob": 1}
        log_in(bob, "own", "alice")  # another account of his
        assert bob.data_of("own_route", route)["path"] == "/of/alice"
        assert sum(path == "/me" for _, path, _ in world.seen) == 3 and (None not in {name for _, _, name in world.seen})


@pytest.mark.parametrize("crash", [False, True])
def test_what_is_looked_for(make, world, crash):
    """A write whose answer was lost is looked for with the token of who asked for it, also at the next start, and also when another looks."""
    host = make()
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        log_in(alice, "up", "alice")
        log_in(bob, "up", "bob")
        assert bob.data_of("up_found", {"name": "lost"})["of"] == "bob"  # the same name in another account
        before = len(world.came("bob"))
        if crash:
            world.gate = threading.Event()
            alice.begin_call("up_found", {"name": "lost"}, {KEY: "k"})
            until(lambda: world.came("alice"), "her request")
            host.kill()
            world.gate.set()
            until(lambda: world.things["alice"], "it is done")
            world.gate = None
            host.start()
        else:
            world.lose = 1
            assert alice.data_of("up_found", {"name": "lost"}, {KEY: "k"})["of"] == "alice"
    with as_(host, "alice") as alice, host.planner() as admin:
        effect = until(lambda: next((one for one in admin.request("plexus/effects", {"settled": True})["effects"]
                                     if one["principal"] == "token:alice" and one["outcome"] == "done"), None), "it is found")
        assert effect["by"] == "verify"
        assert alice.data_of("up_found", {"name": "lost"}, {KEY: "k"})["of"] == "alice"
    assert len(world.came("bob")) == before and len(world.things["alice"]) == 1


def test_an_account_of_before_is_not_looked_for_in_that_of_now(make, world):
    """A write of unknown outcome, and then a login: the same account's changes nothing; in another's there is nothing to find, and nothing is sent again."""
    host = make()
    with as_(host, "alice") as alice, host.planner() as admin:
        log_in(alice, "up", "alice")
        world.gate = threading.Event()
        alice.begin_call("up_found", {"name": "one"}, {KEY: "one"})
        alice.begin_call("up_keyed", {"name": "two"}, {KEY: "two"})
        until(lambda: len(world.came("alice")) == 2, "the requests")
        host.kill()
        world.gate.set()
        until(lambda: len(world.things["alice"]) == 2, "they are done")
    world.gate, world.deaf = None, True  # what is asked now has no answer
    host.start()
    with as_(host, "alice") as alice, host.planner() as admin:
        effects = {one["tool"]: one["id"] for one in admin.request("plexus/effects")["open"]}
        assert set(effects) == {"up_found", "up_keyed"}
        log_in(alice, "up", "bob")
        world.deaf = False

        def looked_for():
            with pytest.raises(RpcError) as error:
                admin.request("plexus/effect/verify", {"id": effects["up_found"]})
            return None if "being looked for" in str(error.value) else error.value

        assert "another account" in str(until(looked_for, "the look of the start has ended"))
        for tool, key in (("up_found", "one"), ("up_keyed", "two")):
            error = alice.error_of(tool, {"name": key}, {KEY: key})
            assert error["code"] == "outcome_unknown" and "another account" in error["message"], error
        assert world.things["bob"] == [] and len(admin.request("plexus/effects")["open"]) == 2
        assert alice.data_of("up_found", {"name": "one"}, {KEY: "three"})["of"] == "bob"


def test_refreshes_stay_apart(make, world):
    """Tokens that live for a second, and many calls of both: none is ever answered with the other's."""
    world.expires_in = 2
    host = make(coalesce=False)
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        log_in(alice, "own", "alice")
        log_in(bob, "own", "bob")
        end = time.monotonic() + 6
        while time.monotonic() < end or world.n <= 6:
            assert time.monotonic() < end + 30, world.n
            calls = [(planner, name, planner.begin_call("own_get", {"id": "x"})) for _ in range(10) for planner, name in ((alice, "alice"), (bob, "bob"))]
            for planner, name, call in calls:
                assert planner.answer(call)["result"]["structuredContent"]["of"] == name
            time.sleep(0.05)
        # an administrator ends hers: it is hers alone that is revoked, and Bob goes on
        with host.planner() as admin:
            admin.request("plexus/auth/logout", {"service": "own", "principal": "token:alice"})
        assert set(world.revoked) == {"alice"}
        unauthorized(alice, "own_get", {"id": "1"})
        assert bob.data_of("own_get", {"id": "1"})["of"] == "bob"


def test_with_the_state_in_hand(make, world):
    """A row of the sealed store under another's name is no grant of theirs."""
    host = make()
    with as_(host, "alice") as alice:
        log_in(alice, "own", "alice")
    host.stop()
    with sqlite3.connect(host.folder / "state" / "state.db") as db:
        columns = ", ".join(row[1] for row in db.execute("PRAGMA table_info(sealed)") if row[1] != "n")
        hers, = [row for row in db.execute(f"SELECT {columns} FROM sealed") if any("alice" in str(value) for value in row)]
        row = [value if not isinstance(value, (str, bytes)) else value.replace("alice", "bob") if isinstance(value, str) else value.replace(b"alice", b"bob")
               for value in hers]
        db.execute(f"INSERT INTO sealed ({columns}) VALUES ({','.join('?' * len(row))})", row)
    db.close()
    host.start()
    with as_(host, "alice") as alice, as_(host, "bob") as bob:
        unauthorized(bob, "own_get", {"id": "1"})
        assert alice.data_of("own_get", {"id": "1"})["of"] == "alice"
        log_in(bob, "own", "bob")
        assert bob.data_of("own_get", {"id": "1"})["of"] == "bob" and alice.data_of("own_get", {"id": "1"})["of"] == "alice"
