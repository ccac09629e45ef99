"""Services that sign for themselves: a GitHub App with an installation for each owner, service accounts (RFC 7523), JWTs that are the token. The other side is
scripted, and takes nothing whose signature PyJWT does not."""

import collections
import json
import re
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import base_config, until
from oauth_support import Answering, auth_config, plexus
from test_secrets_store import look_everywhere

APP, DAY = "123456", 86400
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture(scope="module")
def keys():
    return {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
            "another": rsa.generate_private_key(65537, 2048)}


def key_file(folder, key):
    path = folder / "key.pem"
    path.write_bytes(pem(key))
    path.chmod(0o600)
    return {"file": str(path)}


# ---- a GitHub App ----

class GitHub:
    """api.github.com as an app sees it. `installed`: owner -> ("users" or "orgs", id)."""

    def __init__(self, key):
        self.public, self.lock = key.public_key(), threading.Lock()
        self.installed = {"acme": ("orgs", 11), "bob": ("users", 22)}
        self.tokens, self.made = {}, collections.Counter()  # token -> id; tokens of each id
        self.asked = []  # every request to the app's own endpoints
        self.jwts, self.seen = [], []  # (path, the token's id or what came instead)
        self.life, self.spoilt, self.clock, self.fail = 3600, set(), 0, []
        self.server = Answering(self.answer)
        self.url = self.server.url

    def app(self, request):
        """The signature, and what GitHub says of the claims: iat in the past, exp at most ten minutes ahead, iss the app."""
        text = re.fullmatch(r"Bearer (\S+)", request.headers.get("authorization", ""))[1]
        assert jwt.get_unverified_header(text) == {"alg": "RS256", "typ": "JWT"}
        claims = jwt.decode(text, self.public, algorithms=["RS256"], issuer=APP, options={"require": ["iat", "exp", "iss"]})
        assert set(claims) == {"iat", "exp", "iss"} and claims["iat"] <= time.time() - 50 and claims["exp"] <= time.time() + 600, claims
        assert request.headers["accept"] == "application/vnd.github+json"
        self.jwts.append(text)

    def answer(self, request):
        with self.lock:
            look = re.fullmatch(r"/(users|orgs)/([^/]+)/installation", request.path)
            make = re.fullmatch(r"/app/installations/(\d+)/access_tokens", request.path)
            if look or make:
                self.asked.append(request.path)
                self.app(request)
                if self.fail:
                    return self.fail.pop(0)
            if look and request.method == "GET":
                kind, number = self.installed.get(look[2], (None, None))
                return (200, {"id": number}) if kind == look[1] else (404, {"message": "Not Found"})
            if make and request.method == "POST":
                return self.make(int(make[1]))
            return self.use(request)

    def make(self, number):
        if number not in (one for _, one in self.installed.values()):
            return 404, {"message": "Not Found"}
        self.made[number] += 1
        token = f"ghs_{number}_{self.made[number]}_" + "x" * 24
        self.tokens[token] = number
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.life + self.clock))
        return 201, {"token": token, "expires_at": until, "permissions": {"contents": "read"}}

    def use(self, request):
        given = request.headers.get("authorization", "")
        number = self.tokens.get(given[len("Bearer "):])
        self.seen.append((request.method, request.path, number or given))
        if not number or given[len("Bearer "):] in self.spoilt:
            return 401, {"message": "Bad credentials"}
        owner = re.match(r"/repos/([^/]+)/", request.path)
        kind, right = self.installed.get(owner[1].lower(), (None, None)) if owner else (None, number)
        if number != right:
            return 404, {"message": "Not Found"}
        if request.path.endswith("/moved"):
            return 301, {"message": "Moved Permanently"}, {"Location": self.url + "/repositories/7"}
        return 200, {"id": 1, "full_name": request.path[7:], "description": number, "login": number}

    def spoil(self):
        self.spoilt.update(self.tokens)

    def stop(self):
        self.server.stop()


@pytest.fixture
def github(keys):
    served = GitHub(keys["RS256"])
    yield served
    served.stop()
    assert served.server.errors == []


