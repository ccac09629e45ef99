"""Logging in: the real daemon, the real command, and a certified provider; a scripted one for what that never does."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
import urllib.parse

import pytest

from conftest import PLEXUS, RpcError, until
from test_secrets_store import in_memory
from oauth_support import Browser, Login, Op, Scripted, auth_config, plexus

SCOPES = ["openid", "offline_access", "profile", "api:read"]
TOKEN = "px_" + "a-token-of-the-named-principal-1234567890ab"


@pytest.fixture(scope="module")
def op(tmp_path_factory):
    provider = Op(tmp_path_factory.mktemp("op"), access_ttl=300)
    yield provider
    provider.stop()


@pytest.fixture
def brief(tmp_path):
    """Tokens that live for 4 seconds."""
    provider = Op(tmp_path, access_ttl=4)
    yield provider
    provider.stop()


@pytest.fixture
def scripted():
    provider = Scripted()
    yield provider
    provider.stop()


def web(op, client="public", **more):
    auth = {"kind": "oauth2", "issuer": op.issuer, "client_id": client, "scopes": SCOPES, "redirect_path": "/cb", **more}
    return (op.api, {key: value for key, value in auth.items() if value is not None})


def start(plexusd, services, **more):
    daemon = plexusd(config={})
    daemon.write(auth_config(daemon.folder, services, **more))
    return daemon.start()


def status(host, service):
    done = plexus(host, "auth", "status", service)
    assert done.returncode == 0, done
    return json.loads(done.stdout)["grants"]


def connect(host, service, *args, user="alice", **more):
    """A whole login with a browser; what the command printed."""
    login = Login(host, service, *args, **more)
    page = Browser(user).log_in(login.url())
    code, said, err = login.end()
    assert code == 0 and "Connected" in page, (page, err)
    return said


def who(host, service, **more):
    with host.planner(**more) as planner:
        return planner.data_of(service + "_get", {"id": "me"})


# ---- with a browser ----

@pytest.mark.parametrize("client, secret", [("public", None), ("basic", "basic:secret/ +%"), ("post", "post-secret-text"), ("signer", None)])
def test_code(plexusd, op, client, secret, folder):
    more = {}
    if secret:
        (folder / "secret").write_text(secret)
        os.chmod(folder / "secret", 0o600)
        more = {"client_secret": {"file": str(folder / "secret")}}
    if client == "post":
        more["client_auth"] = "client_secret_post"
    if client == "signer":
        more = {"private_key": {"file": str(op.keys / "es.pem")}, "key_id": "es"}
    host = start(plexusd, {"web": web(op, client, **more), "open": (op.api, None)})
    with host.planner() as planner:
        error = planner.error_of("web_get", {"id": "me"})
        assert error["code"] == "unauthorized" and "plexus auth login web" in error["advice"] + error["message"]
        # and nobody else is stopped
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")
        shown = next(one for one in planner.status()["services"] if one["name"] == "web")
        assert shown["needs_login"] is True and shown["next_refresh_unix_ms"] is None
    before = len(op.log()["tokens"])
    said = connect(host, "web")
    assert said == {"service": "web", "identity": "token", "account": "alice@example.test", "scopes": SCOPES}
    answer = who(host, "web")
    assert answer["who"] == "alice" and answer["client"] == client
    request = op.log()["tokens"][before]
    assert request["pkce"] and request["grant_type"] == "authorization_code" and "error" not in request
    assert request["auth"] == {"public": "none", "basic": "client_secret_basic", "post": "client_secret_post", "signer": "private_key_jwt"}[client]
    asked = op.log()["authorizations"][-1]
    assert asked["code_challenge_method"] == "S256" and asked["code_challenge"] == 43 and asked["state"] == 43 and asked["nonce"] == 43
    grant, = status(host, "web")
    assert grant["state"] == "fresh" and grant["account"] == "alice@example.test"
    assert grant["expires_unix_ms"] > time.time() * 1000
    assert grant["next_refresh_unix_ms"] < grant["expires_unix_ms"]
    with host.planner() as planner:
        shown = {one["name"]: one for one in planner.status()["services"]}
    assert shown["web"]["needs_login"] is False and abs(shown["web"]["next_refresh_unix_ms"] - grant["next_refresh_unix_ms"]) < 50
    assert shown["open"]["needs_login"] is False and shown["open"]["next_refresh_unix_ms"] is None


def test_a_random_path(plexusd, op):
    host = start(plexusd, {"web": web(op, "anypath", redirect_path=None)})
    def redirect_uri(login):
        return urllib.parse.parse_qs(urllib.parse.urlsplit(login.url()).query)["redirect_uri"][0]

    login, other = Login(host, "web"), Login(host, "web")
    here, there = (urllib.parse.urlsplit(redirect_uri(one)) for one in (login, other))
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}", one.geturl()) for one in (here, there))
    assert here.path != there.path and len(set(here.path)) > 4 and here.port != there.port
    other.kill()
    assert "Connected" in Browser().log_in(login.url())
    assert login.end()[0] == 0


def test_endpoints_without_discovery(plexusd, op):
    auth = {"kind": "oauth2", "client_id": "public", "scopes": SCOPES, "redirect_path": "/cb", "authorization_url": op.issuer + "/auth",
            "token_url": op.issuer + "/token", "revocation_url": op.issuer + "/token/revocation"}
    host = start(plexusd, {"web": (op.api, auth)})
    said = connect(host, "web")
    assert said["account"] == "alice"  # from the ID token: its sub
    assert who(host, "web")["who"] == "alice"


def test_a_resource(plexusd, op):
    host = start(plexusd, {"web": web(op, resource=op.api + "/")})
    connect(host, "web")
    assert op.log()["tokens"][-1]["resource"] == op.api + "/"
    answer = who(host, "web")
    assert answer["audience"] == op.api + "/" and answer["scope"] == "api:read"


def test_the_person_says_no(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    login = Login(host, "web")
    page = Browser().log_in(login.url(), refuse=True)
    code, said, err = login.end()
    assert "Not connected" in page and code == 3 and said is None and "access_denied" in err
    assert status(host, "web")[0]["state"] == "none"


def test_secrets_stay(plexusd, op):
    """Neither the planner, nor the logs, nor any file in the clear, nor the page has a token; nor, when it has been forgotten, memory."""
    host = start(plexusd, {"web": web(op)})
    login = Login(host, "web")
    back, _ = Browser().walk(login.url())
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    page = Browser().ask(back)[2]
    ended = login.end()
    assert ended[0] == 0
    assert who(host, "web")
    everything = page + json.dumps(ended) + plexus(host, "auth", "status").stdout + host.log()
    assert code not in everything and "Bearer" not in everything and "refresh_token" not in everything
    with host.planner() as planner:
        shown = planner.call("web_get", {"id": "me"}, {"plexus/verbose": True})
    token = re.search(r"Bearer ([^\s\"]+)", json.dumps(shown))
    assert not token or token[1].startswith("***") or "redacted" in token[1], token
    issued = op.log()["issued"]
    kept = [path for path in host.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(issued) >= 3 and any(path.name == "state.db" for path in kept)
    texts = [(path, path.read_bytes()) for path in kept] + [("what is shown", (everything + json.dumps(shown)).encode())]
    for where, text in texts:
        assert not any(one.encode() in text for one in issued), where
    if os.geteuid() == 0:  # the process is not dumpable: its memory is root's
        assert any(in_memory(host.pid, one) for one in issued), "the test can see them"
        assert plexus(host, "auth", "logout", "web").returncode == 0
        until(lambda: not any(in_memory(host.pid, one) for one in issued), "nothing of a grant that is gone is left in memory")
    assert (host.folder / "state").stat().st_mode & 0o777 == 0o700


# ---- whose login ----

def test_another_session_cannot_finish_it(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    with host.planner() as mine, host.planner() as other:
        redirect = "http://127.0.0.1:4711/cb"  # nobody listens there: this test is the browser
        login = mine.begin("plexus/auth/login", {"service": "web", "redirect_uri": redirect})
        url = until(lambda: next((n["params"]["url"] for n in mine.notes if n["method"] == "notifications/plexus/auth"), None) or
                    mine.notes.append(mine.line()), "the address")
        back, _ = Browser().walk(url)
        query = urllib.parse.urlsplit(back).query
        for id in (login, 1, 99):
            with pytest.raises(RpcError) as refused:
                other.request("plexus/auth/redirected", {"id": id, "query": query})
            assert refused.value.data["code"] == "not_found"
        # a login of its own does not take it either
        others = other.begin("plexus/auth/login", {"service": "web", "redirect_uri": redirect})
        until(lambda: any(n["method"] == "notifications/plexus/auth" for n in other.notes) or other.notes.append(other.line()), "the address")
        with pytest.raises(RpcError) as refused:
            other.request("plexus/auth/redirected", {"id": others, "query": query})
        assert refused.value.code == -32602
        # a wrong state changes nothing; then its own answer, once
        state = urllib.parse.parse_qs(query)["state"][0]
        wrong = query.replace(state, state[:-1] + ("A" if state[-1] != "A" else "B"))
        with pytest.raises(RpcError) as refused:
            mine.request("plexus/auth/redirected", {"id": login, "query": wrong})
        assert refused.value.code == -32602
        mine.request("plexus/auth/redirected", {"id": login, "query": query})
        with pytest.raises(RpcError):
            mine.request("plexus/auth/redirected", {"id": login, "query": query})
        answer = mine.answer(login)
        assert answer["result"]["account"] == "alice@example.test"
        with pytest.raises(RpcError) as refused:
            mine.request("plexus/auth/redirected", {"id": login, "query": query})
        assert refused.value.data["code"] == "not_found"
    assert sum(one["grant_type"] == "authorization_code" for one in op.log()["tokens"][-3:]) >= 1


def test_a_login_ends_with_its_connection(plexusd, scripted):
    scripted.codes = [(200, {"device_code": "d" * 20, "user_code": "AB-CD", "verification_uri": "https://id.example/d", "interval": 1})]
    scripted.tokens = [(400, {"error": "authorization_pending"})]
    host = start(plexusd, {"web": web(scripted, flow="device")})
    login = Login(host, "web")
    login.url()
    until(lambda: scripted.times("token"), "a poll")
    login.process.send_signal(signal.SIGINT)
    code, _, err = login.end()
    assert code == 1 and "given up" in err
    polls = len(scripted.times("token"))
    time.sleep(2.5)
    assert len(scripted.times("token")) <= polls + 1


def test_a_stopping_host_ends_a_login(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    login = Login(host, "web")
    login.url()
    host.stop()
    code, _, err = login.end()
    assert code == 1 and "stopping" in err


def test_a_reload(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    login = Login(host, "web")
    url = login.url()
    host.reload()  # nothing has changed: it goes on
    config = host.config
    back, _ = Browser().walk(url)
    config["services"]["web"]["auth"]["scopes"] = SCOPES[:2]
    host.reload(config)
    code, _, err = login.end()
    assert code == 1 and "configured anew" in err
    with pytest.raises(OSError):  # and nobody listens for the answer any more
        Browser().ask(back)
    assert connect(host, "web")["scopes"] == SCOPES[:2]
    host.reload()
    assert who(host, "web")["who"] == "alice"


def test_who_may(plexusd, op):
    digest = "blake2b:" + hashlib.blake2b(TOKEN.encode(), digest_size=32).hexdigest()
    uid = "uid:%d" % os.getuid()
    host = start(plexusd, {"web": web(op), "own": web(op, grant="per_principal"), "hidden": web(op, grant="per_principal")},
                 principals={uid: {"policy": "all", "admin": True}, "token:ci": {"policy": "some", "token_hash": digest}},
                 policies={"all": {"allow": ["*"], "allow_destructive": ["*"], "labels": "allow"}, "some": {"deny": ["hidden_*"], "labels": "allow"}})
    token_file = host.folder / "ci.token"
    token_file.write_text(TOKEN)
    as_ci = ("--token-file", token_file)
    for service, words in (("web", "administrators"), ("hidden", "policy"), ("none", "policy")):
        done = plexus(host, *as_ci, "auth", "login", service)
        assert done.returncode == 3 and words in done.stderr, done
        assert plexus(host, *as_ci, "auth", "logout", service).returncode == 3
    # each its own, and never another's
    assert connect(host, "own", options=as_ci, user="bob")["account"] == "bob@example.test"
    with host.planner() as planner:
        error = planner.error_of("own_get", {"id": "me"})
        assert error["code"] == "unauthorized" and "plexus auth login own" in error["advice"] + error["message"]
    assert connect(host, "own", user="alice")["account"] == "alice@example.test"
    assert who(host, "own")["who"] == "alice"
    with host.planner() as planner:
        planner.request("plexus/session", {"token": TOKEN})
        assert planner.data_of("own_get", {"id": "me"})["who"] == "bob"
        seen = planner.request("plexus/auth/status")["grants"]
        assert "alice@example.test" not in json.dumps(seen) and "bob@example.test" in json.dumps(seen)
        assert not any(grant["service"] == "hidden" for grant in seen)
        with pytest.raises(RpcError) as refused:
            planner.request("plexus/auth/logout", {"service": "own", "principal": uid})
        assert refused.value.data["code"] == "forbidden"
    everyone = {grant.get("account") for grant in status(host, "own")}
    assert {"alice@example.test", "bob@example.test"} <= everyone
    # an administrator ends another's
    done = plexus(host, "auth", "logout", "own", "--principal", "token:ci")
    assert done.returncode == 0 and json.loads(done.stdout)["revoked"] is True, done
    assert who(host, "own")["who"] == "alice"
    with host.planner() as planner:
        planner.request("plexus/session", {"token": TOKEN})
        assert planner.error_of("own_get", {"id": "me"})["code"] == "unauthorized"


# ---- with a code ----

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_grant_for_each_user(plexusd, op):
    """Two users of the machine, each with an account of their own: nobody gets the other's, by a call, by a repeat at once, or by logging out."""
    other = 65534
    host = start(plexusd, {"own": web(op, grant="per_principal")}, socket={"path": "planner.sock", "mode": "0666"},
                 principals={"uid:0": {"policy": "all", "admin": True}, f"uid:{other}": {"policy": "all"}},
                 policies={"all": {"allow": ["*"], "labels": "allow"}})
    host.folder.chmod(0o711)
    program = shutil.copy(PLEXUS, host.folder / "plexus")
    os.seteuid(other)
    try:
        theirs = host.planner()
    finally:
        os.seteuid(0)
    with theirs, host.planner() as mine:
        assert connect(host, "own", user="alice")["account"] == "alice@example.test"
        assert mine.data_of("own_get", {"id": "me"})["who"] == "alice"
        assert theirs.error_of("own_get", {"id": "me"})["code"] == "unauthorized"
        assert connect(host, "own", user="bob", program=program, uid=other)["account"] == "bob@example.test"
        ids = [(planner, planner.begin_call("own_get", {"id": "me"})) for _ in range(10) for planner in (mine, theirs)]
        for planner, id in ids:  # the same request at once: each user's is shared with nobody else's
            answer = planner.answer(id)["result"]["structuredContent"]
            assert answer["who"] == ("alice" if planner is mine else "bob"), answer
        accounts = {grant.get("account") for grant in theirs.request("plexus/auth/status")["grants"]}
        assert "bob@example.test" in accounts and "alice@example.test" not in accounts
        theirs.request("plexus/auth/logout", {"service": "own"})
        assert theirs.error_of("own_get", {"id": "me"})["code"] == "unauthorized"
        assert mine.data_of("own_get", {"id": "me"})["who"] == "alice"