def app_host(plexusd, github, key, **more):
    host = plexusd()
    config = base_config(host.folder, limits={"calls_per_principal": 500})
    config["services"]["github"] = {"plugin": "github", "config": {"base_url": github.url}, "limits": {"retry": {"attempts": 1}, "coalesce": False},
                                    "auth": {"kind": "github_app", "app_id": APP, "private_key": key_file(host.folder, key), **more}}
    host.write(config)
    return host.start()


def repo(planner, owner, name="r"):
    return planner.data_of("github_repos_get", {"owner": owner, "repo": name})


def test_each_owner_has_an_installation(plexusd, github, keys):
    """Many calls for two owners at once, on one connection and on several: each goes with its owner's token, and each token is asked for once."""
    host = app_host(plexusd, github, keys["RS256"])
    planners = [host.planner() for _ in range(3)]
    calls = [(planner, owner, planner.begin_call("github_repos_get", {"owner": owner, "repo": "r"}))
             for _ in range(20) for planner in planners for owner in ("acme", "bob")]
    for planner, owner, call in calls:
        assert planner.answer(call)["result"]["structuredContent"]["full_name"] == f"{owner}/r"
    assert collections.Counter(github.seen) == {("GET", "/repos/acme/r", 11): 60, ("GET", "/repos/bob/r", 22): 60}
    # acme is an organisation: looked for among the users first
    assert sorted(github.asked) == ["/app/installations/11/access_tokens", "/app/installations/22/access_tokens", "/orgs/acme/installation",
                                    "/users/acme/installation", "/users/bob/installation"]
    assert len(set(github.jwts)) == 1  # signing takes 2 ms: one serves for minutes
    assert repo(planners[0], "ACME")["description"] == 11 and len(github.asked) == 5  # names are the same in any case
    shown = {grant["holder"]: grant for grant in json.loads(plexus(host, "auth", "status", "github").stdout)["grants"]}
    assert set(shown) == {"acme", "bob"} and all(one["state"] == "fresh" and one["kind"] == "github_app" for one in shown.values())
    assert shown["bob"]["next_refresh_unix_ms"] < shown["bob"]["expires_unix_ms"] < (time.time() + 3601) * 1000
    look_everywhere(host, planners[0], *github.tokens, *github.jwts)
    for planner in planners:
        planner.close()


def test_a_refused_token_is_replaced_once(plexusd, github, keys):
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        assert repo(planner, "acme") and repo(planner, "bob")
        github.spoil()
        calls = [planner.begin_call("github_repos_get", {"owner": "acme", "repo": f"r{i}"}) for i in range(30)]
        assert all(not planner.answer(call)["result"].get("isError") for call in calls)
        assert github.made == {11: 2, 22: 1}  # the other owner's is not touched


def test_always_refused(plexusd, github, keys):
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        assert repo(planner, "acme")
        real = github.make
        github.make = lambda number: (lambda made: (github.spoilt.add(made[1]["token"]), made)[1])(real(number))
        github.spoil()
        for n in range(10):
            error = planner.error_of("github_repos_get", {"owner": "acme", "repo": f"r{n}"})
            assert error["code"] == "unauthorized" and not error["retryable"], error
        assert github.made == {11: 2}  # one more, not ten
        assert len(github.seen) == 1 + 2 + 9


def test_an_owner_without(plexusd, github, keys):
    """Nobody's token goes where the app is not installed; that concerns nobody else, and an installation that is made is found."""
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        assert repo(planner, "acme")
        seen = len(github.seen)
        for _ in range(3):
            error = planner.error_of("github_repos_get", {"owner": "stranger", "repo": "r"})
            assert error["code"] == "unauthorized" and "not installed for stranger" in error["message"], error
            assert "plexus auth login" not in json.dumps(error)  # no login helps
        assert len(github.seen) == seen and github.asked.count("/users/stranger/installation") == 1
        assert repo(planner, "acme") and repo(planner, "bob")
        # what is about no account has no token unless one is configured
        error = planner.error_of("github_users_me")
        assert error["code"] == "unauthorized" and "no account" in error["message"] and len(github.seen) == seen + 2
        for owner in ("acme/../bob", "..", "a%2fb", "acme?x", "a\nb", "x" * 65, "é"):
            result = planner.call("github_repos_get", {"owner": owner, "repo": "r"})
            assert result["isError"], owner
        asked = {path.split("/")[2] for path in github.asked if path.startswith("/users/")}
        assert len(github.seen) == seen + 2 and asked == {"acme", "bob", "stranger"}