def test_device(plexusd, op):
    host = start(plexusd, {"web": web(op, "device", flow="device", redirect_path=None)})
    login = Login(host, "web")
    url = login.complete_url()
    assert "user_code=" in url
    Browser("carol").walk(url)
    code, said, err = login.end()
    assert code == 0 and said["account"] == "carol@example.test", err
    assert who(host, "web")["who"] == "carol"
    assert op.log()["tokens"][-1]["grant_type"].endswith("device_code")


def test_device_beside_the_browser(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    login = Login(host, "web", "--device")
    Browser("carol").walk(login.complete_url())
    assert login.end()[0] == 0
    assert who(host, "web")["who"] == "carol"


def test_device_is_asked_as_often_as_it_says(plexusd, scripted):
    scripted.codes = [(200, {"device_code": "d" * 20, "user_code": "AB-CD", "verification_uri": "https://id.example/d", "interval": 1})]
    good = {"access_token": "a" * 30, "refresh_token": "r" * 30, "token_type": "Bearer", "expires_in": 600}
    pending = (400, {"error": "authorization_pending"})
    scripted.tokens = [pending, (400, {"error": "slow_down"}), pending, "reset", (200, good)]
    host = start(plexusd, {"web": web(scripted, flow="device", scopes=["a", "b"])})
    login = Login(host, "web")
    code, said, err = login.end()
    assert code == 0 and said["account"] is None and said["scopes"] == ["a", "b"], err
    at = scripted.times("device") + scripted.times("token")
    gaps = [later - earlier for earlier, later in zip(at, at[1:])]
    # 1 s; slow_down: 5 s more, for good; and longer when there was no answer
    assert all(least - 0.1 < gap < least + 4.5 for gap, least in zip(gaps, (1, 1, 6, 6, 11.5))), gaps


def test_device_expires(plexusd, scripted):
    scripted.codes = [(200, {"device_code": "d" * 20, "user_code": "AB-CD", "verification_uri": "https://id.example/d", "interval": 1})]
    scripted.tokens = [(400, {"error": "expired_token"})]
    host = start(plexusd, {"web": web(scripted, flow="device")})
    code, _, err = Login(host, "web").end()
    assert code == 1 and "not used in time" in err


# ---- providers that do wrong ----

def code_flow(scripted, more):
    scripted.authorize = lambda asked: {"code": "c" * 20, "state": asked["state"], **more}
    scripted.tokens = [(200, {"access_token": "a" * 30, "token_type": "Bearer", "expires_in": 600})]


@pytest.mark.parametrize("promised, more, words", [
    (False, {}, None),
    (True, {}, "which issuer"),
    (False, {"iss": "https://evil.example"}, "another issuer"),
    (True, {"iss": "https://evil.example"}, "another issuer"),
    (False, {"error": "invalid_scope", "error_description": "there is no such scope"}, "there is no such scope")])
def test_iss(plexusd, scripted, promised, more, words):
    scripted.metadata["authorization_response_iss_parameter_supported"] = promised
    code_flow(scripted, more)
    host = start(plexusd, {"web": web(scripted, scopes=["a"])})
    login = Login(host, "web")
    page = Browser().log_in(login.url())
    code, _, err = login.end()
    if words:
        assert code == 1 and "Not connected" in page and words in err
        assert not scripted.times("token")  # the code goes nowhere
    else:
        assert code == 0, err


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, {}), (200, {"access_token": 7}), (400, {"error": "invalid_grant"}),
                                    (500, b""), (302, b""), "reset", (200, {"access_token": "a\nb"})])
def test_answers_that_are_none(plexusd, scripted, answer):
    code_flow(scripted, {})
    scripted.tokens = [answer]
    host = start(plexusd, {"web": web(scripted, scopes=["a"])})
    login = Login(host, "web")
    page = Browser().log_in(login.url())
    code, said, err = login.end()
    assert code == 1 and said is None and "Not connected" in page and "Traceback" not in err
    assert status(host, "web")[0]["state"] == "none"


def test_another_issuers_metadata(plexusd, scripted):
    scripted.metadata["issuer"] = "https://evil.example"
    host = start(plexusd, {"web": web(scripted)})
    code, _, err = Login(host, "web").end()
    assert code == 1 and "issuer" in err
    assert not scripted.seen


def test_an_id_token_for_somebody_else(plexusd, scripted):
    """All of it is right, but for whom it is; and the same for us is taken."""
    code_flow(scripted, {})
    host = start(plexusd, {"web": web(scripted, scopes=["openid"])})
    for audience in ("another-client", "public"):
        login = Login(host, "web")
        nonce = urllib.parse.parse_qs(urllib.parse.urlsplit(login.url()).query)["nonce"][0]
        claims = {"iss": scripted.issuer, "aud": audience, "exp": int(time.time()) + 60, "nonce": nonce, "sub": "eve"}
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "RS256"}, claims, {}))
        scripted.tokens = [(200, {"access_token": "a" * 30, "token_type": "Bearer", "expires_in": 600, "id_token": token})]
        Browser().log_in(login.url())
        code, said, err = login.end()
        if audience == "public":
            assert code == 0 and said["account"] == "eve", err
        else:
            assert code == 1 and "ID token" in err and "aud" in err, err