def test_a_configured_owner(plexusd, github, keys):
    host = app_host(plexusd, github, keys["RS256"], owner="Bob")
    with host.planner() as planner:
        assert planner.data_of("github_users_me")["login"] == 22
        assert repo(planner, "acme")["description"] == 11


def test_a_configured_installation(plexusd, github, keys):
    host = app_host(plexusd, github, keys["RS256"], installation_id="11")
    with host.planner() as planner:
        assert planner.data_of("github_users_me")["login"] == 11 and repo(planner, "acme")
        assert planner.error_of("github_repos_get", {"owner": "bob", "repo": "r"})["code"] == "not_found"  # GitHub's word
    assert github.asked == ["/app/installations/11/access_tokens"]


def test_installed_anew(plexusd, github, keys):
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        assert repo(planner, "acme")
        github.installed["acme"] = ("orgs", 33)
        github.spoil()
        assert planner.error_of("github_repos_get", {"owner": "acme", "repo": "r"})["code"] == "unauthorized"
        assert github.asked[-1] == "/app/installations/11/access_tokens"
        host.reload()
        config = host.config
        config["services"]["github"]["auth"]["lifetime_s"] = 500  # changed: what was refused is worth another try
        host.reload(config)
        assert repo(planner, "acme")["description"] == 33


def test_what_passes(plexusd, github, keys):
    """GitHub is away for a moment, or limits the app: the call says when to come back; later it works."""
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        for failure in ((503, {"message": "away"}), (403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "2"}),
                        (429, {}, {"Retry-After": "1"})):
            github.fail, begun = [failure], time.monotonic()
            error = planner.error_of("github_repos_get", {"owner": "acme", "repo": "r"})
            assert error["code"] == "unavailable" and error["retryable"] and 0 < error["retry_after_ms"] <= 4000, error
            asked = len(github.asked)
            again = planner.call("github_repos_get", {"owner": "acme", "repo": "r"})["structuredContent"].get("error")
            if time.monotonic() - begun < error["retry_after_ms"] / 1000:  # not asked before its time
                assert again["retry_after_ms"] <= error["retry_after_ms"] and len(github.asked) == asked
            until(lambda: not planner.call("github_repos_get", {"owner": "acme", "repo": "r"}).get("isError"), "it comes back")
            config = host.config
            config["services"]["github"]["auth"]["lifetime_s"] = 400 + len(github.asked)
            host.reload(config)  # without a token again


def test_another_key(plexusd, github, keys):
    """The app's key was changed at GitHub: its no is told, not repeated for each call, and nobody is sent to a login."""
    host = app_host(plexusd, github, keys["another"])
    github.app = lambda request: None
    github.fail = [(401, {"message": "A JSON web token could not be decoded"})] * 9
    with host.planner() as planner:
        for _ in range(5):
            error = planner.error_of("github_repos_get", {"owner": "acme", "repo": "r"})
            assert error["code"] == "unauthorized" and "could not be decoded" in error["message"] and "services.github.auth" in error["advice"], error
        assert len(github.asked) == 1 and github.seen == []


def test_refreshed_ahead(plexusd, github, keys):
    """A token that is used is made anew before it ends; its last minute is not waited for."""
    github.life = 1  # taken for 60 s at least: the clocks differ
    host = app_host(plexusd, github, keys["RS256"])
    with host.planner() as planner:
        assert repo(planner, "acme")
        grant, = json.loads(plexus(host, "auth", "status", "github").stdout)["grants"]
        assert 50 < grant["expires_unix_ms"] / 1000 - time.time() <= 60
        assert 30 < grant["next_refresh_unix_ms"] / 1000 - time.time() <= 60


def test_redirects(plexusd, github, keys):
    """A repository that was renamed: within the origin the token goes along, beyond it does not."""
    other = Answering(lambda request: (200, {"id": 2, "got": request.headers.get("authorization")}))
    host = app_host(plexusd, github, keys["RS256"])
    try:
        with host.planner() as planner:
            assert repo(planner, "acme", "moved")["description"] == 11
            real = github.use
            github.use = lambda request: (302, {}, {"Location": other.url + "/away"})
            result = planner.call("github_repos_get", {"owner": "acme", "repo": "r"})
            assert not other.requests and result["isError"]  # an origin that nobody has configured
            github.use = real
    finally:
        other.stop()


# ---- service accounts ----

class Accounts:
    """A token endpoint for assertions (RFC 7523), and the API behind it."""

    def __init__(self, key, algorithm):
        self.public, self.algorithm, self.lock = key.public_key(), algorithm, threading.Lock()
        self.claims, self.forms, self.heads, self.jtis, self.seen = [], [], [], set(), []
        self.life, self.refuse, self.spoilt = 600, None, set()
        self.server = Answering(self.answer)
        self.url = self.server.url
        self.audience = self.url + "/token"

    def check(self, text):
        claims = jwt.decode(text, self.public, algorithms=[self.algorithm], audience=self.audience, options={"require": ["iat", "exp", "jti", "aud"]})
        assert claims["jti"] not in self.jtis, "replayed"
        self.jtis.add(claims["jti"])
        assert claims["iat"] <= time.time() + 1 and claims["exp"] - claims["iat"] <= 300
        self.claims.append(claims)
        self.heads.append(jwt.get_unverified_header(text))
        return claims

    def answer(self, request):
        with self.lock:
            if request.path == "/token":
                form = request.form
                self.forms.append(form)
                if self.refuse:
                    return self.refuse
                assert form["grant_type"] == BEARER and "authorization" not in request.headers
                self.check(form["assertion"])
                return 200, {"access_token": f"sa-{len(self.forms)}-" + "y" * 24, "token_type": "Bearer", "expires_in": self.life}
            given = request.headers.get("authorization", "")
            self.seen.append(given)
            if given in self.spoilt or not given.startswith("Bearer sa-"):
                return 401, {"message": "no"}
            return 200, {"who": given[7:].split("-")[1]}

    def stop(self):
        self.server.stop()


@pytest.fixture(params=["RS256", "ES256"])
def accounts(request, keys):
    served = Accounts(keys[request.param], request.param)
    served.key = keys[request.param]
    yield served
    served.stop()
    assert served.server.errors == []


def account_host(plexusd, accounts, auth, **more):
    host = plexusd(config={})
    host.write(auth_config(host.folder, {"web": (accounts.url, {"kind": "jwt", "private_key": key_file(host.folder, accounts.key), **auth})}, **more))
    return host.start()


CLAIMS = {"iss": "robot@example.test", "sub": "somebody@example.test", "scope": "read write", "deep": {"n": 5000000000000001}}