# ---- without a person ----

@pytest.mark.parametrize("client", ["cc-basic", "cc-post", "cc-rs", "cc-es"])
def test_client_credentials(plexusd, op, folder, client):
    auth = {"kind": "oauth2", "flow": "client_credentials", "issuer": op.issuer, "client_id": client, "scopes": ["api:read"],
            "resource": op.api + "/"}
    if client in ("cc-basic", "cc-post"):
        (folder / "secret").write_text({"cc-basic": "cc:secret/ +%", "cc-post": "cc-post-secret"}[client])
        os.chmod(folder / "secret", 0o600)
        auth["client_secret"] = {"file": str(folder / "secret")}
        if client == "cc-post":
            auth["client_auth"] = "client_secret_post"
    else:
        auth.update(private_key={"file": str(op.keys / (client[3:] + ".pem"))}, key_id=client[3:])
    host = start(plexusd, {"web": (op.api, auth)})
    answer = who(host, "web")
    assert answer["who"] == client and answer["audience"] == op.api + "/" and answer["scope"] == "api:read"
    done = plexus(host, "auth", "login", "web")
    assert done.returncode == 2 or done.returncode == 1
    assert "needs no login" in done.stderr


def test_jwt_bearer(plexusd, op):
    auth = {"kind": "jwt", "token_url": op.issuer + "/token", "client_id": "sa", "private_key": {"file": str(op.keys / "sa.pem")},
            "key_id": "sa", "claims": {"iss": "robot@example.test", "sub": "robot@example.test", "scope": "api:read"}}
    host = start(plexusd, {"web": (op.api, auth)})
    assert who(host, "web")["client"] == "sa"