def test_an_assertion(plexusd, accounts):
    """What is signed is what is configured; iat, exp and jti are the host's whatever the configuration says."""
    host = account_host(plexusd, accounts, {"token_url": accounts.url + "/token", "key_id": "k-1", "claims": {**CLAIMS, "iat": 1, "exp": 9999999999, "jti": "x"}})
    with host.planner() as planner:
        assert planner.data_of("web_get", {"id": "a"}) == {"who": "1"} == planner.data_of("web_get", {"id": "b"})
        claims, = accounts.claims
        assert {name: claims[name] for name in CLAIMS} == CLAIMS and claims["aud"] == accounts.url + "/token"
        assert accounts.heads == [{"alg": accounts.algorithm, "typ": "JWT", "kid": "k-1"}]
        assert set(accounts.forms[0]) == {"grant_type", "assertion"}
        # a 401: one more assertion, another one; for all that come at once
        accounts.spoilt.add("Bearer sa-1-" + "y" * 24)
        calls = [planner.begin_call("web_get", {"id": f"c{i}"}) for i in range(20)]
        assert all(planner.answer(call)["result"]["structuredContent"] == {"who": "2"} for call in calls)
        assert len(accounts.forms) == 2
        look_everywhere(host, planner, *(form["assertion"] for form in accounts.forms), *(seen[7:] for seen in accounts.seen))
        shown, = planner.request("plexus/auth/status")["grants"]
        assert shown["kind"] == "jwt" and shown["state"] == "fresh" and shown["holder"] == "shared"
    done = plexus(host, "auth", "login", "web")
    assert done.returncode != 0 and "needs no login" in done.stderr


def test_what_an_assertion_is_sent_with(plexusd, accounts):
    accounts.audience = "https://aud.example/"
    host = account_host(plexusd, accounts, {"token_url": accounts.url + "/token", "audience": "https://aud.example/", "client_id": "robot", "scopes": ["a", "b"],
                                            "resource": "https://api.example/", "lifetime_s": 60})
    with host.planner() as planner:
        assert planner.data_of("web_get", {"id": "a"})
    claims, = accounts.claims
    assert claims["iss"] == "robot" and claims["exp"] - claims["iat"] == 60 and "sub" not in claims
    assert {name: value for name, value in accounts.forms[0].items() if name != "assertion"} == {
        "grant_type": BEARER, "scope": "a b", "resource": "https://api.example/", "client_id": "robot"}


@pytest.mark.parametrize("answer, code, words", [
    ((400, {"error": "invalid_grant", "error_description": "sub is unknown"}), "unauthorized", "sub is unknown"),
    ((401, {"error": "invalid_client"}), "unauthorized", "invalid_client"),
    ((503, {}), "unavailable", "503"), ((200, {"token": "?"}), "unavailable", "access_token"), ((302, {}, {"Location": "/elsewhere"}), "unavailable", "302")])
def test_no_token_for_it(plexusd, accounts, answer, code, words):
    """A service account that is refused is an administrator's business: no login is offered, and it is not asked for each call."""
    accounts.refuse = answer
    host = account_host(plexusd, accounts, {"token_url": accounts.url + "/token", "claims": CLAIMS})
    with host.planner() as planner:
        for _ in range(4):
            error = planner.error_of("web_get", {"id": "a"})
            assert error["code"] == code and words in error["message"] and "auth login" not in json.dumps(error), error
            assert error["retryable"] == (code == "unavailable")
        assert accounts.seen == [] and len(accounts.forms) == 1
        look_everywhere(host, planner, accounts.forms[0]["assertion"])
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")


def test_a_jwt_is_the_token(plexusd, accounts):
    """Without a token endpoint what is signed is sent; it is used again while it lives, and another one is signed before it ends."""
    accounts.audience = "https://api.example/"
    refused = []

    def answer(request):
        if refused and request.path != "/items/good":
            refused.pop()
            return 401, {"message": "no"}
        text = re.fullmatch(r"Bearer (\S+)", request.headers["authorization"])[1]
        if text not in accounts.seen:
            accounts.seen.append(text)
            accounts.check(text)
        return 200, {"id": 7}
    accounts.server.answer = answer
    host = account_host(plexusd, accounts, {"audience": "https://api.example/", "claims": CLAIMS, "lifetime_s": 10})
    with host.planner() as planner:
        for i in range(5):
            assert planner.data_of("web_get", {"id": f"a{i}"}) == {"id": 7}
        assert len(accounts.seen) == 1
        refused.append(True)
        assert planner.data_of("web_get", {"id": "b"}) == {"id": 7} and len(accounts.seen) == 2  # a 401: another one
        until(lambda: planner.data_of("web_get", {"id": "c"}) and len(accounts.seen) == 3, "the next one")
        look_everywhere(host, planner, *accounts.seen)