# ---- and then ----

def test_refresh(plexusd, brief):
    host = start(plexusd, {"web": web(brief)})
    connect(host, "web")
    with host.planner() as planner:
        def twice():
            assert planner.data_of("web_get", {"id": "me"})["who"] == "alice"
            time.sleep(0.1)
            return brief.log()["refreshes"] >= 2
        until(twice, "two refreshes")
    log = brief.log()
    assert log["reused"] == 0 and log["revoked_families"] == 0
    assert all(call["ok"] for call in log["api"]), log["api"]
    assert status(host, "web")[0]["last_refresh_unix_ms"] > 0


def test_it_outlives_the_host(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    connect(host, "web")
    host.stop()
    host.start()
    assert who(host, "web")["who"] == "alice"
    assert status(host, "web")[0]["account"] == "alice@example.test"


def test_logout(plexusd, op):
    host = start(plexusd, {"web": web(op), "demo2": (op.api, None)})
    connect(host, "web")
    assert who(host, "web")["who"] == "alice"
    before = op.log()["revocations"]
    done = plexus(host, "auth", "logout", "web")
    assert done.returncode == 0 and json.loads(done.stdout) == {"service": "web", "revoked": True, "why": None}, done
    assert op.log()["revocations"] == before + 2
    with host.planner() as planner:
        assert planner.error_of("web_get", {"id": "me"})["code"] == "unauthorized"
    assert status(host, "web")[0]["state"] == "none"
    assert plexus(host, "auth", "logout", "web").returncode == 1
    host.stop()
    host.start()
    assert status(host, "web")[0]["state"] == "none"
    assert connect(host, "web")["account"] == "alice@example.test"


def test_logout_when_the_provider_is_gone(plexusd, tmp_path):
    provider = Op(tmp_path, access_ttl=300)
    host = start(plexusd, {"web": web(provider)})
    connect(host, "web")
    provider.stop()
    done = plexus(host, "auth", "logout", "web")
    assert done.returncode == 0 and json.loads(done.stdout)["revoked"] is False, done
    assert status(host, "web")[0]["state"] == "none"
